import gc
from datetime import timedelta

import pytest

from mockmail.core.events import (
    Accepted,
    Actor,
    Appended,
    Copied,
    Delivered,
    Expunged,
    Fetched,
    FlagsChanged,
    Moved,
    Seeded,
)
from mockmail.core.message import Envelope, StoredMessage
from mockmail.core.routing import Deliver
from mockmail.core.views import MailboxView

ACTOR = Actor("imap", "imap-1", "bob@a.test")


def deliver(world, *recipients, raw=b"Subject: x\r\n\r\n"):
    message = world.store.new_message(raw, envelope=Envelope("s@a.test", recipients))
    world.store.accept(message, [Deliver(recipient, recipient) for recipient in recipients], Actor("smtp", "smtp-1"))
    return message


def test_ids_have_22_letters_and_digits_and_differ(world):
    ids = [world.store.new_id() for _ in range(5000)]
    assert len(set(ids)) == 5000
    assert all(len(identity) == 22 and identity.isalnum() and identity.isascii() for identity in ids)


def test_accept_stores_one_message_for_all(world, noon):
    message = deliver(world, "bob@a.test", "eve@a.test")
    for address in message.recipients:
        (entry,) = world.accounts.get(address).inbox.entries
        assert entry.message is message
    assert world.accounts.get("bob@a.test").created_by == "delivery"
    assert message.received_at == noon
    (accepted,) = world.journal.of(Accepted)
    (delivered,) = world.journal.of(Delivered)
    assert accepted.message is delivered.message is message
    assert delivered.recipients == delivered.accounts == ("bob@a.test", "eve@a.test")


def test_the_members_of_a_list_share_one_message_that_returns_to_its_owner(world):
    sent = b"Return-Path: <s@a.test>\r\nReceived: by a.test\r\n"
    message = world.store.new_message(
        sent + b"Subject: x\r\n\r\n", envelope=Envelope("s@a.test"), trace_length=len(sent)
    )
    team = [Deliver("team@a.test", f"{name}@a.test", sender="owner@a.test") for name in ("bob", "eve", "joe")]
    others = [Deliver("crew@a.test", "ann@a.test", sender="boss@a.test"), Deliver("zoe@a.test", "zoe@a.test")]
    world.store.accept(message, [*team, *others], Actor(), received=b"Received: by a.test\r\n")

    stored = {
        name: world.accounts.get(f"{name}@a.test").inbox.entries[0].message
        for name in ("bob", "eve", "joe", "ann", "zoe")
    }
    assert stored["bob"] is stored["eve"] is stored["joe"]
    assert stored["bob"].raw == b"Return-Path: <owner@a.test>\r\nReceived: by a.test\r\nSubject: x\r\n\r\n"
    assert stored["ann"].raw == b"Return-Path: <boss@a.test>\r\nReceived: by a.test\r\nSubject: x\r\n\r\n"
    assert stored["zoe"] is message


def test_two_names_of_one_account_get_one_copy(world):
    message = world.store.new_message(b"x")
    decisions = [Deliver("bob+a@a.test", "bob@a.test"), Deliver("Bob@a.test", "bob@a.test")]
    world.store.accept(message, decisions, Actor())
    assert len(world.accounts.get("bob@a.test").inbox.entries) == 1
    (delivered,) = world.journal.of(Delivered)
    assert delivered.recipients == ("bob+a@a.test", "Bob@a.test")
    assert delivered.accounts == ("bob@a.test",)


def test_a_waiter_woken_by_delivered_finds_the_message_stored(world):
    found = []
    account = world.account("bob@a.test")
    world.journal.when_longer(0, lambda: found.append(len(account.inbox.entries)))
    deliver(world, "bob@a.test")
    assert found == [1]


def test_seed_makes_the_folder_and_is_no_delivery(world):
    account = world.account("bob@a.test")
    entry = world.store.seed(account, "Archive/2026", world.store.new_message(b"x"), ["\\seen", "todo"])
    assert entry.flags == {"\\Seen", "todo"}
    assert account.mailbox("Archive/2026").entries == [entry]
    assert world.journal.of(Delivered) == []
    (seeded,) = world.journal.of(Seeded)
    assert (seeded.folder, seeded.uid) == ("Archive/2026", 1)


