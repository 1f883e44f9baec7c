import base64

import pytest

from mockmail.auth.cram import CramMD5Mechanism
from mockmail.auth.sasl import Challenge, Failure, Success

NONCE = b"<1896.697170952@postoffice.reston.mci.net>"


def run():
    mechanism = CramMD5Mechanism(challenge=lambda: NONCE)
    assert mechanism.step(None) == Challenge(NONCE)
    return mechanism


def test_the_example_of_rfc_2195():
    answer = base64.b64decode("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw")
    step = run().step(answer)
    assert isinstance(step, Success)
    assert step.credentials.username == "tim"
    assert step.credentials.check is not None
    assert step.credentials.check("tanstaaftanstaaf")
    assert not step.credentials.check("wrong")
    assert step.credentials.password is None


def test_digits_in_capitals_and_names_with_spaces_are_taken():
    step = run().step(b"tim taylor B913A602C7EDA7A495B4E6E7334D3890")
    assert isinstance(step, Success)
    assert step.credentials.username == "tim taylor"
    assert step.credentials.check is not None
    assert step.credentials.check("tanstaaftanstaaf")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"tim",
        b"b913a602c7eda7a495b4e6e7334d3890",
        b" b913a602c7eda7a495b4e6e7334d3890",
        b"tim b913a602c7eda7a495b4e6e7334d389",
        b"tim b913a602c7eda7a495b4e6e7334d38900",
        b"tim g913a602c7eda7a495b4e6e7334d3890",
        b"tim\0x b913a602c7eda7a495b4e6e7334d3890",
        b"\xff b913a602c7eda7a495b4e6e7334d3890",
        "tim \uff13913a602c7eda7a495b4e6e7334d3890".encode(),
    ],
)
def test_what_is_no_name_and_digest_is_malformed(answer):
    step = run().step(answer)
    assert isinstance(step, Failure)
    assert step.malformed


def test_it_takes_no_initial_response():
    step = CramMD5Mechanism().step(b"tim b913a602c7eda7a495b4e6e7334d3890")
    assert isinstance(step, Failure)
    assert step.malformed


def test_no_challenge_comes_twice():
    challenges = {CramMD5Mechanism().step(None) for _ in range(50)}
    assert len(challenges) == 50
