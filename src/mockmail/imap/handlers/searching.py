"""SEARCH and UID SEARCH (RFC 3501 sections 6.4.4 and 6.4.8)."""

from __future__ import annotations

from mockmail.core.events import Searched
from mockmail.imap.commands import Search
from mockmail.imap.replies import Output, ok
from mockmail.imap.search.evaluate import evaluate
from mockmail.imap.state import ConnectionState

__all__ = ["search"]

_NUMBERS_IN_A_CHUNK = 5000


def search(state: ConnectionState, command: Search) -> Output:
    """SEARCH and UID SEARCH."""
    view, criteria = state.selected, state.arguments
    found = yield from evaluate(command.key, view, state.world.clock.now())
    numbers = found.uids if command.uid else found.numbers
    world, actor = state.world, state.actor
    world.journal.note(
        Searched,
        world.clock.now(),
        actor.protocol,
        actor.session,
        actor.account,
        view.mailbox.name,
        criteria,
        tuple(found.uids),
    )
    yield b"* SEARCH"
    for start in range(0, len(numbers), _NUMBERS_IN_A_CHUNK):
        part = numbers[start : start + _NUMBERS_IN_A_CHUNK]
        yield b" " + " ".join(map(str, part)).encode("ascii")
    yield b"\r\n"
    return ok(f"{command.full_name} completed")
