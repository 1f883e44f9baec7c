"""Plays dialogues: text files of what a client says and what the server must answer.

A file ``tests/dialogue/<protocol>/<name>.txt`` has one thing a line:

====================  =================================================================================================
``# text``            a comment; blank lines count for nothing
``C: text``           the client sends this line, and CRLF
``C| text``           the client sends this, without CRLF
``C: <eof>``          the client half-closes: it will send no more
``S: text``           the server sends exactly this line, ended by CRLF
``S: /regex/``        the server sends a line that matches whole; named groups become placeholders
``S| text``           the server sends exactly these bytes (no line end is looked for)
``S: <closed>``       the server closes, and has sent nothing more
``S: <rest>``         the server sends the rest of a reply of SMTP, up to the line that has a space behind its code
``X:``                the client vanishes, without a word
``@settings k=v``     a setting, as text (before the first session)
``@user a@b secret``  an entry of ``users`` (before the first session)
``@seed a@b [folder] [\\Flag ...] [received_at=ISO]``  puts a message into a mailbox, at any time; its lines follow,
                      ``: text`` with CRLF and ``| text`` without
``@flags a@b folder uid +\\Flag``  ``+``, ``-`` or ``=``: another reader changes flags
``@expunge a@b folder uid ...``  another reader removes messages
====================  =================================================================================================

``C2:``, ``S2:``, ``X2:`` are a second session, and so on; a session opens where its number first stands. Client lines
that follow each other go out in one piece (pipelining) when the next thing is something else. ``\\xHH`` is a byte.
``{name}`` stands for text without spaces, and is the same everywhere: the first server line that has it sets it.
``{base64:text}``, ``{repeat:text:times}`` and ``{apop:secret}`` (of ``{timestamp}`` and the secret) are computed.

At the end every session half-closes, and the server must then close without a further word.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import itertools
import queue
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from mockmail.config import Settings
from mockmail.core.events import Actor
from mockmail.core.message import Envelope
from mockmail.core.world import World
from mockmail.wire.connection import Connections
from mockmail.wire.contract import Abort, Close, Link, Pause, Send
from mockmail.wire.listener import Listener
from mockmail.wire.runtime import Runtime

SESSIONS = {
    "smtp": "mockmail.smtp.session:SmtpSession",
    "lmtp": "mockmail.smtp.session:SmtpSession",
    "pop3": "mockmail.pop3.session:Pop3Session",
    "imap": "mockmail.imap.session:ImapSession",
}
"""Protocol -> the class of its session, called with (link, world)."""
FIRST_UID_VALIDITY = 1001
SILENCE_SECONDS = 10.0
"""How long a real server may take to answer before it is said not to."""
_STEP = re.compile(r"(?P<who>[CSX])(?P<session>\d*)(?P<how>[:|])(?: (?P<text>.*))?")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?::([^{}]*))?\}")
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


class Difference(Exception):
    """The server did something else."""


class ScriptError(Exception):
    """The script cannot be read."""


@dataclass
class Step:
    line: int
    source: str
    who: str
    """``C``, ``S``, ``X``, or ``@`` for a directive."""
    session: int = 1
    how: str = ":"
    text: str = ""
    body: list[tuple[str, str]] = field(default_factory=list)
    """Lines of a seeded message: how (``:`` or ``|``) and text."""


@dataclass
class Script:
    name: str
    protocol: str
    settings: dict[str, str]
    users: dict[str, str]
    steps: list[Step]


def parse_script(text: str, *, name: str, protocol: str) -> Script:
    script = Script(name, protocol, {}, {}, [])
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in ":|":
            if not script.steps or not script.steps[-1].text.startswith("seed"):
                raise ScriptError(f"{name}:{number}: {line!r} belongs to no @seed")
            if line[1:2] not in ("", " "):
                raise ScriptError(f"{name}:{number}: write a space after {line[0]!r}")
            script.steps[-1].body.append((line[0], line[2:]))
        elif line.startswith("@settings "):
            setting, _, value = line.removeprefix("@settings ").partition("=")
            script.settings[setting.strip()] = value.strip()
        elif line.startswith("@user "):
            address, password = line.split()[1:]
            script.users[address] = password
        elif line.startswith(("@seed ", "@flags ", "@expunge ")):
            script.steps.append(Step(number, line, "@", text=line[1:]))
        else:
            match = _STEP.fullmatch(line)
            if match is None:
                raise ScriptError(f"{name}:{number}: {line!r} is no line of a dialogue")
            session = int(match["session"] or 1)
            script.steps.append(Step(number, line, match["who"], session, match["how"], match["text"] or ""))
    return script


class Names:
    """What placeholders stand for."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def fill(self, text: str) -> bytes:
        """Text of a script as bytes; every placeholder must be known."""
        return _bytes(_PLACEHOLDER.sub(self._value, text))

    def _value(self, match: re.Match[str]) -> str:
        name, argument = match[1], match[2]
        if argument is None:
            if name not in self.values:
                raise ScriptError(f"{{{name}}} is not known yet")
            return self.values[name]
        if name == "base64":
            return base64.b64encode(_bytes(argument)).decode("ascii")
        if name == "repeat":
            piece, _, times = argument.rpartition(":")
            return piece * int(times)
        if name == "apop":
            return hashlib.md5(self.values["timestamp"].encode() + _bytes(argument)).hexdigest()
        raise ScriptError(f"{{{name}:...}} is no function")

    def check(self, expected: str, actual: bytes) -> None:
        """``Difference`` unless the line is what the script expects; learns new names from it."""
        line = actual.decode("utf-8", "surrogateescape")
        if len(expected) > 1 and expected.startswith("/") and expected.endswith("/"):
            match = re.fullmatch(expected[1:-1], line)
            if match is None:
                raise Difference(f"expected a match of {expected}")
            self.values.update({name: value for name, value in match.groupdict().items() if value is not None})
            return
        pattern, at = "", 0
        for placeholder in _PLACEHOLDER.finditer(expected):
            pattern += re.escape(_text(expected[at : placeholder.start()]))
            name, argument = placeholder.groups()
            if argument is None and name not in self.values:
                pattern += f"(?P={name})" if f"(?P<{name}>" in pattern else rf"(?P<{name}>\S+?)"
            else:
                pattern += re.escape(_text(self._value(placeholder)))
            at = placeholder.end()
        pattern += re.escape(_text(expected[at:]))
        match = re.fullmatch(pattern, line, re.DOTALL)
        if match is None:
            raise Difference(f"expected {expected!r}")
        self.values.update(match.groupdict())


