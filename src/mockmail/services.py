"""What is served: the listeners, and the sessions behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import MissingExtraError
from mockmail.wire.certificates import server_contexts
from mockmail.wire.connections import Connections, SessionFactory
from mockmail.wire.contract import Link, Session
from mockmail.wire.listener import Listener

if TYPE_CHECKING:
    import ssl

    from mockmail.http.desk import Served

__all__ = ["check_capabilities", "listeners"]

_PROTOCOLS = {
    **{name: name for name in ("smtp", "lmtp", "pop3", "imap")},
    **{f"{name}s": name for name in ("smtp", "pop3", "imap")},
}
"""Endpoint -> the protocol of its sessions."""


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
