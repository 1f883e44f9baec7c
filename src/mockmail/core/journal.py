"""The one history: an append-only list of records, read by any thread, written on the loop thread alone."""

from __future__ import annotations

import datetime
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar, overload

from mockmail.core.events import Delivered, Event

__all__ = ["Batch", "Journal", "JournalView", "Mark", "Rows"]

E = TypeVar("E", bound=Event)
T = TypeVar("T")


LIMIT_RECORDS = 1_000_000


class Batch(Generic[E]):
    """One record for a command that touched many messages, expanded into events when somebody looks."""

    __slots__ = ("_make", "_rows", "at", "kind")

    def __init__(self, kind: type[E], at: datetime.datetime, make: Callable[[Any], E], rows: Sequence[Any]) -> None:
        self.kind = kind
        self.at = at
        self._make = make
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[E]:
        return map(self._make, self._rows)


class Mark:
    """A point in the history, for ``since=``."""

    __slots__ = ("counts", "journal", "total")

    def __init__(self, journal: Journal, total: int, counts: dict[type[Event], int]) -> None:
        self.journal = journal
        self.total = total
        self.counts = counts


class Rows(Generic[T]):
    """An append-only list that can lose its beginning: positions are counted from the first row ever.

    A reader takes ``items`` once and works on that list: trimming swaps in a new one.
    """

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: tuple[list[T], int, int] = ([], 0, 0)
        """The list, the position of its first element, and how many of its elements are trimmed but still there."""

    def append(self, row: T) -> None:
        self.items[0].append(row)

    def __len__(self) -> int:
        """The position after the newest row."""
        rows, base, _ = self.items
        return base + len(rows)

    def __getitem__(self, index: int) -> T:
        """A row kept, counted from the oldest (or from the newest, below 0)."""
        rows, _, dead = self.items
        if index < 0:
            index += len(rows) - dead
        if index < 0:
            raise IndexError("there are not so many")
        return rows[index + dead]

    @property
    def first(self) -> int:
        """The position of the oldest row kept."""
        _, base, dead = self.items
        return base + dead

    def read(self, start: int = 0, stop: int | None = None) -> list[T]:
        """A copy of the rows kept from position ``start`` on."""
        rows, base, dead = self.items
        return rows[max(start - base, dead) : None if stop is None else max(0, stop - base)]

    def trim(self, first: int) -> None:
        """Forget the rows before position ``first``. Amortised: the list is rebuilt when half of it is dead."""
        rows, base, dead = self.items
        dead = min(max(dead, first - base), len(rows))
        if dead > 64 and dead * 2 > len(rows):
            self.items = (rows[dead:], base + dead, 0)
        else:
            self.items = (rows, base, dead)


