"""RFC 3461 section 5.2, statement by statement: what is passed on to a next hop, and what is reported here."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from datetime import timedelta

import pytest

from mockmail.errors import ConfigurationError
from mockmail.server import MockMail
from support.peer import Peer, Talk

WITH_DSN = b"250-peer.test\r\n250 DSN\r\n"
WITHOUT = b"250 peer.test\r\n"


def sent(
    mail: MockMail, to: str = "b@b.test", *, mail_options: Mapping[str, str] | None = None, **rcpt_options: str
) -> None:
    with smtplib.SMTP(*mail.smtp.address) as client:
        client.ehlo()
        words = [f"{name}={value}" for name, value in (mail_options or {}).items()]
        client.sendmail(
            "s@a.test",
            [to],
            "Subject: x\r\n\r\nbody\r\n",
            mail_options=words,
            rcpt_options=[f"{name}={value}" for name, value in rcpt_options.items()],
        )
    mail.clock.advance(seconds=1)


def relay(peer: Peer) -> MockMail:
    return MockMail(domains=["a.test"], relay="open", routes={"b.test": peer.address})


def said(peer: Peer) -> list[bytes]:
    lines = [line for heard in peer.heard for line in heard.split(b"\r\n")]
    return [line for line in lines if line.startswith((b"MAIL", b"RCPT"))]


def told(mail: MockMail) -> list[tuple[str, str]]:
    reports = [message.report for message in mail.account("s@a.test").inbox]
    return [(one.action, one.recipient) for report in reports for one in report.recipients]


def test_5_2_1_all_is_passed_on_as_it_was() -> None:
    with Peer(lambda talk: talk.serve(ehlo=WITH_DSN)) as peer, relay(peer) as mail:
        sent(
            mail, mail_options={"ENVID": "Q+3DQ", "RET": "hdrs"}, NOTIFY="success,FAILURE", ORCPT="rfc822;Bob+2B@B.test"
        )
        assert said(peer) == [
            b"MAIL FROM:<s@a.test> RET=hdrs ENVID=Q+3DQ",
            b"RCPT TO:<b@b.test> NOTIFY=success,FAILURE ORCPT=rfc822;Bob+2B@B.test",
        ]
        assert told(mail) == []  # the next hop will


def test_5_2_1_nothing_is_added() -> None:
    with Peer(lambda talk: talk.serve(ehlo=WITH_DSN)) as peer, relay(peer) as mail:
        sent(mail)
        assert said(peer) == [b"MAIL FROM:<s@a.test>", b"RCPT TO:<b@b.test>"]


def test_5_2_1_d_an_alias_tells_the_address_that_it_took_the_place_of() -> None:
    with Peer(lambda talk: talk.serve(ehlo=WITH_DSN)) as peer, relay(peer) as mail:
        mail.add_alias("bob+list@a.test", "b@b.test")
        sent(mail, "bob+list@a.test", NOTIFY="FAILURE")
        sent(mail, "bob+list@a.test", ORCPT="rfc822;first@a.test")
        assert [line for line in said(peer) if line.startswith(b"RCPT")] == [
            b"RCPT TO:<b@b.test> NOTIFY=FAILURE ORCPT=rfc822;bob+2Blist@a.test",
            b"RCPT TO:<b@b.test> ORCPT=rfc822;first@a.test",
        ]


def test_5_2_7_1_a_list_asks_nothing_of_its_members() -> None:
    with Peer(lambda talk: talk.serve(ehlo=WITH_DSN)) as peer, relay(peer) as mail:
        mail.add_list("all@a.test", ["b@b.test"], owner="owner@a.test")
        sent(mail, "all@a.test", mail_options={"ENVID": "1", "RET": "FULL"}, NOTIFY="SUCCESS", ORCPT="rfc822;x@a.test")
        assert said(peer) == [b"MAIL FROM:<owner@a.test>", b"RCPT TO:<b@b.test>"]
        assert told(mail) == [("delivered", "all@a.test")]


@pytest.mark.parametrize(
    ("notify", "rcpt", "expected"),
    [
        ("SUCCESS", b"250 fine\r\n", [("relayed", "b@b.test")]),  # b
        ("SUCCESS,FAILURE", b"550 5.1.1 who\r\n", [("failed", "b@b.test")]),  # c
        ("NEVER", b"250 fine\r\n", []),  # d
        ("NEVER", b"550 5.1.1 who\r\n", []),  # d
        (None, b"250 fine\r\n", []),  # e
        (None, b"550 5.1.1 who\r\n", [("failed", "b@b.test")]),  # f
        ("SUCCESS,DELAY", b"550 5.1.1 who\r\n", []),  # section 5.2.6 b
    ],
)
def test_5_2_2_a_hop_without_dsn(notify, rcpt, expected) -> None:
    with Peer(lambda talk: talk.serve(ehlo=WITHOUT, RCPT=rcpt)) as peer, relay(peer) as mail:
        sent(mail, mail_options={"ENVID": "1", "RET": "FULL"}, **({"NOTIFY": notify} if notify else {}))
        assert said(peer) == [b"MAIL FROM:<s@a.test>", b"RCPT TO:<b@b.test>"]  # a
        assert told(mail) == expected
        for message in mail.account("s@a.test").inbox:
            assert message.sender == ""  # section 6.1
            assert message.report.original_envelope_id == "1"  # section 6.3 a


@pytest.mark.parametrize(("notify", "late"), [("DELAY", True), (None, True), ("FAILURE", False), ("NEVER", False)])
def test_5_2_5_delays(notify, late) -> None:
    with Peer(lambda talk: None) as peer, relay(peer) as mail:
        sent(mail, **({"NOTIFY": notify} if notify else {}))
        mail.clock.advance(hours=3, minutes=59)
        assert told(mail) == []
        mail.clock.advance(minutes=2)
        assert told(mail) == ([("delayed", "b@b.test")] if late else [])
        mail.clock.advance(days=4)
        assert len(told(mail)) == late  # once


@pytest.mark.parametrize(("ret", "whole"), [("FULL", True), ("HDRS", False), (None, True)])
def test_4_3_what_comes_back(ret, whole) -> None:
    with Peer(lambda talk: talk.serve(RCPT=b"550 5.1.1 who\r\n")) as peer, relay(peer) as mail:
        sent(mail, mail_options={"RET": ret} if ret else None)
        report = mail.account("s@a.test").inbox[0].report
        assert report.returned_whole is whole
        assert report.returned_headers["Subject"] == "x"


def test_real_time_drives_the_queue_too() -> None:
    def later(talk: Talk) -> None:
        talk.serve(**({"RCPT": b"451 4.7.1 not yet\r\n"} if talk.number < 3 else {}))

    with (
        Peer(later) as peer,
        MockMail(
            domains=["a.test"],
            relay="open",
            routes={"b.test": peer.address},
            retry_every=timedelta(milliseconds=20),
        ) as mail,
    ):
        with smtplib.SMTP(*mail.smtp.address) as client:
            client.sendmail("s@a.test", ["b@b.test"], "Subject: x\r\n\r\n")
        mail.assert_relayed(to="b@b.test", attempts=3)


def test_a_route_to_oneself_bounces_with_a_sentence() -> None:
    with MockMail(domains=["a.test"], relay="open") as probe:
        port = probe.smtp.port
    with MockMail(domains=["a.test"], relay="open", smtp_port=port, routes={"b.test": ("127.0.0.1", port)}) as mail:
        sent(mail)
        assert "loops back to this server, which does not have it" in mail.assert_bounced(status="5.4.6").reply
        assert len(mail.commands("EHLO")) == 1  # nobody connected but the client


def test_routes_for_ones_own_domain_are_a_contradiction() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"routes has 'a\.test', which is one of domains"),
        MockMail(domains=["a.test"], routes={"A.test": ("127.0.0.1", 2525)}),
    ):
        pass
