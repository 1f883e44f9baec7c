"""What a session puts on record, and what it keeps off it."""

import poplib

import pytest

from mockmail.core.events import (
    Command,
    Expunged,
    Fetched,
    FlagsChanged,
    LoggedIn,
    LoginFailed,
    SessionClosed,
    SessionOpened,
)

BOB = "bob@example.test"


def test_a_session_is_on_record(world, seed, new_peer):
    seed(b"Subject: one\r\n\r\na\r\nb\r\n", b"two")
    peer = new_peer().log_in()
    peer.say("TOP 1 0", "TOP 1 1", "TOP 1 99", "RETR 1", "DELE 2", "RETR 9", "NONSENSE 1", "QUIT")
    peer.session.connection_lost()
    journal = world.journal
    (opened,) = journal.of(SessionOpened)
    assert (opened.protocol, opened.session) == ("pop3", "pop3-1")
    (logged_in,) = journal.of(LoggedIn)
    assert (logged_in.account, logged_in.mechanism, logged_in.password_checked) == (BOB, "USER", False)
    assert [(event.uid, event.part, event.peeked) for event in journal.of(Fetched)] == [
        (1, "header", True),
        (1, "top", True),
        (1, "full", True),
        (1, "full", False),
    ]
    assert {(event.protocol, event.session, event.account, event.folder) for event in journal.of(Fetched)} == {
        ("pop3", "pop3-1", BOB, "INBOX")
    }
    (expunged,) = journal.of(Expunged)
    assert (expunged.protocol, expunged.uid, expunged.account) == ("pop3", 2, BOB)
    assert [(event.name, event.arguments, event.account, event.reply) for event in journal.of(Command)] == [
        ("USER", BOB, "", "+OK send PASS"),
        ("PASS", "***", BOB, "+OK maildrop has 2 messages (25 octets)"),
        ("TOP", "1 0", BOB, "+OK top of message follows"),
        ("TOP", "1 1", BOB, "+OK top of message follows"),
        ("TOP", "1 99", BOB, "+OK top of message follows"),
        ("RETR", "1", BOB, "+OK 22 octets"),
        ("DELE", "2", BOB, "+OK message 2 deleted"),
        ("RETR", "9", BOB, "-ERR no such message, only 2 messages in maildrop"),
        ("NONSENSE", "1", BOB, "-ERR NONSENSE is no command here"),
        ("QUIT", "", BOB, "+OK mockmail POP3 server signing off (1 message left)"),
    ]
    (closed,) = journal.of(SessionClosed)
    assert closed.session == "pop3-1"


def test_retr_sets_seen_and_top_does_not(world, seed, new_peer):
    seed(b"Subject: one\r\n\r\nx\r\n", b"two\r\n")
    peer = new_peer().log_in()
    peer.say("TOP 1 9")
    assert world.account(BOB).inbox.get(1).flags == frozenset()
    peer.say("RETR 1", "RETR 1")
    assert [entry.flags for entry in world.account(BOB).inbox.entries] == [{"\\Seen"}, frozenset()]
    (changed,) = world.journal.of(FlagsChanged)
    assert (changed.protocol, changed.added) == ("pop3", {"\\Seen"})


def test_what_was_not_sent_whole_was_not_fetched(world, seed, new_peer):
    seed(b"x" * 1_000_000)
    peer = new_peer().log_in()
    peer.session.receive(b"RETR 1\r\n")
    peer.session.outgoing()
    peer.session.connection_lost()
    assert world.journal.of(Fetched) == []
    assert world.account(BOB).inbox.get(1).flags == frozenset()
    assert [event.name for event in world.journal.of(Command)] == ["USER", "PASS"]


