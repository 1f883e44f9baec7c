"""What a server's administrator does: accounts, aliases and lists; and its outages. Parts of ``MockMail``, by area."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mockmail.core.accounts import canonical_address
from mockmail.core.clock import Clock
from mockmail.core.queue import QueuedMessage
from mockmail.core.routing import is_local
from mockmail.errors import ConfigurationError, NotRunningError
from mockmail.relay.routes import Directory
from mockmail.testing.accounts import Account
from mockmail.testing.live import QueueView
from mockmail.testing.source import Source
from mockmail.wire.connections import Connections
from mockmail.wire.listener import Listener
from mockmail.wire.runtime import Runtime

__all__ = ["Addresses", "Membership", "Outages"]


@dataclass(frozen=True, slots=True)
class Membership:
    """What a server shares with the others of its network."""

    runtime: Runtime
    clock: Clock
    directory: Callable[[object], Directory]
    """The MX records as one server sees them, which must not send to itself."""
    servers: Callable[[], Sequence[Source]]


class Addresses(Source):
    """Whom there is mail for."""

    @property
    def queue(self) -> Sequence[QueuedMessage]:
        """Messages waiting to be relayed, oldest first."""
        return QueueView(self)

    def account(self, address: str) -> Account:
        """The account of an address, made on first use."""
        __tracebackhide__ = True
        if "@" not in address.strip("@"):
            raise ConfigurationError(f"{address!r} is no full address; write one such as 'bob@example.test'.")
        return Account(self, self.call(lambda: self.world.account(address).address))

    def add_user(self, address: str, password: str) -> Account:
        """An account that takes only this password."""
        if not password:
            raise ConfigurationError(f"The password for {address!r} is empty; write one, or use account() for none.")
        account = self.account(address)
        self.call(lambda: self.world.accounts.create(account.address, password=password, created_by="test"))
        return account

    def add_alias(self, address: str, *targets: str) -> None:
        """Send mail for ``address`` on to ``targets``, here or elsewhere; the sender stays. An alias that is one of its
        own targets keeps a copy. Raises ``ConfigurationError`` for a cycle, and for a domain that is not local."""
        self._check_local("alias", address)
        self.call(lambda: self.world.aliases.add_alias(address, targets))

    def add_list(self, address: str, members: Collection[str], *, owner: str) -> None:
        """Send mail for ``address`` on to all members of a mailing list, in the name of its owner, who gets the reports
        (RFC 5321 section 3.9.2). Raises as :meth:`add_alias` does."""
        self._check_local("list", address)
        self.call(lambda: self.world.aliases.add_list(address, members, owner))

    def set_catch_all(self, address: str | None) -> None:
        """Send mail for unknown local recipients to ``address``; ``None`` ends that."""
        self.call(lambda: self.world.aliases.set_catch_all(address))

    def _check_local(self, kind: str, address: str) -> None:
        domain = canonical_address(address).rpartition("@")[2] if isinstance(address, str) and "@" in address else ""
        if domain and not is_local(self.world, domain):
            raise ConfigurationError(
                f"The {kind} {address!r} would never get mail, because {domain} is no domain of this server; add it to"
                " domains=, or write an address of another domain."
            )


class Outages(Source):
    """The server as others see it: there, gone, or silent. Any thread."""

    _listeners: dict[str, Listener]
    _connections: Connections

    def go_down(self) -> None:
        """Refuse connections on all ports, which stay reserved, and cut those that are open. Mail stays."""
        self._outage(Listener.go_down)

    def come_up(self) -> None:
        """Serve again, after :meth:`go_down` or :meth:`hang`."""
        self._outage(Listener.come_up)

    def hang(self) -> None:
        """Accept connections on all ports and never speak; those that are open are cut."""
        self._outage(Listener.hang)

    def outage(self, state: str) -> None:
        """``"up"``, ``"down"`` or ``"hanging"``, of all ports but that of HTTP, by which it is asked for; for the
        library's own use."""
        changes = {"up": Listener.come_up, "down": Listener.go_down, "hanging": Listener.hang}
        self._outage(changes[state], but="http")

    def _outage(self, change: Callable[[Listener], None], *, but: str | None = None) -> None:
        def do() -> None:
            for name, listener in self._listeners.items():
                if name != but:
                    change(listener)
            if change is not Listener.come_up:
                self._connections.abort()

        if not self._listeners:
            raise NotRunningError("The server does not run, so it cannot go down; start() it first.")
        self.call(do)
