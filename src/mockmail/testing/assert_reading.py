"""Queries and assertions on what user agents do with mail: read, flag, move, delete, upload."""

from __future__ import annotations

from typing import Unpack

from mockmail.core.events import Appended, Expunged, Fetched, Moved
from mockmail.core.message import StoredMessage
from mockmail.testing import expect
from mockmail.testing.expect import Query, run
from mockmail.testing.kinds import APPENDED, DELETED, FETCHED, FLAGGED, MOVED
from mockmail.testing.matching import (
    AppendedCriteria,
    DeletedCriteria,
    FetchedCriteria,
    FlaggedCriteria,
    MovedCriteria,
    with_named,
)
from mockmail.testing.source import Source

__all__ = ["ReadingAssertions"]


class ReadingAssertions(Source):
    """What a test asks of mail that is there already. Waiting ones take ``timeout`` and ``quiet``, in seconds."""

    def fetched(self, **criteria: Unpack[FetchedCriteria]) -> list[Fetched]:
        """What user agents have read, oldest first: one event for each part asked for."""
        return expect.found(Query(self, FETCHED, "fetched", criteria))

    def assert_fetched(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[FetchedCriteria]
    ) -> Fetched:
        """Wait until a user agent has read one message that fits (its header, its text, a part, or all), and return
        the first event; events on two messages fail at once."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, FETCHED, "assert_fetched", criteria), timeout, quiet))

    def assert_not_fetched(self, *, quiet: float = 0.0, **criteria: Unpack[FetchedCriteria]) -> None:
        """No user agent has read a message that fits, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, FETCHED, "assert_not_fetched", criteria), quiet))

    def assert_flagged(
        self, flag: str, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[FlaggedCriteria]
    ) -> StoredMessage:
        """Wait until one message that fits has the flag, whoever set it, and return it as it is then. The backslash of
        a system flag may be left out."""
        __tracebackhide__ = True
        return run(
            self,
            expect.the_one(Query(self, FLAGGED, "assert_flagged", with_named("flag", flag, criteria)), timeout, quiet),
        )

    def assert_not_flagged(self, flag: str, *, quiet: float = 0.0, **criteria: Unpack[FlaggedCriteria]) -> None:
        """No message that fits has the flag, nor gets it for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, FLAGGED, "assert_not_flagged", with_named("flag", flag, criteria)), quiet))

    def assert_moved(
        self,
        to_folder: str | None = None,
        *,
        timeout: float | None = None,
        quiet: float = 0.0,
        **criteria: Unpack[MovedCriteria],
    ) -> Moved:
        """Wait until one message that fits was moved (by MOVE, or by COPY and removal), and return the event."""
        __tracebackhide__ = True
        return run(
            self,
            expect.the_one(
                Query(self, MOVED, "assert_moved", with_named("to_folder", to_folder, criteria)), timeout, quiet
            ),
        )

    def assert_not_moved(
        self, to_folder: str | None = None, *, quiet: float = 0.0, **criteria: Unpack[MovedCriteria]
    ) -> None:
        """No message that fits was moved, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(
            self,
            expect.none(Query(self, MOVED, "assert_not_moved", with_named("to_folder", to_folder, criteria)), quiet),
        )

    def assert_deleted(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[DeletedCriteria]
    ) -> Expunged:
        """Wait until one message that fits is gone for good (by EXPUNGE, or by DELE and QUIT), and return the event."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, DELETED, "assert_deleted", criteria), timeout, quiet))

    def assert_not_deleted(self, *, quiet: float = 0.0, **criteria: Unpack[DeletedCriteria]) -> None:
        """No message that fits is gone, nor goes for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, DELETED, "assert_not_deleted", criteria), quiet))

    def assert_appended(
        self,
        folder: str | None = None,
        *,
        timeout: float | None = None,
        quiet: float = 0.0,
        **criteria: Unpack[AppendedCriteria],
    ) -> Appended:
        """Wait until one message that fits was uploaded, and return the event."""
        __tracebackhide__ = True
        return run(
            self,
            expect.the_one(
                Query(self, APPENDED, "assert_appended", with_named("folder", folder, criteria)), timeout, quiet
            ),
        )

    def assert_not_appended(
        self, folder: str | None = None, *, quiet: float = 0.0, **criteria: Unpack[AppendedCriteria]
    ) -> None:
        """No message that fits was uploaded, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(
            self,
            expect.none(Query(self, APPENDED, "assert_not_appended", with_named("folder", folder, criteria)), quiet),
        )
