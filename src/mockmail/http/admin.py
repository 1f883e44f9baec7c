"""Our own ``/api/v1``: what an administrator does, or an odd server: tokens, quotas, aliases, outages, checks.

Everything is done by the library's own handles, which say what is wrong in the same words.
"""

from __future__ import annotations

import traceback
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mockmail.errors import ServerError
from mockmail.http.desk import desk
from mockmail.http.own import told_folder
from mockmail.http.replies import JSONReply, Refusal, as_text, own_route, read_object, strings
from mockmail.testing.accounts import Account

__all__ = ["ROUTES"]


def _account(request: Request) -> Account:
    """The account that the address names, made when it is missing."""
    return desk(request).server.account(request.path_params["address"])


def _number(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise Refusal(400, f"{name} is {value!r}; write a whole number."[:200])
    return value


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise Refusal(400, f"{name} is {value!r}; write true or false."[:200])
    return value


# Accounts


async def _issue_token(request: Request) -> Response:
    """``{"expires_in": seconds}``, or ``null`` for never; an hour by default."""
    expires_in = (await read_object(request, "expires_in")).get("expires_in", 3600)
    if expires_in is not None and (isinstance(expires_in, bool) or not isinstance(expires_in, int | float)):
        raise Refusal(400, f"expires_in is {expires_in!r}; write a number of seconds, or null for never."[:200])
    return JSONReply({"token": _account(request).token(expires_in)}, 201)


async def _revoke_token(request: Request) -> Response:
    token = as_text((await read_object(request, "token")).get("token"), "token")
    _account(request).revoke(token)
    return JSONReply({"revoked": True})


async def _set_quota(request: Request) -> Response:
    body = await read_object(request, "limit_bytes")
    if "limit_bytes" not in body:
        raise Refusal(400, "limit_bytes is missing; write a number of bytes, or null for no limit.")
    limit_bytes = None if body["limit_bytes"] is None else _number(body["limit_bytes"], "limit_bytes")
    _account(request).set_quota(limit_bytes)
    return JSONReply({"limit_bytes": limit_bytes})


async def _change_folder(request: Request) -> Response:
    """``read_only``, ``refuse_keywords``, and ``first_uid``, which gives another UIDVALIDITY and UIDs from there on."""
    body = await read_object(request, "read_only", "refuse_keywords", "first_uid")
    if not body:
        raise Refusal(400, "Write read_only, refuse_keywords or first_uid.")
    account = _account(request)
    folder = account.folder(request.query_params.get("folder", "INBOX"))
    if "read_only" in body:
        folder.set_read_only(_truth(body["read_only"], "read_only"))
    if "refuse_keywords" in body:
        folder.refuse_keywords(_truth(body["refuse_keywords"], "refuse_keywords"))
    if "first_uid" in body:
        folder.reset_uidvalidity(first_uid=_number(body["first_uid"], "first_uid"))
    mailbox = desk(request).world.account(account.address).mailbox(folder.name)
    assert mailbox is not None  # the handle was just made of it
    return JSONReply(told_folder(mailbox))


# Addresses


async def _aliases(request: Request) -> Response:
    aliases = desk(request).world.aliases
    return JSONReply(
        {
            "aliases": {name: list(targets) for name, targets in aliases.aliases.items()},
            "lists": {name: {"members": list(one.members), "owner": one.owner} for name, one in aliases.lists.items()},
            "catch_all": aliases.catch_all,
        }
    )


async def _add_alias(request: Request) -> Response:
    body = await read_object(request, "address", "targets")
    desk(request).server.add_alias(as_text(body.get("address"), "address"), *strings(body.get("targets"), "targets"))
    return await _aliases(request)


async def _add_list(request: Request) -> Response:
    body = await read_object(request, "address", "members", "owner")
    members = strings(body.get("members"), "members")
    owner = as_text(body.get("owner"), "owner")
    desk(request).server.add_list(as_text(body.get("address"), "address"), members, owner=owner)
    return await _aliases(request)


async def _set_catch_all(request: Request) -> Response:
    body = await read_object(request, "address")
    if "address" not in body:
        raise Refusal(400, "address is missing; write one, or null for none.")
    desk(request).server.set_catch_all(None if body["address"] is None else as_text(body["address"], "address"))
    return await _aliases(request)


# The server


async def _outage(request: Request) -> Response:
    """``{"state": "up"}``, ``"down"`` (connections are refused) or ``"hanging"`` (nothing is said): of all ports but
    this one."""
    state = as_text((await read_object(request, "state")).get("state"), "state")
    server = desk(request).server
    if state not in ("up", "down", "hanging"):
        raise Refusal(400, f"state is {state!r}; write 'up', 'down' or 'hanging'."[:200])
    server.outage(state)
    return JSONReply({"state": state})


async def _check(request: Request) -> Response:
    """What went wrong inside the servers since it was last asked for, and mail that came too late, as sentences."""
    server = desk(request).server
    late = server.late_mail()
    try:
        server.check()
    except ServerError as error:
        told = ["".join(traceback.format_exception(one)).strip() for one in error.errors]
        return JSONReply({"errors": told, "late": late})
    return JSONReply({"errors": [], "late": late})


ROUTES = [
    own_route("/api/v1/accounts/{address}/tokens", _issue_token, "POST"),
    own_route("/api/v1/accounts/{address}/tokens", _revoke_token, "DELETE"),
    own_route("/api/v1/accounts/{address}/quota", _set_quota, "PUT"),
    own_route("/api/v1/accounts/{address}/folders", _change_folder, "PATCH"),
    own_route("/api/v1/aliases", _aliases, "GET"),
    own_route("/api/v1/aliases", _add_alias, "POST"),
    own_route("/api/v1/lists", _add_list, "POST"),
    own_route("/api/v1/catch-all", _set_catch_all, "PUT"),
    own_route("/api/v1/outage", _outage, "PUT"),
    own_route("/api/v1/check", _check, "POST"),
]
