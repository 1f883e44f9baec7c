"""Which messages a SEARCH finds (RFC 3501 section 6.4.4).

A tree of keys is made ready once for a view: what is known by position (sequence numbers, UIDs, RECENT) becomes
ranges of indices; every other key becomes a function from ascending indices to those that match. Keys side by side
are asked in the order of their cost, and only about messages that the ones before left open.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import TypeAlias

from mockmail.core.mailbox import Entry
from mockmail.core.message import Message
from mockmail.core.views import MailboxView
from mockmail.imap.search import keys
from mockmail.imap.search.keys import Key, Needle
from mockmail.mime.dates import parse_date
from mockmail.mime.search_text import SearchText, fold, header_lacks, may_have

__all__ = ["Found", "evaluate"]

_WINDOWS = (512, 128, 128)
"""Messages looked at in one step, by the cost of the keys."""
_WINDOW_BYTES = (0, 8 * 1024 * 1024, 128 * 1024)
"""How large they may be together."""

_SMALL_BYTES = 2048

Spans: TypeAlias = list[tuple[int, int]]
"""Ranges [start, stop) of indices, ascending, disjoint and not empty."""
Select: TypeAlias = Callable[[list[int]], list[int]]
"""Of ascending indices those that match, ascending."""


@dataclass(slots=True)
class Found:
    """The messages that match, ascending, in two lists of equal length."""

    numbers: list[int]
    """Their sequence numbers."""
    uids: list[int]
    """Their UIDs."""


@dataclass(slots=True)
class _Test:
    """A key that must be asked about each message."""

    select: Select
    cost: int
    """0 for what lies in the entry, 1 for the header, 2 for the body."""
    keys: int = 1
    """How many keys it is made of."""


def evaluate(key: Key, view: MailboxView, now: datetime) -> Generator[None, None, Found]:
    """The messages of ``view`` that match when it is ``now``, as the value a ``yield from`` gives. Yields after each
    piece of work of some hundred microseconds, or one message if it is larger; between these steps the view must not
    take over changes.

    Messages that are gone and still counted are searched as they last were. Sequence numbers beyond the last message
    match nothing, as in other servers. Never raises, whatever the messages hold.
    """
    entries = view.entries()
    spans, tests = _Plan(view, entries, now).conjunction(key.keys if isinstance(key, keys.And) else (key,))
    select = _all_of(tests)
    cost = max((test.cost for test in tests), default=0)
    size = max(1, _WINDOWS[cost] // max(1, sum(test.keys for test in tests)))
    found: list[int] = []
    for start, stop in _windows(spans, entries, size, _WINDOW_BYTES[cost]):
        found += select(list(range(start, stop)))
        yield
    return Found([index + 1 for index in found], [entries[index].uid for index in found])


def _windows(spans: Spans, entries: Sequence[Entry], size: int, limit_bytes: int) -> Iterator[tuple[int, int]]:
    """``spans`` in pieces of at most ``size`` messages and of few bytes, or of one message."""
    for first, last in spans:
        start = first
        while start < last:
            stop = min(start + size, last)
            if limit_bytes and sum(map(len, [entry.message.raw for entry in entries[start:stop]])) > limit_bytes:
                size_bytes = len(entries[start].message.raw)
                for index in range(start + 1, stop):
                    size_bytes += len(entries[index].message.raw)
                    if size_bytes > limit_bytes:
                        stop = index
                        break
            yield start, stop
            start = stop


class _Plan:
    """Makes keys ready for one view."""

    def __init__(self, view: MailboxView, entries: Sequence[Entry], now: datetime) -> None:
        self._view = view
        self._now = now
        self._entries = entries
        self._all: Spans = [(0, len(entries))] if entries else []

    def conjunction(self, parts: Iterable[Key]) -> tuple[Spans, list[_Test]]:
        """What all of ``parts`` ask: to be in these spans, and to pass these tests, the cheapest first."""
        spans = self._all
        tests: list[_Test] = []
        for part in parts:
            ready = self._ready(part)
            if isinstance(ready, _Test):
                tests.append(ready)
            else:
                spans = _common(spans, ready)
        tests.sort(key=attrgetter("cost"))
        return spans, tests

    def _ready(self, key: Key) -> Spans | _Test:
        match key:
            case keys.All():
                return self._all
            case keys.And(parts):
                return self._and(parts)
            case keys.Or(parts):
                return self._or(parts)
            case keys.Not(inner):
                ready = self._ready(inner)
                if isinstance(ready, _Test):
                    return _Test(_none_of(ready.select), ready.cost, ready.keys)
                return _complement(ready, len(self._entries))
            case keys.Messages(numbers):
                ranges = numbers.resolve(self._view.count)
                return self._spans(ranges)
            case keys.Uids(uids):
                ranges = uids.resolve(self._view.highest_uid)
                return self._spans(self._view.number_span(low, high) for low, high in ranges)
            case keys.Flag("\\Recent", is_set):
                recent = self._spans(self._view.recent_spans())
                return recent if is_set else _complement(recent, len(self._entries))
            case keys.Flag(flag, is_set):
                return self._flag(flag, is_set)
            case keys.Keyword(keyword, is_set):
                return self._keyword(keyword, is_set)
            case keys.Size(relation, size_bytes):
                return self._size(relation, size_bytes)
            case keys.InternalDate(relation, day):
                return self._internal_date(relation, day)
            case keys.Within(is_older, seconds):
                return self._within(is_older, seconds)
            case keys.SentDate(relation, day):
                return self._sent_date(relation, day)
            case keys.Header(field, needle):
                return self._header(field, needle)
            case keys.Body(needle):
                return self._content(needle, whole=False)
            case keys.Text(needle):
                return self._content(needle, whole=True)

    def _spans(self, numbers: Iterable[tuple[int, int]]) -> Spans:
        """Ascending ranges of sequence numbers, both ends included, as spans."""
        count = len(self._entries)
        spans = ((low - 1, min(high, count)) for low, high in numbers)
        return [(start, stop) for start, stop in spans if start < stop]

    def _and(self, parts: Sequence[Key]) -> Spans | _Test:
        spans, tests = self.conjunction(parts)
        if not tests or not spans:
            return spans
        select = _all_of(tests)
        if spans != self._all:
            select = _all_of([_Test(_within(spans), 0), *tests])
        return _Test(select, tests[-1].cost, sum(test.keys for test in tests))

    def _or(self, parts: Sequence[Key]) -> Spans | _Test:
        ready = [self._ready(part) for part in parts]
        spans = _union(one for one in ready if not isinstance(one, _Test))
        tests = sorted((one for one in ready if isinstance(one, _Test)), key=attrgetter("cost"))
        if not tests or spans == self._all:
            return spans
        selects = [test.select for test in tests]
        if spans:
            selects.insert(0, _within(spans))
        return _Test(_any_of(selects), tests[-1].cost, sum(test.keys for test in tests))

    # What lies in the entry

    def _flag(self, flag: str, is_set: bool) -> _Test:
        entries = self._entries
        if is_set:
            return _Test(lambda indices: [index for index in indices if flag in entries[index].flags], 0)
        return _Test(lambda indices: [index for index in indices if flag not in entries[index].flags], 0)

    def _keyword(self, keyword: str, is_set: bool) -> _Test:
        entries = self._entries
        known: dict[frozenset[str], bool] = {}  # few combinations of flags exist

        def select(indices: list[int]) -> list[int]:
            matching = []
            for index in indices:
                flags = entries[index].flags
                has = known.get(flags)
                if has is None:
                    has = known[flags] = any(flag.lower() == keyword for flag in flags)
                if has is is_set:
                    matching.append(index)
            return matching

        return _Test(select, 0)

    def _size(self, relation: str, size_bytes: int) -> _Test:
        entries = self._entries
        if relation == ">":
            return _Test(lambda indices: [at for at in indices if len(entries[at].message.raw) > size_bytes], 0)
        return _Test(lambda indices: [at for at in indices if len(entries[at].message.raw) < size_bytes], 0)

    def _internal_date(self, relation: str, day: date) -> _Test:
        # The date that FETCH INTERNALDATE shows.
        entries = self._entries
        holds = _relation(relation, day)
        return _Test(lambda indices: [at for at in indices if holds(entries[at].message.received_at.date())], 0)

    def _within(self, is_older: bool, seconds: int) -> _Test:
        # To the resolution of a second (RFC 5032 section 2).
        entries = self._entries
        target = int(self._now.timestamp()) - seconds
        if is_older:
            return _Test(lambda indices: [at for at in indices if _second(entries[at]) <= target], 0)
        return _Test(lambda indices: [at for at in indices if _second(entries[at]) >= target], 0)

    # What must be read

    def _sent_date(self, relation: str, day: date) -> _Test:
        """A message without a Date that can be read matches none of SENTBEFORE, SENTON and SENTSINCE, as in
        Dovecot."""
        entries = self._entries
        holds = _relation(relation, day)

        def select(indices: list[int]) -> list[int]:
            dates = [(index, entries[index].message.derived("sent date", _sent_date)) for index in indices]
            return [index for index, sent in dates if sent is not None and holds(sent)]

        return _Test(select, 1)

    def _header(self, field: bytes, needle: Needle) -> Spans | _Test:
        entries = self._entries
        text = needle.text
        if _FIELD_NAME.fullmatch(field) is None or "\n" in text or "\r" in text:
            return []  # no field has such a name, and no unfolded value a line end
        name = field.decode("ascii").lower()
        wanted = text or f"\n{name}:"
        word = _word_of(wanted)

        def select(indices: list[int]) -> list[int]:
            if word is not None and text:
                messages = [entries[index].message for index in indices]
                # Of small messages a look at all of the bytes together is quicker than one at each header.
                if sum([len(message.raw) for message in messages]) <= _SMALL_BYTES * len(messages):
                    indices = [indices[at] for at in may_have(messages, word)]
            matching = []
            for index in indices:
                message = entries[index].message
                if word is not None and header_lacks(message.raw, word):
                    continue
                known = message.derived("search text", _search_text)
                if wanted in known.header and (not text or known.field_has(name, text)):
                    matching.append(index)
            return matching

        return _Test(select, 1)

    def _content(self, needle: Needle, *, whole: bool) -> Spans | _Test:
        """BODY, and TEXT (``whole``)."""
        entries = self._entries
        text, in_bytes = _ready_needle(needle)
        if not text:
            return self._all
        word = _word_of(text)

        def select(indices: list[int]) -> list[int]:
            if word is not None:
                among = may_have([entries[index].message for index in indices], word)
                indices = [indices[at] for at in among]
            matching = []
            for index in indices:
                message = entries[index].message.derived("search text", _search_text)
                if (whole and text in message.header) or message.body_has(text, in_bytes):
                    matching.append(index)
            return matching

        return _Test(select, 2)


def _second(entry: Entry) -> int:
    return int(entry.message.received_at.timestamp())


_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_WORDS = re.compile(r"[a-z0-9]+")


def _search_text(message: Message) -> SearchText:
    return SearchText(message.raw)


def _sent_date(message: Message) -> date | None:
    value = message.derived("search text", _search_text).field("date")
    # In capitals, because a zone "z" is none to datetime.fromisoformat.
    sent = None if value is None else parse_date(value.strip().upper())
    return None if sent is None else sent.date()


def _ready_needle(needle: Needle) -> tuple[str, bytes | None]:
    """Its text with the line ends of bodies, and in bytes if it can be looked for in bytes."""
    text = fold(needle.text)
    return text, needle.ascii if "\n" not in text else None


def _word_of(text: str) -> str | None:
    """The longest run of small US-ASCII letters and digits: where folded text has ``text``, it has this, and no line
    is broken inside. ``None`` if there is none."""
    return max(_WORDS.findall(text), key=len, default="") or None


def _relation(relation: str, day: date) -> Callable[[date], bool]:
    """What asks whether a date is before, on or since ``day``."""
    if relation == "<":
        return day.__gt__
    return day.__eq__ if relation == "=" else day.__le__


# Functions of indices


def _all_of(tests: Sequence[_Test]) -> Select:
    selects = [test.select for test in tests]
    if len(selects) == 1:
        return selects[0]

    def select(indices: list[int]) -> list[int]:
        for one in selects:
            if not indices:
                break
            indices = one(indices)
        return indices

    return select


def _any_of(selects: Sequence[Select]) -> Select:
    def select(indices: list[int]) -> list[int]:
        left = indices
        matching: set[int] = set()
        for one in selects:
            more = one(left)
            if more:
                matching.update(more)
                left = [index for index in left if index not in matching]
                if not left:
                    return indices
        return [index for index in indices if index in matching]

    return select


def _none_of(select: Select) -> Select:
    def complement(indices: list[int]) -> list[int]:
        matching = set(select(indices))
        return [index for index in indices if index not in matching]

    return complement


def _within(spans: Spans) -> Select:
    stops = [stop for _, stop in spans]

    def select(indices: list[int]) -> list[int]:
        matching: list[int] = []
        if indices:
            for start, stop in spans[bisect_right(stops, indices[0]) :]:
                if start > indices[-1]:
                    break
                matching += indices[bisect_left(indices, start) : bisect_left(indices, stop)]
        return matching

    return select


# Spans


def _common(some: Spans, others: Spans) -> Spans:
    result: Spans = []
    at = other_at = 0
    while at < len(some) and other_at < len(others):
        start = max(some[at][0], others[other_at][0])
        stop = min(some[at][1], others[other_at][1])
        if start < stop:
            result.append((start, stop))
        if some[at][1] < others[other_at][1]:
            at += 1
        else:
            other_at += 1
    return result


def _union(many: Iterable[Spans]) -> Spans:
    result: Spans = []
    for start, stop in sorted(span for spans in many for span in spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def _complement(spans: Spans, count: int) -> Spans:
    result: Spans = []
    at = 0
    for start, stop in spans:
        if at < start:
            result.append((at, start))
        at = stop
    if at < count:
        result.append((at, count))
    return result
