"""What a session answers at once is what it would have said by the long way, and so is what goes on record."""

from __future__ import annotations

import dataclasses
import datetime
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.clock import Clock
from mockmail.core.message import Envelope, Message
from mockmail.core.world import World
from mockmail.pop3.session import Pop3Session
from mockmail.smtp.session import SmtpSession
from mockmail.wire.contract import Link

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
USERS = {"bob@example.test": "secret", "ann@example.test": "secret"}
RESET = object()
EOF = object()

SMTP_PIECES = [
    b"EHLO client.test\r\n",
    b"HELO client.test\r\n",
    b"LHLO client.test\r\n",
    b"ehlo\r\n",
    b"MAIL FROM:<a@b.test>\r\n",
    b"mail from:<a@b.test> SIZE=100 BODY=8BITMIME\r\n",
    b"MAIL FROM:<>\r\n",
    b"RCPT TO:<bob@example.test>\r\n",
    b"RCPT TO:<ann@example.test> NOTIFY=SUCCESS\r\n",
    b"RCPT TO:<nobody@example.test>\r\n",
    b"RCPT TO:<bob@far.test>\r\n",
    b"RCPT TO:bob\r\n",
    b"DATA\r\n",
    b"DATA now\r\n",
    b"data \r\n",
    b"Subject: x\r\n\r\ntext\r\n.\r\n",
    b"Subject: x\r\n\r\n..text\r\n.\r\nNOOP\r\n",
    b"Received: from a ([1.2.3.4])\r\n\tby example.test with ESMTP id 1;\r\n\tnow\r\n" * 11 + b"\r\n.\r\n",
    b"half a line",
    b"\r\n",
    b".\r\n",
    b"x" * 3000 + b"\r\n.\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"VRFY bob\r\n",
    b"HELP\r\n",
    b"WHAT is this\r\n",
    b"NO",
    b"OP\r\n",
    b"NOOP\n",
    b"AUTH PLAIN\r\n",
    b"AUTH PLAIN AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\n",
    b"AGJvYkBleGFtcGxlLnRlc3QAd3Jvbmc=\r\n",
    b"BDAT 4\r\nabcd",
    b"BDAT 4 LAST\r\nabcd",
    b"RCPT TO:<bob@example.test>\r\nDATA\r\n",
    b"QUIT\r\n",
]
POP3_PIECES = [
    b"USER bob@example.test\r\n",
    b"PASS secret\r\n",
    b"PASS wrong\r\n",
    b"AUTH PLAIN AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\n",
    b"STAT\r\n",
    b"stat\r\n",
    b"NOOP\r\n",
    b"NO",
    b"OP\r\n",
    b"LIST\r\n",
    b"LIST 1\r\n",
    b"LIST 0001\r\n",
    b"LIST 99\r\n",
    b"UIDL 2\r\n",
    *(b"RETR %d\r\n" % number for number in range(8)),
    b"RETR 1\r\nDELE 1\r\n",
    b"retr 1\n",
    b"DELE 2\r\n",
    b"DELE 2 3\r\n",
    b"TOP 1 0\r\n",
    b"RSET\r\n",
    b"WHAT 1\r\n",
    b"x" * 3000,
    b"\r\n",
    b"QUIT\r\n",
]
MAILDROP = [
    b"Subject: one\r\n\r\ntext\r\n",
    b"Subject: two\r\n\r\n.text\r\n..\r\n",
    b"Subject: three\r\n\r\nno end",
    "Subject: fünf\r\n\r\ntext\r\n".encode(),
    b"Subject: long\r\n\r\n" + b"x" * 3000 + b"\r\n",
    b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 7000,
]


