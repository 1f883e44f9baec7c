from datetime import UTC, datetime, timedelta, timezone

import pytest

from mockmail.core.clock import Clock
from mockmail.errors import ConfigurationError


def test_now_is_real_time_in_utc():
    before = datetime.now(UTC)
    now = Clock().now()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)


def test_shifts_add_up():
    clock = Clock()
    clock.shift(timedelta(days=2))
    clock.shift(timedelta(hours=1))
    assert timedelta(0) <= clock.now() - datetime.now(UTC) - timedelta(days=2, hours=1) + timedelta(seconds=10)


def test_a_frozen_clock_stands_still_and_can_be_shifted():
    clock = Clock()
    clock.freeze(datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))))
    assert clock.now() == clock.now() == datetime(2026, 1, 1, 12, tzinfo=UTC)
    clock.shift(timedelta(minutes=5))
    assert clock.now() == datetime(2026, 1, 1, 12, 5, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


def test_the_clock_never_goes_back():
    with pytest.raises(ConfigurationError, match="cannot go back by 0:00:01"):
        Clock().shift(timedelta(seconds=-1))


def test_freezing_wants_a_time_zone():
    with pytest.raises(ConfigurationError, match=r"write it with tzinfo=datetime\.timezone\.utc"):
        Clock().freeze(datetime(2026, 1, 1))
