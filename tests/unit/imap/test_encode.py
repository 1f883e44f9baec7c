from datetime import UTC, datetime, timedelta, timezone

import pytest

from mockmail.imap.encode import astring, date_time, flag_list, literal, nstring, parenthesized, quoted, string


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (None, b"NIL"),
        (b"", b'""'),
        (b"NIL", b'"NIL"'),
        (b"plain text", b'"plain text"'),
        (b"tab\there", b'"tab\there"'),
        (b'a "quote"', b'"a \\"quote\\""'),
        (b"back\\slash", b'"back\\\\slash"'),
        (b"one\r\ntwo", b"{8}\r\none\r\ntwo"),
        (b"lf\n", b"{3}\r\nlf\n"),
        ("grün".encode(), b"{5}\r\ngr\xc3\xbcn"),
        (b"\x7f", b"{1}\r\n\x7f"),
    ],
)
def test_nstring_is_nil_quoted_or_literal(value, rendered):
    assert nstring(value) == rendered
    if value is not None:
        assert string(value) == rendered


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"INBOX", b"INBOX"),
        (b"a/b.c", b"a/b.c"),
        (b"x]", b"x]"),
        (b"", b'""'),
        (b"two words", b'"two words"'),
        (b"per%cent", b'"per%cent"'),
        (b"star*", b'"star*"'),
        (b"(a)", b'"(a)"'),
        (b"{3}", b'"{3}"'),
        (b'q"', b'"q\\""'),
        (b"nil", b'"nil"'),
        (b"\xe9", b"{1}\r\n\xe9"),
    ],
)
def test_astring_is_an_atom_where_it_may(value, rendered):
    assert astring(value) == rendered


def test_literal_counts_bytes_of_views_too():
    assert literal(memoryview(b"abcdef")[1:3]) == b"{2}\r\nbc"
    assert quoted(b"a") == b'"a"'


def test_parenthesized_joins_with_spaces():
    assert parenthesized([b"a", b"b"]) == b"(a b)"
    assert parenthesized([]) == b"()"


def test_flag_list_has_system_flags_first():
    assert (
        flag_list(frozenset({"$Forwarded", "\\Seen", "\\Answered", "Zeta"})) == b"(\\Answered \\Seen $Forwarded Zeta)"
    )
    assert flag_list(frozenset()) == b"()"


@pytest.mark.parametrize(
    ("moment", "rendered"),
    [
        (datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7))), b'"17-Jul-1996 02:44:25 -0700"'),
        (datetime(2026, 11, 3, 4, 5, 6, 789, tzinfo=UTC), b'" 3-Nov-2026 04:05:06 +0000"'),
        (datetime(2026, 1, 9, 0, 0, tzinfo=timezone(timedelta(hours=5, minutes=45))), b'" 9-Jan-2026 00:00:00 +0545"'),
        (datetime(2026, 1, 9, 0, 0, tzinfo=timezone(-timedelta(minutes=30))), b'" 9-Jan-2026 00:00:00 -0030"'),
        (datetime(2026, 12, 31, 23, 59, 59), b'"31-Dec-2026 23:59:59 +0000"'),
    ],
)
def test_date_time_is_of_fixed_width(moment, rendered):
    assert date_time(moment) == rendered
    assert len(rendered) == 28
