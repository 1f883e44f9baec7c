"""Servers that parse nothing and answer the load client's exact lines: the least an asyncio server can cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from corpus import mailbox_message

_DATA = (b"DATA\r\n", b"data\r\n")  # smtplib writes these two in small letters
_QUIT = (b"QUIT\r\n", b"quit\r\n")


class SmtpFloor(asyncio.Protocol):
    """Keeps the text of each message, as a server must."""

    store: list[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.chunks: list[bytes] | None = None
        self.tail = b""
        transport.write(b"220 floor\r\n")

    def data_received(self, data: bytes) -> None:
        if self.chunks is None:
            if data in _DATA:
                self.chunks = []
                self.transport.write(b"354 go on\r\n")
            elif data in _QUIT:
                self.transport.write(b"221 bye\r\n")
                self.transport.close()
            else:
                self.transport.write(b"250 ok\r\n")
            return
        self.chunks.append(data)
        self.tail = (self.tail + data)[-5:]
        if self.tail == b"\r\n.\r\n":
            self.store.append(b"".join(self.chunks))
            self.chunks, self.tail = None, b""
            self.transport.write(b"250 ok\r\n")


class Pop3Floor(asyncio.Protocol):
    """A maildrop whose every answer is made beforehand."""

    answers: dict[bytes, bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"+OK floor\r\n")

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answers.get(data, b"+OK\r\n"))


def pop3_answers(count: int) -> dict[bytes, bytes]:
    """What a maildrop of ``count`` messages answers, by command line."""
    messages = [mailbox_message(number) for number in range(count)]
    sizes = [len(message) for message in messages]
    answers = {
        b"STAT\r\n": b"+OK %d %d\r\n" % (count, sum(sizes)),
        b"LIST\r\n": b"+OK\r\n" + b"".join(b"%d %d\r\n" % row for row in enumerate(sizes, 1)) + b".\r\n",
        b"UIDL\r\n": b"+OK\r\n" + b"".join(b"%d 1700000000.%d\r\n" % (n, n) for n in range(1, count + 1)) + b".\r\n",
    }
    for number, message in enumerate(messages, 1):
        answers[b"RETR %d\r\n" % number] = b"+OK\r\n" + message + b".\r\n"
    return answers


def serve(factory: Callable[[], asyncio.Protocol]) -> int:
    """Serve on a free port, in a daemon thread; returns the port."""
    ready = threading.Event()
    ports: list[int] = []

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    ready.wait()
    return ports[0]
