"""Reports about messages: of delivery (RFC 3464), of disposition (RFC 8098) and of abuse (RFC 5965).

All three are a multipart/report (RFC 3462) of a text for people, fields for programs, and what was reported on. The
fields are looked for in any multipart, as mailing lists and gateways wrap reports anew; what is missing is ``""``,
``None`` or empty. No bytes make anything here raise.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mockmail.mime.charsets import content, guess
from mockmail.mime.dates import parse_date
from mockmail.mime.headers import HeaderBlock, Headers, scan, unfold
from mockmail.mime.parts import Part
from mockmail.mime.text import html, text, visible_text

__all__ = [
    "AbuseReport",
    "DeliveryReport",
    "Disposition",
    "DispositionReport",
    "Report",
    "ReportedRecipient",
    "read_report",
    "unescape_utf8_address",
]


def _no_fields() -> Headers:
    return Headers(HeaderBlock([], 0, 0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What all reports have."""

    text: str = ""
    """What it tells people, with ``\\n`` line ends."""
    returned: bytes = b""
    """The message reported on, or only its header; ``b""`` when neither is there."""
    returned_whole: bool = False
    """Whether ``returned`` is a message rather than its header."""
    fields: Headers = field(default_factory=_no_fields, compare=False, repr=False)
    """All fields for programs (of a delivery report those about the message), decoded, extensions too."""

    @property
    def returned_headers(self) -> Headers:
        """The decoded header of the message reported on: ``report.returned_headers["Message-ID"]``."""
        return Headers(scan(self.returned))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRecipient:
    """What came of one recipient (RFC 3464 section 2.3)."""

    recipient: str
    """Address in Final-Recipient, that is, after aliases; that of Original-Recipient when the former is missing."""
    original_recipient: str = ""
    """Address in Original-Recipient: what the sender gave as ORCPT."""
    action: str = ""
    """``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded``, in lower case."""
    status: str = ""
    """Enhanced status code (RFC 3463), such as ``5.1.1``, without a comment."""
    diagnostic: str = ""
    """Diagnostic-Code without its type, on one line: ``550 5.1.1 no such user``."""
    diagnostic_type: str = ""
    """Type of ``diagnostic`` in lower case, ``smtp`` for the reply of a server."""
    remote_mta: str = ""
    """Name of the server that said ``diagnostic``."""
    last_attempt_date: datetime.datetime | None = None
    will_retry_until: datetime.datetime | None = None
    """When a delayed message will be given up."""
    final_log_id: str = ""
    fields: Headers = field(default_factory=_no_fields, compare=False, repr=False)
    """All fields about it, decoded, extensions too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport(Report):
    """What became of a message on its way: a delivery status notification, or bounce (RFC 3464, RFC 6533)."""

    recipients: tuple[ReportedRecipient, ...] = ()
    reporting_mta: str = ""
    """Name of the server that reports."""
    original_envelope_id: str = ""
    """What the sender gave as ENVID."""
    arrival_date: datetime.datetime | None = None
    """When the message came to the reporting server."""
    received_from_mta: str = ""
    """Name of the server or client it came from."""
    dsn_gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """The field Disposition (RFC 8098 section 3.2.6), all in lower case."""

    action_mode: str = ""
    """``manual-action`` or ``automatic-action``."""
    sending_mode: str = ""
    """``mdn-sent-manually`` or ``mdn-sent-automatically``."""
    type: str = ""
    """``displayed``, ``deleted``, ``dispatched``, ``processed``, or of older agents ``denied`` and ``failed``."""
    modifiers: tuple[str, ...] = ()
    """Such as ``error``."""

    @property
    def mode(self) -> str:
        """Both modes as they stand in the field: ``manual-action/mdn-sent-manually``."""
        return "/".join(filter(None, (self.action_mode, self.sending_mode)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionReport(Report):
    """What a recipient's user agent did with a message: a message disposition notification, or read receipt
    (RFC 8098)."""

    disposition: Disposition = field(default_factory=Disposition)
    original_recipient: str = ""
    final_recipient: str = ""
    original_message_id: str = ""
    """Message-ID of the message, with its angle brackets."""
    reporting_ua: str = ""
    mdn_gateway: str = ""
    errors: tuple[str, ...] = ()
    """Texts of the fields Error and Failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseReport(Report):
    """A complaint about a message: a report in the Abuse Reporting Format (RFC 5965)."""

    feedback_type: str = ""
    """``abuse``, ``fraud``, ``virus``, ``not-spam``, ``auth-failure`` ..., in lower case."""
    user_agent: str = ""
    version: str = ""
    original_envelope_id: str = ""
    original_mail_from: str = ""
    """Reverse-path of the message, without angle brackets."""
    original_rcpt_to: tuple[str, ...] = ()
    """Its recipients, without angle brackets."""
    arrival_date: datetime.datetime | None = None
    reporting_mta: str = ""
    source_ip: str = ""
    incidents: int = 1
    """How many reports this one stands for."""
    authentication_results: tuple[str, ...] = ()
    reported_domain: tuple[str, ...] = ()
    reported_uri: tuple[str, ...] = ()


