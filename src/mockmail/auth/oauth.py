"""Bearer tokens: OAUTHBEARER (RFC 7628) and XOAUTH2, its older form at Google and Microsoft."""

from __future__ import annotations

import json
import re

from mockmail.auth.sasl import Challenge, Credentials, Failure, Secrets, Step, Success

__all__ = ["OAuthBearerMechanism", "XOAuth2Mechanism"]

SCOPE = "mail"
"""What an error challenge names as the scope to ask a token for."""

# "user=" user ^A "auth=Bearer " token ^A *("vendor=" vendor ^A) ^A      (the vendor is IMAPClient's, for Yahoo)
_XOAUTH2 = re.compile(
    r"user=(?P<username>[^\x00-\x1f]*)\x01auth=bearer (?P<token>[ -~]*)\x01(?:[a-z]+=[ -~]*\x01)*\x01", re.IGNORECASE
)
# client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
# kvsep = %x01; kvpair = key "=" value kvsep; key = 1*(ALPHA); value = *(VCHAR / SP / HTAB / CR / LF)
_CLIENT_RESPONSE = re.compile(
    r"(?P<flag>n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<username>(?:[^\x00-\x1f,=]|=2C|=3D)+))?,\x01"
    r"(?P<pairs>(?:[A-Za-z]+=[\t\n\r -~]*\x01)*)\x01"
)
_BEARER = re.compile(r"bearer (?P<token>[ -~]*)", re.IGNORECASE)


class XOAuth2Mechanism:
    """One message, answered with success or with an error challenge, to which the client says nothing more."""

    name = "XOAUTH2"
    client_first = True

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def step(self, response: bytes | None) -> Step:
        """Take the message, in the initial response or after an empty challenge."""
        if response is None:
            return Challenge(b"")
        match = _XOAUTH2.fullmatch(_text(response))
        if match is None or not match["username"]:
            return Failure("XOAUTH2 takes user=, ^A, auth=Bearer and a token, ^A^A", malformed=True)
        return _decided(self._secrets, match["username"], match["token"], status="401")


class OAuthBearerMechanism:
    """As XOAUTH2, in the form of RFC 7628. Without ``a=`` the user is the one whom the token was issued to."""

    name = "OAUTHBEARER"
    client_first = True

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def step(self, response: bytes | None) -> Step:
        """Take the message, in the initial response or after an empty challenge."""
        if response is None:
            return Challenge(b"")
        match = _CLIENT_RESPONSE.fullmatch(_text(response))
        if match is None:
            return Failure("OAUTHBEARER takes n,a=user,^A auth=Bearer token ^A^A (RFC 7628)", malformed=True)
        if match["flag"].startswith("p"):
            return Failure("OAUTHBEARER has no channel binding", malformed=True)
        pairs = dict(pair.split("=", 1) for pair in match["pairs"].split("\x01")[:-1])
        username = (match["username"] or "").replace("=2C", ",").replace("=3D", "=")
        bearer = _BEARER.fullmatch(pairs.get("auth", ""))
        if bearer is None:
            # Also how a client asks for the scope before it has a token (section 4.3).
            reason = "the client gave no bearer token"
            return Failure(reason, data=_error("invalid_token"), username=username)
        return _decided(self._secrets, username, bearer["token"], status="invalid_token")


def _decided(secrets: Secrets, username: str, token: str, *, status: str) -> Step:
    decided = secrets.token(username, token.strip(" "))
    if isinstance(decided, Credentials):
        return Success(decided)
    return Failure(decided.reason, data=_error(status), username=username)


def _error(status: str) -> bytes:
    """The error challenge (RFC 7628 section 3.2.2)."""
    return json.dumps({"status": status, "schemes": "bearer", "scope": SCOPE}, separators=(",", ":")).encode("ascii")


def _text(data: bytes) -> str:
    """The message; what is not UTF-8 becomes a text that fits no grammar here."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
