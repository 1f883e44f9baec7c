"""The mechanisms of one message: PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422 appendix A), ANONYMOUS (RFC 4505)."""

from __future__ import annotations

from mockmail.auth.sasl import Challenge, Credentials, Failure, Secrets, Step, Success

__all__ = ["AnonymousMechanism", "ExternalMechanism", "LoginMechanism", "PlainMechanism"]

_TRACE_LIMIT = 255


class PlainMechanism:
    """RFC 4616: ``message = [authzid] UTF8NUL authcid UTF8NUL passwd``."""

    name = "PLAIN"
    client_first = True

    def step(self, response: bytes | None) -> Step:
        """One message, in the initial response or after an empty challenge."""
        if response is None:
            return Challenge(b"")
        text = _text(response)
        fields = [] if text is None else text.split("\0")
        if len(fields) != 3:
            return Failure("PLAIN takes authzid NUL authcid NUL password, in UTF-8", malformed=True)
        authorization_id, username, password = fields
        return Success(Credentials(username, password=password, authorization_id=authorization_id))


class LoginMechanism:
    """LOGIN (draft-murchison-sasl-login): name, then password, each asked for. smtplib and others put the name into
    an initial response, which is taken."""

    name = "LOGIN"
    client_first = False

    def __init__(self) -> None:
        self._username: str | None = None

    def step(self, response: bytes | None) -> Step:
        """Ask for the name, then for the password."""
        if response is None:
            return Challenge(b"Username:")
        text = _text(response)
        if text is None or "\0" in text:
            return Failure("LOGIN takes UTF-8 text without NUL", malformed=True)
        if self._username is None:
            self._username = text
            return Challenge(b"Password:")
        return Success(Credentials(self._username, password=text))


class ExternalMechanism:
    """RFC 4422 appendix A: who the client is, its TLS certificate has said. ``response = *( UTF8-char-no-nul )`` is
    whom it wants to act as, empty for whom the certificate names first."""

    name = "EXTERNAL"
    client_first = True

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def step(self, response: bytes | None) -> Step:
        """One message, in the initial response or after an empty challenge."""
        if response is None:
            return Challenge(b"")
        wanted = _text(response)
        if wanted is None or "\0" in wanted:
            return Failure("EXTERNAL takes an authorization identity in UTF-8 without NUL, or nothing", malformed=True)
        names = self._secrets.certified_names
        if not names:
            return Failure("the client's TLS certificate names nobody", username=wanted)
        named = next((name for name in names if name.casefold() == wanted.casefold()), names[0])
        return Success(Credentials(named, authorization_id=wanted))


class AnonymousMechanism:
    """RFC 4505: ``message = [ email / token ]`` is a trace of at most 255 characters that means nothing."""

    name = "ANONYMOUS"
    client_first = True

    def step(self, response: bytes | None) -> Step:
        """One message, in the initial response or after an empty challenge."""
        if response is None:
            return Challenge(b"")
        trace = _text(response)
        if trace is None or len(trace) > _TRACE_LIMIT or not trace.isprintable():
            return Failure(f"ANONYMOUS takes at most {_TRACE_LIMIT} printable characters in UTF-8", malformed=True)
        return Success(Credentials(trace or "anonymous", anonymous=True))


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
