"""Messages made of arguments, for ``mail.seed``."""

from __future__ import annotations

import datetime
import mimetypes
import os
from collections.abc import Iterable, Mapping
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import TypeAlias

from mockmail.errors import ConfigurationError
from mockmail.mime import text as content
from mockmail.mime.dates import parse_date
from mockmail.mime.headers import Headers, scan

__all__ = ["Attachment", "compose"]

Attachment: TypeAlias = (
    content.Attachment | tuple[str, bytes | str] | tuple[str, bytes | str, str] | str | os.PathLike[str]
)
"""One of another message; ``(filename, content)``; ``(filename, content, "text/csv")``; or the path of a file."""

_numbers = count(1)
_POLICY = policy.SMTP
_UTF8_POLICY = policy.SMTPUTF8


def compose(
    message: bytes | EmailMessage | None,
    *,
    to: str,
    sender: str,
    from_: str | None,
    subject: str,
    text: str | None,
    html: str | None,
    attachments: Iterable[Attachment],
    headers: Mapping[str, str] | None,
    date: datetime.datetime | None,
    received_at: datetime.datetime | None,
    now: datetime.datetime,
) -> tuple[bytes, datetime.datetime]:
    """The bytes of a message, and when it was received. Bytes given are returned as they are; else lines end in CRLF.

    ``received_at`` is by default ``date``, or what the Date of a message given says, or ``now``. Raises
    ``ConfigurationError`` for naive datetimes, and for content given twice.
    """
    for name, moment in (("date", date), ("received_at", received_at)):
        _check_aware(name, moment)
    if message is not None:
        given = {"from_": from_, "subject": subject, "text": text, "html": html, "headers": headers, "date": date}
        _check_alone(message, given | {"attachments": tuple(attachments)})
        raw = message if isinstance(message, bytes) else _bytes_of(message)
        return raw, received_at or (now if isinstance(message, bytes) else _date_of(raw)) or now
    built = _build(text, html, attachments)
    made = {
        "From": from_ if from_ is not None else sender,
        "To": to,
        "Subject": subject,
        "Date": format_datetime(date or now),
        "Message-ID": f"<{next(_numbers)}.{now.timestamp():.6f}@mockmail.test>",
    }
    _put_headers(built, made, headers or {})
    return _bytes_of(built), received_at or date or now


def _check_aware(name: str, moment: datetime.datetime | None) -> None:
    if moment is None:
        return
    if not isinstance(moment, datetime.datetime):
        raise ConfigurationError(f"{name} is {moment!r}; write a datetime with a time zone.")
    if moment.tzinfo is None:
        raise ConfigurationError(
            f"{name} is {moment!r}, which has no time zone; write it with tzinfo=datetime.timezone.utc."
        )


def _check_alone(message: object, given: Mapping[str, object]) -> None:
    if isinstance(message, str):
        raise ConfigurationError("message is a string; write bytes, such as message.encode(), or give text=.")
    if not isinstance(message, (bytes, EmailMessage)):
        raise ConfigurationError(f"message is a {type(message).__name__}; write bytes or an EmailMessage, or text=.")
    twice = [name for name, value in given.items() if value]
    if twice:
        raise ConfigurationError(
            f"seed() was given a whole message and {', '.join(twice)}, which belong to its content; write one or the"
            " other."
        )


def _date_of(raw: bytes) -> datetime.datetime | None:
    value = Headers(scan(raw)).get("Date")
    return None if value is None else parse_date(value)


def _build(text: str | None, html: str | None, attachments: Iterable[Attachment]) -> EmailMessage:
    built = EmailMessage(policy=_POLICY)
    if html is None:
        built.set_content(text or "")
    elif text is None:
        built.set_content(html, subtype="html")
    else:
        built.set_content(text)
        built.add_alternative(html, subtype="html")
    for attachment in attachments:
        _attach(built, attachment)
    return built


def _attach(built: EmailMessage, attachment: Attachment) -> None:
    content_type: str | None = None
    content_id: str | None = None
    filename: str | None
    data: bytes | str
    if isinstance(attachment, content.Attachment):
        filename, data = attachment.filename, attachment.content
        content_type, content_id = attachment.content_type, attachment.content_id
    elif isinstance(attachment, (str, os.PathLike)):
        path = Path(attachment)
        filename, data = path.name, path.read_bytes()
    elif isinstance(attachment, tuple) and len(attachment) in (2, 3):
        filename, data = attachment[0], attachment[1]
        content_type = attachment[2] if len(attachment) == 3 else None
    else:
        raise ConfigurationError(
            f"attachments has {attachment!r}; write (filename, content), (filename, content, 'text/csv'), or a path."
        )
    if isinstance(data, str):
        data = data.encode()
    guessed = content_type or mimetypes.guess_type(filename or "")[0] or "application/octet-stream"
    maintype, _, subtype = guessed.partition("/")
    if maintype in ("message", "multipart"):
        # Such a part must be in 7bit or 8bit, which the content given may not be.
        maintype, subtype = "application", "octet-stream"
    built.add_attachment(
        data,
        maintype=maintype,
        subtype=subtype or "octet-stream",
        filename=filename,
        cid=f"<{content_id}>" if content_id else None,
    )


def _put_headers(built: EmailMessage, made: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Ours, unless given; the given ones by their own name."""
    names = {name.lower() for name in given}
    for name, value in made.items():
        if name.lower() not in names:
            _put_header(built, name, value)
    for name, value in given.items():
        _put_header(built, name, value)


def _put_header(built: EmailMessage, name: str, value: str) -> None:
    try:
        built[name] = value
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"The header {name} cannot be {value!r}: {error}.") from None


def _bytes_of(message: EmailMessage) -> bytes:
    """With CRLF; in raw UTF-8 where an address can be written in no other way (RFC 6532)."""
    needs_utf8 = any(
        not address.addr_spec.isascii() for value in message.values() for address in getattr(value, "addresses", ())
    )
    return message.as_bytes(policy=_UTF8_POLICY if needs_utf8 else _POLICY)
