"""Reading reports: the examples of the RFCs, what servers in use send, and damage."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockmail.mime.parts import parse
from mockmail.mime.report import AbuseReport, DeliveryReport, Disposition, DispositionReport, read_report

UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=-4))
RETURNED = "From: alice@alice.test\nMessage-ID: <1@alice.test>\nSubject: Lunch\n\nAt noon?\n"


def report_of(
    fields: str,
    *,
    kind: str = "delivery-status",
    media_type: str = "",
    told: str = "It could not be delivered.",
    returned: str | None = RETURNED,
    returned_type: str = "message/rfc822",
    line_end: str = "\r\n",
) -> bytes:
    parts = [
        f"\n{told}\n",
        f"Content-Type: {media_type or f'message/{kind}'}\n\n{fields}",
    ]
    if returned is not None:
        parts.append(f"Content-Type: {returned_type}\n\n{returned}")
    content = "".join(f"--=_b\n{part}\n" for part in parts) + "--=_b--\n"
    head = (
        "From: MAILER-DAEMON@mx.test\nTo: alice@alice.test\nSubject: Report\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={kind};\n boundary="=_b"\n\n'
    )
    return (head + content).replace("\n", line_end).encode()


def delivery(raw: bytes) -> DeliveryReport:
    report = read_report(parse(raw))
    assert isinstance(report, DeliveryReport)
    return report


def rows(report: DeliveryReport) -> list[tuple[str, str, str, str, str]]:
    return [(one.recipient, one.action, one.status, one.diagnostic, one.remote_mta) for one in report.recipients]


# RFC 3464 appendix E

SIMPLE = """\
Reporting-MTA: dns; cs.utk.edu

Original-Recipient: rfc822;louisl@larry.slip.umd.edu
Final-Recipient: rfc822;louisl@larry.slip.umd.edu
Action: failed
Status: 4.0.0
Diagnostic-Code: smtp; 426 connection timed out
Last-Attempt-Date: Thu, 7 Jul 1994 17:15:49 -0400
"""

SEVERAL = """\
Reporting-MTA: dns; cs.utk.edu

Original-Recipient: rfc822;arathib@vnet.ibm.com
Final-Recipient: rfc822;arathib@vnet.ibm.com
Action: failed
Status: 5.0.0 (permanent failure)
Diagnostic-Code: smtp;  550 'arathib@vnet.IBM.COM' is not a
 registered gateway user
Remote-MTA: dns; vnet.ibm.com

Original-Recipient: rfc822;johnh@hpnjld.njd.hp.com
Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com
Action: delayed
Status: 4.0.0 (hpnjld.njd.jp.com: host name lookup failure)

Original-Recipient: rfc822;wsnell@sdcc13.ucsd.edu
Final-Recipient: rfc822;wsnell@sdcc13.ucsd.edu
Action: failed
Status: 5.0.0
Diagnostic-Code: smtp; 550 user unknown
Remote-MTA: dns; sdcc13.ucsd.edu
"""

GATEWAY = """\
Reporting-MTA: mailbus; SYS30

Final-Recipient: unknown; nair_s
Status: 5.0.0 (unknown permanent failure)
Action: failed
"""

DELAYED = """\
Reporting-MTA: dns; sun2.nsfnet-relay.ac.uk

