"""What a stored message costs in memory: growth of the server's resident memory, with one recipient and with many."""

from __future__ import annotations

from functools import partial

from corpus import sized_message
from harness import OURS, Goal, Scenario, Step
from smtp_rows import HELLO, RECIPIENTS, addresses, exchange, receive, transaction
from subjects import Subject, child, connect

MESSAGES = 500
LARGE_BYTES = 100_000
LARGE_MESSAGES = 80
ALIAS = "team@example.test"


def growth(size_bytes: int, count: int, recipients: list[str], subject: Subject) -> float | None:
    """Bytes for one message, the mean of ``count``. The mailboxes exist before, and so does room for a few."""
    pieces = transaction(sized_message(size_bytes), recipients)
    with connect(subject.ports["smtp"]) as connection:
        receive(connection)
        exchange(connection, [HELLO, *pieces * 10])
        before = subject.ask("resident_bytes")
        exchange(connection, pieces * count)
        after = subject.ask("resident_bytes")
    return None if before is None else (after - before) / count


def one_recipient(subject: Subject) -> float | None:
    value = growth(2_000, MESSAGES, addresses(1), subject)
    subject.notes["one"] = value
    return value


def further_mailbox(subject: Subject) -> float | None:
    """The mailboxes alone: an alias leads one recipient to fifty. Needs the row before it."""
    if subject.name != OURS:
        return None
    subject.ask("add_alias", address=ALIAS, targets=addresses(RECIPIENTS))
    return _further(growth(2_000, MESSAGES, [ALIAS], subject), subject)


def further_recipient(subject: Subject) -> float | None:
    """A mailbox, and what is remembered of the RCPT command."""
    return _further(growth(2_000, MESSAGES, addresses(RECIPIENTS), subject), subject)


def _further(many: float | None, subject: Subject) -> float | None:
    return None if many is None else (many - subject.notes["one"]) / (RECIPIENTS - 1)


def copies(recipients: list[str], subject: Subject) -> float | None:
    """Bytes of memory for each byte of mail."""
    if recipients == [ALIAS] and subject.name != OURS:
        return None
    bytes_each = growth(LARGE_BYTES, LARGE_MESSAGES, recipients, subject)
    return None if bytes_each is None else bytes_each / LARGE_BYTES


def size(value: float) -> str:
    return f"{value:,.0f} bytes"


def times(value: float) -> str:
    return f"{value:.3g} bytes a byte"


SCENARIOS = [
    Scenario(
        "memory",
        f"Memory kept for a message, all that the server remembers of it ({MESSAGES} messages of 2 KB, "
        f"{LARGE_MESSAGES} of 100 KB; only mockmail has mailboxes)",
        {
            OURS: child("mockmail"),
            "aiosmtpd": child("aiosmtpd"),
            "twisted": child("twisted-smtp"),
            "floor": child("floor-smtp"),
        },
        [
            Step("2 KB, one recipient", one_recipient, show=size),
            Step(
                f"2 KB, each further of the {RECIPIENTS} mailboxes of an alias",
                further_mailbox,
                (Goal(at_most=150),),
                size,
            ),
            Step(f"2 KB, each further of {RECIPIENTS} recipients (mailbox and RCPT)", further_recipient, show=size),
            Step("100 KB, one recipient", partial(copies, addresses(1)), show=times),
            Step(f"100 KB, an alias of {RECIPIENTS} mailboxes", partial(copies, [ALIAS]), (Goal(at_most=1.1),), times),
            Step(f"100 KB, {RECIPIENTS} recipients", partial(copies, addresses(RECIPIENTS)), show=times),
        ],
    )
]
