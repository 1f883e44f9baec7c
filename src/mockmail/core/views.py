"""What one reader sees of a mailbox. Sequence numbers exist only here. Loop thread only.

A view counts messages as its client knows them: others' changes wait as a bounded diff until
:meth:`MailboxView.changes` hands them over, at a moment when the protocol allows it (RFC 3501 7.4.1: no expunge while
a FETCH, STORE or SEARCH is answered).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from mockmail.core.mailbox import Entry, Mailbox

__all__ = ["Changes", "MailboxView", "Maildrop"]

_uid_of = attrgetter("uid")


@dataclass(slots=True)
class Changes:
    """What a client must be told, in this order."""

    expunged: list[int] = field(default_factory=list)
    """Sequence numbers to report one after the other: each counts what the ones before it left."""
    exists: int | None = None
    """The new number of messages, when there are new ones."""
    recent: int | None = None
    """The number of recent messages, when ``exists`` is given."""
    fetched: list[tuple[int, Entry]] = field(default_factory=list)
    """Messages whose flags others changed, by their sequence number after all of the above."""

    def __bool__(self) -> bool:
        return bool(self.expunged or self.fetched) or self.exists is not None


class MailboxView:
    """A selected mailbox, as one session knows it.

    ``on_change`` is called whenever there may be something for :meth:`changes`.
    """

    __slots__ = (
        "_changed",
        "_entries",
        "_gone",
        "_keywords_told",
        "_recent",
        "count",
        "mailbox",
        "on_change",
        "read_only",
    )

    def __init__(
        self, mailbox: Mailbox, *, read_only: bool = False, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.mailbox = mailbox
        self.read_only = read_only
        self.on_change = on_change
        self._entries = mailbox.entries
        self.count = len(mailbox.entries)
        """How many messages the client knows of."""
        self._gone: set[int] = set()
        """UIDs that left the mailbox but not yet this view."""
        self._changed: set[int] = set()
        """UIDs whose flags others changed."""
        self._keywords_told = len(mailbox.keywords)
        """How many of the mailbox's keywords the client knows of: there only ever come more."""
        self._recent: list[tuple[int, int]] = []
        """Ranges [start, stop) of UIDs that this session was first to hear of."""
        self._claim_recent()
        mailbox.views.append(self)

    def close(self) -> None:
        """Stop watching."""
        if self in self.mailbox.views:
            self.mailbox.views.remove(self)

    def rebind(self, mailbox: Mailbox) -> None:
        """Go over to ``mailbox``, which took the place of this view's: every message known leaves, by expunge."""
        self.close()
        self._gone.update(entry.uid for entry in self._entries[: self.count])
        self._changed.clear()
        if mailbox.keywords != self.mailbox.keywords:
            self._keywords_told = -1
        self.mailbox = mailbox
        mailbox.views.append(self)
        self.on_change()

    # Told by the mailbox

    def flags_changed(self, changed: Iterable[tuple[Entry, Entry]]) -> None:
        """Others changed flags."""
        last = self._entries[self.count - 1].uid if self.count else 0
        self._changed.update(new.uid for _, new in changed if new.uid <= last)
        self.on_change()

    def messages_left(self, removed: Iterable[Entry]) -> None:
        """Messages were expunged."""
        last = self._entries[self.count - 1].uid if self.count else 0
        self._gone.update(entry.uid for entry in removed if entry.uid <= last)
        self.on_change()

    # Looking: all by the numbers the client knows

    @property
    def stale(self) -> bool:
        """Whether messages that the client still counts are gone."""
        return bool(self._gone)

    @property
    def highest_uid(self) -> int:
        """The UID of the last message the client knows of; 0 when it knows of none."""
        return self._entries[self.count - 1].uid if self.count else 0

    def entries(self) -> Sequence[Entry]:
        """All messages the client knows of; entry ``n-1`` has sequence number ``n``. Messages that are gone are
        still among them, as they last were. A copy, except that it may be shared while nothing is pending: do not
        change it, and take it anew for each command."""
        entries = self._entries
        if self._entries is not self.mailbox.entries:
            current = self.mailbox.get
            return [current(entry.uid) or entry for entry in entries[: self.count]]
        return entries if len(entries) == self.count else entries[: self.count]

    def span(self, low: int, high: int) -> list[Entry]:
        """The messages with sequence numbers from ``low`` to ``high``, as :meth:`entries` has them; it takes time for
        these alone."""
        entries = self._entries[low - 1 : min(high, self.count)]
        if self._entries is not self.mailbox.entries:
            current = self.mailbox.get
            return [current(entry.uid) or entry for entry in entries]
        return entries

    def entry(self, number: int) -> Entry | None:
        """The message of a sequence number; ``None`` out of range. One that is gone is as it last was."""
        if not 1 <= number <= self.count:
            return None
        entry = self._entries[number - 1]
        if self._entries is not self.mailbox.entries:
            return self.mailbox.get(entry.uid) or entry
        return entry

    def number(self, uid: int) -> int | None:
        """The sequence number of a UID; ``None`` when the client does not know of it."""
        index = bisect_left(self._entries, uid, 0, self.count, key=_uid_of)
        return index + 1 if index < self.count and self._entries[index].uid == uid else None

    def number_span(self, first_uid: int, last_uid: int) -> tuple[int, int]:
        """The sequence numbers (first, last) of the known messages with UIDs from ``first_uid`` to ``last_uid``; empty
        when first > last."""
        start = bisect_left(self._entries, first_uid, 0, self.count, key=_uid_of)
        stop = bisect_left(self._entries, last_uid + 1, 0, self.count, key=_uid_of)
        return start + 1, stop

    def exists(self, uid: int) -> bool:
        """Whether the message is still in the mailbox."""
        return uid not in self._gone

    # Recent (RFC 3501 2.3.2)

    def is_recent(self, uid: int) -> bool:
        """Whether this session was the first to be told of the message."""
        for start, stop in self._recent:  # noqa: SIM110  any() would make a generator for each message
            if start <= uid < stop:
                return True
        return False

    def recent_count(self) -> int:
        """How many known messages are recent."""
        return sum(last - first + 1 for first, last in self.recent_spans())

    def recent_spans(self) -> list[tuple[int, int]]:
        """The recent messages among those known, as ascending ranges of sequence numbers, both ends included."""
        spans = (self.number_span(start, stop - 1) for start, stop in self._recent)
        return [(first, last) for first, last in spans if first <= last]

    @property
    def has_recent(self) -> bool:
        """Whether any UID at all is recent here; when not, flags can be rendered without asking for each."""
        return bool(self._recent)

    def _claim_recent(self) -> None:
        mailbox = self.mailbox
        start, stop = mailbox.recent_from_uid, mailbox.uid_next
        if self._recent:
            # A read-only view leaves the mark where it was, and must not claim the same messages twice.
            start = max(start, self._recent[-1][1])
        if start >= stop:
            return
        if self._recent and self._recent[-1][1] == start:
            self._recent[-1] = (self._recent[-1][0], stop)
        else:
            self._recent.append((start, stop))
        if not self.read_only:
            mailbox.recent_from_uid = stop

    # Telling the client

    @property
    def has_new_keywords(self) -> bool:
        """Whether the mailbox has keywords that the client does not know of."""
        return self._keywords_told != len(self.mailbox.keywords)

    def take_keywords(self) -> Collection[str]:
        """All keywords of the mailbox; from now on the client knows of them."""
        keywords = self.mailbox.keywords.values()
        self._keywords_told = len(keywords)
        return keywords

    @property
    def has_changes(self) -> bool:
        """Whether :meth:`changes` (expunges allowed) would give anything."""
        if self._gone or self._changed:
            return True
        newest = self.mailbox.entries[-1].uid if self.mailbox.entries else 0
        return newest > self.highest_uid

    def changes(self, *, expunges: bool) -> Changes:
        """Take over what others did, and what is to be told of it. Without ``expunges``, messages that are gone go on
        counting."""
        result = Changes()
        known = self.count
        if expunges and self._gone:
            result.expunged = self._take_expunged()
            known = self.count
        self._take_new()
        if self.count != known:
            result.exists = self.count
            self._claim_recent()
            result.recent = self.recent_count()
        if self._changed:
            result.fetched = self._take_flags()
        return result

    def _take_expunged(self) -> list[int]:
        gone = self._gone
        old = self._entries
        count = self.count
        if len(gone) * 8 < count:
            positions = sorted(number for number in map(self.number, gone) if number is not None)
        else:
            positions = [number for number, entry in enumerate(old[:count], 1) if entry.uid in gone]
        self._gone = set()
        self._changed -= gone
        # The mailbox lists the same messages less those gone, then those that came since.
        self._entries = self.mailbox.entries
        self.count = count - len(positions)
        return [number - index for index, number in enumerate(positions)]

    def _take_new(self) -> None:
        entries = self.mailbox.entries
        if self._entries is entries:
            self.count = len(entries)
            return
        if not self._gone:
            self._entries = entries
            self.count = len(entries)
            return
        start = bisect_left(entries, self.highest_uid + 1, key=_uid_of)
        if start < len(entries):
            # Some that are gone still count: this view needs a list of its own until they are reported.
            self._entries = [*self._entries[: self.count], *entries[start:]]
            self.count = len(self._entries)

    def _take_flags(self) -> list[tuple[int, Entry]]:
        changed = []
        for uid in sorted(self._changed):
            number = self.number(uid)
            entry = self.mailbox.get(uid)
            if number is not None and entry is not None:
                changed.append((number, entry))
        self._changed = set()
        return changed


