"""mail.faults against the real servers: each act on each protocol, seen by the standard library's clients."""

import contextlib
import imaplib
import poplib
import smtplib
import socket

import pytest

from mockmail import ConfigurationError, FaultFired, MockMail, UnusedFaultWarning

BOB = "bob@example.test"


def send(mail: MockMail, to: str = BOB) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(*mail.smtp.address, timeout=10) as smtp:
        return smtp.sendmail("a@x.test", [to], b"Subject: x\r\n\r\n")


def imap_as_bob(mail: MockMail) -> imaplib.IMAP4:
    imap = imaplib.IMAP4(*mail.imap.address, timeout=10)
    imap.login(BOB, "any")
    imap.select("INBOX")
    return imap


def test_a_reply_so_many_times_then_normal_again(mockmail: MockMail) -> None:
    fault = mockmail.faults.smtp("RCPT", reply="451 4.3.0 try later", times=2)
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(mockmail)
        assert refused.value.recipients[BOB] == (451, b"4.3.0 try later")
    assert send(mockmail) == {}
    assert fault.hits == 2
    assert len(mockmail.rejected(to=BOB, code=451)) == 2
    assert [event.command for event in mockmail.events.of(FaultFired)] == ["RCPT", "RCPT"]
    mockmail.assert_delivered(to=BOB)


def test_faults_script_a_sequence(mockmail: MockMail) -> None:
    mockmail.faults.smtp("MESSAGE", reply="452 4.3.1 full", times=1)
    mockmail.faults.smtp("MESSAGE", reply="554 5.6.0 no", times=1)
    codes = []
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(mockmail)
        codes.append(refused.value.smtp_code)
    assert codes == [452, 554]
    assert send(mockmail) == {}


def test_a_fetch_is_carried_out_and_lost_in_mid_reply(mockmail: MockMail) -> None:
    mockmail.seed(to=BOB, subject="x", text="word " * 100)
    imap = imap_as_bob(mockmail)
    with mockmail.faults.imap("FETCH", after_bytes=100), pytest.raises((imaplib.IMAP4.abort, OSError)):
        imap.fetch("1", "(RFC822)")
    imap.shutdown()
    assert mockmail.account(BOB).inbox[0].seen
    again = imap_as_bob(mockmail)
    assert again.fetch("1", "(RFC822)")[0] == "OK"
    again.logout()


def test_any_login_is_meant_by_auth(mockmail: MockMail) -> None:
    mockmail.faults.imap("AUTH", reply="NO [UNAVAILABLE] later", nth=1)
    mockmail.faults.pop3("AUTH", reply="-ERR [SYS/TEMP] later", nth=1)
    imap = imaplib.IMAP4(*mockmail.imap.address, timeout=10)
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        imap.login(BOB, "any")
    assert imap.login(BOB, "any")[0] == "OK"
    imap.logout()
    pop = poplib.POP3(*mockmail.pop3.address, timeout=10)
    pop.user(BOB)
    with pytest.raises(poplib.error_proto, match="later"):
        pop.pass_("any")
    pop.quit()


def test_a_connection_is_dropped_before_the_command(mockmail: MockMail) -> None:
    mockmail.seed(to=BOB, subject="x")
    mockmail.faults.pop3("QUIT", drop=True)
    pop = poplib.POP3(*mockmail.pop3.address, timeout=10)
    pop.user(BOB)
    pop.pass_("any")
    pop.dele(1)
    with pytest.raises((poplib.error_proto, OSError)):
        pop.quit()
    pop.close()
    assert len(mockmail.account(BOB).inbox) == 1


def test_a_connection_is_refused(mockmail: MockMail) -> None:
    mockmail.faults.smtp("CONNECT", refuse=True, times=1)
    with pytest.raises((OSError, smtplib.SMTPServerDisconnected)):
        send(mockmail)
    assert send(mockmail) == {}


@pytest.mark.parametrize("protocol", ["smtp", "pop3", "imap"])
def test_a_greeting_is_late_or_never_comes(mockmail: MockMail, protocol: str) -> None:
    add = getattr(mockmail.faults, protocol)
    add("GREETING", delay=0.01, times=1)
    add("GREETING", drop=True, times=1)
    address = mockmail.endpoints[protocol].address
    with socket.create_connection(address, timeout=10) as raw:
        assert raw.recv(100)
    with socket.create_connection(address, timeout=10) as raw:
        with contextlib.suppress(ConnectionResetError):  # cut as hard as the platform can
            assert raw.recv(100) == b""


def test_greylisting_puts_each_recipient_off_once(mockmail: MockMail) -> None:
    mockmail.faults.scenario("greylisting")
    for to in (BOB, "ann@example.test"):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(mockmail, to)
        assert send(mockmail, to) == {}


def test_shutting_down_turns_everybody_away(mockmail: MockMail) -> None:
    mockmail.faults.scenario("shutting-down")
    with pytest.raises(smtplib.SMTPConnectError):
        send(mockmail)
    with socket.create_connection(mockmail.pop3.address, timeout=10) as raw:
        assert raw.makefile("rb").read() == b"-ERR [SYS/TEMP] Service shutting down\r\n"
    with socket.create_connection(mockmail.imap.address, timeout=10) as raw:
        assert raw.makefile("rb").read().startswith(b"* BYE [UNAVAILABLE] Service shutting down\r\n")


def test_a_full_mailbox_takes_nothing(mockmail: MockMail) -> None:
    mockmail.faults.scenario("mailbox-full")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(mockmail)
    imap = imap_as_bob(mockmail)
    assert imap.append("INBOX", None, None, b"Subject: x\r\n\r\n")[0] == "NO"
    imap.logout()
    assert len(mockmail.account(BOB).inbox) == 0


@pytest.mark.parametrize(
    ("protocol", "command", "options", "sentence"),
    [
        ("smtp", "RCTP", {"drop": True}, "smtp has no command or phase 'RCTP'; write one of"),
        ("imap", "FETCH", {}, "does nothing; write reply="),
        ("pop3", "RETR", {"drop": True, "hang": True}, "cannot do both drop and hang"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    mockmail: MockMail, protocol: str, command: str, options: dict, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        getattr(mockmail.faults, protocol)(command, **options)


def test_an_unknown_scenario_names_the_others(mockmail: MockMail) -> None:
    with pytest.raises(ConfigurationError, match="no scenario 'greylist'; write one of greylisting, mailbox-full"):
        mockmail.faults.scenario("greylist")


def test_a_fault_that_never_fired_is_warned_of() -> None:
    with pytest.warns(UnusedFaultWarning, match="'smtp RCPT drop=True' never fired"), MockMail() as mail:
        mail.faults.smtp("RCPT", drop=True)


def test_a_reset_takes_faults_back(mockmail: MockMail) -> None:
    mockmail.faults.smtp("RCPT", drop=True)
    mockmail.reset()
    assert send(mockmail) == {}
