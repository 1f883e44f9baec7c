"""Gathering the text between DATA and the end of data (RFC 5321 sections 4.1.1.4 and 4.5.2)."""

from __future__ import annotations

from collections.abc import Sequence

from mockmail.mime.dots import dot_begins_line

__all__ = ["WHOLE_BYTES", "DataReader", "beginning_of"]

_END = b"\r\n.\r\n"
_DOT = b"\r\n."
_SMALL_BYTES = 4096
WHOLE_BYTES = 16 * 1024
"""A longer text is not put together before somebody looks at it: of a short one that saves nothing."""


class DataReader:
    """Takes chunks until the end of data, which is CRLF.CRLF and nothing like it: what only resembles it (a bare LF
    or CR beside the dot) is text. No work is done line by line, and of a text past ``limit_bytes`` nothing is kept."""

    # Of the class until something else holds: most texts never set these.
    _whole: bytes | None = None
    """A text that came alone in one chunk, with no dot to be unstuffed."""
    _small: bytes | bytearray = b""
    # As if a line had ended before the first byte, so that the first line may be the dot.
    _tail = b"\r\n"
    _dotted = False
    _overrun_bytes = 0

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit_bytes = limit_bytes
        self._chunks: list[bytes] = []
        self.size_bytes = 0
        """Bytes of text so far, dots still stuffed."""
        self.too_big = False

    def feed(self, chunk: bytes) -> int:
        """Take a chunk; return how many of its bytes belong to the text and its end, or -1 when the end is still
        to come (then all do)."""
        ends = chunk.endswith(_END)
        text = chunk[:-3] if ends else chunk
        if ends and not self.size_bytes and chunk[:1] != b"." and not dot_begins_line(text):
            # A text that comes whole and has no dot at the beginning of a line, as nearly all small ones.
            self.size_bytes = len(text)
            if self._limit_bytes is not None and self.size_bytes > self._limit_bytes:
                self._drop()
            else:
                self._whole = text
            return len(chunk)
        tail = self._tail
        border = tail + chunk[:4]
        at = border.find(_END)
        if at >= 0:
            return self._finish(chunk, at + len(_END) - len(tail))
        if border.find(_DOT) >= 0:
            self._dotted = True
        if dot_begins_line(text):
            dot = chunk.find(_DOT)
            at = chunk.find(_END, dot)
            if at != dot:
                self._dotted = True
            if at >= 0:
                return self._finish(chunk, at + len(_END))
        elif ends:
            self._keep(text)
            return self._finished(len(chunk))
        self._keep(chunk)
        self._tail = chunk[-4:] if len(chunk) >= 4 else border[-4:]
        return -1

    def text(self) -> bytes | list[bytes]:
        """The text, dots unstuffed; a long one that had none in pieces. Call it once, at the end of data."""
        whole = self._whole
        if whole is not None:
            return [whole] if self.size_bytes > WHOLE_BYTES else whole
        if self._small:
            self._flush()
        if self._overrun_bytes:
            self._drop_overrun()
        pieces, self._chunks = self._chunks, []
        if not self._dotted and self.size_bytes > WHOLE_BYTES:
            return pieces
        text = b"".join(pieces)
        if not self._dotted:
            return text
        return (text[1:] if text.startswith(b".") else text).replace(_DOT, b"\r\n")

    def beginning(self) -> bytes:
        """As much of the text as its header is sure to be in. At the end of data, before :meth:`text`."""
        if self._whole is not None:
            return self._whole
        if self._small:
            self._flush()
        return beginning_of(self._chunks)

    def _drop_overrun(self) -> None:
        """Take back what turned out to be the end of data, before the text is joined: it may be long."""
        overrun_bytes, self._overrun_bytes = self._overrun_bytes, 0
        while overrun_bytes:
            last = self._chunks.pop()
            if len(last) > overrun_bytes:
                self._chunks.append(last[:-overrun_bytes])
            overrun_bytes -= min(overrun_bytes, len(last))

    def _finish(self, chunk: bytes, end: int) -> int:
        """The end of data ends at ``end`` in this chunk; its last three bytes are no text."""
        if end >= 3:
            self._keep(chunk[: end - 3])
        else:
            # The dot, or the dot and CR, came with an earlier chunk.
            self._overrun_bytes = 3 - end
            self.size_bytes -= self._overrun_bytes
        return self._finished(end)

    def _finished(self, end: int) -> int:
        if self._limit_bytes is not None and self.size_bytes > self._limit_bytes:
            self._drop()
        return end

    def _keep(self, chunk: bytes) -> None:
        self.size_bytes += len(chunk)
        limit_bytes = self._limit_bytes
        # Three of these bytes may yet turn out to be the end of data.
        if limit_bytes is not None and self.size_bytes > limit_bytes + 3:
            self._drop()
        if self.too_big:
            return
        if len(chunk) < _SMALL_BYTES:
            # A client that sends byte by byte must not cost an object for each.
            if not self._small:
                self._small = bytearray()
            self._small += chunk
        else:
            if self._small:
                self._flush()
            self._chunks.append(chunk)

    def _drop(self) -> None:
        """Too big: keep nothing."""
        self.too_big = True
        self._chunks.clear()
        self._small = b""

    def _flush(self) -> None:
        self._chunks.append(bytes(self._small))
        self._small = b""


def beginning_of(chunks: Sequence[bytes]) -> bytes:
    """As many of the chunks as the header is sure to be in; mostly it is in the first."""
    if len(chunks) == 1 or (chunks and b"\r\n\r\n" in chunks[0]):
        return chunks[0]
    return b"".join(chunks)
