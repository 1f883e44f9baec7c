"""A session of SMTP (RFC 5321) or LMTP (RFC 2033), sans-IO: lines and message text in, replies out."""

from __future__ import annotations

import re
from dataclasses import replace

from mockmail.core.events import SessionClosed, SessionOpened
from mockmail.core.world import World
from mockmail.smtp.answers import HIDDEN, Answers
from mockmail.smtp.chunking import ChunkReader
from mockmail.smtp.commands import RECIPIENT_LIMIT, Conversation
from mockmail.smtp.extensions import ALL_COMMANDS, COMMAND_LINE_LIMIT_BYTES
from mockmail.smtp.framing import LineBuffer
from mockmail.smtp.interpreter import Interpreter, open_interpreter
from mockmail.smtp.record import record_refusal, shown
from mockmail.smtp.replies import code_of, printable
from mockmail.wire.contract import SLICE_BYTES, Abort, Action, Close, Link, Pause, TLSInfo, Verdict

__all__ = ["SmtpSession"]

TIMEOUT_SECONDS = 300.0
ERROR_LIMIT = 20
_READ_AHEAD_BYTES = 64 * 1024
_STEPS_A_PULL = 64
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SECRET = re.compile(rb"\s*AUTH\s+\S+\s+", re.IGNORECASE)
_UTF8_COMMANDS = frozenset({"MAIL", "RCPT", "VRFY", "EXPN"})
_UNREADABLE = "500 5.5.2 The line is not UTF-8 text without control characters"


