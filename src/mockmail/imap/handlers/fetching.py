"""FETCH and UID FETCH (RFC 3501 sections 6.4.5 and 6.4.8), worked off a slice at a time, so that a long answer holds up
nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from mockmail.core.mailbox import Entry
from mockmail.core.views import MailboxView
from mockmail.imap.commands import Fetch
from mockmail.imap.fetch.items import FetchPlan
from mockmail.imap.handlers.choosing import GONE, chosen_spans, gone_among, windows
from mockmail.imap.replies import Output, Response, ok
from mockmail.imap.sets import Ranges
from mockmail.imap.state import ConnectionState
from mockmail.wire.contract import SLICE_BYTES

__all__ = ["fetch"]

_CHEAP = frozenset({"UID", "FLAGS", "RFC822.SIZE", "INTERNALDATE"})
_CHEAP_WINDOW = 512
_WINDOW = 32
"""Messages at a time where each may have to be parsed first."""

Pairs = list[tuple[int, Entry]]


def fetch(state: ConnectionState, command: Fetch) -> Response:
    """FETCH and UID FETCH. Messages that are gone, and not yet said to be, are served as they last were."""
    view = state.selected
    spans = chosen_spans(view, command.messages, uid=command.uid)
    return _fetched(state, command, view, spans)


def _fetched(state: ConnectionState, command: Fetch, view: MailboxView, spans: Ranges) -> Output:
    plan = FetchPlan(command.items, view, uid=command.uid)
    sets_seen = plan.sets_seen and not (view.read_only or view.mailbox.read_only)
    world, actor = state.world, state.actor
    mailbox = view.mailbox
    window_size = _CHEAP_WINDOW if _CHEAP.issuperset(item.name for item in command.items) else _WINDOW
    done: list[Entry] = []
    try:
        for window in windows(spans, view, window_size):
            for pairs in _portions(window) if plan.parts else (window,):
                changed: frozenset[int] = frozenset()
                if sets_seen:
                    changed = _set_seen(state, view, pairs)
                data = plan.render(pairs, changed)
                if plan.parts:
                    done.extend([entry for _, entry in pairs])
                if len(data) <= 2 * SLICE_BYTES:
                    yield data
                else:
                    for start in range(0, len(data), SLICE_BYTES):
                        yield data[start : start + SLICE_BYTES]
    finally:
        # Also when the client vanishes in the middle: what it was given was fetched.
        if done:
            world.store.record_fetched(mailbox, done, plan.parts, actor)
    text = f"{command.full_name} completed"
    gone = not command.uid and gone_among(view, spans)  # the UID form may tell of it at once, by EXPUNGE
    return ok(text, GONE if gone else None)


def _portions(window: Pairs) -> Iterator[Pairs]:
    """Messages of together about a slice: their bytes are sent."""
    portion: Pairs = []
    size = 0
    for pair in window:
        portion.append(pair)
        size += pair[1].message.size
        if size >= SLICE_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _set_seen(state: ConnectionState, view: MailboxView, pairs: Pairs) -> frozenset[int]:
    """Set ``\\Seen``; ``pairs`` get the new entries. The UIDs of those that did change."""
    unseen = [entry.uid for _, entry in pairs if "\\Seen" not in entry.flags]
    if not unseen:
        return frozenset()
    changed = state.world.store.change_flags(view.mailbox, unseen, "add", ("\\Seen",), state.actor, origin=view)
    new = {entry.uid: entry for _, entry in changed}
    pairs[:] = [(number, new.get(entry.uid, entry)) for number, entry in pairs]
    return frozenset(new)
