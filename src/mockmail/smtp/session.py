"""An SMTP session (RFC 5321), sans-IO: lines and message text in, replies out."""

from __future__ import annotations

import re
from dataclasses import replace

from mockmail.core.events import Command, Rejected, SessionClosed, SessionOpened
from mockmail.core.message import Message
from mockmail.core.world import World
from mockmail.smtp.commands import RECIPIENT_LIMIT, Conversation, Transaction
from mockmail.smtp.extensions import COMMAND_LINE_LIMIT_BYTES
from mockmail.smtp.framing import LineBuffer, Outbox
from mockmail.smtp.interpreter import Interpreter, open_interpreter
from mockmail.smtp.params import AddressError, ArgumentError, parse_path
from mockmail.smtp.replies import code_of, printable, without_status_code
from mockmail.wire.contract import SLICE_BYTES, Abort, Action, Close, Link, Pause, TLSInfo, Verdict

__all__ = ["SmtpSession"]

TIMEOUT_SECONDS = 300.0
ERROR_LIMIT = 20
_READ_AHEAD_BYTES = 64 * 1024
_STEPS_A_PULL = 64
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SECRET = re.compile(rb"AUTH +\S+ +", re.IGNORECASE)
_SYNTAX_CODES = frozenset({500, 501, 502, 503, 504})
_UTF8_COMMANDS = frozenset({"MAIL", "RCPT", "VRFY"})
_UNREADABLE = "500 5.5.2 The line is not UTF-8 text without control characters"


