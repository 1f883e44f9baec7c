"""Exceptions a user can meet. Each message is a sentence: what happened, with which values, what to write instead."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ConfigurationError",
    "LateMailWarning",
    "MissingExtraError",
    "MockMailError",
    "NotRunningError",
    "ServerError",
    "UnusedFaultWarning",
]


class MockMailError(Exception):
    """Base of all errors of mockmail's own."""


class ConfigurationError(MockMailError, ValueError):
    """A setting or an argument has a value that cannot be used."""


class NotRunningError(MockMailError, RuntimeError):
    """The call needs a running server (or a stopped one), or the endpoint asked for is not started."""


class MissingExtraError(MockMailError, ImportError):
    """A feature needs an optional dependency; the message has the install command."""


class ServerError(MockMailError):
    """Unexpected exceptions inside a server, raised in the test that caused them. ``errors`` has them all; the
    first is also the ``__cause__``."""

    def __init__(self, errors: Sequence[BaseException]) -> None:
        self.errors = tuple(errors)
        count = len(self.errors)
        what = "an error" if count == 1 else f"{count} errors"
        names = "; ".join(f"{type(error).__name__}: {error}" for error in self.errors[:5])
        super().__init__(f"mockmail met {what} inside its servers, which is a bug of mockmail's: {names}")


class LateMailWarning(UserWarning):
    """Mail that began before a reset arrived after it: work left over by an earlier test."""


class UnusedFaultWarning(UserWarning):
    """A scripted fault never fired."""
