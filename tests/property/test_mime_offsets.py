"""The part tree against the standard library's parser, and against any bytes at all."""

import email
import email.policy
import re
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from mockmail.imap.fetch.body import Section, section_value
from mockmail.imap.fetch.envelope import envelope
from mockmail.imap.fetch.structure import structure
from mockmail.mime.addresses import addresses
from mockmail.mime.dates import parse_date
from mockmail.mime.headers import Headers, scan
from mockmail.mime.html import read_html
from mockmail.mime.parts import Part, parse
from mockmail.mime.text import attachments, html, links, text, visible_text

EXAMPLES = 80

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=120).map(
    lambda line: line.replace("\x85", "") + "\n"
)
leaves = st.one_of(
    st.tuples(st.just("plain"), texts),
    st.tuples(st.just("html"), texts),
    st.tuples(st.just("file"), st.binary(max_size=200)),
)
multiparts = st.sampled_from(["mixed", "alternative", "related", "digest"])
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(
            st.sampled_from(["mixed", "alternative", "related", "digest"]), st.lists(inner, min_size=1, max_size=4)
        ),
        st.tuples(st.just("message"), inner),
    ),
    max_leaves=8,
)


def build(tree) -> EmailMessage:
    kind, content = tree
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"] = "a subject"
    if kind in {"plain", "html"}:
        message.set_content(content, subtype=kind)
    elif kind == "file":
        message.set_content(content, "application", "octet-stream", filename="a.bin")
    elif kind == "message":
        message.set_content(build(content))
    else:
        message.add_header("Content-Type", f"multipart/{kind}")
        for child in content:
            message.attach(build(child))
    return message


def stdlib_leaves(message) -> list[tuple[str, bytes]]:
    if message.is_multipart():
        return [leaf for child in message.get_payload() for leaf in stdlib_leaves(child)]
    return [(message.get_content_type(), message.get_payload(decode=True))]


def our_leaves(part: Part) -> list[tuple[str, bytes]]:
    return [(one.media_type, one.content) for one in part.walk() if not one.is_multipart and one.message is None]


@settings(max_examples=EXAMPLES)
@given(tree=trees, linesep=st.sampled_from(["\r\n", "\n"]))
def test_leaves_are_those_of_the_standard_library(tree, linesep):
    raw = build(tree).as_bytes(policy=email.policy.SMTP.clone(linesep=linesep))
    part = parse(raw)
    assert our_leaves(part) == stdlib_leaves(email.message_from_bytes(raw))
    assert_offsets(part)
    assert_balanced(structure(part, extended=True))


@settings(max_examples=EXAMPLES)
@given(tree=trees)
def test_fields_are_those_of_the_standard_library(tree):
    raw = build(tree).as_bytes()
    parsed = email.message_from_bytes(raw)
    block = scan(raw)
    ours = [(field[0].decode(), field[2].decode()) for field in block.fields]
    assert ours == [(name, value) for name, value in parsed.raw_items()]
    assert b"".join(b"".join(field) for field in block.fields) == raw[block.start : block.stop]


def assert_offsets(part: Part) -> None:
    for one in part.walk():
        assert 0 <= one.header_start <= one.header_stop <= one.body_start <= one.body_stop <= len(one.raw)
        inside = one.children if one.message is None else [*one.children, one.message]
        for below in inside:
            assert one.body_start <= below.header_start
            assert below.body_stop <= one.body_stop
        for before, after in zip(one.children, one.children[1:], strict=False):
            assert before.body_stop <= after.header_start


token = re.compile(rb'"(?:[ !#-\[\]-~\t]|\\["\\])*"|\{(\d+)\}\r\n|\(|\)| |NIL|\d+')


def assert_balanced(rendered: bytes) -> None:
    """``rendered`` is one parenthesized list of strings, numbers, NILs and lists, and nothing after it."""
    at = depth = 0
    while at < len(rendered):
        match = token.match(rendered, at)
        assert match, rendered[at : at + 40]
        at = match.end()
        if match[1] is not None:
            value = rendered[at : at + int(match[1])]
            assert len(value) == int(match[1])
            assert b"\0" not in value
            at += len(value)
        elif match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth -= 1
        assert depth > 0 or at == len(rendered)
    assert depth == 0


pieces = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b" ", b"\t",
        b"--", b"--b", b"--b--", b"--c\r\n", b":", b";", b",", b'"', b"\\", b"(", b")", b"<",
        b">", b"@", b"=", b"=?utf-8?q?=C3?=", b"=?x?b?!?=", b"\xff", b"\xc3\xbc", b"\0", b"a", b"a@b",
        b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: multipart/digest; boundary=c\n",
        b"Content-Type: message/rfc822\r\n\r\n", b"Content-Type: text/html; charset*0*=x'y'%zz; charset*1=z\r\n",
        b"Content-Transfer-Encoding: base64\r\n", b"Content-Disposition: attachment; filename=", b"From: ", b"To: g: ",
        b"Date: ", b"Content-Language: a, b\r\n", b"<a href='http://x", b"<!--", b"https://",
    ]
)  # fmt: skip
noise = st.one_of(
    st.binary(max_size=300), st.lists(st.one_of(pieces, st.binary(max_size=4)), max_size=60).map(b"".join)
)


@settings(max_examples=150)
@given(raw=noise)
def test_any_bytes_are_a_message(raw):
    part = parse(raw)
    assert_offsets(part)
    assert part.body_stop == len(raw)
    for one in part.walk():
        assert_balanced(envelope(one.header))
        assert_balanced(structure(one, extended=True))
        assert_balanced(structure(one, extended=False))
        assert isinstance(Headers(one.header).fields(), list)
        joined = b"".join(b"".join(field) for field in one.header.fields)
        assert joined == raw[one.header_start : one.header_stop]
    both = b"".join(bytes(section_value(part, Section((), kind)) or b"") for kind in ("HEADER", "TEXT"))
    assert both == raw
    source = html(part)
    assert isinstance(visible_text(source), str)
    assert all(link.url.lower().startswith("http") for link in links(source, text(part)))
    assert all(isinstance(one.content, bytes) for one in attachments(part))


@settings(max_examples=EXAMPLES)
@given(raw=noise)
def test_any_bytes_are_a_value(raw):
    assert all(isinstance(address.address, str) for address in addresses(raw))
    parsed = parse_date(raw.decode("latin-1"))
    assert parsed is None or parsed.tzinfo is not None
    assert isinstance(read_html(raw.decode("latin-1")).text, str)