class SmtpSession:
    """One conversation with a client. See :class:`mockmail.wire.contract.Session` for the methods.

    ``server_name`` is what the server calls itself, by default the first of ``domains``; past ``error_limit``
    mistakes since the last message the client is sent away.
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
    ) -> None:
        self.link = link
        self._talk = Conversation(link, world, server_name=server_name, recipient_limit=recipient_limit)
        self._interpreter: Interpreter | None = open_interpreter(self._talk)
        self._next_world: World | None = None
        self._timeout_seconds = timeout_seconds
        self._error_limit = error_limit
        self._errors = 0
        self._input = LineBuffer(link.redact)
        self._out = Outbox()
        self._held: tuple[str, str | None, Verdict | None] | None = None
        """A command that is due when a pull comes; with a verdict, its fault was asked for already."""
        self._unwelcome = False
        self._stopped = False
        """No more until the next pull: a pause was given out."""
        self._ended = False
        self._eof = False

    # The contract

    def greeting(self) -> None:
        """Queue the greeting."""
        now = self._talk.world.clock.now()
        self._talk.world.journal.append(SessionOpened(now, self.link.protocol, self.link.session, self.link.peer))
        self._dispatch("GREETING", None)

    def receive(self, data: bytes) -> None:
        """Take bytes. Message text goes to its reader at once, lines wait for the next pull."""
        if self._ended:
            return
        if self._talk.reader is not None and self._held is None and not self._input:
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
        steps = 0
        while not (self._stopped or self._ended) and steps < _STEPS_A_PULL and self._out.unsent_bytes < limit_bytes:
            if not self._step():
                if self._eof:
                    self._end(Close())
                break
            steps += 1
        self._input.compact()
        return self._out.take()

    @property
    def busy(self) -> bool:
        """Whether a pull would bring more without further input."""
        if self._out:
            return True
        if self._ended:
            return False
        if self._held is not None or self._eof:
            return True
        return bool(self._input) if self._talk.reader is not None else self._input.has_line

    @property
    def wants_input(self) -> bool:
        """False while a command is held back, or enough lines wait."""
        return self._held is None and len(self._input) < _READ_AHEAD_BYTES

    @property
    def timeout_seconds(self) -> float:
        """RFC 5321 section 4.5.3.2.7: at least five minutes."""
        return self._timeout_seconds

    def timed_out(self) -> None:
        """Say farewell."""
        if not self._ended:
            self._say("421 4.4.2 Timeout: the client was silent for too long")
            self._end(Close())

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
        self._ended = True
        self._input.hide_rest(secret=self._talk.exchange is not None)
        self._input.drop_rest()
        world = self._next_world or self._talk.world
        world.journal.append(SessionClosed(world.clock.now(), self.link.protocol, self.link.session))
        if self._interpreter is not None:
            self._interpreter.close()
            self._interpreter = None

    # Framing

    def _step(self) -> bool:
        """Do one thing; False when there is nothing to do without more input."""
        if self._held is not None:
            (name, argument, verdict), self._held = self._held, None
            if name == "MESSAGE" and verdict is None:
                self._dispatch(name, argument)
            else:
                self._carry_out(name, argument, verdict)
            return True
        if self._talk.reader is not None:
            if not self._input:
                return False
            self._read_text(self._input.take_rest())
            return self._held is not None
        answer = self._talk.exchange is not None
        taken = self._input.take_line(secret=answer)
        if taken is None:
            return False
        line, at = taken
        if answer:
            self._answer_challenge(line)
            return True
        secret = _SECRET.match(line)
        if secret is not None:
            self.link.redact(at + secret.end(), at + len(line))
        self._take_command(line)
        return True

    def _read_text(self, data: bytes) -> None:
        """Give message text to its reader."""
        reader = self._talk.reader
        assert reader is not None  # the callers look
        end = reader.feed(data)
        if end >= 0:
            self._input.give_back(data[end:])
            self._held = ("MESSAGE", None, None)

    # Commands

    def _take_command(self, line: bytes) -> None:
        """Split a line into command and argument (RFC 5321 section 4.1.1; white space at its end is nothing)."""
        if self._next_world is not None and self._talk.transaction is None:
            self._talk.enter(self._next_world)
            self._next_world = None
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
            self._reply(printable(command)[:20], "", mistake)
        else:
            self._dispatch(command, argument)

    def _dispatch(self, name: str, argument: str | None) -> None:
        """The one way to a command: what the faults say about it comes first."""
        verdict = self.link.command(name, _shown(name, argument), self._talk.account)
        if verdict is not None and verdict.delay_seconds > 0:
            self._out.act(Pause(verdict.delay_seconds))
            self._stopped = True
            self._held = (name, argument, replace(verdict, delay_seconds=0.0))
            return
        self._carry_out(name, argument, verdict)

    def _carry_out(self, name: str, argument: str | None, verdict: Verdict | None) -> None:
        if verdict is not None and verdict.drop:
            self._end(Abort())
            return
        transaction = self._talk.transaction
        message = None
        if verdict is not None and verdict.reply is not None:
            reply = verdict.reply
            if name == "MESSAGE":
                message = self._talk.refused_message()
            elif name == "GREETING" and code_of(reply) >= 400:
                self._unwelcome = True
        else:
            reply = self._run(name, argument)
        if name == "GREETING":
            self._say(reply)
            if code_of(reply) == 421:
                self._end(Close())
            return
        if reply[:1] in ("4", "5") and code_of(reply) not in _SYNTAX_CODES:
            self._record_refusal(name, argument, reply, transaction, message)
        if reply[:3] in ("354", "334"):
            # The command goes on; it is recorded at its completion reply.
            self._say(reply)
            return
        if name == "MESSAGE":
            self._errors = 0 if reply[:1] == "2" else self._errors
            name = "DATA"
        self._reply(name, _shown(name, argument), reply)

    def _run(self, name: str, argument: str | None) -> str:
        if name == "GREETING":
            return self._talk.greeting()
        if self._unwelcome and name != "QUIT":
            return "503 5.5.1 The server does not serve you: send QUIT"
        if name != "MESSAGE" and not self._talk.understands(name):
            return f"500 5.5.1 There is no command {printable(name)}"
        if argument is not None and name not in _UTF8_COMMANDS and not argument.isascii():
            return "501 5.5.4 The argument is not ASCII"
        try:
            if name == "MESSAGE":
                return self._talk.message()
            assert self._interpreter is not None  # given back only when the connection is lost
            return self._interpreter.run(name, argument)
        except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
            return self._fail(error)

    def _answer_challenge(self, line: bytes) -> None:
        """An answer to a 334 belongs to its AUTH: it is no command of its own."""
        exchange = self._talk.exchange
        assert exchange is not None  # the caller looks
        mechanism = exchange.mechanism.name
        try:
            reply = self._talk.auth_answer(line)
        except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
            reply = self._fail(error)
        if reply.startswith("334"):
            self._say(reply)
        else:
            self._reply("AUTH", mechanism, reply)

    def _fail(self, error: BaseException) -> str:
        self.link.errors.append(error)
        return "451 4.3.0 Internal error"

    def _record_refusal(
        self, name: str, argument: str | None, reply: str, transaction: Transaction | None, message: Message | None
    ) -> None:
        sender = "" if transaction is None else transaction.sender
        recipients = () if transaction is None else tuple(transaction.recipients)
        if name == "MAIL":
            sender, recipients = _address(argument, "FROM:"), ()
        elif name == "RCPT":
            recipients = (_address(argument, "TO:"),)
        elif name not in ("DATA", "MESSAGE"):
            return
        world = self._talk.world if transaction is None else transaction.world
        world.journal.append(
            Rejected(
                world.clock.now(),
                self.link.protocol,
                self.link.session,
                self._talk.account or "",
                name,
                sender,
                recipients,
                code_of(reply),
                reply,
                message,
            )
        )

    # Replies

    def _reply(self, name: str, arguments: str, reply: str) -> None:
        """Record a command with its completion reply, and queue that."""
        world = self._talk.world
        link = self.link
        account = self._talk.account or ""
        world.journal.append(Command(world.clock.now(), link.protocol, name, arguments, account, link.session, reply))
        self._say(reply)
        if reply[:2] == "50" and code_of(reply) in _SYNTAX_CODES:
            self._errors += 1
            if self._errors >= self._error_limit:
                self._say("421 4.7.0 Too many errors")
                self._end(Close())
        elif reply.startswith("421") or self._talk.quitting:
            self._end(Close())

    def _say(self, reply: str) -> None:
        if "ENHANCEDSTATUSCODES" not in self._talk.capabilities.names:
            reply = without_status_code(reply)
        self._out.say(reply)

    def _end(self, action: Action) -> None:
        self._out.act(action)
        self._ended = True


def _shown(name: str, argument: str | None) -> str:
    """The argument as events and faults see it: without the secret of AUTH."""
    if argument is None:
        return ""
    return argument.partition(" ")[0] if name == "AUTH" else argument


def _address(argument: str | None, keyword: str) -> str:
    """The address in an argument that was refused, or as much of the argument as there is."""
    try:
        return parse_path(argument, keyword).address
    except (ArgumentError, AddressError):
        text = (argument or "").strip()
        return text[len(keyword) :].strip(" <>") if text.upper().startswith(keyword) else text
