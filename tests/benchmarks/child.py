"""A contender in a process of its own: ``python child.py KIND``. It takes one JSON object a line on standard input,
``{"do": name, ...arguments}``, and answers each by one line."""

from __future__ import annotations

import gc
import json
import os
import smtplib
import socket
import statistics
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Contender:
    """What every kind offers; ``ports`` by protocol."""

    ports: dict[str, int]

    def reset(self) -> None:
        """Forget all mail."""

    def ready(self) -> dict[str, int]:
        return self.ports

    def deliver(self, size_bytes: int, count: int) -> float:
        """Seconds of one message by smtplib in this process, over one connection."""
        from corpus import RECIPIENT, SENDER, sized_message

        message = sized_message(size_bytes)
        with smtplib.SMTP("127.0.0.1", self.ports["smtp"], local_hostname="client.example.test") as client:
            client.sendmail(SENDER, [RECIPIENT], message)
            began = time.perf_counter()
            for _ in range(count):
                client.sendmail(SENDER, [RECIPIENT], message)
            seconds = time.perf_counter() - began
        self.reset()
        return seconds / count

    def resident_bytes(self) -> int | None:
        """Memory of this process without its garbage; ``None`` on a system that has no ``/proc``."""
        statm = Path("/proc/self/statm")
        if not statm.is_file():
            return None
        gc.collect()
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class SmtpFloorContender(Contender):
    def __init__(self) -> None:
        import floors

        self.kept: list[bytes] = []
        floors.SmtpFloor.store = self.kept
        self.ports = {"smtp": floors.serve(floors.SmtpFloor)}

    def reset(self) -> None:
        self.kept.clear()


class Pop3FloorContender(Contender):
    def __init__(self) -> None:
        import floors

        floors.Pop3Floor.answers = {}
        self.ports = {"pop3": floors.serve(floors.Pop3Floor)}

    def seed(self, count: int) -> None:
        import floors

        floors.Pop3Floor.answers = floors.pop3_answers(count)


class AiosmtpdContender(Contender):
    """Bare aiosmtpd: its Controller, and a handler that keeps what came."""

    def __init__(self) -> None:
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import SMTP, Envelope, Session

        kept: list[Envelope] = []
        self.kept = kept

        class Handler:
            async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
                kept.append(envelope)
                return "250 OK"

        port = free_port()
        # As large as mockmail takes by default; aiosmtpd's own default refuses 10 MB after base64.
        self.controller = Controller(Handler(), hostname="127.0.0.1", port=port, data_size_limit=64 * 2**20)
        self.controller.start()
        self.ports = {"smtp": port}

    def reset(self) -> None:
        self.kept.clear()


class TwistedSmtpContender(Contender):
    def __init__(self) -> None:
        import twisted_servers

        self.kept: list[bytes] = []
        self.ports = {"smtp": twisted_servers.serve(twisted_servers.SmtpFactory(self.kept))}

    def reset(self) -> None:
        self.kept.clear()


class TwistedPop3Contender(Contender):
    def __init__(self) -> None:
        import twisted_servers

        self.factory = twisted_servers.Pop3Factory()
        self.ports = {"pop3": twisted_servers.serve(self.factory)}

    def seed(self, count: int) -> None:
        from corpus import mailbox_message

        self.factory.messages = [mailbox_message(number) for number in range(count)]


class MockMailContender(Contender):
    SETTINGS: Mapping[str, Any] = {}

    def __init__(self) -> None:
        from corpus import RECIPIENT

        from mockmail import MockMail

        self.mail = MockMail(**self.SETTINGS).start()
        self.recipient = RECIPIENT
        self.ports = {name: endpoint.port for name, endpoint in self.mail.endpoints.items()}

    def reset(self) -> None:
        self.mail.reset()
        self.mail.check()

    def seed(self, count: int) -> None:
        from corpus import mailbox_message

        for number in range(count):
            self.mail.seed(mailbox_message(number), to=self.recipient)

    def add_alias(self, address: str, targets: list[str]) -> None:
        self.mail.add_alias(address, *targets)

    def resets(self, count: int) -> float:
        """Seconds of one reset of an empty server."""
        began = time.perf_counter()
        for _ in range(count):
            self.mail.reset()
        return (time.perf_counter() - began) / count

    def resets_after_mail(self, count: int) -> float:
        """Seconds of one reset after one message, the median."""
        samples = []
        for _ in range(count):
            self.mail.seed(b"Subject: x\r\n\r\nx\r\n", to=self.recipient)
            began = time.perf_counter()
            self.mail.reset()
            samples.append(time.perf_counter() - began)
        return statistics.median(samples)

    def wake_ups(self, count: int) -> float:
        """Seconds from the moment the store has a message to the return of the assertion that waits for it in
        another thread, the median."""
        return statistics.median(self._wake_up() for _ in range(count))

    def _wake_up(self) -> float:
        from mockmail.core.events import Actor
        from mockmail.core.message import Envelope
        from mockmail.core.routing import Deliver

        mail, recipient, delivered_at = self.mail, self.recipient, [0.0]

        def deliver() -> None:
            world = mail.world
            message = world.store.new_message(b"Subject: x\r\n\r\nx\r\n", envelope=Envelope("a@example.test"))
            world.store.accept(message, [Deliver(recipient, recipient)], Actor("smtp", "smtp-1", ""))
            delivered_at[0] = time.perf_counter()

        mail.reset()
        # Late enough that the assertion below waits by then.
        timer = threading.Timer(0.005, lambda: mail.call(deliver))
        timer.start()
        mail.assert_delivered(to=recipient)
        woke_at = time.perf_counter()
        timer.join()
        return woke_at - delivered_at[0]


