"""SEARCH keys as a small tree (RFC 3501 section 6.4.4). It is made ready for comparing: text is decoded and
case-folded, nested ANDs and ORs are flat, and double negations are gone."""

from __future__ import annotations

import codecs
import datetime
import re
from typing import TypeAlias

from mockmail.imap.sets import SequenceSet
from mockmail.imap.tokens import BadSyntax, Reader, nearest
from mockmail.records import record

__all__ = [
    "MAX_HEIGHT",
    "SUPPORTED_CHARSETS",
    "All",
    "And",
    "BadCharset",
    "Body",
    "Flag",
    "Header",
    "InternalDate",
    "Key",
    "Keyword",
    "Messages",
    "Needle",
    "Not",
    "Or",
    "SentDate",
    "Size",
    "Text",
    "Uids",
    "Within",
    "read_search",
]

SUPPORTED_CHARSETS = ("US-ASCII", "UTF-8")
"""Named in BADCHARSET. Others that Python knows are understood too."""

MAX_HEIGHT = 50
"""The tallest tree made, so that evaluating may recurse."""

_MAX_OPEN = 5000
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+\-]{0,39}\Z")
_NOT_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})
_NUMBERED = re.compile(rb"[0-9*]")
_WORD = re.compile(rb"[A-Za-z0-9.\-]+")


class BadCharset(BadSyntax):
    """The charset of a SEARCH is unknown: NO, not BAD."""

    condition = "NO"
    code = f"BADCHARSET ({' '.join(SUPPORTED_CHARSETS)})"

    def __init__(self, charset: str) -> None:
        super().__init__(f"Unknown charset {charset[:60]!a}; write one of {', '.join(SUPPORTED_CHARSETS)}")
        self.charset = charset
        self.supported = SUPPORTED_CHARSETS


@record
class All:
    """Every message."""


@record
class Flag:
    """ANSWERED, UNSEEN ...: a system flag is set, or is not. NEW and OLD are made of ``\\Recent`` and ``\\Seen``."""

    flag: str
    """With backslash, in the RFC's case."""
    is_set: bool = True


@record
class Keyword:
    """KEYWORD and UNKEYWORD."""

    keyword: str
    """In lower case: keywords compare without case."""
    is_set: bool = True


@record
class Needle:
    """Text looked for as a substring, without case."""

    text: str
    """Decoded, then ``str.casefold``."""

    @property
    def ascii(self) -> bytes | None:
        """``text`` in bytes, if it is US-ASCII."""
        return self.text.encode("ascii") if self.text.isascii() else None


@record
class Header:
    """BCC, CC, FROM, SUBJECT, TO and HEADER. An empty text matches all messages that have the field."""

    field: bytes
    """Name in lower case, without colon."""
    needle: Needle


@record
class Body:
    """In the body, not in the header. An empty text matches."""

    needle: Needle


@record
class Text:
    """In the header or the body."""

    needle: Needle


@record
class InternalDate:
    """BEFORE, ON and SINCE, on the date of the internal date in its own zone: ``relation`` is ``"<"``, ``"="`` or
    ``">="``."""

    relation: str
    date: datetime.date


@record
class SentDate:
    """SENTBEFORE, SENTON and SENTSINCE, on the Date header without time and zone. Relations as in
    :class:`InternalDate`."""

    relation: str
    date: datetime.date


@record
class Within:
    """OLDER and YOUNGER (RFC 5032): the internal date is at least, or at most, so many seconds ago."""

    is_older: bool
    seconds: int


@record
class Size:
    """LARGER and SMALLER: RFC822.SIZE is ``relation`` (``">"`` or ``"<"``) ``size_bytes``."""

    relation: str
    size_bytes: int


@record
class Messages:
    """A set of message sequence numbers."""

    numbers: SequenceSet


@record
class Uids:
    """A set of UIDs."""

    uids: SequenceSet


@record
class And:
    """All of two keys or more, none of them an :class:`And`."""

    keys: tuple[Key, ...]


@record
class Or:
    """Any of two keys or more, none of them an :class:`Or`."""

    keys: tuple[Key, ...]


