"""A message as it was stored: the bytes, the envelope, and what is derived from them on demand."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast

from mockmail.core.trace import trace_headers
from mockmail.mime import text as content
from mockmail.mime.addresses import Address, addresses
from mockmail.mime.dates import parse_date
from mockmail.mime.headers import HeaderBlock, Headers, scan
from mockmail.mime.parts import Part, parse
from mockmail.records import record

if TYPE_CHECKING:
    from email.message import EmailMessage

    from mockmail.mime.report import AbuseReport, DeliveryReport, DispositionReport

__all__ = ["Envelope", "Message", "StoredMessage"]

T = TypeVar("T")
_SHOWN_CHARACTERS = 2000


@record
class Envelope:
    """What MAIL and RCPT said (RFC 5321 section 2.3.1)."""

    sender: str = ""
    """The reverse-path; ``""`` is the null sender."""
    recipients: tuple[str, ...] = ()
    """The accepted forward-paths, as given."""
    mail_options: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters of MAIL, names and values as sent; ``None`` for a parameter without a value."""
    rcpt_options: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    """Parameters of RCPT by recipient, for recipients that had any."""


_Options: TypeAlias = tuple[Mapping[str, str | None], Mapping[str, Mapping[str, str | None]]]
"""Those of MAIL, and those of RCPT by recipient, as in an ``Envelope``."""


