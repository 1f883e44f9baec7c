"""The TRANSACTION and UPDATE states (RFC 1939 sections 5 to 7): what a client does with its maildrop."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from mockmail.core.accounts import AccountState
from mockmail.core.events import Actor
from mockmail.core.mailbox import Entry
from mockmail.core.views import Maildrop
from mockmail.core.world import World
from mockmail.mime.dots import dot_begins_line
from mockmail.pop3.grammar import message_number
from mockmail.wire.contract import Link

__all__ = ["Body", "Reply", "Transaction", "dot_stuffed", "drop_listing"]

Body: TypeAlias = Iterator[bytes | None]
"""Lines of a multi-line response in slices, without the last dot; ``None`` gives way to other connections."""

SLICE_BYTES = 64 * 1024
SLICE_LINES = 1000
"""Listings and lines looked at in one go: about half a millisecond."""

_HEADER_END = re.compile(rb"\A\r?\n|\r?\n\r?\n")
_POPLIB_LINE_BYTES = 2048
"""The longest line, with its end, that Python's poplib reads."""


@dataclass(slots=True)
class Reply:
    """A response. ``text`` is the line without its CRLF; a body makes it multi-line."""

    text: str
    body: Body | None = None
    close: bool = False
    """Whether the server closes after it."""
    start_tls: bool = False
    """Whether the handshake comes next."""


def drop_listing(count: int, size_bytes: int) -> str:
    """``2 messages (320 octets)``."""
    return f"{count} message{'' if count == 1 else 's'} ({size_bytes} octets)"


def dot_stuffed(raw: bytes, stop: int | None = None) -> Iterator[bytes]:
    """The first ``stop`` bytes of a message (all of it by default) as lines of a multi-line response, in slices.

    A dot that begins a line is doubled. Lines end in CRLF alone: a bare CR or LF is part of its line, and is sent as
    it was stored. A last line without an end gets one.
    """
    length = len(raw) if stop is None else stop
    start = 0
    while start < length:
        end = min(start + SLICE_BYTES, length)
        if end < length and raw[end - 1 : end + 1] == b"\r\n":
            end += 1  # no CRLF is cut, so that only a dot that stands first can be overlooked
        piece = raw[start:end].replace(b"\r\n.", b"\r\n..")
        if piece.startswith(b".") and (start == 0 or raw[start - 2 : start] == b"\r\n"):
            piece = b"." + piece
        yield piece
        start = end
    if length and raw[length - 2 : length] != b"\r\n":
        yield b"\r\n"


