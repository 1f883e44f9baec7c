"""SEARCH keys of RFC 3501 section 6.4.4, as trees."""

import datetime

import pytest

from mockmail.imap.framing import Framer
from mockmail.imap.search.keys import (
    MAX_HEIGHT,
    All,
    And,
    BadCharset,
    Body,
    Flag,
    Header,
    InternalDate,
    Keyword,
    Messages,
    Needle,
    Not,
    Or,
    SentDate,
    Size,
    Text,
    Uids,
    Within,
    read_search,
)
from mockmail.imap.sets import SequenceSet
from mockmail.imap.tokens import BadSyntax, Reader

FIRST = datetime.date(1994, 2, 1)
FROM_A, FROM_B, FROM_C, FROM_D = (Header(b"from", Needle(letter)) for letter in "abcd")
SEEN = Flag("\\Seen")


def search(line):
    framer = Framer(literal_plus=True)
    framer.feed(line + b"\r\n")
    reader = Reader(framer.next())
    found = read_search(reader)
    reader.end()
    return found


def key(line):
    return search(line)[1]


@pytest.mark.parametrize(
    ("line", "tree"),
    [
        (b"ALL", All()),
        (b"ANSWERED", Flag("\\Answered")),
        (b"BCC a", Header(b"bcc", Needle("a"))),
        (b"BEFORE 1-Feb-1994", InternalDate("<", FIRST)),
        (b"BODY a", Body(Needle("a"))),
        (b"CC a", Header(b"cc", Needle("a"))),
        (b"DELETED", Flag("\\Deleted")),
        (b"DRAFT", Flag("\\Draft")),
        (b"FLAGGED", Flag("\\Flagged")),
        (b"FROM a", FROM_A),
        (b"HEADER Message-ID <x@y>", Header(b"message-id", Needle("<x@y>"))),
        (b'HEADER X ""', Header(b"x", Needle(""))),
        (b"KEYWORD $Junk", Keyword("$junk")),
        (b'KEYWORD "abc"', Keyword("abc")),
        (b"LARGER 10", Size(">", 10)),
        (b"OLDER 60", Within(True, 60)),
        (b"YOUNGER 259200", Within(False, 259200)),
        (b"NEW", And((Flag("\\Recent"), Flag("\\Seen", False)))),
        (b"NOT FROM a", Not(FROM_A)),
        (b"OLD", Flag("\\Recent", False)),
        (b'ON "1-Feb-1994"', InternalDate("=", FIRST)),
        (b"OR FROM a FROM b", Or((FROM_A, FROM_B))),
        (b"RECENT", Flag("\\Recent")),
        (b"SEEN", SEEN),
        (b"SENTBEFORE 1-Feb-1994", SentDate("<", FIRST)),
        (b"SENTON 1-Feb-1994", SentDate("=", FIRST)),
        (b"SENTSINCE 1-Feb-1994", SentDate(">=", FIRST)),
        (b"SINCE 1-Feb-1994", InternalDate(">=", FIRST)),
        (b"SMALLER 10", Size("<", 10)),
        (b"SUBJECT a", Header(b"subject", Needle("a"))),
        (b"TEXT a", Text(Needle("a"))),
        (b"TO a", Header(b"to", Needle("a"))),
        (b"UID 1:3,5", Uids(SequenceSet(((1, 3), (5, 5))))),
        (b"UNANSWERED", Flag("\\Answered", False)),
        (b"UNDELETED", Flag("\\Deleted", False)),
        (b"UNDRAFT", Flag("\\Draft", False)),
        (b"UNFLAGGED", Flag("\\Flagged", False)),
        (b"UNKEYWORD $Junk", Keyword("$junk", False)),
        (b"UNSEEN", Flag("\\Seen", False)),
        (b"2:4,7", Messages(SequenceSet(((2, 4), (7, 7))))),
        (b"*", Messages(SequenceSet.parse(b"*"))),
        (b"1:*", Messages(SequenceSet.parse(b"1:*"))),
    ],
)
def test_each_key(line, tree):
    assert key(line) == tree
    assert key(line.lower()) == tree
    assert key(b"(" + line + b")") == tree
    assert key(b"((" + line + b"))") == tree


@pytest.mark.parametrize(
    ("line", "tree"),
    [
        (b"FROM a FROM b SEEN", And((FROM_A, FROM_B, SEEN))),
        (b"(FROM a FROM b) SEEN", And((FROM_A, FROM_B, SEEN))),
        (b"((FROM a) (FROM b (SEEN)))", And((FROM_A, FROM_B, SEEN))),
        (b"OR OR FROM a FROM b FROM c", Or((FROM_A, FROM_B, FROM_C))),
        (b"OR FROM a OR FROM b FROM c", Or((FROM_A, FROM_B, FROM_C))),
        (b"OR (FROM a FROM b) (FROM c)", Or((And((FROM_A, FROM_B)), FROM_C))),
        (b"NOT SEEN", Flag("\\Seen", False)),
        (b"NOT UNSEEN", SEEN),
        (b"NOT KEYWORD x", Keyword("x", False)),
        (b"NOT NOT FROM a", FROM_A),
        (b"NOT NOT NOT FROM a", Not(FROM_A)),
        (b"NOT (FROM a FROM b) FROM c", And((Not(And((FROM_A, FROM_B))), FROM_C))),
        (b"NOT OR FROM a FROM b FROM c", And((Not(Or((FROM_A, FROM_B))), FROM_C))),
        (b"OR NOT FROM a NOT FROM b FROM c", And((Or((Not(FROM_A), Not(FROM_B))), FROM_C))),
        # as imap-tools writes OR(a, b, c), NOT(OR(...)), AND(OR(...), NOT(...))
        (b'(OR OR FROM "a" FROM "b" FROM "c")', Or((FROM_A, FROM_B, FROM_C))),
        (b"NOT ((OR FROM a FROM b))", Not(Or((FROM_A, FROM_B)))),
        (b'((OR FROM "a" FROM "b") NOT (FROM "c"))', And((Or((FROM_A, FROM_B)), Not(FROM_C)))),
    ],
)
def test_trees_are_flat(line, tree):
    assert key(line) == tree