class MockMailHTTPContender(MockMailContender):
    SETTINGS = {"http_port": 0}


class NetworkContender(Contender):
    """Two servers: mail for example.test waits at the other one while that is down."""

    def __init__(self) -> None:
        from corpus import RECIPIENT

        from mockmail import MailNetwork

        self.domain = RECIPIENT.partition("@")[2]
        self.net = MailNetwork()
        self.sender = self.net.add("relay.test", relay="open")
        self.host = self.net.add(self.domain)
        self.net.start()
        self.ports = {"smtp": self.host.smtp.port, "relay": self.sender.smtp.port}

    def reset(self) -> None:
        self.sender.reset()
        self.host.reset()
        self.net.check()

    def go_down(self) -> None:
        """From now on all mail is of one instant, so that it is tried together: what is measured is not connecting."""
        self.net.clock.freeze(self.net.clock.now())
        self.host.go_down()

    def relay(self) -> float:
        """Seconds in which all that waits goes to the host, which comes back."""
        self.net.clock.advance(seconds=1)
        self.host.come_up()
        waiting = len(self.sender.queue)
        began = time.perf_counter()
        self.net.clock.advance(minutes=31)
        seconds = time.perf_counter() - began
        if self.sender.queue or len(self.host.messages) != waiting:
            raise RuntimeError(f"{len(self.sender.queue)} of {waiting} messages still wait")
        return seconds

    def retry(self, hours: float) -> float:
        """Seconds of CPU that so long an outage costs."""
        self.net.clock.advance(seconds=1)
        began = time.process_time()
        self.net.clock.advance(hours=hours)
        return time.process_time() - began


class StartMockMail(Contender):
    """Starts and stops all three servers."""

    def __init__(self) -> None:
        self.ports = {}
        self.cycles(1)

    def cycles(self, count: int) -> dict[str, float]:
        """Medians of the seconds of starting and of stopping."""
        from mockmail import MockMail

        return _cycles(count, MockMail)


class StartMockMailHTTP(StartMockMail):
    """Starts and stops them and the HTTP port."""

    def cycles(self, count: int) -> dict[str, float]:
        from mockmail import MockMail

        return _cycles(count, lambda: MockMail(http_port=0))


class StartLocalserver(Contender):
    """Starts and stops pytest-localserver's one SMTP server, as its fixture does."""

    def __init__(self) -> None:
        self.ports = {}
        self.cycles(1)

    def cycles(self, count: int) -> dict[str, float]:
        from pytest_localserver.smtp import Server

        return _cycles(count, Server)


def _cycles(count: int, make: Any) -> dict[str, float]:
    starts, stops = [], []
    for _ in range(count):
        began = time.perf_counter()
        server = make()
        server.start()
        started = time.perf_counter()
        server.stop()
        starts.append(started - began)
        stops.append(time.perf_counter() - started)
    return {"start": statistics.median(starts), "stop": statistics.median(stops)}


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot be told 0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


KINDS: dict[str, type[Contender]] = {
    "floor-smtp": SmtpFloorContender,
    "floor-pop3": Pop3FloorContender,
    "aiosmtpd": AiosmtpdContender,
    "twisted-smtp": TwistedSmtpContender,
    "twisted-pop3": TwistedPop3Contender,
    "mockmail": MockMailContender,
    "mockmail-http": MockMailHTTPContender,
    "network": NetworkContender,
    "direct": NetworkContender,
    "start-mockmail": StartMockMail,
    "start-mockmail-http": StartMockMailHTTP,
    "start-localserver": StartLocalserver,
}


def main() -> None:
    contender = KINDS[sys.argv[1]]()
    print(json.dumps(contender.ready()), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(contender, request.pop("do"))(**request)), flush=True)


if __name__ == "__main__":
    main()
