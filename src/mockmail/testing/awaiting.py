"""Waiting for an expectation in a task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from mockmail.errors import NotRunningError
from mockmail.testing.expect import Expectation, Outcome, Wait, real_seconds
from mockmail.testing.source import Source

__all__ = ["run_async"]

T = TypeVar("T")

_CLOCKS_AGREE_SECONDS = 1.0


async def run_async(source: Source, expectation: Expectation[T]) -> T:
    """Drive an expectation, waiting in this task."""
    __tracebackhide__ = True
    try:
        wait = next(expectation)
        while True:
            wait = expectation.send(await _wait(source, wait))
    except StopIteration as done:
        result: T = done.value
        return result


async def _wait(source: Source, wait: Wait) -> Outcome:
    __tracebackhide__ = True
    try:
        owner = source.call(threading.get_ident)
    except NotRunningError:
        return Outcome.STOPPED
    if owner == threading.get_ident():
        raise RuntimeError(
            "A waiting assertion was called on the server's own thread, which would then wait for itself; call it in"
            " the test, or with timeout=0."
        )
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    def post(outcome: Outcome) -> None:
        # The test's loop may be gone by then: nobody waits any more.
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, outcome)

    stop_timer = _call_later(loop, wait.remaining_seconds, lambda: settle(Outcome.TIMED_OUT), post)
    wait.begin(lambda: post(Outcome.WOKEN))
    try:
        return await future
    finally:
        wait.end()
        stop_timer()


def _call_later(
    loop: asyncio.AbstractEventLoop,
    seconds: float,
    on_loop: Callable[[], None],
    from_thread: Callable[[Outcome], None],
) -> Callable[[], None]:
    """After ``seconds`` of real time call ``on_loop`` on the loop. A loop whose clock a test has frozen (freezegun)
    never calls its timers, so there a thread waits instead."""
    if abs(loop.time() - real_seconds()) < _CLOCKS_AGREE_SECONDS:
        return loop.call_later(seconds, on_loop).cancel
    timer = threading.Timer(seconds, from_thread, (Outcome.TIMED_OUT,))
    timer.daemon = True
    timer.start()

    def stop() -> None:
        timer.cancel()
        timer.join()

    return stop
