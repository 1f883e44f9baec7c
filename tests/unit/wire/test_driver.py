"""The clock's driver: order, waiting, and what comes by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mockmail.core.clock import Clock, Job, Work
from mockmail.errors import ConfigurationError, NotRunningError
from mockmail.wire.driver import Driver
from mockmail.wire.runtime import Runtime

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    errors: list[BaseException] = []
    runtime = Runtime(errors.append)
    runtime.start()
    yield runtime
    runtime.stop()
    assert errors == []


@pytest.fixture
def clock(runtime: Runtime) -> Clock:
    """At noon, standing still, driven."""
    clock = Clock()
    clock.stand(NOON)
    runtime.call(Driver, runtime, clock)
    return clock


@pytest.fixture
def schedule(runtime: Runtime, clock: Clock):
    def schedule(at: datetime, work: Work) -> Job:
        return runtime.call(clock.schedule, at, work)

    return schedule


def test_jobs_happen_in_order_of_their_time_each_at_its_own(clock: Clock, schedule) -> None:
    seen: list[tuple[str, datetime]] = []
    for name, minutes in (("late", 20), ("first", 5), ("second", 5), ("too late", 31)):
        schedule(NOON + minutes * MINUTE, lambda name=name: seen.append((name, clock.now())))
    clock.advance(minutes=30)
    assert seen == [("first", NOON + 5 * MINUTE), ("second", NOON + 5 * MINUTE), ("late", NOON + 20 * MINUTE)]
    assert clock.now() == NOON + 30 * MINUTE


def test_what_a_job_makes_due_happens_too_and_is_waited_for(clock: Clock, schedule) -> None:
    seen: list[datetime] = []

    async def again() -> None:
        await asyncio.sleep(0)
        seen.append(clock.now())
        clock.schedule(clock.now() + 10 * MINUTE, again)

    schedule(NOON, again)
    clock.advance(minutes=30)
    assert seen == [NOON + minutes * MINUTE for minutes in (0, 10, 20, 30)]


def test_real_time_that_passes_meanwhile_leaves_nothing_undone(runtime: Runtime) -> None:
    clock = Clock()
    runtime.call(Driver, runtime, clock)
    seen: list[str] = []
    started = clock.now()

    async def next_server() -> None:
        for _ in range(2000):
            await asyncio.sleep(0)
        seen.append("next server")

    def relay() -> None:
        while clock.now() <= started + 1.001 * MINUTE:
            pass  # it takes longer than the clock was moved beyond its beginning
        clock.schedule(clock.now(), next_server)

    runtime.call(clock.schedule, started + MINUTE - timedelta(milliseconds=1), relay)
    clock.advance(started + MINUTE - clock.now())
    assert seen == ["next server"]


def test_all_work_of_an_instant_runs_at_once_and_later_work_waits_for_it(clock: Clock, schedule) -> None:
    order: list[str] = []
    gate: asyncio.Event | None = None

    async def one() -> None:
        nonlocal gate
        gate = gate or asyncio.Event()
        await gate.wait()
        order.append("one")

    async def two() -> None:
        nonlocal gate
        gate = gate or asyncio.Event()
        gate.set()
        order.append("two")

    schedule(NOON + MINUTE, one)
    schedule(NOON + MINUTE, two)
    schedule(NOON + 2 * MINUTE, lambda: order.append("later"))
    clock.advance(minutes=5)
    assert order == ["two", "one", "later"]


def test_going_to_the_next(clock: Clock, schedule) -> None:
    seen: list[int] = []
    for minutes in (7, 7, 9):
        schedule(NOON + minutes * MINUTE, lambda minutes=minutes: seen.append(minutes))
    assert clock.advance_to_next()
    assert (seen, clock.now()) == ([7, 7], NOON + 7 * MINUTE)
    assert clock.advance_to_next()
    assert not clock.advance_to_next()
    assert (seen, clock.now()) == ([7, 7, 9], NOON + 9 * MINUTE)


def test_until_idle_goes_to_the_last_job_and_no_further(clock: Clock, schedule) -> None:
    schedule(NOON + timedelta(days=5), lambda: None)
    clock.run_until_idle()
    assert clock.now() == NOON + timedelta(days=5)
    clock.run_until_idle()
    assert clock.now() == NOON + timedelta(days=5)


def test_what_never_ends_is_said(clock: Clock, schedule) -> None:
    def again() -> None:
        clock.schedule(clock.now() + timedelta(days=100), again)

    schedule(NOON, again)
    with pytest.raises(ConfigurationError, match="write a retry_schedule that ends"):
        clock.run_until_idle()


def test_freezing_carries_out_what_is_due_until_then(clock: Clock, schedule) -> None:
    seen: list[datetime] = []
    schedule(NOON + MINUTE, lambda: seen.append(clock.now()))
    clock.freeze(NOON + 2 * MINUTE)
    assert (seen, clock.now()) == ([NOON + MINUTE], NOON + 2 * MINUTE)
    clock.freeze(NOON - MINUTE)
    assert clock.now() == NOON - MINUTE


def test_a_cancelled_job_never_happens(clock: Clock, schedule) -> None:
    seen: list[int] = []
    schedule(NOON + MINUTE, lambda: seen.append(1)).cancel()
    clock.run_until_idle()
    assert (seen, clock.now()) == ([], NOON)


@pytest.mark.parametrize("frozen", [True, False], ids=["in one step", "by real time"])
def test_a_job_cancelled_by_one_that_is_due_with_it_never_happens(runtime: Runtime, frozen: bool) -> None:
    clock = Clock()
    runtime.call(Driver, runtime, clock)
    if frozen:
        clock.freeze(NOON)
    seen: list[str] = []

    def schedule() -> None:
        at = clock.now() if frozen else clock.now() - MINUTE
        second: list[Job] = []
        clock.schedule(at, lambda: seen.append("first") or second[0].cancel())
        second.append(clock.schedule(at if frozen else at + MINUTE / 2, lambda: seen.append("second")))

    runtime.call(schedule)
    clock.advance(minutes=1)
    assert seen == ["first"]


def test_real_time_drives_too(runtime: Runtime) -> None:
    clock, happened = Clock(), threading.Event()
    runtime.call(Driver, runtime, clock)
    runtime.call(clock.schedule, clock.now() + timedelta(milliseconds=20), happened.set)
    assert happened.wait(5)


def test_an_error_in_work_is_recorded_and_the_clock_goes_on() -> None:
    errors: list[BaseException] = []
    runtime, clock = Runtime(errors.append), Clock()
    runtime.start()
    runtime.call(Driver, runtime, clock)

    async def broken() -> None:
        raise ZeroDivisionError

    runtime.call(clock.schedule, clock.now() + MINUTE, broken)
    clock.advance(hours=1)
    runtime.stop()
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_in_a_task_it_fails_only_where_it_would_wait(clock: Clock, schedule) -> None:
    async def application() -> None:
        clock.advance(minutes=1)
        schedule(NOON + 2 * MINUTE, lambda: None)
        with pytest.raises(RuntimeError, match=r"Write `await mail\.aio\.clock\.advance\(\.\.\.\)`"):
            clock.advance(minutes=1)

    asyncio.run(application())
    assert clock.now() == NOON + MINUTE


def test_waiting_for_who_will_not_answer_lets_the_clock_jump(runtime: Runtime, clock: Clock, schedule) -> None:
    driver = clock.driver
    assert isinstance(driver, Driver)
    seen: list[datetime] = []

    async def ask() -> None:
        try:
            await driver.unless_due(asyncio.Event().wait(), NOON + 5 * MINUTE)
        except TimeoutError:
            seen.append(clock.now())

    schedule(NOON, ask)
    clock.advance(minutes=4)
    assert seen == []
    clock.advance(minutes=1)
    assert seen == [NOON + 5 * MINUTE]


def test_a_stop_ends_the_wait_of_who_moves_the_clock(runtime: Runtime, clock: Clock, schedule) -> None:
    begun, failed = threading.Event(), []

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    schedule(NOON, forever)

    def move() -> None:
        try:
            clock.advance(minutes=1)
        except NotRunningError as error:
            failed.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    assert begun.wait(5)
    runtime.stop()
    thread.join(5)
    assert len(failed) == 1


@pytest.mark.parametrize(("delta", "words"), [(5, "write a timedelta"), (timedelta(-1), "cannot go back by 1 day")])
def test_what_cannot_be_advanced_by(clock: Clock, delta, words) -> None:
    with pytest.raises(ConfigurationError, match=words):
        clock.advance(delta)
