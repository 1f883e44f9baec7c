"""Commands cut out of the stream: whole and byte by byte, with every kind of literal, and past every limit."""

import tracemalloc

import pytest

from mockmail.imap.framing import Continuation, Framer, Limits, Line, Piece, RawCommand, Refusal

SMALL = Limits(line_bytes=40, literal_bytes=20, message_bytes=50, command_bytes=100, literals=3)


def events(framer, *chunks):
    found = []
    for chunk in chunks:
        framer.feed(chunk)
        while (event := framer.next()) is not None:
            found.append(event)
    return found


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))]


def texts(event):
    return [piece.data for piece in event.pieces]


@pytest.fixture(params=["whole", "byte by byte", "threes"])
def cut(request):
    """The ways of cutting a stream."""
    return {
        "whole": lambda data: [data],
        "byte by byte": bytewise,
        "threes": lambda data: [data[at : at + 3] for at in range(0, len(data), 3)],
    }[request.param]


def test_lines_end_in_crlf_or_lf(cut):
    found = events(Framer(), *cut(b"a NOOP\r\nb NOOP\nc NOOP\r\n\r\n"))
    assert [texts(event) for event in found] == [[b"a NOOP"], [b"b NOOP"], [b"c NOOP"], [b""]]
    assert [event.pieces[0].start for event in found] == [0, 8, 15, 23]


def test_only_one_cr_belongs_to_the_line_end(cut):
    assert [texts(event) for event in events(Framer(), *cut(b"a\r\r\nb\rc\r\n"))] == [[b"a\r"], [b"b\rc"]]


def test_an_incomplete_line_gives_nothing(cut):
    framer = Framer()
    assert framer.idle
    assert events(framer, *cut(b"a NOOP\r")) == []
    assert not framer.idle
    assert events(framer, b"\n") == [RawCommand((Piece(b"a NOOP", 0),))]
    assert framer.idle


def test_a_synchronizing_literal_asks_for_leave(cut):
    framer = Framer()
    assert events(framer, *cut(b"A001 LOGIN {11}\r\n")) == [Continuation(RawCommand((Piece(b"A001 LOGIN ", 0),)), 11)]
    first = (Piece(b"A001 LOGIN ", 0), Piece(b"FRED FOOBAR", 17, True), Piece(b" ", 28))
    assert events(framer, *cut(b"FRED FOOBAR {7}\r\n")) == [Continuation(RawCommand(first), 7)]
    whole = (*first, Piece(b"fat man", 34, True), Piece(b"", 41))
    assert events(framer, *cut(b"fat man\r\n")) == [RawCommand(whole)]


def test_offsets_find_the_bytes_in_the_stream(cut):
    stream = b"x NOOP\r\nA001 LOGIN {4+}\r\nFRED {7+}\r\nfat man\r\nb LOGIN u p\r\n"
    found = events(Framer(literal_plus=True), *cut(stream))
    pieces = [piece for event in found for piece in event.pieces]
    assert [stream[piece.start : piece.stop] for piece in pieces] == [piece.data for piece in pieces]


def test_literals_are_never_read_as_commands(cut):
    stream = b"a APPEND x {24+}\r\nb LOGOUT\r\nc {99+}\r\n{3}\r\n\r\nd NOOP\r\n"
    found = events(Framer(literal_plus=True), *cut(stream))
    assert [texts(event) for event in found] == [
        [b"a APPEND x ", b"b LOGOUT\r\nc {99+}\r\n{3}\r\n", b""],
        [b"d NOOP"],
    ]


def test_an_empty_literal_asks_for_leave_too(cut):
    found = events(Framer(), *cut(b"a LOGIN {0}\r\n {0}\r\n\r\n"))
    assert [type(event) for event in found] == [Continuation, Continuation, RawCommand]
    assert texts(found[2]) == [b"a LOGIN ", b"", b" ", b"", b""]
    assert texts(found[1].command) == [b"a LOGIN ", b"", b" "]


def test_literal8_where_it_is_on(cut):
    found = events(Framer(literal_plus=True, literal8=True), *cut(b"a APPEND x ~{3+}\r\n\0\1\2\r\n"))
    assert found == [RawCommand((Piece(b"a APPEND x ", 0), Piece(b"\0\1\2", 18, True, True), Piece(b"", 21)))]


@pytest.mark.parametrize(
    "line",
    [
        b"a X {}",
        b"a X {3} ",
        b"a X {-3}",
        b"a X {3+",
        b"a X {+3}",
        b"a X {" + b"9" * 20 + b"}",
        b'a X "{3}"',
        b"a X {3++}",
    ],
)
def test_what_announces_no_literal(cut, line):
    assert events(Framer(literal_plus=True), *cut(line + b"\r\n")) == [RawCommand((Piece(line, 0),))]


