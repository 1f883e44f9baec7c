"""SEARCH and UID SEARCH (RFC 3501 sections 6.4.4 and 6.4.8)."""

from __future__ import annotations

from collections.abc import Sequence

from mockmail.core.events import Searched
from mockmail.imap.commands import Search
from mockmail.imap.replies import Output, ok
from mockmail.imap.search.evaluate import search as found_by
from mockmail.imap.state import ConnectionState

__all__ = ["search"]

_NUMBERS_IN_A_CHUNK = 5000


def search(state: ConnectionState, command: Search) -> Output:
    """SEARCH and UID SEARCH."""
    view, criteria = state.selected, state.arguments
    uid = command.uid
    found: Sequence[tuple[int, int]] = yield from found_by(view, command.key)
    numbers = [pair[1 if uid else 0] for pair in found]
    uids = tuple([pair[1] for pair in found])
    world, actor = state.world, state.actor
    world.journal.append(
        Searched(world.clock.now(), actor.protocol, actor.session, actor.account, view.mailbox.name, criteria, uids)
    )
    yield b"* SEARCH"
    for start in range(0, len(numbers), _NUMBERS_IN_A_CHUNK):
        part = numbers[start : start + _NUMBERS_IN_A_CHUNK]
        yield b" " + " ".join(map(str, part)).encode("ascii")
    yield b"\r\n"
    return ok(f"{command.full_name} completed")
