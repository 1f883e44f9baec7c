"""All mail in one list with its copies, and what happened to each message."""

import smtplib
from email.message import EmailMessage
from typing import Any

import pytest

from mockmail import MockMail


@pytest.fixture
def two(web: Any) -> Any:
    """One message to two accounts, and an older one to one of them."""
    web.mail.seed(to="bob@example.test", subject="Old", text="x", flags=["seen", "flagged"])
    message = EmailMessage()
    message["From"], message["To"] = "eve@else.test", "bob@example.test, ann@example.test"
    message["Subject"], message["Message-ID"] = "Both", "<both@else.test>"
    message.set_content("See https://app.test/x")
    with smtplib.SMTP(*web.mail.smtp.address) as client:
        client.send_message(message)
    return web


def id_of(web: Any, subject: str) -> str:
    return next(one["ID"] for one in web.get("/api/v1/mail").json["list"] if one["Subject"] == subject)


def test_each_message_once_newest_first_with_its_copies(two: Any) -> None:
    told = two.get("/api/v1/mail").json
    assert (told["messages"], told["unseen"], told["matched"], told["start"]) == (2, 1, 2, 0)
    assert [one["Subject"] for one in told["list"]] == ["Both", "Old"]
    both, old = told["list"]
    assert [(one["account"], one["folder"], one["uid"], one["flags"]) for one in both["copies"]] == [
        ("bob@example.test", "INBOX", 2, []),
        ("ann@example.test", "INBOX", 1, []),
    ]
    assert (old["flags"], old["Read"]) == (["\\Flagged", "\\Seen"], True)


def test_a_page_of_the_list_and_a_search(two: Any) -> None:
    assert [one["Subject"] for one in two.get("/api/v1/mail?start=1&limit=1").json["list"]] == ["Old"]
    found = two.get("/api/v1/mail?query=subject:both").json
    assert (found["messages"], found["matched"], [one["Subject"] for one in found["list"]]) == (2, 1, ["Both"])
    nothing = two.get("/api/v1/mail?limit=0").json
    assert (nothing["unseen"], nothing["list"]) == (1, [])


def test_a_message_is_seen_only_when_every_copy_is(two: Any) -> None:
    two("PATCH", "/api/v1/accounts/ann@example.test/messages", {"uids": [1], "add": ["seen"]})
    both = two.get("/api/v1/mail").json["list"][0]
    assert (both["Read"], both["flags"]) == (False, [])
    two("PATCH", "/api/v1/accounts/bob@example.test/messages", {"uids": [2], "add": ["seen"]})
    both = two.get("/api/v1/mail").json["list"][0]
    assert (both["Read"], both["flags"]) == (True, ["\\Seen"])


def test_reading_a_message_marks_each_copy_unless_peeked(two: Any) -> None:
    path = f"/api/v1/mail/{id_of(two, 'Both')}"
    peeked = two.get(f"{path}?peek=1").json
    assert (peeked["Read"], peeked["links"], peeked["seeded"]) == (False, ["https://app.test/x"], False)
    assert (peeked["envelope"]["sender"], peeked["tree"]["type"]) == ("eve@else.test", "text/plain")
    two.mail.assert_not_fetched(subject="Both")
    read = two.get(path).json
    assert [copy["flags"] for copy in read["copies"]] == [["\\Seen"], ["\\Seen"]]
    assert two.mail.account("ann@example.test").inbox[0].seen
    two.mail.assert_fetched(account="ann@example.test", subject="Both", protocol="http", timeout=0)


def test_the_timeline_tells_what_happened_in_order(two: Any) -> None:
    message_id = id_of(two, "Both")
    two.get(f"/api/v1/mail/{message_id}")
    two("POST", "/api/v1/accounts/bob@example.test/folders", {"name": "Done"})
    two("PATCH", "/api/v1/accounts/bob@example.test/messages", {"uids": [2], "move_to": "Done"})
    two("DELETE", "/api/v1/accounts/ann@example.test/messages", {"uids": [1]})
    told = two.get(f"/api/v1/mail/{message_id}/timeline").json
    kinds = [event["kind"] for event in told["events"]]
    assert kinds[:2] == ["Accepted", "Delivered"]
    assert set(kinds[2:6]) == {"Fetched", "FlagsChanged"}
    assert kinds[6:] == ["Moved", "Expunged"]
    assert (told["cut"], told["report"]) == (False, None)
    assert [(copy["account"], copy["folder"]) for copy in told["copies"]] == [("bob@example.test", "Done")]
    assert told["delivery"] == [
        {"recipient": one, "address": "", "state": "delivered", "detail": ""}
        for one in ("bob@example.test", "ann@example.test")
    ]
    assert all("message" not in event for event in told["events"])
    assert told["events"][0]["session"].startswith("smtp-")


