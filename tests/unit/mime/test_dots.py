"""Lines that begin with a dot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockmail.mime import dots
from mockmail.mime.dots import dot_begins_line

LINES = b"The quick brown fox. jumps over the lazy dog.\r\n" * 500
SOME_LINES = LINES[: 47 * 50]
"""So many are searched by another library, once that is loaded, as it is for LINES."""


@pytest.fixture(params=["glibc's strstr, where there is one", "CPython's search"])
def searched(request, monkeypatch):
    if request.param == "CPython's search":
        monkeypatch.setattr(dots, "_strstr", lambda: None)


@pytest.mark.usefixtures("searched")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", False),
        (b".", False),
        (b".first line\r\n", False),
        (b"a\r\n.b\r\n", True),
        (b"a\n.b\r\n", False),
        (b"a\r.b\r\n", False),
        (b"a\r\n\0.b\r\n", False),
        (b"a\r\n", False),
        (b"a\r\n.", True),
    ],
)
@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (LINES, b""), (b"", LINES), (b"\0" + LINES, LINES), (SOME_LINES, b""), (b"", SOME_LINES)],
)
def test_only_a_dot_behind_crlf_begins_a_line(text, found, before, after):
    text = before + text + after
    assert not dot_begins_line(LINES)
    assert dot_begins_line(text) is (b"\r\n." in text)
    if not before:
        assert dot_begins_line(text) is found


def test_what_is_in_base64_has_none():
    assert not dot_begins_line(b"QUJDREVGRw==\r\n" * 10_000)


@given(st.text(alphabet="\r\n.\0a", max_size=40), st.integers(0, 2))
def test_texts_of_any_shape(text, size):
    text = text.encode()
    long = LINES * size + text + LINES * size
    assert dot_begins_line(long) is (b"\r\n." in long)
