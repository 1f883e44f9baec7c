"""The command ``mockmail``: serve a development sink, or play the demonstration.

Exit status: 0 when stopped by a signal, 2 for wrong usage, 3 when a port cannot be bound; with ``--exec`` the status of
the command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockmail.config import Settings
    from mockmail.core.events import Event
    from mockmail.server import MockMail

__all__ = ["main"]

EXIT_USAGE = 2
EXIT_PORT = 3
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127
SINK_PORTS = {"smtp_port": 1025, "pop3_port": 1110, "imap_port": 1143}
SINK_TLS_PORTS = {"smtps_port": 1465, "pop3s_port": 1995, "imaps_port": 1993}
SINK_HTTP_PORT = 8025
SINK_MAX_MESSAGES = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    from mockmail.errors import MockMailError

    words = list(sys.argv[1:] if arguments is None else arguments)
    # argparse would read the options of a command that follows --exec as our own.
    at = words.index("--exec") + 1 if "--exec" in words else len(words)
    words, command = words[:at], words[at:]
    given = _parser().parse_args(words)
    try:
        if given.command == "demo":
            from mockmail.demo import play

            return play(sys.stdout)
        return _serve(given, command[1:] if command[:1] == ["--"] else command)
    except MockMailError as error:
        print(f"mockmail: {error}", file=sys.stderr)
        return EXIT_PORT if isinstance(error.__cause__, OSError) else EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    from importlib.metadata import version

    from mockmail.config import setting_fields

    parser = argparse.ArgumentParser(prog="mockmail", description="The mail system your tests talk to.")
    parser.add_argument("--version", action="version", version=f"mockmail {version('mockmail')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("demo", help="play the story of two messages that cross servers, on real sockets, and print it")
    serve = commands.add_parser(
        "serve",
        help="run SMTP, POP3, IMAP and HTTP servers until stopped",
        description="Run SMTP, POP3, IMAP and (with the extra http) HTTP servers over one in-memory store. Each"
        " setting can be given as a flag or as an environment variable; the flag wins.",
    )
    serve.add_argument(
        "--ephemeral", action="store_true", help="free ports of the system's choice, not 1025, 1110, 1143, 8025"
    )
    serve.add_argument("--json", action="store_true", help="when ready, print where everything is as one line of JSON")
    serve.add_argument(
        "--user",
        action="append",
        default=[],
        metavar="ADDRESS:PASSWORD",
        help="let this user log in, and only those named so (repeatable) [MOCKMAIL_USERS, one a line]",
    )
    for row in setting_fields():
        if row.name != "users":
            flag = "--" + row.name.replace("_", "-")
            # argparse expands % in help texts.
            # What can be true is, when only named: --require-auth is --require-auth true.
            switch: dict[str, Any] = {"nargs": "?", "const": "true"} if isinstance(row.default, bool) else {}
            serve.add_argument(
                flag, default=None, metavar="VALUE", **switch, help=f"{row.help} [{row.variable}]".replace("%", "%%")
            )
    serve.add_argument(
        "--exec",
        action="store_true",
        help="last, as in --exec -- COMMAND: run it with MOCKMAIL_SMTP_HOST ... set, and exit with its status",
    )
    return parser


def _has_http() -> bool:
    """Whether the extra ``http`` is installed."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("starlette", "uvicorn", "wsproto"))


def _settings(given: argparse.Namespace) -> Settings:
    """Sink defaults < environment < flags."""
    import os

    from mockmail.config import Settings, setting_fields

    sink: dict[str, Any] = {"max_messages": SINK_MAX_MESSAGES}
    ports = {**SINK_PORTS, "http_port": SINK_HTTP_PORT} if _has_http() else SINK_PORTS
    sink.update(dict.fromkeys(ports, 0) if given.ephemeral else ports)
    rows = setting_fields()
    from_environment = {row.name: os.environ[row.variable] for row in rows if row.variable in os.environ}
    if given.ephemeral:
        from_environment = {name: text for name, text in from_environment.items() if name not in ports | SINK_TLS_PORTS}
    settings = Settings().updated(**sink)
    settings = settings.updated_from_texts(from_environment, name_of=lambda name: "MOCKMAIL_" + name.upper())
    flags = {row.name: getattr(given, row.name, None) for row in rows}
    texts = {name: text for name, text in flags.items() if text is not None}
    if given.user:
        texts["users"] = "\n".join(given.user)
    settings = settings.updated_from_texts(texts, name_of=lambda name: "--" + name.replace("_", "-"))
    if given.ephemeral or not settings.tls:
        return settings
    return settings.updated(
        **{name: port for name, port in SINK_TLS_PORTS.items() if getattr(settings, name) == "auto"}
    )