def _bytes(text: str) -> bytes:
    return _ESCAPE.sub(lambda match: binascii.unhexlify(match[1]), text.encode("utf-8"))


def _text(text: str) -> str:
    return _bytes(text).decode("utf-8", "surrogateescape")


class Stage:
    """Where a script is played: a world, and the client ends of its sessions."""

    def __init__(self, script: Script, session_class: type, *, byte_by_byte: bool) -> None:
        self.script = script
        self.session_class = session_class
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

    def __init__(self, script: Script, session_class: type, *, byte_by_byte: bool) -> None:
        super().__init__(script, session_class, byte_by_byte=byte_by_byte)
        self.sessions: dict[int, object] = {}
        self.links: list[Link] = []
        self.closed: set[int] = set()

    def on_loop(self, function: Callable[[], None]) -> None:
        function()
        self._pump_all()

    def open(self, session: int) -> None:
        link = Link(self.script.protocol, f"{self.script.protocol}-{session}", peer=("127.0.0.1", 50000 + session))
        self.links.append(link)
        self.sessions[session] = self.session_class(link, self.world)
        self.received[session] = bytearray()
        self.sessions[session].greeting()
        self._pump_all()

    def send(self, session: int, data: bytes) -> None:
        size = 1 if self.byte_by_byte else max(1, len(data))
        for start in range(0, len(data), size):
            if session in self.closed:
                return
            assert self.sessions[session].wants_input, "a session that has nothing to do must want input"
            self.sessions[session].receive(data[start : start + size])
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
                if isinstance(action, Send):
                    self.received[session] += action.data
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

    def __init__(self, script: Script, session_class: type, *, byte_by_byte: bool) -> None:
        super().__init__(script, session_class, byte_by_byte=byte_by_byte)
        self.errors: list[BaseException] = []
        self.runtime = Runtime(self.errors.append)
        self.connections = Connections(errors=self.errors)
        self.clients: dict[int, socket.socket] = {}
        self.watched: dict[int, WatchedSession] = {}
        self.made: queue.SimpleQueue[WatchedSession] = queue.SimpleQueue()
        self.listener = Listener(script.protocol, self._make, self.connections)
        self.runtime.start(self.listener.open)

    def _make(self, link: Link) -> WatchedSession:
        session = WatchedSession(self.session_class(link, self.world))
        self.made.put(session)
        return session

    def on_loop(self, function: Callable[[], None]) -> None:
        self.runtime.call(function)

    def open(self, session: int) -> None:
        client = self.clients[session] = socket.create_connection(self.listener.address, timeout=SILENCE_SECONDS)
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


STAGES: dict[str, Callable[[Script, type], Stage]] = {
    "memory-whole": lambda script, session: MemoryStage(script, session, byte_by_byte=False),
    "memory-bytes": lambda script, session: MemoryStage(script, session, byte_by_byte=True),
    "socket-whole": lambda script, session: SocketStage(script, session, byte_by_byte=False),
    "socket-bytes": lambda script, session: SocketStage(script, session, byte_by_byte=True),
}


