"""IMAP over a mailbox of many messages, from another process by a raw socket: mockmail and pymap (in-memory backend);
then mockmail alone with 1,000 to 50,000 messages, where the cost of a message should stay the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from corpus import RECIPIENT, mailbox_message
from harness import OURS, Goal, Scenario, Step
from subjects import Subject, child, connect, pymap

MESSAGES = 10_000
SELECTS = 10
RECEIVE_BYTES = 1 << 18


class ImapClient:
    """Sends one command at a time and reads to its completion, looking at the last line alone."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.connection = connect(port)
        self.connection.recv(4096)
        self.number = 0
        self.command(f'LOGIN "{user}" "{password}"')

    def command(self, text: str | bytes) -> bytes:
        """The last 4 KB of the response."""
        self.number += 1
        tag = b"A%d " % self.number
        line = text.encode() if isinstance(text, str) else text
        self.connection.sendall(tag + line + b"\r\n")
        tail = b""
        while True:
            data = self.connection.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionError(f"closed at {line[:80]!r} after {tail[-200:]!r}")
            tail = (tail + data)[-4096:] if len(data) < 4096 else data[-4096:]
            if tail.endswith(b"\r\n"):
                last = tail[tail.rfind(b"\n", 0, -1) + 1 :]
                if last.startswith(tag):
                    break
        if not last.startswith(tag + b"OK"):
            raise RuntimeError(f"{line[:80]!r} was answered {last!r}")
        return tail

    def seconds(self, text: str) -> float:
        began = time.perf_counter()
        self.command(text)
        return time.perf_counter() - began


def _client(subject: Subject) -> ImapClient:
    if "client" not in subject.notes:
        user, password = subject.notes.get("login", (RECIPIENT, "any"))
        subject.notes["client"] = ImapClient(subject.ports["imap"], user, password)
    client: ImapClient = subject.notes["client"]
    return client


def _count(subject: Subject) -> int:
    count: int = subject.notes["count"]
    return count


def append(subject: Subject) -> float:
    """Fills the inbox; LITERAL+, so one round trip each."""
    client = _client(subject)
    count = _count(subject)
    if b"* 0 EXISTS" not in client.command("SELECT INBOX"):
        raise RuntimeError(f"{subject.name} does not begin with an empty inbox")
    commands = []
    for number in range(count):
        message = mailbox_message(number)
        commands.append(b"APPEND INBOX {%d+}\r\n%b" % (len(message), message))
    began = time.perf_counter()
    for command in commands:
        client.command(command)
    return (time.perf_counter() - began) / count


def select(subject: Subject) -> float:
    """One SELECT, whatever the size."""
    client = _client(subject)
    began = time.perf_counter()
    for _ in range(SELECTS):
        client.command("SELECT INBOX")
    return (time.perf_counter() - began) / SELECTS


def whole(command: str, subject: Subject) -> float:
    """One command over all messages, per message."""
    return _client(subject).seconds(command) / _count(subject)


def search(criteria: str, subject: Subject) -> float:
    client = _client(subject)
    began = time.perf_counter()
    found = client.command(f"UID SEARCH {criteria}")
    seconds = time.perf_counter() - began
    if found.partition(b"SEARCH")[2].partition(b"\r\n")[0].count(b" ") != _count(subject) // 100:
        raise RuntimeError(f"{subject.name}: UID SEARCH {criteria} found {found!r}")
    return seconds / _count(subject)


def store(subject: Subject) -> float:
    seconds = whole("STORE 1:* +FLAGS (\\Flagged)", subject)
    _client(subject).command("STORE 1:* -FLAGS.SILENT (\\Flagged)")
    return seconds


def copy(subject: Subject) -> float:
    _client(subject).command("CREATE Copied")
    seconds = whole("COPY 1:* Copied", subject)
    count = _count(subject)
    if b"MESSAGES %d)" % count not in _client(subject).command("STATUS Copied (MESSAGES)"):
        raise RuntimeError(f"{subject.name} did not copy {count} messages")
    return seconds


def expunge(subject: Subject) -> float:
    client = _client(subject)
    client.command("SELECT Copied")
    client.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    seconds = whole("EXPUNGE", subject)
    client.command("SELECT INBOX")
    return seconds


def holding(
    opener: Callable[[], AbstractContextManager[Subject]], count: int
) -> Callable[[], AbstractContextManager[Subject]]:
    @contextmanager
    def open_it() -> Iterator[Subject]:
        with opener() as subject:
            subject.notes["count"] = count
            try:
                yield subject
            finally:
                if "client" in subject.notes:
                    subject.notes["client"].connection.close()

    return open_it


_text = partial(search, "TEXT haystack")


def _steps(goal: tuple[Goal, ...], select_goal: tuple[Goal, ...]) -> list[Step]:
    envelope = "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"
    return [
        Step("APPEND, a message", append),
        Step("SELECT, a command", select, select_goal),
        Step("FETCH (FLAGS UID), a message", partial(whole, "FETCH 1:* (FLAGS UID)"), goal),
        Step("FETCH (ENVELOPE BODYSTRUCTURE) first, a message", partial(whole, envelope), goal),
        Step("the same again, a message (ENVELOPE)", partial(whole, envelope), goal),
        Step("FETCH BODY.PEEK[], a message", partial(whole, "FETCH 1:* BODY.PEEK[]"), goal),
        Step("UID SEARCH SUBJECT first, a message", partial(search, "SUBJECT needle"), goal),
        Step("the same again, a message (SUBJECT)", partial(search, "SUBJECT needle"), goal),
        Step("UID SEARCH TEXT first, a message", _text, goal),
        Step("the same again, a message (TEXT)", _text, goal),
        Step("STORE +FLAGS, a message", store, goal),
        Step("COPY, a message", copy, goal),
        Step("EXPUNGE, a message", expunge, goal),
    ]


SCENARIOS = [
    Scenario(
        "imap",
        f"IMAP: {MESSAGES:,} messages of 700 bytes",
        {OURS: holding(child("mockmail"), MESSAGES), "pymap": holding(pymap, MESSAGES)},
        _steps((Goal("pymap", 10.0),), (Goal("pymap", 10.0), Goal(at_most=0.0002))),
        rounds=2,
    ),
    Scenario(
        "imap-text",
        f"IMAP: {MESSAGES:,} messages of 700 bytes of which nothing is known yet",
        {OURS: holding(child("mockmail"), MESSAGES), "pymap": holding(pymap, MESSAGES)},
        [
            Step("APPEND, a message", append),
            Step("UID SEARCH TEXT, the first search of all, a message", _text, (Goal("pymap", 10.0),)),
            Step("the same again, a message (TEXT)", _text, (Goal("pymap", 10.0),)),
        ],
        rounds=2,
    ),
    Scenario(
        "imap-sizes",
        "IMAP: mockmail with 1,000, 10,000 and 50,000 messages (x = against 1,000; linear is x1)",
        {f"{count:,}": holding(child("mockmail"), count) for count in (1_000, 10_000, 50_000)},
        _steps((), ()),
        base="1,000",
        rounds=2,
    ),
]
