from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mockmail.config import Settings
from mockmail.core.clock import Clock
from mockmail.core.message import Message
from mockmail.core.world import World

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def new_world() -> Callable[..., World]:
    """A world whose clock stands still at noon."""

    def make(**settings: object) -> World:
        clock = Clock()
        clock.freeze(NOON)
        return World(Settings(**settings), clock)

    return make


@pytest.fixture
def world(new_world) -> World:
    return new_world()


@pytest.fixture
def new_message(world) -> Callable[..., Message]:
    def make(raw: bytes = b"Subject: x\r\n\r\nbody\r\n") -> Message:
        return world.store.new_message(raw)

    return make
