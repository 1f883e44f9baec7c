"""The clock of a server: real time plus an offset that a test may move, or a time that it has frozen; and the heap of
jobs that are due by it."""

from __future__ import annotations

import datetime as _datetime
import heapq
import time as _time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from mockmail.errors import ConfigurationError

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Clock", "ClockDriver", "Instant", "Job", "Work", "time_of", "total_of"]

_UTC = _datetime.UTC
_EPOCH = _datetime.datetime(1970, 1, 1, tzinfo=_UTC)

Instant: TypeAlias = _datetime.datetime | int
"""A time, or nanoseconds since 1970 of which :func:`time_of` makes one."""

Work: TypeAlias = Callable[[], "Coroutine[Any, Any, None] | None"]
"""Begins something that is due. What it returns is waited for before the clock goes on."""


class Job:
    """Work due at a time. :meth:`cancel` takes it back."""

    __slots__ = ("_number", "at", "cancelled", "work")

    def __init__(self, at: _datetime.datetime, number: int, work: Work) -> None:
        self.at = at
        self._number = number
        self.work = work
        self.cancelled = False

    def __lt__(self, other: Job) -> bool:
        return (self.at, self._number) < (other.at, other._number)

    def cancel(self) -> None:
        """Have it never begin. It stays on the heap until its time, without what it would have worked on."""
        self.cancelled = True
        self.work = _nothing


def _nothing() -> None:
    return None


class ClockDriver(Protocol):
    """Who carries jobs out when they are due, on a loop. Any thread but the loop's, where nothing else is said."""

    def run(self, until: _datetime.datetime | None, *, freeze: bool = False) -> None:
        """Go through all that is due until then, ``None``: until nothing is due or under way at all."""

    def run_next(self) -> bool:
        """Go to the next instant at which something is due and through what it is; whether there was any."""

    def begin(self, until: _datetime.datetime | None, *, freeze: bool = False) -> Future[None]:
        """:meth:`run`, without waiting for it."""

    def begin_next(self) -> Future[bool]:
        """:meth:`run_next`, without waiting for it."""

    def arm(self) -> None:
        """The clock or its jobs changed. Loop thread."""


