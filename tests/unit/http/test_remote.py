"""A server in another process, asked by the same questions."""

import datetime
import smtplib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import mockmail
from mockmail import ConfigurationError, NotRunningError, RemoteMockMail


@pytest.fixture
def remote(web: Any) -> Iterator[RemoteMockMail]:
    with mockmail.connect(web.mail.http.url) as connected:
        yield connected


def send(remote: RemoteMockMail, *to: str, subject: str = "Hi") -> None:
    with smtplib.SMTP(*remote.smtp.address) as smtp:
        smtp.sendmail("app@example.test", list(to), f"Subject: {subject}\r\nFrom: app@example.test\r\n\r\nHello\r\n")


def test_delivered_mail_is_found_at_once_with_its_bytes(web: Any, remote: RemoteMockMail) -> None:
    send(remote, "bob@example.test", subject="Welcome")
    message = remote.assert_delivered(to="bob@example.test", subject="Welcome", body="Hello", timeout=0)
    original = web.mail.messages[0]
    assert (message, message.raw, message.original) == (original, original.raw, original.original)
    assert message.envelope == original.envelope
    assert [one.subject for one in remote.messages] == ["Welcome"]
    assert [one.id for one in remote.delivered(to="bob@example.test")] == [original.id]
    remote.assert_not_delivered(to="eve@example.test")


def test_an_assertion_waits_until_it_happens(web: Any, remote: RemoteMockMail) -> None:
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(remote.assert_delivered(subject="Late", timeout=20)))
    waiting.start()
    for number in range(3):
        send(remote, "bob@example.test", subject=f"Early {number}")
    send(remote, "bob@example.test", subject="Late")
    waiting.join(20)
    assert [one.subject for one in found] == ["Late"]


def test_a_failure_tells_what_arrived(remote: RemoteMockMail) -> None:
    send(remote, "bob@example.test", subject="Wellcome")
    with pytest.raises(AssertionError, match="Wellcome"):
        remote.assert_delivered(subject="Welcome", timeout=0.01)


def test_mailboxes_are_read_and_changed(web: Any, remote: RemoteMockMail) -> None:
    stored = remote.seed(to="bob@example.test", subject="Help", text="It broke", flags=["flagged"])
    account = remote.account("bob@example.test")
    assert [one.subject for one in account.inbox] == ["Help"]
    remote.assert_flagged("flagged", account="bob@example.test", timeout=0)
    assert account.inbox.add_flags(stored.uid, "seen").seen
    account.create_folder("Work/2026")
    moved = account.inbox.move(stored.uid, "Work/2026")
    assert (moved.folder, moved.subject, len(account.inbox)) == ("Work/2026", "Help", 0)
    remote.assert_moved("Work/2026", timeout=0)
    account.folder("Work/2026").expunge(moved.uid)
    assert remote.assert_deleted(subject="Help", timeout=0).message.text == "It broke\n"
    account.rename_folder("Work", "Done")
    account.delete_folder("Done/2026")
    assert list(account.folders) == ["INBOX", "Done"]
    assert list(web.mail.account("bob@example.test").folders) == ["INBOX", "Done"]
    with pytest.raises(ConfigurationError, match="no folder 'Nowhere'"):
        account.delete_folder("Nowhere")


def test_a_reset_is_followed(web: Any, remote: RemoteMockMail) -> None:
    send(remote, "bob@example.test", subject="Before")
    mark = remote.mark()
    remote.reset()
    assert remote.messages == []
    assert list(web.mail.messages) == []
    send(remote, "bob@example.test", subject="After")
    assert remote.assert_delivered(since=mark, timeout=0).subject == "After"


def test_faults_and_the_clock(remote: RemoteMockMail) -> None:
    fault = remote.faults.smtp("RCPT", reply="451 4.3.0 later", times=1)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(remote, "bob@example.test")
    assert fault.hits == 1
    assert remote.assert_rejected(code=451, timeout=0).recipients == ("bob@example.test",)
    fault.remove()
    assert fault.hits == 1
    with pytest.raises(ConfigurationError, match="no command or phase 'NOSUCH'"):
        remote.faults.imap("NOSUCH", drop=True)
    at = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
    remote.clock.freeze(at)
    remote.clock.advance(minutes=30)
    assert remote.clock.now() == at + datetime.timedelta(minutes=30)


def test_a_password_set_from_afar_holds(web: Any, remote: RemoteMockMail) -> None:
    remote.add_user("bob@example.test", "secret")
    with smtplib.SMTP(*web.mail.smtp.address) as smtp:
        smtp.login("bob@example.test", "secret")
    assert remote.assert_logged_in(account="bob@example.test", timeout=0).password_checked
    lines = [line for one in remote.transcript.sessions("smtp") for line in one.lines]
    assert any(line.endswith("***") for line in lines)
    assert not any("secret" in line for line in lines)


def test_a_server_that_stops_ends_the_wait(web: Any, remote: RemoteMockMail) -> None:
    stopping = threading.Timer(0.1, web.mail.stop)
    stopping.start()
    with pytest.raises((AssertionError, NotRunningError)):
        remote.assert_delivered(subject="Never", timeout=20)
    stopping.join()


@pytest.mark.parametrize("url", ["smtp://127.0.0.1", "127.0.0.1:80", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="no URL of a server"):
        mockmail.connect(url)


def test_nobody_there_is_said() -> None:
    with pytest.raises(NotRunningError, match=r"No mockmail answers at http://127\.0\.0\.1:1"):
        mockmail.connect("http://127.0.0.1:1")
