"""Criteria: what a test may say of a message or an event, checked at once and compiled into tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar

from mockmail.core.accounts import canonical_address, canonical_name
from mockmail.core.events import Appended as AppendedEvent
from mockmail.core.events import (
    Command,
    Expunged,
    Fetched,
    LoggedIn,
    LoginFailed,
    Moved,
    Rejected,
    TLSFailed,
    TLSStarted,
)
from mockmail.core.journal import Mark
from mockmail.core.mailbox import SYSTEM_FLAGS
from mockmail.core.message import Message, StoredMessage
from mockmail.errors import ConfigurationError

__all__ = [
    "Addresses",
    "AppendedCriteria",
    "CommandCriteria",
    "DeletedCriteria",
    "DeliveredCriteria",
    "FailedLoginCriteria",
    "FetchedCriteria",
    "Field",
    "FlaggedCriteria",
    "LoginCriteria",
    "MailCriteria",
    "MovedCriteria",
    "RefusedTLSCriteria",
    "RejectedCriteria",
    "TLSCriteria",
    "Test",
    "Text",
    "account_field",
    "check_since",
    "compiled",
    "normal_flag",
    "with_named",
]

E = TypeVar("E")

Text: TypeAlias = str | re.Pattern[str]
"""A string compares whole; a compiled regular expression is searched."""
Addresses: TypeAlias = Text | Collection[Text]
"""One address, or several that must all be there."""


class MailCriteria(TypedDict, total=False):
    """What may be said of any message."""

    to: Addresses
    sender: Text
    from_: Text
    subject: Text
    body: Text
    headers: Mapping[str, Text | None]
    account: Text
    since: Mark


class DeliveredCriteria(MailCriteria, total=False):
    """Of messages delivered."""

    where: Callable[[Message], object]


class RejectedCriteria(MailCriteria, total=False):
    """Of refusals; what is said of the content fits only where the content was refused."""

    code: int
    where: Callable[[Rejected], object]


class _Handled(MailCriteria, total=False):
    folder: str
    protocol: str


class FetchedCriteria(_Handled, total=False):
    """Of parts of messages read by a user agent."""

    part: str
    where: Callable[[Fetched], object]


class FlaggedCriteria(MailCriteria, total=False):
    """Of messages with a flag."""

    folder: str
    where: Callable[[StoredMessage], object]


class MovedCriteria(_Handled, total=False):
    """Of messages moved; ``folder`` is where from."""

    where: Callable[[Moved], object]


class DeletedCriteria(_Handled, total=False):
    """Of messages gone for good."""

    where: Callable[[Expunged], object]


class AppendedCriteria(MailCriteria, total=False):
    """Of messages uploaded."""

    protocol: str
    where: Callable[[AppendedEvent], object]


class _Login(TypedDict, total=False):
    account: Text
    protocol: str
    mechanism: str
    tls: bool | str
    since: Mark


class LoginCriteria(_Login, total=False):
    """Of logins."""

    where: Callable[[LoggedIn], object]


class FailedLoginCriteria(_Login, total=False):
    """Of logins refused."""

    where: Callable[[LoginFailed], object]


class TLSCriteria(TypedDict, total=False):
    """Of handshakes finished. ``version`` is ``"TLSv1.2"`` or ``"TLSv1.3"``; ``client_certificate`` compares with the
    subject, ``True`` is any and ``False`` none; ``implicit``: on a port of its own, not by STARTTLS or STLS."""

    protocol: str
    version: Text
    cipher: Text
    client_certificate: bool | Text
    implicit: bool
    since: Mark
    where: Callable[[TLSStarted], object]


class RefusedTLSCriteria(TypedDict, total=False):
    """Of handshakes that clients broke off. ``reason`` compares whole, or is searched."""

    protocol: str
    reason: Text
    implicit: bool
    since: Mark
    where: Callable[[TLSFailed], object]


class CommandCriteria(TypedDict, total=False):
    """Of commands; ``arguments`` and ``reply`` compare whole, or are searched."""

    account: Text
    protocol: str
    arguments: Text
    reply: Text
    since: Mark
    where: Callable[[Command], object]


@dataclass(frozen=True, slots=True)
class Test(Generic[E]):
    """One thing to be true of a candidate."""

    __test__ = False

    label: str
    """As a failure names it: ``subject``, ``headers['List-Id']``."""
    wanted: Any
    actual: Callable[[E], Any]
    fits: Callable[[Any], bool]
    """Asked of ``actual(candidate)``."""

    def passes(self, candidate: E) -> bool:
        return self.fits(self.actual(candidate))


Compile: TypeAlias = Callable[[str, Any], Callable[[Any], bool]]


@dataclass(frozen=True, slots=True)
class Field(Generic[E]):
    """A criterion that a kind of event has: where its value is, and how what is wanted becomes a test of it."""

    actual: Callable[[E], Any]
    compile: Compile


def compiled(method: str, fields: Mapping[str, Field[E]], criteria: Mapping[str, Any]) -> list[Test[E]]:
    """The tests of criteria, without ``since`` and ``where``.

    Raises ``TypeError`` for a name that is no criterion, ``ConfigurationError`` for a value that cannot be one.
    """
    __tracebackhide__ = True
    tests: list[Test[E]] = []
    for name, wanted in criteria.items():
        if name in ("since", "where"):
            continue
        if name == "headers" and name in fields:
            tests.extend(_header_tests(fields[name], wanted))
            continue
        try:
            field = fields[name]
        except KeyError:
            raise TypeError(_unknown(method, name, fields)) from None
        tests.append(Test(name, wanted, field.actual, field.compile(name, wanted)))
    where = criteria.get("where")
    if where is not None and not callable(where):
        raise ConfigurationError(f"where is {where!r}; write a function of one argument, such as lambda found: True.")
    return tests


def _unknown(method: str, name: str, fields: Iterable[str]) -> str:
    from difflib import get_close_matches

    known = [*fields, "where", "since"]
    near = get_close_matches(name, [*known, "timeout", "quiet"], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{method}() has no criterion {name!r}{hint} Its criteria are {', '.join(known)}."


def check_since(since: object) -> Mark | None:
    """``since`` as it was given, when it is a mark."""
    if since is None or isinstance(since, Mark):
        return since
    raise ConfigurationError(f"since is {since!r}; write mark = mail.mark() before the act, then since=mark.")


# How what is wanted becomes a test


def _pattern(name: str, wanted: re.Pattern[Any]) -> re.Pattern[str]:
    if isinstance(wanted.pattern, bytes):
        raise ConfigurationError(f"{name} is the pattern of bytes {wanted.pattern!r}; write re.compile(r'...').")
    return wanted


def _unusable(name: str, wanted: object) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is {wanted!r}; write a string or a compiled regular expression, or leave {name} out."
    )


def text_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """A whole string, or a pattern searched; of ``None`` nothing fits."""
    if isinstance(wanted, str):
        return lambda actual: actual == wanted
    if isinstance(wanted, re.Pattern):
        search = _pattern(name, wanted).search
        return lambda actual: actual is not None and search(actual) is not None
    raise _unusable(name, wanted)


def body_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """Part of one of several texts."""
    if isinstance(wanted, str):
        part = wanted.replace("\r\n", "\n")
        return lambda texts: any(part in text for text in texts)
    if isinstance(wanted, re.Pattern):
        search = _pattern(name, wanted).search
        return lambda texts: any(search(text) is not None for text in texts)
    raise _unusable(name, wanted)


def address_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """One address, without case."""
    if isinstance(wanted, str):
        canonical = canonical_address(wanted)
        return lambda actual: actual is not None and (actual == wanted or canonical_address(actual) == canonical)
    return text_test(name, wanted)


def from_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """The address of From, or the whole of the field as it stands."""
    if isinstance(wanted, str):
        same = address_test(name, wanted)
        return lambda actual: actual is not None and (same(actual[0]) or actual[1] == wanted)
    matches = text_test(name, wanted)
    return lambda actual: actual is not None and (matches(actual[0]) or matches(actual[1]))


def addresses_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """An address among several; of a collection all of them."""
    if isinstance(wanted, str | re.Pattern):
        one = address_test(name, wanted)
        return lambda actual: any(map(one, actual))
    if not isinstance(wanted, Collection) or isinstance(wanted, bytes):
        raise _unusable(name, wanted)
    if not wanted:
        raise ConfigurationError(f"{name} is empty; name at least one address, or leave {name} out.")
    each = [address_test(name, address) for address in wanted]
    return lambda actual: all(any(map(one, actual)) for one in each)


def folder_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """The name of a mailbox; INBOX in any case."""
    if not isinstance(wanted, str):
        raise ConfigurationError(f"{name} is {wanted!r}; write the name of a folder, such as 'INBOX'.")
    canonical = canonical_name(wanted)
    return lambda actual: actual == canonical


_PROTOCOLS = ("smtp", "lmtp", "pop3", "imap", "http")


def protocol_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """One of the protocols."""
    if not isinstance(wanted, str) or wanted.lower() not in _PROTOCOLS:
        raise ConfigurationError(f"{name} is {wanted!r}; write one of {', '.join(map(repr, _PROTOCOLS))}.")
    lower = wanted.lower()
    return lambda actual: actual == lower


def word_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """A word, without case."""
    if not isinstance(wanted, str):
        raise ConfigurationError(f"{name} is {wanted!r}; write a string, or leave {name} out.")
    upper = wanted.upper()
    return lambda actual: actual.upper() == upper


def command_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """The name of a command, without case: FETCH is also UID FETCH, UID FETCH only that."""
    if not isinstance(wanted, str) or not wanted:
        raise ConfigurationError(f"{name} is {wanted!r}; write the name of a command, such as 'FETCH'.")
    upper = wanted.upper()
    return lambda actual: actual.upper() in (upper, f"UID {upper}")


def tls_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """Whether over TLS, or of which version."""
    if isinstance(wanted, bool):
        return lambda actual: (actual is not None) is wanted
    return text_test(name, wanted)


def truth_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """Whether something is so."""
    if not isinstance(wanted, bool):
        raise ConfigurationError(f"{name} is {wanted!r}; write True or False, or leave {name} out.")
    return lambda actual: actual is wanted


def code_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """A reply code."""
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise ConfigurationError(f"{name} is {wanted!r}; write the reply code as a number, such as 550.")
    return lambda actual: bool(actual == wanted)


def normal_flag(flag: str) -> str:
    """A flag as it is stored: a system flag may be given without its backslash, in any case."""
    if not isinstance(flag, str) or not flag.strip("\\"):
        raise ConfigurationError(f"{flag!r} is no flag; write one such as 'seen', '\\\\Flagged' or '$Forwarded'.")
    return SYSTEM_FLAGS.get("\\" + flag.lstrip("\\").lower(), flag)


def flag_test(name: str, wanted: object) -> Callable[[Any], bool]:
    """A flag among several, with or without backslash."""
    if not isinstance(wanted, str):
        raise ConfigurationError(f"{name} is {wanted!r}; write a flag such as 'seen' or '$Forwarded'.")
    lower = normal_flag(wanted).lower()
    return lambda actual: any(flag.lower() == lower for flag in actual)


def account_field(actual: Callable[[E], Any]) -> Field[E]:
    """A criterion of one address."""
    return Field(actual, address_test)


def _header_tests(field: Field[E], wanted: Any) -> list[Test[E]]:
    if not isinstance(wanted, Mapping):
        raise ConfigurationError(
            f"headers is {wanted!r}; write a mapping of names to values, such as {{'X-Tag': 'a'}}."
        )
    return [_header_test(field, name, value) for name, value in wanted.items()]


def _header_test(field: Field[E], name: str, wanted: Any) -> Test[E]:
    label = f"headers[{name!r}]"

    def values(candidate: E) -> tuple[str, ...] | None:
        message: Message | None = field.actual(candidate)
        return None if message is None else message.headers.all(name)

    if wanted is None:
        return Test(label, None, values, lambda found: found is not None and not found)
    one = text_test(label, wanted)
    return Test(label, wanted, values, lambda found: found is not None and any(map(one, found)))


def with_named(name: str, value: Any, criteria: Mapping[str, Any]) -> dict[str, Any]:
    """``criteria`` with the argument of a method that is a criterion too, first; ``None`` stands for any."""
    return dict(criteria) if value is None else {name: value, **criteria}
