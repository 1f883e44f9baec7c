"""Settings as they are written in text: in variables, ini options and flags. A ``ValueError`` says what to write."""

from __future__ import annotations

import re
from datetime import timedelta

from mockmail.relaying import parse_duration

__all__ = [
    "parse_age",
    "parse_boolean",
    "parse_capabilities",
    "parse_count",
    "parse_days",
    "parse_names",
    "parse_port",
    "parse_seconds",
    "parse_size",
    "parse_twin_port",
    "parse_users",
]


def parse_boolean(text: str) -> bool:
    value = text.strip().lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("", "0", "false", "no", "off"):
        return False
    raise ValueError("write true or false")


def parse_names(text: str) -> tuple[str, ...] | None:
    """A list separated by commas or line ends; empty is none given."""
    return tuple(name for name in (part.strip() for part in re.split(r"[,\n]", text)) if name) or None


def parse_users(text: str) -> dict[str, str] | None:
    users: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        address, colon, password = line.strip().partition(":")
        if not colon or not address:
            raise ValueError("write one address:password a line")
        users[address] = password
    return users or None


def _number(text: str, otherwise: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(otherwise) from None


def parse_port(text: str) -> int | None:
    return None if text.strip().lower() in ("", "none", "off") else _number(text, "write a port number, or none")


def parse_twin_port(text: str) -> int | str | None:
    return "auto" if text.strip().lower() == "auto" else parse_port(text)


def parse_capabilities(text: str) -> dict[str, tuple[str, ...]]:
    """``smtp=SMTPUTF8 SIZE,imap=IDLE``: protocols separated by commas or lines, names by spaces."""
    result: dict[str, tuple[str, ...]] = {}
    for part in parse_names(text) or ():
        protocol, equals, names = part.partition("=")
        if not equals:
            raise ValueError("write protocol=NAME NAME, such as smtp=SMTPUTF8")
        result[protocol.strip().lower()] = tuple(names.split())
    return result


def parse_days(text: str) -> int | None:
    return None if text.strip().lower() in ("", "none", "never") else int(text)


_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse_size(text: str) -> int | None:
    if text.strip().lower() in ("", "none"):
        return None
    match = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if match is None:
        raise ValueError("write a number of bytes, or 64M")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def parse_count(text: str) -> int | None:
    return None if text.strip().lower() in ("", "none") else _number(text, "write a whole number, or none")


def parse_age(text: str) -> timedelta | None:
    return None if text.strip().lower() in ("", "none", "0") else parse_duration(text)


def parse_seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("write a number of seconds, such as 0.5") from None
