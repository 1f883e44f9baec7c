import pytest

from mockmail.core.accounts import Accounts, MailboxRefused, canonical_address, canonical_name


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("Bob@Example.TEST", "bob@example.test"),
        ('"bob"@example.test', "bob@example.test"),
        ('"bo b"@example.test', '"bo b"@example.test'),
        ('"b\\ob"@example.test', "bob@example.test"),
        ('"a@b"@example.test', '"a@b"@example.test'),
        ('".bob"@example.test', '".bob"@example.test'),
        ('""@example.test', '""@example.test'),
        ("bob@example.test.", "bob@example.test"),
        ("bob", "bob"),
        ("J\u00f6rg@example.test", "j\u00f6rg@example.test"),
        ("Jo\u0308rg@example.test", "j\u00f6rg@example.test"),
        ("bob@xn--bcher-kva.test", "bob@b\u00fccher.test"),
        ("bob@B\u00fccher.test", "bob@b\u00fccher.test"),
        ("bob@xn--\u00fc.test", "bob@xn--\u00fc.test"),
        ("bob@[127.0.0.1]", "bob@[127.0.0.1]"),
    ],
)
def test_an_address_has_one_form(address, canonical):
    assert canonical_address(address) == canonical
    assert canonical_address(canonical) == canonical


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("inbox", "INBOX"), ("Inbox/a", "INBOX/a"), ("inboxes", "inboxes"), ("a/inbox", "a/inbox"), ("", "")],
)
def test_inbox_is_one_name_in_any_case(name, canonical):
    assert canonical_name(name) == canonical


@pytest.fixture
def account(world):
    return world.accounts.create("bob@example.test", created_by="test")


def test_every_account_has_an_inbox(account):
    assert account.names() == ["INBOX"]
    assert account.mailbox("inbox") is account.inbox
    assert account.subscriptions == {"INBOX"}


def test_create_makes_the_names_above_too(account):
    made = account.create("a/b/c")
    assert account.names() == ["INBOX", "a", "a/b", "a/b/c"]
    assert made is account.mailbox("a/b/c")
    assert account.mailbox("a") is not None
    assert account.has_children("a/b")
    assert not account.has_children("a/b/c")


def test_a_trailing_delimiter_makes_a_place_only(account):
    assert account.create("a/b/") is None
    assert account.names() == ["INBOX", "a", "a/b"]
    assert account.mailbox("a/b") is None
    assert account.create("a/b") is account.mailbox("a/b")


@pytest.mark.parametrize("name", ["", "/", "/a", "a//b", "a//", "a\nb", "a\x7f", "x" * 1001])
def test_names_that_cannot_be(account, name):
    with pytest.raises(MailboxRefused) as caught:
        account.create(name)
    assert caught.value.kind == "invalid"
    assert account.names() == ["INBOX"]


@pytest.mark.parametrize("name", ["INBOX", "inbox", "inbox/", "a", "a/"])
def test_what_exists_is_not_made_again(account, name):
    account.create("a")
    with pytest.raises(MailboxRefused) as caught:
        account.create(name)
    assert caught.value.kind == "exists"


def test_folders_named_for_a_use_have_it(account):
    assert account.create("Sent").special_use == "\\Sent"
    assert account.create("old/Sent").special_use is None
    assert account.create("x", special_use="\\Junk").special_use == "\\Junk"


def test_uidvalidity_rises_when_a_name_comes_again(account):
    first = account.create("a").uid_validity
    gone = account.delete("a")
    assert gone.deleted
    assert account.create("a").uid_validity > first


def test_a_deleted_mailbox_with_names_below_leaves_a_place(account):
    account.create("a/b")
    account.delete("a")
    assert account.names() == ["INBOX", "a", "a/b"]
    assert account.mailbox("a") is None
    with pytest.raises(MailboxRefused) as caught:
        account.delete("a")
    assert caught.value.kind == "has-children"
    account.delete("a/b")
    account.delete("a")
    assert account.names() == ["INBOX"]


@pytest.mark.parametrize(("name", "kind"), [("inbox", "invalid"), ("x", "missing")])
def test_what_cannot_be_deleted(account, name, kind):
    with pytest.raises(MailboxRefused) as caught:
        account.delete(name)
    assert caught.value.kind == kind


def test_rename_takes_all_below_along(account):
    inner = account.create("a/b/c")
    other = account.create("ab")
    account.rename("a", "x/y")
    assert account.names() == ["INBOX", "ab", "x", "x/y", "x/y/b", "x/y/b/c"]
    assert inner.name == "x/y/b/c"
    assert account.mailbox("x/y/b/c") is inner
    assert other.name == "ab"


def test_rename_upwards(account):
    account.create("a/b/c")
    account.rename("a/b", "b")
    assert account.names() == ["INBOX", "a", "b", "b/c"]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("x", "y", "missing"),
        ("a", "inbox", "exists"),
        ("a", "a", "exists"),
        ("a", "a/b", "invalid"),
        ("a", "", "invalid"),
    ],
)
def test_what_cannot_be_renamed(account, old, new, kind):
    account.create("a")
    with pytest.raises(MailboxRefused) as caught:
        account.rename(old, new)
    assert caught.value.kind == kind
    assert account.names() == ["INBOX", "a"]


def test_accounts_are_found_in_any_spelling(world):
    accounts = world.accounts
    made = accounts.create("Bob@Example.test", created_by="test")
    assert made.address == "bob@example.test"
    assert accounts.get('"BOB"@example.test.') is made
    assert accounts.create("BOB@example.test", password="new", created_by="login") is made
    assert (made.password, made.created_by) == ("new", "test")
    assert accounts.get("eve@example.test") is None
    assert len(accounts) == 1
    assert list(accounts) == [made]


def test_local_parts_may_fit_several(world):
    for address in ("bob@a.test", "bob@b.test", "bobby@a.test"):
        world.accounts.create(address, created_by="test")
    assert [account.address for account in world.accounts.of_local_part("Bob")] == ["bob@a.test", "bob@b.test"]
    assert world.accounts.of_local_part("bo") == []


def test_an_empty_accounts_table_is_empty():
    assert len(Accounts(lambda account, name: None)) == 0
