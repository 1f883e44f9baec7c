from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mockmail.config import Settings
from mockmail.core.clock import Clock
from mockmail.core.world import World
from mockmail.pop3.session import Pop3Session
from mockmail.wire.contract import Abort, Close, Link, Pause

BOB = "bob@example.test"


class Peer:
    """A client in memory: what it sends is carried out at once, and what it gets back is kept."""

    def __init__(self, world, number=1, command=None):
        self.received = b""
        self.redacted = []
        self.link = Link("pop3", f"pop3-{number}", redact=lambda start, stop: self.redacted.append((start, stop)))
        self.has_faults = command is not None
        if command is not None:
            self.link.command = command
        self.session = Pop3Session(self.link, world)
        self.session.greeting()
        self.sent = b""
        self.pauses = []
        self.end = None
        self.greeting = self.pull()

    def pull(self, limit_bytes=1 << 17):
        """Everything there is to pull, joined."""
        out = b""
        while True:
            actions = self.session.outgoing(limit_bytes)
            for action in actions:
                if isinstance(action, bytes):
                    out += action
                elif isinstance(action, Pause):
                    self.pauses.append(action.seconds)
                else:
                    assert self.end is None
                    assert isinstance(action, Close | Abort)
                    self.end = type(action)
            if not actions and not self.session.busy:
                return out

    def send(self, data):
        """Send bytes; returns what comes back."""
        self.sent += data
        # As a connection does, which has the long way gone as soon as a fault is set.
        answer = (self.session.receive if self.has_faults else self.session.answer)(data)
        return self.pull() if answer is None else answer

    def say(self, *commands):
        """Send commands in one piece; returns what comes back, as text."""
        return self.send(b"".join(command.encode() + b"\r\n" for command in commands)).decode("latin-1")

    def log_in(self, name=BOB, password="x"):
        reply = self.say(f"USER {name}", f"PASS {password}")
        assert reply.split("\r\n")[1].startswith("+OK maildrop has"), reply
        return self


@pytest.fixture
def new_world():
    def make(**settings):
        clock = Clock()
        clock.freeze(datetime(2026, 1, 1, 12, tzinfo=UTC))
        return World(Settings(**settings), clock)

    return make


@pytest.fixture
def world(new_world):
    return new_world()


@pytest.fixture
def seed(world):
    """Put messages into bob's INBOX."""

    def put(*raws):
        for raw in raws:
            world.store.seed(world.account(BOB), "INBOX", world.store.new_message(raw), [])

    return put


@pytest.fixture
def new_peer(world):
    numbers = iter(range(1, 100))

    def make(world=world, **options):
        return Peer(world, next(numbers), **options)

    return make