class Maildrop:
    """A mailbox as a POP3 session sees it: a snapshot, with marks for deletion (RFC 1939 section 5).

    Message numbers are from 1. Nothing is deleted here: whoever ends the session in order
    expunges :meth:`doomed_uids`.
    """

    __slots__ = ("_live_count", "_live_size_bytes", "deleted", "entries", "mailbox")

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.entries: tuple[Entry, ...] = tuple(mailbox.entries)
        self.deleted: set[int] = set()
        """Message numbers marked as deleted."""
        self._live_size_bytes = mailbox.size_bytes
        self._live_count = len(self.entries)

    @property
    def count(self) -> int:
        """Messages not marked as deleted."""
        return self._live_count

    @property
    def size_bytes(self) -> int:
        """Their size together."""
        return self._live_size_bytes

    def entry(self, number: int) -> Entry | None:
        """The message of a number; ``None`` when there is none or it is marked as deleted."""
        if not 1 <= number <= len(self.entries) or number in self.deleted:
            return None
        return self.entries[number - 1]

    def delete(self, number: int) -> None:
        """Mark; the number must be one that :meth:`entry` knows."""
        self.deleted.add(number)
        self._live_count -= 1
        self._live_size_bytes -= self.entries[number - 1].message.size

    def reset(self) -> None:
        """Take all marks away."""
        for number in self.deleted:
            self._live_size_bytes += self.entries[number - 1].message.size
        self.deleted.clear()
        self._live_count = len(self.entries)

    def unique_id(self, number: int) -> str:
        """A name that the message keeps across sessions (RFC 1939 section 7, UIDL)."""
        return f"{self.unique_id_prefix}{self.entries[number - 1].uid}"

    @property
    def unique_id_prefix(self) -> str:
        """What all unique-ids begin with; the UID follows, in decimal digits."""
        return f"{self.mailbox.uid_validity}."

    @property
    def outdated(self) -> bool:
        """Whether another mailbox took the place of this one, under another UIDVALIDITY: UIDs known here name other
        messages there."""
        return self.mailbox.deleted

    def doomed_uids(self) -> list[int]:
        """UIDs of the messages marked as deleted."""
        return [self.entries[number - 1].uid for number in sorted(self.deleted)]
