"""Programs that mailing lists and newsletters read bounces with, given the reports of this server."""

import datetime
import email
import email.policy
import os
import smtplib
from collections.abc import Callable
from typing import Any

import pytest
from flufl.bounce import all_failures

from mockmail.core.message import Message
from mockmail.network import MailNetwork
from mockmail.relay.bounce import Reported, compose_report
from mockmail.relay.notify import Action, Outcome

AT = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
ABOUT = Reported(
    content=b"From: alice@alice.test\r\nSubject: Lunch\r\nMessage-ID: <1@alice.test>\r\n\r\nAt noon?\r\n",
    sender="alice@alice.test",
    arrived_at=AT,
)
BOUNCE_PARSER = """
use Mail::DeliveryStatus::BounceParser;
local $/;
my $bounce = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
print "bounce: ", ($bounce->is_bounce ? "yes" : "no"), "\n";
print "message: ", $bounce->orig_message_id, "\n" if $bounce->orig_message_id;
print join(" ", map { $_ // "" } $_->get("email"), $_->get("std_reason"), $_->get("smtp_code"), $_->get("reason")), "\n"
    for $bounce->reports;
"""


def report(action: Action, *recipients: str, status: str = "5.1.1", reply: str = "550 5.1.1 User unknown") -> bytes:
    outcomes = [
        Outcome(
            recipient=recipient,
            action=action,
            status=status,
            reply=reply,
            remote="mx.bob.test",
            remote_spoke=True,
            attempted_at=AT,
        )
        for recipient in recipients
    ]
    return compose_report(ABOUT, outcomes, server="mail.alice.test", report_id="R1", now=AT).raw


# Reports as they come: one for each thing that can be told


@pytest.fixture(scope="module")
def reports() -> dict[Action, Message]:
    """By action, what Alice finds in her mailbox after mail that fails, is late, is delivered, relayed and expanded."""
    with MailNetwork("alice.test") as net:
        alice = net["alice.test"]
        bob = net.add("bob.test", users={"bob@bob.test": "x"}, hide={"smtp": ["DSN"]})
        net.add("dead.test").go_down()
        alice.add_alias("team@alice.test", "carol@alice.test", "bob@bob.test")
        to = ["gone@bob.test", "bob@bob.test", "carol@alice.test", "team@alice.test", "x@dead.test"]
        with smtplib.SMTP(*alice.smtp.address) as smtp:
            smtp.login("alice@alice.test", "any")
            notify = ["NOTIFY=SUCCESS,FAILURE,DELAY"]
            smtp.sendmail("alice@alice.test", to, ABOUT.content, mail_options=["ENVID=L1"], rcpt_options=notify)
        net.clock.advance(hours=4)
        bob.assert_delivered(to="bob@bob.test", account="bob@bob.test")
        return {message.report.recipients[0].action: message for message in alice.account("alice@alice.test").inbox}


TOLD: dict[Action, tuple[str, str, str]] = {
    "failed": ("gone@bob.test", "5.1.1", "It could not be delivered to this recipient:"),
    "delayed": ("x@dead.test", "4.4.1", "It could not be delivered yet to this recipient:"),
    "delivered": ("carol@alice.test", "2.0.0", "It was delivered, as you asked to be told, to the mailbox of"),
    "relayed": ("bob@bob.test", "2.6.0", "It was handed over to the next server, as you asked to be told, for this"),
    "expanded": ("team@alice.test", "2.0.0", "It reached this address, as you asked to be told, and was passed on to"),
}


@pytest.mark.parametrize("action", TOLD)
def test_the_standard_library(reports: dict[Action, Message], action: Action) -> None:
    recipient, status, sentence = TOLD[action]
    read = email.message_from_bytes(reports[action].raw, policy=email.policy.default)
    assert read.defects == []
    assert (read["To"], read["Auto-Submitted"]) == ("alice@alice.test", "auto-replied")
    assert (read.get_content_type(), read.get_param("report-type")) == ("multipart/report", "delivery-status")
    text, fields, returned = read.iter_parts()
    assert sentence in " ".join(text.get_content().split())
    assert f"<{recipient}>" in text.get_content()
    message, *recipients = fields.get_payload()
    assert (message["Reporting-MTA"], message["Original-Envelope-Id"]) == ("dns; alice.test", "L1")
    about = {str(one["Final-Recipient"]): (str(one["Action"]), str(one["Status"])) for one in recipients}
    assert about == {f"rfc822; {recipient}": (action, status)}
    whole = action == "failed"
    assert returned.get_content_type() == ("message/rfc822" if whole else "text/rfc822-headers")
    original = returned.get_content() if whole else email.message_from_string(returned.get_content())
    assert original["Message-ID"] == "<1@alice.test>"


@pytest.mark.parametrize("action", TOLD)
def test_message_report(reports: dict[Action, Message], action: Action) -> None:
    recipient, status, _ = TOLD[action]
    (told,) = reports[action].report.recipients
    assert (told.recipient, told.action, told.status) == (recipient, action, status)


@pytest.mark.parametrize("action", TOLD)
def test_flufl_bounce(reports: dict[Action, Message], action: Action) -> None:
    address = {TOLD[action][0].encode()}
    found = all_failures(email.message_from_bytes(reports[action].raw))
    expected = {"failed": (set(), address), "delayed": (address, set())}.get(action, (set(), set()))
    assert (set(found[0]), set(found[1])) == expected


def test_flufl_bounce_finds_all_recipients() -> None:
    found = all_failures(email.message_from_bytes(report("failed", "bob@bob.test", "carol@bob.test")))
    assert (set(found[0]), set(found[1])) == (set(), {b"bob@bob.test", b"carol@bob.test"})


@pytest.fixture
def bounce_parser(program: Callable[[str], Any]) -> Callable[[bytes], list[str]]:
    perl = program("perl")
    if perl("-MMail::DeliveryStatus::BounceParser", "-e", "1", ok=(0, 2)).returncode:
        missing = "Mail::DeliveryStatus::BounceParser is not installed"
        pytest.fail(missing) if os.environ.get("MOCKMAIL_REQUIRE_PROGRAMS") else pytest.skip(missing)

    def read(raw: bytes) -> list[str]:
        # Mail servers hand mail to programs with the line ends of the system; this one knows no others.
        ran = perl("-e", BOUNCE_PARSER, stdin=raw.replace(b"\r\n", b"\n"))
        lines: list[str] = ran.stdout.decode().splitlines()
        return lines

    return read


def test_bounce_parser_of_perl(bounce_parser: Callable[[bytes], list[str]]) -> None:
    assert bounce_parser(report("failed", "bob@bob.test", "carol@bob.test")) == [
        "bounce: yes",
        "message: <1@alice.test>",
        "bob@bob.test user_unknown 550 550 5.1.1 User unknown",
        "carol@bob.test user_unknown 550 550 5.1.1 User unknown",
    ]


@pytest.mark.parametrize("action", TOLD)
def test_bounce_parser_takes_only_a_failure_for_a_bounce(
    reports: dict[Action, Message], bounce_parser: Callable[[bytes], list[str]], action: Action
) -> None:
    lines = bounce_parser(reports[action].raw)
    if action == "failed":
        assert lines[:2] == ["bounce: yes", "message: <1@alice.test>"]
        assert lines[2].startswith("gone@bob.test user_unknown 550 550 5.1.1 <gone@bob.test>: no such user here")
    else:
        assert lines[0] == "bounce: no"
