"""Twisted's SMTP and POP3, as its documentation builds them: what comes is kept in a list."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import defer, protocol, reactor
from twisted.mail import pop3, smtp
from zope.interface import implementer


@implementer(smtp.IMessage)
class KeptMessage:
    """One recipient's copy, line by line, as Twisted hands it over."""

    def __init__(self, kept: list[bytes]) -> None:
        self.kept = kept
        self.lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        self.lines.append(line)

    def eomReceived(self) -> defer.Deferred[None]:  # noqa: N802
        self.kept.append(b"\r\n".join(self.lines))
        self.lines.clear()
        return defer.succeed(None)

    def connectionLost(self) -> None:  # noqa: N802
        self.lines.clear()


@implementer(smtp.IMessageDelivery)
class Delivery:
    def __init__(self, kept: list[bytes]) -> None:
        self.kept = kept

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:  # noqa: N802
        return b"Received: from client.example.test"

    def validateFrom(self, helo: Any, origin: Any) -> Any:  # noqa: N802
        return origin

    def validateTo(self, user: smtp.User) -> Callable[[], KeptMessage]:  # noqa: N802
        return lambda: KeptMessage(self.kept)


class NoDelayEsmtp(smtp.ESMTP):
    def connectionMade(self) -> None:  # noqa: N802
        self.transport.setTcpNoDelay(True)
        super().connectionMade()


class SmtpFactory(smtp.SMTPFactory):
    protocol = NoDelayEsmtp

    def __init__(self, kept: list[bytes]) -> None:
        super().__init__()
        self.kept = kept
        self.noisy = False

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        connection = super().buildProtocol(addr)
        connection.delivery = Delivery(self.kept)
        return connection


@implementer(pop3.IMailbox)
class Maildrop(pop3.Mailbox):
    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages

    def listMessages(self, index: int | None = None) -> int | Iterable[int]:  # noqa: N802
        if index is None:
            return [len(message) for message in self.messages]
        return len(self.messages[index])

    def getMessage(self, index: int) -> io.BytesIO:  # noqa: N802
        return io.BytesIO(self.messages[index])

    def getUidl(self, index: int) -> bytes:  # noqa: N802
        return b"1700000000.%d" % (index + 1)


class OpenPop3(pop3.POP3):
    """Any login opens the one maildrop. Without TCP_NODELAY each RETR would take 44 ms more."""

    factory: Pop3Factory

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.setTcpNoDelay(True)
        super().connectionMade()

    def authenticateUserPASS(self, user: bytes, password: bytes) -> defer.Deferred[Any]:  # noqa: N802
        return defer.succeed((pop3.IMailbox, Maildrop(self.factory.messages), lambda: None))


class Pop3Factory(protocol.ServerFactory):
    protocol = OpenPop3
    noisy = False

    def __init__(self) -> None:
        self.messages: list[bytes] = []


def serve(factory: protocol.ServerFactory) -> int:
    """Serve on a free port, in a daemon thread; returns the port."""
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    threading.Thread(target=lambda: reactor.run(installSignalHandlers=False), daemon=True).start()
    number: int = port.getHost().port
    return number