def test_change_flags_records_what_was_added_and_removed(world):
    deliver(world, "bob@a.test")
    inbox = world.account("bob@a.test").inbox
    world.store.change_flags(inbox, [1, 7], "add", ["\\Seen", "a"], ACTOR)
    world.store.change_flags(inbox, [1], "replace", ["b"], ACTOR)
    world.store.change_flags(inbox, [1], "replace", ["b"], ACTOR)
    first, second = world.journal.of(FlagsChanged)
    assert (first.added, first.removed, first.flags) == ({"\\Seen", "a"}, frozenset(), {"\\Seen", "a"})
    assert (second.added, second.removed, second.flags) == ({"b"}, {"\\Seen", "a"}, {"b"})
    assert (first.protocol, first.session, first.account) == ("imap", "imap-1", "bob@a.test")


def test_copy_keeps_flags_in_the_spelling_of_the_target(world):
    account = world.account("bob@a.test")
    target = account.create("b")
    world.store.seed(account, "b", world.store.new_message(b"x"), ["Todo"])
    entry = world.store.seed(account, "INBOX", world.store.new_message(b"y"), ["todo", "\\Seen"])
    (copy,) = world.store.copy(account.inbox, [entry], target, ACTOR)
    assert (copy.uid, copy.flags, copy.message) == (2, {"Todo", "\\Seen"}, entry.message)
    (event,) = world.journal.of(Copied)
    assert (event.folder, event.uid, event.to_folder, event.new_uid) == ("INBOX", 1, "b", 2)
    assert world.store.copy(account.inbox, [], target, ACTOR) == []
    assert len(world.journal.of(Copied)) == 1


@pytest.mark.parametrize("step", ["copy", "move", "change_flags"])
@pytest.mark.parametrize("enabled", [True, False])
def test_many_messages_at_once_have_the_garbage_collector_walk_no_mail(world, step, enabled):
    account = world.account("bob@example.test")
    message = world.store.new_message(b"Subject: x\r\n\r\n")
    entries = account.inbox.add([(message, frozenset())] * 5000)
    target = account.create("Kept")
    uids = [entry.uid for entry in entries]
    arguments = (account.inbox, uids, "add", ["\\Seen"]) if step == "change_flags" else (account.inbox, entries, target)
    walks: list[int] = []

    def note(phase: str, details: dict[str, int]) -> None:
        walks.append(details["generation"])

    was_enabled = gc.isenabled()
    gc.collect()
    (gc.enable if enabled else gc.disable)()
    gc.callbacks.append(note)
    try:
        done = getattr(world.store, step)(*arguments, Actor("imap", "imap-1", account.address))
        assert gc.isenabled() is enabled
    finally:
        gc.callbacks.remove(note)
        (gc.enable if was_enabled else gc.disable)()
    assert len(done) == 5000
    assert len(walks) <= 2 * 2  # each begins and ends


@pytest.mark.parametrize(("mark", "expected"), [(True, {"\\Flagged", "\\Seen"}), (False, {"\\Flagged"})])
def test_a_message_read_whole_is_seen_from_then_on(world, mark, expected):
    deliver(world, "bob@a.test")
    inbox = world.account("bob@a.test").inbox
    world.store.change_flags(inbox, [1], "add", ["\\Flagged"], ACTOR)
    before, view, entry = world.journal.mark(), MailboxView(inbox), inbox.get(1)
    for _ in range(2):  # the second time nothing changes but that it was read again
        world.store.read_whole(inbox, entry, ACTOR, world.clock.now(), mark=mark)
    assert inbox.get(1).flags == expected
    assert entry.flags == {"\\Flagged"}
    assert [number for number, _ in view.changes(expunges=True).fetched] == [1] * mark
    assert inbox.highest_modseq == 3 + mark
    fetched = world.journal.of(Fetched, since=before)
    assert [(event.uid, event.part, event.peeked, event.session) for event in fetched] == [
        (1, "full", False, "imap-1")
    ] * 2
    changed = world.journal.of(FlagsChanged, since=before)
    assert [(event.uid, event.added, event.removed, event.flags) for event in changed] == [
        (1, {"\\Seen"}, frozenset(), expected)
    ] * mark


def test_a_message_that_left_while_it_was_read_is_not_marked(world):
    deliver(world, "bob@a.test")
    inbox = world.account("bob@a.test").inbox
    entry = inbox.get(1)
    world.store.expunge(inbox, [1], ACTOR)
    world.store.read_whole(inbox, entry, ACTOR, world.clock.now())
    assert [event.message for event in world.journal.of(Fetched)] == [entry.message]
    assert world.journal.of(FlagsChanged) == []


