"""What happened, as frozen values. Anything a test may want to assert is one of these.

``at`` is the time by the server's clock. ``account`` is an address, ``session`` the name of a session such as
``"imap-3"`` (``""`` when a test did it through the library), ``folder`` the name of a mailbox.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import field

from mockmail.core.message import Message
from mockmail.records import record

__all__ = [
    "KINDS",
    "Accepted",
    "Actor",
    "Appended",
    "Bounced",
    "Command",
    "Copied",
    "Delivered",
    "Event",
    "Expunged",
    "FaultFired",
    "Fetched",
    "FlagsChanged",
    "LoggedIn",
    "LoginFailed",
    "Moved",
    "Queued",
    "Rejected",
    "RelayAttempted",
    "Relayed",
    "Searched",
    "Seeded",
    "SessionClosed",
    "SessionOpened",
    "TLSFailed",
    "TLSStarted",
]


@record
class Actor:
    """Who does something to the store: a session of a client, or (with ``session=""``) the test itself."""

    protocol: str = ""
    session: str = ""
    account: str = ""


@record
class Event:
    """Base of all events."""

    at: datetime.datetime


@record
class SessionOpened(Event):
    """A client connected."""

    protocol: str
    session: str
    peer: tuple[str, int]


@record
class SessionClosed(Event):
    """A connection ended, in order or not."""

    protocol: str
    session: str


@record
class TLSStarted(Event):
    """A handshake was finished by both sides."""

    protocol: str
    session: str
    version: str
    """``"TLSv1.2"`` or ``"TLSv1.3"``."""
    cipher: str
    client_certificate: str | None
    """Subject of the client's certificate, or ``None`` when it gave none."""
    implicit: bool
    """Whether the connection began with it, on a port of its own, and was not upgraded."""


@record
class TLSFailed(Event):
    """A handshake failed, or (after a ``TLSStarted``) the client left without having said a word over it, as clients
    do that look at the certificate only then."""

    protocol: str
    session: str
    reason: str
    """The client's alert, such as ``"unknown ca"`` or ``"certificate expired"``; with ``by_client`` also ``"left
    without a word"``. Else what went wrong here."""
    by_client: bool
    """Whether it was the client who would not go on."""
    implicit: bool


@record
class Command(Event):
    """A client's command, at its completion reply (an IDLE: at its continuation)."""

    protocol: str
    name: str
    arguments: str
    account: str
    session: str
    reply: str


@record
class LoggedIn(Event):
    """A client logged in."""

    protocol: str
    session: str
    account: str
    username: str
    mechanism: str
    """``"PLAIN"``, ``"SCRAM-SHA-1"`` ..., or the command: ``"USER"``, ``"APOP"``; IMAP's LOGIN is ``"LOGIN"``."""
    tls: str | None
    """Version of TLS, or ``None`` in plain text."""
    password_checked: bool
    """Whether the password, digest, token or certificate was compared with a known one; false where any would do."""


@record
class LoginFailed(Event):
    """A login was refused."""

    protocol: str
    session: str
    username: str
    mechanism: str
    tls: str | None
    reason: str


@record
class Accepted(Event):
    """A message was taken over from a client by SMTP or LMTP, for all its recipients."""

    message: Message
    protocol: str
    session: str
    account: str
    """Who had logged in; ``""`` for nobody."""


@record
class Delivered(Event):
    """A message was put into mailboxes. One event a message, however many copies."""

    message: Message
    recipients: tuple[str, ...]
    """As given in RCPT, before aliases: those it was stored for."""
    accounts: tuple[str, ...]
    """The mailboxes reached, each once."""
    session: str


@record
class Rejected(Event):
    """A sender, a recipient or a message was refused."""

    protocol: str
    session: str
    account: str
    stage: str
    """The command refused: ``"MAIL"``, ``"RCPT"``, ``"DATA"``, ``"MESSAGE"`` (the end of the data) ..."""
    sender: str
    recipients: tuple[str, ...]
    code: int
    reply: str
    message: Message | None = None


