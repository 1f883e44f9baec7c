"""Bytes to complete commands, before any grammar: lines and literals are kept apart, so that what a literal holds
is never read as a command (RFC 3501 sections 2.2.1, 4.3 and 7.5; RFC 7888)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from mockmail.records import record

__all__ = ["Continuation", "Event", "Framer", "Limits", "Line", "Piece", "RawCommand", "Refusal"]

# literal  = "{" number ["+"] "}" CRLF *CHAR8          RFC 7888
# literal8 = "~{" number ["+"] "}" CRLF *OCTET         RFC 4466
_ANNOUNCEMENT = re.compile(rb"(~?)\{([0-9]{1,19})(\+?)\}\Z")
_ANNOUNCEMENT_BYTES = 23
_TAG = re.compile(rb"([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,255}) ")  # ASTRING-CHAR except "+"
_APPEND = re.compile(rb"[^ ]+ APPEND ", re.IGNORECASE)
_MINUS_BYTES = 4096  # RFC 7888 section 5
_SMALL_BYTES = 4096


@record
class Limits:
    """How much one command may hold, in bytes. What is past them is discarded, not stored."""

    line_bytes: int = 1024 * 1024
    """One line without its literals. Ample, since a client may name ten thousands of UIDs in one command."""
    literal_bytes: int = 1024 * 1024
    """One literal of any command but APPEND."""
    message_bytes: int = 64 * 1024 * 1024
    """One literal of APPEND."""
    command_bytes: int = 80 * 1024 * 1024
    """All lines and literals of one command."""
    literals: int = 1000
    """Number of literals in one command."""


@record
class Piece:
    """Text of a line, without announcement and line end, or the contents of a literal."""

    data: bytes
    start: int
    """Offset of ``data[0]`` in the bytes received since the connection began."""
    literal: bool = False
    binary: bool = False
    """A literal8 (RFC 3516)."""

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


@record
class RawCommand:
    """A command as it came. Pieces are text, literal, text, literal ..., text: text at even indexes (the first and
    the last always, empty if need be), literals at odd ones."""

    pieces: tuple[Piece, ...]


@record
class Line:
    """A line outside command mode, without its line end: a SASL response, or DONE."""

    data: bytes
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


@record
class Continuation:
    """The client waits for leave to send a literal: send ``+ ``, or call :meth:`Framer.refuse` and send a tagged
    reply instead."""

    command: RawCommand
    """What came so far; the last piece is the text before the literal."""
    size_bytes: int


@record
class Refusal:
    """A command that broke a limit, reported once and at once; the framer discards the rest of it by itself."""

    tag: str | None
    """``None`` when the client's tag cannot be made out: the reply is untagged, ``* BAD ...``."""
    condition: str
    """``"BAD"`` or ``"NO"``."""
    text: str
    code: str | None = None
    """A response code without brackets, such as ``"TOOBIG"``."""
    command: RawCommand = RawCommand(())
    """What was kept of it, for redaction."""


Event: TypeAlias = RawCommand | Continuation | Refusal


