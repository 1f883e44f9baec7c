"""The relaying client against next hops good and bad: what it says, and what it makes of what is said to it."""

from __future__ import annotations

import pytest

from mockmail.relay.client import Ask, Client, Mail, Secure
from mockmail.relay.replies import Reply, ReplyReader, Trouble

EHLO = "250-hop\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n250 STARTTLS\r\n"


def play(script, *replies: str) -> bytes:
    """Run a script with these replies; what it sent. TLS is marked."""
    reader, sent = ReplyReader(), b""
    reader.feed("".join(replies).encode())
    reply: Reply | None = None
    try:
        while True:
            step = script.send(reply)
            reply = None
            if isinstance(step, bytes):
                sent += step
            elif isinstance(step, Secure):
                sent += b"<TLS>"
            else:
                assert isinstance(step, Ask)
                reply = reader.next()
                assert reply is not None, sent
    except StopIteration:
        return sent


def opened(*replies: str, tls: bool = True, **options) -> Client:
    client = Client("a.test", **options)
    play(client.open(tls=tls), *replies)
    return client


def mail(*recipients: str, content: bytes = b"Subject: x\r\n\r\n.x\r\n", options=None, rcpt=None) -> Mail:
    return Mail("s@a.test", [(one, rcpt or {}) for one in recipients], content, options or {})


def test_it_upgrades_where_that_is_offered_and_asks_anew() -> None:
    client = Client("a.test")
    sent = play(client.open(), "220 hop\r\n", EHLO, "220 go\r\n", "250 hop\r\n")
    assert sent == b"EHLO a.test\r\nSTARTTLS\r\n<TLS>EHLO a.test\r\n"
    assert client.capabilities == {}


def test_it_falls_back_to_helo() -> None:
    client = Client("a.test")
    assert play(client.open(), "220 hop\r\n", "502 What?\r\n", "250 hop\r\n") == b"EHLO a.test\r\nHELO a.test\r\n"
    outcomes: dict[str, Reply] = {}
    sent = play(client.send(mail("b@b.test"), outcomes), "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 done\r\n")
    assert sent == b"MAIL FROM:<s@a.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\nSubject: x\r\n\r\n..x\r\n.\r\n"
    assert outcomes["b@b.test"].code == 250


def test_a_pipelined_envelope_with_the_parameters_that_the_hop_knows() -> None:
    client = opened("220 hop\r\n", EHLO, tls=False)
    outcomes: dict[str, Reply] = {}
    one = mail("b@b.test", "c@b.test", options={"RET": "HDRS", "ENVID": "q"}, rcpt={"NOTIFY": "SUCCESS"})
    sent = play(
        client.send(one, outcomes), "250 ok\r\n", "250 ok\r\n", "550 5.1.1 Who?\r\n", "354 go\r\n", "250 ok\r\n"
    )
    assert sent.startswith(
        b"MAIL FROM:<s@a.test> SIZE=18 RET=HDRS ENVID=q\r\nRCPT TO:<b@b.test> NOTIFY=SUCCESS\r\n"
        b"RCPT TO:<c@b.test> NOTIFY=SUCCESS\r\nDATA\r\n"
    )
    assert (outcomes["b@b.test"].code, str(outcomes["c@b.test"])) == (250, "550 5.1.1 Who?")


def test_when_nobody_is_taken_nothing_is_sent_even_where_data_is_welcome() -> None:
    client = opened("220 hop\r\n", EHLO, tls=False)
    outcomes: dict[str, Reply] = {}
    sent = play(client.send(mail("b@b.test"), outcomes), "250 ok\r\n", "550 no\r\n", "354 go\r\n", "554 none\r\n")
    assert sent.endswith(b"DATA\r\n.\r\n")
    assert outcomes["b@b.test"].code == 550