class Transaction:
    """One session's hold on a maildrop: the exclusive lock, the snapshot, and the commands on it.

    RETR sets ``\\Seen``, as Dovecot and Cyrus do, so that an IMAP client later finds the message read; TOP leaves it
    alone, whatever it sends. Message-numbers are text here, as the client wrote them.

    With ``ascii_headers``, RETR and TOP refuse a message whose header has UTF-8 in it: the client did not say that it
    can read one (RFC 6856 section 2.1).
    """

    def __init__(self, world: World, account: AccountState, link: Link, *, ascii_headers: bool = False) -> None:
        """Takes the lock, which must be free."""
        assert account.maildrop_session is None
        self.world = world
        self.account = account
        self._link = link
        self._ascii_headers = ascii_headers
        self._actor = Actor("pop3", link.session, account.address)
        self._maildrop = Maildrop(account.inbox)
        self._downloaded: set[int] = set()
        """Message-numbers of those that RETR sent whole."""
        account.maildrop_session = link.session
        account.maildrop_opened_at = world.clock.now()

    def release(self) -> None:
        """Give the lock back. Nothing is deleted by it."""
        if self.account.maildrop_session == self._link.session:
            self.account.maildrop_session = None

    @property
    def listing(self) -> str:
        """What there is, in words."""
        return drop_listing(self._maildrop.count, self._maildrop.size_bytes)

    def stat(self) -> Reply:
        """STAT."""
        return Reply(f"+OK {self._maildrop.count} {self._maildrop.size_bytes}")

    def list(self, number: str | None = None) -> Reply:
        """LIST [msg]."""
        if number is None:
            return Reply(f"+OK {self.listing}", self._scan_listings())
        entry = self._entry(number)
        return entry if isinstance(entry, Reply) else Reply(f"+OK {int(number)} {entry.message.size}")

    def uidl(self, number: str | None = None) -> Reply:
        """UIDL [msg]."""
        if number is None:
            return Reply("+OK unique-id listing follows", self._unique_id_listings())
        entry = self._entry(number)
        return (
            entry if isinstance(entry, Reply) else Reply(f"+OK {int(number)} {self._maildrop.unique_id(int(number))}")
        )

    def retr(self, number: str) -> Reply:
        """RETR msg."""
        entry = self._readable(number)
        if isinstance(entry, Reply):
            return entry
        self._note_long_line(number, entry.message.raw)
        return Reply(f"+OK {entry.message.size} octets", self._whole(int(number), entry))

    def retrieved(self, number: int, now: datetime) -> tuple[str, bytes] | None:
        """RETR of a message that goes out in one piece and has nothing odd, as most: the first line, and the lines
        before the last dot. ``None``: it is for :meth:`retr`."""
        entry = self._maildrop.entry(number)
        if entry is None:
            return None
        raw = entry.message.raw
        if (
            len(raw) > SLICE_BYTES
            or (self._ascii_headers and not raw.isascii())
            or not raw.endswith(b"\r\n")
            or (len(raw) > _POPLIB_LINE_BYTES and _has_line_above(raw, _POPLIB_LINE_BYTES))
        ):
            return None
        self._sent_whole(number, entry, now)
        has_dots = raw.startswith(b".") or dot_begins_line(raw)
        return f"+OK {len(raw)} octets", b"".join(dot_stuffed(raw)) if has_dots else raw

    def top(self, number: str, lines: str) -> Reply:
        """TOP msg n."""
        count = message_number(lines)
        if count is None:
            return Reply(f"-ERR {lines} is no number of lines")
        entry = self._readable(number)
        if isinstance(entry, Reply):
            return entry
        self._note_long_line(number, entry.message.raw)
        return Reply("+OK top of message follows", self._beginning(entry, count))

    def dele(self, number: str) -> Reply:
        """DELE msg."""
        entry = self._entry(number)
        if isinstance(entry, Reply):
            return entry
        if self._maildrop.mailbox.read_only:
            return Reply("-ERR [SYS/PERM] the maildrop is read-only")
        self._maildrop.delete(int(number))
        return Reply(f"+OK message {int(number)} deleted")

    def noop(self) -> Reply:
        """NOOP."""
        return Reply("+OK")

    def rset(self) -> Reply:
        """RSET."""
        self._maildrop.reset()
        return Reply(f"+OK maildrop has {self.listing}")

    def update(self) -> Reply:
        """QUIT: the UPDATE state. Removes what is marked, and releases the lock. Where the server keeps nothing
        (EXPIRE 0, RFC 2449 section 6.7), what RETR sent counts as marked."""
        maildrop = self._maildrop
        try:
            if maildrop.outdated:
                # UIDVALIDITY was reset meanwhile: the UIDs known here name other messages there.
                return Reply("-ERR [SYS/TEMP] some deleted messages not removed", close=True)
            if self.world.settings.pop3_expire_days == 0 and not maildrop.mailbox.read_only:
                for number in self._downloaded - maildrop.deleted:
                    maildrop.delete(number)
            if maildrop.deleted and maildrop.mailbox.read_only:
                return Reply("-ERR [SYS/PERM] some deleted messages not removed: the maildrop is read-only", close=True)
            self.world.store.expunge(maildrop.mailbox, maildrop.doomed_uids(), self._actor)
        finally:
            self.release()
        left = "maildrop empty"
        if maildrop.count:
            left = f"{maildrop.count} message{'' if maildrop.count == 1 else 's'} left"
        return Reply(f"+OK mockmail POP3 server signing off ({left})", close=True)

    # Messages

    def _entry(self, text: str) -> Entry | Reply:
        maildrop = self._maildrop
        number = message_number(text)
        if number is None:
            return Reply(f"-ERR {text} is no message-number")
        entry = maildrop.entry(number)
        if entry is None:
            if number in maildrop.deleted:
                return Reply(f"-ERR message {number} already deleted")
            total = len(maildrop.entries)
            return Reply(f"-ERR no such message, only {total} message{'' if total == 1 else 's'} in maildrop")
        return entry

    def _readable(self, text: str) -> Entry | Reply:
        """A message that may be sent to this client."""
        entry = self._entry(text)
        if self._ascii_headers and isinstance(entry, Entry) and _has_utf8_header(entry.message.raw):
            return Reply(f"-ERR [UTF8] the header of message {int(text)} has UTF-8; send UTF8 before you log in")
        return entry

    def _note_long_line(self, text: str, raw: bytes) -> None:
        if _has_line_above(raw, _POPLIB_LINE_BYTES):
            self._link.note(
                f"message {int(text)} has a line of more than {_POPLIB_LINE_BYTES} bytes, which some clients do not"
                " read: Python's poplib fails with 'line too long'"
            )

    def _whole(self, number: int, entry: Entry) -> Body:
        yield from dot_stuffed(entry.message.raw)
        self._sent_whole(number, entry, self.world.clock.now())

    def _sent_whole(self, number: int, entry: Entry, now: datetime) -> None:
        self._downloaded.add(number)
        mailbox = self._maildrop.mailbox
        mark = not (mailbox.read_only or self._maildrop.outdated)
        self.world.store.read_whole(mailbox, entry, self._actor, now, mark=mark)

    def _beginning(self, entry: Entry, lines: int) -> Body:
        raw = entry.message.raw
        stop = yield from _end_of_top(raw, lines)
        yield from dot_stuffed(raw, stop)
        if stop == len(raw) and lines:
            part = "full"  # fetchmail reads whole messages so
        else:
            part = "top" if lines else "header"
        self.world.store.record_fetched(self._maildrop.mailbox, [entry], [(part, True)], self._actor)

    # Listings

    def _numbered(self) -> Iterator[Iterable[tuple[int, Entry]]]:
        """The messages not marked as deleted, with their numbers, in slices."""
        entries, deleted = self._maildrop.entries, self._maildrop.deleted
        for start in range(0, len(entries), SLICE_LINES):
            numbered = enumerate(entries[start : start + SLICE_LINES], start + 1)
            yield [row for row in numbered if row[0] not in deleted] if deleted else numbered

    def _scan_listings(self) -> Body:
        for rows in self._numbered():
            yield "".join([f"{number} {len(entry.message.raw)}\r\n" for number, entry in rows]).encode("ascii")

    def _unique_id_listings(self) -> Body:
        prefix = self._maildrop.unique_id_prefix
        for rows in self._numbered():
            yield "".join([f"{number} {prefix}{entry.uid}\r\n" for number, entry in rows]).encode("ascii")


