"""CRAM-MD5 (RFC 2195): a challenge, and its digest keyed with the password."""

from __future__ import annotations

import re
from collections.abc import Callable

from mockmail.auth.sasl import Challenge, Credentials, Failure, Step, Success

__all__ = ["CramMD5Mechanism", "new_challenge"]

# The digest is 32 hexadecimal digits behind the last space; in lower case, says the RFC, but nothing hangs on it.
_RESPONSE = re.compile(r"(?P<username>[^\0]+) (?P<digest>[0-9A-Fa-f]{32})", re.DOTALL)


def new_challenge() -> bytes:
    """A challenge never used before, in the form of a message-id (section 2)."""
    from secrets import token_hex

    return f"<{token_hex(12)}@mockmail>".encode("ascii")


class CramMD5Mechanism:
    """``challenge`` makes the challenge, once."""

    name = "CRAM-MD5"
    client_first = False

    def __init__(self, challenge: Callable[[], bytes] = new_challenge) -> None:
        self._make_challenge = challenge
        self._challenge: bytes | None = None

    def step(self, response: bytes | None) -> Step:
        """Challenge, then take name and digest. RFC 4954 has no initial response here."""
        challenge = self._challenge
        if challenge is None:
            if response is not None:
                return Failure("CRAM-MD5 takes no initial response", malformed=True)
            self._challenge = self._make_challenge()
            return Challenge(self._challenge)
        try:
            match = _RESPONSE.fullmatch((response or b"").decode("utf-8"))
        except UnicodeDecodeError:
            match = None
        if match is None:
            return Failure("CRAM-MD5 takes a user name, a space and 32 hexadecimal digits", malformed=True)
        digest = match["digest"].lower()
        return Success(Credentials(match["username"], check=lambda password: _matches(challenge, password, digest)))


def _matches(challenge: bytes, password: str, digest: str) -> bool:
    import hmac
    from functools import partial
    from hashlib import md5

    # As a digest that secures nothing, md5 is there even where the system forbids it for security (FIPS).
    made = hmac.new(password.encode("utf-8", "surrogatepass"), challenge, partial(md5, usedforsecurity=False))
    return hmac.compare_digest(made.hexdigest(), digest)
