"""Expectations: what must become true, as generators that yield when they must wait.

The sync face (:func:`run`) and the async one (in ``aio``) drive the same generators. Nothing polls: a wait ends when
the journal has a record that may matter, or when its time is over.
"""

from __future__ import annotations

import enum
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from functools import partial
from types import BuiltinFunctionType
from typing import Any, Generic, TypeAlias, TypeVar

from mockmail.core.events import Event
from mockmail.core.world import World
from mockmail.errors import ConfigurationError, NotRunningError
from mockmail.testing.kinds import Kind
from mockmail.testing.matching import Test, check_since, compiled
from mockmail.testing.source import Source

__all__ = [
    "Expectation",
    "Look",
    "Outcome",
    "Query",
    "Wait",
    "at_least",
    "exactly",
    "found",
    "none",
    "real_seconds",
    "run",
    "the_one",
]

E = TypeVar("E")
R = TypeVar("R")
T = TypeVar("T")


class _RealTime:
    """Seconds of the machine's clock. freezegun replaces functions that it finds in modules, not those held on a
    class; where time was frozen before this module came, another way to the same clock is taken."""

    now: Callable[[], float] = staticmethod(
        time.monotonic
        if isinstance(time.monotonic, BuiltinFunctionType) or not hasattr(time, "clock_gettime")
        else partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    )


def real_seconds() -> float:
    """A clock that no test freezes or moves."""
    return _RealTime.now()


class Outcome(enum.Enum):
    """How a wait ended."""

    WOKEN = "woken"
    TIMED_OUT = "timed out"
    IN_TASK = "in a task"
    """There was no wait: it would have blocked the event loop of the caller."""
    STOPPED = "stopped"
    """There was no wait: a server that has stopped receives nothing."""


