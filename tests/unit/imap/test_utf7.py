"""Modified UTF-7: the example of RFC 3501 section 5.1.3, and what is not its one form."""

import pytest

from mockmail.imap.utf7 import decode, encode

PAIRS = [
    (b"", ""),
    (b"INBOX", "INBOX"),
    (b"a/b+c\\d~e,f", "a/b+c\\d~e,f"),
    (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
    (b"Entw&APw-rfe", "Entwürfe"),
    (b"&-", "&"),
    (b"&-&-", "&&"),
    (b"A&-B &AOQ-&-", "A&B ä&"),
    (b"&AOQ-x&APY-", "äxö"),
    (b"&2D3cjA-", "\U0001f48c"),
    (b"&AAo-", "\n"),
    (b"&AH8-", "\x7f"),
]


@pytest.mark.parametrize(("encoded", "name"), PAIRS)
def test_pairs(encoded, name):
    assert encode(name) == encoded
    assert decode(encoded) == name


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"&", "does not end"),
        (b"a&b", "does not end"),
        (b"&Jjo", "does not end"),
        (b"&Jjo!", "does not end"),
        (b"&AO/-", "does not end"),
        (b"&U,BTFw-&ZeVnLIqe-", "shifts out of base64 and back in"),
        (b"&AGE-", "printable US-ASCII in base64"),
        (b"&AOQAYQ-", "printable US-ASCII in base64"),
        (b"&ACY-", "printable US-ASCII in base64"),
        (b"&AOR-", "bits left over"),
        (b"&A-", "not UTF-16"),
        (b"&AO-", "not UTF-16"),
        (b"&AOQA-", "not UTF-16"),
        (b"&2D0-", "not UTF-16"),
        (b"&3Iw-", "not UTF-16"),
        (b"&3IzYPQ-", "not UTF-16"),
        ("é".encode(), "not printable US-ASCII"),
        (b"a\x00b", "not printable US-ASCII"),
        (b"tab\t&AOQ-", "not printable US-ASCII"),
        (b"\x7f", "not printable US-ASCII"),
    ],
)
def test_only_the_one_form_is_taken(encoded, reason):
    with pytest.raises(ValueError, match=reason):
        decode(encoded)


@pytest.mark.parametrize("name", ["\ud800", "a\udfff", "\udc00\ud800"])
def test_a_lone_surrogate_has_no_encoding(name):
    with pytest.raises(ValueError, match="lone surrogate"):
        encode(name)
