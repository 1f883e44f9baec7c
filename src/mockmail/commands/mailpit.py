"""Mailpit's environment variables, for those who come from it: what each means here, and which mean nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from mockmail.errors import ConfigurationError
from mockmail.relaying import parse_duration

__all__ = ["HONOURED", "settings_of_mailpit"]

_Value = tuple[str, Any]


def _bind(port_setting: str) -> Callable[[str], list[_Value]]:
    def read(text: str) -> list[_Value]:
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit():
            raise ValueError("write an address and a port, such as 0.0.0.0:1025")
        found: list[_Value] = [(port_setting, int(port))]
        return [*found, ("host", host.strip("[]"))] if host else found

    return read


def _truth(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes", "on")


def _age(text: str) -> list[_Value]:
    return [("max_age", parse_duration(text) if text.strip() not in ("", "0") else None)]


def _users(text: str) -> list[_Value]:
    """``user:password`` with spaces between; a user without a domain is one of localhost."""
    users = {}
    for pair in text.split():
        user, colon, password = pair.partition(":")
        if not colon or not user or not password:
            raise ValueError("write user:password, with spaces between several")
        users[user if "@" in user else f"{user}@localhost"] = password
    # Mail for others is taken, too: there the users are those who send.
    return [("users", users), ("require_auth", True), ("unknown_recipients", "create")]


def _smarthost(environ: Mapping[str, str]) -> str | None:
    host, port, user, password = (environ.get(name, "").strip() for name in _RELAY)
    if not host:
        return None
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return f"smtp://{login}{host}{port and ':' + port}"


_READERS: Mapping[str, Callable[[str], list[_Value]]] = {
    "MP_SMTP_BIND_ADDR": _bind("smtp_port"),
    "MP_POP3_BIND_ADDR": _bind("pop3_port"),
    "MP_UI_BIND_ADDR": _bind("http_port"),
    "MP_MAX_MESSAGES": lambda text: [("max_messages", int(text) or None)],
    "MP_MAX_AGE": _age,
    "MP_SMTP_AUTH": _users,
    "MP_UI_AUTH": lambda text: [("http_auth", text.split()[0])],
    "MP_ALLOWED_ORIGINS": lambda text: [("http_origins", tuple(re.split(r"[\s,]+", text.strip())))],
    "MP_API_CORS": lambda text: [("http_origins", tuple(re.split(r"[\s,]+", text.strip())))],
    "MP_SMTP_REQUIRE_STARTTLS": lambda text: [("tls", True), ("require_tls", True)] if _truth(text) else [],
    "MP_SMTP_REQUIRE_TLS": lambda text: [("tls", True), ("require_tls", True)] if _truth(text) else [],
    # Its patterns are regular expressions, and may have commas.
    "MP_SMTP_RELAY_ALLOWED_RECIPIENTS": lambda text: [("relay_allow", (f"/{text.strip()}/",))],
}
_RELAY = ("MP_SMTP_RELAY_HOST", "MP_SMTP_RELAY_PORT", "MP_SMTP_RELAY_USERNAME", "MP_SMTP_RELAY_PASSWORD")
_BINDS = ("MP_SMTP_BIND_ADDR", "MP_POP3_BIND_ADDR", "MP_UI_BIND_ADDR")
HONOURED = (*_READERS, *_RELAY, "MP_WEBHOOK_URL", "MP_QUIET", "MP_VERBOSE")
_NEEDLESS = frozenset(
    {
        "MP_SMTP_AUTH_ACCEPT_ANY", "MP_SMTP_AUTH_ALLOW_INSECURE", "MP_ENABLE_CHAOS", "MP_POP3_AUTH",
        "MP_SMTP_DISABLE_RDNS", "MP_DISABLE_VERSION_CHECK", "MP_BLOCK_REMOTE_CSS_AND_FONTS",
    }
)  # fmt: skip
"""What they ask for is so already: any login is taken where no users are named, also in plain text; and nobody else is
asked for anything."""


def settings_of_mailpit(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Settings by what ``MP_*`` variables say, and a sentence for those that say nothing here."""
    values: dict[str, Any] = {}
    for name, reader in _READERS.items():
        text = environ.get(name, "")
        if not text.strip():
            continue
        try:
            values.update(reader(text))
        except (ValueError, IndexError) as error:
            raise ConfigurationError(f"{name} is {text!r}, which cannot be read: {error}.") from None
    unknown = sorted(
        name for name in environ if name.startswith("MP_") and name not in HONOURED and name not in _NEEDLESS
    )
    notes = [f"{', '.join(unknown)}: passed over; mockmail has nothing that this would set."] if unknown else []
    if isinstance(values.get("max_age"), timedelta) and not values["max_age"]:
        values["max_age"] = None
    if (smarthost := _smarthost(environ)) is not None:
        values["smarthost"] = smarthost
    hosts = {environ.get(name, "").rpartition(":")[0].strip("[]") for name in _BINDS} - {""}
    if len(hosts) > 1:
        notes.append(f"{', '.join(_BINDS)} name several addresses; mockmail has one for all, {values['host']}.")
    if len(environ.get("MP_UI_AUTH", "").split()) > 1:
        notes.append("MP_UI_AUTH names several logins; mockmail has one, the first.")
    return values, notes
