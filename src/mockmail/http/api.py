"""Mailpit's ``/api/v1``: the list, search, and one message. Replies and refusals are as its clients expect them."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mockmail.core.world import World
from mockmail.http import query as search_language
from mockmail.http.catalogue import Catalogue, Row, is_tag
from mockmail.http.content import content_type, detail, header_fields, part_at, summary
from mockmail.http.desk import desk
from mockmail.http.replies import (
    JSONReply,
    Refusal,
    as_text,
    content_disposition,
    count_of,
    mailpit_route,
    ok,
    read_object,
    strings,
)

__all__ = ["ROUTES", "found_row", "item", "matching", "session_of"]

LIST_LIMIT = 50
SLICE_SECONDS = 0.002
SLICE_ROWS = 128
SLICE_BYTES = 512 * 1024


def session_of(request: Request) -> str:
    """The name of the connection's session in events."""
    return str(request.scope["state"].get("session", ""))


def place(request: Request) -> tuple[World, Catalogue]:
    """The world this request began in, and its list."""
    here = desk(request)
    return here.world, here.catalogue(here.world)


def item(catalogue: Catalogue, row: Row) -> dict[str, Any]:
    """A message as a list has it."""
    message = row.message
    return summary(message, read=row.read, tags=catalogue.tags(message), username=catalogue.username(message))


async def matching(rows: Sequence[Row], tests: Sequence[search_language.Test]) -> list[Row]:
    """The rows that fit all tests, giving way to others now and then."""
    if not tests:
        return list(rows)
    found: list[Row] = []
    until = time.perf_counter() + SLICE_SECONDS
    for some in _slices(rows):
        left = some
        for test in tests:
            left = test(left)
        found += left
        if time.perf_counter() > until:
            await asyncio.sleep(0)
            until = time.perf_counter() + SLICE_SECONDS
    return found


