import pytest

from mockmail.mime.parts import MAX_DEPTH, MAX_PARTS, parse


def lines(*rows: bytes) -> bytes:
    return b"".join(row + b"\r\n" for row in rows)


def leaves(raw: bytes):
    return [part.body for part in parse(raw).walk() if not part.is_multipart and part.message is None]


# RFC 2046 section 5.1.1
SIMPLE = lines(
    b"From: Nathaniel Borenstein <nsb@bellcore.com>",
    b"MIME-Version: 1.0",
    b'Content-type: multipart/mixed; boundary="simple boundary"',
    b"",
    b"This is the preamble.  It is to be ignored.",
    b"",
    b"--simple boundary",
    b"",
    b"This is implicitly typed plain US-ASCII text.",
    b"It does NOT end with a linebreak.",
    b"--simple boundary",
    b"Content-type: text/plain; charset=us-ascii",
    b"",
    b"This is explicitly typed plain US-ASCII text.",
    b"It DOES end with a linebreak.",
    b"",
    b"--simple boundary--",
    b"",
    b"This is the epilogue.  It is also to be ignored.",
)


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_example_of_rfc_2046(end):
    raw = SIMPLE.replace(b"\r\n", end)
    message = parse(raw)
    assert message.media_type == "multipart/mixed"
    assert [part.body.replace(end, b"|") for part in message.children] == [
        b"This is implicitly typed plain US-ASCII text.|It does NOT end with a linebreak.",
        b"This is explicitly typed plain US-ASCII text.|It DOES end with a linebreak.|",
    ]
    assert [part.lines for part in message.children] == [1, 2]
    assert message.body_stop == len(raw)
    first, second = message.children
    assert raw[first.header_start : first.body_start] == end
    assert raw[second.header_start : second.header_stop] == b"Content-type: text/plain; charset=us-ascii" + end
    assert second.size == len(second.body)


def test_fields_of_a_part():
    raw = lines(
        b"Content-Type: Image/PNG; name*=utf-8''%C3%BC.png",
        b"Content-Transfer-Encoding: Base64 (really)",
        b"Content-ID: <a@b>",
        b"Content-Description: a\r\n picture",
        b"Content-MD5: xyz==",
        b"Content-Language: de, en",
        b"Content-Location: http://x.test/\r\n a.png",
        b"Content-Disposition: INLINE; filename=b.png",
        b"",
        b"AAAA",
    )
    part = parse(raw)
    assert part.media_type == "image/png"
    assert part.parameter("name") == "ü.png"
    assert part.parameter("none") is None
    assert part.encoding == "base64"
    assert part.content_id == b"<a@b>"
    assert part.description == b"a picture"
    assert part.md5 == b"xyz=="
    assert part.language == (b"de", b"en")
    assert part.location == b"http://x.test/a.png"
    assert part.disposition is not None
    assert part.disposition.kind == "inline"
    assert part.filename == "b.png"
    assert part.content == b"\0\0\0"
    assert "image/png" in repr(part)


def test_defaults_of_a_part():
    part = parse(b"\r\nx")
    assert (part.media_type, part.encoding, part.language) == ("text/plain", "7bit", ())
    assert (part.content_id, part.description, part.md5, part.location) == (None, None, None, None)
    assert (part.disposition, part.filename, part.message, part.children) == (None, None, None, [])
    assert parse(b"Content-Transfer-Encoding:\r\n\r\n").encoding == "7bit"


def mixed(body: bytes, boundary: bytes = b"cut") -> bytes:
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"--cut\r\n\r\na\r\n--cut--", [b"a"]),
        (b"--cut\r\n\r\na\r\n--cut\r\n\r\nb\r\n--cut--\r\n", [b"a", b"b"]),
        (b"--cut \t \r\n\r\na\r\n--cut--\t\r\nepilogue\r\n--cut\r\n\r\nc", [b"a"]),
        # the closing delimiter is missing
        (b"--cut\r\n\r\na\r\n", [b"a\r\n"]),
        (b"--cut\r\n\r\na\r\n--cut", [b"a", b""]),
        (b"--cut\r\n\r\na\r\n--cut-", [b"a\r\n--cut-"]),
        # what is no delimiter
        (
            b"--cut\r\n\r\na\r\n--cutter\r\n --cut\r\nx--cut\r\n-cut\r\n--cut--",
            [b"a\r\n--cutter\r\n --cut\r\nx--cut\r\n-cut"],
        ),
        (b"--cut\r\n\r\na\r\n--CUT--\r\n--cut--", [b"a\r\n--CUT--"]),
        # empty parts, parts without an empty line, parts without a header
        (b"--cut\r\n--cut\r\n\r\n--cut\r\n\r\n\r\n--cut--", [b"", b"", b""]),
        (b"--cut\r\nA: 1\r\n--cut\r\nB: 2\r\n\r\n--cut--", [b"", b""]),
        (b"--cut\r\nno header\r\n--cut--", [b"no header"]),
        # mixed line ends
        (b"--cut\n\na\n--cut\r\n\r\nb\n\r\n--cut--\n", [b"a", b"b\n"]),
        (b"no delimiter", []),
        (b"--cut--\r\n", []),
        (b"", []),
    ],
)
def test_delimiters(body, expected):
    assert leaves(mixed(body)) == expected


