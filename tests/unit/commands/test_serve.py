"""``mockmail serve`` as a user runs it: variables, files, the webhook, and its end."""

import http.server
import imaplib
import json
import os
import queue
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockmail.commands.mailpit import settings_of_mailpit
from mockmail.relaying import Smarthost, parse_smarthost

MOCKMAIL = [sys.executable, "-m", "mockmail"]
CLEAN = {name: text for name, text in os.environ.items() if not name.startswith(("MP_", "MOCKMAIL_"))}


@contextmanager
def serving(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*MOCKMAIL, "serve", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**CLEAN, **environ},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def send(told: dict[str, Any], subject: str, to: str = "bob@example.test") -> None:
    with smtplib.SMTP(told["smtp"]["host"], told["smtp"]["port"]) as smtp:
        smtp.sendmail("app@example.test", [to], f"Subject: {subject}\r\nTo: {to}\r\n\r\nHi.\r\n")


def ended(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    return process.stderr.read()


def test_it_ends_at_once_whoever_is_connected() -> None:
    with serving("--ephemeral", "--json") as process:
        told = ready(process)
        stream = urllib.request.urlopen(told["http"]["url"] + "/api/v1/stream")
        imap = imaplib.IMAP4(told["imap"]["host"], told["imap"]["port"])
        imap.login("bob@example.test", "any")
        silent = socket.create_connection((told["smtp"]["host"], told["smtp"]["port"]))
        with stream, silent:
            assert stream.readline() == b"event: world\n"
            assert ended(process) == ""
        imap.shutdown()


def test_the_start_screen_has_what_to_paste() -> None:
    with serving("--ephemeral") as process:
        lines = []
        while line := process.stdout.readline().rstrip("\n"):
            lines.append(line)
        text = "\n".join(lines)
    assert "mockmail is ready; Ctrl-C stops it." in text
    assert "the mail page, and the API" in text
    assert "EMAIL_HOST, EMAIL_PORT = '127.0.0.1', " in text
    assert 'mockmail send -t -i"' in text


def test_quiet_prints_no_line_and_verbose_more() -> None:
    with serving("--ephemeral", "--verbose", MOCKMAIL_HTTP_PORT="none") as process:
        while (line := process.stdout.readline().strip()) != "":
            if line.startswith("SMTP"):
                port = int(line.rpartition(":")[2])
        send({"smtp": {"host": "127.0.0.1", "port": port}}, "Hi")
        lines = [process.stdout.readline() for _ in range(3)]
        assert "smtp-1 opened from 127.0.0.1" in lines[0]
        assert "app@example.test -> bob@example.test: 'Hi'" in lines[1]
        assert "smtp-1 closed" in lines[2]
    with serving("--ephemeral", "--quiet") as process:
        while (line := process.stdout.readline().strip()) != "":
            if line.startswith("SMTP"):
                port = int(line.rpartition(":")[2])
        send({"smtp": {"host": "127.0.0.1", "port": port}}, "Hi")
        ended(process)
        assert process.stdout.read() == ""


def test_users_of_a_file_who_must_log_in(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("# those who may\nbob@example.test:secret\n\nann@example.test:other\n")
    with serving("--ephemeral", "--json", "--users", str(users), "--auth") as process:
        told = ready(process)
        with smtplib.SMTP("127.0.0.1", told["smtp"]["port"]) as smtp:
            smtp.ehlo()
            assert smtp.mail("app@example.test")[0] == 530
            smtp.login("ann@example.test", "other")
            assert smtp.mail("app@example.test")[0] == 250


@pytest.mark.parametrize("kind", ["eml", "mbox", "maildir"])
def test_mail_is_saved_at_the_end_and_loaded_at_the_start(tmp_path: Path, kind: str) -> None:
    place = str(tmp_path / "mail")
    with serving("--ephemeral", "--json", "--save", place, "--save-format", kind) as process:
        send(ready(process), "Kept")
        assert f"1 messages saved in {place}" in ended(process)
    with serving("--ephemeral", "--json", "--load", place) as process:
        told = ready(process)
        with imaplib.IMAP4("127.0.0.1", told["imap"]["port"]) as imap:
            imap.login("bob@example.test", "any")
            assert imap.select("INBOX")[1] == [b"1"]
            assert b"Subject: Kept\r\n" in imap.fetch("1", "(RFC822)")[1][0][1]
        assert "1 messages loaded" in ended(process)


def test_mailpits_variables() -> None:
    environ = {
        "MP_SMTP_BIND_ADDR": "127.0.0.1:0", "MP_UI_BIND_ADDR": "127.0.0.1:0", "MP_POP3_BIND_ADDR": "127.0.0.1:0",
        "MP_SMTP_AUTH": "alice:secret", "MP_UI_AUTH": "admin:pass", "MP_MAX_MESSAGES": "2", "MP_MAX_AGE": "3d",
        "MP_SMTP_RELAY_HOST": "127.0.0.1", "MP_SMTP_RELAY_PORT": "2525", "MP_DATABASE": "/tmp/x", "MP_LABEL": "Dev",
    }  # fmt: skip
    with serving("--json", "--imap-port", "0", **environ) as process:
        told = ready(process)
        with smtplib.SMTP("127.0.0.1", told["smtp"]["port"]) as smtp:
            smtp.ehlo()
            assert smtp.mail("app@example.test")[0] == 530
            smtp.login("alice", "secret")
            for number in range(3):
                smtp.sendmail("app@example.test", ["bob@example.test"], f"Subject: {number}\r\n\r\n")
        request = urllib.request.Request(told["http"]["url"] + "/api/v1/messages")
        request.add_header("Authorization", "Basic YWRtaW46cGFzcw==")
        with urllib.request.urlopen(request) as answer:
            assert [one["Subject"] for one in json.load(answer)["messages"]] == ["2", "1"]
        stderr = ended(process)
        assert "MP_DATABASE, MP_LABEL: passed over" in stderr


def test_mailpits_variables_of_relaying() -> None:
    environ = {
        "MP_SMTP_BIND_ADDR": "127.0.0.1:0", "MP_UI_BIND_ADDR": "[::1]:0", "MP_SMTP_DISABLE_RDNS": "true",
        "MP_SMTP_RELAY_HOST": "relay.test", "MP_SMTP_RELAY_PORT": "2525", "MP_SMTP_RELAY_USERNAME": "a@b:c",
        "MP_SMTP_RELAY_PASSWORD": "p/w@", "MP_SMTP_RELAY_ALLOWED_RECIPIENTS": r"@(x|y)\.test$", "MP_UI_AUTH": "a:b c:d",
    }  # fmt: skip
    values, notes = settings_of_mailpit(environ)
    assert parse_smarthost(values["smarthost"]) == Smarthost("relay.test", 2525, ("a@b:c", "p/w@"))
    assert (values["relay_allow"], values["http_auth"]) == ((r"/@(x|y)\.test$/",), "a:b")
    assert [note.partition(";")[0] for note in notes] == [
        "MP_SMTP_BIND_ADDR, MP_POP3_BIND_ADDR, MP_UI_BIND_ADDR name several addresses",
        "MP_UI_AUTH names several logins",
    ]


def test_what_was_taken_while_it_was_being_stopped_is_saved(tmp_path: Path) -> None:
    saved = tmp_path / "mail"
    with serving("--ephemeral", "--json", "--save", str(saved)) as process:
        told = ready(process)
        smtp = smtplib.SMTP(told["smtp"]["host"], told["smtp"]["port"])
        sent = 0

        def send_on() -> None:
            nonlocal sent
            while True:
                smtp.sendmail("app@example.test", ["bob@example.test"], "Subject: x\r\n\r\n")
                sent += 1
                if sent == 20:
                    process.send_signal(signal.SIGTERM)

        with pytest.raises((smtplib.SMTPException, OSError)):
            send_on()
        smtp.close()
        assert process.wait(timeout=20) == 0
    assert len(list((saved / "bob@example.test" / "INBOX").iterdir())) >= sent


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        (["--users", "/nowhere/users"], {}, "The file of users '/nowhere/users' cannot be read"),
        (["--load", "/nowhere/mail"], {}, "There is no file or directory '/nowhere/mail' to load"),
        (["--save", "x", "--save-format", "pst"], {}, "--save-format is 'pst'; write one of eml, mbox, maildir"),
        (["--webhook", "ftp://x"], {}, "webhook is 'ftp://x'; write a URL such as http://"),
        (["--max-age", "soon"], {}, "--max-age is 'soon', which cannot be read: write a duration such as 30m"),
        (["--relay", "maybe"], {}, "relay"),
        ([], {"MP_SMTP_BIND_ADDR": "everywhere"}, "MP_SMTP_BIND_ADDR is 'everywhere', which cannot be read"),
        ([], {"MP_SMTP_AUTH": "nocolon"}, "write user:password, with spaces between several"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(
    arguments: list[str], environ: dict[str, str], sentence: str
) -> None:
    ran = subprocess.run(
        [*MOCKMAIL, "serve", "--ephemeral", *arguments],
        capture_output=True, text=True, timeout=60, env={**CLEAN, **environ}, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


# The webhook


class Hook(http.server.ThreadingHTTPServer):
    """Answers with the statuses it is told, one each, then 200; 0 closes without an answer, 1
    answers in no protocol."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.got: queue.SimpleQueue[tuple[int, dict[str, Any]]] = queue.SimpleQueue()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        super().__exit__(*args)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.got.put((status, body))
        if status == 0:
            self.close_connection = True
            return
        if status == 1:
            self.wfile.write(b"no HTTP at all\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


def test_the_webhook_gets_every_message_in_order_however_it_behaves() -> None:
    with Hook(200, 503, 0, 200, 302) as hook, serving("--ephemeral", "--json", "--webhook", hook.url) as process:
        told = ready(process)
        for number in range(4):
            send(told, f"Message {number}")
        got = [hook.got.get(timeout=30) for _ in range(7)]
        assert [status for status, _ in got] == [200, 503, 0, 200, 302, 200, 200]
        assert [body["Subject"][-1] for _, body in got] == ["0", "1", "1", "1", "2", "2", "3"]
        assert got[0][1]["To"] == [{"Name": "", "Address": "bob@example.test"}]
        assert "did not take a message (status 503); it is tried again" in ended(process)


def test_the_webhook_gets_what_the_server_does_not_keep_any_more() -> None:
    options = ("--ephemeral", "--json", "--max-messages", "1")
    with Hook(1, 503) as hook, serving(*options, "--webhook", hook.url) as process:
        told = ready(process)
        for number in range(200):
            send(told, f"Message {number}")
        request = urllib.request.Request(told["http"]["url"] + "/api/v1/reset", method="POST")
        urllib.request.urlopen(request).close()
        send(told, "After the reset")
        got = [hook.got.get(timeout=60)[1]["Subject"] for _ in range(203)]
        assert got[2:] == [*(f"Message {number}" for number in range(200)), "After the reset"]
        assert "did not take a message (no HTTP at all" in ended(process)


def test_the_webhook_gets_what_came_last_before_the_end() -> None:
    with Hook() as hook, serving("--ephemeral", "--json", "--webhook", hook.url) as process:
        told = ready(process)
        for number in range(20):
            send(told, f"Message {number}")
        assert ended(process) == ""
        assert [hook.got.get(timeout=30)[1]["Subject"][8:] for _ in range(20)] == [str(one) for one in range(20)]


def test_what_the_webhook_never_took_is_told_at_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.listen()
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        with serving("--ephemeral", "--json", "--webhook", url) as process:
            told = ready(process)
            for number in range(3):
                send(told, f"Message {number}")
            nobody.settimeout(20)
            nobody.accept()[0].close()
            assert "messages were not taken by the webhook" in ended(process)
