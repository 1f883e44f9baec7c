"""The waiting methods of a server as awaitables: ``await mail.aio.assert_delivered(...)``."""

# ruff: noqa: ASYNC109  asyncio.timeout() would lose the text of the failure, and its clock may be frozen

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
    TLSFailed,
    TLSStarted,
)
from mockmail.core.message import Message, StoredMessage
from mockmail.core.queue import QueuedMessage
from mockmail.testing import expect
from mockmail.testing.aio_relay import AsyncRelay
from mockmail.testing.awaiting import run_async
from mockmail.testing.expect import Query
from mockmail.testing.kinds import (
    APPENDED,
    COMMAND,
    DELETED,
    DELIVERED,
    FETCHED,
    FLAGGED,
    IDLING,
    LOGGED_IN,
    LOGIN_FAILED,
    MOVED,
    REJECTED,
    TLS_REFUSED,
    TLS_STARTED,
    kind_named,
)
from mockmail.testing.matching import (
    AppendedCriteria,
    CommandCriteria,
    DeletedCriteria,
    DeliveredCriteria,
    FailedLoginCriteria,
    FetchedCriteria,
    FlaggedCriteria,
    LoginCriteria,
    MovedCriteria,
    RefusedTLSCriteria,
    RejectedCriteria,
    Text,
    TLSCriteria,
    with_named,
)
from mockmail.testing.source import Source

__all__ = ["AsyncMockMail"]


