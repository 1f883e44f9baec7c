"""Strings, lists and dates as a response carries them (RFC 3501 section 9). Everything here returns bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["NIL", "astring", "date_time", "flag_list", "literal", "nstring", "parenthesized", "quoted", "string"]

NIL = b"NIL"

# quoted          = DQUOTE *QUOTED-CHAR DQUOTE
# QUOTED-CHAR     = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials
# TEXT-CHAR allows controls as well; they travel in a literal here, because imaplib reads line by line.
_quotable = re.compile(rb"[ !#-\[\]-~\t]*").fullmatch
_quotable_escaped = re.compile(rb"[ -~\t]*").fullmatch
# ASTRING-CHAR    = ATOM-CHAR / resp-specials
_is_astring_atom = re.compile(rb"[!#$&'+-\[\]-z|}~]+").fullmatch

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def quoted(value: bytes) -> bytes:
    """``value`` between double quotes. The caller knows that it has no CR, LF, NUL or 8-bit byte."""
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(value: bytes | memoryview) -> bytes:
    """``value`` as a synchronizing literal, byte for byte."""
    return b"".join((b"{%d}\r\n" % len(value), value))


def string(value: bytes) -> bytes:
    """The shortest of quoted and literal that can hold ``value``."""
    if _quotable(value):
        return b'"%b"' % value
    return quoted(value) if _quotable_escaped(value) else literal(value)


def nstring(value: bytes | None) -> bytes:
    """:func:`string`, or ``NIL`` for ``None``."""
    if value is None:
        return NIL
    if _quotable(value):
        return b'"%b"' % value
    return quoted(value) if _quotable_escaped(value) else literal(value)


def astring(value: bytes) -> bytes:
    """An atom where the grammar lets it be one, else :func:`string`. The word NIL is quoted: some clients
    (imap-tools among them) read it as no value wherever it stands."""
    if _is_astring_atom(value) and value.upper() != NIL:
        return value
    return string(value)


def parenthesized(items: Iterable[bytes]) -> bytes:
    """``(a b c)``."""
    return b"(%b)" % b" ".join(items)


@lru_cache(maxsize=1024)
def flag_list(flags: frozenset[str]) -> bytes:
    r"""``(\Answered \Seen keyword)``: system flags first, then keywords, each in the order of the alphabet. Few
    combinations exist, so each is rendered once."""
    return b"(%b)" % " ".join(sorted(flags, key=lambda flag: (flag[:1] != "\\", flag))).encode()


def date_time(moment: datetime) -> bytes:
    """INTERNALDATE with its quotes; a moment without a zone is taken as UTC."""
    # date-time       = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
    offset = moment.utcoffset()
    if offset is None:
        moment = moment.replace(tzinfo=UTC)
        minutes = 0
    else:
        minutes = round(offset.total_seconds() / 60)
    hours, minutes_left = divmod(abs(minutes), 60)
    return b'"%2d-%b-%04d %02d:%02d:%02d %b%02d%02d"' % (
        moment.day,
        _MONTHS[moment.month - 1],
        moment.year,
        moment.hour,
        moment.minute,
        moment.second,
        b"-" if minutes < 0 else b"+",
        hours,
        minutes_left,
    )
