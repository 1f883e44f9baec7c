"""The part tree of a message as offsets into its bytes (RFC 2045, RFC 2046).

:func:`parse` goes over the message once. What it costs depends on the length of the message and the number of
lines that begin with ``--``, not on how deep parts nest. Nothing is copied but header fields; nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mockmail.mime.charsets import content
from mockmail.mime.headers import HeaderBlock, find_empty_line, scan
from mockmail.mime.parameters import (
    MESSAGE_RFC822,
    TEXT_PLAIN,
    ContentType,
    Disposition,
    decoded,
    parse_content_type,
    parse_disposition,
    parse_language,
)

__all__ = ["MAX_DEPTH", "MAX_PARTS", "Part", "parse"]

MAX_DEPTH = 64
"""Multiparts and messages inside each other beyond this are leaves."""
MAX_PARTS = 10_000
"""Delimiters of a message beyond this many parts are text."""

_WINDOW_BYTES = 2048
_DELIMITER_LIMIT_BYTES = 1000
_delimiter_bare_cr = re.compile(rb"[\r\n]--").search


class Part:
    """One entity: a message, a body part, or the message inside a message/rfc822 part.

    ``raw[header.start:header.body_start]`` is its header with the empty line, ``raw[body_start:body_stop]`` its body
    as it stands, without the line end that belongs to the delimiter after it. ``children`` are the parts of a
    multipart, ``message`` the message in a message/rfc822 or message/global.
    """

    __slots__ = ("body_start", "body_stop", "children", "content_type", "header", "message", "raw")

    def __init__(self, raw: bytes, header: HeaderBlock, content_type: ContentType) -> None:
        self.raw = raw
        self.header = header
        self.content_type = content_type
        self.body_start = header.body_start
        self.body_stop = header.body_start
        self.children: list[Part] = []
        self.message: Part | None = None

    def __repr__(self) -> str:
        return f"<Part {self.media_type} header {self.header.start}, body {self.body_start}:{self.body_stop}>"

    @property
    def header_start(self) -> int:
        return self.header.start

    @property
    def header_stop(self) -> int:
        """Behind the last field; the empty line is between it and ``body_start``."""
        return self.header.stop

    @property
    def media_type(self) -> str:
        """``maintype/subtype`` in lower case."""
        return f"{self.content_type.maintype}/{self.content_type.subtype}"

    @property
    def is_multipart(self) -> bool:
        return self.content_type.maintype == "multipart"

    @property
    def size(self) -> int:
        """Bytes of the body as it stands, transfer encoding included."""
        return self.body_stop - self.body_start

    @property
    def lines(self) -> int:
        """Line ends in the body as it stands."""
        count = self.raw.count(b"\n", self.body_start, self.body_stop)
        return count or self.raw.count(b"\r", self.body_start, self.body_stop)

    def parameter(self, name: str) -> str | None:
        """Decoded parameter of Content-Type (RFC 2231)."""
        return decoded(self.content_type.parameters).get(name)

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding in lower case, ``7bit`` by default."""
        value = self.header.first(b"content-transfer-encoding")
        if not value:
            return "7bit"
        return value.partition(b";")[0].partition(b"(")[0].strip().decode("latin-1").lower() or "7bit"

    @property
    def content_id(self) -> bytes | None:
        """Raw Content-ID, with its angle brackets."""
        return self.header.first(b"content-id")

    @property
    def description(self) -> bytes | None:
        """Raw Content-Description."""
        return self.header.first(b"content-description")

    @property
    def md5(self) -> bytes | None:
        """Raw Content-MD5."""
        return self.header.first(b"content-md5")

    @property
    def location(self) -> bytes | None:
        """Raw Content-Location; folding inside a URI is no part of it (RFC 2557 section 4.4.1)."""
        value = self.header.first(b"content-location")
        return None if value is None else value.translate(None, b" \t")

    @property
    def language(self) -> tuple[bytes, ...]:
        """Tags of Content-Language."""
        value = self.header.first(b"content-language")
        return () if value is None else parse_language(value)

    @property
    def disposition(self) -> Disposition | None:
        value = self.header.first(b"content-disposition")
        return None if value is None else parse_disposition(value)

    @property
    def filename(self) -> str | None:
        """The file name of Content-Disposition, or else the name of Content-Type; no directories are cut off."""
        disposition = self.disposition
        name = decoded(disposition.parameters).get("filename") if disposition else None
        return name or self.parameter("name") or None

    @property
    def body(self) -> bytes:
        """The body as it stands (a copy)."""
        return self.raw[self.body_start : self.body_stop]

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding; that of a multipart or a message as it stands."""
        return self.body if self.children or self.message else content(self.body, self.encoding)

    def find(self, path: Sequence[int]) -> Part | None:
        """The part a section path such as ``(1, 2)`` names, counted from this message (RFC 3501 section 6.4.5), or
        ``None``. The empty path is the message itself."""
        part: Part = self
        whole = True  # part stands for a message, whose first number counts its parts
        for number in path:
            if not whole and part.message is not None:
                part, whole = part.message, True
            if part.is_multipart:
                if not 1 <= number <= len(part.children):
                    return None
                part = part.children[number - 1]
            elif not whole or number != 1:
                return None
            whole = False
        return part

    def walk(self) -> Iterator[Part]:
        """This part and all parts below it, in the order of the bytes, messages inside messages included."""
        pending = [self]
        while pending:
            part = pending.pop()
            yield part
            if part.message is not None:
                pending.append(part.message)
            pending.extend(reversed(part.children))


def parse(raw: bytes, header: HeaderBlock | None = None) -> Part:
    """The part tree of a message. Any bytes are a message, the empty ones too. ``header`` is its header, if it has
    been scanned already."""
    if header is None:
        header = scan(raw)
    value = header.first(b"content-type")
    content_type = TEXT_PLAIN if value is None else parse_content_type(value)
    root = Part(raw, header, content_type)
    if content_type.maintype in {"multipart", "message"}:
        _Parser(root).parse()
    else:
        root.body_stop = len(raw)
    return root


class _Parser:
    """One pass over a message. ``open_parts`` are the entities that have begun and not ended, outermost first;
    ``boundaries`` has the delimiters that may come next, each with the index of its multipart in ``open_parts``."""

    __slots__ = ("boundaries", "count", "has_bare_cr", "open_parts", "raw")

    # multipart-body  = [preamble CRLF] dash-boundary transport-padding CRLF body-part
    #                   *(CRLF dash-boundary transport-padding CRLF body-part)
    #                   CRLF dash-boundary "--" transport-padding [CRLF epilogue]
    def __init__(self, root: Part) -> None:
        self.raw = root.raw
        self.open_parts: list[Part] = []
        self.boundaries: dict[bytes, int] = {}
        self.count = 0
        self.has_bare_cr = False
        self._open(root)

    def parse(self) -> None:
        if self.boundaries:
            self.has_bare_cr = b"\r--" in self.raw
            self._split()
        self._end(0, len(self.raw))

    def _split(self) -> None:
        at = self.open_parts[-1].body_start
        while self.boundaries:
            delimiter = self._delimiter(at, len(self.raw))
            if delimiter is None:
                return
            stop, at, line = delimiter
            index = self.boundaries.get(line, -1)
            closing = index < 0
            if closing:
                index = self.boundaries[line[:-2]]
            if not closing and self.count >= MAX_PARTS:
                return  # the last part has the rest
            self._end(index + 1, stop)
            if closing:
                # The multipart goes on with its epilogue until a delimiter around it, or the end.
                del self.boundaries[line[:-2]]
            else:
                self._begin(at, self.open_parts[index])
                at = self.open_parts[-1].body_start

    def _begin(self, at: int, parent: Part) -> None:
        """Open the part of ``parent`` whose header begins at ``at``."""
        header = self._header(at)
        value = header.first(b"content-type")
        if value is not None:
            content_type = parse_content_type(value)
        elif parent.content_type[:2] == ("multipart", "digest"):
            content_type = MESSAGE_RFC822  # RFC 2046 section 5.1.5
        else:
            content_type = TEXT_PLAIN
        part = Part(self.raw, header, content_type)
        parent.children.append(part)
        self._open(part)

    def _open(self, part: Part) -> None:
        """Open ``part``, and the message in it, and in that."""
        while True:
            content_type = part.content_type
            self.count += 1
            depth = len(self.open_parts)
            self.open_parts.append(part)
            if depth >= MAX_DEPTH:
                return
            if content_type.maintype == "multipart":
                boundary = (content_type.get(b"boundary") or b"").rstrip(b" \t")
                if boundary:
                    # A delimiter of the multipart around this one ends this one, even if both have one boundary.
                    self.boundaries.setdefault(b"--" + boundary, depth)
            if content_type.maintype != "message" or content_type.subtype not in {"rfc822", "global"}:
                return
            header = self._header(part.body_start)
            value = header.first(b"content-type")
            inner = Part(self.raw, header, TEXT_PLAIN if value is None else parse_content_type(value))
            part.message = inner
            part = inner

    def _header(self, at: int) -> HeaderBlock:
        """Scan the header at ``at``, which ends at a delimiter if one comes before an empty line."""
        raw = self.raw
        stop = size = len(raw)
        window = _WINDOW_BYTES
        while self.boundaries:
            edge = min(at + window, size)
            empty_line = find_empty_line(raw, at, edge)
            delimiter = self._delimiter(at, edge if empty_line < 0 else empty_line + 1)
            if delimiter is not None:
                stop = max(at, delimiter[0])
                break
            if empty_line >= 0 or edge == size:
                break
            window *= 4
        return scan(raw, at, stop)

    def _end(self, index: int, stop: int) -> None:
        """The entities from ``index`` on end at ``stop``."""
        for part in self.open_parts[index:]:
            part.body_stop = max(part.body_start, stop)
        del self.open_parts[index:]
        for boundary in [boundary for boundary, depth in self.boundaries.items() if depth >= index]:
            del self.boundaries[boundary]

    def _delimiter(self, at: int, stop: int) -> tuple[int, int, bytes] | None:
        """The next delimiter line of an open multipart that begins in ``[at, stop)``: where the line end before it
        begins, where the line after it begins, and its text without white space at the end."""
        raw, boundaries = self.raw, self.boundaries
        at -= 1  # the line end before a delimiter may be the one just passed
        while True:
            if at < 0:
                return None
            if self.has_bare_cr:
                match = _delimiter_bare_cr(raw, at, stop + 1)
                found = match.start() if match else -1
            else:
                found = raw.find(b"\n--", at, stop + 1)
            if found < 0:
                return None
            start = found + 1
            line_stop, after = self._line(start)
            line = raw[start:line_stop].rstrip(b" \t")
            if line in boundaries or (line.endswith(b"--") and line[:-2] in boundaries):
                before = found - 1 if raw[found] == 10 and found and raw[found - 1] == 13 else found
                return before, after, line
            at = start + 2

    def _line(self, start: int) -> tuple[int, int]:
        """Where the text of a line that may be a delimiter stops, and where the next line begins."""
        raw = self.raw
        limit = min(start + _DELIMITER_LIMIT_BYTES, len(raw))
        newline = raw.find(b"\n", start, limit)
        carriage_return = raw.find(b"\r", start, newline if newline >= 0 else limit)
        if carriage_return >= 0:
            return carriage_return, carriage_return + (2 if newline == carriage_return + 1 else 1)
        if newline >= 0:
            return newline, newline + 1
        # A line longer than any delimiter has no text here.
        return (limit, limit) if limit == len(raw) else (start, limit)
