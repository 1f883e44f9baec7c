"""Commands that open and close a mailbox (RFC 3501 sections 6.3.1, 6.3.2 and 6.4.2, RFC 3691)."""

from __future__ import annotations

from mockmail.core.accounts import canonical_name
from mockmail.imap.commands import Command, Select
from mockmail.imap.replies import Output, Response, no, ok, untagged
from mockmail.imap.state import ConnectionState
from mockmail.imap.updates import known_flags

__all__ = ["close", "select", "unselect"]


def select(state: ConnectionState, command: Select) -> Output:
    """SELECT and EXAMINE. A mailbox selected before is closed, also when this fails."""
    if state.view is not None:
        state.unselect()
        yield b"* OK [CLOSED] The mailbox selected before is closed\r\n"
    mailbox = state.user.mailbox(command.mailbox)
    if mailbox is None:
        if canonical_name(command.mailbox) in state.user.mailboxes:
            return no(f"{command.mailbox} only holds other mailboxes", "CANNOT")
        return no(f"Mailbox {command.mailbox} does not exist", "NONEXISTENT")
    view = state.select(mailbox, read_only=command.name == "EXAMINE")
    lines = [
        known_flags(view),
        b"* %d EXISTS\r\n* %d RECENT\r\n" % (view.count, view.recent_count()),
    ]
    unseen = mailbox.first_unseen()
    if unseen is not None:
        lines.append(untagged(f"OK [UNSEEN {unseen + 1}] The first unseen message"))
    lines.append(untagged(f"OK [UIDVALIDITY {mailbox.uid_validity}] UIDs hold as long as this"))
    lines.append(untagged(f"OK [UIDNEXT {mailbox.uid_next}] The next UID"))
    yield b"".join(lines)
    return ok(f"{command.name} completed", "READ-ONLY" if view.read_only else "READ-WRITE")


def close(state: ConnectionState, command: Command) -> Response:
    """CLOSE: messages marked ``\\Deleted`` go, without a word."""
    view = state.selected
    if not (view.read_only or view.mailbox.read_only):
        doomed = [entry.uid for entry in view.entries() if "\\Deleted" in entry.flags]
        state.world.store.expunge(view.mailbox, doomed, state.actor)
    state.unselect()
    return ok("CLOSE completed")


def unselect(state: ConnectionState, command: Command) -> Response:
    """UNSELECT: as CLOSE, but no message goes."""
    state.unselect()
    return ok("UNSELECT completed")
