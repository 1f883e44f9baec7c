"""Carries out on a loop what is due by a clock: when real time comes to it, or when a test moves the clock."""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from mockmail.core.clock import Clock, Job
from mockmail.errors import ConfigurationError, NotRunningError
from mockmail.wire.runtime import Runtime

__all__ = ["Driver"]

T = TypeVar("T")

ENDLESS = datetime.timedelta(days=3650)
"""How far a clock is moved in search of its last job."""


class Driver:
    """The :class:`mockmail.core.clock.ClockDriver` of a clock, for all servers that share the clock and the runtime.

    It begins all jobs of one instant, waits until all work under way is done, looks again, and is finished when nothing
    is due and nothing is under way. Only then does a call that moves the clock return.
    """

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._under_way: set[asyncio.Task[Any]] = set()
        self._less_under_way = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._detached = False
        clock.driver = self

    def detach(self) -> None:
        """Carry out nothing more: cancel what is under way. Loop thread, or any when the loop has ended."""
        self._detached = True
        if self._clock.driver is self:
            self._clock.driver = None
        self._clock.clear()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._under_way:
            if not task.done() and self._runtime.running:
                task.cancel()

    # From the thread of a test

    def run(self, until: datetime.datetime | None, *, freeze: bool = False) -> None:
        if until is not None and self._runtime.call(self._nothing_until, until, freeze):
            return
        method = "advance" if until is not None else "run_until_idle"
        self._wait(lambda: self._run(until, freeze), method)

    def run_next(self) -> bool:
        return self._wait(self._run_next, "advance_to_next")

    def begin(self, until: datetime.datetime | None, *, freeze: bool = False) -> Future[None]:
        return self._runtime.submit(self._run(until, freeze))

    def begin_next(self) -> Future[bool]:
        return self._runtime.submit(self._run_next())

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]], method: str) -> T:
        if _in_task():
            raise RuntimeError(
                f"clock.{method}() was called in a running asyncio task, and would have blocked the event loop that the"
                f" application may need. Write `await mail.aio.clock.{method}(...)`."
            )
        if self._runtime.call(threading.get_ident) == threading.get_ident():
            raise RuntimeError(f"clock.{method}() was called on the servers' own thread, which would wait for itself.")
        try:
            return self._runtime.submit(work()).result()
        except CancelledError:
            raise NotRunningError("The servers were stopped or reset while the clock was being moved.") from None

    # On the loop

    def arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._clock.next_of_all
        if due is None or self._detached or self._one_at_a_time.locked():
            return
        seconds = (due - self._clock.now()).total_seconds()
        if seconds > 0 and self._clock.frozen:
            return
        self._timer = self._runtime.loop.call_later(max(0.0, seconds), self._tick)

    def _tick(self) -> None:
        """Real time has come to a job."""
        self._timer = None
        if not self._one_at_a_time.locked():
            self._begin(self._clock.due(self._clock.now()))
            self.arm()

    def _begin(self, jobs: list[Job]) -> None:
        for job in jobs:
            if not job.cancelled:  # by one before it, as mail that goes along with other mail is
                self.carry_out(job.work())

    def carry_out(self, work: Coroutine[Any, Any, None] | None) -> None:
        """Begin work: the clock does not go on before it is done."""
        if work is not None:
            task = self._runtime.spawn(work)
            self._under_way.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        self._less_under_way.set()

    def _nothing_until(self, until: datetime.datetime, freeze: bool) -> bool:
        """Move the clock if that is all there is to do."""
        due = self._clock.next_of_all
        if self._under_way or self._one_at_a_time.locked() or (due is not None and due <= until):
            return False
        self._arrive(until, freeze)
        return True

    def _arrive(self, until: datetime.datetime, freeze: bool) -> None:
        if freeze:
            self._clock.stand(until)
        else:
            self._clock.go_to(until)
        self.arm()

    async def _run(self, until: datetime.datetime | None, freeze: bool) -> None:
        horizon = until if until is not None else self._clock.now() + ENDLESS
        async with self._one_at_a_time:
            while await self._step(horizon, idle=until is None):
                pass
        if until is None and self._clock.next_due is not None:
            raise ConfigurationError(
                f"After {ENDLESS.days} days by the clock something is still due, so it would never be idle; write a"
                " retry_schedule that ends, or use advance()."
            )
        if until is not None:
            self._arrive(until, freeze)
        self.arm()

    async def _run_next(self) -> bool:
        async with self._one_at_a_time:
            await self._settled()
            due = self._clock.next_due
            if due is not None:
                while await self._step(due):
                    pass
        self.arm()
        return due is not None

    async def _step(self, until: datetime.datetime, *, idle: bool = False) -> bool:
        """Wait for what is under way, then begin what is due next; False when that is later, or, with ``idle``, when
        only chores are left. Real time may have come past ``until`` meanwhile: what is due by then, as a message that
        the next server took just now, is due, too."""
        await self._settled()
        due = self._clock.next_of_all
        if idle and self._clock.next_due is None:
            return False
        if due is None or self._detached or due > max(until, self._clock.now()):
            return False
        self._clock.go_to(due)
        self._begin(self._clock.due(due))
        return True

    async def _settled(self) -> None:
        while self._under_way:
            self._less_under_way.clear()
            await self._less_under_way.wait()

    async def unless_due(self, work: Coroutine[Any, Any, T], at: datetime.datetime) -> T:
        """The result of ``work``, which waits for somebody who will not answer; ``TimeoutError`` when the clock comes
        to ``at`` first. The clock does not wait for it, and jumps to ``at``. For work under way."""
        outer = asyncio.current_task()
        assert outer is not None  # work under way is a task
        inner = asyncio.ensure_future(work)
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            self._under_way.add(outer)
            inner.cancel()

        job = self._clock.schedule(at, expire)
        self._done(outer)
        try:
            return await inner
        except asyncio.CancelledError:
            if expired:
                raise TimeoutError from None
            raise
        finally:
            inner.cancel()
            job.cancel()
            self._under_way.add(outer)


def _in_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:  # no loop runs in this thread
        return False
