"""The open connections of one server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from mockmail.wire.contract import Link, Session
from mockmail.wire.faults import Fault, FaultPlan
from mockmail.wire.handshakes import Handshakes
from mockmail.wire.idle import IdleWatch
from mockmail.wire.transcript import Transcript

if TYPE_CHECKING:
    import asyncio

    from mockmail.core.world import World
    from mockmail.wire.connection import Connection

__all__ = ["Connections", "SessionFactory"]

SessionFactory: TypeAlias = Callable[[Link], Session]


class Connections:
    """The open connections of one server, and what they share. Iterated by copies, so that a connection may go."""

    watch: IdleWatch
    """Set while the server runs."""

    def __init__(
        self,
        *,
        transcript: Transcript | None = None,
        faults: FaultPlan | None = None,
        errors: list[BaseException] | None = None,
        world: Callable[[], World] | None = None,
    ) -> None:
        self.transcript = transcript if transcript is not None else Transcript()
        self.faults = faults
        """Consulted at each command; may be replaced at any time."""
        self.errors: list[BaseException] = errors if errors is not None else []
        """Given to each new link. Whoever starts a new list has :meth:`rebind` tell the open ones."""
        self.handshakes = Handshakes(world)
        self._open: dict[Connection, None] = {}
        self._numbers: dict[str, int] = {}
        self._silent: set[tuple[str, int]] = set()
        self._when_silent: dict[tuple[str, int], Callable[[], None]] = {}

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def live_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop of the connections to come. Called by each listener that opens."""
        self.watch = IdleWatch(loop, self.__iter__)

    def rebind(self, world: World, errors: list[BaseException] | None = None) -> None:
        """Give each open session the new world, and each link the new list of errors if there is one."""
        if errors is not None:
            self.errors = errors
        for connection in self:
            connection.rebind(world)

    def abort(self) -> None:
        """Cut all connections."""
        for connection in self:
            connection.abort()

    def connecting(self, protocol: str) -> Fault | None:
        """The fault, if any, of the next connection itself."""
        return self.faults.match(protocol, "CONNECT", "", None, "") if self.faults is not None else None

    def name(self, protocol: str) -> str:
        """A name for the next session of ``protocol``."""
        number = self._numbers[protocol] = self._numbers.get(protocol, 0) + 1
        return f"{protocol}-{number}"

    def add(self, connection: Connection) -> None:
        self._open[connection] = None

    def discard(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    # Clients of this very process need not wait for a server that hangs

    def when_silent(self, peer: tuple[str, int], tell: Callable[[], None]) -> Callable[[], None]:
        """Have ``tell`` called as soon as nothing more will be said to the client at that address. What is returned
        ends that."""
        if peer in self._silent:
            tell()
        else:
            self._when_silent[peer] = tell
        return lambda: self._forget(peer)

    def fell_silent(self, peer: tuple[str, int]) -> None:
        """Nothing more will be said to that client, and its connection stays open."""
        self._silent.add(peer)
        tell = self._when_silent.pop(peer, None)
        if tell is not None:
            tell()

    def _forget(self, peer: tuple[str, int]) -> None:
        self._when_silent.pop(peer, None)
        self._silent.discard(peer)

    def ended(self, peer: tuple[str, int]) -> None:
        """The connection of that client is no more; its address may be another's."""
        self._silent.discard(peer)
