"""Reports on their way: from this server to the sender of a message, as any mail. Loop thread only."""

from __future__ import annotations

from collections.abc import Iterable

from mockmail.core.events import Actor
from mockmail.core.queue import QueuedRecipient, QueueEntry
from mockmail.core.routing import Refuse, route
from mockmail.core.world import World

__all__ = ["send_reports"]


def send_reports(
    world: World,
    entry: QueueEntry,
    recipients: Iterable[QueuedRecipient] | None = None,
    *,
    server: str | None = None,
) -> None:
    """Tell the sender of ``entry`` what became of these recipients (all, when not given), as far as it was asked for.

    The reports are in the sender's mailbox, or in the queue, when this returns. One that can go nowhere is dropped, as
    a report never causes another.
    """
    if not entry.sender:
        return
    # Few servers ever report anything; starting one shall not wait for it.
    from mockmail.relay.bounce import reports_on

    for report in reports_on(world, entry, entry.recipients if recipients is None else recipients, server=server):
        decision = route(world, entry.sender, authenticated=True)
        if not isinstance(decision, Refuse):
            world.store.accept(report, [decision], Actor())
