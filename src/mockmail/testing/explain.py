"""The text of a failure: what was expected, what there is, the nearest miss, hints, the transcript. Made only when an
assertion fails."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mockmail.core.events import Command, Delivered, Expunged, Fetched, Moved, Rejected, TLSFailed, TLSStarted
from mockmail.core.journal import Mark
from mockmail.core.message import Message, StoredMessage
from mockmail.core.world import World
from mockmail.testing.expect import Look, Outcome
from mockmail.testing.nearest import nearest_miss

__all__ = ["Failure", "attempts_made", "clock_time", "command_line", "explain", "message_line", "shown"]

_LISTED = 20
_TRANSCRIPT_LINES = 60
_VALUE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not come true."""

    look: Look[Any, Any]
    quantity: str
    """``"one"``, ``"at least"``, ``"exactly"`` or ``"none"``."""
    count: int
    seconds: float
    """How long was waited, or watched."""
    outcome: Outcome | None
    """How the last wait ended; ``None`` when no wait decided it."""
    watching: bool
    """Whether there was enough, and the failure came while it was watched that no more comes."""

    @property
    def too_many(self) -> bool:
        """Whether what was not expected happened, rather than the other way round."""
        if self.watching:
            return True
        kind, found = self.look.query.kind, self.look.matches
        if self.quantity == "one":
            return kind.one != "any" and len({kind.key(one) for one in found}) > 1
        return len(found) > (0 if self.quantity == "none" else self.count)


def explain(failure: Failure) -> str:
    """The whole text."""
    from mockmail.testing.hints import hints

    look = failure.look
    candidates = look.query.kind.candidates(look.query.source, look.world, look.query.since)
    states = _states(look.world)
    sections = [_expected(failure), _there_is(failure, candidates, states)]
    if not failure.too_many:
        miss = nearest_miss(look.query, candidates)
        if miss is not None:
            candidate, differences = miss
            line = _LINES[look.query.kind.name](candidate, states)
            sections.append("\n".join([f"Nearest miss: {line}", *differences]))
    found = list(hints(failure))
    if found:
        sections.append("\n".join(["Hints:", *(f"  * {hint}" for hint in found)]))
    sections.extend(_timelines(failure, candidates))
    transcript = look.query.source.transcript_text().rstrip()
    if transcript:
        sections.append("Transcript:\n" + _tail(transcript))
    return "\n\n".join(sections)


def _timelines(failure: Failure, candidates: list[Any]) -> Iterator[str]:
    """Of what fits, at this server or another of its network; else of the nearest miss."""
    query = failure.look.query
    if query.kind.name not in ("delivered", "relayed", "queued", "bounced"):
        return
    from mockmail.testing.hints import fits_message
    from mockmail.testing.timeline import timelines

    if failure.too_many:
        found = {message.id for one in failure.look.matches if (message := query.kind.message(one)) is not None}
        yield from timelines(query.source, lambda message, names: message.id in found)
        return
    told = list(timelines(query.source, lambda message, names: fits_message(query, message, to=names)))
    miss = None if told else nearest_miss(query, candidates)
    if miss is not None:
        nearest = query.kind.message(miss[0])
        told = list(timelines(query.source, lambda message, names: message is nearest))
    yield from told


def _tail(text: str) -> str:
    lines = text.splitlines()
    left_out = len(lines) - _TRANSCRIPT_LINES
    if left_out > 0:
        lines = [f"... {left_out} lines before", *lines[left_out:]]
    return "\n".join(f"  {line}".rstrip() for line in lines)


# What was expected


def _expected(failure: Failure) -> str:
    query = failure.look.query
    kind, count = query.kind, len(failure.look.matches)
    if failure.quantity == "one":
        wanted = f"exactly one {kind.noun}" if kind.one != "any" else f"at least one {kind.noun}"
        if kind.one == "message":
            count = len({kind.key(one) for one in failure.look.matches})
    elif failure.quantity == "none":
        wanted = kind.named(0)
    else:
        wanted = f"{failure.quantity} {kind.named(failure.count)}"
    there = {0: "there was none", 1: "there was 1"}.get(count, f"there were {count}")
    lines = [f"{query.method}() expected {wanted}{_duration(failure)}; {there}.", *_criteria_lines(query.criteria)]
    return "\n".join([*lines, *_circumstances(failure)])


