"""Sending as an account, by the server's own SMTP."""

import base64
from typing import Any

import pytest

PATH = "/api/v1/accounts/bob@example.test/submissions"
TO = [{"Email": "ann@example.test", "Name": "Ann"}]


def test_mail_goes_out_by_smtp_logged_in_as_the_account(web: Any) -> None:
    body = {"Name": "Bob", "To": TO, "Bcc": ["eve@example.test"], "Subject": "Grüße", "Text": "Hello"}
    sent = web("POST", PATH, body)
    assert (sent.status, sent.json["refused"]) == (200, [])
    assert set(sent.json["replies"]) == {"ann@example.test", "eve@example.test"}
    message = web.mail.assert_delivered(to=["ann@example.test", "eve@example.test"], subject="Grüße", timeout=0)
    assert message.message_id == f"<{sent.json['message_id']}>"
    assert (message.sender, "bcc" in message.headers) == ("bob@example.test", False)
    assert message.headers["From"] == "Bob <bob@example.test>"
    assert web.mail.assert_logged_in(account="bob@example.test", protocol="smtp", timeout=0)
    web.mail.assert_command("DATA", timeout=0)


def test_an_account_with_a_password_is_sent_from_without_asking_for_it(web: Any) -> None:
    web.mail.add_user("bob@example.test", "a long secret")
    assert web("POST", PATH, {"To": TO, "Subject": "S", "Text": "T"}).status == 200
    assert web.mail.assert_logged_in(account="bob@example.test", protocol="smtp", timeout=0)


def test_an_answer_and_an_attachment(web: Any) -> None:
    attachment = {"Filename": "a.txt", "Content": base64.b64encode(b"one\n").decode(), "ContentType": "text/plain"}
    headers = {"In-Reply-To": "<1@else.test>", "References": "<0@else.test> <1@else.test>"}
    web("POST", PATH, {"To": TO, "Text": "T", "Headers": headers, "Attachments": [attachment]})
    message = web.mail.assert_delivered(timeout=0)
    assert message.headers["In-Reply-To"] == "<1@else.test>"
    assert message.headers["References"] == "<0@else.test> <1@else.test>"
    assert (message.attachments[0].filename, message.attachments[0].content) == ("a.txt", b"one\n")


def test_some_recipients_may_be_refused(serve: Any) -> None:
    web = serve(users={"bob@example.test": "x", "ann@example.test": "y"})
    sent = web("POST", PATH, {"To": [*TO, {"Email": "nobody@example.test"}], "Text": "T"})
    assert (sent.status, sent.json["refused"]) == (200, ["nobody@example.test"])
    assert sent.json["replies"]["nobody@example.test"].startswith("550 5.1.1")
    web.mail.assert_delivered(to="ann@example.test", timeout=0)


def test_when_all_are_refused_the_reply_is_the_error(serve: Any) -> None:
    web = serve(users={"bob@example.test": "x"})
    sent = web("POST", PATH, {"To": TO, "Text": "T"})
    assert sent.status == 400
    assert sent.json["error"].startswith("550 5.1.1")
    web.mail.assert_not_delivered()


def test_a_fault_of_smtp_is_met_as_by_any_client(web: Any) -> None:
    web.mail.faults.smtp("MESSAGE", reply="452 4.3.1 no room", times=1)
    sent = web("POST", PATH, {"To": TO, "Text": "T"})
    assert (sent.status, sent.json["error"]) == (400, "452 4.3.1 no room")
    assert web("POST", PATH, {"To": TO, "Text": "T"}).status == 200


def test_what_is_for_another_server_waits_in_the_queue(serve: Any) -> None:
    web = serve(domains=["example.test"])
    assert web("POST", PATH, {"To": [{"Email": "x@far.test"}], "Subject": "Far", "Text": "T"}).status == 200
    assert web.mail.assert_queued(to="x@far.test", timeout=5).message.subject == "Far"


def test_where_logins_are_hidden_it_is_sent_without(serve: Any) -> None:
    web = serve(hide={"smtp": ["AUTH"]})
    assert web("POST", PATH, {"To": TO, "Text": "T"}).status == 200
    web.mail.assert_delivered(to="ann@example.test", timeout=0)


def test_where_tls_is_wanted_it_is_sent_by_tls(serve: Any) -> None:
    web = serve(tls=True, require_tls=True, require_auth=True)
    assert web("POST", PATH, {"To": TO, "Text": "T"}).status == 200
    assert web.mail.assert_logged_in(account="bob@example.test", protocol="smtp", timeout=0).tls


def test_without_smtp_nothing_can_be_sent(serve: Any) -> None:
    answer = serve(smtp_port=None)("POST", PATH, {"To": TO, "Text": "T"})
    assert (answer.status, "smtp_port" in answer.json["error"]) == (400, True)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "no recipients"),
        ({"To": [{"Email": "nobody"}]}, "no mail address"),
        ({"To": TO, "From": {"Email": "eve@example.test"}}, "From"),
        ({"To": TO, "Subject": "a\r\nBcc: x@y.z"}, "cannot be written"),
        ({"To": TO, "Name": "x\r\ny"}, "no mail address"),
        ({"To": TO, "Headers": {"From": "eve@example.test"}}, "cannot overwrite"),
    ],
)
def test_what_cannot_be_sent(web: Any, body: Any, sentence: str) -> None:
    answer = web("POST", PATH, body)
    assert answer.status == 400
    assert sentence in answer.json["error"]
    web.mail.assert_not_delivered()


def test_an_address_that_is_none(web: Any) -> None:
    assert web("POST", "/api/v1/accounts/nobody/submissions", {"To": TO, "Text": "T"}).status == 400
