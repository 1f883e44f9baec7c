"""Mail that comes in by HTTP, or is released."""

import smtplib
from collections.abc import Callable
from typing import Any

import pytest

SENDER = {"Email": "app@example.test", "Name": "App"}
TO = [{"Email": "bob@example.test"}]


def test_mail_sent_is_delivered_to_every_recipient(web: Any) -> None:
    body = {"From": SENDER, "To": TO, "Bcc": ["ann@example.test"], "Subject": "Hi", "Text": "Hello", "Tags": ["a"]}
    sent = web("POST", "/api/v1/send", body)
    message = web.mail.assert_delivered(to=["bob@example.test", "ann@example.test"], subject="Hi", timeout=0)
    assert (sent.status, sent.json) == (200, {"ID": message.id})
    assert (message.sender, message.text, "bcc" in message.headers) == ("app@example.test", "Hello\n", False)
    assert web.mail.account("ann@example.test").inbox[0].message_id.startswith("<")


def test_an_attachment_may_be_as_a_browser_reads_it(web: Any) -> None:
    attachment = {"Filename": "a.bin", "Content": "data:application/octet-stream;base64,AAEC"}
    web("POST", "/api/v1/send", {"From": SENDER, "To": TO, "Attachments": [attachment]})
    assert web.mail.assert_delivered(timeout=0).attachments[0].content == b"\0\1\2"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "From is no object"),
        ({"From": SENDER}, "no recipients"),
        ({"From": {"Email": "nobody"}, "To": TO}, "no mail address"),
        ({"From": {"Email": "a@b.c\r\nBcc: x@y.z"}, "To": TO}, "no mail address"),
        ({"From": {"Email": "a@b.c", "Name": "x\r\nBcc: x@y.z"}, "To": TO}, "no mail address"),
        ({"From": SENDER, "To": TO, "Subject": "a\r\nBcc: x@y.z"}, "cannot be written"),
        ({"From": SENDER, "To": TO, "Headers": {"X": "a\nb"}}, "cannot be written"),
        ({"From": SENDER, "To": TO, "Headers": {"X Y": "a"}}, "no name of a header field"),
        ({"From": SENDER, "To": TO, "Headers": {"Content-Type": "text/x"}}, 'cannot overwrite header: "Content-Type"'),
        ({"From": SENDER, "To": TO, "Headers": {"date": "today"}}, 'cannot overwrite header: "date"'),
        ({"From": SENDER, "To": TO, "Attachments": [{"Filename": "a", "Content": "?"}]}, "no base64"),
        ({"From": SENDER, "To": TO, "Attachments": [{"Content": ""}]}, "Filename is no string"),
        ({"From": SENDER, "To": "bob@example.test"}, "To is no list"),
        ({"From": SENDER, "To": [{"Email": ""}]}, "no mail address"),
        ({"From": SENDER, "To": TO, "Text": 7}, "Text is no string"),
    ],
)
def test_what_cannot_be_sent_is_told_in_json(web: Any, body: Any, sentence: str) -> None:
    answer = web("POST", "/api/v1/send", body)
    assert answer.status == 400
    assert sentence in answer.json["Error"]
    web.mail.assert_not_delivered()


def test_an_unknown_recipient_is_refused_as_by_smtp(serve: Callable[..., Any]) -> None:
    web = serve(users={"bob@example.test": "x"})
    answer = web("POST", "/api/v1/send", {"From": SENDER, "To": [*TO, {"Email": "eve@example.test"}]})
    assert answer.json["Error"].startswith("550 5.1.1 ")
    web.mail.assert_not_delivered()
    assert web.mail.assert_rejected(to="eve@example.test", timeout=0).protocol == "http"


def test_a_message_is_released_to_where_mail_can_be_relayed(serve: Callable[..., Any]) -> None:
    web = serve(domains=["example.test"], routes={"else.test": ("127.0.0.1", 1)})
    message = web.mail.seed(to="bob@example.test", subject="Go")
    path = f"/api/v1/message/{message.id}/release"
    assert web("POST", path, {"To": ["not an address"]}).status == 400
    assert web("POST", path, {"To": []}).status == 400
    assert web("POST", path, {"To": ["eve@else.test"]}).text == "ok"
    waiting = web.mail.call(lambda: [entry.domain for entry in web.mail.world.queue])
    assert waiting == ["else.test"]


def test_chaos_is_a_fault_of_smtp(web: Any) -> None:
    wanted = {"Sender": {"ErrorCode": 421, "Probability": 100}, "Recipient": {"Probability": 0}}
    assert web("PUT", "/api/v1/chaos", wanted).json["Sender"] == {"ErrorCode": 421, "Probability": 100}
    with smtplib.SMTP(*web.mail.smtp.address) as smtp:
        smtp.ehlo()
        assert smtp.mail("app@example.test")[0] == 421
    for wrong in ({"Sender": {"ErrorCode": 200}}, {"Sender": {"Probability": 101}}, {"Sender": 7}):
        assert web("PUT", "/api/v1/chaos", wrong).status == 400
    web("PUT", "/api/v1/chaos", {})
    assert web.get("/api/v1/chaos").json["Sender"]["Probability"] == 0


def test_a_message_is_released_whatever_its_domain_and_only_to_whom_it_may(serve: Callable[..., Any]) -> None:
    web = serve(smarthost="smtp://127.0.0.1:1", relay_allow=["partner.test", "*@*.else.test", "Bob@Example.test"])
    message = web.mail.seed(to="bob@example.test", subject="Go")
    path = f"/api/v1/message/{message.id}/release"
    for address in ("eve@partner.test", "x@y.else.test", "bob@example.test"):
        assert web("POST", path, {"To": [address]}).text == "ok"
    assert len(web.mail.queue) == 3
    refused = web("POST", path, {"To": ["eve@else.test"]})
    assert refused.status == 400
    assert refused.text.startswith("550 5.7.1 <eve@else.test>: relaying denied; the address is not one of relay_allow=")
