"""A reset gives up all mail at once. The garbage collector counts objects, not their megabytes: what waits for it may
be gigabytes in a suite of large mail."""

import contextlib
import gc
import imaplib
import poplib
import smtplib
import time
import urllib.request
import weakref
from datetime import timedelta

import pytest

from mockmail import MailNetwork, MockMail
from mockmail.config import Settings
from mockmail.core.message import Message

TEXT = b"From: ann@example.test\r\nTo: bob@example.test\r\nSubject: Hi\r\n\r\nHello\r\n"


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def send(mail, *recipients, lines=TEXT):
    with smtplib.SMTP(mail.smtp.host, mail.smtp.port) as client:
        client.sendmail("ann@example.test", recipients or ["bob@example.test"], lines)


def send_over_tls(mail):
    with smtplib.SMTP(mail.smtp.host, mail.smtp.port) as client:
        client.starttls(context=mail.tls.client_context())
        client.login("ann@example.test", "secret")
        client.sendmail("ann@example.test", ["bob@example.test"], TEXT)


def send_and_break_off(mail):
    send(mail)
    client = smtplib.SMTP(mail.smtp.host, mail.smtp.port)
    client.ehlo()
    client.mail("ann@example.test")
    client.rcpt("bob@example.test")
    client.docmd("DATA")
    client.send(b"Subject: cut short\r\n")
    client.close()


def read_by_pop3(mail):
    send(mail)
    client = poplib.POP3(mail.pop3.host, mail.pop3.port)
    client.user("bob@example.test")
    client.pass_("secret")
    client.retr(1)
    client.dele(1)
    client.quit()


def read_by_imap(mail):
    send(mail)
    with imaplib.IMAP4(mail.imap.host, mail.imap.port) as client:
        client.login("bob@example.test", "secret")
        client.select()
        assert client.search(None, "TEXT", "Hello")[1] == [b"1"]
        client.fetch("1", "(ENVELOPE BODYSTRUCTURE BODY[])")
        client.copy("1", "INBOX")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()


def leave_imap_in_idle(mail):
    send(mail)
    client = imaplib.IMAP4(mail.imap.host, mail.imap.port)
    client.login("bob@example.test", "secret")
    client.select()
    client.send(b"a IDLE\r\n")
    client.readline()
    send(mail)
    client.shutdown()


def keep_the_connection(mail):
    client = smtplib.SMTP(mail.smtp.host, mail.smtp.port)
    client.sendmail("ann@example.test", ["bob@example.test"], TEXT)
    return client


def keep_a_mailbox_selected(mail):
    send(mail)
    client = imaplib.IMAP4(mail.imap.host, mail.imap.port)
    client.login("bob@example.test", "secret")
    client.select()
    client.fetch("1", "(BODY[])")
    return client


def look_by_http(mail):
    send(mail)
    for path in ("/", "/api/v1/messages", "/api/v1/search?query=hello", "/api/v1/journal"):
        with urllib.request.urlopen(f"http://{mail.http.host}:{mail.http.port}{path}") as response:
            response.read()


def assert_in_vain(mail):
    send(mail)
    mail.assert_delivered(to="bob@example.test", subject="Hi")
    with contextlib.suppress(AssertionError):
        mail.assert_delivered(to="carol@example.test", timeout=0.01)


def meet_a_fault(mail):
    mail.faults.smtp("DATA", reply="451 4.3.0 not now", times=1)
    with contextlib.suppress(smtplib.SMTPException):
        send(mail)
    send(mail)


def seed_and_tick(mail):
    mail.seed(TEXT, to="bob@example.test")
    send(mail)
    mail.clock.advance(timedelta(hours=1))


@pytest.mark.parametrize(
    "use",
    [
        send,
        send_over_tls,
        send_and_break_off,
        read_by_pop3,
        read_by_imap,
        leave_imap_in_idle,
        keep_the_connection,
        keep_a_mailbox_selected,
        look_by_http,
        assert_in_vain,
        meet_a_fault,
        seed_and_tick,
    ],
)
def test_a_reset_frees_all_mail(use):
    options = {"tls": True} if use is send_over_tls else {"http_port": 0} if use is look_by_http else {}
    with MockMail(max_age=timedelta(days=1), **options) as mail:
        kept = use(mail)
        worlds, ids = [weakref.ref(mail.world)], {message.id for message in mail.messages}
        mail.reset()
        assert_gone(mail, worlds)
        if kept is not None:
            assert kept.noop()[0] in (250, "OK")  # of what it has selected it is told only now that it has left
        assert_no_message(ids)
        if kept is not None:
            kept.quit() if isinstance(kept, smtplib.SMTP) else kept.logout()


def assert_gone(mail, worlds):
    deadline = time.monotonic() + 10
    while any(world() is not None for world in worlds) and time.monotonic() < deadline:
        mail.call(int)  # the loop has yet to hear that clients left
    assert [world() for world in worlds if world() is not None] == []


def assert_no_message(ids):
    assert ids
    assert [one for one in gc.get_objects() if type(one) is Message and one.id in ids] == []


def test_a_reset_frees_mail_that_was_relayed_held_back_and_returned():
    with MailNetwork("example.test", "other.test", settings=Settings(relay="open")) as network:
        here, there = network["example.test"], network["other.test"]
        for address in ("bob@other.test", "nobody@nowhere.test"):
            send(here, address)
        there.assert_delivered(to="bob@other.test")
        there.faults.smtp("MAIL", reply="451 4.3.0 not now")
        send(here, "carol@other.test")
        network.clock.advance(timedelta(hours=2))
        assert len(here.queue) == 1
        assert [message.sender for message in here.messages][-1] == ""
        worlds = [weakref.ref(mail.world) for mail in network]
        ids = {message.id for mail in network for message in mail.messages}
        for mail in network:
            mail.reset()
        assert_gone(here, worlds)
        assert_no_message(ids)
