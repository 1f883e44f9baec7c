"""Mailpit's chaos: three triggers, each a code and a probability, as faults of SMTP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mockmail.http.desk import Desk, desk
from mockmail.http.replies import JSONReply, Refusal, mailpit_route, read_object

__all__ = ["ROUTES"]

_TRIGGERS = {"Sender": "MAIL", "Recipient": "RCPT", "Authentication": "AUTH"}
_DEFAULT_CODE = 451


def _told(here: Desk) -> dict[str, Any]:
    told = {}
    for name in _TRIGGERS:
        fault = here.chaos.get(name)
        if fault is None or fault not in here.server.faults.plan.rules:  # a reset takes it away
            told[name] = {"ErrorCode": _DEFAULT_CODE, "Probability": 0}
        else:
            code = int((fault.reply or "0").partition(" ")[0])
            told[name] = {"ErrorCode": code, "Probability": round((fault.probability or 0) * 100)}
    return told


def _number(trigger: dict[str, Any], name: str, key: str, default: int, least: int, most: int) -> int:
    value = trigger.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refusal(400, f"error: {key} of {name} must be a number from {least} to {most}")
    return value


async def _get(request: Request) -> Response:
    return JSONReply(_told(desk(request)))


async def _put(request: Request) -> Response:
    here = desk(request)
    body = await read_object(request)
    wanted: dict[str, tuple[int, int]] = {}
    for name in _TRIGGERS:
        trigger = body.get(name)
        if trigger is None:
            continue
        if not isinstance(trigger, dict):
            raise Refusal(400, f"error: {name} is no object of ErrorCode and Probability")
        probability = _number(trigger, name, "Probability", 0, 0, 100)
        wanted[name] = (_number(trigger, name, "ErrorCode", _DEFAULT_CODE, 400, 599), probability)
    plan = here.server.faults.plan
    for fault in here.chaos.values():
        plan.remove(fault)
    here.chaos.clear()
    for name, (code, probability) in wanted.items():
        if probability:
            status = f"{code // 100}.7.0"
            reply = f"{code} {status} Chaos {name.lower()} error"
            here.chaos[name] = plan.add("smtp", _TRIGGERS[name], reply=reply, probability=probability / 100)
    return JSONReply(_told(here))


ROUTES = [
    mailpit_route("/api/v1/chaos", _get, "GET"),
    mailpit_route("/api/v1/chaos", _put, "PUT"),
]
