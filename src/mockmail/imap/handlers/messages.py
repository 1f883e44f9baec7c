"""Commands that change messages: STORE, COPY, MOVE and EXPUNGE with their UID forms (RFC 3501 section 6.4, RFC 4315,
RFC 6851). Each makes its whole change in one step, and only then begins to answer."""

from __future__ import annotations

from collections.abc import Sequence

from mockmail.core.mailbox import Entry, FlagChange, Mailbox
from mockmail.core.views import MailboxView
from mockmail.imap.commands import Expunge, Store, Transfer
from mockmail.imap.handlers.choosing import GONE, chosen_entries, chosen_spans, gone_among, windows
from mockmail.imap.handlers.flags import checked_flags
from mockmail.imap.replies import Completion, Output, Response, ok, untagged
from mockmail.imap.sets import Ranges, render
from mockmail.imap.state import ConnectionState
from mockmail.imap.updates import flags_response

__all__ = ["copy", "expunge", "move", "store"]

_CHANGES: dict[str, FlagChange] = {"+": "add", "-": "remove", "": "replace"}
_WINDOW = 1000


def store(state: ConnectionState, command: Store) -> Response:
    """STORE and UID STORE. Keywords that the mailbox does not take are ignored."""
    view = state.writable()
    spans = chosen_spans(view, command.messages, uid=command.uid)
    flags = checked_flags(command.flags, view.mailbox)
    uids = [entry.uid for low, high in spans for entry in view.span(low, high)]
    state.world.store.change_flags(view.mailbox, uids, _CHANGES[command.mode], flags, state.actor, origin=view)
    completion = ok(f"{command.full_name} completed")
    if not command.uid and gone_among(view, spans):
        some_left = any(view.exists(entry.uid) for low, high in spans for entry in view.span(low, high))
        text = "Some of these messages are gone" if some_left else "These messages are gone"
        completion = Completion("OK" if some_left else "NO", text, GONE)
    if command.silent:
        return completion
    return _report_flags(view, spans, completion, uid=command.uid)


def _report_flags(view: MailboxView, spans: Ranges, completion: Completion, *, uid: bool) -> Output:
    stale = view.stale
    for window in windows(spans, view, _WINDOW):
        yield b"".join(
            [
                flags_response(view, number, entry, uid=uid)
                for number, entry in window
                if not stale or view.exists(entry.uid)
            ]
        )
    return completion


def copy(state: ConnectionState, command: Transfer) -> Response:
    """COPY and UID COPY: all messages or none."""
    view = state.selected
    spans = chosen_spans(view, command.messages, uid=command.uid)
    target = state.target(command.mailbox)
    entries = chosen_entries(view, spans, uid=command.uid)
    if state.user.quota_bytes is not None:
        state.check_room(sum(entry.message.size for entry in entries))
    added = state.world.store.copy(view.mailbox, entries, target, state.actor)
    return ok(f"{command.full_name} completed", _copyuid(state, target, entries, added))


def move(state: ConnectionState, command: Transfer) -> Response:
    """MOVE and UID MOVE. Where the messages went is told before they leave by EXPUNGE (RFC 6851 section 4.3)."""
    view = state.writable()
    spans = chosen_spans(view, command.messages, uid=command.uid)
    target = state.target(command.mailbox)
    entries = chosen_entries(view, spans, uid=command.uid)
    added = state.world.store.move(view.mailbox, entries, target, state.actor)
    return _report_move(command, _copyuid(state, target, entries, added))


def _report_move(command: Transfer, code: str | None) -> Output:
    if code is not None:
        yield untagged(f"OK [{code}] Moved")
    return ok(f"{command.full_name} completed")


def _copyuid(state: ConnectionState, target: Mailbox, entries: Sequence[Entry], added: Sequence[Entry]) -> str | None:
    # resp-code-copy  = "COPYUID" SP nz-number SP uid-set SP uid-set
    if not added or not state.offers("UIDPLUS"):
        return None
    old, new = render(entry.uid for entry in entries), render(entry.uid for entry in added)
    return f"COPYUID {target.uid_validity} {old} {new}"


def expunge(state: ConnectionState, command: Expunge) -> Response:
    """EXPUNGE and UID EXPUNGE; which messages left is told as with any other session's."""
    view = state.writable()
    if command.messages is None:
        entries: Sequence[Entry] = view.entries()
    else:
        entries = chosen_entries(view, chosen_spans(view, command.messages, uid=True), uid=True)
    doomed = [entry.uid for entry in entries if "\\Deleted" in entry.flags]
    if doomed:
        state.world.store.expunge(view.mailbox, doomed, state.actor)
    return ok(f"{command.full_name} completed")
