"""Patterns of LIST (RFC 3501 6.3.8)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockmail.imap.handlers.patterns import Pattern


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "a/b/c", True),
        ("%", "a", True),
        ("%", "a/b", False),
        ("a/%", "a/b", True),
        ("a/%", "a/b/c", False),
        ("a/%", "a", False),
        ("a%", "a", True),
        ("%/c", "a/b/c", False),
        ("*/c", "a/b/c", True),
        ("%*%", "a/b/c", True),
        ("%b%", "abc", True),
        ("a*c", "a/b/c", True),
        ("A", "a", False),
        ("inbox", "INBOX", True),
        ("InBoX/%", "INBOX/sub", True),
        ("inb*", "INBOX", True),
        ("inb*", "inboxes", True),
        ("i%x", "INBOX", True),
        ("%", "INBOX", True),
        ("", "", True),
        ("a.b", "axb", False),
        ("Ä*", "Äpfel/rot", True),
    ],
)
def test_patterns(pattern, name, matches):
    assert Pattern(pattern).matches(name) is matches


@given(st.text("ab/%*", max_size=12), st.text("ab/", max_size=12))
def test_patterns_match_as_the_regular_expression_would(pattern, name):
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(char, re.escape(char)) for char in pattern)
    assert Pattern(pattern).matches(name) is bool(re.fullmatch(expression, name))


def test_a_pattern_that_blows_up_others_costs_little():
    """2**400 ways to match, and a pattern longer than any name: both are answered at once."""
    assert not Pattern("%a*" * 400 + "z").matches("a/" * 500)
    assert not Pattern("*" + "a" * 500_000).matches("a" * 1000)
