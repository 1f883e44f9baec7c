import datetime

import pytest

from mockmail.core.message import Envelope, Message
from mockmail.mime.search_text import SearchText, header_lacks, may_have


def message(raw: bytes) -> Message:
    return Message(raw, id="x", envelope=Envelope(), received_at=datetime.datetime.now(datetime.UTC))


@pytest.mark.parametrize(
    ("raw", "certain"),
    [
        (b"Subject: x\r\n\r\nhay", True),
        (b'Content-Type: text/plain; charset="UTF-8"\r\nContent-Transfer-Encoding: 7bit\r\n\r\nhay', True),
        (b"Subject: needle\r\n\r\n", False),
        (b"Subject: x\r\n\r\nNEEDLE", False),
        (b"Subject: =?us-ascii?q?n=65edle?=\r\n\r\n", False),
        (b"Subject: =?us-ascii?q?nee?=\r\n =?us-ascii?b?ZGxl?=\r\n\r\n", False),
        (b"Subject: =?us-ascii?q?nee?=dle\r\n\r\n", False),
        (b"=?us-ascii?q?n=65edle?=: x\r\n\r\n", False),
        (b"Subject: =?utf-8?q?n=C3=A4h?=\r\n\tneedl\r\n\r\n", True),
        (b"Subject: hay\r=?utf-8?q?n=C3=A4h?=\r\n\r\nhay", False),
        (b"Subject: =?utf-8?q?n=C3=A4h?=\r\n\r\nhay\rhay? hay? hay? hay?", True),
        (b"Subject: =?utf-8?q?" + b"a" * 70_000 + b"?=\r\n\r\n", False),
        (b"Subject: x\r\n\r\n\xff", False),
        (b"Content-Transfer-Encoding: BASE64\r\n\r\nbmVlZGxl", False),
        (b"Content-Transfer-Encoding: quoted-printable\r\n\r\nnee=\r\ndle", False),
        (b"Content-Type: text/plain; charset=utf-7\r\n\r\n+AG4-eedle", False),
        (b"Content-Type: text/plain; charset*=''utf-7\r\n\r\n+AG4-eedle", False),
    ],
)
def test_a_word_is_certainly_lacking_only_where_nothing_is_encoded(raw, certain):
    searched = [message(raw)]
    assert may_have(searched, "needle") == ([] if certain else [0])
    assert may_have(searched, "needle") == ([] if certain else [0])


def test_many_messages_are_looked_at_together_and_told_apart():
    plain = [message(b"Subject: %d\r\n\r\nhay\r\n" % number) for number in range(20)]
    plain[3] = message(b"Subject: =?us-ascii?q?n=65edle?=\r\n\r\nhay")
    plain[7] = message(b"Subject: x\r\n\r\nnee")
    plain[8] = message(b"dle: x\r\n\r\nnee")
    plain[11] = message(b"Subject: x\r\n\r\nneedle NEEDLE needle")
    plain[19] = message(b"Subject: x\r\n\r\nthe last Needle")
    assert may_have(plain, "needle") == [3, 11, 19]
    assert all(one.hidden_words is not True for one in plain)
    plain[14] = message(b"Content-Transfer-Encoding: base64\r\n\r\nbmVlZGxl")
    plain[15] = message(b"Subject: x\r\n\r\n\xff")
    for _ in range(2):
        assert may_have(plain, "needle") == [3, 11, 14, 15, 19]
        assert [at for at, one in enumerate(plain) if one.hidden_words is True] == [14, 15]
    assert may_have([], "needle") == []


@pytest.mark.parametrize(
    ("raw", "certain"),
    [
        (b"", True),
        (b"Subject: x\r\n\r\nneedle", True),
        (b"Subject: x\n\nneedle", True),
        (b"Subject: x\r\n Y", True),
        (b"X: " + b"a" * 3000 + b"\r\n\r\nneedle", True),
        (b"X: " + b"a" * 3000 + b"\r\nTo: Needle\r\n\r\n", False),
        (b"Subject: NEEDLE\r\n\r\n", False),
        (b"Subject: =?us-ascii?q?n=65edle?=\r\n\r\n", False),
        (b"Subject: \xff\r\n\r\n", False),
    ],
)
def test_a_header_certainly_lacks_a_word_only_where_nothing_is_encoded(raw, certain):
    assert header_lacks(raw, "needle") is certain


def test_large_texts_are_not_kept():
    raw = b"Subject: =?utf-8?q?" + b"=C3=BC" * 70_000 + b"?=\r\n\r\n" + "ü".encode() * 70_000
    text = SearchText(raw)
    assert text.header == text.header
    assert text.header is not text.header
    assert text.body == "ü" * 70_000
    assert text.body is not text.body
    small = SearchText("Subject: ü\r\n\r\nü".encode())
    assert small.header is small.header == "\nsubject: ü\n"
    assert small.body is small.body


def test_a_header_is_lines_of_folded_fields_each_word_decoded_too():
    raw = b"From x@y Mon\r\nSubject :\t=?utf-8?q?gr=C3=BCn?=\r\n A\r\nTo: B\r\n\r\n"
    assert SearchText(raw).header == "\nfrom x@y mon\nsubject:\tgrün a\nsubject:\t=?utf-8?q?gr=c3=bcn?= a\nto: b\n"
    assert SearchText(raw[14:]).field("to") == " b"
    assert SearchText(raw).field("cc") is None
