"""What a message says: its text, its HTML, its links and its attachments.

Every leaf is either body or attachment. Body is text/plain and text/html that is neither called an attachment nor has
a file name; of the alternatives of a multipart/alternative the last of each type counts, bodies of a multipart/mixed
follow each other. Everything else is an attachment: named text, images (inline ones too, with their Content-ID),
calendars, messages, reports. Line ends of text are ``\\n``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mockmail.mime.charsets import to_text
from mockmail.mime.parts import Part

__all__ = [
    "Attachment",
    "Link",
    "attached",
    "attachments",
    "bodies",
    "html",
    "links",
    "part_text",
    "text",
    "visible_text",
]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a message. ``content_type`` is ``maintype/subtype`` in lower case, ``content`` is out of its transfer
    encoding, ``content_id`` is without angle brackets."""

    filename: str | None
    content_type: str
    content: bytes
    content_id: str | None = None

    def __repr__(self) -> str:
        size = len(self.content)
        return f"Attachment(filename={self.filename!r}, content_type={self.content_type!r}, {size} bytes)"


@dataclass(frozen=True, slots=True)
class Link:
    """An http or https URL, and the visible texts of the anchors that lead to it (none when it stands in text)."""

    url: str
    texts: tuple[str, ...] = ()


def text(message: Part) -> str:
    """The plain text of ``message``, or ``""``."""
    return _joined([part_text(part) for part in bodies(message) if part.content_type.subtype == "plain"])


def html(message: Part) -> str:
    """The HTML of ``message`` as it was written, or ``""``."""
    return _joined([part_text(part) for part in bodies(message) if part.content_type.subtype == "html"])


def visible_text(source: str) -> str:
    """What a reader of the HTML ``source`` sees, a line for each block."""
    from mockmail.mime.html import read_html

    return read_html(source).text if source else ""


def attachments(message: Part) -> tuple[Attachment, ...]:
    """All leaves of ``message`` that are no body, in order. A message in the message is one attachment, not opened."""
    return tuple(map(_attachment, attached(message)))


def attached(message: Part) -> list[Part]:
    """The parts that :func:`attachments` tells of, in order."""
    return [part for part, is_body in _leaves(message) if not is_body]


def bodies(message: Part) -> list[Part]:
    """The text/plain and text/html parts that a mail reader shows, in order."""
    return [part for part, is_body in _leaves(message) if is_body]


def _leaves(part: Part, *, is_whole: bool = True) -> list[tuple[Part, bool]]:
    """The leaves below ``part``, each with whether it is body; alternatives not chosen are left out."""
    if not part.is_multipart:
        return [(part, _is_body(part, is_whole))]
    below = [_leaves(child, is_whole=False) for child in part.children]
    if part.content_type.subtype == "alternative":
        # RFC 2046 section 5.1.4: the last is the best. Each type of body is taken from the last child that has it.
        best = {
            leaf.content_type.subtype: index
            for index, leaves in enumerate(below)
            for leaf, is_body in leaves
            if is_body
        }
        below = [
            [(leaf, is_body) for leaf, is_body in leaves if not is_body or best[leaf.content_type.subtype] == index]
            for index, leaves in enumerate(below)
        ]
    return [leaf for leaves in below for leaf in leaves]


def _is_body(part: Part, is_whole: bool) -> bool:
    if part.content_type[:2] not in {("text", "plain"), ("text", "html")}:
        return False
    disposition = part.disposition
    if disposition is not None and disposition.kind == "attachment":
        return False
    # The only part of a message is its body even if it has a name.
    return is_whole or part.filename is None


def _attachment(part: Part) -> Attachment:
    content_id = part.content_id
    return Attachment(
        part.filename,
        part.media_type,
        part.content,
        content_id.strip(b"<> \t").decode("utf-8", "replace") if content_id else None,
    )


def _joined(texts: list[str]) -> str:
    """Bodies one after the other, each on lines of its own."""
    ended = [piece if piece.endswith("\n") else piece + "\n" for piece in texts[:-1] if piece]
    return "".join(ended + texts[-1:])


_meta_charset = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE).search
_META_LIMIT_BYTES = 1024


def part_text(part: Part) -> str:
    """The text of a text part: transfer encoding and charset decoded, line ends ``\\n``. HTML without a charset may
    name one in a ``meta`` element; what is unknown is guessed (UTF-8, then Latin-1)."""
    content = part.content
    charset = part.parameter("charset")
    if not charset and part.content_type.subtype == "html":
        named = _meta_charset(content, 0, _META_LIMIT_BYTES)
        if named is not None:
            charset = named[1].decode("ascii")
    return to_text(content, charset).replace("\r\n", "\n").replace("\r", "\n")


# What may stand in a URL (RFC 3986) and beyond ASCII (RFC 3987); brackets, quotes and punctuation at its end are taken
# as the sentence around it.
_url = re.compile(r"\bhttps?://[^\s<>\"`{}|\\^\x00-\x1f\x7f]+", re.IGNORECASE)
_has_scheme = re.compile(r"https?://[^\s/]", re.IGNORECASE).match
_PUNCTUATION = frozenset(".,;:!?'\u2019\u201d\u00bb\u2026\u3002\uff0c")
_PAIRS = {")": "(", "]": "["}


def links(html_source: str, plain_text: str) -> tuple[Link, ...]:
    """The http and https links of a message: anchors of its HTML, then what stands in its text, each URL once, at its
    first place."""
    found: dict[str, list[str]] = {}
    if html_source:
        from mockmail.mime.html import read_html

        for target, label in read_html(html_source).anchors:
            # Browsers take line ends and tabs out of a target.
            url = target.translate(_NOT_IN_TARGETS).strip()
            if _has_scheme(url):
                texts = found.setdefault(url, [])
                if label and label not in texts:
                    texts.append(label)
    for match in _url.finditer(plain_text):
        url = _without_punctuation(match[0])
        if _has_scheme(url):
            found.setdefault(url, [])
    return tuple(Link(url, tuple(texts)) for url, texts in found.items())


_NOT_IN_TARGETS = {ord(character): None for character in "\t\r\n"}


def _without_punctuation(url: str) -> str:
    """``url`` without the punctuation of the sentence around it; a closing bracket stays if it has its opening one."""
    unopened = {close: url.count(close) - url.count(opening) for close, opening in _PAIRS.items()}
    stop = len(url)
    while stop:
        last = url[stop - 1]
        if unopened.get(last, 0) > 0:
            unopened[last] -= 1
        elif last not in _PUNCTUATION:
            break
        stop -= 1
    return url[:stop]
