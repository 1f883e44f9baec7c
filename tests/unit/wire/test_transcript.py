from __future__ import annotations

import subprocess
import sys
import threading
import tracemalloc

import pytest

from mockmail.wire.transcript import Record, Transcript

PEER = ("127.0.0.1", 50123)


@pytest.fixture
def transcript():
    return Transcript(clock=lambda: 7.0)


@pytest.fixture
def record(transcript):
    return transcript.open("imap", "imap-3", PEER)


def test_lines_of_both_sides_below_a_header(transcript, record):
    record.sent(b"* OK ready\r\n")
    record.received(b"a LOGIN bob x\r\nb NO")
    record.received(b"OP\r\n")
    record.account = "bob@example.test"
    record.sent(b"a OK\r\nb OK\r\n")
    assert str(transcript) == (
        "== imap-3 127.0.0.1:50123 bob@example.test ==\nS: * OK ready\nC: a LOGIN bob x\nC: b NOOP\nS: a OK\nS: b OK"
    )
    (session,) = transcript.sessions()
    assert (session.protocol, session.session, session.account) == ("imap", "imap-3", "bob@example.test")
    assert session.times == (7.0,) * 5


def test_an_exchange_is_what_both_sides_said(record):
    record.received(b"a")
    record.exchanged(b" PASS secret\r\n", b"+OK\r\n")
    record.redact(7, 13)
    record.received(b"text\r\n")
    record.exchanged(b"x" * 5000 + b"\r\n", b"+OK 2\r\n")
    record.exchanged(b"RETR\r\n", b"y" * 5000 + b"\r\n")
    lines = record.picture().lines
    assert lines[:3] == ("C: a PASS ***", "S: +OK", "C: text")
    assert [line[:5] for line in lines[3:]] == ["C: xx", "S: +O", "C: RE", "S: yy"]
    assert "bytes …" in lines[3]
    assert "bytes …" in lines[6]
    assert record.received_bytes == 1 + 14 + 6 + 5002 + 6


def test_memory_of_exchanges_is_bounded(record):
    for number in range(5000):
        record.exchanged(b"NOOP %d\r\n" % number, b"250 OK\r\n")
    lines = record.picture().lines
    assert lines[0] == "C: NOOP 0"
    assert lines[-2:] == ("C: NOOP 4999", "S: 250 OK")
    assert any(line.startswith("*: … ") for line in lines)
    assert len(lines) < 1500


def test_what_cannot_be_printed_is_escaped(record):
    record.received(b"NOOP\x00\xff\x1b[31m\r\rx\n")
    assert record.picture().lines == (r"C: NOOP\x00\xff\x1b[31m\x0d\x0dx",)


