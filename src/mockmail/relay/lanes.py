"""What is to be tried at one next hop, and the connections that work it off. Loop thread only."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mockmail.relay.outcome import Trial
from mockmail.relay.policy import CONNECTION_LIMIT, MESSAGES_PER_CONNECTION
from mockmail.relay.routes import Hop

if TYPE_CHECKING:
    import asyncio

__all__ = ["Lane"]


class Lane:
    """All mail for one next hop waits in one line, whatever became due when: a failed try to connect is one for all of
    it, and a connection takes one message after the other."""

    __slots__ = ("dialling", "hop", "pending", "stuck", "taken", "talking", "timer")

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        self.pending: deque[Trial] = deque()
        self.dialling = 0
        """Connections that are being made."""
        self.talking = 0
        """Those that send."""
        self.stuck = 0
        """Of either, those that will only end by the clock, which is not waited for."""
        self.taken = 0
        """How many messages were taken out of the line; it stands still when those before take long."""
        self.timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        return self.dialling + self.talking

    @property
    def wants_another(self) -> bool:
        """Whether one more connection would be of use."""
        return bool(self.pending) and not self.dialling and self.connections < CONNECTION_LIMIT

    @property
    def stands_still(self) -> bool:
        """Whether nothing more would be sent, unless another connection were made."""
        return not self.connections or (self.wants_another and self.talking <= self.stuck)

    @property
    def long(self) -> bool:
        """Whether the line is too long for the connections there are."""
        return len(self.pending) >= self.connections * MESSAGES_PER_CONNECTION

    def take(self) -> Trial:
        """The first in the line."""
        self.taken += 1
        return self.pending.popleft()

    def take_all(self) -> list[Trial]:
        """Everything, when the hop cannot be reached."""
        taken = list(self.pending)
        self.pending.clear()
        return taken