Final-Recipient: rfc822;thomas@de-montfort.ac.uk
Status: 4.0.0 (unknown temporary failure)
Action: delayed
"""


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_the_simple_example_of_rfc_3464(line_end: str) -> None:
    report = delivery(report_of(SIMPLE, line_end=line_end))
    assert report.reporting_mta == "cs.utk.edu"
    (recipient,) = report.recipients
    assert recipient.recipient == recipient.original_recipient == "louisl@larry.slip.umd.edu"
    assert (recipient.action, recipient.status) == ("failed", "4.0.0")
    assert (recipient.diagnostic_type, recipient.diagnostic) == ("smtp", "426 connection timed out")
    assert recipient.last_attempt_date == datetime.datetime(1994, 7, 7, 17, 15, 49, tzinfo=EAST)
    assert recipient.will_retry_until is None
    assert report.text == "It could not be delivered."
    assert report.returned.split() == RETURNED.encode().split()
    assert report.returned_whole
    assert report.returned_headers["message-id"] == "<1@alice.test>"


def test_several_recipients() -> None:
    report = delivery(report_of(SEVERAL))
    assert rows(report) == [
        (
            "arathib@vnet.ibm.com",
            "failed",
            "5.0.0",
            "550 'arathib@vnet.IBM.COM' is not a registered gateway user",
            "vnet.ibm.com",
        ),
        ("johnh@hpnjld.njd.hp.com", "delayed", "4.0.0", "", ""),
        ("wsnell@sdcc13.ucsd.edu", "failed", "5.0.0", "550 user unknown", "sdcc13.ucsd.edu"),
    ]


def test_a_gateway_that_knows_little() -> None:
    report = delivery(report_of(GATEWAY, returned=None))
    assert report.reporting_mta == "SYS30"
    assert rows(report) == [("nair_s", "failed", "5.0.0", "", "")]
    assert (report.returned, report.returned_whole, len(report.returned_headers)) == (b"", False, 0)


def test_a_delay() -> None:
    assert rows(delivery(report_of(DELAYED, returned=None))) == [
        ("thomas@de-montfort.ac.uk", "delayed", "4.0.0", "", "")
    ]


# RFC 3461 section 10


def test_the_envelope_id_and_other_fields_about_the_message() -> None:
    report = delivery(
        report_of(
            "Reporting-MTA: dns; mail.Example.COM\nOriginal-Envelope-ID: QQ314159\n"
            "DSN-Gateway: dns; gate.Example.COM\nReceived-From-MTA: dns; Example.ORG\n"
            "Arrival-Date: Fri, 8 Jul 1994 09:21:47 -0400\nX-Queue: ABC\n\n"
            "Original-Recipient: rfc822;Bob@Example.COM\nFinal-Recipient: rfc822;Bob@Example.COM\n"
            "Action: delivered\nStatus: 2.0.0\nFinal-Log-ID: 77\n",
            returned="Subject: Lunch\n",
            returned_type="text/rfc822-headers",
        )
    )
    assert report.original_envelope_id == "QQ314159"
    assert (report.reporting_mta, report.dsn_gateway) == ("mail.Example.COM", "gate.Example.COM")
    assert report.received_from_mta == "Example.ORG"
    assert report.arrival_date == datetime.datetime(1994, 7, 8, 9, 21, 47, tzinfo=EAST)
    assert report.fields["x-queue"] == "ABC"
    (recipient,) = report.recipients
    assert (recipient.action, recipient.final_log_id) == ("delivered", "77")
    assert recipient.fields["Status"] == "2.0.0"
    assert not report.returned_whole
    assert report.returned_headers["Subject"] == "Lunch"


def test_the_names_of_the_original_and_the_final_recipient_differ_after_forwarding() -> None:
    report = delivery(
        report_of(
            "Reporting-MTA: Boondoggle.GOV\n\nOriginal-Recipient: rfc822;George@Tax-ME.GOV\n"
            "Final-Recipient: rfc822;Sam@Boondoggle.GOV\nAction: failed\nStatus: 4.2.2 (disk quota exceeded)\n"
        )
    )
    assert report.reporting_mta == "Boondoggle.GOV"
    (recipient,) = report.recipients
    assert (recipient.original_recipient, recipient.recipient) == ("George@Tax-ME.GOV", "Sam@Boondoggle.GOV")
    assert recipient.status == "4.2.2"


# RFC 6533


def test_internationalized_recipients_in_both_forms() -> None:
    report = delivery(
        report_of(
            "Reporting-MTA: dns; mx.test\n\nOriginal-Recipient: utf-8; jos\\x{E9}@ex.test\n"
            "Final-Recipient: utf-8; josé@ex.test\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 josé ist unbekannt\n",
            media_type="message/global-delivery-status\nContent-Transfer-Encoding: 8bit",
            returned="Subject: Grüße\n",
            returned_type="message/global-headers\nContent-Transfer-Encoding: 8bit",
        )
    )
    (recipient,) = report.recipients
    assert recipient.recipient == recipient.original_recipient == "josé@ex.test"
    assert recipient.diagnostic == "550 5.1.1 josé ist unbekannt"
    assert report.returned_headers["Subject"] == "Grüße"


@pytest.mark.parametrize("escape", ["\\x{D800}", "\\x{110000}", "\\x{}", "\\x{E9"])
def test_an_escape_that_names_no_character_stays(escape: str) -> None:
    report = delivery(report_of(f"Final-Recipient: utf-8; a{escape}@ex.test\n"))
    assert report.recipients[0].recipient == f"a{escape}@ex.test"


def test_fields_and_message_in_a_transfer_encoding() -> None:
    report = delivery(
        report_of(
            "UmVwb3J0aW5nLU1UQTogZG5zOyBteC50ZXN0CgpGaW5hbC1SZWNpcGllbnQ6IHJmYzgyMjsgYkBi\n"
            "LnRlc3QKQWN0aW9uOiBmYWlsZWQKU3RhdHVzOiA1LjAuMAo=\n",
            media_type="message/global-delivery-status\nContent-Transfer-Encoding: base64",
            returned="Subject: Gr=C3=BC=C3=9Fe\n\nHallo\n",
            returned_type="message/global\nContent-Transfer-Encoding: quoted-printable",
        )
    )
    assert report.reporting_mta == "mx.test"
    assert rows(report) == [("b@b.test", "failed", "5.0.0", "", "")]
    assert report.returned_headers["Subject"] == "Grüße"


# What servers in use send

SENDMAIL = """\
Reporting-MTA: dns; mx.alice.test
Received-From-MTA: DNS; client.alice.test
Arrival-Date: Mon, 3 Feb 2025 09:00:01 +0100 (CET)

