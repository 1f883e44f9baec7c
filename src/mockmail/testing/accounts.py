"""Accounts as a test holds them: live handles that look, and act, on the server's thread."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from mockmail.auth.tokens import issue_token, revoke_token
from mockmail.core.accounts import AccountState, MailboxRefused, canonical_name
from mockmail.core.events import Actor
from mockmail.core.message import Envelope, StoredMessage
from mockmail.errors import ConfigurationError
from mockmail.testing.folders import Folder, check_name, no_folder, spelled_flags, stored
from mockmail.testing.source import Source, ask

__all__ = ["Account"]

T = TypeVar("T")


class Account:
    """One address and its folders. A handle: after a reset it is the account that then has the address."""

    def __init__(self, source: Source, address: str) -> None:
        self._source = source
        self._address = address

    @property
    def address(self) -> str:
        """The address, in its canonical form."""
        return self._address

    @property
    def inbox(self) -> Folder:
        """The folder INBOX."""
        return Folder(self._source, self._address, "INBOX")

    @property
    def folders(self) -> Mapping[str, Folder]:
        """The folders there are now, by name; INBOX first."""
        names = self._ask(lambda account: [name for name in account.names() if account.mailboxes[name] is not None])
        return {name: Folder(self._source, self._address, name) for name in names}

    def folder(self, name: str) -> Folder:
        """The folder of that name. ``ConfigurationError`` names those there are when there is none."""
        __tracebackhide__ = True
        wanted = canonical_name(name)
        folders = self.folders
        if wanted not in folders:
            raise ConfigurationError(no_folder(self._address, wanted, folders))
        return folders[wanted]

    def create_folder(self, name: str) -> Folder:
        """Make a folder, and those above it. The parts of a name are separated by ``/``."""
        if name.endswith("/"):
            raise ConfigurationError(
                f"{name!r} ends in '/'; write the name of the folder, such as {name.rstrip('/')!r}."
            )
        self._act(lambda account: account.create(name))
        return self.folder(name)

    def rename_folder(self, name: str, new_name: str) -> Folder:
        """Rename a folder and all below it; renaming INBOX moves its messages and leaves it empty."""
        actor = Actor(account=self._address)
        self._act(lambda account: self._source.world.store.rename(account, name, new_name, actor))
        return self.folder(new_name)

    def delete_folder(self, name: str) -> None:
        """Delete a folder with its messages. One with folders below it leaves its name as a place only."""
        self._act(lambda account: account.delete(name))

    def set_quota(self, limit_bytes: int | None) -> None:
        """Let all folders together hold so many bytes. Mail and uploads past that are refused: ``552 5.2.2`` by SMTP
        and LMTP, ``NO [OVERQUOTA]`` by IMAP; ``seed`` goes past it. ``None``: no limit."""
        __tracebackhide__ = True
        if limit_bytes is not None and (isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int)):
            raise ConfigurationError(f"limit_bytes is {limit_bytes!r}; write a number of bytes, or None for no limit.")
        if limit_bytes is not None and limit_bytes < 0:
            raise ConfigurationError(f"limit_bytes is {limit_bytes}; write 0 or more bytes, or None for no limit.")

        def limit(account: AccountState) -> None:
            account.quota_bytes = limit_bytes
            self._source.world.accounts.has_quotas = True

        self._act(limit)

    def token(self, expires_in: float | datetime.timedelta | None = 3600) -> str:
        """Issue a bearer token, with which XOAUTH2 and OAUTHBEARER log in to this account alone.

        ``expires_in``: seconds of ``mail.clock`` or a ``timedelta``; 0 gives one that has expired already, ``None`` one
        that never does. From the first on, the account takes no other tokens than its own.
        """
        return self._act(lambda account: issue_token(self._source.world, account, expires_in=expires_in))

    def revoke(self, token: str) -> None:
        """Let nobody in with this token any more. ``ConfigurationError`` when it is none of this account's."""
        self._act(lambda account: revoke_token(account, token))

    def _ask(self, look: Callable[[AccountState], T]) -> T:
        return ask(self._source, lambda: look(self._source.world.account(self._address)))

    def _act(self, change: Callable[[AccountState], T]) -> T:
        try:
            return self._source.call(lambda: change(self._source.world.account(self._address)))
        except MailboxRefused as refused:
            raise ConfigurationError(str(refused)) from None

    def _seed(
        self, raw: bytes, *, sender: str, folder: str, flags: Iterable[str], received_at: datetime.datetime
    ) -> StoredMessage:
        """Put bytes into a folder, made when it is missing, as mail that was there before."""
        spelled = spelled_flags(flags)
        check_name(folder)

        def put(account: AccountState) -> StoredMessage:
            world = self._source.world
            envelope = Envelope(sender, (account.address,))
            message = world.store.new_message(raw, envelope=envelope, received_at=received_at)
            entry = world.store.seed(account, folder, message, spelled)
            return stored(entry, canonical_name(folder))

        return self._act(put)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Account):
            return NotImplemented
        return self._source is other._source and self._address == other._address

    def __hash__(self) -> int:
        return hash((id(self._source), self._address))

    def __repr__(self) -> str:
        counts = self._ask(lambda account: [(mailbox.name, len(mailbox.entries)) for mailbox in account])
        return f"<Account {self._address} {', '.join(f'{name}: {count}' for name, count in counts)}>"
