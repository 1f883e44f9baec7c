"""What is served where: endpoints, and the listeners and sessions behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import MissingExtraError, NotRunningError
from mockmail.wire.certificates import server_contexts
from mockmail.wire.connections import Connections, SessionFactory
from mockmail.wire.contract import Link, Session
from mockmail.wire.listener import Listener

if TYPE_CHECKING:
    import ssl

    from mockmail.http.desk import Served

__all__ = ["Endpoint", "EndpointOf", "check_capabilities", "listeners", "not_started"]

_PROTOCOLS = {
    **{name: name for name in ("smtp", "lmtp", "pop3", "imap")},
    **{f"{name}s": name for name in ("smtp", "pop3", "imap")},
}
"""Endpoint -> the protocol of its sessions."""


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


def check_capabilities(settings: Settings) -> None:
    """Raise ``ConfigurationError`` for a name in ``hide`` that its protocol does not have."""
    from mockmail.imap.extensions import offered_names
    from mockmail.pop3.extensions import capabilities_of as pop3_capabilities_of
    from mockmail.smtp.extensions import capabilities_of as smtp_capabilities_of

    smtp_capabilities_of(settings, "smtp")
    smtp_capabilities_of(settings, "lmtp")
    pop3_capabilities_of(settings)
    offered_names(settings)


def listeners(
    settings: Settings, connections: Connections, world: Callable[[], World], server: Served
) -> Iterator[tuple[str, Listener]]:
    """Bind the ports of ``settings`` one after the other, and give each listener by the name of its endpoint. Sessions
    begin in what ``world`` returns then."""
    upgrade: ssl.SSLContext | None = None
    implicit: ssl.SSLContext | None = None
    if settings.tls_options is not None:
        upgrade, implicit = server_contexts(settings.tls_options, settings.host)
    for name, protocol in _PROTOCOLS.items():
        port = settings.port(name)
        if port is None:
            continue
        twin = name != protocol
        yield (
            name,
            Listener(
                protocol,
                _session_factory(world, protocol),
                connections,
                host=settings.host,
                port=port,
                setting=f"{name}_port",
                tls=implicit if twin else upgrade,
                implicit_tls=twin,
            ),
        )
    if settings.http_port is not None:
        yield "http", _http_listener(server, connections)


def _http_listener(server: Served, connections: Connections) -> Listener:
    try:
        from mockmail.http.app import http_listener
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package == "mockmail":
            raise
        raise MissingExtraError(
            f"http_port is set, but {package} is not installed: run `pip install 'mockmail[http]'`."
        ) from error
    return http_listener(server, connections, connections.errors.append)


def _session_factory(world: Callable[[], World], protocol: str) -> SessionFactory:
    make = _session_class(protocol)
    return lambda link: make(link, world())


def _session_class(protocol: str) -> Callable[[Link, World], Session]:
    """Imported when a server starts: SMTP brings aiosmtpd."""
    if protocol in ("smtp", "lmtp"):
        from mockmail.smtp.session import SmtpSession

        return SmtpSession
    if protocol == "pop3":
        from mockmail.pop3.session import Pop3Session

        return Pop3Session
    from mockmail.imap.session import ImapSession

    return ImapSession