Final-Recipient: RFC822; bob@bob.test
Action: failed (user unknown)
Status: 5.1.1
Remote-MTA: DNS; mx.bob.test
Diagnostic-Code: SMTP; 550 5.1.1 <bob@bob.test>... User unknown
Last-Attempt-Date: Mon, 3 Feb 2025 09:00:02 +0100 (CET)

"""

POSTFIX = """\
Reporting-MTA: dns; mx.alice.test
X-Postfix-Queue-ID: 4F1A2B3C4D
X-Postfix-Sender: rfc822; alice@alice.test
Arrival-Date: Mon,  3 Feb 2025 09:00:01 +0100 (CET)

Final-Recipient: rfc822; bob@bob.test
Original-Recipient: rfc822;bob@bob.test
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.bob.test
Diagnostic-Code: smtp; 550 5.1.1 <bob@bob.test>: Recipient address rejected:
    User unknown
"""

EXCHANGE = """\
Reporting-MTA: dns;EX01.corp.bob.test
Received-From-MTA: dns;mx.alice.test
Arrival-Date: Mon, 3 Feb 2025 08:00:01 +0000

Final-Recipient: rfc822;bob@bob.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found
X-Display-Name: Bob
"""

GOOGLE = """\
Reporting-MTA: dns; googlemail.test
Arrival-Date: Mon, 03 Feb 2025 00:00:01 -0800 (PST)
X-Original-Message-ID: <1@alice.test>

Final-Recipient: rfc822; bob@bob.test
Action: delayed
Status: 4.4.1
Diagnostic-Code: smtp; The recipient server did not accept our requests to connect.
 [mx.bob.test. 127.0.0.9: timed out]
Last-Attempt-Date: Mon, 03 Feb 2025 04:00:01 -0800 (PST)
Will-Retry-Until: Wed, 05 Feb 2025 00:00:01 -0800 (PST)
"""

EXIM = """\
Reporting-MTA: dns; mx.alice.test

Action: failed
Final-Recipient: rfc822;bob@bob.test
Status: 5.0.0
"""

NO_EMPTY_LINES = """\
Reporting-MTA: dns; mx.alice.test
Final-Recipient: rfc822; <bob@bob.test>
Action: Failed
Status: 5.1.1
Final-Recipient: rfc822; carol@bob.test
Action: Failed
Status: 5.2.2
"""

JUNK = """\
This line is no field
Reporting-MTA: dns; mx.alice.test
 \t
 \t

neither is this

