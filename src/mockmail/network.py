"""Several servers that send mail to each other: MX records, one thread and one clock for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Self, cast

from mockmail.config import Settings
from mockmail.core.accounts import canonical_address
from mockmail.core.clock import Clock
from mockmail.errors import ConfigurationError, NotRunningError, ServerError
from mockmail.premises import Membership
from mockmail.relay.replies import Reply
from mockmail.relay.routes import Directory, Hop, Route
from mockmail.running import Running
from mockmail.server import MockMail
from mockmail.wire.driver import Driver
from mockmail.wire.runtime import Runtime

__all__ = ["MailNetwork"]

Host = MockMail | tuple[str, int]


class MailNetwork(Running):
    """A server for each argument, a domain or several: ``MailNetwork("alice.test", ["bob.test", "bob.example"])``.

    Each relays for its own users to the domains of the others, found by MX records: those set by :meth:`mx`, else the
    server that has the domain. ``settings`` are of all of them. Use it in a ``with``.
    """

    def __init__(self, *servers: str | Collection[str], settings: Settings | None = None) -> None:
        self._errors: list[BaseException] = []
        self._runtime = Runtime(self._errors.append, name="mockmail network")
        self.clock = Clock()
        """The one clock of all servers."""
        self._settings = settings or Settings()
        self._servers: list[MockMail] = []
        self._by_domain: dict[str, MockMail] = {}
        self._mx: dict[str, list[tuple[int, tuple[Host, ...]]]] = {}
        for domains in servers:
            self._add([domains] if isinstance(domains, str) else list(domains), {})

    # The servers

    def __getitem__(self, domain: str) -> MockMail:
        """The server that has the domain."""
        try:
            return self._by_domain[_canonical(domain)]
        except KeyError:
            known = ", ".join(self._by_domain) or "none"
            raise KeyError(f"no server of this network has the domain {domain!r}; there are {known}") from None

    def __iter__(self) -> Iterator[MockMail]:
        return iter(self._servers)

    def __len__(self) -> int:
        return len(self._servers)

    def add(self, domain: str | Collection[str], /, **settings: Any) -> MockMail:
        """One more server, with settings of its own; it runs at once when the network does."""
        return self._add([domain] if isinstance(domain, str) else list(domain), settings)

    def _add(self, domains: list[str], overrides: dict[str, Any]) -> MockMail:
        for domain in domains:
            if not isinstance(domain, str) or not domain.strip(".") or "@" in domain:
                raise ConfigurationError(f"{domain!r} is no domain; write a name such as 'alice.test'.")
            if _canonical(domain) in self._by_domain:
                raise ConfigurationError(f"A server of this network has the domain {domain!r} already.")
        server = MockMail(self._settings, **{"domains": domains, **overrides})
        server._join(Membership(self._runtime, self.clock, self._directory, lambda: self._servers))
        if self._runtime.running:
            server.start()
        self._servers.append(server)
        self._by_domain.update((_canonical(domain), server) for domain in domains)
        return server

    def mx(self, domain: str, hosts: Mapping[int, Host | Collection[Host]]) -> None:
        """Set the MX records of a domain: preference -> a server, a ``(host, port)``, or a list of these, which share
        the mail. ``{}`` is a null MX: the domain takes no mail (RFC 7505)."""
        if not isinstance(hosts, Mapping):
            raise ConfigurationError(
                f"The MX records are {hosts!r}; write a mapping of preferences to servers, such as {{10: server}}."
            )
        records: list[tuple[int, tuple[Host, ...]]] = []
        for preference, given in hosts.items():
            if not isinstance(preference, int) or not 0 <= preference <= 65535:
                raise ConfigurationError(f"{preference!r} is no preference; write a number from 0 to 65535.")
            several = (given,) if isinstance(given, MockMail) or _is_address(given) else tuple(_listed(given))
            for host in several:
                if host not in self._servers and not _is_address(host):
                    raise ConfigurationError(
                        f"{host!r} is no host for an MX record; write a server of this network or (host, port)."
                    )
            if not several:
                raise ConfigurationError(f"There is no host of preference {preference}; write one, or leave it out.")
            records.append((preference, cast("tuple[Host, ...]", several)))
        records.sort(key=lambda record: record[0])
        self._mx[_canonical(domain)] = records

    def _directory(self, asking: object) -> Directory:
        return lambda domain: self._route(asking, domain)

    def _route(self, asking: object, domain: str) -> Route | Reply:
        """Where ``asking`` sends mail for a domain (RFC 5321 section 5.1). Loop thread."""
        records = self._mx.get(domain)
        if records is None:
            server = self._by_domain.get(domain)
            if server is None:
                return Reply.here(550, "5.1.2", f"no server of this network has the domain {domain}")
            records = [(0, (server,))]
        elif not records:
            return Reply.here(556, "5.1.10", f"{domain} takes no mail: it has a null MX")
        preferences: list[tuple[Hop, ...]] = []
        stopped: list[str] = []
        for _, hosts in records:
            if asking in hosts:
                # Mail goes to hosts preferred to oneself only, or it would never end.
                break
            there = tuple([hop for host in hosts if (hop := _hop(host)) is not None])
            if there:
                preferences.append(there)
            else:
                stopped += [host.settings.default_domain for host in hosts if isinstance(host, MockMail)]
        if not preferences and stopped:
            return Reply.here(451, "4.4.1", f"{', '.join(stopped)} is stopped, or has no smtp_port")
        if not preferences:
            return Reply.here(554, "5.4.6", f"mail for {domain} loops back to this server, which does not have it")
        return Route(tuple(preferences))

    # Running

    def start(self) -> Self:
        """Start all servers; ``NotRunningError`` when they run already."""
        if self._runtime.running:
            raise NotRunningError("This MailNetwork runs already; stop() it before another start().")
        self._runtime.start()
        try:
            for server in self._servers:
                server.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all servers. Idempotent."""
        driver = self.clock.driver
        if isinstance(driver, Driver) and self._runtime.running:
            self._runtime.call(driver.detach)  # first: no server shall find that another is no longer there
        for server in self._servers:
            server.stop()
        self._runtime.stop()

    def check(self) -> None:
        """Raise ``ServerError`` for unexpected errors inside the servers since the last call."""
        for server in self._servers:
            server.check()
        if self._errors:
            errors = list(self._errors)
            del self._errors[: len(errors)]
            raise ServerError(errors) from errors[0]

    def _warn_of_unused(self) -> None:
        for server in self._servers:
            server.faults.warn_of_unused()

    def __repr__(self) -> str:
        return f"<MailNetwork {', '.join(self._by_domain)}>"


def _canonical(domain: str) -> str:
    return canonical_address(f"@{domain}")[1:]


def _listed(given: object) -> Iterable[object]:
    return given if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _is_address(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int


def _hop(host: Host) -> Hop | None:
    """``None``: it has no port now, as a server that was stopped."""
    if isinstance(host, MockMail):
        listener = host._listeners.get("smtp")
        if listener is None:
            return None
        watch = listener.connections.when_silent
        return Hop(host.settings.default_domain, listener.host, listener.port, watch=watch)
    return Hop(f"{host[0]}:{host[1]}", *host)
