"""What was said on each connection: bounded, without secrets, readable from any thread."""

from __future__ import annotations

import itertools
import re
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Conversations", "Record", "SessionTranscript", "Transcript"]

HEAD_BYTES = 16 * 1024
TAIL_BYTES = 48 * 1024
TAIL_LIMIT_BYTES = TAIL_BYTES + 8 * 1024
"""What makes the tail be cut to its size: many chunks at a time."""
CHUNK_OVERHEAD_BYTES = 128
"""What a chunk costs besides its bytes: a client that sends byte by byte must not cost megabytes."""
LONG_CHUNK_BYTES = 4 * 1024
CHUNK_HEAD_BYTES = 2 * 1024
CHUNK_TAIL_BYTES = 1024
CLOSED_SESSIONS = 100
SECRETS = 1000
REPORT_LINES = 60
SECRET = "***"

Side = Literal["C", "S", "*"]
_Sides = Literal["C", "S", "*", "C+S"]
_ODD = re.compile(r"[^\x20-\x7e]")


_Chunk: TypeAlias = "tuple[float, _Sides, int, bytes, int, bytes]"
"""When, who, where among the received bytes (if it is of those), the bytes (of a long chunk its beginning), their full
number, and of a long chunk its end; of an exchange (``"C+S"``) what was received, the number of all bytes, and what was
sent. A plain tuple: one is made for each piece of traffic."""


def _chunk_text(chunk: _Chunk, secrets: Sequence[tuple[int, int]]) -> str:
    _, side, offset, data, length, rest = chunk
    if side != "C":
        secrets = ()
    text = _hidden(data, offset, secrets)
    if rest:
        text += f"… {length - len(data) - len(rest)} bytes …{_hidden(rest, offset + length - len(rest), secrets)}"
    return text


def _hidden(data: bytes, offset: int, secrets: Sequence[tuple[int, int]]) -> str:
    """Bytes as Latin-1 text; each secret that begins here is shown as a mark, the rest of one as nothing."""
    shown: list[str] = []
    done = 0
    for start, stop in secrets:
        first, last = start - offset, stop - offset
        if last <= done or first >= len(data):
            continue
        if first >= 0:
            shown += (data[done:first].decode("latin-1"), SECRET)
        done = last
    shown.append(data[done:].decode("latin-1"))
    return "".join(shown)


