"""Candidates that are no single event: messages moved by two steps, messages as they lie, clients in IDLE."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from mockmail.core.accounts import canonical_name
from mockmail.core.events import (
    Appended,
    Command,
    Copied,
    Expunged,
    FlagsChanged,
    Moved,
    Queued,
    Seeded,
    SessionClosed,
)
from mockmail.core.journal import Mark
from mockmail.core.message import StoredMessage
from mockmail.core.queue import QueuedMessage
from mockmail.core.world import World
from mockmail.testing.source import Source, ask

__all__ = ["Held", "Idling", "held", "holdings", "idles", "moves", "waiting"]


@dataclass(frozen=True, slots=True)
class Held:
    """A message in a mailbox, with whose it is."""

    account: str
    message: StoredMessage


@dataclass(frozen=True, slots=True)
class Idling:
    """An IDLE under way, with the mailbox it watches."""

    command: Command
    folder: str


def moves(source: Source, world: World, since: Mark | None) -> list[Moved]:
    """MOVE, and COPY after which the original was removed."""
    journal = world.journal
    found = list(journal.of(Moved, since))
    copies = journal.of(Copied)
    if copies:
        expunged = {(event.account, event.folder, event.uid, event.message.id) for event in journal.of(Expunged, since)}
        found.extend(
            _as_move(copy) for copy in copies if (copy.account, copy.folder, copy.uid, copy.message.id) in expunged
        )
        found.sort(key=lambda event: event.at)
    return found


def _as_move(copy: Copied) -> Moved:
    return Moved(
        copy.at,
        copy.protocol,
        copy.session,
        copy.account,
        copy.folder,
        copy.uid,
        copy.message,
        copy.to_folder,
        copy.new_uid,
    )


def held(world: World) -> list[Held]:
    """All messages in all mailboxes. Loop thread."""
    return [
        Held(
            account.address,
            StoredMessage(entry.message, uid=entry.uid, flags=entry.flags, folder=mailbox.name),
        )
        for account in world.accounts
        for mailbox in account
        for entry in mailbox.entries
    ]


def waiting(source: Source, world: World, since: Mark | None) -> list[QueuedMessage]:
    """What the queue holds."""
    found = ask(source, lambda: [entry.picture() for entry in world.queue])
    if since is None:
        return found
    queued = {(event.message.id, event.domain) for event in world.journal.of(Queued, since)}
    return [one for one in found if (one.message.id, one.domain) in queued]


def holdings(source: Source, world: World, since: Mark | None) -> list[Held]:
    found = ask(source, partial(held, world))
    if since is None:
        return found
    changed = {(event.account, event.folder, event.uid) for event in _flag_events(world, since)}
    return [one for one in found if (one.account, one.message.folder, one.message.uid) in changed]


def _flag_events(world: World, since: Mark) -> Iterator[FlagsChanged | Seeded | Appended]:
    journal = world.journal
    yield from journal.of(FlagsChanged, since)
    yield from journal.of(Seeded, since)
    yield from journal.of(Appended, since)


def idles(source: Source, world: World, since: Mark | None) -> list[Idling]:
    """A session idles when its latest command is an IDLE that the server took up, and it is still open; it watches
    what it selected last. The end of an IDLE is recorded as the command DONE."""
    selected: dict[str, str] = {}
    latest: dict[str, Command] = {}
    for command in world.journal.of(Command):
        if command.protocol != "imap":
            continue
        latest[command.session] = command
        if command.name in ("SELECT", "EXAMINE"):
            taken = command.reply.startswith("OK")
            selected[command.session] = _mailbox_argument(command.arguments) if taken else ""
        elif command.name in ("CLOSE", "UNSELECT"):
            selected[command.session] = ""
    closed = {event.session for event in world.journal.of(SessionClosed)}
    return [
        Idling(command, selected.get(session, ""))
        for session, command in latest.items()
        if command.name == "IDLE" and command.reply.startswith("+") and session not in closed
    ]


def _mailbox_argument(arguments: str) -> str:
    """The mailbox that SELECT names: an atom or a quoted string, before any parameters, in modified UTF-7."""
    text = arguments.strip()
    if text.startswith('"'):
        name, escaped = "", False
        for char in text[1:]:
            if char == '"' and not escaped:
                break
            escaped = char == "\\" and not escaped
            if not escaped:
                name += char
    else:
        name = text.partition(" ")[0]
    if "&" in name:
        from mockmail.imap.utf7 import decode

        with contextlib.suppress(ValueError):  # a name in another coding stands as it was sent
            name = decode(name.encode())
    return canonical_name(name)
