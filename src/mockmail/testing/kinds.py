"""What can happen to mail, one row each: where candidates come from, what may be said of them, what a query returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from mockmail.core.accounts import canonical_address
from mockmail.core.events import (
    Appended,
    Bounced,
    Command,
    Copied,
    Delivered,
    Event,
    Expunged,
    Fetched,
    FlagsChanged,
    LoggedIn,
    LoginFailed,
    Moved,
    Queued,
    Rejected,
    RelayAttempted,
    Relayed,
    Seeded,
    SessionClosed,
    TLSFailed,
    TLSStarted,
)
from mockmail.core.journal import Mark
from mockmail.core.message import Message, StoredMessage
from mockmail.core.queue import QueuedMessage
from mockmail.core.world import World
from mockmail.errors import ConfigurationError
from mockmail.testing.gather import Held, Idling, holdings, idles, moves, waiting
from mockmail.testing.matching import (
    Field,
    account_field,
    address_test,
    addresses_test,
    body_test,
    code_test,
    command_test,
    flag_test,
    folder_test,
    from_test,
    protocol_test,
    text_test,
    tls_test,
    truth_test,
    word_test,
)
from mockmail.testing.passing_on import attempts_test, via_test
from mockmail.testing.source import Source

__all__ = [
    "APPENDED",
    "BOUNCED",
    "COMMAND",
    "DELETED",
    "DELIVERED",
    "FETCHED",
    "FLAGGED",
    "IDLING",
    "KINDS",
    "LOGGED_IN",
    "LOGIN_FAILED",
    "MOVED",
    "QUEUED",
    "REJECTED",
    "RELAYED",
    "TLS_REFUSED",
    "TLS_STARTED",
    "Kind",
    "kind_named",
]

E = TypeVar("E")
R = TypeVar("R")
V = TypeVar("V", bound=Event)

Gather = Callable[[Source, World, "Mark | None"], list[E]]


@dataclass(frozen=True)
class Kind(Generic[E, R]):
    """One row. A candidate (of type E) is what criteria are tested on; a query returns R of it."""

    name: str
    noun: str
    """What a failure calls one of them; the plural is made by an s after its first word."""
    events: tuple[type[Event], ...]
    """The events that may make new candidates; the candidates themselves, unless ``gather`` finds them."""
    fields: Mapping[str, Field[E]]
    returns: Callable[[E], R]
    message: Callable[[E], Message | None]
    one: Literal["record", "message", "any"]
    """What there must be exactly one of for an assertion of the one: records, messages concerned, or nothing."""
    gather: Gather[E] | None = None

    def candidates(self, source: Source, world: World, since: Mark | None = None) -> list[E]:
        """All so far, oldest first."""
        if self.gather is not None:
            return self.gather(source, world, since)
        return world.journal.of(self.events[0], since)  # type: ignore[return-value]  # without gather, E is the event

    def key(self, candidate: E) -> object:
        """What is the same for candidates that count as one."""
        message = self.message(candidate)
        return message.id if self.one == "message" and message is not None else id(candidate)

    def named(self, count: int) -> str:
        """``"1 message delivered"``, ``"2 messages delivered"``, ``"no message delivered"``."""
        first, space, rest = self.noun.partition(" ")
        if count == 1:
            return f"1 {self.noun}"
        return f"{count or 'no'} {first}s{space}{rest}" if count else f"no {self.noun}"


def _itself(candidate: E) -> E:
    return candidate


def _message_of(candidate: Any) -> Any:
    return candidate.message


def _no_message(candidate: object) -> None:
    return None


def _mail_fields(message: Callable[[E], Message | None]) -> dict[str, Field[E]]:
    """The criteria on a message itself, which may be missing."""

    def of(get: Callable[[Message], Any], missing: Any = None) -> Callable[[E], Any]:
        def actual(candidate: E) -> Any:
            found = message(candidate)
            return missing if found is None else get(found)

        return actual

    return {
        "to": Field(of(lambda found: found.recipients, ()), addresses_test),
        "sender": Field(of(lambda found: found.sender), address_test),
        "from_": Field(of(lambda found: (found.from_, found.headers.get("From", ""))), from_test),
        "subject": Field(of(lambda found: found.subject), text_test),
        "body": Field(of(lambda found: found.texts, ()), body_test),
        "headers": Field(message, text_test),
    }


def _account(candidate: Any) -> str:
    return str(candidate.account)


_FOLDER: Field[Any] = Field(lambda event: event.folder, folder_test)
_PROTOCOL: Field[Any] = Field(lambda event: event.protocol, protocol_test)
_MAIL: dict[str, Field[Any]] = _mail_fields(_message_of)
_HANDLED: dict[str, Field[Any]] = {
    **_MAIL,
    "account": account_field(_account),
    "folder": _FOLDER,
    "protocol": _PROTOCOL,
}

DELIVERED: Kind[Delivered, Message] = Kind(
    name="delivered",
    noun="message delivered",
    events=(Delivered,),
    fields={
        **_MAIL,
        "to": Field(lambda event: event.recipients, addresses_test),
        "account": Field(lambda event: event.accounts, addresses_test),
    },
    returns=_message_of,
    message=_message_of,
    one="record",
)

REJECTED: Kind[Rejected, Rejected] = Kind(
    name="rejected",
    noun="refusal",
    events=(Rejected,),
    fields={
        **_MAIL,
        "to": Field(lambda event: event.recipients, addresses_test),
        "sender": Field(lambda event: event.sender, address_test),
        "account": account_field(_account),
        "code": Field(lambda event: event.code, code_test),
    },
    returns=_itself,
    message=_message_of,
    one="any",
)

# By either name an address has, before and after aliases: a test may know only one.
_PASSED_ON: dict[str, Field[Any]] = {
    **_MAIL,
    "account": account_field(lambda one: one.message.sender),
    "to": Field(lambda one: tuple(dict.fromkeys((*one.recipients, *one.addresses))), addresses_test),
}
_SENT_IN_NAME_OF: Field[Any] = Field(lambda one: one.sender, address_test)

RELAYED: Kind[Relayed, Relayed] = Kind(
    name="relayed",
    noun="message relayed",
    events=(Relayed,),
    fields={
        **_PASSED_ON,
        "via": Field(lambda event: (event.via, event.address), via_test),
        "attempts": Field(lambda event: event.attempts, attempts_test),
    },
    returns=_itself,
    message=_message_of,
    one="record",
)

QUEUED: Kind[QueuedMessage, QueuedMessage] = Kind(
    name="queued",
    noun="message queued",
    events=(Queued, RelayAttempted, Relayed, Bounced),
    fields={
        **_PASSED_ON,
        "sender": _SENT_IN_NAME_OF,
        "attempts": Field(lambda one: one.attempts, attempts_test),
    },
    returns=_itself,
    message=_message_of,
    one="record",
    gather=waiting,
)

BOUNCED: Kind[Bounced, Bounced] = Kind(
    name="bounced",
    noun="message bounced",
    events=(Bounced,),
    fields={**_PASSED_ON, "sender": _SENT_IN_NAME_OF, "status": Field(lambda event: event.status, text_test)},
    returns=_itself,
    message=_message_of,
    one="record",
)

FETCHED: Kind[Fetched, Fetched] = Kind(
    name="fetched",
    noun="message fetched",
    events=(Fetched,),
    fields={**_HANDLED, "part": Field(lambda event: event.part, word_test)},
    returns=_itself,
    message=_message_of,
    one="message",
)

DELETED: Kind[Expunged, Expunged] = Kind(
    name="deleted",
    noun="message deleted",
    events=(Expunged,),
    fields=_HANDLED,
    returns=_itself,
    message=_message_of,
    one="message",
)

APPENDED: Kind[Appended, Appended] = Kind(
    name="appended",
    noun="message appended",
    events=(Appended,),
    fields=_HANDLED,
    returns=_itself,
    message=_message_of,
    one="message",
)


MOVED: Kind[Moved, Moved] = Kind(
    name="moved",
    noun="message moved",
    events=(Moved, Expunged, Copied),
    fields={**_HANDLED, "to_folder": Field(lambda event: event.to_folder, folder_test)},
    returns=_itself,
    message=_message_of,
    one="message",
    gather=moves,
)


FLAGGED: Kind[Held, StoredMessage] = Kind(
    name="flagged",
    noun="message flagged",
    events=(FlagsChanged, Seeded, Appended, Copied, Moved),
    fields={
        **_MAIL,
        "account": account_field(_account),
        "folder": Field(lambda one: one.message.folder, folder_test),
        "flag": Field(lambda one: one.message.flags, flag_test),
    },
    returns=_message_of,
    message=_message_of,
    one="message",
    gather=holdings,
)

_LOGIN: dict[str, Field[Any]] = {
    "protocol": _PROTOCOL,
    "mechanism": Field(lambda event: event.mechanism, word_test),
    "tls": Field(lambda event: event.tls, tls_test),
}

LOGGED_IN: Kind[LoggedIn, LoggedIn] = Kind(
    name="logged_in",
    noun="login",
    events=(LoggedIn,),
    fields={"account": account_field(_account), **_LOGIN},
    returns=_itself,
    message=_no_message,
    one="any",
)


def _username_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """A login that failed has no account: the name given stands for it, in full or the local part alone."""
    full = address_test(name, wanted)
    if not isinstance(wanted, str):
        return full
    local = canonical_address(wanted).rpartition("@")[0]
    return lambda actual: full(actual) or ("@" not in actual and canonical_address(actual) == local)


LOGIN_FAILED: Kind[LoginFailed, LoginFailed] = Kind(
    name="login_failed",
    noun="login refused",
    events=(LoginFailed,),
    fields={"account": Field(lambda event: event.username, _username_test), **_LOGIN},
    returns=_itself,
    message=_no_message,
    one="any",
)

_IMPLICIT: Field[Any] = Field(lambda event: event.implicit, truth_test)

TLS_STARTED: Kind[TLSStarted, TLSStarted] = Kind(
    name="tls_started",
    noun="TLS handshake",
    events=(TLSStarted,),
    fields={
        "protocol": _PROTOCOL,
        "version": Field(lambda event: event.version, text_test),
        "cipher": Field(lambda event: event.cipher, text_test),
        "client_certificate": Field(lambda event: event.client_certificate, tls_test),
        "implicit": _IMPLICIT,
    },
    returns=_itself,
    message=_no_message,
    one="any",
)


def _refusals(source: Source, world: World, since: Mark | None) -> list[TLSFailed]:
    return [event for event in world.journal.of(TLSFailed, since) if event.by_client]


TLS_REFUSED: Kind[TLSFailed, TLSFailed] = Kind(
    name="tls_refused",
    noun="TLS refusal by a client",
    events=(TLSFailed,),
    fields={"protocol": _PROTOCOL, "reason": Field(lambda event: event.reason, text_test), "implicit": _IMPLICIT},
    returns=_itself,
    message=_no_message,
    one="any",
    gather=_refusals,
)

COMMAND: Kind[Command, Command] = Kind(
    name="command",
    noun="command",
    events=(Command,),
    fields={
        "name": Field(lambda event: event.name, command_test),
        "account": account_field(_account),
        "protocol": _PROTOCOL,
        "arguments": Field(lambda event: event.arguments, text_test),
        "reply": Field(lambda event: event.reply, text_test),
    },
    returns=_itself,
    message=_no_message,
    one="any",
)


IDLING: Kind[Idling, Command] = Kind(
    name="idling",
    noun="client in IDLE",
    events=(Command, SessionClosed),
    fields={
        "account": account_field(lambda one: one.command.account),
        "folder": Field(lambda one: one.folder, folder_test),
    },
    returns=lambda one: one.command,
    message=_no_message,
    one="any",
    gather=idles,
)

KINDS: Mapping[str, Kind[Any, Any]] = {
    kind.name: kind
    for kind in (
        DELIVERED,
        REJECTED,
        RELAYED,
        QUEUED,
        BOUNCED,
        FETCHED,
        FLAGGED,
        MOVED,
        DELETED,
        APPENDED,
        LOGGED_IN,
        LOGIN_FAILED,
        COMMAND,
    )
}
"""What ``wait_for`` can wait for, by name."""


def kind_named(name: str) -> Kind[Any, Any]:
    """The row of a name; ``ConfigurationError`` names them all when there is none."""
    try:
        return KINDS[name]
    except (KeyError, TypeError):
        known = ", ".join(map(repr, KINDS))
        raise ConfigurationError(f"what is {name!r}; write one of {known}.") from None
