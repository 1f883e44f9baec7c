"""One accepted socket and the session that talks on it. Nothing else writes to it.

The connection pulls actions out of its session, a slice at a time and only while the transport takes data, and gives
way to other connections between slices. There is no task and no timer for a command. Everything here runs on the
loop thread.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias, cast

from mockmail.wire.contract import (
    SLICE_BYTES,
    Abort,
    Action,
    Close,
    Link,
    Pause,
    Send,
    Session,
    StartTLS,
    TLSInfo,
    Verdict,
)
from mockmail.wire.faults import Fault, FaultPlan, HalfClose, Tampering
from mockmail.wire.transcript import Transcript

if TYPE_CHECKING:
    import ssl

    from mockmail.core.world import World
    from mockmail.wire.listener import Listener
    from mockmail.wire.runtime import Runtime

__all__ = ["Connection", "Connections", "SessionFactory"]

SessionFactory: TypeAlias = Callable[[Link], Session]

HANDSHAKE_SECONDS = 30.0
TLS_SHUTDOWN_SECONDS = 2.0
FAREWELL_SECONDS = 2.0
"""How long a client may go on sending after we have closed our side."""
RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Connections:
    """The open connections of one server, and what they share. Iterated by copies, so that a connection may go."""

    def __init__(
        self,
        *,
        transcript: Transcript | None = None,
        faults: FaultPlan | None = None,
        errors: list[BaseException] | None = None,
    ) -> None:
        self.transcript = transcript if transcript is not None else Transcript()
        self.faults = faults
        """Consulted at each command; may be replaced at any time."""
        self.errors: list[BaseException] = errors if errors is not None else []
        """Given to each new link. Whoever starts a new list has :meth:`rebind` tell the open ones."""
        self._open: dict[Connection, None] = {}
        self._numbers: dict[str, int] = {}

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def rebind(self, world: World, errors: list[BaseException] | None = None) -> None:
        """Give each open session the new world, and each link the new list of errors if there is one."""
        if errors is not None:
            self.errors = errors
        for connection in self:
            connection.rebind(world)

    def abort(self) -> None:
        """Cut all connections."""
        for connection in self:
            connection.abort()

    def connecting(self, protocol: str) -> Fault | None:
        """The fault, if any, of the next connection itself."""
        return self.faults.match(protocol, "CONNECT", "", None, "") if self.faults is not None else None

    def name(self, protocol: str) -> str:
        """A name for the next session of ``protocol``."""
        number = self._numbers[protocol] = self._numbers.get(protocol, 0) + 1
        return f"{protocol}-{number}"

    def add(self, connection: Connection) -> None:
        self._open[connection] = None

    def discard(self, connection: Connection) -> None:
        self._open.pop(connection, None)


class Connection(asyncio.Protocol):
    """Performs what a session asks for."""

    __slots__ = (
        "_actions", "_closing", "_connections", "_discarding", "_ended", "_eof", "_fault", "_heard", "_held", "_link",
        "_listener", "_loop", "_lost", "_pause", "_peer", "_pull_is_due", "_reading", "_record", "_runtime", "_socket",
        "_tampering", "_timer", "_timer_at", "_transport", "_writing_paused", "session",
    )  # fmt: skip

    session: Session
    _transport: asyncio.Transport

    def __init__(
        self, listener: Listener, runtime: Runtime, accepted: socket.socket, peer: tuple[str, int], fault: Fault | None
    ) -> None:
        self._listener = listener
        self._connections = listener.connections
        self._runtime = runtime
        self._loop = runtime.loop
        self._socket = accepted
        self._peer = peer
        self._fault = fault
        self._link: Link | None = None
        self._actions: deque[Action | HalfClose] = deque()
        self._tampering: Tampering | None = None
        self._ended: Tampering | None = None
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._pause: asyncio.TimerHandle | None = None
        self._pull_is_due = False
        self._held = False
        self._writing_paused = False
        self._reading = True
        self._discarding = False
        self._eof = False
        self._closing = False
        self._lost = False

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        listener, connections = self._listener, self._connections
        protocol = listener.protocol
        name = connections.name(protocol)
        self._record = connections.transcript.open(protocol, name, self._peer)
        self._link = link = Link(
            protocol,
            name,
            self._peer,
            listener.address,
            wake=self._wake,
            redact=self._record.redact,
            command=self._command,
            errors=connections.errors,
        )
        if listener.implicit_tls:
            link.tls = self._tls_info()
        self._runtime.attach(self)
        connections.add(self)
        self._heard = self._loop.time()
        try:
            self.session = listener.factory(link)
            self.session.greeting()
            if self._fault is not None:
                self._begin_with(self._fault)
            self._pull()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)

    def data_received(self, data: bytes) -> None:
        if self._discarding or self._closing:
            return
        self._heard = self._loop.time()
        self._record.received(data)
        # What the session wakes us for while it receives, the pull below does.
        self._pull_is_due = True
        try:
            self.session.receive(data)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return
        self._pull()

    def eof_received(self) -> bool:
        self._eof = True
        if self._discarding:
            self._transport.close()
            return True
        if self._closing:
            return True
        self._pull_is_due = True
        try:
            self.session.receive_eof()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return True
        self._pull()
        if self._link is not None and self._link.tls is not None:
            # TLS cannot be half closed (asyncio closes it after this), so what can be answered is answered now.
            while self._pull_is_due and not self._held and not self._writing_paused:
                self._pull()
            return False
        return True

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._heard = self._loop.time()
        self._wake()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        for timer in (self._timer, self._pause):
            if timer is not None:
                timer.cancel()
        self._actions.clear()
        self._runtime.detach(self)
        self._connections.discard(self)
        if self._link is None:
            return
        self._connections.transcript.close(self._record)
        session: Session | None = getattr(self, "session", None)  # none if the factory failed
        try:
            if session is not None:
                session.connection_lost()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._link.errors.append(error)

    # What the server calls

    @property
    def link(self) -> Link:
        assert self._link is not None
        return self._link

    def rebind(self, world: World) -> None:
        """A reset: from its next command on the session lives in ``world``."""
        self.link.errors = self._connections.errors
        if self._closing:
            return
        try:
            self.session.rebind(world)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return
        self._wake()

    def abort(self) -> None:
        """Cut the connection now; the session hears of it in the loop's next round."""
        self._closing = True
        self._transport.abort()

    def close_after_fork(self) -> None:
        self._socket.close()

    # Pulling

    def _wake(self) -> None:
        if not self._pull_is_due:
            self._pull_is_due = True
            self._loop.call_soon(self._pull_if_due)

    def _pull_if_due(self) -> None:
        if self._pull_is_due:
            self._pull()

    def _pull(self) -> None:
        self._pull_is_due = False
        if self._closing or self._held or self._writing_paused or self._transport.is_closing():
            return
        session = self.session
        faults = self._connections.faults
        try:
            if self._tampering is not None or self._ended is not None or (faults is not None and faults.acts_on_bytes):
                self._pull_one_command()
            else:
                actions = session.outgoing(SLICE_BYTES)
                if len(actions) == 1 and type(actions[0]) is Send:
                    data = actions[0].data
                    self._record.sent(data)
                    self._transport.write(data)
                elif actions:
                    self._actions.extend(actions)
                    self._perform()
            if self._transport.is_closing():
                return
            if session.busy and not self._held:
                self._wake()
            self._read_or_not()
            self._set_timer(self._heard + session.timeout_seconds)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)

    def _pull_one_command(self) -> None:
        """Pull so little that a slice has bytes of one command only: the one a fault may have been armed for."""
        actions: list[Action | HalfClose] = list(self.session.outgoing(1))
        if self._tampering is not None:
            actions = self._tampering.apply(actions)
            if not self.session.busy:
                actions += self._tampering.end()
                self._tampering = None
        if self._ended is not None:
            actions[:0] = self._ended.end()
            self._ended = None
        self._actions.extend(actions)
        self._perform()

    def _read_or_not(self) -> None:
        reading = self._discarding or not (self._held or self._writing_paused or not self.session.wants_input)
        if reading is not self._reading and not self._eof and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # Performing

    def _perform(self) -> None:
        """Carry out the actions that wait, until one of them wants time."""
        actions = self._actions
        sends: list[bytes] = []
        while actions:
            action = actions.popleft()
            if type(action) is Send:
                sends.append(action.data)
                continue
            if type(action) is StartTLS:
                if sends:
                    self._drop_plain_text()
                self._write(sends)
                self._start_tls()
                return
            if type(action) is Pause:
                self._write(sends)
                self._hold(action.seconds)
                return
            if type(action) is HalfClose:
                self._write(sends)
                self._half_close()
                return
            if type(action) is Close:
                self._write(sends)
                self._close()
                return
            self._write(sends)
            self._reset()
            return
        self._write(sends)

    def _write(self, sends: list[bytes]) -> None:
        data = sends[0] if len(sends) == 1 else b"".join(sends)
        sends.clear()
        if data:
            self._record.sent(data)
            self._transport.write(data)

    def _hold(self, seconds: float) -> None:
        self._held = True
        if math.isinf(seconds):
            # For ever silent; only the end of the client is of interest.
            self._discarding = True
        else:
            self._pause = self._loop.call_later(seconds, self._release)
        self._read_or_not()

    def _release(self) -> None:
        if self._closing:
            return
        self._held = False
        self._heard = self._loop.time()
        try:
            self._perform()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return
        self._pull()

    def _close(self) -> None:
        self._closing = True
        self._actions.clear()
        if self._eof or not self._transport.can_write_eof() or not self._input_waits():
            self._transport.close()
            return
        # Closing now would answer the unread input with a reset, which overtakes and destroys our last words.
        self._discarding = True
        self._transport.write_eof()
        self._read_or_not()
        self._loop.call_later(FAREWELL_SECONDS, self._transport.abort)

    def _input_waits(self) -> bool:
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _half_close(self) -> None:
        self._actions.clear()
        if not self._transport.can_write_eof():
            self._close()
            return
        self._transport.write_eof()
        self._hold(math.inf)

    def _reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.abort()

    def _crash(self, error: Exception) -> None:
        self.link.errors.append(error)
        self.abort()

    # Deadlines: one timer, which looks when it goes off whether the client was heard of meanwhile

    def _set_timer(self, deadline: float) -> None:
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self._loop.call_at(deadline, self._timer_went_off)

    def _timer_went_off(self) -> None:
        self._timer, self._timer_at = None, math.inf
        now = self._loop.time()
        try:
            if self._closing:
                return
            if self._held:
                self._set_timer(now + self.session.timeout_seconds)
                return
            deadline = self._heard + self.session.timeout_seconds
            if now < deadline:
                self._set_timer(deadline)
                return
            self._heard = now
            self.session.timed_out()
            if self._writing_paused:
                self.abort()  # it does not even take what it asked for
                return
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return
        self._pull()

    # TLS

    def _drop_plain_text(self) -> None:
        """Forget what was sent behind STARTTLS in plain text (before its reply, so it cannot be the handshake)."""
        self._transport.pause_reading()
        try:
            while self._socket.recv(SLICE_BYTES):
                pass
        except OSError:
            pass  # nothing more there

    def _start_tls(self) -> None:
        context = self._listener.tls
        if context is None:
            raise RuntimeError(f"{self.link.session} asked for TLS, but its listener has none.")
        self._held = True
        self._actions.clear()
        self._runtime.spawn(self._handshake(context))

    async def _handshake(self, context: ssl.SSLContext) -> None:
        transport: asyncio.Transport | None = None
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=TLS_SHUTDOWN_SECONDS,
            )
        except OSError as error:
            self._record.note(f"TLS handshake failed: {error}")
            transport = None
        finally:
            # asyncio tells nobody of a connection lost before the handshake was done.
            if transport is None:
                self._transport.abort()
                self.connection_lost(None)
        if transport is None:
            return
        self._transport = transport
        if self._closing:
            self.abort()
            return
        self.link.tls = info = self._tls_info()
        self._record.note(f"TLS started ({info.version}, {info.cipher})")
        self._reading, self._writing_paused, self._held = True, False, False
        self._heard = self._loop.time()
        try:
            self.session.tls_started(info)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return
        self._pull()

    def _tls_info(self) -> TLSInfo:
        tls: ssl.SSLObject = self._transport.get_extra_info("ssl_object")
        cipher = tls.cipher()
        certificate = tls.getpeercert()
        subject = None
        if certificate:
            names = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
            subject = ", ".join(f"{key}={value}" for name in names for key, value in name)
        return TLSInfo(tls.version() or "", cipher[0] if cipher else "", subject)

    # Faults

    def _begin_with(self, fault: Fault) -> None:
        """A fault of the connection itself: it acts on the greeting."""
        verdict = fault.verdict()
        if verdict is not None and verdict.drop:
            self._actions.append(Abort())
        elif verdict is not None and verdict.delay_seconds:
            self._actions.append(Pause(verdict.delay_seconds))
        else:
            self._tampering = fault.tampering()
        self._perform()

    def _command(self, name: str, arguments: str, account: str | None) -> Verdict | None:
        if account is not None:
            self._record.account = account
        faults = self._connections.faults
        if faults is None or not faults.rules:
            return None
        if self._tampering is not None:
            self._ended, self._tampering = self._tampering, None
        link = self.link
        try:
            fault = faults.match(link.protocol, name, arguments, account, link.session)
        except Exception as error:  # noqa: BLE001 - a predicate of the user's; recorded, and raised in the test
            link.errors.append(error)
            return None
        if fault is None:
            return None
        self._record.note(f"fault: {fault.description}")
        self._tampering = fault.tampering()
        return fault.verdict()
