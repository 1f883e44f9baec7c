import poplib
import random
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.events import (
    Actor,
    Command,
    Expunged,
    Fetched,
    FlagsChanged,
    LoggedIn,
    LoginFailed,
    SessionClosed,
    SessionOpened,
)
from mockmail.core.world import World
from mockmail.pop3 import transaction
from mockmail.pop3.session import COMMANDS_IN_A_PULL, Pop3Session
from mockmail.pop3.transaction import dot_stuffed
from mockmail.wire.contract import Abort, Close, Link, Pause, Send, TLSInfo, Verdict

BOB = "bob@example.test"


def unstuffed(response):
    """The message in a multi-line response, as RFC 1939 section 3 tells a client to read it."""
    first, _, rest = response.partition(b"\r\n")
    assert first.startswith(b"+OK")
    assert rest.endswith(b".\r\n")
    lines = rest[:-3].split(b"\r\n")
    assert lines.pop() == b""
    assert b"." not in lines
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines)


# Messages as they are


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b".",
        b".\r\n",
        b"..\r\n.\r\n",
        b"a\r\n.\r\nb\r\n",
        b"a\r\n\r\n.",
        b"a\n.\nb",
        b"a\r.\r\nb\r",
        b"\x00\xff\r\n",
        b"no end",
        b"ends in LF\n",
    ],
)
def test_retr_sends_the_bytes_as_stored(seed, new_peer, raw):
    seed(raw)
    response = new_peer().log_in().send(b"RETR 1\r\n")
    assert response.startswith(b"+OK %d octets\r\n" % len(raw))
    assert unstuffed(response) == (raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n")


@settings(max_examples=200)
@example("a\r\r\n.", 2)
@given(st.text("a.\r\n", max_size=40), st.integers(1, 8))
def test_dots_are_stuffed_the_same_whatever_the_slices(text, size):
    raw = text.encode()
    whole = transaction.SLICE_BYTES
    transaction.SLICE_BYTES = size
    try:
        pieces = list(dot_stuffed(raw))
    finally:
        transaction.SLICE_BYTES = whole
    expected = raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"
    assert unstuffed(b"+OK\r\n" + b"".join(pieces) + b".\r\n") == expected


def test_a_large_message_is_sent_in_slices_and_never_held_twice(seed, new_peer):
    line = b".123456789" * 7 + b"\r\n"
    raw = line * (50_000_000 // len(line))
    seed(raw)
    peer = new_peer().log_in()
    peer.session.receive(b"RETR 1\r\nNOOP\r\n")
    tracemalloc.start()
    try:
        received, largest, last = 0, 0, b""
        while peer.session.busy:
            for action in peer.session.outgoing():
                received += len(action.data)
                largest = max(largest, len(action.data))
                last = action.data
            assert peer.session.wants_input == (not peer.session.busy)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    stuffing = len(raw) // len(line)
    assert received == len(f"+OK {len(raw)} octets\r\n") + len(raw) + stuffing + len(".\r\n+OK\r\n")
    assert last.endswith(b"\r\n.\r\n+OK\r\n")
    assert largest < 256 * 1024
    assert peak < 2_000_000


def test_listings_of_ten_thousand_messages(world, new_peer):
    inbox = world.account(BOB).inbox
    message = world.store.new_message(b"x" * 17)
    inbox.add([(message, frozenset())] * 10_000)
    peer = new_peer().log_in()
    assert peer.say("STAT") == "+OK 10000 170000\r\n"
    peer.say("DELE 1", "DELE 5000", "DELE 10000")
    lines = peer.say("LIST").split("\r\n")
    assert lines[0] == "+OK 9997 messages (169949 octets)"
    numbers = [number for number in range(1, 10_001) if number not in (1, 5000, 10_000)]
    assert lines[1:-2] == [f"{number} 17" for number in numbers]
    ids = dict(line.split() for line in peer.say("UIDL").split("\r\n")[1:-2])
    assert list(ids) == [str(number) for number in numbers]
    assert len(set(ids.values())) == 9997
    assert peer.say("UIDL 4711") == f"+OK 4711 {ids['4711']}\r\n"


@pytest.mark.parametrize("limit_bytes", [1, 100, 5000])
def test_no_pull_is_much_larger_than_asked(world, new_peer, limit_bytes):
    world.account(BOB).inbox.add([(world.store.new_message(b"x"), frozenset())] * 3000)
    peer = new_peer().log_in()
    peer.session.receive(b"UIDL\r\nNOOP\r\n")
    sizes = []
    while peer.session.busy:
        sizes += [len(action.data) for action in peer.session.outgoing(limit_bytes)]
    assert max(sizes) < limit_bytes + 30_000
    # One command at a time: a fault on the bytes of one must not meet those of the next.
    if limit_bytes == 1:
        assert sizes[-2:] == [len(".\r\n"), len("+OK\r\n")]


def test_many_commands_in_one_piece_give_way_to_others(new_peer):
    peer = new_peer().log_in()
    peer.session.receive(b"NOOP\r\n" * 1000)
    (first,) = peer.session.outgoing()
    assert first.data == b"+OK\r\n" * COMMANDS_IN_A_PULL
    assert peer.session.busy
    assert not peer.session.wants_input
    assert peer.pull() == b"+OK\r\n" * (1000 - COMMANDS_IN_A_PULL)
    assert peer.session.wants_input


@pytest.mark.parametrize("seed_of_cuts", range(5))
def test_the_answer_is_the_same_however_the_bytes_are_cut(world, seed, new_peer, seed_of_cuts):
    seed(b"Subject: x\r\n\r\n.dot\r\n", b"two\r\n")
    stream = (
        b"USER bob@example.test\r\nPASS x\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 0\r\n\xff\r\n"
        + b"x" * 3000
        + b"\r\nDELE 1\nRSET\r\nQUIT\r\nNOOP\r\n"
    )
    whole = new_peer()
    expected = whole.send(stream)
    assert whole.end is Close
    whole.session.connection_lost()
    peer, out, start = new_peer(), b"", 0
    cuts = random.Random(seed_of_cuts)
    while start < len(stream):
        size = cuts.choice((1, 2, 3, 50, 2000))
        out += peer.send(stream[start : start + size])
        start += size
    assert out == expected
    assert peer.end is Close


@pytest.mark.parametrize("command", ["RETR ", "LIST ", "TOP 1 ", "TOP ", "AUTH "])
def test_no_first_line_is_longer_than_allowed(new_peer, command):
    peer = new_peer()
    if command != "AUTH ":
        peer.log_in()
    (line, rest) = peer.say(command + "x" * 1500 + (" 1" if command == "TOP " else "")).split("\r\n")
    assert line.startswith("-ERR ")
    assert len(line) + 2 == 512
    assert rest == ""


# What is on record


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
        if action.data.endswith(b"\r\n.\r\n"):
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


# The end


def test_an_idle_client_is_let_go_without_a_word(world, seed, new_peer):
    seed(b"x")
    peer = new_peer().log_in()
    peer.say("DELE 1")
    assert peer.session.timeout_seconds >= 600
    peer.session.timed_out()
    assert peer.pull() == b""
    assert peer.end is Close
    assert world.account(BOB).maildrop_session is None
    assert len(world.account(BOB).inbox.entries) == 1
    assert peer.send(b"QUIT\r\n") == b""


@pytest.mark.parametrize("how", ["lost", "eof", "timeout", "lost in a reply"])
def test_without_quit_nothing_is_deleted_and_the_lock_is_free(world, seed, new_peer, how):
    seed(b"x" * 1_000_000)
    peer = new_peer().log_in()
    assert world.account(BOB).maildrop_session == "pop3-1"
    peer.say("DELE 1")
    if how == "eof":
        peer.session.receive_eof()
    elif how == "timeout":
        peer.session.timed_out()
    elif how == "lost in a reply":
        peer.say("RSET")
        peer.session.receive(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        peer.session.outgoing()
    if how in ("eof", "timeout"):
        peer.pull()
        assert peer.end is Close
    peer.session.connection_lost()
    assert world.account(BOB).maildrop_session is None
    assert len(world.account(BOB).inbox.entries) == 1
    assert peer.session.outgoing() == []
    assert not peer.session.busy


def test_what_was_sent_before_the_half_close_is_answered(new_peer):
    peer = new_peer()
    peer.session.receive(b"CAPA\r\nQUI")
    peer.session.receive_eof()
    assert peer.pull().endswith(b"IMPLEMENTATION mockmail\r\n.\r\n")
    assert peer.end is Close


def test_a_refused_second_session_takes_no_lock_away(world, new_peer):
    first, second = new_peer().log_in(), new_peer()
    assert second.say(f"USER {BOB}", "PASS x").endswith("-ERR [IN-USE] the maildrop is locked by another session\r\n")
    second.session.connection_lost()
    assert world.account(BOB).maildrop_session == "pop3-1"
    first.say("QUIT")
    assert world.account(BOB).maildrop_session is None


def test_a_new_uidvalidity_saves_what_now_has_the_uids(world, seed, new_peer):
    seed(b"one", b"two")
    peer = new_peer().log_in()
    peer.say("DELE 1")
    account = world.account(BOB)
    account.renumber(account.inbox, world.new_uid_validity())
    assert peer.say("RETR 2").startswith("+OK 3 octets")
    assert world.account(BOB).inbox.get(2).flags == frozenset()
    assert peer.say("QUIT") == "-ERR [SYS/TEMP] some deleted messages not removed\r\n"
    assert peer.end is Close
    assert len(world.account(BOB).inbox.entries) == 2
    assert world.account(BOB).maildrop_session is None


def test_a_read_only_maildrop_is_not_changed(world, seed, new_peer):
    seed(b"one")
    world.account(BOB).inbox.read_only = True
    peer = new_peer().log_in()
    assert peer.say("DELE 1") == "-ERR [SYS/PERM] the maildrop is read-only\r\n"
    peer.say("RETR 1")
    assert world.account(BOB).inbox.get(1).flags == frozenset()


def test_mail_that_another_client_removed_stays_removed(world, seed, new_peer):
    seed(b"one", b"two")
    peer = new_peer().log_in()
    peer.say("DELE 1", "DELE 2")
    world.store.expunge(world.account(BOB).inbox, [1], Actor())
    assert peer.say("QUIT") == "+OK mockmail POP3 server signing off (maildrop empty)\r\n"
    assert [event.uid for event in world.journal.of(Expunged)] == [1, 2]


# Faults, errors, resets


def test_faults_are_asked_for_every_command(world, new_peer):
    asked = []

    def command(name, arguments, account):
        asked.append((name, arguments, account))

    world.account(BOB)
    peer = new_peer(command=command)
    peer.say("CAPA", "USER bob@example.test", "PASS secret", "retr 1", "NONSENSE", "QUIT")
    assert asked == [
        ("CAPA", "", None),
        ("USER", BOB, None),
        ("PASS", "***", BOB),
        ("RETR", "1", BOB),
        ("QUIT", "", BOB),
    ]


def test_a_fault_answers_instead_of_the_command(world, seed, new_peer):
    seed(b"x")
    verdicts = {"DELE": Verdict(reply="-ERR [SYS/TEMP] later"), "USER": Verdict(reply="+OK who?")}
    peer = new_peer(command=lambda name, arguments, account: verdicts.get(name))
    assert peer.say("USER bob@example.test", "PASS x") == "+OK who?\r\n-ERR PASS follows USER immediately\r\n"
    del verdicts["USER"]
    peer.log_in()
    assert peer.say("DELE 1", "STAT") == "-ERR [SYS/TEMP] later\r\n+OK 1 1\r\n"
    assert world.journal.of(Command)[-2].reply == "-ERR [SYS/TEMP] later"


def test_a_fault_may_drop_the_connection(seed, new_peer):
    seed(b"x")
    peer = new_peer(command=lambda name, arguments, account: Verdict(drop=True) if name == "DELE" else None)
    peer.log_in()
    assert peer.say("NOOP", "DELE 1", "NOOP") == "+OK\r\n"
    assert peer.end is Abort


def test_a_delayed_command_is_carried_out_after_the_pause(world, new_peer):
    peer = new_peer(command=lambda name, arguments, account: Verdict(delay_seconds=2.5) if name == "PASS" else None)
    peer.session.receive(b"USER bob@example.test\r\nPASS x\r\nNOOP\r\n")
    first = peer.session.outgoing()
    assert first == [Send(b"+OK send PASS\r\n"), Pause(2.5)]
    assert world.journal.of(LoggedIn) == []
    assert peer.session.busy
    assert peer.pull() == b"+OK maildrop has 0 messages (0 octets)\r\n+OK\r\n"


def test_an_unexpected_error_is_kept_for_the_test_and_the_connection_too(world, seed, new_peer, monkeypatch):
    seed(b"x")
    peer = new_peer().log_in()
    monkeypatch.setattr("mockmail.core.views.Maildrop.delete", lambda drop, number: 1 / 0)
    assert peer.say("DELE 1", "STAT") == "-ERR [SYS/TEMP] the server met an error of its own\r\n+OK 1 1\r\n"
    (error,) = peer.link.errors
    assert isinstance(error, ZeroDivisionError)


def test_an_error_in_mid_response_cuts_the_connection(world, seed, new_peer, monkeypatch):
    seed(b"x")
    peer = new_peer().log_in()
    monkeypatch.setattr("mockmail.core.store.Store.record_fetched", lambda *arguments: 1 / 0)
    assert peer.send(b"RETR 1\r\n") == b"+OK 1 octets\r\nx\r\n"
    assert peer.end is Abort
    assert len(peer.link.errors) == 1
    assert world.account(BOB).maildrop_session is None


def test_an_error_in_the_update_releases_the_lock(world, seed, new_peer, monkeypatch):
    seed(b"x")
    peer = new_peer().log_in()
    peer.say("DELE 1")
    monkeypatch.setattr("mockmail.core.store.Store.expunge", lambda *arguments: 1 / 0)
    assert peer.say("QUIT").startswith("-ERR [SYS/TEMP]")
    assert world.account(BOB).maildrop_session is None


def test_a_reset_before_login_goes_unnoticed(world, new_world, new_peer):
    peer, after = new_peer(), new_world(users={"eve@example.test": "pw"})
    peer.say("USER eve")
    peer.session.rebind(after)
    assert peer.say("PASS pw") == "+OK maildrop has 0 messages (0 octets)\r\n"
    assert len(after.journal.of(LoggedIn)) == 1
    assert world.journal.of(LoggedIn) == []
    peer.session.connection_lost()
    assert len(after.journal.of(SessionClosed)) == 1


def test_a_reset_takes_the_maildrop_away(world, seed, new_world, new_peer):
    seed(b"x")
    peer, after = new_peer().log_in(), new_world()
    peer.say("DELE 1")
    peer.session.rebind(after)
    lost = "-ERR [SYS/TEMP] the server was reset, and the maildrop is gone; connect again\r\n"
    for command in ("STAT", "NOOP", "RETR 1", "RSET", "CAPA", "USER bob@example.test"):
        assert peer.say(command) == lost
    assert world.account(BOB).maildrop_session is None
    # The new world's maildrop is free, and is another.
    assert new_peer(after).log_in().say("STAT") == "+OK 0 0\r\n"
    peer.session.rebind(new_world())
    assert peer.say("QUIT") == "+OK mockmail POP3 server signing off\r\n"
    assert peer.end is Close
    assert len(world.account(BOB).inbox.entries) == 1
    peer.session.connection_lost()
    assert [event.session for event in after.journal.of(SessionClosed)] == []
    assert after.account(BOB).maildrop_session == "pop3-2"


def test_a_reset_in_mid_response_lets_it_end(world, seed, new_world, new_peer):
    seed(b"x" * 1_000_000)
    peer, after = new_peer().log_in(), new_world()
    peer.session.receive(b"RETR 1\r\nSTAT\r\n")
    (action,) = peer.session.outgoing()
    peer.session.rebind(after)
    rest = peer.pull()
    assert len(action.data) + len(rest) > 1_000_000
    assert b"\r\n.\r\n-ERR [SYS/TEMP] the server was reset" in rest
    assert len(world.journal.of(Fetched)) == 1
    assert after.journal.of(Fetched) == []


def test_tls_forgets_what_was_said_before(new_peer):
    peer = new_peer()
    peer.say("USER bob@example.test")
    peer.session.receive(b"PAS")
    peer.session.tls_started(TLSInfo("TLSv1.3", "x"))
    assert peer.say("PASS x") == "-ERR PASS follows USER immediately\r\n"
    assert peer.link.secure


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"USER bob@a.test",
                b"PASS x",
                b"STAT",
                b"LIST",
                b"RETR 1",
                b"TOP 1 1",
                b"DELE 1",
                b"UIDL",
                b"AUTH PLAIN",
                b"AUTH LOGIN Ym9i",
                b"*",
                b"QUIT",
                b"CAPA",
                b"APOP a 0123",
                b"\x00",
                b"\xff" * 9,
                b"",
                b"x" * 3000,
            ]
        )
        | st.binary(max_size=30),
        max_size=20,
    ),
    st.sampled_from([b"\r\n", b"\n", b"\r", b""]),
)
def test_no_input_breaks_a_session(lines, end):
    world = World(Settings())
    world.store.seed(world.account("bob@a.test"), "INBOX", world.store.new_message(b"S: x\r\n\r\n.\r\n"), [])
    session = Pop3Session(Link("pop3", "pop3-1"), world)
    session.greeting()
    session.receive(end.join(lines) + end)
    session.receive_eof()
    out = b""
    for _ in range(1000):
        actions = session.outgoing(50)
        out += b"".join(action.data for action in actions if isinstance(action, Send))
        if actions and isinstance(actions[-1], Close):
            break
    else:
        pytest.fail("the session does not come to an end")
    assert session.link.errors == []
    assert not session.busy
    session.connection_lost()
    assert world.account("bob@a.test").maildrop_session is None
    assert out.startswith(b"+OK mockmail POP3 server ready <")
    assert out.endswith(b"\r\n")
