import pytest

from mockmail.imap.fetch.structure import structure
from mockmail.mime.parts import MAX_DEPTH, parse


def lines(*text: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in text)


def bodystructure(raw: bytes) -> bytes:
    return structure(parse(raw), extended=True)


def body(raw: bytes) -> bytes:
    return structure(parse(raw), extended=False)


def test_a_message_without_mime_is_plain_text():
    raw = lines(b"Subject: x", b"", b"one", b"two")
    assert body(raw) == b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2)'
    assert bodystructure(raw) == b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2 NIL NIL NIL NIL)'


def test_example_of_rfc_3501_section_7():
    text = b"x" * 48 + b"\r\n"
    raw = (
        lines(b"Content-Type: multipart/mixed; boundary=cut", b"", b"--cut", b"")
        + text * 23
        + b"\r\n"
        + lines(
            b"--cut",
            b"Content-Type: text/plain; charset=us-ascii; name=cc.diff",
            b"Content-ID: <960723163407.20117h@cac.washington.edu>",
            b"Content-Description: Compiler diff",
            b"Content-Transfer-Encoding: base64",
            b"",
        )
        + text * 73
        + b"\r\n--cut--\r\n"
    )
    assert body(raw) == (
        b'(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1150 23)'
        b'("TEXT" "PLAIN" ("CHARSET" "us-ascii" "NAME" "cc.diff") "<960723163407.20117h@cac.washington.edu>" '
        b'"Compiler diff" "BASE64" 3650 73) "MIXED")'
    )
    assert bodystructure(raw).endswith(b' NIL NIL NIL NIL) "MIXED" ("BOUNDARY" "cut") NIL NIL NIL)')


def test_extension_data_of_a_part():
    raw = lines(
        b"Content-Type: image/png",
        b"Content-Transfer-Encoding: BASE64",
        b"Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
        b'Content-Disposition: attachment; filename="a b.png"; size=3',
        b"Content-Language: de, en",
        b"Content-Location: http://x.test/",
        b"  a.png",
        b"",
        b"AAAA",
    )
    assert bodystructure(raw) == (
        b'("IMAGE" "PNG" NIL NIL NIL "BASE64" 6 "Q2hlY2sgSW50ZWdyaXR5IQ==" '
        b'("ATTACHMENT" ("FILENAME" "a b.png" "SIZE" "3")) ("DE" "EN") "http://x.test/a.png")'
    ).replace(b'"DE" "EN"', b'"de" "en"')
    assert body(raw) == b'("IMAGE" "PNG" NIL NIL NIL "BASE64" 6)'


def test_extended_parameters_are_shown_as_written():
    raw = lines(
        b"Content-Disposition: inline; filename*0*=utf-8''a%20; filename*1=b", b"Content-Language: fr", b"", b""
    )
    assert bodystructure(raw).endswith(b"""("INLINE" ("FILENAME*0*" "utf-8''a%20" "FILENAME*1" "b")) "fr" NIL)""")


def test_a_message_in_a_message_has_envelope_structure_and_lines():
    raw = lines(b"Content-Type: message/rfc822", b"", b"Subject: in", b"From: a@b", b"", b"text")
    a = b'((NIL NIL "a" "b"))'
    inner = b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 6 1)'
    assert body(raw) == (
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 32 (NIL "in" %b %b %b NIL NIL NIL NIL NIL) %b 4)' % (a, a, a, inner)
    )
    assert bodystructure(raw).endswith(b" NIL NIL NIL NIL) 4 NIL NIL NIL NIL)")


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno delimiter\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n",
        b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\n--x--\r\n",
    ],
)
def test_a_multipart_without_parts_still_has_one(raw):
    assert body(raw) == b'(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0) "MIXED")'


def test_messages_nested_too_deep_have_an_empty_structure():
    raw = b"Content-Type: message/rfc822\r\n\r\n" * (MAX_DEPTH + 10)
    assert bodystructure(raw).count(b'"MESSAGE"') == MAX_DEPTH + 1
    assert b'(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "PLAIN"' in bodystructure(raw)


def test_bytes_no_string_may_hold_are_left_out():
    raw = b'Content-Type: text/plain; name="a\x00b"\r\nContent-Description: \x00\xe9\r\n\r\n'
    assert body(raw) == (b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "NAME" "ab") NIL {1}\r\n\xe9 "7BIT" 0 0)')
