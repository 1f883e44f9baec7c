"""Mailpit's search language."""

import datetime

import pytest

from mockmail import Settings
from mockmail.core.message import Envelope
from mockmail.core.world import World
from mockmail.http.catalogue import Catalogue
from mockmail.http.query import parse, timezone
from mockmail.http.replies import Refusal

AT = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
PLAIN = (
    b"From: Eve Adams <eve@else.test>\r\nTo: Bob <bob@example.test>\r\nCc: team@example.test\r\n"
    b"Reply-To: desk@else.test\r\nSubject: Welcome to the club\r\nMessage-ID: <m1@else.test>\r\n"
    b"X-Mailer: secretword\r\nX-Tags: News, Big one\r\n\r\nYour code is 4711.\r\n"
)
ENCODED = (
    b"From: app@example.test\r\nTo: ann@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nPHA+SGVsbG8gPGI+d29ybGQ8L2I+PC9wPg==\r\n--b\r\n"
    b'Content-Type: image/png; name="logo.png"\r\nContent-Disposition: attachment; filename="logo.png"\r\n\r\nx\r\n'
    b"--b\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Disposition: inline\r\n\r\ny\r\n--b--\r\n"
)


@pytest.fixture
def catalogue() -> Catalogue:
    world = World(Settings())
    for raw, recipients, at, flags in (
        (PLAIN, ("bob@example.test", "hidden@example.test"), AT, ()),
        (ENCODED, ("ann+shop@example.test",), AT + datetime.timedelta(days=1), ("\\Seen",)),
    ):
        message = world.store.new_message(raw, envelope=Envelope("s@example.test", recipients), received_at=at)
        world.store.seed(world.account(recipients[0]), "INBOX", message, flags)
    return Catalogue(world)


def found(catalogue: Catalogue, query: str, zone: datetime.tzinfo = datetime.UTC) -> str:
    tests = parse(query, catalogue, zone)
    rows = catalogue.rows()
    for test in tests:
        rows = test(rows)
    return "".join(sorted("p" if row.message.raw is PLAIN else "e" for row in rows))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("to:bob", "p"),
        ("to:BOB@example.test", "p"),
        ("to:hidden", ""),
        ("bcc:hidden", "p"),
        ("addressed:hidden", "p"),
        ("from:adams", "p"),
        ('from:"eve adams"', "p"),
        ("cc:team", "p"),
        ("reply-to:desk@else", "p"),
        ("subject:Welcome to the club", "p"),
        ('subject:"welcome to"', "p"),
        ('subject:"welcome club"', ""),
        ("subject:grüße", "e"),
        ("message-id:m1@else.test", "p"),
        ("4711", "p"),
        ('"code is 4711"', "p"),
        ("code 4711", "p"),
        ("code 4712", ""),
        ("secretword", ""),
        ("hello", "e"),
        ("logo.png", "e"),
        ("GRÜSSE", "e"),
        ("Re: Your", ""),
        ("-4711", "e"),
        ("!to:bob", "e"),
        ("-subject:nothing", "ep"),
        ("is:read", "e"),
        ("is:unread", "p"),
        ("!is:unread", "e"),
        ("is:tagged", "ep"),
        ("tag:news", "p"),
        ('tag:"big one"', "p"),
        ("tag:shop", "e"),
        ("has:attachment", "e"),
        ("has:attachments", "e"),
        ("has:inline", "e"),
        ("-has:attachment", "p"),
        ("larger:400", "e"),
        ("smaller:1k", "ep"),
        ("larger:1m", ""),
        ("after:2026-11-24", "e"),
        ("before:2026-11-24", "p"),
        ('before:"2026-11-23 12:00"', ""),
        ('after:"2026-11-23 12:00"', "ep"),
        ("before:2026/11/24", "p"),
        ('"unclosed', ""),
        ("to:bob from:eve 4711 is:unread", "p"),
        ("", "ep"),
    ],
)
def test_a_query_finds(catalogue: Catalogue, query: str, expected: str) -> None:
    assert found(catalogue, query) == expected


def test_dates_are_of_the_time_zone(catalogue: Catalogue) -> None:
    assert found(catalogue, 'after:"2026-11-24 02:00"', timezone("Asia/Tokyo")) == "e"
    assert found(catalogue, 'after:"2026-11-23 21:00"', timezone("Asia/Tokyo")) == "ep"
    assert found(catalogue, 'after:"2026-11-23 21:01"', timezone("Asia/Tokyo")) == "e"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("before:someday", "no date"),
        ("after:2026-13-01", "no date"),
        ("before:0001-01-01T00:00:00+14:00", "no date"),
        ("larger:big", "no size"),
        ("is:blue", "is:read"),
        ("has:wheels", "has:attachment"),
        ("x" * 3000, "2000 are allowed"),
    ],
)
def test_what_cannot_be_read_is_refused(catalogue: Catalogue, query: str, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        parse(query, catalogue)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "x" * 500, "\0"])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="no time zone"):
        timezone(name)
