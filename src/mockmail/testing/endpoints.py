"""Where protocols are served."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from mockmail.config import Settings
from mockmail.errors import NotRunningError

__all__ = ["Endpoint", "EndpointOf", "Endpoints", "not_started"]


class Server(Protocol):
    """Who has endpoints."""

    def endpoint(self, name: str) -> Endpoint: ...


class Endpoint(NamedTuple):
    """Where a protocol is served: ``protocol`` is ``"smtp"``, or ``"smtps"`` with TLS from the first byte."""

    protocol: str
    host: str
    port: int

    @property
    def address(self) -> tuple[str, int]:
        """(host, port), as clients take it."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """Such as ``smtp://127.0.0.1:40125``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


class EndpointOf:
    """One endpoint, as an attribute of the server."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name

    def __get__(self, server: Server | None, owner: type[object]) -> Endpoint:
        if server is None:
            return self  # type: ignore[return-value]  # on the class, for documentation tools
        __tracebackhide__ = True
        return server.endpoint(self.name)


def not_started(name: str, settings: Settings, *, running: bool) -> NotRunningError:
    """Why there is no such endpoint, and what to write for one."""
    if not running:
        return NotRunningError(
            f"mail.{name} has no address because the servers do not run; use `with MockMail() as mail:`"
            " or call start()."
        )
    if name.endswith("s") and not settings.tls:
        return NotRunningError(f"{name} is not started, because TLS is off: set tls=True to have it on a free port.")
    return NotRunningError(f"{name} is not started: set {name}_port=0 to have it on a free port.")


class Endpoints:
    """All that can be served, as attributes; each that is not started raises when it is asked for."""

    smtp = EndpointOf()
    lmtp = EndpointOf()
    pop3 = EndpointOf()
    imap = EndpointOf()
    smtps = EndpointOf()
    pop3s = EndpointOf()
    imaps = EndpointOf()
    http = EndpointOf()
