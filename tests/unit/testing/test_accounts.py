import datetime
import re

import pytest

from mockmail.core.events import FlagsChanged
from mockmail.core.views import MailboxView
from mockmail.errors import ConfigurationError
from mockmail.testing.accounts import Account

BOB = "bob@example.test"


@pytest.fixture
def bob(mail):
    return mail.account(BOB)


def test_an_account_has_an_inbox(mail, bob):
    assert bob.address == BOB
    assert list(bob.folders) == ["INBOX"]
    assert bob.inbox == bob.folder("inbox") == bob.folders["INBOX"]
    assert (len(bob.inbox), list(bob.inbox), bob.inbox.messages) == (0, [], ())
    assert bob == Account(mail, BOB)
    assert repr(bob) == "<Account bob@example.test INBOX: 0>"


def test_tokens(mail, bob):
    token, brief = bob.token(), bob.token(expires_in=datetime.timedelta(minutes=5))
    state = mail.world.account(BOB)
    assert list(state.tokens) == [token, brief]
    bob.revoke(token)
    assert [issued.revoked for issued in state.tokens.values()] == [True, False]
    with pytest.raises(ConfigurationError, match=r"was not issued to bob@example\.test"):
        bob.revoke("made-up")
    with pytest.raises(ConfigurationError, match="expires_in is '1h'"):
        bob.token(expires_in="1h")


def test_folders(mail, bob):
    assert bob.create_folder("Work/Old").name == "Work/Old"
    assert list(bob.folders) == ["INBOX", "Work", "Work/Old"]
    assert bob.rename_folder("Work", "Job").name == "Job"
    bob.delete_folder("Job/Old")
    assert list(bob.folders) == ["INBOX", "Job"]


def test_a_place_for_folders_is_no_folder(mail, bob):
    bob.create_folder("Work/Old")
    bob.delete_folder("Work")
    assert list(bob.folders) == ["INBOX", "Work/Old"]
    with pytest.raises(ConfigurationError, match="has no folder 'Work'; it has 'INBOX', 'Work/Old'"):
        bob.folder("Work")


def test_renaming_inbox_moves_its_messages(mail, bob):
    mail.seed()
    assert len(bob.rename_folder("INBOX", "Old")) == 1
    assert len(bob.inbox) == 0


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda bob: bob.folder("Nope"), "bob@example.test has no folder 'Nope'; it has 'INBOX'. Make it by"),
        (lambda bob: bob.create_folder("inbox"), "'INBOX' exists already"),
        (lambda bob: bob.create_folder("Work/"), "'Work/' ends in '/'"),
        (lambda bob: bob.create_folder("a//b"), "is no mailbox name"),
        (lambda bob: bob.delete_folder("INBOX"), "INBOX cannot be deleted"),
        (lambda bob: bob.delete_folder("Nope"), "'Nope' does not exist"),
        (lambda bob: bob.rename_folder("Nope", "Yes"), "'Nope' does not exist"),
        (lambda bob: bob.inbox.add_flags(9, "seen"), "INBOX has no message with UID 9; there are: 1"),
        (lambda bob: bob.inbox.add_flags(1, ""), "is no flag"),
        (lambda bob: bob.inbox.expunge(9), "no message with UID 9"),
        (lambda bob: bob.inbox.add_flags([1, 2], "seen"), "uid is [1, 2]; write the UID of one message"),
        (lambda bob: bob.inbox.move(bob.inbox[0], "INBOX"), "write the UID of one message, such as message.uid"),
        (lambda bob: bob.inbox.expunge("1"), "uid is '1'; write the UID of one message"),
        (lambda bob: bob.inbox.move(1, "Nope"), "has no folder 'Nope'"),
        (lambda bob: bob.inbox.move(1, "inbox"), "is in 'INBOX' already"),
        (lambda bob: bob.inbox.reset_uidvalidity(first_uid=0), "first_uid is 0"),
    ],
)
def test_refusals_are_sentences(mail, bob, act, text):
    mail.seed()
    with pytest.raises(ConfigurationError, match=re.escape(text)):
        act(bob)


def test_a_folder_is_a_live_sequence(mail, bob):
    inbox = bob.inbox
    before = inbox.messages
    first = mail.seed(subject="one")
    mail.seed(subject="two")
    assert before == ()
    assert [message.subject for message in inbox] == ["one", "two"]
    assert inbox[0] == first
    assert inbox[-1].subject == "two"
    assert [message.uid for message in inbox[:1]] == [1]
    assert first in inbox
    assert inbox == [first, inbox[1]]
    assert (inbox.uidnext, inbox.name) == (3, "INBOX")
    with pytest.raises(IndexError, match=re.escape("bob@example.test INBOX has 2 messages; there is no [2]")):
        inbox[2]
    assert repr(inbox).startswith("<Folder INBOX of bob@example.test: 2 messages\n  <StoredMessage INBOX/1 'one' from")


