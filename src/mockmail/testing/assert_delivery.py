"""Queries and assertions on mail that comes in: delivered, refused."""

from __future__ import annotations

from typing import Any, Literal, Unpack, overload

from mockmail.core.events import (
    Appended,
    Bounced,
    Command,
    Expunged,
    Fetched,
    LoggedIn,
    LoginFailed,
    Moved,
    Rejected,
    Relayed,
)
from mockmail.core.journal import Mark
from mockmail.core.message import Message, StoredMessage
from mockmail.core.queue import QueuedMessage
from mockmail.testing import expect
from mockmail.testing.checks import bcc_leak
from mockmail.testing.expect import Query, run
from mockmail.testing.kinds import DELIVERED, REJECTED, kind_named
from mockmail.testing.matching import DeliveredCriteria, RejectedCriteria
from mockmail.testing.source import Source

__all__ = ["DeliveryAssertions"]


class DeliveryAssertions(Source):
    """What a test asks of mail that comes in. Waiting ones take ``timeout`` and ``quiet``, in seconds."""

    def mark(self) -> Mark:
        """This moment, for ``since=``."""
        return self.world.journal.mark()

    def delivered(self, **criteria: Unpack[DeliveredCriteria]) -> list[Message]:
        """Delivered messages, oldest first; one to several recipients is one."""
        return expect.found(Query(self, DELIVERED, "delivered", criteria))

    def assert_delivered(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[DeliveredCriteria]
    ) -> Message:
        """Wait for the one message that fits, and return it; two fail at once."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, DELIVERED, "assert_delivered", criteria), timeout, quiet))

    def assert_not_delivered(self, *, quiet: float = 0.0, **criteria: Unpack[DeliveredCriteria]) -> None:
        """No message that fits is there, nor comes for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, DELIVERED, "assert_not_delivered", criteria), quiet))

    def assert_delivered_count(
        self, count: int, /, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[DeliveredCriteria]
    ) -> list[Message]:
        """Wait for ``count`` messages that fit, and return them; one more fails."""
        __tracebackhide__ = True
        query = Query(self, DELIVERED, "assert_delivered_count", criteria)
        return run(self, expect.exactly(query, count, timeout, quiet))

    @overload
    def wait_for(
        self, count: int, what: Literal["delivered"] = "delivered", *, timeout: float | None = None, **criteria: Any
    ) -> list[Message]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["rejected"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Rejected]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["relayed"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Relayed]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["queued"], *, timeout: float | None = None, **criteria: Any
    ) -> list[QueuedMessage]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["bounced"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Bounced]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["fetched"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Fetched]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["flagged"], *, timeout: float | None = None, **criteria: Any
    ) -> list[StoredMessage]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["moved"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Moved]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["deleted"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Expunged]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["appended"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Appended]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["logged_in"], *, timeout: float | None = None, **criteria: Any
    ) -> list[LoggedIn]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["login_failed"], *, timeout: float | None = None, **criteria: Any
    ) -> list[LoginFailed]: ...
    @overload
    def wait_for(
        self, count: int, what: Literal["command"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Command]: ...
    def wait_for(
        self, count: int, what: str = "delivered", *, timeout: float | None = None, **criteria: Any
    ) -> list[Any]:
        """Wait for at least ``count`` of something, and return all there are."""
        __tracebackhide__ = True
        query = Query(self, kind_named(what), "wait_for", criteria)
        return run(self, expect.at_least(query, count, timeout))

    def rejected(self, **criteria: Unpack[RejectedCriteria]) -> list[Rejected]:
        """Refusals of senders, recipients and messages, oldest first."""
        return expect.found(Query(self, REJECTED, "rejected", criteria))

    def assert_rejected(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[RejectedCriteria]
    ) -> Rejected:
        """Wait for a refusal that fits, and return the first."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, REJECTED, "assert_rejected", criteria), timeout, quiet))

    def assert_not_rejected(self, *, quiet: float = 0.0, **criteria: Unpack[RejectedCriteria]) -> None:
        """Nothing that fits was refused, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, REJECTED, "assert_not_rejected", criteria), quiet))

    def assert_no_bcc_leak(self, **criteria: Unpack[DeliveredCriteria]) -> None:
        """No delivered message that fits shows blind recipients to the others: in a Bcc field, or in any other field
        an address that only the envelope should have."""
        __tracebackhide__ = True
        for message in expect.found(Query(self, DELIVERED, "assert_no_bcc_leak", criteria)):
            leak = bcc_leak(message)
            if leak:
                raise AssertionError(leak)
