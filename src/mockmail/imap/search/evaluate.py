"""Which messages a tree of SEARCH keys matches (RFC 3501 section 6.4.4)."""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

from mockmail.core.mailbox import Entry
from mockmail.core.message import Message
from mockmail.core.views import MailboxView
from mockmail.imap.search import keys
from mockmail.imap.search.keys import Key, Needle
from mockmail.imap.sets import contains
from mockmail.mime.dates import parse_date
from mockmail.mime.headers import HeaderBlock, decode, scan
from mockmail.mime.parts import parse
from mockmail.mime.text import part_text

__all__ = ["Found", "evaluate"]

_Test: TypeAlias = Callable[[int, Entry], bool]
"""Takes the sequence number and the message."""

_CHEAP_WINDOW = 1000
_WINDOW = 20
"""Messages between two chances to give way, where the bytes of each are looked at."""
_KEPT_FIELDS = frozenset({b"from", b"to", b"cc", b"bcc", b"subject"})
"""What these hold is decoded once for a message; there is no end to the names a client can ask for."""
_RELATIONS: dict[str, Callable[[datetime.date, datetime.date], bool]] = {
    "<": operator.lt,
    "=": operator.eq,
    ">=": operator.ge,
}
_ENCODED = (b"quoted-printable", b"base64", b"=?")


@dataclass(slots=True)
class Found:
    """The messages that match, ascending, in two lists of equal length."""

    numbers: list[int]
    """Their sequence numbers."""
    uids: list[int]
    """Their UIDs."""


def evaluate(key: Key, view: MailboxView) -> Generator[None, None, Found]:
    """The messages of ``view`` that match, as the value a ``yield from`` gives. Yields wherever it may be interrupted;
    what others change meanwhile may or may not be seen."""
    entries = view.entries()
    matches = _compiled(key, view)
    window = _WINDOW if _rank(key) > 1 else _CHEAP_WINDOW
    found = Found([], [])
    for start in range(0, view.count, window):
        part = entries[start : min(start + window, view.count)]
        numbers = [number for number, entry in enumerate(part, start + 1) if matches(number, entry)]
        found.numbers += numbers
        found.uids += [entries[number - 1].uid for number in numbers]
        yield
    return found


def _rank(key: Key) -> int:
    """How dear a key is: 1 looks at the entry, 2 at a header, 3 at the whole message."""
    if isinstance(key, keys.And | keys.Or):
        return max(map(_rank, key.keys))
    if isinstance(key, keys.Not):
        return _rank(key.key)
    if isinstance(key, keys.Header | keys.SentDate):
        return 2
    return 3 if isinstance(key, keys.Body | keys.Text) else 1


def _compiled(key: Key, view: MailboxView) -> _Test:
    """A test for one key. ``*`` in its sets is resolved once, against what the client knows now."""
    if isinstance(key, keys.And | keys.Or):
        every = isinstance(key, keys.And)
        tests = [_compiled(part, view) for part in sorted(key.keys, key=_rank)]
        return _all_of(tests) if every else _any_of(tests)
    if isinstance(key, keys.Not):
        inner = _compiled(key.key, view)
        return lambda number, entry: not inner(number, entry)
    if isinstance(key, keys.Messages):
        numbers = key.numbers.resolve(view.count)
        return lambda number, entry: contains(numbers, number)
    if isinstance(key, keys.Uids):
        uids = key.uids.resolve(view.highest_uid)
        return lambda number, entry: contains(uids, entry.uid)
    if isinstance(key, keys.Flag | keys.Keyword):
        return _flag_test(key, view)
    return _message_test(key)


def _all_of(tests: list[_Test]) -> _Test:
    def test(number: int, entry: Entry) -> bool:
        for one in tests:  # noqa: SIM110  all() would make a generator for each message
            if not one(number, entry):
                return False
        return True

    return test


def _any_of(tests: list[_Test]) -> _Test:
    def test(number: int, entry: Entry) -> bool:
        for one in tests:  # noqa: SIM110  as above
            if one(number, entry):
                return True
        return False

    return test


