"""SEARCH against an evaluator that asks each key of each message, and keeps nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from mockmail.core.mailbox import Mailbox
from mockmail.core.message import Envelope, Message
from mockmail.core.views import MailboxView
from mockmail.imap.search import keys
from mockmail.imap.search.evaluate import evaluate
from mockmail.imap.sets import SequenceSet, contains
from mockmail.mime.charsets import guess
from mockmail.mime.dates import parse_date
from mockmail.mime.headers import decode_words, scan
from mockmail.mime.parts import parse
from mockmail.mime.search_text import SearchText, fold, header_lacks, may_have
from mockmail.mime.text import part_text

WORDS = ["needle", "hay", "ÄRGER", "straße", "x y", "a@b.test", "=?", "K", ":", " "]
NOW = datetime(2026, 3, 3, 6, tzinfo=UTC)
DAYS = [date(2026, 3, 1), date(2026, 3, 2)]
FLAGS = ["\\Seen", "\\Flagged", "$Junk", "later"]
FIELDS = [b"subject", b"from", b"to", b"date", b"x-odd", b"content-type"]

text = st.sampled_from(WORDS) | st.text(max_size=6)
eol = st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r"])
value = st.one_of(
    text.map(lambda words: words.encode("utf-8", "replace")),
    text.map(lambda words: words.encode("latin-1", "replace")),
    st.sampled_from(
        [
            b"=?utf-8?q?=C3=84RGER?=",
            b"=?utf-8?b?c3RyYcOfZQ==?= =?x?q?_y?=",
            b"one\r\n needle",
            b"\r\n\thay",
            b"Mon, 2 Mar 2026 01:00 -0500",
            b"2 Mar 26 10:00",
            b"text/plain",
            b"text/plain; charset=latin-1",
            b"text/html; charset=utf-8",
            b"multipart/mixed; boundary=b",
            b"message/rfc822",
            b"image/png",
        ]
    ),
)
name = st.sampled_from([b"Subject", b"From", b"TO", b"Date", b"X-Odd", b"Subject ", b"Content-Type"])
field = st.one_of(
    st.tuples(name, st.sampled_from([b":", b": "]), value, eol).map(b"".join),
    st.sampled_from(
        [
            b"Date: Mon, 2 Mar 2026 01:00 -0500\r\n",
            b"date:\r\n 1 Mar 26 23:00\r\n",
            b"Content-Transfer-Encoding: base64\r\n",
            b"Content-Transfer-Encoding: 8bit\r\n",
            b"From me\r\n",
            b" odd\r\n",
        ]
    ),
)
body = st.one_of(
    st.lists(st.one_of(value, eol, st.sampled_from([b"bmVlZGxl", b"--b\r\n", b"--b--\r\n", b"\r\n\r\n"]))).map(
        b"".join
    ),
    st.binary(max_size=40),
)
message = st.builds(lambda fields, end, rest: b"".join(fields) + end + rest, st.lists(field, max_size=5), eol, body)
seeded = st.tuples(
    message,
    st.frozensets(st.sampled_from(FLAGS)),
    st.sampled_from([datetime(2026, 3, 1, 23, tzinfo=timezone(timedelta(hours=-3))), datetime(2026, 3, 2, tzinfo=UTC)]),
)

needle = text.filter(lambda words: not {"\n", "\r", "\0"} & set(words.casefold())).map(
    lambda words: keys.Needle(words.casefold())
)
relation = st.sampled_from(["<", "=", ">="])
ranges = st.lists(st.sampled_from([b"1", b"2:3", b"4:*", b"*", b"7", b"9:12"]), min_size=1).map(
    lambda items: SequenceSet.parse(b",".join(items))
)
leaf = st.one_of(
    st.just(keys.All()),
    st.builds(keys.Flag, st.sampled_from(["\\Seen", "\\Flagged", "\\Recent"]), st.booleans()),
    st.builds(keys.Keyword, st.sampled_from(["$junk", "later", "never"]), st.booleans()),
    st.builds(keys.Header, st.sampled_from(FIELDS), needle),
    st.builds(keys.Body, needle),
    st.builds(keys.Text, needle),
    st.builds(keys.InternalDate, relation, st.sampled_from(DAYS)),
    st.builds(keys.SentDate, relation, st.sampled_from(DAYS)),
    st.builds(keys.Within, st.booleans(), st.sampled_from([1, 86_400, 108_000, 200_000])),
    st.builds(keys.Size, st.sampled_from(["<", ">"]), st.integers(0, 60)),
    st.builds(keys.Messages, ranges),
    st.builds(keys.Uids, ranges),
)
tree = st.recursive(
    leaf,
    lambda below: st.one_of(
        st.builds(keys.Not, below),
        st.lists(below, min_size=2, max_size=4).map(lambda parts: keys.And(tuple(parts))),
        st.lists(below, min_size=2, max_size=4).map(lambda parts: keys.Or(tuple(parts))),
    ),
    max_leaves=8,
)


def holds(how: str, one: date, other: date) -> bool:
    return {"<": one < other, "=": one == other, ">=": one >= other}[how]


def matches_field(raw: bytes, name: bytes, words: str) -> bool:
    for written, colon, value, _, _, _ in scan(raw).fields:
        if written.lower() == name:
            text = guess(colon.partition(b":")[2] + value.replace(b"\r", b"").replace(b"\n", b""))
            if words in text.casefold() or words in decode_words(text).casefold():
                return True
    return False


def body_texts(raw: bytes) -> list[str]:
    whole = parse(raw)
    texts = []
    for part in whole.walk():
        if part is not whole:
            texts.append(SearchText(raw[part.header.start : part.header.stop] + b"\r\n").header)
        if (
            not part.children
            and part.message is None
            and part.content_type.maintype in ("text", "message", "multipart")
        ):
            texts.append(part_text(part).casefold())
    return texts


def matches(key: keys.Key, number: int, entry, view: MailboxView) -> bool:
    raw = entry.message.raw
    match key:
        case keys.And(parts):
            return all(matches(part, number, entry, view) for part in parts)
        case keys.Or(parts):
            return any(matches(part, number, entry, view) for part in parts)
        case keys.Not(inner):
            return not matches(inner, number, entry, view)
        case keys.Flag("\\Recent", is_set):
            return view.is_recent(entry.uid) is is_set
        case keys.Flag(flag, is_set):
            return (flag in entry.flags) is is_set
        case keys.Keyword(keyword, is_set):
            return (keyword in {flag.lower() for flag in entry.flags}) is is_set
        case keys.InternalDate(how, day):
            return holds(how, entry.message.received_at.date(), day)
        case keys.SentDate(how, day):
            value = scan(raw).first(b"date")
            sent = None if value is None else parse_date(value.decode("latin-1"))
            return sent is not None and holds(how, sent.date(), day)
        case keys.Within(is_older, seconds):
            age_seconds = (NOW - entry.message.received_at.replace(microsecond=0)).total_seconds()
            return age_seconds >= seconds if is_older else age_seconds <= seconds
        case keys.Size(how, size):
            return len(raw) > size if how == ">" else len(raw) < size
        case keys.Messages(numbers):
            return contains(numbers.resolve(view.count), number)
        case keys.Uids(uids):
            return contains(uids.resolve(view.highest_uid), entry.uid)
        case keys.Body(words):
            return not words.text or any(words.text in one for one in body_texts(raw))
        case keys.Text(words):
            header = SearchText(raw).header
            return not words.text or any(words.text in one for one in (header, *body_texts(raw)))
        case keys.Header(wanted, words):
            return matches_field(raw, wanted, words.text)
    return True


sent = st.builds(keys.SentDate, relation, st.sampled_from(DAYS))
dated = st.tuples(
    st.tuples(
        st.just(b"Date: "), value | st.dates(*DAYS).map(lambda day: f"{day:%d %b %Y} 23:00 -0900".encode()), eol
    ).map(b"".join),
    st.just(frozenset()),
    st.just(datetime(2026, 3, 2, tzinfo=UTC)),
)
searches = st.one_of(
    st.tuples(st.lists(seeded, max_size=6), tree),
    st.tuples(st.lists(dated, min_size=2, max_size=6), sent),
)


@given(search=searches, gone=st.sets(st.integers(1, 6), max_size=2))
def test_finds_what_asking_each_key_of_each_message_finds(search, gone):
    messages, key = search
    mailbox = Mailbox("bob@example.test", "INBOX", 1)

    def add(some):
        mailbox.add(
            (Message(raw, id="1", envelope=Envelope(), received_at=at), mailbox.spelled(flags))
            for raw, flags, at in some
        )

    add(messages[:2])
    MailboxView(mailbox).close()
    add(messages[2:])
    view = MailboxView(mailbox)
    mailbox.expunge(gone)
    view.changes(expunges=not gone & {1})
    running = evaluate(key, view, NOW)
    while True:
        try:
            next(running)
        except StopIteration as stop:
            found = stop.value
            break
    expected = [(at, one.uid) for at, one in enumerate(view.entries(), 1) if matches(key, at, one, view)]
    assert list(zip(found.numbers, found.uids, strict=True)) == expected


@given(raws=st.lists(message | st.binary(), max_size=12), word=st.sampled_from(["needle", "hay", "strasse", "e", "x"]))
def test_messages_looked_at_together_are_told_as_each_alone(raws, word):
    def some() -> list[Message]:
        return [Message(raw, id="x", envelope=Envelope(), received_at=NOW) for raw in raws]

    alone = [at for at, one in enumerate(some()) if may_have([one], word)]
    together = some()
    assert may_have(together, word) == alone
    assert may_have(together, word) == alone


@given(raw=message | st.binary())
def test_any_bytes_have_a_text(raw):
    kept = SearchText(raw)
    assert kept.header.startswith("\n")
    assert kept.header.endswith("\n")
    names = {field[0].decode("ascii").lower() for field in scan(raw).fields if field[0]}
    assert all(kept.field_has(one, "") for one in names)
    assert not kept.field_has("x-absent", "")
    body = kept.body
    assert all(kept.body_has(word, word.encode()) == (word in body) for word in ("needle", "hay", "e", "k"))
    for word in ("needle", "hay", "rger", "strasse", "e", "x"):
        assert not (header_lacks(raw, word) and word in kept.header)
        if not may_have([Message(raw, id="x", envelope=Envelope(), received_at=NOW)], word):
            assert word not in kept.header
            assert word not in body
    if kept.is_plain:
        assert body == fold(raw[parse(raw).body_start :].decode("ascii"))