def _has_utf8_header(raw: bytes) -> bool:
    """Whether a header has UTF-8 beyond ASCII. Other 8-bit bytes were never anything's right form, and are sent as they
    are by all servers."""
    if raw.isascii():
        return False
    end = _HEADER_END.search(raw)
    header = raw if end is None else raw[: end.start()]
    if header.isascii():
        return False
    try:
        header.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _has_line_above(raw: bytes, limit_bytes: int) -> bool:
    """Whether a line is longer than that, its end included."""
    start, length = 0, len(raw)
    while length - start > limit_bytes:
        # The last line end within reach: few steps, however short the lines are.
        start = raw.rfind(b"\n", start, start + limit_bytes) + 1
        if start == 0:
            return True
    return False


def _end_of_top(raw: bytes, lines: int) -> Generator[None, None, int]:
    """Where the header, the empty line and so many lines of the body end. A message stored with bare LFs has lines
    too, so that a client that asks for its header gets no more than that."""
    header_end = _HEADER_END.search(raw)
    if header_end is None:
        return len(raw)
    stop = header_end.end()
    for count in range(1, lines + 1):
        stop = raw.find(b"\n", stop) + 1
        if stop == 0:
            return len(raw)
        if count % SLICE_LINES == 0:
            yield None
    return stop
