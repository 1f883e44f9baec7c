import pytest

from mockmail.imap.fetch.envelope import EMPTY_ENVELOPE, address_list, envelope
from mockmail.mime.headers import scan


def rendered(header: bytes) -> bytes:
    return envelope(scan(header + b"\r\n"))


def test_example_of_rfc_3501_section_8():
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
        b"From: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
        b"To: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu")) '
    assert rendered(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" '
        + gray * 3
        + b'((NIL NIL "imap" "cac.washington.edu")) '
        b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) '
        b'NIL NIL "<B27397-0100000@cac.washington.edu>")'
    )


def test_nothing_is_nil():
    assert rendered(b"") == EMPTY_ENVELOPE
    assert envelope(scan(b"")) == EMPTY_ENVELOPE


def test_sender_and_reply_to_stand_for_themselves_when_given():
    header = b"From: a@x.test\r\nSender: b@x.test\r\nReply-To: c@x.test\r\n"
    assert rendered(header) == (
        b'(NIL NIL ((NIL NIL "a" "x.test")) ((NIL NIL "b" "x.test")) ((NIL NIL "c" "x.test")) NIL NIL NIL NIL NIL)'
    )


def test_empty_texts_are_empty_and_empty_addresses_are_nil():
    header = b"Date:\r\nSubject: \r\n"
    header += b"From: a@x.test\r\nSender:\r\nReply-To: \r\nTo:\r\nCc: \r\nIn-Reply-To:\r\nMessage-ID:\r\n"
    a = b'((NIL NIL "a" "x.test"))'
    assert rendered(header) == b'("" "" %b %b %b NIL NIL NIL "" "")' % (a, a, a)


def test_encoded_words_stay_as_they_are():
    header = b"Subject: =?utf-8?q?gr=C3=BCn?=\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <j@x.test>\r\n"
    j = b'(("=?utf-8?q?J=C3=BCrgen?=" NIL "j" "x.test"))'
    assert rendered(header) == b'(NIL "=?utf-8?q?gr=C3=BCn?=" %b %b %b NIL NIL NIL NIL NIL)' % (j, j, j)


def test_folded_values_are_one_line_and_8_bit_is_a_literal():
    header = b"Subject: one\r\n two\r\n\tthree\r\nMessage-ID:\r\n <a@b>\r\nTo: \xc3\xa4 <a@b>\r\n"
    assert rendered(header) == (
        b'(NIL "one two\tthree" NIL NIL NIL (({2}\r\n\xc3\xa4 NIL "a" "b")) NIL NIL NIL "<a@b>")'
    )


def test_a_field_that_comes_twice():
    header = b"To: a@x\r\nSubject: first\r\nTo: b@x\r\nSubject: second\r\n"
    assert rendered(header) == b'(NIL "first" NIL NIL NIL ((NIL NIL "a" "x")(NIL NIL "b" "x")) NIL NIL NIL NIL)'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"undisclosed-recipients:;", b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'),
        (
            b"A Group:Ed Jones <joe@where.test>,john@one.test;, x@y",
            (
                b'((NIL NIL "A Group" NIL)("Ed Jones" NIL "joe" "where.test")(NIL NIL "john" "one.test")'
                b'(NIL NIL NIL NIL)(NIL NIL "x" "y"))'
            ),
        ),
        (b"group: a@b", b'((NIL NIL "group" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))'),
        (b'"Joe Q. \\"Q\\" Public" <j@x>', b'(("Joe Q. \\"Q\\" Public" NIL "j" "x"))'),
        (b"<@a.test,@b.test:c@d.test>", b'((NIL "@a.test,@b.test" "c" "d.test"))'),
        (b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", b'(("Pete" NIL "pete" "silly.test"))'),
        (b"pete@silly.test (Pete)", b'(("Pete" NIL "pete" "silly.test"))'),
        (b'"john doe"@x.test', b'((NIL NIL "john doe" "x.test"))'),
        (b"root", b'((NIL NIL "root" ""))'),
        (b"a@[IPv6:::1]", b'((NIL NIL "a" "[IPv6:::1]"))'),
        (b"", b"NIL"),
        (b" , ,, ", b"NIL"),
        (b"<>", b"NIL"),
        (b"Nobody <>", b'(("Nobody" NIL "" ""))'),
        (b"nul\x00@x", b'((NIL NIL "nul" "x"))'),
    ],
)
def test_address_lists(value, expected):
    assert address_list(value) == expected
