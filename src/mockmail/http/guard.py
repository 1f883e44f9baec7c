"""What stands before every request: whose name the server is called by, from which page, by whom, how much, how long.

A web page that a developer visits may send requests to 127.0.0.1. Two things stop it: a name that some DNS server made
point here (rebinding) is not one of ours, and a request that another page causes carries that page's Origin, or says
by Sec-Fetch-Site that it crosses sites. Programs send neither, so Mailpit's clients need nothing special.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockmail.config import Settings
from mockmail.http.compress import Compressed, accepts_gzip
from mockmail.http.desk import Desk
from mockmail.http.replies import REQUEST_LIMIT_BYTES, Refusal

__all__ = ["Guard"]

BODY_SECONDS = 30.0
"""How long a request's body may take to arrive, in all."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""Answered without a login: probes of containers have none."""
# Host = uri-host [ ":" port ]      (RFC 9110 section 7.2), of the characters that hosts have
_host = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]*)?").fullmatch
_MICROSOFTS = "/oauth2/v2.0/token"
_slashes = re.compile("//+").sub
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """An ASGI application in front of another. Unexpected errors of that one are recorded, and answered by 500."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return
        # cypress-mailpit asks for //view/ID.html.
        scope["path"] = _slashes("/", scope["path"])
        settings = self._desk.server.settings
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed_origin = origin if _is_allowed(origin, headers, settings) else None
        refusal = _refused(scope, headers, settings)
        if scope["type"] == "websocket":
            if refusal is not None:
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._serve(scope, receive, send)
            return
        answer = _Answer(send, allowed_origin if origin is not None else None)
        if refusal is not None:
            status, text = refusal
            extra = {"WWW-Authenticate": 'Basic realm="mockmail", charset="UTF-8"'} if status == 401 else None
            await PlainTextResponse(text, status, extra)(scope, receive, answer)
        elif scope["method"] == "OPTIONS":
            await PlainTextResponse("")(scope, receive, answer)
        else:
            takes_gzip = scope["method"] != "HEAD" and accepts_gzip(headers.get("accept-encoding", ""))
            await self._serve(scope, _Body(receive, headers), answer, compress=takes_gzip)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, compress: bool = False) -> None:
        try:
            await self._app(scope, receive, Compressed(send) if compress else send)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            self._desk.on_error(error)
            if scope["type"] == "http" and isinstance(send, _Answer) and not send.started:
                text = "mockmail met an error of its own; the test it serves fails with it."
                await PlainTextResponse(text, 500)(scope, receive, send)


class _Body:
    """Receives a request's body, not too much and not too slowly."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        self._length = 0
        self._done = False
        self._deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        stated = headers.get("content-length", "")
        self._stated_length = int(stated) if stated.isascii() and stated.isdigit() else 0

    async def __call__(self) -> Message:
        if self._done:
            return await self._receive()  # waits for the end of the connection, which may be long
        if self._stated_length > REQUEST_LIMIT_BYTES:
            raise _too_long()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request's body did not arrive in time.") from None
        self._length += len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._length > REQUEST_LIMIT_BYTES:
            raise _too_long()
        return message


def _too_long() -> Refusal:
    text = f"The request's body is larger than {REQUEST_LIMIT_BYTES} bytes."
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)


class _Answer:
    """Sends, with header fields that every answer has."""

    def __init__(self, send: Send, origin: str | None) -> None:
        self._send = send
        self._origin = origin
        self.started = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [*message.get("headers", ()), *_SECURITY_HEADERS, (b"vary", b"Origin, Accept-Encoding")]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            if self._origin is not None:
                headers += [
                    (b"access-control-allow-origin", self._origin.encode("latin-1")),
                    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
                    (b"access-control-allow-headers", b"*, Authorization"),
                ]
            message = {**message, "headers": headers}
        await self._send(message)


def _refused(scope: Scope, headers: Headers, settings: Settings) -> tuple[int, str] | None:
    """Status and text when a request may not be answered."""
    host = headers.get("host", "")
    if not _is_ours(host, settings):
        return 403, (
            f"This server is not called {host!r}, so the request may come from a web page that wants to read the mail;"
            " name it in http_hosts if it is right."
        )
    if scope["path"] in _OPEN_PATHS:
        return None
    origin = headers.get("origin")
    if origin is not None and not _is_allowed(origin, headers, settings):
        method = scope.get("method", "websocket")
        if method not in _SAFE_METHODS or scope["path"].startswith("/api/"):
            return 403, f"The page at {origin} may not use this server; name its origin in http_origins if it may."
    # A link to the page or to a message may be followed, but nothing be done or read by another page.
    crosses = origin is None and headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if crosses and (headers.get("sec-fetch-mode") != "navigate" or scope.get("method") not in _SAFE_METHODS):
        return 403, "Another web page may not use this server; name its origin in http_origins if it may."
    if settings.http_auth is None or scope.get("method") == "OPTIONS" or _has_own_login(scope["path"]):
        return None
    if not _is_authorized(headers.get("authorization", ""), settings.http_auth):
        return 401, "Unauthorised: this server wants the user and password of http_auth."
    return None


def _has_own_login(path: str) -> bool:
    """Whether a path is OAuth's, whose clients give their own login in the same header."""
    return path.startswith(("/oauth2/", "/.well-known/oauth-")) or path == "/token" or path.endswith(_MICROSOFTS)


def _is_ours(host: str, settings: Settings) -> bool:
    """Whether a Host header names this server: an address cannot be rebound, a name can."""
    match = _host(host.lower())
    if match is None:
        return False
    name = (match[1] or match[2]).rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name == settings.host.lower():
        return True
    known = settings.http_hosts or ()
    if name in known or "*" in known:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_allowed(origin: str | None, headers: Headers, settings: Settings) -> bool:
    if origin is None:
        return True
    lower = origin.lower()
    if lower in (f"http://{headers.get('host', '').lower()}", f"https://{headers.get('host', '').lower()}"):
        return True
    return lower in (settings.http_origins or ())


def _is_authorized(header: str, wanted: str) -> bool:
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    return hmac.compare_digest(given, wanted.encode())
