"""IMAP's grammar under generated input: round trips, equality with slower models, and the law that anything a client
sends is a command or a BadSyntax."""

import imaplib
import itertools
import re

from hypothesis import example, given
from hypothesis import strategies as st
from imap_tools import imap_utf7 as imap_tools_utf7
from imapclient import imap_utf7 as imapclient_utf7

from mockmail.imap import utf7
from mockmail.imap.framing import Continuation, Framer, Limits, RawCommand, Refusal
from mockmail.imap.parsing import parse, secret_spans
from mockmail.imap.sets import MAX_NUMBER, SequenceSet, contains, render
from mockmail.imap.tokens import BadSyntax, Reader

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
number = st.integers(1, 30) | st.integers(1, MAX_NUMBER)
seq_number = number.map(str) | st.just("*")
item = seq_number | st.tuples(seq_number, seq_number).map(":".join)
sequence_sets = st.lists(item, min_size=1, max_size=8).map(",".join)
uid_lists = st.lists(st.integers(1, 40) | number, unique=True, max_size=20).map(sorted)


@given(names)
def test_utf7_round_trip(name):
    encoded = utf7.encode(name)
    assert utf7.decode(encoded) == name
    assert re.fullmatch(rb"[ -~]*", encoded)


@given(names)
def test_utf7_agrees_with_the_codecs_of_clients(name):
    encoded = utf7.encode(name)
    assert imapclient_utf7.encode(name) == encoded
    assert imap_tools_utf7.utf7_encode(name) == encoded
    assert imapclient_utf7.decode(encoded) == name
    assert imap_tools_utf7.utf7_decode(encoded) == name


@given(st.binary(max_size=20) | st.lists(st.sampled_from([b"&", b"-", b"A", b"AOQ", b",", b"x", b"2D0"])).map(b"".join))
def test_utf7_has_one_form_for_each_name(encoded):
    try:
        name = utf7.decode(encoded)
    except ValueError:
        return
    assert utf7.encode(name) == encoded


def model(text, maximum):
    """What is in a sequence set of small numbers, counted through; nothing above ``*`` exists."""
    found = set()
    for part in text.split(","):
        ends = [maximum if end == "*" else int(end) for end in part.split(":")]
        found.update(
            range(min(ends), (maximum if "*" in part else max(ends)) + 1) if maximum or "*" not in part else ()
        )
    return found


small_number = st.integers(1, 30).map(str) | st.just("*")
small_item = small_number | st.tuples(small_number, small_number).map(":".join)


@given(st.lists(small_item, min_size=1, max_size=8).map(",".join), st.integers(0, 40))
def test_sequence_sets_against_counting(text, maximum):
    ranges = SequenceSet.parse(text.encode()).resolve(maximum)
    expected = model(text, maximum)
    assert {n for n in range(60) if contains(ranges, n)} == expected
    assert [n for low, high in ranges for n in range(low, high + 1)] == sorted(expected)
    assert all(low <= high for low, high in ranges)
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(ranges))


@given(sequence_sets, uid_lists)
@example("1:4294967295", list(range(1, 40)))
def test_selection_is_membership(text, uids):
    numbers = SequenceSet.parse(text.encode())
    ranges = numbers.resolve(uids[-1] if uids else 0)
    selected = numbers.select(uids)
    assert selected == [uid for uid in uids if contains(ranges, uid)]
    assert [uid for start, stop in numbers.slices(uids) for uid in uids[start:stop]] == selected


@given(sequence_sets)
def test_sequence_sets_round_trip(text):
    numbers = SequenceSet.parse(text.encode())
    assert SequenceSet.parse(str(numbers).encode()) == numbers


@given(uid_lists.filter(bool))
def test_rendered_numbers_round_trip(uids):
    assert SequenceSet.parse(render(uids).encode()).select(uids) == uids


def quoted(content):
    return b'"' + content.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(content):
    return b"{%d+}\r\n%s" % (len(content), content)


