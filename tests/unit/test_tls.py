import itertools

import pytest

from mockmail import TLS, ConfigurationError, MockMail, NotRunningError
from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.imap import session as imap_session
from mockmail.imap.session import ImapSession
from mockmail.pop3.session import Pop3Session
from mockmail.smtp.session import SmtpSession
from mockmail.wire.contract import SLICE_BYTES, Link, StartTLS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("on", True),
        ("false", False),
        ("", False),
        ("certificate=expired,starttls=hide", TLS(certificate="expired", starttls="hide")),
        ("Minimum-Version=1.3", TLS(minimum_version="1.3")),
        (" client_certificate = required ", TLS(client_certificate="required")),
    ],
)
def test_text_forms(text, value):
    assert Settings().updated_from_texts({"tls": text}).tls == value


def test_the_text_of_what_differs_reads_back():
    assert str(TLS()) == "true"
    tls = TLS(certificate="self-signed", maximum_version="1.2")
    assert str(tls) == "certificate=self-signed,maximum_version=1.2"
    assert TLS.from_text(str(tls)) == tls


@pytest.mark.parametrize("text", ["maybe", "certificate", "certificat=expired", "certificate=old", "starttls="])
def test_text_that_cannot_be_read(text):
    with pytest.raises(ConfigurationError, match=f"tls is '{text}', which cannot be read: .*write"):
        Settings().updated_from_texts({"tls": text})


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"certificate": "old"}, "certificate of TLS is 'old'; write one of 'valid', 'expired', 'not-yet-valid',"),
        ({"starttls": True}, "starttls of TLS is True; write one of 'offer', 'hide', 'refuse', 'fail'"),
        ({"minimum_version": "1.1"}, "minimum_version of TLS is '1.1'; write one of '1.2', '1.3'"),
        ({"minimum_version": "1.3", "maximum_version": "1.2"}, "minimum_version of TLS is '1.3', above"),
        ({"client_certificate": "yes"}, "client_certificate of TLS is 'yes'"),
    ],
)
def test_wrong_values(values, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        TLS(**values)


def test_a_setting_that_is_neither_truth_nor_tls():
    with pytest.raises(ConfigurationError, match=r"tls is 'expired'; write True, or TLS\(certificate='expired'\)"):
        Settings(tls="expired")


def test_ports_follow_tls():
    plain, secure = Settings(), Settings(tls=True)
    assert [plain.port(f"{name}s") for name in ("smtp", "pop3", "imap")] == [None] * 3
    assert [secure.port(f"{name}s") for name in ("smtp", "pop3", "imap")] == [0] * 3
    assert Settings(tls=True, imaps_port=None, smtps_port=1465).port("imaps") is None
    assert Settings().updated_from_texts({"tls": "true", "smtps_port": "1465"}).port("smtps") == 1465
    with pytest.raises(ConfigurationError, match="smtp_port is 'auto'; write a number"):
        Settings(smtp_port="auto")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"require_tls": True}, "require_tls is True, but TLS is off, so nobody could log in; write tls=True too"),
        ({"pop3s_port": 0}, "pop3s_port is 0, but TLS is off; write tls=True too"),
    ],
)
def test_what_needs_tls_says_so_at_start(settings, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        MockMail(**settings).start()


def test_endpoints_by_name():
    with MockMail(tls=True, smtps_port=None) as mail:
        assert list(mail.endpoints) == ["smtp", "pop3", "imap", "pop3s", "imaps"]
        assert mail.imaps.url == f"imaps://127.0.0.1:{mail.imaps.port}"
        assert mail.pop3s.protocol == "pop3s"
        with pytest.raises(NotRunningError, match="smtps is not started: set smtps_port=0"):
            _ = mail.smtps
    with MockMail() as mail:
        with pytest.raises(NotRunningError, match="smtps is not started, because TLS is off: set tls=True"):
            _ = mail.smtps
        with pytest.raises(ConfigurationError, match=r"TLS is off, so there are no certificates; write MockMail\(tls"):
            _ = mail.tls.ca_file


def test_hand_overs():
    with MockMail(tls=True) as mail:
        env = mail.settings_for.env("APP_")
        assert env["SSL_CERT_FILE"] == mail.tls.ca_file
        assert env["APP_SMTPS_URL"] == mail.smtps.url
        flask = mail.settings_for.flask_mail(security="starttls")
        assert (flask["MAIL_PORT"], flask["MAIL_USE_TLS"], flask["MAIL_USE_SSL"]) == (mail.smtp.port, True, False)
        mailman = mail.settings_for.flask_mailman(security="tls")
        assert (mailman["MAIL_PORT"], mailman["MAIL_USE_TLS"], mailman["MAIL_USE_SSL"]) == (
            mail.smtps.port,
            False,
            True,
        )
        fastapi = mail.settings_for.fastapi_mail(security="tls")
        assert (fastapi["MAIL_SSL_TLS"], fastapi["VALIDATE_CERTS"]) == (True, True)
        assert fastapi["CERT_BUNDLE"] == mail.tls.ca_file
        assert "CERT_BUNDLE" not in mail.settings_for.fastapi_mail()
        django = mail.settings_for.django(security="tls")
        assert str(mail.smtps.port) in repr(django)
        with pytest.raises(ConfigurationError, match="security is 'ssl'; write 'starttls', 'tls', or None"):
            mail.settings_for.django(security="ssl")
    with MockMail(tls=True, require_tls=True) as mail:
        assert mail.settings_for.flask_mail()["MAIL_USE_TLS"] is True
    with MockMail() as mail:
        assert "SSL_CERT_FILE" not in mail.settings_for.env()
        with pytest.raises(ConfigurationError, match="security is 'tls', but TLS is off; start the server with tls=T"):
            mail.settings_for.flask_mail(security="tls")


@pytest.mark.parametrize("limit_bytes", [1, SLICE_BYTES])
@pytest.mark.parametrize(
    ("protocol", "session_of", "command"),
    [
        ("smtp", SmtpSession, b"EHLO c.test\r\nSTARTTLS\r\n"),
        ("lmtp", SmtpSession, b"LHLO c.test\r\nSTARTTLS\r\n"),
        ("pop3", Pop3Session, b"STLS\r\n"),
        ("imap", ImapSession, b"t STARTTLS\r\n"),
    ],
)
def test_the_handshake_comes_in_one_pull_with_the_reply_that_grants_it(
    protocol, session_of, command, limit_bytes, monkeypatch
):
    """Between two pulls a connection may read, and what it reads then is the client's first words of TLS."""
    seconds = itertools.count()
    monkeypatch.setattr(imap_session, "perf_counter", lambda: float(next(seconds)))  # each step is slow
    session = session_of(Link(protocol, f"{protocol}-1"), World(Settings(tls=True)))
    session.greeting()
    session.receive(command)
    pulls = [session.outgoing(limit_bytes)]
    while session.busy:
        pulls.append(session.outgoing(limit_bytes))
    reply, action = pulls[-1]
    assert reply.endswith(b"\r\n")
    assert isinstance(action, StartTLS)
