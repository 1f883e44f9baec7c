"""Mail that crosses servers: waits, is retried, takes another way, and bounces."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import pytest

from mockmail.core.events import Bounced, RelayAttempted, Relayed
from mockmail.errors import ConfigurationError
from mockmail.server import MockMail


def subjects(server: MockMail, account: str) -> list[str]:
    return [message.subject for message in server.account(account).inbox]


def test_mail_waits_for_a_server_that_is_down_and_goes_when_it_is_back(network, submit) -> None:
    net = network("alice.test", "bob.test")
    alice, bob = net["alice.test"], net["bob.test"]
    port = bob.smtp.port
    bob.go_down()
    submit(alice, "b@bob.test")
    net.clock.advance(seconds=1)
    (waiting,) = alice.queue
    assert (waiting.recipients, waiting.attempts) == (("b@bob.test",), 1)
    assert waiting.last_reply == "451 4.4.1 connection refused"
    assert waiting.next_attempt == waiting.queued_at + timedelta(minutes=30)
    net.clock.advance(minutes=29)
    assert alice.queue[0].attempts == 1
    bob.come_up()
    assert bob.smtp.port == port
    net.clock.advance(minutes=1)
    assert list(alice.queue) == []
    (relayed,) = alice.events.of(Relayed)
    assert (relayed.recipients, relayed.attempts, relayed.via) == (("b@bob.test",), 2, "bob.test")
    (message,) = bob.messages
    assert len(message.headers.all("Received")) == 2
    assert message.headers.all("Return-Path") == ("<a@alice.test>",)


def test_mail_to_a_dead_domain_is_reported_late_and_bounces_after_five_days(network, submit) -> None:
    net = network("alice.test", "bob.test")
    alice, bob = net["alice.test"], net["bob.test"]
    bob.go_down()
    submit(alice, "b@bob.test")
    began = net.clock.now()
    net.clock.advance(hours=4)
    assert subjects(alice, "a@alice.test") == ["Delayed mail, still being tried"]
    net.clock.run_until_idle()
    assert timedelta(days=5) - timedelta(seconds=5) <= net.clock.now() - began <= timedelta(days=5, seconds=5)
    (bounced,) = alice.events.of(Bounced)
    assert (bounced.status, bounced.reply) == ("5.4.7", "451 4.4.1 connection refused")
    assert bounced.attempts == len(alice.events.of(RelayAttempted)) == 241
    report = alice.account("a@alice.test").inbox[-1]
    assert report.sender == ""
    assert [(one.recipient, one.action) for one in report.report.recipients] == [("b@bob.test", "failed")]


def test_three_servers_in_a_row(network, submit) -> None:
    net = network("alice.test", "hub.test", "bob.test")
    net["hub.test"].add_alias("bob@hub.test", "b@bob.test")
    submit(net["alice.test"], "bob@hub.test")
    net.clock.advance(minutes=1)
    (message,) = net["bob.test"].messages
    assert len(message.headers.all("Received")) == 3
    assert message.sender == "a@alice.test"
    (relayed,) = net["hub.test"].events.of(Relayed)
    assert (relayed.recipients, relayed.addresses) == (("bob@hub.test",), ("b@bob.test",))


def test_a_backup_takes_mail_while_the_primary_is_down_and_hands_it_over(network, submit) -> None:
    net = network("alice.test", "backup.test", "bob.test")
    backup = net.add("mx2.test", relay="open")
    bob = net["bob.test"]
    net.mx("bob.test", {10: bob, 20: backup})
    bob.go_down()
    submit(net["alice.test"], "b@bob.test")
    net.clock.advance(seconds=1)
    tried = [(event.via, event.attempt) for event in net["alice.test"].events.of(RelayAttempted)]
    assert tried == [("bob.test", 1), ("mx2.test", 1)]
    assert len(backup.queue) == 1
    bob.come_up()
    net.clock.advance(minutes=30)
    assert len(bob.messages) == 1
    assert not backup.queue


def test_greylisting(network, submit) -> None:
    net = network("alice.test", "bob.test")
    net["bob.test"].faults.smtp("RCPT", reply="451 4.7.1 Try again later", times=1)
    submit(net["alice.test"], "b@bob.test")
    net.clock.advance(seconds=1)
    assert net["alice.test"].queue[0].last_reply == "451 4.7.1 Try again later"
    net.clock.advance_to_next()
    assert len(net["bob.test"].messages) == 1
    assert net["alice.test"].events.of(Relayed)[0].attempts == 2


def test_what_is_refused_for_good_bounces_at_once_and_only_for_whom_it_was(network, submit) -> None:
    net = network("alice.test")
    bob = net.add("bob.test", users={"b@bob.test": "x"})
    submit(net["alice.test"], "b@bob.test", "nobody@bob.test")
    net.clock.advance(seconds=1)
    assert [message.recipients for message in bob.messages] == [("b@bob.test",)]
    (bounced,) = net["alice.test"].events.of(Bounced)
    assert (bounced.recipients, bounced.status, bounced.via) == (("nobody@bob.test",), "5.1.1", "bob.test")
    report = net["alice.test"].account("a@alice.test").inbox[0].report
    assert [one.recipient for one in report.recipients] == ["nobody@bob.test"]


def test_a_dead_member_of_a_list_is_reported_to_its_owner(network, submit) -> None:
    net = network("alice.test", "list.test")
    net.add("bob.test", users={"b@bob.test": "x"})
    lists, bob = net["list.test"], net["bob.test"]
    lists.add_list("all@list.test", ["b@bob.test", "gone@bob.test", "c@list.test"], owner="owner@list.test")
    submit(net["alice.test"], "all@list.test")
    net.clock.advance(seconds=1)
    assert bob.messages[0].sender == "owner@list.test"
    assert lists.account("c@list.test").inbox[0].headers["Return-Path"] == "<owner@list.test>"
    assert subjects(lists, "owner@list.test") == ["Undelivered mail returned to sender"]
    assert subjects(net["alice.test"], "a@alice.test") == []


def test_a_loop_of_forwarding_servers_ends_in_a_bounce(network, submit) -> None:
    net = network("alice.test", "one.test", "two.test")
    net["one.test"].add_alias("x@one.test", "x@two.test")
    net["two.test"].add_alias("x@two.test", "x@one.test")
    submit(net["alice.test"], "x@one.test")
    net.clock.run_until_idle()
    assert subjects(net["alice.test"], "a@alice.test") == ["Undelivered mail returned to sender"]
    (bounced,) = [event for server in net for event in server.events.of(Bounced)]
    assert bounced.status == "5.4.6"
    assert "came through one.test more than 10 times" in bounced.reply


def test_nobody_is_told_of_a_bounce_of_a_bounce(network, submit) -> None:
    net = network("alice.test", "bob.test")
    submit(net["alice.test"], "x@nowhere.test", sender="")
    net.clock.run_until_idle()
    assert len(net["alice.test"].events.of(Bounced)) == 1
    assert list(net["alice.test"].messages) == []


def test_a_hung_server_costs_virtual_time_alone(network, submit) -> None:
    net = network("alice.test", "bob.test")
    bob = net["bob.test"]
    bob.hang()
    submit(net["alice.test"], "b@bob.test")
    net.clock.advance(minutes=6)
    assert net["alice.test"].queue[0].last_reply == "451 4.4.2 the next hop took too long"
    bob.come_up()
    net.clock.advance(minutes=30)
    assert len(bob.messages) == 1


def test_mail_for_a_server_of_the_network_that_was_stopped_waits_for_it(network, submit) -> None:
    net = network("alice.test", "bob.test")
    alice, bob = net["alice.test"], net["bob.test"]
    bob.stop()
    submit(alice, "b@bob.test")
    assert alice.assert_queued(attempts=1).last_reply == "451 4.4.1 bob.test is stopped, or has no smtp_port"
    backup = net.add("backup.test", relay="open")
    net.mx("bob.test", {10: bob, 20: backup})
    net.clock.advance(minutes=30)
    alice.assert_relayed(via="backup.test", attempts=2)
    bob.start()
    net.clock.advance(minutes=30)
    bob.assert_delivered(to="b@bob.test")


def test_null_mx_and_domains_that_nobody_has(network, submit) -> None:
    net = network("alice.test")
    net.mx("none.test", {})
    submit(net["alice.test"], "x@none.test", "x@nowhere.test")
    net.clock.advance(seconds=1)
    assert {event.status for event in net["alice.test"].events.of(Bounced)} == {"5.1.10", "5.1.2"}


def test_who_may_send_elsewhere(network, submit) -> None:
    net = network("alice.test", "bob.test")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        submit(net["alice.test"], "b@bob.test", login=False)
    code, text = refused.value.recipients["b@bob.test"]
    assert code == 550
    assert text.startswith(b"5.7.1 ")
    closed = net.add("closed.test", relay="none")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        submit(closed, "b@bob.test")
    submit(net.add("open.test", relay="open"), "b@bob.test", login=False)
    net.clock.advance(seconds=1)
    assert len(net["bob.test"].messages) == 1


def test_a_single_server_relays_by_its_routes_and_keeps_what_has_none(submit) -> None:
    with MockMail() as partner:
        routes = {"partner.test": partner.smtp.address}
        with MockMail(domains=["alice.test"], routes=routes) as mail:
            submit(mail, "p@partner.test", "x@else.test")
            mail.clock.advance(seconds=1)
            assert len(partner.messages) == 1
            (waiting,) = mail.queue
            assert waiting.last_reply == "451 4.4.4 no route; set routes="
            assert mail.events.of(Relayed)[0].via == "{}:{}".format(*partner.smtp.address)


def test_a_smarthost_gets_everything_with_the_login(submit) -> None:
    with MockMail(users={"relay@hub.test": "p@ss"}, require_auth=True, unknown_recipients="create") as hub:
        host, port = hub.smtp.address
        with MockMail(domains=["alice.test"], smarthost=f"smtp://relay%40hub.test:p%40ss@{host}:{port}") as mail:
            submit(mail, "x@one.test", "y@two.test")
            mail.clock.advance(seconds=1)
            (message,) = hub.messages
            assert message.recipients == ("x@one.test", "y@two.test")


def test_a_schedule_of_ones_own(submit) -> None:
    delays = [timedelta(minutes=1), timedelta(hours=1)]
    with MockMail(domains=["alice.test"], routes={"b.test": ("127.0.0.1", 1)}, retry_schedule=delays) as mail:
        submit(mail, "x@b.test")
        began = mail.clock.now()
        mail.clock.run_until_idle()
        assert [round((event.at - began).total_seconds() / 60) for event in mail.events.of(RelayAttempted)] == [
            0,
            1,
            61,
        ]
        assert mail.events.of(Bounced)[0].attempts == 3


def test_a_reset_forgets_the_queue_and_ends_an_outage(network, submit) -> None:
    net = network("alice.test", "bob.test")
    net["bob.test"].go_down()
    submit(net["alice.test"], "b@bob.test")
    for server in net:
        server.reset()
    net.clock.run_until_idle()
    assert not net["alice.test"].queue
    submit(net["alice.test"], "b@bob.test")
    net.clock.advance(seconds=1)
    assert len(net["bob.test"].messages) == 1


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda mail: mail.add_alias("x@alice.test", "x@alice.test"), "leads only to itself"),
        (lambda mail: mail.add_alias("b@alice.test", "c@alice.test"), "b@alice.test -> c@alice.test -> b@alice.test"),
        (lambda mail: mail.add_alias("x@else.test", "y@alice.test"), "else.test is no domain of this server"),
        (lambda mail: mail.add_alias("x", "y@alice.test"), "'x' is no full address"),
        (lambda mail: mail.add_alias("x@alice.test"), "has no target"),
        (lambda mail: mail.add_list("l@alice.test", "m@alice.test", owner="o@alice.test"), "members is the string"),
        (lambda mail: mail.add_list("l@alice.test", [], owner="o@alice.test"), "has no members"),
        (lambda mail: mail.add_list("l@alice.test", ["l@alice.test"], owner="o@alice.test"), "a member of itself"),
        (lambda mail: mail.add_list("l@alice.test", ["m@alice.test"], owner="l@alice.test"), "its own owner"),
        (lambda mail: mail.add_list("c@alice.test", ["m@alice.test"], owner="o@alice.test"), "is an alias already"),
    ],
)
def test_names_that_could_never_be_delivered_raise_when_they_are_set(add, words) -> None:
    with MockMail(domains=["alice.test"]) as mail:
        mail.add_alias("c@alice.test", "b@alice.test")
        with pytest.raises(ConfigurationError, match=words):
            add(mail)


def test_an_alias_can_keep_a_copy_and_a_catch_all_gets_the_rest(network, submit) -> None:
    net = network("alice.test", "bob.test")
    mail = net.add("c.test", users={"boss@c.test": "x", "rest@c.test": "x"})
    mail.add_alias("boss@c.test", "boss@c.test", "b@bob.test")
    mail.set_catch_all("rest@c.test")
    submit(net["alice.test"], "boss+x@c.test", "who@c.test")
    net.clock.advance(seconds=1)
    assert len(mail.account("boss@c.test").inbox) == len(mail.account("rest@c.test").inbox) == 1
    assert len(net["bob.test"].messages) == 1