def _flag_test(key: keys.Flag | keys.Keyword, view: MailboxView) -> _Test:
    wanted = key.is_set
    if isinstance(key, keys.Flag):
        flag = key.flag
        if flag == "\\Recent":
            return lambda number, entry: view.is_recent(entry.uid) is wanted
        return lambda number, entry: (flag in entry.flags) is wanted
    # A mailbox spells each keyword in one way.
    spelled = view.mailbox.keywords.get(key.keyword, key.keyword)
    return lambda number, entry: (spelled in entry.flags) is wanted


def _message_test(key: Key) -> _Test:
    if isinstance(key, keys.Size):
        limit, larger = key.size_bytes, key.relation == ">"
        return lambda number, entry: entry.message.size > limit if larger else entry.message.size < limit
    if isinstance(key, keys.InternalDate):
        compare, date = _RELATIONS[key.relation], key.date
        return lambda number, entry: compare(entry.message.received_at.date(), date)
    if isinstance(key, keys.SentDate):
        return _sent_date_test(key)
    if isinstance(key, keys.Header):
        return _header_test(key)
    if isinstance(key, keys.Body | keys.Text):
        needle, whole = key.needle, isinstance(key, keys.Text)
        return lambda number, entry: _text_has(entry.message, needle, whole=whole)
    return lambda number, entry: True  # ALL


# Dates


def _sent_date_test(key: keys.SentDate) -> _Test:
    compare, date = _RELATIONS[key.relation], key.date

    def test(number: int, entry: Entry) -> bool:
        sent = entry.message.derived("imap sent date", _sent_date)
        return sent is not None and compare(sent, date)

    return test


def _sent_date(message: Message) -> datetime.date | None:
    value = scan(message.raw).first(b"date")
    moment = None if value is None else parse_date(value.decode("latin-1"))
    return None if moment is None else moment.date()


# Headers


def _header_test(key: keys.Header) -> _Test:
    field, text = key.field, key.needle.text
    if field not in _KEPT_FIELDS:
        return lambda number, entry: _field_has(_field_text(entry.message, field), text)
    name = f"imap search {field.decode('ascii')}"

    def compute(message: Message) -> str | None:
        return _field_text(message, field)

    return lambda number, entry: _field_has(entry.message.derived(name, compute), text)


def _field_has(value: str | None, text: str) -> bool:
    return value is not None and text in value


def _field_text(message: Message, field: bytes) -> str | None:
    """All fields of a name, decoded and case-folded; ``None`` where there is none."""
    values = scan(message.raw).values(field)
    return "\n".join([decode(value) for value in values]).casefold() if values else None


# Text


def _text_has(message: Message, needle: Needle, *, whole: bool) -> bool:
    """Whether the body, or the ``whole`` message, has the text: transfer encodings, charsets and encoded words are
    decoded; parts that are no text are passed over."""
    if not needle.text:
        return True
    raw = message.raw
    plain = needle.ascii
    if plain is not None and raw.isascii():
        lower = raw.lower()
        if not any(mark in lower for mark in _ENCODED):
            # As it stands is as it reads, but for folded header lines.
            if whole and b" " in plain:
                lower = lower.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
            return lower.find(plain, 0 if whole else scan(raw).body_start) >= 0
    return needle.text in _readable(raw, whole=whole)


def _readable(raw: bytes, *, whole: bool) -> str:
    """The text of all text parts, and of the headers of messages inside the message (and of its own: ``whole``)."""
    message = parse(raw)
    pieces = [_header_text(message.header)] if whole else []
    for part in message.walk():
        if part.message is not None:
            pieces.append(_header_text(part.message.header))
        elif part.content_type.maintype == "text":
            pieces.append(part_text(part))
    return "\n".join(pieces).casefold()


def _header_text(header: HeaderBlock) -> str:
    return "\n".join([f"{field[0].decode('latin-1')}: {decode(field[2])}" for field in header.fields])
