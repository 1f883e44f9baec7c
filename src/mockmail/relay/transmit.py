"""Plays the scripts of the SMTP client on a connection."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable
from typing import TypeVar

from mockmail.core.clock import Clock
from mockmail.relay.client import Ask, Client, Mail, Script, Secure
from mockmail.relay.outcome import Verdict
from mockmail.relay.policy import Timeouts
from mockmail.relay.replies import Reply, ReplyReader, Trouble
from mockmail.relay.routes import Hop
from mockmail.relay.trust import TLSFailed, opportunistic, verifying
from mockmail.wire.dial import Dialled, Silence, dial
from mockmail.wire.driver import Driver
from mockmail.wire.runtime import Runtime

__all__ = ["Dialler", "Transmission"]

T = TypeVar("T")
Stuck = Callable[[], contextlib.AbstractContextManager[None]]

_TOO_LONG = Reply.here(451, "4.4.2", "the next hop took too long")


def _nothing() -> None:
    return None


class Transmission:
    """A conversation with a next hop. ``stuck`` is entered while the hop is known to hang."""

    def __init__(
        self, dialler: Dialler, stream: Dialled, client: Client, hop: Hop, timeouts: Timeouts, stuck: Stuck
    ) -> None:
        self._dialler = dialler
        self._stream = stream
        self._client = client
        self._reader = ReplyReader()
        self._timeouts = timeouts
        self._stuck = stuck
        self.hop = hop
        self.tls: str | None = None
        """Version of TLS, once there is."""
        self._end_watch = _nothing
        if hop.watch is not None:
            self._end_watch = hop.watch(stream.local_address, stream.fell_silent)

    @property
    def confirms(self) -> bool:
        """Whether the next hop sends the reports that the sender asked for."""
        return "DSN" in self._client.capabilities

    @property
    def tls_problem(self) -> str | None:
        """What was wrong with TLS where it was offered: why the certificate is not to be trusted, or why there is
        none."""
        return self._client.tls_problem

    @property
    def recipient_limit(self) -> int:
        """How many recipients it takes in one transaction."""
        return self._client.recipient_limit

    @property
    def spent(self) -> bool:
        """Whether it takes no more transactions on this connection."""
        return self._client.spent

    def verdict(self, reply: Reply, seconds: float) -> Verdict:
        """What this hop said of somebody, after so long."""
        return Verdict(reply, self.hop, self.tls, seconds, self.tls_problem)

    async def open(self, *, tls: bool = True, verify: bool = True) -> None:
        """``Trouble``, or ``TLSFailed``, when the next hop cannot be talked to."""
        await self._play(self._client.open(tls=tls), verify=verify)

    async def send(self, mail: Mail, outcomes: dict[str, Reply]) -> None:
        """See :meth:`mockmail.relay.client.Client.send`."""
        await self._play(self._client.send(mail, outcomes))

    async def quit(self) -> None:
        """End in order, whatever is answered."""
        with contextlib.suppress(Trouble):
            await self._play(self._client.quit())
        self._end_watch()
        self._stream.close()

    def cut(self) -> None:
        """End at once."""
        self._end_watch()
        self._stream.abort()

    async def _play(self, script: Script[T], *, verify: bool = True) -> T:
        reply: Reply | None = None
        try:
            while True:
                step = script.send(reply)
                reply = None
                if isinstance(step, bytes):
                    await self._stream.send(step, self._timeouts.block)
                elif isinstance(step, Ask):
                    reply = await self._next_reply(step.seconds)
                else:
                    await self._secure(step, verify)
        except StopIteration as done:
            result: T = done.value
            return result
        except TimeoutError:
            raise Trouble(_TOO_LONG) from None

    async def _next_reply(self, seconds: float) -> Reply:
        # One limit for the whole reply: bytes that trickle in do not prolong it.
        until = self._dialler.runtime.loop.time() + seconds
        while (reply := self._reader.next()) is None:
            left = until - self._dialler.runtime.loop.time()
            try:
                data = await self._stream.receive(left)
            except Silence:
                with self._stuck():
                    data = await self._dialler.unless_due(self._stream, seconds)
            if not data:
                raise Trouble(Reply.here(451, "4.4.2", "the next hop closed the connection"))
            self._reader.feed(data)
        return reply

    async def _secure(self, step: Secure, verify: bool) -> None:
        self._reader.clear()
        try:
            self.tls = await self._stream.start_tls(verifying() if verify else opportunistic(), self.hop.host)
        except OSError as error:
            raise TLSFailed(error) from error
        self._client.secured(verified=verify)


class Dialler:
    """Makes conversations, for one server. Servers of our own network get the time that RFC 5321 gives them, by the
    clock; others at most ``patience_seconds`` of real time for each thing that is waited for."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        hello: str,
        *,
        patience_seconds: float,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.runtime = runtime
        self._clock = clock
        self._hello = hello
        self._near = timeouts or Timeouts()
        self._far = self._near.within(patience_seconds)

    async def unless_due(self, stream: Dialled, seconds: float) -> bytes:
        """What comes from a server that is known to hang. The clock does not wait for it, and jumps to the end of the
        ``seconds``: ``TimeoutError``."""
        driver = self._clock.driver
        assert isinstance(driver, Driver)  # servers of our own network run by one
        until = self._clock.now() + datetime.timedelta(seconds=seconds)
        return await driver.unless_due(stream.receive_anyhow(), until)

    async def connect(self, hop: Hop, stuck: Stuck = contextlib.nullcontext) -> Transmission:
        """A conversation that has come to where mail can be sent; ``Trouble`` when it does not.

        Where TLS is offered, the certificate is verified. If that fails, another connection is made that takes any
        certificate, and if there is no TLS at all, one in plain text: neither is worse than no offer (RFC 7435)."""
        timeouts = self._far if hop.watch is None else self._near
        tls = verify = True
        problem: str | None = None
        while True:
            try:
                stream = await dial(self.runtime, hop.host, hop.port, timeouts.connect)
            except OSError as error:
                raise Trouble(Reply.here(451, "4.4.1", _why(error))) from None
            client = Client(self._hello, login=hop.login, timeouts=timeouts)
            transmission = Transmission(self, stream, client, hop, timeouts, stuck)
            client.tls_problem = problem
            try:
                await transmission.open(tls=tls, verify=verify)
            except TLSFailed as failed:
                transmission.cut()
                problem = problem or failed.problem
                # A bad certificate is still good enough to encrypt with; any other failure would come again.
                tls, verify = verify and failed.distrusted, False
            except BaseException:
                transmission.cut()
                raise
            else:
                return transmission


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "connection timed out"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return f"cannot connect: {error.strerror or error}"
