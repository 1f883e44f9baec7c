"""What was said on each connection: bounded, without secrets, readable from any thread."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Record", "SessionTranscript", "Transcript"]

HEAD_BYTES = 16 * 1024
TAIL_BYTES = 48 * 1024
CHUNK_OVERHEAD_BYTES = 128
"""What a chunk costs besides its bytes: a client that sends byte by byte must not cost megabytes."""
LONG_CHUNK_BYTES = 4 * 1024
CHUNK_HEAD_BYTES = 2 * 1024
CHUNK_TAIL_BYTES = 1024
CLOSED_SESSIONS = 100
REPORT_LINES = 60
SECRET = "***"

Side = Literal["C", "S", "*"]
_ODD = re.compile(r"[^\x20-\x7e]")


class _Chunk:
    """Bytes of one side. ``offset`` counts that side's bytes; the middle of a long chunk is left out. Only the
    loop thread changes it, and only by replacing ``secrets``."""

    __slots__ = ("at", "data", "length", "offset", "rest", "secrets", "side")

    def __init__(self, at: float, side: Side, offset: int, data: bytes) -> None:
        self.at = at
        self.side = side
        self.offset = offset
        self.length = len(data)
        self.rest = b""
        if self.length > LONG_CHUNK_BYTES:
            self.rest = data[-CHUNK_TAIL_BYTES:]
            data = data[:CHUNK_HEAD_BYTES]
        self.data = data
        self.secrets: tuple[tuple[int, int], ...] = ()

    @property
    def cost_bytes(self) -> int:
        return len(self.data) + len(self.rest) + CHUNK_OVERHEAD_BYTES

    def text(self) -> str:
        start = self._piece(self.data, self.offset)
        if not self.rest:
            return start
        left_out = self.length - len(self.data) - len(self.rest)
        end = self._piece(self.rest, self.offset + self.length - len(self.rest))
        return f"{start}… {left_out} bytes …{end}"

    def _piece(self, data: bytes, offset: int) -> str:
        """Bytes as Latin-1 text; each secret that begins here is shown as a mark, the rest of one as nothing."""
        shown: list[str] = []
        done = 0
        hidden_up_to = -1
        for start, stop in self.secrets:
            first, last = start - offset, stop - offset
            if last <= done or first >= len(data):
                continue
            if first >= 0 and first > hidden_up_to:
                shown += (data[done:first].decode("latin-1"), SECRET)
            done = hidden_up_to = last
        shown.append(data[done:].decode("latin-1"))
        return "".join(shown)


class Record:
    """The transcript of one connection in the making. The methods that write are the loop thread's."""

    __slots__ = (
        "_clock", "_head", "_head_bytes", "_last_secret", "_left_out", "_secrets_ahead", "_tail", "_tail_bytes",
        "account", "peer", "protocol", "received_bytes", "sent_bytes", "session",
    )  # fmt: skip

    def __init__(self, protocol: str, session: str, peer: tuple[str, int], clock: Callable[[], float]) -> None:
        self.protocol = protocol
        self.session = session
        self.peer = peer
        self.account: str | None = None
        self.received_bytes = 0
        self.sent_bytes = 0
        self._clock = clock
        self._head: list[_Chunk] = []
        self._head_bytes = 0
        self._tail: deque[_Chunk] = deque()
        self._tail_bytes = 0
        self._left_out = 0
        self._secrets_ahead: tuple[tuple[int, int], ...] = ()
        self._last_secret = (-1, -1)

    def received(self, data: bytes) -> None:
        chunk = _Chunk(self._clock(), "C", self.received_bytes, data)
        self.received_bytes += len(data)
        if self._secrets_ahead:
            chunk.secrets = self._secrets_ahead
            self._secrets_ahead = tuple(pair for pair in self._secrets_ahead if pair[1] > self.received_bytes)
        self._keep(chunk)

    def sent(self, data: bytes) -> None:
        self._keep(_Chunk(self._clock(), "S", self.sent_bytes, data))
        self.sent_bytes += len(data)

    def note(self, text: str) -> None:
        """Something that happened besides bytes, such as a finished TLS handshake."""
        self._keep(_Chunk(self._clock(), "*", 0, text.encode("latin-1", "replace") + b"\n"))

    def redact(self, start: int, stop: int) -> None:
        """Hide the received bytes ``[start, stop)``, also those still to come."""
        if start >= stop:
            return
        if self._last_secret[0] <= start <= self._last_secret[1]:
            start = self._last_secret[0]
        self._last_secret = (start, stop)
        if stop > self.received_bytes:
            self._secrets_ahead = (*self._secrets_ahead, (start, stop))
        for chunks in (self._tail, self._head):
            for chunk in reversed(chunks):
                if chunk.side != "C":
                    continue
                if chunk.offset + chunk.length <= start:
                    return
                if chunk.offset < stop:
                    chunk.secrets = tuple(sorted((*chunk.secrets, (start, stop))))

    def clear(self) -> None:
        """Forget what was said so far; the connection goes on."""
        self._head, self._tail = [], deque()
        self._head_bytes = self._tail_bytes = self._left_out = 0

    def _keep(self, chunk: _Chunk) -> None:
        cost = chunk.cost_bytes
        if self._head_bytes < HEAD_BYTES and not self._tail:
            self._head.append(chunk)
            self._head_bytes += cost
            return
        self._tail.append(chunk)
        self._tail_bytes += cost
        while self._tail_bytes > TAIL_BYTES:
            gone = self._tail.popleft()
            self._tail_bytes -= gone.cost_bytes
            self._left_out += gone.length

    def picture(self) -> SessionTranscript:
        """What was said so far. Any thread: chunks are only ever appended, and a copy is one step of the GIL's."""
        head, left_out, tail = tuple(self._head), self._left_out, tuple(self._tail.copy())
        lines = _lines(head)
        if left_out:
            lines.append((tail[0].at if tail else 0.0, f"*: … {left_out} bytes …"))
        lines += _lines(tail)
        return SessionTranscript(
            self.protocol,
            self.session,
            self.account,
            self.peer,
            tuple(line for _, line in lines),
            tuple(at for at, _ in lines),
        )


