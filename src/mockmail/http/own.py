"""Our own ``/api/v1``: accounts, folders and their messages. Replies and refusals are JSON.

Folder names may have slashes, so a folder is named in the query string; without one it is INBOX.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mockmail.core.accounts import AccountState, canonical_name
from mockmail.core.mailbox import Entry, Mailbox
from mockmail.core.message import Envelope
from mockmail.core.world import World
from mockmail.http import query as search_language
from mockmail.http.api import matching, place
from mockmail.http.catalogue import Catalogue, Row
from mockmail.http.content import detail, summary
from mockmail.http.desk import actor
from mockmail.http.mail import whole
from mockmail.http.replies import (
    JSONReply,
    Refusal,
    as_list,
    as_text,
    count_of,
    own_route,
    read_body,
    read_object,
    strings,
)
from mockmail.testing.coding import encoded_message
from mockmail.testing.matching import normal_flag

__all__ = ["ROUTES", "moment", "told_folder"]

PAGE = 100


def _account(request: Request) -> tuple[World, Catalogue, AccountState]:
    world, catalogue = place(request)
    address = request.path_params["address"]
    account = world.accounts.get(address)
    if account is None:
        raise Refusal(404, f"There is no account {address!r}.")
    return world, catalogue, account


def _mailbox(account: AccountState, name: str) -> Mailbox:
    mailbox = account.mailbox(name)
    if mailbox is None:
        raise Refusal(404, f"{account.address} has no folder {name!r}; it has {', '.join(account.names())}.")
    return mailbox


def _folder(request: Request, account: AccountState) -> Mailbox:
    return _mailbox(account, request.query_params.get("folder", "INBOX"))


def told_folder(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "name": mailbox.name,
        "messages": len(mailbox.entries),
        "unseen": mailbox.unseen_count(),
        "size": mailbox.size_bytes,
        "uidvalidity": mailbox.uid_validity,
        "uidnext": mailbox.uid_next,
        "modseq": mailbox.highest_modseq,
        "special_use": mailbox.special_use,
        "read_only": mailbox.read_only,
    }


def _told_account(account: AccountState, *, messages: bool = False) -> dict[str, Any]:
    folders = []
    for name in account.names():
        mailbox = account.mailboxes[name]
        if mailbox is not None:
            told = told_folder(mailbox)
            if messages:
                told["entries"] = [_told_entry(entry) for entry in mailbox.entries]
            folders.append(told)
    return {"address": account.address, "has_password": account.password is not None, "folders": folders}


def _told_entry(entry: Entry) -> dict[str, Any]:
    return {"uid": entry.uid, "flags": sorted(entry.flags), "message": encoded_message(entry.message)}


async def _accounts(request: Request) -> Response:
    """All accounts, or those of one domain."""
    world, _ = place(request)
    messages = "messages" in request.query_params
    domain = request.query_params.get("domain")
    accounts = [one for one in world.accounts if domain is None or one.address.endswith(f"@{domain.lower()}")]
    return JSONReply({"accounts": [_told_account(account, messages=messages) for account in accounts]})


async def _create_account(request: Request) -> Response:
    world, _ = place(request)
    body = await read_object(request, "address", "password")
    address = as_text(body.get("address"), "address").strip()
    local, _, domain = address.rpartition("@")
    if not local or not domain or not address.isprintable() or any(char.isspace() for char in address):
        raise Refusal(400, f"{address!r} is no full address; write one such as 'bob@example.test'.")
    password = None if body.get("password") is None else as_text(body["password"], "password")
    if password == "":
        raise Refusal(400, "The password is empty; write one, or leave it out.")
    account = world.accounts.create(address, password=password, created_by="test")
    return JSONReply(_told_account(account), 201)


async def _one_account(request: Request) -> Response:
    return JSONReply(_told_account(_account(request)[2]))


# Folders


async def _create_folder(request: Request) -> Response:
    _, _, account = _account(request)
    name = as_text((await read_object(request, "name")).get("name"), "name")
    if name.endswith("/"):
        raise Refusal(400, f"{name!r} ends in '/'; write the name of the folder.")
    mailbox = account.create(name)
    assert mailbox is not None  # only a name that ends in the delimiter makes none
    return JSONReply(told_folder(mailbox), 201)


async def _rename_folder(request: Request) -> Response:
    world, _, account = _account(request)
    body = await read_object(request, "name", "new_name")
    name, new_name = as_text(body.get("name"), "name"), as_text(body.get("new_name"), "new_name")
    _mailbox(account, name)
    world.store.rename(account, name, new_name, actor(request, account.address))
    return JSONReply(told_folder(_mailbox(account, new_name.removesuffix("/"))))


async def _delete_folder(request: Request) -> Response:
    _, _, account = _account(request)
    account.delete(_folder(request, account).name)
    return JSONReply({"deleted": True})


# Messages


def told_message(catalogue: Catalogue, entry: Entry, account: str, folder: str) -> dict[str, Any]:
    """A message of a folder as lists have it."""
    message = entry.message
    item = summary(
        message,
        read="\\Seen" in entry.flags,
        tags=catalogue.tags(message),
        username=catalogue.username(message),
    )
    return {"account": account, "folder": folder, "uid": entry.uid, "flags": sorted(entry.flags), **item}


async def _messages(request: Request) -> Response:
    _, catalogue, account = _account(request)
    mailbox = _folder(request, account)
    entries: list[Entry] = list(mailbox.entries)
    text = request.query_params.get("query", "").strip()
    if text:
        zone = search_language.timezone(request.query_params.get("tz", ""))
        rows = {}
        for entry in entries:
            row = Row(entry.message)
            row.read = "\\Seen" in entry.flags
            rows[row] = entry
        tests = search_language.parse(text, catalogue, zone)
        entries = [rows[row] for row in await matching(list(rows), tests)]
    entries.reverse()
    start = count_of(request, "start", 0)
    page = entries[start : start + count_of(request, "limit", PAGE)]
    return JSONReply(
        {
            **told_folder(mailbox),
            "account": account.address,
            "matched": len(entries),
            "start": start,
            "list": [told_message(catalogue, entry, account.address, mailbox.name) for entry in page],
        }
    )


async def _seed(request: Request) -> Response:
    """Put the message in the body into a folder, made when it is missing, as mail that was there before."""
    world, _ = place(request)
    address = request.path_params["address"]
    local, _, domain = address.rpartition("@")
    if not local or not domain:
        raise Refusal(400, f"{address!r} is no full address.")
    params = request.query_params
    folder = canonical_name(params.get("folder", "INBOX"))
    if folder.endswith("/"):
        raise Refusal(400, f"folder is {folder!r}; write the name of a folder.")
    raw = await read_body(request)
    flags = [normal_flag(flag) for flag in params.getlist("flag")]
    account = world.account(address)
    envelope = Envelope(params.get("sender", ""), (account.address,))
    message = world.store.new_message(raw, envelope=envelope, received_at=moment(params.get("received_at")))
    entry = world.store.seed(account, folder, message, flags)
    return JSONReply(_told_entry(entry), 201)


def moment(text: str | None) -> datetime.datetime | None:
    """The aware moment that a text names, ``None`` of none."""
    if not text:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise Refusal(400, f"{text!r} has no time zone; write one such as 2026-11-23T14:30:00+00:00.")
        return found.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise Refusal(400, f"{text!r} is no moment such as 2026-11-23T14:30:00+00:00: {error}") from None


def _uids(value: Any, mailbox: Mailbox) -> list[Entry]:
    """The messages of a list of UIDs, all of which must be there; ``"all"`` is all of them."""
    if value == "all":
        return list(mailbox.entries)
    entries = []
    for uid in sorted({_uid(one) for one in as_list(value, "uids")}):
        entry = mailbox.get(uid)
        if entry is None:
            raise Refusal(404, f"{mailbox.account} {mailbox.name} has no message with UID {uid}.")
        entries.append(entry)
    return entries


def _uid(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**32:
        raise Refusal(400, f"{value!r} is no UID"[:200])
    return value


async def _change(request: Request) -> Response:
    """Add and remove flags, then move or copy: what another client of the account would do."""
    world, _, account = _account(request)
    mailbox = _folder(request, account)
    body = await read_object(request, "uids", "add", "remove", "move_to", "copy_to")
    entries = _uids(body.get("uids"), mailbox)
    add = [normal_flag(flag) for flag in strings(body.get("add"), "add")]
    remove = [normal_flag(flag) for flag in strings(body.get("remove"), "remove")]
    if not all(char.isprintable() and char not in ' (){%*"]' for flag in (*add, *remove) for char in flag):
        raise Refusal(400, "A flag has a character that flags do not have.")
    target_name = body.get("move_to", body.get("copy_to"))
    target = None if target_name is None else _mailbox(account, as_text(target_name, "move_to"))
    if target is mailbox:
        raise Refusal(400, f"The messages are in {mailbox.name} already.")
    who, uids = actor(request, account.address), [entry.uid for entry in entries]
    if add:
        world.store.change_flags(mailbox, uids, "add", add, who)
    if remove:
        world.store.change_flags(mailbox, uids, "remove", remove, who)
    entries = mailbox.select(uids)
    if target is not None and entries:
        put = world.store.move if "move_to" in body else world.store.copy
        entries = put(mailbox, entries, target, who)
    return JSONReply({"folder": (target or mailbox).name, "messages": _short(entries)})


def _short(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [{"uid": entry.uid, "id": entry.message.id, "flags": sorted(entry.flags)} for entry in entries]


async def _expunge(request: Request) -> Response:
    world, _, account = _account(request)
    mailbox = _folder(request, account)
    uids = (await read_object(request, "uids")).get("uids")
    if uids is None:
        raise Refusal(400, 'uids is missing; write {"uids": [1, 2]}, or {"uids": "all"}.')
    removed = world.store.expunge(
        mailbox, [entry.uid for entry in _uids(uids, mailbox)], actor(request, account.address)
    )
    return JSONReply({"expunged": [entry.uid for entry in removed]})


async def _one_message(request: Request) -> Response:
    """All of a message. Marks it seen, unless ``peek`` is given."""
    world, catalogue, account = _account(request)
    mailbox = _folder(request, account)
    text = request.path_params["uid"]
    uid = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    entry = mailbox.get(uid)
    if entry is None:
        raise Refusal(404, f"{account.address} {mailbox.name} has no message with UID {text}.")
    who, peek = actor(request, account.address), "peek" in request.query_params
    if peek:
        world.store.record_fetched(mailbox, [entry], [("full", True)], who)
    else:
        world.store.read_whole(mailbox, entry, who, world.clock.now())
        entry = mailbox.get(uid) or entry
    message = entry.message
    told = detail(message, tags=catalogue.tags(message), username=catalogue.username(message))
    return JSONReply(
        {
            **told_message(catalogue, entry, account.address, mailbox.name),
            **told,
            **whole(world, message),
        }
    )


ROUTES = [
    own_route("/api/v1/accounts", _accounts, "GET"),
    own_route("/api/v1/accounts", _create_account, "POST"),
    own_route("/api/v1/accounts/{address}", _one_account, "GET"),
    own_route("/api/v1/accounts/{address}/folders", _one_account, "GET"),
    own_route("/api/v1/accounts/{address}/folders", _create_folder, "POST"),
    own_route("/api/v1/accounts/{address}/folders", _rename_folder, "PUT"),
    own_route("/api/v1/accounts/{address}/folders", _delete_folder, "DELETE"),
    own_route("/api/v1/accounts/{address}/messages", _messages, "GET"),
    own_route("/api/v1/accounts/{address}/messages", _seed, "POST"),
    own_route("/api/v1/accounts/{address}/messages", _change, "PATCH"),
    own_route("/api/v1/accounts/{address}/messages", _expunge, "DELETE"),
    own_route("/api/v1/accounts/{address}/messages/{uid}", _one_message, "GET"),
]
