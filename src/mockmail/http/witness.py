"""What is asked over HTTP goes on record, and meets faults, as the commands of mail protocols do.

A request is a command: its name is the method, its arguments are the path and the query. Left out are requests of the
test itself (``mockmail.connect``), of our own page, probes, and those that only wait for what happens, which would tell
of themselves.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import re
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockmail.http.desk import Desk
from mockmail.testing.line import USER_AGENT
from mockmail.wire.transcript import Record

__all__ = ["Witness"]

BODY_BYTES = 2000
"""Of each body, on record."""
_UNWITNESSED = re.compile(r"/(?:livez|readyz|metrics|api/events|api/v1/(?:journal|stream|transcripts)(?:/|$))").match
_SECRET_FIELDS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization"})
_SECRETS = "password|pass|client_secret|access_token|refresh_token|token"
_in_json = re.compile(rf'("(?:{_SECRETS})"\s*:\s*")(?:[^"\\]|\\.)*("?)', re.IGNORECASE).sub
_in_form = re.compile(rf"((?:^|[&?])(?:{_SECRETS})=)[^&\s]*", re.IGNORECASE).sub
_is_text = re.compile(r"text/|application/(?:json|x-www-form-urlencoded)").match


class Witness:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        by_us = headers.get("user-agent") == USER_AGENT or headers.get("sec-fetch-site") == "same-origin"
        if by_us or _UNWITNESSED(scope["path"]):
            await self._app(scope, receive, send)
            return
        world, server = self._desk.world, self._desk.server
        query = scope["query_string"].decode("latin-1")
        place = _hidden(scope["path"] + (f"?{query}" if query else ""))
        account, session = _account(headers.get("authorization", "")), scope["state"]["session"]

        def told(reply: str) -> None:
            world.journal.note_command(world.clock.instant(), "http", scope["method"], place, account, session, reply)

        exchange = _Exchange(scope["state"]["record"](), receive, send, told)
        exchange.begin(scope["method"], place, headers)
        try:
            name = f"{scope['method']} {scope['path']}"
            fault = server.faults.plan.match("http", name, query, account or None, session)
            verdict = None if fault is None else fault.verdict()
            if verdict is not None:
                if verdict.delay_seconds == math.inf:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    return
                await asyncio.sleep(verdict.delay_seconds)
                if verdict.drop:
                    scope["state"]["abort"]()
                    return
                if verdict.reply is not None:
                    status, _, text = verdict.reply.partition(" ")
                    await PlainTextResponse(text, int(status))(scope, exchange.receive, exchange.send)
                    return
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()


class _Exchange:
    """One request and its answer, passed on and put on record."""

    def __init__(self, record: Record, receive: Receive, send: Send, told: Callable[[str], None]) -> None:
        """``told`` is given status and phrase of the answer (``""`` when there is none), before the client has it."""
        self._record = record
        self._told: Callable[[str], None] | None = told
        self._receive = receive
        self._send = send
        self._asked, self._answered = bytearray(), bytearray()
        self._asked_kind = self._answered_kind = ""
        self._length = 0
        self._reply = ""

    def begin(self, method: str, place: str, headers: Headers) -> None:
        lines = [f"{method} {place} HTTP/1.1"]
        lines += [f"{name}: {'***' if name in _SECRET_FIELDS else value}" for name, value in headers.items()]
        self._asked_kind = headers.get("content-type", "")
        self._record.received(_lines(lines))

    async def receive(self) -> Message:
        message = await self._receive()
        if len(self._asked) < BODY_BYTES:
            self._asked += message.get("body", b"")[:BODY_BYTES]
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            if self._asked:
                self._record.received(_body(bytes(self._asked), self._asked_kind, len(self._asked)))
            status = HTTPStatus(message["status"])
            self._reply = f"{status.value} {status.phrase}"
            headers = dict(message.get("headers", ()))
            kind = headers.get(b"content-type", b"").decode("latin-1")
            self._answered_kind = "" if b"content-encoding" in headers else kind
            self._record.sent(_lines([f"HTTP/1.1 {self._reply}", f"content-type: {kind}"]))
        else:
            body = message.get("body", b"")
            self._length += len(body)
            if len(self._answered) < BODY_BYTES:
                self._answered += body[:BODY_BYTES]
            if not message.get("more_body", False):
                if self._length:
                    self._record.sent(_body(bytes(self._answered), self._answered_kind, self._length))
                self.end()
        await self._send(message)

    def end(self) -> None:
        """The exchange is over. Idempotent."""
        told, self._told = self._told, None
        if told is not None:
            told(self._reply)


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1", "replace")


def _body(body: bytes, kind: str, length: int) -> bytes:
    if not _is_text(kind):
        return f"({length} bytes)\r\n".encode()
    text = _hidden(body.decode("utf-8", "replace"))
    more = f" … {length - len(body)} more bytes" if length > len(body) else ""
    return f"{text}{more}\r\n".encode("latin-1", "backslashreplace")


def _hidden(text: str) -> str:
    """Text without its secrets, also one that is cut short."""
    return _in_form(r"\1***", _in_json(r"\1***\2", text))


def _account(authorization: str) -> str:
    """The user of a Basic login."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded.strip(), validate=True).decode().partition(":")[0][:320]
    except (binascii.Error, ValueError):
        return ""
