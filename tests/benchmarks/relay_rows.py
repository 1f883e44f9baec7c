"""Mail that waits for another server: how fast it goes when that comes back, against a client that sends it there
itself, and what it costs to try in vain for five days."""

from __future__ import annotations

from corpus import sized_message
from harness import OURS, Goal, Scenario, Step, Within
from smtp_rows import HELLO, exchange, one_connection, receive, transaction
from subjects import Subject, child, connect

MESSAGES = 1_000
SIZE_BYTES = 2_000
FIVE_DAYS_HOURS = 119.5
"""Until the last attempt but one: the bounces after that are mail, no retries."""


def submit(subject: Subject, count: int) -> None:
    """Have so many messages wait for the host, which is down. They are from the null sender, who is told nothing: what
    is measured is no reports."""
    subject.ask("go_down")
    pieces = [b"MAIL FROM:<>\r\n", *transaction(sized_message(SIZE_BYTES))[1:]]
    with connect(subject.ports["relay"]) as connection:
        receive(connection)
        exchange(connection, [HELLO, *pieces * count])


def relayed(subject: Subject) -> float:
    if subject.name == "direct":
        return one_connection(SIZE_BYTES, MESSAGES, subject)
    submit(subject, MESSAGES)
    seconds = float(subject.ask("relay"))
    subject.ask("reset")
    return seconds / MESSAGES


def retried(subject: Subject) -> float | None:
    """CPU of all retries of all messages, less that of the same retries of one."""
    if subject.name == "direct":
        return None
    spent = []
    for count in (1, MESSAGES):
        submit(subject, count)
        spent.append(float(subject.ask("retry", hours=FIVE_DAYS_HOURS)))
        subject.ask("reset")
    return spent[1] - spent[0]


SCENARIOS = (
    Scenario(
        "relay",
        f"Relaying {MESSAGES:,} messages of 2 KB to a host that comes back, and retrying them while it does not",
        {OURS: child("network"), "direct": child("direct")},
        (
            Step("one message, of all that waited", relayed, [Within(2.0, "direct")]),
            Step("five days of retries of all, seconds of CPU", retried, [Goal(at_most=1.0)]),
        ),
    ),
)
