"""Where mail for a recipient goes: a mailbox here, or back with a reply. Loop thread only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mockmail.core.accounts import AccountState, canonical_address

if TYPE_CHECKING:
    from mockmail.core.world import World

__all__ = ["Decision", "Deliver", "Refuse", "route"]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Store it in this account's INBOX. The account is made at delivery when it is missing."""

    recipient: str
    """As given in RCPT."""
    address: str
    """Canonical address of the account."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the recipient with this."""

    recipient: str
    code: int
    status: str
    """Enhanced status code, such as ``"5.1.1"`` (RFC 3463)."""
    text: str


Decision: TypeAlias = Deliver | Refuse


def route(world: World, recipient: str) -> Decision:
    """Decide for one recipient (an address as given in RCPT, without angle brackets)."""
    settings = world.settings
    if "@" not in recipient:
        # Only "postmaster" may stand without a domain (RFC 5321 4.1.1.3).
        recipient_here = f"{recipient}@{settings.default_domain}"
    else:
        recipient_here = recipient
    address = canonical_address(recipient_here)
    local_part, _, domain = address.rpartition("@")
    if settings.domains is not None and not _is_one_of(domain, settings.domains):
        return Refuse(
            recipient,
            550,
            "5.7.1",
            f"<{recipient}>: relaying denied; {domain} is not one of domains={list(settings.domains)}",
        )
    account = _account(world, address, local_part, domain)
    if account is not None:
        return Deliver(recipient, account.address)
    if settings.creates_accounts or local_part == "postmaster":
        return Deliver(recipient, _without_tag(local_part, settings.plus_tags) + "@" + domain)
    return Refuse(
        recipient,
        550,
        "5.1.1",
        f"<{recipient}>: no such user here; add it to users=, or set unknown_recipients='create'",
    )


def _is_one_of(domain: str, domains: Sequence[str]) -> bool:
    """Whether a canonical domain is one of those of the settings, which may be written in punycode."""
    return domain in domains or any(canonical_address(f"@{name}") == f"@{domain}" for name in domains)


def _account(world: World, address: str, local_part: str, domain: str) -> AccountState | None:
    account = world.accounts.get(address)
    if account is None and world.settings.plus_tags:
        account = world.accounts.get(_without_tag(local_part, True) + "@" + domain)
    return account


def _without_tag(local_part: str, plus_tags: bool) -> str:
    if not plus_tags or local_part.startswith(("+", '"')):
        return local_part
    return local_part.partition("+")[0]