class Wait:
    """A wish to go on when there are records of some kinds beyond those seen, at ``deadline`` at the latest."""

    __slots__ = ("_cancel", "_kinds", "_lengths", "_over", "_total", "_wake", "deadline", "world")

    def __init__(self, world: World, kinds: tuple[type[Event], ...], deadline: float = 0.0) -> None:
        self.world = world
        self.deadline = deadline
        self._kinds = kinds
        self._over = False
        self._cancel: Callable[[], None] | None = None
        self._wake: Callable[[], None] | None = None
        # Taken before the caller looks: what comes after this moment ends the wait.
        self._total = len(world.journal.records)
        self._lengths = self._now()

    def _now(self) -> list[int]:
        return [len(self.world.journal.rows(kind)) for kind in self._kinds]

    @property
    def remaining_seconds(self) -> float:
        """Until the deadline; not below 0, and no more than a lock can wait."""
        return min(max(0.0, self.deadline - real_seconds()), threading.TIMEOUT_MAX)

    def begin(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called once, from the loop thread or here and now."""
        self._wake = wake
        self._cancel = self.world.journal.when_longer(self._total, self._more)

    def end(self) -> None:
        """Give up waiting; ``wake`` may still be on its way."""
        self._over = True
        cancel, self._cancel = self._cancel, None  # which refers to this
        if cancel is not None:
            cancel()

    def _more(self) -> None:
        if self._over or self._wake is None:
            return
        self._total = len(self.world.journal.records)
        if self.world.retired or self._now() != self._lengths:
            self._wake()
        else:
            self._cancel = self.world.journal.when_longer(self._total, self._more)


Expectation: TypeAlias = Generator[Wait, Outcome, T]


class Query(Generic[E, R]):
    """What was asked: of which method, of which kind, with which criteria. Raises for unusable ones."""

    def __init__(self, source: Source, kind: Kind[E, R], method: str, criteria: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        self.source = source
        self.kind = kind
        self.method = method
        self.criteria = criteria
        self.tests: list[Test[E]] = compiled(method, kind.fields, criteria)
        self.since = check_since(criteria.get("since"))
        self.where: Callable[[R], object] | None = criteria.get("where")

    def fits(self, candidate: E) -> bool:
        """Whether all criteria hold; ``where`` is asked last."""
        for test in self.tests:
            if not test.fits(test.actual(candidate)):
                return False
        return self.where is None or bool(self.where(self.kind.returns(candidate)))


class Look(Generic[E, R]):
    """A query asked of one world, again and again; each candidate is tested once."""

    def __init__(self, query: Query[E, R], world: World | None = None) -> None:
        self.query = query
        self.world = world or query.source.world
        self.matches: list[E] = []
        self._at = self._start()

    def _start(self) -> int:
        since = self.query.since
        if since is None or since.journal is not self.world.journal:
            return 0
        return since.counts.get(self.query.kind.events[0], 0)

    def again(self) -> list[E]:
        """All candidates that fit, so far."""
        kind, query = self.query.kind, self.query
        if kind.gather is not None:
            self.matches = [one for one in kind.gather(query.source, self.world, query.since) if query.fits(one)]
            return self.matches
        rows = self.world.journal.rows(kind.events[0])
        stop = len(rows)
        for record in rows.read(self._at, stop):
            if isinstance(record, kind.events[0]):
                if query.fits(record):  # type: ignore[arg-type]  # without gather, E is the event
                    self.matches.append(record)  # type: ignore[arg-type]
            else:
                self.matches.extend(filter(query.fits, record))  # type: ignore[arg-type]
        self._at = stop
        return self.matches

    def results(self) -> list[R]:
        """What the matches are to the caller."""
        return [self.query.kind.returns(one) for one in self.matches]


def found(query: Query[E, R]) -> list[R]:
    """What there is now."""
    look = Look(query)
    look.again()
    return look.results()


def _seconds(query: Query[Any, Any], name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigurationError(f"{query.method}({name}={value!r}): write a number of seconds, such as 0.5.")
    return float(value)


def _count(query: Query[Any, Any], value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{query.method}() was given the count {value!r}; write a whole number from {least}.")
    return value


def the_one(query: Query[E, R], timeout: float | None, quiet: float) -> Expectation[R]:
    """Exactly one (record, or message concerned, or any, as the kind says), then none more for ``quiet`` seconds."""
    __tracebackhide__ = True
    timeout = _seconds(query, "timeout", timeout, query.source.settings.timeout)
    quiet = _seconds(query, "quiet", quiet, 0.0)
    look: Look[E, R] = Look(query)
    outcome = yield from _until(look, bool, timeout)
    if outcome is not None:
        _fail(look, "one", timeout, outcome)
    if _several(look):
        _fail(look, "one", timeout, None)
    if quiet:
        outcome = yield from _until(look, lambda matches: _several(look), quiet)
        if outcome is not Outcome.TIMED_OUT:
            _fail(look, "one", quiet, outcome, watching=True)
    return query.kind.returns(look.matches[0])


def _several(look: Look[E, R]) -> bool:
    kind = look.query.kind
    return kind.one != "any" and len({kind.key(one) for one in look.matches}) > 1


def at_least(query: Query[E, R], count: int, timeout: float | None) -> Expectation[list[R]]:
    """``count`` or more."""
    __tracebackhide__ = True
    timeout = _seconds(query, "timeout", timeout, query.source.settings.timeout)
    count = _count(query, count, 1)
    look: Look[E, R] = Look(query)
    outcome = yield from _until(look, lambda matches: len(matches) >= count, timeout)
    if outcome is not None:
        _fail(look, "at least", timeout, outcome, count=count)
    return look.results()


def exactly(query: Query[E, R], count: int, timeout: float | None, quiet: float) -> Expectation[list[R]]:
    """``count``, and no more for ``quiet`` seconds."""
    __tracebackhide__ = True
    timeout = _seconds(query, "timeout", timeout, query.source.settings.timeout)
    quiet = _seconds(query, "quiet", quiet, 0.0)
    count = _count(query, count, 0)
    look: Look[E, R] = Look(query)
    outcome = yield from _until(look, lambda matches: len(matches) >= count, timeout)
    if outcome is not None or len(look.matches) > count:
        _fail(look, "exactly", timeout, outcome, count=count)
    if quiet:
        outcome = yield from _until(look, lambda matches: len(matches) > count, quiet)
        if outcome is not Outcome.TIMED_OUT:
            _fail(look, "exactly", quiet, outcome, count=count, watching=True)
    return look.results()


def none(query: Query[E, R], quiet: float) -> Expectation[None]:
    """None now, nor for ``quiet`` seconds."""
    __tracebackhide__ = True
    quiet = _seconds(query, "quiet", quiet, 0.0)
    look: Look[E, R] = Look(query)
    outcome = yield from _until(look, bool, quiet)
    if outcome is None:
        _fail(look, "none", quiet, None)
    elif outcome is not Outcome.TIMED_OUT:
        _fail(look, "none", quiet, outcome, watching=True)


def _until(
    look: Look[E, R], enough: Callable[[list[E]], object], seconds: float
) -> Generator[Wait, Outcome, Outcome | None]:
    """Look until there is enough: ``None``. Else how the last wait ended; at once when there is no time to wait."""
    __tracebackhide__ = True
    if not seconds:
        return None if enough(look.again()) else Outcome.TIMED_OUT
    deadline = real_seconds() + seconds
    outcome = Outcome.WOKEN
    while True:
        # Made before looking, so that nothing falls between the look and the wait.
        wait = Wait(look.world, look.query.kind.events, deadline)
        if enough(look.again()):
            return None
        if outcome is not Outcome.WOKEN or look.world.retired:
            return outcome
        outcome = yield wait


def _fail(
    look: Look[Any, Any],
    quantity: str,
    seconds: float,
    outcome: Outcome | None,
    *,
    count: int = 1,
    watching: bool = False,
) -> None:
    __tracebackhide__ = True
    from mockmail.testing.explain import Failure, explain

    failure = Failure(
        look=look,
        quantity=quantity,
        count=count,
        seconds=seconds,
        outcome=outcome,
        watching=watching,
    )
    try:
        text = explain(failure)
    except NotRunningError as gone:  # one in another process, asked for what is in its mailboxes
        text = f"{look.query.method}() did not come true, and there is nothing to tell why: {gone}"
    raise AssertionError(text)


def run(source: Source, expectation: Expectation[T]) -> T:
    """Drive an expectation, waiting in this thread."""
    __tracebackhide__ = True
    try:
        wait = next(expectation)
        while True:
            wait = expectation.send(_in_task() or _wait(source, wait))
    except StopIteration as done:
        result: T = done.value
        return result


def _in_task() -> Outcome | None:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    return Outcome.IN_TASK if task is not None else None


def _wait(source: Source, wait: Wait) -> Outcome:
    __tracebackhide__ = True
    lock = threading.Lock()
    lock.acquire()
    wait.begin(partial(_release, lock))
    try:
        if not lock.acquire(blocking=False):
            # Asked only when there will be a wait, and while one may already be on its way.
            try:
                owner = source.call(threading.get_ident)
            except NotRunningError:
                return Outcome.STOPPED
            if owner == threading.get_ident():
                raise RuntimeError(
                    "A waiting assertion was called on the server's own thread, which would then wait for itself; call"
                    " it in the test, or with timeout=0."
                )
            if not lock.acquire(timeout=wait.remaining_seconds):
                return Outcome.TIMED_OUT
    finally:
        wait.end()
    return Outcome.WOKEN


def _release(lock: threading.Lock) -> None:
    lock.release()
