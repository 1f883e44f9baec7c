"""What a failure tells of the way of a message across servers: the whole texts, but for IDs."""

from __future__ import annotations

import datetime
import re
import smtplib

import pytest

from mockmail.server import MockMail

AT = datetime.datetime(2026, 6, 1, 9, tzinfo=datetime.UTC)


@pytest.fixture
def net(network):
    net = network("alice.test", "bob.test")
    net.clock.freeze(AT)
    return net


def failure(call, **criteria) -> str:
    """Without the transcript."""
    with pytest.raises(AssertionError) as caught:
        call(**criteria)
    text = re.sub(r"accepted as \w{22}", "accepted as ID", str(caught.value))
    return text.partition("\n\nTranscript:\n")[0]


def timeline(call, **criteria) -> list[str]:
    """The lines of the timelines, without those before."""
    lines = failure(call, **criteria).splitlines()
    return lines[next(index for index, line in enumerate(lines) if line.startswith("Timeline of ")) :]


def test_a_message_that_waits_asked_of_both_servers(net, submit) -> None:
    alice, bob = net["alice.test"], net["bob.test"]
    bob.go_down()
    submit(alice, "b@bob.test", text="Lunch")
    alice.assert_queued(attempts=1)
    way = [
        "Timeline of 'Lunch':",
        "    09:00:00  alice.test  accepted in smtp-1, from a@alice.test for b@bob.test",
        "    09:00:00  alice.test  attempt 1 at bob.test: 451 4.4.1 connection refused",
        "    09:00:00  alice.test  now: queued for b@bob.test, next attempt at 2026-06-01 09:30:00",
    ]
    assert failure(alice.assert_relayed, to="b@bob.test", timeout=0).splitlines() == [
        "assert_relayed() expected exactly one message relayed; there was none.",
        "    to  'b@bob.test'",
        "",
        "There was no message relayed at all.",
        "",
        "Hints:",
        (
            "  * 'Lunch' is still queued for bob.test after 1 attempt, 451 4.4.1 connection refused;"
            " next attempt at 2026-06-01 09:30:00: move the clock by clock.advance()."
        ),
        "",
        *way,
    ]
    assert failure(bob.assert_delivered, subject="Lunch", timeout=0).splitlines() == [
        "assert_delivered() expected exactly one message delivered; there was none.",
        "    subject  'Lunch'",
        "",
        "There was no message delivered at all.",
        "",
        "Hints:",
        (
            "  * 'Lunch' is still queued at alice.test for bob.test after 1 attempt, 451 4.4.1 connection refused;"
            " next attempt at 2026-06-01 09:30:00: move the clock by clock.advance()."
        ),
        "",
        *way,
    ]
    assert failure(alice.assert_queued, to="b@bob.test", attempts=2, timeout=0).splitlines() == [
        "assert_queued() expected exactly one message queued; there was none.",
        "    to        'b@bob.test'",
        "    attempts  2",
        "",
        "1 message queued:",
        (
            "    09:00:00.000  a@alice.test -> b@bob.test  'Lunch'"
            "  [waits for bob.test: 1 attempt, last 451 4.4.1 connection refused, next at 09:30:00.000]"
        ),
        "",
        (
            "Nearest miss: 09:00:00.000  a@alice.test -> b@bob.test  'Lunch'"
            "  [waits for bob.test: 1 attempt, last 451 4.4.1 connection refused, next at 09:30:00.000]"
        ),
        "  attempts differs:",
        "    expected  2",
        "    was       1",
        "  the rest fits: to",
        "",
        *way,
    ]


def test_from_the_first_attempt_to_the_reader(net, submit) -> None:
    alice, bob = net["alice.test"], net["bob.test"]
    bob.go_down()
    submit(alice, "b@bob.test", text="Lunch")
    alice.assert_queued(attempts=1)
    bob.come_up()
    net.clock.advance(minutes=30)
    bob.account("b@bob.test").inbox.expunge(1)
    assert failure(alice.assert_relayed, to="b@bob.test", attempts=1, timeout=0).splitlines() == [
        "assert_relayed() expected exactly one message relayed; there was none.",
        "    to        'b@bob.test'",
        "    attempts  1",
        "",
        "1 message relayed:",
        (
            "    09:30:00.000  a@alice.test -> b@bob.test  'Lunch'"
            "  [relayed to bob.test at attempt 2: 250 2.6.0 Message accepted as ID]"
        ),
        "",
        (
            "Nearest miss: 09:30:00.000  a@alice.test -> b@bob.test  'Lunch'"
            "  [relayed to bob.test at attempt 2: 250 2.6.0 Message accepted as ID]"
        ),
        "  attempts differs:",
        "    expected  1",
        "    was       2",
        "  the rest fits: to",
        "",
        "Timeline of 'Lunch':",
        "    09:00:00  alice.test  accepted in smtp-1, from a@alice.test for b@bob.test",
        "    09:00:00  alice.test  attempt 1 at bob.test: 451 4.4.1 connection refused",
        "    09:30:00  alice.test  attempt 2 at bob.test: 250 2.6.0 Message accepted as ID",
        "    09:30:00  bob.test    accepted in smtp-1, from a@alice.test for b@bob.test",
        "    09:30:00  bob.test    delivered to b@bob.test",
        "    09:30:00  bob.test    deleted by the test in b@bob.test INBOX",
    ]


