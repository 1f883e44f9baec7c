"""Dates of header fields (RFC 5322 section 3.3 and 4.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

__all__ = ["parse_date"]

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
# obs-zone        = "UT" / "GMT" / "EST" / "EDT" / "CST" / "CDT" / "MST" / "MDT" / "PST" / "PDT" / military
_ZONE_HOURS = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_LIMIT = 1000
"""Longer values, comments included, are no dates."""
# date-time       = [ day-of-week "," ] day month year hour ":" minute [ ":" second ] zone
_date_time = re.compile(
    r"\s*(?:[^\W\d]+\.?\s*,?\s*)?(\d{1,2})[\s-]+([A-Za-z]{3})[a-z]*[\s-]+(\d{2,5})[\s,]+(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?"
    r"(?:\.\d+)?\s*(?:(?:GMT|UTC)?([+-]\d{4})|([A-Za-z]+))?",
    re.ASCII,
).match


def parse_date(text: str) -> datetime | None:
    """The moment ``text`` names, always aware, or ``None`` for what is no date. An unknown zone, ``-0000`` and no
    zone at all are UTC; a leap second is the last second of its minute; years of two or three digits are read as
    RFC 5322 section 4.3 says."""
    if len(text) > _LIMIT or not text.isascii():
        return None
    match = _date_time(text)
    if match is None:
        return _parse_oddly(text)
    day, month_name, year_digits, hour, minute, second, offset, zone = match.groups()
    month = _MONTHS.get(month_name.lower())
    if month is None:
        return None
    year = int(year_digits)
    if len(year_digits) == 2:
        year += 2000 if year < 50 else 1900
    elif len(year_digits) == 3:
        year += 1900
    minutes = 0
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[3:])
        if offset[0] == "-":
            minutes = -minutes
    elif zone:
        minutes = 60 * _ZONE_HOURS.get(zone.upper(), 0)
    try:
        tz = timezone(timedelta(minutes=minutes)) if minutes else UTC
        return datetime(year, month, int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=tz)
    except ValueError:
        return None


def _parse_oddly(text: str) -> datetime | None:
    """Forms of other programs (asctime, ISO 8601)."""
    from email.utils import parsedate_tz

    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    else:
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        parsed = parsedate_tz(text)
        if parsed is None:
            return None
        tz = timezone(timedelta(seconds=parsed[9] or 0))
        return datetime(*parsed[:5], min(parsed[5], 59), tzinfo=tz)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
