"""A next hop made by hand: a listening socket, and for each connection a thread that plays what it is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

GREETING = b"220 peer.test ready\r\n"
TIMEOUT_SECONDS = 20.0


class Talk:
    """One connection, as the peer has it. ``number`` counts them from 1."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.number = number
        self.heard = b""
        self._buffer = b""

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def line(self) -> bytes:
        """The next line, without its end; ``b""`` when the client has left."""
        return self.until(b"\r\n").removesuffix(b"\r\n")

    def until(self, end: bytes) -> bytes:
        """All up to and with ``end``."""
        while end not in self._buffer:
            data = self.connection.recv(65536)
            if not data:
                found, self._buffer = self._buffer, b""
                self.heard += found
                return found
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(end)
        self.heard += head + end
        return head + end

    def data(self) -> None:
        """The message, to its end."""
        while (line := self.until(b"\r\n")) != b".\r\n" and line.endswith(b"\r\n"):
            pass

    def exactly(self, count: int) -> bytes:
        """So many bytes."""
        while len(self._buffer) < count:
            data = self.connection.recv(65536)
            if not data:
                raise EOFError(f"the client left after {self._buffer!r}")
            self._buffer += data
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        self.heard += found
        return found

    def serve(self, ehlo: bytes = b"250 peer.test\r\n", **replies: bytes) -> None:
        """Greet, then answer each command: by ``replies`` (of ``MAIL``, ``RCPT``, ``DATA``, ``END`` ...), else well.
        ``b""`` closes the connection."""
        self.say(replies.pop("GREETING", GREETING))
        while line := self.line():
            verb = line[:4].decode().upper()
            reply = replies.get(verb, {"EHLO": ehlo, "DATA": b"354 go\r\n"}.get(verb, b"250 2.0.0 fine\r\n"))
            if not reply:
                return
            self.say(reply)
            if verb == "DATA" and reply.startswith(b"354"):
                self.data()
                reply = replies.get("END", b"250 2.6.0 taken\r\n")
                if not reply:
                    return
                self.say(reply)
            if verb == "QUIT":
                return


class Peer:
    """``with Peer(script) as peer``: ``script`` is called with a :class:`Talk` for each connection, which ends when it
    returns. ``talks`` are the connections so far."""

    def __init__(self, script: Callable[[Talk], None]) -> None:
        self._script = script
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listening.getsockname()[:2]
        self.talks: list[Talk] = []
        self.errors: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._closed = False

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed = True
        # What wakes a thread that accepts.
        socket.create_connection(self.address).close()
        for talk in self.talks:
            with contextlib.suppress(OSError):  # it has ended
                talk.connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)
        self._listening.close()
        if self.errors and exception[1] is None:
            raise self.errors[0]

    @property
    def heard(self) -> list[bytes]:
        """What each client said."""
        return [talk.heard for talk in self.talks]

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self._closed:
                connection.close()
                return
            connection.settimeout(TIMEOUT_SECONDS)
            talk = Talk(connection, len(self.talks) + 1)
            self.talks.append(talk)
            self._spawn(lambda talk=talk: self._play(talk))

    def _play(self, talk: Talk) -> None:
        try:
            with talk.connection:
                self._script(talk)
        except OSError:
            return  # the client, or the end of the test, cut it
        except Exception as error:
            self.errors.append(error)
