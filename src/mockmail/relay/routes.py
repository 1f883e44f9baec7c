"""Where mail for a domain goes next: routes of the settings, a smarthost, the MX records of a network (RFC 5321
section 5.1, RFC 7505)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mockmail.config import Settings
from mockmail.core.accounts import canonical_address
from mockmail.core.routing import SMARTHOST
from mockmail.relay.replies import Reply
from mockmail.relaying import parse_smarthost

if TYPE_CHECKING:
    from random import Random

__all__ = ["NO_ROUTE", "Directory", "Hop", "Route", "Watch", "find_route", "without"]

Watch: TypeAlias = Callable[[tuple[str, int], Callable[[], None]], Callable[[], None]]

NO_ROUTE = Reply.here(451, "4.4.4", "no route; set routes=")


@dataclass(frozen=True, slots=True)
class Hop:
    """A host to connect to. Equal ones are one next hop."""

    name: str
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)
    watch: Watch | None = field(default=None, repr=False, compare=False)
    """Of a server of our own network: tells when it hangs, so that nobody waits for it in real time. Given the local
    address of a connection and what to call; what it returns ends that."""

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port


@dataclass(frozen=True, slots=True)
class Route:
    """The hosts that take mail for a domain: those that are preferred first, equal ones together."""

    preferences: tuple[tuple[Hop, ...], ...]

    @property
    def shared(self) -> bool:
        """Whether messages take different ways: some hosts are equal."""
        return any(len(equal) > 1 for equal in self.preferences)

    def order(self, random: Callable[[], Random]) -> tuple[Hop, ...]:
        """All hosts in the order in which one message tries them: equal ones share the mail, so that their order is
        random (RFC 5321 section 5.1)."""
        ordered: list[Hop] = []
        for equal in self.preferences:
            ordered += equal if len(equal) == 1 else random().sample(equal, len(equal))
        return tuple(ordered)


Directory: TypeAlias = Callable[[str], "Route | Reply"]
"""The MX records of a network, for a canonical domain; a reply says why there is no route."""


def find_route(settings: Settings, domain: str, directory: Directory | None) -> Route | Reply:
    """The route to a next-hop domain, or why there is none."""
    if domain == SMARTHOST and settings.smarthost is not None:
        smarthost = parse_smarthost(settings.smarthost)
        name = f"{smarthost.host}:{smarthost.port}"
        return Route(((Hop(name, smarthost.host, smarthost.port, smarthost.login),),))
    for name, (host, port) in (settings.routes or {}).items():
        if canonical_address(f"@{name}") == f"@{domain}":
            return Route(((Hop(f"{host}:{port}", host, port),),))
    return NO_ROUTE if directory is None else directory(domain)


def without(route: Route, own: Collection[tuple[str, int]], domain: str) -> Route | Reply:
    """The route up to this server itself: mail goes to hosts that are preferred to oneself, or it would never end (RFC
    5321 section 5.1)."""
    kept: list[tuple[Hop, ...]] = []
    for equal in route.preferences:
        if any(hop.address in own for hop in equal):
            break
        kept.append(equal)
    if len(kept) == len(route.preferences):
        return route
    if kept:
        return Route(tuple(kept))
    where = ":".join(map(str, route.preferences[0][0].address))
    text = (
        f"mail for {domain} loops back to this server, which does not have it: its route leads to {where}, our own port"
    )
    return Reply.here(554, "5.4.6", text)
