"""Who may log in: the rules of the ``users`` setting, the same for every protocol. Loop thread only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mockmail.auth.sasl import Credentials, Exchange, Failure, Finished, Refused
from mockmail.auth.tokens import owner_of_token, token_flaw
from mockmail.core.accounts import AccountState
from mockmail.core.events import LoggedIn, LoginFailed
from mockmail.core.world import World
from mockmail.wire.contract import Link

__all__ = ["LoginRefused", "WorldSecrets", "log_in", "log_in_as", "log_in_by", "log_in_with", "record_failure"]

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


def log_in_by(world: World, link: Link, exchange: Exchange, end: Finished | Refused) -> AccountState:
    """Log in with the end of a SASL exchange. Records and raises as :func:`log_in`; a refusal of the mechanism's own
    the exchange has recorded."""
    if isinstance(end, Refused):
        raise LoginRefused(end.reason)
    return log_in_as(world, link, end.credentials, exchange.mechanism.name)


def log_in_as(world: World, link: Link, credentials: Credentials, mechanism: str) -> AccountState:
    """Log in with what a SASL mechanism ended with. Records and raises as :func:`log_in`."""
    username = credentials.username
    try:
        account, checked = _admit(world, credentials)
    except LoginRefused as refused:
        record_failure(world, link, username, mechanism, refused.reason)
        raise
    version = None if link.tls is None else link.tls.version
    world.journal.note(
        LoggedIn,
        world.clock.now(),
        link.protocol,
        link.session,
        account.address,
        username,
        mechanism,
        version,
        checked,
    )
    return account


def record_failure(world: World, link: Link, username: str, mechanism: str, reason: str) -> None:
    """Record ``LoginFailed``; it does not grow with what a stranger sends."""
    version = None if link.tls is None else link.tls.version
    username, reason = username[:_USERNAME_LIMIT], reason[: 2 * _USERNAME_LIMIT]
    world.journal.note(
        LoginFailed, world.clock.now(), link.protocol, link.session, username, mechanism, version, reason
    )


class WorldSecrets:
    """What mechanisms may know of a world and of the connection: see :class:`mockmail.auth.sasl.Secrets`."""

    def __init__(self, world: World, link: Link) -> None:
        self._world = world
        self._link = link

    def password(self, username: str) -> str | Failure:
        """The password, by whatever form of the name logs in."""
        try:
            account = _account(self._world, username)
        except LoginRefused as refused:
            return Failure(refused.reason, username=username)
        if account is None or account.password is None:
            return Failure(
                f"{username!r} has no password that the server knows, as SCRAM needs; give users= or add_user()",
                username=username,
            )
        return account.password

    def token(self, username: str, token: str) -> Credentials | Failure:
        """Look the token up now, so that the mechanism can send its error challenge."""
        if not username:
            owner = owner_of_token(self._world, token)
            if owner is None:
                return Failure("the client named no user, and the token was never issued")
            username = owner.address
        credentials = Credentials(username, token=token)
        try:
            _check_token(self._world, _account(self._world, username, by_token=True), credentials)
        except LoginRefused as refused:
            return Failure(refused.reason, username=username)
        return credentials

    @property
    def channel_bindings(self) -> Mapping[str, bytes]:
        """Those of the TLS connection."""
        return {} if self._link.tls is None else self._link.tls.channel_bindings

    @property
    def certified_names(self) -> tuple[str, ...]:
        """Those of the client's certificate."""
        return () if self._link.tls is None else self._link.tls.certified_names


def _admit(world: World, credentials: Credentials) -> tuple[AccountState, bool]:
    """The account, made where that is due, and whether the proof was compared with anything. Raises
    ``LoginRefused``."""
    username = credentials.username
    if credentials.anonymous:
        return world.accounts.create(f"anonymous@{world.settings.default_domain}", created_by="login"), False
    if credentials.password == "" or (credentials.check is not None and credentials.check("")):
        raise LoginRefused(f"{username!r} gave an empty password")
    by_token = credentials.token is not None
    account = _account(world, username, by_token=by_token)
    if by_token:
        checked = _check_token(world, account, credentials)
    elif credentials.password is None and credentials.check is None:
        checked = True
    else:
        stored = None if account is None else account.password
        checked = stored is not None
        if stored is not None and not _proves(credentials, stored):
            raise LoginRefused(f"the password of {username!r} is wrong")
    wanted = credentials.authorization_id
    if wanted and wanted != username and (account is None or _account(world, wanted, by_token=by_token) is not account):
        raise LoginRefused(f"{username!r} may not act as {wanted!r}")
    if account is None:
        address = username if "@" in username else f"{username}@{world.settings.default_domain}"
        account = world.accounts.create(address, created_by="login")
    return account, checked


def _account(world: World, username: str, *, by_token: bool = False) -> AccountState | None:
    """The account of a full address or a local part; ``None`` when one is to be made. Raises ``LoginRefused``."""
    if "@" in username:
        found = world.accounts.get(username)
        fitting = [] if found is None else [found]
    else:
        fitting = world.accounts.of_local_part(username)
    if world.settings.users is not None:
        # Accounts without a password came by delivery or seeding: nobody was given a login to them, but by a token.
        fitting = [
            account for account in fitting if account.password is not None or (by_token and bool(account.tokens))
        ]
        if not fitting:
            raise LoginRefused(f"{username!r} is none of users=")
    if len(fitting) > 1:
        addresses = ", ".join(sorted(account.address for account in fitting))
        raise LoginRefused(f"{username!r} fits several accounts ({addresses}); log in with the full address")
    if fitting:
        return fitting[0]
    if not _may_be_address(username):
        raise LoginRefused(f"{username!r} is no address, and no account is made for it")
    return None


def _check_token(world: World, account: AccountState | None, credentials: Credentials) -> bool:
    """Whether the token was compared with anything; raises ``LoginRefused`` when it does not let its bearer in."""
    token = credentials.token
    if not token:
        raise LoginRefused(f"{credentials.username!r} gave an empty token")
    if account is None or (account.password is None and not account.tokens):
        return False
    flaw = token_flaw(world, account, token)
    if flaw is not None:
        raise LoginRefused(flaw)
    return True


def _may_be_address(username: str) -> bool:
    local, at, domain = username.rpartition("@")
    return (
        len(username) <= _USERNAME_LIMIT
        and username.isprintable()
        and " " not in username
        and bool(local and domain if at else domain)
    )


def _proves(credentials: Credentials, stored: str) -> bool:
    if credentials.password is not None:
        from hmac import compare_digest

        return compare_digest(_bytes(credentials.password), _bytes(stored))
    return credentials.check is None or credentials.check(stored)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
