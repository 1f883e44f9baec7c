"""Content-Type, Content-Disposition and their parameters (RFC 2045 section 5, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mockmail.mime.charsets import guess, to_text
from mockmail.mime.headers import decode_words

__all__ = ["ContentType", "Disposition", "decoded", "parse_content_type", "parse_disposition", "parse_language"]

RawParameters = tuple[tuple[bytes, bytes], ...]
"""Attributes as written and values with their quoting removed, in order."""


class ContentType(NamedTuple):
    """A media type in lower case, and its parameters as written."""

    maintype: str
    subtype: str
    parameters: RawParameters

    def get(self, attribute: bytes) -> bytes | None:
        """Raw value of the first parameter of this name (given in lower case)."""
        for name, value in self.parameters:
            if name.lower() == attribute:
                return value
        return None


class Disposition(NamedTuple):
    """A Content-Disposition: its type in lower case, and its parameters as written."""

    kind: str
    parameters: RawParameters


TEXT_PLAIN = ContentType("text", "plain", ())
MESSAGE_RFC822 = ContentType("message", "rfc822", ())

# content         = type "/" subtype *(";" parameter)
# token           = 1*<any CHAR except SPACE, CTLs, or tspecials>      ; 8-bit bytes are let through
_TOKEN = rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+"
_COMMENT = rb"(?:\([^()]*\)[ \t]*)*"
_media = re.compile(
    rb"[ \t]*" + _COMMENT + rb"(" + _TOKEN + rb")[ \t]*/[ \t]*(" + _TOKEN + rb")[ \t]*" + _COMMENT + rb"(?=;|\Z|[ \t])"
).match
_kind = re.compile(rb"[ \t]*" + _COMMENT + rb"(" + _TOKEN + rb")[ \t]*").match
# parameter       = attribute "=" value
# value           = token / quoted-string     ; unquoted values run to the semicolon here: name=my file.pdf is common
_parameter = re.compile(
    rb"\s*([^\s;=\"()]+)[ \t]*=[ \t]*"
    rb"(?:\"([^\"\\]*(?:\\.[^\"\\]*)*)(?:\"|\\?\Z)|([^;\"]*))",
    re.DOTALL,
).match
_escapes = re.compile(rb"\\(.)", re.DOTALL)
_LIMIT = 200
"""Parameters read of one field; more are passed over."""


def _parameters(value: bytes, at: int) -> RawParameters:
    found: list[tuple[bytes, bytes]] = []
    while len(found) < _LIMIT:
        at = value.find(b";", at)
        if at < 0:
            break
        match = _parameter(value, at + 1)
        if match is None:
            at += 1
            continue
        name, quoted, bare = match.groups()
        if quoted is not None:
            # A backslash before what needs none is a path of Windows: name="C:\notes.txt".
            text = _escapes.sub(rb"\1", quoted) if b'\\"' in quoted or b"\\\\" in quoted else quoted
        else:
            text = bare.strip()
            if text.endswith(b")") and b" (" in text:
                text = text[: text.rindex(b" (")].rstrip()
        found.append((name, text))
        at = match.end()
    return tuple(found)


@lru_cache(maxsize=512)
def parse_content_type(value: bytes) -> ContentType:
    """The media type of an unfolded Content-Type value; text/plain if there is none in it (RFC 2045 section 5.2)."""
    match = _media(value)
    if match is None:
        return TEXT_PLAIN
    return ContentType(guess(match[1]).lower(), guess(match[2]).lower(), _parameters(value, match.end()))


@lru_cache(maxsize=256)
def parse_disposition(value: bytes) -> Disposition | None:
    """The disposition of an unfolded Content-Disposition value, or ``None`` if there is none in it."""
    match = _kind(value)
    if match is None:
        return None
    return Disposition(guess(match[1]).lower(), _parameters(value, match.end()))


def parse_language(value: bytes) -> tuple[bytes, ...]:
    """The language tags of an unfolded Content-Language value (RFC 3282)."""
    return tuple(tag for tag in (tag.strip() for tag in value.split(b",")) if tag)


# attribute       = attribute-char *("*" section) ["*"]         ; RFC 2231 section 7: name*0*=, name*1=, name*=
_extended = re.compile(rb"([^*]+)(?:\*(\d{1,4}))?(\*)?\Z").match
_percent = re.compile(rb"%([0-9A-Fa-f]{2})")


def _unquoted(value: bytes) -> bytes:
    return _percent.sub(lambda match: bytes((int(match[1], 16),)), value)


def decoded(parameters: RawParameters) -> dict[str, str]:
    """Parameters by name in lower case, as text: continuations joined, charsets and percent signs decoded, and
    encoded words too, where mailers put them against RFC 2047 section 5. An extended value goes before a plain one,
    and of equals the first."""
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for name, value in parameters:
        match = _extended(name) if b"*" in name else None
        if match is None or (match[2] is None and match[3] is None):
            text = guess(value)
            plain.setdefault(guess(name).lower(), decode_words(text) if "=?" in text else text)
        else:
            number = int(match[2] or b"0")
            sections.setdefault(guess(match[1]).lower(), {}).setdefault(number, (value, match[3] is not None))
    for attribute, parts in sections.items():
        joined = _joined(parts)
        if joined is not None:
            plain[attribute] = joined
    return plain


def _joined(sections: dict[int, tuple[bytes, bool]]) -> str | None:
    """One value out of its sections, up to the first that is missing (RFC 2231 section 3)."""
    if 0 not in sections:
        return None
    pieces = []
    charset = None
    number = 0
    while number in sections:
        value, is_extended = sections[number]
        if is_extended:
            if number == 0 and value.count(b"'") >= 2:
                label, _, value = value.split(b"'", 2)
                charset = guess(label)
            value = _unquoted(value)
        pieces.append(value)
        number += 1
    return to_text(b"".join(pieces), charset)
