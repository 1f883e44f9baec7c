"""``mockmail serve``: a development sink, until it is stopped."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from mockmail.commands.log import line_of
from mockmail.commands.options import has_http, serve_settings, with_variables
from mockmail.core.archive import FORMATS
from mockmail.errors import ConfigurationError
from mockmail.server import MockMail

__all__ = ["serve"]

EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127


def serve(given: argparse.Namespace, command: list[str]) -> int:
    """Run the servers; the exit status."""
    with_variables(given, os.environ)
    if given.exec and not command:
        raise ConfigurationError("--exec needs a command; write it last: mockmail serve --exec -- pytest -q")
    given.save_format = given.save_format or "eml"
    if given.save_format not in FORMATS:
        raise ConfigurationError(f"--save-format is {given.save_format!r}; write one of {', '.join(FORMATS)}.")
    settings, notes = serve_settings(given)
    for note in notes:
        print(f"mockmail: {note}", file=sys.stderr)
    mail = MockMail(settings)
    stopped = _Stopped()
    webhook = None
    with mail:
        if given.load is not None:
            loaded = mail.load(given.load)
            print(f"mockmail: {len(loaded)} messages loaded from {given.load}", file=sys.stderr)
        if given.webhook is not None:
            from mockmail.commands.webhook import Webhook

            webhook = Webhook(given.webhook, mail)
            webhook.start()
        if given.json:
            _print_json(mail)
        try:
            if given.exec:
                return _execute(mail, command, stopped)
            if not given.json:
                _print_start(mail)
            _wait(mail, stopped, quiet=given.json or given.quiet, verbose=given.verbose)
        finally:
            # What was answered by 250 is told and saved: nothing may come after these.
            mail.stop()
            if webhook is not None:
                webhook.stop()
            if given.save is not None:
                count = mail.save(given.save, given.save_format)
                print(f"mockmail: {count} messages saved in {given.save}", file=sys.stderr)
            stopped.restore()
    return 0


class _Stopped(threading.Event):
    """Set by SIGTERM and SIGINT, from when it is made: one that comes while the servers start is not lost."""

    def __init__(self) -> None:
        super().__init__()
        self.news = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None
        self._before = {number: signal.signal(number, self._caught) for number in (signal.SIGTERM, signal.SIGINT)}

    def _caught(self, number: int, frame: object) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(number)
        self.set()
        self.news.set()

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _print_json(mail: MockMail) -> None:
    ready: dict[str, Any] = {
        name: {"host": endpoint.host, "port": endpoint.port, "url": endpoint.url}
        for name, endpoint in mail.endpoints.items()
    }
    if mail.settings.tls:
        ready["ca_file"] = mail.tls.ca_file
    ready["pid"] = os.getpid()
    print(json.dumps(ready), flush=True)


def _print_start(mail: MockMail) -> None:
    users = mail.settings.users
    print("mockmail is ready; Ctrl-C stops it.")
    for endpoint in mail.endpoints.values():
        page = "/  the mail page, and the API" if endpoint.protocol == "http" else ""
        print(f"  {endpoint.protocol.upper():5} {endpoint.url}{page}")
    if mail.settings.tls:
        print(f"  certificates are signed by {mail.tls.ca_file}")
    print(f"  users: {', '.join(users)}" if users else "  any address receives mail, and any password logs in")
    if not has_http():
        print("  no mail page: for one, pip install 'mockmail[http]'")
    smtp = mail.endpoints.get("smtp")
    if smtp is not None:
        print("To paste:")
        print(f"  Django    EMAIL_HOST, EMAIL_PORT = {smtp.host!r}, {smtp.port}")
        print(f"  a shell   export SMTP_URL={smtp.url}")
        print(f'  PHP       sendmail_path = "MOCKMAIL_SMTP_URL={smtp.url} mockmail send -t -i"')
    print(flush=True)


def _execute(mail: MockMail, command: list[str], stopped: _Stopped) -> int:
    """Run a command with the servers' addresses in its environment; its exit status, as a shell would give it."""
    if stopped.is_set():
        return 0
    try:
        process = subprocess.Popen(command, env={**os.environ, **mail.settings_for.env()})
    except FileNotFoundError:
        print(f"mockmail: there is no command {command[0]!r}", file=sys.stderr)
        return EXIT_NOT_FOUND
    except OSError as error:
        print(f"mockmail: {command[0]!r} cannot be run: {error.strerror}", file=sys.stderr)
        return EXIT_NOT_EXECUTABLE
    stopped.child = process
    status = process.wait()
    return 128 - status if status < 0 else status


def _wait(mail: MockMail, stopped: _Stopped, *, quiet: bool, verbose: bool) -> None:
    """Until a signal; meanwhile a line for each message that comes or is refused."""
    journal = mail.world.journal
    seen = 0
    while not stopped.is_set():
        length = len(journal.records)
        if not quiet:
            for event in journal.events(seen, length):
                line = line_of(event, verbose=verbose)
                if line is not None:
                    print(line, flush=True)
        seen = length
        cancel = journal.when_longer(length, stopped.news.set)
        stopped.news.wait()
        stopped.news.clear()
        cancel()
        if mail.world.journal is not journal:
            journal, seen = mail.world.journal, 0  # a reset, by the API
