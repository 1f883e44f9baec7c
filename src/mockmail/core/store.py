"""The only mutator: each method changes state and records what happened. Loop thread only."""

from __future__ import annotations

import datetime
import os
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mockmail.core.accounts import AccountState
from mockmail.core.clock import Job
from mockmail.core.collection import without_collection
from mockmail.core.events import (
    Accepted,
    Actor,
    Appended,
    Copied,
    Delivered,
    Event,
    Expunged,
    Fetched,
    FlagsChanged,
    Moved,
    Queued,
    Seeded,
)
from mockmail.core.forwarding import confirmed, returning_to, spread
from mockmail.core.journal import Batch
from mockmail.core.mailbox import SEEN, Entry, FlagChange, Mailbox
from mockmail.core.message import Envelope, Message
from mockmail.core.queue import QueueEntry
from mockmail.core.routing import Deliver, Taken, alone, within_quotas

if TYPE_CHECKING:
    from mockmail.core.views import MailboxView
    from mockmail.core.world import World

__all__ = ["Store"]

E = TypeVar("E", bound=Event)

_ID_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGIT_OF_BYTE = bytes(ord(_ID_DIGITS[byte % 62]) for byte in range(256))
_NO_FLAGS: frozenset[str] = frozenset()


def _record(kind: type[E], at: datetime.datetime, make: Callable[[Any], E], rows: Sequence[Any]) -> E | Batch[E]:
    """The events of all rows, as one record."""
    return make(rows[0]) if len(rows) == 1 else Batch(kind, at, make, rows)


