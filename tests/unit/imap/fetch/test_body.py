import pytest

from mockmail.imap.fetch.body import Section, section_value
from mockmail.mime.parts import parse


def lines(*text: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in text)


# The message of RFC 3501 section 6.4.5.
INNER = lines(
    b"Subject: inner",
    b"Content-Type: multipart/mixed; boundary=in",
    b"",
    b"--in",
    b"",
    b"3.1",
    b"--in",
    b"Content-Type: application/octet-stream",
    b"",
    b"3.2",
    b"--in--",
)
DEEP = lines(
    b"Subject: deep",
    b"Content-Type: multipart/mixed; boundary=deep",
    b"",
    b"--deep",
    b"",
    b"4.2.1",
    b"--deep",
    b"Content-Type: multipart/alternative; boundary=alt",
    b"",
    b"--alt",
    b"",
    b"4.2.2.1",
    b"--alt",
    b"Content-Type: text/richtext",
    b"",
    b"4.2.2.2",
    b"--alt--",
    b"--deep--",
)
HEADER = lines(b"From: a@b", b"To: c@d", b"Subject: outer", b"Content-Type: multipart/mixed; boundary=out", b"")
TEXT = (
    lines(b"preamble", b"--out", b"", b"1", b"--out", b"Content-Type: application/octet-stream", b"", b"2")
    + lines(b"--out", b"Content-Type: message/rfc822", b"")
    + INNER
    + lines(b"", b"--out", b"Content-Type: multipart/mixed; boundary=four", b"")
    + lines(b"--four", b"Content-Type: image/gif", b"", b"4.1", b"--four", b"Content-Type: message/rfc822", b"")
    + DEEP
    + lines(b"", b"--four--", b"--out--", b"epilogue")
)
MESSAGE = HEADER + TEXT


def value(path=(), kind="", fields=(), partial=None, message=MESSAGE):
    found = section_value(parse(message), Section(path, kind, fields), partial)
    return None if found is None else bytes(found)


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ((), "", MESSAGE),
        ((), "HEADER", HEADER),
        ((), "TEXT", TEXT),
        ((1,), "", b"1"),
        ((1,), "MIME", b"\r\n"),
        ((2,), "", b"2"),
        ((2,), "MIME", b"Content-Type: application/octet-stream\r\n\r\n"),
        ((3,), "", INNER),
        ((3,), "HEADER", INNER[: INNER.index(b"--in")]),
        ((3,), "TEXT", INNER[INNER.index(b"--in") :]),
        ((3,), "MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        ((3, 1), "", b"3.1"),
        ((3, 2), "", b"3.2"),
        ((4, 1), "", b"4.1"),
        ((4, 1), "MIME", b"Content-Type: image/gif\r\n\r\n"),
        ((4, 2), "HEADER", b"Subject: deep\r\nContent-Type: multipart/mixed; boundary=deep\r\n\r\n"),
        ((4, 2, 1), "", b"4.2.1"),
        ((4, 2, 2, 1), "", b"4.2.2.1"),
        ((4, 2, 2, 2), "", b"4.2.2.2"),
        ((4, 2, 2, 2), "MIME", b"Content-Type: text/richtext\r\n\r\n"),
        # not there
        ((), "MIME", None),
        ((5,), "", None),
        ((0,), "", None),
        ((1, 1), "", None),
        ((3, 3), "", None),
        ((2,), "HEADER", None),
        ((4,), "TEXT", None),
    ],
)
def test_sections_of_the_example(path, kind, expected):
    assert value(path, kind) == expected


def test_a_message_that_is_no_multipart_has_part_1():
    raw = b"Subject: x\r\n\r\nhello\r\n"
    assert value((1,), message=raw) == b"hello\r\n"
    assert value((1,), "MIME", message=raw) == b"Subject: x\r\n\r\n"
    assert value((2,), message=raw) is None
    assert value((1,), "TEXT", message=raw) is None


def test_part_1_of_a_message_in_a_message():
    raw = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhello"
    assert value((1,), message=raw) == b"Subject: in\r\n\r\nhello"
    assert value((1,), "HEADER", message=raw) == b"Subject: in\r\n\r\n"
    assert value((1, 1), message=raw) == b"hello"


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("HEADER.FIELDS", (b"subject", b"FROM"), b"From: a@b\r\nSubject: outer\r\n\r\n"),
        ("HEADER.FIELDS", (b"X-None",), b"\r\n"),
        ("HEADER.FIELDS.NOT", (b"subject", b"content-type"), b"From: a@b\r\nTo: c@d\r\n\r\n"),
    ],
)
def test_header_fields(kind, fields, expected):
    assert value((), kind, fields) == expected


def test_header_fields_of_a_part_keep_folding_and_order():
    raw = b"Content-Type: message/rfc822\r\n\r\nB: 1\r\n 2\r\nA: x\r\nb : 3\r\n\r\n"
    assert value((1,), "HEADER.FIELDS", (b"B",), message=raw) == b"B: 1\r\n 2\r\nb : 3\r\n\r\n"


def test_the_empty_line_is_left_out_only_where_there_is_neither_that_nor_a_body():
    assert value((), "HEADER.FIELDS", (b"A",), message=b"A: 1\r\nB: 2\r\n") == b"A: 1\r\n"
    assert value((), "HEADER.FIELDS", (b"A",), message=b"A: 1\r\nno header\r\n") == b"A: 1\r\n\r\n"
    assert value((), "HEADER.FIELDS", (b"A",), message=b"A: 1\n\nx") == b"A: 1\n\n"


@pytest.mark.parametrize(
    ("partial", "expected"),
    [((0, 4), b"From"), ((6, 3), b"a@b"), ((0, 10**6), MESSAGE), ((10**6, 5), b""), ((len(MESSAGE) - 2, 10), b"\r\n")],
)
def test_partial(partial, expected):
    assert value(partial=partial) == expected


def test_partial_of_selected_fields_counts_what_was_selected():
    assert value((), "HEADER.FIELDS", (b"Subject",), (3, 5)) == b"ject:"


@pytest.mark.parametrize(
    ("section", "origin", "name"),
    [
        (Section(), None, b"BODY[]"),
        (Section(), 0, b"BODY[]<0>"),
        (Section((), "TEXT"), 100, b"BODY[TEXT]<100>"),
        (Section((1, 2)), None, b"BODY[1.2]"),
        (Section((1, 2), "MIME"), None, b"BODY[1.2.MIME]"),
        (Section((), "HEADER.FIELDS", (b"From", b"To")), None, b"BODY[HEADER.FIELDS (From To)]"),
        (Section((1, 2), "HEADER.FIELDS.NOT", (b"a b",)), 7, b'BODY[1.2.HEADER.FIELDS.NOT ("a b")]<7>'),
    ],
)
def test_names_as_the_client_sees_them(section, origin, name):
    assert section.name(origin) == name


def test_whole_message_is_not_copied():
    part = parse(MESSAGE)
    assert section_value(part, Section()) is MESSAGE
    assert isinstance(section_value(part, Section((3,))), memoryview)
