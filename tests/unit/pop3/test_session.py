import random
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.pop3 import transaction
from mockmail.pop3.session import COMMANDS_IN_A_PULL, Pop3Session
from mockmail.pop3.transaction import dot_stuffed
from mockmail.wire.contract import Close, Link

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
                received += len(action)
                largest = max(largest, len(action))
                last = action
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
        sizes += [len(action) for action in peer.session.outgoing(limit_bytes)]
    assert max(sizes) < limit_bytes + 30_000
    # One command at a time: a fault on the bytes of one must not meet those of the next.
    if limit_bytes == 1:
        assert sizes[-2:] == [len(".\r\n"), len("+OK\r\n")]


def test_many_commands_in_one_piece_give_way_to_others(new_peer):
    peer = new_peer().log_in()
    peer.session.receive(b"NOOP\r\n" * 1000)
    (first,) = peer.session.outgoing()
    assert first == b"+OK\r\n" * COMMANDS_IN_A_PULL
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


@settings(max_examples=100)
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
        out += b"".join(action for action in actions if isinstance(action, bytes))
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
