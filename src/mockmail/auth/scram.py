"""SCRAM (RFC 5802, RFC 7677), the server's side: neither end sends the password, and each proves that it knows it."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from functools import lru_cache

from mockmail.auth.sasl import Challenge, Credentials, Failure, Secrets, Step, Success
from mockmail.auth.saslprep import Unpreparable, saslprep

__all__ = ["ITERATIONS", "ScramMechanism"]

ITERATIONS = 4096
"""The least that RFC 5802 section 5.1 and RFC 7677 section 4 allow: a test waits for each of them."""

# client-first-message = gs2-header client-first-message-bare
# gs2-header           = ("p=" cb-name / "n" / "y") "," ["a=" saslname] ","
# client-first-message-bare = [reserved-mext ","] "n=" saslname "," "r=" c-nonce ["," extensions]
# saslname             = 1*(value-safe-char / "=2C" / "=3D")
# (reserved-mext is "m=..."; "its presence MUST cause authentication failure", so the patterns have none.)
_NAME = r"(?:[^\0,=]|=2C|=3D)+"
_NONCE = r"[!-+\--~]+"
_EXTENSIONS = r"(?:,[A-Za-ln-z]=[^\0,]+)*"
_FIRST = re.compile(
    rf"(?P<header>(?:p=(?P<binding>[A-Za-z0-9.-]+)|[ny]),(?:a=(?P<authzid>{_NAME}))?,)"
    rf"(?P<bare>n=(?P<username>{_NAME}),r=(?P<nonce>{_NONCE}){_EXTENSIONS})",
    re.DOTALL,
)
# client-final-message = "c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64
_BASE64 = r"[A-Za-z0-9+/]+={0,2}"
_FINAL = re.compile(
    rf"(?P<unproved>c=(?P<binding>{_BASE64}),r=(?P<nonce>{_NONCE}){_EXTENSIONS}),p=(?P<proof>{_BASE64})", re.DOTALL
)


def new_nonce() -> str:
    """The server's part of a nonce."""
    from secrets import token_urlsafe

    return token_urlsafe(18)


def new_salt() -> bytes:
    """A salt, for one exchange."""
    from secrets import token_bytes

    return token_bytes(16)


class ScramMechanism:
    """One exchange. ``digest`` is ``"sha1"`` or ``"sha256"``; ``plus`` binds it to its TLS connection (section 6);
    ``nonce`` and ``salt`` make what is random."""

    client_first = True

    def __init__(
        self,
        name: str,
        digest: str,
        secrets: Secrets,
        *,
        nonce: Callable[[], str] = new_nonce,
        salt: Callable[[], bytes] = new_salt,
    ) -> None:
        self.name = name
        self._digest = digest
        self._plus = name.endswith("-PLUS")
        self._secrets = secrets
        self._new_nonce = nonce
        self._new_salt = salt
        self._first: re.Match[str] | None = None
        self._username = ""
        self._nonce = ""
        self._server_first = ""
        self._keys = (b"", b"")
        """StoredKey and ServerKey."""

    def step(self, response: bytes | None) -> Step:
        """The client's first message, then its final one."""
        if response is None:
            return Challenge(b"")
        try:
            text = response.decode("utf-8")
        except UnicodeDecodeError:
            return self._malformed("is not UTF-8")
        return self._take_first(text) if self._first is None else self._take_final(self._first, text)

    def _malformed(self, what: str) -> Failure:
        return Failure(f"the message of {self.name} {what}", malformed=True, username=self._username)

    def _take_first(self, text: str) -> Step:
        first = _FIRST.fullmatch(text)
        if first is None:
            return self._malformed("is no client-first-message (RFC 5802 section 7)")
        try:
            self._username = saslprep(_unescaped(first["username"]), stored=False)
        except Unpreparable as error:
            return self._malformed(f"has a user name that SASLprep forbids: {error}")
        flaw = self._binding_flaw(text[0], first["binding"])
        if flaw is not None:
            return Failure(flaw, username=self._username)
        password = self._secrets.password(self._username)
        if isinstance(password, Failure):
            return password
        salt = self._new_salt()
        try:
            prepared = saslprep(password, stored=True)
        except Unpreparable as error:
            return Failure(
                f"the password of {self._username!r} cannot be used with SCRAM: {error}", username=self._username
            )
        self._keys = _derived_keys(self._digest, prepared, salt)
        self._first = first
        self._nonce = first["nonce"] + self._new_nonce()
        self._server_first = f"r={self._nonce},s={_base64(salt)},i={ITERATIONS}"
        return Challenge(self._server_first.encode("ascii"))

    def _binding_flaw(self, flag: str, binding: str | None) -> str | None:
        """What is wrong with the client's use of channel binding, if anything (section 6)."""
        bindings = self._secrets.channel_bindings
        if self._plus and flag != "p":
            return f"the client chose {self.name} but asks for no channel binding"
        if flag == "p" and not self._plus:
            return f"the client asks for channel binding, but chose {self.name}; bound, its name ends in -PLUS"
        if binding is not None and binding not in bindings:
            return f"there is no channel binding {binding!r} here; there are {', '.join(bindings) or 'none'}"
        if flag == "y" and bindings:
            return "the client believes that there is no channel binding here, but there is: a downgrade"
        return None

    def _take_final(self, first: re.Match[str], text: str) -> Step:
        import hashlib
        import hmac

        final = _FINAL.fullmatch(text)
        if final is None:
            return self._malformed("is no client-final-message (RFC 5802 section 7)")
        bound = first["header"].encode("utf-8")
        if first["binding"] is not None:
            bound += self._secrets.channel_bindings[first["binding"]]
        if final["binding"] != _base64(bound):
            return Failure("the client's channel binding is another", username=self._username)
        if final["nonce"] != self._nonce:
            return Failure("the client's nonce is another than that of this exchange", username=self._username)
        stored_key, server_key = self._keys
        auth_message = f"{first['bare']},{self._server_first},{final['unproved']}".encode()
        signature = hmac.digest(stored_key, auth_message, self._digest)
        try:
            proof = binascii.a2b_base64(final["proof"], strict_mode=True)
        except binascii.Error:
            return self._malformed("has a proof that is not base64")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        right = len(proof) == len(signature) and hmac.compare_digest(
            hashlib.new(self._digest, client_key).digest(), stored_key
        )
        if not right:
            return Failure(f"the password of {self._username!r} is wrong", username=self._username)
        authorization_id = _unescaped(first["authzid"] or "")
        verifier = _base64(hmac.digest(server_key, auth_message, self._digest))
        return Success(Credentials(self._username, authorization_id=authorization_id), f"v={verifier}".encode("ascii"))


@lru_cache(maxsize=8)
def _derived_keys(digest: str, password: str, salt: bytes) -> tuple[bytes, bytes]:
    """StoredKey and ServerKey (section 3)."""
    import hashlib
    import hmac

    salted = hashlib.pbkdf2_hmac(digest, password.encode("utf-8"), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", digest)
    return hashlib.new(digest, client_key).digest(), hmac.digest(salted, b"Server Key", digest)


def _unescaped(name: str) -> str:
    return name.replace("=2C", ",").replace("=3D", "=")


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")
