"""Events and messages as JSON, and back: what a server tells over HTTP, and a :class:`RemoteMockMail` reads."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from mockmail.core.events import KINDS, Event
from mockmail.core.message import Envelope, Message
from mockmail.core.queue import Attempt, QueuedMessage

__all__ = [
    "RemoteMessage",
    "decoded_event",
    "decoded_queued",
    "encoded_event",
    "encoded_message",
    "encoded_queued",
]

_SETS = frozenset({"added", "removed", "flags"})


def encoded_message(message: Message) -> dict[str, Any]:
    """Everything but the bytes."""
    envelope = message.envelope
    return {
        "id": message.id,
        "size": message.size,
        "received_at": message.received_at.isoformat(),
        "trace_length": len(message.raw) - len(message.original),
        "envelope": {
            "sender": envelope.sender,
            "recipients": list(envelope.recipients),
            "mail_options": dict(envelope.mail_options),
            "rcpt_options": {name: dict(options) for name, options in envelope.rcpt_options.items()},
        },
    }


def encoded_queued(one: QueuedMessage) -> dict[str, Any]:
    """What waits in the queue: all fields."""
    return {item.name: _encoded(getattr(one, item.name)) for item in fields(one)}


def decoded_queued(told: Mapping[str, Any], message: Callable[[Mapping[str, Any]], Message]) -> QueuedMessage:
    """The picture that was told. ``message`` makes messages."""
    return QueuedMessage(
        message(told["message"]),
        told["sender"],
        told["domain"],
        tuple(told["recipients"]),
        tuple(told["addresses"]),
        told["attempts"],
        _moment(told["next_attempt"]),
        told["last_reply"],
        datetime.datetime.fromisoformat(told["queued_at"]),
        datetime.datetime.fromisoformat(told["expires_at"]),
        tuple(_attempt(one) for one in told["history"]),
    )


def _attempt(told: Mapping[str, Any]) -> Attempt:
    address = told["address"]
    at = datetime.datetime.fromisoformat(told["at"])
    return Attempt(**{**told, "at": at, "address": None if address is None else tuple(address)})


def _moment(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)


def _encoded(value: Any) -> Any:
    if isinstance(value, Message):
        return encoded_message(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_encoded(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _encoded(getattr(value, item.name)) for item in fields(value)}
    return value


def encoded_event(event: Event) -> dict[str, Any]:
    """``kind``, the name of its class, and its fields."""
    told = {item.name: _encoded(getattr(event, item.name)) for item in fields(event)}
    return {"kind": type(event).__name__, **told}


def decoded_event(told: Mapping[str, Any], message: Callable[[Mapping[str, Any]], Message]) -> Event | None:
    """The event that was told; ``None`` for a kind that a newer server has. ``message`` makes messages."""
    kind = KINDS.get(told["kind"])
    if kind is None:
        return None
    values: dict[str, Any] = {}
    for item in fields(kind):
        value = told[item.name]
        if item.name == "message" and value is not None:
            value = message(value)
        elif item.name == "at":
            value = datetime.datetime.fromisoformat(value)
        elif item.name in _SETS:
            value = frozenset(value)
        elif isinstance(value, list):
            value = tuple(value)
        values[item.name] = value
    return kind(**values)


class RemoteMessage(Message):
    """A message on another server, whose bytes are fetched when they are first needed, and only once."""

    __slots__ = ("_fetch",)

    def __init__(self, told: Mapping[str, Any], fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        envelope = told["envelope"]
        super().__init__(
            b"",
            id=told["id"],
            envelope=Envelope(
                envelope["sender"],
                tuple(envelope["recipients"]),
                envelope["mail_options"],
                envelope["rcpt_options"],
            ),
            received_at=datetime.datetime.fromisoformat(told["received_at"]),
            trace_length=told["trace_length"],
        )

    @property
    def raw(self) -> bytes:
        """The bytes POP3 and IMAP serve: trace headers, then exactly what the client sent."""
        return self.derived("remote raw", lambda message: message._fetch(message.id))

    @raw.setter
    def raw(self, value: bytes) -> None:
        """The bytes are where they are."""
