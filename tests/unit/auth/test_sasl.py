import base64

import pytest

from mockmail.auth.mechanisms import MECHANISMS, new_mechanism
from mockmail.auth.sasl import (
    LINE_LIMIT_BYTES,
    Cancelled,
    Challenge,
    Credentials,
    Exchange,
    Failure,
    Finished,
    Malformed,
    Prompt,
    Refused,
    Step,
    Success,
)


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


def test_plain_takes_the_example_of_rfc_4616_without_authzid(exchange):
    reply = exchange("plain").begin(b64(b"\0tim\0tanstaaftanstaaf"))
    assert reply == Finished(Credentials("tim", password="tanstaaftanstaaf"))


def test_plain_takes_the_example_of_rfc_4616_with_authzid(exchange):
    reply = exchange("PLAIN").begin(b64(b"Ursel\0Kurt\0xipj3plmq"))
    assert reply == Finished(Credentials("Kurt", password="xipj3plmq", authorization_id="Ursel"))


def test_plain_without_initial_response_is_asked_with_an_empty_challenge(exchange):
    run = exchange("PLAIN")
    assert run.begin() == Prompt(b"")
    assert run.receive(b64("\0jürgen\0pä€".encode())) == Finished(Credentials("jürgen", password="pä€"))


@pytest.mark.parametrize(
    "message",
    [b"", b"tim", b"\0tim", b"\0tim\0a\0b", b"\0\xff\0secret"],
    ids=["empty", "bare", "one", "three", "latin"],
)
def test_plain_refuses_what_is_no_message_of_its_own(message, exchange):
    assert isinstance(exchange("PLAIN").begin(b64(message) or b"="), Malformed)


def test_login_asks_for_name_and_password(exchange):
    run = exchange("login")
    assert run.begin() == Prompt(b64(b"Username:"))
    assert run.receive(b64(b"bob")) == Prompt(b64(b"Password:"))
    assert run.receive(b64(b"secret")) == Finished(Credentials("bob", password="secret"))


def test_login_takes_the_name_as_initial_response_as_smtplib_sends_it(exchange):
    run = exchange("LOGIN")
    assert run.begin(b64(b"bob")) == Prompt(b64(b"Password:"))
    assert run.receive(b64(b"secret")) == Finished(Credentials("bob", password="secret"))


def test_login_takes_an_empty_line_as_an_empty_password(exchange):
    run = exchange("LOGIN")
    run.begin(b64(b"bob"))
    assert run.receive(b"") == Finished(Credentials("bob", password=""))


@pytest.mark.parametrize("answer", [b"a\0b", b"\xff"])
def test_login_refuses_what_is_no_text(answer, exchange):
    assert isinstance(exchange("LOGIN").begin(b64(answer)), Malformed)


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_star_cancels(name, exchange):
    run = exchange(name)
    run.begin()
    assert run.receive(b"*") == Cancelled()


@pytest.mark.parametrize("line", [b"=", b"abc", b"!!!!", b"AA==AA==", b"AAAA\r", b" AAAA", b"\xff\xfe", b"=AAA"])
def test_what_is_not_base64_is_malformed(line, exchange):
    run = exchange("LOGIN")
    run.begin()
    assert run.receive(line) == Malformed("the line is not base64")


def test_an_equals_sign_is_an_empty_initial_response_only(exchange):
    assert exchange("LOGIN").begin(b"=") == Prompt(b64(b"Password:"))


def test_a_line_past_the_limit_is_refused_undecoded(exchange):
    reply = exchange("PLAIN").begin(b"A" * (LINE_LIMIT_BYTES + 4))
    assert isinstance(reply, Malformed)
    assert reply.too_long


def test_unknown_mechanisms_are_none(given):
    assert new_mechanism("X-NONE", given()) is None


def test_a_password_does_not_show_in_a_repr():
    assert "secret" not in repr(Credentials("bob", password="secret"))


class Talkative:
    """Ends with data, as SCRAM's ``v=`` (success) and OAUTHBEARER's error challenge do."""

    name = "TALKATIVE"
    client_first = True

    def __init__(self, secrets: dict[str, str]) -> None:
        self._secrets = secrets

    def step(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"")
        username, _, secret = response.decode().partition(" ")
        if self._secrets.get(username) != secret:
            return Failure("wrong secret", data=b'{"status":"invalid_token"}')
        return Success(Credentials(username), data=b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


def test_success_data_goes_out_as_a_last_challenge():
    run = Exchange(Talkative({"bob": "x"}))
    assert run.begin(b64(b"bob x")) == Prompt(b64(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))
    assert run.receive(b"") == Finished(Credentials("bob"))


def test_a_star_instead_of_the_last_answer_cancels_a_login():
    run = Exchange(Talkative({"bob": "x"}))
    run.begin(b64(b"bob x"))
    assert run.receive(b"*") == Cancelled()


@pytest.mark.parametrize("answer", [b"", b"AQ==", b"*", b"not base64", b"dXNlcj1ib2IB"])
def test_after_an_error_challenge_the_login_has_failed_whatever_comes(answer):
    run = Exchange(Talkative({"bob": "x"}))
    run.begin(b64(b"bob y"))
    assert run.receive(answer) == Refused("wrong secret")


def test_an_error_challenge_goes_out_before_the_refusal():
    run = Exchange(Talkative({"bob": "x"}))
    assert run.begin(b64(b"bob y")) == Prompt(b64(b'{"status":"invalid_token"}'))
    assert run.receive(b64(b"\x01")) == Refused("wrong secret")
