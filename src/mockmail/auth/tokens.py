"""Bearer tokens as a test hands them out: issued, expired by the clock, revoked. Loop thread only.

A token lets its bearer into the one account that it was issued to, until it expires or is revoked. Where anybody may
log in (``users`` is not given), an account with neither a password nor a token ever issued takes any token.
"""

from __future__ import annotations

from datetime import timedelta

from mockmail.core.accounts import AccountState, Token
from mockmail.core.world import World
from mockmail.errors import ConfigurationError

__all__ = ["issue_token", "owner_of_token", "revoke_token", "token_flaw"]


def issue_token(world: World, account: AccountState, *, expires_in: float | timedelta | None = 3600) -> str:
    """A new token of this account. ``expires_in``: seconds of the server's clock or a ``timedelta``, 0 and less for one
    that has expired already, ``None`` for one that never does. ``ConfigurationError`` for anything else."""
    from secrets import token_urlsafe

    expires_at = None
    if expires_in is not None:
        try:
            delta = expires_in if isinstance(expires_in, timedelta) else timedelta(seconds=expires_in)
            expires_at = world.clock.now() + delta
        except (TypeError, ValueError, OverflowError):
            raise ConfigurationError(
                f"expires_in is {expires_in!r}; write a number of seconds, a timedelta, or None for never."
            ) from None
    token = token_urlsafe(24)
    account.tokens[token] = Token(expires_at)
    return token


def revoke_token(account: AccountState, token: str) -> None:
    """Let nobody in with this token any more. ``ConfigurationError`` when it was not issued to this account."""
    found = account.tokens.get(token)
    if found is None:
        raise ConfigurationError(
            f"The token was not issued to {account.address}; revoke what account.token() of the same account returned."
        )
    found.revoked = True


def owner_of_token(world: World, token: str) -> AccountState | None:
    """The account that a token was issued to."""
    return next((account for account in world.accounts if token in account.tokens), None)


def token_flaw(world: World, account: AccountState, token: str) -> str | None:
    """Why this token does not let its bearer into ``account``, as a sentence without the token; ``None`` if it does."""
    found = account.tokens.get(token)
    if found is None:
        owner = owner_of_token(world, token)
        if owner is not None:
            return f"the token for {account.address} was issued to {owner.address}"
        return f"the token for {account.address} was never issued; account.token() issues one"
    if found.revoked:
        return f"the token of {account.address} was revoked"
    if found.expires_at is not None and world.clock.now() >= found.expires_at:
        return f"the token of {account.address} expired at {found.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return None
