"""Several IMAP sessions on one mailbox: a client that believes every untagged response knows the mailbox in the end."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.events import Actor
from mockmail.core.world import World
from mockmail.imap.session import ImapSession
from mockmail.wire.contract import Link

BOB = "bob@example.test"
COMMANDS = (
    "NOOP",
    "EXPUNGE",
    "SEARCH ALL",
    "STORE {n} +FLAGS ({flag})",
    "STORE {n} FLAGS.SILENT ({flag})",
    "STORE {n} -FLAGS ({flag})",
    "UID STORE 1:* +FLAGS (\\Deleted {flag})",
    "FETCH {n} (UID FLAGS)",
    "FETCH {n} (UID BODY[])",
    "UID FETCH 1:* (UID FLAGS)",
    "MOVE {n} Other",
    "COPY {n} INBOX",
    "UID EXPUNGE 1:4",
    "IDLE",
    # What the test does itself:
    "seed",
    "expunge",
)
FLAGS = ("\\Seen", "\\Deleted", "$One", "$Two", "$Three")
_EXISTS = re.compile(r"\* (\d+) EXISTS")
_EXPUNGE = re.compile(r"\* (\d+) EXPUNGE")
_FETCH = re.compile(r"\* (\d+) FETCH \((?:UID (\d+) ?)?(?:FLAGS \((.*?)\))?.*")
_FLAGS = re.compile(r"\* FLAGS \((.*)\)")


class Client:
    """Keeps the books by what it is told."""

    def __init__(self, world, number):
        self.link = Link("imap", f"imap-{number}")
        self.session = ImapSession(self.link, world)
        self.session.greeting()
        self.uids = []
        self.flags = {}
        self.keywords = set()
        self.idles = False
        for command in (f"LOGIN {BOB} x", "SELECT INBOX", "UID FETCH 1:* (UID FLAGS)"):
            self.say(command)

    def stop_idling(self):
        """And hear what has happened meanwhile: there may be no message left to ask for."""
        if self.idles:
            self.session.receive(b"DONE\r\n")
            self.hear("IDLE")
            self.idles = False

    def say(self, command):
        self.stop_idling()
        self.session.receive(f"a {command}\r\n".encode())
        said = self.hear(command)
        self.idles = command == "IDLE"
        assert ("+ idling" if self.idles else "a OK") in said or "a NO [EXPUNGEISSUED]" in said

    def hear(self, command=""):
        data = b""
        while (actions := self.session.outgoing()) or self.session.busy:
            data += b"".join(action for action in actions if isinstance(action, bytes))
        for line in data.decode().split("\r\n"):
            self._take(line, command)
        return data.decode()

    def _take(self, line, command):
        if match := _EXISTS.fullmatch(line):
            new = int(match[1]) - len(self.uids)
            assert new >= 0
            self.uids += [None] * new
        elif match := _EXPUNGE.fullmatch(line):
            assert not command.startswith(("FETCH", "STORE", "SEARCH"))
            assert 1 <= int(match[1]) <= len(self.uids)
            del self.uids[int(match[1]) - 1]
        elif match := _FLAGS.fullmatch(line):
            self.keywords = set(match[1].split())
        elif match := _FETCH.fullmatch(line):
            at = int(match[1]) - 1
            assert 0 <= at < len(self.uids)
            if match[2]:
                assert self.uids[at] in (None, int(match[2]))
                self.uids[at] = int(match[2])
            if match[3] is not None:
                flags = set(match[3].split()) - {"\\Recent"}
                assert {flag for flag in flags if flag[0] != "\\"} <= self.keywords
                self.flags[self.uids[at]] = flags


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(COMMANDS), st.integers(0, 9), st.sampled_from(FLAGS)),
        max_size=25,
    )
)
def test_whoever_believes_the_server_knows_the_mailbox(steps):
    world = World(Settings())
    account = world.account(BOB)
    account.create("Other")

    def seed(*flags):
        world.store.seed(account, "INBOX", world.store.new_message(b"Subject: x\r\n\r\nbody\r\n"), flags)

    for _ in range(4):
        seed()
    clients = [Client(world, number) for number in range(3)]
    for which, command, number, flag in steps:
        client, entries = clients[which], account.inbox.entries
        if command == "seed":
            seed(flag)
            continue
        if command == "expunge":
            world.store.expunge(account.inbox, [entry.uid for entry in entries[number : number + 1]], Actor())
            continue
        client.stop_idling()
        if client.uids or "{n}" not in command:
            client.say(command.format(n=number % max(1, len(client.uids)) + 1, flag=flag))
    for client in clients:
        client.say("NOOP")
        client.say("UID FETCH 1:* (UID FLAGS)")
        assert client.uids == [entry.uid for entry in account.inbox.entries]
        assert [client.flags[uid] for uid in client.uids] == [set(entry.flags) for entry in account.inbox.entries]
        assert client.link.errors == []
        client.session.connection_lost()