class Side:
    """A session, and what came of what it was given."""

    def __init__(self, kind, protocol, *, at_once: bool) -> None:
        self.at_once = at_once
        self.worlds = [self.make_world()]
        self.said = b""
        self.notes: list[object] = []
        self.link = Link(
            protocol,
            f"{protocol}-1",
            note=self.notes.append,
            redact=lambda start, stop: self.notes.append((start, stop)),
            command=lambda name, said, account: self.accounts.append(account),
        )
        self.accounts: list[str | None] = []
        self.session = kind(self.link, self.worlds[0])
        self.session.greeting()
        self.ended = False
        self.pull()

    def make_world(self) -> World:
        clock = Clock()
        clock.stand(NOW)
        world = World(
            Settings(users=USERS, domains=["example.test"]), clock, next_uid_validity=iter(range(1, 99)).__next__
        )
        bob = world.account("bob@example.test")
        for number, raw in enumerate(MAILDROP):
            message = Message(raw, id=f"seeded-{number}", envelope=Envelope(), received_at=NOW)
            world.store.seed(bob, "INBOX", message, ())
        return world

    def pull(self) -> None:
        while not self.ended:
            actions = self.session.outgoing()
            for action in actions:
                if isinstance(action, bytes):
                    self.said += action
                else:
                    self.said += f"<{type(action).__name__}>".encode()
                    self.ended = True
            if not actions and not self.session.busy:
                return

    def take(self, piece) -> None:
        if self.ended:
            return
        if piece is RESET:
            self.worlds[-1].retire()
            self.worlds.append(self.make_world())
            self.session.rebind(self.worlds[-1])
        elif piece is EOF:
            self.session.receive_eof()
        elif self.at_once:
            before = (self.session.busy, self.session.wants_input, self.session.timeout_seconds)
            answer = self.session.answer(piece)
            if answer is not None:
                self.said += answer
                assert before == (self.session.busy, self.session.wants_input, self.session.timeout_seconds)
                return
        else:
            self.session.receive(piece)
        self.pull()

    def history(self) -> list[object]:
        told: list[object] = []
        for world in self.worlds:
            for event in world.journal.events(0):
                fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
                message = fields.pop("message", None)
                raw = None if message is None else without_ids(message.raw)
                envelope = None if message is None else message.envelope
                fields = {name: without_ids(repr(value).encode()) for name, value in fields.items()}
                told.append((type(event).__name__, fields, raw, envelope))
            told += [without_ids(message.raw) for message in world.late]
        return told

    def outcome(self):
        self.session.connection_lost()
        assert self.link.errors == []
        return without_ids(self.said), self.history(), self.notes, next(filter(None, self.accounts[::-1]), None)


def without_ids(text: bytes) -> bytes:
    return re.sub(rb"\b[0-9A-Za-z]{22}\b", b"ID", text)


@pytest.mark.parametrize(
    ("kind", "protocol", "pieces"),
    [(SmtpSession, "smtp", SMTP_PIECES), (SmtpSession, "lmtp", SMTP_PIECES), (Pop3Session, "pop3", POP3_PIECES)],
    ids=["smtp", "lmtp", "pop3"],
)
@settings(max_examples=250)
@given(data=st.data())
def test_the_short_way_leads_where_the_long_way_does(kind, protocol, pieces, data):
    start = {
        "smtp": [b"EHLO client.test\r\n", b"MAIL FROM:<a@b.test>\r\n", b"RCPT TO:<bob@example.test>\r\n", b"DATA\r\n"],
        "lmtp": [b"LHLO client.test\r\n", b"MAIL FROM:<a@b.test>\r\n", b"RCPT TO:<bob@example.test>\r\n", b"DATA\r\n"],
        "pop3": [b"USER bob@example.test\r\n", b"PASS secret\r\n"],
    }[protocol]
    asked = start[: data.draw(st.integers(0, len(start)))]
    asked += data.draw(st.lists(st.sampled_from([*pieces, RESET, RESET, RESET, EOF]), max_size=12))
    short, long = Side(kind, protocol, at_once=True), Side(kind, protocol, at_once=False)
    for piece in asked:
        short.take(piece)
        long.take(piece)
    assert short.outcome() == long.outcome()
