import base64
import hashlib
import hmac

import pytest
from hypothesis import given as any_of
from hypothesis import settings
from hypothesis import strategies as st
from scramp import ScramClient
from scramp.utils import b64enc

from mockmail.auth.sasl import Challenge, Failure, Success
from mockmail.auth.scram import ITERATIONS, ScramMechanism

# Section 5 of RFC 5802, and section 3 of RFC 7677.
EXAMPLES = {
    "SCRAM-SHA-1": (
        "sha1",
        "fyko+d2lbbFgONRv9qkxdawL",
        "3rfcNHYJY1ZVvWVs7j",
        "QSXCR+Q6sek8bf92",
        "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "SCRAM-SHA-256": (
        "sha256",
        "rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}
BINDING = b"finished message of the handshake"
NAMES = ("SCRAM-SHA-1", "SCRAM-SHA-256")


def digest_of(name: str) -> str:
    return "sha256" if "256" in name else "sha1"


@pytest.fixture
def mechanism(given):
    """``mechanism(name)`` for user "user" with password "pencil"."""

    def make(name="SCRAM-SHA-256", *, passwords=None, bindings=None, **random):
        secrets = given(passwords=passwords or {"user": "pencil"}, channel_bindings=bindings or {})
        return ScramMechanism(name, digest_of(name), secrets, **random)

    return make


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_rfcs(mechanism, name):
    _, client_nonce, nonce, salt, proof, verifier = EXAMPLES[name]
    run = mechanism(name, nonce=lambda: nonce, salt=lambda: base64.b64decode(salt))
    challenge = run.step(f"n,,n=user,r={client_nonce}".encode())
    assert challenge == Challenge(f"r={client_nonce}{nonce},s={salt},i=4096".encode())
    end = run.step(f"c=biws,r={client_nonce}{nonce},p={proof}".encode())
    assert isinstance(end, Success)
    assert end.credentials.username == "user"
    assert end.data == f"v={verifier}".encode()


def play(run, client):
    """A whole exchange with scramp's client, which checks the server's signature; returns the last step."""
    first = run.step(client.get_client_first().encode())
    if not isinstance(first, Challenge):
        return first
    client.set_server_first(first.data.decode())
    end = run.step(client.get_client_final().encode())
    if isinstance(end, Success):
        client.set_server_final(end.data.decode())
    return end


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("username", "password"),
    [("user", "pencil"), ("a,b=c", "x,y=z"), ("jürgen", "pä€ ß"), ("bob@example.test", "\u00a0\u00adIX\u2168")],
)
def test_scramp_logs_in(mechanism, name, username, password):
    end = play(mechanism(name, passwords={username: password}), ScramClient([name], username, password))
    assert isinstance(end, Success)
    assert end.credentials.username == username


@pytest.mark.parametrize("name", NAMES)
def test_scramp_with_another_password_does_not(mechanism, name):
    end = play(mechanism(name), ScramClient([name], "user", "pencils"))
    assert end == Failure("the password of 'user' is wrong", username="user")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["tls-unique", "tls-server-end-point"])
def test_scramp_binds_to_the_channel(mechanism, name, kind):
    plus = f"{name}-PLUS"
    client = ScramClient([name, plus], "user", "pencil", channel_binding=(kind, BINDING))
    assert client.mechanism_name == plus
    assert isinstance(play(mechanism(plus, bindings={kind: BINDING}), client), Success)


def test_a_client_on_another_channel_is_refused(mechanism):
    client = ScramClient(["SCRAM-SHA-256-PLUS"], "user", "pencil", channel_binding=("tls-unique", b"the attacker's"))
    end = play(mechanism("SCRAM-SHA-256-PLUS", bindings={"tls-unique": BINDING}), client)
    assert end == Failure("the client's channel binding is another", username="user")


