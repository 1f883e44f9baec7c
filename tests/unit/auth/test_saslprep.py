import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from mockmail.auth.saslprep import Unpreparable, saslprep


# Section 3 of RFC 4013.
@pytest.mark.parametrize(
    ("text", "prepared"),
    [("I\u00adX", "IX"), ("user", "user"), ("USER", "USER"), ("\u00aa", "a"), ("\u2168", "IX")],
)
def test_the_examples_of_rfc_4013(text, prepared):
    assert saslprep(text, stored=True) == prepared


@pytest.mark.parametrize("text", ["\x07", "\u06271"])
def test_the_examples_of_rfc_4013_that_are_forbidden(text):
    with pytest.raises(Unpreparable):
        saslprep(text, stored=True)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "\u00ad",
            "\x7f",
            "a\x80",
            "a\ue000",
            "a\ufdd0",
            "a\udc80",
            "a\ufff9",
            "a\u2ff0",
            "a\u200e",
            "a\U000e0001",
        ),
        *("\u0627a\u0628", "a\u0627", "\u0627\u0031\u0660x"),
    ],
)
def test_what_is_forbidden(text):
    with pytest.raises(Unpreparable) as caught:
        saslprep(text, stored=False)
    assert not text or text not in str(caught.value)


def test_text_from_right_to_left_is_taken():
    assert saslprep("\u0627\u0031\u0628", stored=True) == "\u0627\u0031\u0628"


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000"])
def test_every_space_is_a_space(space):
    assert saslprep(f"a{space}b", stored=True) == "a b"


def test_a_character_of_a_later_unicode_may_be_asked_for_and_not_stored():
    assert saslprep("\U0001f600", stored=False) == "\U0001f600"
    with pytest.raises(Unpreparable, match=r"Unicode 3\.2"):
        saslprep("\U0001f600", stored=True)


@any_of(st.text())
def test_what_is_prepared_stays_as_it_is(text):
    try:
        prepared = saslprep(text, stored=True)
    except Unpreparable:
        return
    assert saslprep(prepared, stored=True) == prepared
