import pytest

from mockmail.auth.mechanisms import MECHANISMS, offered_mechanisms, start_exchange, without_mechanisms
from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import ConfigurationError
from mockmail.wire.contract import Link, TLSInfo

ALWAYS = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256")
PLUS = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS")
BOUND = TLSInfo("TLSv1.2", "c", channel_bindings={"tls-unique": b"x"})
CERTIFIED = TLSInfo("TLSv1.3", "c", "commonName=bob", certified_names=("bob",))
USERS = {"bob@example.test": "secret"}


@pytest.mark.parametrize(
    ("tls", "users", "names"),
    [
        (None, None, set(ALWAYS)),
        (None, USERS, {*ALWAYS, *SCRAM}),
        (BOUND, None, set(ALWAYS)),
        (BOUND, USERS, {*ALWAYS, *SCRAM, *PLUS}),
        (CERTIFIED, None, {*ALWAYS, "EXTERNAL"}),
        (CERTIFIED, USERS, {*ALWAYS, *SCRAM, "EXTERNAL"}),
    ],
)
def test_what_is_offered_depends_on_users_and_tls(tls, users, names):
    offered = offered_mechanisms(World(Settings(users=users)), Link("imap", "imap-1", tls=tls))
    assert offered == tuple(name for name in MECHANISMS if name in names)


def test_an_account_with_a_password_brings_scram():
    world = World(Settings())
    world.accounts.create("a@example.test", created_by="test")
    assert not set(SCRAM).intersection(offered_mechanisms(world, Link("smtp", "s")))
    world.accounts.create("b@example.test", password="x", created_by="test")
    assert set(SCRAM).issubset(offered_mechanisms(world, Link("smtp", "s")))


def test_what_is_hidden_is_hidden_on_that_protocol_alone():
    world = World(Settings(hide={"imap": ["AUTH=PLAIN", "IDLE"]}))
    assert "PLAIN" not in offered_mechanisms(world, Link("imap", "i"))
    assert start_exchange(world, Link("imap", "i"), "PLAIN") is None
    assert "PLAIN" in offered_mechanisms(world, Link("pop3", "p"))
    assert start_exchange(world, Link("pop3", "p"), "plain") is not None


def test_the_minimal_profile_has_the_two_in_plain_text():
    world = World(Settings(profile="minimal", users=USERS))
    assert offered_mechanisms(world, Link("imap", "i", tls=BOUND)) == ("PLAIN", "LOGIN")
    assert start_exchange(world, Link("imap", "i"), "CRAM-MD5") is None
    more = World(Settings(profile="minimal", advertise={"imap": ["AUTH=XOAUTH2"]}))
    assert offered_mechanisms(more, Link("imap", "i")) == ("PLAIN", "LOGIN", "XOAUTH2")
    assert start_exchange(more, Link("imap", "i"), "XOAUTH2") is not None


def test_scram_that_is_advertised_is_shown_though_it_cannot_succeed():
    world = World(Settings(advertise={"smtp": ["AUTH=SCRAM-SHA-256"]}))
    assert "SCRAM-SHA-256" in offered_mechanisms(world, Link("smtp", "s"))


def test_names_of_mechanisms_are_no_capabilities_of_a_protocol():
    assert without_mechanisms(["IDLE", "auth=plain", "AUTH=GSSAPI", "AUTH", "AUTH=LOGIN PLAIN"]) == (
        "IDLE",
        "AUTH",
        "AUTH=LOGIN PLAIN",
    )


@pytest.mark.parametrize("name", ["AUTH=PLANE", "AUTH=DIGEST-MD5"])
def test_to_hide_what_there_is_not_is_an_error(name):
    with pytest.raises(ConfigurationError, match="there are PLAIN, LOGIN"):
        without_mechanisms([name], hidden=True)
