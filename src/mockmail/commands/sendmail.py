"""``mockmail send``: what programs that know no SMTP call as ``sendmail``."""

from __future__ import annotations

import os
import smtplib
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.utils import formataddr, formatdate, getaddresses, make_msgid
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from mockmail.commands.options import SINK_PORTS

__all__ = ["send"]

# sysexits.h, by which callers of sendmail tell what happened.
EX_OK, EX_USAGE, EX_NOUSER, EX_UNAVAILABLE, EX_TEMPFAIL = 0, 64, 67, 69, 75
_WITH_ARGUMENT = frozenset("BCDNORVXbdhopq")
"""Letters of options of sendmail that have an argument, and no effect here."""
_ALONE = frozenset("AGIUcemnsvw")


class _WrongUsage(Exception):
    pass


@dataclass
class _Order:
    recipients: list[str] = field(default_factory=list)
    sender: str | None = None
    name: str = ""
    from_headers: bool = False
    dot_ends: bool = True
    speaks_smtp: bool = False
    url: str = ""


def send(words: Sequence[str]) -> int:
    """Send what is on standard input; the exit status, as sendmail has it."""
    try:
        order = _read_order(words)
        host, port, login = _server(order.url, os.environ)
    except _WrongUsage as error:
        print(f"mockmail send: {error}", file=sys.stderr)
        return EX_USAGE
    try:
        if order.speaks_smtp:
            return _speak_smtp(host, port)
        raw = _read_message(sys.stdin.buffer, dot_ends=order.dot_ends)
        return _hand_over(host, port, login, order, raw)
    except smtplib.SMTPRecipientsRefused as error:
        return _refused(error.recipients)
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        print(f"mockmail send: {error.smtp_code} {text}", file=sys.stderr)
        return EX_TEMPFAIL if error.smtp_code < 500 else EX_UNAVAILABLE
    except (OSError, smtplib.SMTPException) as error:
        print(f"mockmail send: no server at {host}:{port}: {error}", file=sys.stderr)
        return EX_TEMPFAIL


def _read_order(words: Sequence[str]) -> _Order:
    order = _Order()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            order.recipients += rest
            break
        if word == "--url" or word.startswith("--url="):
            order.url = word.partition("=")[2] or _argument(word, rest)
        elif word.startswith("--"):
            raise _WrongUsage(f"there is no option {word}; see mockmail send --help")
        elif word.startswith("-") and len(word) > 1:
            _read_option(word, rest, order)
        else:
            order.recipients.append(word)
    return order


def _argument(option: str, rest: list[str]) -> str:
    if not rest:
        raise _WrongUsage(f"{option} wants an argument")
    return rest.pop(0)


def _read_option(word: str, rest: list[str], order: _Order) -> None:
    letter, attached = word[1], word[2:]
    if letter in "fr":
        order.sender = attached or _argument(word, rest)
        order.sender = "" if order.sender == "<>" else order.sender.strip("<>")
    elif letter == "F":
        order.name = attached or _argument(word, rest)
    elif word == "-bs":
        order.speaks_smtp = True
    elif word in ("-i", "-oi"):
        order.dot_ends = False
    elif letter == "t":
        order.from_headers = True
        if attached:
            _read_option("-" + attached, rest, order)  # -ti, as PHP and Perl have it
    elif letter == "i" and attached:
        order.dot_ends = False
        _read_option("-" + attached, rest, order)
    elif letter in _WITH_ARGUMENT:
        if not attached:
            _argument(word, rest)
    elif letter not in _ALONE:
        raise _WrongUsage(f"there is no option {word}; see mockmail send --help")


def _server(url: str, environ: Mapping[str, str]) -> tuple[str, int, tuple[str, str] | None]:
    url = url or environ.get("MOCKMAIL_SMTP_URL", "")
    if not url:
        host = environ.get("MOCKMAIL_SMTP_HOST", "127.0.0.1")
        port = environ.get("MOCKMAIL_SMTP_PORT", str(SINK_PORTS["smtp_port"]))
        url = f"smtp://[{host}]:{port}" if ":" in host else f"smtp://{host}:{port}"
    parts = urlsplit(url)
    try:
        port_number = parts.port
    except ValueError:
        port_number = None
    if parts.scheme != "smtp" or not parts.hostname or port_number is None:
        raise _WrongUsage(f"the server is {url!r}; write smtp://HOST:PORT, by --url or MOCKMAIL_SMTP_URL")
    login = (unquote(parts.username), unquote(parts.password)) if parts.username and parts.password else None
    return parts.hostname, port_number, login


