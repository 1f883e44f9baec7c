"""How a relaying client logs in to a smarthost (RFC 4954): by the first of these mechanisms that it offers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator

__all__ = ["MECHANISMS", "begin", "chosen"]

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-1")

Exchange = Generator[bytes, bytes, None]
"""Yields responses, the first of them the initial one, and is sent the challenges. ``ValueError`` for a challenge
that makes no sense, or that shows that the server does not know the password."""


def chosen(offered: str) -> str | None:
    """The mechanism for what ``AUTH`` offers, or ``None``."""
    names = offered.upper().split()
    return next((name for name in MECHANISMS if name in names), None)


def begin(mechanism: str, user: str, password: str) -> tuple[bytes, Exchange]:
    """The initial response, ``b""`` where the server speaks first; and the rest, which is to be sent challenges."""
    if mechanism == "PLAIN":
        exchange = _answers(f"\0{user}\0{password}".encode())
    elif mechanism == "LOGIN":
        exchange = _answers(b"", user.encode(), password.encode())
    elif mechanism == "CRAM-MD5":
        exchange = _cram(user, password)
    else:
        exchange = _scram(mechanism.removeprefix("SCRAM-").replace("-", "").lower(), user, password)
    return next(exchange), exchange


def _answers(first: bytes, *others: bytes) -> Exchange:
    yield first
    for answer in others:
        _ = yield answer  # and not `from others`, which could not be sent challenges
    raise ValueError("the server asks for more than a user and a password")


def _cram(user: str, password: str) -> Exchange:
    """RFC 2195."""
    import hmac

    challenge = yield b""
    yield f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()
    raise ValueError("the server asks for more than CRAM-MD5 has")


def _scram(digest: str, user: str, password: str) -> Exchange:
    """RFC 5802, without channel binding."""
    import hashlib
    import hmac
    from secrets import token_urlsafe

    from mockmail.auth.saslprep import saslprep

    nonce = token_urlsafe(18)
    name = saslprep(user, stored=False).replace("=", "=3D").replace(",", "=2C")
    first = f"n={name},r={nonce}"
    server_first = (yield f"n,,{first}".encode()).decode()
    fields = _fields(server_first)
    if not fields.get("r", "").startswith(nonce) or not fields.get("i", "").isdigit() or "s" not in fields:
        raise ValueError("the server's first message is none of SCRAM")
    salt, rounds = binascii.a2b_base64(fields["s"]), int(fields["i"])
    if not 0 < rounds <= 1_000_000:
        raise ValueError(f"the server wants {rounds} iterations")
    salted = hashlib.pbkdf2_hmac(digest, saslprep(password, stored=False).encode(), salt, rounds)
    client_key = hmac.digest(salted, b"Client Key", digest)
    unproved = f"c=biws,r={fields['r']}"
    said = f"{first},{server_first},{unproved}".encode()
    signature = hmac.digest(hashlib.new(digest, client_key).digest(), said, digest)
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
    server_final = yield f"{unproved},p={proof}".encode()
    expected = base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", digest), said, digest)).decode()
    if _fields(server_final.decode()).get("v") != expected:
        raise ValueError("the server does not know the password itself")
    yield b""
    raise ValueError("the server asks for more than SCRAM has")


def _fields(message: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in message.split(",") if part[1:2] == "="}