@record
class Queued(Event):
    """A message was put into the queue for a next-hop domain."""

    message: Message
    sender: str
    """The reverse-path it goes out with."""
    domain: str
    recipients: tuple[str, ...]
    """As given in RCPT, before aliases."""
    addresses: tuple[str, ...]
    """Where it goes for each of them, after aliases."""


@record
class RelayAttempted(Event):
    """A message was tried at a next hop, successfully or not."""

    message: Message
    domain: str
    recipients: tuple[str, ...]
    """Those it was tried for, as given in RCPT."""
    addresses: tuple[str, ...]
    attempt: int
    """From 1; the hosts of several MX records, tried one after the other, are one attempt."""
    via: str
    """Name of the next hop; ``""`` when there was no route."""
    address: tuple[str, int] | None
    """Its host and port."""
    reply: str
    """The reply that decided it, or what happened instead in the form of one."""
    tls: str | None
    """Version of TLS, or ``None`` in plain text."""
    duration_seconds: float
    """In real time."""
    tls_problem: str | None = None
    """What was wrong with TLS where it was offered: why the certificate is not to be trusted (the mail went encrypted
    all the same), or why there was none. ``None``: nothing."""


@record
class Relayed(Event):
    """A next hop took a message over. One event for a message and a next hop, however many recipients."""

    message: Message
    domain: str
    recipients: tuple[str, ...]
    """Those it took it for, as given in RCPT, before aliases."""
    addresses: tuple[str, ...]
    attempts: int
    """How many it took, this one included."""
    via: str
    """Name of the next hop: a domain, a host of an MX record, or ``"127.0.0.1:2525"``."""
    address: tuple[str, int]
    reply: str
    tls: str | None
    duration_seconds: float


@record
class Bounced(Event):
    """A message was given up for some of its recipients."""

    message: Message
    sender: str
    """Whom the report of it is for; ``""`` for nobody."""
    domain: str
    recipients: tuple[str, ...]
    """Those it failed for, as given in RCPT, before aliases."""
    addresses: tuple[str, ...]
    attempts: int
    status: str
    """Enhanced status code, such as ``"5.1.1"`` (RFC 3463)."""
    reply: str
    """The last reply, or what happened instead in the form of one."""
    via: str


@record
class Seeded(Event):
    """A test put a message into a mailbox."""

    message: Message
    account: str
    folder: str
    uid: int


@record
class Fetched(Event):
    """A user agent read a part of a message."""

    protocol: str
    session: str
    account: str
    folder: str
    uid: int
    message: Message
    part: str
    """``"full"``, ``"header"``, ``"text"``, ``"1.2"`` ..."""
    peeked: bool
    """Whether reading left ``\\Seen`` alone on purpose (IMAP's ``.PEEK``)."""


@record
class FlagsChanged(Event):
    """The flags of a message in a mailbox changed."""

    protocol: str
    session: str
    account: str
    folder: str
    uid: int
    message: Message
    added: frozenset[str]
    removed: frozenset[str]
    flags: frozenset[str]


@record
class Copied(Event):
    """A message was copied into another mailbox of the account."""

    protocol: str
    session: str
    account: str
    folder: str
    uid: int
    message: Message
    to_folder: str
    new_uid: int


@record
class Moved(Copied):
    """A message was moved into another mailbox of the account."""


@record
class Appended(Event):
    """A user agent uploaded a message into a mailbox."""

    protocol: str
    session: str
    account: str
    folder: str
    uid: int
    message: Message
    flags: frozenset[str]


@record
class Expunged(Event):
    """A message was removed from a mailbox for good."""

    protocol: str
    session: str
    account: str
    folder: str
    uid: int
    message: Message


@record
class Searched(Event):
    """A user agent searched a mailbox."""

    protocol: str
    session: str
    account: str
    folder: str
    criteria: str
    uids: tuple[int, ...] = field(repr=False)


@record
class FaultFired(Event):
    """A scripted fault acted."""

    protocol: str
    session: str
    account: str
    command: str
    fault: str


KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}
"""All kinds of events by name."""
