"""Delivery status notifications: the messages that tell a sender what became of mail (RFC 3461 section 6, RFC 3464,
and RFC 6533 where something is not ASCII). Loop thread only where a ``World`` is given; the rest is pure.
"""

from __future__ import annotations

import binascii
import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockmail.core.message import Envelope, Message
from mockmail.core.notification import option
from mockmail.core.queue import QueuedRecipient, QueueEntry
from mockmail.mime.headers import Headers, scan
from mockmail.mime.report import unescape_utf8_address
from mockmail.relay.notify import Action, Outcome, by_action, is_wanted, outcomes_of
from mockmail.relay.wording import SUBJECTS, date_text, explain, on_one_line
from mockmail.smtp.params import ArgumentError, decode_xtext

if TYPE_CHECKING:
    from mockmail.core.world import World

__all__ = ["Composed", "Reported", "compose_report", "reports_on"]

_LINE_LIMIT = 76
_ID_LIMIT = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The message that a report is about."""

    content: bytes
    """With the trace header of this server on top."""
    sender: str
    """Where the report goes."""
    arrived_at: datetime.datetime
    mail_options: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters of MAIL as sent: RET, ENVID, SMTPUTF8, BODY."""
    log_id: str = ""
    """By which name this server knows it."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A report, and the parameters of MAIL with which it may travel."""

    raw: bytes
    mail_options: Mapping[str, str | None]


def reports_on(
    world: World, entry: QueueEntry, recipients: Iterable[QueuedRecipient], *, server: str | None = None
) -> list[Message]:
    """The reports that the sender of ``entry`` wants of these recipients as they stand, one for each kind of outcome.
    They come from the null sender, and go the way of all mail by the caller. ``server`` is the name of this one."""
    wanted = [outcome for outcome in outcomes_of(entry, recipients) if is_wanted(outcome, entry.sender)]
    message, name = entry.message, server or world.settings.default_domain
    options = message.envelope.mail_options
    if entry.sender != message.sender:
        # The members of a list get a message of its owner, who set no RET and no ENVID (RFC 3461 section 5.2.7.1).
        options = {key: value for key, value in options.items() if key.upper() not in {"RET", "ENVID"}}
    about = Reported(
        content=entry.content,
        sender=entry.sender,
        arrived_at=message.received_at,
        mail_options=options,
        log_id=message.id,
    )
    now = world.clock.now()
    trace = b"Return-Path: <>\r\n" if world.settings.trace_headers else b""
    reports = []
    for outcomes in by_action(wanted).values():
        report_id = world.store.new_id()
        composed = compose_report(about, outcomes, server=name, report_id=report_id, now=now)
        envelope = Envelope("", (entry.sender,), composed.mail_options)
        reports.append(
            Message(trace + composed.raw, id=report_id, envelope=envelope, received_at=now, trace_length=len(trace))
        )
    return reports


def compose_report(
    about: Reported, outcomes: Sequence[Outcome], *, server: str, report_id: str, now: datetime.datetime
) -> Composed:
    """A multipart/report of ``outcomes``, at least one, all of one action: the text, message/delivery-status, and the
    message or its header. ``server`` is the name of the reporting server, ``report_id`` names the report in its
    Message-ID."""
    action = outcomes[0].action
    block = scan(about.content)
    header_bytes = about.content[block.start : block.stop]
    utf8 = _is_internationalized(about, outcomes, header_bytes)
    whole = _returns_all(about, action)
    header = Headers(block)
    server = server if utf8 else _a_labels(server)
    text = explain(
        action,
        outcomes,
        header,
        server=server,
        arrived_at=about.arrived_at,
        attached=f"{'The message' if whole else 'The header of the message'} is attached.",
    )
    parts = [
        _text_part(text, utf8),
        _status_part(about, outcomes, server, utf8),
        _returned_part(about.content if whole else header_bytes, whole, utf8),
    ]
    boundary = _boundary(report_id, parts)
    separator = b"--" + boundary + b"\r\n"
    head = _head(about, action, header, server=server, report_id=report_id, now=now, utf8=utf8)
    head.append(f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary.decode()}"')
    is_ascii = all(part.isascii() for part in parts)
    if not is_ascii:
        head.append("Content-Transfer-Encoding: 8bit")
    raw = b"".join(
        [
            "\r\n".join(head).encode("utf-8", "replace"),
            b"\r\n\r\n",
            *(separator + part + b"\r\n" for part in parts),
            b"--" + boundary + b"--\r\n",
        ]
    )
    options: dict[str, str | None] = {} if is_ascii else {"BODY": "8BITMIME"}
    if utf8:
        options["SMTPUTF8"] = None
    if _requires_tls(about.mail_options):
        options["REQUIRETLS"] = None
    return Composed(raw, options)


