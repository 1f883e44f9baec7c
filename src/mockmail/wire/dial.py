"""Connections that go out. Everything here runs on the loop thread."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from mockmail.wire.runtime import Runtime

if TYPE_CHECKING:
    import ssl

__all__ = ["Dialled", "Silence", "dial"]

HANDSHAKE_SECONDS = 30.0
READ_LIMIT = 64 * 1024


class Silence(Exception):
    """The other side is known to say nothing more."""


class Dialled(asyncio.Protocol):
    """A connection to another server, as a stream that waits. It belongs to a runtime, which cuts it at its stop."""

    def __init__(self, runtime: Runtime, connected: socket.socket) -> None:
        self._runtime = runtime
        self._socket = connected
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended = False
        self._silent = False
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._runtime.attach(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._changed.set()

    def eof_received(self) -> bool:
        self._ended = True
        self._changed.set()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._changed.set()
        self._writable.set()
        self._runtime.detach(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What its owner calls

    @property
    def local_address(self) -> tuple[str, int]:
        """By which the other side knows it."""
        name = self._socket.getsockname()
        return name[0], name[1]

    def fell_silent(self) -> None:
        """Somebody knows that the other side will say nothing more: who waits in :meth:`receive` gets ``Silence``."""
        self._silent = True
        self._changed.set()

    async def receive(self, seconds: float) -> bytes:
        """What has come; ``b""`` at the end. ``TimeoutError`` when nothing comes for so long (real time)."""
        if not self._received and not self._ended:
            if not self._silent:
                self._changed.clear()
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            if self._silent and not self._received and not self._ended:
                raise Silence
        return self._taken()

    async def receive_anyhow(self) -> bytes:
        """What comes after a ``Silence``, however long it takes."""
        while not self._received and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        return self._taken()

    def _taken(self) -> bytes:
        data = bytes(self._received)
        self._received.clear()
        return data

    async def send(self, data: bytes, seconds: float) -> None:
        """Write, and wait until it is mostly on its way; ``TimeoutError`` when the other side takes nothing. What is
        written after the end is lost, which :meth:`receive` tells."""
        if self._transport is not None and not self._ended:
            self._transport.write(data)
            if not self._writable.is_set():
                async with asyncio.timeout(seconds):
                    await self._writable.wait()

    async def start_tls(self, context: ssl.SSLContext, name: str) -> str:
        """Shake hands as the client, and return the version of TLS. ``OSError`` when they cannot agree."""
        assert self._transport is not None
        self._received.clear()
        transport = await self._runtime.loop.start_tls(
            self._transport,
            self,
            context,
            server_hostname=name,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=1.0,
        )
        if transport is None:
            raise ConnectionResetError("the other side closed the connection in the TLS handshake")
        self._transport = transport
        return str(transport.get_extra_info("ssl_object").version())

    def close(self) -> None:
        """Close in order."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    def close_after_fork(self) -> None:
        self._socket.close()


async def dial(runtime: Runtime, host: str, port: int, seconds: float) -> Dialled:
    """Connect. ``OSError`` (``TimeoutError`` is one) when that fails."""
    loop = runtime.loop
    connecting = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(seconds):
            await loop.sock_connect(connecting, (host, port))
        _, stream = await loop.create_connection(lambda: Dialled(runtime, connecting), sock=connecting)
    except BaseException:
        connecting.close()
        raise
    return stream
