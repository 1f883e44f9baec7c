"""Addresses that stand for others: aliases, mailing lists, and the one that gets what nobody else does. Loop thread
only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mockmail.core.accounts import canonical_address
from mockmail.errors import ConfigurationError

__all__ = ["Aliases", "MailingList"]


@dataclass(frozen=True, slots=True)
class MailingList:
    """An address whose mail goes to its members in the name of its owner (RFC 5321 section 3.9.2)."""

    members: tuple[str, ...]
    owner: str


class Aliases:
    """What a test told of addresses beyond its accounts. Adding raises ``ConfigurationError`` for what could never
    be delivered."""

    __slots__ = ("aliases", "catch_all", "empty", "lists")

    def __init__(self) -> None:
        self.aliases: dict[str, tuple[str, ...]] = {}
        """Where each alias leads, by its canonical address."""
        self.lists: dict[str, MailingList] = {}
        """The mailing lists, by their canonical addresses."""
        self.catch_all: str | None = None
        """Where mail for unknown local recipients goes."""
        self.empty = True
        """Whether there are neither aliases nor lists: of each recipient that is asked."""

    def targets(self, address: str) -> tuple[str, ...] | None:
        """Where an alias (canonical) leads, or ``None``."""
        return self.aliases.get(address)

    def list_of(self, address: str) -> MailingList | None:
        """The list of that (canonical) address, or ``None``."""
        return self.lists.get(address)

    def add_alias(self, address: str, targets: Collection[str]) -> None:
        """Have mail for ``address`` go to ``targets``; naming the address itself keeps a copy there."""
        name = _checked("address", address)
        if not targets:
            raise ConfigurationError(f"The alias {address!r} has no target; name at least one address.")
        leads_to = tuple(_checked("target", target) for target in targets)
        if leads_to == (name,):
            raise ConfigurationError(f"The alias {address!r} leads only to itself; name another address.")
        self._check_free(name, "alias")
        self._check_cycle(name, leads_to)
        self.aliases[name] = leads_to
        self.empty = False

    def add_list(self, address: str, members: Collection[str], owner: str) -> None:
        """Have mail for ``address`` go to each of ``members``, and reports about it to ``owner``."""
        name = _checked("address", address)
        if isinstance(members, str):
            raise ConfigurationError(f"members is the string {members!r}; write a list of addresses: [{members!r}].")
        expanded = tuple(dict.fromkeys(_checked("member", member) for member in members))
        if not expanded:
            raise ConfigurationError(f"The list {address!r} has no members; name at least one address.")
        owned_by = _checked("owner", owner)
        if owned_by == name:
            raise ConfigurationError(
                f"The list {address!r} is its own owner, so that reports would go to all members; write another owner=."
            )
        if name in expanded:
            raise ConfigurationError(f"The list {address!r} is a member of itself; leave it out of members.")
        self._check_free(name, "list")
        self._check_cycle(name, expanded)
        self.lists[name] = MailingList(expanded, owned_by)
        self.empty = False

    def set_catch_all(self, address: str | None) -> None:
        """Have mail for unknown local recipients go to ``address``; ``None`` ends that."""
        self.catch_all = None if address is None else _checked("address", address)

    def _check_free(self, name: str, kind: str) -> None:
        taken: Mapping[str, object] = self.lists if kind == "alias" else self.aliases
        if name in taken:
            raise ConfigurationError(f"{name!r} is {'a list' if kind == 'alias' else 'an alias'} already.")

    def _check_cycle(self, name: str, targets: tuple[str, ...]) -> None:
        """Raise if from one of ``targets`` one comes back to ``name``."""
        for first in targets:
            if first == name:
                continue  # an alias that keeps a copy
            path = self._path(first, name, {first})
            if path is not None:
                raise ConfigurationError(
                    f"{name!r} would lead back to itself: {' -> '.join((name, *path))}; mail for it could never arrive."
                )

    def _path(self, start: str, goal: str, seen: set[str]) -> list[str] | None:
        listed = self.lists.get(start)
        for following in self.aliases.get(start) or (listed.members if listed is not None else ()):
            if following == goal:
                return [start, goal]
            if following not in seen:
                seen.add(following)
                path = self._path(following, goal, seen)
                if path is not None:
                    return [start, *path]
        return None


def _checked(what: str, address: object) -> str:
    if not isinstance(address, str) or "@" not in address.strip("@"):
        raise ConfigurationError(f"The {what} {address!r} is no full address; write one such as 'bob@example.test'.")
    return canonical_address(address)
