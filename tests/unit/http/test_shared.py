"""Two tests' shares of one server: each sees its own."""

import imaplib
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

from mockmail import ConfigurationError, MockMail, SharedMail, UnusedFaultWarning


@pytest.fixture
def server() -> Iterator[MockMail]:
    with MockMail(http_port=0) as running:
        yield running
        running.faults.clear()


@pytest.fixture
def shares(server: MockMail) -> Iterator[tuple[SharedMail, SharedMail]]:
    send(server, "ann@before.test", subject="Before")
    one, two = SharedMail(server.http.url, "One.test"), SharedMail(server.http.url, "two.test")
    yield one, two
    one.close()
    two.close()


def send(mail: Any, *to: str, subject: str = "Hi", sender: str = "app@example.test") -> None:
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.sendmail(sender, list(to), f"Subject: {subject}\r\n\r\nHello\r\n")


def test_each_sees_its_own_mail(shares: tuple[SharedMail, SharedMail]) -> None:
    one, two = shares
    assert (one.domain, one.address("bob")) == ("one.test", "bob@one.test")
    send(one, one.address("bob"), subject="First")
    send(two, two.address("bob"), subject="Second")
    assert one.assert_delivered(to=one.address("bob"), timeout=0).subject == "First"
    assert [message.subject for message in two.messages] == ["Second"]
    one.assert_not_delivered(subject="Second")
    send(one, one.address("ann"), two.address("ann"), subject="Both")
    assert [mail.assert_delivered(subject="Both", timeout=0).recipients for mail in shares] == [
        ("ann@one.test", "ann@two.test")
    ] * 2
    send(one, "else@where.test", subject="From", sender="bob@one.test")
    assert one.delivered(subject="From")
    assert not two.delivered(subject="From")


def test_each_sees_what_is_done_in_its_accounts(shares: tuple[SharedMail, SharedMail]) -> None:
    one, two = shares
    send(one, one.address("bob"), two.address("bob"), subject="Both")
    with imaplib.IMAP4(*one.imap.address) as client:
        client.login(one.address("bob"), "any")
        client.select()
        client.fetch("1", "(BODY[])")
        client.store("1", "+FLAGS", "\\Flagged")
    assert one.assert_fetched(subject="Both", timeout=0).account == "bob@one.test"
    two.assert_not_fetched()
    one.assert_flagged("flagged", timeout=0)
    two.assert_not_flagged("flagged")
    assert one.assert_logged_in(account=one.address("bob"), timeout=0).protocol == "imap"
    two.assert_not_logged_in()
    names = [command.name for command in one.commands(protocol="imap")]
    assert names == ["CAPABILITY", "LOGIN", "SELECT", "FETCH", "STORE", "LOGOUT"]
    assert two.commands(protocol="imap") == []
    assert [command.name for command in two.commands()] == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"]
    assert "SELECT" in str(one.transcript)
    assert "SELECT" not in str(two.transcript)


def test_seeding_users_and_aliases_are_of_the_own_domain(shares: tuple[SharedMail, SharedMail]) -> None:
    one, two = shares
    bob = one.add_user(one.address("bob"), "secret")
    one.seed(to=bob.address, subject="Seeded")
    one.add_alias(one.address("info"), bob.address)
    one.add_list(one.address("team"), [bob.address, "x@else.test"], owner=bob.address)
    send(one, one.address("info"), subject="Aliased")
    assert [message.subject for message in one.account(bob.address).inbox] == ["Seeded", "Aliased"]
    for act in (
        lambda: one.account(two.address("bob")),
        lambda: one.add_user("bob@example.test", "x"),
        lambda: one.seed(to="bob@example.test"),
        lambda: one.add_alias("info@example.test", bob.address),
        lambda: one.add_list("team@example.test", [bob.address], owner=bob.address),
    ):
        with pytest.raises(ConfigurationError, match=r"is not this test's own; write mail\.address\('bob'\)"):
            act()
    with pytest.raises(ConfigurationError, match="no local part"):
        one.address("bob@one.test")


def test_faults_are_about_the_own_addresses(shares: tuple[SharedMail, SharedMail]) -> None:
    one, two = shares
    fault = one.faults.smtp("RCPT", reply="451 4.3.0 later", to=one.address("bob"))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(one, one.address("bob"))
    send(two, two.address("bob"))
    assert fault.hits == 1
    assert one.assert_rejected(code=451, timeout=0).recipients == ("bob@one.test",)
    other = two.faults.imap("FETCH", drop=True, account=two.address("bob"))
    one.faults.clear()
    send(one, one.address("bob"))
    with pytest.warns(UnusedFaultWarning, match="imap FETCH"):
        two.faults.warn_of_unused()
    assert other.hits == 0


@pytest.mark.parametrize(
    "act",
    [
        lambda mail: mail.reset(),
        lambda mail: mail.go_down(),
        lambda mail: mail.come_up(),
        lambda mail: mail.hang(),
        lambda mail: mail.set_catch_all("bob@one.test"),
        lambda mail: mail.clock.advance(minutes=1),
        lambda mail: mail.clock.advance_to_next(),
        lambda mail: mail.clock.run_until_idle(),
        lambda mail: mail.clock.freeze(mail.clock.now()),
        lambda mail: mail.faults.smtp("RCPT", drop=True),
        lambda mail: mail.faults.smtp("RCPT", drop=True, to="bob@two.test"),
        lambda mail: mail.faults.scenario("greylisting"),
    ],
)
def test_what_would_change_it_for_all_is_refused(shares: tuple[SharedMail, SharedMail], act: Any) -> None:
    with pytest.raises(ConfigurationError, match="would change the server under the tests of all workers"):
        act(shares[0])


def test_a_reset_of_the_server_itself_is_followed(server: MockMail, shares: tuple[SharedMail, SharedMail]) -> None:
    one, _ = shares
    send(one, one.address("bob"))
    assert one.messages
    server.reset()
    assert one.messages == []
    send(one, one.address("bob"), subject="After")
    assert one.assert_delivered(timeout=0).subject == "After"