class _AsyncDelivery:
    """See :class:`mockmail.testing.assert_delivery.DeliveryAssertions`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def assert_delivered(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[DeliveredCriteria]
    ) -> Message:
        """Wait for the one message that fits, and return it; two fail at once."""
        __tracebackhide__ = True
        return await run_async(
            self._source, expect.the_one(Query(self._source, DELIVERED, "assert_delivered", criteria), timeout, quiet)
        )

    async def assert_not_delivered(self, *, quiet: float = 0.0, **criteria: Unpack[DeliveredCriteria]) -> None:
        """No message that fits is there, nor comes for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(
            self._source, expect.none(Query(self._source, DELIVERED, "assert_not_delivered", criteria), quiet)
        )

    async def assert_delivered_count(
        self, count: int, /, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[DeliveredCriteria]
    ) -> list[Message]:
        """Wait for ``count`` messages that fit, and return them; one more fails."""
        __tracebackhide__ = True
        query = Query(self._source, DELIVERED, "assert_delivered_count", criteria)
        return await run_async(self._source, expect.exactly(query, count, timeout, quiet))

    @overload
    async def wait_for(
        self, count: int, what: Literal["delivered"] = "delivered", *, timeout: float | None = None, **criteria: Any
    ) -> list[Message]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["rejected"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Rejected]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["relayed"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Relayed]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["queued"], *, timeout: float | None = None, **criteria: Any
    ) -> list[QueuedMessage]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["bounced"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Bounced]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["fetched"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Fetched]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["flagged"], *, timeout: float | None = None, **criteria: Any
    ) -> list[StoredMessage]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["moved"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Moved]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["deleted"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Expunged]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["appended"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Appended]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["logged_in"], *, timeout: float | None = None, **criteria: Any
    ) -> list[LoggedIn]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["login_failed"], *, timeout: float | None = None, **criteria: Any
    ) -> list[LoginFailed]: ...
    @overload
    async def wait_for(
        self, count: int, what: Literal["command"], *, timeout: float | None = None, **criteria: Any
    ) -> list[Command]: ...
    async def wait_for(
        self, count: int, what: str = "delivered", *, timeout: float | None = None, **criteria: Any
    ) -> list[Any]:
        """Wait for at least ``count`` of something, and return all there are."""
        __tracebackhide__ = True
        query = Query(self._source, kind_named(what), "wait_for", criteria)
        return await run_async(self._source, expect.at_least(query, count, timeout))

    async def assert_rejected(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[RejectedCriteria]
    ) -> Rejected:
        """Wait for a refusal that fits, and return the first."""
        __tracebackhide__ = True
        return await run_async(
            self._source, expect.the_one(Query(self._source, REJECTED, "assert_rejected", criteria), timeout, quiet)
        )

    async def assert_not_rejected(self, *, quiet: float = 0.0, **criteria: Unpack[RejectedCriteria]) -> None:
        """Nothing that fits was refused, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(
            self._source, expect.none(Query(self._source, REJECTED, "assert_not_rejected", criteria), quiet)
        )


class _AsyncReading:
    """See :class:`mockmail.testing.assert_reading.ReadingAssertions`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def assert_fetched(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[FetchedCriteria]
    ) -> Fetched:
        """Wait until a user agent has read one message that fits (its header, its text, a part, or all), and return
        the first event; events on two messages fail at once."""
        __tracebackhide__ = True
        return await run_async(
            self._source, expect.the_one(Query(self._source, FETCHED, "assert_fetched", criteria), timeout, quiet)
        )

    async def assert_not_fetched(self, *, quiet: float = 0.0, **criteria: Unpack[FetchedCriteria]) -> None:
        """No user agent has read a message that fits, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(self._source, expect.none(Query(self._source, FETCHED, "assert_not_fetched", criteria), quiet))

    async def assert_flagged(
        self, flag: str, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[FlaggedCriteria]
    ) -> StoredMessage:
        """Wait until one message that fits has the flag, whoever set it, and return it as it is then. The backslash of
        a system flag may be left out."""
        __tracebackhide__ = True
        return await run_async(
            self._source,
            expect.the_one(
                Query(self._source, FLAGGED, "assert_flagged", with_named("flag", flag, criteria)), timeout, quiet
            ),
        )

    async def assert_not_flagged(self, flag: str, *, quiet: float = 0.0, **criteria: Unpack[FlaggedCriteria]) -> None:
        """No message that fits has the flag, nor gets it for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(
            self._source,
            expect.none(Query(self._source, FLAGGED, "assert_not_flagged", with_named("flag", flag, criteria)), quiet),
        )

    async def assert_moved(
        self,
        to_folder: str | None = None,
        *,
        timeout: float | None = None,
        quiet: float = 0.0,
        **criteria: Unpack[MovedCriteria],
    ) -> Moved:
        """Wait until one message that fits was moved (by MOVE, or by COPY and removal), and return the event."""
        __tracebackhide__ = True
        return await run_async(
            self._source,
            expect.the_one(
                Query(self._source, MOVED, "assert_moved", with_named("to_folder", to_folder, criteria)), timeout, quiet
            ),
        )

    async def assert_not_moved(
        self, to_folder: str | None = None, *, quiet: float = 0.0, **criteria: Unpack[MovedCriteria]
    ) -> None:
        """No message that fits was moved, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(
            self._source,
            expect.none(
                Query(self._source, MOVED, "assert_not_moved", with_named("to_folder", to_folder, criteria)), quiet
            ),
        )

    async def assert_deleted(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[DeletedCriteria]
    ) -> Expunged:
        """Wait until one message that fits is gone for good (by EXPUNGE, or by DELE and QUIT), and return the event."""
        __tracebackhide__ = True
        return await run_async(
            self._source, expect.the_one(Query(self._source, DELETED, "assert_deleted", criteria), timeout, quiet)
        )

    async def assert_not_deleted(self, *, quiet: float = 0.0, **criteria: Unpack[DeletedCriteria]) -> None:
        """No message that fits is gone, nor goes for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(self._source, expect.none(Query(self._source, DELETED, "assert_not_deleted", criteria), quiet))

    async def assert_appended(
        self,
        folder: str | None = None,
        *,
        timeout: float | None = None,
        quiet: float = 0.0,
        **criteria: Unpack[AppendedCriteria],
    ) -> Appended:
        """Wait until one message that fits was uploaded, and return the event."""
        __tracebackhide__ = True
        return await run_async(
            self._source,
            expect.the_one(
                Query(self._source, APPENDED, "assert_appended", with_named("folder", folder, criteria)), timeout, quiet
            ),
        )

    async def assert_not_appended(
        self, folder: str | None = None, *, quiet: float = 0.0, **criteria: Unpack[AppendedCriteria]
    ) -> None:
        """No message that fits was uploaded, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(
            self._source,
            expect.none(
                Query(self._source, APPENDED, "assert_not_appended", with_named("folder", folder, criteria)), quiet
            ),
        )


class _AsyncSessions:
    """See :class:`mockmail.testing.assert_sessions.SessionAssertions`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def assert_logged_in(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[LoginCriteria]
    ) -> LoggedIn:
        """Wait for a login that fits, and return the first."""
        __tracebackhide__ = True
        return await run_async(
            self._source, expect.the_one(Query(self._source, LOGGED_IN, "assert_logged_in", criteria), timeout, quiet)
        )

    async def assert_not_logged_in(self, *, quiet: float = 0.0, **criteria: Unpack[LoginCriteria]) -> None:
        """No login that fits has succeeded, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(
            self._source, expect.none(Query(self._source, LOGGED_IN, "assert_not_logged_in", criteria), quiet)
        )

    async def assert_login_failed(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[FailedLoginCriteria]
    ) -> LoginFailed:
        """Wait for a login refused, and return the first. ``account`` is the name that was tried."""
        __tracebackhide__ = True
        return await run_async(
            self._source,
            expect.the_one(Query(self._source, LOGIN_FAILED, "assert_login_failed", criteria), timeout, quiet),
        )

    async def assert_tls_started(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[TLSCriteria]
    ) -> TLSStarted:
        """Wait for a TLS handshake that both sides finished, and return the first that fits. It does not say that the
        client looked at the certificate: that is seen with ``TLS(certificate="untrusted")`` and
        :meth:`assert_tls_refused`."""
        __tracebackhide__ = True
        return await run_async(
            self._source,
            expect.the_one(Query(self._source, TLS_STARTED, "assert_tls_started", criteria), timeout, quiet),
        )

    async def assert_not_tls_started(self, *, quiet: float = 0.0, **criteria: Unpack[TLSCriteria]) -> None:
        """No TLS handshake that fits has been finished, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        await run_async(
            self._source, expect.none(Query(self._source, TLS_STARTED, "assert_not_tls_started", criteria), quiet)
        )

    async def assert_tls_refused(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[RefusedTLSCriteria]
    ) -> TLSFailed:
        """Wait for a client to refuse TLS, and return the first refusal that fits; ``reason`` is its alert, such as
        ``"unknown ca"``."""
        __tracebackhide__ = True
        return await run_async(
            self._source,
            expect.the_one(Query(self._source, TLS_REFUSED, "assert_tls_refused", criteria), timeout, quiet),
        )

    async def assert_command(
        self, name: str, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[CommandCriteria]
    ) -> Command:
        """Wait for a command that a client gave, and return the first. ``"FETCH"`` is also UID FETCH, ``"UID FETCH"``
        only that."""
        __tracebackhide__ = True
        return await run_async(
            self._source,
            expect.the_one(
                Query(self._source, COMMAND, "assert_command", with_named("name", name, criteria)), timeout, quiet
            ),
        )

    async def assert_idling(self, account: Text, folder: str = "INBOX", *, timeout: float | None = None) -> Command:
        """Wait until a client of the account is in IDLE on the folder, and return the command."""
        __tracebackhide__ = True
        criteria = {"account": account, "folder": folder}
        return await run_async(
            self._source, expect.the_one(Query(self._source, IDLING, "assert_idling", criteria), timeout, 0.0)
        )


class AsyncMockMail(_AsyncDelivery, _AsyncReading, AsyncRelay, _AsyncSessions):
    """``mail.aio``: what waits in :class:`mockmail.MockMail`, awaitable. It may be used from any event loop; while one
    waits, the loop serves all other tasks."""
