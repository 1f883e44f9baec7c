"""Words, strings, numbers, flags and dates, each by its rule in RFC 3501 section 9."""

import datetime

import pytest

from mockmail.imap.tokens import MAX_DEPTH, BadSyntax


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (b"atom", b"atom"),
        (b"#news.a-b+c", b"#news.a-b+c"),
        (b"a]b", b"a]b"),
        (b"NIL", b"NIL"),
        (b'""', b""),
        (b'"two words"', b"two words"),
        (b'"a\\"b\\\\c"', b'a"b\\c'),
        (b'"(){}%*]"', b"(){}%*]"),
        (b'"tab\tand\x01"', b"tab\tand\x01"),
        (b"{0}\r\n", b""),
        (b"{3}\r\na\r\n", b"a\r\n"),
        (b'{4}\r\n\xff"\\)', b'\xff"\\)'),
        (b"~{2}\r\n\0x", b"\0x"),
    ],
)
def test_astring(reader, line, content):
    at = reader(line)
    assert at.astring() == content
    at.end()


@pytest.mark.parametrize(
    "line",
    [b"", b" a", b")", b"{", b"%", b"*", b'"', b'"a', b"\\a", b"\x7f", b"\xc3\xa9", b'"a\\b"', b'"a\\', b'"\xc3\xa9"',
     b"(", b'"\0"', b'"a\rb"', b"{3}\r\na\0b"],
)  # fmt: skip
def test_what_is_no_astring(reader, line):
    with pytest.raises(BadSyntax):
        reader(line).astring()


def test_eight_bit_in_quotes_only_where_utf8_is_enabled(reader):
    assert reader('"é"'.encode(), utf8=True).string() == "é".encode()
    with pytest.raises(BadSyntax, match="8-bit bytes must be sent in a literal"):
        reader(b'"\xe9"', utf8=True).string()
    with pytest.raises(BadSyntax, match="8-bit bytes must be sent in a literal"):
        reader('"é"'.encode()).string()


@pytest.mark.parametrize(("line", "content"), [(b"NIL", None), (b"nil", None), (b'"NIL"', b"NIL"), (b"{1}\r\nx", b"x")])
def test_nstring(reader, line, content):
    assert reader(line).nstring() == content


def test_an_atom_is_no_nstring(reader):
    with pytest.raises(BadSyntax, match="Expected a string or NIL at byte 1, found 'x'"):
        reader(b"x").nstring()


@pytest.mark.parametrize(("line", "number"), [(b"0", 0), (b"007", 7), (b"4294967295", 4294967295)])
def test_number(reader, line, number):
    assert reader(line).number() == number


@pytest.mark.parametrize("line", [b"", b"-1", b"x", b"4294967296", b"9" * 5000])
def test_what_is_no_number(reader, line):
    with pytest.raises(BadSyntax):
        reader(line).number()


def test_nz_number(reader):
    assert reader(b"10").nz_number() == 10
    for line in (b"0", b"01"):
        with pytest.raises(BadSyntax, match="that does not begin with 0"):
            reader(line).nz_number()


@pytest.mark.parametrize("line", [b"a1]", b".", b"A!#$&',-./:;<=>?@[^_`|}~"])
def test_tag(reader, line):
    assert reader(line).tag() == line.decode()


@pytest.mark.parametrize("line", [b"+", b"*", b"%", b"(", b'"a"', b"\\a", b"{a", b"\xe9"])
def test_what_is_no_tag(reader, line):
    with pytest.raises(BadSyntax):
        reader(line).tag()


@pytest.mark.parametrize("pattern", [b"*", b"%", b"INBOX/%", b"a]*", b'""', b'"* %"', b"{2}\r\n*%"])
def test_list_mailbox(reader, pattern):
    at = reader(pattern)
    assert at.list_mailbox() == pattern.strip(b'"').removeprefix(b"{2}\r\n")
    at.end()


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        (b"()", ()),
        (b"(\\seen \\FLAGGED)", ("\\Seen", "\\Flagged")),
        (b"($Forwarded nonJUNK)", ("$Forwarded", "nonJUNK")),
        (b"(\\Recent \\X-Mine)", ("\\Recent", "\\X-Mine")),
    ],
)
def test_flag_list(reader, line, flags):
    assert reader(line).flag_list() == flags


@pytest.mark.parametrize(
    "line", [b"(", b"( )", b"(a  b)", b"(a )", b"( a)", b"(\\)", b"(\\\\a)", b"(\\*)", b'("a")', b"(a b"]
)
def test_what_is_no_flag_list(reader, line):
    with pytest.raises(BadSyntax):
        reader(line).flag_list()