@record
class Not:
    """A key that is not a :class:`Not`, :class:`Flag` or :class:`Keyword`."""

    key: Key


Leaf: TypeAlias = (
    All | Flag | Keyword | Header | Body | Text | InternalDate | SentDate | Within | Size | Messages | Uids
)
Key: TypeAlias = Leaf | And | Or | Not

_SEEN, _RECENT = "\\Seen", "\\Recent"
_PLAIN: dict[str, Key] = {
    "ALL": All(),
    "NEW": And((Flag(_RECENT), Flag(_SEEN, False))),
    "OLD": Flag(_RECENT, False),
    "RECENT": Flag(_RECENT),
    **{flag[1:].upper(): Flag(flag) for flag in ("\\Answered", "\\Deleted", "\\Draft", "\\Flagged", _SEEN)},
    **{
        "UN" + flag[1:].upper(): Flag(flag, False)
        for flag in ("\\Answered", "\\Deleted", "\\Draft", "\\Flagged", _SEEN)
    },
}
_WITH_ARGUMENT = frozenset(
    {"BCC", "CC", "FROM", "SUBJECT", "TO", "HEADER", "BODY", "TEXT", "BEFORE", "ON", "SINCE"}
    | {"SENTBEFORE", "SENTON", "SENTSINCE", "LARGER", "SMALLER", "UID", "KEYWORD", "UNKEYWORD"}
)
_WITHIN = frozenset({"OLDER", "YOUNGER"})
_RELATIONS = {"BEFORE": "<", "ON": "=", "SINCE": ">="}


def read_search(reader: Reader, *, within: bool = True) -> tuple[str | None, Key]:
    """``["CHARSET" SP astring SP] search-key *(SP search-key)`` -> the charset as named, or ``None``, and one key.
    ``within``: whether there are the keys of RFC 5032.

    Raises :class:`BadSyntax`, and :class:`BadCharset`.
    """
    charset: str | None = None
    codec = "ascii"
    if (reader.lookahead(_WORD) or b"").upper() == b"CHARSET":
        reader.skip(b"CHARSET")
        reader.sp("a charset")
        charset = reader.astring("a charset").decode("latin-1")
        codec = _codec(charset)
        reader.sp("a search key")
        # imap-tools writes text in the charset it names into quoted strings
        reader.eight_bit = codec != "ascii"
    words = _WITH_ARGUMENT | _WITHIN if within else _WITH_ARGUMENT
    return charset, _Keys(reader, charset, codec, words).read()


def _codec(charset: str) -> str:
    """Python's name of a charset."""
    if not _CHARSET.match(charset):
        raise BadCharset(charset)
    try:
        name = codecs.lookup(charset).name
        b"a".decode(name)  # refuses codecs that are not of text
    except (LookupError, UnicodeError, ValueError):
        raise BadCharset(charset) from None
    if name.replace("_", "-") in _NOT_CHARSETS:
        raise BadCharset(charset)
    return name


