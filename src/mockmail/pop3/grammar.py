"""Lines and commands of POP3: bytes in, parsed commands out. Memory is bounded whatever comes."""

from __future__ import annotations

import re
from typing import TypeAlias

from mockmail.records import record

__all__ = [
    "AUTH_LIMIT_BYTES",
    "COMMAND_LIMIT_BYTES",
    "NUMBER_DIGITS",
    "BadCommand",
    "Command",
    "Line",
    "LineReader",
    "Overlong",
    "first_word",
    "message_number",
    "parse_command",
]

COMMAND_LIMIT_BYTES = 2048
"""Longest command taken, without its line end. RFC 2449 section 4 asks for 255 octets with CRLF; clients send longer
passwords, and lose nothing by it."""
AUTH_LIMIT_BYTES = 12288 + 64
"""Longest AUTH command taken: its initial response (RFC 5034 section 4) may be a token of the length that RFC 4954
gives to SMTP."""

NUMBER_DIGITS = 10
_NAME_CHARACTERS = 16
"""How much of a first word is shown."""
_NOT_PRINTABLE = re.compile(rb"[^\x20-\x7e]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_UTF8_COMMANDS = frozenset({"USER", "PASS", "APOP"})
_ARGUMENT_COUNTS: dict[str, tuple[int, int]] = {
    "APOP": (2, 2),
    "AUTH": (0, 2),
    "CAPA": (0, 0),
    "DELE": (1, 1),
    "LIST": (0, 1),
    "LANG": (0, 1),
    "NOOP": (0, 0),
    "PASS": (1, 1),
    "QUIT": (0, 0),
    "STLS": (0, 0),
    "RETR": (1, 1),
    "RSET": (0, 0),
    "STAT": (0, 0),
    "TOP": (2, 2),
    "UIDL": (0, 1),
    "USER": (1, 1),
    "UTF8": (0, 0),
}
_IN_WORDS = ("no arguments", "one argument", "two arguments")


@record
class Line:
    """One line without its end. ``start`` and ``stop`` are its place among all bytes received."""

    data: bytes
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


@record
class Overlong:
    """A line that is longer than the limit; the reader throws it away up to its end."""

    head: bytes
    """How it begins."""
    start: int


class LineReader:
    """Cuts a stream into lines. They end in CRLF; a bare LF does too (a person at a ``nc`` prompt)."""

    __slots__ = ("_buffer", "_next", "_offset", "_searched", "discarding")

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = b""
        self._next = 0
        self._searched = 0
        self.discarding = False
        """Whether the rest of an over-long line is awaited."""
        self._offset = 0
        """Place of the buffer among all bytes received."""

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        if self._next == len(self._buffer):
            # Mostly: a client that waits for each response sends one line, which need not be copied.
            self._offset += self._next
            self._next = self._searched = 0
            self._buffer = data
        else:
            self._compact(self._next)
            if not isinstance(self._buffer, bytearray):
                self._buffer = bytearray(self._buffer)
            self._buffer += data
        if self.discarding:
            self._discard()

    def passed_by(self, count: int) -> None:
        """Count bytes that never came here, as nothing waited."""
        self._offset += count

    def clear(self) -> None:
        """Forget what was not read yet."""
        self._offset += len(self._buffer)
        self._buffer = b""
        self._next = self._searched = 0
        self.discarding = False

    @property
    def waiting(self) -> bool:
        """Whether bytes wait."""
        return self._next < len(self._buffer)

    @property
    def holds_anything(self) -> bool:
        """Whether bytes wait, or are being thrown away."""
        return self.waiting or self.discarding

    @property
    def position(self) -> int:
        """Place of the next byte to be read among all bytes received."""
        return self._offset + self._next

    def peek(self, count: int) -> bytes:
        """The first of the bytes that wait."""
        return bytes(self._buffer[self._next : self._next + count])

    def ready(self, limit_bytes: int) -> bool:
        """Whether :meth:`take` would give something."""
        return self._find() >= 0 or self._is_overlong(len(self._buffer), limit_bytes)

    def take(self, limit_bytes: int) -> Line | Overlong | None:
        """The next line; ``None`` when it is not here yet. One longer than ``limit_bytes`` is reported as soon as that
        is known, and once."""
        end = self._find()
        if end < 0:
            if not self._is_overlong(len(self._buffer), limit_bytes):
                return None
            overlong = Overlong(bytes(self._buffer[self._next : self._next + 16]), self._offset + self._next)
            self.discarding = True
            self._discard()
            return overlong
        start = self._next
        stop = end - 1 if end > start and self._buffer[end - 1] == 0x0D else end
        place = self._offset + start
        self._next = self._searched = end + 1
        if stop - start > limit_bytes:
            return Overlong(bytes(self._buffer[start : start + 16]), place)
        return Line(bytes(self._buffer[start:stop]), place)

    def _is_overlong(self, end: int, limit_bytes: int) -> bool:
        # A CR at the end may be the line's own.
        return end - self._next > limit_bytes + 1

    def _find(self) -> int:
        end = self._buffer.find(b"\n", self._searched)
        self._searched = len(self._buffer) if end < 0 else end
        return end

    def _compact(self, count: int) -> None:
        """Let go of the first bytes; those that were read are among them."""
        if isinstance(self._buffer, bytearray):
            del self._buffer[:count]
        else:
            self._buffer = self._buffer[count:]
        self._offset += count
        self._searched = max(0, self._searched - count)
        self._next = 0

    def _discard(self) -> None:
        end = self._buffer.find(b"\n", self._next)
        self._compact(len(self._buffer) if end < 0 else end + 1)
        self._searched = 0
        self.discarding = end < 0


@record
class Command:
    """A command with as many arguments as it takes. ``name`` is in capitals."""

    name: str
    arguments: tuple[str, ...]


@record
class BadCommand:
    """What is no command. ``name`` is its first word, for the record; ``reason`` tells the client."""

    name: str
    reason: str
    arguments: tuple[str, ...] = ()


Parsed: TypeAlias = Command | BadCommand


def parse_command(line: bytes, *, utf8: bool = False) -> Parsed:
    """Read one line, without its end (RFC 2449 section 3)::

        command = keyword *(SP param) CRLF
        keyword = 3*4VCHAR
        param   = 1*VCHAR

    Case does not count, nor do spaces at the end or several between (Eudora sent them). The one argument of PASS is
    all of the rest, spaces included (RFC 1939 section 7); that of USER likewise, less spaces at its end. An argument
    may have any length. With ``utf8``, names and passwords are UTF-8 (RFC 6856 section 2.2).
    """
    if line.isascii() and (text := line.decode("ascii")).isprintable():
        name = text.partition(" ")[0][:_NAME_CHARACTERS].upper() or first_word(line)
    else:
        name = first_word(line)
        if not utf8 or name not in _UTF8_COMMANDS or _CONTROL.search(line):
            return BadCommand(name, "a command is printable ASCII")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            return BadCommand(name, "this is no UTF-8")
    if not name or line.startswith(b" "):
        return BadCommand(name, "this is no command")
    rest = text.partition(" ")[2]
    counts = _ARGUMENT_COUNTS.get(name)
    if counts is None:
        return BadCommand(name, f"{name} is no command here", _words(rest))
    arguments: tuple[str, ...]
    if name == "PASS":
        arguments = (rest,) if rest else ()
    elif name == "USER":
        arguments = (rest.strip(" "),) if rest.strip(" ") else ()
    else:
        arguments = _words(rest)
    least, most = counts
    if not least <= len(arguments) <= most:
        at_most = "at most " if least < most else ""
        return BadCommand(name, f"{name} takes {at_most}{_IN_WORDS[most]}", _words(rest))
    return Command(name, arguments)


def _words(text: str) -> tuple[str, ...]:
    words = text.split(" ")  # split() would split at Unicode's spaces too
    return tuple([word for word in words if word] if "" in words else words)


def message_number(text: str) -> int | None:
    """A message-number or a count of lines, in decimal digits; ``None`` when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS else None


def first_word(line: bytes) -> str:
    """The first word, in capitals, cut to 16 characters, with a mark for what is not printable. White space before it
    is wrong, and is no reason to show the password behind it."""
    words = line[:64].split(None, 1)
    return _NOT_PRINTABLE.sub(b"?", words[0]).decode("ascii")[:_NAME_CHARACTERS].upper() if words else ""
