"""Mailpit's ``/api/v1/send`` and release: mail that comes in, or goes on, by HTTP."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mockmail.core.events import Rejected
from mockmail.core.message import Envelope, Message
from mockmail.core.routing import Refuse, Taken, released, route
from mockmail.core.world import World
from mockmail.http.api import found_row, place
from mockmail.http.desk import actor
from mockmail.http.replies import (
    JSONReply,
    Refusal,
    as_list,
    as_text,
    mailpit_route,
    ok,
    read_json,
    read_object,
    strings,
)

__all__ = ["ROUTES", "bytes_of", "can_release", "composed", "submit"]

_MADE_HERE = frozenset(
    {
        "from", "to", "cc", "bcc", "reply-to", "subject", "date", "mime-version", "content-type",
        "content-transfer-encoding", "content-disposition",
    }
)  # fmt: skip


def submit(
    world: World, raw: bytes, sender: str, recipients: list[str], request: Request, *, release: bool = False
) -> Message:
    """Take a message over for all of its recipients, or for none: a ``Refusal`` has the reply to the first refused.
    ``release``: it goes to another server, whatever their domains."""
    if not recipients:
        raise Refusal(400, "no recipients")
    limit = world.settings.max_message_bytes
    if limit is not None and len(raw) > limit:
        raise Refusal(400, f"552 5.3.4 The message has {len(raw)} bytes; {limit} are allowed")
    who = actor(request)
    taken: list[Taken] = []
    for recipient in dict.fromkeys(recipients):
        decision = released(world, recipient) if release else route(world, recipient)
        if isinstance(decision, Refuse):
            now = world.clock.now()
            world.journal.note(
                Rejected,
                now,
                "http",
                who.session,
                "",
                "RCPT",
                sender,
                (recipient,),
                decision.code,
                decision.reply,
            )
            raise Refusal(400, decision.reply)
        taken.append(decision)
    envelope = Envelope(sender, tuple(decision.recipient for decision in taken))
    message = world.store.new_message(raw, envelope=envelope)
    world.store.accept(message, taken, who)
    return message


async def _send(request: Request) -> Response:
    world, catalogue = place(request)
    try:
        body = await read_object(request)
        email, sender, recipients = composed(body, world)
        tags = strings(body.get("Tags"), "Tags")
        message = submit(world, bytes_of(email), sender, recipients, request)
    except Refusal as refusal:
        return JSONReply({"Error": str(refusal)}, refusal.status)
    if tags:
        catalogue.set_tags(message, [*catalogue.tags(message), *tags])
    return JSONReply({"ID": message.id})


def bytes_of(email: EmailMessage) -> bytes:
    """The message as it goes over the wire."""
    try:
        return email.as_bytes(policy=policy.SMTPUTF8 if _needs_utf8(email) else policy.SMTP)
    except (ValueError, LookupError, AttributeError, TypeError, IndexError) as error:
        # The standard library raises many things for odd header values.
        raise Refusal(400, f"The message cannot be written: {error}") from None


def _needs_utf8(email: EmailMessage) -> bool:
    return any(
        not address.addr_spec.isascii()
        for name in ("From", "To", "Cc", "Reply-To")
        if email[name] is not None
        for address in email[name].addresses
    )


def composed(body: dict[str, Any], world: World) -> tuple[EmailMessage, str, list[str]]:
    """The message, its reverse-path and its recipients."""
    email = EmailMessage(policy=policy.SMTP)
    sender = _person(body.get("From"), "From")
    groups = {name: [_person(one, name) for one in as_list(body.get(name), name)] for name in ("To", "Cc", "ReplyTo")}
    blind = [_person({"Email": one}, "Bcc") for one in strings(body.get("Bcc"), "Bcc")]
    try:
        email["From"] = sender
        for name, people in groups.items():
            if people:
                email["Reply-To" if name == "ReplyTo" else name] = people
        email["Subject"] = as_text(body.get("Subject"), "Subject", "")
        _add_headers(email, body.get("Headers"))
        email["Date"] = format_datetime(world.clock.now())
        if "Message-ID" not in email:
            email["Message-ID"] = make_msgid(domain="mockmail.invalid")
        _add_content(email, body)
    except (ValueError, LookupError, AttributeError, TypeError, IndexError) as error:
        raise Refusal(400, f"The message cannot be written: {error}") from None
    recipients = [one.addr_spec for one in (*groups["To"], *groups["Cc"], *blind)]
    return email, sender.addr_spec, recipients


def _person(value: Any, name: str) -> Address:
    if not isinstance(value, dict):
        raise Refusal(400, f"{name} is no object with Email and Name: {value!r}"[:300])
    address = as_text(value.get("Email"), f"Email in {name}").strip()
    shown = as_text(value.get("Name"), f"Name in {name}", "")
    local, _, domain = address.rpartition("@")
    printable = (address + shown).isprintable()
    if not local or not domain or not printable or any(char.isspace() for char in address):
        raise Refusal(400, f"{name} has {address!r} ({shown!r}), which is no mail address"[:300])
    try:
        return Address(shown, addr_spec=address)
    except Exception as error:  # noqa: BLE001 - its parser raises IndexError and others for odd addresses
        raise Refusal(400, f"{name} has {address!r}, which is no mail address: {error}"[:300]) from None


def _add_headers(email: EmailMessage, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        raise Refusal(400, "Headers is no object of names and values")
    for name, text in value.items():
        lower = name.lower()
        if not name or not all("!" <= char <= "~" and char != ":" for char in name):
            raise Refusal(400, f"Headers has {name!r}, which is no name of a header field"[:300])
        if lower in _MADE_HERE:
            raise Refusal(400, f'cannot overwrite header: "{name}"')
        if lower == "message-id":
            del email[name]
        email[name] = as_text(text, f"Headers[{name!r}]")


def _add_content(email: EmailMessage, body: dict[str, Any]) -> None:
    text = as_text(body.get("Text"), "Text", "")
    html = as_text(body.get("HTML"), "HTML", "")
    if text or not html:
        email.set_content(text)
    if html and text:
        email.add_alternative(html, subtype="html")
    elif html:
        email.set_content(html, subtype="html")
    for value in as_list(body.get("Attachments"), "Attachments"):
        _attach(email, value)


def _attach(email: EmailMessage, value: Any) -> None:
    if not isinstance(value, dict):
        raise Refusal(400, "Attachments has an element that is no object")
    filename = as_text(value.get("Filename"), "Filename")
    try:
        # A browser's readAsDataURL() gives "data:image/png;base64,...".
        coded = as_text(value.get("Content"), "Content").rpartition(",")[2]
        content = base64.b64decode(coded.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, f"The content of {filename!r} is no base64"[:300]) from None
    kind = as_text(value.get("ContentType"), "ContentType", "") or mimetypes.guess_type(filename)[0] or ""
    main, slash, sub = kind.partition(";")[0].strip().lower().partition("/")
    if not (main.isalnum() and slash and sub.replace("-", "").replace(".", "").replace("+", "").isalnum()):
        main, sub = "application", "octet-stream"
    if main in ("multipart", "message"):
        main, sub = "application", "octet-stream"
    content_id = as_text(value.get("ContentID"), "ContentID", "")
    email.add_attachment(
        content,
        main,
        sub,
        filename=filename,
        disposition="inline" if content_id else "attachment",
        cid=f"<{content_id}>" if content_id else None,
    )


# Release


def can_release(world: World) -> bool:
    """Whether there is anywhere to relay to."""
    settings = world.settings
    return settings.relay != "none" and (settings.routes is not None or settings.smarthost is not None)


async def _release(request: Request) -> Response:
    world, _, row = await found_row(request, latest=False)
    body = await read_json(request)
    to = strings(body.get("To") if isinstance(body, dict) else body, "To")
    if not can_release(world):
        raise Refusal(400, "Error: message relaying is not enabled; set routes= or smarthost=")
    if not to:
        raise Refusal(400, "Error: no recipients to release the message to")
    for address in to:
        _person({"Email": address}, "To")
    submit(world, row.message.original, row.message.sender, to, request, release=True)
    return ok()


ROUTES = [
    mailpit_route("/api/v1/send", _send, "POST"),
    mailpit_route("/api/v1/message/{id}/release", _release, "POST"),
]
