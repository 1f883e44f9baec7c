"""HTTP goes on record, without its secrets, and meets faults."""

import base64
import http.client
import re
from collections.abc import Callable
from typing import Any

import pytest

import mockmail
from mockmail import ConfigurationError

SECRETS = ("sEkRiT", base64.b64encode(b"user:sEkRiT").decode())


def test_a_request_is_a_command_and_in_the_transcript(web: Any) -> None:
    web.get("/api/v1/messages?start=1&limit=2")
    web("PUT", "/api/v1/messages", {"Read": True})
    first, second = web.mail.commands(protocol="http")
    assert (first.name, first.arguments, first.reply) == ("GET", "/api/v1/messages?start=1&limit=2", "200 OK")
    assert web.mail.assert_command("PUT", protocol="http", timeout=0) == second
    told = str(web.mail.transcript.sessions("http")[1])
    for line in ("C: PUT /api/v1/messages HTTP/1.1", 'C: {"Read": true}', "S: HTTP/1.1 200 OK", "S: ok"):
        assert line in told.splitlines()
    web.get("/api/v1/nothing")
    web.mail.assert_no_protocol_errors()


def test_what_waits_and_what_the_test_itself_asks_is_left_out(web: Any) -> None:
    for path in ("/livez", "/metrics", "/api/v1/journal?since=0", "/api/v1/transcripts"):
        web.get(path)
    web.get("/api/v1/messages", Sec_Fetch_Site="same-origin")  # our own page
    with mockmail.connect(web.mail.http.url) as remote:
        assert remote.commands() == []
        assert str(remote.transcript) == ""


def test_no_secret_is_on_record(serve: Callable[..., Any]) -> None:
    web = serve(http_auth="user:sEkRiT")
    login = {"Authorization": f"Basic {SECRETS[1]}"}
    address = "/api/v1/accounts/bob@example.test"
    web("POST", "/api/v1/accounts", {"address": "bob@example.test", "password": 'x"sEkRiT'}, **login)
    token = web("POST", f"{address}/tokens", {}, **login).json["token"]
    web("DELETE", f"{address}/tokens", {"token": token}, **login)
    form = b"grant_type=password&username=bob%40example.test&password=x%22sEkRiT&client_secret=sEkRiT"
    granted = web("POST", "/oauth2/token", form, Content_Type="application/x-www-form-urlencoded").json
    web.get("/api/v1/messages?token=sEkRiT", **login)
    record = f"{web.mail.transcript}{list(web.mail.events)}"
    assert "authorization: ***" in record
    assert [one for one in (*SECRETS, token, granted["access_token"], granted["refresh_token"]) if one in record] == []
    assert web.mail.commands(protocol="http")[0].account == "user"


def test_what_is_on_record_is_bounded(web: Any) -> None:
    web.mail.seed(to="bob@example.test", text="x" * 500_000)
    assert len(web.get("/api/v1/message/latest/raw").body) > 500_000
    assert len(str(web.mail.transcript)) < 10_000


@pytest.mark.parametrize(
    ("command", "method", "path", "status"),
    [
        ("GET", "GET", "/api/v1/messages", 503),
        ("get", "PUT", "/api/v1/messages", 200),
        ("/api/v1/messages", "PUT", "/api/v1/messages", 503),
        ("GET /api/v1/messages", "PUT", "/api/v1/messages", 200),
        ("PUT /api/v1/messages", "PUT", "/api/v1/messages", 503),
        ("/api/v1/mess*", "GET", "/api/v1/messages", 503),
        ("GET /api/v1/mess*", "GET", "/api/v1/messages", 503),
        ("POST /api/v1/mess*", "GET", "/api/v1/messages", 200),
        ("*", "GET", "/api/v1/messages", 503),
    ],
)
def test_a_fault_is_at_a_method_or_a_path(web: Any, command: str, method: str, path: str, status: int) -> None:
    fault = web.mail.faults.http(command, reply="503 Busy now")
    answer = web(method, path, {} if method == "PUT" else None)
    assert answer.status == status
    assert fault.hits == (1 if status == 503 else 0)
    if status == 503:
        assert answer.text == "Busy now"
        assert web.mail.commands(protocol="http")[0].reply == "503 Service Unavailable"


def test_connections_are_dropped_refused_or_left_hanging(web: Any) -> None:
    web.mail.faults.http("GET", drop=True, times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        web.get("/api/v1/messages")
    web.mail.faults.http("CONNECT", refuse=True, times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        web.get("/api/v1/messages")
    web.mail.faults.http("GET", hang=True, times=1)
    client = http.client.HTTPConnection(*web.mail.http.address, timeout=0.2)
    client.request("GET", "/api/v1/messages")
    with pytest.raises(TimeoutError):
        client.getresponse()
    client.close()
    assert web.get("/api/v1/messages").status == 200


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("FETCH", {"drop": True}),
        ("FETCH /api", {"drop": True}),
        ("GET api", {"drop": True}),
        ("GET", {"after_bytes": 1}),
        ("GET", {"reply": "busy"}),
    ],
)
def test_what_no_fault_of_http_can_be_is_said(web: Any, command: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=re.compile("http", re.IGNORECASE)):
        web.mail.faults.http(command, **options)
