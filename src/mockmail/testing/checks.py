"""Checks that read what there is, once: blind recipients shown, commands that broke the protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mockmail.core.accounts import canonical_address
from mockmail.core.events import Command
from mockmail.core.message import Message
from mockmail.mime.headers import Headers, scan

__all__ = ["bcc_leak", "protocol_errors"]

_PUBLIC_FIELDS = ("to", "cc", "from", "sender", "reply-to", "resent-to", "resent-cc", "resent-from", "resent-sender")

_SMTP_SYNTAX_OR_STATE = re.compile(r"50[0-4]\b|555\b").match
_POP3_ERROR = re.compile(r"-ERR\b").match
_IMAP_ERROR = re.compile(r"(?:\S+ )?BAD\b").match
_POP3_LOGINS = frozenset({"USER", "PASS", "APOP", "AUTH"})


def bcc_leak(message: Message) -> str:
    """A sentence on how the header shows a blind recipient, or ``""``. Trace headers of the server do not count."""
    headers = Headers(scan(message.original))
    for value in headers.all("bcc"):
        if value.strip():
            return (
                f"{message!r} was sent with the field Bcc: {value}. Every recipient can read it: take Bcc out of the"
                " message before sending, and keep its addresses in the envelope."
            )
    if len(message.recipients) < 2:
        return ""  # nobody else gets this copy
    public = {canonical_address(one.address) for name in _PUBLIC_FIELDS for one in message.header_addresses(name)}
    for recipient in message.recipients:
        blind = canonical_address(recipient)
        if blind in public:
            continue
        address = re.compile(rf"(?<![\w.+-]){re.escape(recipient)}(?![\w-])", re.IGNORECASE)
        for name, value in headers.fields():
            if address.search(value):
                return (
                    f"{message!r} shows its blind recipient {recipient} to"
                    f" {', '.join(one for one in message.recipients if one != recipient)} in the field {name}: {value}"
                )
    return ""


def protocol_errors(commands: Iterable[Command]) -> list[Command]:
    """Commands that were answered by an error of syntax or of state, rather than carried out or refused."""
    return [command for command in commands if _is_protocol_error(command)]


def _is_protocol_error(command: Command) -> bool:
    if command.protocol == "imap":
        return _IMAP_ERROR(command.reply) is not None
    if command.protocol == "pop3":
        # A login that failed is no error of the protocol; -ERR says no more than that.
        return command.name.upper() not in _POP3_LOGINS and _POP3_ERROR(command.reply) is not None
    if command.protocol == "http":
        return False  # its statuses tell what was asked for, and not how
    return _SMTP_SYNTAX_OR_STATE(command.reply) is not None
