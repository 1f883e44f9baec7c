"""What the settings of relaying mean: routes, a smarthost, the schedule of retries; their texts and their checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mockmail.errors import ConfigurationError

__all__ = [
    "Schedule",
    "Smarthost",
    "check_relay",
    "parse_delays",
    "parse_duration",
    "parse_routes",
    "parse_smarthost",
    "read_schedule",
]

SMTP_PORT = 25
SUBMISSION_PORT = 587
RELAY_RULES = ("authenticated", "open", "none")

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw])\s*)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
# smarthost = "smtp://" [ user ":" password "@" ] host [ ":" port ]; user and password percent-encoded.
_SMARTHOST = re.compile(
    r"smtp://(?:(?P<user>[^:@/]+):(?P<password>[^@/]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/]+)(?::(?P<port>\d+))?/?"
)

Schedule = Callable[[int], "timedelta | None"]
"""The delay after the ``n``-th attempt; ``None`` gives the message up."""


@dataclass(frozen=True, slots=True)
class Smarthost:
    """The next hop for everything that is not local."""

    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password, for AUTH."""


def parse_duration(text: str) -> timedelta:
    """``30m``, ``5d``, ``1h30m``; ``ValueError`` for anything else."""
    if not _DURATION.fullmatch(text.strip()):
        raise ValueError("write a duration such as 30m, 5d or 1h30m")
    total = timedelta()
    for number, unit in _PART.findall(text):
        total += timedelta(**{_UNITS[unit]: float(number)})
    return total


def parse_delays(text: str) -> tuple[timedelta, ...] | None:
    """Durations separated by commas; empty is none given."""
    return tuple(parse_duration(part) for part in text.split(",") if part.strip()) or None


def parse_routes(text: str) -> dict[str, tuple[str, int]] | None:
    """``partner.test=127.0.0.1:2525``, one a line or separated by commas; empty is none given."""
    routes: dict[str, tuple[str, int]] = {}
    for part in re.split(r"[,\n]", text):
        if not part.strip():
            continue
        domain, equals, hop = part.partition("=")
        host, colon, port = hop.strip().rpartition(":")
        if not equals or not colon or not host or not port.isdigit():
            raise ValueError("write domain=host:port, such as partner.test=127.0.0.1:2525")
        routes[domain.strip()] = (host.removeprefix("[").removesuffix("]"), int(port))
    return routes or None


def parse_smarthost(url: str) -> Smarthost:
    """The parts of ``smtp://user:password@host:port``; ``ValueError`` for another form."""
    match = _SMARTHOST.fullmatch(url.strip())
    if match is None:
        raise ValueError("write smtp://user:password@host:port, or smtp://host:port without a login")
    login = None
    if match["user"] is not None:
        from urllib.parse import unquote

        login = (unquote(match["user"]), unquote(match["password"]))
    port = int(match["port"] or (SUBMISSION_PORT if login else SMTP_PORT))
    if not 0 < port <= 65535:
        raise ValueError("write a port from 1 to 65535")
    return Smarthost(match["host"].strip("[]"), port, login)


def read_schedule(given: Any) -> Schedule | None:
    """The delay before the attempt after the ``n``-th one, for ``retry_schedule``; ``None`` gives the message up."""
    if given is None or callable(given):
        return given  # type: ignore[no-any-return]  # what a callable returns is checked when it is called
    delays: tuple[timedelta, ...] = tuple(given)
    return lambda attempt: delays[attempt - 1] if attempt <= len(delays) else None


def check_relay(
    relay: Any, routes: Any, smarthost: Any, durations: Mapping[str, Any], schedule: Any
) -> tuple[dict[str, tuple[str, int]] | None, Any]:
    """The routes and the schedule in the form they are kept in. Raises ``ConfigurationError`` for what cannot be
    used."""
    if relay not in RELAY_RULES:
        raise ConfigurationError(f"relay is {relay!r}; write {', '.join(map(repr, RELAY_RULES[:-1]))} or 'none'.")
    for name, value in durations.items():
        if not isinstance(value, timedelta) or value <= timedelta():
            raise ConfigurationError(f"{name} is {value!r}; write a timedelta above 0, such as timedelta(minutes=30).")
    if smarthost is not None:
        _check_smarthost(smarthost)
    return _checked_routes(routes), _checked_schedule(schedule)


def _check_smarthost(smarthost: Any) -> None:
    example = "'smtp://user:password@127.0.0.1:2525'"
    if not isinstance(smarthost, str):
        raise ConfigurationError(f"smarthost is {smarthost!r}; write a URL such as {example}.")
    try:
        parse_smarthost(smarthost)
    except ValueError:
        # It may have a password in it, which shall not stand in a log.
        shown = re.sub(r":(?!//).*@", ":...@", smarthost)
        raise ConfigurationError(
            f"smarthost is {shown!r}, which is no such URL; write one such as {example}."
        ) from None


def _checked_routes(routes: Any) -> dict[str, tuple[str, int]] | None:
    if routes is None:
        return None
    if isinstance(routes, str) or not isinstance(routes, Mapping):
        raise ConfigurationError(
            f"routes is {routes!r}; write a mapping of domains to (host, port),"
            ' such as routes={"partner.test": ("127.0.0.1", 2525)}.'
        )
    checked: dict[str, tuple[str, int]] = {}
    for domain, hop in routes.items():
        if not isinstance(domain, str) or not domain.strip(".") or "@" in domain:
            raise ConfigurationError(f"routes has the domain {domain!r}; write a name such as 'partner.test'.")
        host, port = hop if isinstance(hop, tuple | list) and len(hop) == 2 else (None, None)
        if not isinstance(host, str) or not host or type(port) is not int or not 0 < port <= 65535:
            raise ConfigurationError(
                f"routes[{domain!r}] is {hop!r}; write a host and a port from 1 to 65535, such as ('127.0.0.1', 2525)."
            )
        checked[domain.lower().rstrip(".")] = (host, port)
    return checked


def _checked_schedule(schedule: Any) -> Any:
    if schedule is None or callable(schedule):
        return schedule
    if isinstance(schedule, str | timedelta) or not isinstance(schedule, Iterable):
        raise ConfigurationError(
            f"retry_schedule is {schedule!r}; write a list of delays such as [timedelta(minutes=5),"
            " timedelta(hours=1)], or a function of the number of attempts so far."
        )
    delays = tuple(schedule)
    for delay in delays:
        if not isinstance(delay, timedelta) or delay < timedelta():
            raise ConfigurationError(
                f"retry_schedule has {delay!r}; write delays that are not negative, such as timedelta(minutes=5)."
            )
    return delays
