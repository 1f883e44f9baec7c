"""What the report of a failed test has besides its error."""

from __future__ import annotations

from collections.abc import Iterator

from mockmail.core.events import LoginFailed
from mockmail.core.mailbox import Entry
from mockmail.core.world import World
from mockmail.testing.source import Source, ask

__all__ = ["sections"]

_REPORTED_MESSAGES = 10


def sections(source: Source, told: str = "") -> Iterator[tuple[str, str]]:
    """(title, text): the transcript, unless the error told it, why logins were refused (clients are not told), and
    what is in the mailboxes."""
    transcript = source.transcript_text()
    if transcript and transcript.splitlines()[0] not in told:
        yield "transcript", transcript
    world = source.world
    refused = [f"{one.session}: {one.reason}" for one in world.journal.of(LoginFailed)[-_REPORTED_MESSAGES:]]
    if refused:
        yield "refused logins", "\n".join(refused)
    mailboxes = "\n".join(_mailbox_lines(ask(source, lambda: _mailbox_rows(world))))
    if mailboxes:
        yield "mailboxes", mailboxes


def _mailbox_rows(world: World) -> list[tuple[str, str, int, list[Entry]]]:
    return [
        (account.address, mailbox.name, len(mailbox.entries), mailbox.entries[-_REPORTED_MESSAGES:])
        for account in world.accounts
        for mailbox in account
        if mailbox.entries
    ]


def _mailbox_lines(rows: list[tuple[str, str, int, list[Entry]]]) -> Iterator[str]:
    for address, folder, count, entries in rows:
        yield f"{address} {folder}: {count} message{'s' if count != 1 else ''}"
        if count > len(entries):
            yield f"  ... {count - len(entries)} older"
        for entry in entries:
            flags = " ".join(sorted(entry.flags))
            sender = entry.message.from_ or entry.message.sender or "<>"
            yield f"  {entry.uid}  from {sender}  {entry.message.subject!r}  {flags}".rstrip()
