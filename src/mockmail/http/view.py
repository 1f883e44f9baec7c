"""``/view/{id}.html`` and ``.txt``: a message as its reader sees it, and pictures of its attachments.

The HTML of mail is foreign. It is served with a policy of its own: sandboxed, so that it has no origin, runs nothing
and navigates nothing but itself; and nothing is fetched from elsewhere unless ``?remote=1`` asks for it. What has no
origin may not read from us either, so the pictures within a message stand in its HTML as ``data:`` URLs.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from mockmail.core.message import Message
from mockmail.http.api import found_row, place, searched, session_of
from mockmail.http.content import attached_by_cid, content_ids, content_type, part_at
from mockmail.http.replies import Refusal, mailpit_route

__all__ = ["ROUTES", "embedded", "html_policy", "shown_html"]

THUMB_SIZE = (180, 120)
_PIXELS_LIMIT = 20_000_000
_EMBEDDED_TYPES = ("image/", "audio/", "video/", "font/")
REPEATED_LIMIT_BYTES = 8 << 20
"""Each picture is put into the HTML once; how much of them may stand there again."""
_LARGE_BYTES = 256 << 10
# No policy keeps browsers from opening a connection ahead of what they then do not load: Chromium does for the address
# of a frame that the policy forbids, and a link of a document (preconnect, dns-prefetch) may ask for nothing else.
_frame = re.compile("<(?=(?:iframe|frame|frameset|fencedframe|portal|object|embed|applet)[\\s/>])", re.IGNORECASE)
_link = re.compile("<(?=link[\\s/>])", re.IGNORECASE)


def html_policy(*, remote: bool) -> str:
    """The Content-Security-Policy under which HTML of a message is shown."""
    foreign = " https: http:" if remote else ""
    return (
        f"sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:{foreign};"
        f" style-src 'unsafe-inline'{foreign}; font-src data:{foreign}; media-src data:{foreign};"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )


Embedded = Mapping[str, tuple[str, bytes]]
"""Type and content by Content-ID in lower case."""


def embedded(message: Message) -> Embedded:
    """The parts that the HTML of a message may show within itself."""
    shown = {content_id for _, content_id in content_ids(message.html)}
    found = {}
    for content_id, one in attached_by_cid(message).items():
        kind = content_type(one.part)
        if content_id in shown and kind.startswith(_EMBEDDED_TYPES):
            found[content_id] = (kind, one.part.content)
    return found


def shown_html(html: str, parts: Embedded, *, remote: bool) -> str:
    """HTML with its inner pictures in it; where there are too many of them, the rest is left out. Any thread."""
    urls: dict[str, str] = {}
    left = REPEATED_LIMIT_BYTES
    pieces: list[str] = []
    at = 0
    for match, content_id in content_ids(html) if parts else ():
        part = parts.get(content_id)
        if part is None:
            continue
        url = urls.get(content_id)
        if url is None:
            url = urls[content_id] = f"data:{part[0]};base64,{base64.b64encode(part[1]).decode()}"
        elif len(url) <= left:
            left -= len(url)
        else:
            continue
        pieces += (html[at : match.start()], url)
        at = match.end()
    pieces.append(html[at:])
    text = _frame.sub("<x-", "".join(pieces))
    return text if remote else _link.sub("<x-", text)


_doctype = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)


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
    remote = request.query_params.get("remote") == "1"
    html, parts = row.message.html, embedded(row.message)
    if sum(len(content) for _, content in parts.values()) > _LARGE_BYTES:
        text = await asyncio.get_running_loop().run_in_executor(None, partial(shown_html, html, parts, remote=remote))
    else:
        text = shown_html(html, parts, remote=remote)
    if request.query_params.get("embed") == "1":
        text = _opening_elsewhere(text)
    headers = {"Content-Security-Policy": html_policy(remote=remote), "X-DNS-Prefetch-Control": "off"}
    return HTMLResponse(text.encode("utf-8", "replace"), headers=headers)


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
            picture.draft("RGB", (4 * THUMB_SIZE[0], 4 * THUMB_SIZE[1]))  # a JPEG is made smaller as it is read
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