class Play:
    """One run of a script."""

    def __init__(self, script: Script, stage: Stage) -> None:
        self.script = script
        self.stage = stage
        self.names = Names()
        self.story: list[str] = []
        self._unsent: dict[int, bytes] = {}

    def run(self) -> None:
        """Play the script; ``AssertionError`` with the dialogue so far where the server differs."""
        step = self.script.steps[0]
        try:
            for step in self.script.steps:
                self._do(step)
            self._flush()
            for session in list(self.stage.received):
                self.story.append(f"(C{session} half-closes)")
                self.stage.half_close(session)
                self.stage.expect_closed(session)
            self.stage.finished()
        except Difference as difference:
            raise AssertionError(self._failure(step, difference)) from None
        finally:
            self.stage.close()

    def _failure(self, step: Step, difference: Difference) -> str:
        rest = {
            session: bytes(got[:2000])
            for session, got in self.stage.received.items()
            if got and session != step.session
        }
        lines = [f"{self.script.name}:{step.line}: {difference}", *(f"    {line}" for line in self.story)]
        lines += [f"    (session {session} has unread: {got!r})" for session, got in rest.items()]
        return "\n".join(lines)

    def _do(self, step: Step) -> None:
        if step.who != "@" and step.session not in self.stage.received:
            self._flush()
            self.stage.open(step.session)
        if step.who == "C" and step.text != "<eof>":
            if any(session != step.session for session in self._unsent):
                self._flush()
            data = self.names.fill(step.text) + (b"\r\n" if step.how == ":" else b"")
            self._unsent[step.session] = self._unsent.get(step.session, b"") + data
            self.story.append(step.source)
            return
        self._flush()
        if step.who == "S":
            self._expect(step)
            return
        self.story.append(step.source)
        if step.who == "C":
            self.stage.half_close(step.session)
        elif step.who == "X":
            self.stage.vanish(step.session)
            self.stage.received.pop(step.session)
        else:
            self.stage.on_loop(lambda: self._direct(step))

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, {}
        for session, data in unsent.items():
            self.stage.send(session, data)

    def _expect(self, step: Step) -> None:
        who = step.source.split(step.how)[0]
        if step.text == "<closed>":
            self.stage.expect_closed(step.session)
            self.stage.received.pop(step.session)
            self.story.append(step.source)
        elif step.how == "|":
            wanted = self.names.fill(step.text)
            actual = self.stage.read_exactly(step.session, len(wanted))
            self.story.append(f"{who}| {actual!r}")
            if actual != wanted:
                raise Difference(f"expected {wanted!r}")
        else:
            line = self._read_line(step, who)
            while step.text == "<rest>" and line[3:4] == b"-":
                line = self._read_line(step, who)
            if step.text != "<rest>":
                self.names.check(step.text, line)

    def _read_line(self, step: Step, who: str) -> bytes:
        line = self.stage.read_line(step.session)
        self.story.append(f"{who}: {line.decode('utf-8', 'backslashreplace')}")
        return line

    def _direct(self, step: Step) -> None:
        world = self.stage.world
        word, address, *rest = step.text.split()
        account = world.account(address)
        if word == "seed":
            flags = [item for item in rest if item.startswith(("\\", "$"))]
            options = dict(item.split("=", 1) for item in rest if "=" in item)
            folders = [item for item in rest if item not in flags and "=" not in item] or ["INBOX"]
            raw = b"".join(self.names.fill(text) + (b"\r\n" if how == ":" else b"") for how, text in step.body)
            received_at = datetime.fromisoformat(options["received_at"]) if "received_at" in options else None
            envelope = Envelope("sender@example.test", (address,))
            message = world.store.new_message(raw, envelope=envelope, received_at=received_at)
            world.store.seed(account, folders[0], message, flags)
            return
        mailbox = account.mailbox(rest[0])
        assert mailbox is not None, f"{rest[0]} is no mailbox of {address}"
        if word == "flags":
            change = {"+": "add", "-": "remove", "=": "replace"}[rest[2][0]]
            world.store.change_flags(mailbox, [int(rest[1])], change, [rest[2][1:], *rest[3:]], Actor())
        else:
            world.store.expunge(mailbox, [int(uid) for uid in rest[1:]], Actor())


def session_class_of(protocol: str) -> type:
    module, _, name = SESSIONS[protocol].partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.fixture
def play_file() -> Callable[[Path, str], None]:
    """Play a file in one of the ways of ``STAGES``."""

    def play(path: Path, way: str) -> None:
        script = parse_script(path.read_text("utf-8"), name=path.name, protocol=path.parent.name)
        Play(script, STAGES[way](script, session_class_of(script.protocol))).run()

    return play


@pytest.fixture
def play_text() -> Callable[..., None]:
    """Play a script given as text with any session class."""

    def play(text: str, session_class: type, way: str) -> None:
        script = parse_script(text, name="script", protocol="pop3")
        Play(script, STAGES[way](script, session_class)).run()

    return play


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dialogue" in metafunc.fixturenames:
        here = Path(__file__).parent
        paths = sorted(here.glob("*/*.txt"))
        metafunc.parametrize("dialogue", paths, ids=[f"{path.parent.name}-{path.stem}" for path in paths])
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", list(STAGES))
