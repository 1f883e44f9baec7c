"""The HTTP application, and the port it is served on: uvicorn's protocol on our own loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
from mockmail.http.guard import Guard
from mockmail.wire.virtual import ForeignListener

if TYPE_CHECKING:
    from mockmail.wire.connections import Connections

__all__ = ["application", "http_listener", "routes"]

HEADER_LIMIT_BYTES = 64 << 10
KEEP_ALIVE_SECONDS = 30
FRAME_LIMIT_BYTES = 64 << 10


class _Silent(logging.Logger):
    """Whatever uvicorn has to say, the answer says too; nothing is printed into somebody's test run."""

    def __init__(self) -> None:
        super().__init__("mockmail.http", logging.CRITICAL + 1)


class _HTTP(H11Protocol):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger, self.access_log = _Silent(), False


class _WebSocket(WSProtocol):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = _Silent()


def routes() -> list[BaseRoute]:
    """All routes, the narrower ones first."""
    from mockmail.http import admin, api, chaos, checks, control, events, mail, openapi, own, pages, send, state
    from mockmail.http import submission, view  # isort: skip

    modules = (api, send, chaos, checks, view, state, events, mail, own, admin, submission, control, openapi, pages)
    return [route for module in modules for route in module.ROUTES]


def application(desk: Desk) -> Guard:
    """The ASGI application of a server."""
    starlette = Starlette(routes=routes(), exception_handlers={HTTPException: _refuse})
    starlette.router.redirect_slashes = False
    starlette.state.desk = desk
    return Guard(starlette, desk)


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

    def protocols(session: str, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
        return _HTTP(config, state, {"session": session}, loop)

    return ForeignListener("http", protocols, connections, host=settings.host, port=settings.http_port or 0)
