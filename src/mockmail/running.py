"""Being started, stopped, and used in ``with`` and ``async with``: what one server and a network have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

__all__ = ["Running"]


class Running(ABC):
    """Leaving ``with`` stops it, and raises what went wrong inside, unless another exception is on its way."""

    @abstractmethod
    def start(self) -> Self:
        """Serve."""

    @abstractmethod
    def stop(self) -> None:
        """Serve no more. Idempotent."""

    @abstractmethod
    def check(self) -> None:
        """Raise ``ServerError`` for unexpected errors inside since the last call."""

    @abstractmethod
    def _warn_of_unused(self) -> None:
        """Warn of faults that never fired."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if error is None:
            self.check()
            self._warn_of_unused()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Stopping aborts and joins a thread that waits for nobody: too short to be worth a thread of its own.
        self.__exit__(kind, error, traceback)
