"""Commands as values, with their arguments decoded and typed (RFC 3501 section 6, and the extensions of
:mod:`mockmail.imap.extensions`). :func:`mockmail.imap.parsing.parse` makes them."""

from __future__ import annotations

import datetime
from dataclasses import field
from typing import Literal

from mockmail.imap.arguments import FetchAtt
from mockmail.imap.search.keys import Key
from mockmail.imap.sets import SequenceSet
from mockmail.records import record

__all__ = [
    "Append",
    "Authenticate",
    "Command",
    "Create",
    "Enable",
    "Expunge",
    "Fetch",
    "Id",
    "List",
    "Login",
    "OnMailbox",
    "Rename",
    "Search",
    "Select",
    "Status",
    "Store",
    "Transfer",
]


@record
class Command:
    """A command. Those without arguments (CAPABILITY, NOOP, LOGOUT, STARTTLS, CHECK, CLOSE, UNSELECT, NAMESPACE, IDLE)
    are just this."""

    tag: str
    name: str
    """In capitals, without ``UID``."""
    uid: bool
    """Whether UID stood before it: its numbers are UIDs, and so are those of the responses."""

    @property
    def full_name(self) -> str:
        """``"UID FETCH"``, ``"FETCH"``."""
        return f"UID {self.name}" if self.uid else self.name


@record
class Authenticate(Command):
    """AUTHENTICATE (RFC 3501 section 6.2.2, RFC 4959)."""

    mechanism: str
    """In capitals."""
    initial_response: bytes | None = field(repr=False)
    """As sent: base64, or ``b"="`` for an empty one."""


@record
class Login(Command):
    """LOGIN. Both are taken for UTF-8, or for ISO-8859-1 where they are not."""

    user: str
    password: str = field(repr=False)


@record
class Select(Command):
    """SELECT and EXAMINE."""

    mailbox: str


@record
class Create(Command):
    """CREATE. ``mailbox`` may end in the hierarchy delimiter. ``use``: attributes such as ``\\Sent`` (RFC 6154), known
    ones in the RFC's case; unknown ones are here too and deserve NO [USEATTR]."""

    mailbox: str
    use: tuple[str, ...] = ()


@record
class OnMailbox(Command):
    """DELETE, SUBSCRIBE and UNSUBSCRIBE."""

    mailbox: str


@record
class Rename(Command):
    """RENAME."""

    mailbox: str
    new_name: str


@record
class List(Command):
    """LIST and LSUB."""

    reference: str
    pattern: str
    """With ``%`` and ``*``; INBOX is as written in it. Empty: LIST asks for the delimiter."""
    return_options: frozenset[str] = frozenset()
    """``{"SPECIAL-USE"}`` or nothing (RFC 6154)."""


@record
class Status(Command):
    """STATUS."""

    mailbox: str
    items: tuple[str, ...]
    """In capitals, in the order asked for, each once."""


@record
class Append(Command):
    """APPEND. ``message`` is the very object that the framer made of the literal."""

    mailbox: str
    flags: tuple[str, ...]
    date_time: datetime.datetime | None
    message: bytes = field(repr=False)


@record
class Search(Command):
    """SEARCH and UID SEARCH. Sequence sets among the keys are of message numbers in both."""

    charset: str | None
    key: Key


@record
class Fetch(Command):
    """FETCH and UID FETCH. UID is not among ``items`` for UID FETCH unless asked for."""

    messages: SequenceSet
    items: tuple[FetchAtt, ...]


@record
class Store(Command):
    """STORE and UID STORE: ``mode`` is ``"+"``, ``"-"`` or ``""`` (replace)."""

    messages: SequenceSet
    mode: Literal["+", "-", ""]
    silent: bool
    flags: tuple[str, ...]


@record
class Transfer(Command):
    """COPY, MOVE and their UID forms."""

    messages: SequenceSet
    mailbox: str


@record
class Expunge(Command):
    """EXPUNGE, and UID EXPUNGE (RFC 4315), which has ``messages``."""

    messages: SequenceSet | None


@record
class Id(Command):
    """ID (RFC 2971): fields and values in the order sent; ``None`` for NIL."""

    fields: tuple[tuple[str, str | None], ...] | None


@record
class Enable(Command):
    """ENABLE (RFC 5161): names in capitals."""

    capabilities: tuple[str, ...]
