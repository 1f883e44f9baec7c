import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockmail.smtp.params import (
    AddressError,
    ArgumentError,
    PathArgument,
    decode_xtext,
    parse_mailbox,
    parse_path,
)


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("FROM:<Smith@bar.com>", "Smith@bar.com"),
        ("from:<a@b>", "a@b"),
        ("FROM: <a@b>", "a@b"),
        ("FROM:<a@b> ", "a@b"),
        ("FROM:<>", ""),
        ("FROM:<userc+tag@xyz.example>", "userc+tag@xyz.example"),
        ("FROM:<!#$%&'*+/=?^_`{|}~-@x.test>", "!#$%&'*+/=?^_`{|}~-@x.test"),
        ("FROM:<@hosta.int,@jkl.org:userc@d.bar.org>", "userc@d.bar.org"),
        ("FROM:<a@my_container>", "a@my_container"),
        ('FROM:<"Joe Smith"@x.test>', '"Joe Smith"@x.test'),
        ('FROM:<"a>b"@x.test>', '"a>b"@x.test'),
        ('FROM:<"joe"@x.test>', "joe@x.test"),
        (r'FROM:<"Joe\,Smith"@x.test>', '"Joe,Smith"@x.test'),
        (r'FROM:<"a\"b\\c"@x.test>', r'"a\"b\\c"@x.test'),
        ('FROM:<""@x.test>', '""@x.test'),
        ("FROM:<a@[127.0.0.1]>", "a@[127.0.0.1]"),
        ("FROM:<a@[IPv6:::1]>", "a@[IPv6:::1]"),
        ("FROM:<a@[IPv6:2001:db8::192.0.2.1]>", "a@[IPv6:2001:db8::192.0.2.1]"),
        ("FROM:<a@[x-tag:thing]>", "a@[x-tag:thing]"),
        ("FROM:<jürgen@bücher.example>", "jürgen@bücher.example"),
        ("FROM:<" + "a" * 64 + "@x.test>", "a" * 64 + "@x.test"),
    ],
)
def test_addresses(argument, address):
    assert parse_path(argument, "FROM:") == PathArgument(address, {})


@pytest.mark.parametrize(
    "inside",
    [
        "a",
        "@",
        "a@",
        "@b",
        ".a@b",
        "a.@b",
        "a..b@c",
        "a b@c",
        "a@b c",
        "a@-b",
        "a@b-",
        "a@b..c",
        "a@b.",
        "a@b@c",
        "a,b@c",
        "a(c)@b",
        "a@[300.0.0.1]",
        "a@[127.0.0.1",
        "a@[IPv6:zz]",
        "a@[IPv6:fe80::1%eth0]",
        "a@[-:x]",
        "@a:b",
        "a@b\x01",
        "a" * 65 + "@b",
        "a@" + "b" * 256,
        '"' + "a" * 64 + '"@b',
    ],
)
def test_what_is_no_address(inside):
    with pytest.raises(AddressError):
        parse_path(f"FROM:<{inside}>", "FROM:")


@pytest.mark.parametrize(
    "argument",
    [
        None,
        "",
        "FROM",
        "FROM:",
        "TO:<a@b>",
        "FROM:a@b",
        "FROM:<a@b",
        "FROM:a@b>",
        "FROM:<a@b>X",
        "<a@b>",
        'FROM:<"a@b>',
    ],
)
def test_what_has_no_form(argument):
    with pytest.raises(ArgumentError):
        parse_path(argument, "FROM:")


def test_postmaster_needs_no_domain_as_a_recipient():
    assert parse_path("TO:<PostMaster>", "TO:").address == "PostMaster"
    with pytest.raises(AddressError):
        parse_path("FROM:<postmaster>", "FROM:")


def test_the_null_path_is_no_recipient():
    with pytest.raises(AddressError):
        parse_path("TO:<>", "TO:")


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("SIZE=1000", {"SIZE": "1000"}),
        ("size=1000  Body=8bitMIME SMTPUTF8", {"size": "1000", "Body": "8bitMIME", "SMTPUTF8": None}),
        ("MT-PRIORITY=3 ENVID=QQ314159+2Bx", {"MT-PRIORITY": "3", "ENVID": "QQ314159+2Bx"}),
        ("AUTH=<>", {"AUTH": "<>"}),
    ],
)
def test_parameters_keep_names_and_values_as_sent(text, parameters):
    assert parse_path(f"FROM:<a@b> {text}", "FROM:").parameters == parameters
    assert parse_path(f'FROM:<"a b"@b> {text} ', "FROM:").parameters == parameters


@pytest.mark.parametrize("text", ["=1", "-A=1", "SIZE=", "A=b=c", "A_B=1", "A=\x7f", "SIZE=1 size=2", "é=1"])
def test_what_is_no_parameter(text):
    with pytest.raises(ArgumentError):
        parse_path(f"FROM:<a@b> {text}", "FROM:")


def test_mailboxes_without_brackets():
    assert parse_mailbox('"joe"@x.test') == "joe@x.test"
    with pytest.raises(AddressError):
        parse_mailbox("joe")


def test_xtext():
    assert decode_xtext("e+3Dmc2@example.com") == "e=mc2@example.com"
    for text in ("+3d", "a=b", "+G0", "a b", "+"):
        with pytest.raises(ArgumentError):
            decode_xtext(text)


@given(st.text(max_size=60), st.sampled_from(["FROM:", "FROM:<", "FROM:<@", 'FROM:<"']))
def test_any_text_is_read_or_refused(text, start):
    try:
        path = parse_path(start + text, "FROM:")
    except (ArgumentError, AddressError):
        return
    assert path.address == "" or "@" in path.address


def test_long_hostile_arguments_take_no_time():
    for inside in ("a." * 20000, '"' + "\\" * 40001, "@a," * 20000, "a-" * 20000 + "@" + "b-" * 20000):
        with pytest.raises((AddressError, ArgumentError)):
            parse_path(f"FROM:<{inside}", "FROM:")