def test_the_other_client(mail, bob):
    mail.seed()
    bob.create_folder("Done")
    inbox = bob.inbox
    assert inbox.add_flags(1, "seen", "\\flagged", "Work").flags == {"\\Seen", "\\Flagged", "Work"}
    assert inbox[0].seen
    assert inbox.remove_flags(1, "Seen").flags == {"\\Flagged", "Work"}
    assert not inbox[0].seen
    moved = inbox.move(1, bob.folder("Done"))
    assert (moved.folder, moved.uid, moved.flags) == ("Done", 1, {"\\Flagged", "Work"})
    bob.folder("Done").expunge(1)
    assert len(bob.folder("Done")) == 0
    changes = mail.world.journal.of(FlagsChanged)
    assert {(event.account, event.session) for event in changes} == {(BOB, "")}


def test_clear(mail, bob):
    mail.seed()
    mail.seed()
    bob.inbox.clear()
    assert (len(bob.inbox), bob.inbox.uidnext) == (0, 3)


def test_reset_uidvalidity(mail, bob):
    for subject in ("one", "two", "three"):
        mail.seed(subject=subject, flags=["flagged"] if subject == "one" else ["Work"])
    before = bob.inbox.uidvalidity
    woken = []
    view = mail.call(lambda: MailboxView(mail.mailbox(), on_change=lambda: woken.append(True)))
    assert bob.inbox.reset_uidvalidity() == bob.inbox.uidvalidity > before
    assert [(message.uid, message.subject) for message in bob.inbox] == [(1, "three"), (2, "two"), (3, "one")]
    assert bob.inbox[2].flags == {"\\Flagged"}
    assert view.mailbox.deleted
    assert woken
    again = bob.inbox.reset_uidvalidity(first_uid=1000)
    assert again > before + 1
    assert [message.uid for message in bob.inbox] == [1000, 1001, 1002]
    assert [message.subject for message in bob.inbox] == ["one", "two", "three"]
    assert bob.inbox.uidnext == 1003


def test_an_odd_server(mail, bob):
    bob.inbox.set_read_only()
    bob.inbox.refuse_keywords()
    assert (mail.mailbox().read_only, mail.mailbox().refuse_keywords) == (True, True)
    bob.inbox.set_read_only(False)
    bob.inbox.refuse_keywords(False)
    assert (mail.mailbox().read_only, mail.mailbox().refuse_keywords) == (False, False)


def test_what_there_was_can_be_looked_at_after_a_stop(mail, bob):
    mail.seed(subject="Help")
    mail.stop()
    assert bob.inbox[0].subject == "Help"


def test_a_handle_outlives_a_reset(mail, bob):
    mail.seed()
    inbox = bob.inbox
    mail.reset()
    assert len(inbox) == 0


# Seeding


def test_seeded_bytes_are_untouched(mail, bob):
    raw = b"Subject: odd\nno header here\n\n\xff\x00 bare lf\n"
    stored = mail.seed(message=raw, sender="eve@else.test")
    assert (stored.raw, stored.original) == (raw, raw)
    assert bob.inbox[0].raw == raw
    assert (stored.sender, stored.recipients, stored.uid, stored.folder) == ("eve@else.test", (BOB,), 1, "INBOX")


def test_seeding_makes_the_folder(mail, bob):
    stored = mail.seed(folder="Work/2026", flags=["seen", "$Later"], subject="Plan")
    assert (stored.folder, stored.flags) == ("Work/2026", {"\\Seen", "$Later"})
    assert list(bob.folders) == ["INBOX", "Work", "Work/2026"]
    assert mail.delivered() == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"flags": "seen"}, "flags is the string 'seen'; write a list: ['seen']"),
        ({"folder": "Work/"}, "folder is 'Work/'"),
        ({"folder": "a//b"}, "is no mailbox name"),
        ({"message": "text"}, "message is a string; write bytes"),
        ({"message": 7}, "message is a int"),
        ({"message": b"x", "subject": "y", "text": "z"}, "a whole message and subject, text"),
        ({"date": datetime.datetime(2026, 1, 1)}, "has no time zone"),
        ({"received_at": datetime.datetime(2026, 1, 1)}, "received_at is datetime"),
        ({"received_at": "today"}, "received_at is 'today'; write a datetime"),
        ({"subject": "a\nb"}, "The header Subject cannot be 'a\\nb'"),
        ({"attachments": [b"bytes"]}, "write (filename, content)"),
    ],
)
def test_what_cannot_be_seeded(mail, arguments, text):
    with pytest.raises(ConfigurationError, match=re.escape(text)):
        mail.seed(**arguments)