def test_a_deleted_message_is_still_told_of(two: Any) -> None:
    message_id = id_of(two, "Both")
    for account, uid in (("bob", 2), ("ann", 1)):
        two("DELETE", f"/api/v1/accounts/{account}@example.test/messages", {"uids": [uid]})
    assert [one["Subject"] for one in two.get("/api/v1/mail").json["list"]] == ["Old"]
    assert (two.get(f"/api/v1/mail/{message_id}").json["Subject"]) == "Both"
    assert two.get(f"/api/v1/mail/{message_id}").json["copies"] == []
    assert two.get(f"/api/v1/mail/{message_id}/timeline").json["events"][-1]["kind"] == "Expunged"


@pytest.mark.parametrize("path", ["/api/v1/mail/nosuch", "/api/v1/mail/nosuch/timeline", "/api/v1/mail/latest"])
def test_a_message_that_never_was(two: Any, path: str) -> None:
    answer = two.get(path)
    assert (answer.status, answer.json) == (404, {"error": "There is no message of that ID."})


def test_a_query_that_cannot_be_read(two: Any) -> None:
    answer = two.get("/api/v1/mail?query=before:soon")
    assert answer.status == 400
    assert "soon" in answer.json["error"]


def test_a_bounce_says_what_it_reports(serve: Any) -> None:
    web = serve(domains=["example.test"])
    web.mail.add_user("bob@example.test", "secret")
    with smtplib.SMTP(*web.mail.smtp.address) as client:
        client.login("bob@example.test", "secret")
        client.sendmail("bob@example.test", ["x@far.test"], b"Subject: Far\r\n\r\nHi\r\n")
    queued = web.get("/api/v1/queue").json["queue"][0]["message"]["id"]
    web("POST", "/api/v1/clock", {"advance_seconds": 6 * 86400})
    assert web.mail.assert_bounced(to="x@far.test", timeout=0)
    told = web.get(f"/api/v1/mail/{queued}/timeline").json
    kinds = [event["kind"] for event in told["events"]]
    assert kinds[:3] == ["Accepted", "Queued", "RelayAttempted"]
    assert kinds[-1] == "Bounced"
    assert [(one["recipient"], one["state"]) for one in told["delivery"]] == [("x@far.test", "bounced")]
    report = web.get(f"/api/v1/mail/{web.get('/api/v1/mail').json['list'][0]['ID']}/timeline").json["report"]
    assert [(one["recipient"], one["action"]) for one in report["recipients"]] == [("x@far.test", "failed")]


def test_delivery_is_told_for_each_recipient(serve: Any) -> None:
    with MockMail(pop3_port=None, imap_port=None) as far:
        web = serve(
            domains=["example.test"], unknown_recipients="refuse", users={"bob@example.test": "x"},
            routes={"far.test": far.smtp.address, "down.test": ("127.0.0.1", 1)},
        )  # fmt: skip
        web.mail.add_alias("all@example.test", "bob@example.test", "b@far.test")
        people = ["bob@example.test", "a@far.test", "d@down.test", "all@example.test"]
        with smtplib.SMTP(*web.mail.smtp.address) as client:
            client.login("bob@example.test", "x")
            client.sendmail("bob@example.test", people, b"Subject: Many\r\n\r\nHi\r\n")
        message = web.mail.assert_delivered(subject="Many")
        web.mail.assert_relayed(to="a@far.test")
        web.mail.assert_queued(to="d@down.test", attempts=1)
        told = web.get(f"/api/v1/mail/{message.id}/timeline").json["delivery"]
    assert {(one["recipient"], one["address"], one["state"]) for one in told} == {
        ("bob@example.test", "", "delivered"),
        ("all@example.test", "", "delivered"),
        ("all@example.test", "b@far.test", "relayed"),
        ("a@far.test", "a@far.test", "relayed"),
        ("d@down.test", "d@down.test", "queued"),
    }
    assert next(one["detail"] for one in told if one["recipient"] == "all@example.test") == "into bob@example.test"
    assert next(one["detail"] for one in told if one["state"] == "queued").startswith("attempt 1: 451 4.4.1")
