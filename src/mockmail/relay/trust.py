"""TLS as a relaying client uses it: with whoever offers it, and knowing whose certificate can be trusted (RFC 7435,
RFC 8689)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockmail.wire.certificates import known_authorities

if TYPE_CHECKING:
    import ssl

__all__ = ["TLSFailed", "opportunistic", "verifying"]


class TLSFailed(Exception):
    """There was STARTTLS, but no TLS. ``problem`` says why; ``distrusted``: it was the certificate."""

    def __init__(self, error: OSError) -> None:
        message = getattr(error, "verify_message", None)
        self.distrusted = message is not None
        self.problem = message or getattr(error, "reason", None) or str(error) or type(error).__name__
        super().__init__(self.problem)


_contexts: dict[str, ssl.SSLContext] = {}
_trusted: set[str] = set()


def opportunistic() -> ssl.SSLContext:
    """TLS with whoever is there: without it the mail would go in plain text. Loop thread, as the other."""
    if "opportunistic" not in _contexts:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _contexts["opportunistic"] = context
    return _contexts["opportunistic"]


def verifying() -> ssl.SSLContext:
    """TLS with those whose certificate is of a server of this process, or of somebody whom the system trusts
    (``SSL_CERT_FILE`` adds to them)."""
    if "verifying" not in _contexts:
        import ssl

        _contexts["verifying"] = ssl.create_default_context()
    context = _contexts["verifying"]
    for file in known_authorities():
        if file not in _trusted:
            _trusted.add(file)
            context.load_verify_locations(cafile=file)
    return context
