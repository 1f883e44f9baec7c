"""Replies (RFC 5321 section 4.2) and their enhanced status codes (RFC 2034, RFC 3463).

A reply is a string: its code, a space, its text; a newline separates the lines of one that has several.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "GO_AHEAD",
    "OK",
    "RECIPIENT_OK",
    "SENDER_OK",
    "SUCCESSES",
    "code_of",
    "printable",
    "render",
    "with_status_code",
    "without_status_code",
]

OK = "250 2.0.0 OK"
SENDER_OK = "250 2.1.0 Sender OK"
RECIPIENT_OK = "250 2.1.5 Recipient OK"
GO_AHEAD = "354 End data with <CR><LF>.<CR><LF>"
SUCCESSES = (OK, SENDER_OK, RECIPIENT_OK)
"""After these there is nothing to be done but to send them."""

_STATUS_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3} ")
_DEFAULT_STATUS_CODES = {
    "211": "2.0.0",
    "214": "2.0.0",
    "221": "2.0.0",
    "250": "2.0.0",
    "252": "2.5.2",
    "421": "4.3.2",
    "451": "4.3.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "504": "5.5.4",
    "530": "5.7.0",
}


def render(reply: str) -> bytes:
    """The reply on the wire, each line with the code and CRLF (RFC 5321 section 4.2.1)."""
    if "\n" not in reply:
        return reply.encode() + b"\r\n"
    return _render_lines(reply)


@lru_cache(maxsize=16)
def _render_lines(reply: str) -> bytes:
    """Such a reply is that to EHLO, and mostly the same."""
    code, text = reply[:3], reply[4:]
    lines = text.splitlines()
    head = "".join(f"{code}-{line}\r\n" for line in lines[:-1])
    return f"{head}{code} {lines[-1]}\r\n".encode()


def code_of(reply: str) -> int:
    """The reply's code; 0 when it begins with none, as a scripted reply may."""
    code = reply[:3]
    return int(code) if len(code) == 3 and code.isascii() and code.isdigit() else 0


def with_status_code(reply: str) -> str:
    """The reply of aiosmtpd's own commands, which have none or not always, with an enhanced status code."""
    status_code = _DEFAULT_STATUS_CODES.get(reply[:3])
    if status_code is None or _STATUS_CODE.match(reply, 4):
        return reply
    return f"{reply[:4]}{status_code} {reply[4:]}"


def without_status_code(reply: str) -> str:
    """The reply as a server without ENHANCEDSTATUSCODES gives it."""
    head, text = reply[:4], reply[4:]
    return head + "\n".join(
        _STATUS_CODE.sub("", line, count=1) if _STATUS_CODE.match(line) else line for line in text.split("\n")
    )


def printable(text: str) -> str:
    """What a client sent, fit to stand in a reply: printable ASCII, not too long."""
    clean = "".join(character if " " <= character <= "~" else "?" for character in text)
    return clean if len(clean) <= 40 else clean[:40] + "..."
