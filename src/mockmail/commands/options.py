"""The settings of ``mockmail serve``: defaults of a sink < ``MP_*`` < ``MOCKMAIL_*`` < flags."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mockmail.commands.mailpit import settings_of_mailpit
from mockmail.config import Settings, setting_fields
from mockmail.errors import ConfigurationError

__all__ = ["OWN_VARIABLES", "SINK_MAX_MESSAGES", "add_serve_options", "serve_settings", "with_variables"]

SINK_PORTS = {"smtp_port": 1025, "pop3_port": 1110, "imap_port": 1143}
SINK_TLS_PORTS = {"smtps_port": 1465, "pop3s_port": 1995, "imaps_port": 1993}
SINK_HTTP_PORT = 8025
SINK_MAX_MESSAGES = 10_000
HTTP_PACKAGES = ("starlette", "uvicorn", "wsproto")

OWN_VARIABLES = {
    "json": "MOCKMAIL_JSON",
    "load": "MOCKMAIL_LOAD",
    "save": "MOCKMAIL_SAVE",
    "save_format": "MOCKMAIL_SAVE_FORMAT",
    "users_file": "MOCKMAIL_USERS_FILE",
    "webhook": "MOCKMAIL_WEBHOOK",
    "quiet": "MOCKMAIL_QUIET",
    "verbose": "MOCKMAIL_VERBOSE",
    "ephemeral": "MOCKMAIL_EPHEMERAL",
}
"""Variables of the flags that are no settings. ``--user`` and ``--auth`` are other ways to settings."""
_SWITCHES = ("json", "quiet", "verbose", "ephemeral")
_ADDRESS_AND_PORT = re.compile(r"(\[[^\[\]]+\]|[^\[\]:/@\s]+):(\d+)")


def add_serve_options(serve: argparse.ArgumentParser) -> None:
    """All flags of ``serve``: its own, and one for each setting."""

    def add(flag: str, help_text: str, **more: Any) -> None:
        variable = OWN_VARIABLES.get(flag.removeprefix("--").replace("-", "_"))
        told = f"{help_text} [{variable}]" if variable else help_text
        serve.add_argument(flag, help=told.replace("%", "%%"), **more)

    add("--ephemeral", "free ports of the system's choice, not 1025, 1110, 1143, 8025", action="store_true")
    add("--json", "when ready, print where everything is as one line of JSON", action="store_true")
    add("--user", "let this user log in, and only those named so (repeatable) [MOCKMAIL_USERS, one a line]",
        action="append", default=[], metavar="ADDRESS:PASSWORD")  # fmt: skip
    add("--users", "let the users of this file log in, one address:password a line", metavar="FILE", dest="users_file")
    add("--auth", "the same as --require-auth", action="store_true")
    add("--load", "put the mail of this eml file, mbox, Maildir, or directory of these into mailboxes first",
        metavar="PATH")  # fmt: skip
    add("--save", "at the end, write all mail into this directory", metavar="PATH")
    add("--save-format", "how --save writes: eml, mbox or maildir (default: eml)", metavar="FORMAT")
    add("--webhook", "POST each message that is delivered to this URL, in order, until it is taken", metavar="URL")
    add("--quiet", "print no line for each message", action="store_true")
    add("--verbose", "print logins, reading and relaying, too", action="store_true")
    for row in setting_fields():
        if row.name == "users":
            continue
        # What can be true is, when only named: --require-auth is --require-auth true.
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if isinstance(row.default, bool) else {}
        extra = ", or HOST:PORT: the smarthost of mail that is released" if row.name == "relay" else ""
        serve.add_argument(
            "--" + row.name.replace("_", "-"),
            default=None,
            metavar="VALUE",
            **switch,
            help=f"{row.help}{extra} [{row.variable}]".replace("%", "%%"),
        )
    add("--exec", "last, as in --exec -- COMMAND: run it with MOCKMAIL_SMTP_HOST ... set, and exit with its status",
        action="store_true")  # fmt: skip


def with_variables(given: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Give flags that are no settings, and were left out, the values of their variables."""
    for name, variable in OWN_VARIABLES.items():
        if getattr(given, name) in (None, False) and environ.get(variable):
            text = environ[variable]
            setattr(given, name, text.strip().lower() in ("1", "true", "yes", "on") if name in _SWITCHES else text)
    mailpits = {"quiet": "MP_QUIET", "verbose": "MP_VERBOSE"}
    for name, variable in mailpits.items():
        if not getattr(given, name) and environ.get(variable, "").lower() in ("1", "true", "yes", "on"):
            setattr(given, name, True)
    if given.webhook is None and environ.get("MP_WEBHOOK_URL"):
        given.webhook = environ["MP_WEBHOOK_URL"]


def has_http() -> bool:
    """Whether the extra ``http`` is installed."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in HTTP_PACKAGES)


def serve_settings(given: argparse.Namespace) -> tuple[Settings, list[str]]:
    """The settings in force, and sentences on variables that were passed over."""
    ports = {**SINK_PORTS, "http_port": SINK_HTTP_PORT} if has_http() else SINK_PORTS
    sink: dict[str, Any] = {"max_messages": SINK_MAX_MESSAGES}
    sink.update(dict.fromkeys(ports, 0) if given.ephemeral else ports)
    rows = setting_fields()
    mailpits, notes = settings_of_mailpit(os.environ)
    own = {row.name: os.environ[row.variable] for row in rows if row.variable in os.environ}
    if given.ephemeral:
        all_ports = {*ports, *SINK_TLS_PORTS}
        own = {name: text for name, text in own.items() if name not in all_ports}
        mailpits = {name: value for name, value in mailpits.items() if name not in all_ports}
    settings = Settings().updated(**sink)
    settings = settings.updated(**mailpits)
    settings = settings.updated_from_texts(own, name_of=lambda name: "MOCKMAIL_" + name.upper())
    settings = settings.updated_from_texts(_flags(given, rows), name_of=lambda name: "--" + name.replace("_", "-"))
    if given.ephemeral or not settings.tls:
        return settings, notes
    twins = {name: port for name, port in SINK_TLS_PORTS.items() if getattr(settings, name) == "auto"}
    return settings.updated(**twins), notes


def _flags(given: argparse.Namespace, rows: Iterable[Any]) -> dict[str, str]:
    texts = {row.name: text for row in rows if (text := getattr(given, row.name, None)) is not None}
    users = list(given.user)
    if given.users_file is not None:
        try:
            users.append(Path(given.users_file).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The file of users {given.users_file!r} cannot be read: {error}.") from None
    if users:
        texts["users"] = "\n".join(users)
    if given.auth:
        texts["require_auth"] = "true"
    relay = _ADDRESS_AND_PORT.fullmatch(texts.get("relay", ""))
    if relay:
        del texts["relay"]
        texts["smarthost"] = f"smtp://{relay[0]}"
    return texts
