"""All the state between two resets: accounts, store, journal, clock. Loop thread only, except the journal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from mockmail.config import Settings
from mockmail.core.accounts import Accounts, AccountState
from mockmail.core.aliases import Aliases
from mockmail.core.clock import Clock
from mockmail.core.journal import Journal
from mockmail.core.mailbox import Mailbox
from mockmail.core.message import Message
from mockmail.core.queue import Queue
from mockmail.core.store import Store

__all__ = ["World"]

T = TypeVar("T")


class World:
    """One test's server state. A reset makes a new world; a transaction keeps the world it began in."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        *,
        next_uid_validity: Callable[[], int] | None = None,
        late: list[Message] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        # Whoever bounds the mail wants the memory bounded: its history goes with it.
        bounded = {} if settings.max_messages is None else {"limit_records": max(10_000, 10 * settings.max_messages)}
        self.journal = Journal(**bounded)
        self._next_uid_validity = new_uid_validity = next_uid_validity or _counter(int(self.clock.now().timestamp()))
        # Nothing in here refers to the world, so that it goes with its last user: see Store.
        self.accounts = Accounts(lambda account, name: Mailbox(account, name, new_uid_validity()))
        self.aliases = Aliases()
        self.queue = Queue()
        self.store = Store(self)
        self.late = late if late is not None else []
        """Where a session puts mail that was begun in this world and arrived after it was retired."""
        self._derived: dict[Hashable, Any] = {}
        self.companions: dict[str, Any] = {}
        """What other parts keep beside this world, by name. It may refer to the world, and is let go of with it."""
        self.retired = False
        """Set by a reset: a write into this world is late."""
        for address, password in (settings.users or {}).items():
            self.accounts.create(address, password=password, created_by="settings")

    def derived(self, key: Hashable, compute: Callable[[], T]) -> T:
        """``compute()``, kept under ``key``: what follows from the settings, which never change in a world, is found
        out once, not for each connection."""
        try:
            value: T = self._derived[key]
        except KeyError:
            value = self._derived[key] = compute()
        return value

    def account(self, address: str) -> AccountState:
        """The account of an address, made when it is missing."""
        return self.accounts.get(address) or self.accounts.create(address, created_by="test")

    def retire(self) -> None:
        """Another world takes over, or the server stops: whoever waits for something in this one is told."""
        self.retired = True
        self.companions.clear()
        self.store.end()
        self.journal.close()

    def carry(self, mailbox: Mailbox) -> Mailbox:
        """The counterpart here of a mailbox of the world before, for a session that has it selected: empty, but of the
        same UIDVALIDITY, and its UIDs go on from there. Asked again, the same one."""
        account = self.accounts.get(mailbox.account)
        if account is None:
            account = self.accounts.create(mailbox.account, created_by="login")
        here = account.mailboxes.get(mailbox.name)
        if here is None or here.uid_validity != mailbox.uid_validity:
            here = Mailbox(account.address, mailbox.name, mailbox.uid_validity, uid_next=mailbox.uid_next)
            account.adopt(here)
        return here

    def new_uid_validity(self) -> int:
        """Higher than any before (RFC 3501 2.3.1.1)."""
        return self._next_uid_validity()


def _counter(start: int) -> Callable[[], int]:
    value = start

    def following() -> int:
        nonlocal value
        value += 1
        return value

    return following
