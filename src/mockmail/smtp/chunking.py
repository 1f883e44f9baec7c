"""Gathering the text of a message that comes in chunks of announced length (BDAT, RFC 3030 section 2)."""

from __future__ import annotations

import re

from mockmail.smtp.data import WHOLE_BYTES, beginning_of

__all__ = ["ChunkReader", "parse_chunk"]

# bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF     chunk-size = 1*DIGIT     end-marker = "LAST"
_ARGUMENT = re.compile(r"([0-9]{1,20})( +LAST)?", re.IGNORECASE)
_SMALL_BYTES = 4096


def parse_chunk(argument: str | None) -> tuple[int, bool] | None:
    """(bytes, whether it is the last) of a BDAT command; ``None`` when it says neither."""
    match = _ARGUMENT.fullmatch(argument or "")
    return None if match is None else (int(match[1]), match[2] is not None)


class ChunkReader:
    """Takes all chunks of one message. Nothing in them is looked for: no dot and no line end has a meaning. Of a text
    past ``limit_bytes`` nothing is kept, nor of a chunk begun with ``keep=False``; but all of it is taken."""

    __slots__ = ("_keep", "_left", "_limit_bytes", "_pieces", "_small", "size_bytes", "too_big")

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._small = bytearray()
        self._left = 0
        self._keep = True
        self.size_bytes = 0
        """Bytes of text that chunks so far announced."""
        self.too_big = False

    @property
    def complete(self) -> bool:
        """Whether no byte of the chunk is missing."""
        return self._left == 0

    def begin(self, size_bytes: int, *, keep: bool = True) -> None:
        """A chunk of this length follows."""
        self._left = size_bytes
        self._keep = keep
        if not keep:
            return
        self.size_bytes += size_bytes
        if self._limit_bytes is not None and self.size_bytes > self._limit_bytes:
            self.too_big = True
            self._pieces.clear()
            self._small.clear()

    def feed(self, data: bytes) -> int:
        """Take bytes; return how many of them belong to the chunk, which then is complete, or -1 when more of it is
        to come (then all do)."""
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            self._take(data)
            return -1
        self._left = 0
        self._take(data if len(data) == left else data[:left])
        return left

    def beginning(self) -> bytes:
        """As much of the text as its header is sure to be in. Before :meth:`text`."""
        self._flush()
        return beginning_of(self._pieces)

    def text(self) -> bytes | list[bytes]:
        """The text of all chunks; a long one in pieces. Call it once, at the end."""
        self._flush()
        pieces, self._pieces = self._pieces, []
        return pieces if self.size_bytes > WHOLE_BYTES else b"".join(pieces)

    def _take(self, data: bytes) -> None:
        if self.too_big or not self._keep:
            return
        if len(data) < _SMALL_BYTES:
            # A client that sends byte by byte must not cost an object for each.
            self._small += data
        else:
            self._flush()
            self._pieces.append(data)

    def _flush(self) -> None:
        if self._small:
            self._pieces.append(bytes(self._small))
            self._small.clear()
