"""One accepted socket and the session that talks on it. Nothing else writes to it.

The connection pulls actions out of its session, a slice at a time and only while the transport takes data, and gives
way to other connections between slices. There is no task and no timer for a command. Everything here runs on the
loop thread.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections import deque
from typing import TYPE_CHECKING, cast

from mockmail.wire.connections import Connections, SessionFactory
from mockmail.wire.contract import SLICE_BYTES, Close, Link, Pause, Session, StartTLS
from mockmail.wire.faults import Fault
from mockmail.wire.handshakes import Handshake
from mockmail.wire.sockets import input_waits, reset_on_close
from mockmail.wire.stream import Stream
from mockmail.wire.tampering import FaultSeam, HalfClose, Step
from mockmail.wire.tls import drop_plain_text, start_tls, tls_info
from mockmail.wire.transcript import Record

if TYPE_CHECKING:
    from mockmail.core.world import World
    from mockmail.wire.listener import Listener
    from mockmail.wire.runtime import Runtime

__all__ = ["Connection", "Connections", "SessionFactory"]

FAREWELL_SECONDS = 2.0
"""How long a client may go on sending after we have closed our side."""


class Connection(asyncio.Protocol):
    """Performs what a session asks for."""

    __slots__ = (
        "_actions", "_closing", "_connections", "_discarding", "_early", "_eof", "_fault", "_heard_at", "_held",
        "_link", "_listener", "_loop", "_lost", "_pause", "_peer", "_pull_is_due", "_reading", "_record", "_runtime",
        "_seam", "_socket", "_time", "_tls", "_transport", "_upgrade", "_watch", "_writing_paused", "session",
    )  # fmt: skip

    session: Session
    _transport: asyncio.Transport
    _record: Record
    _seam: FaultSeam

    def __init__(
        self, listener: Listener, runtime: Runtime, accepted: socket.socket, peer: tuple[str, int], fault: Fault | None
    ) -> None:
        self._listener = listener
        self._connections = listener.connections
        self._runtime = runtime
        self._loop = runtime.loop
        self._time = runtime.loop.time
        self._socket = accepted
        self._peer = peer
        self._fault = fault
        self._link: Link | None = None
        self._actions: deque[Step] = deque()
        self._tls: Handshake | None = None
        """Set when there is one to tell of."""
        self._watch = listener.connections.watch
        self._heard_at = 0.0
        """When the client was heard of last, by the loop's clock."""
        self._pause: asyncio.TimerHandle | None = None
        self._pull_is_due = False
        self._held = False
        self._writing_paused = False
        self._reading = True
        self._discarding = False
        self._eof = False
        self._closing = False
        self._lost = False
        self._upgrade: asyncio.Task[None] | None = None
        self._early: bytearray | None = None
        """During an upgrade: what came encrypted before we were told that the handshake was done."""

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._link is not None:
            return  # over TLS from now on, as _handshake() is about to hear
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
            note=self._record.note,
            errors=connections.errors,
        )
        self._seam = FaultSeam(connections, link, self._record)
        link.command = self._seam.command
        if listener.implicit_tls:
            link.tls = tls_info(self._transport)
            self._tls = connections.handshakes.begin(link, self._record, implicit=True)
        self._runtime.attach(self)
        connections.add(self)
        self._heard_at = self._loop.time()
        try:
            self.session = listener.factory(link)
            self.session.greeting()
            if self._tls is not None:
                self._tls.started()
            if self._fault is not None:
                self._actions.extend(self._seam.connect(self._fault))
                self._perform()
            self._pull()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)

    def data_received(self, data: bytes) -> None:
        # Of what is asked for each piece of input only attributes are read: calls were a tenth of its cost.
        faults = self._connections.faults
        faulty = faults is not None and (faults.rules or self._seam.at_work)
        if faulty or self._held or self._closing or self._writing_paused:
            self._receive(data)
            return
        time = self._time
        self._heard_at = time()
        if self._tls is not None:
            self._tls.unspoken = False
        try:
            answer = self.session.answer(data)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            answer = None
        if answer:
            self._record.exchanged(data, answer)
            self._transport.write(answer)
            if self._writing_paused:
                self._read_or_not()
            return
        self._record.received(data)
        if answer is None:
            self._pull()

    def _receive(self, data: bytes) -> None:
        """Where it may not be answered at once, or nobody is there any more who would."""
        if self._early is not None:
            self._early += data
        if self._early is not None or self._discarding or self._closing:
            return
        self._heard_at = self._loop.time()
        if self._tls is not None:
            self._tls.unspoken = False
        self._pull_is_due = True  # what the session wakes us for while it receives, the pull below does
        self._record.received(data)
        try:
            self.session.receive(data)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
        self._pull()

    def eof_received(self) -> bool:
        self._eof = True
        # asyncio closes TLS after this whatever it is told, and warns of an answer that says otherwise.
        half_open = self._link is None or self._link.tls is None
        if self._tls is not None and not self._closing:
            self._tls.ended()
        if self._early is not None:
            return False
        if self._discarding:
            self._transport.close()
        if self._discarding or self._closing:
            return half_open
        self._pull_is_due = True
        try:
            self.session.receive_eof()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return half_open
        self._pull()
        if not half_open:
            # TLS cannot be half closed, so what can be answered is answered now.
            while self._pull_is_due and not self._held and not self._writing_paused:
                self._pull()
        return half_open

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._heard_at = self._loop.time()
        self._wake()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._lost:
            return
        left_by_client = not self._closing
        self._lost = self._closing = True
        if self._pause is not None:
            self._pause.cancel()
        self._actions.clear()
        self._runtime.detach(self)
        self._connections.discard(self)
        self._connections.ended(self._peer)
        if self._link is None:
            return
        if left_by_client and self._tls is not None:
            self._tls.ended()
        self._connections.transcript.close(self._record)
        session: Session | None = getattr(self, "session", None)  # none if the factory failed
        try:
            if session is not None:
                session.connection_lost()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._link.errors.append(error)
        self._link.let_go()

    # What the server calls

    @property
    def link(self) -> Link:
        assert self._link is not None
        return self._link

    @property
    def made(self) -> bool:
        """Whether there was ever a session on it."""
        return self._link is not None

    def rebind(self, world: World) -> None:
        """A reset: from its next command on the session lives in ``world``."""
        self.link.errors = self._connections.errors
        if self._closing:
            return
        try:
            self.session.rebind(world)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
        self._wake()

    def abort(self) -> None:
        """Cut the connection now; the session hears of it in the loop's next round."""
        self._closing = True
        self._transport.abort()
        if self._upgrade is not None:
            self._upgrade.cancel()

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
        try:
            faults, seam = self._connections.faults, self._seam
            if faults is not None and (seam.at_work or faults.acts_on_bytes):
                # So little that it has bytes of one command only: the one a fault may have been armed for.
                one = session.outgoing(1)
                self._actions.extend(seam.apply(one, busy=session.busy))
                self._perform()
            else:
                actions = session.outgoing(SLICE_BYTES)
                if len(actions) == 1 and type(actions[0]) is bytes:
                    self._record.sent(actions[0])
                    self._transport.write(actions[0])
                elif actions:
                    self._actions.extend(actions)
                    self._perform()
            if self._transport.is_closing():
                return
            if session.busy and not self._held:
                self._wake()
            if self._reading is not (session.wants_input and not self._held and not self._writing_paused):
                self._read_or_not()
            deadline = self._heard_at + session.timeout_seconds
            if deadline < self._watch.goes_off_at:
                self._watch.no_later_than(deadline)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)

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
            if type(action) is bytes:
                sends.append(action)
                continue
            if type(action) is StartTLS:
                if sends:
                    drop_plain_text(self._transport, self._socket)
                self._write(sends)
                actions.clear()
                self._held = True
                self._early = bytearray()
                self._tls = self._connections.handshakes.begin(self.link, self._record, implicit=False)
                self._upgrade = self._runtime.spawn(self._handshake())
                return
            if type(action) is Pause:
                self._write(sends)
                self._hold(action.seconds)
                return
            if type(action) is HalfClose and self._transport.can_write_eof():
                self._write(sends)
                actions.clear()
                self._transport.write_eof()
                self._hold(math.inf)
                return
            if type(action) is HalfClose or type(action) is Close:
                self._write(sends)
                self._close()
                return
            self._write(sends)
            reset_on_close(self._socket)
            self.abort()
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
            self._connections.fell_silent(self._peer)
        else:
            self._pause = self._loop.call_later(seconds, self._release)
        self._read_or_not()

    def _release(self) -> None:
        if self._closing:
            return
        self._held = False
        self._heard_at = self._loop.time()
        try:
            self._perform()
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
        self._pull()

    def _close(self) -> None:
        self._closing = True
        self._actions.clear()
        if self._eof or not self._transport.can_write_eof() or not input_waits(self._socket):
            self._transport.close()
            return
        # Closing now would answer the unread input with a reset, which overtakes and destroys our last words.
        self._discarding = True
        self._transport.write_eof()
        self._read_or_not()
        self._loop.call_later(FAREWELL_SECONDS, self._transport.abort)

    def _crash(self, error: Exception) -> None:
        self.link.errors.append(error)
        self.abort()

    def look_for_silence(self, now: float) -> float:
        """See :class:`mockmail.wire.idle.Watched`."""
        try:
            if self._closing:
                return math.inf
            timeout_seconds = self.session.timeout_seconds
            if self._held:
                return now + timeout_seconds
            if now < self._heard_at + timeout_seconds:
                return self._heard_at + timeout_seconds
            self._heard_at = now
            self.session.timed_out()
            if self._writing_paused:
                self.abort()  # it does not even take what it asked for
                return math.inf
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
            return math.inf
        self._pull()
        return now + timeout_seconds

    async def _handshake(self) -> None:
        stream = cast("Stream", self._transport)
        failure: OSError | None = None
        try:
            await start_tls(self._loop, stream, self, self._listener.tls)
        except OSError as error:
            failure = error
        finally:
            self._upgrade = None
            if self._transport is stream:
                # asyncio tells nobody of a connection lost before the handshake was done.
                if self._tls is not None and not self._closing:
                    self._tls.failed(failure)
                stream.abort()
                self.connection_lost(None)
        if self._transport is stream:
            return
        if self._closing:
            self.abort()
            return
        self.link.tls = info = tls_info(self._transport)
        if self._tls is not None:
            self._tls.started()
        self._reading, self._writing_paused, self._held = True, False, False
        self._heard_at = self._loop.time()
        early, self._early = self._early, None
        try:
            self.session.tls_started(info)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._crash(error)
        if early:
            self.data_received(bytes(early))
        else:
            self._pull()