def test_a_refused_literal_does_not_come():
    framer = Framer()
    assert isinstance(events(framer, b"a APPEND x {5}\r\n")[0], Continuation)
    framer.refuse()
    assert events(framer, b"b NOOP\r\n") == [RawCommand((Piece(b"b NOOP", 16),))]


REFUSALS = [
    # a line too long, and what is discarded with it
    (b"a NOOP " + b"x" * 50 + b"\r\n", "BAD", None, "The line is longer than 40 bytes"),
    (b"a X " + b"x" * 50 + b"{5+}\r\nb CA\n\r\n", "BAD", None, "The line is longer than 40 bytes"),
    (b"a X " + b"x" * 50 + b"{5}\r\n", "BAD", None, "The line is longer than 40 bytes"),
    (b"a X " + b"x" * 50 + b"{100+}\r\n" + b"b CA\n" * 20 + b"{5+}\r\nb CA\n\r\n", "BAD", None, "The line is longer"),
    # literals too big
    (b"a LOGIN {21}\r\n", "BAD", None, "A literal of 21 bytes is too big; the limit is 20 bytes"),
    (b"a LOGIN {21+}\r\n" + b"b NOOP\n" * 3 + b"\r\n", "BAD", None, "A literal of 21 bytes is too big"),
    (b"a APPEND x {51}\r\n", "NO", "TOOBIG", "A literal of 51 bytes is too big; the limit is 50 bytes"),
    (b"a append x {51+}\r\n" + b"b CA\n" * 10 + b"x\r\n", "NO", "TOOBIG", "A literal of 51 bytes"),
    (b"a APPEND {5+}\r\nhello {51+}\r\n" + b"b CA\n" * 10 + b"x\r\n", "NO", "TOOBIG", "A literal of 51 bytes"),
    (b"a LOGIN {9999999999999999999}\r\n", "BAD", None, "A literal of 9999999999999999999 bytes is too big"),
    # the command as a whole
    (b"a X {20+}\r\n" + b"b" * 20 + b"y" * 30 + b"{20+}\r\n" + b"z" * 20 + b"y" * 20 + b"\r\n", "BAD", None,
     "The command is longer than 100 bytes"),
    (b"a X {20+}\r\n" + b"b" * 20 + b"y" * 35 + b"{20+}\r\n" + b"z" * 20 + b"{20}\r\n", "BAD", None,
     "The command is longer than 100 bytes"),
    (b"a X" + b" {1+}\r\nx" * 4 + b"\r\n", "BAD", None, "The command has more than 3 literals"),
    (b"a APPEND x ~{3}\r\n", "BAD", None, "Literals with a tilde, ~{...}, are not available here"),
    (b"a APPEND x ~{3+}\r\nb\r\n\r\n", "BAD", None, "Literals with a tilde, ~{...}, are not available here"),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "condition", "code", "text"), REFUSALS)
def test_past_a_limit_the_command_is_refused_once_and_discarded(cut, stream, condition, code, text):
    framer = Framer(SMALL, literal_plus=True)
    refusal, following = events(framer, *cut(stream + b"z NOOP\r\n"))
    assert isinstance(refusal, Refusal)
    assert (refusal.tag, refusal.condition, refusal.code) == ("a", condition, code)
    assert refusal.text.startswith(text)
    assert following == RawCommand((Piece(b"z NOOP", len(stream)),))


@pytest.mark.parametrize(("stream", "condition", "code", "text"), REFUSALS)
def test_refusals_are_equal_however_the_stream_is_cut(cut, stream, condition, code, text):
    assert events(Framer(SMALL, literal_plus=True), *cut(stream)) == events(Framer(SMALL, literal_plus=True), stream)


def test_a_line_of_just_the_limit(cut):
    line = b"a NOOP" + b" " * 34
    found = events(Framer(SMALL), *cut(line + b"\r\n" + line + b"\n" + line + b" \r\n" + line + b"\r \n"))
    assert [type(event) for event in found] == [RawCommand, RawCommand, Refusal, Refusal]


@pytest.mark.parametrize("start", [b"x" * 50, b"+ " + b"x" * 50, b"(a " + b"x" * 50])
def test_a_refusal_without_a_tag(start):
    (refusal,) = events(Framer(SMALL), start + b"\r\n")
    assert refusal.tag is None


def test_literal_plus_off(cut):
    refusal, following = events(Framer(), *cut(b"a LOGIN {8+}\r\nb NOOP\r\n x\r\nz NOOP\r\n"))
    assert refusal.text == "Write {8} and wait: LITERAL+ is not available here"
    assert texts(following) == [b"z NOOP"]


