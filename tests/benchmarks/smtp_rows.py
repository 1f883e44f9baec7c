"""SMTP from another process, by raw sockets: mockmail, the servers that store mail (bare aiosmtpd, Twisted, node's
smtp-server), Postfix's smtp-sink, which throws it away, and the floor of any asyncio server.

The client waits for each reply, as smtplib does, and sends a message in one piece.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from corpus import RECIPIENT, SENDER, sized_message
from harness import OURS, Ahead, Goal, Scenario, Step, Within
from servers import smtp_server, smtp_sink
from subjects import Subject, child, connect

HELLO = b"EHLO client.example.test\r\n"
CLIENTS = 10
RECIPIENTS = 50
STORING = ("aiosmtpd", "twisted", "smtp-server")
TIMES_FLOOR = 1.6
SIZES = (("2 KB", 2_000, 300), ("100 KB", 100_000, 40), ("10 MB", 10_000_000, 2))
"""Name, bytes, and messages in one measurement."""


def addresses(count: int) -> list[str]:
    """So many recipients."""
    return [RECIPIENT, *(f"reader{number}@example.test" for number in range(1, count))]


def transaction(message: bytes, recipients: Sequence[str] = (RECIPIENT,)) -> list[bytes]:
    """What a client sends for one message, a piece for each reply it waits for."""
    return [
        f"MAIL FROM:<{SENDER}>\r\n".encode(),
        *(f"RCPT TO:<{address}>\r\n".encode() for address in recipients),
        b"DATA\r\n",
        message + b".\r\n",
    ]


def complete(reply: bytes) -> bool:
    """Whether the last line of a reply has come: a code and a space."""
    return reply.endswith(b"\n") and reply[reply.rfind(b"\n", 0, -1) + 4 :][:1] == b" "


def receive(connection: socket.socket) -> None:
    reply = connection.recv(4096)
    while not complete(reply):
        more = connection.recv(4096)
        if not more:
            raise ConnectionError(f"closed after {reply!r}")
        reply += more
    if reply[:1] not in b"23":
        raise RuntimeError(f"refused: {reply!r}")


def exchange(connection: socket.socket, pieces: list[bytes]) -> None:
    for piece in pieces:
        connection.sendall(piece)
        receive(connection)


def one_connection(size_bytes: int, count: int, subject: Subject, *, recipients: int = 1) -> float:
    pieces = transaction(sized_message(size_bytes), addresses(recipients))
    with connect(subject.ports["smtp"]) as connection:
        receive(connection)
        exchange(connection, [HELLO, *pieces])
        began = time.perf_counter()
        for _ in range(count):
            exchange(connection, pieces)
        seconds = time.perf_counter() - began
    subject.ask("reset")
    return seconds / count


def connection_each(size_bytes: int, count: int, subject: Subject) -> float:
    pieces = [HELLO, *transaction(sized_message(size_bytes)), b"QUIT\r\n"]
    began = time.perf_counter()
    for _ in range(count):
        with connect(subject.ports["smtp"]) as connection:
            receive(connection)
            exchange(connection, pieces)
    seconds = time.perf_counter() - began
    subject.ask("reset")
    return seconds / count


class Client:
    """One of many clients in one thread: sends its pieces, each when the reply to the one before has come."""

    def __init__(self, connection: socket.socket, pieces: list[bytes], selector: selectors.BaseSelector) -> None:
        self.connection = connection
        self.pieces = iter(pieces)
        self.selector = selector
        self.rest = memoryview(b"")
        self.reply = b""
        self.key = selector.register(connection, selectors.EVENT_READ, self)
        self.writing = False

    def next_piece(self) -> bool:
        """Begin the next piece; false when there is none."""
        piece = next(self.pieces, None)
        if piece is None:
            self.selector.unregister(self.connection)
            return False
        self.rest = memoryview(piece)
        self.write()
        return True

    def write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.rest = self.rest[self.connection.send(self.rest) :]
        if self.writing != bool(self.rest):
            self.writing = bool(self.rest)
            events = selectors.EVENT_WRITE if self.writing else selectors.EVENT_READ
            self.selector.modify(self.connection, events, self)

    def read(self) -> bool:
        """Take what came; false when the client is done."""
        self.reply += self.connection.recv(4096)
        if not complete(self.reply):
            return True
        if self.reply[:1] not in b"23":
            raise RuntimeError(f"refused: {self.reply!r}")
        self.reply = b""
        return self.next_piece()


def many_clients(size_bytes: int, count: int, subject: Subject) -> float:
    """``CLIENTS`` connections, each with its share of ``count`` messages (at least one)."""
    pieces = transaction(sized_message(size_bytes))
    each = max(1, count // CLIENTS)
    with selectors.DefaultSelector() as selector:
        clients = []
        for _ in range(CLIENTS):
            connection = connect(subject.ports["smtp"])
            receive(connection)
            exchange(connection, [HELLO])
            connection.setblocking(False)
            clients.append(Client(connection, pieces * each, selector))
        began = time.perf_counter()
        for client in clients:
            client.next_piece()
        busy = len(clients)
        while busy:
            for key, _ in selector.select():
                client = key.data
                if client.rest:
                    client.write()
                elif not client.read():
                    busy -= 1
        seconds = time.perf_counter() - began
        for client in clients:
            client.connection.close()
    subject.ask("reset")
    return seconds / (each * CLIENTS)


def _steps() -> list[Step]:
    ways: tuple[tuple[str, Callable[[int, int, Subject], float], float], ...] = (
        ("one connection", one_connection, 1.0),
        ("a connection each", connection_each, 0.5),
        (f"{CLIENTS} clients", many_clients, 2.0),
    )
    common = (Ahead(STORING), Within(TIMES_FLOOR))
    steps = [
        Step(
            f"{name}, {way}",
            partial(measure, size_bytes, max(1, int(count * share))),
            (*common, Goal("aiosmtpd", 8.0 if size_bytes >= 10_000_000 else 2.0)),
        )
        for name, size_bytes, count in SIZES
        for way, measure, share in ways
    ]
    to_many = partial(one_connection, 2_000, 30, recipients=RECIPIENTS)
    return [*steps, Step(f"2 KB to {RECIPIENTS} recipients", to_many, common)]


def in_process(size_bytes: int, count: int, subject: Subject) -> float:
    seconds: float = subject.ask("deliver", size_bytes=size_bytes, count=count)
    return seconds


SCENARIOS = [
    Scenario(
        "smtp",
        "SMTP: one message (raw sockets, client in another process; smtp-sink keeps nothing, smtp-server greets late)",
        {
            OURS: child("mockmail"),
            "aiosmtpd": child("aiosmtpd"),
            "twisted": child("twisted-smtp"),
            "smtp-server": smtp_server,
            "smtp-sink": smtp_sink,
            "floor": child("floor-smtp"),
        },
        _steps(),
    ),
    Scenario(
        "smtplib",
        "SMTP: one message by smtplib in the server's own process, as in a test",
        {
            OURS: child("mockmail"),
            "aiosmtpd": child("aiosmtpd"),
            "twisted": child("twisted-smtp"),
            "floor": child("floor-smtp"),
        },
        [
            Step(
                f"{name}, smtplib",
                partial(in_process, size_bytes, count),
                (Ahead(("aiosmtpd", "twisted")), Within(TIMES_FLOOR)),
            )
            for name, size_bytes, count in SIZES
        ],
    ),
]
