"""A small line protocol, sans-IO, and a server for it on real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from mockmail.wire.connection import Connections
from mockmail.wire.contract import Abort, Close, Link, Pause, StartTLS, TLSInfo, Verdict
from mockmail.wire.faults import FaultPlan, Vocabulary
from mockmail.wire.listener import Listener
from mockmail.wire.runtime import Runtime

SECONDS = 10.0


class LineSession:
    """Answers a line with a line: ECHO text, BIG n, NOW n, STARTTLS, SECRET word, CRASH, QUIT, CUT, HOLD, FREE."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.input = bytearray()
        self.offset = 0
        self.queue: list[object] = []
        self.left = 0
        self.world: object = "first"
        self.worlds: list[object] = []
        self.timeout_seconds = 60.0
        self.lost = 0
        self.lost_event = threading.Event()
        self.eof = False
        self.hold = False
        self.pulled: list[int] = []
        self.received: list[bytes] = []
        self.answered = 0
        """How many lines were at once."""
        self.told = 0
        self.shown = 0
        self.crash_in: str | None = None
        self.tls: TLSInfo | None = None

    def _crash(self, where: str) -> None:
        if self.crash_in == where:
            raise ZeroDivisionError(where)

    def greeting(self) -> None:
        self._crash("greeting")
        self.queue.append(b"hello\r\n")

    def answer(self, data: bytes) -> bytes | None:
        name, _, argument = data.strip().partition(b" ")
        if name != b"NOW" or self.input or b"\n" in data[:-1] or self.hold:
            self.receive(data)
            return None
        self._crash("answer")
        self.answered += 1
        return b"y" * int(argument)

    def receive(self, data: bytes) -> None:
        self._crash("receive")
        self.received.append(data)
        self.input += data

    def receive_eof(self) -> None:
        self._crash("receive_eof")
        self.eof = True

    def notify(self) -> None:
        self.told += 1
        self.link.wake()

    @property
    def busy(self) -> bool:
        return bool(self.left) or bool(self.queue) or (b"\n" in self.input and not self.hold)

    @property
    def wants_input(self) -> bool:
        return not (self.hold and len(self.input) > 0)

    def outgoing(self, limit_bytes: int = 0) -> list:
        self._crash("outgoing")
        actions, self.queue = self.queue, []
        size = sum(len(action) for action in actions if isinstance(action, bytes))
        while size < limit_bytes and not any(isinstance(action, (StartTLS, Pause, Close, Abort)) for action in actions):
            if self.left:
                count = min(self.left, 65536)
                if self.left - count == 1:
                    count -= 1
                self.left -= count
                actions.append(b"x" * count if self.left else b"x" * (count - 2) + b"\r\n")
                size += count
                continue
            if self.told > self.shown:
                self.shown = self.told
                actions.append(b"* news\r\n")
            end = self.input.find(b"\n") + 1
            if not end or self.hold:
                break
            line = bytes(self.input[:end])
            del self.input[:end]
            for action in self.command(line, self.offset):
                actions.append(action)
                if isinstance(action, bytes):
                    size += len(action)
            self.offset += end
        if self.eof and not self.busy and not any(isinstance(action, (StartTLS, Pause)) for action in actions):
            actions.append(Close())
        self.pulled.append(size)
        return actions

    def command(self, line: bytes, offset: int) -> Iterator[object]:
        name, _, argument = line.decode("latin-1").rstrip("\r\n").partition(" ")
        name = name.upper()
        account = "bob@example.test" if name == "SECRET" else None
        verdict: Verdict | None = self.link.command(name, argument, account)
        if verdict is not None:
            if verdict.delay_seconds:
                yield Pause(verdict.delay_seconds)
            if verdict.drop:
                yield Abort()
                return
            if verdict.reply is not None:
                yield f"{verdict.reply}\r\n".encode()
                return
        if name == "ECHO":
            yield f"{argument}\r\n".encode("latin-1")
        elif name in ("BIG", "NOW"):
            self.left = int(argument)
        elif name == "LITERAL":
            yield b"* {10}\r\n0123456789\r\n"
        elif name == "STARTTLS":
            self.input.clear()
            yield b"go\r\n"
            yield StartTLS()
        elif name == "SECRET":
            self.link.redact(offset + 7, offset + len(line.rstrip(b"\r\n")))
            yield b"in\r\n"
        elif name == "PAUSE":
            yield Pause(float(argument))
            yield b"later\r\n"
        elif name == "WORLD":
            yield f"{self.world}\r\n".encode()
        elif name == "CUT":
            yield Abort()
        elif name == "QUIT":
            yield b"bye\r\n"
            yield Close()

    def timed_out(self) -> None:
        self._crash("timed_out")
        self.queue += [b"too slow\r\n", Close()]

    def tls_started(self, info: TLSInfo) -> None:
        self.tls = info
        self.input.clear()

    def rebind(self, world: object) -> None:
        self.world = world

    def connection_lost(self) -> None:
        self.lost += 1
        self.lost_event.set()
        self._crash("connection_lost")


class LineClient:
    """The other end, blocking, with a timeout."""

    def __init__(self, address: tuple[str, int], receive_buffer_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(SECONDS)
        self.buffer = b""
        try:
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """The next line without its end; ``b""`` at the end of the stream."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def rest(self) -> bytes:
        """All up to the end of the stream."""
        while data := self.socket.recv(65536):
            self.buffer += data
        rest, self.buffer = self.buffer, b""
        return rest

    def ask(self, line: str) -> bytes:
        self.send(line.encode("latin-1") + b"\r\n")
        return self.line()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def close(self) -> None:
        self.socket.close()


class LineServer:
    """A runtime with one listener; ``sessions`` in the order they began."""

    def __init__(self, **listener_arguments: object) -> None:
        names = {"ECHO", "BIG", "NOW", "SECRET", "QUIT", "LITERAL", "UID ECHO"}
        self.faults = FaultPlan({"line": Vocabulary(frozenset(names), frozenset({"SECRET"}), tagged=True)})
        self.errors: list[BaseException] = []
        self.connections = Connections(faults=self.faults, errors=self.errors)
        self.sessions: list[LineSession] = []
        self.began = threading.Semaphore(0)
        self.prepare: Callable[[LineSession], None] = lambda session: None
        self.runtime = Runtime(self.errors.append)
        self.listener = Listener("line", self._make, self.connections, **listener_arguments)
        self.runtime.start(self.listener.open)
        self.clients = contextlib.ExitStack()

    def _make(self, link: Link) -> LineSession:
        session = LineSession(link)
        self.prepare(session)
        self.sessions.append(session)
        self.began.release()
        return session

    def connect(self, **arguments: int) -> LineClient:
        client = LineClient(self.listener.address, **arguments)
        self.clients.callback(client.close)
        return client

    def greeted(self, **arguments: int) -> LineClient:
        client = self.connect(**arguments)
        assert client.line() == b"hello"
        return client

    def stop(self) -> None:
        self.clients.close()
        self.runtime.stop()


@pytest.fixture
def wire() -> Iterator[SimpleNamespace]:
    """The classes above, since test modules import nothing from a conftest."""
    with contextlib.ExitStack() as stack:

        def start(**arguments: object) -> LineServer:
            server = LineServer(**arguments)
            stack.callback(server.stop)
            return server

        yield SimpleNamespace(Session=LineSession, Client=LineClient, start=start)


@pytest.fixture
def server(wire: SimpleNamespace) -> Iterator[LineServer]:
    """A running server whose errors, if any are left, fail the test."""
    running = wire.start()
    yield running
    running.stop()
    assert running.errors == []