def test_many_attempts_and_days_and_the_report(net, submit) -> None:
    net["bob.test"].go_down()
    submit(net["alice.test"], "b@bob.test", text="Lunch")
    net.clock.run_until_idle()
    assert failure(net["alice.test"].assert_bounced, to="b@bob.test", status="5.1.1", timeout=0).splitlines() == [
        "assert_bounced() expected exactly one message bounced; there was none.",
        "    to      'b@bob.test'",
        "    status  '5.1.1'",
        "",
        "1 message bounced:",
        (
            "    09:00:00.000  a@alice.test -> b@bob.test  'Lunch'"
            "  [bounced with 5.4.7 after 241 attempts: 451 4.4.1 connection refused]"
        ),
        "",
        (
            "Nearest miss: 09:00:00.000  a@alice.test -> b@bob.test  'Lunch'"
            "  [bounced with 5.4.7 after 241 attempts: 451 4.4.1 connection refused]"
        ),
        "  status differs:",
        "    expected  '5.1.1'",
        "    was       '5.4.7'",
        "  the rest fits: to",
        "",
        "Timeline of 'Lunch':",
        "    2026-06-01 09:00:00  alice.test  accepted in smtp-1, from a@alice.test for b@bob.test",
        "    2026-06-01 09:00:00  alice.test  attempt 1 at bob.test: 451 4.4.1 connection refused",
        "    ... 7 more attempts, each as this one",
        "    2026-06-01 13:00:00  alice.test  attempt 9 at bob.test: 451 4.4.1 connection refused",
        "    2026-06-01 13:00:00  alice.test  written by the server itself, from <> for a@alice.test",
        "    2026-06-01 13:00:00  alice.test  delivered to a@alice.test",
        "    2026-06-01 13:30:00  alice.test  attempt 10 at bob.test: 451 4.4.1 connection refused",
        "    ... 230 more attempts, each as this one",
        "    2026-06-06 09:00:00  alice.test  attempt 241 at bob.test: 451 4.4.1 connection refused",
        (
            "    2026-06-06 09:00:00  alice.test  given up after 241 attempts for b@bob.test with 5.4.7:"
            " 451 4.4.1 connection refused"
        ),
        "    2026-06-06 09:00:00  alice.test  written by the server itself, from <> for a@alice.test",
        "    2026-06-06 09:00:00  alice.test  delivered to a@alice.test",
    ]


def test_several_recipients_take_several_ways(network, submit) -> None:
    net = network("alice.test", "hub.test")
    net.clock.freeze(AT)
    net.add("bob.test", users={"b@bob.test": "x"})
    net["hub.test"].add_alias("bob@hub.test", "b@bob.test")
    submit(net["alice.test"], "bob@hub.test", "b@bob.test", "no@bob.test", text="Lunch")
    net.clock.advance(seconds=1)
    assert sorted(timeline(net["bob.test"].assert_delivered, subject="Lunch")) == sorted(
        [
            "Timeline of 'Lunch':",
            "    09:00:00  alice.test  accepted in smtp-1, from a@alice.test for bob@hub.test, b@bob.test, no@bob.test",
            "    09:00:00  alice.test  attempt 1 at hub.test for bob@hub.test: 250 2.6.0 Message accepted as ID",
            (
                "    09:00:00  alice.test  attempt 1 at bob.test for b@bob.test, no@bob.test: 550 5.1.1 <no@bob.test>:"
                " no such user here; add it to users=, or set unknown_recipients='create'"
            ),
            "    09:00:00  alice.test  handed over to bob.test for b@bob.test",
            (
                "    09:00:00  alice.test  given up after 1 attempt for no@bob.test with 5.1.1: 550 5.1.1"
                " <no@bob.test>: no such user here; add it to users=, or set unknown_recipients='create'"
            ),
            "    09:00:00  alice.test  written by the server itself, from <> for a@alice.test",
            "    09:00:00  alice.test  delivered to a@alice.test",
            "    09:00:00  hub.test    accepted in smtp-1, from a@alice.test for bob@hub.test",
            "    09:00:00  hub.test    attempt 1 at bob.test for b@bob.test: 250 2.6.0 Message accepted as ID",
            "    09:00:00  bob.test    accepted in smtp-1, from a@alice.test for b@bob.test",
            "    09:00:00  bob.test    accepted in smtp-2, from a@alice.test for b@bob.test",
            "    09:00:00  bob.test    delivered to b@bob.test",
            "    09:00:00  bob.test    delivered to b@bob.test",
        ]
    )


