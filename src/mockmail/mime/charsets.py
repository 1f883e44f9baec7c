"""Bytes into text, whatever their label says, and content out of its transfer encoding (RFC 2045 section 6)."""

from __future__ import annotations

import binascii
import re
from functools import lru_cache

__all__ = ["content", "guess", "to_text"]

# Codecs of Python's own that are no charsets of mail: some are quadratic, some warn or differ by platform.
_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "palmos", "unicodeescape"}
)
_ASCII_NAMES = frozenset({"", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "8bit"})
# What browsers and mail readers take these labels for (WHATWG Encoding Standard).
_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-8859-8-i": "iso-8859-8",
}
_NAME_CHARACTERS = 100
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def guess(data: bytes) -> str:
    """Text of ``data`` without a label: UTF-8 (RFC 6532) if it is that, else Latin-1, which reads anything."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def to_text(data: bytes, charset: str | None) -> str:
    """Text of ``data`` in ``charset``. An unknown or missing charset is guessed, a byte that it cannot have becomes
    U+FFFD, a byte order mark is left out. Never raises."""
    name = _codec(charset[:_NAME_CHARACTERS]) if charset else ""
    try:
        text = data.decode(name, "replace") if name else guess(data)
    except (LookupError, ValueError):
        text = guess(data)
    return text[1:] if text[:1] == "\ufeff" else text


@lru_cache(maxsize=128)
def _codec(charset: str) -> str:
    """The name to decode by, which may be one of no codec; ``""`` where the text has to be guessed."""
    name = charset.strip().strip("'\"").lower()
    name = _SUPERSETS.get(name, name)
    is_text = not (name in _ASCII_NAMES or name.replace("-", "_") in _NOT_CHARSETS or "\0" in name)
    return name if is_text else ""


def content(data: bytes, encoding: str) -> bytes:
    """``data`` without its transfer encoding. One that is unknown is taken as none; damage is passed over."""
    if encoding == "base64":
        return base64_content(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    if encoding in {"x-uuencode", "uuencode", "uue", "x-uue"}:
        return _uudecoded(data)
    return data


def base64_content(data: bytes) -> bytes:
    """Decoded base64. Foreign characters are ignored (RFC 2045 section 6.8), missing padding is made up for, and
    a last character that carries no whole byte is dropped."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        digits = _NOT_BASE64.sub(b"", data)
        digits = digits[: len(digits) - (len(digits) % 4 == 1)]
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _uudecoded(data: bytes) -> bytes:
    lines = iter(data.splitlines())
    for line in lines:
        if line.startswith(b"begin "):
            break
    else:
        return data
    decoded = []
    for line in lines:
        if line.rstrip() in {b"end", b"`"}:
            break
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders pad the last line beyond the length it announces.
            length = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded.append(binascii.a2b_uu(line[:length]))
            except binascii.Error:
                continue
    return b"".join(decoded)
