"""One test's share of a server that others use at the same time: what concerns its own domain."""

from __future__ import annotations

import datetime
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

from mockmail.config import Settings
from mockmail.core.accounts import Accounts
from mockmail.core.events import (
    Command,
    Event,
    FaultFired,
    LoginFailed,
    SessionClosed,
    SessionOpened,
    TLSFailed,
    TLSStarted,
)
from mockmail.core.queue import QueuedMessage
from mockmail.errors import ConfigurationError
from mockmail.testing.far import RemoteClock, RemoteFault, RemoteFaults, RemoteTranscript
from mockmail.testing.far_accounts import RemoteAccount
from mockmail.testing.line import Line
from mockmail.testing.mirror import Mirror
from mockmail.testing.remote import RemoteMockMail
from mockmail.wire.transcript import Conversations, SessionTranscript

__all__ = ["SharedMail"]

HELD_EVENTS = 1000
"""Of a session of which it is not known yet whose it is."""
_OF_SESSIONS = (Command, FaultFired, LoginFailed, SessionClosed, SessionOpened, TLSFailed, TLSStarted)
_ADDRESSES = ("account", "username", "sender")
_LISTS_OF_ADDRESSES = ("accounts", "recipients", "addresses")


def _not_alone(what: str) -> NoReturn:
    raise ConfigurationError(
        f"{what} would change the server under the tests of all workers; use the fixture mockmail, whose server is this"
        " process's alone."
    )


class _Share(Mirror):
    """The history of one domain's mail, and of the sessions that had to do with it."""

    def __init__(self, line: Line, settings: Settings, domain: str) -> None:
        self._domain = domain
        self._suffix = f"@{domain}"
        self._mine: set[str] = set()
        self._held: dict[str, deque[Event]] = {}
        super().__init__(line, settings, from_now=True)
        self.clock.driver = _SharedDriver()

    def admitted(self, event: Event) -> Iterator[Event]:
        session = getattr(event, "session", "")
        if self._concerns(event):
            if session and session not in self._mine:
                self._mine.add(session)
                yield from self._held.pop(session, ())
            yield event
        elif session in self._mine and isinstance(event, _OF_SESSIONS):
            yield event
        elif session and isinstance(event, _OF_SESSIONS):
            if isinstance(event, SessionClosed):
                self._held.pop(session, None)
            else:
                self._held.setdefault(session, deque(maxlen=HELD_EVENTS)).append(event)

    def _concerns(self, event: Event) -> bool:
        found = [getattr(event, name, "") for name in _ADDRESSES]
        for name in _LISTS_OF_ADDRESSES:
            found += getattr(event, name, ())
        message = getattr(event, "message", None)
        if message is not None and not getattr(event, "account", ""):
            # What is done to mail in another account is that one's affair, even to mail of several.
            found += (message.sender, *message.recipients)
        if isinstance(event, Command) and self._suffix in event.arguments.lower():
            return True
        return any(self.has(address) for address in found)

    def has(self, address: str) -> bool:
        """Whether an address is of this domain."""
        return address.lower().endswith(self._suffix)

    def forget(self) -> None:
        self._mine.clear()
        self._held.clear()

    def accounts(self) -> Accounts:
        return self._accounts_of(self._line.json("GET", "accounts", messages=1, domain=self._domain))

    def queue(self) -> list[QueuedMessage]:
        return [one for one in super().queue() if any(map(self.has, (one.sender, *one.recipients, *one.addresses)))]

    def has_session(self, session: str) -> bool:
        """Whether a session had to do with this domain, as far as is known now."""
        return session in self._mine


class _SharedDriver:
    """Moves no clock."""

    def run(self, until: datetime.datetime | None, *, freeze: bool = False) -> NoReturn:
        _not_alone("Moving the clock")

    begin = run

    def run_next(self) -> NoReturn:
        _not_alone("Moving the clock")

    begin_next = run_next

    def arm(self) -> None:
        raise NotImplementedError("the jobs of another process are its own")