@pytest.mark.parametrize(
    ("ranges", "line"),
    [
        ([(5, 11)], "C: PASS ***"),
        ([(5, 7), (7, 11)], "C: PASS ***"),
        ([(5, 9), (6, 11)], "C: PASS ***"),
        ([(0, 2), (5, 11)], "C: ***SS ***"),
        ([(5, 5)], "C: PASS secret"),
        ([(0, 11)], "C: ***"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("early", [False, True], ids=["after", "before"])
def test_secrets_are_hidden_however_they_came(record, ranges, line, size, early):
    data = b"PASS secret\r\n"
    if early:
        for start, stop in ranges:
            record.redact(start, stop)
    for start in range(0, len(data), size):
        record.received(data[start : start + size])
    if not early:
        for start, stop in ranges:
            record.redact(start, stop)
    assert record.picture().lines == (line,)


def test_only_what_the_client_said_is_hidden(record):
    record.sent(b"0123456789\r\n")
    record.received(b"abc\r\n")
    record.redact(0, 3)
    assert record.picture().lines == ("S: 0123456789", "C: ***")


def test_the_middle_of_a_long_chunk_is_left_out(record):
    record.received(b"DATA" + b"x" * 100_000 + b"END\r\n")
    record.redact(100_004, 100_007)
    (line,) = record.picture().lines
    assert line.startswith("C: DATAxxx")
    assert "… 96937 bytes …" in line
    assert line.endswith("xxx***")
    assert len(line) < 4096


@pytest.mark.parametrize("size", [1, 100, 128 * 1024])
def test_memory_is_bounded(size):
    chunk = b"x" * size
    tracemalloc.start()
    try:
        record = Record("smtp", "smtp-1", PEER, lambda: 0.0)
        for _ in range(20_000):
            record.received(chunk)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 256 * 1024
    assert any("bytes …" in line and line.startswith("*: ") for line in record.picture().lines)


def test_beginning_and_end_are_kept(record):
    for number in range(20_000):
        record.received(b"NOOP %d\r\n" % number)
    lines = record.picture().lines
    assert lines[:2] == ("C: NOOP 0", "C: NOOP 1")
    assert lines[-1] == "C: NOOP 19999"
    (gap,) = (line for line in lines if line.startswith("*"))
    left_out = sum(len(b"NOOP %d\r\n" % number) for number in range(20_000)) - sum(
        len(line) - 3 + 2 for line in lines if line.startswith("C")
    )
    assert gap == f"*: … {left_out} bytes …"


def test_sessions_by_protocol_and_account(transcript, record):
    other = transcript.open("pop3", "pop3-1", PEER)
    silent = transcript.open("smtp", "smtp-1", PEER)
    record.received(b"a\n")
    record.account = "bob@example.test"
    other.received(b"b\n")
    assert silent.picture().lines == ()
    assert [session.session for session in transcript.sessions()] == ["imap-3", "pop3-1"]
    assert [session.session for session in transcript.sessions("pop3")] == ["pop3-1"]
    assert [session.session for session in transcript.sessions(account="BOB@example.test")] == ["imap-3"]
    assert transcript.sessions("pop3", "bob@example.test") == []


def test_a_bounded_number_of_closed_sessions_is_kept(transcript, record):
    record.received(b"open\n")
    for number in range(500):
        closed = transcript.open("smtp", f"smtp-{number}", PEER)
        closed.received(b"x\n")
        transcript.close(closed)
    names = [session.session for session in transcript.sessions()]
    assert names == ["imap-3", *(f"smtp-{number}" for number in range(400, 500))]


def test_clear_keeps_open_sessions_going(transcript, record):
    closed = transcript.open("smtp", "smtp-1", PEER)
    closed.received(b"gone\n")
    transcript.close(closed)
    record.received(b"old secret\n")
    transcript.clear()
    assert transcript.sessions() == []
    record.received(b"new secret\n")
    record.redact(15, 21)
    assert str(transcript).splitlines()[1:] == ["C: new ***"]


def test_a_report_shows_the_last_lines_and_says_how_many_are_missing(transcript, record):
    for number in range(100):
        record.received(b"%d\n" % number)
    lines = transcript.tail().splitlines()
    assert lines[:3] == ["== imap-3 127.0.0.1:50123 ==", "(40 lines left out)", "C: 40"]
    assert lines[-1] == "C: 99"
    assert "left out" not in transcript.tail(100)


def test_it_is_read_while_it_is_written(transcript, record):
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            record.received(b"NOOP %d\r\n" % number)
            if number % 50 == 0:
                transcript.close(transcript.open("smtp", f"smtp-{number}", PEER))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(30):
            for session in transcript.sessions():
                assert len(session.lines) == len(session.times)
    finally:
        stop.set()
        thread.join()


def test_notes_are_marked(record):
    record.note("TLS started")
    assert record.picture().lines == ("*: TLS started",)


def test_it_is_of_use_without_a_loop():
    program = """
import sys, mockmail.wire.transcript, mockmail.wire.faults
assert not {"asyncio", "ssl", "socket"} & {*sys.modules}
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_the_connection_writes_it_and_the_session_hides_in_it(server):
    client = server.greeted()
    client.send(b"SECRET xyzzy\r\nECHO x\r\n")
    assert (client.line(), client.line()) == (b"in", b"x")
    port = client.socket.getsockname()[1]
    assert str(server.connections.transcript) == (
        f"== line-1 127.0.0.1:{port} bob@example.test ==\nS: hello\nC: SECRET ***\nC: ECHO x\nS: in\nS: x"
    )
