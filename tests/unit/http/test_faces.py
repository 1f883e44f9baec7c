"""The same body of assertions holds of a server in this process and of one asked over HTTP."""

import datetime
import imaplib
import inspect
import poplib
import re
import smtplib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import mockmail
from mockmail import Account, ConfigurationError, Folder, MockMail, RemoteMockMail, UnusedFaultWarning
from mockmail.testing.far import RemoteFaults
from mockmail.testing.far_accounts import RemoteAccount, RemoteFolder
from mockmail.testing.faults import Faults

Start = Callable[..., Any]
FACES = ("local", "remote")


@pytest.fixture(params=FACES)
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """``start(**settings)``: a server, or a connection to one."""
    servers: list[Any] = []

    def begin(**settings: Any) -> Any:
        server = MockMail(http_port=0, **settings).start()
        servers.append(server)
        if request.param == "local":
            return server
        face = mockmail.connect(server.http.url)
        servers.append(face)
        return face

    yield begin
    for one in reversed(servers):
        one.check()
        one.close() if isinstance(one, RemoteMockMail) else one.stop()


@pytest.fixture
def mail(start: Start) -> Any:
    return start(domains=["example.test"], users={"bob@example.test": "secret", "ann@example.test": "secret"})


def send(
    mail: Any, to: str = "bob@example.test", subject: str = "Hi", login: str = "", sender: str = "app@x.test"
) -> None:
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        if login:
            smtp.login(login, "secret")
        smtp.sendmail(sender, [to], f"Subject: {subject}\r\nFrom: App <{sender}>\r\nTo: {to}\r\n\r\nHello\r\n")


@contextmanager
def imap(mail: Any, password: str = "secret") -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4(*mail.imap.address) as client:
        client.login("bob@example.test", password)
        client.select()
        yield client


def test_delivered(mail: Any) -> None:
    mail.assert_not_delivered()
    mark = mail.mark()
    send(mail, subject="Welcome")
    message = mail.assert_delivered(
        to="BOB@example.test", sender="app@x.test", from_="app@x.test", subject=re.compile("^Wel"), body="Hello",
        headers={"To": "bob@example.test", "Cc": None}, account="bob@example.test", since=mark,
        where=lambda one: one.size > 10, timeout=0,
    )  # fmt: skip
    assert message.text == "Hello\n"
    assert message.raw.endswith(message.original)
    assert mail.delivered() == [message]
    assert mail.assert_delivered_count(1, timeout=0) == mail.wait_for(1) == [message]
    assert (mail.messages, mail.messages[0], len(mail.messages)) == ([message], message, 1)
    mail.assert_not_delivered(since=mail.mark())
    mail.assert_no_bcc_leak()
    send(mail, subject="Welcome")
    with pytest.raises(AssertionError, match="2 messages delivered"):
        mail.assert_delivered(subject="Welcome", timeout=0)
    with pytest.raises(TypeError, match="no criterion 'subjekt'"):
        mail.delivered(subjekt="x")


def test_a_failure_says_what_came_and_what_was_near(mail: Any) -> None:
    send(mail, subject="Welcom")
    mail.seed(to="ann@example.test", subject="Welcome")
    with pytest.raises(AssertionError) as failure:
        mail.assert_delivered(subject="Welcome", timeout=0.01)
    text = str(failure.value)
    assert "'Welcom'" in text
    assert "A seeded message fits" in text
    assert "rcpt to:<bob@example.test>" in text.lower()


def test_rejected(mail: Any) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(mail, "eve@example.test")
    assert mail.assert_rejected(to="eve@example.test", code=550, timeout=0).stage == "RCPT"
    assert len(mail.rejected()) == 1
    mail.assert_not_rejected(code=451)
    assert mail.wait_for(1, "rejected")[0].code == 550


