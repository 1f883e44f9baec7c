"""Works the queue of a server off: what is due is sent, and what came of it is recorded. Loop thread only."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mockmail.core.clock import Job
from mockmail.core.queue import QueueEntry
from mockmail.core.world import World
from mockmail.relay.lanes import Lane
from mockmail.relay.notify import delay_due_at
from mockmail.relay.outcome import Trial, Verdict, record_attempts
from mockmail.relay.policy import PATIENCE_SECONDS, TOGETHER, Timeouts, retries
from mockmail.relay.replies import Reply, Trouble
from mockmail.relay.reporting import send_reports
from mockmail.relay.routes import Directory, Hop, find_route, without
from mockmail.relay.transmit import Dialler, Transmission
from mockmail.wire.driver import Driver
from mockmail.wire.runtime import Runtime

if TYPE_CHECKING:
    from random import Random

__all__ = ["Worker", "begin_relaying"]

_LATE = datetime.timedelta(minutes=1)


class Worker:
    """Sends the mail of one server's world. ``directory`` has the MX records, where there are any; at
    ``own_addresses`` is this server itself.

    What is due at one instant for one domain is one job of the clock. It puts the mail into the lane of the next hop
    (one lane for each, whatever the domains), and from there to the lane of the next one where that failed, until
    nobody is left to ask; then it is settled, and due again later, or done with.
    """

    def __init__(
        self,
        world: World,
        runtime: Runtime,
        driver: Driver,
        *,
        directory: Directory | None = None,
        own_addresses: Callable[[], Collection[tuple[str, int]]] = tuple,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._world = world
        self._own_addresses = own_addresses
        self._runtime = runtime
        self._driver = driver
        self._directory = directory
        self._dialler = Dialler(
            runtime,
            world.clock,
            world.settings.default_domain,
            patience_seconds=world.settings.relay_timeout,
            timeouts=timeouts,
        )
        self._next_attempt = retries(world.settings)
        self._agenda: dict[str, dict[datetime.datetime, tuple[Job, list[Trial]]]] = {}
        """What is due when, by domain."""
        self._lanes: dict[Hop, Lane] = {}
        self._late_reports: dict[QueueEntry, Job] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._random: Random | None = None
        world.queue.watcher = self._take
        world.queue.hastener = self._hasten

    def end(self, *, clock_too: bool = True) -> None:
        """Let go of the world: nothing more of it is due, and what is under way is cut. ``clock_too``: nobody else
        goes by its clock. Loop thread, or any when the loop has ended."""
        self._world.queue.watcher = self._world.queue.hastener = None
        for rows in self._agenda.values():
            for job, _ in rows.values():
                job.cancel()
        for job in self._late_reports.values():
            job.cancel()
        self._agenda.clear()
        self._late_reports.clear()
        for lane in self._lanes.values():
            lane.pending.clear()
            if lane.timer is not None:
                lane.timer.cancel()
        for task in self._tasks:
            if not task.done() and self._runtime.running:
                task.cancel()
        if clock_too:
            self._driver.detach()

    # What is due

    def _take(self, entry: QueueEntry) -> None:
        self._schedule(entry.domain, entry.queued_at, [Trial(entry)])

    def _hasten(self, entry: QueueEntry) -> None:
        at = entry.next_attempt
        assert at is not None  # one of which an attempt is under way is left alone
        rows = self._agenda[entry.domain]
        job, due = rows[at]
        hastened = [trial for trial in due if trial.entry is entry]
        due[:] = [trial for trial in due if trial.entry is not entry]
        if not due:
            job.cancel()
            del rows[at]
        self._schedule(entry.domain, self._world.clock.now(), hastened)

    def _schedule(self, domain: str, at: datetime.datetime, trials: Iterable[Trial]) -> None:
        """Have mail for one domain tried then: one job for all that is due at that instant."""
        rows = self._agenda.setdefault(domain, {})
        if at not in rows:
            rows[at] = self._world.clock.schedule(at, partial(self._come_due, domain, at)), []
        due = rows[at][1]
        for trial in trials:
            trial.entry.next_attempt = at
            due.append(trial)

    def _come_due(self, domain: str, at: datetime.datetime) -> None:
        """Begin an attempt for all mail for a domain that is due, or so soon that it may as well go along."""
        if self._world.retired:
            return
        rows, until = self._agenda[domain], at + TOGETHER
        trials: list[Trial] = []
        for instant in sorted([one for one in rows if one <= until]):
            job, due = rows.pop(instant)
            job.cancel()
            trials += due
        if not rows:
            del self._agenda[domain]
        if not domain:
            self._refuse(trials, at)
            return
        route = find_route(self._world.settings, domain, self._directory)
        if not isinstance(route, Reply):
            route = without(route, self._own_addresses(), domain)
        if isinstance(route, Reply):
            for trial in trials:
                trial.begin(at, ())
            self._missed(trials, Verdict(route))
            return
        order, shared = route.order(self._randomness), route.shared
        for trial in trials:
            trial.begin(at, order)
            if shared:
                order = route.order(self._randomness)
        self._go_on(trials)

    def _refuse(self, trials: Iterable[Trial], at: datetime.datetime) -> None:
        """What routing found to be for nobody."""
        for trial in trials:
            trial.begin(at, ())
            for recipient in trial.entry.waiting:
                code, _, text = recipient.reply.split(" ", 2)
                trial.note(recipient, Verdict(Reply.here(int(code), recipient.status, text)))
            self._settle([trial])

    def _randomness(self) -> Random:
        """For the order of equal hosts: another one for each server, the same in each run."""
        if self._random is None:
            from random import Random

            self._random = Random(self._world.settings.default_domain)
        return self._random

    # Lanes

    def _enlist(self, hop: Hop, trials: Iterable[Trial]) -> None:
        lane = self._lanes.get(hop)
        if lane is None:
            lane = self._lanes[hop] = Lane(hop)
        lane.pending.extend(trials)
        if lane.stands_still:
            self._open(lane)
        else:
            self._watch(lane)

    def _open(self, lane: Lane) -> None:
        """Make one more connection. It begins when all jobs of this instant have, so that what they enlist is in the
        line when it turns out that the hop is not there."""
        lane.dialling += 1
        self._driver.carry_out(self._work_off(lane))

    def _watch(self, lane: Lane) -> None:
        """Mail in the line shall not wait for a message before it that takes long."""
        if lane.timer is None and lane.pending:
            lane.timer = self._runtime.loop.call_later(PATIENCE_SECONDS, self._look, lane, lane.taken)

    def _look(self, lane: Lane, taken: int) -> None:
        lane.timer = None
        if self._world.retired:
            return
        if lane.taken == taken and lane.wants_another:
            self._open(lane)
        self._watch(lane)

    @contextlib.contextmanager
    def _stuck(self, lane: Lane) -> Iterator[None]:
        """Meanwhile a connection of the lane does nothing until the clock comes to its end. What it holds up must not
        wait so long."""
        lane.stuck += 1
        if lane.stands_still:
            self._open(lane)
        try:
            yield
        finally:
            lane.stuck -= 1

    async def _work_off(self, lane: Lane) -> None:
        """One connection: send one message after the other, and make another when it is lost."""
        task = asyncio.current_task()
        assert task is not None  # the driver makes one of it
        self._tasks.add(task)
        try:
            while not self._world.retired:
                transmission = await self._connected(lane)
                if transmission is None or not await self._send_all(lane, transmission) or not lane.pending:
                    break
                lane.dialling += 1
        finally:
            self._tasks.discard(task)
            if not lane.connections and not lane.pending:
                if lane.timer is not None:
                    lane.timer.cancel()
                self._lanes.pop(lane.hop, None)

    async def _connected(self, lane: Lane) -> Transmission | None:
        """A conversation, or ``None`` when there is none: then that is so for all that is in the line, unless other
        connections work it off."""
        began = self._runtime.loop.time()
        try:
            transmission = await self._dialler.connect(lane.hop, partial(self._stuck, lane))
        except Trouble as trouble:
            lane.dialling -= 1
            if not lane.connections:
                seconds = self._runtime.loop.time() - began
                self._missed(lane.take_all(), Verdict(trouble.reply, lane.hop, None, seconds))
            return None
        except BaseException:
            lane.dialling -= 1
            raise
        lane.dialling -= 1
        return transmission

    async def _send_all(self, lane: Lane, transmission: Transmission) -> bool:
        """Send what is in the line; whether the connection was lost over it."""
        lane.talking += 1
        try:
            while lane.pending:
                trial = lane.take()
                if lane.wants_another and lane.long:
                    self._open(lane)
                self._watch(lane)
                good = await self._send(trial, transmission)
                self._go_on([trial])
                if not good:
                    transmission.cut()
                    return True
                if transmission.spent:
                    break
            await transmission.quit()
            return bool(lane.pending)  # it came meanwhile
        finally:
            lane.talking -= 1

    async def _send(self, trial: Trial, transmission: Transmission) -> bool:
        """Send one entry, in as many transactions as its recipients need; whether the connection is still good."""
        left, limit = trial.undecided(), transmission.recipient_limit
        while left:
            batch, left = left[:limit], left[limit:]
            began = self._runtime.loop.time()
            outcomes: dict[str, Reply] = {}
            trouble: Trouble | None = None
            try:
                await transmission.send(trial.mail(batch), outcomes)
            except Trouble as met:
                trouble = met
            seconds = self._runtime.loop.time() - began
            verdicts = {name: transmission.verdict(reply, seconds) for name, reply in outcomes.items()}
            lost = transmission.verdict(trouble.reply, seconds) if trouble is not None else None
            bad = [verdict for verdict in verdicts.values() if not verdict.reply.positive]
            record_attempts(self._world, [trial], lost or (bad or [*verdicts.values()])[0], batch)
            taken = any(reply.positive for reply in outcomes.values())
            for recipient in batch:
                verdict = verdicts.get(recipient.address, lost)
                if verdict is not None:
                    trial.note(recipient, verdict)
                    recipient.notifies_itself = verdict.reply.positive and transmission.confirms
            if lost is not None:
                for recipient in left:
                    trial.note(recipient, lost)
                return False
            too_many = [one for one in batch if taken and outcomes[one.address].code == 452]
            if len(too_many) < len(batch):
                left = too_many + left  # RFC 5321 section 4.5.3.1.10: the rest in another transaction
        return True

    def _go_on(self, trials: Sequence[Trial]) -> None:
        """Each to the next host that it can be tried at; what has none left is settled."""
        last: Hop | None = None
        run: list[Trial] = []
        for trial in trials:
            hop = trial.next_hop()
            if hop is not last:  # mostly all go the same way
                self._move(last, run)
                last, run = hop, []
            run.append(trial)
        self._move(last, run)

    def _move(self, hop: Hop | None, trials: Sequence[Trial]) -> None:
        if hop is None:
            self._settle(trials)
        else:
            self._enlist(hop, trials)

    def _missed(self, trials: Sequence[Trial], verdict: Verdict) -> None:
        """There was no conversation for any of these."""
        if trials:
            record_attempts(self._world, trials, verdict)
            for trial in trials:
                trial.note_all(verdict)
            self._go_on(trials)

    # What came of it

    def _settle(self, trials: Sequence[Trial]) -> None:
        """Write down what was decided, and when the rest is tried again."""
        world = self._world
        now = world.clock.now()
        again: dict[tuple[str, int], tuple[datetime.datetime, list[Trial]]] = {}
        late = now - _LATE
        for trial in trials:
            entry = trial.entry
            # Real time may come late to it, such as after a sleep of the machine.
            tried_at = trial.due_at if trial.due_at >= late else now
            at = self._next_attempt(entry, tried_at) if trial.anyone_waits else None
            trial.settle(world, give_up=at is None)
            if at is not None:
                # By identity: it is the same one for all of a kind, and a datetime takes long to hash.
                row = again.get((entry.domain, id(at)))
                if row is None:
                    row = again[entry.domain, id(at)] = at, []
                row[1].append(trial)
                if not trial.late_report_due:
                    trial.late_report_due = True
                    self._report_late(entry)
                continue
            world.queue.discard(entry)
            report = self._late_reports.pop(entry, None)
            if report is not None:
                report.cancel()
        for (domain, _), (at, some) in again.items():
            self._schedule(domain, at, some)

    def _report_late(self, entry: QueueEntry) -> None:
        at = delay_due_at(entry)
        if at is not None:
            self._late_reports[entry] = self._world.clock.schedule(at, partial(self._late, entry))

    def _late(self, entry: QueueEntry) -> None:
        self._late_reports.pop(entry, None)
        entry.delay_reported = True
        send_reports(self._world, entry, entry.waiting)


def begin_relaying(
    world: World,
    runtime: Runtime,
    directory: Directory | None = None,
    own_addresses: Callable[[], Collection[tuple[str, int]]] = tuple,
) -> Worker:
    """Have the queue of ``world`` worked off by its clock, which other servers may share. Loop thread, or before it."""
    driver = world.clock.driver
    if not isinstance(driver, Driver):
        driver = Driver(runtime, world.clock)
    return Worker(world, runtime, driver, directory=directory, own_addresses=own_addresses)