# The message


def _read_message(source: BinaryIO, *, dot_ends: bool) -> bytes:
    lines = []
    for line in source:
        if dot_ends and line.rstrip(b"\r\n") == b".":
            break
        lines.append(line.rstrip(b"\n").removesuffix(b"\r") + b"\r\n")
    return b"".join(lines)


def _hand_over(host: str, port: int, login: tuple[str, str] | None, order: _Order, raw: bytes) -> int:
    head = message_from_bytes(raw.partition(b"\r\n\r\n")[0], policy=policy.compat32)
    recipients = list(order.recipients)
    if order.from_headers:
        named = [str(value) for name in ("to", "cc", "bcc") for value in head.get_all(name, [])]
        recipients += [address for _, address in getaddresses(named) if address]
        raw = _without_field(raw, b"bcc")
    recipients = list(dict.fromkeys(one.strip("<>") for one in recipients))
    if not recipients:
        print("mockmail send: there are no recipients; name them, or use -t", file=sys.stderr)
        return EX_USAGE
    named_sender = [address for _, address in getaddresses([str(head.get("from", ""))]) if address]
    user = f"{os.environ.get('USER') or 'nobody'}@{socket.gethostname() or 'localhost'}"
    sender = order.sender if order.sender is not None else (named_sender[0] if named_sender else user)
    missing = []
    if "from" not in head:
        missing.append(f"From: {formataddr((order.name, sender or user))}")
    if "date" not in head:
        missing.append(f"Date: {formatdate(localtime=True)}")
    if "message-id" not in head:
        missing.append(f"Message-ID: {make_msgid(domain='mockmail.test')}")
    if missing:
        has_head = bool(head.keys())
        raw = "".join(f"{line}\r\n" for line in missing).encode() + (raw if has_head else b"\r\n" + raw.lstrip(b"\r\n"))
    with smtplib.SMTP(host, port, timeout=60) as smtp:
        smtp.ehlo_or_helo_if_needed()
        if os.environ.get("SSL_CERT_FILE") and smtp.has_extn("starttls"):
            import ssl

            smtp.starttls(context=ssl.create_default_context())
        if login is not None:
            smtp.login(*login)
        options = [] if raw.isascii() else ["BODY=8BITMIME"]
        if not all(one.isascii() for one in (sender, *recipients)):
            options.append("SMTPUTF8")
            smtp.command_encoding = "utf-8"
        refused = smtp.sendmail(sender, recipients, raw, mail_options=options)
    return _refused(refused) if refused else EX_OK


def _without_field(raw: bytes, name: bytes) -> bytes:
    head, separator, body = raw.partition(b"\r\n\r\n")
    kept: list[bytes] = []
    dropping = False
    for line in head.split(b"\r\n"):
        if line[:1] not in (b" ", b"\t"):
            dropping = line.partition(b":")[0].strip().lower() == name
        if not dropping:
            kept.append(line)
    return b"\r\n".join(kept) + separator + body


def _refused(recipients: Mapping[str, tuple[int, bytes]]) -> int:
    for address, (code, text) in recipients.items():
        print(f"mockmail send: {address}: {code} {text.decode('utf-8', 'replace')}", file=sys.stderr)
    codes = [code for code, _ in recipients.values()]
    return EX_TEMPFAIL if all(code < 500 for code in codes) else EX_NOUSER


# SMTP on standard input and output


def _speak_smtp(host: str, port: int) -> int:
    """Hand bytes on, both ways, until the server closes."""
    with socket.create_connection((host, port), timeout=60) as server:
        server.settimeout(None)

        def hand_in() -> None:
            while chunk := os.read(sys.stdin.fileno(), 65536):
                try:
                    server.sendall(chunk)
                except OSError:
                    return  # it has closed, which the other direction tells
            try:
                server.shutdown(socket.SHUT_WR)
            except OSError:
                return

        threading.Thread(target=hand_in, name="mockmail-send", daemon=True).start()
        while chunk := server.recv(65536):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
    return EX_OK