@pytest.mark.parametrize(("size", "accepted"), [(4096, True), (4097, False)])
def test_literal_minus_ends_at_4096_bytes(cut, size, accepted):
    stream = b"a APPEND x {%d+}\r\n%s\r\nz NOOP\r\n" % (size, b"y" * size)
    first, following = events(Framer(literal_minus=True), *cut(stream))
    assert isinstance(first, RawCommand) is accepted
    if not accepted:
        assert (first.condition, first.code) == ("BAD", "TOOBIG")  # RFC 7888 section 5
    assert texts(following) == [b"z NOOP"]


def test_an_endless_line_takes_no_memory():
    framer = Framer(Limits(line_bytes=1000))
    found = events(framer, b"a NOOP ", b"x" * 2000)
    tracemalloc.start()
    try:
        for _ in range(200):
            found += events(framer, b"x" * 65536)
        assert tracemalloc.get_traced_memory()[0] < 300_000
    finally:
        tracemalloc.stop()
    found += events(framer, b"\nb NOOP\r\n")
    assert [type(event) for event in found] == [Refusal, RawCommand]


def test_a_literal_too_big_takes_no_memory():
    framer = Framer(Limits(literal_bytes=1000), literal_plus=True)
    (refusal,) = events(framer, b"a LOGIN {13107200+}\r\n")
    assert refusal.tag == "a"
    tracemalloc.start()
    try:
        assert [event for _ in range(200) for event in events(framer, b"x" * 65536)] == []
        assert tracemalloc.get_traced_memory()[0] < 300_000
    finally:
        tracemalloc.stop()
    assert [texts(event) for event in events(framer, b"\r\nb NOOP\r\n")] == [[b"b NOOP"]]


def test_a_literal_byte_by_byte_takes_its_own_size():
    framer = Framer(literal_plus=True)
    events(framer, b"a APPEND x {300000+}\r\n")
    tracemalloc.start()
    try:
        events(framer, *([b"x"] * 299_999))
        assert tracemalloc.get_traced_memory()[0] < 700_000
    finally:
        tracemalloc.stop()
    assert texts(events(framer, b"x\r\n")[0])[1] == b"x" * 300_000


def test_a_literal_in_chunks_of_mixed_sizes():
    chunks = [b"a" * 10, b"b" * 9000, b"c", b"d" * 5000, b"e" * 4096, b"f" * 70000]
    literal = b"".join(chunks)
    found = events(Framer(literal_plus=True), b"a APPEND x {%d+}\r\n" % len(literal), *chunks, b"\r\n")
    assert texts(found[0])[1] == literal


def test_a_line_outside_command_mode(cut):
    framer = Framer(literal_plus=True)
    framer.feed(b"a AUTHENTICATE PLAIN\r\n")
    assert isinstance(framer.next(), RawCommand)
    found = []
    for chunk in cut(b"AGJvYgBhbnk=\r\n{3+}\n\r\nb NOOP\r\n"):
        framer.feed(chunk)
        while len(found) < 3 and (line := framer.next_line()) is not None:
            found.append(line)
    assert found == [Line(b"AGJvYgBhbnk=", 22), Line(b"{3+}", 36), Line(b"", 41)]
    assert framer.next() == RawCommand((Piece(b"b NOOP", 43),))


def test_a_line_too_long_outside_command_mode(cut):
    framer = Framer(SMALL, literal_plus=True)
    found = []
    for chunk in cut(b"x" * 41 + b"{5+}\r\nDONE\r\n"):
        framer.feed(chunk)
        while (line := framer.next_line()) is not None:
            found.append(line)
    assert [type(event) for event in found] == [Refusal, Line]
    assert found[0].tag is None
    assert found[1] == Line(b"DONE", 47)


def test_clear_drops_what_came_and_counts_on():
    framer = Framer(literal_plus=True)
    framer.feed(b"a STARTTLS\r\nb LOGIN x {5+}\r\nin")
    assert texts(framer.next()) == [b"a STARTTLS"]
    assert framer.next() is None
    framer.feed(b"jected\r\n")
    framer.clear()
    assert framer.idle
    assert events(framer, b"c NOOP\r\n") == [RawCommand((Piece(b"c NOOP", 38),))]


def test_buffered_bytes_counts_what_waits():
    framer = Framer()
    framer.feed(b"a NOOP\r\nb NOOP\r\n")
    framer.feed(b"c")
    assert framer.buffered_bytes == 17
    framer.next()
    assert framer.buffered_bytes == 9
    assert not framer.idle
