import re

import pytest

BOB = "bob@example.test"


def test_logged_in(mail, failure_of):
    mail.log_in(tls="TLSv1.3", mechanism="PLAIN")
    assert mail.assert_logged_in(account="BOB@example.test", protocol="imap", mechanism="plain", tls=True).tls
    mail.assert_logged_in(tls="TLSv1.3")
    mail.assert_not_logged_in(tls=False)
    mail.assert_not_logged_in(account="eve@example.test")
    assert "there was 1" in failure_of(mail.assert_not_logged_in)
    assert "tls differs" in failure_of(mail.assert_logged_in, tls=False, timeout=0)


@pytest.mark.parametrize(("username", "account"), [("bob", BOB), (BOB, BOB), ("BOB", BOB), ("bob", "bob")])
def test_login_failed(mail, username, account):
    mail.fail_login(username)
    assert mail.assert_login_failed(account=account).reason == "wrong password"


def test_login_failed_of_somebody_else(mail, failure_of):
    mail.fail_login("bobby")
    assert "account differs" in failure_of(mail.assert_login_failed, account=BOB, timeout=0)


def test_commands(mail, failure_of):
    mail.command("FETCH", "1 FLAGS")
    mail.command("UID FETCH", "1:* (FLAGS)", reply="OK fetched")
    mail.command("RETR", "1", protocol="pop3")
    assert len(mail.commands()) == 3
    assert [command.name for command in mail.commands("fetch")] == ["FETCH", "UID FETCH"]
    assert [command.name for command in mail.commands("UID FETCH", account=BOB)] == ["UID FETCH"]
    assert mail.assert_command("FETCH", arguments=re.compile("1:")).reply == "OK fetched"
    assert mail.assert_command("RETR", protocol="pop3", arguments="1").session == "pop3-1"
    assert "Did you mean 'RETR'?" in failure_of(mail.assert_command, "RETRY", timeout=0)


def test_waiting_for_a_command(mail, when_waiting):
    when_waiting(lambda: mail.command("NOOP"))
    assert mail.assert_command("NOOP").protocol == "imap"


@pytest.mark.parametrize(
    ("select", "arguments", "folder"),
    [
        ("SELECT", "inbox", "INBOX"),
        ("EXAMINE", '"Work/Old things"', "Work/Old things"),
        ("SELECT", "Entw&APw-rfe (CONDSTORE)", "Entwürfe"),
        ("SELECT", '"a\\"b\\\\c"', 'a"b\\c'),
    ],
)
def test_idling(mail, select, arguments, folder):
    mail.command(select, arguments)
    mail.command("IDLE", reply="+ idling")
    assert mail.assert_idling(BOB, folder).session == "imap-1"


@pytest.mark.parametrize("end", ["DONE", "NOOP", None])
def test_an_idle_that_has_ended(mail, end, failure_of):
    mail.command("SELECT", "INBOX")
    mail.command("IDLE", reply="+ idling")
    if end is None:
        mail.disconnect()
    else:
        mail.command(end)
    assert "there was none" in failure_of(mail.assert_idling, BOB, timeout=0)


def test_an_idle_that_was_refused(mail, failure_of):
    mail.command("SELECT", "INBOX")
    mail.command("IDLE", reply="BAD no")
    assert "there was none" in failure_of(mail.assert_idling, BOB, timeout=0)


@pytest.mark.parametrize(("name", "arguments", "reply"), [("SELECT", "Nope", "NO no such"), ("UNSELECT", "", "OK")])
def test_idling_in_no_folder(mail, name, arguments, reply, failure_of):
    mail.command("SELECT", "INBOX")
    mail.command(name, arguments, reply=reply)
    mail.command("IDLE", reply="+ idling")
    assert "bob@example.test in no folder" in failure_of(mail.assert_idling, BOB, timeout=0)


def test_idling_elsewhere(mail, failure_of):
    mail.command("SELECT", "Sent")
    mail.command("IDLE", reply="+ idling")
    assert "folder differs" in failure_of(mail.assert_idling, BOB, timeout=0)


@pytest.mark.parametrize(
    ("protocol", "name", "reply", "wrong"),
    [
        ("smtp", "RCPT", "503 5.5.1 need MAIL first", True),
        ("smtp", "FOO", "500 what?", True),
        ("smtp", "MAIL", "555 5.5.4 parameter", True),
        ("smtp", "RCPT", "550 5.1.1 no such user", False),
        ("smtp", "NOOP", "250 OK", False),
        ("imap", "FETCH", "BAD no mailbox is selected", True),
        ("imap", "FETCH", "a1 BAD syntax", True),
        ("imap", "LOGIN", "NO [AUTHENTICATIONFAILED] no", False),
        ("pop3", "RETR", "-ERR no such message", True),
        ("pop3", "PASS", "-ERR [AUTH] no", False),
    ],
)
def test_protocol_errors(mail, protocol, name, reply, wrong, failure_of):
    mail.command(name, "x", protocol=protocol, reply=reply)
    if wrong:
        text = failure_of(mail.assert_no_protocol_errors)
        assert f"{protocol}-1  {name} x  -> {reply}" in text
    else:
        mail.assert_no_protocol_errors()
