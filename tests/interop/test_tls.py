"""TLS as clients meet it: the standard library's, and curl."""

import contextlib
import imaplib
import poplib
import shutil
import smtplib
import ssl
import subprocess

import pytest

from mockmail import TLS, LoggedIn, MockMail, TLSFailed, TLSStarted

BOB = "bob@example.test"
SECONDS = 10.0
PROTOCOLS = ("smtp", "pop3", "imap")
MODES = ("starttls", "implicit")
BAD = ("expired", "not-yet-valid", "wrong-host", "untrusted", "self-signed")


def closing(close):
    """Close a client whose handshake failed: some have lost their socket by then."""

    def closed():
        with contextlib.suppress(OSError):
            close()

    return closed


def connected(mail, protocol, mode, context, host="localhost"):
    """A client of the standard library, after its handshake."""
    with contextlib.ExitStack() as stack:
        if mode == "implicit":
            port = mail.endpoint(f"{protocol}s").port
            if protocol == "smtp":
                return smtplib.SMTP_SSL(host, port, context=context, timeout=SECONDS)
            if protocol == "pop3":
                return poplib.POP3_SSL(host, port, context=context, timeout=SECONDS)
            return imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=SECONDS)
        port = mail.endpoint(protocol).port
        if protocol == "smtp":
            client = smtplib.SMTP(host, port, timeout=SECONDS)
            stack.callback(closing(client.close))
            client.starttls(context=context)
        elif protocol == "pop3":
            client = poplib.POP3(host, port, timeout=SECONDS)
            stack.callback(closing(client.close))
            client.stls(context=context)
        else:
            client = imaplib.IMAP4(host, port, timeout=SECONDS)
            stack.callback(closing(client.shutdown))
            client.starttls(ssl_context=context)
        stack.pop_all()
        return client


def log_in(client):
    """Log in, do something, and leave."""
    if isinstance(client, smtplib.SMTP):
        client.login(BOB, "secret")
        client.sendmail("a@else.test", [BOB], b"Subject: hidden\r\n\r\nx\r\n")
        client.quit()
    elif isinstance(client, poplib.POP3):
        client.user(BOB)
        client.pass_("secret")
        client.stat()
        client.quit()
    else:
        client.login(BOB, "secret")
        client.select()
        client.logout()


def unverifying():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.fixture(scope="module")
def mail():
    with MockMail(users={BOB: "secret"}, tls=True) as running:
        yield running


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_verifying_client_is_served(mail, protocol, mode, host):
    mail.reset()
    log_in(connected(mail, protocol, mode, mail.tls.client_context(), host))
    (started,) = mail.events.of(TLSStarted)
    (login,) = mail.events.of(LoggedIn)
    assert (started.protocol, started.version, started.implicit) == (protocol, "TLSv1.3", mode == "implicit")
    assert started.session == login.session
    assert login.tls == "TLSv1.3"
    assert started.cipher
    assert started.client_certificate is None
    assert mail.events.of(TLSFailed) == []
    assert "TLS started (TLSv1.3" in str(mail.transcript)
    if protocol == "smtp":
        assert b"with ESMTPSA" in mail.assert_delivered(to=BOB, subject="hidden").raw


@pytest.fixture(scope="module", params=BAD)
def bad(request):
    with MockMail(users={BOB: "secret"}, tls=TLS(certificate=request.param)) as running:
        yield running


REASONS = {
    "expired": ("certificate has expired", "certificate expired"),
    "not-yet-valid": ("certificate is not yet valid", "bad certificate"),
    "wrong-host": ("certificate is not valid for 'localhost'", "bad certificate"),
    "untrusted": ("unable to get local issuer certificate", "unknown ca"),
    "self-signed": ("self-signed certificate", "unknown ca"),
}
"""What Python says of a certificate, and what it tells the server."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
# imaplib and poplib leave the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_bad_certificate_is_refused_by_who_verifies_alone(bad, protocol, mode):
    bad.reset()
    complaint, alert = REASONS[bad.settings.tls.certificate]
    with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
        connected(bad, protocol, mode, bad.tls.client_context())
    failed = bad.assert_tls_refused(protocol=protocol)
    assert (failed.reason, failed.by_client, failed.implicit) == (alert, True, mode == "implicit")
    assert f"TLS handshake failed: {alert}, said the client" in str(bad.transcript)
    assert bad.events.of(LoggedIn) == []
    log_in(connected(bad, protocol, mode, unverifying()))
    bad.assert_logged_in(account=BOB, protocol=protocol, tls=True)


CURL = shutil.which("curl")


def curl(mail, protocol, mode, *options):
    endpoint = mail.endpoint(f"{protocol}s" if mode == "implicit" else protocol)
    command = [CURL, "--silent", "--show-error", "--ssl-reqd", "--max-time", "10", "--user", f"{BOB}:secret"]
    command += [*options, f"{endpoint.protocol}://localhost:{endpoint.port}"]
    if protocol == "smtp":
        command += ["--mail-from", "a@else.test", "--mail-rcpt", BOB, "--upload-file", "-"]
    return subprocess.run(command, input=b"Subject: curl\r\n\r\nx\r\n", capture_output=True, timeout=30, check=False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_curl_is_served(mail, protocol, mode):
    assert CURL is not None, "the tests need curl"
    mail.reset()
    done = curl(mail, protocol, mode, "--cacert", mail.tls.ca_file)
    assert (done.returncode, done.stderr) == (0, b"")
    mail.assert_logged_in(account=BOB, protocol=protocol, tls="TLSv1.3")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_curl_refuses_bad_certificates_unless_told_not_to_look(bad, protocol, mode):
    bad.reset()
    refused = curl(bad, protocol, mode, "--cacert", bad.tls.ca_file)
    assert refused.returncode == 60, refused.stderr  # peer certificate cannot be authenticated
    bad.assert_tls_refused(protocol=protocol)
    assert bad.events.of(LoggedIn) == []
    done = curl(bad, protocol, mode, "--insecure")
    assert (done.returncode, done.stderr) == (0, b"")
    bad.assert_logged_in(account=BOB, protocol=protocol, tls=True)
