"""What a test says of mail that crosses servers, and what it is told when it is wrong."""

from __future__ import annotations

import asyncio
import re

import pytest

from mockmail.errors import ConfigurationError


@pytest.fixture
def net(network):
    return network("alice.test", "bob.test")


def test_the_story_by_assertions(net, submit) -> None:
    alice, bob = net["alice.test"], net["bob.test"]
    bob.go_down()
    submit(alice, "b@bob.test", text="Lunch")
    waiting = alice.assert_queued(to="b@bob.test", attempts=1, subject="Lunch", sender="a@alice.test")
    assert waiting.domain == "bob.test"
    alice.assert_not_relayed()
    bob.come_up()
    net.clock.advance(minutes=30)
    relayed = alice.assert_relayed(to="b@bob.test", attempts=2, via="bob.test")
    assert alice.assert_relayed(via=bob.smtp.address) == alice.relayed()[0] == relayed
    alice.assert_not_queued()
    alice.assert_not_bounced()
    bob.assert_delivered(to="b@bob.test", body="Lunch")


def test_bounces(net, submit) -> None:
    alice = net["alice.test"]
    submit(alice, "x@nowhere.test")
    bounced = alice.assert_bounced(to="x@nowhere.test", status="5.1.2")
    assert alice.bounced(status=re.compile(r"^5\.1\.")) == [bounced]
    assert alice.bounced(status="5.1.1") == []
    alice.assert_delivered(to="a@alice.test", sender="")


def test_both_names_of_an_alias_fit(net, submit) -> None:
    alice = net["alice.test"]
    alice.add_alias("bob@alice.test", "b@bob.test")
    submit(alice, "bob@alice.test")
    assert alice.assert_relayed(to="bob@alice.test") == alice.assert_relayed(to="b@bob.test")


def test_in_coroutines(net, submit) -> None:
    alice, bob = net["alice.test"], net["bob.test"]
    bob.go_down()
    submit(alice, "b@bob.test")

    async def story() -> None:
        await alice.aio.assert_queued(to="b@bob.test", attempts=1)
        bob.come_up()
        await alice.aio.clock.advance(minutes=30)
        await alice.aio.assert_relayed(attempts=2)
        await alice.aio.assert_not_queued()
        await alice.aio.assert_not_bounced()
        assert not await alice.aio.clock.advance_to_next()
        await alice.aio.clock.run_until_idle()
        await alice.aio.clock.freeze(alice.clock.now())
        assert alice.aio.clock.now() == alice.clock.now()

    asyncio.run(story())


def test_a_failure_says_that_it_still_waits_and_for_what(net, submit) -> None:
    alice = net["alice.test"]
    net["bob.test"].go_down()
    submit(alice, "b@bob.test", text="Lunch")
    alice.assert_queued(attempts=1)
    with pytest.raises(AssertionError) as failed:
        alice.assert_relayed(to="b@bob.test", timeout=0)
    text = str(failed.value)
    assert "'Lunch' is still queued for bob.test after 1 attempt, 451 4.4.1 connection refused; next attempt at" in text
    with pytest.raises(AssertionError, match=r"waits for bob.test: 1 attempt, last 451 4.4.1 connection refused, next"):
        alice.assert_queued(attempts=7, timeout=0)


def test_a_failure_says_that_it_bounced_or_was_relayed(net, submit) -> None:
    alice = net["alice.test"]
    submit(alice, "x@nowhere.test", text="Lost")
    alice.assert_bounced()
    with pytest.raises(AssertionError, match=r"'Lost' bounced with 5.1.2: 550 5.1.2 no server of this network"):
        alice.assert_relayed(timeout=0)
    submit(alice, "b@bob.test", text="Gone")
    alice.assert_relayed()
    with pytest.raises(AssertionError, match=r"'Gone' was relayed to bob.test at attempt 1"):
        alice.assert_delivered(to="b@bob.test", timeout=0)


@pytest.mark.parametrize(
    ("criteria", "words"),
    [({"attempts": "2"}, "attempts is '2'; write how many"), ({"via": 7}, "via is 7; write a string")],
)
def test_criteria_that_cannot_be(net, criteria, words) -> None:
    with pytest.raises(ConfigurationError, match=words):
        net["alice.test"].relayed(**criteria)
