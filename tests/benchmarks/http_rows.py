"""HTTP over a mailbox of many messages, against IMAP on the same store, from another process; and what it costs to have
the HTTP port at all."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from corpus import RECIPIENT
from harness import OURS, Goal, Scenario, Step
from imap_rows import ImapClient, holding
from subjects import HOST, Subject, child

import mockmail
from mockmail.http.compress import _squeeze

MESSAGES = 10_000
REPEATS = 5
CYCLES = 30
IMAP = "IMAP"


def _fill(subject: Subject) -> None:
    if "filled" not in subject.notes:
        subject.notes["filled"] = True
        subject.ask("seed", count=MESSAGES)
        subject.notes["http"] = http.client.HTTPConnection(HOST, subject.ports["http"])
        subject.notes["client"] = ImapClient(subject.ports["imap"], RECIPIENT, "any")
        subject.notes["client"].command("SELECT INBOX")


def _get(subject: Subject, path: str, count: int) -> float:
    """Seconds of one answer that lists ``count`` messages."""
    connection = subject.notes["http"]
    began = time.perf_counter()
    connection.request("GET", path)
    body = connection.getresponse().read()
    seconds = time.perf_counter() - began
    told = json.loads(body)
    if len(told["list"] if "list" in told else told["messages"]) != count:
        raise RuntimeError(f"{path} lists another number of messages than {count}")
    return seconds


def _least(subject: Subject, by_http: list[tuple[str, int]], by_imap: list[str]) -> float:
    """The fastest of some repeats, by HTTP or, in the other column, by IMAP."""
    _fill(subject)
    samples = []
    for _ in range(REPEATS):
        if subject.notes["by"] == OURS:
            samples.append(sum(_get(subject, path, count) for path, count in by_http))
        else:
            samples.append(sum(subject.notes["client"].seconds(command) for command in by_imap))
    return min(samples)


def first(subject: Subject) -> float:
    """The first list of all, when nothing is known of the messages yet."""
    _fill(subject)
    if subject.notes["by"] == OURS:
        return _get(subject, "/api/v1/messages", 50)
    seconds: float = subject.notes["client"].seconds("FETCH 1:* ENVELOPE")
    return seconds


def list_and_search(subject: Subject) -> float:
    pages = [("/api/v1/messages", 50), ("/api/v1/search?query=haystack&limit=100", 100)]
    return _least(subject, pages, ["SEARCH TEXT haystack", "FETCH 1:* ENVELOPE"])


def page_list_and_search(subject: Subject) -> float:
    pages = [("/api/v1/mail?limit=100", 100), ("/api/v1/mail?limit=100&query=haystack", 100)]
    return _least(subject, pages, ["SEARCH TEXT haystack", "FETCH 1:* ENVELOPE"])


def all_listed(subject: Subject) -> float:
    """Every message in one answer, which no page asks for."""
    return _least(subject, [(f"/api/v1/messages?limit={MESSAGES}", MESSAGES)], ["FETCH 1:* ENVELOPE"])


@contextmanager
def _one_store(by: str) -> Iterator[Subject]:
    """A column: the same server and store, asked by HTTP or by IMAP."""
    with holding(child("mockmail-http"), MESSAGES)() as subject:
        subject.notes["by"] = by
        yield subject
        if "http" in subject.notes:
            subject.notes["http"].close()


def start(subject: Subject) -> float:
    seconds: float = subject.ask("cycles", count=CYCLES)["start"]
    return seconds


def _page_files() -> list[bytes]:
    static = Path(mockmail.__file__).parent / "http" / "static"
    return [file.read_bytes() for file in static.iterdir() if file.is_file()]


def page_bytes(_: None) -> float:
    return float(sum(map(len, _page_files())))


def sent_bytes(_: None) -> float:
    """As browsers get them: each compressed by itself."""
    return float(sum(min(len(data), len(_squeeze(data))) for data in _page_files()))


def _file_size(value: float) -> str:
    return f"{value / 1000:.1f} kB"


@contextmanager
def _nothing() -> Iterator[None]:
    yield


SCENARIOS = [
    Scenario(
        "http",
        f"HTTP: lists of {MESSAGES:,} messages, and a search through them, against SEARCH TEXT and FETCH 1:* ENVELOPE",
        {OURS: partial(_one_store, OURS), IMAP: partial(_one_store, IMAP)},
        [
            Step("the first list (50), when nothing is known yet (IMAP: all envelopes)", first, (Goal(IMAP, 1.0),)),
            Step("Mailpit's list (50) and search (100 found)", list_and_search, (Goal(IMAP, 1.0),)),
            Step("the page's list (100) and search (100 found)", page_list_and_search, (Goal(IMAP, 1.0),)),
            Step("all in one list (IMAP: all envelopes)", all_listed),
        ],
        rounds=2,
    ),
    Scenario(
        "http-start",
        f"Start of all servers with HTTP and without (median of {CYCLES} in one process)",
        {OURS: child("start-mockmail-http"), "without": child("start-mockmail")},
        [Step("start", start, (Goal(at_most=0.03),))],
    ),
    Scenario(
        "page",
        "The mail page's own files, all of them",
        {OURS: _nothing},
        [
            Step("as they are sent, compressed", sent_bytes, (Goal(at_most=100_000),), show=_file_size),
            Step("as they lie in the package", page_bytes, show=_file_size),
        ],
        rounds=1,
    ),
]
