"""The texts of failures: what people read first when a test of theirs fails."""

import re

import pytest

from mockmail.core.events import Actor

BOB = "bob@example.test"


def test_a_whole_failure(mail, failure_of):
    mail.deliver("eve@else.test", subject="Invoice 17")
    mail.deliver(subject="Welcme to the shop")
    mail.fetch()
    mail.transcript = "== smtp-1 ==\nS: 220 ready\n\nC: QUIT\n"
    text = failure_of(mail.assert_delivered, to=BOB, subject="Welcome to the shop", timeout=0.01)
    nearest = "12:00:01.005  app@app.test -> bob@example.test  'Welcme to the shop'  [fetched by imap]"
    assert text.splitlines() == [
        "assert_delivered() expected exactly one message delivered within 0.01 s; there was none.",
        "    to       'bob@example.test'",
        "    subject  'Welcome to the shop'",
        "",
        "2 messages delivered:",
        "    12:00:01.005  app@app.test -> eve@else.test  'Invoice 17'",
        f"    {nearest}",
        "",
        f"Nearest miss: {nearest}",
        "  subject differs:",
        "    expected  'Welcome to the shop'",
        "    was       'Welcme to the shop'",
        "    - Welcome to the shop",
        "    ?     -",
        "    + Welcme to the shop",
        "  the rest fits: to",
        "",
        "Transcript:",
        "  == smtp-1 ==",
        "  S: 220 ready",
        "",
        "  C: QUIT",
    ]


def test_the_ones_that_fit_are_marked(mail, failure_of):
    mail.deliver(subject="Other")
    mail.deliver()
    mail.deliver()
    lines = failure_of(mail.assert_delivered, subject="Welcome").splitlines()
    assert "3 messages delivered (> fits):" in lines
    assert [line[:3] for line in lines if " -> bob@example.test" in line] == ["   ", "  >", "  >"]


def test_long_lists_and_transcripts_are_cut(mail, failure_of):
    for number in range(25):
        mail.deliver(subject=f"Number {number}")
    mail.transcript = "\n".join(f"line {number}" for number in range(100))
    text = failure_of(mail.assert_delivered, subject="x" * 1000, timeout=0)
    assert "... 5 before\n" in text
    assert "'Number 4'" not in text
    assert "... 40 lines before\n  line 40\n" in text
    assert "more characters)" in text
    assert len(text) < 6000


@pytest.mark.parametrize(
    ("criteria", "lines"),
    [
        ({"to": "bo@example.test"}, ["to differs:", "expected  'bo@example.test'", "was       'bob@example.test'"]),
        ({"sender": ""}, ["sender differs:", "expected  ''", "was       'app@app.test'"]),
        ({"subject": "WELCOME"}, ["subject differs:", "(they differ only in case)"]),
        ({"subject": "Wel  come "}, ["subject differs:", "was       'Welcome'"]),
        (
            {"subject": re.compile("welcome")},
            ["expected  re.compile('welcome')", "(it would match with re.IGNORECASE)"],
        ),
        ({"from_": "App"}, ["from_ differs:", "was       'app@app.test'"]),
        ({"headers": {"X-Tag": "b"}}, ["headers['X-Tag'] differs:", "expected  'b'", "was       'a'"]),
        ({"headers": {"X-Tag": None}}, ["headers['X-Tag'] differs:", "expected  absent", "was       'a'"]),
        ({"headers": {"X-None": "b"}}, ["headers['X-None'] differs:", "expected  'b'", "was       absent"]),
        ({"body": "your code is 12346"}, ["body differs:", "nearest   'your code is 12345'", "?                  ^"]),
        ({"body": "YOUR CODE"}, ["body differs:", "(they differ only in case)"]),
        ({"body": "Hello Bob, your"}, ["body differs:", "(they differ only in white space or line ends)"]),
        ({"body": "zzzzzzzz"}, ["body differs:", "was       Hello Bob,", "was       your code is 12345."]),
        ({"account": "ann@example.test"}, ["account differs:", "was       'bob@example.test'"]),
        ({"where": lambda message: False}, ["all criteria fit but where: the function said no"]),
        ({"to": BOB, "where": lambda message: False}, ["all criteria fit but where: the function said no"]),
    ],
)
def test_the_field_that_differs(mail, criteria, lines, failure_of):
    mail.deliver(headers="X-Tag: a\r\n", body="Hello Bob,\r\nyour code is 12345.\r\n")
    shown = [line.strip() for line in failure_of(mail.assert_delivered, timeout=0, **criteria).splitlines()]
    for line in lines:
        assert line in shown


def test_the_nearest_is_the_one_with_the_fewest_differences(mail, failure_of):
    mail.deliver("ann@example.test", subject="Welcome")
    mail.deliver("bob@example.test", subject="Zzz")
    mail.deliver("eve@else.test", subject="Yyy")
    text = failure_of(mail.assert_delivered, to=BOB, subject="Welcome", body="Hello", timeout=0)
    assert "Nearest miss: 12:00:01.005  app@app.test -> ann@example.test  'Welcome'" in text
    assert "the rest fits: subject, body" in text


def test_an_empty_body(mail, failure_of):
    mail.deliver(body="")
    assert "was       empty" in failure_of(mail.assert_delivered, body="x", timeout=0)


# Hints


def hint_for(text):
    return text.partition("Hints:\n")[2].partition("\n\n")[0]


