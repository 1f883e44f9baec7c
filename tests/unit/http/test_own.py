"""Our own API: accounts, folders, messages, the journal, transcripts, faults, the clock, the queue."""

import json
import smtplib
import socket
from typing import Any

import pytest

BOB = "/api/v1/accounts/bob@example.test"


@pytest.fixture
def bob(web: Any) -> Any:
    for number in range(3):
        web.mail.seed(to="bob@example.test", subject=f"Number {number}", text="Hi", flags=["seen"] if number else [])
    return web


def test_accounts_and_folders_are_told(bob: Any) -> None:
    told = bob.get("/api/v1/accounts").json["accounts"]
    assert [one["address"] for one in told] == ["bob@example.test"]
    inbox = told[0]["folders"][0]
    assert (inbox["name"], inbox["messages"], inbox["unseen"], inbox["uidnext"]) == ("INBOX", 3, 1, 4)
    assert bob("POST", "/api/v1/accounts", {"address": "ann@example.test"}).status == 201
    assert bob.get("/api/v1/accounts/ann%40example.test").json["has_password"] is False
    assert bob("POST", f"{BOB}/folders", {"name": "Trash"}).json["special_use"] == "\\Trash"
    assert bob("PUT", f"{BOB}/folders", {"name": "Trash", "new_name": "Bin"}).json["name"] == "Bin"
    assert bob("DELETE", f"{BOB}/folders?folder=Bin").json == {"deleted": True}


def test_messages_of_a_folder_newest_first(bob: Any) -> None:
    told = bob.get(f"{BOB}/messages?start=1&limit=1").json
    assert (told["messages"], told["matched"], told["start"]) == (3, 3, 1)
    assert [(one["uid"], one["flags"], one["Subject"]) for one in told["list"]] == [(2, ["\\Seen"], "Number 1")]
    found = bob.get(f"{BOB}/messages?query=is:unread").json
    assert [one["Subject"] for one in found["list"]] == ["Number 0"]


def test_flags_moves_copies_and_removal(bob: Any) -> None:
    bob("POST", f"{BOB}/folders", {"name": "Work"})
    changed = bob("PATCH", f"{BOB}/messages", {"uids": [1, 2], "add": ["flagged", "$Todo"], "remove": ["seen"]}).json
    assert [one["flags"] for one in changed["messages"]] == [["$Todo", "\\Flagged"]] * 2
    moved = bob("PATCH", f"{BOB}/messages", {"uids": [1], "move_to": "Work"}).json
    assert (moved["folder"], moved["messages"][0]["uid"]) == ("Work", 1)
    bob("PATCH", f"{BOB}/messages", {"uids": [2], "copy_to": "Work"})
    assert bob("DELETE", f"{BOB}/messages", {"uids": [3]}).json == {"expunged": [3]}
    assert bob("DELETE", f"{BOB}/messages?folder=Work", {"uids": "all"}).json == {"expunged": [1, 2]}
    bob.mail.assert_moved("Work", subject="Number 0", account="bob@example.test", protocol="http", timeout=0)
    bob.mail.assert_flagged("$Todo", subject="Number 1", timeout=0)


def test_one_message_is_told_whole_and_marked_seen_unless_peeked(bob: Any) -> None:
    peeked = bob.get(f"{BOB}/messages/1?peek=1").json
    assert (peeked["Text"], peeked["flags"], peeked["seeded"]) == ("Hi\r\n", [], True)
    assert peeked["tree"]["type"] == "text/plain"
    assert bob.mail.assert_fetched(account="bob@example.test", protocol="http", timeout=0).peeked
    assert bob.get(f"{BOB}/messages/1").json["flags"] == ["\\Seen"]
    assert bob.mail.account("bob@example.test").inbox[0].seen


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/api/v1/accounts/eve@example.test", None, 404, "no account"),
        ("GET", f"{BOB}/messages?folder=Nowhere", None, 404, "no folder"),
        ("GET", f"{BOB}/messages/99", None, 404, "no message"),
        ("GET", f"{BOB}/messages/x", None, 404, "no message"),
        ("POST", "/api/v1/accounts", {"address": "bob"}, 400, "no full address"),
        ("POST", "/api/v1/accounts", {"address": "b@c", "password": ""}, 400, "password is empty"),
        ("POST", "/api/v1/accounts", {"adress": "b@c"}, 400, "it may have address, password"),
        ("POST", f"{BOB}/folders", {"name": "INBOX"}, 400, "exists already"),
        ("POST", f"{BOB}/folders", {"name": "a//b"}, 400, "empty"),
        ("POST", f"{BOB}/folders", {"name": "a/"}, 400, "ends in"),
        ("PUT", f"{BOB}/folders", {"name": "x", "new_name": "y"}, 404, "no folder"),
        ("DELETE", f"{BOB}/folders", None, 400, "INBOX cannot be deleted"),
        ("PATCH", f"{BOB}/messages", {"uids": [7]}, 404, "no message with UID 7"),
        ("PATCH", f"{BOB}/messages", {"uids": [True]}, 400, "no UID"),
        ("PATCH", f"{BOB}/messages", {"uids": [1], "add": ["a b"]}, 400, "flag"),
        ("PATCH", f"{BOB}/messages", {"uids": [1], "move_to": "INBOX"}, 400, "already"),
        ("DELETE", f"{BOB}/messages", {}, 400, "uids is missing"),
        ("POST", f"{BOB}/messages?received_at=soon", b"x", 400, "no moment"),
        ("GET", "/api/v1/journal?wait=ever", None, 400, "number of seconds"),
        ("GET", "/api/v1/journal/messages/nothing", None, 404, "no such message"),
        ("POST", "/api/v1/faults", {"protocol": "smtp", "command": "RCPT"}, 400, "does nothing"),
        ("POST", "/api/v1/faults", {"protocol": "smtp", "command": "RCPT", "delay": "1"}, 400, "write a float"),
        ("POST", "/api/v1/faults", {"scenario": "flood"}, 400, "no scenario"),
        ("DELETE", "/api/v1/faults/1", None, 404, "no such fault"),
        ("POST", "/api/v1/clock", {}, 400, "Write one of"),
        ("POST", "/api/v1/clock", {"advance_seconds": -1}, 400, "number of seconds"),
        ("POST", "/api/v1/clock", {"freeze": "2026-01-01"}, 400, "no time zone"),
    ],
)
def test_what_cannot_be_done_is_said_in_json(
    bob: Any, method: str, path: str, body: Any, status: int, text: str
) -> None:
    answer = bob(method, path, body)
    assert answer.status == status
    assert text in answer.json["error"]


