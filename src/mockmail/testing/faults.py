"""``mail.faults``: what goes wrong, when, and how often; the rules themselves are in :mod:`mockmail.wire.faults`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import TypedDict, Unpack

from mockmail.core.events import Command
from mockmail.errors import ConfigurationError, UnusedFaultWarning
from mockmail.wire.faults import Fault, FaultPlan, Vocabulary

__all__ = ["SCENARIOS", "FaultOptions", "Faults", "vocabularies"]


class FaultOptions(TypedDict, total=False):
    """When a fault acts, and what it does. :meth:`mockmail.wire.faults.FaultPlan.add` has the meanings."""

    reply: str
    drop: bool
    after_bytes: int
    delay: float
    half_close: bool
    throttle: float
    garble: bool
    refuse: bool
    hang: bool
    wrong_tag: bool
    partial_literal: bool
    account: str | re.Pattern[str]
    to: str | re.Pattern[str] | Collection[str]
    where: Callable[[Command], bool]
    nth: int
    times: int
    probability: float
    seed: int


def vocabularies() -> dict[str, Vocabulary]:
    """The commands and phases of each protocol, from its rows."""
    from mockmail.imap import extensions as imap
    from mockmail.pop3 import extensions as pop3
    from mockmail.smtp import extensions as smtp

    extended = frozenset({"MESSAGE"}).union(*(row.commands for row in smtp.EXTENSIONS))
    imap_commands = frozenset(imap.STATES).union(*(row.commands for row in imap.EXTENSIONS), {"LITERAL"})
    return {
        "smtp": Vocabulary(smtp.COMMANDS | extended, logins=frozenset({"AUTH"})),
        "lmtp": Vocabulary(smtp.LMTP_COMMANDS | extended, logins=frozenset({"AUTH"})),
        "pop3": Vocabulary(pop3.COMMANDS, logins=pop3.LOGIN_COMMANDS),
        "http": Vocabulary(frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}), places=True),
        "imap": Vocabulary(imap_commands, logins=frozenset({"LOGIN", "AUTHENTICATE"}), tagged=True),
    }


class Faults:
    """Add faults by protocol and command (or phase: ``CONNECT``, ``GREETING``, ``MESSAGE`` = the end of the data,
    ``LITERAL``, ``AUTH`` = any login, ``"*"`` = any command). They are tried in the order added, used-up ones are
    passed over. Raises ``ConfigurationError`` for unknown names and contradictions."""

    __slots__ = ("plan",)

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan

    def smtp(self, command: str, **options: Unpack[FaultOptions]) -> Fault:
        """A fault of SMTP, such as ``smtp("RCPT", reply="451 4.3.0 try later", times=2)``."""
        return self.plan.add("smtp", command, **options)

    def lmtp(self, command: str, **options: Unpack[FaultOptions]) -> Fault:
        """A fault of LMTP, such as ``lmtp("MESSAGE", reply="452 4.2.2 Mailbox full", to="bob@example.test")``: the end
        of the data is told for each recipient, so others get the message."""
        return self.plan.add("lmtp", command, **options)

    def pop3(self, command: str, **options: Unpack[FaultOptions]) -> Fault:
        """A fault of POP3, such as ``pop3("RETR", delay=0.5, account="bob@example.test")``."""
        return self.plan.add("pop3", command, **options)

    def imap(self, command: str, **options: Unpack[FaultOptions]) -> Fault:
        """A fault of IMAP, such as ``imap("FETCH", after_bytes=100)``: carried out, and lost in mid-reply."""
        return self.plan.add("imap", command, **options)

    def http(self, command: str, **options: Unpack[FaultOptions]) -> Fault:
        """A fault of HTTP: at a method, a path or both, such as ``http("GET /api/v1/message/*", reply="503 Busy")``.
        ``CONNECT`` can be refused; else there are ``reply`` (a status and a text), ``drop``, ``delay`` and ``hang``."""
        return self.plan.add("http", command, **options)

    def scenario(self, name: str) -> list[Fault]:
        """Faults that go together, by name: see :data:`SCENARIOS`."""
        try:
            make = SCENARIOS[name]
        except KeyError:
            known = ", ".join(sorted(SCENARIOS))
            raise ConfigurationError(f"There is no scenario {name!r}; write one of {known}.") from None
        return make(self)

    def clear(self) -> None:
        """Take all faults back."""
        self.plan.clear()

    def warn_of_unused(self) -> None:
        """Warn of faults that never fired: the test did not do what it was written for."""
        unused = self.plan.unused()
        self.plan.clear()
        for fault in unused:
            warnings.warn(
                f"The fault {fault.description!r} never fired: no matching command came, or another fault took it.",
                UnusedFaultWarning,
                stacklevel=3,
            )


def _greylisting(faults: Faults) -> list[Fault]:
    """The first attempt for each recipient is put off, the second is taken."""
    seen: set[str] = set()

    def first_time(command: Command) -> bool:
        recipient = command.arguments.lower()
        if recipient in seen:
            return False
        seen.add(recipient)
        return True

    return [faults.smtp("RCPT", reply="451 4.7.1 Greylisted, try again later", where=first_time)]


def _mailbox_full(faults: Faults) -> list[Fault]:
    """Every recipient's mailbox is over its limit: no mail in, no upload."""
    return [
        faults.smtp("RCPT", reply="452 4.2.2 Mailbox full"),
        faults.imap("APPEND", reply="NO [OVERQUOTA] Mailbox full"),
    ]


def _shutting_down(faults: Faults) -> list[Fault]:
    """Whoever connects is turned away in the protocol's own words."""
    return [
        faults.smtp("GREETING", reply="421 4.3.2 Service shutting down"),
        faults.pop3("GREETING", reply="-ERR [SYS/TEMP] Service shutting down"),
        faults.imap("GREETING", reply="BYE [UNAVAILABLE] Service shutting down"),
    ]


SCENARIOS: Mapping[str, Callable[[Faults], list[Fault]]] = {
    "greylisting": _greylisting,
    "mailbox-full": _mailbox_full,
    "shutting-down": _shutting_down,
}