@dataclass(frozen=True, slots=True)
class SessionTranscript:
    """One session's conversation."""

    protocol: str
    session: str
    """Its name in events, such as ``"imap-3"``."""
    account: str | None
    peer: tuple[str, int]
    lines: tuple[str, ...]
    """``"C: ..."`` said by the client, ``"S: ..."`` by the server, ``"*: ..."`` a remark; not printable: escaped."""
    times: tuple[float, ...]
    """When each line began, in seconds since the epoch (real time)."""

    @property
    def header(self) -> str:
        host = f"[{self.peer[0]}]" if ":" in self.peer[0] else self.peer[0]
        return f"== {self.session} {host}:{self.peer[1]}{f' {self.account}' if self.account else ''} =="

    def tail(self, limit_lines: int = REPORT_LINES) -> str:
        """The last lines, below the header and the number of those left out."""
        left_out = len(self.lines) - limit_lines
        if left_out <= 0:
            return str(self)
        remark = f"({left_out} lines left out)"
        return "\n".join((self.header, remark, *self.lines[left_out:]))

    def __str__(self) -> str:
        return "\n".join((self.header, *self.lines))


class Transcript:
    """The conversations of a server's sessions, the oldest first: all open ones and the last closed ones."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: dict[Record, None] = {}
        self._closed: deque[Record] = deque()

    def open(self, protocol: str, session: str, peer: tuple[str, int]) -> Record:
        """Begin the record of a session. Loop thread."""
        record = Record(protocol, session, peer, self._clock)
        self._records[record] = None
        return record

    def close(self, record: Record) -> None:
        """The session is over; its record is kept for a while. Loop thread."""
        self._closed.append(record)
        if len(self._closed) > CLOSED_SESSIONS:
            self._records.pop(self._closed.popleft(), None)

    def clear(self) -> None:
        """Forget all that was said so far. Loop thread."""
        while self._closed:
            self._records.pop(self._closed.popleft(), None)
        for record in self._records:
            record.clear()

    def sessions(self, protocol: str | None = None, account: str | None = None) -> list[SessionTranscript]:
        """Pictures of the sessions that said anything, of one protocol and one account if given. Any thread."""
        wanted = account.lower() if account is not None else None
        pictures = [
            record.picture()
            for record in tuple(self._records)
            if (protocol is None or record.protocol == protocol)
            and (wanted is None or (record.account or "").lower() == wanted)
        ]
        return [picture for picture in pictures if picture.lines]

    def tail(self, limit_lines: int = REPORT_LINES) -> str:
        """The last lines of each session, for a report."""
        return "\n\n".join(session.tail(limit_lines) for session in self.sessions())

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.sessions()))


def _lines(chunks: tuple[_Chunk, ...]) -> list[tuple[float, str]]:
    """Chunks as lines; a line in several chunks of one side is one line."""
    lines: list[tuple[float, str]] = []
    position = 0
    while position < len(chunks):
        side, at = chunks[position].side, chunks[position].at
        texts: list[str] = []
        while position < len(chunks) and chunks[position].side == side:
            texts.append(chunks[position].text())
            position += 1
        said = "".join(texts).replace("\r\n", "\n")
        lines.extend((at, f"{side}: {_ODD.sub(_escape, line)}") for line in said.removesuffix("\n").split("\n"))
    return lines


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in "…\t":
        return character
    return f"\\x{ord(character):02x}"
