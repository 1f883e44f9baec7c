"""STARTTLS, LOGIN and AUTHENTICATE (RFC 3501 sections 6.2.1 to 6.2.3, RFC 4959)."""

from __future__ import annotations

from mockmail.auth import sasl
from mockmail.auth.credentials import LoginRefused, log_in, log_in_by
from mockmail.auth.mechanisms import offered_mechanisms, start_exchange
from mockmail.core.accounts import AccountState
from mockmail.imap.commands import Authenticate, Command, Login
from mockmail.imap.replies import Completion, LineMode, Response, bad, no, ok
from mockmail.imap.state import ConnectionState

__all__ = ["authenticate", "login", "needs_tls", "starttls"]


def starttls(state: ConnectionState, command: Command) -> Response:
    """STARTTLS."""
    if state.link.secure:
        return bad("TLS is on already")
    options = state.world.settings.tls_options
    if options is None or options.starttls == "refuse":
        return no("TLS is not available just now", "UNAVAILABLE")
    return Completion("OK", "Begin TLS negotiation now", starts_tls=True)


def needs_tls() -> Completion:
    """What a login in plain text gets where TLS is required (RFC 5530 section 3)."""
    return no("Logins need TLS here; give the command STARTTLS first", "PRIVACYREQUIRED")


def login(state: ConnectionState, command: Login) -> Response:
    """LOGIN."""
    if not state.login_permitted:
        return needs_tls()
    try:
        account = log_in(state.world, state.link, command.user, command.password, "LOGIN")
    except LoginRefused:
        return _refused()
    return _logged_in(state, account)


def authenticate(state: ConnectionState, command: Authenticate) -> Response | LineMode:
    """AUTHENTICATE: the exchange goes on by lines until the mechanism has enough."""
    if not state.login_permitted:
        return needs_tls()
    exchange = start_exchange(state.world, state.link, command.mechanism)
    if exchange is None:
        known = ", ".join(offered_mechanisms(state.world, state.link))
        return no(f"There is no mechanism {command.mechanism[:40]} here; the mechanisms are {known}", "CANNOT")

    def answer(reply: sasl.Reply) -> bytes | Completion:
        if isinstance(reply, sasl.Prompt):
            return b"+ %b\r\n" % reply.line
        return _ended(state, exchange, reply)

    first = answer(exchange.begin(command.initial_response))
    if isinstance(first, Completion):
        return first
    return LineMode(first, lambda line: answer(exchange.receive(line)), secret=True)


def _ended(
    state: ConnectionState,
    exchange: sasl.Exchange,
    reply: sasl.Finished | sasl.Refused | sasl.Cancelled | sasl.Malformed,
) -> Completion:
    if isinstance(reply, sasl.Cancelled):
        return bad("AUTHENTICATE was cancelled")
    if isinstance(reply, sasl.Malformed):
        return bad(f"AUTHENTICATE ended: {reply.reason}")
    try:
        account = log_in_by(state.world, state.link, exchange, reply)
    except LoginRefused:
        return _refused()
    return _logged_in(state, account)


def _refused() -> Completion:
    return no("No such user, or another password", "AUTHENTICATIONFAILED")


def _logged_in(state: ConnectionState, account: AccountState) -> Completion:
    state.account = account
    return ok("Logged in", state.capabilities())
