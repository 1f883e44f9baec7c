"""The setting ``tls`` in detail: which certificate the servers show, and how they misbehave on purpose."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from mockmail.errors import ConfigurationError

__all__ = ["TLS"]


@dataclass(frozen=True, kw_only=True)
class TLS:
    """How the servers do TLS. ``TLS()`` is what ``tls=True`` stands for; all else is a server that misbehaves, or
    demands more, so that a test sees what its client does then.

    Raises ``ConfigurationError`` for a value that cannot be used.
    """

    certificate: Literal["valid", "expired", "not-yet-valid", "wrong-host", "untrusted", "self-signed"] = "valid"
    """What the servers show: valid for localhost, 127.0.0.1, ::1 and ``host``, or what is wrong with it. Each has one
    fault alone: ``"untrusted"`` is valid but for being signed by an authority that nobody knows."""
    starttls: Literal["offer", "hide", "refuse", "fail"] = "offer"
    """On the plain ports: ``"hide"`` neither advertises nor understands STARTTLS and STLS, ``"refuse"`` advertises and
    answers with an error, ``"fail"`` agrees and then breaks the handshake off. The ports of implicit TLS go on."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    maximum_version: Literal["1.2", "1.3"] = "1.3"
    client_certificate: Literal["none", "optional", "required"] = "none"
    """Whether clients are asked for a certificate, as ``mail.tls.client_context(certificate=True)`` has one."""

    def __post_init__(self) -> None:
        for name, choices in _choices().items():
            value = getattr(self, name)
            if value not in choices:
                known = ", ".join(repr(choice) for choice in choices)
                raise ConfigurationError(f"{name} of TLS is {value!r}; write one of {known}.")
        if self.minimum_version > self.maximum_version:
            raise ConfigurationError(
                f"minimum_version of TLS is {self.minimum_version!r}, above maximum_version, which is"
                f" {self.maximum_version!r}; raise the one or lower the other."
            )

    @classmethod
    def from_text(cls, text: str) -> bool | TLS:
        """``true``, ``false``, or what differs from the defaults: ``certificate=expired,starttls=hide``. Raises
        ``ValueError`` (``ConfigurationError`` is one) for anything else."""
        word = text.strip().lower()
        if word in ("1", "true", "yes", "on"):
            return True
        if word in ("", "0", "false", "no", "off"):
            return False
        values: dict[str, Any] = {}
        for part in word.split(","):
            name, equals, value = part.partition("=")
            name = name.strip().replace("-", "_")
            if not equals or name not in _choices():
                raise ValueError(
                    f"write true, false, or name=value,name=value with the names {', '.join(_choices())},"
                    " such as certificate=expired,starttls=hide"
                )
            values[name] = value.strip()
        return cls(**values)

    def __str__(self) -> str:
        """The text form, of what differs from the defaults."""
        changed = [
            f"{item.name}={getattr(self, item.name)}" for item in fields(self) if not _is_default(self, item.name)
        ]
        return ",".join(changed) or "true"


def _is_default(tls: TLS, name: str) -> bool:
    return bool(getattr(tls, name) == getattr(TLS, name))


def _choices() -> dict[str, tuple[str, ...]]:
    return {name: get_args(hint) for name, hint in get_type_hints(TLS).items()}
