"""The session beyond its dialogues: slices, faults, resets, records, and input that means harm."""

import itertools
import random
import re

import pytest

from mockmail.config import Settings
from mockmail.core.events import (
    Actor,
    Appended,
    Command,
    Copied,
    Expunged,
    Fetched,
    FlagsChanged,
    LoggedIn,
    LoginFailed,
    Moved,
    Searched,
)
from mockmail.core.mailbox import Mailbox
from mockmail.core.world import World
from mockmail.imap import session as imap_session
from mockmail.imap.answers import BAD_COMMANDS_BEFORE_LOGIN
from mockmail.imap.handlers import messages
from mockmail.imap.handlers.flags import KEYWORDS_LIMIT
from mockmail.imap.session import ImapSession
from mockmail.wire.contract import Abort, Close, Link, Pause, Verdict

ADDRESS = "bob@example.test"
LARGE = 400_000


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch):
    """Slices end by their size alone, however slow the machine is."""
    monkeypatch.setattr(imap_session, "perf_counter", lambda: 0.0)


class Client:
    """The other end of a session."""

    def __init__(self, world, verdict=None, limit_bytes=1 << 17):
        self.link = Link("imap", "imap-1")
        self.redacted = []
        self.asked = []
        self.wakes = 0
        self.link.redact = lambda start, stop: self.redacted.append((start, stop))
        self.link.command = self._ask
        self.link.wake = self._woken
        self.verdict = verdict or {}
        self.limit_bytes = limit_bytes
        self.actions = []
        self.session = ImapSession(self.link, world)
        self.session.greeting()
        self.greeting = self.pull()

    def _ask(self, name, arguments, account):
        self.asked.append((name, arguments, account))
        return self.verdict.get(name)

    def _woken(self):
        self.wakes += 1

    def pull_once(self):
        actions = self.session.outgoing(self.limit_bytes)
        self.actions += [action for action in actions if not isinstance(action, bytes)]
        return b"".join(action for action in actions if isinstance(action, bytes))

    def pull(self):
        got = [self.pull_once()]
        while self.session.busy:
            got.append(self.pull_once())
        return b"".join(got)

    def say(self, data):
        self.session.receive(data)
        return self.pull()

    def log_in(self, mailbox=None):
        assert b"a0 OK" in self.say(b"a0 LOGIN bob@example.test secret\r\n")
        if mailbox:
            assert b"a0 OK" in self.say(b"a0 SELECT " + mailbox + b"\r\n")
        return self


def after_reset(world, settings=None):
    """The world after a reset: UIDVALIDITY goes on rising."""
    return World(settings or Settings(), next_uid_validity=world.new_uid_validity)


@pytest.fixture
def world():
    return World(Settings())


def seed(world, raw=b"Subject: one\r\n\r\nbody\r\n", times=1, folder="INBOX", flags=()):
    for _ in range(times):
        world.store.seed(world.account(ADDRESS), folder, world.store.new_message(raw), flags)


# Slices


def test_a_long_fetch_is_handed_out_in_slices(world):
    seed(world, b"x" * 3000, 200)
    client = Client(world).log_in(b"INBOX")
    client.session.receive(b"a1 FETCH 1:* BODY.PEEK[]\r\na2 NOOP\r\n")
    slices = []
    while client.session.busy:
        slices.append(client.pull_once())
        if client.session.busy and slices[-1] and b"a1 OK" not in slices[-1]:
            assert not client.session.wants_input
    data = b"".join(slices)
    assert max(map(len, slices)) < 3 * (1 << 17)
    assert data.count(b"BODY[] {3000}") == 200
    assert data.endswith(b"a1 OK FETCH completed\r\na2 OK NOOP completed\r\n")
    assert client.session.wants_input


