"""A POP3 conversation (RFC 1939, RFC 2449), sans-IO: lines in, responses out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mockmail.core.world import World
from mockmail.pop3.extensions import COMMANDS, LOGIN_COMMANDS
from mockmail.pop3.grammar import (
    AUTH_LIMIT_BYTES,
    COMMAND_LIMIT_BYTES,
    BadCommand,
    Command,
    Line,
    LineReader,
    Overlong,
    first_word,
    parse_command,
)
from mockmail.pop3.states import HIDDEN, States, shown
from mockmail.pop3.transaction import Body, Reply
from mockmail.wire.contract import SLICE_BYTES, Abort, Action, Close, Link, Pause, StartTLS, TLSInfo, Verdict

__all__ = ["Pop3Session"]

IDLE_SECONDS = 600.0
"""The least that RFC 1939 section 3 allows."""
ERROR_LIMIT = 20
"""So many lines in a row that are no commands, and the client is taken for no POP3 client."""
RESPONSE_LIMIT_BYTES = 510
"""Longest first line of a response, without CRLF (RFC 2449 section 4): errors repeat what the client wrote."""
COMMANDS_IN_A_PULL = 200
"""Pipelined commands carried out before other connections have their turn: a few milliseconds at most."""

T = TypeVar("T")

_BROKEN = "-ERR [SYS/TEMP] the server met an error of its own"


class Pop3Session:
    """One conversation; see :class:`mockmail.wire.contract.Session`.

    The maildrop is locked from login to the end of the session. After a reset of the server a session that had one
    answers ``-ERR`` to all but QUIT, and lives on in the world it logged in to.
    """

    timeout_seconds = IDLE_SECONDS
    """The inactivity autologout timer (RFC 1939 section 3)."""

    def __init__(self, link: Link, world: World) -> None:
        self.link = link
        self._states = States(link, world)
        self._lines = LineReader()
        self._command = Command("", ())
        """The one that is carried out, or was last."""
        self._said = ""
        """Its arguments, as they are shown."""
        self._account: str | None = None
        """Whom the connection was told that it is about."""
        self._delayed: Callable[[], bytes] | None = None
        """What to do after the pause that a fault asked for."""
        self._body: Body | None = None
        self._first_line = ""
        """Of the response whose body is being sent."""
        self._greeting = b""
        self._pause: Pause | None = None
        self._farewell: Close | Abort | None = None
        self._errors_in_a_row = 0
        self._hidden_from: int | None = None
        """Where the secret goes on, of an over-long line that is still being thrown away."""
        self._login_refused = False
        """Whether what comes next, if it is no command, may be a secret."""
        self._starting_tls = False
        """From the reply to STLS until the handshake is done."""
        self._eof = False
        self._idle = True
        self._ended = False
        self._is_plain = False
        """Whether a command on the maildrop that comes now can be answered at once (see :meth:`answer`): nothing waits,
        and there was no reset. The last pull found out; whatever else is called takes it back."""

    # What the connection calls

    def greeting(self) -> None:
        """The banner, with a timestamp when there is APOP (RFC 1939 section 7), or what a fault says instead."""
        banner = self._states.greeting()
        verdict = self.link.command("GREETING", "", None)
        self._idle = False
        if verdict is not None and verdict.delay_seconds:
            self._pause, self._delayed = Pause(verdict.delay_seconds), lambda: self._banner(verdict, banner)
        else:
            self._greeting = self._banner(verdict, banner)

    def _banner(self, verdict: Verdict | None, banner: str) -> bytes:
        if verdict is not None and verdict.drop:
            self._farewell = Abort()
            return b""
        if verdict is not None and verdict.reply is not None:
            banner = verdict.reply
            if not banner.startswith("+OK"):
                self._farewell = Close()
        return banner.encode("utf-8", "surrogateescape") + b"\r\n"

    def receive(self, data: bytes) -> None:
        """Take bytes; commands are carried out when :meth:`outgoing` is called."""
        self._is_plain = False
        if self._ended or self._eof:
            return
        self._lines.feed(data)
        if self._starting_tls:
            self._lines.clear()  # plain text behind STLS is nobody's
            return
        if self._hidden_from is not None:
            self.link.redact(self._hidden_from, self._lines.position)
            self._hidden_from = self._lines.position if self._lines.discarding else None
        self._idle = False

    def answer(self, data: bytes) -> bytes | None:
        """A command on the maildrop that came alone and has a short response is carried out with nothing in between:
        the way by lines, faults and slices costs as much again."""
        response = None
        if self._is_plain:
            try:
                response = self._states.answer_at_once(data)
            except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
                self.link.errors.append(error)
                self._command, self._said = Command(first_word(data), ()), ""
                response = self._finish(Reply(_BROKEN))
        if response is None:
            self.receive(data)
        else:
            self._lines.passed_by(len(data))
            self._errors_in_a_row = 0
        return response

    def receive_eof(self) -> None:
        """What was sent is still answered. Without a QUIT nothing is deleted."""
        self._eof = True
        self._idle = self._is_plain = False

    def notify(self) -> None:
        """A maildrop is a snapshot: nothing that happens to the mailbox shows in it."""

    def outgoing(self, limit_bytes: int = SLICE_BYTES) -> list[Action]:
        """Carry out commands until ``limit_bytes`` of responses are made."""
        if self._ended:
            return []
        chunks: list[bytes] = []
        size = commands = 0
        if self._greeting:
            chunks, self._greeting = [self._greeting], b""
            size = len(chunks[0])
        while size < limit_bytes and commands < COMMANDS_IN_A_PULL and self._pause is None and self._farewell is None:
            if self._body is not None:
                piece = self._next_piece(self._body)
            elif self._delayed is not None or self._lines.waiting:
                commands += 1
                piece = self._next_reply()
            else:
                break
            if piece is None:
                break
            chunks.append(piece)
            size += len(piece)
            if self._starting_tls:
                break
        actions: list[Action] = [b"".join(chunks)] if size else []
        if self._starting_tls and size:
            actions.append(StartTLS())
        if self._pause is not None:
            actions.append(self._pause)
            self._pause = None
        self._idle = (
            self._body is None
            and self._delayed is None
            and not (self._lines.waiting and self._lines.ready(self._line_limit_bytes))
        )
        if self._farewell is None and self._idle and self._eof:
            self._farewell = Close()
        if self._farewell is not None:
            actions.append(self._farewell)
            self._end()
        else:
            self._is_plain = (
                self._idle
                and not (self._eof or self._login_refused or self._lines.holds_anything)
                and self._states.reads_maildrop(self._account)
            )
        return actions

    @property
    def busy(self) -> bool:
        """Whether a command or a response is under way."""
        return not (self._idle or self._ended)

    @property
    def wants_input(self) -> bool:
        """False while bytes wait behind a response."""
        return not (self.busy and self._lines.waiting)

    def timed_out(self) -> None:
        """Close without a word, and delete nothing (RFC 1939 section 3)."""
        self._farewell = Close()
        self._is_plain = False

    def tls_started(self, info: TLSInfo) -> None:
        """Forget what was learnt in plain text (RFC 2595 section 4)."""
        self.link.tls = info
        self._starting_tls = False
        self._lines.clear()
        self._states.authorization.forget()

    def rebind(self, world: World) -> None:
        """Use ``world`` from the next command on, unless the client has logged in."""
        self._is_plain = False
        self._states.next_world = world

    def connection_lost(self) -> None:
        """Release the lock; nothing is deleted."""
        self._end()
        self._states.closed()

    def _end(self) -> None:
        self._ended = True
        self._is_plain = False
        self._body = self._delayed = None
        self._lines.clear()
        self._states.release()

    # Lines

    @property
    def _line_limit_bytes(self) -> int:
        if self._states.authorization.exchange is not None or self._lines.peek(5).upper() == b"AUTH ":
            return AUTH_LIMIT_BYTES
        return COMMAND_LIMIT_BYTES

    def _next_reply(self) -> bytes | None:
        """Answer one line; ``None`` when there is none."""
        if self._delayed is not None:
            delayed, self._delayed = self._delayed, None
            return delayed()
        line = self._lines.take(self._line_limit_bytes)
        if line is None:
            return None
        if self._states.next_world is not None:
            self._states.take_world()
        if self._states.authorization.exchange is not None:
            return self._continue_exchange(line)
        if self._login_refused and _word_of(line) not in COMMANDS:
            # A script that does not read its replies sends its password all the same.
            self._hide(line.start)
            return self._refuse(BadCommand(HIDDEN, "there is no such command"))
        if isinstance(line, Overlong):
            name = first_word(line.head)
            self._hide_secret(name, line.head, line.start)
            return self._refuse(BadCommand(name, "the line is too long"))
        command = parse_command(line.data, utf8="UTF8" in self._states.capabilities.names)
        self._hide_secret(command.name, line.data, line.start)
        if isinstance(command, BadCommand):
            return self._refuse(command)
        if command.name not in self._states.capabilities.commands:
            return self._refuse(BadCommand(command.name, f"{command.name} is no command here"))
        return self._consult(command)

    def _continue_exchange(self, line: Line | Overlong) -> bytes:
        if isinstance(line, Overlong):
            self._states.authorization.exchange = None
            self._hide(line.start)
            return self._finish(Reply("-ERR the line is too long"))
        self._hide(line.start)
        return self._attempt(self._states.respond, line.data)

    def _hide_secret(self, name: str, line: bytes, start: int) -> None:
        """Keep what follows PASS, APOP or AUTH out of transcripts; ``name`` is the first word of the line."""
        if name in LOGIN_COMMANDS:
            self._hide(start + len(line) - len(line.lstrip()) + 5)  # names of four letters, and a space

    def _hide(self, start: int) -> None:
        stop = self._lines.position
        if start < stop:
            self.link.redact(start, stop)
        if self._lines.discarding:
            self._hidden_from = max(start, stop)

    def _refuse(self, bad: BadCommand) -> bytes:
        self._states.authorization.username = None
        self._command = Command(bad.name, (HIDDEN,) if bad.name in LOGIN_COMMANDS else bad.arguments)
        self._said = shown(self._command)
        self._errors_in_a_row += 1
        if self._errors_in_a_row < ERROR_LIMIT:
            return self._finish(Reply(f"-ERR {bad.reason}"))
        return self._finish(Reply(f"-ERR {bad.reason}; that is one error too many", close=True))

    # Commands

    def _consult(self, command: Command) -> bytes:
        """Ask what a fault wants done, then do it, or the command."""
        self._command, self._said = command, shown(command)
        self._account = self._states.account_meant(command)
        verdict = self.link.command(command.name, self._said, self._account)
        if verdict is None:
            return self._attempt(self._states.answer, command)

        def proceed() -> bytes:
            if verdict.drop:
                self._farewell = Abort()
                return b""
            if verdict.reply is not None:
                self._states.authorization.username = None
                return self._finish(Reply(verdict.reply))
            return self._attempt(self._states.answer, command)

        if verdict.delay_seconds:
            self._pause, self._delayed = Pause(verdict.delay_seconds), proceed
            return b""
        return proceed()

    def _attempt(self, answer: Callable[[T], Reply], asked: T) -> bytes:
        """Carry out what is asked for; an error of our own is answered too, and the connection stays."""
        self._errors_in_a_row = 0
        try:
            reply = answer(asked)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self.link.errors.append(error)
            self._states.authorization.exchange = None
            reply = Reply(_BROKEN)
        if self._states.authorization.exchange is not None:
            return reply.text.encode("ascii") + b"\r\n"  # a prompt; the command goes on
        reply.text = reply.text[:RESPONSE_LIMIT_BYTES]
        return self._finish(reply)

    # Responses

    def _finish(self, reply: Reply) -> bytes:
        """The first line of a response; without a body, the command is done."""
        text = reply.text
        if "[" in text:
            text = self._states.without_unknown_code(text)
        if self._command.name in LOGIN_COMMANDS:
            self._login_refused = not text.startswith("+OK")
        elif self._command.name in self._states.capabilities.commands:
            self._login_refused = False
        if reply.close:
            self._farewell = Close()
        if reply.start_tls:
            self._starting_tls = True
            self._lines.clear()
        if reply.body is None:
            self._states.record(self._command.name, self._said, text)
        else:
            self._body, self._first_line = reply.body, text
        return text.encode("utf-8", "replace") + b"\r\n"

    def _next_piece(self, body: Body) -> bytes | None:
        """The next slice of a response. The last one is handed over when the command is on record."""
        try:
            return next(body)
        except StopIteration:
            self._body = None
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test; the client must not take half for all
            self.link.errors.append(error)
            self._farewell = Abort()
            return b""
        self._states.record(self._command.name, self._said, self._first_line)
        return b".\r\n"


def _word_of(line: Line | Overlong) -> str:
    return first_word(line.head if isinstance(line, Overlong) else line.data)
