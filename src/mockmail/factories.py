"""What the fixtures that start further servers give, for annotations.

Not in the plugin, which is loaded in every run: the first ``Protocol`` class of a process takes as long to make as all
the rest of the plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from mockmail.config import Settings
    from mockmail.network import MailNetwork
    from mockmail.server import MockMail

__all__ = ["MailNetworkFactory", "MockMailFactory"]


class MockMailFactory(Protocol):
    """What the fixture ``mockmail_factory`` gives: called with settings, it starts one more server."""

    def __call__(self, **settings: Any) -> MockMail:
        """A running server, stopped at the end of the test."""


class MailNetworkFactory(Protocol):
    """What the fixture ``mockmail_network`` gives: called with domains, it starts a server for each."""

    def __call__(self, *servers: str | Collection[str], settings: Settings | None = None) -> MailNetwork:
        """A running network, stopped at the end of the test."""