def test_fetched_flagged_moved_deleted_and_appended(mail: Any) -> None:
    mail.seed(to="bob@example.test", subject="Help", text="It broke")
    mail.account("bob@example.test").create_folder("Work")
    mail.assert_not_fetched()
    with imap(mail) as client:
        client.fetch("1", "(BODY[TEXT])")
        client.store("1", "+FLAGS", "\\Flagged")
        client.copy("1", "Work")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
        client.append("Work", "", "", b"Subject: Draft\r\n\r\nx")
        assert (
            mail.assert_fetched(account="bob@example.test", subject="Help", protocol="imap", timeout=0).part == "text"
        )
        assert mail.assert_moved("Work", timeout=0).message.subject == "Help"
        assert mail.assert_flagged("flagged", folder="Work", timeout=0).subject == "Help"
        assert mail.assert_deleted(timeout=0).uid == 1
        assert mail.assert_appended("Work", subject="Draft", timeout=0).uid == 2
    mail.assert_not_flagged("answered")
    mail.assert_not_moved("Trash")
    mail.assert_not_deleted(subject="Draft")
    mail.assert_not_appended("INBOX")
    assert [one.part for one in mail.fetched()] == ["text"]
    work = mail.account("bob@example.test").folder("Work")
    assert [one.subject for one in work] == ["Help", "Draft"]


def test_sessions(mail: Any) -> None:
    mail.assert_not_logged_in()
    with pytest.raises(imaplib.IMAP4.error), imap(mail, "wrong"):
        pass
    assert mail.assert_login_failed(account="bob@example.test", timeout=0).protocol == "imap"
    with imap(mail) as client:
        assert mail.assert_logged_in(account="bob@example.test", protocol="imap", tls=False, timeout=0).password_checked
        client.noop()
        assert mail.assert_command("NOOP", timeout=0).reply.startswith("OK")
        assert [one.name for one in mail.commands("SELECT")] == ["SELECT"]
        client.send(b"i IDLE\r\n")
        mail.assert_idling("bob@example.test")
        assert client.readline().startswith(b"+")
        client.send(b"DONE\r\n")
        assert client.readline().startswith(b"i OK")
        mail.assert_no_protocol_errors(protocol="imap")
        assert mail.transcript.sessions("imap", "bob@example.test")[0].lines[0].startswith("S: * OK")
    assert "secret" not in str(mail.transcript)
    mail.assert_not_tls_started()
    with pytest.raises(AssertionError, match="no TLS refusal"):
        mail.assert_tls_refused(timeout=0)
    with pytest.raises(AssertionError, match="TLS handshake"):
        mail.assert_tls_started(timeout=0)


def test_mail_that_goes_on_waits_and_bounces(start: Start) -> None:
    hop = start(domains=["else.test"])
    mail = start(
        domains=["example.test"], users={"bob@example.test": "secret"}, routes={"else.test": hop.smtp.address},
        retry_every=datetime.timedelta(minutes=30), retry_for=datetime.timedelta(hours=2),
    )  # fmt: skip
    hop.go_down()
    send(mail, "eve@else.test", "One", login="bob@example.test", sender="bob@example.test")
    waiting = mail.assert_queued(to="eve@else.test", attempts=1)
    assert (waiting.domain, len(waiting.history), waiting.message.subject) == ("else.test", 1, "One")
    assert mail.queue == [waiting] == mail.queued()
    mail.assert_not_relayed()
    hop.come_up()
    mail.clock.advance(minutes=30)
    assert mail.assert_relayed(to="eve@else.test", attempts=2, via=hop.smtp.address, timeout=0).domain == "else.test"
    hop.assert_delivered(to="eve@else.test", subject="One")
    assert mail.relayed(subject="One")
    assert len(mail.queue) == 0
    hop.go_down()
    send(mail, "eve@else.test", "Two", login="bob@example.test", sender="bob@example.test")
    mail.assert_queued(subject="Two", attempts=1)
    mail.assert_not_bounced()
    mail.clock.run_until_idle()
    assert mail.assert_bounced(subject="Two", status=re.compile(r"^4|^5"), timeout=0).sender == "bob@example.test"
    assert mail.bounced()
    mail.assert_not_queued()
    assert mail.assert_delivered(to="bob@example.test", timeout=0).report is not None


def test_waiting_ends_when_it_happens(mail: Any) -> None:
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(mail.assert_delivered(subject="Late", timeout=20)))
    waiting.start()
    for subject in ("Early", "Late"):
        send(mail, subject=subject)
    waiting.join(20)
    assert [one.subject for one in found] == ["Late"]


