"""How mail shares connections: what fails together, what goes together, and who waits for whom."""

from __future__ import annotations

import datetime
import smtplib
import threading
from collections import Counter
from datetime import timedelta

import pytest

from mockmail.config import Settings
from mockmail.core.events import RelayAttempted, Relayed
from mockmail.core.queue import QueueEntry
from mockmail.core.world import World
from mockmail.errors import ConfigurationError
from mockmail.relay.lanes import Lane
from mockmail.relay.outcome import Trial
from mockmail.relay.policy import CONNECTION_LIMIT
from mockmail.relay.routes import Hop
from mockmail.server import MockMail
from support.peer import Peer, Talk


def test_one_failed_connection_is_that_of_all_mail_for_a_hop(network, submit) -> None:
    def leave(talk: Talk) -> None:
        talk.say(b"")

    with Peer(leave) as peer:
        net = network("alice.test", "carol.test")
        alice = net["alice.test"]
        # Two domains of one host: what counts is the host.
        net.mx("one.test", {10: peer.address})
        net.mx("two.test", {10: peer.address})
        net.clock.freeze(net.clock.now())
        for number in range(20):
            submit(alice, f"b@{'one' if number % 2 else 'two'}.test", text=str(number))
        net.clock.advance(seconds=1)
        for attempt in (2, 3, 4):
            before = len(peer.talks)
            net.clock.advance(minutes=30)
            assert len(peer.talks) == before + 1
            assert {waiting.attempts for waiting in alice.queue} == {attempt}
        assert len({waiting.next_attempt for waiting in alice.queue}) == 1
        for waiting in alice.queue:
            assert [one.number for one in waiting.history] == [1, 2, 3, 4]
            assert [one.at for one in waiting.history][1:] == [
                waiting.next_attempt - timedelta(minutes=minutes) for minutes in (90, 60, 30)
            ]
        events = alice.events.of(RelayAttempted)
        per_message = Counter(event.message.subject for event in events)
        assert per_message == Counter({str(number): 4 for number in range(20)})
        assert {(event.recipients, event.reply) for event in events} == {
            (("b@one.test",), "451 4.4.2 the next hop closed the connection"),
            (("b@two.test",), "451 4.4.2 the next hop closed the connection"),
        }


def test_what_fails_together_is_given_up_each_in_its_time(network, submit) -> None:
    net = network("alice.test", "bob.test")
    alice, bob = net["alice.test"], net["bob.test"]
    bob.go_down()
    net.clock.freeze(net.clock.now())
    submit(alice, "early@bob.test")
    net.clock.advance(minutes=10)
    submit(alice, "late@bob.test")
    net.clock.advance(hours=119, minutes=50)
    assert [waiting.recipients for waiting in alice.queue] == [("late@bob.test",)]
    alice.assert_bounced(to="early@bob.test", status="5.4.7")
    net.clock.advance(minutes=10)
    alice.assert_bounced(to="late@bob.test", status="5.4.7")


def test_hosts_of_equal_preference_share_the_mail_message_by_message(network, submit) -> None:
    def shares() -> list[int]:
        with Peer(Talk.serve) as one, Peer(Talk.serve) as two, Peer(Talk.serve) as three:
            net = network("alice.test")
            alice = net["alice.test"]
            addresses = [one.address, two.address, three.address]
            net.mx("bob.test", {10: addresses})
            for number in range(30):
                submit(alice, "b@bob.test", text=str(number))
            net.clock.advance(seconds=1)
            relayed = sorted(alice.events.of(Relayed), key=lambda event: int(event.message.subject))
            return [addresses.index(event.address) for event in relayed]

    first = shares()
    counts = Counter(first)
    assert sum(counts.values()) == 30
    assert min(counts[host] for host in range(3)) >= 4
    assert shares() == first  # as random as it is, it is so in each run


def test_hosts_of_equal_preference_are_all_tried(network, submit) -> None:
    net = network("alice.test", "one.test", "two.test", "three.test")
    alice, *others = net
    net.mx("bob.test", {10: others})
    for server in others:
        server.go_down()
    submit(alice, "b@bob.test")
    net.clock.advance(seconds=1)
    (waiting,) = alice.queue
    assert waiting.attempts == 1
    assert sorted(one.hop for one in waiting.history) == ["one.test", "three.test", "two.test"]


