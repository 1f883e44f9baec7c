"""Lines out of bytes, and replies gathered into writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from mockmail.smtp.replies import render
from mockmail.wire.contract import Action

__all__ = ["LineBuffer", "Outbox", "plain_command"]

_KEPT_LINE_BYTES = 12288 + 64
"""How much of a line is kept: more than any command or answer may have."""
_PLAIN_LINE = re.compile(rb"(?!(?i:AUTH|BDAT))([A-Za-z]{4})(?: ([ -~]*))?\r\n")


@lru_cache(maxsize=1024)
def plain_command(line: bytes) -> tuple[str, str | None, str] | None:
    """The command (in capitals), its argument, and that as events show it, of a line that is carried out at once and
    has no secret; ``None``: another line. Clients send the same few lines again and again."""
    match = _PLAIN_LINE.fullmatch(line)
    if match is None:
        return None
    name, rest = match.groups()
    argument = rest.decode().strip(" ") if rest else ""
    return name.decode().upper(), argument or None, argument


class LineBuffer:
    """Input that waits, and where it stands in the connection. A line ends in CRLF, or (a person at a ``nc`` prompt)
    in a bare LF. What has to stay out of transcripts is told to ``redact`` as soon as it is seen."""

    __slots__ = ("_overlong", "_overlong_at", "_redact", "_start", "base", "data")

    def __init__(self, redact: Callable[[int, int], None]) -> None:
        self._redact = redact
        self.data: bytes | bytearray = b""
        """What waits, and before it (see :meth:`compact`) what was taken; empty when nothing waits."""
        self._start = 0
        self.base = 0
        """How many bytes of the connection came before ``data``, those included that never came here."""
        self._overlong: bytes | None = None
        """The beginning of a line whose rest is thrown away until it ends."""
        self._overlong_at = 0
        """Where that stands in the connection."""

    def __len__(self) -> int:
        return len(self.data) - self._start

    @property
    def holds_anything(self) -> bool:
        """Whether anything waits, or is being thrown away."""
        return bool(self.data) or self._overlong is not None

    @property
    def has_line(self) -> bool:
        """Whether a line is complete."""
        return self.data.find(b"\n", self._start) >= 0

    def push(self, data: bytes) -> None:
        """Add bytes behind those that wait."""
        if not self.data:
            self.data = data  # mostly, and then a line need not be copied out of another buffer
        elif isinstance(self.data, bytearray):
            self.data += data
        else:
            self.data = bytearray().join((self.data, data))

    def take_line(self, *, secret: bool, odd_is_secret: bool = False) -> tuple[bytes, int] | None:
        """The next line without its end, of which at least the first 12 KB, and its offset in the connection; ``None``
        when none is complete. ``secret``: whatever it says is to be hidden; ``odd_is_secret``: if it is longer than any
        command."""
        data, start = self.data, self._start
        end = data.find(b"\n", start)
        if end < 0:
            self._shorten(secret or odd_is_secret)
            return None
        line = bytes(data[start:end])
        at = self.base + start
        if end + 1 < len(data):
            self._start = end + 1
        else:  # mostly: a client that waits for the reply sends one line
            self.base += end + 1
            self.data = b""
            self._start = 0
        if line.endswith(b"\r"):
            line = line[:-1]
        if self._overlong is not None:
            if secret or odd_is_secret or _may_have_secret(self._overlong):
                self._redact(at, at + len(line))
            line, self._overlong = self._overlong, None
            return line, self._overlong_at
        if secret:
            self._redact(at, at + len(line))
        return line, at

    def take_rest(self) -> bytes:
        """All that waits."""
        data = bytes(self.data[self._start :])
        self.drop_rest()
        return data

    def give_back(self, data: bytes) -> None:
        """Put back the end of what was taken, or passed by."""
        self.base -= len(data)
        self.push(data)

    def drop_rest(self) -> None:
        """Forget what waits."""
        self.base += len(self.data)
        self.data = b""
        self._start = 0

    def hide_rest(self, *, secret: bool) -> None:
        """Redact a line that was cut short, if it was to be hidden."""
        if len(self) and (secret or _may_have_secret(self.data[self._start : self._start + _KEPT_LINE_BYTES])):
            self._redact(self.base + self._start, self.base + len(self.data))

    def compact(self) -> None:
        """Give up the memory of what was taken."""
        if self._start:
            self.data = self.data[self._start :]
            self.base += self._start
            self._start = 0

    def _shorten(self, secret: bool) -> None:
        """Keep the beginning of a line that is longer than any may be, and no more."""
        if self._overlong is None:
            if len(self) <= _KEPT_LINE_BYTES:
                return
            self._overlong = bytes(self.data[self._start : self._start + _KEPT_LINE_BYTES])
            self._overlong_at = self.base + self._start
        # Whether a CR belongs to the end of the line is not known before the next byte.
        stop = len(self.data) - self.data.endswith(b"\r")
        if secret or _may_have_secret(self._overlong):
            self._redact(self.base + self._start, self.base + stop)
        rest = bytes(self.data[stop:])
        self.drop_rest()
        if rest:
            self.give_back(rest)


_AUTH = re.compile(rb"\s*AUTH\s", re.IGNORECASE)


def _may_have_secret(line: bytes | bytearray) -> bool:
    return _AUTH.match(line) is not None


class Outbox:
    """Actions in order, the replies between two others joined into one write."""

    __slots__ = ("actions", "replies", "unsent_bytes")

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.replies: list[bytes] = []
        """Those behind the actions."""
        self.unsent_bytes = 0
        """Bytes of the replies not yet taken."""

    def say(self, reply: str) -> None:
        """Queue a reply."""
        data = self.rendered(reply)
        self.replies.append(data)
        self.unsent_bytes += len(data)

    def rendered(self, reply: str) -> bytes:
        """A reply on the wire."""
        return render(reply)

    def act(self, action: Action) -> None:
        """Queue another action behind the replies so far."""
        self._join()
        self.actions.append(action)

    def take(self) -> list[Action]:
        """All of it."""
        if self.actions:
            self._join()
            actions, self.actions = self.actions, []
        elif self.replies:
            actions = [self._joined()]
        else:
            return []
        self.unsent_bytes = 0
        return actions

    def _join(self) -> None:
        if self.replies:
            self.actions.append(self._joined())

    def _joined(self) -> bytes:
        replies = self.replies
        data = replies[0] if len(replies) == 1 else b"".join(replies)
        replies.clear()
        return data