def _slices(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Some rows at a time, of messages that are not too large together, or one."""
    start = 0
    while start < len(rows):
        some = list(rows[start : start + SLICE_ROWS])
        sizes_bytes = [len(row.message.raw) for row in some]
        if sum(sizes_bytes) > SLICE_BYTES:
            some = some[: max(1, bisect_right(list(accumulate(sizes_bytes)), SLICE_BYTES))]
        yield some
        start += len(some)


async def searched(catalogue: Catalogue, text: str, request: Request) -> list[Row]:
    """What a query finds, newest first."""
    zone = search_language.timezone(request.query_params.get("tz", ""))
    return await matching(catalogue.rows(), search_language.parse(text, catalogue, zone))


async def found_row(request: Request, *, latest: bool = True) -> tuple[World, Catalogue, Row]:
    """The message that the address names: by its ID, or the newest one (that a query finds)."""
    world, catalogue = place(request)
    wanted = request.path_params["id"]
    if wanted == "latest" and latest:
        rows = await searched(catalogue, request.query_params.get("query", ""), request)
        row = rows[0] if rows else None
    else:
        row = catalogue.row(wanted)
    if row is None:
        raise Refusal(404, "Message not found")
    return world, catalogue, row


# Lists


async def _listing(request: Request, catalogue: Catalogue, rows: list[Row], *, whole: bool) -> Response:
    start, limit = count_of(request, "start", 0), count_of(request, "limit", LIST_LIMIT)
    before = request.query_params.get("before", "")
    if before:
        zone = search_language.timezone(request.query_params.get("tz", ""))
        rows = await matching(rows, search_language.parse(f'before:"{before}"', catalogue, zone))
    page = rows[start : start + limit]
    unread = catalogue.unread_count() if whole and not before else sum(not row.read for row in rows)
    messages = []
    for at, row in enumerate(page):
        messages.append(item(catalogue, row))
        if not at & 31 and at:
            await asyncio.sleep(0)
    return JSONReply(
        {
            "total": len(catalogue.rows()),
            "unread": catalogue.unread_count(),
            "count": len(page),
            "messages_count": len(rows),
            "messages_unread": unread,
            "start": start,
            "tags": list(catalogue.all_tags()),
            "messages": messages,
        }
    )


async def _list(request: Request) -> Response:
    _, catalogue = place(request)
    return await _listing(request, catalogue, catalogue.rows(), whole=True)


def _query_of(request: Request) -> str:
    text = request.query_params.get("query", "").strip()
    if not text:
        raise Refusal(400, "Error: no search query")
    return text


async def _search(request: Request) -> Response:
    _, catalogue = place(request)
    rows = await searched(catalogue, _query_of(request), request)
    return await _listing(request, catalogue, rows, whole=False)


def _rows_of(catalogue: Catalogue, ids: list[str]) -> list[Row]:
    rows = (catalogue.row(one) for one in dict.fromkeys(ids))
    return [row for row in rows if row is not None]


async def _set_read(request: Request) -> Response:
    _, catalogue = place(request)
    body = await read_object(request)
    read = body.get("Read", False)
    if not isinstance(read, bool):
        raise Refusal(400, f"Read is neither true nor false: {read!r}"[:200])
    ids = strings(body.get("IDs"), "IDs")
    query = as_text(body.get("Search"), "Search", "").strip()
    if ids and query:
        raise Refusal(400, "You may specify either IDs or a search query, not both")
    if ids:
        rows = _rows_of(catalogue, ids)
    elif query:
        rows = await searched(catalogue, query, request)
    else:
        rows = catalogue.rows()
    catalogue.set_read(rows, read, session_of(request))
    return ok()


async def _delete(request: Request) -> Response:
    _, catalogue = place(request)
    body = await read_object(request)
    ids = strings(body.get("IDs"), "IDs")
    catalogue.delete(_rows_of(catalogue, ids) if ids else catalogue.rows(), session_of(request))
    return ok()


async def _delete_found(request: Request) -> Response:
    _, catalogue = place(request)
    rows = await searched(catalogue, _query_of(request), request)
    catalogue.delete(rows, session_of(request))
    return ok()


# One message


async def _detail(request: Request) -> Response:
    _, catalogue, row = await found_row(request)
    message = row.message
    told = detail(message, tags=catalogue.tags(message), username=catalogue.username(message))
    catalogue.record_fetched(row, "full", session_of(request))
    catalogue.set_read([row], True, session_of(request))
    return JSONReply(told)


async def _headers(request: Request) -> Response:
    _, catalogue, row = await found_row(request)
    catalogue.record_fetched(row, "header", session_of(request))
    return JSONReply(header_fields(row.message))


async def _raw(request: Request) -> Response:
    _, catalogue, row = await found_row(request)
    catalogue.record_fetched(row, "full", session_of(request))
    headers = {}
    if request.query_params.get("dl") == "1":
        headers["Content-Disposition"] = content_disposition("attachment", f"{row.message.id}.eml")
    return PlainTextResponse(row.message.raw, headers=headers)


async def _part(request: Request) -> Response:
    _, catalogue, row = await found_row(request)
    path = request.path_params["part"]
    part = part_at(row.message, path)
    if part is None:
        raise Refusal(404, "Part not found")
    catalogue.record_fetched(row, path, session_of(request))
    kind = "inline" if part.media_type in _SHOWN_INLINE and "dl" not in request.query_params else "attachment"
    return Response(
        part.content,
        headers={
            "Content-Type": content_type(part),
            "Content-Disposition": content_disposition(kind, part.filename),
            # A part may be a page or a picture with script in it: it shall have no origin and run nothing.
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        },
    )


_SHOWN_INLINE = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "text/plain", "application/pdf"}
)


# Tags


async def _tags(request: Request) -> Response:
    _, catalogue = place(request)
    return JSONReply(list(catalogue.all_tags()))


def _checked_tag(tag: str) -> str:
    cleaned = " ".join(tag.split())
    if not is_tag(cleaned):
        raise Refusal(400, f"{tag!r} is no tag: it may have letters, digits, spaces and -._@"[:300])
    return cleaned


async def _set_tags(request: Request) -> Response:
    _, catalogue = place(request)
    body = await read_object(request)
    tags = [_checked_tag(tag) for tag in strings(body.get("Tags"), "Tags") if tag.strip()]
    for row in _rows_of(catalogue, strings(body.get("IDs"), "IDs")):
        catalogue.set_tags(row.message, tags)
        desk(request).tell("update", {"ID": row.message.id, "Tags": list(catalogue.tags(row.message))})
    return ok()


async def _rename_tag(request: Request) -> Response:
    _, catalogue = place(request)
    new = _checked_tag(as_text((await read_object(request)).get("Name"), "Name"))
    return _renamed(request, catalogue, new)


async def _delete_tag(request: Request) -> Response:
    _, catalogue = place(request)
    return _renamed(request, catalogue, None)


def _renamed(request: Request, catalogue: Catalogue, new: str | None) -> Response:
    tag = request.path_params["tag"]
    if not catalogue.rename_tag(tag, new):
        raise Refusal(400, f"tag not found: {tag}")
    desk(request).tell("prune")
    return ok()


ROUTES = [
    mailpit_route("/api/v1/messages", _list, "GET"),
    mailpit_route("/api/v1/messages", _set_read, "PUT"),
    mailpit_route("/api/v1/messages", _delete, "DELETE"),
    mailpit_route("/api/v1/search", _search, "GET"),
    mailpit_route("/api/v1/search", _delete_found, "DELETE"),
    mailpit_route("/api/v1/message/{id}", _detail, "GET"),
    mailpit_route("/api/v1/message/{id}/headers", _headers, "GET"),
    mailpit_route("/api/v1/message/{id}/raw", _raw, "GET"),
    mailpit_route("/api/v1/message/{id}/part/{part}", _part, "GET"),
    mailpit_route("/api/v1/tags", _tags, "GET"),
    mailpit_route("/api/v1/tags", _set_tags, "PUT"),
    mailpit_route("/api/v1/tags/{tag:path}", _rename_tag, "PUT"),
    mailpit_route("/api/v1/tags/{tag:path}", _delete_tag, "DELETE"),
]
