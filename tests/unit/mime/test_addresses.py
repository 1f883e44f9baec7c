import pytest

from mockmail.mime.addresses import Address, addresses


def pairs(value: bytes):
    return [(address.name, address.address) for address in addresses(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b"a@b.test", [("", "a@b.test")]),
        (b"<a@b.test>", [("", "a@b.test")]),
        (b"Bob <a@b.test>", [("Bob", "a@b.test")]),
        (b"Bob  B. Builder<a@b.test>", [("Bob B. Builder", "a@b.test")]),
        (b'"Builder, Bob" <a@b.test>, c@d.test', [("Builder, Bob", "a@b.test"), ("", "c@d.test")]),
        (b"a@b.test,c@d.test,", [("", "a@b.test"), ("", "c@d.test")]),
        # RFC 5322 appendix A
        (b'"Joe Q. Public" <john.q.public@example.com>', [("Joe Q. Public", "john.q.public@example.com")]),
        (
            b"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            [("Mary Smith", "mary@x.test"), ("", "jdoe@example.org"), ("Who?", "one@y.test")],
        ),
        (
            b'<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
            [("", "boss@nil.test"), ('Giant; "Big" Box', "sysservices@example.net")],
        ),
        (
            b"A Group:Ed Jones <joe@where.test>,john@one.test;",
            [("Ed Jones", "joe@where.test"), ("", "john@one.test")],
        ),
        (b"Undisclosed recipients:;", []),
        (b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", [("Pete", "pete@silly.test")]),
        (
            b"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            [("Mary Smith", "mary@example.net"), ("", "jdoe@test.example")],
        ),
        (b"john . doe @ x . test", [("", "john.doe@x.test")]),
        (b"a@b.test (Bob (the) Builder)", [("Bob (the) Builder", "a@b.test")]),
        # quoting, other scripts
        (b'"john doe"@b.test', [("", '"john doe"@b.test')]),
        (b'"a\\"b"@b.test', [("", '"a\\"b"@b.test')]),
        (b'"plain"@b.test', [("", "plain@b.test")]),
        (b"a@[127.0.0.1]", [("", "a@[127.0.0.1]")]),
        ("Jürgen <jürgen@grün.test>".encode(), [("Jürgen", "jürgen@grün.test")]),
        (b"=?utf-8?q?J=C3=BCrgen=2C_x?= <j@b.test>", [("Jürgen, x", "j@b.test")]),
        (b'"=?utf-8?q?J=C3=BCrgen?=" <j@b.test>', [("Jürgen", "j@b.test")]),
        # what people write
        (b"a@b.test <a@b.test>", [("a@b.test", "a@b.test")]),
        (b"root", [("", "root")]),
        (b"Bob <a@b.test", [("Bob", "a@b.test")]),
        (b"a@b.test; c@d.test", [("", "a@b.test"), ("", "c@d.test")]),
        (b'"open <a@b.test>', [("", '"open <a@b.test>"')]),
        (b"a@b@c.test", [("", "a@b@c.test")]),
        (b"<<a@b.test>>", [("", "a@b.test")]),
        (b"(only a comment)", []),
        (b"@", []),
    ],
)
def test_address_lists(value, expected):
    assert pairs(value) == expected


def test_an_address_prints_as_people_write_it():
    assert str(Address("Bob", "a@b.test")) == "Bob <a@b.test>"
    assert str(Address("", "a@b.test")) == "a@b.test"


@pytest.mark.parametrize(
    "piece",
    [
        b'"',
        b"(",
        b"\\",
        b'"\\',
        b"<",
        b"a ",
        b"a@b.test,",
        b"a:",
        b";",
        b"a@",
        b"[",
        b"[\\",
        b"a <",
        b"<@a,",
        b"\x00\xff",
        b"()",
    ],
)
def test_hostile_lists(piece):
    found = addresses(piece * 20_000)
    assert len(found) <= 20_000
