"""Mailpit's reading API over real sockets."""

import smtplib
from typing import Any

import pytest

from mockmail import ConfigurationError, MockMail, NotRunningError


def send(web: Any, *to: str, subject: str = "Hi", body: str = "Hello", sender: str = "app@example.test") -> None:
    with smtplib.SMTP(*web.mail.smtp.address) as smtp:
        smtp.sendmail(sender, list(to), f"Subject: {subject}\r\nFrom: App <{sender}>\r\nTo: {to[0]}\r\n\r\n{body}\r\n")


def test_the_list_has_each_message_once_newest_first(web: Any) -> None:
    send(web, "bob@example.test", "ann@example.test", subject="One")
    send(web, "bob@example.test", subject="Two")
    listed = web.get("/api/v1/messages").json
    assert [one["Subject"] for one in listed["messages"]] == ["Two", "One"]
    counts = ("total", "unread", "count", "messages_count", "messages_unread", "start")
    assert [listed[name] for name in counts] == [2, 2, 2, 2, 2, 0]
    one = listed["messages"][1]
    assert one["From"] == {"Name": "App", "Address": "app@example.test"}
    assert one["To"] == [{"Name": "", "Address": "bob@example.test"}]
    assert one["Bcc"] == [{"Name": "", "Address": "ann@example.test"}]
    assert (one["Read"], one["Snippet"], one["Attachments"], len(one["ID"])) == (False, "Hello", 0, 22)
    assert one["ID"] == web.mail.messages[0].id


def test_a_page_of_the_list(web: Any) -> None:
    for number in range(5):
        send(web, "bob@example.test", subject=str(number))
    page = web.get("/api/v1/messages?start=1&limit=2").json
    assert [one["Subject"] for one in page["messages"]] == ["3", "2"]
    assert (page["start"], page["count"], page["messages_count"]) == (1, 2, 5)
    assert len(web.get("/api/v1/messages?start=-3&limit=many").json["messages"]) == 5


def test_reading_a_message_marks_every_copy_seen_and_is_a_fetch(web: Any) -> None:
    send(web, "bob@example.test", "ann@example.test")
    message = web.get("/api/v1/message/latest").json
    assert (message["Text"], message["HTML"], message["ReturnPath"]) == ("Hello\r\n", "", "app@example.test")
    for account in ("bob@example.test", "ann@example.test"):
        assert web.mail.account(account).inbox[0].seen
        web.mail.assert_fetched(account=account, protocol="http", part="full", timeout=0)
    assert web.get("/api/v1/messages").json["unread"] == 0


def test_raw_headers_and_parts(web: Any) -> None:
    seeded = web.mail.seed(
        to="bob@example.test",
        subject="Grüße",
        text="Hi",
        html='<img src="cid:pic">',
        attachments=[("../a\u202eb.txt", b"data", "text/x-odd")],
    )
    assert web.get(f"/api/v1/message/{seeded.id}/raw").body == seeded.raw
    headers = web.get(f"/api/v1/message/{seeded.id}/headers").json
    assert headers["Subject"] == ["=?utf-8?b?R3LDvMOfZQ==?="] or "utf-8" in headers["Subject"][0].lower()
    assert list(headers) == sorted(headers)
    attachment = web.get(f"/api/v1/message/{seeded.id}").json["Attachments"][0]
    assert attachment["Checksums"]["MD5"] == "8d777f385d3dfec8815d20f7496026dc"
    part = web.get(f"/api/v1/message/{seeded.id}/part/{attachment['PartID']}")
    assert (part.status, part.body) == (200, b"data")
    assert part.headers["content-type"].startswith("text/x-odd")
    assert part.headers["content-disposition"].startswith("attachment; filename=")
    assert part.headers["content-disposition"] == "attachment; filename=\"ab.txt\"; filename*=UTF-8''ab.txt"
    assert part.headers["content-security-policy"].startswith("sandbox;")


def test_search_read_state_and_delete(web: Any) -> None:
    for subject in ("Alpha", "Beta", "Alpha again"):
        send(web, "bob@example.test", subject=subject)
    found = web.get("/api/v1/search?query=subject:alpha").json
    assert (found["total"], found["messages_count"], found["messages_unread"]) == (3, 2, 2)
    assert web("PUT", "/api/v1/messages", {"Search": "subject:beta", "Read": True}).text == "ok"
    assert web.get("/api/v1/search?query=is:read").json["messages"][0]["Subject"] == "Beta"
    ids = [one["ID"] for one in found["messages"]]
    assert web("PUT", "/api/v1/messages", {"IDs": ids, "Read": True}).text == "ok"
    assert web.get("/api/v1/messages").json["unread"] == 0
    assert web("PUT", "/api/v1/messages", {}).text == "ok"
    assert web.get("/api/v1/messages").json["unread"] == 3
    assert web("DELETE", "/api/v1/search?query=subject:beta").text == "ok"
    assert web("DELETE", "/api/v1/messages", {"IDs": ids[:1]}).text == "ok"
    assert web.get("/api/v1/messages").json["total"] == 1
    assert web("DELETE", "/api/v1/messages").text == "ok"
    assert len(web.mail.account("bob@example.test").inbox) == 0
    assert {event.protocol for event in [web.mail.assert_deleted(subject="Beta", timeout=0)]} == {"http"}