def test_it_is_on_record_before_the_client_has_the_end(world, seed, new_peer):
    seed(b"x" * 1_000_000)
    peer = new_peer().log_in()
    peer.session.receive(b"RETR 1\r\n")
    while True:
        (action,) = peer.session.outgoing()
        if action.endswith(b"\r\n.\r\n"):
            break
        assert len(world.journal.of(Fetched)) == 0
    assert len(world.journal.of(Fetched)) == 1
    assert world.journal.of(Command)[-1].name == "RETR"


@pytest.mark.parametrize(
    ("commands", "shown"),
    [
        (["PASS secret"], b"PASS ******\r\n"),
        (["pass  s p "], b"pass *****\r\n"),
        (["PASS \xffx"], b"PASS ***\r\n"),
        (["APOP bob 0123"], b"APOP ********\r\n"),
        (["AUTH PLAIN AGJvYgBzZWNyZXQ="], b"AUTH " + b"*" * 22 + b"\r\n"),
        (["AUTH PLAIN", "AGJvYgBzZWNyZXQ="], b"AUTH *****\r\n" + b"*" * 16 + b"\r\n"),
        (["AUTH", "NOOP"], b"AUTH\r\nNOOP\r\n"),
        (["USER bob", "NOOP"], b"USER bob\r\nNOOP\r\n"),
        (["PASS " + "x" * 3000, "NOOP"], b"PASS " + b"*" * 3000 + b"\r\nNOOP\r\n"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[0][:20],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_secrets_are_hidden_from_transcripts(new_peer, commands, shown, size):
    peer = new_peer()
    stream = b"".join(command.encode() + b"\r\n" for command in commands)
    for start in range(0, len(stream), size):
        peer.send(stream[start : start + size])
    seen = bytearray(peer.sent)
    for start, stop in peer.redacted:
        for place in range(start, stop):
            if seen[place] not in b"\r\n":
                seen[place] = ord("*")
    assert bytes(seen) == shown


def test_no_secret_is_on_record(new_world, new_peer):
    world = new_world(users={BOB: "another"})
    peer = new_peer(world)
    peer.say("USER bob", "PASS s3cret", "PASS s3cret too", f"APOP bob {'5' * 32}", "APOP s3cret", "AUTH LOGIN Ym9i")
    peer.say("czNjcmV0", "AUTH PLAIN czNjcmV0", "AUTH PLAIN", "czNjcmV0")
    assert [(event.name, event.arguments) for event in world.journal.of(Command)] == [
        ("USER", "bob"),
        ("PASS", "***"),
        ("PASS", "***"),
        ("APOP", "bob ***"),
        ("APOP", "***"),
        ("AUTH", "LOGIN ***"),
        ("AUTH", "PLAIN ***"),
        ("AUTH", "PLAIN"),
    ]


def test_failed_logins_are_on_record(new_world, new_peer):
    world = new_world(users={BOB: "secret"})
    peer = new_peer(world)
    peer.say("USER bob", "PASS wrong", f"APOP bob {'0' * 32}", "AUTH PLAIN AGJvYgB4")
    assert [(event.username, event.mechanism) for event in world.journal.of(LoginFailed)] == [
        ("bob", "USER"),
        ("bob", "APOP"),
        ("bob", "PLAIN"),
    ]


def test_the_timestamp_is_new_for_each_session_and_a_message_id(new_peer):
    first, second = new_peer().greeting, new_peer().greeting
    assert first != second
    timestamp = first.split()[-1].decode()
    assert timestamp.startswith("<")
    assert timestamp.endswith("@localhost>")
    # poplib finds the timestamp by this expression.
    assert poplib.POP3.timestamp.match(first) is not None


def test_the_session_of_rfc_1939_with_its_secret(new_world, new_peer):
    world = new_world(users={"mrose@dbc.test": "tanstaaf"})
    peer = new_peer(world)
    peer.session._states.authorization.timestamp = "<1896.697170952@dbc.mtview.ca.us>"
    assert peer.say("APOP mrose c4c9334bac560ecc979e58001b3e22fb") == "+OK maildrop has 0 messages (0 octets)\r\n"