def test_one_huge_message_is_handed_out_in_slices(world):
    seed(world, b"y" * LARGE)
    client = Client(world).log_in(b"INBOX")
    client.session.receive(b"a1 FETCH 1 BODY[]\r\n")
    slices = []
    while client.session.busy:
        slices.append(client.pull_once())
    assert len(slices) > 2
    assert b"".join(slices).count(b"y") == LARGE


def test_a_pull_of_one_byte_gives_bytes_of_one_command_only(world):
    client = Client(world, limit_bytes=1).log_in()
    client.session.receive(b"a1 NOOP\r\na2 NOOP\r\n")
    assert client.pull_once() == b"a1 OK NOOP completed\r\n"
    assert client.session.busy
    assert client.pull_once() == b"a2 OK NOOP completed\r\n"


def test_another_session_works_while_a_fetch_is_answered(world):
    seed(world, b"x" * 100_000, 10)
    reader = Client(world).log_in(b"INBOX")
    reader.session.receive(b"a1 FETCH 1:* BODY.PEEK[]\r\n")
    first = reader.pull_once()
    other = Client(world).log_in(b"INBOX")
    assert b"* 10 EXPUNGE\r\n" in other.say(b"b1 STORE 10 +FLAGS.SILENT \\Deleted\r\nb2 EXPUNGE\r\n")
    rest = reader.pull()
    assert (first + rest).count(b"BODY[] {100000}") == 10
    assert b"EXPUNGE\r\n" not in rest
    assert b"* 10 EXPUNGE\r\n" in reader.say(b"a2 NOOP\r\n")


# The journal


def test_each_command_is_recorded_at_its_completion(world):
    client = Client(world).log_in(b"INBOX")
    client.say(b'a1 LIST "" {1}\r\n')
    client.say(b"%\r\na2 IDLE\r\n")
    client.say(b"DONE\r\na3 uid  fetch 1\r\na4 nonsense here\r\n")
    rows = [(event.name, event.arguments, event.account, event.reply) for event in world.journal.of(Command)]
    assert rows[0][:3] == ("LOGIN", "bob@example.test ***", ADDRESS)
    assert rows[1][:2] == ("SELECT", "INBOX")
    assert rows[2] == ("LIST", '"" "%"', ADDRESS, "OK LIST completed")
    assert rows[3] == ("IDLE", "", ADDRESS, "+ idling")
    assert rows[4] == ("DONE", "", ADDRESS, "OK IDLE completed")
    assert rows[5][:2] == ("UID FETCH", "1")
    assert rows[6] == ("NONSENSE", "here", ADDRESS, "BAD Unknown command NONSENSE")
    assert len(rows) == 7


def test_a_message_is_named_by_its_size_in_the_journal(world):
    client = Client(world).log_in()
    client.say(b"a1 APPEND INBOX {3+}\r\nabc\r\n")
    event = world.journal.of(Command)[-1]
    assert (event.name, event.arguments) == ("APPEND", "INBOX {3}")


def test_events_of_messages(world):
    seed(world, times=3)
    client = Client(world).log_in(b"INBOX")
    client.say(b"a1 CREATE box\r\na2 COPY 1 box\r\na3 MOVE 2 box\r\na4 STORE 1 +FLAGS (\\Deleted)\r\na5 EXPUNGE\r\n")
    client.say(b"a6 APPEND box (\\Seen) {2+}\r\nhi\r\n")
    of = world.journal.of
    assert [(event.uid, event.folder, event.to_folder, event.new_uid) for event in of(Copied)] == [
        (1, "INBOX", "box", 1)
    ]
    assert [(event.uid, event.to_folder, event.new_uid) for event in of(Moved)] == [(2, "box", 2)]
    assert [(event.uid, event.added) for event in of(FlagsChanged)] == [(1, {"\\Deleted"})]
    assert [event.uid for event in of(Expunged)] == [1]
    assert [(event.uid, event.message.raw, event.flags) for event in of(Appended)] == [(3, b"hi", {"\\Seen"})]
    assert {event.session for kind in (Copied, Moved, Expunged) for event in of(kind)} == {"imap-1"}