Original-Recipient: bob@bob.test
another one
Action: failed
Status: 5.1.1 user unknown
"""


@pytest.mark.parametrize(
    ("fields", "status", "diagnostic", "remote"),
    [
        pytest.param(SENDMAIL, "5.1.1", "550 5.1.1 <bob@bob.test>... User unknown", "mx.bob.test", id="sendmail"),
        pytest.param(
            POSTFIX,
            "5.1.1",
            "550 5.1.1 <bob@bob.test>: Recipient address rejected: User unknown",
            "mx.bob.test",
            id="postfix",
        ),
        pytest.param(EXCHANGE, "5.1.1", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", "", id="exchange"),
        pytest.param(EXIM, "5.0.0", "", "", id="exim"),
        pytest.param(JUNK, "5.1.1", "", "", id="junk"),
    ],
)
def test_reports_of_servers_in_use(fields: str, status: str, diagnostic: str, remote: str) -> None:
    report = delivery(report_of(fields))
    assert report.reporting_mta in {"mx.alice.test", "EX01.corp.bob.test"}
    assert rows(report) == [("bob@bob.test", "failed", status, diagnostic, remote)]


def test_a_time_until_which_is_tried() -> None:
    (recipient,) = delivery(report_of(GOOGLE)).recipients
    west = datetime.timezone(datetime.timedelta(hours=-8))
    assert recipient.will_retry_until == datetime.datetime(2025, 2, 5, 0, 0, 1, tzinfo=west)
    assert recipient.last_attempt_date == datetime.datetime(2025, 2, 3, 4, 0, 1, tzinfo=west)
    assert recipient.diagnostic.endswith("connect. [mx.bob.test. 127.0.0.9: timed out]")


def test_recipients_without_empty_lines_between_them() -> None:
    report = delivery(report_of(NO_EMPTY_LINES))
    assert report.reporting_mta == "mx.alice.test"
    assert rows(report) == [
        ("bob@bob.test", "failed", "5.1.1", "", ""),
        ("carol@bob.test", "failed", "5.2.2", "", ""),
    ]


def test_fields_called_text() -> None:
    assert rows(delivery(report_of(EXIM, media_type="text/plain"))) == [("bob@bob.test", "failed", "5.0.0", "", "")]


def test_a_report_to_which_a_list_added_a_footer() -> None:
    head, _, inner = report_of(EXIM).partition(b"Content-Type: ")
    wrapped = (
        head
        + b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\n--outer\r\nContent-Type: '
        + inner
        + b"\r\n--outer\r\n\r\nfooter of the list\r\n--outer--\r\n"
    )
    report = delivery(wrapped)
    assert [one.recipient for one in report.recipients] == ["bob@bob.test"]
    assert report.text == "It could not be delivered."


def test_a_report_that_someone_forwards_is_not_one() -> None:
    assert read_report(parse(b"Content-Type: message/rfc822\r\n\r\n" + report_of(EXIM))) is None


@pytest.mark.parametrize("raw", [b"", b"Subject: Hi\r\n\r\nHello\r\n", b"Content-Type: multipart/report\r\n\r\n"])
def test_other_mail_is_no_report(raw: bytes) -> None:
    assert read_report(parse(raw)) is None


def test_a_report_of_nothing() -> None:
    report = delivery(b"Content-Type: message/delivery-status\r\n\r\n")
    assert report == DeliveryReport()


# RFC 8098 section 9 and what user agents send

RECEIPT = """\
Reporting-UA: joes-pc.cs.example.com; Foomail 97.1
Original-Recipient: rfc822;Joe_Recipient@example.com
Final-Recipient: rfc822;Joe_Recipient@example.com
Original-Message-ID: <199509192301.23456@example.org>
Disposition: manual-action/MDN-sent-manually; displayed
"""


def receipt(fields: str) -> DispositionReport:
    report = read_report(parse(report_of(fields, kind="disposition-notification")))
    assert isinstance(report, DispositionReport)
    return report


def test_the_example_of_rfc_8098() -> None:
    report = receipt(RECEIPT)
    assert report.disposition == Disposition(
        action_mode="manual-action", sending_mode="mdn-sent-manually", type="displayed"
    )
    assert report.disposition.mode == "manual-action/mdn-sent-manually"
    assert report.original_recipient == report.final_recipient == "Joe_Recipient@example.com"
    assert report.original_message_id == "<199509192301.23456@example.org>"
    assert report.reporting_ua == "joes-pc.cs.example.com; Foomail 97.1"
    assert report.returned_headers["Subject"] == "Lunch"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("automatic-action/MDN-sent-automatically; deleted/error,expired", ("deleted", ("error", "expired"))),
        ("automatic-action/MDN-sent-automatically;displayed /error", ("displayed", ("error",))),
        ("displayed", ("displayed", ())),
        ("", ("", ())),
        (";;/,,", (";", ())),
    ],
)
def test_dispositions(value: str, expected: tuple[str, tuple[str, ...]]) -> None:
    disposition = receipt(f"Disposition: {value}\n").disposition
    assert (disposition.type, disposition.modifiers) == expected


def test_a_receipt_that_tells_of_an_error_and_has_an_empty_line_too_many() -> None:
    report = receipt("Final-Recipient: rfc822;bob@bob.test\n\nDisposition: a/b; processed/error\nError: no\n disk\n")
    assert report.final_recipient == "bob@bob.test"
    assert report.errors == ("no disk",)


# RFC 5965 appendix B

COMPLAINT = """\
Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <somespammer@example.net>
Original-Rcpt-To: <user@example.com>
Original-Rcpt-To: <other@example.com>
Arrival-Date: Thu, 8 Mar 2005 14:00:00 EDT
Reporting-MTA: dns; mail.example.com
Source-IP: 192.0.2.1
Authentication-Results: mail.example.com;
               spf=fail smtp.mail=somespammer@example.com