def test_a_chain_of_ors_as_long_as_a_list():
    tree = key(b"OR FROM a " * 2000 + b"FROM b")
    assert len(tree.keys) == 2001


def test_a_chain_of_ors_in_parentheses():
    tree = key(b"(OR (FROM a) " * 2000 + b"(FROM b)" + b")" * 2000)
    assert len(tree.keys) == 2001


def test_text_is_folded():
    assert key(b'SUBJECT "HeLLo"') == Header(b"subject", Needle("hello"))
    assert key(b"HEADER X-Thing {5+}\r\nHeLLo") == Header(b"x-thing", Needle("hello"))
    assert Needle("hello").ascii == b"hello"
    assert Needle("é").ascii is None


@pytest.mark.parametrize(
    ("line", "charset", "text"),
    [
        (b"CHARSET US-ASCII TEXT a", "US-ASCII", "a"),
        ("CHARSET UTF-8 TEXT {2+}\r\nÉ".encode(), "UTF-8", "é"),
        ('charset utf-8 TEXT "É"'.encode(), "utf-8", "é"),
        (b'CHARSET "ISO-8859-1" TEXT {1+}\r\n\xc9', "ISO-8859-1", "é"),
        ("CHARSET windows-1251 TEXT {2+}\r\nЯя".encode("cp1251"), "windows-1251", "яя"),
        ("CHARSET Shift_JIS TEXT {4+}\r\n日本".encode("shift-jis"), "Shift_JIS", "日本"),
        ("CHARSET UTF-8 TEXT {7+}\r\nStraße".encode(), "UTF-8", "strasse"),
    ],
)
def test_charsets(line, charset, text):
    assert search(line) == (charset, Text(Needle(text)))


@pytest.mark.parametrize(
    "charset",
    [b"X-NONE", b"mbcs",
     b"hex", b"rot13", b"base64", b"zlib", b"idna", b"punycode", b"unicode_escape",
     b"Unicode-Escape", b"raw_unicode_escape", b"undefined", b'""', b'"../x"', b"{3+}\r\na\r\n", b"x" * 41,
     b'"\\\\"', b"aliases"],
)  # fmt: skip
def test_unknown_charsets(charset):
    with pytest.raises(BadCharset) as caught:
        search(b"CHARSET " + charset + b" ALL")
    assert caught.value.condition == "NO"
    assert caught.value.code == "BADCHARSET (US-ASCII UTF-8)"
    assert caught.value.supported == ("US-ASCII", "UTF-8")
    assert caught.value.text.isprintable()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"", "Expected a search key at byte 1, found the end of the command"),
        (b"()", "Expected a search key at byte 2, found ')'"),
        (b"ALL)", "Expected a space and a search key at byte 4, found ')'"),
        (b"(ALL", "Expected a space and a search key, or ')' at byte 5, found the end of the command"),
        (b"OR SEEN", "Expected a space and a search key at byte 8, found the end of the command"),
        (b"NOT", "Expected a space and a search key after NOT at byte 4, found the end of the command"),
        (b"FROM", "Expected a space and the argument of FROM at byte 5, found the end of the command"),
        (b"HEADER Subject", "Expected a space and text to look for at byte 15, found the end of the command"),
        (b"UNSEE", "Unknown search key UNSEE; did you mean UNSEEN?"),
        (b"SINCE 2024-01-01", "Expected a date, such as 1-Feb-1994, at byte 7, found '2024-01-01'"),
        (b"LARGER big", "Expected a size in octets at byte 8, found 'big'"),
        (b"UID x", "Expected a sequence set, such as 1:3,7 or 5:*, at byte 5, found 'x'"),
        (b"0", "At byte 1: '0' is not a number, '*' or a range such as 2:4 in a sequence set"),
        (b"TEXT {1+}\r\n\xe9", "8-bit text in SEARCH; name its charset, as in SEARCH CHARSET UTF-8 ..."),
        (b"CHARSET UTF-8 TEXT {1+}\r\n\xe9", "The text to look for is not valid in UTF-8"),
        (b"CHARSET UTF-8", "Expected a space and a search key at byte 14, found the end of the command"),
    ],
)
def test_errors(line, text):
    with pytest.raises(BadSyntax) as caught:
        search(line)
    assert caught.value.text == text


def test_the_height_of_a_tree_is_limited():
    alternating = b"NOT (FROM a OR FROM b "
    deepest = (MAX_HEIGHT - 2) // 3
    key(alternating * deepest + b"FROM c" + b")" * deepest)
    with pytest.raises(BadSyntax, match=f"at most {MAX_HEIGHT} levels of search keys"):
        key(alternating * MAX_HEIGHT + b"FROM c" + b")" * MAX_HEIGHT)


@pytest.mark.parametrize("opening", [b"(", b"NOT ", b"OR "])
def test_open_keys_are_limited(opening):
    with pytest.raises(BadSyntax, match="at most 5000 nested search keys"):
        search(opening * 6000 + b"ALL")
