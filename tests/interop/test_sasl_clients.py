"""Clients that people use, logging in by each mechanism they have."""

import base64
import contextlib
import imaplib
import poplib
import smtplib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import aiosmtplib
import imap_tools
import imapclient
import pytest
from scramp import ScramClient

from mockmail import MockMail
from mockmail.core.events import LoggedIn, LoginFailed

BOB, PASSWORD = "bob@example.test", "sekrit-pass"


@pytest.fixture
def bob(mockmail: MockMail) -> Iterator[MockMail]:
    """A server on which BOB has a password; none of the logins to it may show it."""
    mockmail.add_user(BOB, PASSWORD)
    yield mockmail
    record = str(mockmail.transcript) + "".join(map(repr, mockmail.events))
    assert PASSWORD not in record
    assert base64.b64encode(PASSWORD.encode()).decode() not in record


def last_login(mail: MockMail) -> tuple[str, str, str, bool]:
    event = mail.events.of(LoggedIn)[-1]
    return event.protocol, event.account, event.mechanism, event.password_checked


def why_refused(mail: MockMail) -> str:
    return mail.events.of(LoginFailed)[-1].reason


# SMTP


@pytest.mark.parametrize(("mechanism", "method"), [("CRAM-MD5", "cram_md5"), ("PLAIN", "plain"), ("LOGIN", "login")])
@pytest.mark.parametrize("initial", [True, False])
def test_smtplib(bob: MockMail, mechanism: str, method: str, initial: bool) -> None:
    with smtplib.SMTP(*bob.smtp.address) as client:
        client.ehlo()
        client.user, client.password = BOB, "wrong"
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.auth(mechanism, getattr(client, f"auth_{method}"), initial_response_ok=initial)
        client.password = PASSWORD
        client.auth(mechanism, getattr(client, f"auth_{method}"), initial_response_ok=initial)
    assert last_login(bob) == ("smtp", BOB, mechanism, True)


def test_smtplib_chooses_cram_md5_and_falls_back(bob: MockMail) -> None:
    with smtplib.SMTP(*bob.smtp.address) as client:
        client.login(BOB, PASSWORD)
    assert last_login(bob) == ("smtp", BOB, "CRAM-MD5", True)
    with smtplib.SMTP(*bob.smtp.address) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(BOB, "wrong")
    assert [event.mechanism for event in bob.events.of(LoginFailed)] == ["CRAM-MD5", "PLAIN", "LOGIN"]


@pytest.mark.parametrize("mechanism", ["crammd5", "plain", "login"])
@pytest.mark.asyncio
async def test_aiosmtplib(bob: MockMail, mechanism: str) -> None:
    async with aiosmtplib.SMTP(hostname=bob.smtp.host, port=bob.smtp.port, start_tls=False) as client:
        await client.ehlo()
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await getattr(client, f"auth_{mechanism}")(BOB, "wrong")
        await getattr(client, f"auth_{mechanism}")(BOB, PASSWORD)
    assert last_login(bob)[2] == {"crammd5": "CRAM-MD5"}.get(mechanism, mechanism.upper())


@pytest.mark.asyncio
async def test_aiosmtplib_with_a_token(mockmail: MockMail) -> None:
    account = mockmail.account(BOB)
    token = account.token()
    async with aiosmtplib.SMTP(hostname=mockmail.smtp.host, port=mockmail.smtp.port, start_tls=False) as client:
        await client.ehlo()
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await client.auth_xoauth2(BOB, "made-up")
        await client.auth_xoauth2(BOB, token)
    assert last_login(mockmail) == ("smtp", BOB, "XOAUTH2", True)


# IMAP


def imap(mail: MockMail) -> contextlib.AbstractContextManager[imaplib.IMAP4]:
    return imaplib.IMAP4(*mail.imap.address)


