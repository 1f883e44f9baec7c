"""How long clients have been silent."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Protocol

__all__ = ["IdleWatch", "Watched"]


class Watched(Protocol):
    """A connection, as its watch sees it."""

    def look_for_silence(self, now: float) -> float:
        """Do what is to be done if the client has been silent for too long, at ``now`` by the loop's clock; returns
        when to look again."""


class IdleWatch:
    """One timer for all connections of a server: when it goes off, each of them looks whether its client was heard of
    meanwhile. So hearing of one costs no more than to note the time, and a connection mostly sets no timer at all.
    Loop thread."""

    __slots__ = ("_everyone", "_loop", "_timer", "goes_off_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, everyone: Callable[[], Iterable[Watched]]) -> None:
        self._loop = loop
        self._everyone = everyone
        self._timer: asyncio.TimerHandle | None = None
        self.goes_off_at = math.inf

    def no_later_than(self, deadline: float) -> None:
        """Have the connections look at ``deadline``, or before."""
        if deadline < self.goes_off_at:
            if self._timer is not None:
                self._timer.cancel()
            self.goes_off_at = deadline
            self._timer = self._loop.call_at(deadline, self._go_off)

    def _go_off(self) -> None:
        self._timer, self.goes_off_at = None, math.inf
        now = self._loop.time()
        self.no_later_than(min((one.look_for_silence(now) for one in self._everyone()), default=math.inf))
