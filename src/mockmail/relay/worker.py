"""Works the queue of a server off: what is due is sent, and what came of it is recorded. Loop thread only."""

from __future__ import annotations

import asyncio
import datetime
from collections import deque
from collections.abc import Coroutine
from functools import partial
from typing import Any

from mockmail.core.clock import Job
from mockmail.core.queue import QueueEntry
from mockmail.core.world import World
from mockmail.relay.notify import delay_due_at
from mockmail.relay.outcome import Ledger
from mockmail.relay.policy import (
    CONNECTION_LIMIT,
    MESSAGES_PER_CONNECTION,
    RECIPIENT_LIMIT,
    TOGETHER,
    Timeouts,
    next_attempt,
)
from mockmail.relay.replies import Reply, Trouble
from mockmail.relay.reporting import send_reports
from mockmail.relay.routes import Directory, Hop, Route, find_route
from mockmail.relay.transmit import Transmission, connect
from mockmail.wire.driver import Driver
from mockmail.wire.runtime import Runtime

__all__ = ["Worker", "begin_relaying"]


class Run:
    """One attempt at a next hop, for all mail that is due there."""

    def __init__(self, route: Route, due_at: datetime.datetime, entries: list[QueueEntry]) -> None:
        self.route = route
        self.due_at = due_at
        self.entries = entries
        self.pending: deque[QueueEntry] = deque(entries)
        """Not yet tried at the present hop."""
        self.unsettled = set(entries)
        self.ledger = Ledger()


