"""The one list of all mail that Mailpit's API shows: every message in any mailbox once, newest first, and its tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import attrgetter

from mockmail.core.events import Accepted, Actor, Appended, Delivered, Seeded
from mockmail.core.mailbox import Mailbox
from mockmail.core.message import Message
from mockmail.core.world import World

__all__ = ["Catalogue", "Row", "is_tag", "own_tags"]

_HEADER_BYTES = 16 << 10
is_tag = re.compile(r"[\w\-. @]{1,100}").fullmatch
_KINDS_WITH_MESSAGE: tuple[type[Delivered | Seeded | Appended | Accepted], ...] = (
    Delivered,
    Seeded,
    Appended,
    Accepted,
)


class Row:
    """A message and where its copies lie, by UID, as it was when it was looked at."""

    __slots__ = ("copies", "message", "read", "received_at")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.received_at = message.received_at
        self.copies: list[tuple[Mailbox, int]] = []
        self.read = True
        """Whether every copy has been seen."""


class Catalogue:
    """All mail of one world. Loop thread only."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._state: list[tuple[Mailbox, int]] = []
        self._rows: list[Row] = []
        self._by_id: dict[str, Row] = {}
        self._unread = 0
        self._tags: dict[str, tuple[str, ...]] = {}
        self._tag_counts: dict[str, int] | None = None
        self._recipients: frozenset[str] | None = None
        self._users: dict[str, str] = {}
        self._users_read = 0
        self.deleted_count = 0
        """Messages removed by way of HTTP."""

    # Looking

    def rows(self) -> list[Row]:
        """All mail, newest first. The list is not changed later: a new one takes its place."""
        state = [(mailbox, mailbox.highest_modseq) for account in self._world.accounts for mailbox in account]
        if state != self._state:
            self._read(state)
        return self._rows

    def _read(self, state: list[tuple[Mailbox, int]]) -> None:
        rows: dict[str, Row] = {}
        for mailbox, _ in state:
            for entry in mailbox.entries:
                message = entry.message
                row = rows.get(message.id)
                if row is None:
                    row = rows[message.id] = Row(message)
                row.copies.append((mailbox, entry.uid))
                if "\\Seen" not in entry.flags:
                    row.read = False
        # The newest first; of those that came at one moment, the one that came last.
        newest_last = sorted(rows.values(), key=attrgetter("received_at"))
        newest_last.reverse()
        self._rows = newest_last
        self._by_id, self._state = rows, state
        self._unread = sum(not row.read for row in newest_last)
        self._tag_counts = self._recipients = None

    def unread_count(self) -> int:
        self.rows()
        return self._unread

    def recipients(self) -> frozenset[str]:
        """All whom the mail was for, in small letters; mostly few."""
        rows = self.rows()
        if self._recipients is None:
            self._recipients = frozenset([name.lower() for row in rows for name in row.message.envelope.recipients])
        return self._recipients

    def row(self, message_id: str) -> Row | None:
        """The message of an ID, if it is in any mailbox."""
        self.rows()
        return self._by_id.get(message_id)

    def message_ever(self, message_id: str) -> Message | None:
        """The message of an ID, also one that is in no mailbox any more, as far back as the journal goes."""
        row = self.row(message_id)
        if row is not None:
            return row.message
        for kind in _KINDS_WITH_MESSAGE:
            for event in reversed(self._world.journal.of(kind)):
                if event.message.id == message_id:
                    return event.message
        return None

    def username(self, message: Message) -> str:
        """Who had logged in to send it, ``""`` for nobody."""
        rows = self._world.journal.rows(Accepted)
        if len(rows) > self._users_read:
            for event in rows.read(self._users_read):
                if isinstance(event, Accepted) and event.account:
                    self._users[event.message.id] = event.account
            self._users_read = len(rows)
        return self._users.get(message.id, "")

    # Tags

    def tags(self, message: Message) -> tuple[str, ...]:
        """Its tags, in order: those set, else what its X-Tags header and its plus addresses say."""
        tags = self._tags.get(message.id)
        return message.derived("http tags", own_tags) if tags is None else tags

    def set_tags(self, message: Message, tags: Iterable[str]) -> None:
        self._tags[message.id] = _in_order(tags)
        self._tag_counts = None

    def all_tags(self) -> dict[str, int]:
        """Every tag in use, in order, with the number of messages."""
        rows = self.rows()
        if self._tag_counts is None:
            counts: dict[str, int] = {}
            for row in rows:
                for tag in self.tags(row.message):
                    counts[tag] = counts.get(tag, 0) + 1
            self._tag_counts = dict(sorted(counts.items(), key=lambda item: item[0].lower()))
        return self._tag_counts

    def rename_tag(self, old: str, new: str | None) -> bool:
        """Rename a tag on all messages, or take it away; false when no message has it."""
        found = False
        for row in self.rows():
            tags = self.tags(row.message)
            if any(tag.lower() == old.lower() for tag in tags):
                found = True
                kept = [tag for tag in tags if tag.lower() != old.lower()]
                self.set_tags(row.message, kept if new is None else [*kept, new])
        return found

    # Changing

    def set_read(self, rows: Iterable[Row], read: bool, session: str) -> None:
        """Set or clear ``\\Seen`` on every copy."""
        by_mailbox: dict[Mailbox, list[int]] = {}
        for row in rows:
            for mailbox, uid in row.copies:
                by_mailbox.setdefault(mailbox, []).append(uid)
        for mailbox, uids in by_mailbox.items():
            actor = Actor("http", session, mailbox.account)
            self._world.store.change_flags(mailbox, sorted(uids), "add" if read else "remove", ["\\Seen"], actor)

    def delete(self, rows: Iterable[Row], session: str) -> None:
        """Remove every copy for good."""
        by_mailbox: dict[Mailbox, list[int]] = {}
        for row in rows:
            self.deleted_count += 1
            self._tags.pop(row.message.id, None)
            for mailbox, uid in row.copies:
                by_mailbox.setdefault(mailbox, []).append(uid)
        for mailbox, uids in by_mailbox.items():
            self._world.store.expunge(mailbox, uids, Actor("http", session, mailbox.account))

    def record_fetched(self, row: Row, part: str, session: str) -> None:
        """Record that a part was read over HTTP, of every copy."""
        for mailbox, uid in row.copies:
            entry = mailbox.get(uid)
            if entry is not None:
                actor = Actor("http", session, mailbox.account)
                self._world.store.record_fetched(mailbox, [entry], [(part, False)], actor)


def own_tags(message: Message) -> tuple[str, ...]:
    """The tags that a message brings: of its X-Tags field, and of its plus addresses."""
    given: list[str] = []
    # Asked of all mail at once; hardly any has the field, and to scan a header takes a hundred times this look.
    if b"x-tags" in message.raw[:_HEADER_BYTES].lower():
        given += [tag for value in message.headers.all("X-Tags") for tag in value.split(",")]
    for recipient in message.recipients:
        if "+" in recipient:
            given += recipient.rpartition("@")[0].split("+")[1:]
    return _in_order(given) if given else ()


def _in_order(tags: Iterable[str]) -> tuple[str, ...]:
    unique = {tag.lower(): tag for tag in (" ".join(one.split()) for one in tags) if is_tag(tag)}
    return tuple(unique[key] for key in sorted(unique))
