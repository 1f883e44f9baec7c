"""Where mail for a recipient goes: a mailbox here, the queue, several of these, or back with a reply. Loop thread
only."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from mockmail.core.accounts import canonical_address
from mockmail.records import record

if TYPE_CHECKING:
    from mockmail.core.world import World

__all__ = [
    "SMARTHOST",
    "Decision",
    "Deliver",
    "Expand",
    "Refuse",
    "Relay",
    "Taken",
    "alone",
    "is_local",
    "leaves",
    "overfull",
    "released",
    "route",
    "within_quotas",
]

SMARTHOST = "smarthost"
"""Stands for the next-hop domain of all mail when there is a smarthost."""


@record
class Deliver:
    """Store it in this account's INBOX. The account is made at delivery when it is missing."""

    recipient: str
    """As given in RCPT."""
    address: str
    """Canonical address of the account."""
    sender: str | None = None
    """The reverse-path from here on: the owner of the list that was expanded. ``None``: as it came."""


@record
class Relay:
    """Queue it for another server."""

    recipient: str
    """As given in RCPT."""
    address: str
    """Where it is sent."""
    domain: str
    """The next-hop domain: recipients of one domain travel together."""
    sender: str | None = None


@record
class Refuse:
    """Answer the recipient with this; or, for a target of an alias, report it."""

    recipient: str
    code: int
    status: str
    """Enhanced status code, such as ``"5.1.1"`` (RFC 3463)."""
    text: str
    address: str = ""
    """The target that was refused."""
    sender: str | None = None

    @property
    def reply(self) -> str:
        """Code, status and text."""
        return f"{self.code} {self.status} {self.text}"


Leaf: TypeAlias = Deliver | Relay | Refuse


@record
class Expand:
    """An alias or a mailing list: all of these."""

    recipient: str
    """As given in RCPT."""
    address: str
    """Canonical address of the alias or list."""
    kind: Literal["alias", "list"]
    targets: tuple[Leaf, ...]
    """What becomes of each target, nested aliases resolved; not all of them are refused."""


Taken: TypeAlias = Deliver | Relay | Expand
"""A decision by which the recipient is accepted."""
Decision: TypeAlias = Taken | Refuse


def leaves(decision: Decision) -> tuple[Leaf, ...]:
    """What is to be done in the end."""
    return decision.targets if isinstance(decision, Expand) else (decision,)


def route(world: World, recipient: str, *, authenticated: bool = False, size_bytes: int = 0) -> Decision:
    """Decide for one recipient (an address as given in RCPT, without angle brackets). ``authenticated``: whether its
    client has logged in. ``size_bytes``: of the message, as far as it is known."""
    accounts, settings = world.accounts, world.settings
    if settings.domains is None and settings.routes is None and world.aliases.empty and not accounts.has_quotas:
        account = accounts.known(_parts(recipient)[0]) if "@" in recipient else None
        if account is not None:  # nearly all mail; the way of the rest takes twice as long
            return _delivery(recipient, account.address)
    decision = _route(world, recipient, authenticated, ())
    if accounts.has_quotas:
        return overfull(world, decision, max(size_bytes, 1)) or decision
    return decision


def overfull(world: World, decision: Decision, size_bytes: int) -> Refuse | None:
    """The refusal where so much more mail is past the quota of the account that it goes to."""
    if not isinstance(decision, Deliver):
        return None
    account = world.accounts.get(decision.address)
    if account is None or account.has_room(size_bytes):
        return None
    text = f"<{decision.recipient}>: mailbox full; its quota is {account.quota_bytes} bytes"
    return Refuse(decision.recipient, 552, "5.2.2", text, decision.address, decision.sender)


def within_quotas(world: World, decisions: Sequence[Taken], size_bytes: int) -> Sequence[Taken]:
    """The same decisions, where each delivery that is past a quota is a refusal to be reported."""
    found: list[Taken] = []
    for decision in decisions:
        targets = tuple([overfull(world, leaf, size_bytes) or leaf for leaf in leaves(decision)])
        if targets == leaves(decision):
            found.append(decision)
        elif isinstance(decision, Expand):
            found.append(replace(decision, targets=targets))
        else:
            found.append(Expand(decision.recipient, decision.address, "alias", targets))
    return found


def _route(world: World, recipient: str, authenticated: bool, seen: tuple[str, ...]) -> Decision:
    """``seen``: the aliases and lists on the way here."""
    # Only "postmaster" may stand without a domain (RFC 5321 4.1.1.3).
    here = recipient if "@" in recipient else f"{recipient}@{world.settings.default_domain}"
    address, _, domain = _parts(here)
    settings = world.settings
    if (settings.domains is not None or settings.routes is not None) and not is_local(world, domain):
        return _remote(world, recipient, here, domain, authenticated)
    if not world.aliases.empty:
        expanded = _expanded(world, recipient, address, seen)
        if expanded is not None:
            return expanded
    return _local(world, recipient, address, seen)


@lru_cache(maxsize=1024)
def _parts(address: str) -> tuple[str, str, str]:
    """An address in its canonical form, and the local part and the domain of that. Mail goes to the same few addresses
    again and again."""
    canonical = canonical_address(address)
    local_part, _, domain = canonical.rpartition("@")
    return canonical, local_part, domain


@lru_cache(maxsize=1024)
def alone(address: str) -> tuple[str]:
    """An address as a tuple, the same object for the same value: most mail has one recipient, and the same few."""
    return (address,)


@lru_cache(maxsize=1024)
def _delivery(recipient: str, address: str) -> Deliver:
    """The same object for the same values."""
    return Deliver(recipient, address)


