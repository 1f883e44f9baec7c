"""Mail that wants to do harm, over every way HTTP shows it: shown or refused, in bounded time and size, never a 500."""

import email.message
import json
import re
import time
import tracemalloc
from typing import Any

import pytest

from support.hostile import FILENAMES, HARMLESS, HTML, MESSAGES, PART_TYPES, html_message, with_parts

SECONDS = 30.0
"""For each answer. On an idle machine all of them take milliseconds, the largest half a second."""


def reads(message_id: str) -> list[str]:
    """Every address that shows a message."""
    below = ("", "/headers", "/raw", "/part/1", "/part/2", "/part/1.1", "/part/1/thumb", "/part/2/thumb", "/html-check",
             "/link-check")  # fmt: skip
    lists = ("/api/v1/messages", "/api/v1/search?query=zzzz", "/api/v1/search?query=has:attachment", "/api/v1/tags")
    own = "/api/v1/accounts/bob@example.test/messages"
    views = (f"/view/{message_id}.html", f"/view/{message_id}.txt")
    return [*lists, *(f"/api/v1/message/{message_id}{path}" for path in below), *views, own, f"{own}/1",
            "/api/v1/journal", "/metrics"]  # fmt: skip


def read_all(web: Any, message_id: str, paths: list[str] | None = None) -> dict[str, Any]:
    """Every answer by its address; each is one that a client can read."""
    answers = {}
    for path in paths or reads(message_id):
        began = time.perf_counter()
        answer = answers[path] = web.get(path)
        assert time.perf_counter() - began < SECONDS, path
        assert answer.status in {200, 400, 404}, (path, answer.status)
        assert answer.headers["x-content-type-options"] == "nosniff"
        kind = answer.headers["content-type"]
        if kind == "application/json":
            json.loads(answer.body)
        if "html" in kind or "xml" in kind:
            assert answer.headers["content-security-policy"].startswith("sandbox"), path
        assert "x-evil" not in answer.headers
        assert "set-cookie" not in answer.headers
    return answers


@pytest.mark.parametrize("name", HTML)
def test_hostile_html_is_served_as_it_is_in_a_sandbox(web: Any, name: str) -> None:
    message = web.mail.seed(html_message(HTML[name]), to="bob@example.test")
    view, detail = f"/view/{message.id}.html", f"/api/v1/message/{message.id}"
    answers = read_all(
        web, message.id, [view, f"{view}?embed=1", detail, f"{detail}/html-check", f"{detail}/link-check"]
    )
    answer = answers[view]
    assert answer.status == 200
    assert HARMLESS in answer.text
    policy = answer.headers["content-security-policy"]
    assert not re.search(
        r"allow-(?:scripts|same-origin|top|forms|modals|downloads)|script-src|unsafe-eval|https?:", policy
    )
    assert {"default-src 'none'", "form-action 'none'", "base-uri 'none'"} <= set(map(str.strip, policy.split(";")))


@pytest.mark.parametrize("name", MESSAGES)
def test_odd_and_large_mail_is_shown_or_refused(web: Any, name: str) -> None:
    raw = MESSAGES[name]()
    message = web.mail.seed(raw, to="bob@example.test")
    answers = read_all(web, message.id)
    for path in ("", "/headers", "/raw"):
        assert answers[f"/api/v1/message/{message.id}{path}"].status == 200
    assert answers[f"/api/v1/message/{message.id}/raw"].body == raw
    largest = max(len(answer.body) for answer in answers.values())
    assert largest < 6 * len(raw) + (12 << 20)
    assert len(answers["/api/v1/messages"].body) < 1 << 20
    assert answers["/api/v1/messages"].json["count"] == 1


@pytest.mark.parametrize("name", FILENAMES)
def test_the_name_of_a_download_is_safe(web: Any, name: str) -> None:
    head = f"Content-Type: text/plain\r\nContent-Disposition: attachment; {FILENAMES[name]}\r\n\r\nx"
    message = web.mail.seed(with_parts(HARMLESS, head.encode()), to="bob@example.test")
    path = f"/api/v1/message/{message.id}"
    answers = read_all(web, message.id, [path, f"{path}/part/2", f"{path}/part/2?dl=1"])
    assert answers[f"{path}/part/2?dl=1"].headers["content-disposition"].startswith("attachment")
    part = answers[f"{path}/part/2"]
    told = part.headers["content-disposition"]
    assert told.isascii()
    assert re.fullmatch(
        r"(?:inline|attachment)(?:; filename=\"[ !#-\[\]-~]*\"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+)?", told
    )
    parsed = email.message.Message()
    parsed["Content-Disposition"] = re.sub(r'filename="[^"]*"; ', "", told)
    saved = parsed.get_filename() or ""
    assert saved.isprintable()
    assert not set(saved) & set("/\\\u202e\u2066\u2069\u2028\0\r\n")
    assert not saved.startswith(".")
    assert len(saved) <= 200
    if name == "long":
        assert saved.endswith("x.txt")


@pytest.mark.parametrize("name", PART_TYPES)
def test_a_part_is_no_page(web: Any, name: str) -> None:
    kind, content = PART_TYPES[name]
    raw = with_parts(HARMLESS, f"Content-Type: {kind}\r\n\r\n".encode() + content)
    message = web.mail.seed(raw, to="bob@example.test")
    path = f"/api/v1/message/{message.id}/part/2"
    part = read_all(web, message.id, [path, f"{path}/thumb"])[path]
    policy = part.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    shown = part.headers["content-disposition"].startswith("inline")
    assert not (
        shown and part.headers["content-type"].partition(";")[0] in {"text/html", "text/xml", "text/javascript"}
    )


@pytest.mark.parametrize("name", ["one picture often", "100,000 encoded words", "10,000 parts"])
def test_a_small_message_takes_no_large_memory(web: Any, name: str) -> None:
    raw = MESSAGES[name]()
    message = web.mail.seed(raw, to="bob@example.test")
    tracemalloc.start()
    try:
        for path in (f"/view/{message.id}.html", "/api/v1/messages", f"/api/v1/message/{message.id}"):
            web.get(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * len(raw) + (64 << 20)


def test_hostile_mail_is_told_of_by_events(web: Any) -> None:
    for name in ("subject that is script", "bytes that are no text", "header of controls", "tags that are script"):
        web.mail.seed(MESSAGES[name](), to="bob@example.test")
    events = web.get("/api/v1/journal?since=0").json["events"]
    assert [one["kind"] for one in events] == ["Seeded"] * 4
