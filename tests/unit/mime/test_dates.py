from datetime import datetime, timedelta, timezone

import pytest

from mockmail.mime.dates import parse_date


def at(*fields, hours=0.0):
    return datetime(*fields, tzinfo=timezone(timedelta(hours=hours)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Fri, 21 Nov 1997 09:55:06 -0600", at(1997, 11, 21, 9, 55, 6, hours=-6)),
        ("Tue, 1 Jul 2003 10:52:37 +0200", at(2003, 7, 1, 10, 52, 37, hours=2)),
        ("1 Jul 2003 10:52 +0530", at(2003, 7, 1, 10, 52, hours=5.5)),
        (
            "Thu,\r\n 13\r\n  Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
            at(1969, 2, 13, 23, 32, hours=-3.5),
        ),
        ("21 Nov 97 09:55:06 GMT", at(1997, 11, 21, 9, 55, 6)),
        ("21 Nov 26 09:55:06 UT", at(2026, 11, 21, 9, 55, 6)),
        ("21 Nov 126 09:55:06 Z", at(2026, 11, 21, 9, 55, 6)),
        ("Mon, 23 Nov 2026 04:39:39 EST", at(2026, 11, 23, 4, 39, 39, hours=-5)),
        ("Mon, 23 Nov 2026 04:39:39 -0000", at(2026, 11, 23, 4, 39, 39)),
        ("Mon, 23 Nov 2026 04:39:39", at(2026, 11, 23, 4, 39, 39)),
        ("Mon, 23 Nov 2026 04:39:39 GMT+0100", at(2026, 11, 23, 4, 39, 39, hours=1)),
        ("Mon, 23 Nov 2026 23:59:60 +0000", at(2026, 11, 23, 23, 59, 59)),
        ("Monday, 23-Nov-26 04:39:39 GMT", at(2026, 11, 23, 4, 39, 39)),
        ("Mon, 23 November 2026 4:39:39 +0000", at(2026, 11, 23, 4, 39, 39)),
        ("Mon Nov 23 04:39:39 2026", at(2026, 11, 23, 4, 39, 39)),
        ("2026-11-23T04:39:39+01:00", at(2026, 11, 23, 4, 39, 39, hours=1)),
        ("2026-11-23 04:39:39", at(2026, 11, 23, 4, 39, 39)),
    ],
)
def test_dates(text, moment):
    parsed = parse_date(text)
    assert parsed == moment
    assert parsed is not None
    assert parsed.utcoffset() == moment.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "now",
        "32 Jan 2026 00:00:00 +0000",
        "1 Foo 2026 00:00:00 +0000",
        "1 Jan 2026 25:00:00 +0000",
        "1 Jan 2026 00:00:00 +9999",
        "1 Jan 99999 00:00:00 +0000",
        "1 Jan 2026",
        "Mon, , ,",
        "\u0661 Jan 2026 00:00:00 +0000",
        "1 Jan 2026 00:00:00 " + "9" * 5000,
        "x" * 100_000,
        "1 " * 50_000,
    ],
)
def test_what_is_no_date(text):
    parsed = parse_date(text)
    assert parsed is None or (parsed.tzinfo is not None and text.startswith("1 Jan 2026"))