def _is_internationalized(about: Reported, outcomes: Sequence[Outcome], header: bytes) -> bool:
    """Whether the report needs what only an SMTPUTF8 sender is known to read (RFC 6533 section 6)."""
    if not about.sender.isascii():
        return True
    asked = any(name.upper() == "SMTPUTF8" for name in about.mail_options)
    return asked and not (header.isascii() and all(outcome.recipient.isascii() for outcome in outcomes))


def _a_labels(domain: str) -> str:
    """A domain name in ASCII (RFC 5890 section 2.3.2.1)."""
    try:
        return domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        return "localhost"


def _returns_all(about: Reported, action: Action) -> bool:
    """RFC 3461 section 6.2: the whole message only with a failure, and then unless RET=HDRS; one in BINARYMIME could
    not travel back everywhere, and one with REQUIRETLS shall not (RFC 8689 section 5)."""
    options = about.mail_options
    is_binary = option(options, "BODY").upper() == "BINARYMIME"
    only_header = option(options, "RET").upper() == "HDRS" or is_binary or _requires_tls(options)
    return action == "failed" and not only_header


def _requires_tls(options: Mapping[str, str | None]) -> bool:
    return any(name.upper() == "REQUIRETLS" for name in options)


_is_message_id = re.compile(r"<[^<>\s@]+@[^<>\s@]+>").fullmatch


def _head(
    about: Reported,
    action: Action,
    header: Headers,
    *,
    server: str,
    report_id: str,
    now: datetime.datetime,
    utf8: bool,
) -> list[str]:
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{server}>",
        f"To: <{about.sender}>",
        f"Subject: {SUBJECTS[action]}",
        f"Date: {date_text(now)}",
        f"Message-ID: <{report_id}@{server}>",
    ]
    original_id = header.get("Message-ID", "")
    if len(original_id) < _ID_LIMIT and _is_message_id(original_id) and (utf8 or original_id.isascii()):
        lines.append(f"References: {original_id}")
    return [*lines, "Auto-Submitted: auto-replied", "MIME-Version: 1.0"]


