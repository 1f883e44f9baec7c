"""How long is waited for what, when mail is tried again, and when it is given up (RFC 5321 section 4.5)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import lru_cache, partial

from mockmail.config import Settings
from mockmail.core.queue import QueueEntry
from mockmail.errors import ConfigurationError
from mockmail.relaying import Schedule, read_schedule

__all__ = [
    "CHUNK_BYTES",
    "CONNECTION_LIMIT",
    "MESSAGES_PER_CONNECTION",
    "PATIENCE_SECONDS",
    "RECIPIENT_LIMIT",
    "TOGETHER",
    "Timeouts",
    "retries",
]

CONNECTION_LIMIT = 20
"""Connections to one next hop at a time."""
MESSAGES_PER_CONNECTION = 50
"""For so many waiting messages another connection is made."""
PATIENCE_SECONDS = 0.1
"""When no message could be begun for so long, another connection is made (real time)."""
RECIPIENT_LIMIT = 100
"""Recipients in one transaction: as many as every server must take (section 4.5.3.1.8)."""
CHUNK_BYTES = 1 << 20
"""How much of a message goes in one BDAT."""
TOGETHER = datetime.timedelta(seconds=1)
"""Mail for one next hop that is due so soon goes along with what is due."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that are waited for each thing (section 4.5.3.2)."""

    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0
    quit: float = 5.0

    def within(self, seconds: float) -> Timeouts:
        """The same, but none of them longer than this."""
        return _within(self, seconds)


@lru_cache(maxsize=16)
def _within(timeouts: Timeouts, seconds: float) -> Timeouts:
    """Kept, because a server asks anew after each reset."""
    return Timeouts(*(min(one, seconds) for one in astuple(timeouts)))


def retries(settings: Settings) -> Callable[[QueueEntry, datetime.datetime], datetime.datetime | None]:
    """A function that says when to try again what was tried in vain at a time; ``None``: it is given up. The last
    attempt is when the entry expires."""
    schedule, every = read_schedule(settings.retry_schedule), settings.retry_every
    if schedule is not None:
        return partial(_by_schedule, schedule)

    last, at = datetime.datetime.min, datetime.datetime.min

    def next_attempt(entry: QueueEntry, tried_at: datetime.datetime) -> datetime.datetime | None:
        nonlocal last, at
        if tried_at is not last:  # thousands may have been tried together
            last, at = tried_at, tried_at + every
        expires_at = entry.expires_at
        if at <= expires_at:
            return at
        return None if tried_at >= expires_at else expires_at

    return next_attempt


def _by_schedule(schedule: Schedule, entry: QueueEntry, tried_at: datetime.datetime) -> datetime.datetime | None:
    delay = schedule(entry.attempt_count)
    if delay is None:
        return None
    if not isinstance(delay, datetime.timedelta) or delay < datetime.timedelta():
        raise ConfigurationError(
            f"retry_schedule({entry.attempt_count}) returned {delay!r}; return a timedelta that is not negative, or"
            " None to give the message up."
        )
    return tried_at + delay
