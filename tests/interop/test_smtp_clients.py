"""Programs and libraries that send: whole jobs by SMTP and LMTP, with each login and mode of TLS that they have."""

from __future__ import annotations

import asyncio
import collections
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from mockmail import MockMail
from mockmail.core.events import LoggedIn
from mockmail.server import Endpoint

BOB = "bob@example.test"
ANN = "ann@example.test"
PASSWORD = "secret"
MODES = ("plain", "starttls", "tls")

mode = pytest.mark.parametrize("mode", MODES)


def mechanisms(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mechanism", names)


@pytest.fixture
def server(mockmail_factory: Callable[..., MockMail], mode: str) -> MockMail:
    """One that takes mail only from bob."""
    tls = {} if mode == "plain" else {"tls": True}
    return mockmail_factory(users={BOB: PASSWORD}, require_auth=True, unknown_recipients="create", **tls)


def endpoint(server: MockMail, mode: str) -> Endpoint:
    return server.endpoint("smtps" if mode == "tls" else "smtp")


def authority(server: MockMail, mode: str) -> str:
    return "" if mode == "plain" else str(server.tls.ca_file)


def secret(server: MockMail, mechanism: str) -> str:
    """A password, or a token for what takes tokens."""
    return server.account(BOB).token() if mechanism in ("XOAUTH2", "OAUTHBEARER") else PASSWORD


def assert_sent(server: MockMail, mode: str, mechanism: str, subject: str) -> None:
    """One message, by one login with this mechanism, over TLS or not."""
    message = server.assert_delivered(sender=BOB, to=ANN, subject=subject)
    assert message.find("Hello") == "Hello"
    (login,) = server.events.of(LoggedIn)
    assert (login.account, login.mechanism, login.tls is not None) == (BOB, mechanism, mode != "plain")
    assert PASSWORD not in str(server.transcript)
    server.assert_no_protocol_errors()


def new_message(subject: str, text: str = "Hello\n.dots\n..too\n") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = BOB, ANN, subject
    message.set_content(text)
    return message


# smtplib


@mode
@mechanisms("PLAIN", "LOGIN", "CRAM-MD5")
def test_smtplib_logs_in_and_sends(server: MockMail, mode: str, mechanism: str) -> None:
    context = server.tls.client_context() if mode != "plain" else None
    to = endpoint(server, mode)
    connect = smtplib.SMTP_SSL(*to.address, context=context) if mode == "tls" else smtplib.SMTP(*to.address)
    with connect as client:
        if mode == "starttls":
            client.starttls(context=context)
        client.ehlo()
        client.user, client.password = BOB, PASSWORD
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower().replace("-", "_")))
        client.send_message(new_message("by smtplib"))
    assert_sent(server, mode, mechanism, "by smtplib")


def test_smtplib_asks_for_reports(mockmail: MockMail) -> None:
    with smtplib.SMTP(*mockmail.smtp.address) as client:
        client.ehlo()
        assert client.has_extn("dsn")
        refused = client.sendmail(
            BOB,
            [ANN, "nobody"],
            b"Subject: reports\r\n\r\n",
            mail_options=["RET=HDRS", "ENVID=QQ+2B1"],
            rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Ann@Example.Test"],
        )
    assert list(refused) == ["nobody"]
    envelope = mockmail.assert_delivered(to=ANN, subject="reports").envelope
    # The lower-case size is smtplib's own.
    options = {name: value for name, value in envelope.mail_options.items() if name != "size"}
    assert options == {"RET": "HDRS", "ENVID": "QQ+2B1"}
    assert envelope.rcpt_options == {ANN: {"NOTIFY": "SUCCESS,DELAY", "ORCPT": "rfc822;Ann@Example.Test"}}


def test_smtplib_sends_to_addresses_in_any_script(mockmail: MockMail) -> None:
    message = new_message("Grüße", "Hello\n")
    del message["To"]
    message["To"] = "用户@例子.测试"
    with smtplib.SMTP(*mockmail.smtp.address) as client:
        assert client.send_message(message) == {}
    delivered = mockmail.assert_delivered(to="用户@例子.测试", subject="Grüße")
    assert {name.upper() for name in delivered.envelope.mail_options} >= {"SMTPUTF8", "BODY"}


