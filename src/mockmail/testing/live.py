"""Live sequences: what was delivered, and what waits in the queue. Each use looks anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from mockmail.core.events import Delivered
from mockmail.core.message import Message
from mockmail.core.queue import QueuedMessage
from mockmail.core.world import World
from mockmail.testing.source import Source, ask

__all__ = ["Deliveries", "QueueView"]


class Deliveries(Sequence[Message]):
    """``mail.messages``: all delivered mail, oldest first. Each use looks anew."""

    __slots__ = ("_world",)

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world

    def _messages(self) -> list[Message]:
        return [event.message for event in self._world().journal.of(Delivered)]

    def __len__(self) -> int:
        rows = self._world().journal.rows(Delivered)
        return len(rows) - rows.first

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages())

    def __getitem__(self, index: Any) -> Any:
        __tracebackhide__ = True
        if isinstance(index, int):
            try:
                row = self._world().journal.rows(Delivered)[index]
            except IndexError:
                count = len(self)
                raise IndexError(
                    f"{count or 'no'} message{' was' if count == 1 else 's were'} delivered; there is no [{index}]."
                ) from None
            assert isinstance(row, Delivered)
            return row.message
        return self._messages()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, list | tuple | Deliveries):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return repr(self._messages())


class QueueView(Sequence[QueuedMessage]):
    """``mail.queue``: what waits to be relayed, oldest first. Each use looks anew."""

    __slots__ = ("_look",)

    def __init__(self, source: Source) -> None:
        self._look: Callable[[], list[QueuedMessage]] = lambda: ask(source, lambda: _pictures(source.world))

    def __len__(self) -> int:
        return len(self._look())

    def __iter__(self) -> Iterator[QueuedMessage]:
        return iter(self._look())

    @overload
    def __getitem__(self, index: int) -> QueuedMessage: ...
    @overload
    def __getitem__(self, index: slice) -> list[QueuedMessage]: ...
    def __getitem__(self, index: int | slice) -> QueuedMessage | list[QueuedMessage]:
        return self._look()[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, list | tuple | QueueView) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return repr(self._look())


def _pictures(world: World) -> list[QueuedMessage]:
    return [entry.picture() for entry in world.queue]
