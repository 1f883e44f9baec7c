import subprocess
import sys

import pytest

from mockmail.mime.headers import Headers, decode, scan, unfold


def named(raw: bytes):
    return [(field[0], field[2]) for field in scan(raw).fields if field[0]]


def test_fields_keep_their_order_and_folding():
    raw = b"Received: one\r\nreceived: two\r\nSubject: a\r\n b\r\n\tc\r\nX-Empty:\r\n\r\nbody: no\r\n"
    assert named(raw) == [
        (b"Received", b"one"),
        (b"received", b"two"),
        (b"Subject", b"a\r\n b\r\n\tc"),
        (b"X-Empty", b""),
    ]
    block = scan(raw)
    assert raw[block.body_start :] == b"body: no\r\n"
    assert raw[block.stop : block.body_start] == b"\r\n"
    assert block.first(b"subject") == b"a b\tc"
    assert block.first(b"x-none") is None
    assert block.values(b"received") == [b"one", b"two"]
    assert block.values(b"x-none") == []
    assert block.repeated == {b"received"}


def test_offsets_cover_the_header():
    raw = b"ignored" + b"A: 1\r\n 2\nB :3\r\r\nbody"
    block = scan(raw, 7)
    assert [(name, raw[start:stop], raw[value:stop]) for name, start, value, stop in block.offsets()] == [
        (b"A", b"A: 1\r\n 2\n", b"1\r\n 2\n"),
        (b"B", b"B :3\r", b"3\r"),
    ]
    assert raw[block.body_start :] == b"body"


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_any_line_end(end):
    raw = end.join([b"A: 1", b" 2", b"B: 3", b"", b"body", b""])
    assert [(name, unfold(value)) for name, value in named(raw)] == [(b"A", b"1 2"), (b"B", b"3")]
    assert raw[scan(raw).body_start :] == b"body" + end


@pytest.mark.parametrize(
    ("raw", "fields", "body"),
    [
        (b"", [], b""),
        (b"\r\n", [], b""),
        (b"\r\nbody", [], b"body"),
        (b"\nbody", [], b"body"),
        (b"A: 1", [(b"A", b"1")], b""),
        (b"A: 1\r\n", [(b"A", b"1")], b""),
        (b"A: 1\r\n\r\n", [(b"A", b"1")], b""),
        (b"A: 1\n\r\nbody", [(b"A", b"1")], b"body"),
        (b"A: 1\r\n\nbody", [(b"A", b"1")], b"body"),
        (b"A: 1\n\n\r\nbody", [(b"A", b"1")], b"\r\nbody"),
        (b"A: 1\r\nB: 2\rC: 3\r\n\r\nbody", [(b"A", b"1"), (b"B", b"2"), (b"C", b"3")], b"body"),
        (b"A: 1\r\r\nB: 2\r\n\r\nbody", [(b"A", b"1")], b"B: 2\r\n\r\nbody"),
        (b"A: 1\r\n \r\n\r\nbody", [(b"A", b"1\r\n ")], b"body"),
        # a line that is no field ends the header
        (b"Hello\r\n", [], b"Hello\r\n"),
        (b"Hello\r\n\r\nworld", [], b"Hello\r\n\r\nworld"),
        (b"A: 1\r\nHello\r\nB: 2\r\n\r\nx", [(b"A", b"1")], b"Hello\r\nB: 2\r\n\r\nx"),
        (b"\xe4: 1\r\n\r\n", [], b"\xe4: 1\r\n\r\n"),
        # lines without a name
        (b"From a@b Mon Nov 23\nA: 1\n\nx", [(b"A", b"1")], b"x"),
        (b" folded first\r\nA: 1\r\n\r\nx", [(b"A", b"1")], b"x"),
        (b": no name\r\nA: 1\r\n\r\nx", [(b"A", b"1")], b"x"),
        # obsolete white space before the colon, and odd values
        (b"A \t: 1\r\n\r\n", [(b"A", b"1")], b""),
        (b"A: a:b\x00\xff\r\n\r\n", [(b"A", b"a:b\x00\xff")], b""),
    ],
)
def test_where_a_header_ends(raw, fields, body):
    assert named(raw) == fields
    assert raw[scan(raw).body_start :] == body


@pytest.mark.parametrize("size", [2040, 2046, 2047, 2048, 2049, 10_000, 40_000])
@pytest.mark.parametrize("empty", [b"\r\n\r\n", b"\n\n", b"\r\r", b"\n\r\n"])
def test_headers_of_any_length(size, empty):
    raw = b"A: " + b"x" * size + empty + b"body"
    block = scan(raw)
    assert raw[block.body_start :] == b"body"
    assert block.first(b"a") == b"x" * size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b" folded\r\n  value ", "folded  value"),
        ("grün".encode(), "grün"),
        ("grün".encode("latin-1"), "grün"),
        # RFC 2047 section 8
        (b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
        (b"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>"),
        (
            b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIA==?=",
            "If you can read this you understand ",
        ),
        (b"(=?ISO-8859-1?Q?a?=)", "(a)"),
        (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        (b"=?us-ascii*en-us?q?lang?=", "lang"),
        # a character cut in two, as many mailers do
        (b"=?utf-8?q?gr=C3?= =?utf-8?q?=BCn?=", "grün"),
        # what is broken stays readable
        (b"=?utf-8?q?open", "=?utf-8?q?open"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?no-such?q?gr=C3=BCn?=", "grün"),
        (b"=?utf-8?b?Z3LDvG4?=", "grün"),
        (b"=?utf-8?b?!?=", ""),
        (b"=?utf-8?q?a b?=", "a b"),
        (b"=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"=?utf-8?q?=FF?=", "\ufffd"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8?q??=", ""),
    ],
)
def test_decode(value, text):
    assert decode(value) == text


def test_headers_are_a_mapping_without_case():
    headers = Headers(scan(b"Subject: =?utf-8?q?=C3=BC?=\r\nX-A: 1\r\nx-a: 2\r\n: none\r\n\r\n"))
    assert headers["SUBJECT"] == "ü"
    assert headers["x-A"] == "1"
    assert headers.all("X-a") == ("1", "2")
    assert headers.all("none") == headers.all("") == ()
    assert list(headers) == ["Subject", "X-A"]
    assert len(headers) == 2
    assert "subject" in headers
    assert "" not in headers
    assert 1 not in headers
    assert headers.get("none") is None
    assert headers.get("gr\udcfc\xfc") is None
    assert dict(headers) == {"Subject": "ü", "X-A": "1"}
    assert headers.fields() == [("Subject", "ü"), ("X-A", "1"), ("x-a", "2")]
    assert "X-A" in repr(headers)
    with pytest.raises(KeyError, match="none"):
        headers["none"]


@pytest.mark.parametrize(
    "raw",
    [
        b"A: " + b"=?utf-8?q?" * 20_000,
        b"A: " + b"=?utf-8?q?x?= " * 20_000,
        b"A: 1\r\n " * 20_000,
        b"A:" * 50_000,
        b"A" * 100_000,
        b"\r" * 50_000,
        b"A: x" + b"\r\n \r\n\t" * 20_000,
    ],
)
def test_hostile_headers(raw):
    headers = Headers(scan(raw))
    assert sum(len(value) for _, value in headers.fields()) <= len(raw)


def test_importing_loads_neither_email_nor_html():
    code = (
        "import sys, mockmail.mime.headers, mockmail.mime.parts, mockmail.mime.text; "
        "print({'email', 'html'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