@pytest.mark.parametrize(
    ("name", "bindings", "header", "reason"),
    [
        ("SCRAM-SHA-256", {"tls-unique": BINDING}, "y,,", "downgrade"),
        ("SCRAM-SHA-256", {"tls-unique": BINDING}, "p=tls-unique,,", "ends in -PLUS"),
        ("SCRAM-SHA-256", {}, "p=tls-unique,,", "ends in -PLUS"),
        ("SCRAM-SHA-256-PLUS", {"tls-unique": BINDING}, "n,,", "asks for no channel binding"),
        ("SCRAM-SHA-256-PLUS", {"tls-unique": BINDING}, "y,,", "asks for no channel binding"),
        ("SCRAM-SHA-256-PLUS", {"tls-unique": BINDING}, "p=tls-exporter,,", "there are tls-unique"),
        ("SCRAM-SHA-256-PLUS", {}, "p=tls-unique,,", "there are none"),
    ],
)
def test_flags_of_channel_binding_that_must_fail(mechanism, name, bindings, header, reason):
    end = mechanism(name, bindings=bindings).step(f"{header}n=user,r=abc".encode())
    assert isinstance(end, Failure)
    assert not end.malformed
    assert end.username == "user"
    assert reason in end.reason


def test_a_client_without_channel_binding_may_say_so_on_tls(mechanism):
    run = mechanism(bindings={"tls-unique": BINDING})
    assert isinstance(run.step(b"n,,n=user,r=abc"), Challenge)


def test_a_flag_y_is_right_where_there_is_no_channel_binding(mechanism):
    assert isinstance(mechanism().step(b"y,,n=user,r=abc"), Challenge)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"n,,",
        b"n,,n=user",
        b"n,,n=,r=abc",
        b"n,,n=user,r=",
        b"n,,r=abc,n=user",
        b",,n=user,r=abc",
        b"x,,n=user,r=abc",
        b"p=,,n=user,r=abc",
        b"n,user,n=user,r=abc",
        b"n,a=,n=user,r=abc",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,n=us\0er,r=abc",
        b"n,,n=us\x07er,r=abc",
        b"n,,n=user,r=a c",
        b"n,,n=user,r=\xc3\xa4",
        b"n,,n=\xff,r=abc",
        b"n,,m=x,n=user,r=abc",
        b"n,,n=user,r=abc,m=x",
        b"n,,n=user,r=abc,",
        b"n,,n=user,r=abc,=x",
        "n,,n=us\u200eer,r=abc".encode(),
        "n,,n=\u00ad,r=abc".encode(),
        b"n,,n=user,r=abc,x=\0",
        b"n,,n=user,r=abc" + b",x=y" * 3000 + b",",
    ],
)
def test_what_is_no_first_message_is_malformed(mechanism, message):
    end = mechanism().step(message)
    assert isinstance(end, Failure)
    assert end.malformed


def final(run, *, change=lambda text: text):
    challenge = run.step(b"n,,n=user,r=abc")
    nonce = challenge.data.decode().split(",")[0]
    return run.step(change(f"c=biws,{nonce},p={b64enc(bytes(32))}").encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.partition(",p=")[0],
        lambda text: text.replace("c=biws,", ""),
        lambda text: text.replace(",p=", ",m=x,p="),
        lambda text: text.replace(",p=", ",p=!"),
        lambda text: text.replace("biws", "b\0ws"),
        lambda text: text + ",x=y",
        lambda text: "n,,n=user,r=abc",
        lambda text: text + "\udcff",
        lambda text: text[: text.index(",p=")] + ",p=abcde",
        lambda text: text[: text.index(",p=")] + ",p=A===",
    ],
)
def test_what_is_no_final_message_is_malformed(mechanism, change):
    end = final(mechanism(), change=change)
    assert isinstance(end, Failure)
    assert end.malformed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("r=abc", "r=xyz"), "nonce"),
        (lambda text: text.replace(",p=", "x,p="), "nonce"),
        (lambda text: text[:10] + text[text.index(",p=") :], "nonce"),
        (lambda text: text.replace("biws", b64enc(b"y,,")), "channel binding"),
        (lambda text: text.replace("biws", b64enc(b"n,a=eve,")), "channel binding"),
        (lambda text: text, "password"),
        (lambda text: text[: text.index(",p=")] + ",p=AAAA", "password"),
        (lambda text: text[: text.index(",p=")] + ",p=" + "AAAA" * 2000, "password"),
    ],
)
def test_a_final_message_of_another_exchange_is_refused(mechanism, change, reason):
    end = final(mechanism(), change=change)
    assert isinstance(end, Failure)
    assert not end.malformed
    assert reason in end.reason
    assert end.username == "user"


