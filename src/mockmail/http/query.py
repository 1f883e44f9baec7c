"""Mailpit's search language.

    query   = *( [ "-" / "!" ] term )                      ; all must hold
    term    = [ key ":" ] ( word / quoted )
    key     = "to" / "from" / "cc" / "bcc" / "reply-to" / "addressed" / "subject" / "message-id" / "tag" / "is" / "has"
            / "before" / "after" / "larger" / "smaller"

A term without a key (or with one that is none) is text in the addresses, the subject, the bodies or the names of
attachments. Everything compares without case, as part of what it is looked for in.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from mockmail.core.message import Message
from mockmail.http.catalogue import Catalogue, Row
from mockmail.http.content import attached, blind_recipients
from mockmail.http.replies import Refusal
from mockmail.mime.search_text import SearchText, fold, may_have

__all__ = ["Test", "parse", "timezone"]

Test = Callable[[list[Row]], list[Row]]
"""Of some rows those that pass."""

QUERY_LIMIT_CHARACTERS = 2000
_ADDRESS_FIELDS = ("from", "to", "cc", "bcc", "reply-to")
_TEXT_FIELDS = (*_ADDRESS_FIELDS, "subject")
_term = re.compile(r'\s*([-!]?)(?:([A-Za-z-]+):)?(?:"([^"]*)"?|(\S+))')
_size = re.compile(r"(\d{1,15})\s*([km]?)b?", re.IGNORECASE)
_plain_word = re.compile("[a-z0-9]+").fullmatch
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}


def timezone(name: str) -> datetime.tzinfo:
    """A time zone by its name; UTC when none is given."""
    if not name:
        return datetime.UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # not found is a KeyError
        raise Refusal(400, f"tz is {name!r}, which is no time zone; write one such as Europe/Berlin") from None


def parse(query: str, catalogue: Catalogue, zone: datetime.tzinfo = datetime.UTC) -> list[Test]:
    """The tests of a query, cheap ones first; all must hold. Raises ``Refusal`` for a value that cannot be read."""
    if len(query) > QUERY_LIMIT_CHARACTERS:
        raise Refusal(400, f"The query has {len(query)} characters; {QUERY_LIMIT_CHARACTERS} are allowed.")
    tests: list[tuple[int, Test]] = []
    for negated, key, value in _terms(query):
        cost, test = _test(key, value, catalogue, zone)
        tests.append((cost, _not(test) if negated else test))
    return [test for _, test in sorted(tests, key=lambda pair: pair[0])]


def _not(test: Test) -> Test:
    def others(rows: list[Row]) -> list[Row]:
        found = set(map(id, test(rows)))
        return [row for row in rows if id(row) not in found]

    return others


def _each(passes: Callable[[Row], bool]) -> Test:
    return lambda rows: [row for row in rows if passes(row)]


def _terms(query: str) -> Iterator[tuple[bool, str, str]]:
    for match in _term.finditer(query):
        sign, key, quoted, word = match.groups()
        value = word if quoted is None else quoted
        lower = (key or "").lower()
        if key and lower not in _KEYS:
            # "Re:" is text; so is a URL.
            lower, value = "", f"{key}:{value}"
        if value.strip():
            yield bool(sign), lower, " ".join(value.split()) if lower == "tag" else value


def _test(key: str, value: str, catalogue: Catalogue, zone: datetime.tzinfo) -> tuple[int, Test]:
    """How much a test costs, and the test."""
    if key == "is":
        return 0, _is(value.lower(), catalogue)
    if key == "has":
        return 5, _has(value.lower())
    if key == "tag":
        lower = value.lower()
        return 2, _each(lambda row: any(tag.lower() == lower for tag in catalogue.tags(row.message)))
    if key in ("before", "after"):
        moment = _moment(key, value, zone)
        if key == "before":
            return 0, _each(lambda row: row.received_at < moment)
        return 0, _each(lambda row: row.received_at >= moment)
    if key in ("larger", "smaller"):
        size = _bytes(key, value)
        if key == "larger":
            return 0, _each(lambda row: row.message.size > size)
        return 0, _each(lambda row: row.message.size < size)
    text = fold(value)
    if key in ("from", "to", "cc", "reply-to", "subject", "message-id"):
        return 3, _each(lambda row: _search_text(row.message).field_has(key, text))
    if key == "bcc":
        return 4, _each(lambda row: _is_blind(row.message, text))
    if key == "addressed":
        return 4, _each(lambda row: _in_fields(row.message, _ADDRESS_FIELDS, text) or _is_blind(row.message, text))
    return 9, _text_test(text, catalogue)


_KEYS = frozenset(
    {
        "to", "from", "cc", "bcc", "reply-to", "addressed", "subject", "message-id", "tag", "is", "has", "before",
        "after", "larger", "smaller",
    }
)  # fmt: skip


def _make_search_text(message: Message) -> SearchText:
    return SearchText(message.raw)


def _search_text(message: Message) -> SearchText:
    # The same that IMAP's SEARCH keeps.
    return message.derived("search text", _make_search_text)


def _in_fields(message: Message, names: tuple[str, ...], text: str) -> bool:
    search_text = _search_text(message)
    return text in search_text.header and any(search_text.field_has(name, text) for name in names)


def _is_blind(message: Message, text: str) -> bool:
    return any(text in fold(str(one)) for one in blind_recipients(message))


def _text_test(text: str, catalogue: Catalogue) -> Test:
    word = text if _plain_word(text) else None
    raw = text.encode("ascii") if text.isascii() and "\n" not in text else None

    def has_it(message: Message) -> bool:
        search_text = _search_text(message)
        if _in_fields(message, _TEXT_FIELDS, text) or search_text.body_has(text, raw) or _is_blind(message, text):
            return True
        return not search_text.is_plain and (
            text in fold("\n".join(message.texts)) or any(text in fold(one.filename) for one in attached(message))
        )

    # No header need name a recipient, as that of a blind copy.
    named = any(text in recipient for recipient in catalogue.recipients())

    def test(rows: list[Row]) -> list[Row]:
        if word is not None:
            among = may_have([row.message for row in rows], word)
            if named:
                addressed = [at for at, row in enumerate(rows) if text in "\n".join(row.message.recipients).lower()]
                among = sorted({*among, *addressed})
            rows = [rows[at] for at in among]
        return [row for row in rows if has_it(row.message)]

    return test


def _is(value: str, catalogue: Catalogue) -> Test:
    if value == "read":
        return _each(lambda row: row.read)
    if value == "unread":
        return _each(lambda row: not row.read)
    if value == "tagged":
        return _each(lambda row: bool(catalogue.tags(row.message)))
    raise Refusal(400, f"is:{value} is unknown; write is:read, is:unread or is:tagged")


def _has(value: str) -> Test:
    if value in ("attachment", "attachments"):
        return _each(lambda row: any(not one.inline for one in attached(row.message)))
    if value in ("inline", "inlines"):
        return _each(lambda row: any(one.inline for one in attached(row.message)))
    raise Refusal(400, f"has:{value} is unknown; write has:attachment or has:inline")


def _moment(key: str, value: str, zone: datetime.tzinfo) -> datetime.datetime:
    # Mailpit passes over a date that it cannot read; with DELETE that would remove everything.
    try:
        moment = datetime.datetime.fromisoformat(value.strip().replace("/", "-"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise Refusal(400, f'{key}:"{value}" is no date; write 2026-11-23 or "2026-11-23 14:30"') from None


def _bytes(key: str, value: str) -> int:
    match = _size.fullmatch(value.strip())
    if match is None:
        raise Refusal(400, f"{key}:{value} is no size; write a number of bytes, 50k or 2m")
    return int(match[1]) * _UNITS[match[2].lower()]