class Store:
    """Puts mail into mailboxes, changes and removes it, and writes the journal."""

    __slots__ = (
        "_accounts", "_clock", "_expiry", "_id_prefix", "_journal", "_last_number", "_queue", "_settings",
        "_world_if_any",
    )  # fmt: skip

    def __init__(self, world: World) -> None:
        """``world`` has all but its store by now."""
        self._accounts = world.accounts
        self._clock = world.clock
        self._journal = world.journal
        self._queue = world.queue
        self._settings = world.settings
        # A world with all its mail is to be gone as soon as nobody has it any more, not when the garbage collector
        # comes by, which counts objects and not their megabytes. So nothing in a world refers to it.
        self._world_if_any = weakref.ref(world)
        self._last_number = 10**9  # so that all have ten digits
        self._expiry: Job | None = None
        self._id_prefix = os.urandom(12).translate(_DIGIT_OF_BYTE).decode()
        """The first 12 of the 22."""

    @property
    def _world(self) -> World:
        """Whose store this is."""
        world = self._world_if_any()
        assert world is not None  # whoever calls has it
        return world

    def new_message(
        self,
        raw: bytes,
        *,
        envelope: Envelope | None = None,
        received_at: datetime.datetime | None = None,
        trace_length: int = 0,
    ) -> Message:
        """A message with an ID of its own; ``received_at`` is now when not given."""
        return Message(
            raw,
            id=self.new_id(),
            envelope=envelope or Envelope(),
            received_at=received_at or self._clock.now(),
            trace_length=trace_length,
        )

    def new_id(self) -> str:
        """22 letters and digits, unlike any before; for messages and trace headers."""
        self._last_number = number = self._last_number + 1
        return f"{self._id_prefix}{number}"

    # Mail coming in

    def accept(
        self,
        message: Message,
        decisions: Sequence[Taken],
        actor: Actor,
        *,
        received: bytes = b"",
        now: datetime.datetime | None = None,
    ) -> None:
        """Take a message over for its recipients: every mailbox and the queue have it, and every query sees it, when
        this returns. One copy for each account. ``received`` is the trace header for copies that travel on and for
        reports of success, of which there are none without it; ``now`` spares a look at the clock."""
        now = now or self._clock.now()
        if self._accounts.has_quotas:
            decisions = within_quotas(self._world, decisions, len(message.original))
        if len(decisions) == 1 and type(only := decisions[0]) is Deliver and only.sender is None:
            # Nearly all mail; the way of the rest takes twice as long.
            address = only.address
            self._receiving(address).inbox.add_one(message)
            recipients = alone(only.recipient)
            addresses = recipients if address == only.recipient else alone(address)
            self._journal.note_arrival(
                now, message, actor.protocol, actor.session, actor.account, recipients, addresses
            )
        elif {type(decision) for decision in decisions} <= {Deliver}:
            self._deliver(message, decisions, actor, received, now)  # type: ignore[arg-type]  # as just seen
        else:
            local, entries = spread(self._world, message, decisions, received, now)
            if local:
                self._deliver(message, local, actor, received, now)
            else:
                self._journal.note(Accepted, now, message, actor.protocol, actor.session, actor.account)
            self._enqueue(entries, now)
        reporter = self._queue.reporter
        if received and reporter is not None and message.envelope.rcpt_options:
            entry = confirmed(message, decisions, received, now)
            if entry is not None:
                reporter(self._world, entry)
        settings = self._settings
        if settings.max_messages is not None:
            self._enforce_limit(settings.max_messages)
        if settings.max_age is not None:
            self._expire_later(now)

    def _deliver(
        self, message: Message, decisions: Sequence[Deliver], actor: Actor, received: bytes, now: datetime.datetime
    ) -> None:
        copies: dict[str, Message] = {}
        recipients: dict[str, None] = {}
        returning: dict[str, Message] = {}
        for decision in decisions:
            recipients[decision.recipient] = None
            address, sender = decision.address, decision.sender
            if address in copies:
                continue
            copy = message
            # A report, which comes from nobody, stays from nobody.
            if sender is not None and message.sender:
                # All members of a list share the bytes that return to its owner.
                if sender not in returning:
                    returning[sender] = returning_to(message, sender, received)
                copy = returning[sender]
            copies[address] = copy
            self._receiving(address).inbox.add_one(copy)
        self._journal.note_arrival(
            now, message, actor.protocol, actor.session, actor.account, tuple(recipients), tuple(copies)
        )

    def _receiving(self, address: str) -> AccountState:
        """The account of that (canonical) address, which is made when it is missing."""
        return self._accounts.known(address) or self._accounts.create(address, created_by="delivery")

    def _enqueue(self, entries: Sequence[QueueEntry], now: datetime.datetime) -> None:
        for entry in entries:
            if entry.domain:
                originals = tuple([recipient.original for recipient in entry.recipients])
                addresses = tuple([recipient.address for recipient in entry.recipients])
                self._journal.note(Queued, now, entry.message, entry.sender, entry.domain, originals, addresses)
        self._queue.add(entries)

    def seed(self, account: AccountState, folder: str, message: Message, flags: Iterable[str]) -> Entry:
        """Put a message into a mailbox as the test wants it there; a missing mailbox is made."""
        mailbox = account.mailbox(folder) or account.create(folder)
        assert mailbox is not None  # a name with a trailing delimiter was refused by the caller
        entry = mailbox.add([(message, mailbox.spelled(flags))])[0]
        now = self._clock.now()
        self._journal.note(Seeded, now, message, account.address, mailbox.name, entry.uid)
        return entry

    def append(self, mailbox: Mailbox, messages: Sequence[tuple[Message, Iterable[str]]], actor: Actor) -> list[Entry]:
        """Upload messages into a mailbox, all in one step (RFC 3501 6.3.11)."""
        entries = mailbox.add([(message, mailbox.spelled(flags)) for message, flags in messages])
        now = self._clock.now()
        for entry in entries:
            self._journal.note(
                Appended,
                now,
                actor.protocol,
                actor.session,
                actor.account,
                mailbox.name,
                entry.uid,
                entry.message,
                entry.flags,
            )
        return entries

    # Mail changing

    def change_flags(
        self,
        mailbox: Mailbox,
        uids: Collection[int],
        change: FlagChange,
        flags: Iterable[str],
        actor: Actor,
        origin: MailboxView | None = None,
    ) -> list[tuple[Entry, Entry]]:
        """Change flags; (old, new) of those changed. All views but ``origin`` are told."""
        with without_collection(len(uids)):
            changed = mailbox.change_flags(uids, change, flags, origin)
        if changed:
            at, name = self._clock.now(), mailbox.name

            def event(pair: tuple[Entry, Entry]) -> FlagsChanged:
                old, new = pair
                return FlagsChanged(
                    at,
                    actor.protocol,
                    actor.session,
                    actor.account,
                    name,
                    new.uid,
                    new.message,
                    new.flags - old.flags,
                    old.flags - new.flags,
                    new.flags,
                )

            self._journal.append(_record(FlagsChanged, at, event, changed))
        return changed

    def copy(self, source: Mailbox, entries: Sequence[Entry], target: Mailbox, actor: Actor) -> list[Entry]:
        """Copy messages with their flags; the new entries, in the same order."""
        spelled: dict[frozenset[str], frozenset[str]] = {}
        for entry in entries:
            if entry.flags not in spelled:
                spelled[entry.flags] = target.spelled(entry.flags)
        with without_collection(len(entries)):
            added = target.add((entry.message, spelled[entry.flags]) for entry in entries)
        self._record_copies(Copied, source.name, entries, target.name, added, actor)
        return added

    def move(self, source: Mailbox, entries: Sequence[Entry], target: Mailbox, actor: Actor) -> list[Entry]:
        """Move messages in one step (RFC 6851); the new entries, in the same order."""
        with without_collection(len(entries)):
            added = target.add((entry.message, target.spelled(entry.flags)) for entry in entries)
        source.expunge({entry.uid for entry in entries})
        self._record_copies(Moved, source.name, entries, target.name, added, actor)
        return added

    def _record_copies(
        self,
        kind: type[Copied],
        source_name: str,
        entries: Sequence[Entry],
        target_name: str,
        added: Sequence[Entry],
        actor: Actor,
    ) -> None:
        if not added:
            return
        now, copied = self._clock.now(), tuple(entries)

        def event(row: int) -> Copied:
            old, new = copied[row], added[row]
            return kind(
                now,
                actor.protocol,
                actor.session,
                actor.account,
                source_name,
                old.uid,
                old.message,
                target_name,
                new.uid,
            )

        self._journal.append(_record(kind, now, event, range(len(added))))

    def expunge(self, mailbox: Mailbox, uids: Iterable[int], actor: Actor) -> list[Entry]:
        """Remove messages for good; those that were there."""
        removed = mailbox.expunge(set(uids))
        if removed:
            now, name = self._clock.now(), mailbox.name

            def event(entry: Entry) -> Expunged:
                return Expunged(now, actor.protocol, actor.session, actor.account, name, entry.uid, entry.message)

            self._journal.append(_record(Expunged, now, event, removed))
        return removed

    def record_fetched(
        self,
        mailbox: Mailbox,
        entries: Sequence[Entry],
        parts: Sequence[tuple[str, bool]],
        actor: Actor,
    ) -> None:
        """Record that a user agent read ``parts`` (name, peeked) of each of these messages."""
        if not entries or not parts:
            return
        at, name = self._clock.now(), mailbox.name
        if len(entries) == len(parts) == 1:
            entry, (part, peeked) = entries[0], parts[0]
            self._journal.note(
                Fetched, at, actor.protocol, actor.session, actor.account, name, entry.uid, entry.message, part, peeked
            )
            return

        fetched, fetched_parts = tuple(entries), tuple(parts)

        def event(row: int) -> Fetched:
            index, part_index = divmod(row, len(fetched_parts))
            entry, (part, peeked) = fetched[index], fetched_parts[part_index]
            return Fetched(
                at,
                actor.protocol,
                actor.session,
                actor.account,
                name,
                entry.uid,
                entry.message,
                part,
                peeked,
            )

        self._journal.append(_record(Fetched, at, event, range(len(fetched) * len(fetched_parts))))

    def read_whole(
        self, mailbox: Mailbox, entry: Entry, actor: Actor, now: datetime.datetime, *, mark: bool = True
    ) -> None:
        """Record that a user agent read all of a message; with ``mark``, set ``\\Seen`` on it where it is without. All
        views are told."""
        note, folder = self._journal.note, mailbox.name
        protocol, session, account = actor.protocol, actor.session, actor.account
        note(Fetched, now, protocol, session, account, folder, entry.uid, entry.message, "full", False)
        seen = mailbox.mark_seen(entry.uid) if mark else None
        if seen is not None:
            note(
                FlagsChanged,
                now,
                protocol,
                session,
                account,
                folder,
                seen.uid,
                seen.message,
                SEEN,
                _NO_FLAGS,
                seen.flags,
            )

    # Names

    def rename(self, account: AccountState, name: str, new_name: str, actor: Actor) -> None:
        """Rename a mailbox; renaming INBOX moves its messages and leaves it empty (RFC 3501 6.3.5)."""
        if account.mailbox(name) is account.inbox:
            target = account.create(new_name)
            if target is not None:
                self.move(account.inbox, list(account.inbox.entries), target, actor)
            return
        account.rename(name, new_name)

    def _enforce_limit(self, limit: int) -> None:
        rows = self._journal.rows(Delivered)
        excess = len(rows) - rows.first - limit
        if excess <= 0:
            return
        actor = Actor()
        for record in rows.read(stop=rows.first + excess):
            assert isinstance(record, Delivered)
            for address in record.accounts:
                account = self._accounts.get(address)
                if account is not None:
                    self._remove(account, record.message, actor)
        self._journal.trim(Delivered, limit)

    def _expire_later(self, now: datetime.datetime) -> None:
        age = self._settings.max_age
        if age is not None and self._expiry is None:
            self._expiry = self._clock.schedule(now + age, self._expire, chore=True)

    def end(self) -> None:
        """The world is over: nothing more expires in it."""
        if self._expiry is not None:
            self._expiry.cancel()

    def _expire(self) -> None:
        """Remove delivered mail that has been kept long enough, and look again when the next has."""
        age, self._expiry = self._settings.max_age, None
        assert age is not None  # or nothing would have been put on the clock
        rows = self._journal.rows(Delivered)
        until = self._clock.now() - age
        expired = 0
        for record in rows.read():
            assert isinstance(record, Delivered)
            if record.at > until:
                self._expire_later(record.at)
                break
            expired += 1
            for address in record.accounts:
                account = self._accounts.get(address)
                if account is not None:
                    self._remove(account, record.message, Actor())
        self._journal.trim(Delivered, len(rows) - rows.first - expired)

    def _remove(self, account: AccountState, message: Message, actor: Actor) -> None:
        for mailbox in account:
            # The oldest go first, and stand first: the scan ends at once unless the test moved mail about.
            for entry in mailbox.entries:
                if entry.message.id == message.id:  # a list's copy is another object
                    self.expunge(mailbox, [entry.uid], actor)
                    break
