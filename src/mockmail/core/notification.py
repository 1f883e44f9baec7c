"""What senders ask to be told of their mail (RFC 3461): who is told of what is in parameters of RCPT."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["notify_of", "option", "options_after_expansion"]


def option(options: Mapping[str, str | None], name: str) -> str:
    """The value of a parameter (given in capitals), or ``""``."""
    return next((value or "" for key, value in options.items() if key.upper() == name), "")


def notify_of(options: Mapping[str, str | None]) -> frozenset[str]:
    """What the sender wants to hear of, in capitals: ``NEVER``, or some of ``SUCCESS``, ``FAILURE`` and ``DELAY``.
    Failures and delays when nothing was said (RFC 3461 section 4.1)."""
    value = option(options, "NOTIFY").upper()
    return frozenset(value.split(",")) if value else frozenset({"FAILURE", "DELAY"})


def options_after_expansion(options: Mapping[str, str | None]) -> dict[str, str | None]:
    """Parameters of RCPT for each of the addresses that an alias stands for: the alias itself is reported as
    expanded, so that they are not asked to confirm (RFC 3461 section 5.2.7.3, third way)."""
    passed = dict(options)
    for name, value in options.items():
        if name.upper() == "NOTIFY" and value:
            kept = [keyword for keyword in value.split(",") if keyword.upper() != "SUCCESS"]
            passed[name] = ",".join(kept) or "NEVER"
    return passed
