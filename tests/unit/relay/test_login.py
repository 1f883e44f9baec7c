"""Logging in to a smarthost by what it offers."""

from __future__ import annotations

import smtplib

import pytest

from mockmail.core.events import LoggedIn
from mockmail.relay.client import Client
from mockmail.relay.login import MECHANISMS, chosen
from mockmail.relay.replies import Trouble
from mockmail.server import MockMail

from .test_client import play

ALL = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-1")


def test_the_first_that_is_known() -> None:
    assert MECHANISMS == ALL
    assert chosen("GSSAPI cram-md5 LOGIN") == "LOGIN"
    assert chosen("GSSAPI") is None


@pytest.mark.parametrize("mechanism", ALL)
@pytest.mark.parametrize("password", ["s3cret, =p\u00e4ss", "wrong"])
def test_a_smarthost_that_offers_one_mechanism(mechanism, password) -> None:
    others = [f"AUTH={name}" for name in (*ALL, "ANONYMOUS", "XOAUTH2", "OAUTHBEARER") if name != mechanism]
    with MockMail(users={"o,=ut@hub.test": "s3cret, =p\u00e4ss"}, domains=["hub.test"], hide={"smtp": others}) as hub:
        hub.add_alias("all@hub.test", "o,=ut@hub.test")
        from urllib.parse import quote

        url = f"smtp://{quote('o,=ut@hub.test', safe='')}:{quote(password, safe='')}@127.0.0.1:{hub.smtp.port}"
        with MockMail(domains=["a.test"], relay="open", smarthost=url) as mail:
            with smtplib.SMTP(*mail.smtp.address) as client:
                client.sendmail("s@a.test", ["all@hub.test"], "Subject: x\r\n\r\n")
            mail.clock.advance(seconds=1)
            logins = [(event.mechanism, event.account) for event in hub.events.of(LoggedIn)]
            if password == "wrong":
                mail.assert_bounced(to="all@hub.test")
                assert logins == []
            else:
                mail.assert_relayed(to="all@hub.test")
                assert logins == [(mechanism, "o,=ut@hub.test")]


@pytest.mark.parametrize(
    ("offered", "replies"),
    [
        ("PLAIN", ["334 more\r\n"]),
        ("LOGIN", ["334 VXNlcjo=\r\n", "334 UGFzczo=\r\n", "334 more\r\n"]),
        ("CRAM-MD5", ["334 !!!\r\n"]),
        ("CRAM-MD5", ["334 PDFAYT4=\r\n", "334 PDFAYT4=\r\n"]),
        ("SCRAM-SHA-256", ["334 cj14LHM9eCxpPTE=\r\n"]),
        ("SCRAM-SHA-1", ["334 \r\n"]),
    ],
)
def test_a_smarthost_that_does_not_know_the_mechanism_it_offers(offered, replies) -> None:
    client = Client("a.test", login=("bob", "pw"))
    with pytest.raises(Trouble, match=f"AUTH {offered} went wrong") as met:
        play(client.open(), "220 hub\r\n", f"250-hub\r\n250 AUTH {offered}\r\n", *replies)
    assert met.value.reply.code == 454


def test_a_smarthost_that_does_not_know_the_password_is_not_believed(monkeypatch) -> None:
    import base64

    monkeypatch.setattr("secrets.token_urlsafe", lambda count: "abc")
    first = base64.b64encode(b"r=abcdef,s=QSXCR+Q6sek8bf92,i=4096").decode()
    final = base64.b64encode(b"v=AAAA").decode()
    client = Client("a.test", login=("bob", "pw"))
    with pytest.raises(Trouble, match="does not know the password itself"):
        play(
            client.open(),
            "220 hub\r\n", "250-hub\r\n250 AUTH SCRAM-SHA-256\r\n", f"334 {first}\r\n", f"334 {final}\r\n",
        )  # fmt: skip