@pytest.mark.parametrize(
    ("content", "options", "status"),
    [
        (b"x" * 1001, {}, "5.3.4"),
        ("Subject: \u00e9\r\n\r\n".encode(), {"SMTPUTF8": None}, "5.6.7"),
        (b"x", {"REQUIRETLS": None}, "5.7.10"),
        (b"x", {"BODY": "BINARYMIME"}, "5.6.3"),
    ],
)
def test_what_a_hop_can_never_take_is_not_tried(content, options, status) -> None:
    client = opened("220 hop\r\n", EHLO, tls=False)
    outcomes: dict[str, Reply] = {}
    assert play(client.send(mail("b@b.test", content=content, options=options), outcomes)) == b""
    assert outcomes["b@b.test"].status == status
    assert outcomes["b@b.test"].permanent


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        (["554 no mail here\r\n"], 554),
        (["421 busy\r\n"], 421),
        (["220 hop\r\n", "421 later\r\n"], 421),
        (["HTTP/1.1 400 Bad Request\r\n"], 451),
        (["220 hop\r\n", "250-a\r\n", "550 b\r\n"], 451),
        (["2" * 5000], 451),
    ],
)
def test_hops_that_cannot_be_talked_to(replies, code) -> None:
    with pytest.raises(Trouble) as met:
        play(Client("a.test").open(), *replies)
    assert met.value.reply.code == code


def test_it_logs_in_or_says_why_not() -> None:
    client = Client("a.test", login=("bob", "pw"))
    sent = play(client.open(), "220 hop\r\n", "250-hop\r\n250 AUTH LOGIN PLAIN\r\n", "235 ok\r\n")
    assert sent.endswith(b"AUTH PLAIN AGJvYgBwdw==\r\n")
    with pytest.raises(Trouble, match=r"535 5\.7\.8 no"):
        play(Client("a.test", login=("b", "p")).open(), "220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "535 5.7.8 no\r\n")
    with pytest.raises(Trouble, match="offers no AUTH by PLAIN"):
        play(Client("a.test", login=("b", "p")).open(), "220 x\r\n", "250 x\r\n")


BINARY = "250-hop\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"
IN_STEPS = BINARY.replace("250-PIPELINING\r\n", "")


@pytest.mark.parametrize("ehlo", [BINARY, IN_STEPS])
def test_binary_mail_goes_in_chunks_as_it_is(monkeypatch, ehlo) -> None:
    monkeypatch.setattr("mockmail.relay.client.CHUNK_BYTES", 10)
    client = opened("220 hop\r\n", ehlo, tls=False)
    outcomes: dict[str, Reply] = {}
    one = mail("b@b.test", "c@b.test", content=b"\0\r\n.\r\n\n\xff789", options={"body": "binarymime"})
    sent = play(
        client.send(one, outcomes),
        "250 ok\r\n", "550 5.1.1 who\r\n", "250 ok\r\n", "250 part\r\n", "250 2.6.0 all\r\n",
    )  # fmt: skip
    assert sent == (
        b"MAIL FROM:<s@a.test> BODY=BINARYMIME\r\nRCPT TO:<b@b.test>\r\nRCPT TO:<c@b.test>\r\n"
        b"BDAT 10\r\n\0\r\n.\r\n\n\xff78BDAT 1 LAST\r\n9"
    )
    assert (str(outcomes["b@b.test"]), str(outcomes["c@b.test"])) == ("550 5.1.1 who", "250 2.6.0 all")


def test_a_refused_chunk_is_the_end_of_the_message_and_not_of_the_connection(monkeypatch) -> None:
    monkeypatch.setattr("mockmail.relay.client.CHUNK_BYTES", 1)
    client = opened("220 hop\r\n", BINARY, tls=False)
    outcomes: dict[str, Reply] = {}
    one = mail("b@b.test", content=b"123", options={"BODY": "BINARYMIME"})
    sent = play(client.send(one, outcomes), "250 ok\r\n", "250 ok\r\n", "452 4.3.1 full\r\n")
    assert sent.endswith(b"BDAT 1\r\n1")
    assert outcomes["b@b.test"].code == 452
    sent = play(client.send(one, outcomes), "250 ok\r\n", "250 ok\r\n", "550 no\r\n")
    assert sent.startswith(b"RSET\r\nMAIL")
    assert b"BDAT" not in sent  # nobody was taken
    assert outcomes["b@b.test"].code == 550


@pytest.mark.parametrize("missing", ["CHUNKING", "BINARYMIME"])
def test_binary_mail_needs_both_extensions(missing) -> None:
    client = opened("220 hop\r\n", BINARY.replace(missing, "X-OTHER"), tls=False)
    outcomes: dict[str, Reply] = {}
    assert play(client.send(mail("b@b.test", options={"BODY": "BINARYMIME"}), outcomes)) == b""
    assert str(outcomes["b@b.test"]).startswith("554 5.6.3 the next hop offers no CHUNKING with BINARYMIME")
