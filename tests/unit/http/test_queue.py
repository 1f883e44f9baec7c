"""The relay queue by HTTP: what waits, and trying it now."""

import smtplib
from typing import Any

import pytest

from mockmail import MockMail


@pytest.fixture
def waiting(serve: Any) -> Any:
    """A server with mail for two domains, neither of which has a route, so that one attempt of each has failed."""
    web = serve(domains=["example.test"])
    with smtplib.SMTP(*web.mail.smtp.address) as client:
        client.login("bob@example.test", "any")
        for domain in ("far.test", "away.test"):
            client.sendmail("bob@example.test", [f"x@{domain}"], f"Subject: {domain}\r\n\r\nHi\r\n".encode())
    for domain in ("far.test", "away.test"):
        web.mail.assert_queued(to=f"x@{domain}", attempts=1)
    return web


def attempts(web: Any) -> dict[str, int]:
    return {one["domain"]: one["attempts"] for one in web.get("/api/v1/queue").json["queue"]}


def test_one_message_is_tried_now(waiting: Any) -> None:
    wanted = next(one for one in waiting.get("/api/v1/queue").json["queue"] if one["domain"] == "far.test")
    tried = waiting("POST", "/api/v1/queue", {"id": wanted["message"]["id"], "domain": "far.test"})
    assert (tried.status, tried.json) == (200, {"tried": 1})
    again = waiting.mail.assert_queued(to="x@far.test", attempts=2)
    assert attempts(waiting) == {"far.test": 2, "away.test": 1}
    # The schedule goes on from this attempt.
    assert again.next_attempt is not None
    assert (again.next_attempt - waiting.mail.clock.now()).total_seconds() > 29 * 60


def test_all_is_tried_now(waiting: Any) -> None:
    assert waiting("POST", "/api/v1/queue", {}).json == {"tried": 2}
    for domain in ("far.test", "away.test"):
        waiting.mail.assert_queued(to=f"x@{domain}", attempts=2)


def test_a_domain_is_tried_now(waiting: Any) -> None:
    assert waiting("POST", "/api/v1/queue", {"domain": "away.test"}).json == {"tried": 1}
    waiting.mail.assert_queued(to="x@away.test", attempts=2)
    assert attempts(waiting)["far.test"] == 1


def test_the_attempt_that_was_due_is_not_made_as_well(waiting: Any) -> None:
    waiting("POST", "/api/v1/queue", {"domain": "far.test"})
    waiting.mail.assert_queued(to="x@far.test", attempts=2)
    waiting("POST", "/api/v1/clock", {"advance_seconds": 1800})
    assert attempts(waiting) == {"far.test": 3, "away.test": 2}


def test_a_frozen_clock_keeps_nothing_from_being_tried(waiting: Any) -> None:
    now = waiting.get("/api/v1/clock").json["now"]
    assert waiting("POST", "/api/v1/clock", {"freeze": now}).json["frozen"]
    waiting("POST", "/api/v1/queue", {"domain": "far.test"})
    waiting.mail.assert_queued(to="x@far.test", attempts=2)


def test_what_is_tried_now_arrives(serve: Any) -> None:
    with MockMail(pop3_port=None, imap_port=None) as far:
        far.faults.smtp("RCPT", reply="451 4.3.0 later", times=1)
        web = serve(domains=["example.test"], routes={"far.test": far.smtp.address})
        with smtplib.SMTP(*web.mail.smtp.address) as client:
            client.login("bob@example.test", "any")
            client.sendmail("bob@example.test", ["x@far.test"], b"Subject: Hi\r\n\r\nHi\r\n")
        web.mail.assert_queued(to="x@far.test", attempts=1)
        web("POST", "/api/v1/queue", {})
        web.mail.assert_relayed(to="x@far.test", attempts=2)
        far.assert_delivered(to="x@far.test")
        assert web("POST", "/api/v1/queue", {}).json == {"tried": 0}


def test_what_does_not_wait_cannot_be_tried(waiting: Any) -> None:
    answer = waiting("POST", "/api/v1/queue", {"id": "nosuch"})
    assert (answer.status, answer.json) == (404, {"error": "No message of that ID waits to be relayed."})
    assert waiting("POST", "/api/v1/queue", {"id": 7}).status == 400
    assert waiting("POST", "/api/v1/queue", {"other": "x"}).status == 400
