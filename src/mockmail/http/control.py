"""Our own ``/api/v1``: the journal, transcripts, faults, the clock, the queue, a reset."""

from __future__ import annotations

import asyncio
import datetime
import json
import math
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mockmail.core.world import World
from mockmail.http.api import place
from mockmail.http.desk import Desk, desk
from mockmail.http.events import BATCH, longer
from mockmail.http.own import moment
from mockmail.http.replies import JSONReply, Refusal, as_text, count_of, own_route, read_object, strings
from mockmail.http.state import version
from mockmail.testing.coding import encoded_event, encoded_queued
from mockmail.wire.faults import Fault

__all__ = ["ROUTES"]

WAIT_LIMIT_SECONDS = 25.0
HEARTBEAT_SECONDS = 15.0


async def _server(request: Request) -> Response:
    here = desk(request)
    settings = here.server.settings
    return JSONReply(
        {
            "version": version(),
            "world": here.number(here.world),
            "timeout": settings.timeout,
            "profile": settings.profile,
            "domains": settings.domains,
            "users": None if settings.users is None else list(settings.users),
            "require_auth": settings.require_auth,
            "require_tls": settings.require_tls,
            "ca_file": here.server.tls.ca_file if settings.tls else None,
            "endpoints": {
                name: {"host": one.host, "port": one.port, "url": one.url}
                for name, one in here.server.endpoints.items()
            },
        }
    )


async def _reset(request: Request) -> Response:
    here = desk(request)
    late = here.server.late_mail()  # else it would be told as warnings, in a process where nobody may look
    here.server.reset()
    return JSONReply({"world": here.number(here.world), "late": late})


# The journal


def _since(request: Request, world: World) -> int:
    return max(count_of(request, "since", 0), world.journal.records.first)


async def _journal(request: Request) -> Response:
    """Events from a position on; with ``wait``, as soon as there is one. The position to go on from is told."""
    here = desk(request)
    world = here.world
    known = request.query_params.get("world")
    if known is not None and known != str(here.number(world)):
        # Positions are those of a world; who knows another one begins anew.
        return JSONReply(_told_journal(here, world, world.journal.records.first))
    since = min(_since(request, world), len(world.journal.records))
    wait = _seconds(request)
    if wait and len(world.journal.records) <= since:
        await longer(world, since, wait)
        if world.retired and here.world is not world:
            world, since = here.world, 0
    return JSONReply(_told_journal(here, world, since))


