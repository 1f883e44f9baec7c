"""Answers compressed by gzip (RFC 9110 section 8.4.1.3), for clients that take it."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import MutableMapping
from typing import Any

from starlette.types import Send

__all__ = ["Compressed", "accepts_gzip"]

LEAST_BYTES = 1000
AT_ONCE_BYTES = 32 << 10
"""More is compressed in another thread, which zlib lets run beside the loop's."""
LEVEL = 4
_COMPRESSIBLE = re.compile(rb"text/(?!event-stream)|application/(?:json|javascript|xml)|image/svg\+xml").match
_gzip = re.compile(r"(?:^|,)\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q=([0-9.]+)\s*)?(?:,|$)", re.IGNORECASE).search


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header (RFC 9110 section 12.5.3) takes gzip."""
    match = _gzip(header)
    return match is not None and (match[1] is None or match[1].strip("0.") != "")


class Compressed:
    """Sends an answer: compressed when it is text, comes in one piece, and is long enough to be worth it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: MutableMapping[str, Any] | None = None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            # Held back: what its header says depends on the body.
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            body = message.get("body", b"")
            if len(body) >= LEAST_BYTES and not message.get("more_body", False) and _is_compressible(start):
                start, body = await _compressed(start, body)
                message = {**message, "body": body}
            await self._send(start)
        await self._send(message)


def _is_compressible(start: MutableMapping[str, Any]) -> bool:
    headers = dict(start.get("headers", ()))
    return b"content-encoding" not in headers and _COMPRESSIBLE(headers.get(b"content-type", b"")) is not None


async def _compressed(start: MutableMapping[str, Any], body: bytes) -> tuple[MutableMapping[str, Any], bytes]:
    if len(body) > AT_ONCE_BYTES:
        short = await asyncio.get_running_loop().run_in_executor(None, _squeeze, body)
    else:
        short = _squeeze(body)
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    headers += [(b"content-encoding", b"gzip"), (b"content-length", str(len(short)).encode())]
    return {**start, "headers": headers}, short


def _squeeze(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)
