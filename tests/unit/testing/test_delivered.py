import datetime
import re

import pytest

from mockmail.errors import ConfigurationError


def test_the_one_is_returned(mail):
    sent = mail.deliver("bob@example.test")
    assert mail.assert_delivered(to="bob@example.test", subject="Welcome") is sent
    assert mail.delivered() == [sent]


def test_two_fail_at_once(mail, failure_of):
    mail.deliver()
    mail.deliver(subject="Welcome again")
    assert "expected exactly one message delivered; there were 2" in failure_of(mail.assert_delivered)


def test_one_message_to_three_is_one(mail):
    mail.deliver("a@x.test", "b@x.test", "c@x.test")
    assert len(mail.delivered()) == 1
    mail.assert_delivered(to=["c@x.test", "A@X.TEST"])


@pytest.mark.parametrize(
    "criteria",
    [
        {"to": "BOB@Example.Test"},
        {"to": re.compile("(?i)^bob@")},
        {"to": {"bob@example.test"}},
        {"to": ["bob@example.test", re.compile("^ann")]},
        {"sender": "App@app.test"},
        {"sender": re.compile("app")},
        {"from_": "app@APP.test"},
        {"from_": "The App <app@app.test>"},
        {"from_": re.compile("^The App")},
        {"from_": re.compile("^app@")},
        {"subject": "Your code: 1234"},
        {"subject": re.compile(r"\d{4}$")},
        {"body": "your code is\n1234"},
        {"body": "your code is\r\n1234"},
        {"body": re.compile(r"is\s(\d+)")},
        {"headers": {"x-tag": "two"}},
        {"headers": {"X-Tag": re.compile("on"), "X-None": None}},
        {"account": "ann@example.test"},
        {"where": lambda message: "App" in message.headers["From"]},
        {"to": "bob@example.test", "subject": re.compile("code"), "where": lambda message: message.text},
    ],
)
def test_criteria_fit_and_only_what_they_say(mail, criteria):
    fields = "From: The App <app@app.test>\r\nSubject: Your code: 1234\r\nX-Tag: one\r\nX-Tag: two\r\n"
    sent = mail.deliver(
        "Bob@example.test", "ann@example.test", raw=f"{fields}\r\nHello, your code is\r\n1234\r\n".encode()
    )
    mail.deliver("eve@else.test", sender="eve@else.test", subject="Other", body="", headers="X-None: here\r\n")
    if criteria.get("sender") == "App@app.test":
        assert sent.sender == "app@app.test"
    assert mail.delivered(**criteria) == [sent]


@pytest.mark.parametrize(
    "criteria",
    [
        {"to": "bo@example.test"},
        {"to": ["bob@example.test", "eve@example.test"]},
        {"sender": ""},
        {"from_": "app"},
        {"subject": "welcome"},
        {"subject": "Welc"},
        {"body": "hello"},
        {"headers": {"Subject": None}},
        {"headers": {"X-Tag": re.compile("")}},
        {"account": "ann@example.test"},
        {"where": lambda message: False},
    ],
)
def test_criteria_that_do_not_fit(mail, criteria):
    mail.deliver()
    assert mail.delivered(**criteria) == []
    mail.assert_not_delivered(**criteria)


def test_null_sender(mail):
    bounce = mail.deliver(sender="")
    mail.deliver()
    assert mail.delivered(sender="") == [bounce]


def test_visible_html_is_body(mail):
    mail.deliver(headers="Content-Type: text/html\r\n", body="<p>Your <b>code</b></p><style>x{}</style>")
    mail.assert_delivered(body="Your code")
    mail.assert_not_delivered(body="x{}")


def test_since_a_mark(mail):
    mail.deliver(subject="old")
    mark = mail.mark()
    assert mail.delivered(since=mark) == []
    new = mail.deliver(subject="new")
    assert mail.assert_delivered(since=mark) is new


