"""The transport of an accepted socket in plain text.

asyncio makes its own in a task, with two futures, three rounds of the loop and two system calls, which is more than a
short session's commands cost. This one is there at once. Of ``asyncio.Transport`` it has what connections use.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from typing import Any

__all__ = ["Stream"]

READ_BYTES = 16 * 1024
READ_LIMIT_BYTES = 256 * 1024
"""How much is read at once: the first for a client that sends commands, up to the second for one that sends more."""
HIGH_WATER_BYTES = 64 * 1024
LOW_WATER_BYTES = 16 * 1024
"""How much may be unsent before the protocol is told to pause, and when to go on."""

if sys.platform == "win32":
    _receive, _send = socket.socket.recv, socket.socket.send
else:
    # The methods of a socket spend longer on their arguments, by a twentieth of what an exchange with a client takes.
    _receive, _send = os.read, os.write


class Stream(asyncio.Transport):
    """Reads and writes one connected, non-blocking socket, and closes it. Loop thread only."""

    __slots__ = (
        "_closing", "_descriptor", "_drained", "_end_point", "_eof_follows", "_loop", "_lost", "_paused", "_protocol",
        "_read_bytes", "_reading", "_socket", "_unsent", "_unsent_bytes",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, connected: socket.socket, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": connected})
        self._loop = loop
        self._socket = connected
        self._descriptor = connected.fileno()
        self._end_point: Any = connected if sys.platform == "win32" else self._descriptor
        """What is read from and written to: of no avail once the socket is closed or given away, as another may have
        its number then."""
        self._protocol = protocol
        self._read_bytes = READ_BYTES
        self._reading = True
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._paused = False
        """Whether the protocol was told to pause writing."""
        self._eof_follows = False
        self._closing = False
        self._lost = False
        """Whether the end was announced, or the socket given away."""
        self._drained: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Tell the protocol of the connection, then read, unless it wants no input yet."""
        self._protocol.connection_made(self)
        if self._reading and not self._closing:
            self._loop.add_reader(self._descriptor, self._readable)

    # Reading

    def _readable(self) -> None:
        try:
            data = _receive(self._end_point, self._read_bytes)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if not data:
            self._loop.remove_reader(self._descriptor)
            if not self._protocol.eof_received():
                self.close()
            return
        if len(data) == self._read_bytes < READ_LIMIT_BYTES:
            self._read_bytes *= 4
        self._protocol.data_received(data)

    def pause_reading(self) -> None:
        self._reading = False
        self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        if not self._closing:
            self._reading = True
            self._loop.add_reader(self._descriptor, self._readable)

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._lost:
            return
        if self._unsent:
            self._keep(memoryview(data))
            return
        try:
            sent = _send(self._end_point, data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._end(error)
            return
        if sent < len(data):
            self._keep(memoryview(data)[sent:])
            self._loop.add_writer(self._descriptor, self._writable)

    def _keep(self, data: memoryview) -> None:
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def _writable(self) -> None:
        unsent = self._unsent
        try:
            sent = _send(self._end_point, unsent[0])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        self._unsent_bytes -= sent
        if sent < len(unsent[0]):
            unsent[0] = unsent[0][sent:]
        else:
            unsent.popleft()
        if not unsent:
            self._loop.remove_writer(self._descriptor)
        if self._paused and self._unsent_bytes <= LOW_WATER_BYTES:
            self._paused = False
            self._protocol.resume_writing()
        if not unsent and not self._lost:
            self._sent_all()

    def _sent_all(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._closing:
            self._end(None)
        elif self._eof_follows:
            self._shut_down()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not (self._eof_follows or self._closing):
            self._eof_follows = True
            if not self._unsent:
                self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:  # the client has cut the connection
            self._end(error)

    def get_write_buffer_size(self) -> int:
        return self._unsent_bytes

    # Ending

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Read no more, and be gone when all is sent."""
        if not self._closing:
            self._closing = True
            self._loop.remove_reader(self._descriptor)
            if not self._unsent:
                self._end(None)

    def abort(self) -> None:
        """Be gone, sent or not."""
        self._end(None)

    def _end(self, error: OSError | None) -> None:
        """The protocol hears of it in the loop's next round: it may be in the middle of something just now."""
        if self._lost:
            return
        self._lost = self._closing = True
        self._loop.remove_reader(self._descriptor)
        if self._unsent:
            self._loop.remove_writer(self._descriptor)
            self._unsent.clear()
            self._unsent_bytes = 0
        self._loop.call_soon(self._announce, error)

    def _announce(self, error: OSError | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            del self._protocol  # which has this transport
            self._socket.close()
            if self._drained is not None and not self._drained.done():
                self._drained.set_result(None)

    async def give_away(self) -> socket.socket | None:
        """Send what is unsent, and hand the socket over to another transport; ``None`` when it is closed first. To be
        called once reading is paused."""
        if self._unsent and not self._lost:
            self._drained = self._loop.create_future()
            await self._drained
        if self._lost:
            return None
        self._lost = self._closing = True
        return self._socket
