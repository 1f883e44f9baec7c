"""The settings of relaying: what may be written, what it means, what is said of the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mockmail.config import Settings
from mockmail.errors import ConfigurationError
from mockmail.relaying import Smarthost, parse_delays, parse_duration, parse_routes, parse_smarthost, read_schedule


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30m", timedelta(minutes=30)),
        ("5d", timedelta(days=5)),
        (" 1h30m ", timedelta(hours=1, minutes=30)),
        ("1.5h", timedelta(minutes=90)),
        ("2w", timedelta(weeks=2)),
        ("250ms", timedelta(milliseconds=250)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "5 minutes", "1e3s", "5mm"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30m"):
        parse_duration(text)


def test_lists_of_durations() -> None:
    assert parse_delays("5m, 30m,2h") == (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
    assert parse_delays("") is None


def test_routes_as_text() -> None:
    routes = parse_routes("partner.test=127.0.0.1:2525\n six.test = [::1]:25, \n")
    assert routes == {"partner.test": ("127.0.0.1", 2525), "six.test": ("::1", 25)}
    assert parse_routes("\n") is None


@pytest.mark.parametrize("text", ["partner.test", "partner.test=host", "partner.test=:25", "partner.test=host:smtp"])
def test_other_texts_are_no_routes(text: str) -> None:
    with pytest.raises(ValueError, match="domain=host:port"):
        parse_routes(text)


@pytest.mark.parametrize(
    ("url", "smarthost"),
    [
        ("smtp://127.0.0.1:2525", Smarthost("127.0.0.1", 2525)),
        ("smtp://relay.test", Smarthost("relay.test", 25)),
        ("smtp://bob:p%40ss@relay.test/", Smarthost("relay.test", 587, ("bob", "p@ss"))),
        ("smtp://bob%40a.test:x@[::1]:26", Smarthost("::1", 26, ("bob@a.test", "x"))),
    ],
)
def test_smarthosts(url: str, smarthost: Smarthost) -> None:
    assert parse_smarthost(url) == smarthost
    assert Settings(smarthost=url).smarthost == url


def test_a_smarthost_does_not_show_its_password() -> None:
    assert "secret" not in repr(parse_smarthost("smtp://bob:secret@relay.test"))
    with pytest.raises(ConfigurationError) as caught:
        Settings(smarthost="http://bob:secret@relay.test")
    assert "secret" not in str(caught.value)


def test_settings_keep_routes_and_schedules_in_one_form() -> None:
    settings = Settings(routes={"Partner.TEST.": ["127.0.0.1", 25]}, retry_schedule=iter([timedelta(1)]))
    assert settings.routes == {"partner.test": ("127.0.0.1", 25)}
    assert settings.retry_schedule == (timedelta(1),)


def test_a_schedule_is_a_list_or_a_function() -> None:
    listed = read_schedule([timedelta(1), timedelta(2)])
    assert listed is not None
    assert [listed(attempt) for attempt in (1, 2, 3)] == [timedelta(1), timedelta(2), None]
    computed = read_schedule(lambda attempt: timedelta(attempt))
    assert computed is not None
    assert computed(7) == timedelta(7)
    assert read_schedule(None) is None


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("relay", "yes", "relay is 'yes'; write 'authenticated', 'open' or 'none'."),
        ("retry_every", 30, "retry_every is 30; write a timedelta above 0"),
        ("retry_for", timedelta(0), "retry_for is datetime.timedelta(0); write a timedelta above 0"),
        ("routes", "partner.test", "write a mapping of domains to (host, port)"),
        ("routes", {"bob@partner.test": ("h", 1)}, "routes has the domain 'bob@partner.test'"),
        (
            "routes",
            {"partner.test": "127.0.0.1:25"},
            "routes['partner.test'] is '127.0.0.1:25'; write a host and a port",
        ),
        ("routes", {"partner.test": ("127.0.0.1", 0)}, "a port from 1 to 65535"),
        ("routes", {"partner.test": ("127.0.0.1", True)}, "a port from 1 to 65535"),
        ("smarthost", ("h", 25), "smarthost is ('h', 25); write a URL such as"),
        ("smarthost", "relay.test:25", "smarthost is 'relay.test:25', which is no such URL"),
        ("retry_schedule", timedelta(1), "write a list of delays"),
        ("retry_schedule", [5], "retry_schedule has 5; write delays that are not negative"),
        ("retry_schedule", [timedelta(-1)], "write delays that are not negative"),
    ],
)
def test_what_cannot_be_used_is_named_in_a_sentence(setting: str, value: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{setting: value})
    assert sentence in str(caught.value)


def test_all_from_the_environment() -> None:
    settings = Settings.from_env(
        {
            "MOCKMAIL_RELAY": "open",
            "MOCKMAIL_ROUTES": "a.test=127.0.0.1:1,b.test=127.0.0.1:2",
            "MOCKMAIL_SMARTHOST": "smtp://relay.test",
            "MOCKMAIL_RETRY_EVERY": "1m",
            "MOCKMAIL_RETRY_FOR": "2h",
            "MOCKMAIL_RETRY_SCHEDULE": "1m,2m",
        }
    )
    assert settings.relay == "open"
    assert settings.routes == {"a.test": ("127.0.0.1", 1), "b.test": ("127.0.0.1", 2)}
    assert (settings.smarthost, settings.retry_every) == ("smtp://relay.test", timedelta(minutes=1))
    assert (settings.retry_for, settings.retry_schedule) == (
        timedelta(hours=2),
        (timedelta(minutes=1), timedelta(minutes=2)),
    )