def test_a_replayed_final_message_is_refused(mechanism):
    client = ScramClient(["SCRAM-SHA-256"], "user", "pencil")
    run = mechanism()
    first_message = client.get_client_first().encode()
    client.set_server_first(run.step(first_message).data.decode())
    last_message = client.get_client_final().encode()
    assert isinstance(run.step(last_message), Success)
    again = mechanism()
    again.step(first_message)
    end = again.step(last_message)
    assert isinstance(end, Failure)
    assert "nonce" in end.reason


def test_the_iterations_are_no_fewer_than_the_rfcs_ask_for(mechanism):
    challenge = mechanism().step(b"n,,n=user,r=abc")
    assert challenge.data.endswith(f",i={ITERATIONS}".encode())
    assert ITERATIONS >= 4096


def test_nonces_and_salts_do_not_come_twice(mechanism):
    seen = [tuple(mechanism().step(b"n,,n=user,r=abc").data.split(b",")) for _ in range(20)]
    assert len({nonce for nonce, _, _ in seen}) == len({salt for _, salt, _ in seen}) == 20


def test_a_user_without_a_known_password_is_refused_at_once(mechanism):
    assert mechanism().step(b"n,,n=other,r=abc") == Failure("no password", username="other")


def test_a_password_that_cannot_be_prepared_is_not_told(mechanism):
    end = mechanism(passwords={"user": "sec\x07ret"}).step(b"n,,n=user,r=abc")
    assert isinstance(end, Failure)
    assert "sec" not in end.reason
    assert "'user' cannot be used with SCRAM" in end.reason


def play_by_hand(run, header, channel=b""):
    """What RFC 5802 section 3 says, step by step, for nonce "def" and salt "salt" of the server."""
    bare = "n=user,r=abc"
    run.step(f"{header}{bare}".encode())
    unproved = f"c={b64enc(header.encode() + channel)},r=abcdef"
    message = f"{bare},r=abcdef,s={b64enc(b'salt')},i={ITERATIONS},{unproved}".encode()
    key = hmac.digest(hashlib.pbkdf2_hmac("sha1", b"pencil", b"salt", ITERATIONS), b"Client Key", "sha1")
    signature = hmac.digest(hashlib.sha1(key).digest(), message, "sha1")
    proof = b64enc(bytes(a ^ b for a, b in zip(key, signature, strict=True)))
    return run.step(f"{unproved},p={proof}".encode())


def test_the_authorization_identity_is_handed_over(mechanism):
    end = play_by_hand(mechanism("SCRAM-SHA-1", nonce=lambda: "def", salt=lambda: b"salt"), "n,a=eve=2C=3D,")
    assert isinstance(end, Success)
    assert end.credentials.authorization_id == "eve,="


def test_it_binds_by_tls_exporter(mechanism):
    bindings = {"tls-unique": b"other", "tls-exporter": BINDING}
    run = mechanism("SCRAM-SHA-1-PLUS", bindings=bindings, nonce=lambda: "def", salt=lambda: b"salt")
    assert isinstance(play_by_hand(run, "p=tls-exporter,,", BINDING), Success)


@settings(max_examples=60)
@any_of(first=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: f"n,,n={text},r=abc".encode()))
def test_any_first_message_gives_a_step(first):
    class Secrets:
        channel_bindings = {}
        certified_names = ()

        def password(self, username):
            return "pencil"

    run = ScramMechanism("SCRAM-SHA-1", "sha1", Secrets())
    step = run.step(first)
    assert isinstance(step, Challenge | Failure)
    if isinstance(step, Challenge):
        assert isinstance(run.step(first), Failure)
