"""A bound port, and the accepting of connections on it."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from mockmail.errors import ConfigurationError
from mockmail.wire.connection import Connection
from mockmail.wire.connections import Connections, SessionFactory
from mockmail.wire.contract import Link
from mockmail.wire.sockets import reset_on_close
from mockmail.wire.stream import Stream
from mockmail.wire.tls import accept_tls

if TYPE_CHECKING:
    import ssl

    from mockmail.wire.runtime import Runtime

__all__ = ["Listener"]

BACKLOG = 1024
ACCEPT_AGAIN_SECONDS = 0.1
"""How long accepting rests when the process has run out of descriptors."""


class Listener:
    """One port of one protocol. It is bound, once, when it is made (port 0: the OS chooses), and takes connections
    (into its backlog) from then on; they are served from :meth:`open` on.

    Raises ``ConfigurationError`` when the address cannot be bound. ``setting`` is what the user wrote the port in.
    ``tls`` is the context for StartTLS, or for each connection from its first byte with ``implicit_tls``.
    """

    def __init__(
        self,
        protocol: str,
        factory: SessionFactory,
        connections: Connections,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        setting: str | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
    ) -> None:
        self.protocol = protocol
        self.factory = factory
        self.connections = connections
        self.tls = tls
        self.implicit_tls = implicit_tls
        self._runtime: Runtime | None = None
        self._setting = setting or f"{protocol}_port"
        self._reserve: socket.socket | None = None
        bound = _bind(host, port, self._setting)
        self._socket: socket.socket | None = bound
        self.host = host
        self.port: int = bound.getsockname()[1]
        self._held: list[tuple[socket.socket, tuple[str, int]]] = []
        self.hangs = False
        """Whether connections are accepted and never spoken to; :meth:`come_up` ends it."""
        if os.name == "posix":
            self._reserve = _reserve(bound)
        self._listen(bound)

    def _listen(self, bound: socket.socket) -> None:
        try:
            bound.listen(BACKLOG)
        except OSError as error:
            bound.close()
            if self._reserve is not None:
                self._reserve.close()
            raise ConfigurationError(_why(error, self.host, self.port, self._setting)) from error

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def open(self, runtime: Runtime) -> None:
        """Begin to accept. Loop thread, or an opener of ``Runtime.start``."""
        assert self._socket is not None
        self._runtime = runtime
        runtime.attach(self)
        self.connections.live_on(runtime.loop)
        self._watch()

    def abort(self) -> None:
        """Close the port; its connections live on. Idempotent; loop thread, or any thread before :meth:`open`."""
        if self._socket is not None:
            if self._runtime is not None:
                self._runtime.loop.remove_reader(self._socket)
                self._runtime.detach(self)
            self._socket.close()
            self._socket = None
        elif self._runtime is not None:
            self._runtime.detach(self)
        self._let_go()
        if self._reserve is not None:
            self._reserve.close()
            self._reserve = None

    close = abort

    def close_after_fork(self) -> None:
        for one in (self._socket, self._reserve, *(held for held, _ in self._held)):
            if one is not None:
                one.close()

    # Outages. Loop thread

    def go_down(self) -> None:
        """Refuse connections; the port stays reserved, so that no other program gets it. Connections live on."""
        if self._socket is not None and self._runtime is not None:
            self._runtime.loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self._let_go()

    def come_up(self) -> None:
        """Accept and speak again; ``ConfigurationError`` when the port has got lost."""
        self._let_go()
        if self._socket is None:
            self._socket = _bind(self.host, self.port, self._setting)
            self._listen(self._socket)
            self._watch()

    def hang(self) -> None:
        """Accept, and never speak."""
        self.come_up()
        self.hangs = True

    def _let_go(self) -> None:
        self.hangs = False
        for held, peer in self._held:
            reset_on_close(held)
            held.close()
            self.connections.ended(peer)
        self._held.clear()

    def _watch(self) -> None:
        if self._socket is not None and self._runtime is not None:
            self._runtime.loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        # One for each readiness: the selector is level-triggered, and a second try mostly costs an exception.
        assert self._socket is not None
        assert self._runtime is not None
        try:
            accepted, peer = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._runtime.record(error)
            self._runtime.loop.remove_reader(self._socket)
            self._runtime.loop.call_later(ACCEPT_AGAIN_SECONDS, self._watch)
            return
        if self.hangs:
            self._held.append((accepted, (peer[0], peer[1])))
            self.connections.fell_silent((peer[0], peer[1]))
            return
        accepted.setblocking(False)
        # asyncio does this only for sockets made with the protocol number of TCP. Without it the end of a response
        # that takes several writes waits for the client's delayed acknowledgement: 40 ms.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._admit(accepted, (peer[0], peer[1]))

    def _admit(self, accepted: socket.socket, peer: tuple[str, int]) -> None:
        """Begin to serve a connection."""
        assert self._runtime is not None
        fault = self.connections.connecting(self.protocol)
        if fault is not None and fault.refuse:
            reset_on_close(accepted)
            accepted.close()
            return
        connection = Connection(self, self._runtime, accepted, peer, fault)
        if not self.implicit_tls:
            Stream(self._runtime.loop, accepted, connection).begin()
            return
        task = self._runtime.spawn(self._serve(accepted, connection, peer))
        # A stop may cancel the task before its first step, when no transport owns the socket yet.
        task.add_done_callback(lambda task: accepted.close() if task.cancelled() else None)

    async def _serve(self, accepted: socket.socket, connection: Connection, peer: tuple[str, int]) -> None:
        assert self._runtime is not None
        failure: OSError | None = None
        try:
            await accept_tls(self._runtime.loop, lambda: connection, accepted, self.tls)
        except OSError as error:
            # The client went away, or would not have our TLS; that is its own affair.
            failure = error
            accepted.close()
        if not connection.made:
            self._handshake_failed(peer, failure)

    def _handshake_failed(self, peer: tuple[str, int], error: OSError | None) -> None:
        """There never was a session, but who looks for one shall see why."""
        connections = self.connections
        name = connections.name(self.protocol)
        record = connections.transcript.open(self.protocol, name, peer)
        link = Link(self.protocol, name, peer, self.address)
        connections.handshakes.begin(link, record, implicit=True).failed(error)
        connections.transcript.close(record)


def _bind(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = None
    try:
        if not host.replace(".", "").isdigit() and family == socket.AF_INET:
            family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":  # on Windows it would let two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.setblocking(False)
    except (OSError, OverflowError) as error:
        if bound is not None:
            bound.close()
        raise ConfigurationError(_why(error, host, port, setting)) from error
    return bound


def _reserve(bound: socket.socket) -> socket.socket:
    """A second socket on the same port, which never listens: while it lives nobody else gets the port. It can only be
    made before the first one listens."""
    reserve = socket.socket(bound.family, socket.SOCK_STREAM)
    reserve.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserve.bind(bound.getsockname())
    return reserve


def _why(error: OSError | OverflowError, host: str, port: int, setting: str) -> str:
    where = f"cannot listen on {host} port {port}"
    if isinstance(error, OverflowError):
        return f"{where}: write {setting}= as a number from 0 to 65535 (0 = a free port of the system's choice)."
    if error.errno == errno.EADDRINUSE:
        return f"{where}: the port is in use. Write {setting}=0 for a free port, or end the program that has it."
    if error.errno == errno.EACCES:
        return f"{where}: the port needs privileges. Write {setting}=0, or a number above 1023."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: the host is no address of this machine. Write host='127.0.0.1', or another of its addresses."
    return f"{where}: {error.strerror or error}. Write another host=, or {setting}=0 for a free port."