class Clock:
    """Governs INTERNALDATE, trace headers, events, expiry and the queue; never the timeouts of sockets or assertions.

    :meth:`now` may be read from any thread, and a test moves the clock from its own. A call that moves it returns when
    everything due has happened, in order of due time, including what that work made due. Nothing sleeps. What a user's
    own clock-freezing tool does to ``datetime`` shows here.
    """

    __slots__ = ("_chores", "_count", "_frozen", "_jobs", "_moved", "_offset", "_real_datetime", "driver")

    # Not where freezegun would find and replace it.
    _REAL_DATETIME: ClassVar = _datetime.datetime

    def __init__(self) -> None:
        self._real_datetime = self._REAL_DATETIME
        self._moved = False
        """Whether it ever showed another than real time."""
        self._offset = _datetime.timedelta()
        self._frozen: _datetime.datetime | None = None
        self._jobs: list[Job] = []
        self._chores: list[Job] = []
        self._count = 0
        self.driver: ClockDriver | None = None
        """Set while servers run by this clock."""

    def now(self) -> _datetime.datetime:
        """The time now, aware, in UTC."""
        frozen = self._frozen
        if frozen is not None:
            return frozen
        now = _datetime.datetime.now(_UTC)
        return now + self._offset if self._offset else now

    def instant(self) -> Instant:
        """The time now in a quarter of the time, for what most often nobody looks at: :meth:`now` is the same of
        it."""
        if self._moved or _datetime.datetime is not self._real_datetime:
            return self.now()
        return _time.time_ns()

    # What a test says

    def advance(
        self,
        delta: _datetime.timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Move the clock forward, and carry out what is due on the way."""
        total = total_of(delta, days=days, hours=hours, minutes=minutes, seconds=seconds)
        if self.driver is None:
            self.shift(total)
        else:
            self.driver.run(self.now() + total)

    def advance_to_next(self) -> bool:
        """Move the clock to the next instant at which something is due, and carry it out. False, and no move, when
        nothing is."""
        return self.driver is not None and self.driver.run_next()

    def run_until_idle(self) -> None:
        """Move the clock on and on until nothing is due at all: every message was relayed or has bounced."""
        if self.driver is not None:
            self.driver.run(None)

    def freeze(self, at: _datetime.datetime) -> None:
        """Stand still at ``at``, which must be aware; what is due until then is carried out first."""
        at = _aware(at)
        if self.driver is None:
            self.stand(at)
        else:
            self.driver.run(at, freeze=True)

    # What the library does. Loop thread, unless nothing runs

    def shift(self, delta: _datetime.timedelta) -> None:
        """Move the clock forward by ``delta``; ``ConfigurationError`` when it is negative."""
        if delta < _datetime.timedelta():
            raise ConfigurationError(f"The clock cannot go back by {-delta}; give a delta that is not negative.")
        self._moved = True
        if self._frozen is not None:
            self._frozen += delta
        else:
            self._offset += delta

    def stand(self, at: _datetime.datetime) -> None:
        """Stand still at ``at``, carrying nothing out."""
        self._moved = True
        self._frozen = _aware(at)

    def go_to(self, at: _datetime.datetime) -> None:
        """Move forward to ``at``, if it is not past."""
        delta = at - self.now()
        if delta > _datetime.timedelta():
            self.shift(delta)

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen is not None

    def schedule(self, at: _datetime.datetime, work: Work, *, chore: bool = False) -> Job:
        """Have ``work`` called when it is ``at``. Jobs of one instant begin in the order they were scheduled in. A
        ``chore`` is nothing that anybody waits for: the clock is not moved for its sake."""
        self._count += 1
        job = Job(at, self._count, work)
        jobs = self._chores if chore else self._jobs
        heapq.heappush(jobs, job)
        if self.driver is not None and jobs[0] is job:
            self.driver.arm()
        return job

    @property
    def next_due(self) -> _datetime.datetime | None:
        """When the next job is due, chores left out; it may be past."""
        return _first(self._jobs)

    @property
    def next_of_all(self) -> _datetime.datetime | None:
        """When the next job or chore is due; it may be past."""
        job, chore = _first(self._jobs), _first(self._chores)
        return job if chore is None else chore if job is None else min(job, chore)

    def due(self, until: _datetime.datetime) -> list[Job]:
        """Take out all jobs and chores due until then."""
        taken: list[Job] = []
        for jobs in (self._jobs, self._chores):
            while (at := _first(jobs)) is not None and at <= until:
                taken.append(heapq.heappop(jobs))
        return sorted(taken)

    def clear(self) -> None:
        """Forget all jobs."""
        self._jobs.clear()
        self._chores.clear()


def time_of(instant: Instant) -> _datetime.datetime:
    """The time in UTC that it stands for, to the microsecond, rounded down as the system's own is."""
    if isinstance(instant, int):
        return _EPOCH + _datetime.timedelta(microseconds=instant // 1000)
    return instant


def _first(jobs: list[Job]) -> _datetime.datetime | None:
    while jobs and jobs[0].cancelled:
        heapq.heappop(jobs)
    return jobs[0].at if jobs else None


def total_of(
    delta: _datetime.timedelta | None, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
) -> _datetime.timedelta:
    """The sum; ``ConfigurationError`` for one that is negative, or for no timedelta."""
    if delta is not None and not isinstance(delta, _datetime.timedelta):
        raise ConfigurationError(f"delta is {delta!r}; write a timedelta, or advance(minutes={delta!r}).")
    total = (delta or _datetime.timedelta()) + _datetime.timedelta(
        days=days, hours=hours, minutes=minutes, seconds=seconds
    )
    if total < _datetime.timedelta():
        raise ConfigurationError(f"The clock cannot go back by {-total}; give a delta that is not negative.")
    return total


def _aware(at: _datetime.datetime) -> _datetime.datetime:
    if at.tzinfo is None:
        raise ConfigurationError(f"{at!r} has no time zone; write it with tzinfo=datetime.timezone.utc.")
    return at.astimezone(_datetime.UTC)
