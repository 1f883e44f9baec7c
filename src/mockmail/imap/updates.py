"""What a client is told of the selected mailbox without asking (RFC 3501 sections 5.2 and 7.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from mockmail.core.mailbox import Entry
from mockmail.core.views import MailboxView
from mockmail.imap.encode import flag_list

__all__ = ["SYSTEM_FLAGS", "flags_getter", "flags_of", "flags_response", "known_flags", "updates"]

SYSTEM_FLAGS = frozenset({"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"})

_CHUNK_LINES = 1000
_RECENT = frozenset({"\\Recent"})


def flags_of(view: MailboxView, entry: Entry) -> bytes:
    """The flags of a message in parentheses, ``\\Recent`` among them when it is so for this session."""
    if view.has_recent and view.is_recent(entry.uid):
        return _recent_flag_list(entry.flags)
    return flag_list(entry.flags)


def flags_getter(view: MailboxView) -> Callable[[Entry], bytes]:
    """:func:`flags_of` for many messages, for as long as no changes are taken over."""
    if view.has_recent:
        return lambda entry: flags_of(view, entry)
    return lambda entry: flag_list(entry.flags)


@lru_cache(maxsize=1024)
def _recent_flag_list(flags: frozenset[str]) -> bytes:
    return flag_list(flags | _RECENT)


def flags_response(view: MailboxView, number: int, entry: Entry, *, uid: bool) -> bytes:
    """``* n FETCH (FLAGS (...))``; with the UID too in answer to a UID command (RFC 3501 section 6.4.8)."""
    if uid:
        return b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, entry.uid, flags_of(view, entry))
    return b"* %d FETCH (FLAGS %b)\r\n" % (number, flags_of(view, entry))


def known_flags(view: MailboxView) -> bytes:
    """``* FLAGS`` and PERMANENTFLAGS: at SELECT, and again before the first FETCH with a keyword that is new to the
    client (RFC 3501 section 7.2.6; Dovecot sends both)."""
    flags = SYSTEM_FLAGS.union(view.take_keywords())
    listed = permanent = flag_list(flags)
    meaning = b"These can be changed"
    if view.read_only:
        permanent, meaning = b"()", b"Nothing can be changed"
    elif view.mailbox.refuse_keywords:
        meaning = b"These can be changed; other keywords are ignored"
    else:
        permanent = b"%b \\*)" % listed[:-1]
    return b"* FLAGS %b\r\n* OK [PERMANENTFLAGS %b] %b\r\n" % (listed, permanent, meaning)


def updates(view: MailboxView, *, expunges: bool, uid: bool = False) -> Iterator[bytes]:
    """What changed since the last time, a chunk at a time. The changes are taken over when the first chunk is asked
    for; nobody else may take any before the last one."""
    changes = view.changes(expunges=expunges)
    if view.has_new_keywords:
        yield known_flags(view)
    numbers = changes.expunged
    for start in range(0, len(numbers), _CHUNK_LINES):
        yield b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers[start : start + _CHUNK_LINES]])
    if changes.exists is not None:
        yield b"* %d EXISTS\r\n* %d RECENT\r\n" % (changes.exists, changes.recent or 0)
    fetched = changes.fetched
    for start in range(0, len(fetched), _CHUNK_LINES):
        yield b"".join(
            [flags_response(view, number, entry, uid=uid) for number, entry in fetched[start : start + _CHUNK_LINES]]
        )
