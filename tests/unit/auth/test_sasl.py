import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockmail.auth.sasl import (
    LINE_LIMIT_BYTES,
    MECHANISMS,
    Cancelled,
    Challenge,
    Credentials,
    Exchange,
    Failure,
    Finished,
    Malformed,
    Mechanism,
    Prompt,
    Refused,
    Step,
    Success,
    new_mechanism,
)


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


def exchange(name: str) -> Exchange:
    mechanism = new_mechanism(name)
    assert mechanism is not None
    return Exchange(mechanism)


def test_plain_takes_the_example_of_rfc_4616_without_authzid():
    reply = exchange("plain").begin(b64(b"\0tim\0tanstaaftanstaaf"))
    assert reply == Finished(Credentials("tim", password="tanstaaftanstaaf"))


def test_plain_takes_the_example_of_rfc_4616_with_authzid():
    reply = exchange("PLAIN").begin(b64(b"Ursel\0Kurt\0xipj3plmq"))
    assert reply == Finished(Credentials("Kurt", password="xipj3plmq", authorization_id="Ursel"))


def test_plain_without_initial_response_is_asked_with_an_empty_challenge():
    run = exchange("PLAIN")
    assert run.begin() == Prompt(b"")
    assert run.receive(b64("\0jürgen\0pä€".encode())) == Finished(Credentials("jürgen", password="pä€"))


@pytest.mark.parametrize(
    "message",
    [b"", b"tim", b"\0tim", b"\0tim\0a\0b", b"\0\xff\0secret"],
    ids=["empty", "bare", "one", "three", "latin"],
)
def test_plain_refuses_what_is_no_message_of_its_own(message):
    assert isinstance(exchange("PLAIN").begin(b64(message) or b"="), Malformed)


def test_login_asks_for_name_and_password():
    run = exchange("login")
    assert run.begin() == Prompt(b64(b"Username:"))
    assert run.receive(b64(b"bob")) == Prompt(b64(b"Password:"))
    assert run.receive(b64(b"secret")) == Finished(Credentials("bob", password="secret"))


def test_login_takes_the_name_as_initial_response_as_smtplib_sends_it():
    run = exchange("LOGIN")
    assert run.begin(b64(b"bob")) == Prompt(b64(b"Password:"))
    assert run.receive(b64(b"secret")) == Finished(Credentials("bob", password="secret"))


def test_login_takes_an_empty_line_as_an_empty_password():
    run = exchange("LOGIN")
    run.begin(b64(b"bob"))
    assert run.receive(b"") == Finished(Credentials("bob", password=""))


@pytest.mark.parametrize("answer", [b"a\0b", b"\xff"])
def test_login_refuses_what_is_no_text(answer):
    assert isinstance(exchange("LOGIN").begin(b64(answer)), Malformed)


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_star_cancels(name):
    run = exchange(name)
    run.begin()
    assert run.receive(b"*") == Cancelled()


@pytest.mark.parametrize("line", [b"=", b"abc", b"!!!!", b"AA==AA==", b"AAAA\r", b" AAAA", b"\xff\xfe", b"=AAA"])
def test_what_is_not_base64_is_malformed(line):
    run = exchange("LOGIN")
    run.begin()
    assert run.receive(line) == Malformed("the line is not base64")


def test_an_equals_sign_is_an_empty_initial_response_only():
    assert exchange("LOGIN").begin(b"=") == Prompt(b64(b"Password:"))


def test_a_line_past_the_limit_is_refused_undecoded():
    reply = exchange("PLAIN").begin(b"A" * (LINE_LIMIT_BYTES + 4))
    assert isinstance(reply, Malformed)
    assert reply.too_long


def test_unknown_mechanisms_are_none():
    assert new_mechanism("X-NONE") is None


def test_a_password_does_not_show_in_a_repr():
    assert "secret" not in repr(Credentials("bob", password="secret"))


@given(st.binary(max_size=80))
def test_any_bytes_give_a_reply(line):
    for name in MECHANISMS:
        run = exchange(name)
        run.begin()
        assert isinstance(run.receive(line), Prompt | Finished | Cancelled | Malformed)


class CramMD5:
    """RFC 2195 in the shape of a machine: server first, a digest to check."""

    name = "CRAM-MD5"
    client_first = False
    nonce = b"<1896.697170952@postoffice.reston.mci.net>"

    def step(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(self.nonce)
        username, _, digest = response.decode().rpartition(" ")
        return Success(
            Credentials(
                username, check=lambda key: hmac.new(key.encode(), self.nonce, hashlib.md5).hexdigest() == digest
            )
        )


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


def test_the_shape_takes_a_digest_mechanism():
    mechanism: Mechanism = CramMD5()
    run = Exchange(mechanism)
    assert run.begin() == Prompt(b64(CramMD5.nonce))
    reply = run.receive(b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw")
    assert isinstance(reply, Finished)
    assert reply.credentials.username == "tim"
    assert reply.credentials.check is not None
    assert reply.credentials.check("tanstaaftanstaaf")
    assert not reply.credentials.check("wrong")


def test_success_data_goes_out_as_a_last_challenge():
    run = Exchange(Talkative({"bob": "x"}))
    assert run.begin(b64(b"bob x")) == Prompt(b64(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))
    assert run.receive(b"") == Finished(Credentials("bob"))


def test_an_error_challenge_goes_out_before_the_refusal():
    run = Exchange(Talkative({"bob": "x"}))
    assert run.begin(b64(b"bob y")) == Prompt(b64(b'{"status":"invalid_token"}'))
    assert run.receive(b64(b"\x01")) == Refused("wrong secret")
