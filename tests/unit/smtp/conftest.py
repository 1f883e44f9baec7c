from collections.abc import Callable, Iterator

import pytest

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.smtp.session import SmtpSession
from mockmail.wire.contract import Action, Link, TLSInfo


class Client:
    """The other end of a session in memory."""

    def __init__(self, world: World | None = None, *, protocol: str = "smtp", secure: bool = False, **options) -> None:
        self.world = world or World(Settings())
        self.redacted: list[tuple[int, int]] = []
        tls = TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384") if secure else None
        self.link = Link(
            protocol, f"{protocol}-1", tls=tls, redact=lambda start, stop: self.redacted.append((start, stop))
        )
        self._no_fault = self.link.command
        self.actions: list[Action] = []
        self.session = SmtpSession(self.link, self.world, **options)

    def start(self, host: str = "client.test") -> "Client":
        self.session.greeting()
        self.say(f"{'LHLO' if self.link.protocol == 'lmtp' else 'EHLO'} {host}")
        return self

    def pull(self) -> str:
        """All that the session has to say, until it waits; other actions are kept."""
        said = []
        while True:
            actions = self.session.outgoing()
            self.actions += [action for action in actions if not isinstance(action, bytes)]
            said += [action for action in actions if isinstance(action, bytes)]
            if not actions and not self.session.busy:
                return b"".join(said).decode()

    def say(self, *lines: str | bytes) -> str:
        """Send lines in one piece; the last reply, without CRLF."""
        return self.converse(*lines)[-1]

    def converse(self, *lines: str | bytes) -> list[str]:
        """Send lines in one piece; all reply lines, without CRLF."""
        data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\r\n" for line in lines)
        # As a connection does, which has the long way gone as soon as a fault is set.
        take = self.session.answer if self.link.command == self._no_fault else self.session.receive
        answer = take(data)
        said = self.pull() if answer is None else answer.decode()
        return said.split("\r\n")[:-1]

    def mail(self, *recipients: str, text: bytes = b"Subject: x\r\n\r\ntext\r\n", sender: str = "a@b.test") -> str:
        rcpt = [f"RCPT TO:<{recipient}>" for recipient in recipients or ("bob@example.test",)]
        return self.say(f"MAIL FROM:<{sender}>", *rcpt, "DATA", text + b".")


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Make a client of a session of its own: ``client(world=None, **options of the session)``."""
    clients: list[Client] = []

    def make(world: World | None = None, **options) -> Client:
        clients.append(Client(world, **options))
        return clients[-1]

    yield make
    for one in clients:
        one.session.connection_lost()
        assert one.link.errors == []


@pytest.fixture(scope="session")
def new_client() -> type[Client]:
    """The class of clients, for tests that run many times."""
    return Client
