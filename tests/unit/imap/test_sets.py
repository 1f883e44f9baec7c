"""Sequence sets: the examples of RFC 3501 section 9, and sets far wider than any mailbox."""

import pytest

from mockmail.imap.sets import MAX_NUMBER, SequenceSet, contains, count, render, slices


def parse(text):
    return SequenceSet.parse(text.encode())


@pytest.mark.parametrize(
    ("text", "ranges", "star_from"),
    [
        ("1", ((1, 1),), None),
        ("2:4", ((2, 4),), None),
        ("4:2", ((2, 4),), None),
        ("2,4:7,9,12:*", ((2, 2), (4, 7), (9, 9)), 12),
        ("*:4,5:7", ((5, 7),), 4),
        ("5,3,4,1", ((1, 1), (3, 5)), None),
        ("1:3,2:9,10", ((1, 10),), None),
        ("1:9,2:3", ((1, 9),), None),
        ("*", (), MAX_NUMBER + 1),
        ("*:*", (), MAX_NUMBER + 1),
        ("*,7:*,9:*", (), 7),
        ("1:4294967295", ((1, MAX_NUMBER),), None),
    ],
)
def test_parse(text, ranges, star_from):
    assert parse(text) == SequenceSet(ranges, star_from)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "01",
        "1:",
        ":1",
        "1,",
        ",1",
        "1,,2",
        "1:2:3",
        "-1",
        "1 2",
        "a",
        "**",
        "0:*",
        "4294967296",
        "9" * 5000,
        "$",
    ],
)
def test_what_is_no_sequence_set(text):
    with pytest.raises(ValueError, match="sequence set"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "maximum", "ranges"),
    [
        ("2,4:7,9,12:*", 15, ((2, 2), (4, 7), (9, 9), (12, 15))),
        ("*:4,5:7", 10, ((4, 10),)),
        ("5:*", 3, ((3, 3),)),
        ("3291:*", 100, ((100, 100),)),
        ("*", 7, ((7, 7),)),
        ("*,6", 7, ((6, 7),)),
        ("*", 0, ()),
        ("1:*", 0, ()),
        ("2,1:*", 0, ((2, 2),)),
        ("1:9", 3, ((1, 9),)),
    ],
)
def test_resolve(text, maximum, ranges):
    assert parse(text).resolve(maximum) == ranges


@pytest.mark.parametrize(
    ("text", "maximum", "exceeds"),
    [
        ("1:3", 3, False),
        ("1:4", 3, True),
        ("5:*", 3, False),
        ("*", 3, False),
        ("*", 0, True),
        ("1:*", 0, True),
        ("1", 0, True),
    ],
)
def test_exceeds(text, maximum, exceeds):
    assert parse(text).exceeds(maximum) is exceeds


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("1:4294967295", [3, 5, 6, 900]),
        ("1:*", [3, 5, 6, 900]),
        ("*", [900]),
        ("901:*", [900]),
        ("4:6", [5, 6]),
        ("1:2,4,7:899", []),
        ("900,3", [3, 900]),
    ],
)
def test_select_from_uids(text, chosen):
    assert parse(text).select([3, 5, 6, 900]) == chosen


def test_select_from_nothing():
    assert parse("1:*").select([]) == []
    assert parse("1:4294967295").slices([]) == []


def test_slices_are_index_ranges():
    assert parse("4:6,900").slices([3, 5, 6, 7, 900]) == [(1, 3), (4, 5)]
    assert slices(((1, 2), (5, 5)), range(1, 10)) == [(0, 2), (4, 5)]


def test_contains_and_count():
    ranges = parse("2:4,9").resolve(0)
    assert [number for number in range(12) if contains(ranges, number)] == [2, 3, 4, 9]
    assert not contains((), 1)
    assert contains(((1, MAX_NUMBER),), MAX_NUMBER)
    assert count(ranges) == 4


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([7], "7"),
        ([1, 2], "1:2"),
        ([1, 2, 3, 7], "1:3,7"),
        ([4, 3, 2], "4,3,2"),
        ([0, 1], "0:1"),
        ([2, 2], "2,2"),
    ],
)
def test_render(numbers, text):
    assert render(numbers) == text


@pytest.mark.parametrize(("text", "shortest"), [("3,2,1", "1:3"), ("5:*,7:*", "5:*"), ("*,1", "1,*"), ("*", "*")])
def test_str_is_the_shortest_form(text, shortest):
    assert str(parse(text)) == shortest


def test_of():
    assert SequenceSet.of(3, 1, 2, 9) == parse("1:3,9")
    assert SequenceSet.of() == SequenceSet(())