def test_move_is_one_step_and_tells_every_view(world):
    account = world.account("bob@a.test")
    target = account.create("b")
    for _ in range(3):
        deliver(world, "bob@a.test")
    view, there = MailboxView(account.inbox), MailboxView(target)
    world.store.move(account.inbox, account.inbox.select([1, 3]), target, ACTOR)
    assert [entry.uid for entry in account.inbox.entries] == [2]
    assert view.changes(expunges=True).expunged == [1, 2]
    assert there.changes(expunges=True).exists == 2
    assert [(event.uid, event.new_uid) for event in world.journal.of(Moved)] == [(1, 1), (3, 2)]
    assert world.journal.of(Copied) == []
    assert world.journal.of(Expunged) == []


def test_expunge_records_those_that_were_there(world):
    deliver(world, "bob@a.test")
    inbox = world.account("bob@a.test").inbox
    assert [entry.uid for entry in world.store.expunge(inbox, [1, 5], ACTOR)] == [1]
    assert world.store.expunge(inbox, [1], ACTOR) == []
    assert [event.uid for event in world.journal.of(Expunged)] == [1]


def test_append_records_each_message(world):
    inbox = world.account("bob@a.test").inbox
    world.store.append(inbox, [(world.store.new_message(b"x"), ["\\Draft"])], ACTOR)
    (event,) = world.journal.of(Appended)
    assert (event.uid, event.flags) == (1, {"\\Draft"})


def test_record_fetched_makes_an_event_for_each_part_of_each_message(world):
    for _ in range(2):
        deliver(world, "bob@a.test")
    inbox = world.account("bob@a.test").inbox
    world.store.record_fetched(inbox, inbox.entries, [("header", True), ("1.2", False)], ACTOR)
    world.store.record_fetched(inbox, inbox.entries[:1], [("full", False)], ACTOR)
    world.store.record_fetched(inbox, [], [("full", False)], ACTOR)
    world.store.record_fetched(inbox, inbox.entries, [], ACTOR)
    assert [(event.uid, event.part, event.peeked) for event in world.journal.of(Fetched)] == [
        (1, "header", True),
        (1, "1.2", False),
        (2, "header", True),
        (2, "1.2", False),
        (1, "full", False),
    ]


def test_renaming_inbox_moves_its_mail_and_leaves_it_empty(world):
    message = deliver(world, "bob@a.test")
    account = world.account("bob@a.test")
    world.store.rename(account, "inbox", "old/mail", ACTOR)
    assert account.inbox.entries == []
    assert [entry.message for entry in account.mailbox("old/mail").entries] == [message]
    world.store.rename(account, "old", "older", ACTOR)
    assert account.names() == ["INBOX", "older", "older/mail"]


def test_the_oldest_mail_goes_past_the_limit(new_world):
    world = new_world(max_messages=2)
    messages = []
    for number in range(5):
        world.clock.shift(timedelta(seconds=1))
        messages.append(deliver(world, "bob@a.test", "eve@a.test", raw=b"%d" % number))
    for address in ("bob@a.test", "eve@a.test"):
        assert [entry.message for entry in world.account(address).inbox.entries] == messages[3:]
    assert [event.message for event in world.journal.of(Delivered)] == messages[3:]


@pytest.mark.parametrize("folder", ["INBOX", "Archive"])
def test_mail_that_was_moved_or_stands_behind_newer_goes_too(new_world, folder):
    world = new_world(max_messages=1)
    account = world.account("bob@a.test")
    later = world.store.new_message(b"seeded", received_at=world.clock.now() + timedelta(days=1))
    world.store.seed(account, folder, later, [])
    old = deliver(world, "bob@a.test")
    if folder != "INBOX":
        world.store.move(account.inbox, account.inbox.entries, account.mailbox(folder), ACTOR)
    new = deliver(world, "bob@a.test")
    kept = [entry.message for mailbox in account for entry in mailbox.entries]
    assert old not in kept
    assert set(kept) == {later, new}


def test_a_message_keeps_what_the_client_sent_apart_from_its_trace(world):
    message = world.store.new_message(b"Received: x\r\nSubject: y\r\n", trace_length=13)
    assert message.original == b"Subject: y\r\n"
    assert message.size == 25


def test_what_is_derived_is_computed_once_for_all_copies(world):
    message = world.store.new_message(b"abc")
    computed = []

    def length(picture):
        computed.append(picture)
        return len(picture.raw)

    first = StoredMessage(message, uid=1, flags=frozenset({"\\Seen"}), folder="INBOX")
    second = StoredMessage(message, uid=2, flags=frozenset(), folder="b")
    assert [picture.derived("length", length) for picture in (first, second, message)] == [3, 3, 3]
    assert len(computed) == 1
    assert (first.seen, second.seen) == (True, False)
    assert first.id == second.id == message.id