@pytest.mark.parametrize(
    ("items", "parts"),
    [
        (b"BODY[]", [("full", False)]),
        (b"RFC822", [("full", False)]),
        (b"RFC822.HEADER", [("header", True)]),
        (b"(FLAGS BODY.PEEK[TEXT])", [("text", True)]),
        (b"(BODY[1.2.MIME] BODY.PEEK[HEADER.FIELDS (To)])", [("1.2.mime", False), ("header", True)]),
        (b"(UID FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE)", []),
    ],
)
def test_what_counts_as_fetched(world, items, parts):
    seed(world)
    client = Client(world).log_in(b"INBOX")
    client.say(b"a1 FETCH 1 " + items + b"\r\n")
    assert [(event.part, event.peeked) for event in world.journal.of(Fetched)] == parts


def test_a_client_that_vanishes_in_the_middle_fetched_what_it_was_given(world):
    seed(world, b"x" * 100_000, 20)
    client = Client(world).log_in(b"INBOX")
    client.session.receive(b"a1 FETCH 1:* BODY[]\r\n")
    client.pull_once()
    client.session.connection_lost()
    fetched = [event.uid for event in world.journal.of(Fetched)]
    assert 0 < len(fetched) < 20
    inbox = world.account(ADDRESS).inbox
    assert [entry.uid for entry in inbox.entries if "\\Seen" in entry.flags] == fetched
    assert inbox.views == []


def test_a_search_is_recorded_with_its_criteria_and_its_finds(world):
    seed(world, times=2)
    seed(world, b"Subject: three\r\n\r\n")
    client = Client(world).log_in(b"INBOX")
    client.say(b"a1 SEARCH SUBJECT three\r\na2 UID SEARCH 1:2 UNSEEN\r\n")
    rows = [(event.folder, event.criteria, event.uids) for event in world.journal.of(Searched)]
    assert rows == [("INBOX", "SUBJECT three", (3,)), ("INBOX", "1:2 UNSEEN", (1, 2))]


def test_a_search_of_large_messages_gives_way(world, monkeypatch):
    # A clock that goes on by a slice's time whenever it is asked, so that a fast machine gives way as well.
    ticks = itertools.count()
    monkeypatch.setattr(imap_session, "perf_counter", lambda: next(ticks) * 0.002)
    seed(world, b"Subject: x\r\n\r\n" + b"y" * 300_000, 200)
    client = Client(world).log_in(b"INBOX")
    client.session.receive(b"a1 SEARCH TEXT zzz\r\n")
    pulls, data = 0, b""
    while client.session.busy:
        data += client.pull_once()
        pulls += 1
    assert pulls > 3
    assert data.endswith(b"a1 OK SEARCH completed\r\n")


def test_logins_are_recorded():
    world = World(Settings(users={ADDRESS: "secret"}))
    client = Client(world)
    client.say(b"a1 LOGIN bob wrong\r\na2 AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n")
    assert [(event.username, event.mechanism) for event in world.journal.of(LoginFailed)] == [("bob", "LOGIN")]
    assert [(event.account, event.mechanism) for event in world.journal.of(LoggedIn)] == [(ADDRESS, "PLAIN")]


# Secrets


@pytest.mark.parametrize(
    ("lines", "hidden"),
    [
        ([b"a1 LOGIN bob secret\r\n"], [b"secret"]),
        ([b'a1 LOGIN "bob" "secret"\r\n'], [b'"secret"']),
        ([b"a1 LOGIN bob {6+}\r\nsecret\r\n"], [b"secret"]),
        ([b"a1 AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n"], [b"AGJvYgBzZWNyZXQ="]),
        ([b"a1 AUTHENTICATE PLAIN\r\n", b"AGJvYgBzZWNyZXQ=\r\n"], [b"AGJvYgBzZWNyZXQ="]),
        ([b"a1 AUTHENTICATE LOGIN\r\n", b"Ym9i\r\n", b"c2VjcmV0\r\n"], [b"Ym9i", b"c2VjcmV0"]),
        ([b"a1 AUTHENTICATE LOGIN\r\n", b"*\r\n"], []),
    ],
)
def test_secrets_are_hidden(world, lines, hidden):
    client = Client(world)
    for line in lines:
        client.say(line)
    sent = b"".join(lines)
    assert [sent[start:stop] for start, stop in client.redacted] == hidden
    assert not any("ecret" in arguments or "AGJ" in arguments for _, arguments, _ in client.asked)
    assert not any("ecret" in event.arguments for event in world.journal.of(Command))