def test_smtplib_sends_much(mockmail: MockMail) -> None:
    text = "Hello " + ".\r\n..\r\n" * 2_000_000
    raw = f"Subject: much\r\n\r\n{text}".encode()
    with smtplib.SMTP(*mockmail.smtp.address) as client:
        client.sendmail(BOB, [ANN], raw)
    assert mockmail.assert_delivered(to=ANN, subject="much").original == raw


def test_a_pipelining_client_sends_in_three_pieces(mockmail: MockMail) -> None:
    with smtplib.SMTP(*mockmail.smtp.address) as client:
        client.ehlo()
        assert client.has_extn("pipelining")
        client.send(f"MAIL FROM:<{BOB}>\r\nRCPT TO:<{ANN}>\r\nRCPT TO:<bad\r\nDATA\r\n".encode())
        assert [client.getreply()[0] for _ in range(4)] == [250, 250, 501, 354]
        client.send(b"Subject: in pieces\r\n\r\n.\r\nNOOP\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [250, 250]
    mockmail.assert_delivered(to=ANN, subject="in pieces")


# aiosmtplib


@mode
@mechanisms("PLAIN", "LOGIN", "CRAM-MD5")
def test_aiosmtplib_logs_in_and_sends(server: MockMail, mode: str, mechanism: str) -> None:
    async def send() -> None:
        to = endpoint(server, mode)
        context = server.tls.client_context() if mode != "plain" else None
        client = aiosmtplib.SMTP(
            hostname=to.host, port=to.port, use_tls=mode == "tls", start_tls=mode == "starttls", tls_context=context
        )
        async with client:
            transport = client.transport
            await client.ehlo()
            log_in = getattr(client, "auth_" + mechanism.lower().replace("-", ""))
            await log_in(BOB, PASSWORD)
            await client.send_message(new_message("by aiosmtplib"))
        # It closes without waiting for the end of TLS: a loop that ends before that would leave the socket open.
        assert transport is not None
        transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(send())
    assert_sent(server, mode, mechanism, "by aiosmtplib")


def test_aiosmtplib_does_the_rest(mockmail: MockMail) -> None:
    async def send() -> None:
        to = mockmail.smtp
        async with aiosmtplib.SMTP(hostname=to.host, port=to.port, start_tls=False) as client:
            await client.sendmail(
                BOB,
                [ANN],
                b"Subject: reports\r\n\r\n",
                mail_options=["RET=FULL"],
                rcpt_options=["NOTIFY=NEVER"],
            )
            message = new_message("Grüße")
            await client.send_message(message, recipients=["jürgen@bücher.test"])
            assert (await client.vrfy(ANN)).code == 252
            with pytest.raises(aiosmtplib.SMTPResponseException, match="not a mailing list"):
                await client.expn(ANN)
            assert (await client.noop()).code == 250
            assert "BDAT" in await client.help()
            big = new_message("much", "x" * 70 + "\n")
            big.set_content("Hello\n" * 500_000)
            await client.send_message(big)

    asyncio.run(send())
    reports = mockmail.assert_delivered(to=ANN, subject="reports")
    assert reports.envelope.rcpt_options == {ANN: {"NOTIFY": "NEVER"}}
    mockmail.assert_delivered(to="jürgen@bücher.test", subject="Grüße")
    assert mockmail.assert_delivered(to=ANN, subject="much").text.count("Hello") == 500_000


# LMTP


@pytest.fixture
def lmtp(mockmail_factory: Callable[..., MockMail]) -> MockMail:
    return mockmail_factory(lmtp_port=0, domains=["example.test"], smtp_port=None)


def test_smtplib_speaks_lmtp(lmtp: MockMail) -> None:
    assert lmtp.lmtp.url == f"lmtp://127.0.0.1:{lmtp.lmtp.port}"
    with smtplib.LMTP(*lmtp.lmtp.address) as client:
        refused = client.sendmail(BOB, [ANN, "x@else.test", BOB], b"Subject: by lmtp\r\n\r\nHello\r\n")
        # It knows of one reply alone; the other waits.
        assert client.getreply()[1].startswith(b"2.6.0")
    assert list(refused) == ["x@else.test"]
    message = lmtp.assert_delivered(to=[ANN, BOB], subject="by lmtp")
    assert b"with LMTP id" in message.raw
    assert [len(lmtp.account(address).inbox) for address in (ANN, BOB)] == [1, 1]
    assert {command.protocol for command in lmtp.commands()} == {"lmtp"}


def test_one_recipient_fails_at_delivery(lmtp: MockMail) -> None:
    full = lmtp.faults.lmtp("MESSAGE", reply="452 4.2.2 Mailbox full", to=BOB)
    odd = lmtp.faults.lmtp("MESSAGE", garble=True, to="odd@example.test")
    with smtplib.LMTP(*lmtp.lmtp.address) as client:
        client.sendmail(ANN, [ANN, BOB], b"Subject: by halves\r\n\r\n")
        assert client.getreply() == (452, b"4.2.2 Mailbox full")
        client.rset()
        # Garbage for one of the recipients is garbage for the answers to all, which go out together.
        with pytest.raises(smtplib.SMTPResponseException):
            client.sendmail(ANN, ["odd@example.test", ANN], b"Subject: garbled\r\n\r\n")
        client.close()
    assert (full.hits, odd.hits) == (1, 1)
    assert lmtp.assert_delivered(subject="by halves").recipients == (ANN,)
    lmtp.assert_rejected(to=BOB, code=452)
    lmtp.assert_delivered(subject="garbled", to=["odd@example.test", ANN])


def test_no_client_finds_smtp_where_lmtp_is(lmtp: MockMail) -> None:
    with pytest.raises(smtplib.SMTPHeloError), smtplib.SMTP(*lmtp.lmtp.address) as client:
        client.sendmail(BOB, [ANN], b"Subject: no\r\n\r\n")
    lmtp.assert_not_delivered()


# Programs


@mode
@mechanisms("PLAIN", "LOGIN", "CRAM-MD5")
def test_swaks_sends(server: MockMail, mode: str, mechanism: str, program: Callable) -> None:
    to = endpoint(server, mode)
    secure = {"plain": [], "starttls": ["--tls"], "tls": ["--tls-on-connect"]}[mode]
    if mode != "plain":
        secure += ["--tls-verify", "--tls-ca-path", authority(server, mode)]
    program("swaks")(
        *("--server", to.host, "--port", to.port, "--from", BOB, "--to", ANN, *secure),
        *("--auth", mechanism, "--auth-user", BOB, "--auth-password", PASSWORD),
        *("--header", "Subject: by swaks", "--body", "Hello"),
    )
    assert_sent(server, mode, mechanism, "by swaks")


def test_swaks_speaks_lmtp(lmtp: MockMail, program: Callable) -> None:
    to = lmtp.lmtp
    arguments = ("--protocol", "LMTP", "--server", to.host, "--port", to.port, "--from", BOB)
    program("swaks")(*arguments, "--to", f"{ANN},{BOB}", "--header", "Subject: by swaks", "--body", "Hello")
    lmtp.assert_delivered(to=[ANN, BOB], subject="by swaks")


@mode
@mechanisms("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER")
def test_msmtp_sends(server: MockMail, mode: str, mechanism: str, program: Callable, tmp_path: Path) -> None:
    to = endpoint(server, mode)
    secure = {"plain": "tls off", "starttls": "tls on\ntls_starttls on", "tls": "tls on\ntls_starttls off"}[mode]
    if mode != "plain":
        secure += f"\ntls_trust_file {authority(server, mode)}"
    config = tmp_path / "msmtprc"
    config.write_text(
        f"account default\nhost {to.host}\nport {to.port}\nfrom {BOB}\n{secure}\n"
        f"auth {mechanism.lower()}\nuser {BOB}\npassword {secret(server, mechanism)}\n"
    )
    config.chmod(0o600)
    text = b"From: bob@example.test\nTo: ann@example.test\nSubject: by msmtp\n\nHello\n.dot\n"
    program("msmtp")("-C", config, "--dsn-notify=success,failure", "--dsn-return=headers", ANN, stdin=text)
    assert_sent(server, mode, mechanism, "by msmtp")
    envelope = server.messages[0].envelope
    assert (envelope.mail_options["RET"], envelope.rcpt_options[ANN]["NOTIFY"]) == ("HDRS", "SUCCESS,FAILURE")


def test_msmtp_speaks_lmtp(lmtp: MockMail, program: Callable) -> None:
    to = lmtp.lmtp
    where = ("--protocol=lmtp", f"--host={to.host}", f"--port={to.port}", "--file=/dev/null", f"--from={BOB}")
    program("msmtp")(*where, ANN, BOB, stdin=b"Subject: by msmtp\n\nHello\n")
    lmtp.assert_delivered(to=[ANN, BOB], subject="by msmtp")


@pytest.mark.parametrize(
    ("mode", "mechanism"),
    [
        (mode, mechanism)
        for mode in MODES
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2")
        if mode != "plain" or mechanism != "XOAUTH2"  # it gives a token away over TLS alone
    ],
)
def test_s_nail_sends(server: MockMail, mode: str, mechanism: str, program: Callable) -> None:
    to = endpoint(server, mode)
    scheme = "smtps" if mode == "tls" else "smtp"
    user, password = BOB.replace("@", "%40"), secret(server, mechanism)
    login = "oauthbearer" if mechanism == "XOAUTH2" else mechanism.lower()  # its name for it
    settings = [f"mta={scheme}://{user}:{password}@localhost:{to.port}", f"smtp-auth={login}"]
    if mode == "starttls":
        settings.append("smtp-use-starttls")
    if mode != "plain":
        settings += [f"tls-ca-file={authority(server, mode)}", "tls-ca-no-defaults", "tls-verify=strict"]
    options = [word for setting in settings for word in ("-S", setting)]
    where = ("-S", f"from={BOB}", "-S", "hostname=localhost", "-S", "v15-compat", "-S", "DEAD=/dev/null")
    program("s-nail")("-:/", *where, *options, "-s", "by s-nail", ANN, stdin=b"Hello\n")
    assert_sent(server, mode, mechanism, "by s-nail")


@mode
@mechanisms("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2")
def test_nodemailer_sends(server: MockMail, mode: str, mechanism: str, nodemailer: Callable) -> None:
    to = endpoint(server, mode)
    auth = {"type": "login", "user": BOB, "pass": PASSWORD}
    if mechanism == "XOAUTH2":
        auth = {"type": "OAuth2", "user": BOB, "accessToken": secret(server, mechanism)}
    transport = {"host": to.host, "port": to.port, "secure": mode == "tls", "auth": auth, "authMethod": mechanism}
    transport |= {"requireTLS": True} if mode == "starttls" else {}
    message = {"from": BOB, "to": ANN, "subject": "by nodemailer", "text": "Hello", "html": "<b>Hello</b>"}
    message["dsn"] = {"id": "id 1", "return": "headers", "notify": ["success", "delay"], "recipient": ANN}
    environ = {} if mode == "plain" else {"NODE_EXTRA_CA_CERTS": authority(server, mode)}
    info = nodemailer(transport, message, **environ)
    assert info["accepted"] == [ANN]
    assert_sent(server, mode, mechanism, "by nodemailer")
    envelope = server.messages[0].envelope
    assert envelope.mail_options == {"RET": "HDRS", "ENVID": "id+201"}
    assert envelope.rcpt_options == {ANN: {"NOTIFY": "SUCCESS,DELAY", "ORCPT": f"rfc822;{ANN}"}}


def test_nodemailer_sends_attachments_in_any_script(mockmail: MockMail, nodemailer: Callable) -> None:
    transport = {"host": mockmail.smtp.host, "port": mockmail.smtp.port, "pool": True}
    attachment = {"filename": "Übersicht.txt", "content": "a,b\n" * 100_000}
    recipients = [ANN, "jürgen@bücher.test"]
    message = {"from": "Jürgen <jürgen@bücher.test>", "to": recipients, "subject": "Übersicht"}
    nodemailer(transport, {**message, "text": "Hello", "attachments": [attachment]})
    delivered = mockmail.assert_delivered(subject="Übersicht")
    assert delivered.attachments[0].filename == "Übersicht.txt"
    assert delivered.attachments[0].content == b"a,b\n" * 100_000


# Load

MESSAGES = 10_000


def test_smtp_source_sends_ten_thousand_over_twenty_connections(mockmail: MockMail, program: Callable) -> None:
    load = ("-s", 20, "-m", MESSAGES, "-l", 1024, "-d", "-f", BOB, "-t", ANN)
    program("smtp-source")(*load, f"{mockmail.smtp.host}:{mockmail.smtp.port}")
    ids = collections.Counter(message.message_id for message in mockmail.messages)
    assert len(ids) == MESSAGES
    assert set(ids.values()) == {1}
    assert len(mockmail.account(ANN).inbox) == MESSAGES
    sessions = {command.session for command in mockmail.commands("MAIL")}
    assert len(sessions) == 20
    mockmail.assert_no_protocol_errors()
