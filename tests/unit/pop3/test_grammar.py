import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockmail.pop3.extensions import COMMANDS
from mockmail.pop3.grammar import BadCommand, Command, Line, LineReader, Overlong, message_number, parse_command


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        (b"NOOP", "NOOP", ()),
        (b"noop ", "NOOP", ()),
        (b"RETR 1", "RETR", ("1",)),
        (b"Top  1   0 ", "TOP", ("1", "0")),
        (b"LIST", "LIST", ()),
        (b"USER  bob smith ", "USER", ("bob smith",)),
        (b"PASS  two  spaces ", "PASS", (" two  spaces ",)),
        (b"AUTH PLAIN =", "AUTH", ("PLAIN", "=")),
        (b"AUTH", "AUTH", ()),
    ],
)
def test_commands(line, name, arguments):
    assert parse_command(line) == Command(name, arguments)


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        (b"", "", "this is no command"),
        (b"   ", "", "this is no command"),
        (b"XYZ 1", "XYZ", "XYZ is no command here"),
        (b"STAT 1", "STAT", "STAT takes no arguments"),
        (b"RETR", "RETR", "RETR takes one argument"),
        (b"RETR 1 2", "RETR", "RETR takes one argument"),
        (b"TOP 1", "TOP", "TOP takes two arguments"),
        (b"LIST 1 2", "LIST", "LIST takes at most one argument"),
        (b"PASS ", "PASS", "PASS takes one argument"),
        (b"USER  ", "USER", "USER takes one argument"),
        (b"NO\x00OP", "NO?OP", "a command is printable ASCII"),
        (b"PASS \xff", "PASS", "a command is printable ASCII"),
        (b"A" * 100, "A" * 16, f"{'A' * 16} is no command here"),
    ],
)
def test_what_is_no_command(line, name, reason):
    bad = parse_command(line)
    assert isinstance(bad, BadCommand)
    assert (bad.name, bad.reason) == (name, reason)


@given(st.binary(max_size=300))
def test_any_line_is_a_command_or_is_refused_in_ascii(line):
    parsed = parse_command(line.replace(b"\n", b""))
    if isinstance(parsed, Command):
        assert parsed.name in COMMANDS
    else:
        assert parsed.reason.isascii()
        assert len(parsed.reason) < 100


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("007", 7), ("0", 0), ("", None), ("-1", None), ("1.0", None), ("\u0661", None), ("1" * 5000, None)],
)
def test_numbers(text, number):
    assert message_number(text) == number


@given(st.lists(st.text("ab\r", max_size=12)), st.lists(st.integers(1, 7), min_size=1))
def test_lines_are_the_same_however_they_are_cut(texts, cuts):
    stream = b"".join(text.encode() + b"\r\n" for text in texts)
    reader, lines, start, turn = LineReader(), [], 0, 0
    while start < len(stream):
        size = cuts[turn % len(cuts)]
        reader.feed(stream[start : start + size])
        start, turn = start + size, turn + 1
        while (line := reader.take(100)) is not None:
            lines.append(line)
    assert [line.data for line in lines] == [text.encode() for text in texts]
    assert all(stream[line.start : line.stop] == line.data for line in lines)
    assert reader.position == len(stream)
    assert not reader.waiting


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_an_over_long_line_is_reported_once_and_dropped_to_its_end(size):
    stream = b"ok\r\n" + b"PASS " + b"x" * 30 + b"\r\nnext\r\n" + b"y" * 11 + b"\n" + b"z" * 10 + b"\r\n"
    reader, found = LineReader(), []
    for start in range(0, len(stream), size):
        reader.feed(stream[start : start + size])
        while (line := reader.take(10)) is not None:
            found.append(line.data if isinstance(line, Line) else line.start)
            assert not isinstance(line, Overlong) or line.head.startswith((b"PASS xxx", b"yyy"))
    assert found == [b"ok", 4, b"next", 47, b"z" * 10]


def test_an_over_long_line_takes_no_memory():
    reader = LineReader()
    for _ in range(100):
        reader.feed(b"x" * 100_000)
        reader.take(2048)
        assert len(reader._buffer) == 0
    assert reader.discarding
    assert reader.position == 10_000_000
    reader.feed(b"end\nNOOP\r\n")
    assert reader.take(2048).data == b"NOOP"