@pytest.mark.parametrize("boundary", [b'"a b"', b'"=_(x):/?"', b"'()+_,-./:=?", b'"--"', b'"a--"', b'"trailing "'])
def test_boundaries_of_all_kinds(boundary):
    bare = boundary.strip(b'"').rstrip()
    raw = mixed(b"--%b\r\n\r\none\r\n--%b\r\n\r\ntwo\r\n--%b--\r\n" % (bare, bare, bare), boundary)
    assert leaves(raw) == [b"one", b"two"]


def test_one_boundary_may_begin_with_another():
    inner = b"--cutcut\r\n\r\na\r\n--cutcut--\r\n"
    raw = mixed(
        b"--cut\r\nContent-Type: multipart/mixed; boundary=cutcut\r\n\r\n" + inner + b"--cut\r\n\r\nb\r\n--cut--"
    )
    assert leaves(raw) == [b"a", b"b"]


def test_an_outer_delimiter_ends_inner_parts():
    raw = mixed(
        b"--cut\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\na\r\n--cut\r\n\r\nb\r\n--in\r\n--cut--"
    )
    message = parse(raw)
    assert leaves(raw) == [b"a", b"b\r\n--in"]
    assert message.children[0].body == b"--in\r\n\r\na"


def test_equal_boundaries_belong_to_the_outer_multipart():
    raw = mixed(b"--cut\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\n\r\na\r\n--cut--\r\n--cut--")
    assert [len(part.children) for part in parse(raw).walk()] == [2, 0, 0]


def test_messages_in_messages():
    inner = lines(b"Subject: in", b"Content-Type: message/rfc822", b"", b"Subject: deep", b"", b"text")
    raw = mixed(b"--cut\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--cut--")
    outer = parse(raw).children[0]
    assert outer.body == inner
    assert outer.content == inner
    assert outer.message is not None
    assert outer.message.header.first(b"subject") == b"in"
    assert outer.message.message is not None
    assert outer.message.message.body == b"text\r\n"
    assert [part.media_type for part in outer.walk()] == ["message/rfc822", "message/rfc822", "text/plain"]


def test_parts_of_a_digest_are_messages():
    raw = mixed(b"--cut\r\n\r\nSubject: a\r\n\r\nx\r\n--cut\r\nContent-Type: text/html\r\n\r\ny\r\n--cut--").replace(
        b"mixed", b"digest"
    )
    first, second = parse(raw).children
    assert first.message is not None
    assert first.message.header.first(b"subject") == b"a"
    assert second.media_type == "text/html"


def test_paths():
    raw = mixed(b"--cut\r\n\r\na\r\n--cut\r\nContent-Type: message/rfc822\r\n\r\n" + SIMPLE + b"\r\n--cut--")
    message = parse(raw)
    first, second = message.children
    assert message.find(()) is message
    assert message.find((1,)) is first
    assert message.find((2,)) is second
    assert second.message is not None
    assert message.find((2, 2)) is second.message.children[1]
    for path in [(0,), (3,), (1, 1), (2, 3), (2, 1, 1), (-1,)]:
        assert message.find(path) is None
    single = parse(b"\r\nx")
    assert single.find((1,)) is single
    assert single.find((1, 1)) is None


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n",
        b"Content-Type: multipart/digest; boundary=b%d\r\n\r\n--b%d\r\n\r\n",
    ],
)
def test_depth_is_bounded(header):
    raw = b"".join(header % (number, number) for number in range(1000))
    parts = list(parse(raw).walk())
    assert MAX_DEPTH <= len(parts) <= 2 * MAX_DEPTH
    assert all(part.body_start <= part.body_stop <= len(raw) for part in parts)


def test_the_number_of_parts_is_bounded():
    parts = list(parse(mixed(b"--cut\r\n\r\nx\r\n" * (MAX_PARTS + 500))).walk())
    assert len(parts) == MAX_PARTS
    assert parts[-1].body.count(b"--cut") == 501


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (mixed(b"--cut\r\n\r\nx\r\n" * 9_000), 9_001),
        (mixed(b"--cut\nA: b\n" * 9_000).replace(b"\r", b""), 9_001),
        (mixed(b"--cut\rA: b\r\r" * 9_000).replace(b"\n", b""), 9_001),
        (mixed(b"--cut\r\n" + b"--cutter\r\n" * 50_000), 2),
        (mixed(b"--cut\r\n" + b"--" * 200_000), 2),
        (mixed(b"-" * 500_000, b"-" * 60 + b"a"), 1),
        (mixed(b"--cut" + b" " * 500_000), 1),
        (mixed(b"--cut\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n" * 3_000), 3_001),
    ],
)
def test_hostile_messages(raw, count):
    # A parser that looks twice at what it has seen takes minutes here.
    assert sum(1 for _ in parse(raw).walk()) == count