_KINDS = {
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/feedback-report": "feedback-report",
}
_HEADER_TYPES = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global"})


def read_report(message: Part) -> DeliveryReport | DispositionReport | AbuseReport | None:
    """The report that ``message`` is, or ``None``. A report inside a message that is attached is not one of
    ``message``."""
    found = _find(message, None, 0)
    if found is None:
        return None
    kind, part, siblings = found
    raw = part.content if part.message is None else content(part.body, part.encoding)
    groups = list(_groups(raw))
    whole, returned = _returned(siblings[siblings.index(part) + 1 :])
    told = _told(siblings[: siblings.index(part)])
    if kind == "delivery-status":
        return _delivery(groups, told, returned, whole)
    fields = Headers(_joined(groups))
    if kind == "disposition-notification":
        return _disposition(fields, told, returned, whole)
    return _abuse(fields, told, returned, whole)


def _find(part: Part, parent: Part | None, index: int) -> tuple[str, Part, list[Part]] | None:
    """The first part with fields for programs, which kind they are, and the parts of its multipart."""
    pending: list[tuple[Part, Part | None, int]] = [(part, parent, index)]
    while pending:
        part, parent, index = pending.pop()
        kind = _KINDS.get(part.media_type)
        if kind is None and parent is not None and index == 1 and parent.media_type == "multipart/report":
            # Some gateways call the fields text/plain; then the report-type tells what they are.
            named = (parent.parameter("report-type") or "").strip().lower()
            if named in _KINDS.values() and part.content_type.maintype in {"text", "application"}:
                kind = named
        if kind is not None:
            return kind, part, parent.children if parent is not None else [part]
        pending.extend((child, part, number) for number, child in reversed(list(enumerate(part.children))))
    return None


def _told(parts: list[Part]) -> str:
    """The text for people in the parts before the fields."""
    pieces = [(text(part) or visible_text(html(part))).strip("\n") for part in parts]
    return "\n\n".join(filter(None, pieces))


def _returned(parts: list[Part]) -> tuple[bool, bytes]:
    """Whether the message is there rather than its header, and its bytes. A transfer encoding, which only
    message/global may have (RFC 6532 section 3.7) and others have by mistake, is undone."""
    for part in parts:
        if part.media_type in _MESSAGE_TYPES:
            return True, content(part.body, part.encoding)
        if part.media_type in _HEADER_TYPES:
            return False, content(part.body, part.encoding)
    return False, b""


# delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields )          (RFC 3464 section 2.1)
_is_field = re.compile(rb"[!-9;-~]+[ \t]*:").match


def _groups(raw: bytes) -> Iterator[HeaderBlock]:
    """The groups of fields, between empty lines. A line that is no field and continues none is passed over, and a
    second Final-Recipient begins a group of its own, as servers exist that leave the empty line out."""
    lines: list[bytes] = []
    has_recipient = False
    for line in [*raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), b""]:
        is_recipient = line[:16].lower() == b"final-recipient:"
        if not line.strip() or (is_recipient and has_recipient):
            if lines:
                yield scan(b"\n".join(lines) + b"\n")
            lines, has_recipient = [], False
        if _is_field(line) or (lines and line[:1] in {b" ", b"\t"} and line.strip()):
            lines.append(line)
            has_recipient = has_recipient or is_recipient


def _joined(groups: list[HeaderBlock]) -> HeaderBlock:
    """One header of all groups: in reports other than of delivery an empty line is a mistake."""
    return HeaderBlock([line for group in groups for line in group.fields], 0, 0, 0)


_RECIPIENT_FIELDS = (b"final-recipient", b"original-recipient", b"action", b"status")


def _delivery(groups: list[HeaderBlock], told: str, returned: bytes, whole: bool) -> DeliveryReport:
    about_recipients: list[HeaderBlock] = []
    about_message: list[HeaderBlock] = []
    for group in groups:
        is_recipient = any(name in group.index for name in _RECIPIENT_FIELDS)
        (about_recipients if is_recipient else about_message).append(group)
    # A server that leaves out the first empty line has both in one group.
    fields = Headers(about_message[0] if about_message else _joined(about_recipients[:1]))
    return DeliveryReport(
        text=told,
        returned=returned,
        returned_whole=whole,
        fields=fields,
        recipients=tuple(_recipient(Headers(group)) for group in about_recipients),
        reporting_mta=_typed(fields, "Reporting-MTA")[1],
        original_envelope_id=_exactly(fields, "Original-Envelope-Id"),
        arrival_date=_moment(fields, "Arrival-Date"),
        received_from_mta=_typed(fields, "Received-From-MTA")[1],
        dsn_gateway=_typed(fields, "DSN-Gateway")[1],
    )


def _recipient(fields: Headers) -> ReportedRecipient:
    original = _address(fields, "Original-Recipient")
    diagnostic_type, diagnostic = _typed(fields, "Diagnostic-Code")
    return ReportedRecipient(
        recipient=_address(fields, "Final-Recipient") or original,
        original_recipient=original,
        action=_word(fields, "Action").lower(),
        status=_word(fields, "Status"),
        diagnostic=diagnostic,
        diagnostic_type=diagnostic_type,
        remote_mta=_typed(fields, "Remote-MTA")[1],
        last_attempt_date=_moment(fields, "Last-Attempt-Date"),
        will_retry_until=_moment(fields, "Will-Retry-Until"),
        final_log_id=_line(fields, "Final-Log-ID"),
        fields=fields,
    )


