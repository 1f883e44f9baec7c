"""From the sequence set of a command to messages (RFC 3501 sections 6.4.8 and 9)."""

from __future__ import annotations

from collections.abc import Iterator

from mockmail.core.mailbox import Entry
from mockmail.core.views import MailboxView
from mockmail.imap.replies import Refused, bad, no
from mockmail.imap.sets import Ranges, SequenceSet

__all__ = ["GONE", "chosen_entries", "chosen_spans", "gone_among", "windows"]

GONE = "EXPUNGEISSUED"
"""The response code that says: messages named by the command are gone (RFC 5530)."""


def chosen_spans(view: MailboxView, messages: SequenceSet, *, uid: bool) -> Ranges:
    """The messages named, as ranges of sequence numbers, both ends included, ascending. UIDs of no message are passed
    over; a number of no message is refused."""
    if uid:
        spans = (view.number_span(low, high) for low, high in messages.resolve(view.highest_uid))
        return tuple((first, last) for first, last in spans if first <= last)
    if messages.exceeds(view.count):
        count = view.count
        what = f"there {'is 1 message' if count == 1 else f'are {count} messages'}" if count else "the mailbox is empty"
        raise Refused(bad(f"There is no such message: {messages} was asked for, and {what}"))
    return messages.resolve(view.count)


def windows(spans: Ranges, view: MailboxView, size: int) -> Iterator[list[tuple[int, Entry]]]:
    """(number, entry) of the messages in ``spans``, at most ``size`` at a time."""
    for low, high in spans:
        for start in range(low, high + 1, size):
            stop = min(start + size - 1, high)
            yield list(zip(range(start, stop + 1), view.span(start, stop), strict=True))


def chosen_entries(view: MailboxView, spans: Ranges, *, uid: bool) -> list[Entry]:
    """The messages in ``spans`` that are still in the mailbox. Refuses where sequence numbers name one that is gone:
    all of them, or none (RFC 2180 section 4.4.1)."""
    chosen = [entry for low, high in spans for entry in view.span(low, high)]
    if not view.stale:
        return chosen
    present = [entry for entry in chosen if view.exists(entry.uid)]
    if len(present) < len(chosen) and not uid:
        raise Refused(no("Some of these messages are gone; nothing was done", GONE))
    return present


def gone_among(view: MailboxView, spans: Ranges) -> bool:
    """Whether messages in ``spans`` have left the mailbox."""
    if not view.stale:
        return False
    return any(not view.exists(entry.uid) for low, high in spans for entry in view.span(low, high))
