"""BDAT (RFC 3030) beyond its dialogues: sizes, cuts, what is kept, faults."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.events import Command, Delivered, Rejected
from mockmail.core.world import World
from mockmail.smtp.chunking import ChunkReader, parse_chunk
from mockmail.wire.contract import Abort, Verdict


def whole(text: bytes | list[bytes]) -> bytes:
    return text if isinstance(text, bytes) else b"".join(text)


@pytest.mark.parametrize(
    ("argument", "chunk"),
    [
        ("0", (0, False)),
        ("86 LAST", (86, True)),
        ("86  last", (86, True)),
        ("00012", (12, False)),
        (None, None),
        ("", None),
        ("LAST", None),
        ("1LAST", None),
        ("-1", None),
        ("+1", None),
        ("0x10", None),
        ("1 FIRST", None),
        ("1 LAST LAST", None),
        ("٣", None),
        ("1" * 21, None),
    ],
)
def test_the_argument(argument, chunk):
    assert parse_chunk(argument) == chunk


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=6), st.integers(1, 17))
def test_chunks_are_joined_however_they_are_cut(chunks, cut):
    reader = ChunkReader(None)
    for chunk in chunks:
        reader.begin(len(chunk))
        assert reader.complete == (not chunk)
        wire, at = chunk + b"NOOP\r\n", 0
        while not reader.complete:
            piece = wire[at : at + cut]
            taken = reader.feed(piece)
            at += len(piece) if taken < 0 else taken
        assert at == len(chunk)
    assert whole(reader.text()) == b"".join(chunks)


def test_of_what_is_too_big_or_unwanted_nothing_is_kept():
    reader = ChunkReader(1000)
    piece = bytes(100_000)
    tracemalloc.start()
    for _ in range(2):
        reader.begin(10_000_000)
        for _ in range(100):
            reader.feed(piece)
    assert reader.too_big
    assert tracemalloc.get_traced_memory()[0] < 10_000
    reader = ChunkReader(None)
    reader.begin(len(piece), keep=False)
    assert reader.feed(piece + b"x") == len(piece)
    assert whole(reader.text()) == b""
    tracemalloc.stop()


def test_every_byte_is_kept_and_no_dot_means_anything(client):
    text = bytes(range(256)) + b"\r\n.\r\n\n.\n\r.\r..\r\n"
    c = client().start()
    c.converse("MAIL FROM:<a@b> Body=BinaryMime", "RCPT TO:<c@d>")
    c.session.receive(b"BDAT 100\r\n" + text[:100] + b"BDAT %d LAST\r\n" % (len(text) - 100) + text[100:] + b"NOOP\r\n")
    assert [line[:9] for line in c.pull().split("\r\n")] == ["250 2.0.0", "250 2.6.0", "250 2.0.0", ""]
    (delivered,) = c.world.journal.of(Delivered)
    assert delivered.message.original == text
    assert delivered.message.envelope.mail_options == {"Body": "BinaryMime"}
    assert [(command.name, command.arguments) for command in c.world.journal.of(Command)[-3:-1]] == [
        ("BDAT", "100"),
        ("BDAT", f"{len(text) - 100} LAST"),
    ]


def test_smuggled_commands_in_a_chunk_are_text_and_behind_it_are_commands(client):
    c = client().start()
    text = b"\n.\nMAIL FROM:<evil@x>\r\n\r.\rRSET\r\n\r\n.\r\nQUIT\r\n"
    c.converse("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    c.session.receive(b"BDAT %d LAST\r\n" % len(text) + text + b".\r\n")
    assert [line[:3] for line in c.pull().split("\r\n")] == ["250", "500", ""]
    (delivered,) = c.world.journal.of(Delivered)
    assert delivered.message.original == text
    assert c.actions == []


def test_a_fault_refuses_a_chunk_when_it_has_come(client):
    faults = []
    c = client()
    c.link.command = lambda name, arguments, account: faults.pop() if name == "BDAT" and faults else None
    c.start()
    c.converse("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    faults.append(Verdict("452 4.3.1 No space"))
    c.session.receive(b"BDAT 6\r\nNO")
    assert c.pull() == ""
    c.session.receive(b"OP\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n")
    assert [line[:9] for line in c.pull().split("\r\n")] == ["452 4.3.1", "503 5.5.1", "250 2.0.0", ""]
    (refusal,) = c.world.journal.of(Rejected)
    assert (refusal.stage, refusal.recipients, refusal.code) == ("BDAT", ("c@d",), 452)
    assert c.world.journal.of(Delivered) == []
    assert c.mail().startswith("250")
    faults.append(Verdict(drop=True))
    c.session.receive(b"BDAT 0\r\n")
    c.pull()
    assert c.actions == [Abort()]


def test_the_end_of_the_last_chunk_is_the_end_of_the_message(client):
    asked = []
    c = client()
    c.link.command = lambda name, arguments, account: asked.append((name, arguments))
    c.start()
    c.converse("MAIL FROM:<a@b>", "RCPT TO:<c@d>", b"BDAT 2\r\n", b"BDAT 2 LAST\r\n")
    assert asked[-3:] == [("BDAT", "2"), ("BDAT", "2 LAST"), ("MESSAGE", "c@d")]


def test_chunks_across_a_reset_of_the_server(client):
    c = client().start()
    c.converse("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    c.session.receive(b"BDAT 2\r\nab")
    c.pull()
    c.world.retire()
    fresh = World(Settings())
    c.session.rebind(fresh)
    c.session.receive(b"BDAT 2\r\ncdBDAT 2 LAST\r\nefRSET\r\n")
    assert [line[:9] for line in c.pull().split("\r\n")] == ["451 4.3.2", "503 5.5.1", "250 2.0.0", ""]
    assert c.mail().startswith("250")
    assert len(fresh.journal.of(Delivered)) == 1


def test_a_last_chunk_behind_a_reset_is_late_mail(client):
    c = client().start()
    c.converse("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    c.world.retire()
    c.session.receive(b"BDAT 2 LAST\r\nab")
    assert c.pull().startswith("451 4.3.2")
    assert [message.original for message in c.world.late] == [b"ab"]
