"""The clock of a server: real time plus an offset that a test may move, or a time that it has frozen."""

from __future__ import annotations

import datetime as _datetime

from mockmail.errors import ConfigurationError

__all__ = ["Clock"]


class Clock:
    """Governs INTERNALDATE, trace headers, events and expiry; never the timeouts of sockets or assertions.

    Readable from any thread. What a user's own clock-freezing tool does to ``datetime`` shows here.
    """

    __slots__ = ("_frozen", "_offset")

    def __init__(self) -> None:
        self._offset = _datetime.timedelta()
        self._frozen: _datetime.datetime | None = None

    def now(self) -> _datetime.datetime:
        """The time now, aware, in UTC."""
        frozen = self._frozen
        if frozen is not None:
            return frozen
        now = _datetime.datetime.now(_datetime.UTC)
        return now + self._offset if self._offset else now

    def shift(self, delta: _datetime.timedelta) -> None:
        """Move the clock forward by ``delta``; ``ConfigurationError`` when it is negative."""
        if delta < _datetime.timedelta():
            raise ConfigurationError(f"The clock cannot go back by {-delta}; give a delta that is not negative.")
        if self._frozen is not None:
            self._frozen += delta
        else:
            self._offset += delta

    def freeze(self, at: _datetime.datetime) -> None:
        """Stand still at ``at``, which must be aware."""
        if at.tzinfo is None:
            raise ConfigurationError(f"{at!r} has no time zone; write it with tzinfo=datetime.timezone.utc.")
        self._frozen = at.astimezone(_datetime.UTC)
