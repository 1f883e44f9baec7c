"""Queries and assertions on sessions: logins, commands, IDLE."""

from __future__ import annotations

from typing import Unpack

from mockmail.core.events import Command, LoggedIn, LoginFailed, TLSFailed, TLSStarted
from mockmail.testing import expect
from mockmail.testing.checks import protocol_errors
from mockmail.testing.expect import Query, run
from mockmail.testing.explain import command_line
from mockmail.testing.kinds import COMMAND, IDLING, LOGGED_IN, LOGIN_FAILED, TLS_REFUSED, TLS_STARTED
from mockmail.testing.matching import (
    CommandCriteria,
    FailedLoginCriteria,
    LoginCriteria,
    RefusedTLSCriteria,
    Text,
    TLSCriteria,
    with_named,
)
from mockmail.testing.source import Source

__all__ = ["SessionAssertions"]


class SessionAssertions(Source):
    """What a test asks of the sessions of clients. Waiting ones take ``timeout``, in seconds."""

    def commands(self, name: str | None = None, **criteria: Unpack[CommandCriteria]) -> list[Command]:
        """Commands that clients gave, oldest first."""
        return expect.found(Query(self, COMMAND, "commands", with_named("name", name, criteria)))

    def assert_logged_in(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[LoginCriteria]
    ) -> LoggedIn:
        """Wait for a login that fits, and return the first."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, LOGGED_IN, "assert_logged_in", criteria), timeout, quiet))

    def assert_not_logged_in(self, *, quiet: float = 0.0, **criteria: Unpack[LoginCriteria]) -> None:
        """No login that fits has succeeded, nor does for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, LOGGED_IN, "assert_not_logged_in", criteria), quiet))

    def assert_login_failed(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[FailedLoginCriteria]
    ) -> LoginFailed:
        """Wait for a login refused, and return the first. ``account`` is the name that was tried."""
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, LOGIN_FAILED, "assert_login_failed", criteria), timeout, quiet))

    def assert_tls_started(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[TLSCriteria]
    ) -> TLSStarted:
        """Wait for a TLS handshake that both sides finished, and return the first that fits.

        It says that the bytes were encrypted, and how. Whether the client looked at the certificate cannot be seen
        from here: for that, start a server with ``tls=TLS(certificate="untrusted")``, and see by
        :meth:`assert_tls_refused` that the client refuses it.
        """
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, TLS_STARTED, "assert_tls_started", criteria), timeout, quiet))

    def assert_not_tls_started(self, *, quiet: float = 0.0, **criteria: Unpack[TLSCriteria]) -> None:
        """No TLS handshake that fits has been finished, nor is for ``quiet`` seconds."""
        __tracebackhide__ = True
        run(self, expect.none(Query(self, TLS_STARTED, "assert_not_tls_started", criteria), quiet))

    def assert_tls_refused(
        self, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[RefusedTLSCriteria]
    ) -> TLSFailed:
        """Wait for a client to refuse TLS, and return the first refusal that fits.

        ``reason`` is the client's alert: ``"unknown ca"`` of an untrusted or self-signed certificate, ``"certificate
        expired"``, ``"bad certificate"`` (wrong host, not yet valid); other libraries may choose others. A client that
        says none has ``"left during the handshake"`` or, when it looks at the certificate only afterwards, ``"left
        without a word"``.
        """
        __tracebackhide__ = True
        return run(self, expect.the_one(Query(self, TLS_REFUSED, "assert_tls_refused", criteria), timeout, quiet))

    def assert_command(
        self, name: str, *, timeout: float | None = None, quiet: float = 0.0, **criteria: Unpack[CommandCriteria]
    ) -> Command:
        """Wait for a command that a client gave, and return the first. ``"FETCH"`` is also UID FETCH, ``"UID FETCH"``
        only that."""
        __tracebackhide__ = True
        return run(
            self,
            expect.the_one(Query(self, COMMAND, "assert_command", with_named("name", name, criteria)), timeout, quiet),
        )

    def assert_idling(self, account: Text, folder: str = "INBOX", *, timeout: float | None = None) -> Command:
        """Wait until a client of the account is in IDLE on the folder, and return the command."""
        __tracebackhide__ = True
        criteria = {"account": account, "folder": folder}
        return run(self, expect.the_one(Query(self, IDLING, "assert_idling", criteria), timeout, 0.0))

    def assert_no_protocol_errors(self, **criteria: Unpack[CommandCriteria]) -> None:
        """No command that fits was answered by an error of syntax or of state (SMTP 500 to 504 and 555, IMAP BAD, POP3
        -ERR to all but logins)."""
        __tracebackhide__ = True
        wrong = protocol_errors(expect.found(Query(self, COMMAND, "assert_no_protocol_errors", criteria)))
        if wrong:
            lines = "".join(f"\n  {command_line(command)}" for command in wrong)
            count = "A command was" if len(wrong) == 1 else f"{len(wrong)} commands were"
            raise AssertionError(f"{count} answered by an error of syntax or of state:{lines}")