def test_who_is_put_off_is_tried_at_the_next_host_in_the_same_attempt(network, submit) -> None:
    with Peer(Talk.serve) as backup:
        net = network("alice.test", "bob.test")
        alice, bob = net["alice.test"], net["bob.test"]
        net.mx("bob.test", {10: bob, 20: backup.address})
        bob.faults.smtp("RCPT", reply="451 4.7.1 come back later", to="b@bob.test")
        bob.faults.smtp("RCPT", reply="550 5.1.1 never heard of", to="x@bob.test")
        submit(alice, "a@bob.test", "b@bob.test", "x@bob.test")
        net.clock.advance(seconds=1)
        tried = [(event.via, event.attempt, event.recipients) for event in alice.events.of(RelayAttempted)]
        host = f"127.0.0.1:{backup.address[1]}"
        assert tried == [
            ("bob.test", 1, ("a@bob.test", "b@bob.test", "x@bob.test")),
            (host, 1, ("b@bob.test",)),
        ]
        alice.assert_relayed(to="a@bob.test", via="bob.test", attempts=1)
        alice.assert_relayed(to="b@bob.test", via=host, attempts=1)
        alice.assert_bounced(to="x@bob.test", status="5.1.1")


@pytest.mark.parametrize("command", ["MAIL", "DATA", "MESSAGE"])
def test_a_transaction_that_is_put_off_is_tried_at_the_next_host_too(network, submit, command) -> None:
    with Peer(Talk.serve) as backup:
        net = network("alice.test", "bob.test")
        alice, bob = net["alice.test"], net["bob.test"]
        net.mx("bob.test", {10: bob, 20: backup.address})
        bob.faults.smtp(command, reply="451 4.3.0 not now")
        submit(alice, "b@bob.test")
        net.clock.advance(seconds=1)
        assert [event.attempt for event in alice.events.of(RelayAttempted)] == [1, 1]
        assert alice.assert_relayed(to="b@bob.test", attempts=1).address == backup.address


def test_a_message_that_takes_long_holds_up_no_other() -> None:
    release = threading.Event()

    def stuck(talk: Talk) -> None:
        if talk.number > 1:
            talk.serve()
            return
        talk.say(b"220 hello\r\n")
        while line := talk.line():
            if line.startswith(b"MAIL"):
                release.wait(20)
            talk.say(b"250 fine\r\n" if not line.startswith(b"DATA") else b"354 go\r\n")
            if line.startswith(b"DATA"):
                talk.data()
                talk.say(b"250 taken\r\n")

    with Peer(stuck) as peer, MockMail(domains=["a.test"], relay="open", routes={"b.test": peer.address}) as mail:
        with smtplib.SMTP(*mail.smtp.address) as client:
            client.sendmail("s@a.test", ["first@b.test"], "Subject: first\r\n\r\n")
            mail.assert_command("DATA")
            client.sendmail("s@a.test", ["second@b.test"], "Subject: second\r\n\r\n")
        mail.assert_relayed(to="second@b.test", attempts=1)
        mail.assert_queued(to="first@b.test")
        release.set()
        mail.assert_relayed(to="first@b.test", attempts=1)


def test_no_more_connections_than_the_limit() -> None:
    lane = Lane(Hop("b.test", "127.0.0.1", 25))
    now = datetime.datetime.now(datetime.UTC)
    entry = QueueEntry(World(Settings()).store.new_message(b"\r\n"), "s@a.test", "b.test", [], now, now)
    lane.pending.extend([Trial(entry)] * 5)
    lane.talking = CONNECTION_LIMIT - 1
    assert lane.wants_another
    lane.talking += 1
    assert not lane.wants_another
    lane.talking, lane.dialling = 1, 1
    assert not lane.wants_another  # one is on its way
    lane.dialling = 0
    assert not lane.stands_still
    lane.stuck = 1
    assert lane.stands_still


def test_a_preference_without_a_host_is_a_mistake(network) -> None:
    net = network("alice.test")
    with pytest.raises(ConfigurationError, match="no host of preference 10"):
        net.mx("bob.test", {10: []})


def test_one_of_several_that_wait_together_is_tried_sooner(network, submit) -> None:
    net = network("alice.test", "bob.test")
    alice, bob = net["alice.test"], net["bob.test"]
    bob.go_down()
    net.clock.freeze(net.clock.now())
    submit(alice, "a@bob.test")
    submit(alice, "b@bob.test")
    net.clock.advance(seconds=1)
    bob.come_up()
    alice.call(lambda: alice.world.queue.hasten(next(iter(alice.world.queue))))
    net.clock.advance(minutes=10)
    alice.assert_relayed(to="a@bob.test", attempts=2)
    alice.assert_queued(to="b@bob.test", attempts=1)
    net.clock.advance(minutes=20)
    alice.assert_relayed(to="b@bob.test", attempts=2)
