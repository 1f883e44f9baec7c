"""Next hops that say nothing: whoever moves the clock does not wait for those of our own network, and not for ever for
others; and no other mail waits for them."""

from __future__ import annotations

import smtplib
import threading
import time
from datetime import timedelta

import pytest

from mockmail.core.events import RelayAttempted
from mockmail.errors import ConfigurationError
from mockmail.server import MockMail
from support.peer import Peer, Talk

TOO_LONG = "451 4.4.2 the next hop took too long"


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "MESSAGE"])
def test_a_server_of_the_network_that_falls_silent_costs_virtual_time_alone(network, submit, command) -> None:
    net = network("alice.test", "bob.test")
    alice, bob = net["alice.test"], net["bob.test"]
    net.clock.freeze(net.clock.now())
    bob.faults.smtp(command, hang=True, times=1)
    began = time.monotonic()
    submit(alice, "b@bob.test", text="one")
    submit(alice, "c@bob.test", text="two")
    net.clock.advance(minutes=20)
    first = alice.events.of(RelayAttempted)
    assert TOO_LONG in {event.reply for event in first}
    net.clock.advance(minutes=60)
    assert not alice.queue
    assert sorted(message.subject for message in bob.messages) == ["one", "two"]
    assert time.monotonic() - began < 60  # the least of those timeouts is two minutes


def test_a_transaction_that_is_stuck_holds_up_no_other(network, submit) -> None:
    net = network("alice.test", "bob.test")
    alice, bob = net["alice.test"], net["bob.test"]
    bob.faults.smtp("RCPT", hang=True, to="stuck@bob.test", times=1)
    net.clock.freeze(net.clock.now())
    submit(alice, "stuck@bob.test")
    for number in range(5):
        submit(alice, f"b{number}@bob.test")
    began = net.clock.now()
    net.clock.advance(seconds=1)
    assert len(bob.messages) == 5
    assert [waiting.recipients for waiting in alice.queue] == [("stuck@bob.test",)]
    net.clock.advance(minutes=10)
    assert alice.queue[0].history[-1].reply == TOO_LONG
    assert timedelta(minutes=5) <= alice.queue[0].history[-1].at - began <= timedelta(minutes=5, seconds=5)
    net.clock.advance(minutes=40)
    alice.assert_relayed(to="stuck@bob.test", attempts=2)


def test_a_server_that_hangs_holds_up_none_that_does_not(network, submit) -> None:
    net = network("alice.test", "bob.test", "carol.test")
    alice = net["alice.test"]
    net["bob.test"].hang()
    submit(alice, "b@bob.test", "c@carol.test")
    net.clock.advance(seconds=1)
    net["carol.test"].assert_delivered(to="c@carol.test")
    alice.assert_queued(to="b@bob.test")


def test_a_foreign_host_that_hangs_has_so_long_in_real_time() -> None:
    release = threading.Event()
    with (
        Peer(lambda talk: release.wait(20) and None) as silent,
        Peer(Talk.serve) as good,
        MockMail(
            domains=["a.test"],
            relay="open",
            routes={"silent.test": silent.address, "good.test": good.address},
            relay_timeout=0.2,
        ) as mail,
    ):
        with smtplib.SMTP(*mail.smtp.address) as client:
            client.sendmail("s@a.test", ["x@silent.test", "y@good.test"], "Subject: x\r\n\r\n")
        mail.clock.advance(seconds=1)
        mail.assert_relayed(to="y@good.test")
        assert mail.assert_queued(to="x@silent.test", attempts=1).last_reply == TOO_LONG
        release.set()


def test_a_foreign_host_that_answers_byte_by_byte_has_no_longer() -> None:
    release = threading.Event()

    def trickle(talk: Talk) -> None:
        for byte in b"220-" + b"x" * 1000:
            talk.say(bytes([byte]))
            if release.wait(0.05):
                return

    with (
        Peer(trickle) as slow,
        MockMail(domains=["a.test"], relay="open", routes={"slow.test": slow.address}, relay_timeout=0.3) as mail,
    ):
        with smtplib.SMTP(*mail.smtp.address) as client:
            client.sendmail("s@a.test", ["x@slow.test"], "Subject: x\r\n\r\n")
        mail.clock.advance(seconds=1)
        assert mail.assert_queued(to="x@slow.test", attempts=1).last_reply == TOO_LONG
        release.set()


@pytest.mark.parametrize("seconds", [-1, "5", True])
def test_what_is_no_time(seconds) -> None:
    with pytest.raises(ConfigurationError, match="relay_timeout is"):
        MockMail(relay_timeout=seconds)
