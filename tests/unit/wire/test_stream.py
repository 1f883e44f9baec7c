"""The transport of plain text, on one end of a pair of sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from mockmail.wire.stream import HIGH_WATER_BYTES, READ_BYTES, Stream

SECONDS = 10.0
MANY = 4 << 20


class Told(asyncio.Protocol):
    """Notes what a transport tells, and lets a test wait for it."""

    def __init__(self, *, half_open: bool = True) -> None:
        self.half_open = half_open
        self.transport: Stream
        self.events: list[object] = []
        self.data = b""
        self.pieces: list[int] = []
        self.changed = asyncio.Event()

    def _note(self, event: object) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not met():
                self.changed.clear()
                await self.changed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Stream)
        self.transport = transport
        self._note("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.pieces.append(len(data))
        self.changed.set()

    def eof_received(self) -> bool:
        self._note("eof")
        return self.half_open

    def pause_writing(self) -> None:
        self._note("pause")

    def resume_writing(self) -> None:
        self._note("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._note(("lost", type(exc)))


def pair(told: Told) -> tuple[socket.socket, socket.socket]:
    """A stream's own socket and the client's, by TCP; the stream has begun."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    client.setblocking(False)
    Stream(asyncio.get_running_loop(), ours, told).begin()
    return ours, client


def on_a_pair(test: Callable[[Told, socket.socket, socket.socket], Awaitable[None]], told: Told) -> None:
    async def run() -> None:
        ours, client = pair(told)
        with client, ours:
            await test(told, ours, client)

    asyncio.run(run())


async def read(client: socket.socket, count: int) -> bytes:
    """So many bytes, or all until the end."""
    loop, data = asyncio.get_running_loop(), bytearray()
    async with asyncio.timeout(SECONDS):
        while len(data) < count and (more := await loop.sock_recv(client, 65536)):
            data += more
    return bytes(data)


def test_it_is_there_at_once_and_reads_in_growing_pieces() -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        assert told.events == ["made"]
        await asyncio.get_running_loop().sock_sendall(client, b"x" * MANY)
        await told.until(lambda: len(told.data) == MANY)
        assert told.pieces[0] <= READ_BYTES < max(told.pieces)
        told.transport.abort()
        await told.until(lambda: told.events[-1] == ("lost", type(None)))

    on_a_pair(test, Told())


def test_what_the_client_does_not_take_waits_and_the_protocol_pauses() -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        data = bytes(range(256)) * (MANY // 256)
        for start in range(0, MANY, MANY // 8):
            told.transport.write(data[start : start + MANY // 8])
        assert told.events == ["made", "pause"]
        assert told.transport.get_write_buffer_size() > HIGH_WATER_BYTES
        told.transport.close()
        assert told.transport.is_closing()
        assert await read(client, MANY + 1) == data
        await told.until(lambda: told.events[-1] == ("lost", type(None)))
        assert told.events == ["made", "pause", "resume", ("lost", type(None))]
        assert ours.fileno() == -1

    on_a_pair(test, Told())


@pytest.mark.parametrize("half_open", [True, False])
def test_the_client_s_end_is_told_and_can_be_answered(half_open: bool) -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        client.shutdown(socket.SHUT_WR)
        await told.until(lambda: "eof" in told.events)
        if half_open:
            told.transport.write(b"bye\r\n")
            told.transport.close()
        assert await read(client, 100) == (b"bye\r\n" if half_open else b"")
        await told.until(lambda: told.events[-1] == ("lost", type(None)))

    on_a_pair(test, Told(half_open=half_open))


def test_the_end_of_writing_follows_what_is_unsent_and_reading_goes_on() -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        told.transport.write(b"y" * MANY)
        told.transport.write_eof()
        assert len(await read(client, MANY + 1)) == MANY
        await asyncio.get_running_loop().sock_sendall(client, b"still here")
        await told.until(lambda: told.data == b"still here")
        told.transport.abort()

    on_a_pair(test, Told())


@pytest.mark.parametrize("writing", [True, False])
def test_a_client_that_resets_is_an_error_told_once(writing: bool) -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        if writing:
            told.transport.pause_reading()
            told.transport.write(b"z" * MANY)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        await told.until(lambda: isinstance(told.events[-1], tuple))
        told.transport.write(b"nobody hears this")
        told.transport.abort()
        await asyncio.sleep(0)
        lost = [event for event in told.events if isinstance(event, tuple)]
        assert lost in ([("lost", ConnectionResetError)], [("lost", BrokenPipeError)])

    on_a_pair(test, Told())


def test_paused_it_reads_nothing_until_it_is_resumed() -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        told.transport.pause_reading()
        await asyncio.get_running_loop().sock_sendall(client, b"later")
        for _ in range(5):
            await asyncio.sleep(0)
        assert told.data == b""
        told.transport.resume_reading()
        await told.until(lambda: told.data == b"later")
        told.transport.close()
        told.transport.resume_reading()
        await told.until(lambda: told.events[-1] == ("lost", type(None)))

    on_a_pair(test, Told())


def test_a_protocol_may_want_no_input_from_the_first_moment_on() -> None:
    class Wary(Told):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.pause_reading()

    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        assert told.transport.get_extra_info("socket") is ours
        await asyncio.get_running_loop().sock_sendall(client, b"early")
        for _ in range(5):
            await asyncio.sleep(0)
        assert told.data == b""
        told.transport.resume_reading()
        await told.until(lambda: told.data == b"early")

    on_a_pair(test, Wary())


def test_its_socket_is_given_away_when_all_is_sent() -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        told.transport.pause_reading()
        told.transport.write(b"w" * MANY)
        given, data = await asyncio.gather(told.transport.give_away(), read(client, MANY))
        assert given is ours
        assert len(data) == MANY
        told.transport.abort()
        await asyncio.sleep(0)
        assert ours.fileno() >= 0
        assert told.events == ["made", "pause", "resume"]

    on_a_pair(test, Told())


def test_a_closed_socket_is_not_given_away() -> None:
    async def test(told: Told, ours: socket.socket, client: socket.socket) -> None:
        told.transport.pause_reading()
        told.transport.write(b"w" * MANY)
        waiting = asyncio.ensure_future(told.transport.give_away())
        await asyncio.sleep(0)
        told.transport.abort()
        assert await waiting is None
        assert await told.transport.give_away() is None

    on_a_pair(test, Told())
