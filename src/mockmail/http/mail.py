"""Our own ``/api/v1/mail``: every message in any mailbox once, newest first, and what happened to each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mockmail.core.accounts import canonical_address
from mockmail.core.events import (
    Accepted,
    Appended,
    Bounced,
    Copied,
    Delivered,
    Event,
    Expunged,
    Fetched,
    FlagsChanged,
    Moved,
    Queued,
    Rejected,
    RelayAttempted,
    Relayed,
    Seeded,
)
from mockmail.core.message import Message
from mockmail.core.world import World
from mockmail.http.api import item, place, searched, session_of
from mockmail.http.catalogue import Catalogue, Row
from mockmail.http.content import detail
from mockmail.http.replies import JSONReply, Refusal, count_of, own_route
from mockmail.http.structure import tree
from mockmail.mime.report import DeliveryReport
from mockmail.testing.coding import encoded_event, encoded_message

__all__ = ["ROUTES", "whole"]

PAGE = 100
TIMELINE_LIMIT = 500
_ABOUT_MESSAGES = (
    Accepted, Rejected, Delivered, Seeded, Appended, Queued, RelayAttempted, Relayed, Bounced, Fetched, FlagsChanged,
    Copied, Moved, Expunged,
)  # fmt: skip


def _copies(row: Row) -> list[dict[str, Any]]:
    told = []
    for mailbox, uid in row.copies:
        entry = mailbox.get(uid)
        if entry is not None:
            told.append({"account": mailbox.account, "folder": mailbox.name, "uid": uid, "flags": sorted(entry.flags)})
    return told


def _told(catalogue: Catalogue, row: Row) -> dict[str, Any]:
    copies = _copies(row)
    flags = sorted({flag for copy in copies for flag in copy["flags"] if flag != "\\Seen" or row.read})
    return {**item(catalogue, row), "flags": flags, "copies": copies}


async def _list(request: Request) -> Response:
    _, catalogue = place(request)
    text = request.query_params.get("query", "").strip()
    rows = await searched(catalogue, text, request) if text else catalogue.rows()
    start = count_of(request, "start", 0)
    page = rows[start : start + count_of(request, "limit", PAGE)]
    return JSONReply(
        {
            "messages": len(catalogue.rows()),
            "unseen": catalogue.unread_count(),
            "matched": len(rows),
            "start": start,
            "list": [_told(catalogue, row) for row in page],
        }
    )


def _ever(catalogue: Catalogue, message_id: str) -> Message:
    message = catalogue.message_ever(message_id)
    if message is None:
        raise Refusal(404, "There is no message of that ID.")
    return message


def whole(world: World, message: Message) -> dict[str, Any]:
    """What our own API tells of a message besides Mailpit's detail."""
    return {
        "envelope": encoded_message(message)["envelope"],
        "links": list(message.links),
        "tree": tree(message.part),
        "seeded": any(event.message is message for event in world.journal.of(Seeded)),
    }


async def _one(request: Request) -> Response:
    """All of a message, also of one that was deleted, or only goes through to another server. Marks all its copies
    seen, unless ``peek`` is given."""
    world, catalogue = place(request)
    message_id = request.path_params["id"]
    row = catalogue.row(message_id) or Row(_ever(catalogue, message_id))
    if "peek" not in request.query_params:
        catalogue.record_fetched(row, "full", session_of(request))
        catalogue.set_read([row], True, session_of(request))
        row = catalogue.row(message_id) or row
    message = row.message
    told = detail(message, tags=catalogue.tags(message), username=catalogue.username(message))
    return JSONReply({**_told(catalogue, row), **told, **whole(world, message)})


# What happened to it


async def _timeline(request: Request) -> Response:
    """The events that concern a message, in order, also of one that was deleted; what has become of it for each
    recipient; and what it says if it is a report itself."""
    world, catalogue = place(request)
    message = _ever(catalogue, request.path_params["id"])
    events: list[Event] = []
    for kind in _ABOUT_MESSAGES:
        events += _about(world, kind, message)
        await asyncio.sleep(0)
    events.sort(key=lambda event: event.at)
    row = catalogue.row(message.id)
    return JSONReply(
        {
            "id": message.id,
            "copies": [] if row is None else _copies(row),
            "delivery": _delivery(events),
            "cut": len(events) > TIMELINE_LIMIT,
            "events": [_without_message(event) for event in events[-TIMELINE_LIMIT:]],
            "report": _report(message),
        }
    )


def _about(world: World, kind: type[Any], message: Message) -> Iterator[Event]:
    return (event for event in world.journal.of(kind) if event.message is not None and event.message.id == message.id)


def _delivery(events: Iterable[Event]) -> list[dict[str, str]]:
    """What has become of it for each recipient, as given in RCPT, and where else aliases led. ``events`` in order."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for event in events:
        match event:
            case Rejected():
                found.update({(one, ""): ("refused", event.reply) for one in event.recipients})
            case Delivered():
                found.update({(one, ""): ("delivered", _into(event, one)) for one in event.recipients})
            case Queued():
                found.update(dict.fromkeys(_targets(event), ("queued", f"for {event.domain}")))
            case RelayAttempted():
                waits = f"attempt {event.attempt}: {event.reply}"
                found.update(dict.fromkeys(_targets(event), ("queued", waits)))
            case Relayed():
                found.update(dict.fromkeys(_targets(event), ("relayed", f"to {event.via}: {event.reply}")))
            case Bounced():
                found.update(dict.fromkeys(_targets(event), ("bounced", event.reply)))
    return [
        {"recipient": recipient, "address": address, "state": state, "detail": detail}
        for (recipient, address), (state, detail) in found.items()
    ]


def _into(event: Delivered, recipient: str) -> str:
    """Where it went, unless that is the recipient's own mailbox."""
    return "" if canonical_address(recipient) in event.accounts else f"into {', '.join(event.accounts)}"


def _targets(event: Queued | RelayAttempted | Relayed | Bounced) -> Iterator[tuple[str, str]]:
    return zip(event.recipients, event.addresses, strict=True)


def _without_message(event: Event) -> dict[str, Any]:
    told = encoded_event(event)
    del told["message"]
    return told


def _report(message: Message) -> dict[str, Any] | None:
    report = message.report
    if not isinstance(report, DeliveryReport):
        return None
    return {
        "recipients": [
            {
                "recipient": one.recipient,
                "action": one.action,
                "status": one.status,
                "diagnostic": one.diagnostic,
            }
            for one in report.recipients
        ]
    }


ROUTES = [
    own_route("/api/v1/mail", _list, "GET"),
    own_route("/api/v1/mail/{id}", _one, "GET"),
    own_route("/api/v1/mail/{id}/timeline", _timeline, "GET"),
]
