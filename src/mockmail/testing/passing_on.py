"""Criteria on mail that goes on to other servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mockmail.core.events import Bounced, Relayed
from mockmail.core.queue import QueuedMessage
from mockmail.errors import ConfigurationError
from mockmail.testing.matching import MailCriteria, Text, text_test

__all__ = ["BouncedCriteria", "QueuedCriteria", "RelayedCriteria", "attempts_test", "via_test"]


class RelayedCriteria(MailCriteria, total=False):
    """Of messages that a next hop took over."""

    via: Text | tuple[str, int]
    attempts: int
    where: Callable[[Relayed], object]


class QueuedCriteria(MailCriteria, total=False):
    """Of messages that wait for a next hop."""

    attempts: int
    where: Callable[[QueuedMessage], object]


class BouncedCriteria(MailCriteria, total=False):
    """Of messages given up."""

    status: Text
    where: Callable[[Bounced], object]


def attempts_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """A number of attempts."""
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 0:
        raise ConfigurationError(f"{name} is {wanted!r}; write how many attempts were made, such as 2.")
    return lambda actual: bool(actual == wanted)


def via_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """A next hop, by its name, as ``"host:port"``, or as (host, port)."""
    if isinstance(wanted, tuple):
        return lambda actual: bool(actual[1] == wanted)
    if isinstance(wanted, str):
        lower = wanted.lower()
        return lambda actual: lower in (actual[0].lower(), "{}:{}".format(*actual[1]))
    matches = text_test(name, wanted)
    return lambda actual: matches(actual[0])