def _duration(failure: Failure) -> str:
    if not failure.seconds or failure.outcome in (Outcome.IN_TASK, Outcome.STOPPED):
        return ""
    if failure.quantity == "none":
        return f" for {failure.seconds:g} s"
    if failure.watching:
        return f" and no more for {failure.seconds:g} s"
    return "" if failure.too_many else f" within {failure.seconds:g} s"


def _circumstances(failure: Failure) -> Iterator[str]:
    query = failure.look.query
    verb = "watch" if failure.watching or failure.quantity == "none" else "wait"
    if failure.outcome is Outcome.IN_TASK:
        yield (
            f"It looked once and did not {verb}: it was called in a running asyncio task, and would have blocked the"
            f" event loop that the application may need. Write `await mail.aio.{query.method}(...)`."
        )
    elif failure.outcome is Outcome.STOPPED:
        yield f"It looked once and did not {verb}: the server is not running, and receives nothing."
    elif failure.look.world.retired:
        yield f"The server was reset or stopped meanwhile, which ended the {verb}: what came after is not counted."


def _criteria_lines(criteria: Mapping[str, Any]) -> list[str]:
    if not criteria:
        return []
    width = max(map(len, criteria))
    return [f"    {name:<{width}}  {shown(value)}" for name, value in criteria.items()]


def shown(value: Any) -> str:
    """A value as a failure shows it."""
    if isinstance(value, re.Pattern):
        flags = "" if not value.flags & re.IGNORECASE else ", re.IGNORECASE"
        return f"re.compile({_clipped(repr(value.pattern))}{flags})"
    if isinstance(value, Mark):
        return "the mark given"
    if callable(value):
        return getattr(value, "__qualname__", None) or repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (tuple, list, set, frozenset)):
        return "[" + ", ".join(map(shown, value)) + "]"
    return _clipped(repr(value))


def _clipped(text: str) -> str:
    left_out = len(text) - _VALUE_CHARACTERS
    return text if left_out <= 0 else f"{text[:_VALUE_CHARACTERS]}... ({left_out} more characters)"


# What there is


def _there_is(failure: Failure, candidates: list[Any], states: Mapping[str, list[str]]) -> str:
    look = failure.look
    kind = look.query.kind
    since = " since the mark" if look.query.since is not None else ""
    if not candidates:
        return f"There was {kind.named(0)} at all{since}."
    line = _LINES[kind.name]
    noun = "message in the mailboxes" if kind.name == "flagged" else kind.noun
    first, space, rest = noun.partition(" ")
    plural = noun if len(candidates) == 1 else f"{first}s{space}{rest}"
    lines = [f"{len(candidates)} {plural}{since}{' (> fits)' if look.matches else ''}:"]
    if len(candidates) > _LISTED:
        lines.append(f"    ... {len(candidates) - _LISTED} before")
    for one in candidates[-_LISTED:]:
        mark = ">" if look.matches and look.query.fits(one) else " "
        lines.append(f"  {mark} {line(one, states)}")
    return "\n".join(lines)


def _states(world: World) -> dict[str, list[str]]:
    """What became of each message, by its ID."""
    states: dict[str, list[str]] = defaultdict(list)
    for fetched in world.journal.of(Fetched):
        _note(states[fetched.message.id], f"fetched by {fetched.protocol or 'the test'}")
    for moved in world.journal.of(Moved):
        _note(states[moved.message.id], f"moved to {moved.to_folder!r}")
    for expunged in world.journal.of(Expunged):
        _note(states[expunged.message.id], "deleted")
    return states


def _note(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)


def clock_time(at: datetime.datetime) -> str:
    """The time of the day."""
    return at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"


def attempts_made(count: int) -> str:
    """``"1 attempt"``, ``"2 attempts"``."""
    return f"{count} attempt{'' if count == 1 else 's'}"


def message_line(message: Message, to: Iterable[str], state: str = "", at: datetime.datetime | None = None) -> str:
    """Time, from, to, subject, state."""
    sender = message.from_ or message.sender or "<>"
    if message.sender and message.from_ and message.sender.lower() != message.from_.lower():
        sender = f"{message.from_} (envelope {message.sender})"
    time = clock_time(at or message.received_at)
    line = f"{time}  {sender} -> {', '.join(to) or 'nobody'}  {_clipped(repr(message.subject))}"
    return f"{line}  [{state}]" if state else line


Line = Callable[[Any, Mapping[str, list[str]]], str]


def _delivered_line(event: Delivered, states: Mapping[str, list[str]]) -> str:
    state = ", ".join(states.get(event.message.id, ()))
    return message_line(event.message, event.recipients, state, event.at)


