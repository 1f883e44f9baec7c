"""An OAuth 2.0 authorization server's back room: tokens issued, revoked and explained over HTTP, for the mechanisms
XOAUTH2 and OAUTHBEARER of the mail protocols. They are the same tokens as ``account.token()`` issues.

The token endpoint is RFC 6749 section 3.2, revocation RFC 7009, introspection RFC 7662, the metadata RFC 8414. There is
no authorization endpoint: nobody is there to consent.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mockmail.auth.credentials import LoginRefused, log_in, record_failure
from mockmail.auth.tokens import issue_token, owner_of_token, token_flaw
from mockmail.core.accounts import AccountState
from mockmail.core.world import World
from mockmail.http.api import place, session_of
from mockmail.http.replies import JSONReply, Refusal, read_body
from mockmail.wire.contract import Link

__all__ = ["ROUTES"]

EXPIRES_IN_SECONDS = 3600
FIELDS_LIMIT = 50
_MECHANISM = "OAUTH2"


class _Error(Exception):
    """An error of section 5.2: its code, and a sentence for the person who reads it."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.status = status


Form = Mapping[str, str]


def _route(path: str, answer: Callable[[World, Request, Form], Any]) -> Route:
    async def endpoint(request: Request) -> Response:
        world, _ = place(request)
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        try:
            told = answer(world, request, await _form(request))
        except _Error as error:
            if error.status == 401:
                headers["WWW-Authenticate"] = 'Basic realm="mockmail"'
            told = {"error": error.code, "error_description": str(error)}
            return _told(told, error.status, headers)
        except Refusal as refusal:
            return _told({"error": "invalid_request", "error_description": str(refusal)}, refusal.status, headers)
        return _told(told, 200, headers)

    return Route(path, endpoint, methods=["POST"])


def _told(content: Any, status: int, headers: Mapping[str, str]) -> Response:
    reply = JSONReply(content, status)
    reply.headers.update(headers)
    return reply


async def _form(request: Request) -> Form:
    """The parameters of the body. One given twice is refused (RFC 6749 section 3.2)."""
    try:
        pairs = parse_qsl((await read_body(request)).decode(), keep_blank_values=True, max_num_fields=FIELDS_LIMIT)
    except ValueError as error:
        raise _Error("invalid_request", f"The body is no form: {error}") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _Error("invalid_request", "A parameter is given twice.")
    return {name: value for name, value in form.items() if value}


def _client(request: Request, form: Form) -> tuple[str, str]:
    """The client's name and secret: in the header, or in the body (section 2.3.1). Any client is known here."""
    scheme, _, coded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, colon, secret = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _Error("invalid_client", "The Authorization header is no Basic login.", 401) from None
    if not colon:
        raise _Error("invalid_client", "The Authorization header has no secret.", 401)
    return unquote_plus(name), unquote_plus(secret)


def _link(request: Request) -> Link:
    peer = request.client
    return Link("http", session_of(request), (peer.host, peer.port) if peer else ("", 0), ("", 0))


# The token endpoint


def _token(world: World, request: Request, form: Form) -> Any:
    grant = form.get("grant_type")
    if grant is None:
        raise _Error("invalid_request", f"grant_type is missing; write one of {', '.join(_GRANTS)}.")
    if grant not in _GRANTS:
        raise _Error("unsupported_grant_type", f"grant_type is {grant!r}; write one of {', '.join(_GRANTS)}."[:300])
    client = _client(request, form)
    account, refresh = _GRANTS[grant](world, request, form, client)
    told = {
        "access_token": issue_token(world, account, expires_in=EXPIRES_IN_SECONDS),
        "token_type": "Bearer",
        "expires_in": EXPIRES_IN_SECONDS,
    }
    if refresh:
        told["refresh_token"] = issue_token(world, account, expires_in=None)
    if "scope" in form:
        told["scope"] = form["scope"]
    return told


Grant = Callable[[World, Request, Form, tuple[str, str]], tuple[AccountState, bool]]


def _by_password(world: World, request: Request, form: Form, client: tuple[str, str]) -> tuple[AccountState, bool]:
    """Section 4.3: the account's own password."""
    if "username" not in form or "password" not in form:
        raise _Error("invalid_request", "The password grant takes username and password.")
    try:
        return log_in(world, _link(request), form["username"], form["password"], _MECHANISM), True
    except LoginRefused:
        raise _Error("invalid_grant", "The username or the password is wrong.") from None


def _by_client(world: World, request: Request, form: Form, client: tuple[str, str]) -> tuple[AccountState, bool]:
    """Section 4.4: a service that acts for one account, named by ``username``, else by ``client_id``; the secret is
    the account's password."""
    name, secret = client
    try:
        account = log_in(world, _link(request), form.get("username", name), secret, _MECHANISM)
    except LoginRefused:
        raise _Error("invalid_client", "The client, or its secret, is wrong.", 401) from None
    return account, False


def _by_refresh_token(world: World, request: Request, form: Form, client: tuple[str, str]) -> tuple[AccountState, bool]:
    """Section 6: any token of the account that is in force."""
    token = form.get("refresh_token")
    if token is None:
        raise _Error("invalid_request", "refresh_token is missing.")
    account = owner_of_token(world, token)
    flaw = "the refresh token was never issued" if account is None else token_flaw(world, account, token)
    if account is None or flaw is not None:
        owner = "" if account is None else account.address
        record_failure(world, _link(request), owner, _MECHANISM, flaw or "")
        raise _Error("invalid_grant", "The refresh token was never issued, has expired, or was revoked.")
    return account, False


_GRANTS: Mapping[str, Grant] = {
    "password": _by_password,
    "client_credentials": _by_client,
    "refresh_token": _by_refresh_token,
}


# Revocation and introspection


def _revoke(world: World, request: Request, form: Form) -> Any:
    """Section 2 of RFC 7009: also a token that was never issued is not in force any more."""
    token = _wanted(form)
    owner = owner_of_token(world, token)
    if owner is not None:
        owner.tokens[token].revoked = True
    return {}


def _introspect(world: World, request: Request, form: Form) -> Any:
    """Section 2 of RFC 7662."""
    token = _wanted(form)
    owner = owner_of_token(world, token)
    if owner is None or token_flaw(world, owner, token) is not None:
        return {"active": False}
    told = {"active": True, "token_type": "Bearer", "username": owner.address, "sub": owner.address}
    expires_at = owner.tokens[token].expires_at
    return told if expires_at is None else {**told, "exp": int(expires_at.timestamp())}


def _wanted(form: Form) -> str:
    if "token" not in form:
        raise _Error("invalid_request", "token is missing.")
    return form["token"]


async def _metadata(request: Request) -> Response:
    issuer = f"{request.url.scheme}://{request.headers['host']}"
    return JSONReply(
        {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/oauth2/token",
            "revocation_endpoint": f"{issuer}/oauth2/revoke",
            "introspection_endpoint": f"{issuer}/oauth2/introspect",
            "grant_types_supported": list(_GRANTS),
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        }
    )


ROUTES = [
    _route("/oauth2/token", _token),
    _route("/token", _token),  # where Google's is
    _route("/{tenant}/oauth2/v2.0/token", _token),  # where Microsoft's is
    _route("/oauth2/revoke", _revoke),
    _route("/oauth2/introspect", _introspect),
    Route("/.well-known/oauth-authorization-server", _metadata, methods=["GET"]),
]
