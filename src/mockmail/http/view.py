"""``/view/{id}.html`` and ``.txt``: a message as its reader sees it, and pictures of its attachments.

The HTML of mail is foreign. It is served with a policy of its own: sandboxed, so that it has no origin, runs nothing
and navigates nothing but itself; and nothing is fetched from elsewhere unless ``?remote=1`` asks for it.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from mockmail.core.message import Message
from mockmail.http.api import found_row, place, searched, session_of
from mockmail.http.content import attached, part_at
from mockmail.http.replies import Refusal, mailpit_route

__all__ = ["ROUTES", "html_policy", "shown_html"]

THUMB_SIZE = (180, 120)
_PIXELS_LIMIT = 50_000_000
INNER_PICTURES_LIMIT_BYTES = 32 << 20
_PICTURES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/svg+xml"}
)
_doctype = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)
_cid = re.compile(r"cid:([^\"'\s)>]{1,998})", re.IGNORECASE)


def html_policy(*, remote: bool) -> str:
    """The Content-Security-Policy under which HTML of a message is shown."""
    foreign = " https: http:" if remote else ""
    return (
        f"sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:{foreign};"
        f" style-src 'unsafe-inline'{foreign}; font-src data:{foreign}; media-src data:{foreign};"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )


def shown_html(message: Message) -> str:
    """The HTML of a message with its inner pictures put into it, as far as they are not too large.

    A sandboxed page has no origin, and so may not ask us for anything: pictures cannot be led to where we serve them.
    """
    parts = {one.content_id.lower(): one.part for one in attached(message) if one.content_id}
    if not parts:
        return message.html
    room = [INNER_PICTURES_LIMIT_BYTES]

    def put(match: re.Match[str]) -> str:
        part = parts.get(match[1].lower())
        if part is None or part.media_type not in _PICTURES:
            return match[0]
        content = part.content
        room[0] -= len(content)
        if room[0] < 0:
            return match[0]
        return f"data:{part.media_type};base64,{base64.b64encode(content).decode()}"

    return _cid.sub(put, message.html)


def _opening_elsewhere(html: str) -> str:
    """The same HTML, whose links open in a window of their own."""
    doctype = _doctype.match(html)
    at = doctype.end() if doctype else 0
    return html[:at] + '<base target="_blank">' + html[at:]


async def _html(request: Request) -> Response:
    _, catalogue, row = await found_row(request)
    if not row.message.html:
        raise Refusal(404, "This message does not contain a HTML part")
    catalogue.record_fetched(row, "html", session_of(request))
    policy = html_policy(remote=request.query_params.get("remote") == "1")
    html = shown_html(row.message)
    if request.query_params.get("embed") == "1":
        html = _opening_elsewhere(html)
    return HTMLResponse(html.encode("utf-8", "replace"), headers={"Content-Security-Policy": policy})


async def _text(request: Request) -> Response:
    _, catalogue, row = await found_row(request)
    catalogue.record_fetched(row, "text", session_of(request))
    return PlainTextResponse(row.message.text.replace("\n", "\r\n").encode("utf-8", "replace"))


async def _latest(request: Request) -> Response:
    _, catalogue = place(request)
    rows = await searched(catalogue, request.query_params.get("query", ""), request)
    if not rows:
        return RedirectResponse("/", 302)
    suffix = "html" if rows[0].message.html else "txt"
    return RedirectResponse(f"/view/{rows[0].message.id}.{suffix}", 302)


async def _thumb(request: Request) -> Response:
    _, _, row = await found_row(request, latest=False)
    part = part_at(row.message, request.path_params["part"])
    if part is None:
        raise Refusal(404, "Part not found")
    picture = BLANK
    if part.content_type.maintype == "image":
        picture = await asyncio.get_running_loop().run_in_executor(None, thumbnail, part.content)
    return Response(picture, media_type="image/jpeg", headers={"Content-Security-Policy": "default-src 'none'"})


def thumbnail(content: bytes) -> bytes:
    """A picture cropped to 180 by 120, or padded, as JPEG; blank when it cannot be read, or Pillow is not installed.
    Any thread."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return BLANK
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > _PIXELS_LIMIT:
                return BLANK
            small = picture.convert("RGBA")
        flat = Image.new("RGBA", small.size, "white")
        flat.alpha_composite(small)
        large = flat.width >= THUMB_SIZE[0] and flat.height >= THUMB_SIZE[1]
        fitted = ImageOps.fit(flat, THUMB_SIZE) if large else ImageOps.pad(flat, THUMB_SIZE, color="white")
        out = io.BytesIO()
        fitted.convert("RGB").save(out, "JPEG", quality=70)
        return out.getvalue()
    except Exception:  # noqa: BLE001 - what a damaged picture raises is of many kinds, and all mean the same
        return BLANK


BLANK = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6j"
    "q62rZ4C8ybqmx5moq6T/wAALCAB4ALQBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAb/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oA"
    "CAEBAAA/AKYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAH//2Q=="
)
"""A white picture of 180 by 120, as JPEG."""

ROUTES = [
    mailpit_route("/view/latest", _latest, "GET"),
    mailpit_route("/view/{id}.html", _html, "GET"),
    mailpit_route("/view/{id}.txt", _text, "GET"),
    mailpit_route("/api/v1/message/{id}/part/{part}/thumb", _thumb, "GET"),
]
