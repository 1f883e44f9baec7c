"""Reports on their way: what a sender who asked gets to read, and where."""

import smtplib
from collections.abc import Callable, Mapping

import pytest

from mockmail import DeliveryReport, MockMail
from mockmail.config import Settings
from mockmail.core.events import Actor
from mockmail.core.message import Envelope, Message
from mockmail.core.queue import QueuedRecipient, QueueEntry
from mockmail.core.routing import Refuse, route
from mockmail.core.world import World
from mockmail.relay.reporting import send_reports

SUCCESS = {"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;asked@alice.test"}
RAW = b"Subject: Lunch\r\nMessage-ID: <1@alice.test>\r\n\r\nAt noon?\r\n"


@pytest.fixture
def world() -> World:
    world = World(Settings(domains=["alice.test"]))
    world.queue.reporter = send_reports
    world.aliases.add_alias("one@alice.test", ["bob@alice.test"])
    world.aliases.add_alias("away@alice.test", ["bob@far.test"])
    world.aliases.add_alias("both@alice.test", ["bob@alice.test", "bob@far.test"])
    world.aliases.add_list("list@alice.test", ["bob@alice.test", "bob@far.test"], owner="owner@alice.test")
    return world


@pytest.fixture
def accept(world: World) -> Callable[..., Message]:
    def accept(
        *recipients: str, sender: str = "alice@alice.test", options: Mapping[str, str | None] = SUCCESS
    ) -> Message:
        message = world.store.new_message(
            RAW, envelope=Envelope(sender, recipients, {}, dict.fromkeys(recipients, options))
        )
        decisions = []
        for recipient in recipients:
            decision = route(world, recipient, authenticated=True)
            assert not isinstance(decision, Refuse)
            decisions.append(decision)
        world.store.accept(message, decisions, Actor("smtp", "smtp-1"), received=b"Received: from alice.test\r\n")
        return message

    return accept


def inbox(world: World, address: str) -> list[Message]:
    account = world.accounts.get(address)
    return [] if account is None else [entry.message for entry in account.inbox.entries]


def told(world: World, address: str = "alice@alice.test") -> list[tuple[str, str]]:
    reports = [message.report for message in inbox(world, address)]
    assert all(isinstance(report, DeliveryReport) for report in reports)
    return [
        (one.action, one.recipient)
        for report in reports
        if isinstance(report, DeliveryReport)
        for one in report.recipients
    ]


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("bob@alice.test", [("delivered", "bob@alice.test")]),
        ("bob+tag@alice.test", [("delivered", "bob+tag@alice.test")]),
        ("one@alice.test", [("delivered", "bob@alice.test")]),
        ("away@alice.test", []),
        ("both@alice.test", [("expanded", "both@alice.test")]),
        ("list@alice.test", [("delivered", "list@alice.test")]),
        ("bob@far.test", []),
    ],
)
def test_success_is_told_who_asked(
    world: World, accept: Callable[..., Message], recipient: str, expected: list[tuple[str, str]]
) -> None:
    accept(recipient)
    assert told(world) == expected


def test_the_report_names_what_was_asked_and_has_the_header(world: World, accept: Callable[..., Message]) -> None:
    message = accept("bob@alice.test")
    (report,) = inbox(world, "alice@alice.test")
    assert (report.sender, report.recipients) == ("", ("alice@alice.test",))
    parsed = report.report
    assert isinstance(parsed, DeliveryReport)
    assert (parsed.recipients[0].original_recipient, parsed.recipients[0].status) == ("asked@alice.test", "2.0.0")
    assert parsed.returned_headers["Message-ID"] == message.message_id
    assert not parsed.returned_whole


def test_recipients_of_one_message_are_told_of_together(world: World, accept: Callable[..., Message]) -> None:
    accept("bob@alice.test", "carol@alice.test", "both@alice.test")
    assert len(inbox(world, "alice@alice.test")) == 2
    assert told(world) == [
        ("delivered", "bob@alice.test"),
        ("delivered", "carol@alice.test"),
        ("expanded", "both@alice.test"),
    ]


