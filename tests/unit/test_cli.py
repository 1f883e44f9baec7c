"""The command line, run as a user runs it."""

import imaplib
import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

MOCKMAIL = [sys.executable, "-m", "mockmail"]
_HEED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "mockmail", *sys.argv[1:]])
"""
HEEDING_CTRL_C = [sys.executable, "-c", _HEED]
"""A test run in a shell's background ignores SIGINT, and so would what it starts."""


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MOCKMAIL, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environ}, check=False
    )


@contextmanager
def serving(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*MOCKMAIL, "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_serve_says_where_it_is_in_one_line_of_json() -> None:
    with serving("--ephemeral", "--json", "--user", "bob@example.test:secret") as process:
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        for name in ("smtp", "pop3", "imap"):
            assert ready[name]["url"] == f"{name}://127.0.0.1:{ready[name]['port']}"
        with urllib.request.urlopen(ready["http"]["url"] + "/livez") as answer:
            assert answer.status == 200
        with smtplib.SMTP(ready["smtp"]["host"], ready["smtp"]["port"]) as smtp:
            smtp.sendmail("app@example.test", ["bob@example.test"], b"Subject: Hi\r\n\r\nHi.\r\n")
        with imaplib.IMAP4(ready["imap"]["host"], ready["imap"]["port"]) as imap:
            imap.login("bob@example.test", "secret")
            assert imap.select("INBOX")[1] == [b"1"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""


def test_serve_prints_a_line_for_each_message_and_each_refusal() -> None:
    with serving("--ephemeral", "--user", "bob@example.test:secret") as process:
        assert "Ctrl-C stops it" in process.stdout.readline()
        lines = [process.stdout.readline() for _ in range(5)]
        port = int(re.search(r"SMTP\s+smtp://127\.0\.0\.1:(\d+)", lines[0])[1])
        assert "bob@example.test" in lines[4]
        while process.stdout.readline() != "\n":
            pass  # what to paste
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.sendmail("app@example.test", ["bob@example.test"], b"Subject: Hi\r\n\r\nHi.\r\n")
            assert "app@example.test -> bob@example.test: 'Hi'" in process.stdout.readline()
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                smtp.sendmail("app@example.test", ["ann@example.test"], b"\r\n")
            assert "refused app@example.test -> ann@example.test: 550" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_settings_come_from_the_environment_and_flags_win() -> None:
    environ = {"MOCKMAIL_USERS": "ann@example.test:x", "MOCKMAIL_IMAP_PORT": "none", "MOCKMAIL_SMTP_PORT": "0"}
    environ["MOCKMAIL_HTTP_PORT"] = "off"
    with serving("--json", "--pop3-port", "0", "--user", "bob@example.test:y", **environ) as process:
        ready = json.loads(process.stdout.readline())
        assert set(ready) == {"smtp", "pop3", "pid"}
        with smtplib.SMTP("127.0.0.1", ready["smtp"]["port"]) as smtp:
            smtp.login("bob@example.test", "y")
        with smtplib.SMTP("127.0.0.1", ready["smtp"]["port"]) as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("ann@example.test", "x")


def test_a_setting_that_can_be_true_is_when_it_is_only_named() -> None:
    with serving("--ephemeral", "--json", "--require-auth") as process:
        ready = json.loads(process.stdout.readline())
        with smtplib.SMTP("127.0.0.1", ready["smtp"]["port"]) as smtp:
            smtp.ehlo()
            assert smtp.mail("app@example.test")[0] == 530


def test_exec_runs_a_command_with_the_addresses_and_gives_its_status() -> None:
    code = """
import os, smtplib, sys
smtplib.SMTP(os.environ["MOCKMAIL_SMTP_HOST"], int(os.environ["MOCKMAIL_SMTP_PORT"])).quit()
sys.exit(7)
"""
    ran = run("serve", "--ephemeral", "--exec", "--", sys.executable, "-c", code)
    assert (ran.returncode, ran.stderr) == (7, "")


def test_exec_gives_a_signal_as_a_shell_does() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run("serve", "--ephemeral", "--exec", "--", sys.executable, "-c", code).returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["serve", "--ephemeral", "--exec", "--", "no-such-command-here"], 127, "no command 'no-such-command-here'"),
        (["serve", "--ephemeral", "--exec"], 2, "--exec needs a command; write it last"),
        (["serve", "--ephemeral", "--exec", "--", os.sep], 126, "cannot be run"),
        (["serve", "--timeout", "soon"], 2, "--timeout is 'soon', which cannot be read"),
        (["serve", "--user", "bob"], 2, "--users is 'bob'"),
        (["serve", "--host", "203.0.113.1"], 3, "203.0.113.1"),
        ([], 2, "required: command"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments: list[str], status: int, sentence: str) -> None:
    ran = run(*arguments)
    assert ran.returncode == status
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_port_in_use_is_status_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", "--ephemeral", "--smtp-port", str(port))
    assert ran.returncode == 3
    assert f"{port}" in ran.stderr


def test_help_names_each_setting_with_its_variable() -> None:
    from mockmail.config import setting_fields

    text = " ".join(run("serve", "--help", COLUMNS="200").stdout.split())
    for row in setting_fields():
        assert row.variable in text


def test_a_reader_who_has_read_enough_is_no_error() -> None:
    with subprocess.Popen([*MOCKMAIL, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_waiting_is_ended_by_ctrl_c_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen([*HEEDING_CTRL_C, "ready", "--url", url], stderr=subprocess.PIPE) as process:
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=60) == 130
            assert process.stderr.read() == b""