# Faults


def test_the_seam_is_asked_for_every_command(world):
    client = Client(world).log_in(b"INBOX")
    client.say(b"a1 uid fetch 1:* flags\r\na2 xyz\r\na3 APPEND INBOX {2}\r\n")
    client.say(b"hi\r\n")
    assert client.asked == [
        ("GREETING", "", None),
        ("LOGIN", "bob@example.test ***", None),
        ("SELECT", "INBOX", ADDRESS),
        ("UID FETCH", "1:* flags", ADDRESS),
        ("XYZ", "", ADDRESS),
        ("LITERAL", "INBOX ", ADDRESS),
        ("APPEND", "INBOX {2}", ADDRESS),
    ]


def test_a_scripted_reply_takes_the_place_of_the_command(world):
    client = Client(world, {"CREATE": Verdict(reply="NO [UNAVAILABLE] later")}).log_in()
    assert client.say(b"a1 CREATE box\r\na2 NOOP\r\n") == b"a1 NO [UNAVAILABLE] later\r\na2 OK NOOP completed\r\n"
    assert world.account(ADDRESS).mailbox("box") is None
    assert world.journal.of(Command)[-2].reply == "NO [UNAVAILABLE] later"


def test_a_scripted_bye_ends_the_connection(world):
    client = Client(world, {"NOOP": Verdict(reply="BYE maintenance")}).log_in()
    assert client.say(b"a1 NOOP\r\na2 NOOP\r\n") == b"* BYE maintenance\r\n"
    assert client.actions == [Close()]


def test_a_scripted_greeting(world):
    client = Client(world, {"GREETING": Verdict(reply="BYE too busy")})
    assert client.greeting == b"* BYE too busy\r\n"
    assert client.actions == [Close()]


def test_a_drop_comes_before_the_command(world):
    client = Client(world, {"CREATE": Verdict(drop=True)}).log_in()
    assert client.say(b"a1 CREATE box\r\n") == b""
    assert client.actions == [Abort()]
    assert world.account(ADDRESS).mailbox("box") is None


def test_a_delay_comes_before_the_command(world):
    client = Client(world, {"CREATE": Verdict(delay_seconds=3.0)}).log_in()
    client.session.receive(b"a1 CREATE box\r\na2 NOOP\r\n")
    assert client.session.outgoing() == [Pause(3.0)]
    assert world.account(ADDRESS).mailbox("box") is None
    assert client.session.busy
    assert client.pull() == b"a1 OK CREATE completed\r\na2 OK NOOP completed\r\n"


def test_a_wrong_tag(world):
    client = Client(world, {"CHECK": Verdict(wrong_tag=True)}).log_in(b"INBOX")
    assert client.say(b"a1 CHECK\r\na2 NOOP\r\n") == b"a10 OK CHECK completed\r\na2 OK NOOP completed\r\n"


def test_a_refused_literal(world):
    client = Client(world, {"LITERAL": Verdict(reply="NO [LIMIT] full")}).log_in()
    assert client.say(b"a1 APPEND INBOX {3}\r\n") == b"a1 NO [LIMIT] full\r\n"
    assert client.say(b"a2 NOOP\r\n") == b"a2 OK NOOP completed\r\n"


