"""The states of a session (RFC 1939 section 3): what each command means in which, and what goes on record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from math import ceil

from mockmail.auth.mechanisms import offered_mechanisms
from mockmail.core.accounts import AccountState
from mockmail.core.events import SessionClosed, SessionOpened
from mockmail.core.world import World
from mockmail.pop3.authorization import Authorization, Outcome
from mockmail.pop3.extensions import AUTHORIZATION, LOGIN_COMMANDS, TRANSACTION, Capabilities, capabilities_of
from mockmail.pop3.grammar import NUMBER_DIGITS, Command
from mockmail.pop3.transaction import Reply, Transaction
from mockmail.wire.contract import Link

__all__ = ["HIDDEN", "States", "shown"]

HIDDEN = "***"
"""Stands on record for a secret."""

_TRANSACTION: Mapping[str, Callable[..., Reply]] = {
    "STAT": Transaction.stat,
    "LIST": Transaction.list,
    "RETR": Transaction.retr,
    "DELE": Transaction.dele,
    "NOOP": Transaction.noop,
    "RSET": Transaction.rset,
    "TOP": Transaction.top,
    "UIDL": Transaction.uidl,
}
_RESPONSE_CODE = re.compile(r"^(\+OK|-ERR) \[([A-Z0-9/-]+)\]")
_NEEDS_OF_CODES: Mapping[str, frozenset[str]] = {
    code: frozenset({"RESP-CODES"}) for code in ("IN-USE", "LOGIN-DELAY", "UTF8")
}
_NEEDS_OF_OTHER_CODES = frozenset({"RESP-CODES", "AUTH-RESP-CODE"})
_LANGUAGES = {"i-default": "the language that everybody may be taken to read", "en": "English"}
"""By tag, what it is. What the server says is the same in both: English, in ASCII (RFC 2277 section 4.5)."""
_ONE_LINE = re.compile(rb"(?i:STAT|NOOP|(?:LIST|UIDL|DELE) [0-9]{1,10})\r\n")
"""Commands on the maildrop that have a response of one line."""
_SIGNING_OFF = "+OK mockmail POP3 server signing off"


class States:
    """Where a session stands: not logged in, in a transaction, or left over by a reset of the server."""

    def __init__(self, link: Link, world: World) -> None:
        self.link = link
        self.world = world
        self.capabilities = _capabilities_of(world)
        self.next_world: World | None = None
        """What a reset put in the place of ``world``; taken over by :meth:`take_world`."""
        self.authorization = Authorization(link, "")
        self.transaction: Transaction | None = None
        self._outlived = False
        """Whether a reset took the maildrop away."""

    def reads_maildrop(self, address: str | None) -> bool:
        """Whether the client is at its maildrop, which is that of ``address``, and nothing came between."""
        transaction = self.transaction
        return (
            transaction is not None
            and transaction.account.address == address
            and not self._outlived
            and self.next_world is None
        )

    def greeting(self) -> str:
        """The banner, with a timestamp when there is APOP (RFC 1939 section 7)."""
        world = self.world
        world.journal.note(SessionOpened, world.clock.now(), "pop3", self.link.session, self.link.peer)
        banner = "+OK mockmail POP3 server ready"
        if "APOP" in self.capabilities.names:
            domain = world.settings.default_domain
            self.authorization.timestamp = f"<{world.store.new_id()}@{domain if domain.isascii() else 'localhost'}>"
            banner = f"{banner} {self.authorization.timestamp}"
        return banner

    def closed(self) -> None:
        """The connection is gone."""
        self.take_world()
        self.release()
        world = self.world
        world.journal.note(SessionClosed, world.clock.now(), "pop3", self.link.session)

    def release(self) -> None:
        """Give up the lock; nothing is deleted."""
        if self.transaction is not None:
            self.transaction.release()

    def take_world(self) -> None:
        """At a command boundary: use the world after a reset, unless the client has logged in to the one before."""
        world, self.next_world = self.next_world, None
        if world is None:
            return
        if self.transaction is None:
            self.world = world
            self.capabilities = _capabilities_of(world)
        else:
            self._outlived = True
            self.transaction.release()

    def account_meant(self, command: Command) -> str | None:
        """Whose account a command is about, as far as can be told before it is carried out."""
        if self.transaction is not None:
            return self.transaction.account.address
        username = self.authorization.username if command.name == "PASS" else None
        if command.name == "APOP":
            username = command.arguments[0]
        if username is None:
            return None
        account = self.world.accounts.get(username)
        return username if account is None else account.address

    def answer(self, command: Command) -> Reply:
        """Carry a command out: the one dispatch. A login opens the maildrop."""
        return self._opened(self._outcome(command.name, command.arguments))

    def answer_at_once(self, data: bytes) -> bytes | None:
        """The whole response to the one line in ``data``, of a client that :meth:`reads_maildrop`, where it has one
        line, or is a small message. ``None``: nothing was done."""
        now = self.world.clock.now()
        if data[:5].upper() == b"RETR ":
            number = data[5:-2]
            if not (data.endswith(b"\r\n") and number.isdigit() and len(number) <= NUMBER_DIGITS):
                return None
            transaction = self.transaction
            assert transaction is not None  # as said
            retrieved = transaction.retrieved(int(number), now)
            if retrieved is None:
                return None
            text, lines = retrieved
            self.world.journal.note_command(
                now,
                "pop3",
                "RETR",
                number.decode("ascii"),
                transaction.account.address,
                self.link.session,
                text,
            )
            return b"".join((text.encode("ascii"), b"\r\n", lines, b".\r\n"))
        match = _ONE_LINE.fullmatch(data)
        if match is None:
            return None
        words = data[:-2].decode("ascii").split(" ")
        name = words[0].upper()
        if name not in self.capabilities.commands:
            return None
        reply = self._outcome(name, tuple(words[1:]))
        assert isinstance(reply, Reply)  # none of them is a login
        text = self.without_unknown_code(reply.text)
        self.record(name, " ".join(words[1:]), text, now)
        return f"{text}\r\n".encode("ascii")

    def respond(self, line: bytes) -> Reply:
        """Take the client's line in an AUTH exchange."""
        return self._opened(self.authorization.respond(self.world, line))

    def _outcome(self, name: str, arguments: tuple[str, ...]) -> Outcome:
        authorization, transaction = self.authorization, self.transaction
        if name != "PASS":
            authorization.username = None
        if self._outlived:
            if name == "QUIT":
                return Reply(_SIGNING_OFF, close=True)
            return Reply("-ERR [SYS/TEMP] the server was reset, and the maildrop is gone; connect again")
        if name == "CAPA":
            lines = "".join(f"{line}\r\n" for line in self._capability_lines())
            return Reply("+OK capability list follows", iter([lines.encode("ascii", "replace")]))
        if name == "LANG":
            return _language(*arguments)
        if name == "QUIT":
            return Reply(_SIGNING_OFF, close=True) if transaction is None else transaction.update()
        if name in _TRANSACTION:
            if transaction is None:
                return Reply(f"-ERR {name} is for the TRANSACTION state; log in first")
            return _TRANSACTION[name](transaction, *arguments)
        if transaction is not None:
            return Reply(f"-ERR {name} is for the AUTHORIZATION state; you are logged in")
        if name == "STLS":
            return self._stls()
        if name == "UTF8":
            authorization.utf8 = True
            return Reply("+OK UTF-8 mode")
        if not self._login_permitted:
            return Reply("-ERR [SYS/PERM] logins need TLS here; give the command STLS first")
        if name == "USER":
            return authorization.user(*arguments)
        if name == "PASS":
            return authorization.password(self.world, *arguments)
        if name == "APOP":
            return authorization.apop(self.world, *arguments)
        return authorization.auth(self.world, *arguments)

    @property
    def _login_permitted(self) -> bool:
        return self.link.secure or not self.world.settings.require_tls

    def _capability_lines(self) -> tuple[str, ...]:
        state = AUTHORIZATION if self.transaction is None else TRANSACTION
        facts = {"plain-text": not self.link.secure, "login": self._login_permitted}
        mechanisms = offered_mechanisms(self.world, self.link)
        return self.capabilities.lines(mechanisms, state, [fact for fact, holds in facts.items() if holds])

    def _stls(self) -> Reply:
        """STLS (RFC 2595 section 4)."""
        if self.link.secure:
            return Reply("-ERR the command is not permitted when TLS is active")
        options = self.world.settings.tls_options
        if options is None or options.starttls == "refuse":
            return Reply("-ERR [SYS/TEMP] TLS is not available just now")
        return Reply("+OK begin TLS negotiation", start_tls=True)

    def _opened(self, outcome: Outcome) -> Reply:
        """After a login, lock the maildrop and enter the TRANSACTION state (RFC 1939 section 4)."""
        if not isinstance(outcome, AccountState):
            return outcome
        account = outcome
        wait_seconds = self._login_delay_left_seconds(account)
        if wait_seconds > 0:
            return Reply(f"-ERR [LOGIN-DELAY] the last login was too short a time ago; wait {wait_seconds} seconds")
        if account.maildrop_session is not None:
            return Reply("-ERR [IN-USE] the maildrop is locked by another session")
        # Without UTF8 in its capabilities this is a server of before RFC 6856: those send every message as it is.
        ascii_headers = "UTF8" in self.capabilities.names and not self.authorization.utf8
        self.transaction = Transaction(self.world, account, self.link, ascii_headers=ascii_headers)
        return Reply(f"+OK maildrop has {self.transaction.listing}")

    def _login_delay_left_seconds(self, account: AccountState) -> int:
        """How long this account must still wait (RFC 2449 section 6.5), by the server's clock."""
        delay_seconds, last = self.world.settings.pop3_login_delay_seconds, account.maildrop_opened_at
        if not delay_seconds or last is None:
            return 0
        elapsed = (self.world.clock.now() - last).total_seconds()
        return ceil(delay_seconds - elapsed) if elapsed >= 0 else 0

    def record(self, name: str, said: str, reply: str, now: datetime | None = None) -> None:
        """A command is done; ``said``: its arguments, as :func:`shown` gives them; ``now`` spares a look at the
        clock."""
        world = self.world
        account = "" if self.transaction is None else self.transaction.account.address
        at = now or world.clock.instant()
        world.journal.note_command(at, "pop3", name, said, account, self.link.session, reply)

    def without_unknown_code(self, text: str) -> str:
        """Response codes are for clients that were told of them (RFC 2449 section 8, RFC 3206 section 3)."""
        match = _RESPONSE_CODE.match(text)
        if match is None:
            return text
        needed = _NEEDS_OF_CODES.get(match[2], _NEEDS_OF_OTHER_CODES)
        return text if needed <= self.capabilities.names else match[1] + text[match.end() :]


