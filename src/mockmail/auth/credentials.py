"""Who may log in: the rules of the ``users`` setting, the same for every protocol. Loop thread only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from mockmail.auth.sasl import Credentials
from mockmail.core.accounts import AccountState
from mockmail.core.events import LoggedIn, LoginFailed
from mockmail.core.world import World
from mockmail.wire.contract import Link

__all__ = ["LoginRefused", "log_in", "log_in_as", "log_in_with", "refuse_login"]

_USERNAME_LIMIT = 320


class LoginRefused(Exception):
    """The login is refused; ``reason`` is a sentence for the test's author, not for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def log_in(world: World, link: Link, username: str, password: str, mechanism: str) -> AccountState:
    """Log in with a password in the clear. Records ``LoggedIn``, or records ``LoginFailed`` and raises
    ``LoginRefused``."""
    return log_in_as(world, link, Credentials(username, password=password), mechanism)


def log_in_with(world: World, link: Link, username: str, check: Callable[[str], bool], mechanism: str) -> AccountState:
    """Log in with a digest: ``check`` tells whether the password given to it is the one that the client used. Where
    any password does, there is none to check. Records and raises as :func:`log_in`."""
    return log_in_as(world, link, Credentials(username, check=check), mechanism)


def log_in_as(world: World, link: Link, credentials: Credentials, mechanism: str) -> AccountState:
    """Log in with what a SASL mechanism ended with. Records and raises as :func:`log_in`."""
    username = credentials.username

    def refuse(reason: str) -> NoReturn:
        refuse_login(world, link, username, mechanism, reason)

    if credentials.password == "":
        refuse(f"{username!r} gave an empty password")
    account = _account(world, username, refuse)
    stored = None if account is None else account.password
    if not _proves(credentials, stored):
        refuse(f"the password of {username!r} is wrong")
    wanted = credentials.authorization_id
    if wanted and wanted != username and (account is None or _account(world, wanted, refuse) is not account):
        refuse(f"{username!r} may not act as {wanted!r}")
    if account is None:
        address = username if "@" in username else f"{username}@{world.settings.default_domain}"
        account = world.accounts.create(address, created_by="login")
    version = None if link.tls is None else link.tls.version
    world.journal.append(
        LoggedIn(
            world.clock.now(),
            link.protocol,
            link.session,
            account.address,
            username,
            mechanism,
            version,
            password_checked=stored is not None,
        )
    )
    return account


def refuse_login(world: World, link: Link, username: str, mechanism: str, reason: str) -> NoReturn:
    """Record ``LoginFailed`` and raise ``LoginRefused``."""
    version = None if link.tls is None else link.tls.version
    world.journal.append(
        LoginFailed(world.clock.now(), link.protocol, link.session, username, mechanism, version, reason)
    )
    raise LoginRefused(reason)


def _account(world: World, username: str, refuse: Callable[[str], NoReturn]) -> AccountState | None:
    """The account of a full address or a local part; ``None`` when one is to be made."""
    if "@" in username:
        found = world.accounts.get(username)
        fitting = [] if found is None else [found]
    else:
        fitting = world.accounts.of_local_part(username)
    if world.settings.users is not None:
        # Accounts without a password came by delivery or seeding: nobody was given a login to them.
        fitting = [account for account in fitting if account.password is not None]
        if not fitting:
            refuse(f"{username!r} is none of users=")
    if len(fitting) > 1:
        addresses = ", ".join(sorted(account.address for account in fitting))
        refuse(f"{username!r} fits several accounts ({addresses}); log in with the full address")
    if fitting:
        return fitting[0]
    if not _may_be_address(username):
        refuse(f"{username!r} is no address, and no account is made for it")
    return None


def _may_be_address(username: str) -> bool:
    local, at, domain = username.rpartition("@")
    return (
        len(username) <= _USERNAME_LIMIT
        and username.isprintable()
        and " " not in username
        and bool(local and domain if at else domain)
    )


def _proves(credentials: Credentials, stored: str | None) -> bool:
    if stored is None:
        return True
    if credentials.password is not None:
        from hmac import compare_digest

        return compare_digest(_bytes(credentials.password), _bytes(stored))
    return credentials.check is None or credentials.check(stored)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
