"""The mail page: ``/`` and the files it is made of, which are plain modules and style sheets in the package."""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from mockmail.http.replies import Refusal, mailpit_route

__all__ = ["PAGE_POLICY", "ROUTES", "TYPES", "read_file"]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src"
    " 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but our own files: no inline script or style, and no other server."""
TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@functools.cache
def read_file(name: str) -> tuple[bytes, str] | None:
    """Bytes and ETag of a file of the page; ``None`` when there is none of that name."""
    if name.rpartition(".")[2] not in TYPES:
        return None
    path = files("mockmail.http") / "static" / name
    if not path.is_file():
        return None
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:20]}"'


def _served(request: Request, name: str) -> Response:
    # One path component: the route lets no slash through, and names that begin with a dot are nobody's.
    found = None if "/" in name or "\\" in name or name.startswith(".") else read_file(name)
    if found is None:
        raise Refusal(404, "404 page not found")
    content, etag = found
    # A new version of the package has new files under the old names: the browser asks each time, and gets 304.
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=TYPES[name.rpartition(".")[2]])


async def _page(request: Request) -> Response:
    return _served(request, "index.html")


async def _file(request: Request) -> Response:
    return _served(request, request.path_params["name"])


async def _icon(request: Request) -> Response:
    return _served(request, "icon.svg")


ROUTES = [
    mailpit_route("/", _page, "GET"),
    mailpit_route("/favicon.ico", _icon, "GET"),
    mailpit_route("/static/{name}", _file, "GET"),
]
