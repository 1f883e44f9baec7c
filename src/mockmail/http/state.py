"""Mailpit's ``/api/v1/info`` and ``/webui``, and what probes and Prometheus ask for."""

from __future__ import annotations

import sys
import time
from importlib import metadata
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mockmail.config import Settings
from mockmail.core.events import Accepted, Rejected
from mockmail.http.api import place
from mockmail.http.desk import desk
from mockmail.http.replies import JSONReply, mailpit_route
from mockmail.http.send import can_release
from mockmail.relaying import parse_smarthost

__all__ = ["ROUTES", "version"]

_started = time.monotonic()


def version() -> str:
    """The version of mockmail, as Mailpit writes its own."""
    return f"v{metadata.version('mockmail')}"


def _memory_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _numbers(request: Request) -> dict[str, int]:
    world, catalogue = place(request)
    accepted = world.journal.of(Accepted)
    return {
        "messages": len(catalogue.rows()),
        "unread": catalogue.unread_count(),
        "size": sum(row.message.size for row in catalogue.rows()),
        "uptime": int(time.monotonic() - _started),
        "memory": _memory_bytes(),
        "deleted": catalogue.deleted_count,
        "accepted": len(accepted),
        "accepted_size": sum(event.message.size for event in accepted),
        "rejected": len(world.journal.of(Rejected)),
        "ignored": 0,
    }


async def _info(request: Request) -> Response:
    _, catalogue = place(request)
    numbers = _numbers(request)
    told: dict[str, Any] = {
        "Version": version(),
        "LatestVersion": version(),
        "Database": "memory",
        "DatabaseSize": numbers["size"],
        "Messages": numbers["messages"],
        "Unread": numbers["unread"],
        "Tags": catalogue.all_tags(),
        "RuntimeStats": {
            "Uptime": numbers["uptime"],
            "Memory": numbers["memory"],
            "MessagesDeleted": numbers["deleted"],
            "SMTPAccepted": numbers["accepted"],
            "SMTPAcceptedSize": numbers["accepted_size"],
            "SMTPRejected": numbers["rejected"],
            "SMTPIgnored": 0,
        },
    }
    return JSONReply(told)


def _next_hop(settings: Settings) -> str:
    """Where mail is released to, when that is one place."""
    if settings.smarthost is None:
        return ""
    hop = parse_smarthost(settings.smarthost)
    return f"{hop.host}:{hop.port}"


async def _webui(request: Request) -> Response:
    return JSONReply(
        {
            "Label": "mockmail",
            "MessageRelay": {
                "Enabled": can_release(desk(request).world),
                "SMTPServer": _next_hop(desk(request).world.settings),
                "ReturnPath": "",
                "AllowedRecipients": "",
                "BlockedRecipients": "",
                "OverrideFrom": "",
                "PreserveMessageIDs": True,
            },
            "SpamAssassin": False,
            "ChaosEnabled": True,
            "DuplicatesIgnored": False,
            "HideDeleteAllButton": False,
        }
    )


async def _alive(request: Request) -> Response:
    return PlainTextResponse("ok")


_METRICS = (
    ("messages", "gauge", "Messages in all mailboxes", "messages"),
    ("messages_unread", "gauge", "Messages not yet read", "unread"),
    ("database_size_bytes", "gauge", "Bytes of all messages", "size"),
    ("messages_deleted_total", "counter", "Messages deleted over HTTP", "deleted"),
    ("smtp_accepted_total", "counter", "Messages taken over from clients", "accepted"),
    ("smtp_accepted_size_bytes_total", "counter", "Bytes of messages taken over", "accepted_size"),
    ("smtp_rejected_total", "counter", "Senders, recipients and messages refused", "rejected"),
    ("smtp_ignored_total", "counter", "Duplicates passed over; there are none", "ignored"),
    ("uptime_seconds", "gauge", "Seconds since the start", "uptime"),
    ("memory_usage_bytes", "gauge", "Memory of the process at its peak", "memory"),
)


async def _metrics(request: Request) -> Response:
    numbers = _numbers(request)
    lines = []
    for name, kind, text, key in _METRICS:
        full = f"mailpit_{name}"
        lines.append(f"# HELP {full} {text}\n# TYPE {full} {kind}\n{full} {numbers[key]}\n")
    _, catalogue = place(request)
    lines.append("# HELP mailpit_tag_messages Messages with a tag\n# TYPE mailpit_tag_messages gauge\n")
    # A tag has no quotation mark, backslash or line end, which a label would have escaped.
    lines += [f'mailpit_tag_messages{{tag="{tag}"}} {count}\n' for tag, count in catalogue.all_tags().items()]
    return PlainTextResponse("".join(lines), media_type="text/plain; version=0.0.4")


ROUTES = [
    mailpit_route("/api/v1/info", _info, "GET"),
    mailpit_route("/api/v1/webui", _webui, "GET"),
    mailpit_route("/livez", _alive, "GET"),
    # The other ports are bound before this one is served, and mail is taken from then on.
    mailpit_route("/readyz", _alive, "GET"),
    mailpit_route("/metrics", _metrics, "GET"),
]
