from datetime import UTC, datetime, timedelta, timezone

import pytest
import time_machine
from freezegun import freeze_time

from mockmail.core.clock import Clock, time_of
from mockmail.errors import ConfigurationError


def test_now_is_real_time_in_utc():
    before = datetime.now(UTC)
    now = Clock().now()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)


def test_an_instant_is_the_time_now_for_less():
    clock = Clock()
    for _ in range(1000):
        times = [clock.now(), time_of(clock.instant()), clock.now()]
        assert times == sorted(times)
    assert time_of(clock.instant()).tzinfo is UTC
    assert isinstance(clock.instant(), int)
    clock.shift(timedelta(hours=1))
    assert timedelta(minutes=59) < time_of(clock.instant()) - datetime.now(UTC) <= timedelta(hours=1)
    clock.freeze(clock.now())
    assert time_of(clock.instant()) == clock.now()


@pytest.mark.parametrize("frozen_by", [freeze_time, lambda at: time_machine.travel(at, tick=False)])
def test_an_instant_is_what_a_clock_freezing_tool_says(frozen_by):
    clock, at = Clock(), datetime(2031, 5, 6, 7, 8, 9, 123457, tzinfo=UTC)
    with frozen_by(at):
        assert clock.now() == time_of(clock.instant()) == at
    assert time_of(clock.instant()) < at


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
