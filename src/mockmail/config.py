"""The settings: one table, from which keyword arguments, environment variables, ini options and flags are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any, Literal

from mockmail.errors import ConfigurationError
from mockmail.profiles import profile_named
from mockmail.relaying import check_relay, parse_delays, parse_duration, parse_routes
from mockmail.texts import (
    parse_age,
    parse_boolean,
    parse_capabilities,
    parse_count,
    parse_days,
    parse_names,
    parse_port,
    parse_seconds,
    parse_size,
    parse_twin_port,
    parse_users,
)
from mockmail.tls import TLS

__all__ = ["ENV_PREFIX", "SettingField", "Settings", "setting_fields"]

ENV_PREFIX = "MOCKMAIL_"
PORT_SETTINGS = (
    "smtp_port", "lmtp_port", "pop3_port", "imap_port", "smtps_port", "pop3s_port", "imaps_port", "http_port",
)  # fmt: skip
_LOCAL_TO_A_SERVER = frozenset({"host", *PORT_SETTINGS})

Parser = Callable[[str], Any]

_URL_PASSWORD = re.compile(r":(?!//).*@")


def _setting(default: Any, help_text: str, parse: Parser, kind: str = "string") -> Any:
    """A row of the table. ``kind``: how a pytest ini option holds it (``string``, ``bool``, ``linelist``)."""
    metadata = {"help": help_text, "parse": parse, "kind": kind}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class SettingField:
    """One row of the table, for those who make flags, variables and ini options of it."""

    name: str
    help: str
    kind: str
    default: Any
    parse: Parser

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return ENV_PREFIX + self.name.upper()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server behaves. Frozen; vary one with ``dataclasses.replace``.

    Raises ``ConfigurationError`` for a value that cannot be used.
    """

    users: Mapping[str, str] | None = _setting(
        None, "who may log in, as address:password lines; unset: anybody with a password", parse_users, "linelist"
    )
    unknown_recipients: Literal["create", "refuse"] | None = _setting(
        None, "create an account for an unknown local recipient, or refuse it with 550 5.1.1", lambda text: text or None
    )
    domains: tuple[str, ...] | None = _setting(
        None, "domains delivered here; unset: every domain", parse_names, "linelist"
    )
    host: str = _setting("127.0.0.1", "address to bind", str)
    smtp_port: int | None = _setting(0, "SMTP port; 0: the system chooses, none: not started", parse_port)
    lmtp_port: int | None = _setting(None, "LMTP port; 0: the system chooses, none: not started", parse_port)
    pop3_port: int | None = _setting(0, "POP3 port; 0: the system chooses, none: not started", parse_port)
    imap_port: int | None = _setting(0, "IMAP port; 0: the system chooses, none: not started", parse_port)
    smtps_port: int | Literal["auto"] | None = _setting(
        "auto", "SMTP port with TLS from the first byte; auto: a free one with tls, none: not started", parse_twin_port
    )
    pop3s_port: int | Literal["auto"] | None = _setting(
        "auto", "POP3 port with TLS from the first byte; auto: a free one with tls, none: not started", parse_twin_port
    )
    imaps_port: int | Literal["auto"] | None = _setting(
        "auto", "IMAP port with TLS from the first byte; auto: a free one with tls, none: not started", parse_twin_port
    )
    http_port: int | None = _setting(
        None, "port of the HTTP API and the web page; 0: the system chooses, none: not started", parse_port
    )
    http_auth: str | None = _setting(
        None, "user:password that HTTP clients must give; unset: anybody", lambda text: text or None
    )
    http_hosts: tuple[str, ...] | None = _setting(
        None,
        "names that HTTP clients may call the server by, besides localhost, addresses and host",
        parse_names,
        "linelist",
    )
    http_origins: tuple[str, ...] | None = _setting(
        None,
        "origins of other web pages that may use the HTTP API, such as http://localhost:3000",
        parse_names,
        "linelist",
    )
    tls: bool | TLS = _setting(  # noqa: RUF009 - makes a field, as those of all rows
        False, "true, or how TLS misbehaves, such as certificate=expired,starttls=hide", TLS.from_text
    )
    require_auth: bool = _setting(False, "refuse mail from clients that have not logged in", parse_boolean, "bool")
    require_tls: bool = _setting(False, "refuse mail and logins in plain text", parse_boolean, "bool")
    relay: Literal["authenticated", "open", "none"] = _setting(
        "authenticated", "who may send to domains that are not local: authenticated, open, none", str.strip
    )
    routes: Mapping[str, tuple[str, int]] | None = _setting(
        None, "where mail for other domains goes, as domain=host:port", parse_routes, "linelist"
    )
    smarthost: str | None = _setting(
        None, "next hop for all other domains, as smtp://user:password@host:port", lambda text: text.strip() or None
    )
    relay_allow: tuple[str, ...] | None = _setting(
        None,
        "the only recipients that mail may be relayed to: addresses, domains, *@partner.test, /regular expressions/",
        parse_names,
        "linelist",
    )
    retry_every: timedelta = _setting(  # noqa: RUF009  a row; timedelta is immutable
        timedelta(minutes=30), "how long mail waits between attempts", parse_duration
    )
    retry_for: timedelta = _setting(  # noqa: RUF009
        timedelta(days=5), "how long mail is tried before it bounces", parse_duration
    )
    retry_schedule: Iterable[timedelta] | Callable[[int], timedelta | None] | None = _setting(  # noqa: RUF009
        None, "delays between attempts instead, such as 5m,30m,2h; it bounces after the last", parse_delays
    )
    relay_timeout: float = _setting(
        30.0, "seconds that a next hop outside of our network has for each answer", parse_seconds
    )
    plus_tags: bool = _setting(True, "deliver bob+tag@ to bob@", parse_boolean, "bool")
    trace_headers: bool = _setting(True, "put Return-Path and Received on top of stored mail", parse_boolean, "bool")
    profile: str = _setting("standard", "how the server behaves and what it advertises: standard, minimal", str)
    hide: Mapping[str, tuple[str, ...]] = _setting(
        dict, "capabilities taken away, as protocol=NAME NAME", parse_capabilities, "linelist"
    )
    advertise: Mapping[str, tuple[str, ...]] = _setting(
        dict, "capability words added to what is advertised, as protocol=NAME NAME", parse_capabilities, "linelist"
    )
    max_message_bytes: int | None = _setting(64 << 20, "largest message taken", parse_size)
    max_messages: int | None = _setting(None, "how many messages are kept; the oldest goes first", parse_count)
    max_age: timedelta | None = _setting(  # noqa: RUF009
        None, "how long delivered messages are kept, such as 12h or 7d; unset: for good", parse_age
    )
    pop3_login_delay_seconds: int = _setting(
        0, "seconds that POP3 wants between two logins to one account; 0: none", int
    )
    pop3_expire_days: int | None = _setting(
        None,
        "days for which POP3 promises to keep mail; 0: what RETR has read goes at QUIT, never: for good",
        parse_days,
    )
    timeout: float = _setting(5.0, "seconds that a waiting assertion waits", parse_seconds)

    def __post_init__(self) -> None:
        _check_users(self)
        _check_names(self)
        _check_numbers(self)
        durations = {"retry_every": self.retry_every, "retry_for": self.retry_for}
        routes, schedule = check_relay(self.relay, self.routes, self.smarthost, durations, self.retry_schedule)
        object.__setattr__(self, "routes", routes)
        object.__setattr__(self, "retry_schedule", schedule)
        _check_http(self)

    def __repr__(self) -> str:
        """What was set, without passwords: reports of failed tests show it."""
        shown = {item.name: getattr(self, item.name) for item in fields(self)}
        shown = {name: value for name, value in shown.items() if value != getattr(Settings, name, {})}
        if self.users is not None:
            shown["users"] = dict.fromkeys(self.users, "***")
        if self.http_auth:
            shown["http_auth"] = self.http_auth.partition(":")[0] + ":***"
        if self.smarthost:
            shown["smarthost"] = _URL_PASSWORD.sub(":***@", self.smarthost)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def creates_accounts(self) -> bool:
        """Whether an unknown local recipient gets an account."""
        if self.unknown_recipients is None:
            return self.users is None
        return self.unknown_recipients == "create"

    @property
    def default_domain(self) -> str:
        """The domain of names given without one."""
        return self.domains[0] if self.domains else "localhost"

    @property
    def tls_options(self) -> TLS | None:
        """What ``tls`` says, in full; ``None`` when it is off."""
        if isinstance(self.tls, TLS):
            return self.tls
        return TLS() if self.tls else None

    @property
    def starttls_offered(self) -> bool:
        """Whether plain connections may be upgraded (STARTTLS, STLS), or are at least told so."""
        options = self.tls_options
        return options is not None and options.starttls != "hide"

    def port(self, endpoint: str) -> int | None:
        """The port of an endpoint, such as ``"smtp"`` or ``"imaps"``; ``None`` when it is not to be started."""
        port: int | str | None = getattr(self, f"{endpoint}_port")
        if isinstance(port, str):
            return 0 if self.tls else None
        return port

    def check_together(self) -> None:
        """Raise ``ConfigurationError`` for settings that contradict each other. Not done when settings are made,
        because those of several sources (environment, flags) are only complete together."""
        both = {name.lower() for name in self.domains or ()} & set(self.routes or ())
        if both:
            name = min(both)
            raise ConfigurationError(
                f"routes has {name!r}, which is one of domains, so that its mail is delivered here and never sent on;"
                " take it out of one of them."
            )
        if self.tls:
            return
        if self.require_tls:
            raise ConfigurationError("require_tls is True, but TLS is off, so nobody could log in; write tls=True too.")
        for name in PORT_SETTINGS:
            if name.endswith("s_port") and isinstance(getattr(self, name), int):
                raise ConfigurationError(f"{name} is {getattr(self, name)}, but TLS is off; write tls=True too.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, ports: bool = False) -> Settings:
        """Settings from ``MOCKMAIL_*`` variables (default: of this process); host and ports only with ``ports``."""
        if environ is None:
            import os

            environ = os.environ
        texts = {
            row.name: environ[row.variable]
            for row in setting_fields()
            if row.variable in environ and (ports or row.name not in _LOCAL_TO_A_SERVER)
        }
        return cls().updated_from_texts(texts, name_of=lambda name: ENV_PREFIX + name.upper())

    def updated_from_texts(
        self, texts: Mapping[str, str], *, name_of: Callable[[str], str] = lambda name: name
    ) -> Settings:
        """These settings with some given as text; ``name_of`` tells the name by which an error calls a setting."""
        rows = {row.name: row for row in setting_fields()}
        values: dict[str, Any] = {}
        for name, text in texts.items():
            try:
                values[name] = rows[name].parse(text)
            except ValueError as error:
                raise ConfigurationError(f"{name_of(name)} is {text!r}, which cannot be read: {error}.") from None
        return self.updated(**values)

    def updated(self, **overrides: Any) -> Settings:
        """These settings with some replaced. ``ConfigurationError`` for a name that is no setting."""
        __tracebackhide__ = True
        known = [item.name for item in fields(self)]
        for name in overrides:
            if name not in known:
                raise ConfigurationError(f"There is no setting {name!r}{_near(name, known)}")
        return replace(self, **overrides)


def setting_fields() -> list[SettingField]:
    """The table of settings, in its order."""
    defaults = Settings()
    return [
        SettingField(
            item.name,
            item.metadata["help"],
            item.metadata["kind"],
            getattr(defaults, item.name),
            item.metadata["parse"],
        )
        for item in fields(Settings)
    ]


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    known = list(known)
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; the settings are {', '.join(known)}."


def _check_users(settings: Settings) -> None:
    if settings.users is not None:
        if isinstance(settings.users, str) or not isinstance(settings.users, Mapping):
            raise ConfigurationError(
                f"users is {settings.users!r}; write a mapping of addresses to passwords, "
                'such as users={"bob@example.test": "secret"}.'
            )
        for address, password in settings.users.items():
            if "@" not in address.strip("@"):
                raise ConfigurationError(f"users has {address!r}; write a full address such as 'bob@example.test'.")
            if not isinstance(password, str):
                raise ConfigurationError(f"users has the password {password!r} for {address!r}; write a string.")
    if settings.unknown_recipients not in (None, "create", "refuse"):
        raise ConfigurationError(f"unknown_recipients is {settings.unknown_recipients!r}; write 'create' or 'refuse'.")


def _check_names(settings: Settings) -> None:
    profile_named(settings.profile)
    if settings.domains is not None:
        if isinstance(settings.domains, str):
            raise ConfigurationError(
                f"domains is the string {settings.domains!r}; write a list of names such as [{settings.domains!r}]."
            )
        object.__setattr__(settings, "domains", tuple(name.lower().rstrip(".") for name in settings.domains))
        if not settings.domains:
            raise ConfigurationError("domains is empty; name at least one domain, or None for every domain.")
    if isinstance(settings.relay_allow, str):
        raise ConfigurationError(
            f"relay_allow is the string {settings.relay_allow!r}; write a list such as [{settings.relay_allow!r}]."
        )
    for pattern in settings.relay_allow or ():
        if pattern.startswith("/") and pattern.endswith("/"):
            try:
                re.compile(pattern[1:-1])
            except re.error as error:
                raise ConfigurationError(f"relay_allow has {pattern!r}, no regular expression: {error}.") from None
    for name in ("hide", "advertise"):
        value = getattr(settings, name)
        for protocol, words in value.items():
            if protocol not in ("smtp", "lmtp", "pop3", "imap"):
                raise ConfigurationError(f"{name} names the protocol {protocol!r}; write smtp, lmtp, pop3 or imap.")
            if isinstance(words, str):
                raise ConfigurationError(f"{name}[{protocol!r}] is the string {words!r}; write a list: [{words!r}].")
        object.__setattr__(settings, name, {protocol: tuple(words) for protocol, words in value.items()})


def _check_http(settings: Settings) -> None:
    auth = settings.http_auth
    if auth is not None and (not isinstance(auth, str) or not auth.partition(":")[0] or not auth.partition(":")[2]):
        raise ConfigurationError("http_auth is no user:password; write one such as http_auth='admin:secret'.")
    for name, example in (("http_hosts", "mail.test"), ("http_origins", "http://localhost:3000")):
        value = getattr(settings, name)
        if isinstance(value, str):
            raise ConfigurationError(f"{name} is the string {value!r}; write a list such as [{value or example!r}].")
        if value is not None:
            object.__setattr__(settings, name, tuple(one.lower().rstrip("/") for one in value))


def _check_numbers(settings: Settings) -> None:
    if not isinstance(settings.tls, bool | TLS):
        raise ConfigurationError(f"tls is {settings.tls!r}; write True, or TLS(certificate='expired') and the like.")
    for name in PORT_SETTINGS:
        port = getattr(settings, name)
        if port == "auto" and name.endswith("s_port"):
            continue
        if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535):
            raise ConfigurationError(
                f"{name} is {port!r}; write a number from 0 (the system chooses) to 65535, or None (not started)."
            )
    for name in ("timeout", "relay_timeout"):
        seconds = getattr(settings, name)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ConfigurationError(f"{name} is {seconds!r}; write a number of seconds such as 5.0.")
    if settings.max_age is not None and not (
        isinstance(settings.max_age, timedelta) and settings.max_age > timedelta()
    ):
        raise ConfigurationError(f"max_age is {settings.max_age!r}; write a timedelta above 0, or None for good.")
    for name in ("max_message_bytes", "max_messages"):
        value = getattr(settings, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigurationError(f"{name} is {value!r}; write a whole number above 0, or None for no limit.")
    delay, days = settings.pop3_login_delay_seconds, settings.pop3_expire_days
    if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
        raise ConfigurationError(
            f"pop3_login_delay_seconds is {delay!r}; write a whole number of seconds, or 0 for no delay."
        )
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or days < 0):
        raise ConfigurationError(f"pop3_expire_days is {days!r}; write a whole number of days, or None for never.")
