"""A message as Mailpit's API tells of it: the item of a list, and the whole."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import unquote

from mockmail.core.accounts import canonical_address
from mockmail.core.message import Message
from mockmail.mime import text as content
from mockmail.mime.addresses import Address
from mockmail.mime.charsets import guess
from mockmail.mime.parts import Part

__all__ = [
    "Attached",
    "attached",
    "attached_by_cid",
    "blind_recipients",
    "content_ids",
    "content_type",
    "detail",
    "header_fields",
    "part_at",
    "summary",
    "timestamp",
]

SNIPPET_CHARACTERS = 250
_SNIPPET_SOURCE_CHARACTERS = 10_000
LISTED_SUBJECT_CHARACTERS = 1000
"""A list tells no more of a subject: it has 50 of them at once. The detail of a message tells all."""
LISTED_ADDRESSES = 1000
"""Nor more addresses of one field."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A part that is no body."""

    part: Part
    path: str
    """Its number among the parts, such as ``"2"`` or ``"1.2"`` (RFC 3501 section 6.4.5)."""
    inline: bool
    """Whether it is shown within the HTML."""

    @property
    def content_id(self) -> str:
        raw = self.part.content_id
        return raw.strip(b"<> \t").decode("utf-8", "replace") if raw else ""

    @property
    def filename(self) -> str:
        """Its name, or one made of its number and type."""
        name = self.part.filename
        if name:
            return name
        if self.part.message is not None:
            return f"message-{self.path}.eml"
        return f"part-{self.path}.{_SUFFIXES.get(self.part.media_type, self.part.content_type.subtype)}"


_SUFFIXES = {"text/plain": "txt", "image/jpeg": "jpg", "text/calendar": "ics", "application/octet-stream": "bin"}