@pytest.mark.parametrize("options", [{}, {"NOTIFY": "NEVER"}, {"NOTIFY": "FAILURE,DELAY"}])
def test_nothing_is_told_who_did_not_ask(
    world: World, accept: Callable[..., Message], options: Mapping[str, str | None]
) -> None:
    accept("bob@alice.test", "both@alice.test", "list@alice.test", options=options)
    assert told(world) == []


def test_the_null_sender_is_told_nothing(world: World, accept: Callable[..., Message]) -> None:
    accept("bob@alice.test", sender="")
    assert len(list(world.accounts)) == 1


def test_a_sender_elsewhere_is_told_by_the_queue(world: World, accept: Callable[..., Message]) -> None:
    accept("bob@alice.test", sender="eve@far.test")
    (entry,) = world.queue
    assert (entry.sender, entry.domain) == ("", "far.test")
    assert [recipient.address for recipient in entry.recipients] == ["eve@far.test"]
    assert isinstance(entry.message.report, DeliveryReport)


@pytest.mark.parametrize(
    ("recipient", "options"),
    [
        ("bob@far.test", SUCCESS),
        ("away@alice.test", SUCCESS),
        ("both@alice.test", SUCCESS | {"NOTIFY": "FAILURE"}),
        ("list@alice.test", {}),
    ],
)
def test_what_is_asked_of_the_next_hop(
    world: World, accept: Callable[..., Message], recipient: str, options: Mapping[str, str]
) -> None:
    accept(recipient)
    (entry,) = world.queue
    assert [one.options for one in entry.recipients] == [options]


def test_a_failure_is_told_to_the_sender(world: World, accept: Callable[..., Message]) -> None:
    accept("bob@far.test")
    (entry,) = world.queue
    entry.recipients = [
        QueuedRecipient("bob@far.test", "bob@far.test", {}, "failed", "550 5.1.1 no such user", "5.1.1", "mx", True),
        QueuedRecipient("carol@far.test", "carol@far.test", {}, "waiting", "451 4.3.0 later", "4.3.0", "mx", True),
    ]
    send_reports(world, entry, entry.recipients[:1])
    assert told(world) == [("failed", "bob@far.test")]
    send_reports(world, entry, entry.waiting)
    assert told(world)[1:] == [("delayed", "carol@far.test")]


def test_a_report_to_nobody_is_dropped() -> None:
    world = World(Settings(users={"bob@alice.test": "secret"}))
    message = world.store.new_message(RAW, envelope=Envelope("nobody@alice.test"))
    failed = QueuedRecipient("b@far.test", "b@far.test", {}, "failed", "550 no", "5.0.0")
    now = world.clock.now()
    send_reports(world, QueueEntry(message, message.sender, "far.test", [failed], now, now))
    assert [account.address for account in world.accounts] == ["bob@alice.test"]
    assert len(world.queue) == 0


def test_a_client_that_asks_reads_that_its_mail_was_delivered() -> None:
    with MockMail() as mail:
        with smtplib.SMTP(*mail.smtp.address) as client:
            client.sendmail(
                "alice@alice.test", ["bob@bob.test"], RAW, ["ENVID=QQ314159", "RET=HDRS"], ["NOTIFY=SUCCESS"]
            )
        message = mail.assert_delivered(to="alice@alice.test", sender="", subject="Mail delivered")
        report = message.report
        assert isinstance(report, DeliveryReport)
        assert report.original_envelope_id == "QQ314159"
        assert [(one.recipient, one.action) for one in report.recipients] == [("bob@bob.test", "delivered")]
        assert mail.account("alice@alice.test").inbox[0].text.startswith("This is the mail server localhost.")


@pytest.mark.parametrize("trace_headers", [True, False])
def test_who_sends_by_smtp_is_told_with_trace_headers_and_without(trace_headers):
    with MockMail(trace_headers=trace_headers) as mail, smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.sendmail("alice@alice.test", ["bob@alice.test"], RAW, rcpt_options=["NOTIFY=SUCCESS"])
        report = mail.assert_delivered(to="alice@alice.test").report
    assert isinstance(report, DeliveryReport)
    assert [(one.action, one.recipient) for one in report.recipients] == [("delivered", "bob@alice.test")]
