"""POP3 over a maildrop of 10,000 messages, from another process by a raw socket: mockmail, Twisted, Dovecot, and the
asyncio floor."""

from __future__ import annotations

import time
from functools import partial

from corpus import RECIPIENT
from harness import OURS, Ahead, Scenario, Step
from servers import dovecot
from subjects import Subject, child, connect

MESSAGES = 10_000
RETRIEVED = 1_000
REPEATS = 10
AHEAD = (Ahead(("twisted", "dovecot")),)


class Pop3Client:
    """Reads a reply of one line, or of many up to the dot, and throws it away."""

    def __init__(self, port: int) -> None:
        self.connection = connect(port)
        self.connection.recv(4096)

    def command(self, line: bytes, *, multiline: bool = False) -> None:
        self.connection.sendall(line + b"\r\n")
        end = b"\r\n.\r\n" if multiline else b"\r\n"
        tail = b""
        first = True
        while not tail.endswith(end):
            data = self.connection.recv(1 << 18)
            if not data or (first and not data.startswith(b"+OK")):
                raise RuntimeError(f"{line!r} was answered {data[:80]!r}")
            first = False
            tail = (tail + data)[-8:]

    def log_in(self) -> None:
        self.command(b"USER " + RECIPIENT.encode())
        self.command(b"PASS any")


def log_in(subject: Subject) -> float:
    """Log in and leave: the lock and the list of messages."""
    if "seeded" not in subject.notes:
        subject.ask("seed", count=MESSAGES)
        subject.notes["seeded"] = True
    client = Pop3Client(subject.ports["pop3"])
    began = time.perf_counter()
    client.log_in()
    seconds = time.perf_counter() - began
    client.command(b"QUIT")
    client.connection.close()
    return seconds


def commands(line: bytes, multiline: bool, repeats: int, subject: Subject) -> float:
    """Seconds of one command; ``%d`` in it counts."""
    if "client" not in subject.notes:
        subject.notes["client"] = Pop3Client(subject.ports["pop3"])
        subject.notes["client"].log_in()
    client: Pop3Client = subject.notes["client"]
    lines = [line.replace(b"%d", b"%d" % number) for number in range(1, repeats + 1)]
    began = time.perf_counter()
    for each in lines:
        client.command(each, multiline=multiline)
    return (time.perf_counter() - began) / repeats


SCENARIOS = [
    Scenario(
        "pop3",
        f"POP3: {MESSAGES:,} messages of 700 bytes, a command",
        {
            OURS: child("mockmail"),
            "twisted": child("twisted-pop3"),
            "dovecot": partial(dovecot, MESSAGES),
            "floor": child("floor-pop3"),
        },
        [
            Step("log in", log_in),
            Step("STAT", partial(commands, b"STAT", False, REPEATS), AHEAD),
            Step("LIST", partial(commands, b"LIST", True, REPEATS)),
            Step("UIDL", partial(commands, b"UIDL", True, REPEATS), AHEAD),
            Step("UIDL 7", partial(commands, b"UIDL 7", False, REPEATS)),
            Step("RETR", partial(commands, b"RETR %d", True, RETRIEVED), AHEAD),
        ],
    )
]