class Journal:
    """Records of what happened, in order, with an index by kind and waiters for more.

    ``append`` is called on the loop thread only; everything else on any thread. Of each kind but ``Delivered``, which
    goes with the mail itself, about the newest ``limit_records`` are kept: clients that ask and ask, as those of a
    long-lived development sink do, must not fill the memory.
    """

    __slots__ = ("_by_kind", "_closed", "_limit_records", "_until_shrink", "_waiters", "records")

    def __init__(self, limit_records: int = LIMIT_RECORDS) -> None:
        self._limit_records = limit_records
        self._until_shrink = limit_records
        self.records: Rows[Event | Batch[Any]] = Rows()
        self._by_kind: dict[type[Event], Rows[Event | Batch[Any]]] = {}
        self._waiters: list[tuple[int, Callable[[], None]]] = []
        self._closed = False

    def append(self, record: Event | Batch[Any]) -> None:
        """Add a record, then wake who waits for it."""
        kind = record.kind if isinstance(record, Batch) else type(record)
        rows = self._by_kind.get(kind)
        if rows is None:
            rows = self.rows(kind)  # another thread may ask for it at this very moment
        # Rows.append() without the calls: no other function is called as often.
        rows.items[0].append(record)
        self.records.items[0].append(record)
        self._until_shrink -= 1
        if self._until_shrink < 0:
            self._shrink()
        if self._waiters:
            self._wake()

    def _shrink(self) -> None:
        self._until_shrink = self._limit_records // 4
        for rows in (self.records, *(rows for kind, rows in self._by_kind.items() if kind is not Delivered)):
            rows.trim(len(rows) - self._limit_records)

    def close(self) -> None:
        """Wake everybody: nothing that is awaited will come. Late records are still taken."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        length = len(self.records)
        # Copied in one step: a waiter that leaves meanwhile, in its own thread, would make a loop skip its neighbour.
        due = [waiter for waiter in tuple(self._waiters) if waiter[0] < length or self._closed]
        for waiter in due:
            try:
                self._waiters.remove(waiter)
            except ValueError:  # its owner gave up waiting in another thread just now
                continue
            waiter[1]()

    def when_longer(self, length: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` once when there are more than ``length`` records: from the loop thread, or here and now
        when there are already, or the journal is closed. Returns a function that gives up waiting."""
        waiter = (length, callback)
        self._waiters.append(waiter)
        if len(self.records) > length or self._closed:
            # Whoever takes the waiter off the list calls it, so that it is called once.
            try:
                self._waiters.remove(waiter)
            except ValueError:
                return _nothing
            callback()
            return _nothing

        def cancel() -> None:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                return

        return cancel

    def mark(self) -> Mark:
        """This moment."""
        total = len(self.records)
        return Mark(self, total, {kind: len(rows) for kind, rows in list(self._by_kind.items())})

    def of(self, kind: type[E], since: Mark | None = None) -> list[E]:
        """All events of a kind (not of its subclasses), oldest first."""
        rows = self._by_kind.get(kind)
        if rows is None:
            return []
        start = 0
        if since is not None and since.journal is self:
            start = since.counts.get(kind, 0)
        return list(_expand(rows.read(start)))

    def events(self, start: int, stop: int | None = None) -> list[Event]:
        """The events of the records from position ``start`` to before ``stop``."""
        return list(_expand(self.records.read(start, stop)))

    def rows(self, kind: type[Event]) -> Rows[Event | Batch[Any]]:
        """The index of one kind, made on first use."""
        return self._by_kind.setdefault(kind, Rows())

    def trim(self, kind: type[Event], keep: int) -> None:
        """Keep the newest ``keep`` records of ``kind``; now and then, forget of all others what is older than those."""
        rows = self.rows(kind)
        excess = len(rows) - rows.first - keep
        if excess <= 0:
            return
        before = rows.items[0]
        rows.trim(rows.first + excess)
        if rows.items[0] is before:
            return
        oldest = rows.read()[0].at
        for other in (self.records, *self._by_kind.values()):
            if other is not rows:
                kept = other.read()
                other.trim(other.first + bisect_left(kept, oldest, key=attrgetter("at")))


def _nothing() -> None:
    return None


def _expand(records: Sequence[Event | Batch[Any]]) -> Iterator[Any]:
    for record in records:
        if isinstance(record, Batch):
            yield from record
        else:
            yield record


class JournalView(Sequence[Event]):
    """``mail.events``: the events so far, in order. Each use looks anew."""

    __slots__ = ("_journal",)

    def __init__(self, journal: Callable[[], Journal]) -> None:
        self._journal = journal

    def of(self, kind: type[E], since: Mark | None = None) -> list[E]:
        """All events of a kind, oldest first."""
        return self._journal().of(kind, since)

    def __len__(self) -> int:
        return sum(len(record) if isinstance(record, Batch) else 1 for record in self._journal().records.read())

    def __iter__(self) -> Iterator[Event]:
        return _expand(self._journal().records.read())

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        return list(self)[index]

    def __repr__(self) -> str:
        return f"<{len(self)} events>"
