"""SASL (RFC 4422): the shape of a mechanism, a challenge machine, and the exchange in base64 that SMTP (RFC 4954), POP3
(RFC 5034) and IMAP (RFC 9051 section 6.2.2) have in common. A protocol only wraps the lines.

A mechanism never looks at an account: it ends with :class:`Credentials`, which ``auth.credentials`` accepts or refuses.
One that must know something in mid-exchange (SCRAM, OAuth) asks its :class:`Secrets`. ``auth.mechanisms`` has them all.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Protocol, TypeAlias

from mockmail.records import record

__all__ = [
    "LINE_LIMIT_BYTES",
    "Cancelled",
    "Challenge",
    "Credentials",
    "Exchange",
    "Failure",
    "Finished",
    "Malformed",
    "Mechanism",
    "Prompt",
    "Refused",
    "Reply",
    "Secrets",
    "Step",
    "Success",
]

LINE_LIMIT_BYTES = 12288
"""Longest base64 line taken, without CRLF (RFC 4954 section 4)."""


@record
class Credentials:
    """Who the client says it is, and its proof: a ``password`` in the clear, a ``check`` that tells whether a given
    password is the one it used (digests), a bearer ``token``, or none of them, when the mechanism has proved it."""

    username: str
    password: str | None = field(default=None, repr=False)
    check: Callable[[str], bool] | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    authorization_id: str = ""
    """Whom the client wants to act as; empty means as itself."""
    anonymous: bool = False
    """The client is nobody in particular; ``username`` is the trace that it left."""


@record
class Challenge:
    """Send this, unencoded, and give the answer to the next step."""

    data: bytes


@record
class Success:
    """The mechanism is done. ``data`` is what it still tells the client with the success (RFC 4422 section 3.6)."""

    credentials: Credentials
    data: bytes | None = None


@record
class Failure:
    """The mechanism failed. ``data`` is an error challenge that goes to the client first (RFC 7628 section 3.2.3);
    ``malformed`` says that the message was no message of this mechanism, rather than a wrong secret. ``reason`` is a
    sentence without secrets; of a malformed message the client is told it."""

    reason: str
    data: bytes | None = None
    malformed: bool = False
    username: str = ""
    """Who tried, as far as is known."""


Step: TypeAlias = Challenge | Success | Failure


class Secrets(Protocol):
    """What a mechanism may ask the server for."""

    def password(self, username: str) -> str | Failure:
        """The password of this user, or why the server knows none."""

    def token(self, username: str, token: str) -> Credentials | Failure:
        """Whom a bearer token lets in, or why it lets nobody in. Without ``username``, whoever it was issued to."""

    @property
    def channel_bindings(self) -> Mapping[str, bytes]:
        """Channel binding data of the TLS connection by type (RFC 5929, RFC 9266); empty without."""

    @property
    def certified_names(self) -> tuple[str, ...]:
        """Whom the client's TLS certificate names, the best name first; empty without a certificate."""


class Mechanism(Protocol):
    """One run of a mechanism."""

    name: str
    """As registered with IANA, in capitals."""
    client_first: bool
    """Whether the client speaks first, so that without an initial response it is sent an empty challenge."""

    def step(self, response: bytes | None) -> Step:
        """Take the client's answer, decoded; ``None`` stands for "begin, there was no initial response"."""


@record
class Prompt:
    """Send this challenge (base64, without prefix and CRLF) and give the next line to :meth:`Exchange.receive`."""

    line: bytes


@record
class Finished:
    """The mechanism is satisfied: let ``auth.credentials`` decide about these."""

    credentials: Credentials


@record
class Refused:
    """The mechanism itself refused: an authentication failure."""

    reason: str
    username: str = ""


@record
class Cancelled:
    """The client sent ``*``."""


@record
class Malformed:
    """No base64, no message of this mechanism, or ``too_long``: a syntax error, not a failed login."""

    reason: str
    too_long: bool = False


Reply: TypeAlias = Prompt | Finished | Refused | Cancelled | Malformed


class Exchange:
    """One authentication exchange in base64 lines. Call :meth:`begin`, then :meth:`receive` after each
    :class:`Prompt`; any other reply ends it. Lines come without CRLF.

    ``on_failure`` is told of a refusal as soon as it is certain: curl hangs up on an error challenge.
    """

    def __init__(
        self,
        mechanism: Mechanism,
        *,
        limit_bytes: int = LINE_LIMIT_BYTES,
        on_failure: Callable[[Failure], None] | None = None,
    ) -> None:
        self.mechanism = mechanism
        self._limit_bytes = limit_bytes
        self._on_failure = on_failure
        self._end: Finished | Refused | None = None

    def begin(self, initial: bytes | None = None) -> Reply:
        """Start, with the initial response as it stood in the command: base64, or ``=`` for an empty one."""
        if initial is None:
            return self._reply(self.mechanism.step(None))
        if initial == b"=":
            return self._reply(self.mechanism.step(b""))
        return self._take(initial)

    def receive(self, line: bytes) -> Reply:
        """Take a line that answers a prompt. An empty line is an empty answer."""
        if isinstance(self._end, Refused):
            # Whatever the client says to an error challenge, "*" too (RFC 7628 section 3.2.3): its login has failed.
            return self._end
        if line == b"*":
            return Cancelled()
        if self._end is not None:
            return self._end
        return self._take(line)

    def _take(self, line: bytes) -> Reply:
        if len(line) > self._limit_bytes:
            return Malformed(f"the line is longer than {self._limit_bytes} bytes", too_long=True)
        try:
            response = binascii.a2b_base64(line, strict_mode=True)
        except binascii.Error:
            return Malformed("the line is not base64")
        return self._reply(self.mechanism.step(response))

    def _reply(self, step: Step) -> Reply:
        if isinstance(step, Challenge):
            return Prompt(_base64(step.data))
        if isinstance(step, Failure) and step.malformed:
            return Malformed(step.reason)
        if isinstance(step, Failure) and self._on_failure is not None:
            self._on_failure(step)
        end = Refused(step.reason, step.username) if isinstance(step, Failure) else Finished(step.credentials)
        if step.data is None:
            return end
        # None of the three protocols can put data beside its last reply: it goes out as one more challenge, and the
        # client's answer to it carries nothing (RFC 4422 section 3.6, RFC 7628 section 3.2.3).
        self._end = end
        return Prompt(_base64(step.data))


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
