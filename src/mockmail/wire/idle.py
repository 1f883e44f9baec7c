"""How long a client has been silent."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

__all__ = ["IdleTimer"]


class IdleTimer:
    """One timer for the life of a connection: when it goes off, its owner looks by :meth:`is_due` whether the client
    was heard of meanwhile. So hearing of it costs no more than to note the time. Loop thread."""

    __slots__ = ("_loop", "_timer", "_went_off", "goes_off_at", "heard_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, went_off: Callable[[], None]) -> None:
        self._loop = loop
        self._went_off = went_off
        self._timer: asyncio.TimerHandle | None = None
        self.goes_off_at = math.inf
        self.heard_at = 0.0

    def heard(self) -> None:
        """Silence begins now."""
        self.heard_at = self._loop.time()

    def watch(self, timeout_seconds: float) -> None:
        """Go off no later than so long after the client was heard of."""
        deadline = self.heard_at + timeout_seconds
        if deadline < self.goes_off_at:
            self._set(deadline)

    def wait(self, timeout_seconds: float) -> None:
        """Having gone off, do so again after so long."""
        self._set(self._loop.time() + timeout_seconds)

    def is_due(self, timeout_seconds: float) -> bool:
        """Having gone off: whether the client was silent for so long, of which a new count begins. Else watch on."""
        now = self._loop.time()
        deadline = self.heard_at + timeout_seconds
        if now < deadline:
            self._set(deadline)
            return False
        self.heard_at = now
        return True

    def cancel(self) -> None:
        """Never go off."""
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, deadline: float) -> None:
        self.cancel()
        self.goes_off_at = deadline
        self._timer = self._loop.call_at(deadline, self._go_off)

    def _go_off(self) -> None:
        self._timer, self.goes_off_at = None, math.inf
        self._went_off()