def _seconds(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not math.isfinite(seconds) or seconds < 0:
        raise Refusal(400, f"wait is {text!r}; write a number of seconds."[:200])
    return min(seconds, WAIT_LIMIT_SECONDS)


def _told_journal(here: Desk, world: World, since: int) -> dict[str, Any]:
    stop = min(since + BATCH, len(world.journal.records))
    events = [encoded_event(event) for event in world.journal.events(since, stop)]
    return {
        "world": here.number(world),
        "since": since,
        "position": stop,
        "more": stop < len(world.journal.records),
        "events": events,
    }


async def _stream(request: Request) -> Response:
    """The same as server-sent events: each ``data`` is an event, each ``id`` the position after it. Of events that
    came in one step the last one has it: who resumes by it misses none."""
    return StreamingResponse(
        _chunks(request, desk(request)), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _chunks(request: Request, here: Desk) -> AsyncIterator[str]:
    world = here.world
    total = len(world.journal.records)
    last = request.headers.get("last-event-id", "")
    of_world, _, digits = last.partition("-")
    known = of_world == str(here.number(world)) and digits.isascii() and digits.isdigit()
    at = min(int(digits), total) if known and len(digits) < 16 else total
    yield f"event: world\ndata: {here.number(world)}\n\n"
    while True:
        if len(world.journal.records) <= at and not await longer(world, at, HEARTBEAT_SECONDS):
            yield ": still here\n\n"
            continue
        journal, number = world.journal, here.number(world)
        since = max(at, journal.records.first)
        at = min(since + BATCH, len(journal.records))
        for position, events in enumerate(journal.by_record(since, at), since + 1):
            for event in events:
                line = f"id: {number}-{position}\n" if event is events[-1] else ""
                told = encoded_event(event)
                yield f"{line}event: {told['kind']}\ndata: {json.dumps(told)}\n\n"
        if world.retired and at >= len(world.journal.records):
            if here.world is world:
                return
            world, at = here.world, 0
            yield f"event: world\ndata: {here.number(world)}\n\n"
        await asyncio.sleep(0)


async def _journal_message(request: Request) -> Response:
    """The bytes of a message, also of one that is in no mailbox any more. It is nobody's reading."""
    _, catalogue = place(request)
    message = catalogue.message_ever(request.path_params["id"])
    if message is None:
        raise Refusal(404, "There is no such message.")
    return Response(message.raw, media_type="message/rfc822", headers={"Content-Disposition": "attachment"})


async def _transcripts(request: Request) -> Response:
    params = request.query_params
    sessions = desk(request).server.transcript.sessions(params.get("protocol"), params.get("account"))
    return JSONReply(
        {
            "sessions": [
                {
                    "protocol": one.protocol,
                    "session": one.session,
                    "account": one.account,
                    "peer": list(one.peer),
                    "lines": list(one.lines),
                    "times": list(one.times),
                }
                for one in sessions
            ]
        }
    )


# Faults

_PATTERNED = ("account", "to")
"""Options that may also be ``{"pattern": "..."}``, a regular expression that is searched."""
_OPTIONS: dict[str, type[Any]] = {
    "reply": str,
    "drop": bool,
    "after_bytes": int,
    "delay": float,
    "half_close": bool,
    "throttle": float,
    "garble": bool,
    "refuse": bool,
    "hang": bool,
    "wrong_tag": bool,
    "partial_literal": bool,
    "account": str,
    "to": str,
    "nth": int,
    "times": int,
    "probability": float,
    "seed": int,
}


def _told_fault(fault: Fault) -> dict[str, Any]:
    return {
        "number": fault.number,
        "protocol": fault.protocol,
        "command": fault.command,
        "description": fault.description,
        "hits": fault.hits,
        "times": fault.times,
        "used_up": fault.used_up,
    }


async def _faults(request: Request) -> Response:
    """Those in force; with ``all``, also those removed one by one."""
    plan = desk(request).server.faults.plan
    told = plan.added if "all" in request.query_params else plan.rules
    return JSONReply({"faults": [_told_fault(fault) for fault in told]})


async def _add_fault(request: Request) -> Response:
    faults = desk(request).server.faults
    body = await read_object(request, "protocol", "command", "scenario", *_OPTIONS)
    if "scenario" in body:
        made = faults.scenario(as_text(body["scenario"], "scenario"))
        return JSONReply({"faults": [_told_fault(fault) for fault in made]}, 201)
    protocol, command = as_text(body.pop("protocol", None), "protocol"), as_text(body.pop("command", None), "command")
    options: dict[str, Any] = {}
    given: dict[str, Any] = body
    for name, value in given.items():
        kind = _OPTIONS[name]
        if name in _PATTERNED and isinstance(value, dict):
            options[name] = _pattern(value, name)
            continue
        if name == "to" and isinstance(value, list):
            options[name] = strings(value, name)
            continue
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)  # noqa: PLW2901 - the same number
        if type(value) is not kind:
            raise Refusal(400, f"{name} is {value!r}; write a {kind.__name__}."[:300])
        if isinstance(value, str):
            as_text(value, name)
        elif not isinstance(value, bool) and (not math.isfinite(value) or abs(value) > 1e9):
            raise Refusal(400, f"{name} is {value!r}, which is too much."[:300])
        options[name] = value
    return JSONReply({"faults": [_told_fault(faults.plan.add(protocol, command, **options))]}, 201)


def _pattern(value: dict[str, Any], name: str) -> re.Pattern[str]:
    source = as_text(value.get("pattern"), f"pattern of {name}")
    flags = value.get("flags", 0)
    if type(flags) is not int or not 0 <= flags < 1 << 10:
        raise Refusal(400, f"flags of {name} are {flags!r}; write a number, as Python's re has them."[:300])
    try:
        return re.compile(source, flags)
    except (re.error, ValueError, RecursionError, OverflowError) as error:
        raise Refusal(400, f"{name} is no regular expression: {error}"[:300]) from None


async def _clear_faults(request: Request) -> Response:
    desk(request).server.faults.clear()
    return JSONReply({"faults": []})


async def _remove_fault(request: Request) -> Response:
    plan = desk(request).server.faults.plan
    for fault in plan.rules:
        if str(fault.number) == request.path_params["number"]:
            fault.remove()
            return JSONReply(_told_fault(fault))
    raise Refusal(404, "There is no such fault.")


# The clock and the queue


def _told_clock(world: World) -> dict[str, Any]:
    due = world.clock.next_due
    return {
        "now": world.clock.now().isoformat(),
        "frozen": world.clock.frozen,
        "next_due": due.isoformat() if due is not None else None,
    }


async def _clock(request: Request) -> Response:
    return JSONReply(_told_clock(desk(request).world))


async def _move_clock(request: Request) -> Response:
    """``{"advance_seconds": 60}``, ``{"until": "2026-..."}``, ``{"freeze": "2026-..."}``, ``{"to_next": true}`` or
    ``{"until_idle": true}``. Answered when all that was due has happened; ``moved`` is false when nothing was due
    next."""
    world = desk(request).world
    clock = world.clock
    body = await read_object(request, "advance_seconds", "until", "freeze", "to_next", "until_idle")
    if len(body) != 1:
        raise Refusal(400, "Write one of advance_seconds, until, freeze, to_next and until_idle.")
    what, value = next(iter(body.items()))
    driver = clock.driver
    moved = True
    if what == "until":
        at = _moment(value, what)
        if driver is None:
            clock.go_to(at)
        else:
            await asyncio.wrap_future(driver.begin(at))
    elif what == "advance_seconds":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
            raise Refusal(400, f"advance_seconds is {value!r}; write a number of seconds up to 1e9."[:200])
        until = clock.now() + datetime.timedelta(seconds=value)
        if driver is None:
            clock.shift(until - clock.now())
        else:
            await asyncio.wrap_future(driver.begin(until))
    elif what == "freeze":
        at = _moment(value, what)
        if driver is None:
            clock.stand(at)
        else:
            await asyncio.wrap_future(driver.begin(at, freeze=True))
    elif value is not True:
        raise Refusal(400, f"{what} is {value!r}; write true."[:200])
    elif driver is not None and what == "to_next":
        moved = await asyncio.wrap_future(driver.begin_next())
    elif driver is not None:
        await asyncio.wrap_future(driver.begin(None))
    return JSONReply({**_told_clock(world), "moved": moved})


def _moment(value: Any, name: str) -> datetime.datetime:
    at = moment(as_text(value, name))
    if at is None:
        raise Refusal(400, f"{name} is empty; write a moment such as 2026-11-23T14:30:00+00:00.")
    return at


async def _queue(request: Request) -> Response:
    world = desk(request).world
    entries = []
    for entry in world.queue:
        one = entry.picture()
        entries.append({**encoded_queued(one), "subject": one.message.subject})
    return JSONReply({"queue": entries})


async def _try_now(request: Request) -> Response:
    """Try what waits now: all of it, or what is named by the ID of its message, and its next-hop domain."""
    world = desk(request).world
    body = await read_object(request, "id", "domain")
    wanted, domain = as_text(body.get("id"), "id", ""), as_text(body.get("domain"), "domain", "")
    entries = [
        entry
        for entry in world.queue
        if wanted in ("", entry.message.id) and domain in ("", entry.domain) and entry.next_attempt is not None
    ]
    if wanted and not entries:
        raise Refusal(404, "No message of that ID waits to be relayed.")
    for entry in entries:
        world.queue.hasten(entry)
    return JSONReply({"tried": len(entries)})


ROUTES = [
    own_route("/api/v1/server", _server, "GET"),
    own_route("/api/v1/reset", _reset, "POST"),
    own_route("/api/v1/journal", _journal, "GET"),
    own_route("/api/v1/journal/messages/{id}", _journal_message, "GET"),
    own_route("/api/v1/stream", _stream, "GET"),
    own_route("/api/v1/transcripts", _transcripts, "GET"),
    own_route("/api/v1/faults", _faults, "GET"),
    own_route("/api/v1/faults", _add_fault, "POST"),
    own_route("/api/v1/faults", _clear_faults, "DELETE"),
    own_route("/api/v1/faults/{number}", _remove_fault, "DELETE"),
    own_route("/api/v1/clock", _clock, "GET"),
    own_route("/api/v1/clock", _move_clock, "POST"),
    own_route("/api/v1/queue", _queue, "GET"),
    own_route("/api/v1/queue", _try_now, "POST"),
]
