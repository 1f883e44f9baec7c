"""A quota, as mail clients and senders meet it."""

import imaplib
import smtplib

import pytest

from mockmail import ConfigurationError, MockMail

TEXT = "Subject: Big\r\n\r\n" + "x" * 600 + "\r\n"


@pytest.fixture
def mail():
    with MockMail(lmtp_port=0) as mail:
        yield mail


def send(mail, *recipients, text=TEXT):
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        return smtp.sendmail("app@example.test", recipients, text)


def reply_to_text(mail, *recipients):
    """The reply at the end of a message whose size was not declared."""
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.helo()
        smtp.mail("app@example.test")
        for recipient in recipients:
            smtp.rcpt(recipient)
        return smtp.data(TEXT)


def test_a_recipient_whose_mailbox_is_full_is_refused(mail):
    mail.seed(to="bob@example.test", text="y" * 1000)
    mail.account("bob@example.test").set_quota(1000)

    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(mail, "bob@example.test")

    code, text = refused.value.recipients["bob@example.test"]
    assert (code, text) == (552, b"5.2.2 <bob@example.test>: mailbox full; its quota is 1000 bytes")
    mail.assert_rejected(to="bob@example.test", code=552)
    mail.assert_not_delivered(to="bob@example.test")


def test_the_declared_size_decides_already_at_rcpt(mail):
    mail.account("bob@example.test").set_quota(300)

    with pytest.raises(smtplib.SMTPRecipientsRefused):  # smtplib declares the size
        send(mail, "bob@example.test")
    send(mail, "bob@example.test", text="Subject: Small\r\n\r\nHi.\r\n")

    mail.assert_delivered(to="bob@example.test", subject="Small")


def test_a_message_that_turns_out_too_big_for_all_is_refused(mail):
    mail.account("bob@example.test").set_quota(300)

    reply = reply_to_text(mail, "bob@example.test")
    assert reply == (552, b"5.2.2 <bob@example.test>: mailbox full; its quota is 300 bytes")

    mail.assert_rejected(to="bob@example.test", code=552)
    assert len(mail.account("bob@example.test").inbox) == 0


def test_one_that_has_room_gets_the_message_and_the_sender_a_report_of_the_other(mail):
    mail.account("bob@example.test").set_quota(300)

    assert reply_to_text(mail, "bob@example.test", "ann@example.test")[0] == 250

    mail.assert_delivered(to="ann@example.test", subject="Big")
    assert len(mail.account("bob@example.test").inbox) == 0
    mail.assert_bounced(to="bob@example.test", status="5.2.2")
    report = mail.assert_delivered(account="app@example.test").report
    assert [(one.recipient, one.status) for one in report.recipients] == [("bob@example.test", "5.2.2")]


def test_lmtp_answers_for_each(mail):
    mail.account("bob@example.test").set_quota(300)

    with smtplib.LMTP(*mail.lmtp.address) as lmtp:
        lmtp.ehlo_or_helo_if_needed()
        lmtp.docmd("MAIL FROM:<app@example.test>")
        lmtp.docmd("RCPT TO:<bob@example.test>")
        lmtp.docmd("RCPT TO:<ann@example.test>")
        lmtp.docmd("DATA")
        lmtp.send(TEXT + ".\r\n")
        assert [lmtp.getreply()[0] for _ in range(2)] == [552, 250]

    assert mail.assert_delivered().recipients == ("ann@example.test",)


def test_a_full_member_of_a_list_bounces_to_its_owner(mail):
    mail.account("bob@example.test").set_quota(300)
    mail.add_list("all@example.test", ["bob@example.test", "ann@example.test"], owner="owner@example.test")

    send(mail, "all@example.test")

    assert len(mail.account("ann@example.test").inbox) == 1
    assert len(mail.account("bob@example.test").inbox) == 0
    mail.assert_delivered(account="owner@example.test")


def test_no_report_comes_of_a_report_to_a_full_mailbox(mail):
    mail.account("app@example.test").set_quota(10)
    mail.account("bob@example.test").set_quota(300)

    assert reply_to_text(mail, "bob@example.test", "ann@example.test")[0] == 250

    mail.clock.run_until_idle()
    assert len(mail.account("app@example.test").inbox) == 0
    assert len(mail.queue) == 0


def test_imap_uploads_and_copies_past_it_are_refused_and_moves_are_not(mail):
    bob = mail.account("bob@example.test")
    mail.seed(to="bob@example.test", text="y" * 500)
    bob.create_folder("Old")
    bob.set_quota(1000)

    with imaplib.IMAP4(*mail.imap.address) as imap:
        imap.login("bob@example.test", "any")
        imap.select("INBOX")
        status, (reply,) = imap.append("INBOX", None, None, TEXT.encode())
        assert (status, reply) == ("NO", b"[OVERQUOTA] The account is full: its quota is 1000 bytes")
        assert imap.copy("1", "Old")[0] == "NO"
        assert imap.uid("MOVE", "1", "Old")[0] == "OK"

    assert [message.subject for message in bob.folder("Old")] == [""]


def test_room_comes_back_when_mail_goes(mail):
    bob = mail.account("bob@example.test")
    mail.seed(to="bob@example.test", text="y" * 2000)
    bob.set_quota(2000)
    bob.inbox.clear()

    send(mail, "bob@example.test")

    mail.assert_delivered(to="bob@example.test")


def test_a_reset_takes_it_away(mail):
    mail.account("bob@example.test").set_quota(0)
    mail.reset()

    send(mail, "bob@example.test")

    mail.assert_delivered(to="bob@example.test")


def test_none_takes_it_away(mail):
    mail.account("bob@example.test").set_quota(0)
    mail.account("bob@example.test").set_quota(None)

    send(mail, "bob@example.test")

    mail.assert_delivered(to="bob@example.test")


@pytest.mark.parametrize("wrong", [-1, 1.5, "1M", True])
def test_what_is_no_quota_is_refused(mail, wrong):
    with pytest.raises(ConfigurationError, match=r"limit_bytes is .*write"):
        mail.account("bob@example.test").set_quota(wrong)
