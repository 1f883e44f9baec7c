"""A message as it was stored: the bytes, the envelope, and what is derived from them on demand."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = ["Envelope", "Message", "StoredMessage"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What MAIL and RCPT said (RFC 5321 section 2.3.1)."""

    sender: str = ""
    """The reverse-path; ``""`` is the null sender."""
    recipients: tuple[str, ...] = ()
    """The accepted forward-paths, as given."""
    mail_options: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters of MAIL, names and values as sent; ``None`` for a parameter without a value."""
    rcpt_options: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    """Parameters of RCPT by recipient, for recipients that had any."""


class Message:
    """A frozen picture of a message. One object serves every mailbox that has a copy; any thread may read it.

    Everything beyond the bytes is computed at most once, when first asked for.
    """

    __slots__ = ("_derived", "_trace_length", "envelope", "id", "raw", "received_at")

    def __init__(
        self,
        raw: bytes,
        *,
        id: str,  # noqa: A002  the name of the field
        envelope: Envelope,
        received_at: datetime.datetime,
        trace_length: int = 0,
    ) -> None:
        self.raw = raw
        """The bytes POP3 and IMAP serve: trace headers, then exactly what the client sent."""
        self.id = id
        self.envelope = envelope
        self.received_at = received_at
        self._trace_length = trace_length
        self._derived: dict[str, Any] | None = None

    def derived(self, name: str, compute: Callable[[Message], T]) -> T:
        """``compute(self)``, kept under ``name``: what readers derive from the bytes is computed once."""
        kept = self._derived
        if kept is None:
            kept = self._derived = {}
        try:
            value: T = kept[name]
        except KeyError:
            value = kept[name] = compute(self)
        return value

    @property
    def original(self) -> bytes:
        """Exactly what the client sent."""
        return self.raw[self._trace_length :] if self._trace_length else self.raw

    @property
    def size(self) -> int:
        """Bytes of ``raw``."""
        return len(self.raw)

    @property
    def sender(self) -> str:
        """The envelope's sender; ``""`` is the null sender."""
        return self.envelope.sender

    @property
    def recipients(self) -> tuple[str, ...]:
        """The envelope's recipients."""
        return self.envelope.recipients


class StoredMessage(Message):
    """A message in a folder, as it was when it was looked at."""

    __slots__ = ("flags", "folder", "uid")

    def __init__(self, message: Message, *, uid: int, flags: frozenset[str], folder: str) -> None:
        super().__init__(
            message.raw,
            id=message.id,
            envelope=message.envelope,
            received_at=message.received_at,
            trace_length=message._trace_length,
        )
        if message._derived is None:
            message._derived = {}
        self._derived = message._derived
        self.uid = uid
        self.flags = flags
        self.folder = folder

    @property
    def seen(self) -> bool:
        """Whether it has the flag ``\\Seen``."""
        return "\\Seen" in self.flags