class Framer:
    """Cuts the client's bytes. :meth:`feed` takes what arrived, :meth:`next` gives what is complete. Linear in
    time however the bytes are cut, and equal in result. Never raises for anything a client sent.

    ``literal_plus``, ``literal_minus`` and ``literal8`` say which literals are in force besides synchronizing ones;
    those attributes and ``limits`` may be set between commands.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        literal_plus: bool = False,
        literal_minus: bool = False,
        literal8: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.literal_plus = literal_plus
        self.literal_minus = literal_minus
        self.literal8 = literal8
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._data = b""
        self._at = 0
        self._base = 0  # stream offset of _data[0]
        self._line = bytearray()
        self._line_start = 0
        self._pieces: list[Piece] = []
        self._command_bytes = 0
        self._literal: _LiteralUnderWay | None = None
        self.hide: Callable[[int, int], None] | None = None
        """Told of the offsets of what is discarded of the command that was refused last, when that is a secret."""
        self._discarding = False
        self._discarding_command = False  # and with it the non-synchronizing literals it announces

    @property
    def buffered_bytes(self) -> int:
        """Bytes fed and not yet looked at; a session stops reading when this grows."""
        return self._waiting_bytes + len(self._data) - self._at

    @property
    def idle(self) -> bool:
        """Nothing of a command has come yet, and nothing is being discarded."""
        return not (self._pieces or self._line or self._literal or self._discarding or self.buffered_bytes)

    @property
    def in_command(self) -> bool:
        """Whether a command has begun, is not complete, and is not being discarded."""
        return bool(self._pieces or self._line) and not self._discarding

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrived."""
        if data:
            self._waiting.append(data)
            self._waiting_bytes += len(data)

    def clear(self) -> None:
        """Drop all that came and was not handed out (after STARTTLS, RFC 3501 section 6.2.1). Offsets count on."""
        self._base += len(self._data) + self._waiting_bytes
        self._waiting.clear()
        self._waiting_bytes = 0
        self._data, self._at = b"", 0
        self._discarding = False
        self.hide = None
        self._drop_command()

    def refuse(self) -> None:
        """Answer to a :class:`Continuation`: the literal will not come, and the command is forgotten."""
        self._drop_command()

    def next(self) -> Event | None:
        """The next complete command, or what must be answered before there is one; ``None``: feed more."""
        while self._more():
            start = self._base + self._at
            if self._literal is not None:
                self._take_literal(self._literal)
                self._hide_discarded(start)
                continue
            line = self._take_line()
            if self._discarding:
                self._hide_discarded(start)
                self._discard_line(line)
            elif line is None and not self._line_too_long():
                continue
            elif line is None or len(line) > self.limits.line_bytes:
                return self._discard(line, f"The line is longer than {self.limits.line_bytes} bytes", command=True)
            else:
                event = self._end_of_line(line)
                if event is not None:
                    return event
        return None

    def next_line(self) -> Line | Refusal | None:
        """One line outside command mode (an AUTHENTICATE response, DONE). Braces mean nothing in it. To be called
        only between commands; ``None``: feed more."""
        while self._more():
            start = self._base + self._at
            line = self._take_line()
            if self._discarding:
                self._hide_discarded(start)
                self._discard_line(line)
            elif line is None and not self._line_too_long():
                continue
            elif line is None or len(line) > self.limits.line_bytes:
                return self._discard(line, f"The line is longer than {self.limits.line_bytes} bytes", command=False)
            else:
                return Line(line, self._line_start)
        return None

    def _more(self) -> bool:
        if self._at == len(self._data):
            self._base += len(self._data)
            self._data, self._at = b"", 0
            if not self._waiting:
                return False
            self._data = self._waiting.popleft()
            self._waiting_bytes -= len(self._data)
        return True

    def _take_line(self) -> bytes | None:
        """Move to the end of the line, or of the data. A bare LF ends a line too: a person at a ``nc`` prompt."""
        if not self._line:
            self._line_start = self._base + self._at
        stop = self._data.find(b"\n", self._at)
        if stop < 0:
            self._line += self._data[self._at :]
            self._at = len(self._data)
            return None
        line = self._data[self._at : stop]
        self._at = stop + 1
        if self._line:
            self._line += line
            line = bytes(self._line)
            self._line.clear()
        return line[:-1] if line.endswith(b"\r") else line

    def _line_too_long(self) -> bool:
        excess = len(self._line) - self.limits.line_bytes
        return excess > 1 or (excess == 1 and not self._line.endswith(b"\r"))

    def _discard(self, line: bytes | None, text: str, *, command: bool) -> Refusal:
        """Refuse the command for this line, whose end (``None``: not yet here) says whether more must go."""
        kept = bytes(self._line[: self.limits.line_bytes]) if line is None else line[: self.limits.line_bytes]
        self._pieces.append(Piece(kept, self._line_start))
        refusal = self._refusal("BAD", text, tagged=command)
        self.hide = None
        self._discarding = True
        self._discarding_command = command
        self._discard_line(line)
        return refusal

    def _discard_line(self, line: bytes | None) -> None:
        if line is None:
            kept = _ANNOUNCEMENT_BYTES + 1  # and a CR
            if len(self._line) > kept:
                del self._line[:-kept]
            return
        found = _ANNOUNCEMENT.search(line, max(0, len(line) - _ANNOUNCEMENT_BYTES))
        if found and found[3] and self._discarding_command:
            self._literal = _LiteralUnderWay(int(found[2]), 0, keep=False)
        else:  # after a synchronizing announcement the client waits, and has its answer already
            self._discarding = False
            self.hide = None

    def _end_of_line(self, line: bytes) -> Event | None:
        self._command_bytes += len(line)
        if self._command_bytes > self.limits.command_bytes:
            return self._discard(line, f"The command is longer than {self.limits.command_bytes} bytes", command=True)
        found = _ANNOUNCEMENT.search(line, max(0, len(line) - _ANNOUNCEMENT_BYTES))
        if found is None:
            command = RawCommand((*self._pieces, Piece(line, self._line_start)))
            self._drop_command()
            return command
        self._pieces.append(Piece(line[: found.start()], self._line_start))
        size, waits, binary = int(found[2]), not found[3], bool(found[1])
        why_not = self._why_not(size, waits, binary)
        if why_not is not None:
            refusal = self._refusal(*why_not)
            self.hide = None
            if not waits:
                self._discarding = self._discarding_command = True
                self._literal = _LiteralUnderWay(size, 0, keep=False)
            return refusal
        self._command_bytes += size
        continuation = Continuation(RawCommand(tuple(self._pieces)), size) if waits else None
        self._literal = _LiteralUnderWay(size, self._base + self._at, binary=binary)
        if size == 0:
            self._end_of_literal(self._literal)
        return continuation

    def _why_not(self, size: int, waits: bool, binary: bool) -> tuple[str, str, str | None] | None:
        """Condition, text and response code of the refusal of a literal, or ``None``."""
        limits = self.limits
        appends = _APPEND.match(self._pieces[0].data) is not None
        code = "TOOBIG" if appends else None
        limit = limits.message_bytes if appends else limits.literal_bytes
        if binary and not self.literal8:
            return "BAD", "Literals with a tilde, ~{...}, are not available here", None
        if not waits and not (self.literal_plus or self.literal_minus):
            return "BAD", f"Write {{{size}}} and wait: LITERAL+ is not available here", None
        if size > limit:
            return "NO" if appends else "BAD", f"A literal of {size} bytes is too big; the limit is {limit} bytes", code
        if not waits and not self.literal_plus and size > _MINUS_BYTES:
            return "BAD", f"Write {{{size}}} and wait: LITERAL- ends at {_MINUS_BYTES} bytes", code
        if self._command_bytes + size > limits.command_bytes:
            return "BAD", f"The command is longer than {limits.command_bytes} bytes", code
        if len(self._pieces) // 2 >= limits.literals:
            return "BAD", f"The command has more than {limits.literals} literals", None
        return None

    def _take_literal(self, literal: _LiteralUnderWay) -> None:
        left = literal.missing_bytes
        available = len(self._data) - self._at
        take = min(left, available)
        if literal.keep:
            literal.add(self._data if take == len(self._data) else self._data[self._at : self._at + take])
        literal.missing_bytes -= take
        self._at += take
        if literal.missing_bytes == 0:
            self._end_of_literal(literal)

    def _end_of_literal(self, literal: _LiteralUnderWay) -> None:
        self._literal = None
        if literal.keep:
            self._pieces.append(Piece(b"".join(literal.chunks), literal.start, True, literal.binary))

    def _refusal(self, condition: str, text: str, code: str | None = None, *, tagged: bool = True) -> Refusal:
        command = RawCommand(tuple(self._pieces))
        tag = _TAG.match(self._pieces[0].data) if tagged else None
        self._pieces = []
        self._command_bytes = 0
        return Refusal(tag[1].decode("ascii") if tag else None, condition, text, code, command)

    @property
    def position(self) -> int:
        """The offset after what was looked at, but for a line's end."""
        return self._base + self._at - (self._data[self._at - 1 : self._at] == b"\n")

    def _hide_discarded(self, start: int) -> None:
        if self.hide is not None and self._discarding:
            self.hide(start, self.position)

    def _drop_command(self) -> None:
        self._pieces = []
        self._command_bytes = 0
        self._literal = None
        self._line.clear()


class _LiteralUnderWay:
    """Gathers a literal's chunks; they are joined once. Small ones go together into one chunk, so that a literal
    sent byte by byte costs its own size."""

    __slots__ = ("binary", "chunks", "keep", "missing_bytes", "start")

    def __init__(self, size_bytes: int, start: int, *, keep: bool = True, binary: bool = False) -> None:
        self.missing_bytes = size_bytes
        self.start = start
        self.keep = keep
        self.binary = binary
        self.chunks: list[bytes | bytearray] = []

    def add(self, chunk: bytes) -> None:
        if len(chunk) > _SMALL_BYTES:
            self.chunks.append(chunk)
        elif self.chunks and isinstance(last := self.chunks[-1], bytearray):
            last += chunk
        else:
            self.chunks.append(bytearray(chunk))
