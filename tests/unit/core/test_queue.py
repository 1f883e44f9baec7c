"""The queue: entries, their recipients, and pictures of them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from mockmail.core.message import Envelope, Message
from mockmail.core.queue import Attempt, Queue, QueuedRecipient, QueueEntry

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry() -> QueueEntry:
    envelope = Envelope("a@alice.test", ("b@bob.test", "c@bob.test"))
    raw = b"Return-Path: <a@alice.test>\r\nReceived: x\r\nSubject: Hi\r\n\r\nHi\r\n"
    message = Message(
        raw,
        id="1",
        envelope=envelope,
        received_at=AT,
        trace_length=len(b"Return-Path: <a@alice.test>\r\nReceived: x\r\n"),
    )
    recipients = [QueuedRecipient("b@bob.test", "b@bob.test"), QueuedRecipient("c@bob.test", "sales@alice.test")]
    return QueueEntry(
        message, "a@alice.test", "bob.test", recipients, AT, AT + timedelta(days=5), received=b"Received: x\r\n"
    )


def test_what_goes_out_has_the_trace_without_the_return_path() -> None:
    assert entry().content == b"Received: x\r\nSubject: Hi\r\n\r\nHi\r\n"


def test_the_watcher_is_told_in_the_step_that_adds() -> None:
    queue, seen = Queue(), list[tuple[QueueEntry, bool]]()
    queue.watcher = lambda one: seen.append((one, one in queue))
    one = entry()
    queue.add([one])
    assert seen == [(one, True)]
    queue.discard(one)
    queue.discard(one)
    assert list(queue) == []
    assert len(queue) == 0


def test_a_picture_shows_those_waiting_and_stays() -> None:
    one = entry()
    one.recipients[0].state = "relayed"
    one.recipients[1].reply = "451 4.7.1 later"
    one.attempts.append(Attempt(1, AT, 0.1, "bob.test", ("127.0.0.1", 25), "451 4.7.1 later", "4.7.1"))
    one.attempt_count = 1
    picture = one.picture()
    one.recipients[1].state = "failed"
    assert (picture.recipients, picture.addresses) == (("sales@alice.test",), ("c@bob.test",))
    assert (picture.attempts, picture.last_reply) == (1, "451 4.7.1 later")
    assert picture.history[0].hop == "bob.test"
    with pytest.raises(dataclasses.FrozenInstanceError):
        picture.attempts = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "notify"),
    [
        ({}, {"FAILURE", "DELAY"}),
        ({"ORCPT": "rfc822;b@bob.test"}, {"FAILURE", "DELAY"}),
        ({"notify": "success,Delay"}, {"SUCCESS", "DELAY"}),
        ({"NOTIFY": "NEVER"}, {"NEVER"}),
    ],
)
def test_what_a_sender_wants_to_hear_of(options: dict[str, str | None], notify: set[str]) -> None:
    assert QueuedRecipient("b@bob.test", "b@bob.test", options).notify == notify
