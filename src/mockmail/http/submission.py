"""Sending as an account, the way its user agent would: by the server's own SMTP, over a connection of its own."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.http.api import place
from mockmail.http.desk import desk
from mockmail.http.replies import JSONReply, Refusal, as_text, own_route, read_object
from mockmail.http.send import bytes_of, composed
from mockmail.relay.client import Mail
from mockmail.relay.policy import Timeouts
from mockmail.relay.replies import Reply, Trouble
from mockmail.relay.routes import Hop
from mockmail.relay.transmit import Dialler, Transmission
from mockmail.wire.runtime import Runtime

__all__ = ["ROUTES"]

HELLO = "web.mockmail.test"
_TIMEOUTS = Timeouts(greeting=20.0, command=20.0, data=20.0, end=60.0, connect=10.0)
_FIELDS = ("To", "Cc", "Bcc", "Name", "Subject", "Text", "HTML", "Headers", "Attachments")


async def _submit(request: Request) -> Response:
    """Send a message from an account. Answered when the server has replied about each recipient."""
    here = desk(request)
    world, _ = place(request)
    address = request.path_params["address"]
    body = await read_object(request, *_FIELDS)
    name = as_text(body.pop("Name", None), "Name", "")
    email, sender, recipients = composed({**body, "From": {"Email": address, "Name": name}}, world)
    if not recipients:
        raise Refusal(400, "The message has no recipients; write To, Cc or Bcc.")
    endpoint = here.server.endpoints.get("smtp")
    if endpoint is None:
        raise Refusal(400, "smtp is not started, so nothing can be sent; set smtp_port.")
    content = bytes_of(email)
    hop = Hop("smtp", endpoint.host, endpoint.port, login=_login(world, address))
    outcomes: dict[str, Reply] = {}
    try:
        async with asyncio.timeout(_TIMEOUTS.end):
            transmission = await _connected(here.server.runtime, world.settings, hop, world)
            options = {} if content.isascii() else {"SMTPUTF8": None}
            mail = Mail(sender, [(one, {}) for one in dict.fromkeys(recipients)], content, options)
            await transmission.send(mail, outcomes)
            await transmission.quit()
    except Trouble as trouble:
        outcomes.update({one: trouble.reply for one in recipients if one not in outcomes})
    except TimeoutError:
        raise Refusal(504, "The server did not answer by SMTP in time; a fault may be in force.") from None
    replies = {one: str(reply) for one, reply in outcomes.items()}
    refused = {one: reply for one, reply in replies.items() if not outcomes[one].positive}
    if len(refused) == len(replies):
        return JSONReply({"error": next(iter(refused.values())), "replies": replies}, 400)
    return JSONReply({"message_id": email["Message-ID"].strip("<>"), "replies": replies, "refused": sorted(refused)})


def _login(world: World, address: str) -> tuple[str, str]:
    account = world.accounts.get(address)
    password = None if account is None else account.password
    # Where no password is set any will do.
    return address, password or "any"


async def _connected(runtime: Runtime, settings: Settings, hop: Hop, world: World) -> Transmission:
    """Logged in, or, where logins are hidden or switched off, not."""
    dialler = Dialler(runtime, world.clock, HELLO, patience_seconds=_TIMEOUTS.end, timeouts=_TIMEOUTS)
    try:
        return await dialler.connect(hop)
    except Trouble:
        if settings.require_auth:
            raise
        return await dialler.connect(Hop(hop.name, hop.host, hop.port))


ROUTES: list[Any] = [own_route("/api/v1/accounts/{address}/submissions", _submit, "POST")]
