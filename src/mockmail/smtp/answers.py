"""What a session says: replies in order with other actions, recorded, and counted while they are refusals."""

from __future__ import annotations

from collections.abc import Sequence

from mockmail.smtp.commands import Conversation
from mockmail.smtp.framing import Outbox
from mockmail.smtp.record import SYNTAX_CODES
from mockmail.smtp.replies import code_of
from mockmail.wire.contract import Action, Close, Link, StartTLS

__all__ = ["HIDDEN", "Answers"]

HIDDEN = "***"
"""What stands for a line that may be a secret."""


class Answers(Outbox):
    """The outbox of one session. Past ``error_limit`` mistakes since the last message the client is sent away."""

    __slots__ = ("_error_limit", "_link", "_talk", "ended", "errors", "login_refused")

    def __init__(self, link: Link, talk: Conversation, error_limit: int) -> None:
        super().__init__()
        self._link = link
        self._talk = talk
        self._error_limit = error_limit
        self.errors = 0
        """Mistakes since the last message that was taken."""
        self.login_refused = False
        """Whether what comes next, if it is no command, may be a secret."""
        self.ended = False
        """Whether nothing more is to be said."""

    def rendered(self, reply: str) -> bytes:
        """A reply as this server gives it."""
        return self._talk.capabilities.rendered(reply)

    def answer(self, name: str, arguments: str, reply: str) -> None:
        """Record a command with its completion reply, and queue that."""
        self._record(name, arguments, reply)
        self.say(reply)
        if reply[:1] != "2" or self._talk.quitting or self._talk.starting_tls:
            self._follow(reply)

    def answer_each(self, name: str, arguments: str, replies: Sequence[str]) -> None:
        """The same where LMTP has several."""
        self._record(name, arguments, "\n".join(replies))
        for reply in replies:
            self.say(reply)
        if any(reply.startswith("421") for reply in replies):
            self.end(Close())
        else:
            self._follow(replies[-1])

    def _record(self, name: str, arguments: str, reply: str) -> None:
        talk, link = self._talk, self._link
        world = talk.world
        world.journal.note_command(
            world.clock.instant(), link.protocol, name, arguments, talk.login.account or "", link.session, reply
        )
        if name == "AUTH":
            self.login_refused = reply[:1] in ("4", "5")
        elif self.login_refused and name != HIDDEN and not reply.startswith("500"):
            self.login_refused = False

    def _follow(self, reply: str) -> None:
        """What there is to do after some replies."""
        if reply[:2] == "50" and code_of(reply) in SYNTAX_CODES:
            self.errors += 1
            if self.errors >= self._error_limit:
                self.say("421 4.7.0 Too many errors")
                self.end(Close())
        elif self._talk.quitting or reply.startswith("421"):
            self.end(Close())
        elif self._talk.starting_tls:
            self.act(StartTLS())

    def fail(self, error: BaseException) -> str:
        """The reply to what failed in here; whoever owns the server raises the error in the test."""
        self._link.errors.append(error)
        return "451 4.3.0 Internal error"

    def end(self, action: Action) -> None:
        """Say no more after this."""
        self.act(action)
        self.ended = True
