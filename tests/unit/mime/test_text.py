from email.message import EmailMessage

import pytest

from mockmail.mime.parts import parse
from mockmail.mime.text import Attachment, Link, attachments, html, links, text, visible_text


def lines(*rows: bytes) -> bytes:
    return b"".join(row + b"\r\n" for row in rows)


def full_message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("Hello grün\n")
    message.add_alternative("<p>Hello <b>grün</b> <img src='cid:logo@x'></p>", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo@x>")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="größe.pdf")
    message.add_attachment("a,b\n", subtype="csv", filename="table.csv")
    return message


def test_bodies_and_attachments_of_a_full_message():
    part = parse(full_message().as_bytes())
    assert text(part) == "Hello grün\n"
    assert html(part) == "<p>Hello <b>grün</b> <img src='cid:logo@x'></p>\n"
    assert attachments(part) == (
        Attachment(None, "image/png", b"\x89PNG", "logo@x"),
        Attachment("größe.pdf", "application/pdf", b"%PDF"),
        Attachment("table.csv", "text/csv", b"a,b\n"),
    )
    assert "bytes" in repr(attachments(part)[1])
    assert "%PDF" not in repr(attachments(part)[1])


def test_attachments_are_those_of_the_standard_library():
    message = full_message()
    ours = [attachment.filename for attachment in attachments(parse(message.as_bytes())) if attachment.filename]
    assert ours == [attachment.get_filename() for attachment in message.iter_attachments()]


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"Subject: x\r\n\r\n", b"Subject: x\r\n"])
def test_no_body_is_empty(raw):
    part = parse(raw)
    assert text(part) == ""
    assert html(part) == ""
    assert attachments(part) == ()


def test_a_message_without_header_is_text():
    assert text(parse(b"Hello\r\nthere\r\n")) == "Hello\nthere\n"


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        (b"text/plain; charset=iso-8859-1", b"gr\xfcn", "grün"),
        (b"text/plain; charset=utf-8", b"gr\xc3\xbcn", "grün"),
        (b"text/plain", b"gr\xc3\xbcn", "grün"),
        (b"text/plain", b"gr\xfcn", "grün"),
        (b"text/plain; charset=us-ascii", b"gr\xc3\xbcn", "grün"),
        (b"text/plain; charset=utf-8", b"a\xffb", "a\ufffdb"),
        (b"text/plain; charset=no-such-charset", b"gr\xc3\xbcn", "grün"),
        (b"text/plain; charset=base64", b"abc", "abc"),
        (b"text/plain; charset=unicode_escape", b"\\d\\x41", "\\d\\x41"),
        (b"text/plain; charset=idna", b"a" * 100, "a" * 100),
        (b'text/plain; charset="a\x00b"', b"abc", "abc"),
        (b"text/plain; charset=gb2312", b"\xc4\xe3", "\u4f60"),
        (b"text/plain; charset=utf-16", b"\xff\xfea\x00", "a"),
        (b"text/plain; charset=utf-8", b"\xef\xbb\xbfa", "a"),
        (b"text/plain", b"a\rb\nc\r\nd", "a\nb\nc\nd"),
        (b"nonsense", b"abc", "abc"),
    ],
)
def test_charsets(header, body, expected):
    assert text(parse(b"Content-Type: " + header + b"\r\n\r\n" + body)) == expected


def test_html_may_name_its_charset_itself():
    raw = b"Content-Type: text/html\r\n\r\n<meta charset='koi8-r'><p>\xd0\xd2\xc9</p>"
    assert visible_text(html(parse(raw))) == "\u043f\u0440\u0438"


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        (b"base64", b"SGVs\r\nbG8=\r\n", "Hello"),
        (b"BASE64", b"SGVsbG8", "Hello"),
        (b"base64", b"SGVsbG8=SGV!", "Hello"),
        (b"base64", b"S", ""),
        (b"quoted-printable", b"a=3Db=\r\nc", "a=bc"),
        (b"quoted-printable", b"a=XYb", "a=XYb"),
        (b"x-uuencode", b"begin 644 x\r\n%2&5L;&\\\r\n`\r\nend\r\n", "Hello"),
        (b"x-uuencode", b"no begin", "no begin"),
        (b"8bit (comment)", b"abc", "abc"),
        (b"unknown", b"abc", "abc"),
    ],
)
def test_transfer_encodings(encoding, body, expected):
    raw = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
    assert text(parse(raw)).startswith(expected)
    if expected != "Hello":
        assert text(parse(raw)) == expected


