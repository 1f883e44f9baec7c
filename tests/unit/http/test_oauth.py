"""Tokens by OAuth 2.0 over HTTP, and logins with them."""

import base64
import imaplib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

BOB = "bob@example.test"


@pytest.fixture
def web(serve: Callable[..., Any]) -> Any:
    return serve(users={BOB: "secret", "ann@example.test": "hers"}, imap=True)


def ask(web: Any, path: str, headers: dict[str, str] | None = None, **form: str) -> Any:
    sent = {"Content_Type": "application/x-www-form-urlencoded", **(headers or {})}
    return web("POST", path, urlencode(form).encode(), **sent)


def password_grant(web: Any) -> Any:
    return ask(web, "/oauth2/token", grant_type="password", username=BOB, password="secret", scope="mail").json


def logs_in(web: Any, token: str, user: str = BOB) -> bool:
    bearer = f"user={user}\1auth=Bearer {token}\1\1".encode()
    with imaplib.IMAP4(*web.mail.imap.address) as client:
        try:
            client.authenticate("XOAUTH2", lambda challenge: b"" if challenge else bearer)
        except imaplib.IMAP4.error:
            return False
        return True


@pytest.mark.parametrize("path", ["/oauth2/token", "/token", "/common/oauth2/v2.0/token"])
def test_the_password_grant_gives_a_token_that_logs_in(web: Any, path: str) -> None:
    answer = ask(web, path, grant_type="password", username=BOB, password="secret", scope="mail")
    assert (answer.status, answer.headers["cache-control"], answer.headers["pragma"]) == (200, "no-store", "no-cache")
    told = answer.json
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 3600, "mail")
    assert logs_in(web, told["access_token"])
    assert not logs_in(web, told["access_token"], "ann@example.test")
    login = web.mail.assert_logged_in(account=BOB, protocol="http", timeout=0)
    assert (login.mechanism, login.password_checked) == ("OAUTH2", True)


def test_a_token_expires_and_is_refreshed(web: Any) -> None:
    first = password_grant(web)
    web.mail.clock.advance(hours=2)
    assert not logs_in(web, first["access_token"])
    answer = ask(web, "/oauth2/token", grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert "refresh_token" not in answer.json
    assert logs_in(web, answer.json["access_token"])
    own = web.mail.account(BOB).token(expires_in=None)
    assert ask(web, "/oauth2/token", grant_type="refresh_token", refresh_token=own).status == 200
    web.mail.account(BOB).revoke(own)
    refused = ask(web, "/oauth2/token", grant_type="refresh_token", refresh_token=own)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")
    assert "was revoked" in web.mail.assert_login_failed(protocol="http", timeout=0).reason


def test_a_service_acts_for_an_account(web: Any) -> None:
    basic = base64.b64encode(b"bob%40example.test:secret").decode()
    by_header = ask(web, "/oauth2/token", {"Authorization": f"Basic {basic}"}, grant_type="client_credentials")
    assert logs_in(web, by_header.json["access_token"])
    by_body = {"client_id": "my app", "client_secret": "hers", "username": "ann@example.test"}
    token = ask(web, "/oauth2/token", grant_type="client_credentials", **by_body).json["access_token"]
    assert logs_in(web, token, "ann@example.test")
    wrong = ask(web, "/oauth2/token", grant_type="client_credentials", client_id=BOB, client_secret="wrong")
    assert (wrong.status, wrong.json["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic")


def test_revocation_and_introspection(web: Any) -> None:
    token = password_grant(web)["access_token"]
    told = ask(web, "/oauth2/introspect", token=token).json
    exp = int(web.mail.clock.now().timestamp()) + 3600
    assert {**told, "exp": exp} == {
        "active": True, "token_type": "Bearer", "username": BOB, "sub": BOB, "exp": exp,
    }  # fmt: skip
    assert abs(told["exp"] - exp) <= 2
    assert ask(web, "/oauth2/revoke", token=token).status == 200
    assert ask(web, "/oauth2/introspect", token=token).json == {"active": False}
    assert not logs_in(web, token)
    assert ask(web, "/oauth2/revoke", token="never issued").status == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password", "username": BOB}, 400, "invalid_request"),
        ({"grant_type": "password", "username": BOB, "password": "wrong"}, 400, "invalid_grant"),
        ({"grant_type": "password", "username": "eve@example.test", "password": "x"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
    ],
)
def test_refusals_have_the_codes_of_the_rfc(web: Any, form: dict[str, str], status: int, error: str) -> None:
    answer = ask(web, "/oauth2/token", **form)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert answer.json["error_description"]


@pytest.mark.parametrize("body", [b"\xff", b"a=1&a=2", b"&".join(b"a%d=1" % number for number in range(60))])
def test_what_is_no_form_is_refused(web: Any, body: bytes) -> None:
    for path in ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"):
        assert web("POST", path, body).json["error"] == "invalid_request"


@pytest.mark.parametrize("header", ["Basic ?", "Basic " + base64.b64encode(b"nocolon").decode()])
def test_a_client_that_cannot_be_read_is_refused(web: Any, header: str) -> None:
    answer = ask(web, "/oauth2/token", {"Authorization": header}, grant_type="client_credentials")
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_the_metadata_say_where_it_is(web: Any) -> None:
    told = web.get("/.well-known/oauth-authorization-server").json
    assert told["token_endpoint"] == f"{web.mail.http.url}/oauth2/token"
    assert "refresh_token" in told["grant_types_supported"]


def test_clients_need_not_know_the_login_of_http(serve: Callable[..., Any]) -> None:
    web = serve(http_auth="user:pass", users={BOB: "secret"})
    assert password_grant(web)["token_type"] == "Bearer"
    assert web.get("/api/v1/messages").status == 401


def test_googles_library_refreshes_by_it(web: Any) -> None:
    from google.auth.transport.requests import Request
    from google.oauth2.credentials import Credentials

    credentials = Credentials(
        None, refresh_token=password_grant(web)["refresh_token"], token_uri=f"{web.mail.http.url}/token",
        client_id="app", client_secret="any",
    )  # fmt: skip
    credentials.refresh(Request())
    assert logs_in(web, credentials.token)
