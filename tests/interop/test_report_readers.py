"""Programs that mailing lists and newsletters read bounces with, given the reports of this server."""

import datetime
import email
import os
from collections.abc import Callable
from typing import Any

import pytest
from flufl.bounce import all_failures

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


@pytest.mark.parametrize(
    ("raw", "temporary", "permanent"),
    [
        (report("failed", "bob@bob.test", "carol@bob.test"), set(), {b"bob@bob.test", b"carol@bob.test"}),
        (report("delayed", "bob@bob.test", status="4.4.1", reply="451 4.4.1 refused"), {b"bob@bob.test"}, set()),
        (report("relayed", "bob@bob.test", status="2.0.0", reply="250 ok"), set(), set()),
    ],
    ids=["failed", "delayed", "relayed"],
)
def test_flufl_bounce(raw: bytes, temporary: set[bytes], permanent: set[bytes]) -> None:
    found = all_failures(email.message_from_bytes(raw))
    assert (set(found[0]), set(found[1])) == (temporary, permanent)


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


def test_bounce_parser_takes_a_delay_for_no_bounce(bounce_parser: Callable[[bytes], list[str]]) -> None:
    delayed = report("delayed", "bob@bob.test", status="4.4.1", reply="451 4.4.1 refused")
    assert bounce_parser(delayed)[0] == "bounce: no"