class SmtpSession:
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
        self.link = link
        self._talk = Conversation(
            link,
            world,
            server_name=server_name,
            recipient_limit=recipient_limit,
            transaction_limit=transaction_limit,
        )
        self._interpreter: Interpreter | None = open_interpreter(self._talk)
        self._next_world: World | None = None
        self.timeout_seconds = timeout_seconds
        """RFC 5321 section 4.5.3.2.7: at least five minutes."""
        self._input = LineBuffer(link.redact)
        self._out = Answers(link, self._talk, error_limit)
        self._held: tuple[str, str | None, Verdict | None] | None = None
        """A command that is due when a pull comes; with a verdict, its fault was asked for already."""
        self._text_command: tuple[str, str | None] = ("DATA", None)
        """The command whose text is read."""
        self._asked: list[str] = []
        """Whom the faults are asked about at the end of the text."""
        self._refusals: list[str | None] = []
        """What the faults said about those asked."""
        self._unwelcome = False
        self._stopped = False
        """No more until the next pull: a pause was given out."""
        self._eof = False

    # The contract

    def greeting(self) -> None:
        """Queue the greeting."""
        now = self._talk.world.clock.now()
        self._talk.world.journal.append(SessionOpened(now, self.link.protocol, self.link.session, self.link.peer))
        self._dispatch("GREETING", None)

    def receive(self, data: bytes) -> None:
        """Take bytes. Message text goes to its reader at once, lines wait for the next pull."""
        talk = self._talk
        if self._out.ended:
            return
        if talk.starting_tls:
            self._input.passed_by(len(data))  # plain text behind STARTTLS is nobody's
        elif talk.reader is not None and self._held is None and not self._input.data:
            self._input.passed_by(len(data))
            self._read_text(data)
        else:
            self._input.push(data)

    def receive_eof(self) -> None:
        """The client will send no more. A line or a text without its end is nothing."""
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
        if lines.data:
            lines.compact()
        return out.take()

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
        if not self._out.ended:
            self._out.say("421 4.4.2 Timeout: the client was silent for too long")
            self._out.end(Close())

    def tls_started(self, info: TLSInfo) -> None:
        """Forget what was learnt in plain text (RFC 3207 section 4.2)."""
        self._input.drop_rest()
        self._talk.forget()
        if self._interpreter is not None:
            self._interpreter.open(self._talk)

    def rebind(self, world: World) -> None:
        """Belong to ``world`` from the next command outside a transaction on."""
        self._next_world = world

    def connection_lost(self) -> None:
        """Hide a secret that was cut short, give the interpreter back."""
        self._out.ended = True
        self._input.hide_rest(secret=self._talk.login.exchange is not None or self._out.login_refused)
        self._input.drop_rest()
        world = self._next_world or self._talk.world
        world.journal.append(SessionClosed(world.clock.now(), self.link.protocol, self.link.session))
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
        if not (answer or self._out.login_refused):
            plain = self._input.take_plain()
            if plain is not None:
                if self._next_world is not None:
                    self._enter_next_world()
                name, rest = plain.groups()
                self._dispatch(name.decode().upper(), (rest.decode().strip(" ") or None) if rest else None)
                return True
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

    def _ask_about_message(self) -> None:
        """Have the fate of the message decided, recipient by recipient."""
        self._asked, self._refusals = self._talk.whom_to_ask(), []
        self._held = ("MESSAGE", self._asked[0], None)

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

    def _dispatch(self, name: str, argument: str | None, verdict: Verdict | None = None) -> None:
        """The one way to a command: what the faults say about it comes first, unless they were asked already."""
        said = shown(name, argument) if name == "AUTH" else argument or ""
        if verdict is None:
            verdict = self.link.command(name, said, self._talk.login.account)
        if verdict is None:
            self._carry_out(name, argument, said, None)
        elif verdict.delay_seconds > 0:
            self._out.act(Pause(verdict.delay_seconds))
            self._stopped = True
            self._held = (name, argument, replace(verdict, delay_seconds=0.0))
        elif verdict.drop:
            self._out.end(Abort())
        else:
            self._carry_out(name, argument, said, verdict.reply)

    def _carry_out(self, name: str, argument: str | None, said: str, refusal: str | None) -> None:
        """``said``: the argument as events show it; ``refusal``: what a fault has the command answered by, without
        being carried out."""
        if name == "MESSAGE":
            self._decide(refusal)
            return
        if name == "GREETING":
            self._greet(refusal)
            return
        talk = self._talk
        transaction = talk.transaction
        if refusal is None:
            reply = self._run(name, argument)
        else:
            reply = refusal
            if name == "RCPT" and transaction is not None:
                transaction.refused += 1
        if name == "BDAT" and talk.reader is not None:
            if not reply:
                self._ask_about_message()
                return
            talk.end_chunk(reply)
        kind = reply[:1]
        if kind == "3" and reply[:3] in ("354", "334"):
            # The command goes on; it is recorded at its completion reply.
            self._text_command = (name, None)
            self._out.say(reply)
            return
        if kind in ("4", "5"):
            record_refusal(talk.world, self.link, name, argument, talk.login.account, reply, transaction)
        self._out.answer(name, said, reply)
        if talk.starting_tls:
            self._input.drop_rest()
            self._stopped = True

    def _greet(self, refusal: str | None) -> None:
        reply = self._talk.greeting() if refusal is None else refusal
        self._unwelcome = code_of(reply) >= 400
        self._out.say(reply)
        if code_of(reply) == 421:
            self._out.end(Close())

    def _decide(self, refusal: str | None) -> None:
        """Take what the faults say about the next recipient (by SMTP, about all) of a message that has come whole;
        after the last one, deliver."""
        self._refusals.append(refusal)
        if len(self._refusals) < len(self._asked):
            self._held = ("MESSAGE", self._asked[len(self._refusals)], None)
            return
        talk, asked = self._talk, self._asked
        transaction, account, message = talk.transaction, talk.login.account, None
        try:
            replies, message = talk.message(self._refusals)
        except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
            replies = [self._out.fail(error)] * len(asked)
        for recipients, reply in zip(asked, replies, strict=True):
            if reply[:1] == "2":
                self._out.forgive()
            else:
                record_refusal(talk.world, self.link, "MESSAGE", recipients, account, reply, transaction, message)
        command, argument = self._text_command
        if len(replies) == 1:
            self._out.answer(command, argument or "", replies[0])
        else:
            self._out.answer_each(command, argument or "", replies)

    def _run(self, name: str, argument: str | None) -> str:
        if self._unwelcome and name != "QUIT":
            return "503 5.5.1 The server does not serve you: send QUIT"
        talk = self._talk
        if name not in talk.capabilities.commands:
            return f"500 5.5.1 There is no command {printable(name)}"
        if talk.needs_tls and talk.tls_missing(name):
            return "530 5.7.0 Must issue a STARTTLS command first"
        if argument is not None and name not in _UTF8_COMMANDS and not argument.isascii():
            return "501 5.5.4 The argument is not ASCII"
        try:
            assert self._interpreter is not None  # given back only when the connection is lost
            return self._interpreter.run(name, argument)
        except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
            return self._out.fail(error)

    def _answer_challenge(self, line: bytes) -> None:
        """An answer to a 334 belongs to its AUTH: it is no command of its own."""
        exchange = self._talk.login.exchange
        assert exchange is not None  # the caller looks
        mechanism = exchange.mechanism.name
        try:
            reply = self._talk.login.answer(self._talk.world, line)
        except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
            reply = self._out.fail(error)
        if reply.startswith("334"):
            self._out.say(reply)
        else:
            self._out.answer("AUTH", mechanism, reply)
