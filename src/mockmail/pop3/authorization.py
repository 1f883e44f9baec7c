"""The AUTHORIZATION state (RFC 1939 sections 4 and 7, RFC 5034): the ways to say who one is."""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import TypeAlias

from mockmail.auth import sasl
from mockmail.auth.credentials import LoginRefused, log_in, log_in_by, log_in_with
from mockmail.auth.mechanisms import offered_mechanisms, start_exchange
from mockmail.auth.saslprep import Unpreparable, saslprep
from mockmail.core.accounts import AccountState
from mockmail.core.world import World
from mockmail.pop3.transaction import Reply
from mockmail.wire.contract import Link

__all__ = ["Authorization", "Outcome"]

Outcome: TypeAlias = AccountState | Reply
"""The account of a login that succeeded, or what to answer. In an exchange the answer is the next prompt."""

_DIGEST = re.compile(r"[0-9a-fA-F]{32}")
_REFUSED = "-ERR [AUTH] invalid user name or password"


def _prepared(password: str) -> bytes:
    """A stored password as it is compared with what a client sent (RFC 6856 section 2.2)."""
    try:
        return _bytes(saslprep(password, stored=True))
    except Unpreparable:
        return _bytes(password)  # the test chose it so, and nobody can send it in another form


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Authorization:
    """What a client said of itself so far. Every method wants the world that holds at that moment."""

    def __init__(self, link: Link, timestamp: str) -> None:
        self.link = link
        self.timestamp = timestamp
        """The one in the greeting, with its angle brackets; empty when there was none."""
        self.username: str | None = None
        """From a USER that was the command just before."""
        self.exchange: sasl.Exchange | None = None
        """An AUTH that waits for the client's next line."""
        self.utf8 = False
        """Whether the client said UTF8 (RFC 6856 section 2.1)."""

    def forget(self) -> None:
        """The connection is secure now: what was said in plain text counts no more (RFC 2595 section 4)."""
        self.username = self.exchange = None
        self.utf8 = False

    def user(self, username: str) -> Reply:
        """USER name: any is taken, so that a client learns nothing of who has an account."""
        try:
            self.username = saslprep(username, stored=False)
        except Unpreparable as error:
            return Reply(f"-ERR this is no user name: {error}")
        return Reply("+OK send PASS")

    def password(self, world: World, password: str) -> Outcome:
        """PASS string."""
        username, self.username = self.username, None
        if username is None:
            return Reply("-ERR PASS follows USER immediately")
        try:
            if password.isascii():
                return log_in(world, self.link, username, password, "USER")
            prepared = _bytes(saslprep(password, stored=False))
            return log_in_with(
                world, self.link, username, lambda stored: compare_digest(_prepared(stored), prepared), "USER"
            )
        except Unpreparable as error:
            return Reply(f"-ERR [AUTH] this is no password: {error}")
        except LoginRefused:
            return Reply(_REFUSED)

    def apop(self, world: World, username: str, digest: str) -> Outcome:
        """APOP name digest. Where any password does, so does any digest."""
        from hashlib import md5

        if not self.timestamp:
            return Reply("-ERR there was no timestamp in the greeting")
        if not _DIGEST.fullmatch(digest):
            return Reply("-ERR the digest is 32 hexadecimal digits")

        def check(password: str) -> bool:
            secret = self.timestamp.encode("utf-8") + _prepared(password)
            return compare_digest(md5(secret, usedforsecurity=False).hexdigest(), digest.lower())

        try:
            return log_in_with(world, self.link, saslprep(username, stored=False), check, "APOP")
        except Unpreparable as error:
            return Reply(f"-ERR this is no user name: {error}")
        except LoginRefused:
            return Reply(_REFUSED)

    def auth(self, world: World, name: str | None = None, initial: str | None = None) -> Outcome:
        """AUTH mechanism [initial-response]. Without arguments it lists the mechanisms: so asked clients from before
        CAPA, and Thunderbird and Outlook Express still do."""
        offered = offered_mechanisms(world, self.link)
        if name is None:
            return Reply("+OK mechanisms follow", iter(["".join(f"{known}\r\n" for known in offered).encode()]))
        exchange = start_exchange(world, self.link, name)
        if exchange is None:
            return Reply(f"-ERR there is no mechanism {name.upper()}; there are {', '.join(offered)}")
        self.exchange = exchange
        return self._outcome(world, self.exchange.begin(None if initial is None else initial.encode("ascii")))

    def respond(self, world: World, line: bytes) -> Outcome:
        """The client's line after a prompt."""
        assert self.exchange is not None
        return self._outcome(world, self.exchange.receive(line))

    def _outcome(self, world: World, step: sasl.Reply) -> Outcome:
        exchange = self.exchange
        assert exchange is not None
        if isinstance(step, sasl.Prompt):
            return Reply("+ " + step.line.decode("ascii"))
        self.exchange = None
        if isinstance(step, sasl.Cancelled):
            return Reply("-ERR AUTH cancelled")
        if isinstance(step, sasl.Malformed):
            return Reply(f"-ERR {step.reason}")
        try:
            return log_in_by(world, self.link, exchange, step)
        except LoginRefused:
            return Reply(_REFUSED)
