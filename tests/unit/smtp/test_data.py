import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockmail.smtp.data import DataReader

LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b".a", b"a", b"a.", b"\r", b"\n", b"\n.", b".\r", b"\n.\n", b"x" * 5000])
)
CUTS = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def whole(text: bytes | list[bytes]) -> bytes:
    return text if isinstance(text, bytes) else b"".join(text)


def cut(wire: bytes, sizes: list[int]) -> list[bytes]:
    chunks, at, turn = [], 0, 0
    while at < len(wire):
        size = sizes[turn % len(sizes)]
        # Long runs of text go through whole, so that both kinds of chunk meet.
        size = 4500 if wire[at : at + 20] == b"x" * 20 else size
        chunks.append(wire[at : at + size])
        at += size
        turn += 1
    return chunks


def read(wire: bytes, sizes: list[int]) -> tuple[bytes, bytes]:
    """The text and what is left behind it."""
    reader = DataReader(None)
    chunks = cut(wire, sizes)
    for index, chunk in enumerate(chunks):
        end = reader.feed(chunk)
        if end >= 0:
            return whole(reader.text()), chunk[end:] + b"".join(chunks[index + 1 :])
    raise AssertionError("no end of data")


def stuff(text: bytes) -> bytes:
    """RFC 5321 section 4.5.2, line by line: what a client does."""
    lines = re.split(b"(?<=\r\n)", text)
    return b"".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


CUTS_OR_WHOLE = st.one_of(CUTS, st.just([100_000]))
RESTS = st.sampled_from([b"", b"QUIT\r\n"])


@given(LINES, CUTS_OR_WHOLE, RESTS)
def test_what_a_client_stuffs_comes_out_as_it_was(lines, sizes, rest):
    text = b"".join(line + b"\r\n" for line in lines)
    assert read(stuff(text) + rest, sizes) == (text, rest)


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"a"])), CUTS_OR_WHOLE, RESTS)
def test_any_bytes_are_read_as_a_line_by_line_reference_reads_them(pieces, sizes, rest):
    wire = b"".join(pieces) + b"\r\n.\r\n" + rest
    expected = []
    for line in re.findall(rb".*?\r\n", wire, re.DOTALL):
        if line == b".\r\n":
            break
        expected.append(line.removeprefix(b"."))
    raw_size = wire.index(b"\r\n.\r\n") + 5 if not wire.startswith(b".\r\n") else 3
    assert read(wire, sizes) == (b"".join(expected), wire[raw_size:])


def test_the_first_line_may_be_the_dot():
    assert read(b".\r\nNOOP\r\n", [100]) == (b"", b"NOOP\r\n")
    assert read(b".\r\nNOOP\r\n", [1]) == (b"", b"NOOP\r\n")
    assert read(b".\r\n", [2]) == (b"", b"")


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\r\n.\r\r\n"])
@pytest.mark.parametrize("sizes", [[1], [3], [1000]])
def test_what_resembles_the_end_is_text(end, sizes):
    wire = b"a" + end + b"MAIL FROM:<smuggled@x.test>\r\n.\r\n"
    text, rest = read(wire, sizes)
    assert b"smuggled" in text
    assert rest == b""


def test_a_text_past_the_limit_is_not_kept_when_it_comes_whole():
    reader = DataReader(10)
    assert reader.feed(b"a" * 9 + b"\r\n.\r\n") == 14
    assert reader.too_big
    reader = DataReader(11)
    assert reader.feed(b"a" * 9 + b"\r\n.\r\n") == 14
    assert not reader.too_big
    assert whole(reader.text()) == b"a" * 9 + b"\r\n"


def test_a_text_past_the_limit_is_read_to_its_end_and_not_kept():
    reader = DataReader(10)
    assert reader.feed(b"a" * 10000) == -1
    assert reader.feed(b"b" * 10 + b"\r\n.\r\nNOOP\r\n") == 15
    assert reader.too_big
    assert whole(reader.text()) == b""


def test_a_text_of_just_the_limit_is_kept():
    for sizes in ([1], [100]):
        reader = DataReader(10)
        for chunk in cut(b"12345678\r\n.\r\n", sizes):
            reader.feed(chunk)
        assert not reader.too_big
        assert reader.size_bytes == 10
        assert whole(reader.text()) == b"12345678\r\n"


def test_a_text_one_past_the_limit_is_too_big_however_it_is_cut():
    for sizes in ([1], [100], [11], [13]):
        reader = DataReader(10)
        for chunk in cut(b"123456789\r\n.\r\n", sizes):
            reader.feed(chunk)
        assert reader.too_big