def test_a_mark_of_before_a_reset_counts_from_the_reset(mail):
    mail.deliver()
    mark = mail.mark()
    mail.reset()
    mail.deliver(subject="after")
    assert mail.assert_delivered(since=mark).subject == "after"


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ({"too": "x"}, "assert_delivered() has no criterion 'too'; did you mean 'to'?"),
        ({"time_out": 3}, "did you mean 'timeout'?"),
        ({"code": 550}, "Its criteria are to, sender, from_, subject, body, headers, account, where, since."),
    ],
)
def test_unknown_criteria_raise_at_once(mail, criteria, text):
    with pytest.raises(TypeError, match=re.escape(text)):
        mail.assert_delivered(**criteria)


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ({"subject": None}, "subject is None; write a string"),
        ({"subject": 7}, "subject is 7"),
        ({"subject": re.compile(b"x")}, "subject is the pattern of bytes"),
        ({"to": []}, "to is empty"),
        ({"to": b"bob@example.test"}, "to is b'bob@example.test'"),
        ({"headers": "X-Tag: a"}, "write a mapping of names to values"),
        ({"headers": {"X-Tag": 1}}, "headers['X-Tag'] is 1"),
        ({"where": "x"}, "where is 'x'; write a function"),
        ({"since": datetime.datetime(2026, 1, 1)}, "write mark = mail.mark()"),
        ({"timeout": -1}, "assert_delivered(timeout=-1): write a number of seconds"),
        ({"timeout": "5"}, "assert_delivered(timeout='5')"),
        ({"quiet": float("nan")}, "quiet=nan"),
    ],
)
def test_unusable_values_raise_at_once(mail, criteria, text):
    with pytest.raises(ConfigurationError, match=re.escape(text)):
        mail.assert_delivered(**criteria)


def test_counts(mail, failure_of):
    mail.deliver()
    mail.deliver()
    assert len(mail.assert_delivered_count(2)) == 2
    assert len(mail.wait_for(1)) == 2
    assert mail.assert_delivered_count(0, subject="Other", timeout=0) == []
    assert "expected exactly 1 message delivered; there were 2" in failure_of(mail.assert_delivered_count, 1)
    assert "expected exactly 3 messages delivered; there were 2" in failure_of(
        mail.assert_delivered_count, 3, timeout=0
    )
    assert "expected at least 3 messages delivered; there were 2" in failure_of(mail.wait_for, 3, timeout=0)


@pytest.mark.parametrize(("count", "what"), [(0, "delivered"), ("2", "delivered"), (True, "delivered"), (1, "sent")])
def test_wait_for_refuses_nonsense(mail, count, what):
    with pytest.raises(ConfigurationError):
        mail.wait_for(count, what)


def test_not_delivered_fails_for_what_is_there(mail, failure_of):
    mail.deliver()
    text = failure_of(mail.assert_not_delivered, to="bob@example.test")
    expected = "assert_not_delivered() expected no message delivered; there was 1.\n    to  'bob@example.test'"
    assert text.startswith(expected)


def test_rejected(mail, failure_of):
    mail.refuse("nobody@example.test")
    mail.refuse("ann@example.test", code=451, reply="451 4.3.0 later")
    assert mail.assert_rejected(to="Nobody@example.test").code == 550
    assert mail.assert_rejected(code=451).recipients == ("ann@example.test",)
    assert len(mail.rejected(sender="app@app.test")) == 2
    assert mail.rejected(subject="x") == []
    mail.assert_not_rejected(code=552)
    assert "expected no refusal; there were 2" in failure_of(mail.assert_not_rejected)
    with pytest.raises(ConfigurationError, match="write the reply code as a number"):
        mail.rejected(code="550")


@pytest.mark.parametrize(
    ("to", "headers", "leak"),
    [
        (("a@x.test", "b@x.test"), "", ""),
        (("a@x.test", "c@x.test"), "Bcc: c@x.test\r\n", "field Bcc: c@x.test"),
        (("a@x.test",), "Bcc: \r\n", ""),
        (("a@x.test", "c@x.test"), "X-Sent-To: a@x.test,C@x.test\r\n", "field X-Sent-To: a@x.test,C@x.test"),
        (("a@x.test", "c@x.test"), "X-Sent-To: cc@x.test, c@x.testing\r\n", ""),
        (("c@x.test",), "X-Sent-To: c@x.test\r\n", ""),
        (("a@x.test", "c@x.test"), "Cc: C@x.test\r\nX-Sent-To: c@x.test\r\n", ""),
    ],
)
def test_bcc_leaks(mail, to, headers, leak, failure_of):
    mail.deliver(*to, raw=f"From: app@app.test\r\nTo: a@x.test, b@x.test\r\n{headers}\r\nHi\r\n".encode())
    if leak:
        assert leak in failure_of(mail.assert_no_bcc_leak)
    else:
        mail.assert_no_bcc_leak()
    mail.assert_no_bcc_leak(to="eve@x.test")
