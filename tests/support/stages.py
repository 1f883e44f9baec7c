"""Where dialogues are played: in memory by the contract of sessions alone, and on real sockets."""

from __future__ import annotations

import itertools
import queue
import socket
import struct
import threading
from collections.abc import Callable

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.wire.connection import Connections
from mockmail.wire.contract import Abort, Close, Link, Pause
from mockmail.wire.listener import Listener
from mockmail.wire.runtime import Runtime
from support.script import Difference, Script, ScriptError

__all__ = ["STAGES", "MemoryStage", "SocketStage", "Stage"]

FIRST_UID_VALIDITY = 1001
SILENCE_SECONDS = 10.0
"""How long a real server may take to answer before it is said not to."""

SessionClassOf = Callable[[str], type]
"""Protocol -> the class of its sessions, called with (link, world)."""


class Stage:
    """Where a script is played: a world, and the client ends of its sessions."""

    def __init__(self, script: Script, session_class_of: SessionClassOf, *, byte_by_byte: bool) -> None:
        self.script = script
        self.session_class_of = session_class_of
        self.byte_by_byte = byte_by_byte
        self.received: dict[int, bytearray] = {}
        """What each client got and the script did not look at yet."""
        self.world = self.make_world()

    def make_world(self) -> World:
        settings = Settings().updated_from_texts(self.script.settings)
        if self.script.users:
            settings = settings.updated(users=self.script.users)
        return World(settings, next_uid_validity=itertools.count(FIRST_UID_VALIDITY).__next__)

    def on_loop(self, function: Callable[[], None]) -> None:
        """Run where the store may be touched."""
        raise NotImplementedError

    def open(self, session: int) -> None: ...
    def send(self, session: int, data: bytes) -> None: ...
    def half_close(self, session: int) -> None: ...
    def vanish(self, session: int) -> None: ...

    def more(self, session: int) -> bool:
        """Wait for more bytes; False when there will be none."""
        raise NotImplementedError

    def finished(self) -> None:
        """Raise what went wrong inside the server."""

    def close(self) -> None: ...

    def read_line(self, session: int) -> bytes:
        got = self.received[session]
        while b"\n" not in got:
            if not self.more(session):
                raise Difference(f"the server sent no line; unread is {bytes(got)!r}")
        end = got.index(b"\n") + 1
        line = bytes(got[:end])
        del got[:end]
        if not line.endswith(b"\r\n"):
            raise Difference(f"a line without CRLF: {line!r}")
        return line[:-2]

    def read_exactly(self, session: int, count: int) -> bytes:
        got = self.received[session]
        while len(got) < count:
            if not self.more(session):
                raise Difference(f"the server sent {len(got)} of {count} bytes: {bytes(got)!r}")
        data = bytes(got[:count])
        del got[:count]
        return data

    def expect_closed(self, session: int) -> None:
        while self.more(session):
            pass
        rest = bytes(self.received[session])
        if rest:
            raise Difference(f"the server sent more: {rest!r}")


class MemoryStage(Stage):
    """Bytes in, bytes out, by the contract alone."""

    SMALL_PULL_BYTES = 64

    def __init__(self, script: Script, session_class_of: SessionClassOf, *, byte_by_byte: bool) -> None:
        super().__init__(script, session_class_of, byte_by_byte=byte_by_byte)
        self.sessions: dict[int, object] = {}
        self.links: list[Link] = []
        self.closed: set[int] = set()

    def on_loop(self, function: Callable[[], None]) -> None:
        function()
        self._pump_all()

    def open(self, session: int) -> None:
        protocol = self.script.protocol_of(session)
        link = Link(protocol, f"{protocol}-{session}", peer=("127.0.0.1", 50000 + session))
        self.links.append(link)
        self.sessions[session] = self.session_class_of(protocol)(link, self.world)
        self.received[session] = bytearray()
        self.sessions[session].greeting()
        self._pump_all()

    def send(self, session: int, data: bytes) -> None:
        size = 1 if self.byte_by_byte else max(1, len(data))
        for start in range(0, len(data), size):
            if session in self.closed:
                return
            assert self.sessions[session].wants_input, "a session that has nothing to do must want input"
            if self.byte_by_byte:
                self.sessions[session].receive(data[start : start + size])
            else:
                self.received[session] += self.sessions[session].answer(data) or b""
            self._pump(session)
        self._pump_all()

    def half_close(self, session: int) -> None:
        if session not in self.closed:
            self.sessions[session].receive_eof()
        self._pump_all()

    def vanish(self, session: int) -> None:
        self._lose(session)
        self._pump_all()

    def more(self, session: int) -> bool:
        before = len(self.received[session])
        self._pump_all()
        return len(self.received[session]) > before

    def expect_closed(self, session: int) -> None:
        super().expect_closed(session)
        if session not in self.closed:
            raise Difference("the server keeps the connection")

    def finished(self) -> None:
        for link in self.links:
            if link.errors:
                raise link.errors[0]

    def close(self) -> None:
        for session in self.sessions:
            if session not in self.closed:
                self._lose(session)

    def _lose(self, session: int) -> None:
        self.closed.add(session)
        self.sessions[session].connection_lost()

    def _pump_all(self) -> None:
        for session in list(self.sessions):
            self._pump(session)

    def _pump(self, session: int) -> None:
        limit = (self.SMALL_PULL_BYTES,) if self.byte_by_byte else ()
        while session not in self.closed:
            actions = self.sessions[session].outgoing(*limit)
            for action in actions:
                if isinstance(action, bytes):
                    self.received[session] += action
                elif isinstance(action, Close | Abort):
                    self._lose(session)
                    break
                elif not isinstance(action, Pause):
                    raise ScriptError(f"{action} cannot be played in memory")
            if not actions and not self.sessions[session].busy:
                return


