"""The trace headers of a stored message (RFC 5321 section 4.4)."""

from __future__ import annotations

import datetime
from functools import lru_cache

__all__ = ["protocol_name", "trace_headers"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def protocol_name(*, extended: bool, smtputf8: bool, secure: bool, authenticated: bool, lmtp: bool = False) -> str:
    """The WITH keyword: ``SMTP``, ``ESMTP``, ``ESMTPSA``, ``UTF8SMTPA``, ``LMTP`` ... (RFC 3848, RFC 6531 section
    4.3)."""
    if not extended:
        return "SMTP"
    name = ("UTF8LMTP" if smtputf8 else "LMTP") if lmtp else ("UTF8SMTP" if smtputf8 else "ESMTP")
    return name + ("S" if secure else "") + ("A" if authenticated else "")


def trace_headers(
    *,
    sender: str,
    helo: str,
    peer: str,
    server: str,
    protocol: str,
    message_id: str,
    recipients: list[str],
    at: datetime.datetime,
) -> bytes:
    """Return-Path and Received; ``at`` is in UTC. A recipient is named only when there is one: others shall not
    learn of each other (RFC 5321 section 7.6)."""
    beginning, clause = _beginning(sender, helo, peer, server, protocol), ""
    if len(recipients) == 1:
        clause = f"\r\n\tfor <{recipients[0]}>"
    return f"{beginning}{message_id}{clause};\r\n\t{_date_time(at.replace(microsecond=0))}\r\n".encode()


@lru_cache(maxsize=64)
def _beginning(sender: str, helo: str, peer: str, server: str, protocol: str) -> str:
    """All that message after message has in common."""
    peer_literal = f"IPv6:{peer}" if ":" in peer else peer
    return f"Return-Path: <{sender}>\r\nReceived: from {helo} ([{peer_literal}])\r\n\tby {server} with {protocol} id "


@lru_cache(maxsize=4)
def _date_time(at: datetime.datetime) -> str:
    """RFC 5322 section 3.3, with English names whatever the locale."""
    clock = f"{at.hour:02}:{at.minute:02}:{at.second:02}"
    return f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year:04} {clock} +0000"