def _serve(given: argparse.Namespace, command: list[str]) -> int:
    from mockmail.errors import ConfigurationError
    from mockmail.server import MockMail

    if given.exec and not command:
        raise ConfigurationError("--exec needs a command; write it last: mockmail serve --exec -- pytest -q")
    with MockMail(_settings(given)) as mail:
        if given.json:
            _print_json(mail)
        if given.exec:
            return _execute(mail, command)
        if not given.json:
            _print_endpoints(mail)
        _wait_for_signal(mail, quiet=given.json)
    return 0


def _print_json(mail: MockMail) -> None:
    import json
    import os

    ready: dict[str, Any] = {
        name: {"host": endpoint.host, "port": endpoint.port, "url": endpoint.url}
        for name, endpoint in mail.endpoints.items()
    }
    if mail.settings.tls:
        ready["ca_file"] = mail.tls.ca_file
    ready["pid"] = os.getpid()
    print(json.dumps(ready), flush=True)


def _print_endpoints(mail: MockMail) -> None:
    users = mail.settings.users
    print("mockmail is ready; Ctrl-C stops it.")
    for endpoint in mail.endpoints.values():
        print(f"  {endpoint.protocol.upper():5} {endpoint.url}")
    if mail.settings.tls:
        print(f"  certificates are signed by {mail.tls.ca_file}")
    print(f"  users: {', '.join(users)}" if users else "  any address receives mail, and any password logs in")
    print(flush=True)


def _execute(mail: MockMail, command: list[str]) -> int:
    """Run a command with the servers' addresses in its environment; its exit status, as a shell would give it."""
    import os
    import signal
    import subprocess

    try:
        process = subprocess.Popen(command, env={**os.environ, **mail.settings_for.env()})
    except FileNotFoundError:
        print(f"mockmail: there is no command {command[0]!r}", file=sys.stderr)
        return EXIT_NOT_FOUND
    except OSError as error:
        print(f"mockmail: {command[0]!r} cannot be run: {error.strerror}", file=sys.stderr)
        return EXIT_NOT_EXECUTABLE

    def pass_on(number: int, frame: object) -> None:
        if process.poll() is None:
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - status if status < 0 else status


def _wait_for_signal(mail: MockMail, *, quiet: bool) -> None:
    """Until SIGTERM or SIGINT; meanwhile a line for each message that comes or is refused."""
    import signal
    import threading

    stopped = threading.Event()
    news = threading.Event()

    def stop(number: int, frame: object) -> None:
        stopped.set()
        news.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    journal = mail.world.journal
    seen = 0
    try:
        while not stopped.is_set():
            length = len(journal.records)
            if not quiet:
                for event in journal.events(seen, length):
                    _print_event(event)
            seen = length
            cancel = journal.when_longer(length, news.set)
            news.wait()
            news.clear()
            cancel()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_event(event: Event) -> None:
    from mockmail.core.events import Delivered, Rejected

    if isinstance(event, Delivered):
        to = ", ".join(event.recipients)
        print(f"{event.at:%H:%M:%S} {event.message.sender or '<>'} -> {to}: {event.message.subject!r}", flush=True)
    elif isinstance(event, Rejected):
        to = ", ".join(event.recipients)
        print(f"{event.at:%H:%M:%S} refused {event.sender or '<>'} -> {to}: {event.reply}", flush=True)
