"""Plays the scripts of the SMTP client on a connection."""

from __future__ import annotations

import contextlib
import datetime
from typing import TYPE_CHECKING, TypeVar

from mockmail.relay.client import Ask, Client, Mail, Script, Secure
from mockmail.relay.policy import Timeouts
from mockmail.relay.replies import Reply, ReplyReader, Trouble
from mockmail.relay.routes import Hop
from mockmail.wire.dial import Dialled, dial
from mockmail.wire.driver import Driver
from mockmail.wire.runtime import Runtime

if TYPE_CHECKING:
    import ssl

__all__ = ["Transmission", "connect"]

T = TypeVar("T")


class TLSFailed(Exception):
    """There was STARTTLS, but no TLS."""


class Transmission:
    """A conversation with a next hop."""

    def __init__(self, stream: Dialled, client: Client, hop: Hop, timeouts: Timeouts) -> None:
        self._stream = stream
        self._client = client
        self._reader = ReplyReader()
        self._timeouts = timeouts
        self.hop = hop
        self.tls: str | None = None
        """Version of TLS, once there is."""

    @property
    def confirms(self) -> bool:
        """Whether the next hop sends the reports that the sender asked for."""
        return "DSN" in self._client.capabilities

    async def open(self) -> None:
        """``Trouble``, or ``TLSFailed``, when the next hop cannot be talked to."""
        await self._play(self._client.open())

    async def send(self, mail: Mail, outcomes: dict[str, Reply]) -> None:
        """See :meth:`mockmail.relay.client.Client.send`."""
        await self._play(self._client.send(mail, outcomes))

    async def quit(self) -> None:
        """End in order, whatever is answered."""
        with contextlib.suppress(Trouble):
            await self._play(self._client.quit())
        self._stream.close()

    def cut(self) -> None:
        """End at once."""
        self._stream.abort()

    async def _play(self, script: Script[T]) -> T:
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
                    await self._secure(step)
        except StopIteration as done:
            result: T = done.value
            return result
        except TimeoutError:
            raise Trouble(Reply.here(451, "4.4.2", "the next hop took too long")) from None

    async def _next_reply(self, seconds: float) -> Reply:
        while (reply := self._reader.next()) is None:
            data = await self._stream.receive(seconds)
            if not data:
                raise Trouble(Reply.here(451, "4.4.2", "the next hop closed the connection"))
            self._reader.feed(data)
        return reply

    async def _secure(self, step: Secure) -> None:
        self._reader.clear()
        try:
            self.tls = await self._stream.start_tls(_opportunistic(), self.hop.host)
        except OSError as error:
            raise TLSFailed(str(error)) from error


async def connect(
    runtime: Runtime, driver: Driver | None, hop: Hop, hello: str, timeouts: Timeouts, now: datetime.datetime
) -> Transmission:
    """A conversation that has come to where mail can be sent; ``Trouble`` when it does not. Where TLS is offered and
    fails, it is held in plain text: that is no worse than no offer (RFC 7435)."""
    for tls in (True, False):
        try:
            stream = await dial(runtime, hop.host, hop.port, timeouts.connect)
        except OSError as error:
            raise Trouble(Reply.here(451, "4.4.1", _why(error))) from None
        client = Client(hello, login=hop.login, tls=tls, timeouts=timeouts)
        transmission = Transmission(stream, client, hop, timeouts)
        try:
            if driver is not None and hop.hangs():
                deadline = now + datetime.timedelta(seconds=timeouts.greeting)
                await driver.unless_due(transmission.open(), deadline)
            else:
                await transmission.open()
        except TLSFailed:
            transmission.cut()
        except TimeoutError:
            transmission.cut()
            raise Trouble(Reply.here(451, "4.4.2", "the next hop took too long")) from None
        except BaseException:
            transmission.cut()
            raise
        else:
            return transmission
    raise AssertionError("without TLS it cannot fail")  # pragma: no cover


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "connection timed out"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return f"cannot connect: {error.strerror or error}"


_contexts: list[ssl.SSLContext] = []


def _opportunistic() -> ssl.SSLContext:
    """TLS with whoever is there: without it the mail would go in plain text."""
    if not _contexts:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _contexts.append(context)
    return _contexts[0]