def _text_part(text: str, utf8: bool) -> bytes:
    content = text.replace("\n", "\r\n").encode("utf-8", "replace")
    encoding = "7bit"
    if not content.isascii() and utf8:
        encoding = "8bit"
    elif not content.isascii():
        content, encoding = binascii.b2a_qp(content), "quoted-printable"
    charset = "us-ascii" if encoding == "7bit" else "utf-8"
    head = (
        f"Content-Description: Notification\r\nContent-Type: text/plain; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + content


def _returned_part(content: bytes, whole: bool, utf8: bool) -> bytes:
    if utf8:
        media_type = "message/global" if whole else "message/global-headers"
    else:
        media_type = "message/rfc822" if whole else "text/rfc822-headers"
    description = "Undelivered message" if whole else "Header of the message"
    encoding = "" if content.isascii() else "Content-Transfer-Encoding: 8bit\r\n"
    head = f"Content-Description: {description}\r\nContent-Type: {media_type}\r\n{encoding}\r\n"
    return head.encode() + content


def _boundary(report_id: str, parts: Iterable[bytes]) -> bytes:
    boundary = b"=_" + report_id.encode()
    while any(b"--" + boundary in part for part in parts):
        boundary += b"_"
    return boundary


# The fields for programs


def _status_part(about: Reported, outcomes: Sequence[Outcome], server: str, utf8: bool) -> bytes:
    groups = [_message_fields(about, server), *(_recipient_fields(one, about.log_id, utf8) for one in outcomes)]
    text = "\r\n".join("".join(_folded(name, value) for name, value in group) for group in groups)
    content = text.encode("utf-8", "replace")
    media_type = "message/global-delivery-status" if utf8 else "message/delivery-status"
    encoding = "" if content.isascii() else "Content-Transfer-Encoding: 8bit\r\n"
    return f"Content-Description: Delivery report\r\nContent-Type: {media_type}\r\n{encoding}\r\n".encode() + content


def _message_fields(about: Reported, server: str) -> list[tuple[str, str]]:
    fields = [("Reporting-MTA", f"dns; {server}"), ("Arrival-Date", date_text(about.arrived_at))]
    envelope_id = option(about.mail_options, "ENVID")
    if envelope_id:
        fields.insert(0, ("Original-Envelope-Id", _from_xtext(envelope_id)))
    return fields


def _recipient_fields(outcome: Outcome, log_id: str, utf8: bool) -> list[tuple[str, str]]:
    fields = []
    kind, semicolon, original = option(outcome.options, "ORCPT").partition(";")
    if semicolon and kind.lower() == "utf-8":
        fields.append(("Original-Recipient", f"utf-8; {_utf8_address(unescape_utf8_address(original), utf8)}"))
    elif semicolon:
        fields.append(("Original-Recipient", f"{kind}; {_from_xtext(original)}"))
    final = outcome.recipient
    final = f"rfc822; {final}" if final.isascii() else f"utf-8; {_utf8_address(final, utf8)}"
    fields += [("Final-Recipient", final), ("Action", outcome.action), ("Status", outcome.status)]
    if outcome.remote:
        fields.append(("Remote-MTA", f"dns; {_sayable(outcome.remote, utf8)}"))
    if outcome.reply:
        kind = "smtp" if outcome.remote_spoke else "X-Mockmail"
        fields.append(("Diagnostic-Code", f"{kind}; {_sayable(outcome.reply, utf8)}"))
    if outcome.attempted_at is not None:
        fields.append(("Last-Attempt-Date", date_text(outcome.attempted_at)))
    if log_id:
        fields.append(("Final-Log-ID", log_id))
    if outcome.retry_until is not None and outcome.action == "delayed":
        fields.append(("Will-Retry-Until", date_text(outcome.retry_until)))
    return fields


def _folded(name: str, value: str) -> str:
    """A field, folded where it has spaces (RFC 3464 section 2.1.1)."""
    lines, line = [], f"{name}:"
    for word in value.split(" "):
        if len(line) + 1 + len(word) > _LINE_LIMIT and line[-1] != ":" and line.strip() and word:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]) + "\r\n"


def _from_xtext(value: str) -> str:
    """What xtext stands for; itself, if that could not stand in a field."""
    try:
        decoded = decode_xtext(value)
    except ArgumentError:
        return value
    return decoded if decoded.isascii() and decoded.isprintable() and decoded.strip() == decoded else value


def _utf8_address(address: str, utf8: bool) -> str:
    """utf-8-addr-unitext, or utf-8-addr-xtext where all must be ASCII (RFC 6533 section 3)."""

    def escaped(character: str) -> str:
        plain = character.isprintable() and character not in "\\+= " and (utf8 or character.isascii())
        return character if plain else f"\\x{{{ord(character):02X}}}"

    return "".join(map(escaped, address))


def _sayable(text: str, utf8: bool) -> str:
    """Text on one line of bounded length, in encoded words where it must be ASCII and is not (RFC 3464 section
    2.1.1)."""
    shown = on_one_line(text)
    if "=?" not in shown and (utf8 or shown.isascii()):
        return shown
    words, word = [], b""
    for character in shown:
        encoded = character.encode()
        if len(word) + len(encoded) > 42:
            words.append(word)
            word = b""
        word += encoded
    words.append(word)
    return " ".join(f"=?utf-8?b?{binascii.b2a_base64(one, newline=False).decode()}?=" for one in words)
