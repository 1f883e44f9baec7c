"""Modified UTF-7, the encoding of mailbox names (RFC 3501 section 5.1.3)."""

from __future__ import annotations

import binascii
import re

__all__ = ["decode", "encode"]

_PLAIN = re.compile(r"[ -~]*\Z")
_RUN = re.compile(r"&|[^ -~]+")
_PLAIN_BYTES = re.compile(rb"[ -%'-~]*\Z")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """The name as it is sent. ``ValueError`` for a lone surrogate, which has no encoding."""
    if "&" not in name and _PLAIN.match(name):
        return name.encode("ascii")
    try:
        return _RUN.sub(_encode_run, name).encode("ascii")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name!r} has a lone surrogate at {error.start} and cannot be encoded") from None


def _encode_run(match: re.Match[str]) -> str:
    run = match[0]
    if run == "&":
        return "&-"
    coded = binascii.b2a_base64(run.encode("utf-16-be"), newline=False).rstrip(b"=").replace(b"/", b",")
    return f"&{coded.decode('ascii')}-"


def decode(name: bytes) -> str:
    """The name as a string. Only the one form that :func:`encode` gives is taken; ``ValueError``, with a sentence,
    for all else: 8-bit or control bytes, a shift that does not end, superfluous shifts, printable US-ASCII or
    lone surrogates in base64, bits left over."""
    if _PLAIN_BYTES.match(name):
        return name.decode("ascii")
    parts: list[str] = []
    at = 0
    shifted_before = -1
    while at < len(name):
        shift = name.find(b"&", at)
        direct = name[at:] if shift < 0 else name[at:shift]
        if not _PLAIN_BYTES.match(direct):
            raise ValueError(f"{_shown(name)} has a byte that is not printable US-ASCII; write it in modified UTF-7")
        parts.append(direct.decode("ascii"))
        if shift < 0:
            break
        found = _SHIFTED.match(name, shift)
        if found is None:
            raise ValueError(f"{_shown(name)} has a shift at {shift} that does not end in '-'; a plain '&' is '&-'")
        if found[1]:
            if shift == shifted_before:
                raise ValueError(f"{_shown(name)} shifts out of base64 and back in at {shift}")
            parts.append(_decode_run(found[1], name))
            shifted_before = found.end()
        else:
            parts.append("&")
        at = found.end()
    return "".join(parts)


def _decode_run(coded: bytes, name: bytes) -> str:
    try:
        units = binascii.a2b_base64(coded.replace(b",", b"/") + b"=" * (-len(coded) % 4))
        run = units.decode("utf-16-be")
    except ValueError:  # binascii.Error and UnicodeDecodeError are kinds of it
        raise ValueError(f"{_shown(name)} has base64 that is not UTF-16: {_shown(coded)}") from None
    if any(" " <= letter <= "~" for letter in run):
        raise ValueError(f"{_shown(name)} has printable US-ASCII in base64: {_shown(coded)}")
    if _encode_run(re.match(r"(?s).*", run)).encode() != b"&" + coded + b"-":  # type: ignore[arg-type]
        raise ValueError(f"{_shown(name)} has bits left over in base64: {_shown(coded)}")
    return run


def _shown(name: bytes) -> str:
    return repr(name[:60])[1:]
