"""``mockmail send``, called as programs call sendmail."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockmail import MockMail

MESSAGE = b"""\
From: Eve <eve@else.test>
To: bob@example.test, Ann <ann@example.test>
Bcc: dan@example.test
Subject: Hi

Hi.
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MockMail]:
    with MockMail() as mail:
        yield mail


@pytest.fixture
def mail(server: MockMail) -> MockMail:
    server.reset()
    return server


def send(mail: MockMail, *arguments: str, message: bytes = MESSAGE) -> subprocess.CompletedProcess[bytes]:
    environ = {"MOCKMAIL_SMTP_URL": mail.smtp.url, "PATH": "/usr/bin", "USER": "www"}
    return subprocess.run(
        [sys.executable, "-m", "mockmail", "send", *arguments],
        input=message, capture_output=True, timeout=60, env=environ, check=False,
    )  # fmt: skip


def test_to_whom_the_fields_name(mail: MockMail) -> None:
    ran = send(mail, "-t", "-i")
    assert (ran.returncode, ran.stderr) == (0, b"")
    message = mail.assert_delivered(subject="Hi", sender="eve@else.test")
    assert set(message.recipients) == {"bob@example.test", "ann@example.test", "dan@example.test"}
    assert b"Bcc" not in message.original
    assert message.original.endswith(b"\r\n\r\nHi.\r\n")
    assert {"date", "message-id"} <= {name.lower() for name in message.headers}
    mail.assert_no_bcc_leak()


def test_to_whom_the_command_names(mail: MockMail) -> None:
    assert send(mail, "-fbounces@example.test", "-oi", "-odb", "--", "dan@example.test").returncode == 0
    message = mail.assert_delivered()
    assert (message.sender, message.recipients) == ("bounces@example.test", ("dan@example.test",))
    assert b"Bcc: dan@example.test\r\n" in message.original


@pytest.mark.parametrize("sender", ["", "<>"])
def test_the_null_sender(mail: MockMail, sender: str) -> None:
    assert send(mail, "-f", sender, "dan@example.test").returncode == 0
    assert mail.assert_delivered().sender == ""


def test_a_bare_text_gets_a_head(mail: MockMail) -> None:
    ran = send(mail, "-F", "The Cron", "-f", "cron@example.test", "bob@example.test", message=b"It ran.\n")
    assert ran.returncode == 0
    message = mail.assert_delivered(sender="cron@example.test")
    assert message.headers["From"] == "The Cron <cron@example.test>"
    assert message.text.strip() == "It ran."


def test_a_dot_ends_the_message_unless_told_otherwise(mail: MockMail) -> None:
    text = b"Subject: dots\n\none\n.\ntwo\n"
    send(mail, "bob@example.test", message=text)
    assert mail.assert_delivered().text.split() == ["one"]
    mail.reset()
    send(mail, "-i", "bob@example.test", message=text)
    assert mail.assert_delivered().text.split() == ["one", ".", "two"]


def test_bytes_beyond_ascii(mail: MockMail) -> None:
    text = "Subject: Grüße\nContent-Type: text/plain; charset=utf-8\n\nschön\n".encode()
    assert send(mail, "-ti", "jürgen@example.test", message=text).returncode == 0
    message = mail.assert_delivered(to="jürgen@example.test")
    assert message.text.strip() == "schön"


def test_smtp_on_standard_input(mail: MockMail) -> None:
    talk = b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: bs\r\n\r\n.\r\nQUIT\r\n"
    ran = send(mail, "-bs", message=talk)
    assert ran.returncode == 0
    assert ran.stdout.startswith(b"220 ")
    assert ran.stdout.splitlines()[-1].startswith(b"221 ")
    mail.assert_delivered(subject="bs")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 64, b"there are no recipients; name them, or use -t"),
        (["-f"], 64, b"-f wants an argument"),
        (["--frob", "a@b.test"], 64, b"there is no option --frob"),
        (["-Z", "a@b.test"], 64, b"there is no option -Z"),
        (["--url", "http://x", "a@b.test"], 64, b"write smtp://HOST:PORT"),
        (["--url", "smtp://127.0.0.1:1", "a@b.test"], 75, b"no server at 127.0.0.1:1"),
    ],
)
def test_exit_statuses(mail: MockMail, arguments: list[str], status: int, said: bytes) -> None:
    ran = send(mail, *arguments)
    assert ran.returncode == status
    assert said in ran.stderr
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize(("reply", "status"), [("550 5.1.1 nobody", 67), ("451 4.3.0 later", 75)])
def test_refused_recipients(mail: MockMail, reply: str, status: int) -> None:
    with mail.faults.smtp("RCPT", reply=reply):
        ran = send(mail, "bob@example.test")
    assert ran.returncode == status
    assert reply.encode()[4:] in ran.stderr


def test_a_refused_message(mail: MockMail) -> None:
    with mail.faults.smtp("MESSAGE", reply="554 5.6.0 no"):
        ran = send(mail, "bob@example.test")
    assert (ran.returncode, ran.stderr) == (69, b"mockmail send: 554 5.6.0 no\n")


def test_a_link_of_the_name_sendmail_sends(mail: MockMail, tmp_path: Path) -> None:
    link = tmp_path / "sendmail"
    link.symlink_to(Path(sys.executable).with_name("mockmail"))
    environ = {"MOCKMAIL_SMTP_URL": mail.smtp.url, "PATH": "/usr/bin"}
    subprocess.run([link, "-t", "-i"], input=MESSAGE, env=environ, check=True, timeout=60)
    mail.assert_delivered(to="dan@example.test", timeout=0)


def test_a_server_that_wants_tls() -> None:
    with MockMail(tls=True, require_tls=True) as mail:
        environ = {**mail.settings_for.env(), "PATH": "/usr/bin"}
        command = [sys.executable, "-m", "mockmail", "send", "bob@example.test"]
        subprocess.run(command, input=MESSAGE, env=environ, check=True, timeout=60)
        mail.assert_delivered(to="bob@example.test", timeout=0)
        mail.assert_tls_started(protocol="smtp", timeout=0)
