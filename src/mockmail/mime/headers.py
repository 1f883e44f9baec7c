"""The header of a message or part as it stands in the bytes, and its text (RFC 5322, 2047, 6532).

A header is scanned by one regular expression; nothing is decoded before it is asked for. Lines may end in CRLF, LF
or CR, each as it really occurs. No function here raises for any bytes.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Iterator, Mapping

from mockmail.mime.charsets import base64_content, guess, to_text

__all__ = ["Field", "HeaderBlock", "Headers", "decode", "decode_words", "find_empty_line", "scan", "unfold"]

Field = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
"""One field in pieces that make up all its bytes, in order: name, colon with white space, value (still folded), line
end; and in place of these, a line without a name, or what is no header any more."""

# field           = field-name *WSP ":" unstructured CRLF       (the *WSP is of RFC 5322 section 4.5.8)
# field-name      = 1*ftext            ; %d33-57 / %d59-126
# unstructured    = any text, where a line end followed by WSP is folding
# A line without a name is "From " of an mbox file, or begins with white space or a colon. Any other line without a
# colon ends the header, as the standard library reads it: smtplib.sendmail(..., "Hello") has a body.
_fields = re.compile(
    rb"([!-9;-~]+)([ \t]*:[ \t]*)(.*(?:\n[ \t].*)*(?<!\r))(\r?\n|\Z)"
    rb"|((?:From |[ \t:]).*(?:\n[ \t].*)*(?:\n|\Z))|((?s:.+))"
).findall
# The same where a CR by itself is a line end too; twice as slow, and seldom needed.
_FOLDED = rb"[^\r\n]*(?:(?:\r\n|[\r\n])[ \t][^\r\n]*)*"
_END = rb"(?:\r\n|[\r\n]|\Z)"
_fields_bare_cr = re.compile(
    rb"([!-9;-~]+)([ \t]*:[ \t]*)("
    + _FOLDED
    + rb")("
    + _END
    + rb")|((?:From |[ \t:])"
    + _FOLDED
    + _END
    + rb")|((?s:.+))"
).findall

_WINDOW_BYTES = 2048


def find_empty_line(raw: bytes, start: int, stop: int) -> int:
    """Where the line end before the first empty line begins its last byte, or -1. Looks in growing windows, so that
    the cost depends on the header, not on what follows it."""
    window = _WINDOW_BYTES
    while True:
        edge = min(start + window, stop)
        found = edge
        for pair in (b"\n\r", b"\n\n", b"\r\r"):
            index = raw.find(pair, start, found + 1 if found < edge else edge)
            if index >= 0:
                found = index
        if found < edge:
            return found
        if edge == stop:
            return -1
        start = edge - 1
        window *= 4


def _has_no_bare_cr(raw: bytes, start: int, stop: int) -> bool:
    return raw.count(b"\r", start, stop) == raw.count(b"\r\n", start, stop)


def _line_end(raw: bytes, at: int) -> int:
    """The offset behind the line end that begins at ``at``."""
    return at + (2 if raw.startswith(b"\r\n", at) else 1)


class HeaderBlock:
    """The fields of one header, in order, with offsets into the bytes they were scanned from.

    ``start`` and ``stop`` bound the fields; ``body_start`` is behind the empty line. With no empty line it equals
    ``stop``.
    """

    __slots__ = ("_index", "_repeated", "body_start", "fields", "start", "stop")

    def __init__(self, fields: list[Field], start: int, stop: int, body_start: int) -> None:
        self.fields = fields
        self.start = start
        self.stop = stop
        self.body_start = body_start
        self._index: dict[bytes, bytes] | None = None
        self._repeated: frozenset[bytes] | None = None

    @property
    def index(self) -> dict[bytes, bytes]:
        """First raw value, still folded, of each name in lower case."""
        index = self._index
        if index is None:
            # The last of equal keys wins, so the fields are read backwards.
            index = self._index = {field[0].lower(): field[2] for field in reversed(self.fields)}
        return index

    @property
    def repeated(self) -> frozenset[bytes]:
        """Names in lower case that occur more than once."""
        repeated = self._repeated
        if repeated is None:
            seen: set[bytes] = set()
            again: set[bytes] = set()
            if len(self.index) != len(self.fields):
                for field in self.fields:
                    lower = field[0].lower()
                    (again if lower in seen else seen).add(lower)
            repeated = self._repeated = frozenset(again)
        return repeated

    def first(self, name: bytes) -> bytes | None:
        """Unfolded and stripped raw value of the first field called ``name`` (given in lower case)."""
        value = self.index.get(name)
        return None if value is None else unfold(value)

    def values(self, name: bytes) -> list[bytes]:
        """Unfolded and stripped raw values of all fields called ``name`` (given in lower case), in order."""
        if name not in self.index:
            return []
        return [unfold(field[2]) for field in self.fields if field[0].lower() == name]

    def offsets(self) -> Iterator[tuple[bytes, int, int, int]]:
        """Name as written, and the offsets of the field, its value and its end (behind the line end)."""
        at = self.start
        for name, colon, value, end, other, _ in self.fields:
            stop = at + len(name) + len(colon) + len(value) + len(end) + len(other)
            yield name, at, at + len(name) + len(colon), stop
            at = stop


def scan(raw: bytes, start: int = 0, stop: int | None = None) -> HeaderBlock:
    """Scan the header that begins at ``start`` and ends at the first empty line, before ``stop`` at the latest."""
    if stop is None:
        stop = len(raw)
    if start >= stop:
        return HeaderBlock([], start, start, start)
    if raw[start] in b"\r\n":
        return HeaderBlock([], start, start, min(_line_end(raw, start), stop))
    at = raw.find(b"\n\r\n", start, min(start + _WINDOW_BYTES, stop))
    plain = at >= 0 and raw.find(b"\n\n", start, at + 1) < 0 and _has_no_bare_cr(raw, start, at + 1)
    if not plain:
        at = find_empty_line(raw, start, stop)
    if at < 0:
        fields_stop = body_start = stop
    else:
        fields_stop = at + 1
        body_start = min(_line_end(raw, fields_stop), stop)
    plain = plain or _has_no_bare_cr(raw, start, fields_stop)
    fields: list[Field] = (_fields if plain else _fields_bare_cr)(raw, start, fields_stop)
    if fields[-1][5]:
        fields_stop = body_start = fields_stop - len(fields.pop()[5])
    return HeaderBlock(fields, start, fields_stop, body_start)


def unfold(value: bytes) -> bytes:
    """A raw value on one line, without white space around it (RFC 5322 section 2.2.3)."""
    return value.translate(None, b"\r\n").strip(b" \t")


# encoded-word    = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="        (RFC 2047, RFC 2231 section 5)
_words = re.compile(r"=\?([^?*\s]{1,80})(?:\*[^?\s]{0,80})?\?([BbQq])\?([^?]*)\?=")


def decode(value: bytes) -> str:
    """Text of a raw field value: unfolded, encoded words decoded, 8-bit bytes as UTF-8 or else Latin-1."""
    if b"\n" in value or b"\r" in value:
        value = value.translate(None, b"\r\n")
    text = guess(value.strip(b" \t"))
    return decode_words(text) if "=?" in text else text


def decode_words(text: str) -> str:
    """``text`` with its encoded words decoded. White space between two of them is dropped, and neighbours in one
    charset are decoded together, because many mailers cut a character in two."""
    pieces: list[str] = []
    pending: list[bytes] = []
    charset = ""
    at = 0
    word = _words.search(text)
    while word is not None:
        start, stop = word.span()
        between = text[at:start]
        name, encoding, encoded = word.groups()
        data = encoded.encode("utf-8", "replace")
        data = base64_content(data) if encoding in "bB" else a2b_qp(data.replace(b" ", b"_"), header=True)
        name = name.lower()
        # The first gap is text; later ones count only if something stands in them.
        if name == charset and not between.strip(" \t"):
            pending.append(data)
        else:
            if charset:
                pieces.append(to_text(b"".join(pending), charset))
            if not charset or between.strip(" \t"):
                pieces.append(between)
            pending, charset = [data], name
        at = stop
        word = _words.search(text, at) if text.find("=?", at) >= 0 else None
    if not charset:
        return text
    pieces += (to_text(b"".join(pending), charset), text[at:])
    decoded = "".join(pieces)
    # A decoded line end would let a header grow lines that the message does not have.
    if "\n" in decoded or "\r" in decoded:
        return decoded.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
    return decoded


class Headers(Mapping[str, str]):
    """Decoded header fields by name, without case, in the order of the message. A name that occurs more than once
    gives its first value; :meth:`all` gives every one."""

    __slots__ = ("_block",)

    def __init__(self, block: HeaderBlock) -> None:
        self._block = block

    def __getitem__(self, name: str) -> str:
        value = self.raw(name)
        if value is None:
            raise KeyError(name)
        return decode(value)

    def raw(self, name: str) -> bytes | None:
        """The first value of ``name`` as it stands, still folded, or ``None``."""
        return self._block.index.get(name.lower().encode("utf-8", "replace")) if name else None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name != "" and name.lower().encode("utf-8", "replace") in self._block.index

    def __iter__(self) -> Iterator[str]:
        seen: set[bytes] = set()
        for field in self._block.fields:
            lower = field[0].lower()
            if lower and lower not in seen:
                seen.add(lower)
                yield field[0].decode("ascii")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Headers({self.fields()!r})"

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of ``name``, in order; none is an empty tuple."""
        lower = name.lower().encode("utf-8", "replace")
        if not lower:
            return ()
        return tuple(decode(field[2]) for field in self._block.fields if field[0].lower() == lower)

    def fields(self) -> list[tuple[str, str]]:
        """Every field, repeated ones too, as name and decoded value."""
        return [(field[0].decode("ascii"), decode(field[2])) for field in self._block.fields if field[0]]
