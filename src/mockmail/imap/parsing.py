"""Complete commands to the values of :mod:`mockmail.imap.commands`: one function for each shape of arguments, found in
a table by the name of the command."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Literal

from mockmail.imap.arguments import read_fetch_atts, read_mailbox, read_pattern
from mockmail.imap.commands import (
    Append,
    Authenticate,
    Command,
    Create,
    Enable,
    Expunge,
    Fetch,
    Id,
    List,
    Login,
    OnMailbox,
    Rename,
    Search,
    Select,
    Status,
    Store,
    Transfer,
)
from mockmail.imap.extensions import ALL_UNDERSTOOD, Understood
from mockmail.imap.framing import RawCommand
from mockmail.imap.search.keys import read_search
from mockmail.imap.sets import SequenceSet
from mockmail.imap.tokens import BadSyntax, Reader, nearest
from mockmail.records import record

__all__ = ["STATUS_ATTS", "parse", "secret_spans"]

STATUS_ATTS = frozenset({"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"})
_USE_ATTRS = {
    use.lower(): use for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}


def parse(command: RawCommand, understood: Understood = ALL_UNDERSTOOD, *, utf8: bool = False) -> Command:
    """The command as a value of the class for it.

    Raises :class:`BadSyntax`, and nothing else, for anything a client can send; its ``tag`` is ``None`` when there is
    none to reply to. ``utf8``: UTF8=ACCEPT is enabled.
    """
    reader = Reader(command, utf8=utf8)
    reader.secret = bool(command.pieces) and _SECRETIVE.match(command.pieces[0].data) is not None
    tag: str | None = None
    try:
        if not reader.more():
            raise BadSyntax("The line is empty; a command is a tag, a space and a name")
        tag = reader.tag()
        reader.sp(f"a command after the tag {tag[:40]}")
        name = reader.atom("a command name").upper()
        uid = name == "UID"
        if uid:
            reader.sp("a command after UID")
            name = reader.atom("a command name").upper()
        full_name = f"UID {name}" if uid else name
        read = _READERS.get(name)
        if read is None or full_name not in understood.commands:
            raise BadSyntax(_unknown(tag, full_name, understood))
        value = read(_Start(tag, name, uid, understood), reader)
        reader.end()
    except BadSyntax as error:
        error.tag = tag
        raise
    return value


def _unknown(tag: str, full_name: str, understood: Understood) -> str:
    if full_name in ALL_UNDERSTOOD.commands:
        return f"{full_name} is not available here: its capability is not advertised"
    if full_name.startswith("UID ") and full_name[4:] in understood.commands:
        return f"{full_name[4:]} has no UID form"
    hint = nearest(full_name, understood.commands)
    if not hint and tag.upper() in understood.commands:
        hint = f"; {tag.upper()} was taken for the tag, write a tag and a space before it"
    return f"Unknown command {full_name[:40]}{hint}"


_SECRETIVE = re.compile(rb"\s*(?:\S+\s+)?(?:LOGIN|AUTHENTICATE)\s", re.IGNORECASE)

_TAGLESS = re.compile(rb"\s*(?:LOGIN|AUTHENTICATE)\s", re.IGNORECASE)
"""What is taken for the tag then, is none."""


def secret_spans(command: RawCommand) -> tuple[tuple[int, int], ...]:
    """Offsets ``[start, stop)``, in the bytes received since the connection began, of what must not be shown: the
    password of LOGIN, the initial response of AUTHENTICATE. Works on commands that do not parse, and on unfinished
    ones (of a ``Continuation`` or ``Refusal``), where it errs on the side of secrecy. Any other command has none."""
    if not command.pieces or not _SECRETIVE.match(command.pieces[0].data):
        return ()
    reader = Reader(command)
    known = command.pieces[0].start
    try:
        if _TAGLESS.match(command.pieces[0].data):
            reader.fail("a tag")
        reader.tag()
        reader.sp("a command")
        reader.atom()
        reader.sp("an argument")
        known = reader.offset
        reader.astring()
        known = reader.offset
    except BadSyntax:
        pass
    spans: list[tuple[int, int]] = []
    for piece in command.pieces:
        start = max(piece.start, known)
        if start > piece.start and piece.data[start - piece.start : start - piece.start + 1] == b" ":
            start += 1
        if start < piece.stop and (piece.literal or piece.data[start - piece.start :].strip(b" ")):
            spans.append((start, piece.stop))
    return tuple(spans)


@record
class _Start:
    """What is known of a command before its arguments are read."""

    tag: str
    name: str
    uid: bool
    understood: Understood


def _plain(start: _Start, reader: Reader) -> Command:
    return Command(start.tag, start.name, start.uid)


# authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")] *(CRLF base64)      RFC 4959
def _authenticate(start: _Start, reader: Reader) -> Command:
    reader.sp("a SASL mechanism")
    mechanism = reader.atom("a SASL mechanism").upper()
    response: bytes | None = None
    if reader.more():
        if "AUTHENTICATE initial-response" not in start.understood.parameters:
            raise BadSyntax("An initial response is not available here: SASL-IR is not advertised")
        reader.sp("an initial response")
        what = "an initial response in base64, or '='"
        response = b"=" if reader.skip(b"=") else reader.base64(what)
        if not response:
            reader.fail(what)
    return Authenticate(start.tag, start.name, start.uid, mechanism, response)


# login = "LOGIN" SP userid SP password
def _login(start: _Start, reader: Reader) -> Command:
    reader.sp("a user name")
    user = reader.astring("a user name")
    reader.sp("a password")
    return Login(start.tag, start.name, start.uid, _text(user), _text(reader.astring("a password")))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _select(start: _Start, reader: Reader) -> Command:
    reader.sp("a mailbox name")
    return Select(start.tag, start.name, start.uid, read_mailbox(reader))


# create       = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]    RFC 4466
# create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")"                         RFC 6154
def _create(start: _Start, reader: Reader) -> Command:
    reader.sp("a mailbox name")
    mailbox = read_mailbox(reader)
    use: list[str] = []
    if reader.more():
        reader.sp("parameters in parentheses")
        if "CREATE USE" not in start.understood.parameters:
            raise BadSyntax("Parameters of CREATE are not available here: CREATE-SPECIAL-USE is not advertised")

        def parameter() -> None:
            reader.expect(b"USE", "USE")
            reader.sp("attributes in parentheses")
            use.extend(reader.flag_list())

        reader.parenthesized(parameter, "USE")
        for attribute in use:
            if not attribute.startswith("\\"):
                raise BadSyntax(f"The attribute {attribute[:40]} of USE lacks its backslash")
    known = tuple(dict.fromkeys(_USE_ATTRS.get(attribute.lower(), attribute) for attribute in use))
    return Create(start.tag, start.name, start.uid, mailbox, known)


def _on_mailbox(start: _Start, reader: Reader) -> Command:
    reader.sp("a mailbox name")
    return OnMailbox(start.tag, start.name, start.uid, read_mailbox(reader))


def _rename(start: _Start, reader: Reader) -> Command:
    reader.sp("a mailbox name")
    mailbox = read_mailbox(reader)
    reader.sp("the new mailbox name")
    return Rename(start.tag, start.name, start.uid, mailbox, read_mailbox(reader))


# list = "LIST" SP mailbox SP list-mailbox, and RETURN of RFC 6154 section 2
def _list(start: _Start, reader: Reader) -> Command:
    reader.sp("a reference name")
    reference, pattern = read_pattern(reader)
    options: list[str] = []
    if start.name == "LIST" and reader.more():
        reader.sp("RETURN")
        if "LIST RETURN SPECIAL-USE" not in start.understood.parameters:
            raise BadSyntax("RETURN is not available here: SPECIAL-USE is not advertised")
        reader.expect(b"RETURN", "RETURN")
        reader.sp("options in parentheses")
        options = reader.parenthesized(lambda: reader.atom("SPECIAL-USE").upper(), "SPECIAL-USE", may_be_empty=True)
        for option in options:
            if option != "SPECIAL-USE":
                raise BadSyntax(f"Unknown option {option[:40]} of LIST; write RETURN (SPECIAL-USE)")
    return List(start.tag, start.name, start.uid, reference, pattern, frozenset(options))


# status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
def _status(start: _Start, reader: Reader) -> Command:
    reader.sp("a mailbox name")
    mailbox = read_mailbox(reader)
    reader.sp("items in parentheses")
    items = reader.parenthesized(lambda: reader.atom("a STATUS item").upper(), "a STATUS item")
    for item in items:
        if item not in STATUS_ATTS:
            raise BadSyntax(f"Unknown STATUS item {item[:40]}{nearest(item, STATUS_ATTS)}")
    return Status(start.tag, start.name, start.uid, mailbox, tuple(dict.fromkeys(items)))


# append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal
def _append(start: _Start, reader: Reader) -> Command:
    reader.sp("a mailbox name")
    mailbox = read_mailbox(reader)
    reader.sp("flags, a date-time or a literal")
    flags: tuple[str, ...] = ()
    date_time: datetime.datetime | None = None
    if reader.peek(b"("):
        flags = reader.flag_list()
        reader.sp("a date-time or a literal")
    if reader.peek(b'"'):
        date_time = reader.date_time()
        reader.sp("a literal")
    return Append(start.tag, start.name, start.uid, mailbox, flags, date_time, reader.literal("the message"))


def _search(start: _Start, reader: Reader) -> Command:
    reader.sp("a search key")
    charset, key = read_search(reader, within="SEARCH WITHIN" in start.understood.parameters)
    return Search(start.tag, start.name, start.uid, charset, key)


def _fetch(start: _Start, reader: Reader) -> Command:
    messages = _messages(reader)
    reader.sp("a FETCH item")
    return Fetch(start.tag, start.name, start.uid, messages, read_fetch_atts(reader))


# store           = "STORE" SP sequence-set SP store-att-flags
# store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
def _store(start: _Start, reader: Reader) -> Command:
    messages = _messages(reader)
    reader.sp("FLAGS, +FLAGS or -FLAGS")
    mode: Literal["+", "-", ""] = "+" if reader.skip(b"+") else "-" if reader.skip(b"-") else ""
    reader.expect(b"FLAGS", "FLAGS, +FLAGS or -FLAGS")
    silent = reader.skip(b".SILENT")
    reader.sp("flags")
    if reader.peek(b"("):
        flags = reader.flag_list()
    else:
        bare = [reader.flag()]
        while reader.more():
            reader.sp("a flag")
            bare.append(reader.flag())
        flags = tuple(bare)
    return Store(start.tag, start.name, start.uid, messages, mode, silent, flags)


def _transfer(start: _Start, reader: Reader) -> Command:
    messages = _messages(reader)
    reader.sp("a mailbox name")
    return Transfer(start.tag, start.name, start.uid, messages, read_mailbox(reader))


def _expunge(start: _Start, reader: Reader) -> Command:
    return Expunge(start.tag, start.name, start.uid, _messages(reader) if start.uid else None)


def _messages(reader: Reader) -> SequenceSet:
    reader.sp("a sequence set")
    return reader.sequence_set()


# id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)    RFC 2971
def _id(start: _Start, reader: Reader) -> Command:
    reader.sp("'(' or NIL")
    if reader.skip(b"NIL"):
        return Id(start.tag, start.name, start.uid, None)

    def pair() -> tuple[str, str | None]:
        name = reader.string("a field name in quotes")
        reader.sp("a value")
        value = reader.nstring("a value in quotes, or NIL")
        return _text(name), None if value is None else _text(value)

    fields = reader.parenthesized(pair, "a field and its value", may_be_empty=True)
    return Id(start.tag, start.name, start.uid, tuple(fields))


# enable = "ENABLE" 1*(SP capability)    RFC 5161
def _enable(start: _Start, reader: Reader) -> Command:
    names: list[str] = []
    while reader.more() or not names:
        reader.sp("a capability")
        names.append(reader.atom("a capability").upper())
    return Enable(start.tag, start.name, start.uid, tuple(dict.fromkeys(names)))


_READERS: dict[str, Callable[[_Start, Reader], Command]] = {
    **dict.fromkeys(("CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "CHECK", "CLOSE"), _plain),
    **dict.fromkeys(("UNSELECT", "NAMESPACE", "IDLE"), _plain),
    "AUTHENTICATE": _authenticate,
    "LOGIN": _login,
    **dict.fromkeys(("SELECT", "EXAMINE"), _select),
    "CREATE": _create,
    **dict.fromkeys(("DELETE", "SUBSCRIBE", "UNSUBSCRIBE"), _on_mailbox),
    "RENAME": _rename,
    **dict.fromkeys(("LIST", "LSUB"), _list),
    "STATUS": _status,
    "APPEND": _append,
    "SEARCH": _search,
    "FETCH": _fetch,
    "STORE": _store,
    **dict.fromkeys(("COPY", "MOVE"), _transfer),
    "EXPUNGE": _expunge,
    "ID": _id,
    "ENABLE": _enable,
}
