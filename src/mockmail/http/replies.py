"""Reading requests and making replies. Every refusal is a :class:`Refusal`, in words of its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mockmail.core.accounts import MailboxRefused
from mockmail.errors import ConfigurationError

__all__ = [
    "Handler",
    "JSONReply",
    "Refusal",
    "as_list",
    "as_text",
    "content_disposition",
    "count_of",
    "mailpit_route",
    "ok",
    "own_route",
    "read_json",
    "read_object",
    "strings",
]

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

REQUEST_LIMIT_BYTES = 64 << 20
"""Bodies of requests; a message may be sent in one."""
NAME_CHARACTERS = 200
"""A file system takes 255 bytes at most."""
COUNT_LIMIT = 1_000_000_000


class Refusal(Exception):
    """An answer other than 200, and why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class JSONReply(Response):
    """JSON, as compact as can be; what cannot be UTF-8 (lone surrogates) is escaped."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode()
        except UnicodeEncodeError:
            return json.dumps(content, separators=(",", ":")).encode()


def ok() -> Response:
    """What Mailpit says when it has done something."""
    return PlainTextResponse("ok")


def mailpit_route(path: str, handler: Handler, *methods: str) -> Route:
    """A route of Mailpit's: refusals are plain text."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return PlainTextResponse(str(refusal), refusal.status)

    return Route(path, endpoint, methods=list(methods))


def own_route(path: str, handler: Handler, *methods: str) -> Route:
    """A route of ours: refusals are JSON, ``{"error": "..."}``, also what the library says of arguments."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return JSONReply({"error": str(refusal)}, refusal.status)
        except (ConfigurationError, MailboxRefused) as error:
            return JSONReply({"error": str(error)}, 400)

    return Route(path, endpoint, methods=list(methods))


# Reading requests


async def read_body(request: Request) -> bytes:
    """The body. The guard in front has bounded its size and time."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise Refusal(400, "The connection ended within the request.") from None


async def read_json(request: Request) -> Any:
    """The body as JSON, ``None`` when there is none."""
    body = await read_body(request)
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body is no JSON: {error}") from None


async def read_object(request: Request, *known: str) -> dict[str, Any]:
    """The body as a JSON object, empty when there is none; keys other than ``known`` (if any) are refused."""
    value = await read_json(request)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refusal(400, f"The body is JSON, but no object: {type(value).__name__}")
    unknown = sorted(set(value) - set(known)) if known else []
    if unknown:
        raise Refusal(400, f"The body has {', '.join(map(repr, unknown))}; it may have {', '.join(known)}.")
    return value


def strings(value: Any, name: str) -> list[str]:
    """A list of strings; ``None`` is the empty one."""
    found = as_list(value, name)
    for one in found:
        as_text(one, f"an element of {name}")
    return found


def as_list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refusal(400, f"{name} is no list: {value!r}"[:500])
    return value


def as_text(value: Any, name: str, default: str | None = None) -> str:
    """A string; one with a lone surrogate cannot be written in any charset and is refused."""
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Refusal(400, f"{name} is no string: {value!r}"[:500])
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal(400, f"{name} has half a surrogate pair") from None
    return value


def count_of(request: Request, name: str, default: int) -> int:
    """A number from the query string, not below 0. Anything else is the default, as Mailpit has it."""
    text = request.query_params.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        return default
    return min(int(text), COUNT_LIMIT)


# Names in header fields


def content_disposition(kind: str, filename: str | None) -> str:
    """``inline`` or ``attachment``, with a safe file name (RFC 6266): no directories, no control characters."""
    if not filename:
        return kind
    name = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in name if char.isprintable() and char not in _BIDI).strip(". ")
    if len(name) > NAME_CHARACTERS:
        stem, dot, suffix = name.rpartition(".")
        name = stem[: NAME_CHARACTERS - 20] + dot + suffix[-16:] if dot else name[:NAME_CHARACTERS]
    if not name:
        return kind
    plain = "".join(char if " " <= char <= "~" and char not in '"\\%' else "_" for char in name)
    extended = quote(name.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{extended}"


_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that make ``gpj.exe`` look like ``exe.jpg``."""


def addresses(found: Iterable[Any]) -> list[dict[str, str]]:
    """Addresses as Mailpit writes them."""
    return [{"Name": one.name, "Address": one.address} for one in found]
