"""The scenes of the textbook, each step by the assertion that a test would use."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
from datetime import timedelta

from mockmail import MailNetwork, MockMail, RelayAttempted


def send(server: MockMail, *to: str, subject: str, text: str = "At noon?") -> None:
    with smtplib.SMTP(*server.smtp.address) as smtp:
        smtp.login("alice@alice.test", "any")
        smtp.sendmail("alice@alice.test", list(to), f"From: alice@alice.test\r\nSubject: {subject}\r\n\r\n{text}\r\n")


def test_the_story() -> None:
    with MailNetwork("alice.test", "bob.test", "dead.test") as net:
        alice, bob = net["alice.test"], net["bob.test"]

        # Bob's server is down; Alice's keeps what she submits.
        bob.go_down()
        send(alice, "bob@bob.test", subject="Lunch")
        send(alice, "bob@bob.test", subject="Minutes")
        alice.assert_logged_in(account="alice@alice.test", protocol="smtp")
        for subject in ("Lunch", "Minutes"):
            waiting = alice.assert_queued(to="bob@bob.test", subject=subject, attempts=1)
            assert waiting.last_reply == "451 4.4.1 connection refused"
            assert waiting.next_attempt == waiting.queued_at + timedelta(minutes=30)
        alice.assert_not_relayed()

        # The clock moves, but not far enough; then it does, and the server is still down.
        net.clock.advance(minutes=29)
        alice.assert_queued(subject="Lunch", attempts=1)
        net.clock.advance(minutes=1)
        alice.assert_queued(subject="Lunch", attempts=2)
        bob.assert_not_delivered()

        # It comes up, and the next attempt goes through.
        bob.come_up()
        net.clock.advance(minutes=30)
        relayed = alice.assert_relayed(to="bob@bob.test", subject="Lunch", via="bob.test", attempts=3)
        assert relayed.address == bob.smtp.address
        alice.assert_relayed(subject="Minutes", attempts=3)
        alice.assert_not_queued()
        tries = [one for one in alice.events.of(RelayAttempted) if one.message.subject == "Lunch"]
        assert [(one.attempt, one.via, one.reply[:3], one.tls) for one in tries] == [
            (1, "bob.test", "451", None),
            (2, "bob.test", "451", None),
            (3, "bob.test", "250", None),
        ]
        assert all(0 <= one.duration_seconds < 60 for one in tries)
        assert timedelta(minutes=59) < tries[2].at - tries[0].at < timedelta(minutes=61)

        # It arrives with the trace of both servers, and as Alice wrote it.
        message = bob.assert_delivered(to="bob@bob.test", subject="Lunch", sender="alice@alice.test", body="At noon?")
        assert [one.split()[1] for one in message.headers.all("Received")] == ["alice.test", "[127.0.0.1]"]
        assert message.headers.all("Return-Path") == ("<alice@alice.test>",)

        # Bob downloads and deletes by POP3.
        pop = poplib.POP3(*bob.pop3.address)
        pop.user("bob@bob.test")
        pop.pass_("any")
        assert pop.stat()[0] == 2
        assert b"Subject: Lunch" in pop.retr(1)[1]
        pop.dele(1)
        pop.quit()
        bob.assert_fetched(account="bob@bob.test", subject="Lunch", protocol="pop3", part="full")
        bob.assert_deleted(account="bob@bob.test", subject="Lunch")
        bob.assert_not_deleted(subject="Minutes")

        # He reads and files by IMAP; the next session finds it so.
        for visit in (1, 2):
            with imaplib.IMAP4(*bob.imap.address) as imap:
                imap.login("bob@bob.test", "any")
                if visit == 1:
                    imap.create("Projects")
                    imap.select("INBOX")
                    imap.fetch("1", "(BODY[])")
                    imap.uid("MOVE", "2", "Projects")
                else:
                    assert imap.select("Projects")[1] == [b"1"]
                    assert imap.search(None, "SEEN")[1] == [b"1"]
        bob.assert_fetched(account="bob@bob.test", subject="Minutes", protocol="imap")
        bob.assert_moved("Projects", subject="Minutes")
        bob.assert_flagged("seen", account="bob@bob.test", subject="Minutes")

        # A message to a dead domain is late after four hours, and comes back after five days.
        net["dead.test"].go_down()
        mark = alice.mark()
        send(alice, "carol@dead.test", subject="Reunion")
        alice.assert_queued(to="carol@dead.test", attempts=1)
        net.clock.advance(hours=4)
        late = alice.assert_delivered(to="alice@alice.test", sender="", since=mark)
        assert [(one.recipient, one.action) for one in late.report.recipients] == [("carol@dead.test", "delayed")]
        net.clock.advance(days=4, hours=19, minutes=59)
        alice.assert_not_bounced()
        mark = alice.mark()
        net.clock.advance(minutes=1)
        assert alice.assert_bounced(to="carol@dead.test", status="5.4.7").attempts == 241
        alice.assert_not_queued()
        bounce = alice.assert_delivered(to="alice@alice.test", sender="", since=mark, body="Reunion")
        assert [(one.recipient, one.action) for one in bounce.report.recipients] == [("carol@dead.test", "failed")]


def test_three_servers_in_a_row_of_which_the_last_and_then_the_middle_is_down() -> None:
    with MailNetwork("alice.test", "hub.test", "bob.test") as net:
        alice, hub, bob = net
        hub.add_alias("bob@hub.test", "bob@bob.test")
        hub.go_down()
        bob.go_down()
        send(alice, "bob@hub.test", subject="Lunch")
        alice.assert_queued(to="bob@hub.test", attempts=1)
        hub.come_up()
        net.clock.advance(minutes=30)
        alice.assert_relayed(to="bob@hub.test", via="hub.test", attempts=2)
        hub.assert_queued(to="bob@hub.test", attempts=1)
        hub.assert_queued(to="bob@bob.test", sender="alice@alice.test")
        bob.come_up()
        net.clock.advance(minutes=30)
        hub.assert_relayed(to="bob@bob.test", via="bob.test", attempts=2)
        message = bob.assert_delivered(to="bob@bob.test", sender="alice@alice.test")
        assert [one.split()[1] for one in message.headers.all("Received")] == ["hub.test", "alice.test", "[127.0.0.1]"]


def test_a_backup_mx() -> None:
    with MailNetwork("alice.test", "bob.test") as net:
        alice, bob = net["alice.test"], net["bob.test"]
        backup = net.add("backup.test", relay="open")
        net.mx("bob.test", {10: bob, 20: backup})
        bob.go_down()
        send(alice, "bob@bob.test", subject="Lunch")
        alice.assert_relayed(to="bob@bob.test", via="backup.test", attempts=1)
        backup.assert_queued(to="bob@bob.test", attempts=1)
        # The backup does not try itself, though it is among the hosts.
        net.clock.advance(minutes=30)
        backup.assert_queued(to="bob@bob.test", attempts=2)
        assert {one.via for one in backup.events.of(RelayAttempted)} == {"bob.test"}
        bob.come_up()
        net.clock.advance(minutes=30)
        backup.assert_relayed(to="bob@bob.test", via="bob.test", attempts=3)
        assert len(bob.assert_delivered(to="bob@bob.test").headers.all("Received")) == 3
        # With the primary up, the backup gets nothing.
        send(alice, "bob@bob.test", subject="Dinner")
        alice.assert_relayed(subject="Dinner", via="bob.test", attempts=1)
        backup.assert_not_relayed(subject="Dinner")


def test_greylisting() -> None:
    with MailNetwork("alice.test", "bob.test") as net:
        alice, bob = net
        bob.faults.scenario("greylisting")
        send(alice, "bob@bob.test", subject="Lunch")
        assert alice.assert_queued(to="bob@bob.test", attempts=1).last_reply.startswith("451 ")
        bob.assert_rejected(to="bob@bob.test", code=451)
        bob.assert_not_delivered()
        net.clock.advance(minutes=30)
        alice.assert_relayed(to="bob@bob.test", attempts=2)
        bob.assert_delivered(to="bob@bob.test")


def test_a_list_with_a_dead_member() -> None:
    with MailNetwork("alice.test", "lists.test", "bob.test", "dead.test") as net:
        alice, lists, bob, dead = net
        dead.go_down()
        members = ["bob@bob.test", "carol@dead.test", "dave@lists.test"]
        lists.add_list("all@lists.test", members, owner="owner@lists.test")
        send(alice, "all@lists.test", subject="Lunch")
        alice.assert_relayed(to="all@lists.test", via="lists.test")
        lists.assert_relayed(to="bob@bob.test", via="bob.test")
        bob.assert_delivered(to="bob@bob.test", sender="owner@lists.test", from_="alice@alice.test")
        lists.assert_delivered(account="dave@lists.test", subject="Lunch")
        lists.assert_queued(to="carol@dead.test", sender="owner@lists.test")
        net.clock.run_until_idle()
        assert lists.assert_bounced(to="carol@dead.test", status="5.4.7").sender == "owner@lists.test"
        actions = [one.report.recipients[0].action for one in lists.delivered(to="owner@lists.test", sender="")]
        assert actions == ["delayed", "failed"]
        alice.assert_not_delivered(to="alice@alice.test")


def test_a_loop_of_two_forwarding_servers() -> None:
    with MailNetwork("alice.test", "one.test", "two.test") as net:
        alice, one, two = net
        one.add_alias("x@one.test", "x@two.test")
        two.add_alias("x@two.test", "x@one.test")
        send(alice, "x@one.test", subject="Round")
        net.clock.run_until_idle()
        bounced = [event for server in (one, two) for event in server.bounced(status="5.4.6")]
        assert len(bounced) == 1
        assert bounced[0].reply.startswith("554 5.4.6 Mail loop")
        report = alice.assert_delivered(to="alice@alice.test", sender="").report
        assert [told.action for told in report.recipients] == ["failed"]
        for server in net:
            server.assert_not_queued()
