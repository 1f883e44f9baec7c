"""poplib against the running server: whole jobs, as applications do them."""

from __future__ import annotations

import poplib
import socket
from collections.abc import Callable, Iterator

import pytest

from mockmail import MockMail
from mockmail.core.events import Expunged, Fetched

BOB = "bob@example.test"
RAW = b"From: a@b.test\r\nSubject: dots\r\n\r\n.\r\n..two\r\nlast\r\n"

Connect = Callable[..., poplib.POP3]


@pytest.fixture
def connect(mockmail: MockMail) -> Iterator[Connect]:
    """``connect()`` gives a client; one that is still open at the end is closed."""
    clients: list[poplib.POP3] = []

    def make(user: str | None = BOB, password: str = "any") -> poplib.POP3:
        client = poplib.POP3(*mockmail.pop3.address, timeout=10)
        clients.append(client)
        if user is not None:
            client.user(user)
            client.pass_(password)
        return client

    yield make
    for client in clients:
        client.close()


def test_download_and_delete(mockmail: MockMail, connect: Connect) -> None:
    mockmail.seed(RAW, to=BOB)
    mockmail.seed(to=BOB, subject="Two", text="x" * 100)
    client = connect()
    assert client.stat() == (2, sum(message.size for message in mockmail.account(BOB).inbox))
    response, lines, octets = client.retr(1)
    assert b"\r\n".join(lines) + b"\r\n" == RAW
    assert octets == len(RAW)
    assert response == b"+OK %d octets" % len(RAW)
    for number in (1, 2):
        client.dele(number)
    # Nothing is gone before QUIT.
    assert len(mockmail.account(BOB).inbox) == 2
    assert client.quit().startswith(b"+OK")
    assert len(mockmail.account(BOB).inbox) == 0
    assert [event.protocol for event in mockmail.events.of(Expunged)] == ["pop3", "pop3"]


def test_download_and_keep_by_unique_ids(mockmail: MockMail, connect: Connect) -> None:
    seen: set[bytes] = set()

    def poll() -> list[bytes]:
        client = connect()
        new = []
        for line in client.uidl()[1]:
            number, unique_id = line.split()
            if unique_id not in seen:
                seen.add(unique_id)
                new.append(client.retr(int(number))[1][0])
        client.quit()
        return new

    mockmail.seed(b"Subject: one\r\n\r\n", to=BOB)
    mockmail.seed(b"Subject: two\r\n\r\n", to=BOB)
    assert poll() == [b"Subject: one", b"Subject: two"]
    mockmail.seed(b"Subject: three\r\n\r\n", to=BOB)
    mockmail.account(BOB).inbox.expunge(1)
    assert poll() == [b"Subject: three"]
    assert poll() == []


def test_every_command_of_poplib(mockmail: MockMail, connect: Connect) -> None:
    mockmail.seed(RAW, to=BOB)
    client = connect(None)
    assert client.getwelcome().startswith(b"+OK mockmail")
    capabilities = client.capa()
    assert capabilities["SASL"][:2] == ["PLAIN", "LOGIN"]
    assert capabilities["EXPIRE"] == ["NEVER"]
    assert {"TOP", "USER", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "IMPLEMENTATION"} <= set(capabilities)
    client.apop(BOB, "any")
    assert client.noop() == b"+OK"
    assert client.list()[1] == [b"1 %d" % len(RAW)]
    assert client.list(1) == b"+OK 1 %d" % len(RAW)
    assert client.top(1, 0)[1] == [b"From: a@b.test", b"Subject: dots", b""]
    assert client.top(1, 2)[1][3:] == [b".", b"..two"]
    assert client.uidl(1).startswith(b"+OK 1 ")
    client.dele(1)
    with pytest.raises(poplib.error_proto, match="already deleted"):
        client.retr(1)
    assert client.rset().startswith(b"+OK")
    assert client.stat() == (1, len(RAW))
    with pytest.raises(poplib.error_proto, match="UTF8 is for the AUTHORIZATION state"):
        client.utf8()
    client.quit()
    assert [event.part for event in mockmail.events.of(Fetched)] == ["header", "top"]


@pytest.mark.mockmail(users={BOB: "s3cret"})
def test_logins_by_password_and_by_digest(mockmail: MockMail, connect: Connect) -> None:
    connect(BOB, "s3cret").quit()
    client = connect(None)
    client.apop("bob", "s3cret")
    client.quit()
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\]"):
        connect(BOB, "wrong")
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\]"):
        connect(None).apop("bob", "wrong")
    assert "s3cret" not in str(mockmail.transcript)
    assert "PASS" in str(mockmail.transcript)


def test_two_clients_of_one_maildrop(mockmail: MockMail, connect: Connect) -> None:
    first = connect()
    with pytest.raises(poplib.error_proto, match=r"\[IN-USE\]"):
        connect()
    first.quit()
    connect().quit()


def test_a_client_that_hangs_up_deletes_nothing(mockmail: MockMail, connect: Connect) -> None:
    mockmail.seed(RAW, to=BOB)
    client = connect()
    client.dele(1)
    client.sock.shutdown(socket.SHUT_WR)
    assert client.file.read() == b""
    assert connect().stat() == (1, len(RAW))


def test_a_large_message(mockmail: MockMail, connect: Connect) -> None:
    raw = b"Subject: large\r\n\r\n" + (b"." * 70 + b"\r\n") * 200_000
    mockmail.seed(raw, to=BOB)
    assert b"\r\n".join(connect().retr(1)[1]) + b"\r\n" == raw


def test_a_reset_takes_the_maildrop_and_keeps_the_connection(mockmail: MockMail, connect: Connect) -> None:
    logged_in, waiting = connect(), connect(None)
    mockmail.reset()
    with pytest.raises(poplib.error_proto, match="the server was reset"):
        logged_in.stat()
    assert logged_in.quit().startswith(b"+OK")
    waiting.user(BOB)
    waiting.pass_("any")
    assert waiting.stat() == (0, 0)


def test_pipelined_commands(mockmail: MockMail) -> None:
    for number in range(50):
        mockmail.seed(b"Subject: %d\r\n\r\n" % number, to=BOB)
    retrieve = b"".join(b"RETR %d\r\nDELE %d\r\n" % (number, number) for number in range(1, 51))
    with socket.create_connection(mockmail.pop3.address, timeout=10) as client:
        client.sendall(b"USER bob@example.test\r\nPASS any\r\n" + retrieve + b"QUIT\r\n")
        with client.makefile("rb") as reader:
            received = reader.read()
    assert received.count(b"\r\n.\r\n") == 50
    assert received.endswith(b"signing off (maildrop empty)\r\n")
    assert len(mockmail.account(BOB).inbox) == 0


def test_a_server_that_changes_all_unique_ids(mockmail: MockMail, connect: Connect) -> None:
    for number in range(3):
        mockmail.seed(b"Subject: %d\r\n\r\n" % number, to=BOB)
    client = connect()
    before = client.uidl()[1]
    client.dele(1)
    mockmail.account(BOB).inbox.reset_uidvalidity()
    with pytest.raises(poplib.error_proto, match="some deleted messages not removed"):
        client.quit()
    after = connect().uidl()[1]
    assert len(after) == 3
    assert not set(before) & set(after)
