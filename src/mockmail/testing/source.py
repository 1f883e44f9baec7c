"""What queries and assertions need of the server they are asked of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import NotRunningError

__all__ = ["Source", "ask"]

P = ParamSpec("P")
T = TypeVar("T")


class Source(ABC):
    """A server, as a test asks it: its state, and the way to the thread that owns the state."""

    @property
    @abstractmethod
    def world(self) -> World:
        """The state since the last reset. Another thread owns all of it but the journal."""

    @property
    @abstractmethod
    def settings(self) -> Settings:
        """The settings in force."""

    @abstractmethod
    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on the thread that owns the store, and return its result."""

    def neighbours(self) -> Sequence[Source]:
        """The servers of its network, itself included; each may be asked by :meth:`call` of any."""
        return (self,)

    @abstractmethod
    def transcript_text(self) -> str:
        """The end of each conversation, for a report."""


def ask(source: Source, look: Callable[[], T]) -> T:
    """The result of ``look``, which only reads: on the owner's thread, or here when that has stopped."""
    try:
        return source.call(look)
    except NotRunningError:
        return look()
