import pytest

from mockmail.core.events import Actor
from mockmail.errors import ConfigurationError

BOB = "bob@example.test"


def test_fetched(mail, failure_of):
    mail.seed(subject="Help")
    mail.seed(subject="Other")
    mail.fetch(part="header")
    mail.fetch(part="1.2", session="pop3-1")
    assert mail.assert_fetched(account="Bob@example.test", subject="Help", protocol="imap").part == "header"
    assert mail.assert_fetched(part="1.2").protocol == "pop3"
    assert mail.assert_fetched(to=BOB, folder="inbox").part == "header"
    assert [event.part for event in mail.fetched()] == ["header", "1.2"]
    mail.assert_not_fetched(subject="Other")
    assert "there was 1" in failure_of(mail.assert_not_fetched, subject="Help", part="header")


def test_fetches_of_two_messages_fail(mail, failure_of):
    mail.seed()
    mail.seed()
    mail.fetch(uid=1)
    mail.fetch(uid=2)
    assert "expected exactly one message fetched; there were 2" in failure_of(mail.assert_fetched)


def test_waiting_for_a_fetch(mail, when_waiting):
    mail.seed()
    when_waiting(mail.fetch)
    assert mail.assert_fetched().uid == 1


def test_protocols_have_names(mail):
    with pytest.raises(ConfigurationError, match="write one of 'smtp'"):
        mail.fetched(protocol="imaps")


@pytest.mark.parametrize("flag", ["\\Seen", "seen", "SEEN", "\\seen"])
def test_flagged_asks_the_mailbox(mail, flag):
    mail.seed(subject="one", flags=["\\Seen"])
    mail.seed(subject="two")
    assert mail.assert_flagged(flag).subject == "one"
    assert mail.assert_flagged(flag, account=BOB, folder="INBOX").seen
    mail.assert_not_flagged(flag, subject="two")


def test_keywords(mail, failure_of):
    mail.seed(flags=["$Forwarded"])
    mail.assert_flagged("$forwarded")
    mail.assert_not_flagged("forwarded")
    assert "there was 1" in failure_of(mail.assert_not_flagged, "$Forwarded")
    with pytest.raises(ConfigurationError, match="is no flag"):
        mail.assert_flagged("\\")


def test_waiting_for_a_flag(mail, when_waiting):
    mail.seed()
    inbox = mail.account(BOB).inbox
    when_waiting(lambda: inbox.add_flags(1, "answered"))
    assert mail.assert_flagged("answered").flags == {"\\Answered"}


def test_flagged_since_a_mark(mail):
    mail.seed(flags=["seen"])
    mail.seed()
    mark = mail.mark()
    mail.assert_not_flagged("seen", since=mark)
    mail.account(BOB).inbox.add_flags(2, "seen")
    assert mail.assert_flagged("seen", since=mark).uid == 2


def test_moved(mail):
    mail.seed(subject="Help")
    account = mail.account(BOB)
    account.create_folder("Done")
    mail.assert_not_moved()
    account.inbox.move(1, "Done")
    assert mail.assert_moved("Done", subject="Help", folder="INBOX").new_uid == 1
    mail.assert_not_moved("Trash")
    mail.assert_not_deleted()


def test_copy_and_deletion_is_a_move(mail, failure_of):
    mail.seed(subject="Help")
    mail.account(BOB).create_folder("Done")

    def copy():
        inbox = mail.mailbox()
        mail.world.store.copy(inbox, list(inbox.entries), mail.mailbox(folder="Done"), Actor("imap", "imap-1", BOB))

    mail.call(copy)
    text = failure_of(mail.assert_moved, "Done", timeout=0)
    assert "was copied from 'INBOX' to 'Done', but not removed from 'INBOX'" in text
    mail.account(BOB).inbox.expunge(1)
    moved = mail.assert_moved("Done")
    assert (moved.folder, moved.to_folder, moved.session) == ("INBOX", "Done", "imap-1")


def test_deleted(mail, failure_of):
    mail.seed(subject="Help")
    inbox = mail.account(BOB).inbox
    inbox.add_flags(1, "deleted")
    assert "'Help' in bob@example.test INBOX/1 is flagged \\Deleted" in failure_of(mail.assert_deleted, timeout=0)
    inbox.expunge(1)
    assert mail.assert_deleted(subject="Help", account=BOB).uid == 1
    mail.assert_not_deleted(subject="Other")


def test_dele_without_quit(mail, failure_of):
    mail.seed()
    mail.command("DELE", "1", protocol="pop3", reply="+OK")
    assert "pop3-1 gave DELE but not QUIT" in failure_of(mail.assert_deleted, timeout=0)


def test_appended(mail):
    mail.account(BOB).create_folder("Sent")

    def append():
        message = mail.world.store.new_message(b"Subject: Mine\r\n\r\nHi\r\n")
        mail.world.store.append(mail.mailbox(folder="Sent"), [(message, ["\\Seen"])], Actor("imap", "imap-1", BOB))

    mail.assert_not_appended()
    mail.call(append)
    assert mail.assert_appended("Sent", subject="Mine", account=BOB).flags == {"\\Seen"}
    mail.assert_not_appended("Drafts")


@pytest.mark.parametrize(
    ("what", "count"), [("fetched", 2), ("flagged", 1), ("deleted", 0), ("command", 1), ("logged_in", 1)]
)
def test_waiting_for_several(mail, what, count, failure_of):
    mail.seed(flags=["seen"])
    mail.fetch()
    mail.fetch()
    mail.command("NOOP")
    mail.log_in()
    if count:
        assert len(mail.wait_for(count, what)) == count
    assert f"expected at least {count + 1}" in failure_of(mail.wait_for, count + 1, what, timeout=0)
