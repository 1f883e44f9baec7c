"""Queries and assertions of a server, for synchronous code: everything a test may ask or demand."""

from __future__ import annotations

from mockmail.testing.assert_delivery import DeliveryAssertions
from mockmail.testing.assert_reading import ReadingAssertions
from mockmail.testing.assert_relay import RelayAssertions
from mockmail.testing.assert_sessions import SessionAssertions

__all__ = ["Assertions"]


class Assertions(DeliveryAssertions, ReadingAssertions, RelayAssertions, SessionAssertions):
    """All of them. A waiting one waits in the calling thread; ``mail.aio`` has the same for coroutines."""