class _Stored:
    """The bytes of a message and what is known of their arrival."""

    __slots__ = (
        "_derived", "_options", "_pieces", "_trace_begins", "_trace_length", "envelope", "hidden_words", "id", "raw",
        "received_at", "recipients", "sender",
    )  # fmt: skip

    raw: bytes
    """The bytes POP3 and IMAP serve: trace headers, then exactly what the client sent."""
    envelope: Envelope
    sender: str
    """The envelope's sender; ``""`` is the null sender."""
    recipients: tuple[str, ...]
    """The envelope's recipients."""

    def __init__(
        self,
        raw: bytes | list[bytes],
        id: str,  # noqa: A002  the name of the field
        envelope: Envelope | tuple[str, tuple[str, ...], _Options | None],
        received_at: datetime.datetime,
        trace_length: int = 0,
        trace_begins: str = "",
    ) -> None:
        """``raw`` may come in pieces, and without trace headers, if it is said how they begin; ``envelope`` as its
        sender, its recipients, and the options, if there are any. They are put together when somebody looks: a large
        message costs no copy till then."""
        if trace_begins or type(raw) is list:
            self._pieces: bytes | list[bytes] | None = raw
        else:
            self.raw = cast("bytes", raw)
            self._pieces = None
        self._trace_begins = trace_begins
        self.id = id
        if type(envelope) is tuple:
            self.sender, self.recipients, self._options = envelope
        else:
            self.envelope = envelope = cast("Envelope", envelope)
            self.sender, self.recipients = envelope.sender, envelope.recipients
        self.received_at = received_at
        self._trace_length = trace_length
        self._derived: dict[str, Any] | None = None
        self.hidden_words: str | bool | None = None
        """What a search finds out of the bytes; see :class:`mockmail.mime.search_text.Searched`."""

    if not TYPE_CHECKING:  # for which it would make every name an attribute

        def __getattr__(self, name: str) -> Any:
            """Called for what is not set: ``raw``, as long as it is not put together, and ``envelope``. Any thread, or
            several at once."""
            if name == "envelope":
                self.envelope = Envelope(self.sender, self.recipients, *(self._options or ({}, {})))
                return self.envelope
            if name != "raw":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            pieces = self._whole_pieces()
            if pieces is not None:
                self.raw = b"".join(pieces)
                self._pieces = None
            return self.raw

    def _whole_pieces(self) -> list[bytes] | None:
        """What ``raw`` is to be put together from; ``None`` when that is done, perhaps by another thread just now."""
        pieces = self._pieces
        if pieces is None:
            return None
        if isinstance(pieces, bytes):
            pieces = [pieces]
        if not self._trace_begins:
            return pieces
        trace = trace_headers(self._trace_begins, self.id, self.recipients, self.received_at)
        self._trace_length = len(trace)
        return [trace, *pieces]

    def derived(self, name: str, compute: Callable[[Self], T]) -> T:
        """``compute(self)``, kept under ``name``: what readers derive from the bytes is computed once."""
        kept = self._derived
        if kept is None:
            kept = self._derived = {}
        try:
            value: T = kept[name]
        except KeyError:
            value = kept[name] = compute(self)
        return value

    @property
    def original(self) -> bytes:
        """Exactly what the client sent."""
        raw = self.raw  # before it is put together, the length of the trace is not known
        return raw[self._trace_length :] if self._trace_length else raw

    @property
    def size(self) -> int:
        """Bytes of ``raw``."""
        if isinstance(self._pieces, list) and (pieces := self._whole_pieces()) is not None:
            return sum(map(len, pieces))
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same message, or a copy of it."""
        return self.id == other.id if isinstance(other, _Stored) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)


class Message(_Stored):
    """A frozen picture of a message. One object serves every mailbox that has a copy; any thread may read it.

    Everything beyond the bytes is computed at most once, when first asked for.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        to = ", ".join(self.recipients) or "nobody"
        return f"<{type(self).__name__} {self.subject!r} from {self.sender or '<>'} to {to}>"

    # The header

    @property
    def header(self) -> HeaderBlock:
        """The fields of the header as they stand, as offsets into ``raw``."""
        return self.derived("header", lambda message: scan(message.raw))

    @property
    def headers(self) -> Headers:
        """Decoded fields by name, without case; ``headers.all(name)`` gives every one of a name."""
        return Headers(self.header)

    @property
    def message_id(self) -> str:
        """Message-ID with its angle brackets; ``""`` when absent."""
        return self.headers.get("Message-ID", "")

    @property
    def subject(self) -> str:
        """The decoded Subject; ``""`` when absent."""
        return self.headers.get("Subject", "")

    @property
    def date(self) -> datetime.datetime | None:
        """The time in Date, aware; ``None`` when there is none that can be read."""
        value = self.headers.get("Date")
        return None if value is None else parse_date(value)

    @property
    def from_(self) -> str:
        """The (first) address in From, without a display name; ``""`` when absent."""
        found = self._addresses("from")
        return found[0] if found else ""

    @property
    def to(self) -> tuple[str, ...]:
        """The addresses in To, without display names. Who got the message is in ``recipients``."""
        return self._addresses("to")

    @property
    def cc(self) -> tuple[str, ...]:
        """The addresses in Cc."""
        return self._addresses("cc")

    @property
    def reply_to(self) -> tuple[str, ...]:
        """The addresses in Reply-To."""
        return self._addresses("reply-to")

    def _addresses(self, name: str) -> tuple[str, ...]:
        return tuple(one.address for one in self.header_addresses(name))

    def header_addresses(self, name: str) -> tuple[Address, ...]:
        """The addresses in all fields called ``name``, with their display names."""
        lower = name.lower()

        def compute(message: Message) -> tuple[Address, ...]:
            values = message.header.values(lower.encode("ascii", "replace"))
            return tuple(one for value in values for one in addresses(value))

        return self.derived(f"addresses:{lower}", compute)

    # The content

    @property
    def part(self) -> Part:
        """The part tree, as offsets into ``raw``."""
        return self.derived("part", lambda message: parse(message.raw))

    @property
    def text(self) -> str:
        """The plain text, decoded, with ``\\n`` line ends; ``""`` when absent."""
        return self.derived("text", lambda message: content.text(message.part))

    @property
    def html(self) -> str:
        """The HTML source, decoded; ``""`` when absent."""
        return self.derived("html", lambda message: content.html(message.part))

    @property
    def texts(self) -> tuple[str, str]:
        """What a reader sees: the plain text, and the visible text of the HTML."""
        return self.derived("texts", lambda message: (message.text, content.visible_text(message.html)))

    @property
    def attachments(self) -> tuple[content.Attachment, ...]:
        """What is neither the text nor the HTML, in order, each with ``filename``, ``content_type``, ``content`` and
        ``content_id``."""
        return self.derived("attachments", lambda message: content.attachments(message.part))

    @property
    def links(self) -> tuple[str, ...]:
        """The http and https URLs, unescaped, each once: those of the HTML, then those of the text."""
        return tuple(link.url for link in self._links)

    @property
    def _links(self) -> tuple[content.Link, ...]:
        return self.derived("links", lambda message: content.links(message.html, message.text))

    def link(self, text_or_url: str | re.Pattern[str]) -> str:
        """The URL of the one link with this anchor text or URL: a string is compared whole, a pattern is searched.
        ``AssertionError``, with all links, when none fits or several do."""
        __tracebackhide__ = True
        found = [link for link in self._links if _link_fits(link, text_or_url)]
        if len(found) == 1:
            return found[0].url
        problem = f"{len(found)} links fit" if found else "No link fits"
        raise AssertionError(
            f"{problem} {_shown_pattern(text_or_url)} in {self!r}, where exactly one should. Its links are"
            f"{''.join(map(_link_line, self._links)) or ': none.'}"
        )

    def find(self, pattern: str | re.Pattern[str]) -> str:
        """The first group (or the whole match, without groups) of a regular expression searched in the text, then in
        what is visible of the HTML. ``AssertionError``, with these texts, when it matches neither."""
        __tracebackhide__ = True
        for text in self.texts:
            match = re.search(pattern, text)
            if match is not None:
                return (match[1] if match.re.groups else match[0]) or ""
        shown = [
            f"\n  {name}:\n    " + _clipped(text).replace("\n", "\n    ")
            for name, text in zip(("text", "visible text of the HTML"), self.texts, strict=True)
            if text
        ]
        raise AssertionError(
            f"{_shown_pattern(pattern)} matches nothing in {self!r}, which says{''.join(shown) or ': nothing.'}"
        )

    @property
    def report(self) -> DeliveryReport | DispositionReport | AbuseReport | None:
        """What the message reports about another: a bounce or other delivery report (RFC 3464), a read receipt
        (RFC 8098), a complaint (RFC 5965); ``None`` when it is no report."""
        return self.derived("report", _read_report)

    def email(self) -> EmailMessage:
        """A new ``email.message.EmailMessage`` of ``raw``, by the standard library's default policy."""
        from email import message_from_bytes, policy

        return message_from_bytes(self.raw, policy=policy.default)


