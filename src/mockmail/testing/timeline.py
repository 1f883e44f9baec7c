"""The way of a message from server to server, in order of time. Made only when an assertion fails."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

from mockmail.core.events import (
    Accepted,
    Bounced,
    Delivered,
    Event,
    Expunged,
    Fetched,
    Moved,
    Queued,
    RelayAttempted,
    Relayed,
)
from mockmail.core.message import Message
from mockmail.core.queue import QueuedMessage
from mockmail.core.world import World
from mockmail.testing.explain import attempts_made
from mockmail.testing.source import Source, ask

__all__ = ["timelines"]

_SHOWN = 3
"""Messages of which it is told, the newest."""
_ALIKE = 4
"""So many attempts alike are told; of more, the first and the last."""
_LINES = 40
# The IDs that servers before have put into their Received fields, the latest first. A report has them, too, in what it
# returns, and so is told of with what it reports.
_ids_before = re.compile(rb"\sid ([0-9A-Za-z]{22})[;\s]").findall
_HEADER_BYTES = 16 * 1024

Fits: TypeAlias = Callable[[Message, Sequence[str]], bool]


@dataclass(slots=True)
class _Copy:
    """A message as one server has it."""

    source: Source
    message: Message
    came_from: Sequence[str]
    """Its IDs at servers before, also of other networks, the latest first."""
    names: list[str]
    """Recipients, before and after aliases."""
    depth: int = 0
    """How many servers of the network had it before."""


@dataclass(frozen=True, slots=True)
class _Stop:
    at: datetime.datetime
    began: datetime.datetime
    depth: int
    server: str
    text: str
    alike: str = ""
    """The same for attempts that differ only in their number."""


def timelines(asked: Source, fits: Fits) -> Iterator[str]:
    """For each message that ``fits`` at any server of the network and has been on its way to another: its subject, and
    a line for each thing that happened to it."""
    travelled = {entry.message.id for source in asked.neighbours() for entry in source.world.journal.of(Queued)}
    if not travelled:
        return
    copies: dict[str, _Copy] = {}
    for source in asked.neighbours():
        _collect(source, copies)
    families: dict[str, list[_Copy]] = {}
    for copy in copies.values():
        families.setdefault(_first(copy, copies).message.id, []).append(copy)
    wanted = [
        family
        for family in families.values()
        if any(copy.message.id in travelled for copy in family)
        and any(fits(copy.message, copy.names) for copy in family)
    ]
    shown = wanted[-_SHOWN:]
    happened = _happened(asked, {copy.message.id for family in shown for copy in family})
    for family in shown:
        yield "\n".join([f"Timeline of {family[0].message.subject!r}:", *_lines(asked, family, happened)])
    if len(wanted) > _SHOWN:
        yield f"({len(wanted) - _SHOWN} more messages fit, and came before.)"


def _collect(source: Source, copies: dict[str, _Copy]) -> None:
    """Add what a server has taken over. IDs are unlike those of any other server."""
    journal = source.world.journal
    events: list[Accepted | Queued | Delivered] = [
        *journal.of(Accepted),
        *journal.of(Queued),
        *journal.of(Delivered),
    ]
    for event in events:
        message = event.message
        copy = copies.get(message.id)
        if copy is None:
            before = [one.decode() for one in _ids_before(message.original[:_HEADER_BYTES])]
            copy = copies[message.id] = _Copy(source, message, before, [])
            copy.names.extend(message.recipients)
        if isinstance(event, Queued):
            copy.names.extend(event.addresses)


def _first(copy: _Copy, copies: dict[str, _Copy]) -> _Copy:
    """The copy that a client brought; sets the depth on the way."""
    before = [copies[one] for one in dict.fromkeys(copy.came_from) if one in copies and copies[one] is not copy]
    copy.depth = len(before)
    return before[-1] if before else copy


def _happened(asked: Source, ids: Collection[str]) -> dict[str, list[Event]]:
    """What happened to messages, by their IDs; of one at one server in the order of ``_TELL``, and then of time."""
    found: dict[str, list[Event]] = {message_id: [] for message_id in ids}
    for source in asked.neighbours():
        for kind in _TELL:
            for event in source.world.journal.of(kind):
                message: Message = getattr(event, "message")  # noqa: B009  # each of these kinds has one
                if message.id in found:
                    found[message.id].append(event)
    return found


def _lines(asked: Source, family: Sequence[_Copy], happened: Mapping[str, list[Event]]) -> Iterator[str]:
    now = asked.world.clock.now()
    stops = sorted(_stops(family, happened), key=lambda stop: (stop.began, stop.depth))
    stops += [_Stop(now, now, 0, _name(source), text) for source, text in _waiting(family)]
    moment = "%H:%M:%S" if {stop.at.date() for stop in stops} == {now.date()} else "%Y-%m-%d %H:%M:%S"
    width = max(len(_name(copy.source)) for copy in family)
    shown = list(_shortened(stops))
    if len(shown) > _LINES:
        yield f"    ... {len(shown) - _LINES} lines before"
    for stop in shown[-_LINES:]:
        if isinstance(stop, str):
            yield f"    {stop}"
            continue
        yield f"    {stop.at.strftime(moment)}  {stop.server:<{width}}  {stop.text}"


def _shortened(stops: Iterable[_Stop]) -> Iterator[_Stop | str]:
    for alike, group in groupby(stops, key=lambda stop: stop.alike):
        run = list(group)
        if not alike or len(run) <= _ALIKE:
            yield from run
        else:
            yield from (run[0], f"... {len(run) - 2} more attempts, each as this one", run[-1])


def _waiting(family: Sequence[_Copy]) -> Iterator[tuple[Source, str]]:
    """What is still to come."""
    for copy in family:
        world = copy.source.world
        for one in ask(copy.source, partial(_queue, world)):
            if one.message.id == copy.message.id:
                due = one.next_attempt
                following = "an attempt is under way" if due is None else f"next attempt at {due:%Y-%m-%d %H:%M:%S}"
                yield copy.source, f"now: queued for {', '.join(one.addresses)}, {following}"


def _queue(world: World) -> list[QueuedMessage]:
    return [entry.picture() for entry in world.queue]


def _stops(family: Sequence[_Copy], happened: Mapping[str, list[Event]]) -> Iterator[_Stop]:
    for copy in family:
        server, frozen = _name(copy.source), copy.source.world.clock.frozen
        told: set[object] = set()
        for event in happened[copy.message.id]:
            text = _TELL[type(event)](event, copy)
            began, alike = event.at, ""
            if isinstance(event, RelayAttempted):
                if not frozen:
                    # A next hop has a message a moment before its reply is here.
                    began -= datetime.timedelta(seconds=event.duration_seconds)
                alike = f"{server} {text.partition(' ')[2].partition(' ')[2]}"
                told.add((event.attempt, event.reply))
            elif text in told or (isinstance(event, Relayed) and (event.attempts, event.reply) in told):
                continue
            else:
                told.add(text)
            yield _Stop(event.at, began, copy.depth, server, text, alike)


def _name(source: Source) -> str:
    return source.settings.default_domain


def _accepted(event: Accepted, copy: _Copy) -> str:
    who = f"from {event.message.sender or '<>'} for {', '.join(event.message.recipients)}"
    if event.session or event.protocol:
        return f"accepted {f'in {event.session}' if event.session else f'by {event.protocol}'}, {who}"
    return f"written by the server itself, {who}"


def _attempted(event: RelayAttempted, copy: _Copy) -> str:
    whom = "" if event.addresses == copy.message.recipients else f" for {', '.join(event.addresses)}"
    tls = f" (by {event.tls})" if event.tls else ""
    return f"attempt {event.attempt} at {event.via or event.domain}{whom}: {event.reply}{tls}"


def _bounced(event: Bounced, copy: _Copy) -> str:
    times = attempts_made(event.attempts)
    return f"given up after {times} for {', '.join(event.addresses)} with {event.status}: {event.reply}"


def _handled(what: str) -> Callable[[Any, _Copy], str]:
    return lambda event, copy: f"{what} by {event.session or 'the test'} in {event.account} {event.folder}"


_TELL: dict[type[Event], Callable[[Any, _Copy], str]] = {
    Accepted: _accepted,
    Delivered: lambda event, copy: f"delivered to {', '.join(event.accounts)}",
    RelayAttempted: _attempted,
    Relayed: lambda event, copy: f"handed over to {event.via} for {', '.join(event.addresses)}",
    Bounced: _bounced,
    Fetched: _handled("fetched"),
    Moved: lambda event, copy: f"moved to {event.to_folder!r} by {event.session or 'the test'} in {event.account}",
    Expunged: _handled("deleted"),
}
"""In the order in which they happen at one instant. All have a message."""