Reported-Domain: example.net
Reported-Uri: http://example.net/earn_money.html
Reported-Uri: mailto:user@example.com
Removal-Recipient: user@example.com
Incidents: 3
"""


def complaint(fields: str) -> AbuseReport:
    report = read_report(parse(report_of(fields, kind="feedback-report")))
    assert isinstance(report, AbuseReport)
    return report


def test_the_example_of_rfc_5965() -> None:
    report = complaint(COMPLAINT)
    assert (report.feedback_type, report.user_agent, report.version) == ("abuse", "SomeGenerator/1.0", "1")
    assert report.original_mail_from == "somespammer@example.net"
    assert report.original_rcpt_to == ("user@example.com", "other@example.com")
    assert report.arrival_date == datetime.datetime(2005, 3, 8, 14, tzinfo=EAST)
    assert (report.reporting_mta, report.source_ip, report.incidents) == ("mail.example.com", "192.0.2.1", 3)
    assert report.authentication_results == ("mail.example.com; spf=fail smtp.mail=somespammer@example.com",)
    assert report.reported_domain == ("example.net",)
    assert report.reported_uri == ("http://example.net/earn_money.html", "mailto:user@example.com")
    assert report.fields["removal-recipient"] == "user@example.com"
    assert report.returned_whole


def test_the_least_complaint_and_an_older_name_of_a_field() -> None:
    report = complaint("Feedback-Type: Auth-Failure\nReceived-Date: Thu, 8 Mar 2005 14:00:00 EDT\nIncidents: many\n")
    assert report.feedback_type == "auth-failure"
    assert report.arrival_date == datetime.datetime(2005, 3, 8, 14, tzinfo=EAST)
    assert report.incidents == 1


# Any bytes

_KIND = st.sampled_from(["delivery-status", "disposition-notification", "feedback-report"])
_NAMES = (
    b"Final-Recipient Action Status Diagnostic-Code Remote-MTA Arrival-Date Disposition Incidents Original-Rcpt-To "
    b"Will-Retry-Until Feedback-Type Version Original-Recipient"
).split()
_FIELD = st.tuples(
    st.sampled_from(_NAMES),
    st.one_of(
        st.binary(max_size=30), st.sampled_from([b"utf-8; \\x{E9}\\x{FFFFFF}@b", b"9" * 5000, b"=?utf-8?B?/w==?="])
    ),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"\n\n", b"\r\n\t", b""]),
).map(lambda field: field[0] + b": " + field[1] + field[2])


@settings(max_examples=100)
@given(_KIND, st.lists(st.one_of(_FIELD, st.binary(max_size=20)), max_size=12).map(b"".join))
def test_no_fields_raise(kind: str, fields: bytes) -> None:
    whole = report_of("FIELDS", kind=kind).replace(b"FIELDS", fields)
    for raw in (whole, b"Content-Type: message/" + kind.encode() + b"\r\n\r\n" + fields):
        report = read_report(parse(raw))
        assert report is not None
        assert report == read_report(parse(raw))
        assert isinstance(report.text + repr(report) + "".join(report.fields.values()), str)


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    read_report(parse(raw))
    read_report(parse(b"Content-Type: multipart/report; boundary=b\n\n--b\n\n--b\n" + raw))
