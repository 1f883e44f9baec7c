"""The value of a section, BODY[section]<partial> (RFC 3501 section 6.4.5)."""

from __future__ import annotations

from mockmail.imap.encode import astring
from mockmail.mime.headers import HeaderBlock
from mockmail.mime.parts import Part
from mockmail.records import record

__all__ = ["Section", "section_value"]


@record
class Section:
    """What stands between the brackets of ``BODY[1.2.HEADER.FIELDS (From To)]``.

    ``path`` has the part numbers; ``kind`` is ``""`` (the part itself), ``"HEADER"``, ``"HEADER.FIELDS"``,
    ``"HEADER.FIELDS.NOT"``, ``"TEXT"`` or ``"MIME"``; ``fields`` are names as the client wrote them.
    """

    path: tuple[int, ...] = ()
    kind: str = ""
    fields: tuple[bytes, ...] = ()

    # section         = "[" [section-spec] "]"
    # section-spec    = section-msgtext / (section-part ["." section-text])
    @property
    def specifier(self) -> bytes:
        """The section without its brackets, ``1.2.HEADER.FIELDS (From To)``."""
        words = [str(number) for number in self.path]
        if self.kind:
            words.append(self.kind)
        text = ".".join(words).encode("ascii")
        if self.kind.startswith("HEADER.FIELDS"):
            text += b" (%b)" % b" ".join([astring(name) for name in self.fields])
        return text

    def name(self, origin: int | None = None, item: bytes = b"BODY") -> bytes:
        """The data item as the client sees it come back, ``BODY[TEXT]<100>``; ``origin`` is the first byte asked
        for by a partial fetch. The answer to BODY.PEEK is called BODY."""
        text = b"%b[%b]" % (item, self.specifier)
        return text if origin is None else b"%b<%d>" % (text, origin)


def section_value(message: Part, section: Section, partial: tuple[int, int] | None = None) -> bytes | memoryview | None:
    """The bytes ``section`` names in ``message``, or ``None`` (NIL) when the message has no such section: HEADER and
    TEXT below a path exist for message/rfc822 parts alone. ``partial`` is the first byte and the largest number of
    bytes wanted; past the end it gives an empty value. Views into the message are returned where they can be."""
    value = _value(message, section)
    if partial is None or value is None:
        return value
    origin, length = partial
    return value[origin : origin + length]


def _value(message: Part, section: Section) -> bytes | memoryview | None:
    raw = message.raw
    part = message.find(section.path)
    if part is None:
        return None
    kind = section.kind
    if kind == "":
        # The first message is whole; a part is its body, and so is part 1 of a message that is no multipart.
        return memoryview(raw)[part.body_start : part.body_stop] if section.path else raw
    if kind == "MIME":
        return memoryview(raw)[part.header_start : part.body_start] if section.path else None
    if section.path:
        if part.message is None:
            return None
        part = part.message
    if kind == "HEADER":
        return memoryview(raw)[part.header_start : part.body_start]
    if kind == "TEXT":
        return memoryview(raw)[part.body_start : part.body_stop]
    names = {name.lower() for name in section.fields}
    return _selected(raw, part, names, wanted=kind == "HEADER.FIELDS")


def _selected(raw: bytes, part: Part, names: set[bytes], *, wanted: bool) -> bytes:
    """The fields called ``names``, or all others, and the empty line that ends every header (unless the message has
    neither that nor a body)."""
    header: HeaderBlock = part.header
    pieces = [b"".join(field) for field in header.fields if (field[0].lower() in names) is wanted]
    empty_line = raw[header.stop : header.body_start]
    if not empty_line and part.size:
        empty_line = b"\r\n"
    pieces.append(empty_line)
    return b"".join(pieces)