def _disposition(fields: Headers, told: str, returned: bytes, whole: bool) -> DispositionReport:
    # Disposition = disposition-mode ";" disposition-type [ "/" disposition-modifier *( "," disposition-modifier ) ]
    # disposition-mode = action-mode "/" sending-mode
    mode, semicolon, kind = _line(fields, "Disposition").lower().partition(";")
    if not semicolon:
        mode, kind = "", mode
    action_mode, _, sending_mode = (piece.strip() for piece in mode.partition("/"))
    name, _, modifiers = kind.partition("/")
    return DispositionReport(
        text=told,
        returned=returned,
        returned_whole=whole,
        fields=fields,
        disposition=Disposition(
            action_mode=action_mode,
            sending_mode=sending_mode,
            type=name.strip(),
            modifiers=tuple(filter(None, (modifier.strip() for modifier in modifiers.split(",")))),
        ),
        original_recipient=_address(fields, "Original-Recipient"),
        final_recipient=_address(fields, "Final-Recipient"),
        original_message_id=_exactly(fields, "Original-Message-ID"),
        reporting_ua=_line(fields, "Reporting-UA"),
        mdn_gateway=_typed(fields, "MDN-Gateway")[1],
        errors=_lines(fields, "Error") + _lines(fields, "Failure"),
    )


def _abuse(fields: Headers, told: str, returned: bytes, whole: bool) -> AbuseReport:
    incidents = _word(fields, "Incidents")
    return AbuseReport(
        text=told,
        returned=returned,
        returned_whole=whole,
        fields=fields,
        feedback_type=_word(fields, "Feedback-Type").lower(),
        user_agent=_line(fields, "User-Agent"),
        version=_word(fields, "Version"),
        original_envelope_id=_exactly(fields, "Original-Envelope-Id"),
        original_mail_from=_without_brackets(_line(fields, "Original-Mail-From")),
        original_rcpt_to=tuple(map(_without_brackets, _lines(fields, "Original-Rcpt-To"))),
        # Drafts of the format called it Received-Date, and large providers still do.
        arrival_date=_moment(fields, "Arrival-Date") or _moment(fields, "Received-Date"),
        reporting_mta=_typed(fields, "Reporting-MTA")[1],
        source_ip=_word(fields, "Source-IP"),
        incidents=int(incidents) if re.fullmatch(r"[0-9]{1,18}", incidents) else 1,
        authentication_results=_lines(fields, "Authentication-Results"),
        reported_domain=_lines(fields, "Reported-Domain"),
        reported_uri=_lines(fields, "Reported-URI"),
    )


def _line(fields: Headers, name: str) -> str:
    """A value with each run of white space, folding included, as one space."""
    return " ".join(fields.get(name, "").split())


def _exactly(fields: Headers, name: str) -> str:
    """A value unfolded and no more: addresses and identifiers may have spaces, and have no encoded words."""
    value = fields.raw(name)
    return "" if value is None else guess(unfold(value))


def _lines(fields: Headers, name: str) -> tuple[str, ...]:
    return tuple(" ".join(value.split()) for value in fields.all(name))


def _word(fields: Headers, name: str) -> str:
    """The first word of a value: behind it stand comments, in brackets or without."""
    words = _line(fields, name).partition("(")[0].split()
    return words[0] if words else ""


def _moment(fields: Headers, name: str) -> datetime.datetime | None:
    return parse_date(fields.get(name, ""))


# mta-name-type ";" mta-name, address-type ";" generic-address, diagnostic-type ";" *text
_type = re.compile(r"[ \t]*([A-Za-z0-9][A-Za-z0-9_.-]*)[ \t]*;").match


def _typed(fields: Headers, name: str) -> tuple[str, str]:
    """The type before the semicolon in lower case, ``""`` when it is missing, and the rest."""
    return _split_type(_line(fields, name))


def _split_type(value: str) -> tuple[str, str]:
    match = _type(value)
    return ("", value) if match is None else (match[1].lower(), value[match.end() :].strip(" \t"))


def _address(fields: Headers, name: str) -> str:
    kind, address = _split_type(_exactly(fields, name))
    address = _without_brackets(address)
    return unescape_utf8_address(address) if kind == "utf-8" else address


def _without_brackets(address: str) -> str:
    return address[1:-1].strip() if address[:1] == "<" and address[-1:] == ">" else address


# EmbeddedUnicodeChar = "\x{" HEXPOINT "}"           ; in an address of type utf-8 (RFC 6533 section 3)
_embedded = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def unescape_utf8_address(address: str) -> str:
    """``\\x{E9}`` is ``é``; what names no character stays."""

    def character(match: re.Match[str]) -> str:
        point = int(match[1], 16)
        return chr(point) if point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF else match[0]

    return _embedded.sub(character, address)
