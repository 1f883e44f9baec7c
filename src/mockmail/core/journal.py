"""The one history: an append-only list of records, read by any thread, written on the loop thread alone."""

from __future__ import annotations

import datetime
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, TypeVar, overload

from mockmail.core.clock import Instant, time_of
from mockmail.core.events import KINDS, Accepted, Command, Delivered, Event

if TYPE_CHECKING:
    from mockmail.core.message import Message

__all__ = ["Batch", "Journal", "JournalView", "Mark", "Record", "Rows"]

E = TypeVar("E", bound=Event)
P = ParamSpec("P")


LIMIT_RECORDS = 1_000_000


_ARRIVAL = "Accepted, Delivered"
"""What begins the row of a message that came in, which is two events."""


class Batch(Generic[E]):
    """One record for what makes several events, expanded into them when somebody looks."""

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


Record: TypeAlias = Event | Batch[Any]


class Mark:
    """A point in the history, for ``since=``."""

    __slots__ = ("counts", "journal", "total")

    def __init__(self, journal: Journal, total: int, counts: dict[type[Event], int]) -> None:
        self.journal = journal
        self.total = total
        self.counts = counts


class Rows:
    """An append-only list of records that can lose its beginning: positions are counted from the first record ever.

    A reader takes ``items`` once and works on that list: trimming swaps in a new one. Most records are put in as the
    tuple of their kind's name and their values, in a third of the time that an event takes, and nothing for the garbage
    collector to walk; whoever reads first makes events of them. Threads that do so at once make equal ones.
    """

    __slots__ = ("_kind", "items")

    def __init__(self, kind: type[Event] | None = None) -> None:
        """``kind``: that of all its events; ``None``: they may be of any."""
        self._kind = kind
        self.items: tuple[list[Any], int, int] = ([], 0, 0)
        """The list, the position of its first element, and how many of its elements are trimmed but still there."""

    def __len__(self) -> int:
        """The position after the newest record."""
        rows, base, _ = self.items
        return base + len(rows)

    def __getitem__(self, index: int) -> Record:
        """A record kept, counted from the oldest (or from the newest, below 0)."""
        rows, _, dead = self.items
        if index < 0:
            index += len(rows) - dead
        if index < 0:
            raise IndexError("there are not so many")
        index += dead
        row = rows[index]
        if type(row) is tuple:
            rows[index] = row = _made(row, self._kind)
        record: Record = row
        return record

    @property
    def first(self) -> int:
        """The position of the oldest record kept."""
        _, base, dead = self.items
        return base + dead

    def read(self, start: int = 0, stop: int | None = None) -> list[Record]:
        """A copy of the records kept from position ``start`` on."""
        rows, base, dead = self.items
        start = max(start - base, dead)
        found = rows[start : None if stop is None else max(0, stop - base)]
        for index, record in enumerate(found):
            if type(record) is tuple:
                found[index] = rows[start + index] = _made(record, self._kind)
        return found

    def trim(self, first: int) -> None:
        """Forget the records before position ``first``. Amortised: the list is rebuilt when half of it is dead."""
        rows, base, dead = self.items
        dead = min(max(dead, first - base), len(rows))
        if dead > 64 and dead * 2 > len(rows):
            self.items = (rows[dead:], base + dead, 0)
        else:
            self.items = (rows, base, dead)


def _made(row: tuple[Any, ...], kind: type[Event] | None) -> Record:
    if row[0] != _ARRIVAL:
        return KINDS[row[0]](time_of(row[1]), *row[2:])
    _, at, message, protocol, session, account, recipients, accounts = row
    if kind is Accepted:
        return Accepted(at, message, protocol, session, account)
    delivered = Delivered(at, message, recipients, accounts, session)
    if kind is Delivered:
        return delivered
    return Batch(Event, at, _itself, (Accepted(at, message, protocol, session, account), delivered))


def _itself(event: Event) -> Event:
    return event


