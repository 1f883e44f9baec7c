"""APPEND (RFC 3501 section 6.3.11, RFC 4315)."""

from __future__ import annotations

from mockmail.imap.commands import Append
from mockmail.imap.handlers.flags import checked_flags
from mockmail.imap.replies import Response, no, ok
from mockmail.imap.state import ConnectionState

__all__ = ["append"]


def append(state: ConnectionState, command: Append) -> Response:
    """Store a message, byte for byte as it came."""
    world = state.world
    received_at = command.date_time
    message = world.store.new_message(command.message, received_at=received_at)
    if world.retired:
        world.late.append(message)
        return no("The server was reset while the message came", "UNAVAILABLE")
    mailbox = state.target(command.mailbox)
    state.check_room(len(command.message))
    flags = checked_flags(command.flags, mailbox)
    entry = world.store.append(mailbox, [(message, flags)], state.actor)[0]
    code = f"APPENDUID {mailbox.uid_validity} {entry.uid}" if state.offers("UIDPLUS") else None
    return ok("APPEND completed", code)
