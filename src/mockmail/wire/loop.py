"""The event loop of the servers' thread.

asyncio has each readiness of a socket found by a selector, made an entry of a list, made ready as a handle of the loop
and run in a context. Where there is epoll, ours are called from where they are found, in a third of the time; what
asyncio itself watches goes its usual way.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import select
import selectors
import sys
import time
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, TypeVarTuple

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["Loop", "PortableLoop"]

CONTINUOUS_WORK_SECONDS = 0.020
"""How long the loop may run without a rest before it hands the GIL over once."""
WAITS_TO_REST = 256
EVENTS_AT_ONCE = 64
"""How many sockets have their turn before the loop's timers have."""

Ts = TypeVarTuple("Ts")
_Ready = list[tuple[selectors.SelectorKey, int]]


def _real_monotonic() -> Callable[[], float]:
    """The clock of the machine, even when this module is first imported inside a test that has frozen time."""
    clock = time.monotonic
    if not isinstance(clock, BuiltinFunctionType) and hasattr(time, "clock_gettime"):
        return partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    return clock


class _FairSelector(selectors.DefaultSelector):
    """Lets other threads run. Short callbacks that follow each other keep the GIL from every other thread, since
    each of them gives it up too briefly to be taken, and so a waiting thread never comes to ask for it."""

    _clock = staticmethod(_real_monotonic())
    _sleep = staticmethod(time.sleep)
    _working_since = 0.0
    _waits = 0

    def select(self, timeout: float | None = None) -> _Ready:
        if timeout is None or timeout > 0:
            self.count_wait()
            self._working_since = 0.0
        elif not self._working_since:
            self._working_since = self._clock()
        elif self._clock() - self._working_since > CONTINUOUS_WORK_SECONDS:
            self._sleep(0)
            self._working_since = self._clock()
        return self.wait(timeout)

    def count_wait(self) -> None:
        """The loop has nothing to do, but clients may see to it that it never really waits."""
        self._waits += 1
        if self._waits == WAITS_TO_REST:
            self._waits = 0
            self._sleep(0)

    def wait(self, timeout: float | None) -> _Ready:
        return super().select(timeout)


class PortableLoop(asyncio.SelectorEventLoop):
    """The loop where there is no epoll. It keeps real time: freezegun replaces functions found in modules, not those
    held on a class, and a loop whose clock stands still never wakes a timer."""

    time = staticmethod(_real_monotonic())

    def __init__(self) -> None:
        self.selector = self._new_selector()
        super().__init__(self.selector)

    def _new_selector(self) -> _FairSelector:
        return _FairSelector()

    def close_after_fork(self) -> None:
        """Close the descriptors inherited by the child; the loop itself is left alone, as to close it takes descriptors
        out of the set that the parent uses."""
        self.selector.close()


if sys.platform == "linux":
    _READ, _WRITE = select.EPOLLIN, select.EPOLLOUT
    _Callbacks = dict[int, Callable[[], object]]

    class _CallingSelector(_FairSelector):
        """Calls those who wait for a descriptor from inside :meth:`select`, and returns what is none of theirs."""

        def __init__(self, failed: Callable[[BaseException], object]) -> None:
            """``failed`` is given what a callback raised."""
            super().__init__()
            # The same set of descriptors as the base class has.
            self._epoll = select.epoll.fromfd(os.dup(self.fileno()))
            self.readers: _Callbacks = {}
            self.writers: _Callbacks = {}
            self._failed = failed
            self.wanted = False
            """Whether the loop has something to do by now."""

        def wait(self, timeout: float | None) -> _Ready:
            until = None if timeout is None else self._clock() + timeout
            while True:
                found = self._epoll.poll(timeout, EVENTS_AT_ONCE)
                self.wanted = False
                ready = self._call(found)
                if ready or self.wanted or not found or timeout == 0:
                    return ready
                # The loop would only come back to this, after a fifth of what a short command costs.
                self.count_wait()
                if until is not None:
                    timeout = until - self._clock()
                    if timeout <= 0:
                        return ready

        def _call(self, found: list[tuple[int, int]]) -> _Ready:
            ready: _Ready = []
            readers = self.readers
            try:
                for descriptor, mask in found:
                    read = readers.get(descriptor)
                    if mask == _READ and read is not None:
                        read()
                    elif read is not None or descriptor in self.writers:
                        # An error or the end of the connection is for both.
                        if mask & ~_WRITE and read is not None:
                            read()
                        if mask & ~_READ and (write := self.writers.get(descriptor)) is not None:
                            write()
                    elif (key := self.get_map().get(descriptor)) is not None:
                        events = (selectors.EVENT_READ if mask & ~_WRITE else 0) | (
                            selectors.EVENT_WRITE if mask & ~_READ else 0
                        )
                        ready.append((key, events & key.events))
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - handed over, as by asyncio; pytest.fail() is no Exception
                self._failed(error)  # those who were not called yet are ready still, the next time
            return ready

        def watch(self, table: _Callbacks, descriptor: int, callback: Callable[[], object] | None) -> bool:
            """Put into ``readers`` or ``writers`` whom to call, or take out who is called now; whether there was one
            before."""
            before, was_there = self._mask(descriptor), descriptor in table
            if callback is not None:
                table[descriptor] = callback
            elif was_there:
                del table[descriptor]
            mask = self._mask(descriptor)
            if mask != before and not self._epoll.closed:
                if not before:
                    self._epoll.register(descriptor, mask)
                elif mask:
                    self._epoll.modify(descriptor, mask)
                else:
                    self._epoll.unregister(descriptor)
            return was_there

        def _mask(self, descriptor: int) -> int:
            return (_READ if descriptor in self.readers else 0) | (_WRITE if descriptor in self.writers else 0)

        def close(self) -> None:
            self._epoll.close()
            super().close()

    class Loop(PortableLoop):
        """The loop where there is: of sockets that are given to :meth:`add_reader` and :meth:`add_writer` it calls the
        readers and writers as soon as it finds them ready."""

        selector: _CallingSelector

        def _new_selector(self) -> _FairSelector:
            return _CallingSelector(self._failed)

        def _failed(self, error: BaseException) -> None:
            self.call_exception_handler({"message": "a callback failed", "exception": error})

        def call_soon(
            self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
        ) -> asyncio.Handle:
            self.selector.wanted = True
            return super().call_soon(callback, *args, context=context)

        def call_at(
            self,
            when: float,
            callback: Callable[[*Ts], object],
            *args: *Ts,
            context: contextvars.Context | None = None,
        ) -> asyncio.TimerHandle:
            self.selector.wanted = True
            return super().call_at(when, callback, *args, context=context)

        def stop(self) -> None:
            self.selector.wanted = True
            super().stop()

        def add_reader(self, fd: FileDescriptorLike, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
            self.selector.watch(self.selector.readers, _descriptor(fd), partial(callback, *args) if args else callback)

        def remove_reader(self, fd: FileDescriptorLike) -> bool:
            # asyncio takes out so what it put in by a way of its own, as for its sock_recv().
            return self.selector.watch(self.selector.readers, _descriptor(fd), None) or super().remove_reader(fd)

        def add_writer(self, fd: FileDescriptorLike, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
            self.selector.watch(self.selector.writers, _descriptor(fd), partial(callback, *args) if args else callback)

        def remove_writer(self, fd: FileDescriptorLike) -> bool:
            return self.selector.watch(self.selector.writers, _descriptor(fd), None) or super().remove_writer(fd)

    def _descriptor(fd: FileDescriptorLike) -> int:
        return fd if isinstance(fd, int) else fd.fileno()

else:
    Loop = PortableLoop