class Record:
    """The transcript of one connection in the making. The methods that write are the loop thread's."""

    __slots__ = (
        "_clock", "_head", "_keep", "_left_out", "_room_bytes", "_secrets", "_tail",
        "account", "peer", "protocol", "received_bytes", "session",
    )  # fmt: skip

    def __init__(self, protocol: str, session: str, peer: tuple[str, int], clock: Callable[[], float]) -> None:
        self.protocol = protocol
        self.session = session
        self.peer = peer
        self.account: str | None = None
        self.received_bytes = 0
        self._clock = clock
        self._secrets: list[tuple[int, int]] = []
        self.clear()

    def clear(self) -> None:
        """Forget what was said so far; the connection goes on."""
        self._head: list[_Chunk] = []
        self._tail: deque[_Chunk] | None = None
        """Set when the head is full."""
        self._keep: Callable[[_Chunk], None] = self._head.append
        self._room_bytes = HEAD_BYTES
        """How much may yet be kept where chunks are kept now."""
        self._left_out = 0

    def received(self, data: bytes) -> None:
        offset, size = self.received_bytes, len(data)
        self.received_bytes = offset + size
        if size > LONG_CHUNK_BYTES:
            self._keep_long("C", offset, data)
            return
        self._keep((self._clock(), "C", offset, data, size, b""))
        self._room_bytes -= size + CHUNK_OVERHEAD_BYTES
        if self._room_bytes <= 0:
            self._make_room()

    def sent(self, data: bytes) -> None:
        size = len(data)
        if size > LONG_CHUNK_BYTES:
            self._keep_long("S", 0, data)
            return
        self._keep((self._clock(), "S", 0, data, size, b""))
        self._room_bytes -= size + CHUNK_OVERHEAD_BYTES
        if self._room_bytes <= 0:
            self._make_room()

    def exchanged(self, received: bytes, sent: bytes) -> None:
        """Bytes received, and bytes sent for them at once: :meth:`received` and :meth:`sent` in one step."""
        size = len(received) + len(sent)
        if size > LONG_CHUNK_BYTES:
            self.received(received)
            self.sent(sent)
            return
        offset = self.received_bytes
        self.received_bytes = offset + len(received)
        keep, clock = self._keep, self._clock
        keep((clock(), "C+S", offset, received, size, sent))
        self._room_bytes = room_bytes = self._room_bytes - size - CHUNK_OVERHEAD_BYTES
        if room_bytes <= 0:
            self._make_room()

    def note(self, text: str) -> None:
        """Something that happened besides bytes, such as a finished TLS handshake."""
        self._keep_long("*", 0, text.encode("latin-1", "replace") + b"\n")

    def redact(self, start: int, stop: int) -> None:
        """Hide the received bytes ``[start, stop)``, also those still to come. Ranges come in about the order of
        their bytes; those that touch become one."""
        if start >= stop:
            return
        secrets = self._secrets
        if secrets and secrets[-1][0] <= start <= secrets[-1][1]:
            secrets[-1] = (secrets[-1][0], max(stop, secrets[-1][1]))
            return
        secrets.append((start, stop))
        if len(secrets) > SECRETS:
            # Bytes between the head and the tail are no longer there to be hidden.
            head = [chunk for chunk in _one_sided(self._head) if chunk[1] == "C"]
            tail = [chunk for chunk in _one_sided(self._tail or ()) if chunk[1] == "C"]
            head_ends = max((chunk[2] + chunk[4] for chunk in head), default=0)
            tail_begins = min((chunk[2] for chunk in tail), default=self.received_bytes)
            self._secrets = [pair for pair in secrets if pair[0] < head_ends or pair[1] > tail_begins]

    def _keep_long(self, side: Side, offset: int, data: bytes) -> None:
        length, rest = len(data), b""
        if length > LONG_CHUNK_BYTES:
            data, rest = data[:CHUNK_HEAD_BYTES], data[-CHUNK_TAIL_BYTES:]
        self._keep((self._clock(), side, offset, data, length, rest))
        self._room_bytes -= len(data) + len(rest) + CHUNK_OVERHEAD_BYTES
        if self._room_bytes <= 0:
            self._make_room()

    def _make_room(self) -> None:
        tail = self._tail
        if tail is None:
            self._tail = tail = deque()
            self._keep = tail.append
            self._room_bytes = TAIL_LIMIT_BYTES
            return
        while self._room_bytes < TAIL_LIMIT_BYTES - TAIL_BYTES:
            _, _, _, data, length, rest = tail.popleft()
            self._room_bytes += len(data) + len(rest) + CHUNK_OVERHEAD_BYTES
            self._left_out += length

    def picture(self) -> SessionTranscript:
        """What was said so far. Any thread: chunks are only ever appended, and a copy is one step of the GIL's."""
        head, left_out, tail = tuple(self._head), self._left_out, tuple(self._tail.copy()) if self._tail else ()
        secrets = sorted(self._secrets)
        lines = _lines(head, secrets)
        if left_out:
            lines.append((tail[0][0] if tail else 0.0, f"*: … {left_out} bytes …"))
        lines += _lines(tail, secrets)
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


class Conversations(ABC):
    """The conversations of a server's sessions, the oldest first."""

    @abstractmethod
    def sessions(self, protocol: str | None = None, account: str | None = None) -> list[SessionTranscript]:
        """Pictures of the sessions that said anything, of one protocol and one account if given. Any thread."""

    def tail(self, limit_lines: int = REPORT_LINES) -> str:
        """The last lines of each session, for a report."""
        return "\n\n".join(session.tail(limit_lines) for session in self.sessions())

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.sessions()))


class Transcript(Conversations):
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


def _one_sided(chunks: Iterable[_Chunk]) -> Iterator[_Chunk]:
    """The same with exchanges taken apart."""
    for chunk in chunks:
        at, sides, offset, received, _, sent = chunk
        if sides == "C+S":
            yield at, "C", offset, received, len(received), b""
            yield at, "S", 0, sent, len(sent), b""
        else:
            yield chunk


def _lines(chunks: tuple[_Chunk, ...], secrets: Sequence[tuple[int, int]]) -> list[tuple[float, str]]:
    """Chunks as lines; a line in several chunks of one side is one line."""
    lines: list[tuple[float, str]] = []
    for side, group in itertools.groupby(_one_sided(chunks), key=lambda chunk: chunk[1]):
        said_by_one = list(group)
        at = said_by_one[0][0]
        said = "".join(_chunk_text(chunk, secrets) for chunk in said_by_one).replace("\r\n", "\n")
        lines.extend((at, f"{side}: {_ODD.sub(_escape, line)}") for line in said.removesuffix("\n").split("\n"))
    return lines


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in "…\t":
        return character
    return f"\\x{ord(character):02x}"
