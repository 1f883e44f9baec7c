"""``mockmail ready`` and ``mockmail wait``."""

import json
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mockmail import MockMail


@pytest.fixture(scope="module")
def server() -> Iterator[MockMail]:
    with MockMail(http_port=0) as mail:
        yield mail


@pytest.fixture
def mail(server: MockMail) -> MockMail:
    server.reset()
    return server


def begin(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mockmail", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": "/usr/bin", **environ},
    )  # fmt: skip


def run(*arguments: str, **environ: str) -> tuple[int, str, str]:
    with begin(*arguments, **environ) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def send(mail: MockMail, subject: str) -> None:
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        text = f"Subject: {subject}\r\nFrom: app@example.test\r\n\r\nhttps://app.test/x\r\n"
        smtp.sendmail("app@example.test", ["bob@example.test"], text)


def test_ready_by_http_and_by_smtp(mail: MockMail) -> None:
    assert run("ready", "--url", mail.http.url) == (0, "", "")
    assert run("ready", MOCKMAIL_SMTP_URL=mail.smtp.url) == (0, "", "")


def test_ready_by_a_name_that_the_server_does_not_know(mail: MockMail) -> None:
    with socket.create_connection(mail.http.address) as connection:
        connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: mail:8025\r\n\r\n")
        status = connection.makefile("rb").readline().split()[1]
    assert status.startswith(b"4"), "the server refuses it, and so is there"
    assert answers_at(status)


def answers_at(status: bytes) -> bool:
    with socket.create_server(("127.0.0.1", 0)) as place:
        process = begin("ready", "--url", f"http://127.0.0.1:{place.getsockname()[1]}", "--timeout", "60")
        connection, _ = place.accept()
        with connection, process:
            connection.sendall(b"HTTP/1.1 " + status + b" As it is\r\n\r\n")
            return process.wait(timeout=60) == 0


def test_ready_waits_for_a_server_that_comes() -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        process = begin("ready", "--url", f"smtp://127.0.0.1:{port}", "--timeout", "60")
        place.listen()
        connection, _ = place.accept()
        with connection:
            connection.sendall(b"220 here\r\n")
            with process:
                assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("smtp://127.0.0.1:1", 1, "smtp://127.0.0.1:1 did not answer within 0.1 seconds"),
        ("http://127.0.0.1:1", 1, "did not answer"),
        ("http://127.0.0.1:99999", 2, "write http://HOST:PORT or smtp://HOST:PORT"),
        ("imap://127.0.0.1:1", 2, "write http://HOST:PORT or smtp://HOST:PORT"),
    ],
)
def test_ready_in_vain(url: str, status: int, said: str) -> None:
    code, _, err = run("ready", "--url", url, "--timeout", "0.1")
    assert code == status
    assert said in err


def test_wait_finds_what_is_there(mail: MockMail) -> None:
    send(mail, "Welcome")
    code, out, err = run("wait", "--url", mail.http.url, "--to", "bob@example.test", "--subject", "Welcome")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["subject"], told["recipients"]) == ("Welcome", ["bob@example.test"])
    assert told["links"] == ["https://app.test/x"]
    assert not mail.account("bob@example.test").inbox[0].seen


def test_wait_is_woken_by_what_comes(mail: MockMail) -> None:
    with begin("wait", "--subject", "/^Code \\d+$/", "--count", "2", MOCKMAIL_HTTP_URL=mail.http.url) as process:
        send(mail, "Code 1")
        send(mail, "Other")
        send(mail, "Code 22")
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [json.loads(line)["subject"] for line in out.splitlines()] == ["Code 1", "Code 22"]


def test_wait_in_vain_says_what_came(mail: MockMail) -> None:
    send(mail, "Welcom")
    code, out, err = run("wait", "--url", mail.http.url, "--subject", "Welcome", "--timeout", "0.1")
    assert (code, out) == (1, "")
    assert "Welcom" in err
    assert "Traceback" not in err


def test_wait_without_a_server() -> None:
    code, _, err = run("wait", "--url", "http://127.0.0.1:1")
    assert code == 1
    assert "127.0.0.1:1" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--subject", "/(/"], "no regular expression"), (["--count", "0"], "write a number of messages from 1")],
)
def test_wrong_arguments(arguments: list[str], said: str) -> None:
    code, _, err = run("wait", *arguments)
    assert code == 2
    assert said in err
