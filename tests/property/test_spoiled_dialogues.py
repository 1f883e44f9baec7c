"""What the scripts' clients say, spoiled: never an error inside, and however the stream is cut, the same answers."""

import datetime
import itertools
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.wire.contract import Abort, Close, Link
from support.play import session_class_of
from support.script import parse_script

BOB = "bob@example.test"
AT = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
BEGINNINGS = {
    "smtp": (b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n"),
    "lmtp": (
        b"LHLO x\r\n",
        b"LHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nRCPT TO:<ann@b.test>\r\n",
    ),
    "pop3": (b"", b"USER bob@example.test\r\nPASS any\r\n"),
    "imap": (b"", b"a LOGIN bob@example.test any\r\na SELECT INBOX\r\n"),
}
SPOILS = (
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b'"',
    b"\\",
    b"(",
    b")",
    b"{3}\r\n",
    b"{2+}\r\nab",
    b"{0}\r\n",
    b"\xff\xfe",
    b"*",
)
SPOILS += (
    b"{99999999999}\r\n",
    b"4294967296",
    b"<0.1>",
    b"[",
    b"]",
    b"%",
    b"&AOk-",
    b"=",
    b".",
    b"\r\n.\r\n",
    b" ",
    b"+",
)
OWN_NAMES = re.compile(rb"[0-9A-Za-z]{22}(?![0-9A-Za-z])")
"""IDs of messages, and the timestamp of POP3's greeting: never the same twice."""


def _client_lines(protocol):
    found = set()
    for path in (Path(__file__).parent.parent / "dialogue" / protocol).glob("*.txt"):
        script = parse_script(path.read_text("utf-8"), name=path.name, protocol=protocol)
        for step in script.steps:
            if step.who == "C" and script.protocol_of(step.session) == protocol and "{" not in step.text[:-9]:
                found.add(step.text.encode() + (b"\r\n" if step.how == ":" else b""))
    return sorted(found)


LINES = {protocol: _client_lines(protocol) for protocol in BEGINNINGS}


@st.composite
def spoiled(draw, protocol):
    """A line, with something cut out and something put in."""
    line = draw(st.sampled_from(LINES[protocol]))
    if draw(st.booleans()):
        return line
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(len(line), start + 8)))
    return line[:start] + draw(st.sampled_from(SPOILS)) + line[end:]


@st.composite
def streams(draw):
    protocol = draw(st.sampled_from(sorted(BEGINNINGS)))
    lines = draw(st.lists(spoiled(protocol), min_size=1, max_size=12))
    return protocol, draw(st.sampled_from(BEGINNINGS[protocol])) + b"".join(lines)


def answers(protocol, pieces, pull_bytes):
    """What a session says to these pieces and the end of the stream."""
    world = World(Settings(), next_uid_validity=itertools.count(7).__next__)
    world.clock.freeze(AT)
    for raw in (
        b"Subject: One\r\n\r\n.One\r\n",
        b"",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n--a--",
    ):
        world.store.seed(world.account(BOB), "INBOX", world.store.new_message(raw), ())
    link = Link(protocol, f"{protocol}-1", peer=("127.0.0.1", 50000))
    session = session_class_of(protocol)(link, world)
    said = bytearray()
    session.greeting()
    _pull(session, said, pull_bytes)
    for piece in pieces:
        assert session.wants_input
        session.receive(piece)
        if not _pull(session, said, pull_bytes):
            break
    else:
        session.receive_eof()
        _pull(session, said, pull_bytes)
    session.connection_lost()
    assert link.errors == []
    return OWN_NAMES.sub(b"<id>", bytes(said))


def _pull(session, said, pull_bytes):
    """All that it has to say; whether the connection stays."""
    while True:
        actions = session.outgoing(*pull_bytes)
        for action in actions:
            if isinstance(action, bytes):
                said += action
            elif isinstance(action, Close | Abort):
                return False
        if not actions and not session.busy:
            return True


@given(streams(), st.lists(st.integers(1, 40), max_size=20))
def test_the_cut_of_a_stream_does_not_matter(stream, sizes):
    protocol, data = stream
    cuts = [0, *itertools.accumulate(sizes), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(min(cut, len(data)) for cut in cuts) if start < end]
    whole = answers(protocol, [data], ())
    assert answers(protocol, pieces, (64,)) == whole
    assert answers(protocol, [bytes((byte,)) for byte in data], ()) == whole