@pytest.mark.parametrize("line", [b"1-Feb-1994", b"01-FEB-1994", b'"1-feb-1994"'])
def test_date(reader, line):
    at = reader(line)
    assert at.date() == datetime.date(1994, 2, 1)
    at.end()


@pytest.mark.parametrize(
    "line",
    [b"", b"1994-02-01", b"0-Feb-1994", b"30-Feb-1994", b"1-Fab-1994", b'"1-Feb-1994', b"1-Feb-94", b"1-Feb-0000",
     b"001-Feb-1994", b"1-Feb-19940"],
)  # fmt: skip
def test_what_is_no_date(reader, line):
    with pytest.raises(BadSyntax, match="Expected a date"):
        reader(line).date()


@pytest.mark.parametrize(
    ("line", "utc"),
    [
        (b'"17-Jul-1996 02:44:25 -0700"', "1996-07-17 09:44:25"),
        (b'" 7-Feb-1994 21:52:25 +0130"', "1994-02-07 20:22:25"),
        (b'"7-feb-1994 21:52:25 +0000"', "1994-02-07 21:52:25"),
        (b'"31-Dec-2016 23:59:60 +0000"', "2016-12-31 23:59:59"),
    ],
)
def test_date_time(reader, line, utc):
    moment = reader(line).date_time()
    assert moment.astimezone(datetime.UTC).replace(tzinfo=None) == datetime.datetime.fromisoformat(utc)


def test_date_time_keeps_its_zone(reader):
    assert reader(b'"17-Jul-1996 02:44:25 -0730"').date_time().utcoffset() == -datetime.timedelta(hours=7, minutes=30)


@pytest.mark.parametrize(
    "line",
    [b'"17-Jul-1996 02:44:25"', b"17-Jul-1996 02:44:25 -0700", b'"17-Jul-1996 24:00:00 -0700"',
     b'"17-Jul-1996 02:44:25 -2400"', b'"17-Jul-1996 02:44:25 +0060"', b'"01-Jan-0001 00:00:00 +0100"',
     b'"31-Dec-9999 23:59:59 -0100"', b'"17-Jux-1996 02:44:25 -0700"', b'"17-Jul-1996  2:44:25 -0700"',
     b'"17-Jul-1996 02:44:61 +0000"'],
)  # fmt: skip
def test_what_is_no_date_time(reader, line):
    with pytest.raises(BadSyntax, match="Expected a date-time"):
        reader(line).date_time()


@pytest.mark.parametrize("line", [b"AAAA", b"AAA=", b"AA==", b"a+/9AA=="])
def test_base64(reader, line):
    at = reader(line)
    assert at.base64() == line
    at.end()


@pytest.mark.parametrize("line", [b"A", b"AA", b"AAA", b"A===", b"AAA=BBBB", b"=AAA", b"AAAAA", b"AA==="])
def test_what_is_no_base64(reader, line):
    with pytest.raises(BadSyntax):
        reader(line).base64()


def test_parentheses_have_a_depth_limit(reader):
    def nested(at):
        return at.parenthesized(lambda: nested(at) if at.peek(b"(") else at.atom(), "an atom")

    deepest = b"(" * MAX_DEPTH + b"x" + b")" * MAX_DEPTH
    found = nested(reader(deepest))
    for _ in range(MAX_DEPTH - 1):
        (found,) = found
    assert found == ["x"]
    with pytest.raises(BadSyntax, match=f"at most {MAX_DEPTH} levels of parentheses"):
        nested(reader(b"(" + deepest + b")"))


def test_spaces_at_the_end_are_nothing_more(reader):
    at = reader(b"a  ")
    at.atom()
    assert not at.more()
    at.end()


def test_a_literal_is_something_more(reader):
    at = reader(b"a {1}\r\nx")
    at.atom()
    assert at.more()
    with pytest.raises(BadSyntax, match="Expected the end of the command at byte 2, found ' '"):
        at.end()


def test_errors_count_bytes_across_literals(reader):
    at = reader(b"{5}\r\nhello(")
    at.astring()
    with pytest.raises(BadSyntax, match=r"Expected an atom at byte 11, found '\('"):
        at.atom()


def test_errors_name_a_literal(reader):
    with pytest.raises(BadSyntax, match="Expected an atom at byte 1, found a literal of 5 bytes"):
        reader(b"{5}\r\nhello").atom()


def test_errors_are_printable_and_short(reader):
    with pytest.raises(BadSyntax) as caught:
        reader(b"\xe9\x01\r" * 100).atom()
    assert caught.value.text.isascii()
    assert caught.value.text.isprintable()
    assert len(caught.value.text) < 200
