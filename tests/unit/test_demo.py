"""The demonstration, run as a user runs it."""

import os
import re
import subprocess
import sys

import pytest

OPTIONAL = ("aiosmtplib", "cryptography", "h11", "httpx", "idna", "starlette", "trustme", "uvicorn", "wsproto")
ONLY_CORE = f"""
import sys
sys.modules.update(dict.fromkeys({OPTIONAL!r}))  # to import one of them is an ImportError
from mockmail.cli import main
sys.exit(main(["demo"]))
"""
CPU_SECONDS = 2.0


@pytest.fixture(scope="module")
def demo() -> tuple[str, str, int, float]:
    """Output, errors and status, and the seconds that the processor worked, its start included."""
    with subprocess.Popen(
        [sys.executable, "-c", ONLY_CORE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        out, errors = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return out, errors, process.returncode, usage.ru_utime + usage.ru_stime


def test_it_plays_to_its_end_with_the_core_dependencies_alone(demo) -> None:
    out, errors, status, _ = demo
    assert (errors, status) == ("", 0)
    assert re.search(r"\nFive days of mail, played in \d+\.\d\d seconds\.\n", out)


def test_it_takes_less_than_two_seconds(demo) -> None:
    # Of work: how long other processes keep the machine busy meanwhile is not the demonstration's.
    assert demo[3] < CPU_SECONDS


def test_what_happens_when_and_what_a_test_would_say(demo) -> None:
    acts = [line for line in demo[0].splitlines() if re.match(r"\d\. |[MS][oa][nt] \d\d:\d\d  | +(>>>|\.\.\.  )", line)]
    acts = [re.sub(r"accepted as \S+", "accepted as ...", line.strip().removeprefix(">>> ")) for line in acts]
    assert acts == [
        "1. Bob's server is down when Alice sends him two messages",
        "bob.go_down()",
        "Mon 09:00  Alice's mail program gives them to her own server, by SMTP:",
        "Mon 09:00  Her server tries to pass them on at once:",
        'alice.assert_queued(to="bob@bob.test", subject="Lunch?", attempts=1)',
        'Mon 09:00  attempt 1 of "Lunch?" at bob.test: 451 4.4.1 connection refused',
        'Mon 09:00  attempt 1 of "Minutes" at bob.test: 451 4.4.1 connection refused',
        "Mon 09:00  It keeps them, and will try again in half an hour.",
        "2. Bob's server comes up, and the messages go on",
        "net.clock.advance(minutes=20)",
        "bob.come_up()",
        "Mon 09:20  Nothing happens yet: the next attempt is not due.",
        'bob.assert_not_delivered(to="bob@bob.test")',
        "net.clock.advance(minutes=10)",
        'Mon 09:30  attempt 2 of "Lunch?" at bob.test: 250 2.6.0 Message accepted as ...',
        'Mon 09:30  attempt 2 of "Minutes" at bob.test: 250 2.6.0 Message accepted as ...',
        "Mon 09:30  Alice's server is the client now, and says as much at once as it may:",
        'alice.assert_relayed(to="bob@bob.test", subject="Lunch?", via="bob.test", attempts=2)',
        'bob.assert_delivered(to="bob@bob.test", subject="Lunch?")',
        "Mon 09:30  What Bob gets: each server has put its Received on top.",
        "3. Bob's old mail program downloads and deletes, by POP3",
        "Mon 09:30  It finds 2 messages, takes the first, and leaves the other:",
        'bob.assert_fetched(account="bob@bob.test", subject="Lunch?", protocol="pop3")',
        'bob.assert_deleted(account="bob@bob.test", subject="Lunch?")',
        "4. His other one reads and files, by IMAP",
        "Mon 09:30  The folder, the flag and the message are there at its next visit, too:",
        'bob.assert_flagged("seen", account="bob@bob.test", subject="Minutes")',
        'bob.assert_moved("Projects", account="bob@bob.test", subject="Minutes")',
        "5. A message to a domain that is dead comes back after five days",
        "dead.go_down()",
        "Mon 09:30  Alice writes to carol@dead.test.",
        'alice.assert_queued(to="carol@dead.test", attempts=1)',
        'Mon 09:30  attempt 1 of "Reunion" at dead.test: 451 4.4.1 connection refused',
        "net.clock.advance(hours=4)",
        'Mon 10:00  attempt 2 of "Reunion" at dead.test: 451 4.4.1 connection refused',
        "...  6 more, one every 30 minutes, each as this one",
        'Mon 13:30  attempt 9 of "Reunion" at dead.test: 451 4.4.1 connection refused',
        "Mon 13:30  Alice's server tells her that it is late:",
        "net.clock.run_until_idle()",
        'Mon 14:00  attempt 10 of "Reunion" at dead.test: 451 4.4.1 connection refused',
        "...  230 more, one every 30 minutes, each as this one",
        'Sat 09:30  attempt 241 of "Reunion" at dead.test: 451 4.4.1 connection refused',
        'alice.assert_bounced(to="carol@dead.test", status="5.4.7")',
        "Sat 09:30  It has given up, and tells her so:",
        'alice.account("alice@alice.test").inbox[-1].report',
    ]


def test_the_message_has_two_received_fields(demo) -> None:
    received = [line.strip() for line in demo[0].partition("What Bob gets")[2].splitlines() if "Received: " in line]
    assert received == ["Received: from alice.test ([127.0.0.1])", "Received: from laptop ([127.0.0.1])"]


@pytest.mark.parametrize(
    "line",
    [
        r"C: rcpt (TO|to):<bob@bob\.test>",  # to: from Python 3.13 on
        "C: RCPT TO:<bob@bob.test>",
        "C: RETR 1",
        "S: +OK mockmail POP3 server signing off (1 message left)",
        r"C: \w+ UID FETCH 2 \(FLAGS BODY\[TEXT\]\)",
        r"C: \w+ UID MOVE 2 Projects",
        "Subject: Delayed mail, still being tried",
        "The server has given up and does not try again. The message is attached.",
        "For programs: carol@dead.test, failed, 5.4.7, 451 4.4.1 connection refused",
    ],
)
def test_lines_that_were_said(demo, line) -> None:
    pattern = line if "\\" in line else re.escape(line)
    assert re.search(rf"^ +{pattern}$", demo[0], re.MULTILINE)


def test_lines_are_short_and_passwords_are_not_shown(demo) -> None:
    assert max(map(len, demo[0].splitlines())) <= 100
    assert "secret" not in demo[0]


def test_a_reader_may_leave_early() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "mockmail", "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("Two mail servers")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0
