"""Views over one mailbox, against the list that a client keeps of what it was told (RFC 3501 section 7.4.1)."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mockmail.core.mailbox import Mailbox
from mockmail.core.message import Envelope, Message
from mockmail.core.views import MailboxView

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FLAGS = st.sets(st.sampled_from(["\\Seen", "\\Deleted", "$Junk", "later"]), min_size=1)
CHANGES = st.sampled_from(["add", "remove", "replace"])
WHICH = st.sampled_from(["first", "second", "examined"])
POSITIONS = st.lists(st.integers(0, 30), max_size=8)


class Client:
    """A list of [uid, flags] by sequence number, changed by nothing but what the view tells."""

    def __init__(self, mailbox: Mailbox, read_only: bool) -> None:
        self.woken = 0
        self.view = MailboxView(mailbox, read_only=read_only, on_change=self._wake)
        self.read_only = read_only
        self.known = [[entry.uid, entry.flags] for entry in mailbox.entries]

    def _wake(self) -> None:
        self.woken += 1


class Views(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.mailbox = Mailbox("bob@example.test", "INBOX", 1)
        self.clients = {
            "first": Client(self.mailbox, False),
            "second": Client(self.mailbox, False),
            "examined": Client(self.mailbox, True),
        }
        self.there: dict[int, frozenset[str]] = {}
        """The naive model of the mailbox: uid -> flags, ascending."""
        self.uid_next = 1

    def uids_at(self, positions):
        uids = list(self.there)
        return sorted({uids[position % len(uids)] for position in positions}) if uids else []

    @rule(flags=st.lists(FLAGS, min_size=1, max_size=4))
    def add(self, flags):
        message = Message(b"x", id="1", envelope=Envelope(), received_at=NOW)
        added = self.mailbox.add([(message, self.mailbox.spelled(names)) for names in flags])
        for entry, names in zip(added, flags, strict=True):
            assert entry.uid == self.uid_next
            self.there[entry.uid] = frozenset(names)
            self.uid_next += 1

    @rule(position=st.integers(0, 40))
    def mark_seen(self, position):
        uids = list(self.there)
        uid = uids[position] if position < len(uids) else self.uid_next
        before = self.mailbox.highest_modseq
        new = self.mailbox.mark_seen(uid)
        if uid not in self.there or "\\Seen" in self.there[uid]:
            assert new is None
            assert self.mailbox.highest_modseq == before
        else:
            self.there[uid] |= {"\\Seen"}
            assert (new.uid, new.flags, new.modseq) == (uid, self.there[uid], before + 1)
            assert self.mailbox.highest_modseq == before + 1

    @rule(which=st.none() | WHICH, positions=POSITIONS, change=CHANGES, flags=FLAGS)
    def change_flags(self, which, positions, change, flags):
        client = self.clients[which] if which else None
        uids = self.uids_at(positions)
        if client is not None:
            uids = [uid for uid in uids if client.view.number(uid) is not None]
        before = self.mailbox.highest_modseq
        changed = self.mailbox.change_flags(uids, change, flags, None if client is None else client.view)
        expected = {}
        for uid in uids:
            old = self.there[uid]
            new = {"add": old | flags, "remove": old - flags, "replace": frozenset(flags)}[change]
            if new != old:
                expected[uid] = self.there[uid] = new
        assert {new.uid: new.flags for _, new in changed} == expected
        assert all(new.modseq == before + 1 for _, new in changed)
        assert self.mailbox.highest_modseq == before + bool(changed)
        if client is not None:
            # STORE answers its own client.
            for number, (uid, _) in enumerate(client.known):
                if uid in expected:
                    client.known[number][1] = expected[uid]

    @rule(positions=POSITIONS)
    def expunge(self, positions):
        uids = self.uids_at(positions)
        removed = self.mailbox.expunge(uids)
        assert [entry.uid for entry in removed] == uids
        for uid in uids:
            del self.there[uid]

    @rule(which=WHICH, expunges=st.booleans())
    def tell(self, which, expunges):
        client = self.clients[which]
        view, known = client.view, client.known
        had_changes = view.has_changes
        changes = view.changes(expunges=expunges)
        assert expunges or not changes.expunged
        if changes:
            assert had_changes
        for number in changes.expunged:
            uid, _ = known.pop(number - 1)
            assert uid not in self.there
        if changes.exists is not None:
            last = known[-1][0] if known else 0
            known += [[uid, flags] for uid, flags in self.there.items() if uid > last]
            assert len(known) == changes.exists
            assert changes.recent == view.recent_count()
        for number, entry in changes.fetched:
            assert known[number - 1][0] == entry.uid
            known[number - 1][1] = entry.flags
        if not view.has_changes:
            client.woken = 0
        if expunges:
            assert not view.has_changes
            assert not view.stale
            assert [(uid, flags) for uid, flags in known] == list(self.there.items())
        else:
            assert [uid for uid, _ in known if uid in self.there] == list(self.there)
            assert all(self.there.get(uid, flags) == flags for uid, flags in known)

    @rule(which=WHICH)
    def select_again(self, which):
        old = self.clients[which]
        old.view.close()
        self.clients[which] = Client(self.mailbox, old.read_only)

    @invariant()
    def the_mailbox_is_as_the_model_says(self):
        assert {entry.uid: entry.flags for entry in self.mailbox.entries} == self.there
        assert self.mailbox.size_bytes == len(self.there)

    @invariant()
    def numbers_are_those_of_the_client(self):
        for client in self.clients.values():
            view, uids = client.view, [uid for uid, _ in client.known]
            assert view.count == len(uids)
            assert view.highest_uid == (uids[-1] if uids else 0)
            entries = view.entries()
            assert [entry.uid for entry in entries] == uids
            for number, uid in enumerate(uids, 1):
                entry = view.entry(number)
                assert entry is not None
                assert entry.uid == uid
                assert entry.flags == entries[number - 1].flags
                assert entry.flags == self.there.get(uid, entry.flags)
                assert view.number(uid) == number
                assert view.exists(uid) == (uid in self.there)
            assert view.entry(0) is None
            assert view.entry(len(uids) + 1) is None
            assert view.number_span(1, self.uid_next) == (1, len(uids))

    @invariant()
    def recent_is_told_to_one_session_only(self):
        for uid in self.there:
            told = [
                name for name, client in self.clients.items() if client.view.is_recent(uid) and not client.read_only
            ]
            assert len(told) <= 1
        for client in self.clients.values():
            recent = [uid for uid, _ in client.known if client.view.is_recent(uid)]
            assert client.view.recent_count() == len(recent)
            assert client.view.has_recent or not recent

    @invariant()
    def whoever_has_something_to_hear_was_woken(self):
        for client in self.clients.values():
            if client.view.has_changes:
                assert client.woken


TestViews = Views.TestCase
TestViews.settings = settings(max_examples=60, stateful_step_count=30)
