"""A session of SMTP (RFC 5321) or LMTP (RFC 2033), sans-IO: lines and message text in, replies out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mockmail.core.events import SessionClosed, SessionOpened
from mockmail.core.world import World
from mockmail.smtp.answers import HIDDEN
from mockmail.smtp.chunking import ChunkReader
from mockmail.smtp.commands import RECIPIENT_LIMIT, Conversation
from mockmail.smtp.dispatch import Dispatch
from mockmail.smtp.extensions import ALL_COMMANDS, COMMAND_LINE_LIMIT_BYTES
from mockmail.smtp.framing import LineBuffer, plain_command
from mockmail.smtp.interpreter import open_interpreter
from mockmail.smtp.replies import printable
from mockmail.wire.contract import SLICE_BYTES, Action, Close, Link, TLSInfo

__all__ = ["SmtpSession"]

TIMEOUT_SECONDS = 300.0
ERROR_LIMIT = 20
_READ_AHEAD_BYTES = 64 * 1024
_STEPS_A_PULL = 64
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SECRET = re.compile(rb"\s*AUTH\s+\S+\s+", re.IGNORECASE)
_UNREADABLE = "500 5.5.2 The line is not UTF-8 text without control characters"


class SmtpSession(Dispatch):
    """One conversation with a client. See :class:`mockmail.wire.contract.Session` for the methods.

    The link's protocol says whether it is ``smtp`` or ``lmtp``. ``server_name`` is what the server calls itself, by
    default the first of ``domains``; past ``error_limit`` mistakes since the last message the client is sent away;
    ``recipient_limit`` is for one transaction, ``transaction_limit`` for one connection.

    Lines of message text may be of any length: RFC 5321 section 4.5.3.1.6 has 1000 bytes as the least that every
    server takes, and what a client sent is of more use to its tests than a refusal.
    """

    def __init__(
        self,
        link: Link,
        world: World,
        *,
        server_name: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        error_limit: int = ERROR_LIMIT,
        recipient_limit: int = RECIPIENT_LIMIT,
        transaction_limit: int | None = None,
    ) -> None:
        talk = Conversation(
            link,
            world,
            server_name=server_name,
            recipient_limit=recipient_limit,
            transaction_limit=transaction_limit,
        )
        super().__init__(link, talk, open_interpreter(talk), error_limit)
        self._next_world: World | None = None
        self.timeout_seconds = timeout_seconds
        """RFC 5321 section 4.5.3.2.7: at least five minutes."""
        self._input = LineBuffer(link.redact)
        self._eof = False
        self._plain: Mapping[str, Callable[[str | None], str]] | None = None
        """Set by a pull when a command or a text that comes next can be answered at once (see :meth:`answer`): nothing
        waits, no login is under way, no reset or end. Whatever else is called takes it back. It has those commands of
        which nothing is left to be looked at."""

    # The contract

    def greeting(self) -> None:
        """Queue the greeting."""
        now = self._talk.world.clock.now()
        self._talk.world.journal.note(SessionOpened, now, self.link.protocol, self.link.session, self.link.peer)
        self._dispatch("GREETING", None)

    def receive(self, data: bytes) -> None:
        """Take bytes. Message text goes to its reader at once, lines wait for the next pull."""
        self._plain = None
        talk = self._talk
        if self._out.ended:
            return
        if talk.starting_tls:
            self._input.base += len(data)  # plain text behind STARTTLS is nobody's
        elif talk.reader is not None and self._held is None and not self._input.data:
            self._input.base += len(data)
            self._read_text(data)
        else:
            self._input.push(data)

    def answer(self, data: bytes) -> bytes | None:
        """What a client mostly sends, one command or text whose reply it waits for, is carried out with nothing in
        between: the way by lines, dispatch and outbox costs twice as much."""
        called = self._plain
        if called is None:
            self.receive(data)
            return None
        talk = self._talk
        if talk.reader is not None:
            return self._answer_text(data)
        plain = plain_command(data) if len(data) <= COMMAND_LINE_LIMIT_BYTES else None
        if plain is None:
            self.receive(data)
            return None
        name, argument, said = plain
        self._input.base += len(data)
        transaction = talk.transaction
        carry_out = called.get(name)
        if carry_out is not None:
            try:
                reply = carry_out(argument)
            except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
                reply = self._out.fail(error)
        else:
            reply = self._run(name, argument)
            self._plain = self._what_is_plain()
        answer = talk.capabilities.successes.get(reply)
        if answer is None:
            if talk.reader is not None:
                self._text_command = (name, None)
                return talk.capabilities.go_ahead
            if reply[0] != "2" or talk.quitting:
                self._conclude(name, argument, said, reply, transaction)
                return None
            answer = self._out.rendered(reply)
        world, link = talk.world, self.link
        world.journal.note_command(world.clock.instant(), link.protocol, name, said, self._account, link.session, reply)
        return answer

    def _answer_text(self, data: bytes) -> bytes | None:
        talk, link = self._talk, self.link
        reader = talk.reader
        assert reader is not None  # the caller looks
        self._input.base += len(data)
        end = reader.feed(data)
        if end < 0:
            return b""
        if end < len(data) or self._text_command[0] != "DATA" or link.protocol != "smtp":
            if end < len(data):
                self._input.give_back(data[end:])
            self._end_text()
            return None
        transaction = talk.transaction
        assert transaction is not None  # there is no text outside of one
        try:
            reply, message = talk.message_for_all()
        except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
            reply, message = self._out.fail(error), None
        if reply[0] != "2" or message is None:
            self._asked = [" ".join(transaction.recipients)]
            self._settle(transaction, [reply], message)
            return None
        self._out.errors = 0
        talk.world.journal.note_command(message.received_at, "smtp", "DATA", "", self._account, link.session, reply)
        return talk.capabilities.rendered(reply)

    def receive_eof(self) -> None:
        """The client will send no more. A line or a text without its end is nothing."""
        self._plain = None
        self._eof = True

    def notify(self) -> None:
        """Nothing in the store concerns a client of SMTP."""

    def outgoing(self, limit_bytes: int = SLICE_BYTES) -> list[Action]:
        """Carry out what has come, up to about ``limit_bytes`` of replies."""
        self._stopped = False
        out, lines, steps = self._out, self._input, 0
        while not (self._stopped or out.ended) and steps < _STEPS_A_PULL and out.unsent_bytes < limit_bytes:
            if not (lines.data or self._held is not None) or not self._step():
                if self._eof:
                    out.end(Close())
                break
            steps += 1
        if self._talk.starting_tls:
            lines.drop_rest()
        if lines.data:
            lines.compact()
        elif self._held is None:
            self._enter_next_world()  # rather than have a client that keeps its connection keep the mail of the last
        self._plain = self._what_is_plain()
        return out.take()

    def _what_is_plain(self) -> Mapping[str, Callable[[str | None], str]] | None:
        talk, out = self._talk, self._out
        if (
            self._input.holds_anything
            or self._held is not None
            or self._next_world is not None
            or self._eof
            or self._unwelcome
            or out.ended
            or out.login_refused
            or talk.starting_tls
            or talk.login.exchange is not None
            or (talk.login.account or "") != self._account
            or self._interpreter is None
        ):
            return None
        return {} if talk.needs_tls else self._interpreter.called

    @property
    def busy(self) -> bool:
        """Whether a pull would bring more without further input."""
        out = self._out
        if out.actions or out.replies:
            return True
        if out.ended:
            return False
        if self._held is not None or self._eof:
            return True
        if not self._input.data:
            return False
        return bool(self._input) if self._talk.reader is not None else self._input.has_line

    @property
    def wants_input(self) -> bool:
        """False while a command is held back, or enough lines wait."""
        return self._held is None and len(self._input.data) < _READ_AHEAD_BYTES

    def timed_out(self) -> None:
        """Say farewell."""
        self._plain = None
        if not self._out.ended:
            self._out.say("421 4.4.2 Timeout: the client was silent for too long")
            self._out.end(Close())

    def tls_started(self, info: TLSInfo) -> None:
        """Forget what was learnt in plain text (RFC 3207 section 4.2)."""
        self._plain = None
        self._input.drop_rest()
        self._talk.forget()
        if self._interpreter is not None:
            self._interpreter.open(self._talk)

    def rebind(self, world: World) -> None:
        """Belong to ``world`` from the next command outside a transaction on."""
        self._plain = None
        self._next_world = world

    def connection_lost(self) -> None:
        """Hide a secret that was cut short, give the interpreter back."""
        self._plain = None
        self._out.ended = True
        self._input.hide_rest(secret=self._talk.login.exchange is not None or self._out.login_refused)
        self._input.drop_rest()
        world = self._next_world or self._talk.world
        world.journal.note(SessionClosed, world.clock.now(), self.link.protocol, self.link.session)
        if self._interpreter is not None:
            self._interpreter.close()
            self._interpreter = None

    # Framing

    def _step(self) -> bool:
        """Do one thing; False when there is nothing to do without more input."""
        held, talk = self._held, self._talk
        if held is not None:
            self._held = None
            self._dispatch(*held)
            return True
        if talk.reader is not None:
            self._read_text(self._input.take_rest())
            return self._held is not None
        answer = talk.login.exchange is not None
        taken = self._input.take_line(secret=answer, odd_is_secret=self._out.login_refused)
        if taken is None:
            return False
        line, at = taken
        if answer:
            self._answer_challenge(line)
        elif self._out.login_refused and not self._is_command(line):
            # A script that does not read its replies sends its password all the same.
            self.link.redact(at, at + len(line))
            self._out.answer(HIDDEN, "", "500 5.5.1 There is no such command")
        else:
            self._take_command(line, at)
        return True

    def _is_command(self, line: bytes) -> bool:
        words = line.split(maxsplit=1)
        return bool(words) and words[0].decode("ascii", "replace").upper() in ALL_COMMANDS

    def _read_text(self, data: bytes) -> None:
        """Give message text to its reader."""
        reader = self._talk.reader
        assert reader is not None  # the callers look
        end = reader.feed(data)
        if end >= 0:
            if end < len(data):
                self._input.give_back(data[end:])
            self._end_text()

    def _end_text(self) -> None:
        """The text is there whole, or the chunk of it."""
        command, argument = self._text_command
        if command == "BDAT":
            self._held = (command, argument, None)
        else:
            self._ask_about_message()

    # Commands

    def _enter_next_world(self) -> None:
        if self._next_world is not None and self._talk.transaction is None:
            self._talk.enter(self._next_world)
            self._next_world = None

    def _take_command(self, line: bytes, at: int) -> None:
        """Split a line, which stands ``at`` in the connection, into command and argument (RFC 5321 section 4.1.1; white
        space at its end is nothing)."""
        self._enter_next_world()
        secret = _SECRET.match(line)
        if secret is not None:
            self.link.redact(at + secret.end(), at + len(line))
        name, _, rest = line.partition(b" ")
        command = name.decode("ascii", "replace").upper()
        limit_bytes = self._talk.capabilities.line_limits_bytes.get(command, COMMAND_LINE_LIMIT_BYTES)
        argument = None
        mistake = ""
        if len(line) + 2 > limit_bytes:
            mistake = f"500 5.5.2 The line is longer than {limit_bytes} bytes"
        elif _CONTROL.search(line) or not name.isalnum():
            mistake = _UNREADABLE if line else "500 5.5.2 The line is empty"
        else:
            try:
                argument = rest.decode().strip(" ") or None
            except UnicodeDecodeError:
                mistake = _UNREADABLE
        if mistake:
            self._out.answer(printable(command.partition("\t")[0])[:20], "", mistake)
        elif command == "BDAT" and self._talk.understands(command) and self._talk.begin_chunk(argument):
            # Carried out when its chunk is there, and refused no earlier (RFC 3030 section 2).
            self._text_command = (command, argument)
            if isinstance(self._talk.reader, ChunkReader) and self._talk.reader.complete:
                self._end_text()
        else:
            self._dispatch(command, argument)
