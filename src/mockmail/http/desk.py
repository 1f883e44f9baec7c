"""What the HTTP side works on: the server it belongs to, and what is kept for it between two resets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from starlette.requests import HTTPConnection

from mockmail.config import Settings
from mockmail.core.events import Actor
from mockmail.core.world import World
from mockmail.http.catalogue import Catalogue
from mockmail.testing.accounts import Account
from mockmail.testing.faults import Faults
from mockmail.wire.certificates import Trust
from mockmail.wire.faults import Fault
from mockmail.wire.runtime import Runtime
from mockmail.wire.transcript import Transcript

__all__ = ["Address", "Desk", "Served", "actor", "desk"]


class Address(Protocol):
    """Where something is served."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def url(self) -> str: ...


class Served(Protocol):
    """The server, as HTTP sees it. Everything is called on the loop thread."""

    faults: Faults

    @property
    def world(self) -> World: ...
    @property
    def runtime(self) -> Runtime: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def transcript(self) -> Transcript: ...
    @property
    def tls(self) -> Trust: ...
    @property
    def endpoints(self) -> Mapping[str, Address]: ...
    def account(self, address: str) -> Account: ...
    def add_alias(self, address: str, *targets: str) -> None: ...
    def add_list(self, address: str, members: Collection[str], *, owner: str) -> None: ...
    def set_catch_all(self, address: str | None) -> None: ...
    def outage(self, state: str) -> None: ...
    def reset(self) -> None: ...
    def check(self) -> None: ...
    def late_mail(self) -> list[str]: ...


class Desk:
    """One server's HTTP side. Loop thread only."""

    def __init__(self, server: Served, on_error: Callable[[BaseException], None]) -> None:
        self.server = server
        self.on_error = on_error
        self.chaos: dict[str, Fault] = {}
        """Mailpit's chaos triggers in force, by name."""
        self.listeners: set[Callable[[dict[str, Any]], None]] = set()
        """Who follows Mailpit's events; see :meth:`tell`."""
        self._numbers: WeakKeyDictionary[World, int] = WeakKeyDictionary()
        self._last_number = 0

    @property
    def world(self) -> World:
        return self.server.world

    def tell(self, kind: str, data: Any = None) -> None:
        """Tell Mailpit's listeners of something that is no event of the journal, such as other tags."""
        for listener in self.listeners:
            listener({"Type": kind, "Data": data})

    def catalogue(self, world: World) -> Catalogue:
        """The one list of all mail of a world."""
        found: Catalogue | None = world.companions.get("catalogue")
        if found is None:
            found = Catalogue(world)
            if not world.retired:
                world.companions["catalogue"] = found
        return found

    def number(self, world: World) -> int:
        """What tells one world from the others of this server."""
        number = self._numbers.get(world)
        if number is None:
            self._last_number = number = self._numbers[world] = self._last_number + 1
        return number


def desk(connection: HTTPConnection) -> Desk:
    """The desk that a request came to."""
    found: Any = connection.app.state.desk
    assert isinstance(found, Desk)
    return found


def actor(connection: HTTPConnection, account: str = "") -> Actor:
    """Who does something by this request, to mail of ``account``."""
    return Actor("http", connection.scope["state"].get("session", ""), account)
