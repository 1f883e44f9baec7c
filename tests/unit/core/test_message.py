import copy
import datetime
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mockmail.core.message import Envelope, Message, StoredMessage
from mockmail.mime.report import DeliveryReport

AT = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)

RAW = (
    b"Received: by mockmail\r\n"
    b"From: =?utf-8?q?The_B=C3=BCro?= <app@app.test>, second@app.test\r\n"
    b"To: Bob <bob@example.test>,\r\n ann@example.test\r\n"
    b"To: late@example.test\r\n"
    b"Cc: Team: c1@x.test, c2@x.test;\r\n"
    b"Reply-To: help@app.test\r\n"
    b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n folded\r\n"
    b"Date: Fri, 01 May 2020 08:30:00 +0100\r\n"
    b"Message-ID: <1@app.test>\r\n"
    b"X-Tag: one\r\nx-tag: two\r\n"
    b"MIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGo to https://app.test/t?c=1.\r\nCode: 1234\r\n"
    b'--b\r\nContent-Type: text/html\r\n\r\n<p>Your <a href="https://app.test/?a=1&amp;b=2">Confirm\r\n now</a>'
    b' or <a href="https://app.test/no">No</a> or <a href="https://app.test/other">No</a>. Key 99</p>\r\n'
    b"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\na,b\r\n--b--\r\n"
)


@pytest.fixture
def make():
    def make(raw=RAW, *, sender="app@app.test", recipients=("bob@example.test",), **trace):
        return Message(raw, id="m1", envelope=Envelope(sender, recipients), received_at=AT, **trace)

    return make


@pytest.fixture
def message(make):
    return make()


def test_the_bytes(make):
    message = make(trace_length=len(b"Received: by mockmail\r\n"))
    assert message.raw == RAW
    assert message.original == RAW[23:]
    assert message.size == len(RAW)


def test_fields_of_the_header(message):
    assert message.from_ == "app@app.test"
    assert message.to == ("bob@example.test", "ann@example.test", "late@example.test")
    assert message.cc == ("c1@x.test", "c2@x.test")
    assert message.reply_to == ("help@app.test",)
    assert message.subject == "Grüße folded"
    assert message.message_id == "<1@app.test>"
    assert message.date == datetime.datetime(2020, 5, 1, 7, 30, tzinfo=datetime.UTC)
    assert message.headers["FROM"] == "The Büro <app@app.test>, second@app.test"
    assert message.headers.all("X-TAG") == ("one", "two")
    assert message.headers.get("X-None") is None


def test_content(message):
    assert message.text.startswith("Go to https://app.test/t?c=1.\nCode: 1234")
    assert message.html.startswith("<p>Your")
    assert message.texts[1].startswith("Your Confirm now or No")
    assert [(one.filename, one.content) for one in message.attachments] == [("a.csv", b"a,b")]
    assert message.links == (
        "https://app.test/?a=1&b=2",
        "https://app.test/no",
        "https://app.test/other",
        "https://app.test/t?c=1",
    )


@pytest.mark.parametrize(
    "wanted",
    ["Confirm now", "Confirm\n now", "https://app.test/?a=1&b=2", re.compile("^Confirm"), re.compile(r"a=\d")],
)
def test_a_link(message, wanted):
    assert message.link(wanted) == "https://app.test/?a=1&b=2"


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("Confirm", "No link fits 'Confirm' in <Message 'Grüße folded' from app@app.test to bob@example.test>"),
        ("No", "2 links fit 'No'"),
        (re.compile("app"), "4 links fit the pattern 'app'"),
    ],
)
def test_not_exactly_one_link(message, wanted, text):
    with pytest.raises(AssertionError) as caught:
        message.link(wanted)
    assert text in str(caught.value)
    assert "\n  https://app.test/?a=1&b=2  'Confirm now'\n" in str(caught.value)


def test_no_links_at_all(make):
    with pytest.raises(AssertionError, match=r"Its links are: none\."):
        make(b"\r\nHello").link("x")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [(r"Code: (\d+)", "1234"), (r"\d{4}", "1234"), (re.compile("KEY (..)", re.IGNORECASE), "99"), (r"(x)?Code", "")],
)
def test_find(message, pattern, found):
    assert message.find(pattern) == found


def test_find_in_vain_shows_the_texts(message):
    with pytest.raises(AssertionError) as caught:
        message.find("nothing such")
    text = str(caught.value)
    assert "'nothing such' matches nothing in <Message" in text
    assert "\n  text:\n    Go to https://app.test/t?c=1.\n    Code: 1234" in text
    assert "\n  visible text of the HTML:\n    Your Confirm now" in text


