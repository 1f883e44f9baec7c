"""Reports of delivery: composed, read back, and read by others."""

import datetime
import email
import email.policy
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.message import Envelope
from mockmail.core.queue import Attempt, QueuedRecipient, QueueEntry
from mockmail.core.world import World
from mockmail.mime.parts import parse
from mockmail.mime.report import DeliveryReport, read_report
from mockmail.relay.bounce import Composed, Reported, compose_report, reports_on
from mockmail.relay.notify import Outcome

AT = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
LATER = AT + datetime.timedelta(hours=4)
END = AT + datetime.timedelta(days=5)
CONTENT = (
    b"Received: from client.test by mail.alice.test; Mon, 23 Nov 2026 12:00:00 +0000\r\n"
    b"From: alice@alice.test\r\nTo: bob@bob.test\r\nSubject: Lunch\r\nMessage-ID: <1@alice.test>\r\n\r\nAt noon?\r\n"
)
ABOUT = Reported(content=CONTENT, sender="alice@alice.test", arrived_at=AT, log_id="LOG1")
FAILED = Outcome(
    recipient="bob@bob.test",
    action="failed",
    status="5.1.1",
    reply="550 5.1.1 no such user",
    remote="mx.bob.test",
    remote_spoke=True,
    attempted_at=LATER,
)
DELAYED = replace(
    FAILED,
    action="delayed",
    status="4.4.1",
    reply="451 4.4.1 connection refused",
    remote_spoke=False,
    retry_until=END,
)
RELAYED = replace(FAILED, action="relayed", status="2.0.0", reply="250 2.0.0 queued")


def compose(*outcomes: Outcome, about: Reported = ABOUT) -> Composed:
    return compose_report(about, outcomes, server="mail.alice.test", report_id="R1", now=LATER)


def read(composed: Composed) -> DeliveryReport:
    report = read_report(parse(composed.raw))
    assert isinstance(report, DeliveryReport)
    return report


def test_a_failure_reads_back() -> None:
    composed = compose(FAILED)
    report = read(composed)
    assert report.reporting_mta == "mail.alice.test"
    assert report.arrival_date == AT
    assert report.original_envelope_id == ""
    (recipient,) = report.recipients
    assert (recipient.recipient, recipient.original_recipient) == ("bob@bob.test", "")
    assert (recipient.action, recipient.status) == ("failed", "5.1.1")
    assert (recipient.diagnostic_type, recipient.diagnostic) == ("smtp", "550 5.1.1 no such user")
    assert (recipient.remote_mta, recipient.final_log_id) == ("mx.bob.test", "LOG1")
    assert (recipient.last_attempt_date, recipient.will_retry_until) == (LATER, None)
    assert (report.returned, report.returned_whole) == (CONTENT, True)
    assert composed.mail_options == {}


def test_the_header_of_a_report() -> None:
    message = email.message_from_bytes(compose(FAILED).raw, policy=email.policy.default)
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@mail.alice.test>"
    assert message["To"] == "alice@alice.test"
    assert message["Date"].datetime == LATER
    assert message["Message-ID"] == "<R1@mail.alice.test>"
    assert message["References"] == "<1@alice.test>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["MIME-Version"] == "1.0"
    assert message["Content-Transfer-Encoding"] is None
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"