class _Open:
    """A NOT, an OR or a parenthesis that waits for its keys; each key comes with the height of its tree."""

    __slots__ = ("keys", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind  # "NOT", "OR", "(" or "" for the whole
        self.keys: list[tuple[Key, int]] = []


class _Keys:
    """Reads keys without recursion: imap-tools makes chains of ORs as long as its caller's list."""

    def __init__(self, reader: Reader, charset: str | None, codec: str, with_argument: frozenset[str]) -> None:
        self._reader = reader
        self._charset = charset
        self._codec = codec
        self._words = with_argument
        self._open = [_Open("")]

    def read(self) -> Key:
        reader = self._reader
        while True:
            word = (reader.lookahead(_WORD) or b"").upper()
            if word in (b"NOT", b"OR"):
                reader.skip(word)
                reader.sp(f"a search key after {word.decode('ascii')}")
                self._begin(word.decode("ascii"))
                continue
            if reader.skip(b"("):
                self._begin("(")
                continue
            self._add(self._leaf(word.decode("ascii")), 1)
            while self._open[-1].kind == "(" and reader.skip(b")"):
                self._add(*_joined(And, self._open.pop().keys))
            if len(self._open) == 1 and not reader.more():
                return _joined(And, self._open.pop().keys)[0]
            reader.sp("a search key, or ')'" if self._open[-1].kind == "(" else "a search key")

    def _begin(self, kind: str) -> None:
        if len(self._open) > _MAX_OPEN:
            self._reader.fail(f"at most {_MAX_OPEN} nested search keys")
        self._open.append(_Open(kind))

    def _add(self, key: Key, height: int) -> None:
        """Give a finished key to what waits for it, and finish that too if it was the last."""
        while True:
            if height > MAX_HEIGHT:
                self._reader.fail(f"at most {MAX_HEIGHT} levels of search keys")
            waiting = self._open[-1]
            waiting.keys.append((key, height))
            if waiting.kind == "NOT":
                key, height = _negated(key, height)
            elif waiting.kind == "OR" and len(waiting.keys) == 2:
                key, height = _joined(Or, waiting.keys)
            else:
                return
            self._open.pop()

    def _leaf(self, word: str) -> Key:
        reader = self._reader
        if reader.lookahead(_NUMBERED):
            return Messages(reader.sequence_set())
        if not word:
            reader.fail("a search key")
        if word not in _PLAIN and word not in self._words:
            known = frozenset(_PLAIN) | self._words | {"NOT", "OR"}
            raise BadSyntax(f"Unknown search key {word[:40]}{nearest(word, known)}")
        reader.skip(word.encode("ascii"))
        if word in _PLAIN:
            return _PLAIN[word]
        reader.sp(f"the argument of {word}")
        return self._with_argument(word)

    def _with_argument(self, word: str) -> Key:
        reader = self._reader
        match word:
            case "BCC" | "CC" | "FROM" | "SUBJECT" | "TO":
                return Header(word.lower().encode("ascii"), self._needle())
            case "HEADER":
                name = reader.astring("a header name")
                reader.sp("text to look for")
                return Header(name.lower(), self._needle())
            case "BODY":
                return Body(self._needle())
            case "TEXT":
                return Text(self._needle())
            case "BEFORE" | "ON" | "SINCE":
                return InternalDate(_RELATIONS[word], reader.date())
            case "SENTBEFORE" | "SENTON" | "SENTSINCE":
                return SentDate(_RELATIONS[word[4:]], reader.date())
            case "OLDER" | "YOUNGER":
                # search-key =/ ( "OLDER" / "YOUNGER" ) SP nz-number
                return Within(word == "OLDER", reader.nz_number("a number of seconds"))
            case "LARGER" | "SMALLER":
                return Size(">" if word == "LARGER" else "<", reader.number("a size in octets"))
            case "UID":
                return Uids(reader.sequence_set())
            case _:  # imap-tools quotes the keyword
                return Keyword(reader.astring("a keyword").decode("latin-1").lower(), word == "KEYWORD")

    def _needle(self) -> Needle:
        data = self._reader.astring("text to look for")
        try:
            return Needle(data.decode(self._codec).casefold())
        except UnicodeError:
            if self._charset is None:
                raise BadSyntax("8-bit text in SEARCH; name its charset, as in SEARCH CHARSET UTF-8 ...") from None
            raise BadSyntax(f"The text to look for is not valid in {self._charset}") from None


def _joined(kind: type[And | Or], members: list[tuple[Key, int]]) -> tuple[Key, int]:
    """One key of this kind, or the only member, and the height of its tree."""
    if len(members) == 1:
        return members[0]
    flat: list[Key] = []
    height = 0
    for key, height_of_key in members:
        if isinstance(key, And | Or) and isinstance(key, kind):
            flat.extend(key.keys)
            height = max(height, height_of_key - 1)
        else:
            flat.append(key)
            height = max(height, height_of_key)
    return kind(tuple(flat)), height + 1


def _negated(key: Key, height: int) -> tuple[Key, int]:
    if isinstance(key, Not):
        return key.key, height - 1
    if isinstance(key, Flag):
        return Flag(key.flag, not key.is_set), height
    if isinstance(key, Keyword):
        return Keyword(key.keyword, not key.is_set), height
    return Not(key), height + 1
