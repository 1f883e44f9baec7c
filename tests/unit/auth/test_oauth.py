import pytest

from mockmail.auth.mechanisms import new_mechanism
from mockmail.auth.sasl import Credentials, Failure, Success


@pytest.fixture
def step(given):
    def take(name, message):
        mechanism = new_mechanism(name, given(tokens={"ya29.tok-en_~+/==": "bob@example.test", "odd": "a,b=c"}))
        assert mechanism is not None
        return mechanism.step(message)

    return take


BOB = Success(Credentials("bob@example.test", token="ya29.tok-en_~+/=="))


@pytest.mark.parametrize(
    "message",
    [
        b"user=bob@example.test\x01auth=Bearer ya29.tok-en_~+/==\x01\x01",
        b"user=bob@example.test\x01auth=bearer ya29.tok-en_~+/==\x01\x01",
        b"user=bob@example.test\x01auth=Bearer ya29.tok-en_~+/==\x01vendor=acme\x01\x01",
        b"user=bob@example.test\x01auth=Bearer  ya29.tok-en_~+/== \x01\x01",
    ],
)
def test_xoauth2(step, message):
    assert step("XOAUTH2", message) == BOB


@pytest.mark.parametrize(
    "message",
    [
        b"n,a=bob@example.test,\x01auth=Bearer ya29.tok-en_~+/==\x01\x01",
        b"y,a=bob@example.test,\x01auth=Bearer ya29.tok-en_~+/==\x01\x01",
        b"n,,\x01auth=Bearer ya29.tok-en_~+/==\x01\x01",
        b"n,a=bob@example.test,\x01host=h\x01port=1\x01auth=BEARER ya29.tok-en_~+/==\x01x=\x01\x01",
    ],
)
def test_oauthbearer(step, message):
    assert step("OAUTHBEARER", message) == BOB


def test_the_name_in_oauthbearer_is_quoted_as_in_gs2(step):
    decided = step("OAUTHBEARER", b"n,a=a=2Cb=3Dc,\x01auth=Bearer odd\x01\x01")
    assert decided == Success(Credentials("a,b=c", token="odd"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("XOAUTH2", b""),
        ("XOAUTH2", b"user=bob"),
        ("XOAUTH2", b"user=\x01auth=Bearer x\x01\x01"),
        ("XOAUTH2", b"user=bob\x01auth=Basic x\x01\x01"),
        ("XOAUTH2", b"user=bob\x01auth=Bearer x\x01"),
        ("XOAUTH2", b"user=b\0ob\x01auth=Bearer x\x01\x01"),
        ("XOAUTH2", b"user=bob\x01auth=Bearer x\xff\x01\x01"),
        ("XOAUTH2", b"n,a=bob,\x01auth=Bearer x\x01\x01"),
        ("OAUTHBEARER", b""),
        ("OAUTHBEARER", b"\x01"),
        ("OAUTHBEARER", b"n,a=bob,\x01auth=Bearer x\x01"),
        ("OAUTHBEARER", b"n,a=bob\x01auth=Bearer x\x01\x01"),
        ("OAUTHBEARER", b"n,a=b=ob,\x01auth=Bearer x\x01\x01"),
        ("OAUTHBEARER", b"p=tls-unique,a=bob,\x01auth=Bearer x\x01\x01"),
        ("OAUTHBEARER", b"n,a=bob,\x01au1th=Bearer x\x01\x01"),
        ("OAUTHBEARER", b"n,a=bob,\x01auth=Bearer \0\x01\x01"),
        ("OAUTHBEARER", b"user=bob\x01auth=Bearer x\x01\x01"),
        ("OAUTHBEARER", b"n,,\x01" + b"a=b\x01" * 2500 + b"\0"),
    ],
)
def test_what_is_no_message_is_malformed(step, name, message):
    decided = step(name, message)
    assert isinstance(decided, Failure)
    assert decided.malformed
    assert decided.data is None


# RFC 7628 section 4.3: how a client asks for the scope.
@pytest.mark.parametrize("pairs", [b"", b"auth=\x01", b"auth=Basic eA==\x01", b"host=h\x01"])
def test_without_a_bearer_token_the_scope_is_told(step, pairs):
    decided = step("OAUTHBEARER", b"n,a=bob@example.test,\x01" + pairs + b"\x01")
    assert decided == Failure(
        "the client gave no bearer token",
        data=b'{"status":"invalid_token","schemes":"bearer","scope":"mail"}',
        username="bob@example.test",
    )


@pytest.mark.parametrize("user", [b"bob@example.test", b"eve@example.test"])
def test_a_wrong_token_gets_the_error_of_the_provider(step, user):
    token = b"odd" if user.startswith(b"bob") else b"ya29.tok-en_~+/=="
    decided = step("XOAUTH2", b"user=" + user + b"\x01auth=Bearer " + token + b"\x01\x01")
    assert decided == Failure(
        "no such token", data=b'{"status":"401","schemes":"bearer","scope":"mail"}', username=user.decode()
    )