astrings = st.one_of(
    st.from_regex(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+", fullmatch=True).map(lambda data: (data, data)),
    st.from_regex(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*", fullmatch=True).map(lambda data: (quoted(data), data)),
    st.binary().filter(lambda data: b"\0" not in data).map(lambda data: (literal(data), data)),
)


def cut(data, sizes):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def events(framer, chunks):
    found = []
    for chunk in chunks:
        framer.feed(chunk)
        while (event := framer.next()) is not None:
            found.append(event)
    return found


@given(st.lists(astrings, min_size=1, max_size=6), st.lists(st.integers(0, 9), max_size=40))
def test_strings_round_trip_however_the_stream_is_cut(strings, sizes):
    stream = b" ".join(written for written, _ in strings) + b"\r\n"
    (raw,) = events(Framer(literal_plus=True), cut(stream, sizes))
    assert all(stream[piece.start : piece.stop] == piece.data for piece in raw.pieces)
    reader = Reader(raw)
    for index, (_, content) in enumerate(strings):
        if index:
            reader.sp("a string")
        assert reader.astring() == content
    assert not reader.more()


@given(names.filter(bool), st.text(st.characters(max_codepoint=127, exclude_categories=["Cc"])))
def test_imaplib_quotes_what_we_read(user, password):
    line = b"a LOGIN " + literal(user.replace("\0", "").encode()) + b" " + imaplib.IMAP4._quote(None, password).encode()
    (raw,) = events(Framer(literal_plus=True), [line + b"\r\n"])
    value = parse(raw)
    assert (value.user, value.password) == (user.replace("\0", ""), password)


words = st.sampled_from(
    (
        b'a|A1| |  |(|)|[|]|<|>|.|,|:|*|%|\\|\\Seen|"|"x"|{3}\r\n|{3+}\r\n|{0+}\r\n|{99+}\r\n|'
        b"{9999999999+}\r\n|~{2+}\r\n|\r\n|\n|\r|\x00|\xc3\xa9|\xff|&AOQ-|&|1|0|1:*|4294967296|"
        b"99999999999999999999999|NIL|INBOX|UID |FETCH |SEARCH |STORE |APPEND |LOGIN |AUTHENTICATE PLAIN |"
        b"LIST |STATUS |CREATE |USE |ID |ENABLE |RETURN |SELECT |BODY[|BODY.PEEK[|HEADER|HEADER.FIELDS |TEXT |"
        b"MIME|FLAGS|+FLAGS.SILENT |ALL|OR |NOT |CHARSET |UTF-8 |FROM |SINCE |1-Feb-1994|KEYWORD |a FETCH 1 |"
        b'a SEARCH |" 7-Feb-1994 21:52:25 -0800"|=|AAAA'
    ).split(b"|")
)
hostile = st.one_of(st.lists(words, max_size=40).map(b"".join), st.binary(max_size=80))
TIGHT = Limits(line_bytes=60, literal_bytes=30, message_bytes=40, command_bytes=120, literals=3)


def error_text(raw, *, utf8):
    try:
        parse(raw, utf8=utf8)
    except BadSyntax as error:
        return error.text
    return ""


@given(hostile, st.sampled_from([Limits(), TIGHT]), st.booleans())
def test_anything_is_a_command_or_bad_syntax(stream, limits, literal_plus):
    framer = Framer(limits, literal_plus=literal_plus, literal8=True)
    for event in events(framer, [stream + b"\r\n" * 3]):
        raw = event if isinstance(event, RawCommand) else event.command
        assert all(0 <= start < stop <= len(stream) + 6 for start, stop in secret_spans(raw))
        if isinstance(event, RawCommand):
            for utf8 in (False, True):
                text = error_text(event, utf8=utf8)
                assert text.isascii()
                assert text.isprintable()
        elif isinstance(event, Refusal):
            assert event.text.isprintable()
        else:
            assert isinstance(event, Continuation)


@given(hostile, st.lists(st.integers(0, 30), max_size=20), st.sampled_from([Limits(), TIGHT]), st.booleans())
def test_the_cut_of_the_stream_does_not_matter(stream, sizes, limits, literal_plus):
    whole = events(Framer(limits, literal_plus=literal_plus), [stream])
    assert events(Framer(limits, literal_plus=literal_plus), cut(stream, sizes)) == whole
    assert events(Framer(limits, literal_plus=literal_plus), cut(stream, [1] * len(stream))) == whole
