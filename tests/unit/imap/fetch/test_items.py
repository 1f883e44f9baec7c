"""FETCH items, rendered for many messages."""

import pytest

from mockmail.config import Settings
from mockmail.core.views import MailboxView
from mockmail.core.world import World
from mockmail.imap.arguments import FetchAtt
from mockmail.imap.fetch.body import Section, section_value
from mockmail.imap.fetch.items import FetchPlan
from mockmail.mime.parts import parse

MESSAGES = {
    "empty": b"",
    "header alone": b"Subject: x\r\n",
    "no header": b"\r\nbody",
    "plain": b"Subject: x\r\nTo: a\r\n\r\nbody\r\n",
    "bare LF": b"Subject: x\nTo: a\n\nbody\n",
    "no fields": b"just text\r\n\r\nmore",
    "multipart": b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npre\r\n--b\r\n\r\none\r\n--b--\r\npost\r\n',
    "message in message": b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody",
}
SECTIONS = [
    Section(),
    Section(kind="HEADER"),
    Section(kind="TEXT"),
    Section(kind="HEADER.FIELDS", fields=(b"subject",)),
    Section(kind="HEADER.FIELDS.NOT", fields=(b"Subject",)),
]


def rendered(raw, *items, flags=(), changed=False, uid=False, twice=False):
    world = World(Settings())
    entry = world.store.seed(world.account("bob@example.test"), "INBOX", world.store.new_message(raw), flags)
    inbox = world.account("bob@example.test").inbox
    MailboxView(inbox).close()
    plan = FetchPlan(items, MailboxView(inbox, read_only=True), uid=uid)
    pairs = [(1, entry)] * (2 if twice else 1)
    return plan.render(pairs, {entry.uid} if changed else ())


@pytest.mark.parametrize("raw", MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.specifier.decode() or "whole")
@pytest.mark.parametrize("partial", [None, (0, 5), (3, 4), (999, 1)])
def test_a_section_of_the_whole_is_that_of_the_part_tree(raw, section, partial):
    value = section_value(parse(raw), section, partial)
    label = section.name(None if partial is None else partial[0])
    expected = b"* 1 FETCH (%b {%d}\r\n%b)\r\n" % (label, len(value), bytes(value))
    assert rendered(raw, FetchAtt("BODY[]", section, True, partial)) == expected


def test_a_section_that_is_not_there_is_nil():
    assert rendered(b"x", FetchAtt("BODY[]", Section((2,)))) == b"* 1 FETCH (BODY[2] NIL)\r\n"


def test_a_percent_sign_in_a_field_name_is_no_format():
    item = FetchAtt("BODY[]", Section(kind="HEADER.FIELDS", fields=(b"100%s",)))
    assert rendered(b"a: b\r\n\r\nc", item) == b'* 1 FETCH (BODY[HEADER.FIELDS ("100%s")] {2}\r\n\r\n)\r\n'


def test_flags_changed_by_a_fetch_are_shown_once():
    body = FetchAtt("BODY[]", Section())
    assert rendered(b"x", body, flags=["\\Seen"], changed=True).endswith(b" FLAGS (\\Seen))\r\n")
    assert rendered(b"x", body, FetchAtt("FLAGS"), flags=["\\Seen"], changed=True).count(b"FLAGS") == 1


def test_the_uid_is_in_every_response_to_a_uid_fetch():
    assert rendered(b"x", FetchAtt("RFC822.SIZE"), uid=True) == b"* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n"
    assert rendered(b"x", FetchAtt("UID"), uid=True) == b"* 1 FETCH (UID 1)\r\n"


def test_what_is_kept_is_rendered_alike():
    once, again = rendered(MESSAGES["multipart"], FetchAtt("ENVELOPE"), FetchAtt("BODY"), twice=True).splitlines()
    assert once == again
