"""ENVELOPE (RFC 3501 section 7.4.2), rendered from the header scan."""

from __future__ import annotations

import re
from functools import lru_cache

from mockmail.imap.encode import NIL, nstring
from mockmail.mime.addresses import mailboxes
from mockmail.mime.headers import HeaderBlock

__all__ = ["EMPTY_ENVELOPE", "address_list", "envelope"]

EMPTY_ENVELOPE = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
_CACHED_BYTES = 256
_is_plain = re.compile(rb"[ !#-\[\]-~\t]*(?<![ \t])").fullmatch
"""Whether a value on one line, with no white space before it, can be quoted as it stands."""


def envelope(header: HeaderBlock) -> bytes:
    """The parenthesized ENVELOPE of the message with this header. Encoded words stay as they are; a field that
    occurs more than once counts once, except that address lists are put together."""
    # envelope        = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP
    #                   env-bcc SP env-in-reply-to SP env-message-id ")"
    value_of = header.index.get
    sender = _addresses(header, b"from", value_of(b"from"))
    submitter = _addresses(header, b"sender", value_of(b"sender"))
    reply_to = _addresses(header, b"reply-to", value_of(b"reply-to"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(value_of(b"date")),
        _text(value_of(b"subject")),
        sender,
        sender if submitter is NIL else submitter,
        sender if reply_to is NIL else reply_to,
        _addresses(header, b"to", value_of(b"to")),
        _addresses(header, b"cc", value_of(b"cc")),
        _addresses(header, b"bcc", value_of(b"bcc")),
        _text(value_of(b"in-reply-to")),
        _text(value_of(b"message-id")),
    )


def _text(value: bytes | None) -> bytes:
    if value is None:
        return NIL
    if _is_plain(value):
        return b'"%b"' % value
    # A literal holds CHAR8, which NUL is not.
    return nstring(value.translate(None, b"\r\n\0").strip(b" \t"))


def _addresses(header: HeaderBlock, name: bytes, value: bytes | None) -> bytes:
    if value is None:
        return NIL
    if name in header.repeated:
        value = b", ".join(header.values(name))
    return _cached_address_list(value) if len(value) <= _CACHED_BYTES else address_list(value)


def address_list(value: bytes) -> bytes:
    """A raw address list as ``((name route mailbox host) ...)``, or ``NIL`` when nothing is in it."""
    # address         = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
    boxes = mailboxes(value.translate(None, b"\r\n\0"))
    if not boxes:
        return NIL
    return b"(%b)" % b"".join(
        [
            b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(local), nstring(domain))
            for name, route, local, domain in boxes
        ]
    )


_cached_address_list = lru_cache(maxsize=1024)(address_list)
"""The same few people write most of the mail of a mailbox."""
