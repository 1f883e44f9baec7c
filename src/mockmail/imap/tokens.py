"""Reading the words of a complete command (RFC 3501 sections 4 and 9). A :class:`Reader` walks over the pieces of a
:class:`~mockmail.imap.framing.RawCommand`; each method reads the production it is named for, or raises
:class:`BadSyntax`."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from mockmail.imap.framing import RawCommand
from mockmail.imap.sets import SequenceSet

__all__ = ["MAX_DEPTH", "BadSyntax", "Reader", "Scanner", "nearest"]

MAX_DEPTH = 50
"""How deep parentheses may be nested."""

T = TypeVar("T")

# ATOM-CHAR    = <any CHAR except atom-specials>
# atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
# ASTRING-CHAR = ATOM-CHAR / resp-specials
_ATOM_CHAR = rb"!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~"
_ATOM = re.compile(rb"[%s]+" % _ATOM_CHAR)
_ASTRING_ATOM = re.compile(rb"[%s\]]+" % _ATOM_CHAR)
_LIST_ATOM = re.compile(rb"[%s\]%%*]+" % _ATOM_CHAR)
# tag          = 1*<any ASTRING-CHAR except "+">
_TAG = re.compile(rb"[%s\]]+" % _ATOM_CHAR.replace(b"+", b"", 1))
# quoted       = DQUOTE *QUOTED-CHAR DQUOTE
# QUOTED-CHAR  = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials
_QUOTED = re.compile(rb'"([^"\\\r\n\0]*(?:\\["\\][^"\\\r\n\0]*)*)"')
_ESCAPE = re.compile(rb'\\(["\\])')
_TRAILING_SPACES = re.compile(rb" *\Z")
_FLAG = re.compile(rb"\\?[%s]+" % _ATOM_CHAR)
_NUMBER = re.compile(rb"[0-9]+")
_SEQUENCE_SET = re.compile(rb"[0-9*:,]+")
# base64       = *(4base64-char) [base64-terminal]
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?(?![A-Za-z0-9+/=])")
# date-text    = date-day "-" date-month "-" date-year
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1(?![0-9"])')
# date-time    = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
_DATE_TIME = re.compile(
    rb'"( ?[0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_MONTHS = {name: number for number, name in enumerate(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}
_SYSTEM_FLAGS = {
    flag.lower(): flag for flag in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", "\\Recent")
}
_MAX_NUMBER = 2**32 - 1
_SHOWN_BYTES = 24


class BadSyntax(Exception):
    """A command that cannot be parsed. ``text`` tells what was expected, at which byte of the command, and what was
    found; the reply is ``<tag> <condition> [<code>] <text>``, untagged (``*``) when ``tag`` is ``None``."""

    condition = "BAD"
    code: str | None = None

    def __init__(self, text: str, tag: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.tag = tag


class Scanner:
    """Where a reader stands in a command, and the steps of any grammar."""

    __slots__ = ("_at", "_depth", "_index", "_pieces", "_text", "secret")

    def __init__(self, command: RawCommand) -> None:
        self._pieces = command.pieces
        self._index = 0
        self._text = command.pieces[0].data
        self._at = 0
        self._depth = 0
        self.secret = False
        """Errors do not show what was found: a password may stand there."""

    @property
    def offset(self) -> int:
        """Where the next byte stands in the stream of received bytes."""
        return self._pieces[self._index].start + self._at

    def peek(self, token: bytes) -> bool:
        """Whether ``token`` (upper case) comes next, in any case of letters."""
        return self._text[self._at : self._at + len(token)].upper() == token

    def lookahead(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """What ``pattern`` would match here."""
        found = pattern.match(self._text, self._at)
        return found[0] if found else None

    def skip(self, token: bytes) -> bool:
        """Read ``token`` if it comes next; whether it did."""
        if self._text[self._at : self._at + len(token)].upper() != token:
            return False
        self._at += len(token)
        return True

    def expect(self, token: bytes, what: str) -> None:
        """Read ``token``; ``what`` names it in the error."""
        if not self.skip(token):
            self.fail(what)

    def sp(self, before: str) -> None:
        """Read exactly one space; ``before`` says what follows it."""
        if self._text[self._at : self._at + 1] != b" ":
            self.fail(f"a space and {before}")
        self._at += 1
        if self._text[self._at : self._at + 1] == b" ":
            self.fail(f"one space only, and {before}")

    def more(self) -> bool:
        """Whether an argument follows. Spaces at the end of the command are none: old clients leave them there."""
        return _TRAILING_SPACES.match(self._text, self._at) is None or self._index < len(self._pieces) - 1

    def end(self) -> None:
        """Nothing but the end of the command may come."""
        if self.more():
            self.fail("the end of the command")

    def fail(self, expected: str) -> NoReturn:
        """Raise :class:`BadSyntax` for this place."""
        at = self.offset - self._pieces[0].start + 1
        rest = self._text[self._at :]
        if self.secret:
            found = "something else (not shown)"
        elif rest:
            more = "..." if len(rest) > _SHOWN_BYTES else ""
            found = ascii(rest[:_SHOWN_BYTES].decode("latin-1")) + more
        elif self._index < len(self._pieces) - 1:
            found = f"a literal of {len(self._pieces[self._index + 1].data)} bytes"
        else:
            found = "the end of the command"
        raise BadSyntax(f"Expected {expected} at byte {at}, found {found}")

    def match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """What ``pattern`` matches here; ``what`` names it in the error."""
        found = pattern.match(self._text, self._at)
        if found is None:
            self.fail(what)
        self._at = found.end()
        return found[0]

    def parenthesized(self, item: Callable[[], T], what: str, *, may_be_empty: bool = False) -> list[T]:
        """``"(" item *(SP item) ")"``."""
        self.expect(b"(", f"'(' and {what}")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"at most {MAX_DEPTH} levels of parentheses")
        items: list[T] = []
        if not (may_be_empty and self.peek(b")")):
            items.append(item())
            while not self.peek(b")"):
                self.sp(f"{what}, or ')'")
                items.append(item())
        self.expect(b")", "')'")
        self._depth -= 1
        return items


class Reader(Scanner):
    """Reads one command from left to right, a production of the grammar at a time.

    ``utf8``: UTF8=ACCEPT is enabled, so quoted strings may be UTF-8 (RFC 6855). ``eight_bit`` may be set while
    reading strings whose charset the command names.
    """

    __slots__ = ("eight_bit", "utf8")

    def __init__(self, command: RawCommand, *, utf8: bool = False) -> None:
        super().__init__(command)
        self.utf8 = utf8
        self.eight_bit = False

    # Words

    def atom(self, what: str = "an atom") -> str:
        return self.match(_ATOM, what).decode("ascii")

    def tag(self) -> str:
        return self.match(_TAG, "a tag").decode("ascii")

    def number(self, what: str = "a number") -> int:
        start = self._at
        digits = self.match(_NUMBER, what)
        if len(digits) > 10 or int(digits) > _MAX_NUMBER:
            self._at = start
            self.fail(f"{what} up to {_MAX_NUMBER}")
        return int(digits)

    def nz_number(self, what: str = "a number") -> int:
        if self.peek(b"0"):
            self.fail(f"{what} that does not begin with 0")
        return self.number(what)

    def base64(self, what: str = "base64") -> bytes:
        """Not decoded; may be empty."""
        return self.match(_BASE64, what)

    def sequence_set(self) -> SequenceSet:
        start = self._at
        text = self.match(_SEQUENCE_SET, "a sequence set, such as 1:3,7 or 5:*,")
        try:
            return SequenceSet.parse(text)
        except ValueError as error:
            self._at = start
            raise BadSyntax(f"At byte {self.offset - self._pieces[0].start + 1}: {error}") from None

    # Strings

    def astring(self, what: str = "a string") -> bytes:
        found = _ASTRING_ATOM.match(self._text, self._at)
        if found is None:
            return self.string(what)
        self._at = found.end()
        return found[0]

    def list_mailbox(self) -> bytes:
        """A pattern of LIST, with ``%`` and ``*``."""
        found = _LIST_ATOM.match(self._text, self._at)
        if found is None:
            return self.string("a mailbox pattern")
        self._at = found.end()
        return found[0]

    def string(self, what: str = "a quoted string or a literal") -> bytes:
        if self.peek(b'"'):
            return self._quoted(what)
        if not self._literal_is_next():
            self.fail(what)
        return self.literal(what)

    def nstring(self, what: str = "a string or NIL") -> bytes | None:
        if self.skip(b"NIL"):
            return None
        return self.string(what)

    def literal(self, what: str = "a literal") -> bytes:
        """The contents; the same object that the framer made. NUL is refused unless it came as a literal8."""
        if not self._literal_is_next():
            self.fail(f"{what} as a literal, {{size}} at the end of a line")
        piece = self._pieces[self._index + 1]
        if not piece.binary and b"\0" in piece.data:
            at = piece.start + piece.data.index(b"\0") - self._pieces[0].start + 1
            raise BadSyntax(f"The literal for {what} has a NUL at byte {at}, which no literal may hold")
        self._index += 2
        self._text = self._pieces[self._index].data
        self._at = 0
        return piece.data

    def _quoted(self, what: str) -> bytes:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            self.fail(f"{what}: a quoted string ends in a quote, and has backslashes only before a quote or backslash")
        content = found[1]
        if b"\\" in content:
            content = _ESCAPE.sub(rb"\1", content)
        if not (content.isascii() or self.eight_bit or (self.utf8 and _is_utf8(content))):
            self.fail(f"{what}: 8-bit bytes must be sent in a literal, a quoted string holds US-ASCII")
        self._at = found.end()
        return content

    def _literal_is_next(self) -> bool:
        return self._at == len(self._text) and self._index < len(self._pieces) - 1

    # Flags

    def flag(self) -> str:
        """A flag or keyword. System flags come in the RFC's case, all else as written; ``\\Recent`` and unknown
        ``\\`` flags are syntax, whether they can be set is not decided here."""
        flag = self.match(_FLAG, "a flag, such as \\Seen or $Forwarded,").decode("ascii")
        return _SYSTEM_FLAGS.get(flag.lower(), flag) if flag[0] == "\\" else flag

    def flag_list(self) -> tuple[str, ...]:
        return tuple(self.parenthesized(self.flag, "a flag", may_be_empty=True))

    # Dates

    def date(self) -> datetime.date:
        start = self._at
        self.match(_DATE, "a date, such as 1-Feb-1994,")
        found = _DATE.match(self._text, start)
        assert found is not None
        try:
            return datetime.date(int(found[4]), _MONTHS[found[3].upper()], int(found[2]))
        except (ValueError, KeyError):
            self._at = start
            self.fail("a date that exists, such as 1-Feb-1994,")

    def date_time(self) -> datetime.datetime:
        """Aware, in the zone that was sent. A leap second is taken for the one before it. A day of one digit is
        taken without its space too."""
        what = 'a date-time, such as " 7-Feb-1994 21:52:25 -0800",'
        found = _DATE_TIME.match(self._text, self._at)
        if found is None:
            self.fail(what)
        day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
        offset = datetime.timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        try:
            moment = datetime.datetime(
                int(year), _MONTHS[month.upper()], int(day), int(hour), int(minute), min(int(second), 59),
                tzinfo=datetime.timezone(-offset if sign == b"-" else offset),
            )  # fmt: skip
            moment.astimezone(datetime.UTC)
        except (ValueError, KeyError, OverflowError):
            self.fail(f"{what} that exists")
        if int(second) > 60 or int(zone_minutes) > 59:
            self.fail(f"{what} that exists")
        self._at = found.end()
        return moment


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def nearest(word: str, known: frozenset[str]) -> str:
    """``"; did you mean X?"``, or nothing when none is near."""
    from difflib import get_close_matches

    found = get_close_matches(word[:40], sorted(known), 1, 0.7)
    return f"; did you mean {found[0]}?" if found else ""
