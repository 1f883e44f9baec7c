"""IDLE (RFC 2177)."""

from __future__ import annotations

from mockmail.imap.commands import Command
from mockmail.imap.replies import Completion, LineMode, bad, ok
from mockmail.imap.state import ConnectionState

__all__ = ["idle"]

_SHOWN_BYTES = 40


def idle(state: ConnectionState, command: Command) -> LineMode:
    """Report changes as they happen until the client says DONE. Anything else ends it too, with BAD, and is not
    carried out."""

    def take(line: bytes) -> Completion:
        if line.strip().upper() == b"DONE":
            return ok("IDLE completed")
        return bad(f"IDLE ends with DONE, not with {line[:_SHOWN_BYTES].decode('latin-1')!a}")

    return LineMode(b"+ idling\r\n", take, pushes=True)
