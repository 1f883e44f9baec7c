"""Handshakes, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from mockmail.wire.certificates import end_point
from mockmail.wire.contract import TLSInfo
from mockmail.wire.stream import Stream

if TYPE_CHECKING:
    import ssl

__all__ = ["accept_tls", "drop_plain_text", "handshake_failure", "start_tls", "tls_info"]

HANDSHAKE_SECONDS = 30.0
SHUTDOWN_SECONDS = 2.0

_ALERT = re.compile(r"\balert (.+)")


def drop_plain_text(transport: asyncio.Transport, connected: socket.socket) -> None:
    """Stop reading, and forget what a client sent in plain text behind its command for TLS. To be called before the
    reply to that command goes out, so that it cannot be the handshake."""
    transport.pause_reading()
    with contextlib.suppress(OSError):  # nothing more there
        while connected.recv(65536):
            pass


async def accept_tls(
    loop: asyncio.AbstractEventLoop,
    connection: Callable[[], asyncio.Protocol],
    accepted: socket.socket,
    context: ssl.SSLContext | None,
) -> None:
    """Shake hands as the server with a client that begins with that. Raises ``OSError`` when they cannot agree; the
    connection is not made then, nor when the client goes away first."""
    await loop.connect_accepted_socket(
        connection,
        accepted,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_SECONDS,
        ssl_shutdown_timeout=SHUTDOWN_SECONDS,
    )


async def start_tls(
    loop: asyncio.AbstractEventLoop, stream: Stream, protocol: asyncio.Protocol, context: ssl.SSLContext | None
) -> None:
    """Shake hands as the server. When that is done the protocol is told of a connection made, whose transport has the
    decrypted bytes; it is not when the client goes away first. Raises ``OSError`` (``ssl.SSLError`` is one) when they
    cannot agree."""
    if context is None:
        raise RuntimeError("a session asked for TLS, but its listener has no context for it")
    connected = await stream.give_away()
    if connected is not None:
        await accept_tls(loop, lambda: protocol, connected, context)


def tls_info(transport: asyncio.Transport) -> TLSInfo:
    """What the handshake agreed on."""
    tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
    cipher = tls.cipher()
    certificate = tls.getpeercert()
    subject: str | None = None
    names: tuple[str, ...] = ()
    if certificate:
        rows = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
        pairs = [pair for row in rows for pair in row]
        subject = ", ".join(f"{key}={value}" for key, value in pairs)
        alternatives = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
        names = _certified_names(pairs, alternatives)
    version = tls.version() or ""
    return TLSInfo(version, cipher[0] if cipher else "", subject, names, _channel_bindings(tls, version))


def _certified_names(subject: list[tuple[str, str]], alternatives: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    found = [value for kind, value in alternatives if kind == "email"]
    for wanted in ("emailAddress", "commonName"):
        found += [value for key, value in subject if key == wanted]
    return tuple(dict.fromkeys(found))


def _channel_bindings(tls: ssl.SSLObject, version: str) -> dict[str, bytes]:
    """``tls-unique``, which TLS 1.3 has no more (RFC 9266 section 1), ``tls-exporter`` where Python knows it, and with
    our own certificates ``tls-server-end-point``."""
    from ssl import CHANNEL_BINDING_TYPES

    kinds = [kind for kind in CHANNEL_BINDING_TYPES if kind != "tls-unique" or version != "TLSv1.3"]
    found = {kind: tls.get_channel_binding(kind) for kind in kinds}
    found["tls-server-end-point"] = end_point(tls.context)
    return {kind: data for kind, data in found.items() if data}


def handshake_failure(error: OSError | None) -> tuple[str, bool]:
    """Why a handshake failed (``None``: the client went away), and whether it was the client who would not go on."""
    if isinstance(error, ConnectionAbortedError):  # asyncio's own, for a handshake that takes too long
        return "timeout", False
    if error is None or isinstance(error, ConnectionError):
        return "left during the handshake", True
    # ssl.SSLError: TLSV1_ALERT_UNKNOWN_CA, SSLV3_ALERT_BAD_CERTIFICATE ... are the client's, whatever OpenSSL's prefix.
    reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    alert = _ALERT.search(reason)
    return (alert[1], True) if alert is not None else (reason, False)
