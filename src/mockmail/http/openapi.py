"""The OpenAPI document (version 3.1) of the HTTP API. A test compares it with the routes."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mockmail.http.replies import JSONReply, own_route
from mockmail.http.state import version

__all__ = ["ROUTES", "document"]

Schema = dict[str, Any]


def _text(text: str = "", **more: Any) -> Schema:
    return {"type": "string", **({"description": text} if text else {}), **more}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _object(required: str = "", **properties: Schema) -> Schema:
    told: Schema = {"type": "object", "properties": properties}
    if required:
        told["required"] = required.split()
    return told


_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_STRINGS = _list(_text())
_UIDS: Schema = {"oneOf": [_list({"type": "integer", "minimum": 1}), {"const": "all"}]}
_PERSON = _object("Email", Email=_text(), Name=_text())
_TRIGGER = _object(
    "ErrorCode Probability",
    ErrorCode={"type": "integer", "minimum": 400, "maximum": 599},
    Probability={"type": "integer", "minimum": 0, "maximum": 100},
)
_CHAOS = _object(Sender=_TRIGGER, Recipient=_TRIGGER, Authentication=_TRIGGER)
_GRANT = _object(
    "grant_type", grant_type={"enum": ["password", "client_credentials", "refresh_token"]}, username=_text(),
    password=_text(), client_id=_text(), client_secret=_text(), refresh_token=_text(), scope=_text(),
)  # fmt: skip
_PATTERN = _object("pattern", pattern=_text(), flags={"type": "integer", "minimum": 0, "maximum": 1023})
_FAULT = _object(
    protocol={"enum": ["smtp", "lmtp", "pop3", "imap", "http"]}, command=_text(), scenario=_text(), reply=_text(),
    drop=_FLAG,
    after_bytes=_COUNT, delay={"type": "number"}, half_close=_FLAG, throttle={"type": "number"}, garble=_FLAG,
    refuse=_FLAG, hang=_FLAG, wrong_tag=_FLAG, partial_literal=_FLAG, account={"oneOf": [_text(), _PATTERN]},
    to={"oneOf": [_text(), _PATTERN, _STRINGS]},
    nth={"type": "integer"}, times={"type": "integer"}, probability={"type": "number"}, seed={"type": "integer"},
)  # fmt: skip

_QUERY = {
    "start": _COUNT,
    "limit": _COUNT,
    "before": _text("a date; older mail only"),
    "query": _text("search language: docs/http-api.md"),
    "tz": _text("time zone of dates in the query, such as Europe/Berlin"),
    "folder": _text("name of a folder; INBOX by default"),
    "messages": _text("given: with all messages"),
    "domain": _text("accounts of this domain only"),
    "all": _text("given: also faults that were removed"),
    "peek": _text("given: the message stays unseen"),
    "dl": _text("given: as a download"),
    "remote": _text("1: what the HTML fetches from elsewhere is fetched"),
    "follow": _text("no link is ever requested"),
    "since": _COUNT,
    "wait": {"type": "number", "minimum": 0, "maximum": 25},
    "world": _text("the world whose positions are meant"),
    "protocol": _text(),
    "account": _text(),
    "sender": _text("envelope sender"),
    "received_at": _text("moment with a time zone"),
    "flag": _STRINGS,
    "embed": _text(),
}
"""All parameters of query strings, by name."""

# Method and path, summary, names of query parameters, body, media type of the answer.
_Row = tuple[str, str, str, str, Schema | None, str]
_FORM = "application/x-www-form-urlencoded"
_JSON, _PLAIN, _ANY = "application/json", "text/plain", "*/*"
_ROWS: tuple[_Row, ...] = (
    ("get", "/api/v1/messages", "all mail, newest first", "start limit before tz", None, _JSON),
    ("put", "/api/v1/messages", "set the read state", "tz", _object(IDs=_STRINGS, Read=_FLAG, Search=_text()), _PLAIN),
    ("delete", "/api/v1/messages", "delete messages; all without IDs", "", _object(IDs=_STRINGS), _PLAIN),
    ("get", "/api/v1/search", "mail that a query finds", "query start limit before tz", None, _JSON),
    ("delete", "/api/v1/search", "delete what a query finds", "query tz", None, _PLAIN),
    ("get", "/api/v1/message/{id}", "a message; marks it read", "query tz", None, _JSON),
    ("get", "/api/v1/message/{id}/headers", "all header fields", "query tz", None, _JSON),
    ("get", "/api/v1/message/{id}/raw", "the source", "query tz dl", None, _PLAIN),
    ("get", "/api/v1/message/{id}/part/{part}", "a part", "query tz dl", None, _ANY),
    ("get", "/api/v1/message/{id}/part/{part}/thumb", "a picture of 180 by 120", "", None, "image/jpeg"),
    ("post", "/api/v1/message/{id}/release", "relay a message now", "", _object(To=_STRINGS), _PLAIN),
    ("get", "/api/v1/message/{id}/html-check", "what mail programs do not show", "query tz", None, _JSON),
    ("get", "/api/v1/message/{id}/link-check", "links, none requested", "query tz follow", None, _JSON),
    ("post", "/api/v1/send", "send a message", "",
     _object("From", From=_PERSON, To=_list(_PERSON), Cc=_list(_PERSON), ReplyTo=_list(_PERSON), Bcc=_STRINGS,
             Subject=_text(), Text=_text(), HTML=_text(), Tags=_STRINGS,
             Headers={"type": "object", "additionalProperties": _text()},
             Attachments=_list(_object("Content Filename", Content=_text(), Filename=_text(), ContentType=_text(),
                                       ContentID=_text()))), _JSON),
    ("get", "/api/v1/tags", "all tags in use", "", None, _JSON),
    ("put", "/api/v1/tags", "set the tags of messages", "", _object(IDs=_STRINGS, Tags=_STRINGS), _PLAIN),
    ("put", "/api/v1/tags/{tag}", "rename a tag", "", _object("Name", Name=_text()), _PLAIN),
    ("delete", "/api/v1/tags/{tag}", "take a tag away", "", None, _PLAIN),
    ("get", "/api/v1/info", "the state", "", None, _JSON),
    ("get", "/api/v1/webui", "what a page may offer", "", None, _JSON),
    ("get", "/api/v1/chaos", "the chaos triggers", "", None, _JSON),
    ("put", "/api/v1/chaos", "set the chaos triggers; those left out are off", "", _CHAOS, _JSON),
    ("get", "/view/latest", "to the newest message", "query tz", None, _PLAIN),
    ("get", "/view/{id}.html", "the HTML of a message, sandboxed", "query tz remote embed", None, "text/html"),
    ("get", "/view/{id}.txt", "the text of a message", "query tz", None, _PLAIN),
    ("get", "/livez", "whether it lives", "", None, _PLAIN),
    ("get", "/readyz", "whether it serves", "", None, _PLAIN),
    ("get", "/metrics", "numbers for Prometheus", "", None, _PLAIN),
    ("get", "/api/v1/accounts", "all accounts with their folders", "messages domain", None, _JSON),
    ("post", "/api/v1/accounts", "make an account, or set its password", "",
     _object("address", address=_text(), password=_text()), _JSON),
    ("get", "/api/v1/accounts/{address}", "an account with its folders", "", None, _JSON),
    ("get", "/api/v1/accounts/{address}/folders", "the same", "", None, _JSON),
    ("post", "/api/v1/accounts/{address}/folders", "make a folder", "", _object("name", name=_text()), _JSON),
    ("put", "/api/v1/accounts/{address}/folders", "rename a folder", "",
     _object("name new_name", name=_text(), new_name=_text()), _JSON),
    ("delete", "/api/v1/accounts/{address}/folders", "delete a folder", "folder", None, _JSON),
    ("patch", "/api/v1/accounts/{address}/folders", "make a folder read only, without keywords, renumbered", "folder",
     _object(read_only=_FLAG, refuse_keywords=_FLAG, first_uid={"type": "integer", "minimum": 1}), _JSON),
    ("post", "/api/v1/accounts/{address}/tokens", "issue a bearer token", "",
     _object(expires_in={"type": ["number", "null"]}), _JSON),
    ("delete", "/api/v1/accounts/{address}/tokens", "revoke a bearer token", "",
     _object("token", token=_text()), _JSON),
    ("put", "/api/v1/accounts/{address}/quota", "limit what all folders hold together", "",
     _object("limit_bytes", limit_bytes={"type": ["integer", "null"], "minimum": 0}), _JSON),
    ("get", "/api/v1/aliases", "aliases, lists and the catch-all", "", None, _JSON),
    ("post", "/api/v1/aliases", "add an alias", "",
     _object("address targets", address=_text(), targets=_STRINGS), _JSON),
    ("post", "/api/v1/lists", "add a mailing list", "",
     _object("address members owner", address=_text(), members=_STRINGS, owner=_text()), _JSON),
    ("put", "/api/v1/catch-all", "who gets mail for unknown local recipients", "",
     _object("address", address={"type": ["string", "null"]}), _JSON),
    ("put", "/api/v1/outage", "have all ports but this one be down, hang, or be up again", "",
     _object("state", state={"enum": ["up", "down", "hanging"]}), _JSON),
    ("post", "/api/v1/check", "what went wrong inside the servers since it was last asked", "", None, _JSON),
    ("get", "/api/v1/accounts/{address}/messages", "mail of a folder, newest first",
     "folder query tz start limit", None, _JSON),
    ("post", "/api/v1/accounts/{address}/messages", "put a message there, as mail that was there before",
     "folder sender received_at flag", {"type": "string", "format": "binary"}, _JSON),
    ("patch", "/api/v1/accounts/{address}/messages", "change flags, then move or copy", "folder",
     _object("uids", uids=_UIDS, add=_STRINGS, remove=_STRINGS, move_to=_text(), copy_to=_text()), _JSON),
    ("delete", "/api/v1/accounts/{address}/messages", "remove messages for good", "folder",
     _object("uids", uids=_UIDS), _JSON),
    ("get", "/api/v1/accounts/{address}/messages/{uid}", "a message; marks it seen", "folder peek", None, _JSON),
    ("get", "/api/v1/server", "what runs where", "", None, _JSON),
    ("post", "/api/v1/reset", "go back to the settings", "", None, _JSON),
    ("get", "/api/v1/journal", "events from a position on", "since wait world", None, _JSON),
    ("get", "/api/v1/journal/messages/{id}", "the bytes of a message, read by nobody", "", None, "message/rfc822"),
    ("get", "/api/v1/stream", "events as they come", "", None, "text/event-stream"),
    ("get", "/api/v1/transcripts", "what was said in each session", "protocol account", None, _JSON),
    ("get", "/api/v1/faults", "the faults in force", "all", None, _JSON),
    ("post", "/api/v1/faults", "add a fault, or a scenario", "", _FAULT, _JSON),
    ("delete", "/api/v1/faults", "take all faults back", "", None, _JSON),
    ("delete", "/api/v1/faults/{number}", "take a fault back", "", None, _JSON),
    ("get", "/api/v1/clock", "the time of the server", "", None, _JSON),
    ("post", "/api/v1/clock", "move or freeze the clock", "",
     _object(advance_seconds={"type": "number", "minimum": 0}, until=_text(),
             freeze=_text(), to_next=_FLAG, until_idle=_FLAG), _JSON),
    ("get", "/api/v1/queue", "mail that waits to be relayed", "", None, _JSON),
    ("post", "/api/v1/queue", "try mail that waits now; all of it without id and domain", "",
     _object(id=_text(), domain=_text()), _JSON),
    ("post", "/api/v1/accounts/{address}/submissions", "send as an account, by the server's own SMTP", "",
     _object(To=_list(_PERSON), Cc=_list(_PERSON), Bcc=_STRINGS, Name=_text(), Subject=_text(), Text=_text(),
             HTML=_text(), Headers={"type": "object", "additionalProperties": _text()},
             Attachments=_list(_object("Content Filename", Content=_text(), Filename=_text(), ContentType=_text(),
                                       ContentID=_text()))), _JSON),
    ("get", "/api/v1/mail", "all mail once, newest first, with its copies", "query tz start limit", None, _JSON),
    ("get", "/api/v1/mail/{id}", "a message; marks all copies seen", "peek", None, _JSON),
    ("get", "/api/v1/mail/{id}/timeline", "what happened to a message", "", None, _JSON),
    ("get", "/", "the mail page", "", None, "text/html"),
    ("get", "/favicon.ico", "the icon of the page", "", None, "image/svg+xml"),
    ("get", "/static/{name}", "a file of the page", "", None, _ANY),
    ("post", "/oauth2/token", "OAuth 2.0: a bearer token for a grant", "", _GRANT, _JSON),
    ("post", "/token", "the same, where Google's is", "", _GRANT, _JSON),
    ("post", "/{tenant}/oauth2/v2.0/token", "the same, where Microsoft's is", "", _GRANT, _JSON),
    ("post", "/oauth2/revoke", "OAuth 2.0: let nobody in with a token any more", "",
     _object("token", token=_text()), _JSON),
    ("post", "/oauth2/introspect", "OAuth 2.0: whether a token is in force, and whose it is", "",
     _object("token", token=_text()), _JSON),
    ("get", "/.well-known/oauth-authorization-server", "OAuth 2.0: where its endpoints are", "", None, _JSON),
    ("get", "/api/v1/openapi.json", "this document", "", None, _JSON),
)  # fmt: skip

_CREATES = {"/api/v1/accounts", "/api/v1/accounts/{address}/folders", "/api/v1/accounts/{address}/messages",
            "/api/v1/faults", "/api/v1/accounts/{address}/tokens"}  # fmt: skip


_OWN = re.compile(
    "/api/v1/(accounts|mail|server|reset|journal|stream|transcripts|faults|clock|queue|openapi|aliases|lists|catch-all"
    "|outage|check)"
).match
"""Paths whose refusals are JSON."""


def _is_oauth(path: str) -> bool:
    return "/oauth2/" in path or path == "/token"


def _operation(row: _Row) -> Schema:
    method, path, summary, query, body, media_type = row
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _text(minLength=1)}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [{"name": name, "in": "query", "schema": _QUERY[name]} for name in query.split()]
    status = "201" if method == "post" and path in _CREATES else "302" if path == "/view/latest" else "200"
    own = _OWN(path) or _is_oauth(path)
    refusal_type = _JSON if own or path == "/api/v1/send" else _PLAIN
    operation: Schema = {
        "summary": summary,
        "operationId": method + re.sub(r"\W+", "_", path),
        "parameters": parameters,
        "responses": {
            status: {"description": "done", "content": {media_type: {}}},
            "4XX": {"description": "why not", "content": {refusal_type: {}}},
        },
    }
    if body is not None:
        sent = "application/octet-stream" if body.get("format") == "binary" else _FORM if _is_oauth(path) else _JSON
        operation["requestBody"] = {"content": {sent: {"schema": body}}}
    return operation


def document() -> Schema:
    """The document, as JSON would have it."""
    paths: dict[str, Schema] = {}
    for row in _ROWS:
        paths.setdefault(row[1], {})[row[0]] = _operation(row)
    info = {"title": "mockmail", "version": version(), "description": "Mailpit's API, and mockmail's own."}
    return {"openapi": "3.1.0", "info": info, "paths": paths}


async def _document(request: Request) -> Response:
    return JSONReply(document())


ROUTES = [own_route("/api/v1/openapi.json", _document, "GET")]
