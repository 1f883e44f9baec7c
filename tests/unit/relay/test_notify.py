"""Who is told what: the rules of RFC 3461."""

import datetime
from dataclasses import replace
from typing import Any

import pytest

from mockmail.core.message import Envelope, Message
from mockmail.core.queue import Attempt, QueuedRecipient, QueueEntry
from mockmail.relay.notify import (
    Action,
    Outcome,
    by_action,
    delay_due_at,
    is_wanted,
    outcomes_of,
)

AT = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
FOUR_HOURS = datetime.timedelta(hours=4)


@pytest.mark.parametrize(
    ("notify", "told_of"),
    [
        (None, {"failed", "delayed"}),
        ("NEVER", set()),
        ("never", set()),
        ("SUCCESS", {"delivered", "relayed", "expanded"}),
        ("FAILURE", {"failed"}),
        ("DELAY", {"delayed"}),
        ("success,Failure,DELAY", {"failed", "delayed", "delivered", "relayed", "expanded"}),
    ],
)
@pytest.mark.parametrize("action", ["failed", "delayed", "delivered", "relayed", "expanded"])
def test_what_the_sender_is_told(notify: str | None, told_of: set[str], action: Action) -> None:
    options = {} if notify is None else {"Notify": notify}
    outcome = Outcome(recipient="bob@bob.test", action=action, status="5.0.0", options=options)
    assert is_wanted(outcome, "alice@alice.test") is (action in told_of)
    assert not is_wanted(outcome, "")


def entry(*recipients: QueuedRecipient, sender: str = "alice@alice.test", **changes: Any) -> QueueEntry:
    message = Message(b"", id="M1", envelope=Envelope(sender), received_at=AT)
    made = QueueEntry(message, sender, "bob.test", list(recipients), AT, AT + datetime.timedelta(days=5))
    return replace(made, **changes)


WAITS = QueuedRecipient("bob@bob.test", "bob@bob.test")


def test_a_delay_is_reported_after_four_hours() -> None:
    assert delay_due_at(entry(WAITS)) == AT + FOUR_HOURS


@pytest.mark.parametrize(
    "quiet",
    [
        entry(WAITS, delay_reported=True),
        entry(WAITS, sender=""),
        entry(WAITS, expires_at=AT + FOUR_HOURS),
        entry(QueuedRecipient("b@b.test", "b@b.test", {"NOTIFY": "FAILURE"})),
        entry(QueuedRecipient("b@b.test", "b@b.test", {"NOTIFY": "NEVER"})),
        entry(QueuedRecipient("b@b.test", "b@b.test", {"NOTIFY": "DELAY"}, "failed")),
    ],
    ids=["once", "null sender", "given up before", "failures only", "never", "settled"],
)
def test_a_delay_is_not_reported(quiet: QueueEntry) -> None:
    assert delay_due_at(quiet) is None


def test_outcomes_of_an_entry() -> None:
    failed = QueuedRecipient("f@b.test", "alias@a.test", {}, "failed", "550 5.1.1 no", "5.1.1", "mx.b.test", True)
    relayed = QueuedRecipient("r@b.test", "r@b.test", {}, "relayed", "250 ok")
    told_by_other = QueuedRecipient("o@b.test", "o@b.test", {}, "relayed", "250 ok", notifies_itself=True)
    later = AT + FOUR_HOURS
    attempts = [Attempt(1, AT, 0.1, "x", None, "", ""), Attempt(2, later, 0.1, "x", None, "", "")]
    waiting = entry(WAITS, failed, relayed, told_by_other, attempts=attempts)
    found = outcomes_of(waiting, waiting.recipients)
    assert [(one.recipient, one.action, one.status) for one in found] == [
        ("bob@bob.test", "delayed", "4.0.0"),
        ("f@b.test", "failed", "5.1.1"),
        ("r@b.test", "relayed", "2.0.0"),
    ]
    assert [one.retry_until for one in found] == [waiting.expires_at, None, None]
    assert {one.attempted_at for one in found} == {later}
    assert (found[1].reply, found[1].remote, found[1].remote_spoke) == ("550 5.1.1 no", "mx.b.test", True)
    assert list(by_action(found)) == ["delayed", "failed", "relayed"]


def test_a_schedule_without_an_end_promises_none() -> None:
    endless = entry(WAITS, expires_at=datetime.datetime.max.replace(tzinfo=datetime.UTC))
    (outcome,) = outcomes_of(endless, endless.recipients)
    assert (outcome.retry_until, outcome.attempted_at) == (None, None)
