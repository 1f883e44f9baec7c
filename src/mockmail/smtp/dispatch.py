"""The one way from a command of SMTP to its reply: past the faults, the interpreter and the record of what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mockmail.core.message import Message
from mockmail.smtp.answers import Answers
from mockmail.smtp.commands import Conversation
from mockmail.smtp.interpreter import Interpreter
from mockmail.smtp.record import record_refusal, shown
from mockmail.smtp.replies import code_of, printable
from mockmail.smtp.transaction import Transaction
from mockmail.wire.contract import Abort, Close, Link, Pause, Verdict

__all__ = ["Dispatch"]

_UTF8_COMMANDS = frozenset({"MAIL", "RCPT", "VRFY", "EXPN"})


class Dispatch:
    """What a session does with commands that are read, and with message text that is there whole."""

    def __init__(self, link: Link, talk: Conversation, interpreter: Interpreter, error_limit: int) -> None:
        self.link = link
        self._talk = talk
        self._interpreter: Interpreter | None = interpreter
        """Until it is given back."""
        self._out = Answers(link, talk, error_limit)
        self._held: tuple[str, str | None, Verdict | None] | None = None
        """A command that is due when a pull comes; with a verdict, its fault was asked for already."""
        self._text_command: tuple[str, str | None] = ("DATA", None)
        """The command whose text is read."""
        self._asked: list[str] = []
        """Whom the faults are asked about at the end of the text."""
        self._refusals: list[str | None] = []
        """What the faults said about those asked."""
        self._account = ""
        """Who had logged in when the connection was told of a command last, as it is of the first one after a login."""
        self._unwelcome = False
        self._stopped = False
        """No more until the next pull: a pause was given out, or TLS is to begin."""

    def _ask_about_message(self) -> None:
        """Have the fate of the message decided, recipient by recipient."""
        self._asked, self._refusals = self._talk.whom_to_ask(), []
        self._held = ("MESSAGE", self._asked[0], None)

    def _dispatch(self, name: str, argument: str | None, verdict: Verdict | None = None) -> None:
        """The one way to a command: what the faults say about it comes first, unless they were asked already."""
        said = shown(name, argument) if name == "AUTH" else argument or ""
        if verdict is None:
            account = self._talk.login.account
            self._account = account or ""
            verdict = self.link.command(name, said, account)
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
        self._conclude(name, argument, said, reply, transaction)

    def _conclude(
        self, name: str, argument: str | None, said: str, reply: str, transaction: Transaction | None
    ) -> None:
        """``reply`` is what a command came to. ``transaction``: the one it was carried out in."""
        talk = self._talk
        kind = reply[:1]
        if kind == "3" and reply[:3] in ("354", "334"):
            # The command goes on; it is recorded at its completion reply.
            self._text_command = (name, None)
            self._out.say(reply)
            return
        if kind in ("4", "5"):
            record_refusal(talk.world, self.link, name, argument, talk.login.account, reply, transaction)
        self._out.answer(name, said, reply)
        self._stopped = talk.starting_tls

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
        transaction = self._talk.transaction
        replies, message = self._deliver()
        self._settle(transaction, replies, message)

    def _deliver(self) -> tuple[list[str], Message | None]:
        """Replies to those who were asked about, and the message."""
        try:
            return self._talk.message(self._refusals)
        except Exception as error:  # noqa: BLE001  recorded; whoever owns the server raises it in the test
            return [self._out.fail(error)] * len(self._refusals), None

    def _settle(self, transaction: Transaction | None, replies: Sequence[str], message: Message | None) -> None:
        """``replies`` are what became of a message, whole or by recipient."""
        talk, account = self._talk, self._talk.login.account
        for recipients, reply in zip(self._asked, replies, strict=True):
            if reply[:1] == "2":
                self._out.errors = 0
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
