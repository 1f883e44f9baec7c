"""Mail that goes on to other servers, and the clock that drives it, for coroutines."""

# ruff: noqa: ASYNC109  as in aio

from __future__ import annotations

import asyncio
import datetime
from typing import Unpack

from mockmail.core.clock import Clock, total_of
from mockmail.core.events import Bounced, Relayed
from mockmail.core.queue import QueuedMessage
from mockmail.testing import expect
from mockmail.testing.awaiting import run_async
from mockmail.testing.expect import Query
from mockmail.testing.kinds import BOUNCED, QUEUED, RELAYED
from mockmail.testing.passing_on import BouncedCriteria, QueuedCriteria, RelayedCriteria
from mockmail.testing.source import Source

__all__ = ["AsyncClock", "AsyncRelay"]


class AsyncClock:
    """``mail.aio.clock``: what moves a :class:`mockmail.Clock`, awaitable. While one waits until everything due has
    happened, the loop serves all other tasks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime.datetime:
        """The time now, aware, in UTC."""
        return self._clock.now()

    async def advance(
        self,
        delta: datetime.timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Move the clock forward, and carry out what is due on the way."""
        total = total_of(delta, days=days, hours=hours, minutes=minutes, seconds=seconds)
        driver = self._clock.driver
        if driver is None:
            self._clock.shift(total)
        else:
            await asyncio.wrap_future(driver.begin(self._clock.now() + total))

    async def advance_to_next(self) -> bool:
        """Move the clock to the next instant at which something is due, and carry it out; False when nothing is."""
        driver = self._clock.driver
        return driver is not None and await asyncio.wrap_future(driver.begin_next())

    async def run_until_idle(self) -> None:
        """Move the clock on and on until nothing is due at all."""
        driver = self._clock.driver
        if driver is not None:
            await asyncio.wrap_future(driver.begin(None))

    async def freeze(self, at: datetime.datetime) -> None:
        """Stand still at ``at``; what is due until then is carried out first."""
        driver = self._clock.driver
        if driver is None or at.tzinfo is None:
            self._clock.stand(at)
        else:
            await asyncio.wrap_future(driver.begin(at.astimezone(datetime.UTC), freeze=True))


class AsyncRelay:
    """See :class:`mockmail.testing.assert_relay.RelayAssertions`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def clock(self) -> AsyncClock:
        """The server's clock, to be moved by coroutines."""
        return AsyncClock(self._source.world.clock)

    async def assert_relayed(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[RelayedCriteria]
    ) -> Relayed:
        """Wait for the one message that fits and that a next hop has taken, and return the event; two fail at once."""
        __tracebackhide__ = True
        query = Query(self._source, RELAYED, "assert_relayed", criteria)
        return await run_async(self._source, expect.the_one(query, timeout, quiet))

    async def assert_not_relayed(self, *, quiet: float = 0.0, **criteria: Unpack[RelayedCriteria]) -> None:
        """No next hop has taken a message that fits, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(self._source, expect.none(Query(self._source, RELAYED, "assert_not_relayed", criteria), quiet))

    async def assert_queued(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[QueuedCriteria]
    ) -> QueuedMessage:
        """Wait until the one message that fits waits in the queue, and return it as it is then; two fail at once."""
        __tracebackhide__ = True
        query = Query(self._source, QUEUED, "assert_queued", criteria)
        return await run_async(self._source, expect.the_one(query, timeout, quiet))

    async def assert_not_queued(self, *, quiet: float = 0.0, **criteria: Unpack[QueuedCriteria]) -> None:
        """No message that fits waits, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(self._source, expect.none(Query(self._source, QUEUED, "assert_not_queued", criteria), quiet))

    async def assert_bounced(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[BouncedCriteria]
    ) -> Bounced:
        """Wait for the one message that fits to be given up, and return the event; two fail at once."""
        __tracebackhide__ = True
        query = Query(self._source, BOUNCED, "assert_bounced", criteria)
        return await run_async(self._source, expect.the_one(query, timeout, quiet))

    async def assert_not_bounced(self, *, quiet: float = 0.0, **criteria: Unpack[BouncedCriteria]) -> None:
        """No message that fits was given up, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(self._source, expect.none(Query(self._source, BOUNCED, "assert_not_bounced", criteria), quiet))
