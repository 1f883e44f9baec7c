"""Who may ask: names, origins, logins, and how much."""

import base64
import contextlib
import http.client
import socket
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8025", "LOCALHOST", "a.localhost", "[::1]:80", "10.0.0.7:1"])
def test_addresses_and_localhost_are_our_names(web: Any, host: str) -> None:
    assert web.get("/api/v1/messages", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test", "evil.test:8025", "127.0.0.1.evil.test", "localhost.evil.test", "[", "",
        "127.0.0.1; x", "[::1]; x", "127.0.0.1:80; x", "[fe80::1%; x]", "localhost@evil.test", "evil.test:localhost",
    ],
)  # fmt: skip
def test_other_names_may_be_rebound_and_are_refused(web: Any, host: str) -> None:
    answer = web.get("/api/v1/messages", Host=host)
    assert answer.status == 403
    assert "http_hosts" in answer.text


def test_names_can_be_allowed(serve: Callable[..., Any]) -> None:
    web = serve(http_hosts=["Mail.Test"])
    assert web.get("/livez", Host="mail.test:8025").status == 200
    assert web.get("/livez", Host="other.test").status == 403


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("DELETE", {"Origin": "http://evil.test"}),
        ("POST", {"Origin": "null", "Content-Type": "text/plain"}),
        ("GET", {"Origin": "http://evil.test"}),
        ("DELETE", {"Sec-Fetch-Site": "cross-site"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
        ("POST", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}),
    ],
)
def test_other_pages_can_neither_read_nor_write(web: Any, method: str, headers: dict[str, str]) -> None:
    web.mail.seed(to="bob@example.test")
    answer = web(method, "/api/v1/messages", **headers)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert len(web.mail.account("bob@example.test").inbox) == 1


def test_our_own_page_can(web: Any) -> None:
    assert web("DELETE", "/api/v1/messages", Origin=web.mail.http.url).status == 200


def test_an_origin_can_be_allowed(serve: Callable[..., Any]) -> None:
    web = serve(http_origins=["http://localhost:3000"])
    answer = web("DELETE", "/api/v1/messages", Origin="http://localhost:3000")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "http://localhost:3000")
    asked = web("OPTIONS", "/api/v1/messages", Origin="http://localhost:3000")
    assert (asked.status, asked.body) == (200, b"")
    assert "DELETE" in asked.headers["access-control-allow-methods"]


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_login_is_asked_for_when_set(serve: Callable[..., Any]) -> None:
    web = serve(http_auth="admin:pässword")
    refused = web.get("/api/v1/messages")
    assert (refused.status, refused.headers["www-authenticate"][:5]) == (401, "Basic")
    assert web.get("/api/v1/messages", Authorization=basic("admin:pässword")).status == 200
    assert web.get("/livez").status == 200
    for wrong in ("Basic", "Basic ???", "Basic ÿ", "Bearer x", basic("admin:"), basic("admin:pässword ")):
        assert web.get("/api/v1/messages", Authorization=wrong.encode().decode("latin-1")).status == 401


def test_a_body_that_is_too_large_is_refused_before_it_comes(web: Any) -> None:
    with socket.create_connection(web.mail.http.address, timeout=20) as client:
        client.sendall(b"PUT /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def drip(web: Any, beginning: bytes, piece: bytes) -> bytes:
    """The answer to a request whose bytes come one by one, without an end."""
    with socket.create_connection(web.mail.http.address) as client:
        client.sendall(beginning)
        client.settimeout(0.005)
        for _ in range(4000):
            try:
                return client.recv(1000)
            except TimeoutError:
                client.sendall(piece)
            except ConnectionError:
                return b""
    raise AssertionError("the server waits for ever")


def test_a_header_that_drips_is_not_waited_for(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockmail.http.app.HEADER_SECONDS", 0.1)
    assert drip(web, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ", b"x").startswith(b"HTTP/1.1 408 ")


def test_nor_is_a_second_one_on_the_connection(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockmail.http.app.HEADER_SECONDS", 0.1)
    host, port = web.mail.http.address
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"ok"
        connection.sock.sendall(b"GET /livez HT")
        assert connection.sock.recv(1000).startswith(b"HTTP/1.1 408 ")
    finally:
        connection.close()


def test_a_body_that_drips_is_not_waited_for(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockmail.http.guard.BODY_SECONDS", 0.1)
    start = b"PUT /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"
    assert drip(web, start, b" ").startswith(b"HTTP/1.1 408 ")


def test_a_body_that_nobody_wants_is_not_waited_for(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockmail.http.app.HEADER_SECONDS", 0.05)
    monkeypatch.setattr("mockmail.http.app.BODY_SECONDS", 0.05)
    with socket.create_connection(web.mail.http.address, timeout=20) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("header", [b"X: " + b"x" * 200_000, b"X: x\r\n" * 50_000])
def test_a_flood_of_header_fields_is_refused(web: Any, header: bytes) -> None:
    with socket.create_connection(web.mail.http.address, timeout=20) as client:
        with contextlib.suppress(ConnectionError):  # the answer may come while we still send
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + header)
        with contextlib.suppress(ConnectionError):
            assert client.recv(100).split(b" ")[1] == b"400"
    assert web.get("/livez").status == 200


def test_the_port_is_bound_to_loopback(web: Any) -> None:
    assert web.mail.http.host == "127.0.0.1"
    with socket.socket() as other:
        # Another address of this machine has the port still free.
        other.bind(("127.0.0.2", web.mail.http.port))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET /api/v1/message/%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /api/v1/search?query=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
    ],
)
def test_odd_bytes_get_an_answer(web: Any, sent: bytes, status: bytes) -> None:
    with socket.create_connection(web.mail.http.address, timeout=20) as client:
        client.sendall(sent)
        assert client.recv(100).split(b" ")[1] == status


def test_a_stop_cuts_open_connections(web: Any) -> None:
    with socket.create_connection(web.mail.http.address, timeout=20) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\nok"):
            answer += client.recv(1000)
        web.mail.stop()
        try:
            left = client.recv(1000)
        except ConnectionError:
            left = b""
        assert left == b""
