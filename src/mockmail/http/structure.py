"""The part tree of a message, for those who look into it."""

from __future__ import annotations

from typing import Any

from mockmail.mime.parts import Part

__all__ = ["tree"]

PARTS_LIMIT = 2000


def tree(message: Part) -> dict[str, Any]:
    """Each part with its number, type, encoding, name, size and parts; the first 2,000 of them."""
    left = [PARTS_LIMIT]
    return _told(message, "" if message.is_multipart else "1", "", left)


def _told(part: Part, path: str, prefix: str, left: list[int]) -> dict[str, Any]:
    left[0] -= 1
    told: dict[str, Any] = {
        "path": path,
        "type": part.media_type,
        "encoding": part.encoding,
        "charset": part.parameter("charset"),
        "filename": part.filename,
        "disposition": part.disposition.kind if part.disposition is not None else None,
        "size": part.size,
        "parts": [],
    }
    children = [] if part.message is not None else part.children
    for number, child in enumerate(children, 1):
        if left[0] <= 0:
            told["cut"] = True
            break
        below = f"{prefix}{number}"
        told["parts"].append(_told(child, below, below + ".", left))
    return told
