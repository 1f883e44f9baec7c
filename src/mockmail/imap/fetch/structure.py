"""BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2), rendered from the part tree."""

from __future__ import annotations

from functools import lru_cache

from mockmail.imap.encode import NIL, nstring, string
from mockmail.imap.fetch.envelope import EMPTY_ENVELOPE, envelope
from mockmail.mime.parameters import ContentType, Disposition, RawParameters
from mockmail.mime.parts import Part

__all__ = ["structure"]

_EMPTY_TEXT = b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0%b)'
_US_ASCII = b'("CHARSET" "US-ASCII")'
_NO_EXTENSION = b" NIL NIL NIL NIL"
_SELDOM = frozenset(
    {
        b"content-id",
        b"content-description",
        b"content-md5",
        b"content-disposition",
        b"content-language",
        b"content-location",
    }
)
_CACHED_BYTES = 512


def structure(part: Part, *, extended: bool) -> bytes:
    """The parenthesized structure of ``part``: BODYSTRUCTURE with ``extended``, else BODY. Sizes and lines are
    those of the bytes as they stand."""
    # body            = "(" (body-type-1part / body-type-mpart) ")"
    if part.is_multipart:
        return _multipart(part, extended)
    maintype, subtype, parameters = part.content_type
    index = part.header.index
    if maintype == "text" and _SELDOM.isdisjoint(index):
        # Most parts of most mail: all but two numbers is the same in many.
        coding = index.get(b"content-transfer-encoding", b"")
        if len(index.get(b"content-type", b"")) + len(coding) <= _CACHED_BYTES:
            encoding = part.encoding if coding else "7bit"
            return _text_template(part.content_type, encoding, extended) % (part.size, part.lines)
    # body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
    fields = [
        _upper(maintype),
        _upper(subtype),
        _text_parameters(parameters) if maintype == "text" else _parameters(parameters),
        _nstring(part.content_id),
        _nstring(part.description),
        _upper(part.encoding),
        b"%d" % part.size,
    ]
    if maintype == "text":
        fields.append(b"%d" % part.lines)
    elif (maintype == "message" and subtype == "rfc822") or part.message is not None:
        # body-type-msg   = media-message SP body-fields SP envelope SP body SP body-fld-lines
        message = part.message
        if message is None:  # deeper than messages are read
            fields += [EMPTY_ENVELOPE, _empty_text(extended)]
        else:
            fields += [envelope(message.header), structure(message, extended=extended)]
        fields.append(b"%d" % part.lines)
    if extended:
        # body-ext-1part  = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc *(SP body-extension)]]]
        fields += [_nstring(part.md5), *_extension(part)]
    return b"(%b)" % b" ".join(fields)


@lru_cache(maxsize=256)
def _text_template(content_type: ContentType, encoding: str, extended: bool) -> bytes:
    """The structure of a text part with no other fields, ``%d`` in place of its octets and lines."""
    maintype, subtype, parameters = content_type
    fields = [_upper(maintype), _upper(subtype), _text_parameters(parameters), NIL, NIL, _upper(encoding)]
    beginning = b" ".join(fields).replace(b"%", b"%%")
    return b"(%b %%d %%d%b)" % (beginning, _NO_EXTENSION if extended else b"")


def _multipart(part: Part, extended: bool) -> bytes:
    # body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
    # One body there must be: a multipart without parts shows an empty text.
    bodies = b"".join([structure(child, extended=extended) for child in part.children]) or _empty_text(extended)
    fields = [bodies, _upper(part.content_type.subtype)]
    if extended:
        # body-ext-mpart  = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc *(SP body-extension)]]]
        fields += [_parameters(part.content_type.parameters), *_extension(part)]
    return b"(%b)" % b" ".join(fields)


def _empty_text(extended: bool) -> bytes:
    return _EMPTY_TEXT % (_NO_EXTENSION if extended else b"")


def _extension(part: Part) -> tuple[bytes, bytes, bytes]:
    languages = part.language
    if len(languages) > 1:
        language = b"(%b)" % b" ".join([_string(tag) for tag in languages])
    else:
        language = _string(languages[0]) if languages else NIL
    return _disposition(part.disposition), language, _nstring(part.location)


def _disposition(disposition: Disposition | None) -> bytes:
    # body-fld-dsp    = "(" string SP body-fld-param ")" / nil
    if disposition is None:
        return NIL
    return b"(%b %b)" % (_upper(disposition.kind), _parameters(disposition.parameters))


def _text_parameters(parameters: RawParameters) -> bytes:
    """Parameters of a text part, whose charset is US-ASCII unless it says otherwise (RFC 2045 section 5.2)."""
    rendered = _parameters(parameters)
    if rendered is NIL:
        return _US_ASCII
    if any(name.lower() in {b"charset", b"charset*"} for name, _ in parameters):
        return rendered
    return b'("CHARSET" "US-ASCII" %b' % rendered[1:]


def _parameters(parameters: RawParameters) -> bytes:
    # body-fld-param  = "(" string SP string *(SP string SP string) ")" / nil
    if not parameters:
        return NIL
    return b"(%b)" % b" ".join([b"%b %b" % (_string(name.upper()), _string(value)) for name, value in parameters])


def _upper(text: str) -> bytes:
    return _string(text.upper().encode("utf-8"))


def _string(value: bytes) -> bytes:
    # A literal holds CHAR8, which NUL is not.
    return string(value.replace(b"\0", b"") if b"\0" in value else value)


def _nstring(value: bytes | None) -> bytes:
    return nstring(value) if value is None or b"\0" not in value else nstring(value.replace(b"\0", b""))
