"""The capabilities of POP3 (RFC 2449 section 6) as rows, and the list that CAPA makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mockmail.auth.mechanisms import without_mechanisms
from mockmail.config import Settings
from mockmail.extensions import Extension, enabled_names
from mockmail.profiles import profile_named

__all__ = ["BASE_COMMANDS", "COMMANDS", "EXTENSIONS", "LOGIN_COMMANDS", "Capabilities", "capabilities_of"]

BASE_COMMANDS = frozenset({"QUIT", "STAT", "LIST", "RETR", "DELE", "NOOP", "RSET"})
"""What every server has (RFC 1939 section 9), with whatever way there is to log in."""
LOGIN_COMMANDS = frozenset({"PASS", "APOP", "AUTH"})
"""Those that log in."""

EXTENSIONS: tuple[Extension, ...] = (
    Extension("CAPA", "RFC 2449", commands=frozenset({"CAPA"})),
    Extension("TOP", "RFC 1939", commands=frozenset({"TOP"})),
    Extension("USER", "RFC 1939", commands=frozenset({"USER", "PASS"})),
    Extension("APOP", "RFC 1939", commands=frozenset({"APOP"})),
    Extension("SASL", "RFC 5034", commands=frozenset({"AUTH"})),
    Extension("RESP-CODES", "RFC 2449"),
    Extension("AUTH-RESP-CODE", "RFC 3206"),
    Extension("PIPELINING", "RFC 2449"),
    Extension("EXPIRE", "RFC 2449"),
    Extension("UIDL", "RFC 1939", commands=frozenset({"UIDL"})),
    Extension("IMPLEMENTATION", "RFC 2449"),
)
"""In the order in which they are listed. CAPA and APOP are none of the words in the list: a client learns of the one by
trying it, of the other by the timestamp in the greeting."""
COMMANDS = BASE_COMMANDS.union(*(row.commands for row in EXTENSIONS))
"""Every command there can be."""

_UNLISTED = frozenset({"CAPA", "APOP"})
_IMPLEMENTATION = "mockmail"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one server has."""

    names: frozenset[str]
    """Names of rows in force."""
    commands: frozenset[str]
    """Commands understood."""
    lines: tuple[str, ...]
    """What CAPA lists, the same in both states; SASL still without its mechanisms."""

    def listed(self, mechanisms: Iterable[str]) -> list[str]:
        """What CAPA lists where these are the mechanisms; without any there is no SASL."""
        sasl = " ".join(("SASL", *mechanisms))
        return [sasl if line == "SASL" else line for line in self.lines if line != "SASL" or sasl != "SASL"]


def capabilities_of(settings: Settings) -> Capabilities:
    """What a server with these settings has. ``ConfigurationError`` when ``hide`` names what there is not.

    A profile names what is listed; CAPA itself goes only when it is hidden by name.
    """
    only = profile_named(settings.profile).names("pop3")
    names = enabled_names(
        EXTENSIONS,
        only=None if only is None else only | {"CAPA"},
        hide=without_mechanisms(settings.hide.get("pop3", ()), hidden=True),
        protocol="pop3",
    )
    rows = [row for row in EXTENSIONS if row.name in names]
    # Where the oldest mail goes at max_messages, no time for which it is kept can be promised.
    unlisted = _UNLISTED if settings.max_messages is None else _UNLISTED | {"EXPIRE"}
    listed = [_line(row.name) for row in rows if row.name not in unlisted]
    listed.extend(without_mechanisms(settings.advertise.get("pop3", ())))
    return Capabilities(names, BASE_COMMANDS.union(*(row.commands for row in rows)), tuple(listed))


def _line(name: str) -> str:
    if name == "EXPIRE":
        return "EXPIRE NEVER"
    if name == "IMPLEMENTATION":
        return f"IMPLEMENTATION {_IMPLEMENTATION}"
    return name
