import pytest

from mockmail.auth.credentials import LoginRefused, log_in, log_in_as, log_in_with
from mockmail.auth.sasl import Credentials
from mockmail.config import Settings
from mockmail.core.events import LoggedIn, LoginFailed
from mockmail.core.world import World
from mockmail.wire.contract import Link, TLSInfo


def world(**settings) -> World:
    return World(Settings(**settings))


USERS = {"bob@example.test": "secret", "eve@example.test": "other"}


@pytest.mark.parametrize("username", ["bob@example.test", "BOB@Example.TEST", "bob", "Bob"])
def test_users_log_in_by_full_address_or_local_part(username):
    w = world(users=USERS)
    assert log_in(w, Link("imap", "imap-1"), username, "secret", "PLAIN").address == "bob@example.test"
    (event,) = w.journal.of(LoggedIn)
    assert (event.protocol, event.session, event.username) == ("imap", "imap-1", username)
    assert (event.account, event.mechanism, event.tls) == ("bob@example.test", "PLAIN", None)
    assert event.password_checked


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("bob@example.test", "wrong"),
        ("bob@example.test", "other"),
        ("bob@example.test", ""),
        ("bob@example.test", "secret\ud800"),
        ("carol@example.test", "secret"),
        ("carol", "secret"),
        ("bob@else.test", "secret"),
        ("", "secret"),
    ],
)
def test_with_users_nobody_else_logs_in(username, password):
    w = world(users=USERS)
    with pytest.raises(LoginRefused):
        log_in(w, Link("pop3", "pop3-1"), username, password, "USER")
    (event,) = w.journal.of(LoginFailed)
    assert event.username == username
    assert event.reason
    assert "secret" not in event.reason
    assert w.journal.of(LoggedIn) == []
    assert len(w.accounts) == 2


def test_with_users_an_account_made_by_delivery_has_no_login():
    w = world(users=USERS, unknown_recipients="create")
    w.accounts.create("carol@example.test", created_by="delivery")
    with pytest.raises(LoginRefused, match="none of users="):
        log_in(w, Link("pop3", "pop3-1"), "carol@example.test", "x", "USER")


def test_with_users_an_account_added_with_a_password_logs_in():
    w = world(users=USERS)
    w.accounts.create("carol@example.test", password="third", created_by="test")
    assert log_in(w, Link("pop3", "p"), "carol", "third", "USER").address == "carol@example.test"


def test_without_users_any_password_does_and_the_event_says_so():
    w = world()
    assert log_in(w, Link("imap", "i"), "new@example.test", "any", "LOGIN").created_by == "login"
    assert not w.journal.of(LoggedIn)[0].password_checked


@pytest.mark.parametrize(("domains", "domain"), [(None, "localhost"), (["a.test", "b.test"], "a.test")])
def test_without_users_a_local_part_that_fits_none_makes_an_account(domains, domain):
    w = world(domains=domains)
    assert log_in(w, Link("imap", "i"), "bob", "any", "LOGIN").address == f"bob@{domain}"


def test_without_users_a_local_part_finds_the_account_there_is():
    w = world()
    w.accounts.create("bob@example.test", created_by="seed")
    assert log_in(w, Link("imap", "i"), "bob", "any", "LOGIN").address == "bob@example.test"


@pytest.mark.parametrize("users", [None, {"bob@a.test": "x", "bob@b.test": "x"}])
def test_an_ambiguous_local_part_is_refused(users):
    w = world(users=users)
    for address in ("bob@a.test", "bob@b.test"):
        w.accounts.create(address, created_by="seed")
    with pytest.raises(LoginRefused, match=r"bob@a\.test, bob@b\.test"):
        log_in(w, Link("imap", "i"), "bob", "x", "LOGIN")


def test_an_account_with_a_password_takes_only_that_one():
    w = world()
    w.accounts.create("bob@example.test", password="secret", created_by="test")
    with pytest.raises(LoginRefused):
        log_in(w, Link("imap", "i"), "bob@example.test", "any", "LOGIN")
    assert log_in(w, Link("imap", "i"), "bob@example.test", "secret", "LOGIN")
    assert w.journal.of(LoggedIn)[0].password_checked


@pytest.mark.parametrize("username", ["", "@", "a@", "@b", "a b", "a\0b@c", "x" * 400])
def test_no_account_is_made_for_what_is_no_address(username):
    w = world()
    with pytest.raises(LoginRefused):
        log_in(w, Link("imap", "i"), username, "any", "LOGIN")
    assert len(w.accounts) == 0


def test_digests_are_checked_against_the_stored_password():
    w = world(users=USERS)
    assert log_in_with(w, Link("pop3", "p"), "bob", lambda password: password == "secret", "APOP")
    with pytest.raises(LoginRefused):
        log_in_with(w, Link("pop3", "p"), "bob", lambda password: password == "other", "APOP")


def test_a_digest_over_an_unknown_password_is_taken_where_any_password_is():
    w = world()
    assert log_in_with(w, Link("pop3", "p"), "bob", lambda password: False, "APOP")
    assert not w.journal.of(LoggedIn)[0].password_checked


@pytest.mark.parametrize("authorization_id", ["bob", "bob@example.test", "BOB@example.test"])
def test_one_may_act_as_oneself(authorization_id):
    w = world(users=USERS)
    credentials = Credentials("bob@example.test", password="secret", authorization_id=authorization_id)
    assert log_in_as(w, Link("smtp", "s"), credentials, "PLAIN").address == "bob@example.test"


@pytest.mark.parametrize("authorization_id", ["eve", "eve@example.test", "nobody"])
@pytest.mark.parametrize("users", [USERS, None])
def test_one_may_not_act_as_another(authorization_id, users):
    w = world(users=users)
    credentials = Credentials("bob@example.test", password="secret", authorization_id=authorization_id)
    with pytest.raises(LoginRefused):
        log_in_as(w, Link("smtp", "s"), credentials, "PLAIN")
    assert len(w.journal.of(LoginFailed)) == 1


def test_the_event_has_the_version_of_tls():
    w = world()
    link = Link("smtp", "s", tls=TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
    log_in(w, link, "bob", "any", "PLAIN")
    assert w.journal.of(LoggedIn)[0].tls == "TLSv1.3"


def test_the_record_of_a_failed_login_is_short():
    w = world()
    with pytest.raises(LoginRefused):
        log_in(w, Link("imap", "imap-1"), "x" * 10_000, "any", "LOGIN")
    (event,) = w.journal.of(LoginFailed)
    assert event.username == "x" * 320
    assert len(event.reason) == 640
