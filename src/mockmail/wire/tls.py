"""The upgrade of a connection to TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, cast

from mockmail.wire.contract import TLSInfo

if TYPE_CHECKING:
    import ssl

__all__ = ["HANDSHAKE_SECONDS", "SHUTDOWN_SECONDS", "drop_plain_text", "start_tls", "tls_info"]

HANDSHAKE_SECONDS = 30.0
SHUTDOWN_SECONDS = 2.0


def drop_plain_text(transport: asyncio.Transport, connected: socket.socket) -> None:
    """Stop reading, and forget what a client sent in plain text behind its command for TLS. To be called before the
    reply to that command goes out, so that it cannot be the handshake."""
    transport.pause_reading()
    with contextlib.suppress(OSError):  # nothing more there
        while connected.recv(65536):
            pass


async def start_tls(
    loop: asyncio.AbstractEventLoop,
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: ssl.SSLContext | None,
) -> asyncio.Transport | None:
    """Shake hands as the server, and return the transport of decrypted bytes; ``None`` if the client went away.
    Raises ``OSError`` (``ssl.SSLError`` is one) when they cannot agree."""
    if context is None:
        raise RuntimeError("a session asked for TLS, but its listener has no context for it")
    return await loop.start_tls(
        transport,
        protocol,
        context,
        server_side=True,
        ssl_handshake_timeout=HANDSHAKE_SECONDS,
        ssl_shutdown_timeout=SHUTDOWN_SECONDS,
    )


def tls_info(transport: asyncio.Transport) -> TLSInfo:
    """What the handshake agreed on."""
    tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
    cipher = tls.cipher()
    certificate = tls.getpeercert()
    subject = None
    if certificate:
        names = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
        subject = ", ".join(f"{key}={value}" for name in names for key, value in name)
    return TLSInfo(tls.version() or "", cipher[0] if cipher else "", subject)