def test_an_unexpected_exception_is_recorded_and_the_connection_kept(world, monkeypatch):
    seed(world)
    client = Client(world).log_in(b"INBOX")

    def broken(*arguments, **options):
        raise RuntimeError("broken inside")

    monkeypatch.setattr(messages, "chosen_spans", broken)
    assert client.say(b"a1 STORE 1 FLAGS ()\r\n").startswith(b"a1 NO [SERVERBUG] ")
    assert [str(error) for error in client.link.errors] == ["broken inside"]
    assert client.say(b"a2 NOOP\r\n") == b"a2 OK NOOP completed\r\n"


# Resets


def test_a_selected_mailbox_goes_over_a_reset(world):
    seed(world, times=3)
    client = Client(world).log_in(b"INBOX")
    validity = world.account(ADDRESS).inbox.uid_validity
    new = after_reset(world)
    client.session.rebind(new)
    assert client.say(b"a1 NOOP\r\n") == b"* 1 EXPUNGE\r\n" * 3 + b"a1 OK NOOP completed\r\n"
    seed(new)
    assert client.say(b"a2 NOOP\r\na3 FETCH 1 UID\r\n") == (
        b"* 1 EXISTS\r\n* 1 RECENT\r\na2 OK NOOP completed\r\n* 1 FETCH (UID 4)\r\na3 OK FETCH completed\r\n"
    )
    assert new.account(ADDRESS).inbox.uid_validity == validity
    assert [event.name for event in new.journal.of(Command)] == ["NOOP", "NOOP", "FETCH"]


def test_idle_goes_over_a_reset(world):
    seed(world, times=2)
    client = Client(world).log_in(b"INBOX")
    assert client.say(b"a1 IDLE\r\n") == b"+ idling\r\n"
    new = after_reset(world)
    client.session.rebind(new)
    assert client.wakes
    assert client.pull() == b"* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"
    seed(new)
    assert client.pull() == b"* 1 EXISTS\r\n* 1 RECENT\r\n"
    assert client.say(b"DONE\r\na2 FETCH 1 UID\r\n") == (
        b"a1 OK IDLE completed\r\n* 1 FETCH (UID 3)\r\na2 OK FETCH completed\r\n"
    )


def test_a_fetch_under_way_ends_in_the_world_it_began_in(world):
    seed(world, b"x" * 100_000, 10)
    client = Client(world).log_in(b"INBOX")
    client.session.receive(b"a1 FETCH 1:* BODY.PEEK[]\r\n")
    first = client.pull_once()
    new = after_reset(world)
    client.session.rebind(new)
    assert (first + client.pull()).count(b"BODY[] {100000}") == 10
    assert len(world.journal.of(Fetched)) == 10
    assert not new.journal.of(Fetched)
    assert client.say(b"a2 NOOP\r\n").count(b"* 1 EXPUNGE\r\n") == 10


def test_a_message_begun_before_a_reset_is_late(world):
    client = Client(world).log_in()
    assert client.say(b"a1 APPEND INBOX {5}\r\n") == b"+ Ready for the literal\r\n"
    client.session.receive(b"hel")
    client.pull()
    world.retired = True
    new = after_reset(world)
    client.session.rebind(new)
    assert client.say(b"lo\r\na2 NOOP\r\n").startswith(b"a1 NO [UNAVAILABLE] ")
    assert [message.raw for message in world.late] == [b"hello"]
    assert client.say(b"a3 APPEND INBOX {2+}\r\nhi\r\n").startswith(b"a3 OK ")
    assert [entry.message.raw for entry in new.account(ADDRESS).inbox.entries] == [b"hi"]


def test_settings_of_the_new_world_are_in_force(world):
    client = Client(world).log_in()
    client.session.rebind(after_reset(world, Settings(hide={"imap": ("IDLE",)})))
    got = client.say(b"a1 CAPABILITY\r\na2 IDLE\r\n")
    assert b"IDLE " not in got.split(b"\r\n")[0]
    assert b"a2 BAD " in got


