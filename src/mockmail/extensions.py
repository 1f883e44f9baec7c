"""Rows of the tables of what a protocol advertises, and the algebra on them. No protocol words here: each protocol
keeps its own rows (``smtp/extensions.py``, ``pop3/extensions.py``, ``imap/extensions.py``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mockmail.errors import ConfigurationError

__all__ = ["Extension", "enabled_names"]


@dataclass(frozen=True, slots=True)
class Extension:
    """One capability. What is not enabled is neither advertised nor understood."""

    name: str
    """As advertised, without parameters, in capitals."""
    rfc: str
    """Where it is specified, such as ``"RFC 2177"``."""
    commands: frozenset[str] = frozenset()
    """Commands that exist only with it."""
    parameters: frozenset[str] = frozenset()
    """Command parameters, FETCH items or SEARCH keys that exist only with it."""
    states: frozenset[str] = frozenset()
    """States in which it is shown; empty means every state."""
    enable_able: bool = False
    implied_by: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    """Facts that must hold for it to be shown, such as ``"tls-available"`` or ``"plain-text"``."""


def enabled_names(
    rows: Iterable[Extension],
    *,
    only: Collection[str] | None,
    hide: Collection[str] = (),
    protocol: str = "",
) -> frozenset[str]:
    """The names in force: all rows (or those of ``only``), less ``hide``. Case is ignored.

    Raises ``ConfigurationError`` for a name in ``only`` or ``hide`` that no row has.
    """
    known = {row.name.upper() for row in rows}
    chosen = known if only is None else {name.upper() for name in only}
    hidden = {name.upper() for name in hide}
    for name in (chosen | hidden) - known:
        raise ConfigurationError(
            f"{protocol or 'the protocol'} has no capability {name!r}; write one of {', '.join(sorted(known))}."
        )
    return frozenset(chosen - hidden)
