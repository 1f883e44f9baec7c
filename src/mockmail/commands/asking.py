"""``mockmail ready`` and ``mockmail wait``: for shell scripts, and for CI jobs of other languages."""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mockmail.commands.options import SINK_HTTP_PORT, SINK_PORTS
from mockmail.errors import ConfigurationError, NotRunningError

if TYPE_CHECKING:
    from mockmail.core.message import Message

__all__ = ["add_options", "ready", "wait"]

EXIT_IN_VAIN = 1
TIMEOUT_SECONDS = 30.0
PAUSE_SECONDS = 0.05
"""Between two looks for a server that is not there yet, which nothing can tell of."""


def add_options(ready_parser: argparse.ArgumentParser, wait_parser: argparse.ArgumentParser) -> None:
    """The flags of both commands."""
    for parser in (ready_parser, wait_parser):
        parser.add_argument(
            "--timeout", type=float, default=TIMEOUT_SECONDS, metavar="SECONDS", help="how long to wait (default: 30)"
        )
    ready_parser.add_argument(
        "--url",
        metavar="URL",
        help="of the HTTP or the SMTP port (default: MOCKMAIL_HTTP_URL, MOCKMAIL_SMTP_URL, smtp://127.0.0.1:1025)",
    )
    wait_parser.add_argument(
        "--url", metavar="URL", help="of the HTTP port (default: MOCKMAIL_HTTP_URL, http://127.0.0.1:8025)"
    )
    for name, told in (
        ("to", "a recipient, as given in RCPT"),
        ("sender", "the envelope's sender"),
        ("from", "what stands in From"),
        ("subject", "the whole subject"),
        ("body", "what stands somewhere in the text"),
    ):
        wait_parser.add_argument(
            f"--{name}",
            metavar="TEXT",
            dest="from_" if name == "from" else name,
            help=f"{told}; /TEXT/ is a regular expression",
        )
    wait_parser.add_argument(
        "--count", type=int, default=1, metavar="N", help="how many messages there must be at least (default: 1)"
    )


# ready


def ready(given: argparse.Namespace) -> int:
    """0 as soon as the server answers, 1 when it does not in time."""
    url = given.url or os.environ.get("MOCKMAIL_HTTP_URL") or os.environ.get("MOCKMAIL_SMTP_URL")
    url = url or f"smtp://127.0.0.1:{SINK_PORTS['smtp_port']}"
    parts = urlsplit(url)
    looks: Mapping[str, Callable[[str, int], bool]] = {"http": _http_answers, "smtp": _smtp_answers}
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in looks or parts.hostname is None or port is None:
        raise ConfigurationError(f"--url is {url!r}; write http://HOST:PORT or smtp://HOST:PORT.")
    until = time.monotonic() + given.timeout
    while not looks[parts.scheme](parts.hostname, port):
        if time.monotonic() > until:
            print(f"mockmail: {url} did not answer within {given.timeout:g} seconds.", file=sys.stderr)
            return EXIT_IN_VAIN
        time.sleep(PAUSE_SECONDS)
    return 0


def _smtp_answers(host: str, port: int) -> bool:
    return _answer(host, port, b"QUIT\r\n").startswith(b"220")


def _http_answers(host: str, port: int) -> bool:
    name = f"[{host}]" if ":" in host else host
    answer = _answer(host, port, f"GET /readyz HTTP/1.0\r\nHost: {name}:{port}\r\n\r\n".encode())
    # Also who refuses to be called by that name (http_hosts) is there.
    return re.match(rb"HTTP/1\.\d [2-4]\d\d ", answer) is not None


def _answer(host: str, port: int, said: bytes) -> bytes:
    """What is answered, as far as the first 200 bytes; nothing when nobody is there."""
    try:
        with socket.create_connection((host, port), timeout=2.0) as connection:
            connection.sendall(said)
            return connection.recv(200)
    except OSError:
        return b""


# wait


def wait(given: argparse.Namespace) -> int:
    """0 when the mail is there, which is printed, a line of JSON each; 1 when it does not come in time."""
    from mockmail.testing.remote import connect

    url = given.url or os.environ.get("MOCKMAIL_HTTP_URL") or f"http://127.0.0.1:{SINK_HTTP_PORT}"
    criteria: dict[str, Any] = {}
    for name in ("to", "sender", "from_", "subject", "body"):
        text = getattr(given, name)
        if text is not None:
            criteria[name] = _pattern(name, text)
    if given.count < 1:
        raise ConfigurationError(f"--count is {given.count}; write a number of messages from 1.")
    try:
        with connect(url) as mail:
            found = mail.wait_for(given.count, timeout=given.timeout, **criteria)
            for message in found:
                print(json.dumps(_told(message), ensure_ascii=False))
    except AssertionError as failure:
        print(f"mockmail: {failure}", file=sys.stderr)
        return EXIT_IN_VAIN
    except NotRunningError as error:
        print(f"mockmail: {error}", file=sys.stderr)
        return EXIT_IN_VAIN
    return 0


def _pattern(name: str, text: str) -> str | re.Pattern[str]:
    if len(text) < 2 or not (text.startswith("/") and text.endswith("/")):
        return text
    try:
        return re.compile(text[1:-1])
    except re.error as error:
        flag = name.removesuffix("_")
        raise ConfigurationError(f"--{flag} is {text!r}, which is no regular expression: {error}.") from None


def _told(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "message_id": message.message_id,
        "sender": message.sender,
        "recipients": list(message.recipients),
        "from": message.from_,
        "to": list(message.to),
        "cc": list(message.cc),
        "subject": message.subject,
        "received_at": message.received_at.isoformat(),
        "text": message.text,
        "html": message.html,
        "links": list(message.links),
        "attachments": [
            {"filename": one.filename, "content_type": one.content_type, "size": len(one.content)}
            for one in message.attachments
        ],
    }