def _capabilities_of(world: World) -> Capabilities:
    return world.derived("pop3", lambda: capabilities_of(world.settings))


def shown(command: Command) -> str:
    """A command's arguments, without secrets."""
    name, arguments = command.name, command.arguments
    if name in LOGIN_COMMANDS:
        if name == "PASS":
            return HIDDEN
        if len(arguments) > 1:
            return f"{arguments[0]} {HIDDEN}"
    return arguments[0] if len(arguments) == 1 else " ".join(arguments)


def _language(language_range: str | None = None) -> Reply:
    """LANG [language-range] (RFC 6856 section 3): the languages, or a switch to the one that fits best."""
    if language_range is None:
        lines = "".join(f"{tag} {text}\r\n" for tag, text in _LANGUAGES.items())
        return Reply("+OK languages follow", iter([lines.encode("ascii")]))
    # Lookup (RFC 4647 section 3.4): en-GB is content with en.
    wanted = "i-default" if language_range == "*" else language_range.lower()
    while wanted:
        if wanted in _LANGUAGES:
            return Reply(f"+OK {wanted} this is {_LANGUAGES[wanted]}")
        wanted = wanted.rpartition("-")[0]
    return Reply(f"-ERR there is no language {language_range[:40]}; there are {', '.join(_LANGUAGES)}")
