"""Arguments that are more than a word: mailbox names, and what FETCH asks for (RFC 3501 section 9)."""

from __future__ import annotations

import re

from mockmail.imap import utf7
from mockmail.imap.fetch.body import Section
from mockmail.imap.tokens import BadSyntax, Reader, nearest
from mockmail.records import record

__all__ = [
    "FETCH_ATTS",
    "FETCH_MACROS",
    "FetchAtt",
    "canonical_mailbox",
    "read_fetch_atts",
    "read_mailbox",
    "read_pattern",
]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WORD = re.compile(rb"[A-Za-z0-9.\-]+")
_DIGIT = re.compile(rb"[0-9]")
_SECTION_KINDS = frozenset({"HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"})
_MAX_PART_DEPTH = 100


@record
class FetchAtt:
    """One thing that FETCH asks for."""

    name: str
    """In capitals: a name of :data:`FETCH_ATTS`, where ``"BODY"`` is the structure without extension data and
    ``"BODY[]"`` any section, whether asked for by BODY or BODY.PEEK."""
    section: Section | None = None
    """Of ``"BODY[]"`` alone."""
    peek: bool = False
    """BODY.PEEK: does not set \\Seen."""
    partial: tuple[int, int] | None = None
    """First octet and largest number of octets (at least 1)."""


FETCH_ATTS = frozenset(
    {"ENVELOPE", "FLAGS", "INTERNALDATE", "RFC822", "RFC822.HEADER", "RFC822.SIZE", "RFC822.TEXT", "BODY"}
    | {"BODYSTRUCTURE", "UID", "BODY[]"}
)

FETCH_MACROS = {
    "FAST": tuple(map(FetchAtt, ("FLAGS", "INTERNALDATE", "RFC822.SIZE"))),
    "ALL": tuple(map(FetchAtt, ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"))),
    "FULL": tuple(map(FetchAtt, ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"))),
}


def canonical_mailbox(name: str) -> str:
    """``INBOX`` in capitals, alone or as the first level of a name; all else as it is."""
    if name[:5].upper() == "INBOX" and (len(name) == 5 or name[5] == "/"):
        return "INBOX" + name[5:]
    return name


def read_mailbox(reader: Reader) -> str:
    """mailbox: decoded, INBOX in capitals. A name that is not modified UTF-7 is refused, and so are control
    characters and the empty name. A trailing hierarchy delimiter (CREATE) is still on it."""
    name = _decoded(reader, reader.astring("a mailbox name"))
    if not name:
        raise BadSyntax("The mailbox name is empty")
    return canonical_mailbox(name)


def read_pattern(reader: Reader) -> tuple[str, str]:
    """mailbox SP list-mailbox, the arguments of LIST and LSUB, decoded: reference and pattern, both may be empty.
    ``%`` and ``*`` are wildcards. INBOX is as written: compare it without case."""
    reference = _decoded(reader, reader.astring("a reference name"))
    reader.sp("a mailbox pattern")
    return reference, _decoded(reader, reader.list_mailbox())


def _decoded(reader: Reader, name: bytes) -> str:
    try:
        # RFC 6855 section 3: names are UTF-8 once UTF8=ACCEPT is enabled
        decoded = name.decode("utf-8") if reader.utf8 else utf7.decode(name)
    except UnicodeDecodeError:
        raise BadSyntax(f"The mailbox name {ascii(name[:60])[1:]} is not UTF-8") from None
    except ValueError as error:
        raise BadSyntax(f"The mailbox name {error}") from None
    if _CONTROL.search(decoded):
        raise BadSyntax(f"The mailbox name {ascii(name[:60])[1:]} has control characters")
    return decoded


def read_fetch_atts(reader: Reader) -> tuple[FetchAtt, ...]:
    """``"ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"``; macros are expanded, what was
    asked for twice comes once."""
    if reader.peek(b"("):
        atts = reader.parenthesized(lambda: _read_fetch_att(reader), "a FETCH item")
        return tuple(dict.fromkeys(atts))
    macro = reader.lookahead(_WORD)
    if macro is not None and (items := FETCH_MACROS.get(macro.decode("ascii").upper())):
        reader.skip(macro.upper())
        return items
    return (_read_fetch_att(reader),)


# fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
#             "BODY" ["STRUCTURE"] / "UID" / "BODY" section ["<" number "." nz-number ">"] /
#             "BODY.PEEK" section ["<" number "." nz-number ">"]
def _read_fetch_att(reader: Reader) -> FetchAtt:
    name = reader.match(_WORD, "a FETCH item").decode("ascii").upper()
    peek = name == "BODY.PEEK"
    if peek or (name == "BODY" and reader.peek(b"[")):
        section = _read_section(reader)
        partial: tuple[int, int] | None = None
        if reader.skip(b"<"):
            first = reader.number("the first octet")
            reader.expect(b".", "'.' and a number of octets")
            partial = first, reader.nz_number("a number of octets")
            reader.expect(b">", "'>'")
        return FetchAtt("BODY[]", section, peek, partial)
    if name in FETCH_ATTS:
        return FetchAtt(name)
    if name in FETCH_MACROS:
        raise BadSyntax(f"The macro {name} stands alone, without parentheses or other items")
    raise BadSyntax(f"Unknown FETCH item {name[:40]}{nearest(name, FETCH_ATTS)}")


# section         = "[" [section-spec] "]"
# section-spec    = section-msgtext / (section-part ["." section-text])
# section-text    = section-msgtext / "MIME"
# section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
# section-part    = nz-number *("." nz-number)
def _read_section(reader: Reader) -> Section:
    reader.expect(b"[", "'[' and a section")
    path: list[int] = []
    kind = ""
    fields: tuple[bytes, ...] = ()
    while reader.lookahead(_DIGIT):
        path.append(reader.nz_number("a part number"))
        if len(path) > _MAX_PART_DEPTH:
            reader.fail(f"a section of at most {_MAX_PART_DEPTH} parts")
        if not reader.skip(b"."):
            break
    else:  # a kind must follow a dot, and may follow "["
        if path or not reader.peek(b"]"):
            kind = _read_section_kind(reader, after_part=bool(path))
        if kind.startswith("HEADER.FIELDS"):
            reader.sp("header names in parentheses")
            fields = tuple(reader.parenthesized(lambda: reader.astring("a header name"), "a header name"))
    reader.expect(b"]", "']' at the end of the section")
    return Section(tuple(path), kind, fields)


def _read_section_kind(reader: Reader, *, after_part: bool) -> str:
    kind = reader.match(_WORD, "a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME")
    name = kind.decode("ascii").upper()
    if name == "MIME" and not after_part:
        raise BadSyntax("MIME needs a part number before it, as in BODY[1.MIME]; the message's own header is HEADER")
    if name not in _SECTION_KINDS:
        raise BadSyntax(f"Unknown section {name[:40]}; write HEADER, HEADER.FIELDS (...), TEXT, 1, 1.2 or 1.MIME")
    return name