def _rejected_line(event: Rejected, states: Mapping[str, list[str]]) -> str:
    to = ", ".join(event.recipients) or "nobody yet"
    subject = f"  {event.message.subject!r}" if event.message is not None else ""
    return f"{clock_time(event.at)}  {event.sender or '<>'} -> {to}{subject}  [{event.stage} refused: {event.reply}]"


def _relayed_line(event: Any, states: Mapping[str, list[str]]) -> str:
    state = f"relayed to {event.via} at attempt {event.attempts}: {_clipped(event.reply)}"
    return message_line(event.message, event.recipients, state, event.at)


def _queued_line(one: Any, states: Mapping[str, list[str]]) -> str:
    last = f", last {_clipped(one.last_reply)}" if one.last_reply else ""
    following = f", next at {clock_time(one.next_attempt)}" if one.next_attempt is not None else ", one under way"
    state = f"waits for {one.domain}: {attempts_made(one.attempts)}{last}{following}"
    return message_line(one.message, one.recipients, state, one.queued_at)


def _bounced_line(event: Any, states: Mapping[str, list[str]]) -> str:
    state = f"bounced with {event.status} after {attempts_made(event.attempts)}: {_clipped(event.reply)}"
    return message_line(event.message, event.recipients, state, event.at)


def _flagged_line(one: Any, states: Mapping[str, list[str]]) -> str:
    message: StoredMessage = one.message
    flags = " ".join(sorted(message.flags)) or "no flags"
    where = f"in {one.account} {message.folder}/{message.uid}: {flags}"
    return message_line(message, message.recipients, where)


def _handled_line(event: Any, states: Mapping[str, list[str]]) -> str:
    if isinstance(event, Fetched):
        what = f"{event.part} fetched{' (peeked)' if event.peeked else ''}"
    elif isinstance(event, Moved):
        what = f"moved to {event.to_folder!r}"
    else:
        what = "deleted" if isinstance(event, Expunged) else "appended"
    by = f"by {event.session}" if event.session else "by the test"
    where = f"{event.account} {event.folder}/{event.uid}"
    return f"{clock_time(event.at)}  {where}  {event.message.subject!r}  [{what} {by}]"


def _login_line(event: Any, states: Mapping[str, list[str]]) -> str:
    tls = f"over {event.tls}" if event.tls else "without TLS"
    failed = f": {event.reason}" if hasattr(event, "reason") else ""
    name = event.username if failed else f"{event.account} (as {event.username!r})"
    return f"{clock_time(event.at)}  {name}  {event.protocol} {event.mechanism} {tls} in {event.session}{failed}"


def _tls_line(event: TLSStarted, states: Mapping[str, list[str]]) -> str:
    how = "from the first byte" if event.implicit else "upgraded"
    certificate = f", client certificate {event.client_certificate}" if event.client_certificate else ""
    return f"{clock_time(event.at)}  {event.session}  {event.version} {event.cipher}, {how}{certificate}"


def _tls_refused_line(event: TLSFailed, states: Mapping[str, list[str]]) -> str:
    how = "from the first byte" if event.implicit else "on upgrading"
    return f"{clock_time(event.at)}  {event.session}  TLS refused {how}: {event.reason}"


def command_line(event: Command) -> str:
    """Time, session, command, reply."""
    arguments = f" {_clipped(event.arguments)}" if event.arguments else ""
    first, _, more = event.reply.partition("\n")
    reply = _clipped(first) + (" ..." if more else "")
    return f"{clock_time(event.at)}  {event.session}  {event.name}{arguments}  -> {reply}"


def _idle_line(one: Any, states: Mapping[str, list[str]]) -> str:
    return f"{clock_time(one.command.at)}  {one.command.session}  {one.command.account} in {one.folder or 'no folder'}"


_LINES: dict[str, Line] = {
    "delivered": _delivered_line,
    "rejected": _rejected_line,
    "relayed": _relayed_line,
    "queued": _queued_line,
    "bounced": _bounced_line,
    "flagged": _flagged_line,
    "fetched": _handled_line,
    "moved": _handled_line,
    "deleted": _handled_line,
    "appended": _handled_line,
    "logged_in": _login_line,
    "login_failed": _login_line,
    "command": lambda event, states: command_line(event),
    "idling": _idle_line,
    "tls_started": _tls_line,
    "tls_refused": _tls_refused_line,
}
