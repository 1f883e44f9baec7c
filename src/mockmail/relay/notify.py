"""Who is told what about a message (RFC 3461 sections 4 to 6). All pure; the composing is in ``bounce``."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mockmail.core.notification import notify_of
from mockmail.core.queue import QueuedRecipient, QueueEntry

__all__ = [
    "DELAY_REPORTED_AFTER",
    "Action",
    "Outcome",
    "by_action",
    "delay_due_at",
    "is_wanted",
    "outcomes_of",
]

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]
"""What came of a recipient, in the words of RFC 3464 section 2.3.3."""

DELAY_REPORTED_AFTER = datetime.timedelta(hours=4)
"""A message waiting this long is reported as delayed, once."""

_KEYWORDS: Mapping[Action, str] = {
    "failed": "FAILURE",
    "delayed": "DELAY",
    "delivered": "SUCCESS",
    "relayed": "SUCCESS",
    "expanded": "SUCCESS",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one recipient, as a report tells it."""

    recipient: str
    """Address that the server tried, that is, after aliases."""
    action: Action
    status: str
    """Enhanced status code (RFC 3463)."""
    options: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters of its RCPT as sent: NOTIFY decides whether it is reported, ORCPT is told."""
    reply: str = ""
    """The reply about it, or what happened instead in the form of one."""
    remote: str = ""
    """Name of the next hop that was tried; ``""`` when there was none."""
    remote_spoke: bool = False
    """Whether ``reply`` is of the next hop."""
    attempted_at: datetime.datetime | None = None
    retry_until: datetime.datetime | None = None
    """Until when a delayed one is tried; ``None`` when that is not known."""


def is_wanted(outcome: Outcome, sender: str) -> bool:
    """Whether ``sender`` is told of it. The null sender, from whom reports come, never is (RFC 3461 section 6.1)."""
    return sender != "" and _KEYWORDS[outcome.action] in notify_of(outcome.options)


def delay_due_at(entry: QueueEntry) -> datetime.datetime | None:
    """When to report that ``entry`` waits, or ``None`` for never: it was reported, nobody wants to know, or it is
    given up before."""
    due = entry.queued_at + DELAY_REPORTED_AFTER
    if entry.delay_reported or not entry.sender or due >= entry.expires_at:
        return None
    return due if any("DELAY" in notify_of(recipient.options) for recipient in entry.waiting) else None


def outcomes_of(entry: QueueEntry, recipients: Iterable[QueuedRecipient]) -> list[Outcome]:
    """What came so far of these recipients of ``entry``: those still waiting are delayed. Those whose next hop
    reports by itself are left out."""
    attempted_at = entry.attempts[-1].at if entry.attempts else None
    found: list[Outcome] = []
    for recipient in recipients:
        if recipient.state == "relayed" and recipient.notifies_itself:
            continue
        action: Action = "delayed" if recipient.state == "waiting" else recipient.state
        found.append(
            Outcome(
                recipient=recipient.address,
                action=action,
                status=recipient.status or _DEFAULT_STATUS[action],
                options=recipient.options,
                reply=recipient.reply,
                remote=recipient.remote,
                remote_spoke=recipient.remote_spoke,
                attempted_at=attempted_at,
                retry_until=_known(entry.expires_at) if action == "delayed" else None,
            )
        )
    return found


_DEFAULT_STATUS: Mapping[Action, str] = {
    "failed": "5.0.0",
    "delayed": "4.0.0",
    "delivered": "2.0.0",
    "relayed": "2.0.0",
    "expanded": "2.0.0",
}


def by_action(outcomes: Sequence[Outcome]) -> dict[Action, list[Outcome]]:
    """Outcomes of one kind together: each kind is a report of its own, with one thing to say."""
    grouped: dict[Action, list[Outcome]] = {}
    for outcome in outcomes:
        grouped.setdefault(outcome.action, []).append(outcome)
    return grouped


def _known(expires_at: datetime.datetime) -> datetime.datetime | None:
    return None if expires_at.year == datetime.MAXYEAR else expires_at
