import datetime
import re
from email.message import EmailMessage

import pytest

from mockmail.mime.text import Attachment
from mockmail.testing.compose import compose

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
PARIS = datetime.timezone(datetime.timedelta(hours=1))


@pytest.fixture
def made(mail):
    """The message that seed() makes of arguments."""
    return lambda **arguments: mail.seed(**arguments)


def test_the_least(made):
    message = made()
    assert message.from_ == "sender@example.test"
    assert message.to == ("bob@example.test",)
    assert (message.subject, message.text.strip(), message.html) == ("", "", "")
    assert message.date == datetime.datetime(2026, 11, 23, 12, 0, 1, tzinfo=datetime.UTC)
    assert re.fullmatch(r"<[^<>@\s]+@mockmail\.test>", message.message_id)


def test_message_ids_differ(made):
    assert made().message_id != made().message_id


def test_lines_end_in_crlf(made):
    raw = made(subject="Grüße", text="one\ntwo\n\nthree ü\n", html="<p>x</p>\n").raw
    assert raw.count(b"\n") == raw.count(b"\r\n") > 5


def test_content(made):
    message = made(
        from_="The Desk <desk@else.test>",
        subject="Grüße, 世界",
        text="Hallo\n",
        html='<a href="https://app.test/?a=1&amp;b=2">Go</a>',
        headers={"X-Tag": "a", "Reply-To": "r@else.test", "Message-ID": "<own@else.test>"},
    )
    assert message.headers["From"] == "The Desk <desk@else.test>"
    assert (message.sender, message.from_) == ("sender@example.test", "desk@else.test")
    assert (message.subject, message.text, message.link("Go")) == (
        "Grüße, 世界",
        "Hallo\n",
        "https://app.test/?a=1&b=2",
    )
    assert message.headers.all("Message-ID") == ("<own@else.test>",)
    assert (message.headers["x-tag"], message.reply_to) == ("a", ("r@else.test",))


def test_html_alone(made):
    message = made(html="<p>Hi</p>")
    assert (message.text, message.html.strip()) == ("", "<p>Hi</p>")


def test_attachments(made, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\r\n")
    message = made(
        text="see",
        attachments=[
            ("a.txt", "text ü"),
            ("b.bin", b"\x00\xff", "application/x-thing"),
            path,
            Attachment("c.png", "image/png", b"png", "cid-1"),
            ("d.eml", b"Subject: x\r\n\r\ny", "message/rfc822"),
        ],
    )
    found = [(one.filename, one.content_type, one.content, one.content_id) for one in message.attachments]
    assert found == [
        ("a.txt", "text/plain", "text ü".encode(), None),
        ("b.bin", "application/x-thing", b"\x00\xff", None),
        ("data.csv", "text/csv", b"a,b\r\n", None),
        ("c.png", "image/png", b"png", "cid-1"),
        ("d.eml", "application/octet-stream", b"Subject: x\r\n\r\ny", None),
    ]
    assert message.text.strip() == "see"


def test_an_address_beyond_ascii(mail):
    message = mail.seed(to="bücher@exämple.test", sender="é@exämple.test")
    assert message.to == ("bücher@exämple.test",)
    assert message.from_ == "é@exämple.test"


@pytest.mark.parametrize(
    ("date", "received_at", "received"),
    [
        (None, None, NOW),
        (
            datetime.datetime(2020, 5, 1, 8, 30, tzinfo=PARIS),
            None,
            datetime.datetime(2020, 5, 1, 7, 30, tzinfo=datetime.UTC),
        ),
        (NOW, datetime.datetime(2021, 1, 1, tzinfo=PARIS), datetime.datetime(2021, 1, 1, tzinfo=PARIS)),
    ],
)
def test_when_it_was_received(date, received_at, received):
    nothing = dict.fromkeys(("message", "from_", "text", "html", "headers"))
    raw, at = compose(
        to="a@x.test",
        sender="b@x.test",
        subject="",
        attachments=(),
        date=date,
        received_at=received_at,
        now=NOW,
        **nothing,
    )
    assert at == received
    if date is not None and date.tzinfo is PARIS:
        assert b"Date: Fri, 01 May 2020 08:30:00 +0100\r\n" in raw


def test_a_message_object(mail):
    given = EmailMessage()
    given["Subject"] = "Given"
    given["Date"] = "Fri, 01 May 2020 08:30:00 +0100"
    given.set_content("Hello\nthere\n")
    stored = mail.seed(message=given)
    assert stored.raw.endswith(b"\r\n\r\nHello\r\nthere\r\n")
    assert stored.received_at == datetime.datetime(2020, 5, 1, 7, 30, tzinfo=datetime.UTC)


def test_bytes_with_a_date_are_received_now(mail):
    stored = mail.seed(message=b"Date: Fri, 01 May 2020 08:30:00 +0100\r\n\r\nx")
    assert stored.received_at == mail.world.clock.now()
