"""mailpit-api and cypress-mailpit, unmodified: every call they have."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mockmail import MockMail

Clients = Callable[[str, str, list[list[Any]]], list[Any]]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MAIL = {
    "From": {"Email": "app@example.test", "Name": "The App"},
    "To": [{"Email": "bob@example.test", "Name": "Bob"}],
    "Cc": [{"Email": "team@example.test"}],
    "Bcc": ["hidden@example.test"],
    "ReplyTo": [{"Email": "desk@example.test", "Name": "Desk"}],
    "Subject": "Grüße aus dem Test",
    "Text": "Your code is 4711",
    "HTML": '<p style="position: absolute">Your code is <b>4711</b> <a href="https://app.test/x">here</a></p>',
    "Headers": {"X-Custom": "yes"},
    "Tags": ["Welcome"],
    "Attachments": [{"Content": PNG, "Filename": "pixel.png", "ContentType": "image/png"}],
}


def at(number: int, *pick: Any) -> dict[str, Any]:
    """What an earlier call returned."""
    return {"result": number, "pick": list(pick)}


API_READING: list[list[Any]] = [
    ["sendMessage", MAIL],
    ["searchMessages", {"query": "subject:grüße to:bob tag:welcome has:attachment", "start": 0, "limit": 5}],
    ["getMessageSummary", at(0, "ID")],
    ["getMessageHeaders"],
    ["getMessageAttachment", at(0, "ID"), at(2, "Attachments", 0, "PartID")],
    ["getAttachmentThumbnail", at(0, "ID"), at(2, "Attachments", 0, "PartID")],
    ["getMessageSource"],
    ["renderMessageHTML"],
    ["renderMessageText"],
    ["listMessages", 0, 10],
]
API_CHANGING: list[list[Any]] = [
    ["listMessages"],
    ["setReadStatus", {"Read": True}],
    ["setReadStatus", {"Search": "subject:Two", "Read": False}, {"tz": "Europe/Berlin"}],
    ["searchMessages", {"query": "is:unread"}],
    ["setTags", {"IDs": [at(0, "messages", 2, "ID")], "Tags": ["First tag"]}],
    ["renameTag", "First tag", "Second tag"],
    ["getTags"],
    ["deleteTag", "Second tag"],
    ["deleteMessagesBySearch", {"query": "subject:Three"}],
    ["deleteMessages", {"IDs": [at(0, "messages", 2, "ID")]}],
    ["waitForMessages", {"count": 1, "exact": True}],
    ["waitForMessage", {"query": "subject:Two"}],
    ["deleteMessages"],
    ["listMessages"],
]
CHAOS = {"Recipient": {"ErrorCode": 452, "Probability": 100}}
API_CHECKING: list[list[Any]] = [
    ["sendMessage", MAIL],
    ["getInfo"],
    ["getConfiguration"],
    ["htmlCheck"],
    ["linkCheck"],
    ["spamAssassinCheck"],
    ["releaseMessage", at(0, "ID"), {"To": ["x@else.test"]}],
    ["setChaosTriggers", CHAOS],
    ["getChaosTriggers"],
    ["setChaosTriggers"],
]
CYPRESS_REQUESTS: list[list[Any]] = [
    ["mailpitSendMail", {"attachments": [{"Content": PNG, "Filename": "pixel.png"}]}],
    ["mailpitGetAllMails"],
    ["mailpitGetMail"],
    ["mailpitGetMail", at(0, "ID")],
    ["mailpitGetEmailsBySubject", "Hello Mailpit"],
    ["mailpitHasEmailsBySubject", "Hello Mailpit"],
    ["mailpitNotHasEmailsBySubject", "Goodbye"],
    ["mailpitGetEmailsByTo", "jane@example.com"],
    ["mailpitHasEmailsByTo", "jane@example.com"],
    ["mailpitNotHasEmailsByTo", "nobody@example.com"],
    ["mailpitGetSubject", at(2)],
    ["mailpitGetRecipientAddress", at(2)],
    ["mailpitGetFromAddress", at(2)],
    ["mailpitGetAttachments", at(2)],
    ["mailpitGetMailHTMlBody", at(2)],
    ["mailpitGetMailTextBody", at(2)],
    ["mailpitSetStatusAsUnRead", at(2)],
    ["mailpitHasEmailsBySearch", "is:unread"],
    ["mailpitSetStatusAsRead", at(2)],
    ["mailpitNotHasEmailsBySearch", "is:unread"],
    ["mailpitSetAllEmailStatusAsUnRead"],
    ["mailpitSearchEmails", "is:unread hello"],
    ["mailpitSetAllEmailStatusAsRead"],
    ["mailpitGetMailSpamAssassinSummary", at(2)],
    ["mailpitGetMailSpamAssainSummary", at(2)],
    ["mailpitDeleteEmailsBySearch", "subject:Hello"],
    ["mailpitSearchEmails", "hello from mailpit"],
    ["mailpitDeleteAllEmails"],
]
DRIVEN = {
    "api": {call[0] for calls in (API_READING, API_CHANGING, API_CHECKING) for call in calls},
    "cypress": {call[0] for call in CYPRESS_REQUESTS},
}
INNER = {
    "api": {"constructor", "request"},
    "cypress": {"constructor", "request", "mailpitUrl", "resolveAuth", "setReadStatus", "waitForCondition"},
}
"""What users do not call."""


@pytest.fixture
def mail() -> Iterator[MockMail]:
    with MockMail(http_port=0) as server:
        yield server
        server.faults.clear()


@pytest.mark.parametrize("client", DRIVEN)
def test_every_call_of_the_clients_is_made_below(mail: MockMail, mailpit_clients: Clients, client: str) -> None:
    (methods,) = mailpit_clients(client, mail.http.url, [["methods"]])
    assert set(methods) - INNER[client] == DRIVEN[client]


def test_mailpit_api_sends_reads_and_searches(mail: MockMail, mailpit_clients: Clients) -> None:
    sent, found, got, headers, part, thumb, source, html, text, listed = mailpit_clients(
        "api", mail.http.url, API_READING
    )
    message = mail.assert_delivered(to="hidden@example.test", subject=MAIL["Subject"], timeout=0)
    assert sent == {"ID": message.id}
    assert (found["messages_count"], found["messages"][0]["ID"]) == (1, message.id)
    assert (got["Text"], got["Tags"], got["Subject"]) == ("Your code is 4711\r\n", ["Welcome"], MAIL["Subject"])
    assert got["From"] == {"Name": "The App", "Address": "app@example.test"}
    assert got["Bcc"] == [{"Name": "", "Address": "hidden@example.test"}]
    assert headers["X-Custom"] == ["yes"]
    assert (part["type"], part["base64"]) == ("image/png", PNG)
    assert thumb["type"] == "image/jpeg"
    assert base64.b64decode(thumb["base64"]).startswith(b"\xff\xd8")
    assert source.encode() == message.raw
    assert "<b>4711</b>" in html
    assert text == "Your code is 4711\r\n"
    assert listed["messages"][0]["Read"] is True


def test_mailpit_api_changes_and_deletes(mail: MockMail, mailpit_clients: Clients) -> None:
    for subject in ("One", "Two", "Three"):
        mail.seed(to="bob@example.test", subject=subject)
    _, *results = mailpit_clients("api", mail.http.url, API_CHANGING)
    assert [one for index, one in enumerate(results) if index in (0, 1, 3, 4, 6, 7, 8, 11)] == ["ok"] * 8
    assert results[2]["messages"][0]["Subject"] == "Two"
    assert results[5] == ["Second tag"]
    assert results[10]["Subject"] == "Two"
    assert (results[12]["total"], results[12]["messages"]) == (0, [])


def test_mailpit_api_checks_state_and_chaos(mail: MockMail, mailpit_clients: Clients) -> None:
    _, info, webui, html, links, spam, release, set_chaos, chaos_now, off = mailpit_clients(
        "api", mail.http.url, API_CHECKING
    )
    assert (info["Messages"], info["Unread"], info["Tags"]) == (1, 1, {"Welcome": 1})
    assert (webui["MessageRelay"]["Enabled"], webui["ChaosEnabled"]) == (False, True)
    assert [one["Slug"] for one in html["Warnings"]] == ["css-position"]
    assert html["Warnings"][0]["Score"]["Unsupported"] > 0
    assert links == {"Errors": 0, "Links": [{"URL": "https://app.test/x", "StatusCode": 0, "Status": "Not requested"}]}
    assert "404" in spam["failed"]
    assert "400" in release["failed"]
    assert "relaying is not enabled" in release["failed"]
    assert set_chaos == chaos_now
    assert chaos_now["Recipient"] == {"ErrorCode": 452, "Probability": 100}
    assert off["Recipient"]["Probability"] == 0


def test_mailpit_api_releases_what_can_be_relayed(mailpit_clients: Clients) -> None:
    with (
        MockMail(domains=["example.test"]) as hop,
        MockMail(http_port=0, domains=["example.org"], routes={"example.test": hop.smtp.address}) as mail,
    ):
        mail.seed(to="bob@example.org", subject="Go on")
        calls = [["listMessages"], ["releaseMessage", at(0, "messages", 0, "ID"), {"To": ["eve@example.test"]}]]
        assert mailpit_clients("api", mail.http.url, calls)[1] == "ok"
        mail.assert_relayed(to="eve@example.test")
        hop.assert_delivered(to="eve@example.test", subject="Go on")


def test_cypress_mailpit_makes_all_its_requests(mail: MockMail, mailpit_clients: Clients) -> None:
    results = mailpit_clients("cypress", mail.http.url, CYPRESS_REQUESTS)
    made = dict(zip([call[0] for call in CYPRESS_REQUESTS], results, strict=True))
    failed = {name for name, one in made.items() if isinstance(one, dict) and "failed" in one}
    # There are no spam checks, and Mailpit answers so where they are not enabled.
    assert failed == {"mailpitGetMailSpamAssassinSummary", "mailpitGetMailSpamAssainSummary"}, results
    assert "404" in made["mailpitGetMailSpamAssassinSummary"]["failed"]
    assert results[2] == results[3]
    assert made["mailpitGetSubject"] == "Hello Mailpit"
    assert made["mailpitGetRecipientAddress"] == ["jane@example.com"]
    assert made["mailpitGetFromAddress"] == "from@example.com"
    assert made["mailpitGetAttachments"] == ["pixel.png"]
    assert "<p>hello from mailpit</p>" in made["mailpitGetMailHTMlBody"]
    assert made["mailpitGetMailTextBody"] == "hello from mailpit\r\n"
    counts = {name: one["messages_count"] for name, one in made.items() if "Emails" in name and "count" in str(one)}
    assert {name for name, count in counts.items() if not count} == {
        "mailpitNotHasEmailsBySubject",
        "mailpitNotHasEmailsByTo",
        "mailpitNotHasEmailsBySearch",
        "mailpitSearchEmails",  # the last one, after all were deleted
    }
