import pytest

from mockmail.smtp.replies import code_of, printable, render, with_status_code, without_status_code


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        ("250 2.0.0 OK", b"250 2.0.0 OK\r\n"),
        ("334 ", b"334 \r\n"),
        ("250 host\nSIZE 10\nHELP", b"250-host\r\n250-SIZE 10\r\n250 HELP\r\n"),
        ("550 5.1.1 <jürgen@b>", "550 5.1.1 <jürgen@b>\r\n".encode()),
    ],
)
def test_replies_on_the_wire(reply, data):
    assert render(reply) == data


@pytest.mark.parametrize(("reply", "code"), [("250 x", 250), ("451", 451), ("", 0), ("no", 0), ("٣٣٣ x", 0)])
def test_codes(reply, code):
    assert code_of(reply) == code


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("250 OK", "250 2.0.0 OK"),
        ("250 2.1.0 OK", "250 2.1.0 OK"),
        ("503 Error", "503 5.5.1 Error"),
        ("354 go on", "354 go on"),
    ],
)
def test_status_codes_are_added_where_they_are_missing(reply, expected):
    assert with_status_code(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("250 2.0.0 OK", "250 OK"), ("250 2 OK", "250 2 OK"), ("551 5.7.1 a\n5.7.1 b", "551 a\nb"), ("250 x", "250 x")],
)
def test_status_codes_are_taken_away(reply, expected):
    assert without_status_code(reply) == expected


def test_what_a_client_sent_is_made_printable():
    assert printable("a\x00b\r\né") == "a?b???"
    assert len(printable("x" * 1000)) < 60
