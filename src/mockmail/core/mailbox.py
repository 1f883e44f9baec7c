"""A mailbox: messages under ascending UIDs, with flags and mod-sequences. Loop thread only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from mockmail.core.message import Message

if TYPE_CHECKING:
    from mockmail.core.views import MailboxView

__all__ = ["SEEN", "SYSTEM_FLAGS", "Entry", "FlagChange", "Mailbox", "flag_set"]

FlagChange = Literal["add", "remove", "replace"]

_uid_of = attrgetter("uid")
_NO_FLAGS: frozenset[str] = frozenset()
SEEN = frozenset({"\\Seen"})
_interned: dict[frozenset[str], frozenset[str]] = {_NO_FLAGS: _NO_FLAGS}
SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")}
_AS_SPELLED = frozenset(SYSTEM_FLAGS.values())
_INTERNED_LIMIT = 4096


def flag_set(flags: Iterable[str]) -> frozenset[str]:
    """One shared frozenset for each combination of flags, system flags in their usual spelling."""
    found = frozenset(SYSTEM_FLAGS.get(flag.lower(), flag) for flag in flags)
    return _intern(found)


def _intern(flags: frozenset[str]) -> frozenset[str]:
    known = _interned.get(flags)
    if known is not None:
        return known
    if len(_interned) >= _INTERNED_LIMIT:
        # A client that makes up keywords without end must not grow this table without end.
        _interned.clear()
        _interned[_NO_FLAGS] = _NO_FLAGS
    return _interned.setdefault(flags, flags)


class Entry:
    """A message in a mailbox. Never changed: a new entry takes its place."""

    __slots__ = ("flags", "message", "modseq", "uid")

    def __init__(self, uid: int, message: Message, flags: frozenset[str], modseq: int) -> None:
        self.uid = uid
        self.message = message
        self.flags = flags
        self.modseq = modseq

    def __repr__(self) -> str:
        return f"<Entry uid={self.uid} flags={' '.join(sorted(self.flags))!r}>"


class Mailbox:
    """UIDs are given out ascending and never again under one UIDVALIDITY (RFC 3501 2.3.1.1).

    ``entries`` is ascending by UID. It grows and changes in place, and is replaced by a new list when messages leave,
    so that a view may share it: the first n elements of a list that a view holds stay the same messages.
    """

    __slots__ = (
        "_first_unseen",
        "_sized",
        "_unseen_count",
        "account",
        "deleted",
        "entries",
        "highest_modseq",
        "keywords",
        "name",
        "read_only",
        "recent_from_uid",
        "refuse_keywords",
        "special_use",
        "uid_next",
        "uid_validity",
        "views",
    )

    def __init__(self, account: str, name: str, uid_validity: int, *, uid_next: int = 1) -> None:
        self.account = account
        self.name = name
        self.uid_validity = uid_validity
        self.uid_next = uid_next
        self.recent_from_uid = uid_next
        """The first UID that no read-write session has been told of as recent."""
        self.entries: list[Entry] = []
        self.highest_modseq = 1
        self._sized = (0, 0)
        """How many of the entries, from the first on, were weighed, and their bytes."""
        self.keywords: dict[str, str] = {}
        """Keywords in use or used once: lower case -> as first spelt."""
        self.views: list[MailboxView] = []
        self.special_use: str | None = None
        self.read_only = False
        self.refuse_keywords = False
        self.deleted = False
        self._first_unseen: tuple[int, int | None] = (0, None)
        self._unseen_count = (0, 0)

    # Looking

    @property
    def size_bytes(self) -> int:
        """Bytes of all messages. Each is weighed once, when somebody asks after it came."""
        count, size_bytes = self._sized
        new = self.entries[count:]
        if new:
            size_bytes += sum([entry.message.size for entry in new])
            self._sized = count + len(new), size_bytes
        return size_bytes

    def position(self, uid: int) -> int | None:
        """Index in ``entries`` of that UID, or ``None``."""
        entries = self.entries
        if not entries:
            return None
        index = uid - entries[0].uid
        if 0 <= index < len(entries) and entries[index].uid == uid:
            return index  # mostly: where none was expunged
        index = bisect_left(entries, uid, key=_uid_of)
        return index if index < len(entries) and entries[index].uid == uid else None

    def get(self, uid: int) -> Entry | None:
        """The message of that UID, or ``None``."""
        index = self.position(uid)
        return None if index is None else self.entries[index]

    def select(self, uids: Collection[int]) -> list[Entry]:
        """The messages of these UIDs that exist, ascending."""
        found = (self.get(uid) for uid in sorted(set(uids)))
        return [entry for entry in found if entry is not None]

    def first_unseen(self) -> int | None:
        """Index in ``entries`` of the first message without ``\\Seen``; looked for once after each change."""
        modseq, index = self._first_unseen
        if modseq != self.highest_modseq:
            index = next((at for at, entry in enumerate(self.entries) if "\\Seen" not in entry.flags), None)
            self._first_unseen = self.highest_modseq, index
        return index

    def unseen_count(self) -> int:
        """Messages without ``\\Seen``; counted once after each change."""
        modseq, count = self._unseen_count
        if modseq != self.highest_modseq:
            count = sum("\\Seen" not in entry.flags for entry in self.entries)
            self._unseen_count = self.highest_modseq, count
        return count

    def recent_count(self) -> int:
        """Messages that no read-write session has been told of."""
        return len(self.entries) - bisect_left(self.entries, self.recent_from_uid, key=_uid_of)

    def spelled(self, flags: Iterable[str]) -> frozenset[str]:
        """``flags`` as this mailbox spells them: a keyword keeps the case in which it was first used."""
        if isinstance(flags, frozenset) and flags <= _AS_SPELLED:
            return _intern(flags)
        known = self.keywords
        result = []
        for flag in flags:
            lower = flag.lower()
            if flag.startswith("\\"):
                result.append(SYSTEM_FLAGS.get(lower, flag))
            else:
                result.append(known.setdefault(lower, flag))
        return _intern(frozenset(result))

    # Changing

    def add(self, messages: Iterable[tuple[Message, frozenset[str]]]) -> list[Entry]:
        """Append messages with their flags (as :meth:`spelled` gives them); views are told."""
        modseq = self.highest_modseq + 1
        uid = self.uid_next
        added = []
        for message, flags in messages:
            added.append(Entry(uid, message, flags, modseq))
            uid += 1
        if added:
            self.highest_modseq = modseq
            self.uid_next = uid
            self.entries.extend(added)
            for view in self.views:
                view.on_change()
        return added

    def add_one(self, message: Message) -> None:
        """Append a message without flags, as it comes in; views are told."""
        modseq, uid = self.highest_modseq + 1, self.uid_next
        self.entries.append(Entry(uid, message, _NO_FLAGS, modseq))
        self.highest_modseq = modseq
        self.uid_next = uid + 1
        for view in self.views:
            view.on_change()

    def change_flags(
        self,
        uids: Iterable[int],
        change: FlagChange,
        flags: Iterable[str],
        origin: MailboxView | None = None,
    ) -> list[tuple[Entry, Entry]]:
        """Change flags; returns (old, new) for those that did change. Views other than ``origin`` are told."""
        if change == "remove":
            # What is taken away is not thereby a keyword of the mailbox.
            flags = [flag for flag in flags if flag.startswith("\\") or flag.lower() in self.keywords]
        named = self.spelled(flags)
        entries = self.entries
        modseq = self.highest_modseq + 1
        results: dict[frozenset[str], frozenset[str]] = {}
        changed = []
        expected = 0
        for uid in uids:
            # UIDs mostly come ascending and dense, so the next index is nearly always the right one.
            if not (expected < len(entries) and entries[expected].uid == uid):
                index = self.position(uid)
                if index is None:
                    continue
                expected = index
            old = entries[expected]
            new_flags = results.get(old.flags)
            if new_flags is None:
                new_flags = results[old.flags] = _intern(_changed(old.flags, change, named))
            if new_flags is not old.flags and new_flags != old.flags:
                new = Entry(uid, old.message, new_flags, modseq)
                entries[expected] = new
                changed.append((old, new))
            expected += 1
        if changed:
            self.highest_modseq = modseq
            for view in self.views:
                if view is not origin:
                    view.flags_changed(changed)
        return changed

    def mark_seen(self, uid: int) -> Entry | None:
        """Set ``\\Seen`` on one message: :meth:`change_flags` of what most readers change, in a third of the time. The
        new entry; ``None`` when the message is gone, or was seen already. Every view is told."""
        index = self.position(uid)
        if index is None:
            return None
        old = self.entries[index]
        if "\\Seen" in old.flags:
            return None
        self.highest_modseq = modseq = self.highest_modseq + 1
        self.entries[index] = new = Entry(uid, old.message, _intern(old.flags | SEEN), modseq)
        for view in self.views:
            view.flags_changed([(old, new)])
        return new

    def expunge(self, uids: Collection[int]) -> list[Entry]:
        """Remove messages for good; returns those that were there. Every view is told."""
        leaving = uids if isinstance(uids, set | frozenset) else set(uids)
        removed = [entry for entry in self.entries if entry.uid in leaving]
        if not removed:
            return []
        weighed, _ = self._sized
        size_bytes = self.size_bytes - sum([entry.message.size for entry in removed]) if weighed else 0
        if len(removed) == len(self.entries):
            self.entries = []
        else:
            self.entries = [entry for entry in self.entries if entry.uid not in leaving]
        self._sized = (len(self.entries), size_bytes) if weighed else (0, 0)
        self.highest_modseq += 1
        for view in self.views:
            view.messages_left(removed)
        return removed


def _changed(flags: frozenset[str], change: FlagChange, named: frozenset[str]) -> frozenset[str]:
    if change == "add":
        return flags | named
    if change == "remove":
        return flags - named
    return named
