"""What a message becomes that does not only go to mailboxes here: entries of the queue, and copies in the name of a
list's owner. Loop thread only."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mockmail.core.message import Message
from mockmail.core.notification import notify_of, options_after_expansion
from mockmail.core.queue import QueuedRecipient, QueueEntry, RecipientState
from mockmail.core.routing import Deliver, Expand, Refuse, Relay, Taken, leaves

if TYPE_CHECKING:
    from mockmail.core.world import World

__all__ = ["HOP_LIMIT", "VISIT_LIMIT", "confirmed", "loop_in", "returning_to", "spread"]

HOP_LIMIT = 100
"""More visits of servers than this are a loop (RFC 5321 section 6.3)."""
VISIT_LIMIT = 10
"""So many of the same server are one, too. Few are none: a list may lead back to where the mail came from."""
_NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def loop_in(text: bytes | bytearray, server: str) -> str | None:
    """Why a message that comes to ``server``, once more, goes in a loop, by the Received fields that it came with (RFC
    5321 section 6.3), or ``None``."""
    end = text.find(b"\r\n\r\n")
    if end < 0:
        end = len(text)
    if text.count(b"\n", 0, end) < VISIT_LIMIT:
        return None  # there are not so many lines
    head = bytes(text[:end]).lower()
    hops = head.count(b"\nreceived:") + head.startswith(b"received:")
    if hops >= HOP_LIMIT:
        return f"Too many hops: the message came through more than {HOP_LIMIT} servers, so it goes in a loop"
    if hops >= VISIT_LIMIT and head.count(f"\r\n\tby {server.lower()} with ".encode()) >= VISIT_LIMIT:
        return f"Mail loop: the message came through {server} more than {VISIT_LIMIT} times"
    return None


def returning_to(message: Message, sender: str, received: bytes) -> Message:
    """A copy of a message whose trace names another return path; its ID stays."""
    trace = b"Return-Path: <" + sender.encode() + b">\r\n" + received if message.size > len(message.original) else b""
    return Message(
        trace + message.original,
        id=message.id,
        envelope=replace(message.envelope, sender=sender),
        received_at=message.received_at,
        trace_length=len(trace),
    )


def spread(
    world: World, message: Message, decisions: Sequence[Taken], received: bytes, now: datetime.datetime
) -> tuple[list[Deliver], list[QueueEntry]]:
    """What is delivered here, and an entry for each next-hop domain (and reverse-path), in the order of recipients."""
    local: list[Deliver] = []
    entries: dict[tuple[str, str], QueueEntry] = {}
    for decision in decisions:
        options = message.envelope.rcpt_options.get(decision.recipient, {})
        if options and len(leaves(decision)) > 1:
            options = options_after_expansion(options)
        for leaf in leaves(decision):
            if isinstance(leaf, Deliver):
                local.append(leaf)
                continue
            # A report, which comes from nobody, stays from nobody, or it could cause another.
            sender = message.sender if leaf.sender is None or not message.sender else leaf.sender
            domain = leaf.domain if isinstance(leaf, Relay) else ""
            entry = entries.get((sender, domain))
            if entry is None:
                entry = entries[sender, domain] = _entry(world, message, sender, domain, received, now)
            if all(leaf.address != one.address for one in entry.recipients):
                # A list's mail is a new submission: the sender of what came asks nothing of the members.
                entry.recipients.append(_recipient(leaf, options if leaf.sender is None else {}))
    return local, list(entries.values())


def _entry(
    world: World, message: Message, sender: str, domain: str, received: bytes, now: datetime.datetime
) -> QueueEntry:
    settings = world.settings
    expires_at = now + settings.retry_for if settings.retry_schedule is None else _NEVER
    return QueueEntry(message, sender, domain, [], now, expires_at, received, next_attempt=now)


def _recipient(leaf: Relay | Refuse, options: Mapping[str, str | None]) -> QueuedRecipient:
    recipient = QueuedRecipient(leaf.address, leaf.recipient, options)
    if isinstance(leaf, Refuse):
        # What cannot go anywhere is reported by whoever works off the queue.
        recipient.reply, recipient.status = leaf.reply, leaf.status
    return recipient


def confirmed(
    message: Message, decisions: Sequence[Taken], received: bytes, now: datetime.datetime
) -> QueueEntry | None:
    """What the sender asked to be told of that has happened now (RFC 3461 sections 5.2.3 and 5.2.7): mail delivered to
    mailboxes here or to a list, and mail for an alias with several targets. ``None`` when there is nothing."""
    recipients = []
    for decision in decisions:
        options = message.envelope.rcpt_options.get(decision.recipient, {})
        if "SUCCESS" not in notify_of(options):
            continue
        address, state = decision.recipient, _confirmation(decision)
        if isinstance(decision, Expand) and decision.kind == "alias" and state == "delivered":
            address = decision.targets[0].address
        if state is not None:
            recipients.append(QueuedRecipient(address, decision.recipient, options, state, settled_at=now))
    if not recipients or not message.sender:
        return None
    return QueueEntry(message, message.sender, "", recipients, now, now, received)


def _confirmation(decision: Taken) -> RecipientState | None:
    if isinstance(decision, Relay):
        return None
    if isinstance(decision, Deliver) or decision.kind == "list":
        return "delivered"
    if len(decision.targets) > 1:
        return "expanded"
    # An alias with one target is that target.
    return "delivered" if isinstance(decision.targets[0], Deliver) else None
