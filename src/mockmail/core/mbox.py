"""The mbox format, variant mboxrd (RFC 4155 has the common part): many messages in one file, byte for byte.

A line of a message that begins with ``From ``, after any number of ``>``, gets one ``>`` more; all other lines are as
they were, with their ends. What the format has no place for stands in header fields on top of a message, which reading
takes away again.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

__all__ = ["join_message", "split_messages"]

# mbox = *( "From " sender SP SP asctime LF message LF )
_SEPARATOR = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From ([^\n]*)\n")
_TO_QUOTE = re.compile(rb"^(?=>*From )", re.MULTILINE)
_QUOTED = re.compile(rb"^>(?=>*From )", re.MULTILINE)
_ASCTIME = re.compile(rb"(\w{3} +\w{3} +\d{1,2} +\d{2}:\d{2}:\d{2}) +(?:\S+ +)*?(\d{4})\s*$")
# Ours: all four fields, in this order, on top.
_STATUS = re.compile(rb"Status: (\w*)\r?\nX-Status: (\w*)\r?\nX-Keywords: ([^\r\n]*)\r?\nX-Mockmail: ([a-z -]*)\r?\n")
# Everybody else's: anywhere in the header.
_FOREIGN_STATUS = re.compile(rb"^(Status|X-Status): *(\w*)\r?$", re.MULTILINE | re.IGNORECASE)
_HEADER_END = re.compile(rb"\n\r?\n")

_LETTER_OF = {"\\Seen": "R", "\\Answered": "A", "\\Flagged": "F", "\\Draft": "T", "\\Deleted": "D"}
"""IMAP flag -> its letter in ``Status`` (R) or ``X-Status`` (the rest)."""
_FLAG_OF = {letter: flag for flag, letter in _LETTER_OF.items()}


def join_message(raw: bytes, sender: str, received_at: datetime.datetime, flags: frozenset[str]) -> bytes:
    """One message as it stands in the file."""
    odd = []
    if b"\n" in raw and b"\r\n" not in raw:
        odd.append("as-is")
    if raw and not raw.endswith(b"\n"):
        odd.append("unended")
    text = raw
    if flags or odd or _FOREIGN_STATUS.search(_head(raw)):
        text = _status(flags, odd, b"\n" if "as-is" in odd else b"\r\n") + raw
    name = "".join("-" if char.isspace() else char for char in sender) or "MAILER-DAEMON"
    at = received_at.astimezone(datetime.UTC)
    line = f"From {name} {at:%a %b} {at.day:2} {at:%H:%M:%S %Y}\n".encode("utf-8", "surrogateescape")
    return line + _TO_QUOTE.sub(b">", text) + (b"\n\n" if "unended" in odd else b"\n")


def _status(flags: frozenset[str], odd: list[str], line_end: bytes) -> bytes:
    letters = sorted(_LETTER_OF[flag] for flag in flags if flag in _LETTER_OF)
    status = "RO" if "R" in letters else "O"
    other = "".join(letter for letter in letters if letter != "R")
    keywords = " ".join(sorted(flag for flag in flags if flag not in _LETTER_OF))
    lines = [f"Status: {status}", f"X-Status: {other}", f"X-Keywords: {keywords}", f"X-Mockmail: {' '.join(odd)}"]
    return b"".join(line.encode("utf-8", "surrogateescape") + line_end for line in lines)


def split_messages(
    content: bytes,
) -> Iterator[tuple[bytes, str, datetime.datetime | None, frozenset[str]]]:
    """Each message of a file: bytes with CRLF, envelope sender, when it was received (UTC), flags."""
    found = list(_SEPARATOR.finditer(content))
    for at, separator in enumerate(found):
        end = found[at + 1].start() if at + 1 < len(found) else len(content)
        text = content[separator.end() : end]
        # The empty line before the next message is no part of this one.
        text = text[:-2] if text.endswith(b"\r\n\r\n") else text.removesuffix(b"\n")
        text = _QUOTED.sub(b"", text)
        flags, odd, text = _read_status(text)
        if "unended" in odd:
            text = text.removesuffix(b"\n")
        if "as-is" not in odd and b"\r\n" not in text:
            text = text.replace(b"\n", b"\r\n")
        sender, received_at = _read_separator(separator[1])
        yield text, sender, received_at, flags


def _read_separator(rest: bytes) -> tuple[str, datetime.datetime | None]:
    sender = rest.split(b" ", 1)[0].decode("utf-8", "surrogateescape").strip()
    match = _ASCTIME.search(rest)
    at = None
    if match is not None:
        try:
            at = datetime.datetime.strptime(f"{match[1].decode()} {match[2].decode()}", "%a %b %d %H:%M:%S %Y")
        except ValueError:
            at = None  # a date that is none: the message has its own
    return "" if sender == "MAILER-DAEMON" else sender, None if at is None else at.replace(tzinfo=datetime.UTC)


def _read_status(text: bytes) -> tuple[frozenset[str], list[str], bytes]:
    """Flags, our remarks, and the message without what we put on top of it."""
    own = _STATUS.match(text)
    if own is not None:
        letters = (own[1] + own[2]).decode()
        keywords = own[3].decode("utf-8", "surrogateescape").split()
        flags = frozenset([*(_FLAG_OF[letter] for letter in letters if letter in _FLAG_OF), *keywords])
        return flags, own[4].decode().split(), text[own.end() :]
    letters = "".join(match[2].decode() for match in _FOREIGN_STATUS.finditer(_head(text)))
    return frozenset(_FLAG_OF[letter] for letter in letters if letter in _FLAG_OF), [], text


def _head(text: bytes) -> bytes:
    end = _HEADER_END.search(text)
    return text[: end.start() + 1] if end else text
