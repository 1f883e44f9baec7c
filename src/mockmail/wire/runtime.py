"""The loop thread: one background thread with an event loop of its own, for all servers that share it.

Whatever touches a socket or the store runs there. Any other thread comes in by :meth:`Runtime.call`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from mockmail.errors import NotRunningError
from mockmail.wire.loop import Loop

__all__ = ["Part", "Runtime"]

P = ParamSpec("P")
T = TypeVar("T")

WIND_DOWN_SECONDS = 5.0
"""How long a stop waits for tasks that were cancelled."""
LAST_ROUNDS = 3
"""Rounds of the loop after the last part has gone: asyncio's transports close their sockets one round later."""
ALLOCATOR_BLOCK_BYTES = 1 << 20
"""A block larger than any that a read makes."""


class Part(Protocol):
    """What lives on the loop and must be gone before it stops: a listener, a connection. Loop thread only."""

    def abort(self) -> None:
        """Be gone as soon as can be, and :meth:`Runtime.detach` then."""

    def close_after_fork(self) -> None:
        """Close the inherited descriptors, touching nothing that is shared with the parent process."""


class _Call:
    """One function on its way to the loop thread, and what came of it on the way back."""

    __slots__ = ("_arguments", "_done", "_error", "_function", "_pending", "_result")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], pending: set[_Call]) -> None:
        self._function = function
        self._arguments = arguments
        self._pending = pending
        self._result: Any = None
        self._error: BaseException | None = None
        # A bare lock wakes the caller in half the time of a concurrent Future.
        self._done = threading.Lock()
        self._done.acquire()

    def run(self) -> None:
        if self not in self._pending:
            return
        try:
            self._result = self._function(*self._arguments)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that called
            self._error = error
        self._pending.discard(self)
        self._done.release()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._done.release()

    def result(self) -> Any:
        self._done.acquire()
        try:
            if self._error is not None:
                raise self._error
            return self._result
        finally:
            self._error = None  # no cycle of exception, traceback, frame and this


