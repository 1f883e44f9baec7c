import pytest

from mockmail.core.mailbox import Mailbox, flag_set
from mockmail.core.views import Maildrop


@pytest.fixture
def mailbox(new_message):
    box = Mailbox("bob@example.test", "INBOX", 7)
    box.add([(new_message(b"%d" % number * number), flag_set(())) for number in range(1, 5)])
    return box


def test_uids_ascend_and_never_come_again(mailbox, new_message):
    assert [entry.uid for entry in mailbox.entries] == [1, 2, 3, 4]
    mailbox.expunge([4])
    mailbox.expunge([1, 2, 3])
    assert mailbox.entries == []
    assert [entry.uid for entry in mailbox.add([(new_message(), flag_set(()))])] == [5]
    assert mailbox.uid_next == 6


def test_adding_nothing_changes_nothing(mailbox):
    before = mailbox.highest_modseq, mailbox.uid_next
    assert mailbox.add([]) == []
    assert (mailbox.highest_modseq, mailbox.uid_next) == before


@pytest.mark.parametrize(("uid", "position"), [(0, None), (1, 0), (2, None), (3, 1), (4, 2), (5, None)])
def test_a_uid_is_found_where_it_is(mailbox, uid, position):
    mailbox.expunge([2])
    assert mailbox.position(uid) == position
    entry = mailbox.get(uid)
    assert (entry.uid if entry else None) == (uid if position is not None else None)


def test_select_takes_uids_in_any_order_once(mailbox):
    assert [entry.uid for entry in mailbox.select([4, 9, 1, 4])] == [1, 4]


def test_entries_are_replaced_never_changed(mailbox):
    old = mailbox.get(2)
    ((before, after),) = mailbox.change_flags([2, 9], "add", ["\\seen"])
    assert before is old
    assert old.flags == frozenset()
    assert after is mailbox.get(2)
    assert after.flags == {"\\Seen"}
    assert after.message is old.message


def test_flags_that_are_so_already_change_nothing(mailbox):
    mailbox.change_flags([1], "add", ["\\Seen"])
    modseq = mailbox.highest_modseq
    assert mailbox.change_flags([1, 1], "add", ["\\Seen"]) == []
    assert mailbox.change_flags([1], "replace", ["\\SEEN"]) == []
    assert mailbox.change_flags([2], "remove", ["\\Seen"]) == []
    assert mailbox.highest_modseq == modseq


def test_a_keyword_keeps_its_first_spelling(mailbox):
    mailbox.change_flags([1], "add", ["$Label1"])
    mailbox.change_flags([2], "add", ["$LABEL1"])
    assert mailbox.get(2).flags == {"$Label1"}
    mailbox.change_flags([1, 2], "remove", ["$label1"])
    assert mailbox.get(1).flags == mailbox.get(2).flags == frozenset()
    assert mailbox.keywords == {"$label1": "$Label1"}


def test_removing_a_keyword_that_nobody_used_does_not_make_it_known(mailbox):
    assert mailbox.change_flags([1], "remove", ["$Never"]) == []
    assert mailbox.keywords == {}


def test_size_follows(mailbox):
    assert mailbox.size_bytes == 1 + 2 + 3 + 4
    mailbox.expunge([2, 4])
    assert mailbox.size_bytes == 1 + 3
    assert mailbox.expunge([2]) == []


def test_size_follows_however_seldom_it_is_asked_for(mailbox, new_message):
    mailbox.expunge([4])
    assert mailbox.size_bytes == 1 + 2 + 3
    mailbox.add_one(new_message(b"x" * 10))
    mailbox.expunge([1])
    assert mailbox.size_bytes == 2 + 3 + 10
    mailbox.add([(new_message(b"x" * 20), flag_set(()))])
    mailbox.expunge([entry.uid for entry in mailbox.entries])
    assert mailbox.size_bytes == 0
    mailbox.add_one(new_message(b"x" * 7))
    assert mailbox.size_bytes == 7


def test_combinations_of_flags_are_shared_and_do_not_pile_up():
    assert flag_set(["\\seen", "x"]) is flag_set(["x", "\\Seen"])
    for number in range(10_000):
        flag_set([f"made-up-{number}"])
    from mockmail.core import mailbox as module

    assert len(module._interned) <= module._INTERNED_LIMIT


# Maildrop


def test_a_maildrop_counts_what_is_not_marked(mailbox):
    drop = Maildrop(mailbox)
    assert (drop.count, drop.size_bytes) == (4, 10)
    drop.delete(2)
    assert (drop.count, drop.size_bytes) == (3, 8)
    assert drop.entry(2) is None
    assert drop.entry(3).uid == 3
    assert drop.doomed_uids() == [2]
    drop.reset()
    assert (drop.count, drop.size_bytes, drop.doomed_uids()) == (4, 10, [])


@pytest.mark.parametrize("number", [-1, 0, 5])
def test_a_maildrop_knows_only_its_numbers(mailbox, number):
    assert Maildrop(mailbox).entry(number) is None


def test_unique_ids_last_and_differ(mailbox, new_message):
    first = Maildrop(mailbox)
    ids = [first.unique_id(number) for number in range(1, 5)]
    assert len(set(ids)) == 4
    assert all(0x21 <= ord(char) <= 0x7E for unique_id in ids for char in unique_id)
    mailbox.expunge([1])
    mailbox.add([(new_message(), flag_set(()))])
    second = Maildrop(mailbox)
    assert [second.unique_id(number) for number in range(1, 4)] == ids[1:]
    assert second.unique_id(4) not in ids


def test_a_new_uidvalidity_makes_an_open_maildrop_outdated(world, new_message):
    account = world.account("bob@example.test")
    account.inbox.add([(new_message(), flag_set(()))])
    drop = Maildrop(account.inbox)
    unique_id = drop.unique_id(1)
    assert not drop.outdated
    account.renumber(account.inbox, world.new_uid_validity())
    assert drop.outdated
    assert drop.unique_id(1) == unique_id
    assert Maildrop(account.inbox).unique_id(1) != unique_id