def mixed(*parts: bytes, subtype: bytes = b"mixed") -> bytes:
    body = b"".join(b"--cut\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/" + subtype + b"; boundary=cut\r\n\r\n" + body + b"--cut--\r\n"


def test_texts_of_a_mixed_message_follow_each_other():
    raw = mixed(b"\r\nHello", b"Content-Type: text/html\r\n\r\n<p>x", b"\r\n-- \r\nlist footer")
    assert text(parse(raw)) == "Hello\n-- \nlist footer"
    assert html(parse(raw)) == "<p>x"
    assert attachments(parse(raw)) == ()


def test_the_last_alternative_of_a_type_is_the_best():
    calendar = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR"
    raw = mixed(
        b"\r\nplain",
        b"Content-Type: text/html\r\n\r\npoor",
        b"Content-Type: text/html\r\n\r\nrich",
        calendar,
        subtype=b"alternative",
    )
    assert text(parse(raw)) == "plain"
    assert html(parse(raw)) == "rich"
    assert attachments(parse(raw)) == (Attachment(None, "text/calendar", b"BEGIN:VCALENDAR"),)


def test_named_or_attached_text_is_an_attachment():
    raw = mixed(
        b"\r\nHello",
        b"Content-Disposition: attachment\r\n\r\none",
        b"Content-Type: text/plain; name=two.txt\r\n\r\ntwo",
        b"Content-Disposition: inline; filename*=utf-8''dr%C3%A9i.txt\r\n\r\nthree",
    )
    assert text(parse(raw)) == "Hello"
    assert [(a.filename, a.content) for a in attachments(parse(raw))] == [
        (None, b"one"),
        ("two.txt", b"two"),
        ("dréi.txt", b"three"),
    ]


def test_the_only_part_is_body_even_with_a_name():
    assert text(parse(b"Content-Type: text/plain; name=x.txt\r\n\r\nbody")) == "body"
    attached = parse(b"Content-Disposition: attachment; filename=x.txt\r\n\r\nbody")
    assert text(attached) == ""
    assert attachments(attached) == (Attachment("x.txt", "text/plain", b"body"),)


def test_a_message_in_the_message_is_one_attachment():
    inner = lines(b"Subject: in", b"", b"inner text")
    raw = mixed(b"\r\nouter", b"Content-Type: message/rfc822\r\n\r\n" + inner)
    assert text(parse(raw)) == "outer"
    assert attachments(parse(raw)) == (Attachment(None, "message/rfc822", inner),)


@pytest.mark.parametrize(
    ("source", "plain", "expected"),
    [
        ("", "", ()),
        ("<a href='https://a.test/'>Confirm</a>", "", (Link("https://a.test/", ("Confirm",)),)),
        ("<a href='https://a.test/'>A</a><a href='https://a.test/'>B</a>", "", (Link("https://a.test/", ("A", "B")),)),
        ("<a href='mailto:x'>m</a><a href='/x'>r</a><a href='ftp://x'>f</a><a href='#'>h</a>", "", ()),
        ("<a href=' HTTP://a.test/a\r\n b '>x</a>", "", (Link("HTTP://a.test/a b", ("x",)),)),
        (
            "<a href='http://b.test'>b</a>",
            "http://a.test and http://b.test",
            (Link("http://b.test", ("b",)), Link("http://a.test")),
        ),
        ("", "see (http://a.test/x).", (Link("http://a.test/x"),)),
        ("", "http://a.test/x_(y)!", (Link("http://a.test/x_(y)"),)),
        ("", "<http://a.test/?t=ab_&u=-~>", (Link("http://a.test/?t=ab_&u=-~"),)),
        ("", '"http://a.test/", http://b.test/;', (Link("http://a.test/"), Link("http://b.test/"))),
        ("", "http://m\u00fcnchen.test/\u00fc", (Link("http://m\u00fcnchen.test/\u00fc"),)),
        ("", "http:// https://) xhttp://a.test", ()),
        ("", "http://a.test/" + ")" * 50_000, (Link("http://a.test/"),)),
    ],
)
def test_links(source, plain, expected):
    assert links(source, plain) == expected
