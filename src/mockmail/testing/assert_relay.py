"""Queries and assertions on mail that goes on: relayed, waiting in the queue, bounced."""

from __future__ import annotations

from typing import Unpack

from mockmail.core.events import Bounced, Relayed
from mockmail.core.queue import QueuedMessage
from mockmail.testing import expect
from mockmail.testing.expect import Query, run
from mockmail.testing.kinds import BOUNCED, QUEUED, RELAYED
from mockmail.testing.passing_on import BouncedCriteria, QueuedCriteria, RelayedCriteria
from mockmail.testing.source import Source

__all__ = ["RelayAssertions"]


class RelayAssertions(Source):
    """What a test asks of mail that goes on to other servers."""

    def relayed(self, **criteria: Unpack[RelayedCriteria]) -> list[Relayed]:
        """What next hops took over, oldest first."""
        return expect.found(Query(self, RELAYED, "relayed", criteria))

    def assert_relayed(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[RelayedCriteria]
    ) -> Relayed:
        """Wait for the one message that fits and that a next hop has taken, and return the event; two fail at once."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, RELAYED, "assert_relayed", criteria), timeout, quiet))

    def assert_not_relayed(self, *, quiet: float = 0.0, **criteria: Unpack[RelayedCriteria]) -> None:
        """No next hop has taken a message that fits, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, RELAYED, "assert_not_relayed", criteria), quiet))

    def queued(self, **criteria: Unpack[QueuedCriteria]) -> list[QueuedMessage]:
        """What waits for a next hop now, oldest first."""
        return expect.found(Query(self, QUEUED, "queued", criteria))

    def assert_queued(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[QueuedCriteria]
    ) -> QueuedMessage:
        """Wait until the one message that fits waits in the queue, and return it as it is then; two fail at once."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, QUEUED, "assert_queued", criteria), timeout, quiet))

    def assert_not_queued(self, *, quiet: float = 0.0, **criteria: Unpack[QueuedCriteria]) -> None:
        """No message that fits waits, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, QUEUED, "assert_not_queued", criteria), quiet))

    def bounced(self, **criteria: Unpack[BouncedCriteria]) -> list[Bounced]:
        """What was given up, oldest first."""
        return expect.found(Query(self, BOUNCED, "bounced", criteria))

    def assert_bounced(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[BouncedCriteria]
    ) -> Bounced:
        """Wait for the one message that fits to be given up, and return the event; two fail at once."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, BOUNCED, "assert_bounced", criteria), timeout, quiet))

    def assert_not_bounced(self, *, quiet: float = 0.0, **criteria: Unpack[BouncedCriteria]) -> None:
        """No message that fits was given up, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, BOUNCED, "assert_not_bounced", criteria), quiet))
