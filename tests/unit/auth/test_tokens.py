from datetime import timedelta

import pytest

from mockmail.auth.tokens import issue_token, owner_of_token, revoke_token, token_flaw
from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import ConfigurationError

BOB = "bob@example.test"


@pytest.fixture
def world():
    return World(Settings())


def test_a_token_is_of_one_account(world):
    bob, eve = world.account(BOB), world.account("eve@example.test")
    token = issue_token(world, bob)
    assert token_flaw(world, bob, token) is None
    assert owner_of_token(world, token) is bob
    assert token_flaw(world, eve, token) == f"the token for eve@example.test was issued to {BOB}"
    assert len({issue_token(world, bob) for _ in range(20)} | {token}) == 21


@pytest.mark.parametrize("expires_in", [60, 60.0, timedelta(minutes=1)])
def test_it_expires_by_the_clock(world, expires_in):
    bob = world.account(BOB)
    world.clock.freeze(world.clock.now())
    token = issue_token(world, bob, expires_in=expires_in)
    world.clock.shift(timedelta(seconds=59))
    assert token_flaw(world, bob, token) is None
    world.clock.shift(timedelta(seconds=1))
    assert "expired at" in str(token_flaw(world, bob, token))


@pytest.mark.parametrize("expires_in", [0, -1, timedelta(days=-1)])
def test_it_may_have_expired_from_the_beginning(world, expires_in):
    bob = world.account(BOB)
    assert "expired at" in str(token_flaw(world, bob, issue_token(world, bob, expires_in=expires_in)))


def test_it_may_never_expire(world):
    bob = world.account(BOB)
    token = issue_token(world, bob, expires_in=None)
    world.clock.shift(timedelta(days=36500))
    assert token_flaw(world, bob, token) is None


@pytest.mark.parametrize("expires_in", ["1h", float("nan"), float("inf"), 1e300, timedelta.max])
def test_what_is_no_time_is_told(world, expires_in):
    with pytest.raises(ConfigurationError, match="write a number of seconds"):
        issue_token(world, world.account(BOB), expires_in=expires_in)


def test_a_revoked_token_is_known_as_such(world):
    bob = world.account(BOB)
    token, other = issue_token(world, bob), issue_token(world, bob)
    revoke_token(bob, token)
    assert token_flaw(world, bob, token) == f"the token of {BOB} was revoked"
    assert token_flaw(world, bob, other) is None


def test_only_its_own_tokens_can_be_revoked_by_an_account(world):
    token = issue_token(world, world.account(BOB))
    with pytest.raises(ConfigurationError, match=r"not issued to eve@example\.test") as caught:
        revoke_token(world.account("eve@example.test"), token)
    assert token not in str(caught.value)


def test_no_text_about_tokens_shows_one(world):
    bob = world.account(BOB)
    token = issue_token(world, bob, expires_in=0)
    assert token not in str(token_flaw(world, bob, token))
    assert "made-up" not in str(token_flaw(world, bob, "made-up"))