class WatchedSession:
    """A session that tells when its connection is gone."""

    def __init__(self, session: object) -> None:
        self._session = session
        self.gone = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)

    def connection_lost(self) -> None:
        try:
            self._session.connection_lost()
        finally:
            self.gone.set()


class SocketStage(Stage):
    """Real sockets and the loop thread."""

    def __init__(self, script: Script, session_class_of: SessionClassOf, *, byte_by_byte: bool) -> None:
        super().__init__(script, session_class_of, byte_by_byte=byte_by_byte)
        self.errors: list[BaseException] = []
        self.runtime = Runtime(self.errors.append)
        self.connections = Connections(errors=self.errors)
        self.clients: dict[int, socket.socket] = {}
        self.watched: dict[int, WatchedSession] = {}
        self.made: queue.SimpleQueue[WatchedSession] = queue.SimpleQueue()
        self.listeners = {
            protocol: Listener(protocol, self._make, self.connections)
            for protocol in {script.protocol, *script.protocols.values()}
        }
        self.runtime.start(*(listener.open for listener in self.listeners.values()))

    def _make(self, link: Link) -> WatchedSession:
        session = WatchedSession(self.session_class_of(link.protocol)(link, self.world))
        self.made.put(session)
        return session

    def on_loop(self, function: Callable[[], None]) -> None:
        self.runtime.call(function)

    def open(self, session: int) -> None:
        address = self.listeners[self.script.protocol_of(session)].address
        client = self.clients[session] = socket.create_connection(address, timeout=SILENCE_SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.watched[session] = self.made.get(timeout=SILENCE_SECONDS)
        self.received[session] = bytearray()

    def send(self, session: int, data: bytes) -> None:
        try:
            if self.byte_by_byte:
                for byte in data:
                    self.clients[session].send(bytes((byte,)))
            else:
                self.clients[session].sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return  # the server closed meanwhile; the script says whether it should

    def half_close(self, session: int) -> None:
        self.clients[session].shutdown(socket.SHUT_WR)

    def vanish(self, session: int) -> None:
        self.clients[session].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._leave(session)

    def more(self, session: int) -> bool:
        try:
            data = self.clients[session].recv(1 << 16)
        except TimeoutError:
            raise Difference(f"the server is silent; unread is {bytes(self.received[session])!r}") from None
        except ConnectionResetError:
            return False
        self.received[session] += data
        return bool(data)

    def expect_closed(self, session: int) -> None:
        super().expect_closed(session)
        self._leave(session)

    def finished(self) -> None:
        if self.errors:
            raise self.errors[0]

    def close(self) -> None:
        for client in self.clients.values():
            client.close()
        self.runtime.stop()

    def _leave(self, session: int) -> None:
        self.clients.pop(session).close()
        if not self.watched.pop(session).gone.wait(SILENCE_SECONDS):
            raise Difference("the server does not notice that the client has gone")


STAGES: dict[str, Callable[[Script, SessionClassOf], Stage]] = {
    "memory-whole": lambda script, class_of: MemoryStage(script, class_of, byte_by_byte=False),
    "memory-bytes": lambda script, class_of: MemoryStage(script, class_of, byte_by_byte=True),
    "socket-whole": lambda script, class_of: SocketStage(script, class_of, byte_by_byte=False),
    "socket-bytes": lambda script, class_of: SocketStage(script, class_of, byte_by_byte=True),
}
