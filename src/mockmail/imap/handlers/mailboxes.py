"""Commands on mailboxes as a whole (RFC 3501 sections 6.3.3 to 6.3.7 and 6.3.10, RFC 6154)."""

from __future__ import annotations

from mockmail.core.accounts import MailboxRefused, canonical_name
from mockmail.core.mailbox import Mailbox
from mockmail.imap.commands import Create, OnMailbox, Rename, Status
from mockmail.imap.handlers.listing import mailbox_name
from mockmail.imap.replies import Completion, Output, Response, no, ok
from mockmail.imap.state import ConnectionState

__all__ = ["create", "delete", "rename", "status", "subscribe", "unsubscribe"]

_CODES = {
    "exists": "ALREADYEXISTS",
    "missing": "NONEXISTENT",
    "invalid": "CANNOT",
    "has-children": "INUSE",
}
_USES = frozenset({"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"})
_DISCONNECTED = "The selected mailbox was deleted"


def _refused(refusal: MailboxRefused) -> Completion:
    return no(str(refusal).rstrip("."), _CODES[refusal.kind])


def create(state: ConnectionState, command: Create) -> Response:
    """CREATE. One special use a mailbox; ``\\All`` and ``\\Flagged`` would be collections, which there are none of."""
    for use in command.use:
        if use not in _USES:
            return no(f"No mailbox can be made for {use}; known are {', '.join(sorted(_USES))}", "USEATTR")
    if len(command.use) > 1:
        return no("A mailbox has one special use at most", "USEATTR")
    try:
        state.user.create(command.mailbox, special_use=command.use[0] if command.use else None)
    except MailboxRefused as refusal:
        return _refused(refusal)
    return ok("CREATE completed")


def delete(state: ConnectionState, command: OnMailbox) -> Response:
    """DELETE. A client that deletes the mailbox it has selected is disconnected, as by Dovecot."""
    try:
        mailbox = state.user.delete(command.mailbox)
    except MailboxRefused as refusal:
        return _refused(refusal)
    if state.view is not None and state.view.mailbox is mailbox:
        state.unselect()
        return Completion("OK", "DELETE completed", farewell=_DISCONNECTED)
    return ok("DELETE completed")


def rename(state: ConnectionState, command: Rename) -> Response:
    """RENAME. Subscriptions stay with the old name, as RFC 3501 has them apart from mailboxes."""
    try:
        state.world.store.rename(state.user, command.mailbox, command.new_name, state.actor)
    except MailboxRefused as refusal:
        return _refused(refusal)
    return ok("RENAME completed")


def subscribe(state: ConnectionState, command: OnMailbox) -> Response:
    """SUBSCRIBE: only to what exists, though subscriptions outlive mailboxes."""
    name = canonical_name(command.mailbox)
    if name not in state.user.mailboxes:
        return no(f"Mailbox {name} does not exist", "NONEXISTENT")
    state.user.subscriptions.add(name)
    return ok("SUBSCRIBE completed")


def unsubscribe(state: ConnectionState, command: OnMailbox) -> Response:
    """UNSUBSCRIBE."""
    name = canonical_name(command.mailbox)
    if name not in state.user.subscriptions and name not in state.user.mailboxes:
        return no(f"{name} is no mailbox, and not subscribed to", "NONEXISTENT")
    state.user.subscriptions.discard(name)
    return ok("UNSUBSCRIBE completed")


def status(state: ConnectionState, command: Status) -> Output:
    """STATUS, of the selected mailbox too."""
    mailbox = state.user.mailbox(command.mailbox)
    if mailbox is None:
        return no(f"Mailbox {command.mailbox} does not exist", "NONEXISTENT")
    values = [b"%b %d" % (item.encode("ascii"), _status_value(state, mailbox, item)) for item in command.items]
    yield b"* STATUS %b (%b)\r\n" % (mailbox_name(mailbox.name), b" ".join(values))
    return ok("STATUS completed")


def _status_value(state: ConnectionState, mailbox: Mailbox, item: str) -> int:
    if item == "MESSAGES":
        return len(mailbox.entries)
    if item == "UIDNEXT":
        return mailbox.uid_next
    if item == "UIDVALIDITY":
        return mailbox.uid_validity
    if item == "UNSEEN":
        return mailbox.unseen_count()
    view = state.view
    return view.recent_count() if view is not None and view.mailbox is mailbox else mailbox.recent_count()
