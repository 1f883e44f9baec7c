"""The trace headers of a stored message (RFC 5321 section 4.4)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

__all__ = ["protocol_name", "trace_beginning", "trace_headers"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def protocol_name(*, extended: bool, smtputf8: bool, secure: bool, authenticated: bool, lmtp: bool = False) -> str:
    """The WITH keyword: ``SMTP``, ``ESMTP``, ``ESMTPSA``, ``UTF8SMTPA``, ``LMTP`` ... (RFC 3848, RFC 6531 section
    4.3)."""
    if not extended:
        return "SMTP"
    name = ("UTF8LMTP" if smtputf8 else "LMTP") if lmtp else ("UTF8SMTP" if smtputf8 else "ESMTP")
    return name + ("S" if secure else "") + ("A" if authenticated else "")


def trace_beginning(sender: str, helo: str, peer: str, server: str, protocol: str) -> str:
    """All of the trace headers that message after message of a client has in common."""
    peer_literal = f"IPv6:{peer}" if ":" in peer else peer
    return f"Return-Path: <{sender}>\r\nReceived: from {helo} ([{peer_literal}])\r\n\tby {server} with {protocol} id "


def trace_headers(beginning: str, message_id: str, recipients: Sequence[str], at: datetime.datetime) -> bytes:
    """Return-Path and Received; ``at`` is in UTC. A recipient is named only when there is one: others shall not
    learn of each other (RFC 5321 section 7.6)."""
    clause = f"\r\n\tfor <{recipients[0]}>" if len(recipients) == 1 else ""
    return f"{beginning}{message_id}{clause};\r\n\t{_date_time(at)}\r\n".encode()


_SECOND = datetime.timedelta(seconds=1)
_last: tuple[datetime.datetime, datetime.datetime, str] | None = None
"""The second that was written last, when the next begins, and how it was written."""


def _date_time(at: datetime.datetime) -> str:
    """RFC 5322 section 3.3, with English names whatever the locale."""
    global _last  # other threads may put another second here, and each takes its own
    last = _last
    if last is None or not last[0] <= at < last[1]:
        second = at.replace(microsecond=0)
        clock = f"{at.hour:02}:{at.minute:02}:{at.second:02}"
        written = f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year:04} {clock} +0000"
        _last = last = (second, second + _SECOND, written)
    return last[2]