async def in_a_task(mail: Any) -> None:
    import asyncio

    later = asyncio.create_task(mail.aio.assert_delivered(subject="Later"))
    await asyncio.to_thread(send, mail, subject="Later")
    assert (await later).subject == "Later"
    await mail.aio.assert_not_delivered(subject="Never")
    at = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    await mail.aio.clock.freeze(at)
    await mail.aio.clock.advance(hours=1)
    assert mail.clock.now() == at + datetime.timedelta(hours=1)
    assert await mail.aio.clock.advance_to_next() is False
    await mail.aio.clock.run_until_idle()
    with pytest.raises(AssertionError, match=r"await mail\.aio"):
        mail.assert_delivered(subject="Never")


def test_coroutines_wait_too(mail: Any) -> None:
    import asyncio

    asyncio.run(in_a_task(mail))


def test_accounts_and_folders(mail: Any) -> None:
    ann = mail.account("ANN@example.test")
    assert (ann.address, ann, list(ann.folders)) == ("ann@example.test", mail.account("ann@example.test"), ["INBOX"])
    stored = mail.seed(to=ann.address, subject="One", flags=["flagged"], folder="Lists/Python")
    folder = ann.folder("Lists/Python")
    assert (list(folder), folder.messages, len(folder), folder[0].uid) == ([stored], (stored,), 1, stored.uid)
    assert folder.add_flags(stored.uid, "seen", "$Todo").flags == {"\\Seen", "\\Flagged", "$Todo"}
    assert folder.remove_flags(stored.uid, "$Todo").flags == {"\\Seen", "\\Flagged"}
    assert (folder.name, folder.uidnext) == ("Lists/Python", stored.uid + 1)
    moved = folder.move(stored.uid, "INBOX")
    assert (moved.folder, [one.subject for one in ann.inbox]) == ("INBOX", ["One"])
    before = ann.inbox.uidvalidity
    assert ann.inbox.reset_uidvalidity(first_uid=50) == ann.inbox.uidvalidity > before
    assert ann.inbox[0].uid == 50
    ann.inbox.set_read_only()
    ann.inbox.refuse_keywords()
    ann.inbox.set_read_only(False)
    ann.inbox.refuse_keywords(False)
    ann.inbox.expunge(50)
    mail.seed(to=ann.address, subject="Two")
    ann.inbox.clear()
    assert len(ann.inbox) == 0
    assert ann.rename_folder("Lists/Python", "Old").name == "Old"
    ann.delete_folder("Old")
    assert list(ann.folders) == ["INBOX", "Lists"] or list(ann.folders) == ["INBOX"]
    for wrong in (
        lambda: ann.folder("Nowhere"),
        lambda: ann.create_folder("a/"),
        lambda: ann.inbox.expunge(99),
        lambda: ann.inbox.expunge("99"),
        lambda: ann.inbox.add_flags([1, 2], "seen"),
        lambda: ann.inbox.reset_uidvalidity(first_uid=0),
        lambda: ann.set_quota(-1),
        lambda: ann.revoke("none"),
        lambda: mail.account("nobody"),
        lambda: mail.add_user("eve@example.test", ""),
        lambda: mail.seed(to="bob@example.test", flags="seen"),
        lambda: mail.seed(b"x", to="bob@example.test", folder="a/"),
        lambda: mail.add_alias("x@elsewhere.test", "bob@example.test"),
        lambda: mail.add_list("x@example.test", [], owner="bob@example.test"),
    ):
        with pytest.raises(ConfigurationError):
            wrong()


def test_quota_and_tokens(mail: Any) -> None:
    bob = mail.account("bob@example.test")
    bob.set_quota(10)
    with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"552|5\.2\.2"):
        send(mail)
    bob.set_quota(None)
    send(mail)
    for token, welcome in ((bob.token(), True), (bob.token(expires_in=datetime.timedelta(0)), False)):
        with imaplib.IMAP4(*mail.imap.address) as client:
            bearer = f"user=bob@example.test\1auth=Bearer {token}\1\1".encode()
            try:
                client.authenticate("XOAUTH2", lambda challenge, bearer=bearer: b"" if challenge else bearer)
                assert welcome
            except imaplib.IMAP4.error:
                assert not welcome
    token = bob.token(expires_in=None)
    bob.revoke(token)
    assert token not in str(mail.transcript)