def test_find_in_vain_shows_no_more_than_a_page(make):
    with pytest.raises(AssertionError, match=r"\.\.\. \(8000 more characters\)"):
        make(b"\r\n" + b"x" * 10_000).find("y")


def test_email(message):
    parsed = message.email()
    assert parsed["Subject"] == "Grüße folded"
    assert parsed.get_body(("plain",)).get_content().startswith("Go to")
    parsed.replace_header("Subject", "changed")
    assert message.email()["Subject"] == "Grüße folded"


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"no header", b"\xff\x00\n\n\xfe", b"Content-Type: multipart/mixed\r\n\r\n--"]
)
def test_anything_is_a_message(make, raw):
    message = make(raw, sender="", recipients=())
    assert (message.from_, message.to, message.subject, message.date, message.message_id) == ("", (), "", None, "")
    assert (message.links, message.html) == ((), "")
    assert isinstance(message.text, str)
    assert message.email() is not None
    assert repr(message) == "<Message '' from <> to nobody>"


def test_what_is_derived_is_computed_once(message):
    computed = []
    for _ in range(2):
        assert message.derived("own", lambda one: computed.append(one) or "value") == "value"
    assert computed == [message]
    assert message.text is message.text


def test_copies_are_the_same_message(message, make):
    stored = StoredMessage(message, uid=7, flags=frozenset({"\\Seen"}), folder="INBOX")
    assert stored == message
    assert hash(stored) == hash(message)
    assert message != "m1"
    assert stored.text is message.text
    assert stored.seen
    assert repr(stored) == "<StoredMessage INBOX/7 'Grüße folded' from app@app.test \\Seen>"


def test_a_report_is_read_once(make):
    fields = b"Final-Recipient: rfc822; bob@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    bounce = make(b"Content-Type: message/delivery-status\r\n\r\n" + fields)
    report = bounce.report
    assert isinstance(report, DeliveryReport)
    assert report is bounce.report
    assert [(one.recipient, one.status) for one in report.recipients] == [("bob@example.test", "5.1.1")]
    assert make(b"Subject: Hi\r\n\r\nHello").report is None


def test_pieces_are_joined_when_somebody_looks(make):
    message = make([RAW[:10], b"", RAW[10:]], trace_length=25)
    assert message.size == len(RAW)
    assert message.raw == RAW
    assert message.raw is message.raw
    assert message.original == RAW[25:]
    assert message.size == len(RAW)
    assert message.subject == make().subject


TRACE_BEGINS = "Return-Path: <app@app.test>\r\nReceived: from app ([::1])\r\n\tby localhost with ESMTP id "
TRACE = TRACE_BEGINS.encode() + b"m1\r\n\tfor <bob@example.test>;\r\n\tMon, 23 Nov 2026 12:00:00 +0000\r\n"


@pytest.mark.parametrize("text", [RAW, [RAW], [RAW[:10], RAW[10:]]])
@pytest.mark.parametrize("look", ["raw", "original", "size"])
def test_trace_headers_are_written_when_somebody_looks(make, text, look):
    message = make(text, trace_begins=TRACE_BEGINS)
    assert getattr(message, look) == {"raw": TRACE + RAW, "original": RAW, "size": len(TRACE + RAW)}[look]
    assert message.raw == TRACE + RAW
    assert message.raw is message.raw
    assert message.original == RAW
    assert message.size == len(TRACE + RAW)
    assert message.subject == make().subject


@pytest.mark.parametrize(("text", "trace_begins"), [([RAW[:10], RAW[10:]], ""), (RAW, TRACE_BEGINS)])
def test_any_thread_may_be_the_first_to_look(make, text, trace_begins):
    for _ in range(50):
        message = make(text, trace_begins=trace_begins)
        begin = threading.Barrier(4)

        def look(message=message, begin=begin):
            begin.wait()
            return message.original

        with ThreadPoolExecutor(4) as pool:
            assert [one.result() for one in [pool.submit(look) for _ in range(4)]] == [RAW] * 4


def test_a_name_that_there_is_not_is_an_attribute_error(make):
    with pytest.raises(AttributeError, match="'Message' object has no attribute 'body'"):
        _ = make([RAW]).body


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda message: pickle.loads(pickle.dumps(message))])
def test_a_message_in_pieces_can_be_copied(make, copied):
    message = make([RAW[:10], RAW[10:]], trace_begins=TRACE_BEGINS)
    assert copied(message).raw == TRACE + RAW
    assert copied(message).original == RAW
    assert message.raw == TRACE + RAW
    assert copied(message).raw == TRACE + RAW
    assert copied(message).original == RAW
