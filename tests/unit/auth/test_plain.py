import pytest

from mockmail.auth.mechanisms import new_mechanism
from mockmail.auth.sasl import Challenge, Credentials, Failure, Success


@pytest.fixture
def run(given):
    def start(name, *certified_names):
        mechanism = new_mechanism(name, given(certified_names=certified_names))
        assert mechanism is not None
        return mechanism

    return start


@pytest.mark.parametrize(
    ("wanted", "credentials"),
    [
        (b"", Credentials("bob@example.test")),
        (b"Desk@Example.test", Credentials("desk@example.test", authorization_id="Desk@Example.test")),
        (b"bob", Credentials("bob@example.test", authorization_id="bob")),
    ],
)
def test_external_takes_the_name_that_is_wanted_or_the_first(run, wanted, credentials):
    mechanism = run("EXTERNAL", "bob@example.test", "desk@example.test")
    assert mechanism.step(None) == Challenge(b"")
    assert mechanism.step(wanted) == Success(credentials)


def test_external_without_a_name_in_the_certificate_fails(run):
    assert run("EXTERNAL").step(b"") == Failure("the client's TLS certificate names nobody")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("EXTERNAL", b"\0"),
        ("EXTERNAL", b"\xff"),
        ("ANONYMOUS", b"a\0b"),
        ("ANONYMOUS", b"a\r\nb"),
        ("ANONYMOUS", b"\xff"),
        ("ANONYMOUS", b"x" * 256),
    ],
)
def test_what_is_no_message_is_malformed(run, name, message):
    step = run(name, "bob").step(message)
    assert isinstance(step, Failure)
    assert step.malformed


# The example of RFC 4505 section 4 decodes to "sirhc".
@pytest.mark.parametrize(
    ("trace", "username"), [(b"sirhc", "sirhc"), (b"", "anonymous"), ("ä".encode() * 255, "ä" * 255)]
)
def test_anonymous_leaves_a_trace(run, trace, username):
    assert run("ANONYMOUS").step(trace) == Success(Credentials(username, anonymous=True))
