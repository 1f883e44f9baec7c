"""What happens, as it happens: Mailpit's WebSocket, and our own journal by long poll and by server-sent events.

Nothing here polls: a follower sleeps until the journal is longer, or its world has ended by a reset or a stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mockmail.core.events import (
    Appended,
    Delivered,
    Event,
    Expunged,
    FlagsChanged,
    LoginFailed,
    Rejected,
    Seeded,
    SessionOpened,
)
from mockmail.core.world import World
from mockmail.http.api import item
from mockmail.http.desk import Desk, desk
from mockmail.http.state import version

__all__ = ["ROUTES", "follow", "longer"]

BATCH = 500


async def longer(
    world: World, length: int, timeout_seconds: float | None = None, event: asyncio.Event | None = None
) -> bool:
    """Wait until the world's journal has more than ``length`` records, or the world is over; false when time is. It
    also ends when somebody else sets ``event``."""
    event = event or asyncio.Event()
    cancel = world.journal.when_longer(length, event.set)
    try:
        async with asyncio.timeout(timeout_seconds):
            await event.wait()
    except TimeoutError:
        return False
    finally:
        cancel()
    return True


async def follow(here: Desk, woken: asyncio.Event) -> AsyncIterator[tuple[World, list[Event] | None]]:
    """Events from now on, some at a time, with their world; none when somebody set ``woken``. ``None`` instead of
    events: there was a reset."""
    world = here.world
    position = len(world.journal.records)
    while True:
        woken.clear()
        await longer(world, position, event=woken)
        stop = min(len(world.journal.records), position + BATCH)
        if stop > position:
            events = world.journal.events(position, stop)
            position = stop
            yield world, events
        elif world.retired:
            if here.world is world:
                return  # the server stops
            world, position = here.world, 0
            yield world, None
        else:
            yield world, []


# Mailpit's


def _stats(here: Desk) -> dict[str, Any]:
    catalogue = here.catalogue(here.world)
    data = {"Total": len(catalogue.rows()), "Unread": catalogue.unread_count(), "Version": version()}
    return {"Type": "stats", "Data": data}


def _told(here: Desk, world: World, events: list[Event]) -> Iterator[dict[str, Any]]:
    catalogue = here.catalogue(world)
    changed: dict[str, None] = {}
    gone: dict[str, None] = {}
    pruned = False
    for event in events:
        if isinstance(event, Delivered | Seeded | Appended):
            row = catalogue.row(event.message.id)
            if row is not None:
                yield {"Type": "new", "Data": item(catalogue, row)}
        elif isinstance(event, FlagsChanged):
            changed[event.message.id] = None
        elif isinstance(event, Expunged) and catalogue.row(event.message.id) is None:
            if event.account:
                gone[event.message.id] = None
            else:
                pruned = True  # by nobody: there was more mail than max_messages
        elif isinstance(event, Rejected):
            yield _error(world, event.protocol, event.session, event.code, event.reply)
        elif isinstance(event, LoginFailed) and event.protocol in ("smtp", "lmtp"):
            yield _error(world, event.protocol, event.session, 535, f"535 5.7.8 {event.reason}")
    emptied = bool(gone) and not catalogue.rows()
    if not emptied or len(gone) == 1:
        yield from ({"Type": "delete", "Data": {"ID": message_id}} for message_id in gone)
    if emptied:
        yield {"Type": "truncate", "Data": None}
    if pruned:
        yield {"Type": "prune", "Data": None}
    for message_id in changed:
        row = catalogue.row(message_id)
        if row is not None:
            data = {"ID": message_id, "Read": row.read, "Tags": list(catalogue.tags(row.message))}
            yield {"Type": "update", "Data": data}


def _error(world: World, protocol: str, session: str, code: int, reply: str) -> dict[str, Any]:
    peers = [event.peer[0] for event in world.journal.of(SessionOpened) if event.session == session]
    level = "warning" if code < 500 else "error"
    data = {"Level": level, "Type": f"{protocol}d", "IP": peers[-1] if peers else "", "Message": reply}
    return {"Type": "error", "Data": data}


async def _mailpit_events(socket: WebSocket) -> None:
    here = desk(socket)
    await socket.accept()
    sender = asyncio.current_task()
    assert sender is not None
    notes: list[dict[str, Any]] = []
    woken = asyncio.Event()

    def note(message: dict[str, Any]) -> None:
        notes.append(message)
        woken.set()

    async def listen() -> None:
        """Clients say nothing; their going is heard of here."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await socket.receive_text()
        sender.cancel()

    listener = asyncio.get_running_loop().create_task(listen())
    here.listeners.add(note)
    try:
        await _send(socket, _stats(here))
        async for world, events in follow(here, woken):
            messages = [{"Type": "truncate", "Data": None}] if events is None else list(_told(here, world, events))
            messages += notes
            notes.clear()
            for message in messages:
                await _send(socket, message)
            if messages:
                await _send(socket, _stats(here))
    except (asyncio.CancelledError, WebSocketDisconnect):
        # Gone, or stopped: either way there is nobody to tell.
        return
    finally:
        here.listeners.discard(note)
        listener.cancel()


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    await socket.send_text(json.dumps(message))


ROUTES = [WebSocketRoute("/api/events", _mailpit_events)]
