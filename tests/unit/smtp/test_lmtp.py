"""LMTP (RFC 2033): what becomes of a message is told for each recipient, and may be another thing for each."""

import pytest

from mockmail.config import Settings
from mockmail.core.events import Accepted, Command, Delivered, Rejected
from mockmail.core.store import Store
from mockmail.core.world import World
from mockmail.wire.contract import Abort, Pause, Verdict

TEXT = b"Subject: x\r\n\r\ntext\r\n"
SEND = {
    "DATA": ("DATA", TEXT + b"."),
    "BDAT": (b"BDAT %d LAST\r\n" % len(TEXT) + TEXT[:-2],),
}


@pytest.fixture(params=SEND)
def send(request):
    return SEND[request.param]


def inboxes(world):
    return {account.address: len(account.inbox.entries) for account in world.accounts if account.inbox.entries}


def test_a_reply_for_each_recipient_that_was_taken(client, send):
    c = client(World(Settings(domains=("x.test",))), protocol="lmtp").start()
    recipients = ("a@x.test", "b@else.test", "c@x.test")
    replies = c.converse("MAIL FROM:<>", *[f"RCPT TO:<{one}>" for one in recipients], *send)
    assert [reply[:3] for reply in replies if reply[:3] != "354"] == ["250", "250", "550", "250", "250", "250"]
    assert inboxes(c.world) == {"a@x.test": 1, "c@x.test": 1}
    (delivered,) = c.world.journal.of(Delivered)
    assert delivered.recipients == ("a@x.test", "c@x.test")
    assert b"with LMTP id" in delivered.message.raw
    (accepted,) = c.world.journal.of(Accepted)
    assert accepted.protocol == "lmtp"
    command = c.world.journal.of(Command)[-1]
    assert (command.protocol, command.name) == ("lmtp", send[0].decode()[:4] if isinstance(send[0], bytes) else "DATA")
    assert command.reply == "\n".join(replies[-2:])


def test_one_recipient_is_refused_at_delivery_while_the_others_are_not(client, send):
    c = client(protocol="lmtp")
    asked = []

    def ask(name, arguments, account):
        if name == "MESSAGE":
            asked.append(arguments)
            if arguments == "full@x.test":
                return Verdict("452 4.2.2 Mailbox full")
        return None

    c.link.command = ask
    c.start()
    recipients = ("a@x.test", "full@x.test", "c@x.test")
    lines = ["MAIL FROM:<s@x.test>", *[f"RCPT TO:<{one}> NOTIFY=NEVER" for one in recipients]]
    replies = c.converse(*lines, *send)[-3:]
    assert asked == list(recipients)
    assert [reply[:9] for reply in replies] == ["250 2.6.0", "452 4.2.2", "250 2.6.0"]
    assert inboxes(c.world) == {"a@x.test": 1, "c@x.test": 1}
    (delivered,) = c.world.journal.of(Delivered)
    assert delivered.recipients == delivered.message.recipients == ("a@x.test", "c@x.test")
    assert list(delivered.message.envelope.rcpt_options) == ["a@x.test", "c@x.test"]
    (refusal,) = c.world.journal.of(Rejected)
    assert (refusal.stage, refusal.recipients, refusal.code) == ("MESSAGE", ("full@x.test",), 452)
    assert refusal.message == delivered.message


def test_all_may_be_refused_and_then_nothing_is_delivered(client, send):
    c = client(protocol="lmtp")
    c.link.command = lambda name, *rest: Verdict("554 5.6.0 No") if name == "MESSAGE" else None
    c.start()
    replies = c.converse("MAIL FROM:<>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", *send)
    assert replies[-2:] == ["554 5.6.0 No"] * 2
    assert c.world.journal.of(Delivered) == c.world.journal.of(Accepted) == []
    refusals = c.world.journal.of(Rejected)
    assert [refusal.recipients for refusal in refusals] == [("a@x.test",), ("b@x.test",)]
    assert all(refusal.message.original == TEXT for refusal in refusals)
    assert c.say("NOOP") == "250 2.0.0 OK"


def test_each_recipient_may_be_delayed_and_the_rest_lost(client):
    c = client(protocol="lmtp")
    delays = {"a@x.test": Verdict(delay_seconds=0.1), "b@x.test": Verdict(drop=True)}
    c.link.command = lambda name, arguments, account: delays.get(arguments) if name == "MESSAGE" else None
    c.start()
    assert c.converse("MAIL FROM:<>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", *SEND["DATA"])[-1][:3] == "354"
    assert c.actions == [Pause(0.1), Abort()]
    assert inboxes(c.world) == {}


def test_smtp_asks_once_about_all(client, send):
    asked = []
    c = client()
    c.link.command = lambda name, arguments, account: asked.append((name, arguments))
    c.start()
    c.converse("MAIL FROM:<>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", *send)
    assert asked[-1] == ("MESSAGE", "a@x.test b@x.test")


def test_a_reset_of_the_server_is_told_to_each(client, send):
    c = client(protocol="lmtp").start()
    c.converse("MAIL FROM:<>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", *send[:-1])
    c.world.retire()
    assert {reply[:9] for reply in c.converse(send[-1])[-2:]} == {"451 4.3.2"}
    assert inboxes(c.world) == {}
    assert len(c.world.late) == 1


def test_an_error_inside_is_told_to_each(client, send, monkeypatch):
    c = client(protocol="lmtp").start()
    monkeypatch.setattr(Store, "accept", None)
    replies = c.converse("MAIL FROM:<>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", *send)
    assert replies[-2:] == ["451 4.3.0 Internal error"] * 2
    assert isinstance(c.link.errors.pop(), TypeError)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["LHLO x"], "LMTP"),
        (["LHLO x", "AUTH PLAIN AGJvYgBhbnk="], "LMTPA"),
    ],
)
def test_the_trace_says_lmtp(client, lines, name):
    c = client(protocol="lmtp", secure=False)
    c.session.greeting()
    c.converse(*lines)
    assert c.mail().startswith("250")
    (delivered,) = c.world.journal.of(Delivered)
    assert f" with {name} id ".encode() in delivered.message.raw
