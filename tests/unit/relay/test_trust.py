"""TLS on the way: used wherever it is offered, trusted or not, and insisted on by REQUIRETLS (RFC 7435, RFC 8689)."""

from __future__ import annotations

import smtplib

import pytest

from mockmail.config import TLS
from mockmail.core.events import RelayAttempted
from mockmail.network import MailNetwork
from mockmail.server import MockMail

pytest.importorskip("trustme")


def require_tls(server: MockMail, *to: str, sender: str = "a@alice.test", ret: str | None = None) -> None:
    """Submit over TLS a message that travels in no other way."""
    with smtplib.SMTP(*server.smtp.address) as client:
        client.starttls(context=server.tls.client_context())
        client.login("a@alice.test", "any")
        options = ["REQUIRETLS", *([f"RET={ret}"] if ret else [])]
        client.sendmail(sender, list(to), "Subject: secret\r\n\r\nsecret\r\n", mail_options=options)


def tried(server: MockMail) -> list[tuple[str, str | None, str | None]]:
    return [(event.via, event.tls, event.tls_problem) for event in server.events.of(RelayAttempted)]


def test_tls_is_used_where_it_is_offered_and_verified(network, submit) -> None:
    net = network("alice.test", "carol.test")
    bob = net.add("bob.test", tls=True)
    submit(net["alice.test"], "b@bob.test", "c@carol.test")
    net.clock.advance(seconds=1)
    assert sorted(tried(net["alice.test"])) == [("bob.test", "TLSv1.3", None), ("carol.test", None, None)]
    assert "ESMTPS" in bob.messages[0].headers["Received"]


@pytest.mark.parametrize(
    ("certificate", "problem"),
    [
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("wrong-host", "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        ("untrusted", "unable to get local issuer certificate"),
        ("self-signed", "self-signed certificate"),
    ],
)
def test_a_bad_certificate_encrypts_all_the_same_and_is_recorded(network, submit, certificate, problem) -> None:
    net = network("alice.test")
    bob = net.add("bob.test", tls=TLS(certificate=certificate))
    submit(net["alice.test"], "b@bob.test")
    net.clock.advance(seconds=1)
    ((via, tls, met),) = tried(net["alice.test"])
    assert (via, tls) == ("bob.test", "TLSv1.3")
    assert met is not None
    assert met.replace("self signed", "self-signed").startswith(problem)
    assert net["alice.test"].events.of(RelayAttempted)[0].reply.startswith("250")
    bob.assert_delivered(to="b@bob.test")


@pytest.mark.parametrize(
    ("starttls", "problem"), [("refuse", "STARTTLS was refused: 454"), ("fail", ""), ("hide", None)]
)
def test_where_tls_comes_to_nothing_mail_goes_in_plain_text(network, submit, starttls, problem) -> None:
    net = network("alice.test")
    bob = net.add("bob.test", tls=TLS(starttls=starttls))
    submit(net["alice.test"], "b@bob.test")
    net.clock.advance(minutes=6)
    bob.assert_delivered(to="b@bob.test")
    (_, tls, met) = tried(net["alice.test"])[-1]
    assert tls is None
    assert met is problem is None or met.startswith(problem)


def test_requiretls_goes_from_server_to_server(network: type[MailNetwork]) -> None:
    net = network()
    alice, bob, carol = net.add("alice.test", tls=True), net.add("bob.test", tls=True), net.add("carol.test", tls=True)
    bob.add_alias("b@bob.test", "c@carol.test")
    require_tls(alice, "b@bob.test")
    net.clock.advance(seconds=1)
    message = carol.assert_delivered(to="c@carol.test")
    assert "REQUIRETLS" in message.envelope.mail_options
    assert "REQUIRETLS" in bob.assert_command("MAIL").arguments


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, "5.7.10"),
        ({"tls": TLS(certificate="expired")}, "5.7.10"),
        ({"tls": TLS(starttls="refuse")}, "5.7.10"),
        ({"tls": True, "hide": {"smtp": ["REQUIRETLS"]}}, "5.7.30"),
    ],
)
def test_requiretls_bounces_where_the_way_is_not_safe(network, settings, status) -> None:
    net = network()
    alice, bob = net.add("alice.test", tls=True), net.add("bob.test", **settings)
    require_tls(alice, "b@bob.test", ret="FULL")
    net.clock.advance(minutes=1)
    alice.assert_bounced(to="b@bob.test", status=status)
    assert len(bob.messages) == 0
    report = alice.account("a@alice.test").inbox[0]
    assert b"secret\r\n" not in report.raw.partition(b"Subject: secret")[2].partition(b"\r\n\r\n")[2]
    assert report.report.recipients[0].status == status


def test_requiretls_takes_the_host_that_has_it(network) -> None:
    net = network()
    alice, plain, safe = net.add("alice.test", tls=True), net.add("bob.test"), net.add("mx2.test", tls=True)
    net.mx("bob.test", {10: plain, 20: safe})
    net.mx("carol.test", {10: plain, 20: safe})
    safe.set_catch_all("all@mx2.test")
    require_tls(alice, "b@bob.test")
    net.clock.advance(seconds=1)
    assert [event.via for event in alice.events.of(RelayAttempted)] == ["bob.test", "mx2.test"]
    assert plain.messages == []


def test_a_report_of_requiretls_mail_goes_where_it_can(network) -> None:
    # RFC 8689 section 5: it asks for REQUIRETLS itself, but is rather sent without than lost.
    net = network("eve.test")
    alice = net.add("alice.test", tls=True)
    require_tls(alice, "nobody@nowhere.test", sender="a@eve.test")
    net.clock.advance(seconds=1)
    report = net["eve.test"].assert_delivered(to="a@eve.test", sender="")
    assert report.report.recipients[0].action == "failed"
    assert "REQUIRETLS" in alice.relayed()[0].message.envelope.mail_options
