"""The capabilities of POP3 (RFC 2449 section 6) as rows, and the list that CAPA makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mockmail.auth.mechanisms import without_mechanisms
from mockmail.config import Settings
from mockmail.extensions import Extension, enabled_names
from mockmail.profiles import profile_named
from mockmail.records import record

__all__ = [
    "AUTHORIZATION",
    "BASE_COMMANDS",
    "COMMANDS",
    "EXTENSIONS",
    "LOGIN_COMMANDS",
    "TRANSACTION",
    "Capabilities",
    "capabilities_of",
]

BASE_COMMANDS = frozenset({"QUIT", "STAT", "LIST", "RETR", "DELE", "NOOP", "RSET"})
"""What every server has (RFC 1939 section 9), with whatever way there is to log in."""
LOGIN_COMMANDS = frozenset({"PASS", "APOP", "AUTH"})
"""Those that log in."""

AUTHORIZATION = "AUTHORIZATION"
TRANSACTION = "TRANSACTION"
_BEFORE_LOGIN = frozenset({AUTHORIZATION})
_EVERY_FACT = frozenset({"plain-text", "login"})

EXTENSIONS: tuple[Extension, ...] = (
    Extension("CAPA", "RFC 2449", commands=frozenset({"CAPA"})),
    Extension("TOP", "RFC 1939", commands=frozenset({"TOP"})),
    Extension("STLS", "RFC 2595", commands=frozenset({"STLS"}), states=_BEFORE_LOGIN, needs=frozenset({"plain-text"})),
    Extension("USER", "RFC 1939", commands=frozenset({"USER", "PASS"}), needs=frozenset({"login"})),
    Extension("APOP", "RFC 1939", commands=frozenset({"APOP"})),
    Extension("SASL", "RFC 5034", commands=frozenset({"AUTH"}), needs=frozenset({"login"})),
    Extension("RESP-CODES", "RFC 2449"),
    Extension("AUTH-RESP-CODE", "RFC 3206"),
    Extension("PIPELINING", "RFC 2449"),
    Extension("EXPIRE", "RFC 2449"),
    Extension("LOGIN-DELAY", "RFC 2449"),
    Extension("UIDL", "RFC 1939", commands=frozenset({"UIDL"})),
    Extension("UTF8", "RFC 6856", commands=frozenset({"UTF8"})),
    Extension("LANG", "RFC 6856", commands=frozenset({"LANG"})),
    Extension("IMPLEMENTATION", "RFC 2449"),
)
"""In the order in which they are listed. CAPA and APOP are none of the words in the list: a client learns of the one by
trying it, of the other by the timestamp in the greeting."""
COMMANDS = BASE_COMMANDS.union(*(row.commands for row in EXTENSIONS))
"""Every command there can be."""

_IMPLEMENTATION = "mockmail"


@record
class Capabilities:
    """What one server has."""

    names: frozenset[str]
    """Names of rows in force."""
    commands: frozenset[str]
    """Commands understood."""
    rows: tuple[tuple[Extension | None, str], ...]
    """What CAPA may list: rows with their lines, and words of no row. SASL is still without its mechanisms."""

    def lines(
        self, mechanisms: Iterable[str] = (), state: str = AUTHORIZATION, facts: Collection[str] = _EVERY_FACT
    ) -> tuple[str, ...]:
        """What CAPA lists where these are the mechanisms; without any there is no SASL. ``facts``: ``"plain-text"``,
        and ``"login"`` where one is permitted."""
        sasl = " ".join(("SASL", *mechanisms))
        lines = [
            sasl if line == "SASL" else line
            for row, line in self.rows
            if row is None or ((not row.states or state in row.states) and row.needs.issubset(facts))
        ]
        return tuple(line for line in lines if line != "SASL")


def capabilities_of(settings: Settings) -> Capabilities:
    """What a server with these settings has. ``ConfigurationError`` when ``hide`` names what there is not.

    A profile names what is listed; CAPA itself, and STLS where there is TLS, go only when they are hidden by name.
    """
    only = profile_named(settings.profile).names("pop3")
    names = enabled_names(
        EXTENSIONS,
        only=None if only is None else only | {"CAPA", "STLS"},
        hide=without_mechanisms(settings.hide.get("pop3", ()), hidden=True),
        protocol="pop3",
    )
    if not settings.starttls_offered:
        names -= {"STLS"}
    rows = [row for row in EXTENSIONS if row.name in names]
    lines = ((row, _line(row.name, names, settings)) for row in rows)
    listed: list[tuple[Extension | None, str]] = [(row, line) for row, line in lines if line is not None]
    listed.extend((None, word) for word in without_mechanisms(settings.advertise.get("pop3", ())))
    return Capabilities(names, BASE_COMMANDS.union(*(row.commands for row in rows)), tuple(listed))


def _line(name: str, names: Collection[str], settings: Settings) -> str | None:
    """What CAPA lists for a row in force; ``None`` for nothing."""
    if name in ("CAPA", "APOP"):
        return None
    if name == "EXPIRE":
        if settings.pop3_expire_days is not None:
            return f"EXPIRE {settings.pop3_expire_days}"
        # Where the oldest mail goes at max_messages, no time for which it is kept can be promised.
        return "EXPIRE NEVER" if settings.max_messages is None else None
    if name == "LOGIN-DELAY":
        return f"LOGIN-DELAY {settings.pop3_login_delay_seconds}" if settings.pop3_login_delay_seconds else None
    if name == "UTF8":
        return "UTF8 USER" if "USER" in names or "APOP" in names else "UTF8"
    if name == "IMPLEMENTATION":
        return f"IMPLEMENTATION {_IMPLEMENTATION}"
    return name