class StoredMessage(Message):
    """A message in a folder, as it was when it was looked at."""

    __slots__ = ("flags", "folder", "uid")

    def __init__(self, message: Message, *, uid: int, flags: frozenset[str], folder: str) -> None:
        super().__init__(
            message.raw,
            id=message.id,
            envelope=message.envelope,
            received_at=message.received_at,
            trace_length=message._trace_length,
        )
        if message._derived is None:
            message._derived = {}
        self._derived = message._derived
        self.uid = uid
        self.flags = flags
        self.folder = folder

    @property
    def seen(self) -> bool:
        """Whether it has the flag ``\\Seen``."""
        return "\\Seen" in self.flags

    def __repr__(self) -> str:
        flags = " ".join(sorted(self.flags))
        return (
            f"<StoredMessage {self.folder}/{self.uid} {self.subject!r} from {self.sender or '<>'}"
            f"{' ' if flags else ''}{flags}>"
        )


def _read_report(message: Message) -> DeliveryReport | DispositionReport | AbuseReport | None:
    # Few messages are asked for it, and imports of the plugin shall stay few.
    from mockmail.mime.report import read_report

    return read_report(message.part)


def _link_fits(link: content.Link, wanted: str | re.Pattern[str]) -> bool:
    if isinstance(wanted, str):
        return link.url == wanted or " ".join(wanted.split()) in link.texts
    return wanted.search(link.url) is not None or any(wanted.search(text) for text in link.texts)


def _link_line(link: content.Link) -> str:
    return f"\n  {link.url}" + (f"  {', '.join(map(repr, link.texts))}" if link.texts else "")


def _shown_pattern(wanted: str | re.Pattern[str]) -> str:
    return repr(wanted) if isinstance(wanted, str) else f"the pattern {wanted.pattern!r}"


def _clipped(text: str) -> str:
    if len(text) <= _SHOWN_CHARACTERS:
        return text.rstrip("\n")
    return f"{text[:_SHOWN_CHARACTERS]} ... ({len(text) - _SHOWN_CHARACTERS} more characters)"
