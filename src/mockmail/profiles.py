"""Named behaviours, as sets of capability names. ``None`` stands for all that a protocol has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mockmail.errors import ConfigurationError

__all__ = ["PROFILES", "Profile", "profile_named"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a server advertises, by protocol: ``smtp``, ``pop3``, ``imap``."""

    name: str
    smtp: frozenset[str] | None = None
    pop3: frozenset[str] | None = None
    imap: frozenset[str] | None = None
    mechanisms: frozenset[str] | None = None
    """Of logins, on every protocol that has AUTH or AUTHENTICATE."""

    def names(self, protocol: str) -> frozenset[str] | None:
        """Capability names of one protocol; LMTP is SMTP's."""
        names: frozenset[str] | None = getattr(self, "smtp" if protocol == "lmtp" else protocol)
        return names


PROFILES: Mapping[str, Profile] = {
    "standard": Profile("standard"),
    "minimal": Profile(
        "minimal",
        smtp=frozenset({"SIZE", "8BITMIME"}),
        pop3=frozenset({"USER", "TOP", "UIDL"}),
        imap=frozenset({"IMAP4rev1"}),
        mechanisms=frozenset({"PLAIN", "LOGIN"}),
    ),
}


def profile_named(name: str) -> Profile:
    """The profile of that name; ``ConfigurationError`` names the others when there is none."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(f"There is no profile {name!r}; write one of {', '.join(PROFILES)}.") from None
