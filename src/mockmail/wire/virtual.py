"""Connections whose protocol is foreign: an ``asyncio.Protocol`` of another library, on a transport that we keep.

The foreign protocol never holds the real transport, so a stop cuts its connection like any other, whichever protocol
has taken over from it meanwhile (as one for WebSockets does).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from mockmail.wire.connections import Connections
from mockmail.wire.listener import Listener
from mockmail.wire.sockets import reset_on_close
from mockmail.wire.transcript import Record

if TYPE_CHECKING:
    from mockmail.wire.contract import Link, Session
    from mockmail.wire.runtime import Runtime

__all__ = ["Foreign", "ForeignListener", "ProtocolFactory"]

IDLE_SECONDS = 60.0
"""How long a connection may pass without a byte in either direction."""

ProtocolFactory = Callable[[str, Callable[[], Record], Callable[[], None], asyncio.AbstractEventLoop], asyncio.Protocol]
"""Given the name of the session, its record in the transcript (made when it is first asked for), what cuts the
connection, and the loop."""


class ForeignListener(Listener):
    """A port whose connections are given to protocols that ``protocols`` makes. It has no TLS, and of
    faults only those that refuse the connection; the rest is for who knows the protocol."""

    def __init__(
        self, protocol: str, protocols: ProtocolFactory, connections: Connections, *, host: str, port: int
    ) -> None:
        super().__init__(protocol, _no_session, connections, host=host, port=port)
        self._protocols = protocols
        self._guests: dict[Foreign, None] = {}

    def go_down(self) -> None:
        super().go_down()
        self._cut()

    def hang(self) -> None:
        super().hang()
        self._cut()

    def _cut(self) -> None:
        for guest in tuple(self._guests):
            guest.abort()

    def _admit(self, accepted: socket.socket, peer: tuple[str, int]) -> None:
        runtime = self._runtime
        assert runtime is not None
        fault = self.connections.connecting(self.protocol)
        if fault is not None and fault.refuse:
            reset_on_close(accepted)
            accepted.close()
            return
        transcript = self.connections.transcript
        name = self.connections.name(self.protocol)
        records: list[Record] = []

        def record() -> Record:
            if not records:
                records.append(transcript.open(self.protocol, name, peer))
            return records[0]

        def make() -> asyncio.Protocol:
            return self._protocols(name, record, guest.abort, runtime.loop)

        def ended() -> None:
            for one in records:
                transcript.close(one)

        guest = Foreign(runtime, accepted, make, self._guests, ended)
        task = runtime.spawn(runtime.loop.connect_accepted_socket(lambda: guest, accepted))
        # A stop may cancel the task before its first step, when no transport owns the socket yet.
        task.add_done_callback(lambda task: accepted.close() if task.cancelled() else None)


def _no_session(link: Link) -> Session:
    raise NotImplementedError("a foreign protocol talks without a session")


class Foreign(asyncio.Protocol):
    """Passes everything on to a foreign protocol, and keeps the connection in hand. Loop thread only."""

    def __init__(
        self,
        runtime: Runtime,
        accepted: socket.socket,
        make: Callable[[], asyncio.Protocol],
        guests: dict[Foreign, None],
        ended: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._guests = guests
        self._ended = ended
        self._socket = accepted
        self._make = make
        self._timer: asyncio.TimerHandle | None = None
        self.heard = 0.0
        self.inner: asyncio.BaseProtocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._runtime.attach(self)
        self._guests[self] = None
        self.heard = self._runtime.loop.time()
        self._timer = self._runtime.loop.call_later(IDLE_SECONDS, self._look)
        self.inner = self._make()
        self._pass(self.inner.connection_made, VirtualTransport(self._transport, self))

    def data_received(self, data: bytes) -> None:
        self.heard = self._runtime.loop.time()
        self._pass(self._protocol.data_received, data)

    def eof_received(self) -> bool | None:
        return bool(self._pass(self._protocol.eof_received))

    def pause_writing(self) -> None:
        self._pass(self._protocol.pause_writing)

    def resume_writing(self) -> None:
        self._pass(self._protocol.resume_writing)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._runtime.detach(self)
        self._guests.pop(self, None)
        self._ended()
        if self.inner is not None:
            self._pass(self.inner.connection_lost, exc)

    @property
    def _protocol(self) -> asyncio.Protocol:
        return cast("asyncio.Protocol", self.inner)

    def _pass(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._runtime.record(error)
            self._transport.abort()
            return None

    def _look(self) -> None:
        deadline = self.heard + IDLE_SECONDS
        if self._runtime.loop.time() >= deadline:
            self._transport.abort()
        else:
            self._timer = self._runtime.loop.call_at(deadline, self._look)

    def abort(self) -> None:
        """Cut the connection now."""
        self._transport.abort()

    def close_after_fork(self) -> None:
        self._socket.close()


class VirtualTransport(asyncio.Transport):
    """The transport as the foreign protocol sees it; another protocol may take over."""

    def __init__(self, real: asyncio.Transport, guest: Foreign) -> None:
        super().__init__()
        self._real = real
        self._guest = guest

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._guest.heard = self._guest._runtime.loop.time()
        self._real.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self._real.writelines(list_of_data)

    def write_eof(self) -> None:
        self._real.write_eof()

    def can_write_eof(self) -> bool:
        return self._real.can_write_eof()

    def close(self) -> None:
        self._real.close()

    def abort(self) -> None:
        self._real.abort()

    def is_closing(self) -> bool:
        return self._real.is_closing()

    def is_reading(self) -> bool:
        return self._real.is_reading()

    def pause_reading(self) -> None:
        if not self._real.is_closing():
            self._real.pause_reading()

    def resume_reading(self) -> None:
        if not self._real.is_closing():
            self._real.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._real.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._real.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._real.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._guest.inner = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._guest.inner is not None
        return self._guest.inner