def test_imaplib_cram_md5(bob: MockMail) -> None:
    with imap(bob) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login_cram_md5(BOB, "wrong")
        client.login_cram_md5(BOB, PASSWORD)
    assert last_login(bob) == ("imap", BOB, "CRAM-MD5", True)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_imaplib_scram(bob: MockMail, mechanism: str) -> None:
    other = ScramClient([mechanism], BOB, PASSWORD)

    def answer(challenge: bytes) -> bytes:
        if not challenge:
            return other.get_client_first().encode()
        if challenge.startswith(b"r="):
            other.set_server_first(challenge.decode())
            return other.get_client_final().encode()
        other.set_server_final(challenge.decode())  # raises when the server does not know the password
        return b""

    with imap(bob) as client:
        assert f"AUTH={mechanism}" in client.capabilities
        client.authenticate(mechanism, answer)
    assert last_login(bob) == ("imap", BOB, mechanism, True)


def test_a_token_is_used_up_and_renewed(mockmail: MockMail) -> None:
    account = mockmail.account(BOB)

    def log_in(token: str) -> None:
        message = f"user={BOB}\x01auth=Bearer {token}\x01\x01".encode()
        with imap(mockmail) as client:
            client.authenticate("XOAUTH2", lambda challenge: b"" if challenge else message)

    log_in("any, while none was issued")
    assert last_login(mockmail) == ("imap", BOB, "XOAUTH2", False)
    first = account.token(expires_in=60)
    log_in(first)
    assert last_login(mockmail) == ("imap", BOB, "XOAUTH2", True)
    mockmail.clock.shift(timedelta(minutes=2))
    with pytest.raises(imaplib.IMAP4.error):
        log_in(first)
    assert "expired" in why_refused(mockmail)
    second = account.token()
    log_in(second)
    account.revoke(second)
    with pytest.raises(imaplib.IMAP4.error):
        log_in(second)
    assert "revoked" in why_refused(mockmail)
    for token in (first, second):
        assert token not in str(mockmail.transcript)
        assert token not in "".join(map(repr, mockmail.events))


@contextlib.contextmanager
def imapclient_of(mail: MockMail) -> Iterator[imapclient.IMAPClient]:
    client = imapclient.IMAPClient(*mail.imap.address, ssl=False)
    try:
        yield client
    finally:
        client.logout()


def test_imapclient_by_password(bob: MockMail) -> None:
    with imapclient_of(bob) as client:
        with pytest.raises(imapclient.exceptions.LoginError):
            client.plain_login(BOB, "wrong")
        client.plain_login(BOB, PASSWORD)
    assert last_login(bob) == ("imap", BOB, "PLAIN", True)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_imapclient_by_token(mockmail: MockMail, mechanism: str) -> None:
    token = mockmail.account(BOB).token()
    with imapclient_of(mockmail) as client:
        login = client.oauth2_login if mechanism == "XOAUTH2" else client.oauthbearer_login
        with pytest.raises(imapclient.exceptions.LoginError):
            login(BOB, "made-up")
        login(BOB, token)
        client.select_folder("INBOX")
    assert last_login(mockmail) == ("imap", BOB, mechanism, True)


def test_imapclient_names_a_vendor(mockmail: MockMail) -> None:
    with imapclient_of(mockmail) as client:
        client.oauth2_login(BOB, mockmail.account(BOB).token(), vendor="acme")
    assert last_login(mockmail)[2] == "XOAUTH2"


def test_imap_tools_by_token(mockmail: MockMail) -> None:
    token = mockmail.account(BOB).token()
    host, port = mockmail.imap.address
    with imap_tools.MailBoxUnencrypted(host, port).xoauth2(BOB, token) as box:
        assert list(box.fetch()) == []
    assert last_login(mockmail) == ("imap", BOB, "XOAUTH2", True)


# POP3


def test_poplib_apop(bob: MockMail) -> None:
    client = poplib.POP3(*bob.pop3.address)
    with pytest.raises(poplib.error_proto):
        client.apop(BOB, "wrong")
    client.apop(BOB, PASSWORD)
    client.quit()
    assert last_login(bob) == ("pop3", BOB, "APOP", True)


def test_poplib_by_token_as_recipes_do_it(mockmail: MockMail) -> None:
    client = poplib.POP3(*mockmail.pop3.address)
    assert "XOAUTH2" in client.capa()["SASL"]
    message = f"user={BOB}\x01auth=Bearer {mockmail.account(BOB).token()}\x01\x01".encode()
    assert client._shortcmd("AUTH XOAUTH2") == b"+ "
    assert client._shortcmd(base64.b64encode(message).decode()).startswith(b"+OK")
    client.quit()
    assert last_login(mockmail) == ("pop3", BOB, "XOAUTH2", True)


