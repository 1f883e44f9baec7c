"""A message as text to look for words in: decoded, unfolded, without case.

Most mail is US-ASCII without encodings; of it only the header is kept as text, and the body is looked through where
it stands. What is kept of other mail is bounded, and beyond the bound made anew for each search. Nothing raises.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

from mockmail.mime.charsets import guess
from mockmail.mime.headers import HeaderBlock, decode_words, find_empty_line, scan
from mockmail.mime.parts import Part, parse
from mockmail.mime.text import part_text

__all__ = ["SearchText", "Searched", "fold", "header_lacks", "may_have"]

_KEPT_CHARACTERS = 64 * 1024
_WINDOW_BYTES = 2048

# field           = field-name ":" unstructured CRLF            ; here: with no space before the colon, lines end in LF
_is_simple = re.compile(rb"(?:[!-9;-~]+:.*\n(?:[ \t].*\n)*)+").fullmatch
_LF, _CR = 0x0A, 0x0D
_WHITE = (b" ", b"\t")
_folds = re.compile(rb"\n(?=[ \t])")

# A single text part that stands in the message as its reader sees it, by its folded Content-Type.
_PARAMETERS = r"(?:\s*;\s*(?:format|delsp|name|reply-type)=\"?[a-z0-9._\-]+\"?)*"
_simple_type = re.compile(
    rf"\s*text/(?:plain|[a-z0-9.+\-]+\s*;\s*charset=\"?(?:us-ascii|utf-8|iso-8859-[0-9]{{1,2}}|windows-125[0-9])\"?)"
    rf"{_PARAMETERS}\s*"
).fullmatch
_odd_charset = re.compile(rb"charset(?!=\"?(?:us-ascii|utf-8|iso-8859-|windows-125))").search
_SIMPLE_ENCODINGS = frozenset({"7bit", "8bit", "binary"})


@lru_cache(maxsize=256)
def _is_simple_type(value: str) -> bool:
    return _simple_type(value) is not None


def fold(text: str) -> str:
    """``text`` as it is compared: without case, its line ends ``\\n``."""
    return _with_plain_line_ends(text).casefold()


def header_lacks(raw: bytes, word: str) -> bool:
    """Whether ``word``, of small US-ASCII letters and digits, is certainly nowhere in the header of ``raw``: a look at
    its bytes, where none are encoded, spares reading its fields."""
    stop = raw.find(b"\n\r\n", 0, _WINDOW_BYTES)
    if stop < 0:
        stop = find_empty_line(raw, 0, len(raw))
    head = (raw[:stop] if stop >= 0 else raw).lower()
    # One byte is found 25 times faster than two.
    return head.find(word.encode("ascii")) < 0 and (head.find(b"?") < 0 or head.find(b"=?") < 0) and head.isascii()


NO_WORDS = ""


class Searched(Protocol):
    """A message as it is looked through together with others."""

    @property
    def raw(self) -> bytes: ...

    hidden_words: str | bool | None
    """What its encoded words say, folded (``NO_WORDS`` itself if it has none); true if there may be words in it that
    its bytes do not show otherwise, too; ``None`` until somebody searches it."""


def may_have(messages: Sequence[Searched], word: str) -> list[int]:
    """Which of ``messages`` may have ``word``, of small US-ASCII letters and digits, somewhere: the indices, ascending.
    The others certainly lack it: a look at the bytes, where nothing but encoded words hides any, spares reading them,
    and a look at all together is quicker than one at each. They should be few megabytes at most."""
    together = _Together(messages)
    unknown = [message for message in messages if message.hidden_words is None]
    if unknown:
        _find_hidden_words(together if len(unknown) == len(messages) else _Together(unknown))
    hidden = [index for index, message in enumerate(messages) if message.hidden_words is not NO_WORDS]
    if hidden:
        hidden = [index for index in hidden if _may_hide(messages[index], word)]
    showing = together.where(word.encode("ascii"))
    return sorted({*hidden, *showing}) if hidden and showing else hidden or showing


def _may_hide(message: Searched, word: str) -> bool:
    words = message.hidden_words
    return words is True or bool(words and word in words)


class _Together:
    """Messages as one text in lower case."""

    __slots__ = ("_raws", "_stops", "lower", "messages")

    def __init__(self, messages: Sequence[Searched]) -> None:
        self.messages = messages
        self._raws = [message.raw for message in messages]
        self.lower = b"\n".join(self._raws).lower()
        self._stops: list[int] | None = None

    def _stop_behind(self, at: int) -> tuple[int, int]:
        """Which message is at a place, and where the next one begins."""
        stops = self._stops
        if stops is None:
            stops = self._stops = list(accumulate([len(raw) + 1 for raw in self._raws]))
        index = bisect_right(stops, at)
        return index, stops[index]

    def where(self, part: bytes) -> list[int]:
        """In which of the messages ``part`` stands."""
        found = []
        at = self.lower.find(part)
        while at >= 0:
            index, stop = self._stop_behind(at)
            found.append(index)
            at = self.lower.find(part, stop)
        return found

    def with_encoded_words(self) -> list[tuple[int, int]]:
        """In which of the messages one may begin, and where in it the first does."""
        lower, found, misses = self.lower, [], 0
        # One byte is found 25 times faster than two, where there are not too many of them.
        at = lower.find(b"?")
        while at >= 0:
            if at and lower[at - 1] == 0x3D:
                index, stop = self._stop_behind(at - 1)
                found.append((index, at - stop + len(self._raws[index])))
                at = stop
            else:
                at += 1
                misses += 1
                if misses > len(self.messages):
                    return [(index, self._raws[index].find(b"=?")) for index in self.where(b"=?")]
            at = lower.find(b"?", at)
        return found


def _find_hidden_words(together: _Together) -> None:
    messages = together.messages
    if together.lower.isascii() and _reads_as_it_stands(together.lower):
        for message in messages:
            message.hidden_words = NO_WORDS
        for index, at in together.with_encoded_words():
            messages[index].hidden_words = _words_read(messages[index].raw, at)
    elif len(messages) == 1:
        messages[0].hidden_words = True
    else:
        half = len(messages) // 2
        _find_hidden_words(_Together(messages[:half]))
        _find_hidden_words(_Together(messages[half:]))


class SearchText:
    """Header and body of a message as :func:`fold` makes them.

    ``header`` begins with a line end; each field is one line ``name:value``, in the order of the message. One with
    encoded words is there twice, decoded and as it stands. The body is what follows the header: the texts of all
    text and message parts, with the headers of parts and of messages inside; contents of other types, and what
    stands between parts, are left out.
    """

    __slots__ = ("_body", "_body_start", "_header", "_is_plain", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._header: str | None = None
        self._body_start = -1
        self._is_plain: bool | None = None
        """Whether the body needs no decoding."""
        self._body: str | None = None

    @property
    def header(self) -> str:
        """The lines of the header."""
        header = self._header
        if header is None:
            header, self._body_start = _read_header(self._raw)
            if len(header) <= _KEPT_CHARACTERS:
                self._header = header
        return header

    @property
    def body(self) -> str:
        """The text of the body."""
        body = self._body
        if body is None:
            if self.is_plain:
                return fold(self._raw[self._body_start :].decode("ascii"))
            body = _body(parse(self._raw))
            if len(body) <= _KEPT_CHARACTERS:
                self._body = body
        return body

    @property
    def is_plain(self) -> bool:
        """Whether the body is one US-ASCII text without a transfer encoding."""
        plain = self._is_plain
        if plain is None:
            plain = self._is_plain = _tells_plain_text(self.header) and self._raw.isascii()
        return plain

    def body_has(self, text: str, ascii_text: bytes | None) -> bool:
        """Whether ``text``, which is folded, is in the body. ``ascii_text`` is the same in bytes, or ``None`` when it
        holds other characters, or line ends."""
        if ascii_text is not None and self.is_plain:
            return self._raw.lower().find(ascii_text, self._body_start) >= 0
        return text in self.body

    def field_has(self, name: str, text: str) -> bool:
        """Whether a field called ``name``, which is in lower case, has the folded ``text`` in its value."""
        header = self.header
        prefix = f"\n{name}:"
        at = header.find(prefix)
        while at >= 0:
            at += len(prefix)
            stop = header.find("\n", at)
            if header.find(text, at, stop) >= 0:
                return True
            at = header.find(prefix, stop)
        return False

    def field(self, name: str) -> str | None:
        """The value of the first field called ``name``, which is in lower case."""
        return _first(self.header, f"\n{name}:")


def _with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _read_header(raw: bytes) -> tuple[str, int]:
    """The text of the header, and where the body begins."""
    stop = raw.find(b"\n\r\n", 0, _WINDOW_BYTES) + 1
    if not stop or raw.find(b"\n\n", 0, stop) >= 0:
        stop = find_empty_line(raw, 0, len(raw)) + 1
    simple = raw[:stop].replace(b"\r\n", b"\n")
    if not simple.isascii() or b"\r" in simple or _is_simple(simple) is None:
        header = scan(raw)
        return "\n" + "".join(_lines(header)), header.body_start
    if b"\n " in simple or b"\n\t" in simple:
        simple = _folds.sub(b"", simple)
    text = simple.decode("ascii")
    folded = _with_words_decoded(text) if "=?" in text else text.casefold()
    return "\n" + folded, stop + (2 if raw.startswith(b"\r\n", stop) else 1)


def _with_words_decoded(lines: str) -> str:
    """Unfolded fields, each with ``\\n`` at its end, as :class:`SearchText` has them."""
    pieces: list[str] = []
    done = 0
    at = lines.find("=?")
    while at >= 0:
        start, stop = lines.rfind("\n", 0, at) + 1, lines.find("\n", at) + 1
        name, colon, value = lines[start:stop].partition(":")
        # Piece by piece, because US-ASCII is folded ten times faster than other text.
        pieces += (lines[done:start].casefold(), f"{name}{colon}".casefold(), decode_words(value[:-1]).casefold(), "\n")
        done, at = start, lines.find("=?", stop)
    pieces.append(lines[done:].casefold())
    return "".join(pieces)


def _lines(header: HeaderBlock) -> Iterator[str]:
    """The folded fields of a header, each with ``\\n`` at its end."""
    for name, colon, value, _, other, _ in header.fields:
        start = f"{name.decode('ascii')}{colon.lstrip().decode('ascii')}"
        text = guess((value if name else other).translate(None, b"\r\n"))
        if "=?" in text:
            yield f"{start}{decode_words(text)}\n".casefold()
        yield f"{start}{text}\n".casefold()


def _tells_plain_text(header: str) -> bool:
    """Whether the header says that the body is one text which stands there as it is read, if it is US-ASCII."""
    if "\ncontent-" not in header:
        return True
    kind, encoding = _first(header, "\ncontent-type:"), _first(header, "\ncontent-transfer-encoding:")
    return (kind is None or _is_simple_type(kind)) and (encoding is None or encoding.strip() in _SIMPLE_ENCODINGS)


def _reads_as_it_stands(lower: bytes) -> bool:
    """Whether no word of the bodies in a US-ASCII message (in lower case) can come out of an encoding."""
    if _odd_charset(lower) is not None:
        return False
    # The longer what is looked for, the quicker.
    if b"content-transfer-encoding" not in lower:
        return True
    return not (b"base64" in lower or b"quoted-printable" in lower or b"uue" in lower)


def _words_read(raw: bytes, at: int) -> str | bool:
    """What the lines with encoded words, of which the first begins ``at``, say when these are decoded, folded.
    True when that is long, or it is not certain where a line ends."""
    pieces: list[str] = []
    while at >= 0:
        start, stop = raw.rfind(b"\n", 0, at) + 1, raw.find(b"\n", at)
        while start and raw.startswith(_WHITE, start):
            start = raw.rfind(b"\n", 0, start - 1) + 1
        while stop >= 0 and raw.startswith(_WHITE, stop + 1):
            stop = raw.find(b"\n", stop + 1)
        if stop < 0:
            stop = len(raw)
        whole = raw[start:stop].removesuffix(b"\r")
        if _LF in whole:
            whole = _folds.sub(b"", whole.replace(b"\r\n", b"\n"))
        if _CR in whole:
            return True
        line = whole.decode("latin-1")
        pieces.append(decode_words(line))
        name, _, value = line.partition(":")
        if "=?" in name:
            pieces.append(decode_words(value))  # such signs in a name are a name's, and a line of a body has no name
        at = raw.find(b"=?", stop) if raw.find(b"?", stop) >= 0 else -1
    words = "\n".join(pieces).casefold()
    return words if len(words) <= _KEPT_CHARACTERS else True


def _first(header: str, prefix: str) -> str | None:
    at = header.find(prefix)
    if at < 0:
        return None
    at += len(prefix)
    return header[at : header.find("\n", at)]


def _body(message: Part) -> str:
    pieces: list[str] = []
    for part in message.walk():
        if part is not message:
            pieces.append("".join(_lines(part.header)))
        if part.children or part.message is not None:
            continue
        if part.content_type.maintype in {"text", "message"} or part.is_multipart:
            # A multipart without parts has nothing but text.
            pieces.append(part_text(part).casefold())
    return "\n".join(pieces)
