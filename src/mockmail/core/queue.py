"""Mail that waits to be relayed: one entry for a message and a next-hop domain, with the state of each recipient.

The queue says what is to be sent and what came of it; who sends is above. Loop thread only, but for
:class:`QueuedMessage` and :class:`Attempt`, which are frozen.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mockmail.core.message import Message
from mockmail.core.notification import notify_of
from mockmail.records import record

if TYPE_CHECKING:
    from mockmail.core.world import World

__all__ = ["Attempt", "Queue", "QueueEntry", "QueuedMessage", "QueuedRecipient", "RecipientState"]

RecipientState = Literal["waiting", "relayed", "failed", "delivered", "expanded"]
"""The last two only in an entry that was never in the queue, of whose recipients the sender asked to be told."""


@record
class Attempt:
    """One try of one entry at one next hop. Several hops tried one after the other, as preferences of MX records say,
    are several of these with the same number."""

    number: int
    """From 1."""
    at: datetime.datetime
    """When it began, by the server's clock."""
    duration_seconds: float
    """In real time."""
    hop: str
    """Name of the next hop: a domain, a host of an MX record, ``"127.0.0.1:2525"``; ``""`` when there was no route."""
    address: tuple[str, int] | None
    """Where it was connected to, or was to be."""
    reply: str
    """The reply that decided it, or what happened instead in the form of one: ``"451 4.4.1 connection refused"``."""
    status: str
    """Its enhanced status code (RFC 3463)."""
    tls: str | None = None
    """Version of TLS, or ``None`` in plain text."""
    tls_problem: str | None = None
    """What was wrong with TLS where it was offered: why the certificate is not to be trusted (the mail went encrypted
    all the same), or why there was none. ``None``: nothing."""


@dataclass(slots=True)
class QueuedRecipient:
    """One recipient of an entry, and how far it is."""

    address: str
    """Where the mail is sent, after aliases and lists."""
    original: str
    """As given in RCPT here, before them."""
    options: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters of its RCPT as sent, such as NOTIFY and ORCPT (RFC 3461); none for a member of a list."""
    state: RecipientState = "waiting"
    reply: str = ""
    """The last reply about it, or what happened instead, in the same form."""
    status: str = ""
    """The enhanced status code of ``reply``."""
    remote: str = ""
    """Name of the next hop that said so; ``""`` when this server found it out by itself."""
    remote_spoke: bool = False
    """Whether ``reply`` is what the next hop said, rather than what went wrong with it: only then is there a
    Diagnostic-Code of type ``smtp``."""
    settled_at: datetime.datetime | None = None
    """When it was relayed or given up."""
    notifies_itself: bool = False
    """Whether the next hop took over what the sender asked by NOTIFY (its EHLO had DSN), so that no report of relaying
    is due here."""

    @property
    def notify(self) -> frozenset[str]:
        """See :func:`mockmail.core.notification.notify_of`."""
        return notify_of(self.options)


@dataclass(slots=True, eq=False)
class QueueEntry:
    """A message on its way to one next-hop domain."""

    message: Message
    """With its envelope as it came: DSN parameters of MAIL (RET, ENVID) are in ``message.envelope.mail_options``."""
    sender: str
    """The reverse-path it goes out with; reports go there. A list's owner, or the sender of ``message``."""
    domain: str
    """The next-hop domain, canonical; ``"smarthost"`` stands for all domains when there is one, ``""`` for addresses
    that cannot be sent to anywhere."""
    recipients: list[QueuedRecipient]
    queued_at: datetime.datetime
    expires_at: datetime.datetime
    """When it is given up. :data:`datetime.datetime.max` in UTC when the schedule alone decides."""
    received: bytes = b""
    """The trace header that goes in front of ``message.original``."""
    next_attempt: datetime.datetime | None = None
    """``None`` while one is being made, and when there will be none."""
    attempts: list[Attempt] = field(default_factory=list)
    attempt_count: int = 0
    """How many were begun."""
    delay_reported: bool = False
    """Whether the sender was told of the delay."""

    @property
    def waiting(self) -> list[QueuedRecipient]:
        """Those not yet settled."""
        return [recipient for recipient in self.recipients if recipient.state == "waiting"]

    @property
    def content(self) -> bytes:
        """What is sent: the trace header, and exactly what came in."""
        return self.received + self.message.original

    @property
    def last_reply(self) -> str:
        """What the latest attempt met, ``""`` before the first."""
        return self.attempts[-1].reply if self.attempts else ""

    def picture(self) -> QueuedMessage:
        """This entry as it is now."""
        waiting = self.waiting
        return QueuedMessage(
            self.message,
            self.sender,
            self.domain,
            tuple(recipient.original for recipient in waiting),
            tuple(recipient.address for recipient in waiting),
            self.attempts[-1].number if self.attempts else 0,
            self.next_attempt,
            self.last_reply,
            self.queued_at,
            self.expires_at,
            tuple(self.attempts),
        )


@record
class QueuedMessage:
    """A message waiting for a next hop, as it was when it was looked at."""

    message: Message
    sender: str
    """The reverse-path it goes out with."""
    domain: str
    """The next-hop domain."""
    recipients: tuple[str, ...]
    """Those still waiting, as given in RCPT, before aliases."""
    addresses: tuple[str, ...]
    """Where it goes for each of them, after aliases."""
    attempts: int
    """How many were made."""
    next_attempt: datetime.datetime | None
    """By the server's clock; ``None`` while one is being made."""
    last_reply: str
    """What the latest attempt met, such as ``"451 4.4.1 connection refused"``."""
    queued_at: datetime.datetime
    expires_at: datetime.datetime
    history: tuple[Attempt, ...] = field(repr=False)
    """All attempts, oldest first."""


class Queue:
    """The entries that have recipients waiting, oldest first."""

    __slots__ = ("_entries", "hastener", "reporter", "watcher")

    def __init__(self) -> None:
        self._entries: dict[QueueEntry, None] = {}
        self.watcher: Callable[[QueueEntry], None] | None = None
        """Given each new entry, in the step that adds it."""
        self.hastener: Callable[[QueueEntry], None] | None = None
        """Given entries whose next attempt is to be made now."""
        self.reporter: Callable[[World, QueueEntry], None] | None = None
        """Given, with the world that it is in, what was delivered here or expanded, where the sender asked to be told:
        an entry that is not, and was not, in the queue, all of whose recipients are settled."""

    def __iter__(self) -> Iterator[QueueEntry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: object) -> bool:
        return entry in self._entries

    def add(self, entries: Iterable[QueueEntry]) -> None:
        """Take entries in, and tell the watcher."""
        for entry in entries:
            self._entries[entry] = None
            if self.watcher is not None:
                self.watcher(entry)

    def hasten(self, entry: QueueEntry) -> None:
        """Have it tried now, whatever the schedule says; one of which an attempt is under way is left alone."""
        if self.hastener is not None and entry in self._entries and entry.next_attempt is not None:
            self.hastener(entry)

    def discard(self, entry: QueueEntry) -> None:
        """Forget an entry, of which nobody is waiting any more."""
        self._entries.pop(entry, None)