# The odd server


def test_a_mailbox_that_refuses_keywords_ignores_them(world):
    seed(world, flags=["$Old"])
    world.account(ADDRESS).inbox.refuse_keywords = True
    client = Client(world).log_in()
    got = client.say(b"a1 SELECT INBOX\r\n")
    assert b"[PERMANENTFLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Old)]" in got
    assert client.say(b"a2 STORE 1 +FLAGS ($New \\Seen)\r\n") == (
        b"* 1 FETCH (FLAGS (\\Recent \\Seen $Old))\r\na2 OK STORE completed\r\n"
    )


def test_a_mailbox_that_is_read_only(world):
    seed(world)
    world.account(ADDRESS).inbox.read_only = True
    client = Client(world).log_in()
    assert b"a1 OK [READ-ONLY] " in client.say(b"a1 SELECT INBOX\r\n")
    assert client.say(b"a2 STORE 1 FLAGS ()\r\n").startswith(b"a2 NO [READ-ONLY] ")
    assert b"FLAGS" not in client.say(b"a3 FETCH 1 BODY[]\r\n")
    assert client.say(b"a4 APPEND INBOX {2+}\r\nhi\r\n").startswith(b"a4 NO [NOPERM] ")
    assert client.say(b"a5 COPY 1 INBOX\r\n").startswith(b"a5 NO [NOPERM] ")


def test_a_new_uidvalidity_ends_the_sessions_that_look_on(world):
    seed(world)
    account = world.account(ADDRESS)
    idling = Client(world).log_in(b"INBOX")
    idling.say(b"a1 IDLE\r\n")
    account.renumber(account.inbox, world.new_uid_validity())
    assert idling.wakes
    assert idling.pull().startswith(b"* BYE ")
    assert idling.actions == [Close()]


def test_a_silent_client_is_logged_out(world):
    client = Client(world).log_in()
    assert client.session.timeout_seconds >= 30 * 60
    client.session.timed_out()
    assert client.pull().startswith(b"* BYE ")
    assert client.actions == [Close()]


# Input that means harm


def test_before_login_a_literal_is_small(world):
    client = Client(world)
    assert client.say(b"a1 LOGIN {20000}\r\n").startswith(b"a1 BAD A literal of 20000 bytes is too big")
    assert client.say(b"a2 APPEND INBOX {100}\r\n").startswith(b"a2 BAD APPEND needs a login")
    assert client.say(b"a3 NOOP\r\n") == b"a3 OK NOOP completed\r\n"


def test_an_over_long_line_is_refused_and_the_connection_kept(world):
    client = Client(world)
    got = b"".join(client.say(b"x" * 50_000) for _ in range(100))
    assert got.count(b"BAD") == 1
    assert client.session.wants_input
    assert client.say(b"\r\na2 NOOP\r\n").endswith(b"a2 OK NOOP completed\r\n")


def test_bad_commands_in_a_row_end_the_connection_before_login_only(world):
    client = Client(world)
    got = client.say(b"a1 frob\r\n" * 50)
    assert got.count(b" BAD ") == BAD_COMMANDS_BEFORE_LOGIN
    assert client.actions == [Close()]
    client = Client(world).log_in()
    assert client.say(b"a1 frob\r\n" * 50).count(b" BAD ") == 50


def test_a_half_closed_client_is_answered_and_then_left(world):
    client = Client(world).log_in()
    client.session.receive(b"a1 NOOP\r\na2 NO")
    client.session.receive_eof()
    assert client.pull() == b"a1 OK NOOP completed\r\n"
    assert client.actions == [Close()]
    assert not client.session.busy


