"""Loading and saving the mail of a server."""

import mailbox
import smtplib

import pytest

from mockmail import ConfigurationError, MockMail

BOB = "bob@example.test"
HI = b"From: a@b.test\r\nTo: Bob <bob@example.test>\r\nCc: ann@example.test\r\nSubject: Hi\r\n\r\nHi.\r\n"


@pytest.fixture
def mail():
    with MockMail() as mail:
        yield mail


def test_what_was_saved_is_loaded_as_it_was(mail, tmp_path):
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.sendmail("app@example.test", [BOB], HI)
    mail.seed(HI, to="ann@example.test", folder="Work/2026", flags=["seen", "flagged"])
    assert mail.save(tmp_path / "mail", format="maildir") == 2
    raw = mail.messages[0].raw
    mail.reset()

    loaded = mail.load(tmp_path / "mail")

    assert [(one.folder, one.flags) for one in loaded] == [("Work/2026", {"\\Seen", "\\Flagged"}), ("INBOX", set())]
    assert mail.account(BOB).inbox[0].raw == raw
    assert mail.account("ann@example.test").folder("Work/2026")[0].seen
    assert mail.delivered() == []


def test_a_file_goes_to_whom_it_names(mail, tmp_path):
    (tmp_path / "hi.eml").write_bytes(HI)
    assert len(mail.load(tmp_path / "hi.eml")) == 2
    assert [len(mail.account(one).inbox) for one in (BOB, "ann@example.test")] == [1, 1]
    (tmp_path / "hi.eml").write_bytes(b"Delivered-To: eve@else.test\r\n" + HI)
    assert len(mail.load(str(tmp_path / "hi.eml"))) == 1
    assert len(mail.account("eve@else.test").inbox) == 1


def test_a_file_goes_to_the_account_that_is_named(mail, tmp_path):
    box = mailbox.mbox(tmp_path / "old.mbox")
    for number in range(3):
        box.add(mailbox.mboxMessage(f"Subject: {number}\n\nx\n".encode()))
    box.close()
    loaded = mail.load(tmp_path / "old.mbox", account=BOB)
    assert [message.subject for message in mail.account(BOB).inbox] == ["0", "1", "2"]
    assert loaded[0].uid == 1


def test_whose_it_is_must_be_known(mail, tmp_path):
    (tmp_path / "hi.eml").write_bytes(b"Subject: Whose?\r\n\r\n")
    with pytest.raises(ConfigurationError, match=r"'Whose\?' does not say whose it is.*write account="):
        mail.load(tmp_path / "hi.eml")
