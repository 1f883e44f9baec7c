"""The items of a FETCH, compiled once for a command and then rendered for many messages (RFC 3501 section 7.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

from mockmail.core.mailbox import Entry
from mockmail.core.message import Message
from mockmail.core.views import MailboxView
from mockmail.imap.arguments import FetchAtt
from mockmail.imap.encode import NIL, date_time, literal
from mockmail.imap.fetch.body import Section, section_value
from mockmail.imap.fetch.envelope import envelope
from mockmail.imap.fetch.structure import structure
from mockmail.imap.updates import flags_getter, flags_of
from mockmail.mime.headers import HeaderBlock, scan
from mockmail.mime.parameters import ContentType
from mockmail.mime.parts import Part, parse

__all__ = ["FetchPlan"]

_Getter: TypeAlias = Callable[[Entry], Any]

_RFC822_SECTIONS = {
    "RFC822": Section(),
    "RFC822.HEADER": Section(kind="HEADER"),
    "RFC822.TEXT": Section(kind="TEXT"),
}
_PART_NAMES = {
    "": "",
    "HEADER": "header",
    "HEADER.FIELDS": "header",
    "HEADER.FIELDS.NOT": "header",
    "TEXT": "text",
    "MIME": "mime",
}


class FetchPlan:
    """How one FETCH is answered. ``uid``: it is a UID FETCH, and UID belongs to every response.

    ``parts`` are those that count as fetched, (name, peeked): ``"full"``, ``"header"``, ``"text"``, ``"1.2"``,
    ``"1.2.header"``, ``"1.2.mime"``.
    """

    __slots__ = ("_getters", "_template", "_view", "_with_flags", "parts", "sets_seen")

    def __init__(self, items: Iterable[FetchAtt], view: MailboxView, *, uid: bool = False) -> None:
        chosen = list(items)
        names = {item.name for item in chosen}
        if uid and "UID" not in names:
            chosen.insert(0, FetchAtt("UID"))
        self._view = view
        self.sets_seen = any(
            item.name in ("RFC822", "RFC822.TEXT") or (item.name == "BODY[]" and not item.peek) for item in chosen
        )
        self.parts = tuple(dict.fromkeys(part for item in chosen for part in _fetched_part(item)))
        compiled = [_compiled(item, view, names) for item in chosen]
        self._getters = tuple([getter for _, getter in compiled])
        fields = b" ".join([field for field, _ in compiled])
        self._template = b"* %%d FETCH (%b)\r\n" % fields
        self._with_flags = None if "FLAGS" in names else b"* %%d FETCH (%b FLAGS %%b)\r\n" % fields
        """For messages whose flags changed by being fetched, where flags were not asked for."""

    def render(self, pairs: Sequence[tuple[int, Entry]], changed: Collection[int] = ()) -> bytes:
        """The responses for messages, given as (sequence number, entry). ``changed``: UIDs of those whose flags this
        FETCH changed."""
        template, getters = self._template, self._getters
        rows: list[tuple[Any, ...]]
        if len(getters) == 1:
            getter = getters[0]
            rows = [(number, getter(entry)) for number, entry in pairs]
        elif len(getters) == 2:
            first, second = getters
            rows = [(number, first(entry), second(entry)) for number, entry in pairs]
        else:
            rows = [(number, *[getter(entry) for getter in getters]) for number, entry in pairs]
        with_flags = self._with_flags
        if not changed or with_flags is None:
            return b"".join([template % row for row in rows])
        return b"".join(
            [
                with_flags % (*row, flags_of(self._view, entry)) if entry.uid in changed else template % row
                for row, (_, entry) in zip(rows, pairs, strict=True)
            ]
        )


def _fetched_part(item: FetchAtt) -> Iterable[tuple[str, bool]]:
    section = item.section or _RFC822_SECTIONS.get(item.name)
    if section is not None:
        words = [str(number) for number in section.path]
        if _PART_NAMES[section.kind]:
            words.append(_PART_NAMES[section.kind])
        # RFC822.HEADER leaves \Seen alone, as BODY.PEEK[HEADER] does (RFC 3501 section 6.4.5).
        yield ".".join(words) or "full", item.peek or item.name == "RFC822.HEADER"


def _compiled(item: FetchAtt, view: MailboxView, names: Collection[str]) -> tuple[bytes, _Getter]:
    """The item's place in the template, and what fills it. ``names`` are those of all items."""
    name = item.name
    if name == "UID":
        return b"UID %d", attrgetter("uid")
    if name == "RFC822.SIZE":
        return b"RFC822.SIZE %d", attrgetter("message.size")
    if name == "FLAGS":
        return b"FLAGS %b", flags_getter(view)
    if name == "INTERNALDATE":
        return b"INTERNALDATE %b", lambda entry: date_time(entry.message.received_at)
    if name in _RENDERED:
        kept_as, derive = f"imap {name}", _derive(name, names)
        return name.encode("ascii") + b" %b", lambda entry: entry.message.derived(kept_as, derive)
    return _compiled_section(item)


def _compiled_section(item: FetchAtt) -> tuple[bytes, _Getter]:
    partial = item.partial
    if item.section is not None:
        section = item.section
        label = section.name(None if partial is None else partial[0])
    else:
        section = _RFC822_SECTIONS[item.name]
        label = item.name.encode("ascii")
    field = label.replace(b"%", b"%%") + b" %b"
    if section == Section() and partial is None:
        return field, lambda entry: literal(entry.message.raw)

    # A client that asks for a part asks for others of the message soon, but a header is scanned faster than kept.
    by_path = bool(section.path)

    def value(entry: Entry) -> bytes:
        message = entry.message
        part = message.derived("parts", _parts) if by_path else _whole(message)
        found = section_value(part, section, partial)
        return NIL if found is None else literal(found)

    return field, value


def _parts(message: Message) -> Part:
    return parse(message.raw)


def _whole(message: Message) -> Part:
    """The message as one part whose body is not looked into."""
    part = Part(message.raw, scan(message.raw), _UNREAD_TYPE)
    part.body_stop = len(message.raw)
    return part


_UNREAD_TYPE = ContentType("text", "plain", ())

_RENDERED: dict[str, Callable[[HeaderBlock, Message], bytes]] = {
    "ENVELOPE": lambda header, _: envelope(header),
    "BODY": lambda header, message: structure(parse(message.raw, header), extended=False),
    "BODYSTRUCTURE": lambda header, message: structure(parse(message.raw, header), extended=True),
}
"""Computed once for a message and kept; the part tree that they are made of is larger, and is not."""


def _derive(name: str, names: Collection[str]) -> Callable[[Message], bytes]:
    """What renders an item of this name, and with it those others of ``names`` that need the same header scanned."""
    render = _RENDERED[name]
    others = [(f"imap {other}", _RENDERED[other]) for other in names if other in _RENDERED and other != name]

    def derive(message: Message) -> bytes:
        header = scan(message.raw)
        for kept_as, render_other in others:
            message.derived(kept_as, partial(render_other, header))
        return render(header, message)

    return derive
