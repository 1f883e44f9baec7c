"""SASL (RFC 4422): mechanisms as challenge machines, and the exchange in base64 that SMTP (RFC 4954), POP3 (RFC 5034)
and IMAP (RFC 9051 section 6.2.2) have in common. A protocol only wraps the lines.

A mechanism never looks at an account: it ends with :class:`Credentials`, which ``auth.credentials`` accepts or refuses.
One that must know a secret in mid-exchange (SCRAM) asks its :class:`Secrets`.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeAlias

__all__ = [
    "LINE_LIMIT_BYTES",
    "MECHANISMS",
    "Cancelled",
    "Challenge",
    "Credentials",
    "Exchange",
    "Failure",
    "Finished",
    "LoginMechanism",
    "Malformed",
    "Mechanism",
    "PlainMechanism",
    "Prompt",
    "Refused",
    "Reply",
    "Secrets",
    "Step",
    "Success",
    "new_mechanism",
]

LINE_LIMIT_BYTES = 12288
"""Longest base64 line taken, without CRLF (RFC 4954 section 4)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the client says it is, and its proof: a ``password`` in the clear, a ``check`` that tells whether a given
    password is the one it used (digests), or neither, when the mechanism has proved it already."""

    username: str
    password: str | None = field(default=None, repr=False)
    check: Callable[[str], bool] | None = None
    authorization_id: str = ""
    """Whom the client wants to act as; empty means as itself."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this, unencoded, and give the answer to the next step."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Success:
    """The mechanism is done. ``data`` is what it still tells the client with the success (RFC 4422 section 3.6)."""

    credentials: Credentials
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The mechanism failed. ``data`` is an error challenge that goes to the client first (RFC 7628 section 3.2.3);
    ``malformed`` says that the message was no message of this mechanism, rather than a wrong secret."""

    reason: str
    data: bytes | None = None
    malformed: bool = False


Step: TypeAlias = Challenge | Success | Failure


class Secrets(Protocol):
    """What a mechanism may ask the server for."""

    def password(self, username: str) -> str | None:
        """The password of this user, or ``None`` when there is none to compare with."""


class Mechanism(Protocol):
    """One run of a mechanism."""

    name: str
    """As registered with IANA, in capitals."""
    client_first: bool
    """Whether the client speaks first, so that without an initial response it is sent an empty challenge."""

    def step(self, response: bytes | None) -> Step:
        """Take the client's answer, decoded; ``None`` stands for "begin, there was no initial response"."""


class PlainMechanism:
    """RFC 4616: ``message = [authzid] UTF8NUL authcid UTF8NUL passwd``."""

    name = "PLAIN"
    client_first = True

    def step(self, response: bytes | None) -> Step:
        """One message, in the initial response or after an empty challenge."""
        if response is None:
            return Challenge(b"")
        fields = _text(response).split("\0") if _is_text(response) else []
        if len(fields) != 3:
            return Failure("PLAIN takes authzid NUL authcid NUL password, in UTF-8", malformed=True)
        authorization_id, username, password = fields
        return Success(Credentials(username, password=password, authorization_id=authorization_id))


class LoginMechanism:
    """LOGIN (draft-murchison-sasl-login): name, then password, each asked for. smtplib and others put the name into
    an initial response, which is taken."""

    name = "LOGIN"
    client_first = False

    def __init__(self) -> None:
        self._username: str | None = None

    def step(self, response: bytes | None) -> Step:
        """Ask for the name, then for the password."""
        if response is None:
            return Challenge(b"Username:")
        if not _is_text(response) or b"\0" in response:
            return Failure("LOGIN takes UTF-8 text without NUL", malformed=True)
        if self._username is None:
            self._username = _text(response)
            return Challenge(b"Password:")
        return Success(Credentials(self._username, password=_text(response)))


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text(data: bytes) -> str:
    return data.decode("utf-8")


MECHANISMS: Mapping[str, Callable[[Secrets | None], Mechanism]] = MappingProxyType(
    {
        "PLAIN": lambda secrets: PlainMechanism(),
        "LOGIN": lambda secrets: LoginMechanism(),
    }
)
"""Name -> what starts one run of it, in the order in which they are advertised."""


def new_mechanism(name: str, secrets: Secrets | None = None) -> Mechanism | None:
    """Start a mechanism by its name, in any case; ``None`` when there is none of this name."""
    start = MECHANISMS.get(name.upper())
    return None if start is None else start(secrets)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Send this challenge (base64, without prefix and CRLF) and give the next line to :meth:`Exchange.receive`."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The mechanism is satisfied: let ``auth.credentials`` decide about these."""

    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Refused:
    """The mechanism itself refused: an authentication failure."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client sent ``*``."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """No base64, no message of this mechanism, or ``too_long``: a syntax error, not a failed login."""

    reason: str
    too_long: bool = False


Reply: TypeAlias = Prompt | Finished | Refused | Cancelled | Malformed


class Exchange:
    """One authentication exchange in base64 lines. Call :meth:`begin`, then :meth:`receive` after each
    :class:`Prompt`; any other reply ends it. Lines come without CRLF."""

    def __init__(self, mechanism: Mechanism, *, limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        self.mechanism = mechanism
        self._limit_bytes = limit_bytes
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
        end = Refused(step.reason) if isinstance(step, Failure) else Finished(step.credentials)
        if step.data is None:
            return end
        # None of the three protocols can put data beside its last reply: it goes out as one more challenge, and the
        # client's answer to it carries nothing (RFC 4422 section 3.6, RFC 7628 section 3.2.3).
        self._end = end
        return Prompt(_base64(step.data))


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