def is_local(world: World, domain: str) -> bool:
    """Whether mail for a (canonical) domain is delivered here."""
    settings = world.settings
    if settings.domains is None:
        return settings.routes is None or not _is_one_of(domain, settings.routes)
    return _is_one_of(domain, settings.domains)


def _remote(world: World, recipient: str, address: str, domain: str, authenticated: bool) -> Relay | Refuse:
    settings = world.settings
    if settings.relay_allow is not None and not _matches(address, settings.relay_allow):
        allowed = f"relay_allow={list(settings.relay_allow)}"
        return Refuse(recipient, 550, "5.7.1", f"<{recipient}>: relaying denied; the address is not one of {allowed}")
    if settings.relay == "open" or (authenticated and settings.relay == "authenticated"):
        return Relay(recipient, address, domain if settings.smarthost is None else SMARTHOST)
    if settings.domains is not None:
        foreign = f"{domain} is not one of domains={list(settings.domains)}"
    else:
        foreign = f"{domain} is one of routes="
    how = "relay='none'" if settings.relay == "none" else "log in first, or set relay='open'"
    return Refuse(recipient, 550, "5.7.1", f"<{recipient}>: relaying denied; {foreign}; {how}")


def _local(world: World, recipient: str, address: str, seen: tuple[str, ...]) -> Decision:
    account = world.accounts.known(address)
    if account is not None:
        return _delivery(recipient, account.address)
    _, local_part, domain = _parts(address)
    settings = world.settings
    untagged = address
    if settings.plus_tags and "+" in local_part:
        untagged = f"{_without_tag(local_part)}@{domain}"
        account = world.accounts.known(untagged)
        if account is not None:
            return _delivery(recipient, account.address)
    catch_all = world.aliases.catch_all
    if catch_all is not None and catch_all != address and local_part != "postmaster":
        return _expansion(world, recipient, address, "alias", (catch_all,), None, seen)
    if settings.creates_accounts or local_part == "postmaster":
        return _delivery(recipient, untagged)
    return Refuse(
        recipient,
        550,
        "5.1.1",
        f"<{recipient}>: no such user here; add it to users=, or set unknown_recipients='create'",
    )


# Aliases and lists


def _expanded(world: World, recipient: str, address: str, seen: tuple[str, ...]) -> Decision | None:
    """What an alias or a list of that address leads to, tag or no tag; ``None`` when there is none."""
    _, local_part, domain = _parts(address)
    untagged = f"{_without_tag(local_part)}@{domain}" if world.settings.plus_tags else address
    for name in dict.fromkeys((address, untagged)):
        targets = world.aliases.targets(name)
        if targets is not None:
            return _expansion(world, recipient, name, "alias", targets, None, seen)
        listed = world.aliases.list_of(name)
        if listed is not None:
            return _expansion(world, recipient, name, "list", listed.members, listed.owner, seen)
    return None


def _expansion(
    world: World,
    recipient: str,
    address: str,
    kind: Literal["alias", "list"],
    targets: tuple[str, ...],
    sender: str | None,
    seen: tuple[str, ...],
) -> Expand | Refuse:
    """An alias of which nothing is left refuses its own recipient."""
    if address in seen:
        # Names are checked for cycles when they are added; tags and the catch-all address can still make one.
        return Refuse(recipient, 550, "5.4.6", f"<{address}> leads back to itself: {' -> '.join((*seen, address))}")
    found = tuple(dict.fromkeys(_resolved(world, recipient, address, targets, sender, (*seen, address))))
    refused = [one for one in found if isinstance(one, Refuse)]
    if len(refused) == len(found):
        first = refused[0]
        return replace(first, address="", sender=None, text=f"<{recipient}> leads to {first.text}")
    return Expand(recipient, address, kind, found)


def _resolved(
    world: World,
    recipient: str,
    address: str,
    targets: tuple[str, ...],
    sender: str | None,
    seen: tuple[str, ...],
) -> Iterator[Leaf]:
    for target in targets:
        if target == address:
            decision = _local(world, recipient, target, seen)  # it keeps a copy
        else:
            # Whoever set up the alias wants it sent there, wherever the mail comes from.
            decision = _route(world, target, world.settings.relay != "none", seen)
        for leaf in leaves(decision):
            address_meant = leaf.address or target
            yield replace(leaf, recipient=recipient, address=address_meant, sender=leaf.sender or sender)


def released(world: World, recipient: str) -> Relay | Refuse:
    """Where mail goes that is sent on by hand, whatever its domain: to another server, if that may be."""
    address = canonical_address(recipient)
    return _remote(world, recipient, address, address.rpartition("@")[2], True)


def _matches(address: str, patterns: Collection[str]) -> bool:
    """Whether an address is one of these addresses, of these domains, or fits one of these patterns."""
    canonical = canonical_address(address)
    domain = canonical.rpartition("@")[2]
    return any(
        re.search(one[1:-1], canonical, re.IGNORECASE) is not None
        if _is_expression(one)
        else fnmatchcase(canonical if "@" in one else domain, one.lower())
        for one in patterns
    )


def _is_expression(pattern: str) -> bool:
    return len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/")


def _is_one_of(domain: str, domains: Collection[str]) -> bool:
    """Whether a canonical domain is one of those of the settings, which may be written in punycode."""
    return domain in domains or any(canonical_address(f"@{name}") == f"@{domain}" for name in domains)


def _without_tag(local_part: str) -> str:
    return local_part if local_part.startswith(("+", '"')) else local_part.partition("+")[0]
