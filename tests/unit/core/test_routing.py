import pytest

from mockmail.config import Settings
from mockmail.core.routing import Deliver, Refuse, Relay, route
from mockmail.errors import ConfigurationError


@pytest.mark.parametrize(
    ("recipient", "address"),
    [
        ("Bob@Example.test", "bob@example.test"),
        ("bob+shop@example.test", "bob@example.test"),
        ("bob+a+b@example.test", "bob@example.test"),
        ("+bob@example.test", "+bob@example.test"),
        ('"bob+x y"@example.test', '"bob+x y"@example.test'),
        ("Postmaster", "postmaster@localhost"),
        ("new@any.test", "new@any.test"),
    ],
)
def test_everything_is_local_by_default(world, recipient, address):
    assert route(world, recipient) == Deliver(recipient, address)


def test_the_postmaster_is_no_account_that_merely_has_the_name(world):
    """Accounts may have names without a domain, for logins; mail goes to none of them."""
    world.accounts.create("postmaster", created_by="test")
    assert route(world, "postmaster") == Deliver("postmaster", "postmaster@localhost")
    world.accounts.create("postmaster@localhost", created_by="test")
    assert route(world, "Postmaster") == Deliver("Postmaster", "postmaster@localhost")


def test_without_plus_tags_they_are_part_of_the_name(new_world):
    assert route(new_world(plus_tags=False), "bob+x@a.test") == Deliver("bob+x@a.test", "bob+x@a.test")


def test_an_account_of_the_tagged_name_comes_first(world):
    world.accounts.create("bob@a.test", created_by="test")
    world.accounts.create("bob+vip@a.test", created_by="test")
    assert route(world, "bob+vip@a.test").address == "bob+vip@a.test"
    assert route(world, "bob+x@a.test").address == "bob@a.test"


def test_with_users_unknown_recipients_are_refused(new_world):
    world = new_world(users={"bob@a.test": "x"})
    assert route(world, "bob+tag@A.test") == Deliver("bob+tag@A.test", "bob@a.test")
    assert route(world, "postmaster@a.test") == Deliver("postmaster@a.test", "postmaster@a.test")
    refused = route(world, "eve@a.test")
    assert isinstance(refused, Refuse)
    assert (refused.code, refused.status) == (550, "5.1.1")
    assert "unknown_recipients='create'" in refused.text


@pytest.mark.parametrize(
    "domain", ["a.test", "A.TEST", "a.test.", "b\u00fccher.test", "xn--bcher-kva.test", "B\u00dcCHER.test"]
)
@pytest.mark.parametrize("written", ["b\u00fccher.test", "xn--bcher-kva.test", "XN--BCHER-KVA.test"])
def test_domains_are_compared_in_any_spelling(new_world, domain, written):
    world = new_world(domains=["a.test", written])
    assert isinstance(route(world, f"bob@{domain}"), Deliver)


def test_other_domains_are_refused(new_world):
    refused = route(new_world(domains=["a.test"]), "bob@b.test")
    assert isinstance(refused, Refuse)
    assert (refused.code, refused.status) == (550, "5.7.1")
    assert "domains=['a.test']" in refused.text


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("ann@partner.test", True),
        ("ANN@sub.Partner.test", True),
        ("ann@partner.test.evil.test", False),
        ("qa+1@else.test", True),
        ("qa@else.test", False),
    ],
)
def test_whom_mail_may_be_relayed_to(new_world, address, allowed):
    world = new_world(domains=["here.test"], relay="open", relay_allow=[r"/[@.]partner\.test$/", "qa+*@else.test"])
    decision = route(world, address)
    assert isinstance(decision, Relay if allowed else Refuse)
    if not allowed:
        assert "is not one of relay_allow=" in decision.reply


def test_a_wrong_expression_of_whom_mail_may_be_relayed_to():
    with pytest.raises(ConfigurationError, match=r"relay_allow has '/\(/', no regular expression: "):
        Settings(relay_allow=["/(/"])