class Runtime:
    """A thread with an event loop. ``on_error`` is given each unexpected exception of a callback or a task (loop
    thread); nothing is ever printed. May be started again after a stop."""

    def __init__(self, on_error: Callable[[BaseException], None] | None = None, *, name: str = "mockmail") -> None:
        self.on_error = on_error
        self.name = name
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._thread_id: int | None = None
        self._gate = threading.Lock()
        self._open = False
        self._forked = False
        self._pending: set[_Call] = set()
        self._parts: set[Part] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    # Starting and stopping

    def start(self, *openers: Callable[[Runtime], object]) -> None:
        """Start the thread. ``openers`` (such as ``Listener.open``) are called before it runs, in the calling
        thread, when no other thread knows the loop."""
        if self._forked:
            raise NotRunningError(_FORKED)
        if self._open:
            raise NotRunningError("The servers' thread runs already; stop() it before another start().")
        self._loop = loop = Loop()
        loop.set_exception_handler(self._loop_error)
        try:
            for opener in openers:
                opener(self)
        except BaseException:
            for part in list(self._parts):
                part.abort()
            self._parts.clear()
            loop.close()
            self._loop = None
            raise
        self._open = True
        _running.add(self)
        # A daemon, so that an interpreter whose user forgot stop() can end; _stop_all() then ends it in order.
        self._thread = threading.Thread(target=self._run, args=(loop,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Cut all connections, close all listeners, cancel all tasks, end the thread. Idempotent; any thread but
        the loop's. Calls that wait for the loop raise ``NotRunningError``."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        if threading.get_ident() == self._thread_id:
            raise RuntimeError("stop() was called on the servers' own thread, which cannot wait for its own end.")
        with self._gate:
            if self._open:
                self._open = False
                loop.call_soon_threadsafe(self._wind_down)
        thread.join()
        self._thread = None
        _running.discard(self)

    @property
    def running(self) -> bool:
        return self._open

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, for the code that runs on it (and for openers)."""
        if self._loop is None:
            raise NotRunningError(_FORKED if self._forked else _STOPPED)
        return self._loop

    def attach(self, part: Part) -> None:
        """Have ``part`` aborted at the stop, and the stop wait for it. Loop thread."""
        self._parts.add(part)

    def detach(self, part: Part) -> None:
        self._parts.discard(part)

    # Coming in from other threads

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on the loop thread and return its result, or raise its exception. On the loop thread
        it is simply called. Raises ``NotRunningError`` after a stop, and in a forked child."""
        if threading.get_ident() == self._thread_id:
            return function(*args, **kwargs)
        if kwargs:
            call = _Call(partial(function, *args, **kwargs), (), self._pending)
        else:
            call = _Call(function, args, self._pending)
        self._post(call)
        result: T = call.result()
        return result

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run ``coroutine`` as a task on the loop. The future is cancelled when the runtime stops first; cancelling
        the future cancels the task."""
        future: Future[T] = Future()

        def start() -> None:
            task = self._spawn(coroutine)
            task.add_done_callback(partial(_hand_over, future))
            future.add_done_callback(partial(self._cancelled, task))

        try:
            self.call(start)
        except BaseException:
            coroutine.close()
            raise
        return future

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Run ``function`` on the loop thread soon, and wait for nothing. Any thread. An exception goes to
        ``on_error``; a call that a stop overtakes is dropped."""
        if threading.get_ident() == self._thread_id:
            self.loop.call_soon(function, *args)
            return
        with self._gate:
            self._check_open().call_soon_threadsafe(function, *args)

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run ``coroutine`` as a task that is kept until it is done; its exception goes to ``on_error``. Loop
        thread."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def record(self, error: BaseException) -> None:
        """Give an unexpected exception to ``on_error``."""
        if self.on_error is not None:
            self.on_error(error)

    # On the loop thread

    def _check_open(self) -> Loop:
        if not self._open or self._loop is None:
            raise NotRunningError(_FORKED if self._forked else _STOPPED)
        return self._loop

    def _post(self, call: _Call) -> None:
        if not self._open:
            raise NotRunningError(_FORKED if self._forked else _STOPPED)
        with self._gate:
            loop = self._check_open()
            self._pending.add(call)
            loop.call_soon_threadsafe(call.run)

    def _spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _cancelled(self, task: asyncio.Task[T], future: Future[T]) -> None:
        if future.cancelled() and self._open:
            self.call_soon(task.cancel)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.record(error)

    def _loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.record(error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))))

    def _run(self, loop: Loop) -> None:
        self._thread_id = threading.get_ident()
        # asyncio reads into blocks of 256 KB, and glibc maps blocks of more than 128 KB one by one, until a larger
        # one was freed once: two system calls and a fresh page for each read, more than an SMTP command costs us.
        bytes(ALLOCATOR_BLOCK_BYTES)
        try:
            loop.run_forever()
        finally:
            with self._gate:
                self._open = False
                self._loop = None
            for call in list(self._pending):
                call.fail(NotRunningError(_STOPPED))
            self._pending.clear()
            self._parts.clear()
            self._tasks.clear()
            loop.close()
            self._thread_id = None

    def _wind_down(self) -> None:
        loop = self.loop
        for part in list(self._parts):
            part.abort()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        self._stop_when_empty(loop.time() + WIND_DOWN_SECONDS, LAST_ROUNDS)

    def _stop_when_empty(self, deadline: float, rounds: int) -> None:
        loop = self.loop
        if self._parts or asyncio.all_tasks(loop):
            if loop.time() < deadline:
                loop.call_soon(self._stop_when_empty, deadline, LAST_ROUNDS)
                return
            left = [*self._parts, *asyncio.all_tasks(loop)]
            self.record(RuntimeError(f"still there {WIND_DOWN_SECONDS:g} seconds after the stop: {left!r}"))
        elif rounds > 0:
            loop.call_soon(self._stop_when_empty, deadline, rounds - 1)
            return
        loop.stop()

    def _after_fork(self) -> None:
        """The child has no loop thread. Its copies of the sockets would keep the ports open after the parent's
        stop."""
        self._forked = True
        self._open = False
        self._gate = threading.Lock()
        for part in list(self._parts):
            part.close_after_fork()
        if self._loop is not None:
            self._loop.close_after_fork()
        _left_by_fork.append(self._loop)
        self._thread = self._thread_id = self._loop = None
        self._parts, self._tasks, self._pending = set(), set(), set()


_STOPPED = "The servers do not run (any more); start() them, or do this inside the with block."
_FORKED = (
    "This process was forked from the one in which the servers run, so its copy is closed; start a MockMail of its"
    " own here, or connect to the ports of the parent's."
)
_running: weakref.WeakSet[Runtime] = weakref.WeakSet()
_left_by_fork: list[object] = []


def _hand_over(future: Future[T], task: asyncio.Task[T]) -> None:
    if task.cancelled():
        future.cancel()
        return
    error = task.exception()
    with contextlib.suppress(InvalidStateError):  # another thread cancelled the future meanwhile
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(task.result())


def _stop_all() -> None:
    for runtime in list(_running):
        runtime.stop()


def _after_fork_in_child() -> None:
    for runtime in list(_running):
        runtime._after_fork()
    _running.clear()


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
