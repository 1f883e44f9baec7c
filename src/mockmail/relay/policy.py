"""How long is waited for what, when mail is tried again, and when it is given up (RFC 5321 section 4.5)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from mockmail.config import Settings
from mockmail.core.queue import QueueEntry
from mockmail.errors import ConfigurationError
from mockmail.relaying import read_schedule

__all__ = ["CONNECTION_LIMIT", "RECIPIENT_LIMIT", "TOGETHER", "Timeouts", "next_attempt"]

CONNECTION_LIMIT = 20
"""Connections to one next hop at a time."""
MESSAGES_PER_CONNECTION = 50
"""For so many waiting messages another connection is made."""
RECIPIENT_LIMIT = 100
"""Recipients in one transaction: as many as every server must take (section 4.5.3.1.8)."""
TOGETHER = datetime.timedelta(seconds=1)
"""Mail for one next hop that is due so soon goes along with what is due."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds of real time (section 4.5.3.2)."""

    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0
    quit: float = 5.0


def next_attempt(settings: Settings, entry: QueueEntry, tried_at: datetime.datetime) -> datetime.datetime | None:
    """When to try again what was tried in vain; ``None``: it is given up. The last attempt is when it expires."""
    schedule = read_schedule(settings.retry_schedule)
    if schedule is None:
        if tried_at >= entry.expires_at:
            return None
        return min(tried_at + settings.retry_every, entry.expires_at)
    delay = schedule(entry.attempt_count)
    if delay is None:
        return None
    if not isinstance(delay, datetime.timedelta) or delay < datetime.timedelta():
        raise ConfigurationError(
            f"retry_schedule({entry.attempt_count}) returned {delay!r}; return a timedelta that is not negative, or"
            " None to give the message up."
        )
    return tried_at + delay
