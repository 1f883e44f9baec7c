"""Which mechanisms there are, and which a server offers on a connection: one rule for SMTP, POP3 and IMAP.

``AUTH=NAME`` is the capability of a mechanism in ``hide`` and ``advertise``, on every protocol:
``MockMail(hide={"imap": ["AUTH=PLAIN"]}, advertise={"smtp": ["AUTH=ANONYMOUS"]})``. What is hidden is refused too. What
is advertised besides works if there is such a mechanism, and is shown only if there is none.

- PLAIN, LOGIN, CRAM-MD5, XOAUTH2, OAUTHBEARER: always.
- SCRAM: once an account has a password (``users=`` or ``add_user()``). The server must know it to prove itself to the
  client, so where any password does, SCRAM cannot; a client that chose it as the strongest would be locked out. One
  that insists on SCRAM may try, and fails with a reason that says so.
- SCRAM with -PLUS: besides, over TLS, which gives it channel binding data.
- EXTERNAL: to a client that gave a TLS certificate with a name in it.
- ANONYMOUS: only if it is advertised by name; a login as nobody is seldom what a test is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from mockmail.auth.cram import CramMD5Mechanism
from mockmail.auth.credentials import WorldSecrets, record_failure
from mockmail.auth.oauth import OAuthBearerMechanism, XOAuth2Mechanism
from mockmail.auth.plain import AnonymousMechanism, ExternalMechanism, LoginMechanism, PlainMechanism
from mockmail.auth.sasl import Exchange, Failure, Mechanism, Secrets
from mockmail.auth.scram import ScramMechanism
from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import ConfigurationError
from mockmail.profiles import profile_named
from mockmail.wire.contract import Link

__all__ = ["MECHANISMS", "new_mechanism", "offered_mechanisms", "start_exchange", "without_mechanisms"]

MECHANISMS: Mapping[str, Callable[[Secrets], Mechanism]] = MappingProxyType(
    {
        "PLAIN": lambda secrets: PlainMechanism(),
        "LOGIN": lambda secrets: LoginMechanism(),
        "CRAM-MD5": lambda secrets: CramMD5Mechanism(),
        "SCRAM-SHA-1": lambda secrets: ScramMechanism("SCRAM-SHA-1", "sha1", secrets),
        "SCRAM-SHA-256": lambda secrets: ScramMechanism("SCRAM-SHA-256", "sha256", secrets),
        "SCRAM-SHA-1-PLUS": lambda secrets: ScramMechanism("SCRAM-SHA-1-PLUS", "sha1", secrets),
        "SCRAM-SHA-256-PLUS": lambda secrets: ScramMechanism("SCRAM-SHA-256-PLUS", "sha256", secrets),
        "XOAUTH2": XOAuth2Mechanism,
        "OAUTHBEARER": OAuthBearerMechanism,
        "EXTERNAL": ExternalMechanism,
        "ANONYMOUS": lambda secrets: AnonymousMechanism(),
    }
)
"""Name -> what starts one run of it, in the order in which they are advertised. Some clients take the first that they
know, so those come first that work with any settings."""

_CAPABILITY = re.compile(r"AUTH=([A-Z0-9_-]{1,20})", re.IGNORECASE)


def new_mechanism(name: str, secrets: Secrets) -> Mechanism | None:
    """Start a mechanism by its name, in any case; ``None`` when there is none of this name."""
    start = MECHANISMS.get(name.upper())
    return None if start is None else start(secrets)


def without_mechanisms(names: Iterable[str], *, hidden: bool = False) -> tuple[str, ...]:
    """Capability names less those of mechanisms: what a protocol looks for in its own rows. ``ConfigurationError`` if
    they are ``hidden`` and there is no such mechanism."""
    names = tuple(names)
    for name in _mechanisms_in(names) if hidden else ():
        if name not in MECHANISMS:
            raise ConfigurationError(f"There is no mechanism {name!r} to hide; there are {', '.join(MECHANISMS)}.")
    return tuple(name for name in names if not _CAPABILITY.fullmatch(name))


def offered_mechanisms(world: World, link: Link) -> tuple[str, ...]:
    """The names to advertise on this connection now."""
    names, without_passwords = _in_force(world, link)
    return names if world.accounts.has_passwords else without_passwords


def start_exchange(world: World, link: Link, name: str) -> Exchange | None:
    """An exchange by the mechanism of that name, in any case; ``None`` when it is not on offer here."""
    if name.upper() not in _in_force(world, link)[0]:
        return None
    mechanism = new_mechanism(name, WorldSecrets(world, link))
    if mechanism is None:
        return None

    def record(failure: Failure) -> None:
        record_failure(world, link, failure.username, mechanism.name, failure.reason)

    return Exchange(mechanism, on_failure=record)


def _in_force(world: World, link: Link) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that are understood here, and those of them to advertise as long as no account has a password."""
    protocol, tls = link.protocol, link.tls
    certified = tls is not None and bool(tls.certified_names)
    bound = tls is not None and bool(tls.channel_bindings)
    return world.derived(
        ("mechanisms", protocol, certified, bound),
        lambda: _configured(world.settings, protocol, certified=certified, bound=bound),
    )


def _configured(
    settings: Settings, protocol: str, *, certified: bool, bound: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The same. ``certified``: whether the client's certificate names somebody; ``bound``: whether the connection has
    data for channel binding."""
    only = profile_named(settings.profile).mechanisms
    hidden = _mechanisms_in(settings.hide.get(protocol, ()))
    advertised = _mechanisms_in(settings.advertise.get(protocol, ()))
    names = [name for name in MECHANISMS if only is None or name in only or name in advertised]
    names += [name for name in advertised if name not in MECHANISMS]
    impossible = {"ANONYMOUS"} if certified else {"ANONYMOUS", "EXTERNAL"}
    impossible |= set() if bound else {name for name in names if name.endswith("-PLUS")}
    names = [name for name in names if name not in hidden and (name in advertised or name not in impossible)]
    return tuple(names), tuple([name for name in names if not name.startswith("SCRAM-") or name in advertised])


def _mechanisms_in(names: Iterable[str]) -> tuple[str, ...]:
    matches = (_CAPABILITY.fullmatch(name) for name in names)
    return tuple(dict.fromkeys(match[1].upper() for match in matches if match))