class Journal:
    """Records of what happened, in order, with an index by kind and waiters for more.

    What adds to it is called on the loop thread only; everything else on any thread. Of each kind but ``Delivered``,
    which goes with the mail itself, about the newest ``limit_records`` are kept: clients that ask and ask, as those of
    a long-lived development sink do, must not fill the memory.
    """

    __slots__ = (
        "_by_kind", "_closed", "_keep", "_keep_accepted", "_keep_command", "_keep_delivered", "_keepers",
        "_limit_records", "_until_shrink", "_waiters", "records",
    )  # fmt: skip

    def __init__(self, limit_records: int = LIMIT_RECORDS) -> None:
        self._limit_records = limit_records
        self._until_shrink = limit_records
        self.records = Rows()
        self._by_kind: dict[type[Event], Rows] = {}
        self._waiters: list[tuple[int, Callable[[], None]]] = []
        self._closed = False
        self._bind()

    def _bind(self) -> None:
        """Know the lists that there are now, to be called after each trim. No other method is called as often as that
        which adds to them."""
        self._keep = self.records.items[0].append
        self._keepers: dict[type[Event], tuple[Callable[[Any], None], tuple[str]]] = {}
        self._keep_command, _ = self._keeper(Command)
        self._keep_accepted, _ = self._keeper(Accepted)
        self._keep_delivered, _ = self._keeper(Delivered)

    if TYPE_CHECKING:

        def note(self, kind: Callable[P, Event], *values: P.args, **by_name: P.kwargs) -> None:
            """Add the event ``kind(*values)``, all values by position, then wake who waits for it."""

    else:

        def note(self, kind: type[Event], *values: Any) -> None:
            try:
                keep, begins = self._keepers[kind]
            except KeyError:
                keep, begins = self._keeper(kind)
            row = begins + values
            keep(row)
            keep = self._keep
            keep(row)
            self._until_shrink -= 1
            if self._until_shrink < 0 or self._waiters:
                self._attend()

    def note_command(
        self, at: Instant, protocol: str, name: str, arguments: str, account: str, session: str, reply: str
    ) -> None:
        """The same with a ``Command``, of which there are more than of all other events together."""
        row = ("Command", at, protocol, name, arguments, account, session, reply)
        # What is called so is looked up in a quarter of the time by CPython 3.11 once it is a name of its own.
        keep_command, keep = self._keep_command, self._keep
        keep_command(row)
        keep(row)
        self._until_shrink -= 1
        if self._until_shrink < 0 or self._waiters:
            self._attend()

    def note_arrival(
        self,
        at: datetime.datetime,
        message: Message,
        protocol: str,
        session: str,
        account: str,
        recipients: tuple[str, ...],
        accounts: tuple[str, ...],
    ) -> None:
        """Add the two events of a message that was taken over and delivered, as one record: ``Accepted(at, message,
        protocol, session, account)`` and ``Delivered(at, message, recipients, accounts, session)``."""
        row = (_ARRIVAL, at, message, protocol, session, account, recipients, accounts)
        keep_accepted, keep_delivered, keep = self._keep_accepted, self._keep_delivered, self._keep
        keep_accepted(row)
        keep_delivered(row)
        keep(row)
        self._until_shrink -= 1
        if self._until_shrink < 0 or self._waiters:
            self._attend()

    def append(self, record: Record) -> None:
        """The same with a record that is made already."""
        kind = record.kind if isinstance(record, Batch) else type(record)
        keep, _ = self._keepers.get(kind) or self._keeper(kind)
        keep(record)
        self._keep(record)
        self._until_shrink -= 1
        if self._until_shrink < 0 or self._waiters:
            self._attend()

    def _attend(self) -> None:
        """See to what does not come with every record."""
        if self._until_shrink < 0:
            self._shrink()
        self._wake()

    def _keeper(self, kind: type[Event]) -> tuple[Callable[[Any], None], tuple[str]]:
        """What keeps a record in the index of its kind, and what a row of it begins with."""
        keeper = self._keepers[kind] = self.rows(kind).items[0].append, (kind.__name__,)
        return keeper

    def _shrink(self) -> None:
        self._until_shrink = self._limit_records // 4
        others = [rows for kind, rows in tuple(self._by_kind.items()) if kind is not Delivered]
        for rows in (self.records, *others):
            rows.trim(len(rows) - self._limit_records)
        self._bind()

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

    def by_record(self, start: int, stop: int | None = None) -> list[list[Event]]:
        """The same, a list for each record."""
        return [list(_expand([record])) for record in self.records.read(start, stop)]

    def rows(self, kind: type[Event]) -> Rows:
        """The index of one kind, made on first use."""
        rows = self._by_kind.get(kind)
        return self._by_kind.setdefault(kind, Rows(kind)) if rows is None else rows

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
        oldest = rows[0].at
        for other in (self.records, *tuple(self._by_kind.values())):
            if other is not rows:
                kept, _, dead = other.items
                other.trim(other.first + bisect_left(kept, oldest, dead, key=_time_of) - dead)
        self._bind()


def _time_of(row: Any) -> datetime.datetime:
    return time_of(row[1] if type(row) is tuple else row.at)


def _nothing() -> None:
    return None


def _expand(records: Sequence[Record]) -> Iterator[Any]:
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