def test_the_journal_tells_events_and_waits_for_more(bob: Any) -> None:
    told = bob.get("/api/v1/journal").json
    assert [one["kind"] for one in told["events"]] == ["Seeded"] * 3
    assert (told["since"], told["position"], told["more"]) == (0, 3, False)
    message = told["events"][0]["message"]
    raw = bob.get(f"/api/v1/journal/messages/{message['id']}").body
    assert len(raw) == message["size"]
    assert bob.mail.fetched() == []
    with socket.create_connection(bob.mail.http.address, timeout=20) as client:
        client.sendall(b"GET /api/v1/journal?since=3&wait=20 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        bob.mail.account("bob@example.test").inbox.add_flags(1, "seen")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["events"][0]["kind"] == "FlagsChanged"


def test_the_stream_tells_events_as_they_come(bob: Any) -> None:
    with socket.create_connection(bob.mail.http.address, timeout=20) as client:
        client.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream = client.makefile("rb")
        lines = iter(lambda: stream.readline().decode().rstrip("\r\n"), None)
        assert next(line for line in lines if line.startswith("event: ")) == "event: world"
        assert next(line for line in lines if line.startswith("data: ")) == "data: 1"
        bob.mail.seed(to="ann@example.test", subject="New")
        assert next(line for line in lines if line.startswith("event: ")) == "event: Seeded"
        assert json.loads(next(lines).removeprefix("data: "))["account"] == "ann@example.test"
        bob.mail.reset()
        assert next(line for line in lines if line.startswith("event: ")) == "event: world"
        assert next(lines) == "data: 2"


def test_who_resumes_the_stream_misses_none(bob: Any) -> None:
    """Whatever event it was at which the connection broke."""
    with smtplib.SMTP(*bob.mail.smtp.address) as smtp:
        smtp.sendmail("ann@example.test", "bob@example.test", "Subject: One")
        bob("PATCH", f"{BOB}/messages", {"uids": [1, 2, 3], "add": ["flagged"]})
        smtp.sendmail("ann@example.test", "bob@example.test", "Subject: Two")
    everything = bob.get("/api/v1/journal").json["events"]
    kinds = [event["kind"] for event in everything]
    assert [kinds.count(kind) for kind in ("Accepted", "Delivered", "FlagsChanged")] == [2, 2, 3]
    for broken_after in range(1, len(everything)):
        events, last_id = told_by_stream(bob, "1-0", everything[broken_after - 1])
        assert events == everything[:broken_after]
        rest, _ = told_by_stream(bob, last_id, everything[-1])
        assert [event for event in everything if event not in events + rest] == []


def told_by_stream(web: Any, last_id: str, last_event: Any) -> tuple[list[Any], str]:
    """What a stream that is resumed tells up to an event, and its newest ID by then."""
    events: list[Any] = []
    with socket.create_connection(web.mail.http.address, timeout=20) as client:
        client.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {last_id}\r\n\r\n".encode())
        for raw in client.makefile("rb"):
            name, _, value = raw.decode().rstrip("\r\n").partition(": ")
            if value == "still here":
                raise AssertionError(f"{last_event} never came; these did: {events}")
            if name == "id":
                last_id = value
            elif name == "data" and value.startswith("{"):
                events.append(json.loads(value))
                if events[-1] == last_event:
                    break
    return events, last_id


def test_a_reset_leaves_nothing(bob: Any) -> None:
    assert bob("POST", "/api/v1/reset").json == {"world": 1, "late": []}
    assert bob.get("/api/v1/accounts").json == {"accounts": []}


def test_the_queue_and_the_server_are_told(bob: Any) -> None:
    assert bob.get("/api/v1/queue").json == {"queue": []}
    told = bob.get("/api/v1/server").json
    assert set(told["endpoints"]) == {"smtp", "http"}
    assert told["timeout"] == 5.0