# Programs

READ = {"smtp": (), "imap": ("-X", "NOOP"), "pop3": ("-X", "NOOP", "--head")}


def curl_arguments(mail: MockMail, protocol: str) -> tuple[str, ...]:
    if protocol == "smtp":
        return (mail.smtp.url, "--mail-from", BOB, "--mail-rcpt", "c@x.test", "-T", "-")
    return (f"{getattr(mail, protocol).url}/", *READ[protocol])


@pytest.mark.parametrize("protocol", READ)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_curl_by_password(bob: MockMail, program: Callable, protocol: str, mechanism: str) -> None:
    login = ("--login-options", f"AUTH={mechanism}", "-sS", *curl_arguments(bob, protocol))
    curl = program("curl")
    curl("-u", f"{BOB}:wrong", *login, ok=(67,), stdin=b"Subject: x\r\n\r\n")
    curl("-u", f"{BOB}:{PASSWORD}", *login, stdin=b"Subject: x\r\n\r\n")
    assert last_login(bob) == (protocol, BOB, mechanism, True)


ONLY_XOAUTH2 = pytest.mark.mockmail(hide={protocol: ["AUTH=OAUTHBEARER"] for protocol in READ})


@pytest.mark.parametrize("protocol", READ)
@pytest.mark.parametrize("mechanism", [pytest.param("XOAUTH2", marks=ONLY_XOAUTH2), "OAUTHBEARER"])
@pytest.mark.parametrize("initial", [True, False])
def test_curl_by_token(mockmail: MockMail, program: Callable, protocol: str, mechanism: str, initial: bool) -> None:
    # curl takes OAUTHBEARER where it may, whatever it is told about mechanisms.
    token = mockmail.account(BOB).token()
    login = ("-u", f"{BOB}:", *(("--sasl-ir",) if initial else ()), "-sS")
    curl = program("curl")
    rest = curl_arguments(mockmail, protocol)
    curl(*login, "--oauth2-bearer", "made-up", *rest, ok=(67,), stdin=b"Subject: x\r\n\r\n")
    assert "never issued" in why_refused(mockmail)
    curl(*login, "--oauth2-bearer", token, *rest, stdin=b"Subject: x\r\n\r\n")
    assert last_login(mockmail) == (protocol, BOB, mechanism, True)
    assert token not in str(mockmail.transcript)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_msmtp_by_password(bob: MockMail, program: Callable, tmp_path: Path, mechanism: str) -> None:
    send_by_msmtp(bob, program, tmp_path, mechanism.lower(), PASSWORD)
    assert last_login(bob) == ("smtp", BOB, mechanism, True)
    send_by_msmtp(bob, program, tmp_path, mechanism.lower(), "wrong", ok=(77,))
    assert why_refused(bob) == f"the password of {BOB!r} is wrong"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_msmtp_by_token(mockmail: MockMail, program: Callable, tmp_path: Path, mechanism: str) -> None:
    send_by_msmtp(mockmail, program, tmp_path, mechanism.lower(), mockmail.account(BOB).token())
    assert last_login(mockmail) == ("smtp", BOB, mechanism, True)
    send_by_msmtp(mockmail, program, tmp_path, mechanism.lower(), "made-up", ok=(77,))
    assert "never issued" in why_refused(mockmail)


def send_by_msmtp(
    mail: MockMail, program: Callable, tmp_path: Path, method: str, secret: str, *, ok: tuple[int, ...] = (0,)
) -> None:
    config = tmp_path / "msmtprc"
    host, port = mail.smtp.address
    config.write_text(
        f"account default\nhost {host}\nport {port}\ntls off\nfrom {BOB}\n"
        f"auth {method}\nuser {BOB}\npassword {secret}\n"
    )
    config.chmod(0o600)
    program("msmtp")("-C", config, "c@x.test", ok=ok, stdin=b"Subject: x\n\nHi.\n")