class _SharedFaults(RemoteFaults):
    """Faults that only this test's mail can meet."""

    def __init__(self, line: Line, share: _Share) -> None:
        super().__init__(line)
        self._share = share

    def _check(self, options: Mapping[str, Any]) -> None:
        super()._check(options)
        wanted: list[Any] = []
        for name in ("account", "to"):
            value = options.get(name)
            wanted += value if isinstance(value, Collection) and not isinstance(value, str) else [value]
        if not any(isinstance(one, str) and self._share.has(one) for one in wanted):
            _not_alone("A fault without account= or to= of this test's own addresses")

    def scenario(self, name: str) -> list[RemoteFault]:
        """Not here: a scenario is for everybody."""
        _not_alone(f"The scenario {name!r}")

    def clear(self) -> None:
        """Take this test's faults back."""
        for fault in self._added:
            fault.remove()
        self.forget()


class _SharedTranscript(RemoteTranscript):
    """What was said in this test's sessions."""

    def __init__(self, line: Line, share: _Share) -> None:
        super().__init__(line)
        self._share = share

    def sessions(self, protocol: str | None = None, account: str | None = None) -> list[SessionTranscript]:
        """Pictures of the sessions that had to do with this test's domain."""
        told = super().sessions(protocol, account)
        _ = self._share.world  # catches up
        return [one for one in told if self._share.has_session(one.session)]


class SharedMail(RemoteMockMail):
    """What the fixture ``mockmail_shared`` gives: a part of one server that all pytest-xdist workers share.

    ``domain`` is this test's own, and so is each address of it; queries and assertions see mail from or to it, what is
    done in its accounts, and the sessions that do. What would change the server for everybody is refused: the clock,
    ``reset()``, outages, the catch-all, and faults that are not about one of its addresses.
    """

    _mirror: _Share

    def __init__(self, url: str, domain: str) -> None:
        self.domain = domain.lower()
        """Mail to any address of it arrives here, and is seen by this test alone."""
        super().__init__(url)
        self.faults = _SharedFaults(self._line, self._mirror)

    def _new_mirror(self) -> Mirror:
        return _Share(self._line, self._settings, self.domain)

    def address(self, name: str) -> str:
        """``address("bob")`` is this test's own bob."""
        if not re.fullmatch(r"[^@\s]+", name):
            raise ConfigurationError(f"{name!r} is no local part; write one such as 'bob'.")
        return f"{name}@{self.domain}"

    @property
    def clock(self) -> RemoteClock:
        """The server's clock, which can be read."""
        return self._mirror.clock

    @property
    def transcript(self) -> Conversations:
        """What was said in this test's sessions."""
        return _SharedTranscript(self._line, self._mirror)

    def account(self, address: str) -> RemoteAccount:
        """The account of an address of this test's, made on first use."""
        self._check_own(address)
        return super().account(address)

    def add_user(self, address: str, password: str) -> RemoteAccount:
        """An account of this test's that takes only this password."""
        self._check_own(address)
        return super().add_user(address, password)

    def add_alias(self, address: str, *targets: str) -> None:
        """As :meth:`mockmail.MockMail.add_alias`, for an address of this test's."""
        self._check_own(address)
        super().add_alias(address, *targets)

    def add_list(self, address: str, members: Collection[str], *, owner: str) -> None:
        """As :meth:`mockmail.MockMail.add_list`, for an address of this test's."""
        self._check_own(address)
        super().add_list(address, members, owner=owner)

    def _check_own(self, address: str) -> None:
        __tracebackhide__ = True
        if not isinstance(address, str) or not self._mirror.has(address):
            raise ConfigurationError(
                f"{address!r} is not this test's own; write mail.address('bob'), which is {self.address('bob')!r}."
            )

    def set_catch_all(self, address: str | None) -> None:
        """Not here: it is the whole server's."""
        _not_alone("A catch-all")

    def reset(self) -> None:
        """Not here: others have mail there."""
        _not_alone("reset()")

    def go_down(self) -> None:
        """Not here."""
        _not_alone("go_down()")

    def come_up(self) -> None:
        """Not here."""
        _not_alone("come_up()")

    def hang(self) -> None:
        """Not here."""
        _not_alone("hang()")

    def __repr__(self) -> str:
        return f"<SharedMail {self.domain} at {self.url}>"