def timestamp(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def paths(message: Part) -> dict[int, str]:
    """Number of each part below a message, by ``id()`` of the part."""
    found: dict[int, str] = {}
    if not message.is_multipart:
        return {id(message): "1"}
    pending = [(message, "")]
    while pending:
        part, prefix = pending.pop()
        for number, child in enumerate(part.children, 1):
            path = f"{prefix}{number}"
            found[id(child)] = path
            if child.children:
                pending.append((child, path + "."))
    return found


def attached(message: Message) -> tuple[Attached, ...]:
    """The parts that are no body, in order."""
    return message.derived("http attached", _attached)


def _attached(message: Message) -> tuple[Attached, ...]:
    parts = content.attached(message.part)
    if not parts:
        return ()
    numbers = paths(message.part)
    shown_ids = {content_id for _, content_id in content_ids(message.html)}
    found = []
    for part in parts:
        one = Attached(part, numbers.get(id(part), "1"), False)
        disposition = part.disposition
        named = disposition is not None and disposition.kind == "attachment"
        shown = one.content_id.lower() in shown_ids
        inline = shown or (not named and (bool(one.content_id) or disposition is not None))
        found.append(Attached(part, one.path, inline))
    return tuple(found)


# cid-url = "cid:" url-addr-spec      (RFC 2392 section 2); in HTML its characters may be escaped as any others
_cid = re.compile(r"cid:([^\"'\s)>]{1,998})", re.IGNORECASE)


def content_ids(html: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each ``cid:`` URL of an HTML source, with the Content-ID that it means, in lower case."""
    for match in _cid.finditer(html):
        yield match, unquote(unescape(match[1])).lower()


def attached_by_cid(message: Message) -> dict[str, Attached]:
    """The parts that ``cid:`` URLs may mean, by Content-ID in lower case; the first of each."""
    found: dict[str, Attached] = {}
    for one in attached(message):
        if one.content_id:
            found.setdefault(one.content_id.lower(), one)
    return found


def part_at(message: Message, path: str) -> Part | None:
    """The part of a number such as ``"1.2"``; ``None`` when there is none."""
    numbers = path.split(".")
    if len(numbers) > 70 or not all(number.isascii() and number.isdigit() and len(number) < 7 for number in numbers):
        return None
    return message.part.find([int(number) for number in numbers])


_safe_type = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}").fullmatch
_safe_charset = re.compile(r"[A-Za-z0-9_.:+-]{1,60}").fullmatch


def content_type(part: Part) -> str:
    """Its type as a header field may have it."""
    kind = part.media_type if _safe_type(part.media_type) else "application/octet-stream"
    charset = part.parameter("charset")
    return f"{kind}; charset={charset}" if charset and _safe_charset(charset) and kind.startswith("text/") else kind


def header_fields(message: Message) -> dict[str, list[str]]:
    """All fields as they stand, unfolded, by name; names are spelt as Go's net/textproto does, and sorted."""
    fields: dict[str, list[str]] = {}
    for field in message.header.fields:
        if field[0]:
            name = "-".join(word.capitalize() for word in field[0].decode("ascii").split("-"))
            fields.setdefault(name, []).append(guess(field[2].replace(b"\r", b"").replace(b"\n", b"")).strip())
    return dict(sorted(fields.items()))


def blind_recipients(message: Message) -> list[Address]:
    """Those in Bcc, and the envelope's recipients whom no field names."""
    named = {
        canonical_address(one.address)
        for name in ("to", "cc", "bcc", "resent-to", "resent-cc")
        for one in message.header_addresses(name)
    }
    found = list(message.header_addresses("bcc"))
    found += [Address("", one) for one in message.recipients if canonical_address(one) not in named]
    return found


def _addresses(found: Any) -> list[dict[str, str]]:
    return [{"Name": one.name, "Address": one.address} for one in found]


def _from(message: Message) -> dict[str, str] | None:
    found = _addresses(message.header_addresses("from")[:1])
    if found:
        return found[0]
    return {"Name": "", "Address": message.sender} if message.sender else None


def _snippet(message: Message) -> str:
    text = content.visible_text(message.html) if message.html else message.text
    return " ".join(text[:_SNIPPET_SOURCE_CHARACTERS].split())[:SNIPPET_CHARACTERS]


def _without_brackets(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">")


def _fixed(message: Message) -> Mapping[str, Any]:
    """What of the item of a list never changes."""
    return {
        "ID": message.id,
        "MessageID": _without_brackets(message.message_id),
        "From": _from(message),
        "To": _addresses(message.header_addresses("to")[:LISTED_ADDRESSES]),
        "Cc": _addresses(message.header_addresses("cc")[:LISTED_ADDRESSES]),
        "Bcc": _addresses(blind_recipients(message)[:LISTED_ADDRESSES]),
        "ReplyTo": _addresses(message.header_addresses("reply-to")[:LISTED_ADDRESSES]),
        "Subject": message.subject[:LISTED_SUBJECT_CHARACTERS],
        "Created": timestamp(message.received_at),
        "Size": message.size,
        "Attachments": sum(not one.inline for one in attached(message)),
        "Snippet": _snippet(message),
    }


def summary(message: Message, *, read: bool, tags: tuple[str, ...], username: str) -> dict[str, Any]:
    """The item of a list."""
    fixed = message.derived("http summary", _fixed)
    return {**fixed, "Read": read, "Username": username, "Tags": list(tags)}


def attachment(one: Attached) -> dict[str, Any]:
    """An attachment as the detail of a message tells of it."""
    data = one.part.content
    return {
        "PartID": one.path,
        "FileName": one.filename,
        "ContentType": one.part.media_type,
        "ContentID": one.content_id,
        "Size": len(data),
        "Checksums": {
            "MD5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "SHA1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
            "SHA256": hashlib.sha256(data).hexdigest(),
        },
    }


def detail(message: Message, *, tags: tuple[str, ...], username: str) -> dict[str, Any]:
    """The whole message."""
    parts = attached(message)
    date = message.date or message.received_at
    return {
        "ID": message.id,
        "MessageID": _without_brackets(message.message_id),
        "From": _from(message),
        "To": _addresses(message.header_addresses("to")),
        "Cc": _addresses(message.header_addresses("cc")),
        "Bcc": _addresses(blind_recipients(message)),
        "ReplyTo": _addresses(message.header_addresses("reply-to")),
        "ReturnPath": message.sender,
        "Subject": message.subject,
        "ListUnsubscribe": _list_unsubscribe(message),
        "Date": timestamp(date),
        "Tags": list(tags),
        "Username": username,
        "Text": message.text.replace("\n", "\r\n"),
        "HTML": message.html,
        "Size": message.size,
        "Inline": [attachment(one) for one in parts if one.inline],
        "Attachments": [attachment(one) for one in parts if not one.inline],
    }


def _list_unsubscribe(message: Message) -> dict[str, Any]:
    """List-Unsubscribe (RFC 2369) and List-Unsubscribe-Post (RFC 8058)."""
    header = " ".join(message.headers.get("List-Unsubscribe", "").split())
    links = [piece.partition(">")[0].strip() for piece in header.split("<")[1:]]
    post = " ".join(message.headers.get("List-Unsubscribe-Post", "").split())
    errors = []
    if header and not links:
        errors.append("there is no link in angle brackets")
    errors += [f"{link} is neither http, https nor mailto" for link in links if not link.lower().startswith(_SCHEMES)]
    if post and post.lower() != "list-unsubscribe=one-click":
        errors.append("List-Unsubscribe-Post is not List-Unsubscribe=One-Click")
    if post and not any(link.lower().startswith("https:") for link in links):
        errors.append("List-Unsubscribe-Post needs an https link")
    return {"Header": header, "HeaderPost": post, "Links": links, "Errors": "; ".join(errors)}


_SCHEMES = ("http:", "https:", "mailto:")
