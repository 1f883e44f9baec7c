"""Next hops that do what they should not: what becomes of the mail, how it is recorded, and that no other waits."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

import pytest

from mockmail.core.events import Bounced, RelayAttempted
from mockmail.server import MockMail
from support.peer import Peer, Talk

PIPELINING = b"250-peer.test\r\n250 PIPELINING\r\n"
CLOSED = "451 4.4.2 the next hop closed the connection"


def in_mid_data(talk: Talk) -> None:
    talk.say(b"220 peer.test\r\n")
    for reply in (b"250 peer.test\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        talk.line()
        talk.say(reply)
    talk.line()  # and so it leaves with the rest unread


def replying(**replies: bytes) -> Callable[[Talk], None]:
    return lambda talk: talk.serve(**replies)


TRIED_AGAIN = {
    "closes at once": (lambda talk: None, CLOSED),
    "closes in mid-data": (in_mid_data, CLOSED),
    "closes after the final dot": (replying(END=b""), CLOSED),
    "closes at RCPT": (replying(RCPT=b""), CLOSED),
    "speaks HTTP": (
        replying(GREETING=b"HTTP/1.1 400 Bad Request\r\n"),
        "451 4.5.0 the next hop answered 'HTTP/1.1 400 Bad Request', which is no reply of SMTP",
    ),
    "answers in bytes": (
        replying(MAIL=b"\xff\xfe\0\r\n"),
        r"451 4.5.0 the next hop answered '\xff\xfe\x00', which is no reply of SMTP",
    ),
    "mixes codes": (
        replying(MAIL=b"250-fine\r\n550 no\r\n"),
        "451 4.5.0 the next hop answered '550 no', which is no reply of SMTP",
    ),
    "a line without an end": (
        replying(EHLO=b"250 " + b"x" * 5000),
        f"451 4.5.0 the next hop answered '250 {'x' * 56}', which is no reply of SMTP",
    ),
    "lines without an end": (
        replying(EHLO=b"250-x\r\n" * 501),
        "451 4.5.0 the next hop answered '250-x', which is no reply of SMTP",
    ),
    "is busy": (replying(GREETING=b"421 4.3.2 come back\r\n"), "421 4.3.2 come back"),
    "takes DATA for the message": (
        replying(DATA=b"250 thanks\r\n"),
        "451 4.5.0 the next hop answered DATA with '250 2.0.0 thanks'",
    ),
    "goes on without a recipient": (replying(RCPT=b"451 4.2.1 busy\r\n", ehlo=PIPELINING), "451 4.2.1 busy"),
    "refuses to end": (replying(END=b"452 4.3.1 disk full\r\n"), "452 4.3.1 disk full"),
}
FAILED = {
    "has no mail": (replying(GREETING=b"554 5.3.2 no SMTP here\r\n"), "554 5.3.2 no SMTP here"),
    "offers what it refuses: SIZE": (
        replying(ehlo=b"250-peer.test\r\n250 SIZE 10000\r\n", MAIL=b"555 5.5.4 SIZE?\r\n"),
        "555 5.5.4 SIZE?",
    ),
    "offers what it refuses: DSN": (
        replying(ehlo=b"250-peer.test\r\n250 DSN\r\n", RCPT=b"501 5.5.4 what is NOTIFY\r\n"),
        "501 5.5.4 what is NOTIFY",
    ),
    "refuses the message": (replying(END=b"554 5.6.0 nonsense\r\n"), "554 5.6.0 nonsense"),
}


def send(mail: MockMail, *to: str) -> None:
    with smtplib.SMTP(*mail.smtp.address) as client:
        client.sendmail("s@a.test", list(to), "Subject: x\r\n\r\nbody\r\n", rcpt_options=["NOTIFY=FAILURE"])


def relay(*peers: Peer) -> MockMail:
    routes = {f"{name}.test": peer.address for name, peer in zip(("bad", "good"), peers, strict=False)}
    return MockMail(domains=["a.test"], relay="open", routes=routes, relay_timeout=5)


@pytest.mark.parametrize("what", TRIED_AGAIN)
def test_it_is_tried_again(what) -> None:
    script, reply = TRIED_AGAIN[what]
    with Peer(script) as bad, Peer(Talk.serve) as good, relay(bad, good) as mail:
        send(mail, "x@bad.test", "y@good.test")
        mail.clock.advance(seconds=1)
        assert mail.assert_queued(to="x@bad.test", attempts=1).last_reply == reply
        mail.assert_relayed(to="y@good.test")
        (event,) = [event for event in mail.events.of(RelayAttempted) if event.domain == "bad.test"]
        assert (event.reply, event.address, event.attempt, event.recipients) == (reply, bad.address, 1, ("x@bad.test",))
        mail.clock.advance(minutes=30)
        assert len(bad.talks) == 2
        mail.assert_queued(to="x@bad.test", attempts=2)


@pytest.mark.parametrize("what", FAILED)
def test_it_fails_at_once(what) -> None:
    script, reply = FAILED[what]
    with Peer(script) as bad, Peer(Talk.serve) as good, relay(bad, good) as mail:
        send(mail, "x@bad.test", "y@good.test")
        mail.clock.advance(seconds=1)
        (bounced,) = mail.events.of(Bounced)
        assert (bounced.reply, bounced.attempts) == (reply, 1)
        mail.assert_relayed(to="y@good.test")
        report = mail.account("s@a.test").inbox[0].report
        assert (report.recipients[0].action, report.recipients[0].diagnostic) == ("failed", reply)


def test_who_closes_after_the_final_dot_may_get_it_twice() -> None:
    # It may have taken the message or not; the client must not lose it (RFC 5321 section 4.5.3.2.6, RFC 1047).
    def once(talk: Talk) -> None:
        talk.serve(**({"END": b""} if talk.number == 1 else {}))

    with Peer(once) as peer, relay(peer) as mail:
        send(mail, "x@bad.test")
        mail.clock.advance(minutes=31)
        mail.assert_relayed(to="x@bad.test", attempts=2)
        assert [b"body\r\n.\r\n" in heard for heard in peer.heard] == [True, True]


def test_a_hop_that_offers_pipelining_and_loses_what_was_sent_ahead() -> None:
    def one_by_one(talk: Talk) -> None:
        talk.say(b"220 peer.test\r\n")
        while talk.line():
            talk._buffer = b""
            talk.say(PIPELINING if b"EHLO" in talk.heard[-20:] else b"250 fine\r\n")

    with (
        Peer(one_by_one) as bad,
        MockMail(domains=["a.test"], relay="open", routes={"bad.test": bad.address}, relay_timeout=0.3) as mail,
    ):
        send(mail, "x@bad.test")
        mail.clock.advance(seconds=1)
        assert mail.assert_queued(to="x@bad.test").last_reply == "451 4.4.2 the next hop took too long"


def test_a_hop_that_loses_one_message_gets_the_others_on_another_connection() -> None:
    def first_lost(talk: Talk) -> None:
        talk.serve(**({"MAIL": b""} if talk.number == 1 else {}))

    with Peer(first_lost) as peer, relay(peer) as mail:
        mail.clock.freeze(mail.clock.now())
        for number in range(4):
            send(mail, f"x{number}@bad.test")
        mail.clock.advance(seconds=1)
        assert len(mail.queue) == 1
        mail.clock.advance(minutes=30)
        assert not mail.queue
        assert sum(heard.count(b"body\r\n.\r\n") for heard in peer.heard) == 4


def test_recipients_past_what_it_takes_go_in_another_transaction() -> None:
    counts: list[int] = []

    def two_at_a_time(talk: Talk) -> None:
        talk.say(b"220 peer.test\r\n")
        taken = 0
        while line := talk.line():
            verb = line[:4]
            if verb == b"MAIL":
                taken = 0
            if verb == b"RCPT" and taken == 2:
                talk.say(b"452 4.5.3 too many\r\n")
                continue
            taken += verb == b"RCPT"
            talk.say(b"354 go\r\n" if verb == b"DATA" else b"250 ok\r\n")
            if verb == b"DATA":
                talk.data()
                talk.say(b"250 taken\r\n")
                counts.append(taken)

    with Peer(two_at_a_time) as peer, relay(peer) as mail:
        send(mail, *(f"x{number}@bad.test" for number in range(5)))
        mail.clock.advance(seconds=1)
        assert not mail.queue
        assert counts == [2, 2, 1]
        assert len(peer.talks) == 1


def test_limits_that_it_announces_are_kept() -> None:
    ehlo = b"250-peer.test\r\n250 LIMITS RCPTMAX=3 MAILMAX=2\r\n"
    with Peer(replying(ehlo=ehlo)) as peer, relay(peer) as mail:
        send(mail, *(f"x{number}@bad.test" for number in range(5)))
        send(mail, "y@bad.test")
        mail.clock.advance(seconds=1)
        assert not mail.queue
        for heard in peer.heard:
            assert heard.count(b"MAIL FROM") <= 2
        assert sum(heard.count(b"MAIL FROM") for heard in peer.heard) == 3
