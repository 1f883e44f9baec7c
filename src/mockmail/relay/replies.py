"""Replies of a next hop (RFC 5321 section 4.2), and what went wrong instead in the same form."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Reply", "ReplyReader", "Trouble"]

LINE_LIMIT = 4096
LINES_LIMIT = 500

# Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
# Reply-code = %x32-35 %x30-35 %x30-39
_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: +|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. ``lines`` are without code and enhanced status code."""

    code: int
    status: str
    """Enhanced status code; of a reply without one, the class alone: ``"5.0.0"``."""
    lines: tuple[str, ...] = ()
    spoken: bool = True
    """Whether a next hop said it; else it says what went wrong here or on the way."""

    @property
    def positive(self) -> bool:
        return self.code < 400

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.status} {' '.join(self.lines)}".rstrip()

    @classmethod
    def here(cls, code: int, status: str, text: str) -> Reply:
        """What no next hop said."""
        return cls(code, status, (text,), spoken=False)


class Trouble(Exception):
    """The connection is of no more use. ``reply`` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class ReplyReader:
    """Makes replies of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[tuple[str, str]] = []

    def clear(self) -> None:
        """Forget what came; TLS begins."""
        self._buffer.clear()
        self._lines.clear()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Reply | None:
        """The next whole reply, if it is there. ``Trouble`` for what is none."""
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            reply = self._take(line)
            if reply is not None:
                return reply
        if len(self._buffer) > LINE_LIMIT:
            raise _nonsense(bytes(self._buffer))
        return None

    def _take(self, line: bytes) -> Reply | None:
        match = _LINE.fullmatch(line)
        if match is None or len(line) > LINE_LIMIT or len(self._lines) >= LINES_LIMIT:
            raise _nonsense(line)
        code, separator, text = match[1].decode(), match[2], (match[3] or b"").decode(errors="replace")
        if self._lines and self._lines[0][0] != code:
            raise _nonsense(line)
        self._lines.append((code, text))
        if separator == b"-":
            return None
        lines, self._lines = self._lines, []
        return _reply(int(code), [text for _, text in lines])


def _reply(code: int, texts: list[str]) -> Reply:
    status = f"{code // 100}.0.0"
    match = _STATUS.match(texts[0])
    if match is not None and match[1][0] == str(code)[0]:
        status = match[1]
        texts = [text.removeprefix(status).lstrip() for text in texts]
    return Reply(code, status, tuple(texts))


def _nonsense(line: bytes) -> Trouble:
    shown = repr(line[:60]).removeprefix("b")
    return Trouble(Reply.here(451, "4.5.0", f"the next hop answered {shown}, which is no reply of SMTP"))