def test_aliases_lists_and_the_catch_all(mail: Any) -> None:
    mail.add_alias("info@example.test", "bob@example.test")
    mail.add_list("team@example.test", ["bob@example.test", "ann@example.test"], owner="ann@example.test")
    mail.set_catch_all("ann@example.test")
    for to in ("info@example.test", "team@example.test", "whoever@example.test"):
        send(mail, to, subject=to)
    assert [one.subject for one in mail.account("bob@example.test").inbox] == ["info@example.test", "team@example.test"]
    assert [one.subject for one in mail.account("ann@example.test").inbox][-1] == "whoever@example.test"
    mail.set_catch_all(None)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(mail, "whoever@example.test")


def test_a_new_user_has_one_password(mail: Any) -> None:
    mail.add_user("eve@example.test", "hers")
    client = poplib.POP3(*mail.pop3.address)
    client.user("eve@example.test")
    with pytest.raises(poplib.error_proto):
        client.pass_("wrong")
    client.quit()
    assert mail.assert_login_failed(account="eve@example.test", timeout=0).mechanism == "USER"


def test_faults(mail: Any) -> None:
    fault = mail.faults.smtp("RCPT", reply="451 4.3.0 later", to=re.compile("BOB@", re.IGNORECASE), times=1)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(mail)
    send(mail)
    assert (fault.hits, fault.used_up, fault.protocol, fault.command) == (1, True, "smtp", "RCPT")
    assert mail.assert_rejected(code=451, timeout=0).recipients == ("bob@example.test",)
    with mail.faults.smtp("RCPT", reply="452 full", to=["ann@example.test"]) as other:
        send(mail)
    assert other.hits == 0
    send(mail, "ann@example.test")
    with pytest.raises(ConfigurationError, match="no command or phase 'NOSUCH'"):
        mail.faults.imap("NOSUCH", drop=True)
    with pytest.raises(ConfigurationError, match="does nothing"):
        mail.faults.pop3("RETR")
    assert len(mail.faults.scenario("mailbox-full")) == 2
    mail.faults.clear()
    mail.faults.lmtp("MESSAGE", drop=True)
    with pytest.warns(UnusedFaultWarning, match="lmtp MESSAGE"):
        mail.faults.warn_of_unused()


def test_outages(mail: Any) -> None:
    mail.go_down()
    with pytest.raises(ConnectionRefusedError):
        send(mail)
    mail.come_up()
    send(mail)
    mail.hang()
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        smtplib.SMTP(*mail.smtp.address, timeout=0.1)
    mail.come_up()
    send(mail, subject="Back")
    mail.assert_delivered(subject="Back", timeout=0)


def test_the_clock_is_moved_and_stands(mail: Any) -> None:
    at = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
    mail.clock.freeze(at)
    assert (mail.clock.now(), mail.clock.frozen, mail.clock.next_due) == (at, True, None)
    mail.clock.advance(datetime.timedelta(days=1), hours=1)
    assert mail.clock.now() == at + datetime.timedelta(days=1, hours=1)
    assert mail.clock.advance_to_next() is False
    assert mail.seed(to="bob@example.test").received_at == mail.clock.now()
    with pytest.raises(ConfigurationError, match="cannot go back"):
        mail.clock.advance(minutes=-1)
    with pytest.raises(ConfigurationError, match="no time zone"):
        mail.clock.freeze(datetime.datetime(2030, 1, 2))


def test_events_and_a_reset(mail: Any) -> None:
    send(mail)
    mail.add_user("eve@example.test", "hers")
    kinds = [type(event).__name__ for event in mail.events]
    assert {"SessionOpened", "Command", "Accepted", "Delivered"} <= set(kinds)
    assert len(mail.events) == len(kinds)
    assert [one.subject for one in (event.message for event in mail.events.of(mockmail.Delivered))] == ["Hi"]
    mark = mail.mark()
    mail.reset()
    assert mail.messages == []
    assert mail.events.of(mockmail.Delivered) == []
    assert len(mail.account("bob@example.test").inbox) == 0
    send(mail, subject="After")
    assert mail.assert_delivered(since=mark, timeout=0).subject == "After"


