"""Logging in over TLS: what libraries and programs can do there, in both ways that TLS begins."""

from __future__ import annotations

import base64
import hashlib
import hmac
import imaplib
import poplib
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imapclient
import pytest
from scramp import ScramClient

from mockmail import TLS, LoggedIn, LoginFailed, MockMail
from mockmail.server import Endpoint

BOB, PASSWORD = "bob@example.test", "sekrit-pass"
WAYS = ("starttls", "implicit")
PROTOCOLS = ("smtp", "pop3", "imap")

ways = pytest.mark.parametrize("way", WAYS)


def mechanisms(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mechanism", names)


@pytest.fixture(scope="module")
def running() -> Iterator[MockMail]:
    tls = TLS(client_certificate="optional")
    with MockMail(users={BOB: PASSWORD}, tls=tls, require_tls=True, unknown_recipients="create", lmtp_port=0) as mail:
        yield mail


@pytest.fixture
def mail(running: MockMail) -> Iterator[MockMail]:
    """One on which bob alone may log in, over TLS alone; no login to it may show his password."""
    running.reset()
    yield running
    record = str(running.transcript) + "".join(map(repr, running.events))
    assert PASSWORD not in record
    assert base64.b64encode(PASSWORD.encode()).decode() not in record


def endpoint(mail: MockMail, protocol: str, way: str) -> Endpoint:
    return mail.endpoint(f"{protocol}s" if way == "implicit" else protocol)


def secret(mail: MockMail, mechanism: str) -> str:
    return mail.account(BOB).token() if mechanism in ("XOAUTH2", "OAUTHBEARER") else PASSWORD


def assert_logged_in_once(mail: MockMail, protocol: str, mechanism: str) -> None:
    (login,) = mail.events.of(LoggedIn)
    assert (login.protocol, login.account, login.mechanism) == (protocol, BOB, mechanism)
    assert (login.tls is not None, login.password_checked) == (True, True)
    assert mail.events.of(LoginFailed) == []


# Libraries


def connected(mail: MockMail, protocol: str, way: str, context: ssl.SSLContext) -> Any:
    """A client of the standard library, after its handshake."""
    host, port = "localhost", endpoint(mail, protocol, way).port
    client: Any
    if protocol == "smtp":
        client = smtplib.SMTP_SSL(host, port, context=context) if way == "implicit" else smtplib.SMTP(host, port)
        if way == "starttls":
            client.starttls(context=context)
        client.ehlo()
    elif protocol == "pop3":
        client = poplib.POP3_SSL(host, port, context=context) if way == "implicit" else poplib.POP3(host, port)
        if way == "starttls":
            client.stls(context)
    else:
        client = imaplib.IMAP4_SSL(host, port, ssl_context=context) if way == "implicit" else imaplib.IMAP4(host, port)
        if way == "starttls":
            client.starttls(context)
    return client


def authenticate(client: Any, mechanism: str, answer: Callable[[bytes], bytes]) -> None:
    """Log in by a mechanism whose answers ``answer`` gives; poplib has no method for that."""
    if isinstance(client, imaplib.IMAP4):
        client.authenticate(mechanism, answer)
    elif isinstance(client, smtplib.SMTP):
        client.auth(mechanism, lambda challenge=None: answer(challenge or b"").decode(), initial_response_ok=False)
    else:
        reply = client._shortcmd(f"AUTH {mechanism}")
        while reply.startswith(b"+ "):
            reply = client._shortcmd(base64.b64encode(answer(base64.b64decode(reply[2:]))).decode())


def leave(client: Any) -> None:
    (client.logout if isinstance(client, imaplib.IMAP4) else client.quit)()


def answers(mail: MockMail, mechanism: str, binding: tuple[str, bytes] | None = None) -> Callable[[bytes], bytes]:
    """What a client says by this mechanism."""
    token = secret(mail, mechanism)
    if mechanism == "CRAM-MD5":
        return lambda challenge: f"{BOB} {_hmac(challenge)}".encode()
    if mechanism == "LOGIN":
        return lambda challenge: PASSWORD.encode() if challenge.startswith(b"Pass") else BOB.encode()
    said = {
        "PLAIN": f"\0{BOB}\0{PASSWORD}",
        "XOAUTH2": f"user={BOB}\x01auth=Bearer {token}\x01\x01",
        "OAUTHBEARER": f"n,a={BOB},\x01auth=Bearer {token}\x01\x01",
        "EXTERNAL": "",
    }
    if mechanism in said:
        return lambda challenge: said[mechanism].encode()
    other = ScramClient([mechanism], BOB, PASSWORD, channel_binding=binding)

    def answer(challenge: bytes) -> bytes:
        if not challenge:
            return bytes(other.get_client_first(), "ascii")
        if challenge.startswith(b"r="):
            other.set_server_first(challenge.decode())
            return bytes(other.get_client_final(), "ascii")
        other.set_server_final(challenge.decode())  # raises when the server does not know the password
        return b""

    return answer


def _hmac(challenge: bytes) -> str:
    return hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest()


@ways
@pytest.mark.parametrize("protocol", PROTOCOLS)
@mechanisms("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "EXTERNAL")
def test_the_standard_library(mail: MockMail, protocol: str, way: str, mechanism: str) -> None:
    certificate = BOB if mechanism == "EXTERNAL" else False
    client = connected(mail, protocol, way, mail.tls.client_context(certificate=certificate))
    authenticate(client, mechanism, answers(mail, mechanism))
    leave(client)
    assert_logged_in_once(mail, protocol, mechanism)


@ways
@mechanisms("LOGIN", "CRAM-MD5")
def test_the_methods_of_imaplib(mail: MockMail, way: str, mechanism: str) -> None:
    client = connected(mail, "imap", way, mail.tls.client_context())
    (client.login if mechanism == "LOGIN" else client.login_cram_md5)(BOB, PASSWORD)
    client.logout()
    assert_logged_in_once(mail, "imap", mechanism)


@ways
@mechanisms("USER", "APOP")
def test_the_methods_of_poplib(mail: MockMail, way: str, mechanism: str) -> None:
    client = connected(mail, "pop3", way, mail.tls.client_context())
    if mechanism == "USER":
        client.user(BOB)
        client.pass_(PASSWORD)
    else:
        client.apop(BOB, PASSWORD)
    client.quit()
    assert_logged_in_once(mail, "pop3", mechanism)


@ways
@mechanisms("LOGIN", "PLAIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
def test_imapclient(mail: MockMail, way: str, mechanism: str) -> None:
    context = mail.tls.client_context()
    at = endpoint(mail, "imap", way)
    with imapclient.IMAPClient("localhost", at.port, ssl=way == "implicit", ssl_context=context) as client:
        if way == "starttls":
            client.starttls(context)
        if mechanism == "CRAM-MD5":
            client.sasl_login(mechanism, answers(mail, mechanism))
        else:
            methods = {
                "LOGIN": client.login,
                "PLAIN": client.plain_login,
                "XOAUTH2": client.oauth2_login,
                "OAUTHBEARER": client.oauthbearer_login,
            }
            methods[mechanism](BOB, secret(mail, mechanism))
        client.select_folder("INBOX")
    assert_logged_in_once(mail, "imap", mechanism)


# Bound to the channel


@pytest.fixture(scope="module", params=["1.2", "1.3"])
def of_one_version(request: pytest.FixtureRequest) -> Iterator[MockMail]:
    with MockMail(users={BOB: PASSWORD}, tls=TLS(minimum_version=request.param, maximum_version=request.param)) as mail:
        yield mail


@ways
@pytest.mark.parametrize("protocol", PROTOCOLS)
@mechanisms("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS")
def test_scram_is_bound_to_the_certificate(of_one_version: MockMail, protocol: str, way: str, mechanism: str) -> None:
    mail = of_one_version
    mail.reset()
    for certificate, good in ((b"of the man in the middle", False), (None, True)):
        client = connected(mail, protocol, way, mail.tls.client_context())
        sock = client.socket() if protocol == "imap" else client.sock
        # The certificates are signed with SHA-256 (RFC 5929 section 4.1).
        digest = hashlib.sha256(certificate or sock.getpeercert(binary_form=True)).digest()
        answer = answers(mail, mechanism, ("tls-server-end-point", digest))
        if good:
            authenticate(client, mechanism, answer)
        else:
            with pytest.raises((smtplib.SMTPAuthenticationError, poplib.error_proto, imaplib.IMAP4.error)):
                authenticate(client, mechanism, answer)
        leave(client)
    mail.assert_login_failed(protocol=protocol, mechanism=mechanism, account=BOB)
    mail.assert_logged_in(protocol=protocol, mechanism=mechanism, account=BOB)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scram_is_bound_to_a_handshake_of_tls_1_2(protocol: str) -> None:
    with MockMail(users={BOB: PASSWORD}, tls=TLS(maximum_version="1.2")) as mail:
        client = connected(mail, protocol, "starttls", mail.tls.client_context())
        sock = client.socket() if protocol == "imap" else client.sock
        binding = ("tls-unique", sock.get_channel_binding("tls-unique"))
        authenticate(client, "SCRAM-SHA-256-PLUS", answers(mail, "SCRAM-SHA-256-PLUS", binding))
        leave(client)
        assert_logged_in_once(mail, protocol, "SCRAM-SHA-256-PLUS")


# Programs

CURL_REST = {"smtp": ("--mail-from", BOB, "--mail-rcpt", "c@x.test", "-T", "-"), "imap": (), "pop3": ()}
CURL_PATH = {"smtp": "", "pop3": "/1", "imap": "/INBOX;UID=1"}


@pytest.fixture(scope="module")
def curls_server(running: MockMail) -> Iterator[Callable[[str], MockMail]]:
    """By mechanism: curl takes OAUTHBEARER where it may, whatever it is told about mechanisms."""
    hide = {protocol: ["AUTH=OAUTHBEARER"] for protocol in PROTOCOLS}
    with MockMail(running.settings, hide=hide) as without:
        yield lambda mechanism: without if mechanism == "XOAUTH2" else running


@ways
@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        *((name, mechanism) for name in PROTOCOLS for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL")),
        *((name, mechanism) for name in PROTOCOLS for mechanism in ("XOAUTH2", "OAUTHBEARER")),
        ("pop3", "APOP"),
    ],
)
def test_curl(curls_server: Callable, program: Callable, protocol: str, way: str, mechanism: str) -> None:
    mail = curls_server(mechanism)
    mail.reset()
    mail.seed(to=BOB, subject="read it", text="Hello\n")
    tls = ["--ssl-reqd", "--cacert", mail.tls.ca_file]
    if mechanism == "EXTERNAL":
        tls += ["--cert", mail.tls.client_certificate_file(BOB)]
    if mechanism in ("XOAUTH2", "OAUTHBEARER"):
        login = ("-u", f"{BOB}:", "--oauth2-bearer", secret(mail, mechanism))
    else:
        name = "+APOP" if mechanism == "APOP" else mechanism
        password = "" if mechanism == "EXTERNAL" else PASSWORD
        login = ("-u", f"{BOB}:{password}", "--login-options", f"AUTH={name}")
    at = endpoint(mail, protocol, way)
    url = f"{at.protocol}://localhost:{at.port}{CURL_PATH[protocol]}"
    text = b"Subject: sent\r\n\r\nHello\r\n"
    done = program("curl")("-sS", *tls, *login, url, *CURL_REST[protocol], stdin=text)
    assert_logged_in_once(mail, protocol, mechanism)
    if protocol == "smtp":
        mail.assert_delivered(sender=BOB, to="c@x.test", subject="sent")
    else:
        assert b"Subject: read it" in done.stdout


@ways
@mechanisms("LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "*")
def test_mbsync(mail: MockMail, program: Callable, tmp_path: Path, way: str, mechanism: str) -> None:
    mbsync = program("mbsync")
    found = re.search(rb"(\d+)\.(\d+)", mbsync("--version").stdout)
    assert found is not None
    word = "TLSType" if tuple(map(int, found.groups())) >= (1, 5) else "SSLType"
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPStore remote\nHost localhost\nPort {endpoint(mail, 'imap', way).port}\nUser {BOB}\nPass {PASSWORD}\n"
        f"{word} {'IMAPS' if way == 'implicit' else 'STARTTLS'}\nSystemCertificates no\n"
        f"CertificateFile {mail.tls.ca_file}\nAuthMechs {mechanism}\n\n"
        f"MaildirStore local\nPath {tmp_path}/mail/\nInbox {tmp_path}/mail/INBOX\n\n"
        "Channel all\nFar :remote:\nNear :local:\nCreate Near\nSyncState *\n"
    )
    (tmp_path / "mail").mkdir()
    mail.seed(to=BOB, subject="read it", text="Hello\n")
    mbsync("-c", config, "-a")
    assert [b"Subject: read it" in path.read_bytes() for path in (tmp_path / "mail/INBOX").glob("*/*")] == [True]
    (login,) = mail.events.of(LoggedIn)
    assert (login.account, login.tls) == (BOB, "TLSv1.3")
    # It knows which it has, and takes the strongest.
    assert login.mechanism == ("SCRAM-SHA-256" if mechanism == "*" else mechanism)


@ways
@mechanisms("USER", "APOP", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER")
def test_mpop(mail: MockMail, program: Callable, tmp_path: Path, way: str, mechanism: str) -> None:
    (tmp_path / "mbox").touch()
    config = tmp_path / "mpoprc"
    config.write_text(
        f"account default\nhost localhost\nport {endpoint(mail, 'pop3', way).port}\nuser {BOB}\n"
        f"password {secret(mail, mechanism)}\nauth {mechanism.lower()}\ntls on\n"
        f"tls_starttls {'on' if way == 'starttls' else 'off'}\ntls_trust_file {mail.tls.ca_file}\n"
        f"uidls_file {tmp_path}/uidls\ndelivery mbox {tmp_path}/mbox\n"
    )
    config.chmod(0o600)
    mail.seed(to=BOB, subject="read it", text="Hello\n")
    program("mpop")("-C", config)
    assert "Subject: read it" in (tmp_path / "mbox").read_text()
    assert_logged_in_once(mail, "pop3", mechanism)


@ways
def test_msmtp_shows_a_certificate(mail: MockMail, program: Callable, tmp_path: Path, way: str) -> None:
    certificate = mail.tls.client_certificate_file(BOB)
    config = tmp_path / "msmtprc"
    config.write_text(
        f"account default\nhost localhost\nport {endpoint(mail, 'smtp', way).port}\nfrom {BOB}\ntls on\n"
        f"tls_starttls {'on' if way == 'starttls' else 'off'}\ntls_trust_file {mail.tls.ca_file}\n"
        f"tls_cert_file {certificate}\ntls_key_file {certificate}\nauth external\nuser {BOB}\n"
    )
    config.chmod(0o600)
    program("msmtp")("-C", config, "c@x.test", stdin=b"Subject: sent\n\nHello\n")
    mail.assert_delivered(sender=BOB, to="c@x.test", subject="sent")
    assert_logged_in_once(mail, "smtp", "EXTERNAL")


# LMTP


@mechanisms("PLAIN", "LOGIN", "CRAM-MD5")
def test_smtplib_logs_in_by_lmtp(mail: MockMail, mechanism: str) -> None:
    with smtplib.LMTP("localhost", mail.lmtp.port) as client:
        client.starttls(context=mail.tls.client_context())
        client.ehlo()
        client.user, client.password = BOB, PASSWORD
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower().replace("-", "_")))
        client.sendmail(BOB, ["c@x.test"], b"Subject: sent\r\n\r\nHello\r\n")
    mail.assert_delivered(sender=BOB, to="c@x.test", subject="sent")
    assert_logged_in_once(mail, "lmtp", mechanism)


@mechanisms("PLAIN", "LOGIN", "CRAM-MD5")
def test_swaks_logs_in_by_lmtp(mail: MockMail, program: Callable, mechanism: str) -> None:
    program("swaks")(
        *("--protocol", "LMTP", "--server", "127.0.0.1", "--port", mail.lmtp.port, "--from", BOB, "--to", "c@x.test"),
        *("--tls", "--tls-verify", "--tls-ca-path", mail.tls.ca_file, "--header", "Subject: sent"),
        *("--auth", mechanism, "--auth-user", BOB, "--auth-password", PASSWORD),
    )
    mail.assert_delivered(sender=BOB, to="c@x.test", subject="sent")
    assert_logged_in_once(mail, "lmtp", mechanism)


@mechanisms("PLAIN", "SCRAM-SHA-256", "OAUTHBEARER")
def test_msmtp_logs_in_by_lmtp(mail: MockMail, program: Callable, tmp_path: Path, mechanism: str) -> None:
    config = tmp_path / "msmtprc"
    config.write_text(
        f"account default\nprotocol lmtp\nhost localhost\nport {mail.lmtp.port}\nfrom {BOB}\ntls on\n"
        f"tls_trust_file {mail.tls.ca_file}\nauth {mechanism.lower()}\nuser {BOB}\n"
        f"password {secret(mail, mechanism)}\n"
    )
    config.chmod(0o600)
    program("msmtp")("-C", config, "c@x.test", stdin=b"Subject: sent\n\nHello\n")
    mail.assert_delivered(sender=BOB, to="c@x.test", subject="sent")
    assert_logged_in_once(mail, "lmtp", mechanism)