def test_the_standard_library_reads_it() -> None:
    message = email.message_from_bytes(compose(FAILED).raw, policy=email.policy.default)
    assert not any(part.defects for part in message.walk())
    told, status, returned = message.iter_parts()
    assert told.get_content_type() == "text/plain"
    about_message, about_bob = status.get_payload()
    assert about_message["Reporting-MTA"] == "dns; mail.alice.test"
    assert about_bob["Final-Recipient"] == "rfc822; bob@bob.test"
    assert about_bob["Action"] == "failed"
    assert about_bob["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert returned.get_content_type() == "message/rfc822"
    assert returned.get_content()["Subject"] == "Lunch"


@pytest.mark.parametrize(
    ("outcome", "sentences"),
    [
        pytest.param(
            FAILED,
            'This is the mail server mail.alice.test. It writes about your message "Lunch", which it received on Mon, '
            "23 Nov 2026 12:00:00 +0000. It could not be delivered to this recipient: <bob@bob.test> mx.bob.test said: "
            "550 5.1.1 no such user The server has given up and does not try again. The message is attached.",
            id="failed",
        ),
        pytest.param(
            DELAYED,
            'This is the mail server mail.alice.test. It writes about your message "Lunch", which it received on Mon, '
            "23 Nov 2026 12:00:00 +0000. It could not be delivered yet to this recipient: <bob@bob.test> mx.bob.test "
            "could not be reached: 451 4.4.1 connection refused The server goes on trying until Sat, 28 Nov 2026 "
            "12:00:00 +0000, and tells you if it gives up. You need not send the message again. The header of the "
            "message is attached.",
            id="delayed",
        ),
        pytest.param(
            RELAYED,
            'This is the mail server mail.alice.test. It writes about your message "Lunch", which it received on Mon, '
            "23 Nov 2026 12:00:00 +0000. It was handed over to the next server, as you asked to be told, for this "
            "recipient: <bob@bob.test> mx.bob.test took it: 250 2.0.0 queued That server does not confirm delivery. "
            "Unless delivery fails, you get no other report. The header of the message is attached.",
            id="relayed",
        ),
    ],
)
def test_the_text_says_what_happened_and_what_happens_next(outcome: Outcome, sentences: str) -> None:
    text = read(compose(outcome)).text
    assert " ".join(text.split()) == sentences
    assert max(map(len, text.splitlines())) <= 76


def test_several_recipients_are_one_report() -> None:
    carol = replace(FAILED, recipient="carol@bob.test", status="5.2.2", reply="552 5.2.2 full")
    report = read(compose(FAILED, carol))
    assert [(one.recipient, one.status) for one in report.recipients] == [
        ("bob@bob.test", "5.1.1"),
        ("carol@bob.test", "5.2.2"),
    ]
    assert "these recipients" in report.text
    assert "  <carol@bob.test>\n    mx.bob.test said: 552 5.2.2 full" in report.text


def test_what_this_server_found_out_is_no_reply_of_another() -> None:
    (recipient,) = read(compose(DELAYED)).recipients
    assert (recipient.diagnostic_type, recipient.diagnostic) == ("x-mockmail", "451 4.4.1 connection refused")
    assert recipient.will_retry_until == END


@pytest.mark.parametrize(
    ("outcome", "ret", "whole"),
    [
        (FAILED, None, True),
        (FAILED, "FULL", True),
        (FAILED, "hdrs", False),
        (DELAYED, "FULL", False),
        (RELAYED, "FULL", False),
        (replace(RELAYED, action="delivered"), None, False),
        (replace(RELAYED, action="expanded"), None, False),
    ],
)
def test_what_is_returned(outcome: Outcome, ret: str | None, whole: bool) -> None:
    report = read(compose(outcome, about=replace(ABOUT, mail_options={"RET": ret} if ret else {})))
    assert report.returned_whole is whole
    assert report.returned == (CONTENT if whole else CONTENT.partition(b"\r\n\r\n")[0] + b"\r\n")
    assert ("The message is attached." in report.text) is whole


# RFC 3461 section 10: RET=HDRS ENVID=QQ314159, NOTIFY and ORCPT


def test_the_example_of_rfc_3461() -> None:
    outcome = replace(
        FAILED,
        recipient="Sam@Boondoggle.GOV",
        options={"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;George@Tax-ME.GOV"},
    )
    report = read(compose(outcome, about=replace(ABOUT, mail_options={"ret": "HDRS", "envid": "QQ314159"})))
    assert report.original_envelope_id == "QQ314159"
    (recipient,) = report.recipients
    assert (recipient.original_recipient, recipient.recipient) == ("George@Tax-ME.GOV", "Sam@Boondoggle.GOV")


@pytest.mark.parametrize(
    ("xtext", "plain"),
    [
        ("a+2Bb+3Dc", "a+b=c"),
        ("a+0D+0AX-Evil:+20yes", "a+0D+0AX-Evil:+20yes"),
        ("a+E9", "a+E9"),
        ("+20a", "+20a"),
        ("no=xtext", "no=xtext"),
        ("=?utf-8?q?a?=", "=?utf-8?q?a?="),
    ],
)
def test_xtext_is_decoded_where_it_may_stand_in_a_field(xtext: str, plain: str) -> None:
    outcome = replace(FAILED, options={"ORCPT": f"rfc822;{xtext}"})
    report = read(compose(outcome, about=replace(ABOUT, mail_options={"ENVID": xtext})))
    assert report.original_envelope_id == plain
    assert report.recipients[0].original_recipient == plain
    assert "x-evil" not in report.fields


# Beyond ASCII


def test_a_message_in_8_bits() -> None:
    content = CONTENT.replace(b"noon", "Mittag, Grüße".encode())
    composed = compose(FAILED, about=replace(ABOUT, content=content))
    assert composed.mail_options == {"BODY": "8BITMIME"}
    assert read(composed).returned == content
    message = email.message_from_bytes(composed.raw, policy=email.policy.default)
    assert message["Content-Transfer-Encoding"] == "8bit"
    assert message.get_payload(2)["Content-Transfer-Encoding"] == "8bit"


def test_a_message_in_binary_is_not_returned() -> None:
    report = read(compose(FAILED, about=replace(ABOUT, mail_options={"BODY": "BINARYMIME", "RET": "FULL"})))
    assert not report.returned_whole


def test_a_subject_in_encoded_words_is_told_as_it_reads() -> None:
    content = CONTENT.replace(b"Lunch", b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    composed = compose(FAILED, about=replace(ABOUT, content=content))
    assert '"Grüße"' in read(composed).text
    assert composed.raw.isascii()


UTF8 = replace(
    ABOUT,
    sender="änne@alice.test",
    mail_options={"SMTPUTF8": None},
    content=CONTENT.replace(b"Lunch", "Grüße".encode()),
)


def test_internationalized_mail_is_reported_in_utf_8() -> None:
    outcome = replace(
        FAILED,
        recipient="josé@bob.test",
        options={"ORCPT": "utf-8;jos\\x{E9}\\x{2B}x@bob.test"},
        reply="550 5.1.1 josé: unbekannt",
    )
    composed = compose(outcome, about=UTF8)
    assert composed.mail_options == {"BODY": "8BITMIME", "SMTPUTF8": None}
    assert "To: <änne@alice.test>\r\n".encode() in composed.raw
    assert "Final-Recipient: utf-8; josé@bob.test\r\n".encode() in composed.raw
    types = [part.media_type for part in parse(composed.raw).children]
    assert types == ["text/plain", "message/global-delivery-status", "message/global"]
    (recipient,) = read(composed).recipients
    assert (recipient.recipient, recipient.original_recipient) == ("josé@bob.test", "josé+x@bob.test")
    assert recipient.diagnostic == "550 5.1.1 josé: unbekannt"
    headers = compose(replace(outcome, action="delayed"), about=UTF8)
    assert parse(headers.raw).children[2].media_type == "message/global-headers"


def test_an_internationalized_address_is_escaped_for_a_sender_who_may_not_read_it() -> None:
    outcome = replace(FAILED, recipient="josé@bob.test", reply="550 5.1.1 josé: unbekannt")
    composed = compose(outcome)
    status = parse(composed.raw).children[1]
    assert status.media_type == "message/delivery-status"
    assert status.body.isascii()
    assert b"Final-Recipient: utf-8; jos\\x{E9}@bob.test\r\n" in status.body
    (recipient,) = read(composed).recipients
    assert (recipient.recipient, recipient.diagnostic) == ("josé@bob.test", "550 5.1.1 josé: unbekannt")


def test_mail_that_only_could_have_been_internationalized_is_reported_in_ascii() -> None:
    composed = compose(FAILED, about=replace(ABOUT, mail_options={"SMTPUTF8": None}))
    assert composed.mail_options == {}
    assert parse(composed.raw).children[1].media_type == "message/delivery-status"


@pytest.mark.parametrize("server", ["büro.test", "ä" * 80 + ".test"])
def test_a_server_with_an_internationalized_name(server: str) -> None:
    composed = compose_report(ABOUT, [FAILED], server=server, report_id="R1", now=AT)
    assert composed.raw.isascii()
    assert re.search(rb"From: .*MAILER-DAEMON@(xn--bro-hoa.test|localhost)>", composed.raw)


# Hostile input


def test_a_message_that_has_the_boundary_in_it() -> None:
    content = CONTENT + b"--=_R1\r\n--=_R1_--\r\n"
    report = read(compose(FAILED, about=replace(ABOUT, content=content)))
    assert report.returned == content


@pytest.mark.parametrize(
    "reply", ["550 " + "x" * 5000, "550-one\r\n550 two", "550 a\0\x07b", "550 =?utf-8?q?x?= y", ""]
)
def test_odd_replies(reply: str) -> None:
    composed = compose(replace(FAILED, reply=reply))
    assert max(map(len, composed.raw.split(b"\r\n"))) < 998
    assert b"\0" not in composed.raw
    (recipient,) = read(composed).recipients
    assert recipient.diagnostic[:900] == " ".join(reply.replace("\0\x07", " ").split())[:900]


_MOMENTS = st.datetimes(
    min_value=datetime.datetime(2000, 1, 1), max_value=datetime.datetime(2100, 1, 1), timezones=st.just(datetime.UTC)
).map(lambda at: at.replace(microsecond=0))
_LOCAL = st.text("abc.é+=\\?{}", min_size=1, max_size=12)
_OUTCOMES = st.builds(
    Outcome,
    recipient=_LOCAL.map(lambda local: local + "@bob.test"),
    action=st.just("delayed"),
    status=st.sampled_from(["4.4.1", "4.0.0", "4.7.500"]),
    reply=st.text(max_size=300),
    remote=st.sampled_from(["", "mx.bob.test", "127.0.0.1:2525"]),
    remote_spoke=st.booleans(),
    attempted_at=st.none() | _MOMENTS,
    retry_until=st.none() | _MOMENTS,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_OUTCOMES, min_size=1, max_size=4), st.binary(max_size=200), st.booleans(), st.booleans())
def test_what_is_composed_reads_back(outcomes: list[Outcome], content: bytes, utf8: bool, failed: bool) -> None:
    about = replace(
        ABOUT, content=CONTENT + content if utf8 else content, mail_options={"SMTPUTF8": None} if utf8 else {}
    )
    told = [replace(one, action="failed") for one in outcomes] if failed else outcomes
    composed = compose(*told, about=about)
    report = read(composed)
    assert len(report.recipients) == len(told)
    for outcome, recipient in zip(told, report.recipients, strict=True):
        assert recipient.recipient == outcome.recipient
        assert (recipient.action, recipient.status) == (outcome.action, outcome.status)
        assert recipient.remote_mta == outcome.remote
        assert recipient.last_attempt_date == outcome.attempted_at
        assert recipient.will_retry_until == (None if failed else outcome.retry_until)
        shown = "".join(one if one.isprintable() else " " for one in outcome.reply)
        assert recipient.diagnostic == " ".join(shown.split())
    assert report.returned_whole is failed
    if failed:
        assert report.returned == about.content


# From an entry of the queue


@pytest.fixture
def world() -> World:
    world = World(Settings(domains=["alice.test"]))
    world.clock.freeze(LATER)
    return world


def entry_of(world: World, sender: str = "alice@alice.test", **options: str | None) -> QueueEntry:
    message = world.store.new_message(
        b"Return-Path: <alice@alice.test>\r\n" + CONTENT,
        envelope=Envelope(sender, ("bob@bob.test",), options),
        received_at=AT,
        trace_length=len(b"Return-Path: <alice@alice.test>\r\n"),
    )
    attempt = Attempt(1, LATER, 0.1, "mx.bob.test", None, "550 5.1.1 no such user", "5.1.1")
    return QueueEntry(message, sender, "bob.test", [], AT, END, attempts=[attempt])


def test_reports_of_an_entry(world: World) -> None:
    entry = entry_of(world, ENVID="E1")
    failed = QueuedRecipient("bob@bob.test", "bob@bob.test", {}, "failed", "550 5.1.1 no", "5.1.1", "mx.bob.test", True)
    relayed = QueuedRecipient("c@bob.test", "c@bob.test", {"NOTIFY": "SUCCESS"}, "relayed", "250 ok", "2.0.0")
    silent = QueuedRecipient("d@bob.test", "d@bob.test", {"NOTIFY": "NEVER"}, "failed", "550 no", "5.0.0")
    first, second = reports_on(world, entry, [failed, relayed, silent])
    assert first.raw.startswith(b"Return-Path: <>\r\nFrom: Mail Delivery System <MAILER-DAEMON@alice.test>\r\n")
    assert first.original == first.raw.removeprefix(b"Return-Path: <>\r\n")
    assert (first.sender, first.recipients, first.received_at) == ("", ("alice@alice.test",), LATER)
    assert first.message_id == f"<{first.id}@alice.test>"
    assert isinstance(first.report, DeliveryReport)
    assert isinstance(second.report, DeliveryReport)
    assert [one.recipient for one in first.report.recipients] == ["bob@bob.test"]
    assert first.report.recipients[0].last_attempt_date == LATER
    assert first.report.original_envelope_id == "E1"
    assert first.report.returned == entry.content
    assert [(one.recipient, one.action) for one in second.report.recipients] == [("c@bob.test", "relayed")]


def test_no_report_to_the_null_sender(world: World) -> None:
    failed = QueuedRecipient("bob@bob.test", "bob@bob.test", {"NOTIFY": "FAILURE"}, "failed", "550 no", "5.1.1")
    assert reports_on(world, entry_of(world, sender=""), [failed]) == []


def test_a_report_never_causes_a_report(world: World) -> None:
    failed = QueuedRecipient("bob@bob.test", "bob@bob.test", {}, "failed", "550 no", "5.1.1")
    (report,) = reports_on(world, entry_of(world), [failed])
    back = QueueEntry(report, report.sender, "alice.test", [failed], LATER, END)
    assert reports_on(world, back, [failed]) == []


def test_the_owner_of_a_list_set_no_envelope_id(world: World) -> None:
    entry = entry_of(world, ENVID="E1", RET="HDRS")
    entry.sender = "owner@alice.test"
    failed = QueuedRecipient("bob@bob.test", "list@alice.test", {}, "failed", "550 no", "5.1.1")
    (report,) = reports_on(world, entry, [failed])
    assert report.recipients == ("owner@alice.test",)
    assert isinstance(report.report, DeliveryReport)
    assert report.report.original_envelope_id == ""
    assert report.report.returned_whole
