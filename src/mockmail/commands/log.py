"""Lines that ``mockmail serve`` prints of what happens."""

from __future__ import annotations

from mockmail.core.events import (
    Bounced,
    Delivered,
    Event,
    Fetched,
    LoggedIn,
    LoginFailed,
    Queued,
    Rejected,
    RelayAttempted,
    Relayed,
    SessionClosed,
    SessionOpened,
)

__all__ = ["line_of"]


def line_of(event: Event, *, verbose: bool) -> str | None:
    """One line, or ``None`` for what is not told."""
    told = _of_mail(event)
    if told is None and verbose:
        told = _of_clients(event)
    return None if told is None else f"{event.at.astimezone():%H:%M:%S} {told}"


def _of_mail(event: Event) -> str | None:
    if isinstance(event, Delivered):
        return f"{event.message.sender or '<>'} -> {', '.join(event.recipients)}: {event.message.subject!r}"
    if isinstance(event, Rejected):
        return f"refused {event.sender or '<>'} -> {', '.join(event.recipients)}: {event.reply}"
    if isinstance(event, Queued):
        return f"queued {event.sender or '<>'} -> {', '.join(event.addresses)} for {event.domain}"
    if isinstance(event, Relayed):
        return f"relayed to {event.via}: {', '.join(event.addresses)}: {event.reply}"
    if isinstance(event, Bounced):
        return f"bounced {', '.join(event.addresses)}: {event.reply}"
    return None


def _of_clients(event: Event) -> str | None:
    if isinstance(event, SessionOpened):
        return f"{event.session} opened from {event.peer[0]}"
    if isinstance(event, SessionClosed):
        return f"{event.session} closed"
    if isinstance(event, LoggedIn):
        return f"{event.session} logged in as {event.account} ({event.mechanism})"
    if isinstance(event, LoginFailed):
        return f"{event.session} login of {event.username!r} refused: {event.reason}"
    if isinstance(event, Fetched):
        return f"{event.session} read {event.part} of {event.account} {event.folder}/{event.uid}"
    if isinstance(event, RelayAttempted):
        return f"attempt {event.attempt} at {event.via or 'no next hop'}: {event.reply}"
    return None