PIECES = [
    b"a1 LOGIN bob@example.test x\r\n", b"a2 SELECT INBOX\r\n", b"a3 FETCH 1:* (FLAGS BODY[])\r\n", b"a4 IDLE\r\n",
    b"DONE\r\n", b"a5 APPEND INBOX {5+}\r\nab\x00cd\r\n", b"a6 APPEND INBOX {3+}\r\nabc\r\n", b"{10}\r\n", b"{99999+}",
    b"\r\n", b"\x00\xff\x80", b"a7 UID ", b"a8 STORE 1 +FLAGS (\\Deleted)\r\n", b"a9 EXPUNGE\r\n", b'"\\', b"(((((",
    b"b1 AUTHENTICATE PLAIN\r\n", b"=====\r\n", b"b2 COPY 1:* INBOX\r\n", b"b3 MOVE 1 INBOX\r\n", b"b4 CLOSE\r\n",
    b'b5 LIST "" "*%*%*"\r\n', b"b6 DELETE INBOX\r\n", b"b7 CREATE {4+}\r\na/bc\r\n", b"b8 LOGIN {3}\r\n", b"*",
]  # fmt: skip


@pytest.mark.parametrize("number", range(60))
def test_junk_never_breaks_a_session(number):
    """Whatever comes, whole or in pieces: the same replies, no unexpected error, and memory that does not grow."""
    rolls = random.Random(number)
    stream = b"".join(rolls.choices(PIECES, k=25))
    if number % 3 == 0:
        stream = bytes(byte if rolls.random() > 0.02 else rolls.randrange(256) for byte in stream)
    outputs = []
    for size in (len(stream), 7, 1):
        world = World(Settings())
        seed(world, times=2)
        client = Client(world, limit_bytes=1 << 17 if size > 1 else 20)
        got = []
        for start in range(0, len(stream), size):
            if any(isinstance(action, Close) for action in client.actions):
                break
            got.append(client.say(stream[start : start + size]))
        client.session.receive_eof()
        got.append(client.pull())
        client.session.connection_lost()
        assert client.link.errors == []
        assert client.session._framer.buffered_bytes == 0 or client.actions == [Close()]
        outputs.append(re.sub(rb'UIDVALIDITY \d+|(APPENDUID|COPYUID) \d+|"\S+ \S+ [+-]\d+"', b"", b"".join(got)))
    assert outputs[0] == outputs[1] == outputs[2]


def test_keywords_of_a_mailbox_have_an_end(world):
    seed(world)
    client = Client(world).log_in(b"INBOX")
    keywords = [f"k{number}" for number in range(KEYWORDS_LIMIT)]
    assert b"a1 OK" in client.say(f"a1 STORE 1 +FLAGS.SILENT ({' '.join(keywords)})\r\n".encode())
    assert client.say(b"a2 STORE 1 +FLAGS (one more)\r\n") == b"a2 NO [LIMIT] A mailbox has at most 1000 keywords\r\n"
    assert b"a3 NO [LIMIT]" in client.say(b"a3 APPEND INBOX (more) {1+}\r\nx\r\n")
    assert b"a4 OK" in client.say(b"a4 STORE 1 FLAGS (K7)\r\n")
    assert len(world.account(ADDRESS).inbox.keywords) == KEYWORDS_LIMIT


@pytest.mark.parametrize(
    "command",
    ["FETCH 2 FLAGS", "FETCH 2 BODY[]", "STORE 2 +FLAGS (\\Flagged)", "STORE 2 FLAGS.SILENT ()", "COPY 2 INBOX"],
)
def test_a_command_on_one_message_does_not_look_at_all_while_an_expunge_waits(world, command, monkeypatch):
    seed(world, times=500)
    client = Client(world).log_in(b"INBOX")
    world.store.expunge(world.account(ADDRESS).inbox, [400], Actor())
    looked_up = []
    look_up = Mailbox.get
    monkeypatch.setattr(Mailbox, "get", lambda mailbox, uid: looked_up.append(uid) or look_up(mailbox, uid))
    assert b"a1 OK" in client.say(f"a1 {command}\r\n".encode())
    assert len(looked_up) < 10
