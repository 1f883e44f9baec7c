from mockmail.config import Settings
from mockmail.core.world import World


def test_users_have_accounts_from_the_start(new_world):
    world = new_world(users={"Bob@a.test": "secret"})
    account = world.accounts.get("bob@a.test")
    assert (account.password, account.created_by) == ("secret", "settings")


def test_an_account_is_made_when_it_is_asked_for(world):
    assert world.account("New@a.test") is world.account("new@a.test")


def test_every_mailbox_has_a_uidvalidity_of_its_own(world):
    account = world.account("bob@a.test")
    values = [account.inbox.uid_validity, account.create("a").uid_validity, world.new_uid_validity()]
    assert values == sorted(set(values))
    assert 0 < values[0] < 1 << 32


def test_the_next_world_counts_on():
    numbers = iter(range(7, 100))
    first = World(Settings(), next_uid_validity=numbers.__next__)
    second = World(Settings(), next_uid_validity=numbers.__next__)
    assert first.account("bob@a.test").inbox.uid_validity == 7
    assert second.account("bob@a.test").inbox.uid_validity == 8


def test_a_selected_mailbox_is_carried_over_empty():
    numbers = iter(range(7, 100))
    old, new = (World(Settings(), next_uid_validity=numbers.__next__) for _ in range(2))
    inbox = old.account("bob@a.test").inbox
    old.store.seed(old.account("bob@a.test"), "INBOX", old.store.new_message(b"x"), [])
    carried = new.carry(inbox)
    assert carried is new.carry(inbox)
    assert carried is new.account("bob@a.test").inbox
    assert (carried.uid_validity, carried.uid_next, carried.entries) == (inbox.uid_validity, 2, [])