class Worker:
    """Sends the mail of one server's world. ``directory`` has the MX records, where there are any."""

    def __init__(
        self,
        world: World,
        runtime: Runtime,
        driver: Driver,
        *,
        directory: Directory | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._world = world
        self._runtime = runtime
        self._driver = driver
        self._directory = directory
        self._timeouts = timeouts or Timeouts()
        self._runs: dict[Route, Run] = {}
        self._waiting_for: dict[Route, list[QueueEntry]] = {}
        self._jobs: dict[QueueEntry, Job] = {}
        self._delays: dict[QueueEntry, Job] = {}
        """Reports to come of those that still wait."""
        self._tasks: set[asyncio.Task[Any]] = set()
        world.queue.watcher = self._take
        world.queue.hastener = self._hasten

    def end(self, *, clock_too: bool = True) -> None:
        """Let go of the world: nothing more of it is due, and what is under way is cut. ``clock_too``: nobody else
        goes by its clock. Loop thread, or any when the loop has ended."""
        self._world.queue.watcher = self._world.queue.hastener = None
        for job in (*self._jobs.values(), *self._delays.values()):
            job.cancel()
        self._jobs.clear()
        self._delays.clear()
        for task in self._tasks:
            if not task.done() and self._runtime.running:
                task.cancel()
        if clock_too:
            self._driver.detach()

    # What is due

    def _take(self, entry: QueueEntry) -> None:
        self._schedule(entry, entry.queued_at)

    def _hasten(self, entry: QueueEntry) -> None:
        job = self._jobs.pop(entry, None)
        if job is not None:
            job.cancel()
        self._schedule(entry, self._world.clock.now())

    def _schedule(self, entry: QueueEntry, at: datetime.datetime) -> None:
        entry.next_attempt = at
        self._jobs[entry] = self._world.clock.schedule(at, partial(self._due, entry))

    def _due(self, entry: QueueEntry) -> Coroutine[Any, Any, None] | None:
        """Begin an attempt, unless the entry went along with another."""
        at = entry.next_attempt
        if at is None or self._world.retired:
            return None
        ledger = Ledger()
        if not entry.domain:
            self._begin(entry)
            for recipient in entry.waiting:
                ledger.decide(recipient, Reply.here(550, recipient.status, _text(recipient.reply)), None)
            self._settle(ledger, [entry], at)
            return None
        route = find_route(self._world.settings, entry.domain, self._directory)
        if isinstance(route, Reply):
            self._begin(entry)
            ledger.attempted(self._world, [entry], None, route, None, 0.0)
            ledger.decide_all(entry, route, None)
            self._settle(ledger, [entry], at)
            return None
        if route in self._runs:
            self._waiting_for.setdefault(route, []).append(entry)
            entry.next_attempt = None
            return None
        run = self._runs[route] = Run(route, at, self._together(route, entry, at))
        return self._attempt(run)

    def _together(self, route: Route, first: QueueEntry, at: datetime.datetime) -> list[QueueEntry]:
        """All entries that go to the same next hop now, or so soon that they may as well."""
        until = at + TOGETHER
        same_way = {first.domain: True}
        found = [first]
        for entry in self._world.queue:
            if entry is first or entry.next_attempt is None or entry.next_attempt > until:
                continue
            if entry.domain not in same_way:
                other = find_route(self._world.settings, entry.domain, self._directory) if entry.domain else None
                same_way[entry.domain] = other == route
            if same_way[entry.domain]:
                found.append(entry)
        for entry in found:
            self._begin(entry)
        return found

    def _begin(self, entry: QueueEntry) -> None:
        job = self._jobs.pop(entry, None)
        if job is not None:
            job.cancel()
        entry.next_attempt = None
        entry.attempt_count += 1

    # An attempt

    async def _attempt(self, run: Run) -> None:
        task = asyncio.current_task()
        assert task is not None  # the driver makes one of it
        if self._world.retired:
            return
        self._tasks.add(task)
        try:
            for hop in run.route.hops:
                if run.pending:
                    await self._at(run, hop)
        finally:
            self._tasks.discard(task)
            del self._runs[run.route]
        waiting = self._waiting_for.pop(run.route, [])
        self._settle(run.ledger, [entry for entry in run.entries if entry in run.unsettled], run.due_at)
        for entry in waiting:
            self._schedule(entry, self._world.clock.now())

    async def _at(self, run: Run, hop: Hop) -> None:
        """Try what is pending at one host; what it had no answer for is pending afterwards, for the next."""
        unanswered: list[QueueEntry] = []
        first = await self._connected(run, hop)
        if first is None:
            return
        more = min(CONNECTION_LIMIT - 1, len(run.pending) // MESSAGES_PER_CONNECTION)
        others = [self._send_all(run, hop, None, unanswered) for _ in range(more)]
        await asyncio.gather(self._send_all(run, hop, first, unanswered), *others)
        run.pending.extend(unanswered)

    async def _connected(self, run: Run, hop: Hop) -> Transmission | None:
        """A conversation, or ``None`` after noting for all that is pending why there is none."""
        began = self._runtime.loop.time()
        world = self._world
        try:
            return await connect(
                self._runtime,
                self._driver,
                hop,
                world.settings.default_domain,
                self._timeouts,
                world.clock.now(),
            )
        except Trouble as trouble:
            seconds = self._runtime.loop.time() - began
            run.ledger.attempted(world, list(run.pending), hop, trouble.reply, None, seconds)
            for entry in run.pending:
                run.ledger.decide_all(entry, trouble.reply, hop)
            return None

    async def _send_all(
        self, run: Run, hop: Hop, transmission: Transmission | None, unanswered: list[QueueEntry]
    ) -> None:
        """Send one pending message after the other on a connection, and on another when that one is lost."""
        while run.pending:
            if transmission is None:
                transmission = await self._connected(run, hop)
                if transmission is None:
                    unanswered.extend(run.pending)
                    run.pending.clear()
                    return
            if not run.pending:
                break  # others took the rest meanwhile
            entry = run.pending.popleft()
            if not await self._send(run, entry, transmission):
                transmission.cut()
                transmission = None
            if run.ledger.undecided(entry):
                unanswered.append(entry)
            else:
                run.unsettled.discard(entry)
                self._settle(run.ledger, [entry], run.due_at)
        if transmission is not None:
            await transmission.quit()

    async def _send(self, run: Run, entry: QueueEntry, transmission: Transmission) -> bool:
        """Send one entry, in as many transactions as its recipients need; whether the connection is still good."""
        left = list(run.ledger.undecided(entry))
        while left:
            batch, left = left[:RECIPIENT_LIMIT], left[RECIPIENT_LIMIT:]
            began = self._runtime.loop.time()
            outcomes: dict[str, Reply] = {}
            trouble: Trouble | None = None
            try:
                await transmission.send(run.ledger.mail(entry, batch), outcomes)
            except Trouble as met:
                trouble = met
            seconds = self._runtime.loop.time() - began
            run.ledger.sent(self._world, entry, batch, outcomes, trouble, transmission, seconds)
            if trouble is not None:
                return False
            taken = any(reply.positive for reply in outcomes.values())
            too_many = [one for one in batch if outcomes[one.address].code == 452 and taken]
            if too_many and len(too_many) < len(batch):
                left = too_many + left  # RFC 5321 section 4.5.3.1.10: the rest in another transaction
        return True

    # What came of it

    def _settle(self, ledger: Ledger, entries: list[QueueEntry], tried_at: datetime.datetime) -> None:
        """Write down what was decided, and when the rest is tried again."""
        world = self._world
        now = world.clock.now()
        if now - tried_at > datetime.timedelta(minutes=1):
            tried_at = now  # real time came late to it, such as after a sleep of the machine
        for entry in entries:
            again = None
            if ledger.anyone_waits(entry):
                again = next_attempt(world.settings, entry, tried_at)
            ledger.settle(world, entry, give_up=again is None)
            if again is not None:
                self._schedule(entry, again)
                self._report_delay(entry)
            else:
                world.queue.discard(entry)
                delay = self._delays.pop(entry, None)
                if delay is not None:
                    delay.cancel()

    def _report_delay(self, entry: QueueEntry) -> None:
        at = delay_due_at(entry)
        if at is not None and entry not in self._delays:
            self._delays[entry] = self._world.clock.schedule(at, partial(self._delayed, entry))

    def _delayed(self, entry: QueueEntry) -> None:
        self._delays.pop(entry, None)
        entry.delay_reported = True
        send_reports(self._world, entry, entry.waiting)


def _text(reply: str) -> str:
    return reply.split(" ", 2)[2]


def begin_relaying(world: World, runtime: Runtime, directory: Directory | None = None) -> Worker:
    """Have the queue of ``world`` worked off by its clock, which other servers may share. Loop thread, or before it."""
    driver = world.clock.driver
    if not isinstance(driver, Driver):
        driver = Driver(runtime, world.clock)
    return Worker(world, runtime, driver, directory=directory)
