"""The HTTP application, and the port it is served on: uvicorn's protocol on our own loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import h11
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from uvicorn.server import ServerState

from mockmail.http.desk import Desk, Served
from mockmail.http.guard import BODY_SECONDS, Guard
from mockmail.http.witness import Witness
from mockmail.wire.transcript import Record
from mockmail.wire.virtual import ForeignListener

if TYPE_CHECKING:
    from mockmail.wire.connections import Connections

__all__ = ["application", "http_listener", "routes"]

HEADER_LIMIT_BYTES = 64 << 10
KEEP_ALIVE_SECONDS = 30
HEADER_SECONDS = 20.0
"""How long a request's header may take to arrive, from its first byte on."""
FRAME_LIMIT_BYTES = 64 << 10


_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 47\r\n"
    b"Connection: close\r\n\r\nThe header of the request did not come in time."
)


class _Silent(logging.Logger):
    """Whatever uvicorn has to say, the answer says too; nothing is printed into somebody's test run."""

    def __init__(self) -> None:
        super().__init__("mockmail.http", logging.CRITICAL + 1)


class _HTTP(H11Protocol):
    """Each request must arrive in time, however slowly its bytes drip; uvicorn only bounds the silence before one."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger, self.access_log = _Silent(), False
        self._deadline: asyncio.TimerHandle | None = None
        self._in_body = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(in_header=self.conn.their_state is h11.IDLE)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch(in_header=self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._forget_deadline()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _watch(self, *, in_header: bool) -> None:
        """Have a deadline while a request is half there: one for its header, another one for its body."""
        in_body = self.conn.their_state is h11.SEND_BODY
        if not (in_header or in_body) or self.transport.is_closing():
            self._forget_deadline()
        elif self._deadline is None or in_body != self._in_body:
            self._forget_deadline()
            self._in_body = in_body
            # The guard answers a body that is late; this is for those that nobody waits for any more.
            seconds = BODY_SECONDS + HEADER_SECONDS if in_body else HEADER_SECONDS
            self._deadline = self.loop.call_later(seconds, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._in_body:
            self.transport.write(_TOO_SLOW)
        self.transport.close()


class _WebSocket(WSProtocol):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = _Silent()


def routes() -> list[BaseRoute]:
    """All routes, the narrower ones first."""
    from mockmail.http import admin, api, chaos, checks, control, events, mail, openapi, own, pages, send, state
    from mockmail.http import oauth, submission, view  # isort: skip

    mailpit = (api, send, chaos, checks, view, state, events)
    ours = (mail, own, admin, submission, control, oauth, openapi, pages)
    return [route for module in (*mailpit, *ours) for route in module.ROUTES]


def application(desk: Desk) -> Witness:
    """The ASGI application of a server."""
    starlette = Starlette(routes=routes(), exception_handlers={HTTPException: _refuse})
    starlette.router.redirect_slashes = False
    starlette.state.desk = desk
    return Witness(Guard(starlette, desk), desk)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = {404: "404 page not found", 405: "Method not allowed"}.get(error.status_code, error.detail)
    return PlainTextResponse(text, error.status_code, dict(error.headers or {}))


def http_listener(
    server: Served, connections: Connections, on_error: Callable[[BaseException], None]
) -> ForeignListener:
    """Bind the HTTP port of the server's settings. ``on_error`` is given unexpected errors."""
    settings = server.settings
    config = Config(
        application(Desk(server, on_error)),
        interface="asgi3",
        http=_HTTP,
        ws=_WebSocket,
        ws_max_size=FRAME_LIMIT_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=HEADER_LIMIT_BYTES,
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"server", b"mockmail")]

    def protocols(
        session: str, record: Callable[[], Record], abort: Callable[[], None], loop: asyncio.AbstractEventLoop
    ) -> asyncio.Protocol:
        return _HTTP(config, state, {"session": session, "record": record, "abort": abort}, loop)

    return ForeignListener("http", protocols, connections, host=settings.host, port=settings.http_port or 0)