def test_latest_is_the_newest_that_a_query_finds(web: Any) -> None:
    send(web, "bob@example.test", subject="First")
    send(web, "ann@example.test", subject="Second")
    assert web.get("/api/v1/message/latest").json["Subject"] == "Second"
    assert web.get("/api/v1/message/latest?query=to:bob").json["Subject"] == "First"


def test_tags_are_set_renamed_and_removed(web: Any) -> None:
    send(web, "bob+shop@example.test")
    one = web.get("/api/v1/messages").json["messages"][0]
    assert one["Tags"] == ["shop"]
    assert web("PUT", "/api/v1/tags", {"IDs": [one["ID"]], "Tags": ["Big news", "a"]}).text == "ok"
    assert web.get("/api/v1/tags").json == ["a", "Big news"]
    assert web("PUT", "/api/v1/tags/Big%20news", {"Name": "Old news"}).text == "ok"
    assert web.get("/api/v1/info").json["Tags"] == {"a": 1, "Old news": 1}
    assert web("DELETE", "/api/v1/tags/a").text == "ok"
    assert web.get("/api/v1/search?query=tag:a").json["messages_count"] == 0
    unknown = web("DELETE", "/api/v1/tags/a")
    assert (unknown.status, unknown.text) == (400, "tag not found: a")
    assert web("PUT", "/api/v1/tags/a", {"Name": "b"}).status == 400
    assert web("PUT", "/api/v1/tags", {"IDs": [], "Tags": ["<b>"]}).status == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/api/v1/message/nothing", None, 404, "Message not found"),
        ("GET", "/api/v1/message/latest", None, 404, "Message not found"),
        ("GET", "/api/v1/message/latest/raw", None, 404, "Message not found"),
        ("GET", "/api/v1/search", None, 400, "Error: no search query"),
        ("DELETE", "/api/v1/search?query=%20", None, 400, "Error: no search query"),
        ("GET", "/api/v1/search?query=a&tz=Nowhere", None, 400, "no time zone"),
        ("GET", "/api/v1/nothing", None, 404, "404 page not found"),
        ("PATCH", "/api/v1/messages", {}, 405, "Method not allowed"),
        ("PUT", "/api/v1/messages", b"{", 400, "no JSON"),
        ("PUT", "/api/v1/messages", b"[" * 100_000, 400, "no JSON"),
        ("PUT", "/api/v1/messages", [1], 400, "no object"),
        ("PUT", "/api/v1/messages", {"IDs": "all"}, 400, "IDs is no list"),
        ("PUT", "/api/v1/messages", {"IDs": [1]}, 400, "no string"),
        ("PUT", "/api/v1/messages", {"Read": "yes"}, 400, "neither true nor false"),
        ("PUT", "/api/v1/messages", {"IDs": ["a"], "Search": "b"}, 400, "not both"),
        ("DELETE", "/api/v1/messages", {"IDs": ["\ud800"]}, 400, "surrogate"),
    ],
)
def test_what_cannot_be_done_has_the_status_that_clients_expect(
    web: Any, method: str, path: str, body: Any, status: int, text: str
) -> None:
    answer = web(method, path, body)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert text in answer.text


def test_probes_and_metrics(web: Any) -> None:
    send(web, "bob@example.test")
    assert (web.get("/livez").text, web.get("/readyz").text) == ("ok", "ok")
    metrics = web.get("/metrics").text
    assert "\nmailpit_messages 1\n" in metrics
    assert "\nmailpit_smtp_accepted_total 1\n" in metrics
    assert web.get("/api/v1/info").json["RuntimeStats"]["SMTPAccepted"] == 1
    assert web.get("/api/v1/webui").json["MessageRelay"]["Enabled"] is False


def test_a_reset_empties_the_list(web: Any) -> None:
    send(web, "bob@example.test")
    assert web.get("/api/v1/messages").json["total"] == 1
    web.mail.reset()
    assert web.get("/api/v1/messages").json["total"] == 0


def test_without_a_port_nothing_is_served_and_the_setting_is_named() -> None:
    with MockMail() as mail, pytest.raises(NotRunningError, match="set http_port=0"):
        _ = mail.http.address


@pytest.mark.parametrize("auth", ["", "user", "user:", ":secret", 7])
def test_http_auth_is_user_and_password(auth: Any) -> None:
    with pytest.raises(ConfigurationError, match="http_auth is no user:password"):
        MockMail(http_auth=auth)