@pytest.mark.parametrize(
    ("before", "criteria", "hint"),
    [
        (lambda mail: None, {}, "No client has connected"),
        (lambda mail: mail.connect(), {}, "A client connected by SMTP and gave no command"),
        (
            lambda mail: mail.command("EHLO", "x", protocol="smtp", reply="250 OK"),
            {},
            "smtp-1 is the last client that came to send, and handed over no message; its last command was EHLO",
        ),
        (
            lambda mail: mail.seed(subject="Help"),
            {"subject": "Help"},
            "A seeded message fits ('Help' in bob@example.test",
        ),
        (lambda mail: mail.seed(), {"to": BOB, "account": BOB}, "seed() puts mail there without delivering it"),
        (lambda mail: mail.refuse(), {"to": BOB, "subject": "x"}, "bob@example.test was refused at RCPT: 550 5.1.1"),
        (
            lambda mail: mail.deliver("list@x.test", raw=b"To: bob@example.test\r\nSubject: Hi\r\n\r\n"),
            {"to": BOB},
            "The To or Cc of 'Hi' names 'bob@example.test', but its envelope does not: it was sent to list@x.test",
        ),
        (
            lambda mail: mail.fail_login("app", protocol="smtp"),
            {},
            "The login of 'app' by smtp (PLAIN) was refused: wrong password",
        ),
        (
            lambda mail: mail.call(lambda: mail.world.accounts.create("bob@localhost", created_by="login")),
            {"account": BOB},
            "The account 'bob@localhost' was made by a login, and its address is near 'bob@example.test'",
        ),
    ],
)
def test_hints_when_nothing_was_delivered(mail, before, criteria, hint, failure_of):
    before(mail)
    assert hint in hint_for(failure_of(mail.assert_delivered, timeout=0, **criteria))


def test_a_refusal_of_somebody_else_is_no_hint(mail, failure_of):
    mail.refuse("eve@else.test")
    assert "refused" not in failure_of(mail.assert_delivered, to=BOB, timeout=0)


def test_a_seeded_message_that_does_not_fit_is_no_hint(mail, failure_of):
    mail.seed(subject="Other")
    assert "seed" not in failure_of(mail.assert_delivered, subject="Help", timeout=0)


def test_mail_of_before_the_mark(mail, failure_of):
    mail.deliver()
    text = failure_of(mail.assert_delivered, subject="Welcome", since=mail.mark(), timeout=0)
    assert "There was no message delivered at all since the mark." in text
    assert "    since    the mark given" in text
    assert "1 message delivered before the mark given as since= would fit." in hint_for(text)


def test_late_mail(mail, failure_of):
    late = mail.deliver()
    mail.reset()
    mail.world.late.append(late)
    text = hint_for(failure_of(mail.assert_delivered, to=BOB, timeout=0))
    assert "A message to bob@example.test fits, but it was begun before the last reset" in text


def test_an_upload_is_no_delivery(mail, failure_of):
    def append():
        message = mail.world.store.new_message(b"To: bob@example.test\r\nSubject: Mine\r\n\r\n")
        actor = Actor("imap", "imap-1", "ann@example.test")
        mail.world.store.append(mail.world.account("ann@example.test").inbox, [(message, [])], actor)

    mail.call(append)
    assert "was uploaded to" in hint_for(failure_of(mail.assert_delivered, to=BOB, timeout=0))


@pytest.mark.parametrize(
    ("second", "hint"),
    [
        ({}, "The same bytes came more than once"),
        (
            {"body": "Hello again", "headers": "Message-ID: <1@app.test>\r\n"},
            "Several have the Message-ID <1@app.test>",
        ),
        ({"subject": "Other"}, "Narrow the criteria"),
    ],
)
def test_hints_when_there_are_two(mail, second, hint, failure_of):
    mail.deliver(headers=second.get("headers", ""))
    mail.deliver(**second)
    assert hint in hint_for(failure_of(mail.assert_delivered))


@pytest.mark.parametrize(
    ("method", "arguments", "hint"),
    [
        ("assert_fetched", (), "'Help' in bob@example.test INBOX/1 fits, but was not fetched."),
        ("assert_moved", ("Done",), "'Help' in bob@example.test INBOX/1 fits, but was not moved."),
        ("assert_deleted", (), "'Help' in bob@example.test INBOX/1 fits, but was not deleted."),
    ],
)
def test_a_message_that_nobody_touched(mail, method, arguments, hint, failure_of):
    mail.seed(subject="Help")
    assert hint in hint_for(failure_of(getattr(mail, method), *arguments, subject="Help", timeout=0))
    text = failure_of(getattr(mail, method), *arguments, subject="Nope", timeout=0)
    assert "No mailbox has a message that fits." in hint_for(text)


def test_a_client_that_logged_in_as_another(mail, failure_of):
    mail.log_in("eve@else.test")
    text = hint_for(failure_of(mail.assert_fetched, account=BOB, timeout=0))
    assert "Nobody logged in as 'bob@example.test'; clients logged in as eve@else.test." in text


def test_a_flag_that_was_taken_away(mail, failure_of):
    mail.seed(subject="Help", flags=["seen"])
    mail.account(BOB).inbox.remove_flags(1, "seen")
    text = failure_of(mail.assert_flagged, "seen", timeout=0)
    assert "'Help' lost \\Seen at 12:00:01.005, by the test." in hint_for(text)
    assert "flag differs:\n    expected  'seen'\n    was       no flags" in text


def test_a_login_that_did_not_fail(mail, failure_of):
    mail.log_in(checked=False)
    assert "any password does while users= is not given" in failure_of(mail.assert_login_failed, timeout=0)


def test_the_last_command_of_who_does_not_idle(mail, failure_of):
    mail.command("NOOP")
    assert "imap-1 (bob@example.test) gave NOOP last." in hint_for(failure_of(mail.assert_idling, BOB, timeout=0))


def test_a_reply_of_many_lines(mail, failure_of):
    mail.command("EHLO", "x", protocol="smtp", reply="250 localhost\nSIZE")
    assert "EHLO x  -> 250 localhost ...\n" in failure_of(mail.assert_command, "NOOP", timeout=0)