def test_a_doubled_message_shows_which_attempts_doubled_it(net, submit) -> None:
    alice, bob = net["alice.test"], net["bob.test"]
    bob.faults.smtp("MESSAGE", after_bytes=0, times=1)
    submit(alice, "b@bob.test", text="Lunch")
    alice.assert_queued(attempts=1)
    net.clock.advance(minutes=30)
    text = failure(bob.assert_delivered, subject="Lunch")
    assert "The same bytes came more than once: one message was sent again" in text
    assert text.splitlines()[-7:] == [
        "    09:00:00  alice.test  accepted in smtp-1, from a@alice.test for b@bob.test",
        "    09:00:00  alice.test  attempt 1 at bob.test: 451 4.4.2 the next hop closed the connection",
        "    09:00:00  bob.test    accepted in smtp-1, from a@alice.test for b@bob.test",
        "    09:00:00  bob.test    delivered to b@bob.test",
        "    09:30:00  alice.test  attempt 2 at bob.test: 250 2.6.0 Message accepted as ID",
        "    09:30:00  bob.test    accepted in smtp-2, from a@alice.test for b@bob.test",
        "    09:30:00  bob.test    delivered to b@bob.test",
    ]


@pytest.mark.parametrize("method", ["assert_not_relayed", "assert_not_queued", "assert_not_bounced"])
def test_what_should_not_have_been_is_told_too(net, submit, method) -> None:
    alice = net["alice.test"]
    to = {"assert_not_relayed": "b@bob.test", "assert_not_queued": "b@bob.test"}.get(method, "x@nowhere.test")
    if method == "assert_not_queued":
        net["bob.test"].go_down()
    submit(alice, to, text="Lunch")
    net.clock.advance(seconds=1)
    lines = timeline(getattr(alice, method), to=to)
    assert lines[:2] == [
        "Timeline of 'Lunch':",
        f"    09:00:00  alice.test  accepted in smtp-1, from a@alice.test for {to}",
    ]
    assert lines[2].startswith("    09:00:00  alice.test  attempt 1 at ")


def test_over_tls_and_to_somebody_elses_server(submit) -> None:
    with (
        MockMail(tls=True) as partner,
        MockMail(domains=["alice.test"], routes={"p.test": partner.smtp.address}) as mail,
    ):
        mail.clock.freeze(AT)
        submit(mail, "p@p.test", text="Lunch")
        mail.assert_relayed(to="p@p.test")
        assert timeline(mail.assert_queued, to="p@p.test", timeout=0) == [
            "Timeline of 'Lunch':",
            "    09:00:00  alice.test  accepted in smtp-1, from a@alice.test for p@p.test",
            "    09:00:00  alice.test  attempt 1 at {}:{}: 250 2.6.0 Message accepted as ID (by TLSv1.3)".format(
                *partner.smtp.address
            ),
        ]


def test_only_the_newest_messages_are_told_of(net, submit) -> None:
    net["bob.test"].go_down()
    for number in range(5):
        submit(net["alice.test"], "b@bob.test", text=f"Number {number}")
    net.clock.advance(seconds=1)
    text = failure(net["alice.test"].assert_relayed, timeout=0)
    assert re.findall(r"Timeline of '(.*)'", text) == ["Number 2", "Number 3", "Number 4"]
    assert text.endswith("\n\n(2 more messages fit, and came before.)")
    assert re.findall(r"'(.*)' is still queued", text) == ["Number 2", "Number 3", "Number 4"]
    assert "  * So it is with 2 more that came before.\n" in text


def test_mail_that_goes_nowhere_else_has_no_timeline(net) -> None:
    bob = net["bob.test"]
    with smtplib.SMTP(*bob.smtp.address) as client:
        client.sendmail("app@app.test", ["b@bob.test"], "Subject: Lunch\r\n\r\n")
    assert "Timeline" not in failure(bob.assert_not_delivered)
