"""LIST, LSUB and NAMESPACE (RFC 3501 sections 6.3.8 and 6.3.9, RFC 2342, RFC 3348, RFC 6154)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mockmail.core.accounts import DELIMITER, INBOX
from mockmail.imap import utf7
from mockmail.imap.commands import Command, List
from mockmail.imap.encode import astring
from mockmail.imap.handlers.patterns import Pattern
from mockmail.imap.replies import Output, ok
from mockmail.imap.state import ConnectionState

__all__ = ["list_mailboxes", "list_subscribed", "mailbox_name", "namespace"]

_CHUNK_NAMES = 100


def mailbox_name(name: str) -> bytes:
    """A mailbox name as it is sent."""
    return astring(utf7.encode(name))


def list_mailboxes(state: ConnectionState, command: List) -> Output:
    """LIST; without a pattern it asks for the delimiter and the root of the reference."""
    if not command.pattern:
        yield b'* LIST (\\Noselect) "%b" ""\r\n' % DELIMITER.encode("ascii")
        return ok("LIST completed")
    pattern = Pattern(command.reference + command.pattern)
    mailboxes = state.user.mailboxes
    names = state.user.names()
    parents = {name.rpartition(DELIMITER)[0] for name in names}
    shows_children, shows_use = state.offers("CHILDREN"), state.offers("SPECIAL-USE")
    listed: list[tuple[str, list[str]]] = []
    for names_in_turn in _in_chunks(names):
        for name in names_in_turn:
            if not pattern.matches(name):
                continue
            mailbox = mailboxes.get(name)
            attributes = ["\\Noselect"] if mailbox is None else []
            if shows_children:
                attributes.append("\\HasChildren" if name in parents else "\\HasNoChildren")
            if shows_use and mailbox is not None and mailbox.special_use is not None:
                attributes.append(mailbox.special_use)
            listed.append((name, attributes))
        yield _lines(b"LIST", listed)
        listed.clear()
    return ok("LIST completed")


def list_subscribed(state: ConnectionState, command: List) -> Output:
    """LSUB. A pattern that ends in ``%`` also finds names that are not subscribed and have subscribed ones below
    them, as ``\\Noselect``."""
    pattern = Pattern(command.reference + command.pattern)
    subscribed = state.user.subscriptions
    mailboxes = state.user.mailboxes
    listed: list[tuple[str, list[str]]] = []
    above: set[str] = set()
    for names_in_turn in _in_chunks(sorted(subscribed, key=lambda name: (name != INBOX, name))):
        for name in names_in_turn:
            if pattern.matches(name):
                listed.append((name, [] if mailboxes.get(name) is not None else ["\\Noselect"]))
            elif pattern.ends_in_percent:
                for parent in _names_above(name):
                    if parent not in above and parent not in subscribed and pattern.matches(parent):
                        above.add(parent)
                        listed.append((parent, ["\\Noselect"]))
        yield _lines(b"LSUB", listed)
        listed.clear()
    return ok("LSUB completed")


def _in_chunks(names: list[str]) -> Iterable[list[str]]:
    return (names[start : start + _CHUNK_NAMES] for start in range(0, len(names), _CHUNK_NAMES))


def _names_above(name: str) -> Iterator[str]:
    while DELIMITER in name:
        name = name.rpartition(DELIMITER)[0]
        yield name


def _lines(response: bytes, listed: Iterable[tuple[str, list[str]]]) -> bytes:
    delimiter = DELIMITER.encode("ascii")
    return b"".join(
        [
            b'* %b (%b) "%b" %b\r\n' % (response, " ".join(attributes).encode("ascii"), delimiter, mailbox_name(name))
            for name, attributes in listed
        ]
    )


def namespace(state: ConnectionState, command: Command) -> Output:
    """NAMESPACE: all mailboxes are the client's own."""
    yield b'* NAMESPACE (("" "%b")) NIL NIL\r\n' % DELIMITER.encode("ascii")
    return ok("NAMESPACE completed")