def test_addresses_are_handed_over(mail: Any) -> None:
    environment = mail.settings_for.env()
    assert environment["MOCKMAIL_SMTP_HOST"] == "127.0.0.1"
    assert environment["MOCKMAIL_HTTP_URL"] == mail.http.url
    assert mail.settings_for.flask_mail()["MAIL_PORT"] == mail.smtp.port
    assert set(mail.endpoints) == {"smtp", "pop3", "imap", "http"}
    with pytest.raises(mockmail.NotRunningError, match="set lmtp_port=0"):
        _ = mail.lmtp
    assert mail.endpoint("imap") == mail.imap


def test_certificates_are_trusted(start: Start) -> None:
    mail = start(tls=True)
    context = mail.tls.client_context()
    with imaplib.IMAP4_SSL(*mail.imaps.address, ssl_context=context):
        pass
    assert mail.assert_tls_started(protocol="imap", implicit=True, timeout=0).version.startswith("TLSv1")
    assert mail.settings_for.env()["SSL_CERT_FILE"] == mail.tls.ca_file


# The two have the same methods, taking the same

ONLY_LOCAL = {
    "runtime": "for servers that share a thread",
    "start": "a connection is made to what runs",
    "stop": "nor stopped by it",
    "reset_to": "for the pytest plugin",
    "late_mail": "for the HTTP API",
    "outage": "for the HTTP API",
}


def public(kind: type) -> dict[str, Any]:
    return {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}


def parameters(method: Any) -> list[tuple[str, Any, Any]]:
    return [(one.name, one.kind, one.default) for one in inspect.signature(method).parameters.values()]


@pytest.mark.parametrize(
    ("local", "remote"),
    [(MockMail, RemoteMockMail), (Account, RemoteAccount), (Folder, RemoteFolder), (Faults, RemoteFaults)],
)
def test_the_two_faces_have_the_same_methods(local: type, remote: type) -> None:
    here, there = public(local), public(remote)
    missing = set(here) - set(there) - (set(ONLY_LOCAL) if local is MockMail else set())
    assert missing <= {"plan"}
    for name in set(here) & set(there):
        if callable(here[name]):
            assert parameters(here[name]) == parameters(there[name]), name
        else:
            assert isinstance(there[name], type(here[name])), name


def test_the_two_have_the_same_attributes() -> None:
    with MockMail(http_port=0) as local, mockmail.connect(local.http.url) as remote:
        own = {name for name in vars(local) if not name.startswith("_")}
        assert own <= set(dir(remote))


def test_a_function_cannot_be_sent() -> None:
    with MockMail(http_port=0) as local, mockmail.connect(local.http.url) as remote:
        with pytest.raises(ConfigurationError, match="where= is a function"):
            remote.faults.smtp("RCPT", drop=True, where=lambda command: True)


def test_an_error_inside_the_server_is_raised_from_afar() -> None:
    with MockMail(http_port=0) as local, mockmail.connect(local.http.url) as remote:
        local.call(lambda: local._errors.append(ValueError("boom")))
        with pytest.raises(mockmail.ServerError, match="ValueError: boom"):
            remote.check()
        remote.check()
        local.check()


def test_a_closed_connection_leaves_no_thread_and_its_history() -> None:
    with MockMail(http_port=0) as local:
        before = set(threading.enumerate())
        remote = mockmail.connect(local.http.url)
        waiting = threading.Thread(target=lambda: remote.assert_not_delivered(subject="x", quiet=0.05))
        waiting.start()
        waiting.join()
        send(remote, subject="Kept")
        assert len(remote.messages) == 1
        remote.close()
        remote.close()
        assert set(threading.enumerate()) - before == set()
        assert [one.recipients for one in remote.delivered(to="bob@example.test")] == [("bob@example.test",)]
        with pytest.raises(mockmail.NotRunningError, match=r"is closed; connect\(\) anew"):
            remote.reset()


def test_logins_must_be_given_where_passwords_are_not_told() -> None:
    with MockMail(http_port=0, users={"bob@example.test": "x"}, require_auth=True) as local:
        with mockmail.connect(local.http.url) as remote:
            with pytest.raises(ConfigurationError, match=r"write login=\('bob@example.test', password\)"):
                remote.settings_for.flask_mail()
            given = remote.settings_for.flask_mail(login=("bob@example.test", "x"))
            assert given["MAIL_USERNAME"] == "bob@example.test"
