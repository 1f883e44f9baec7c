"""Accounts and folders as a test holds them: live handles that look, and act, on the server's thread."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, overload

from mockmail.auth.tokens import issue_token, revoke_token
from mockmail.core.accounts import AccountState, MailboxRefused, canonical_name
from mockmail.core.events import Actor
from mockmail.core.mailbox import Entry, FlagChange, Mailbox
from mockmail.core.message import Envelope, StoredMessage
from mockmail.errors import ConfigurationError
from mockmail.testing.matching import normal_flag
from mockmail.testing.source import Source, ask

__all__ = ["Account", "Folder"]

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
            raise ConfigurationError(_no_folder(self._address, wanted, folders))
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
        spelled = _flags(flags)
        if not isinstance(folder, str) or folder.endswith("/"):
            raise ConfigurationError(
                f"folder is {folder!r}; write the name of a folder, such as 'INBOX' or 'Work/2026'."
            )

        def put(account: AccountState) -> StoredMessage:
            world = self._source.world
            envelope = Envelope(sender, (account.address,))
            message = world.store.new_message(raw, envelope=envelope, received_at=received_at)
            entry = world.store.seed(account, folder, message, spelled)
            return _stored(entry, canonical_name(folder))

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


class Folder(Sequence[StoredMessage]):
    """A folder, live: each ``len()``, ``[]`` and iteration takes its own snapshot, oldest message first.

    ``messages`` is one snapshot. Its methods act as another client of the account does, or as an odd server.
    """

    def __init__(self, source: Source, account: str, name: str) -> None:
        self._source = source
        self._account = account
        self._name = name

    # Looking

    @property
    def name(self) -> str:
        """The name in full, parts separated by ``/``."""
        return self._name

    @property
    def messages(self) -> tuple[StoredMessage, ...]:
        """All messages now, in order of their UIDs."""
        return self._ask(lambda mailbox: tuple(_stored(entry, mailbox.name) for entry in mailbox.entries))

    @property
    def uidvalidity(self) -> int:
        """UIDVALIDITY (RFC 3501 2.3.1.1)."""
        return self._ask(lambda mailbox: mailbox.uid_validity)

    @property
    def uidnext(self) -> int:
        """The UID that the next message will have."""
        return self._ask(lambda mailbox: mailbox.uid_next)

    def __len__(self) -> int:
        return self._ask(lambda mailbox: len(mailbox.entries))

    def __iter__(self) -> Iterator[StoredMessage]:
        return iter(self.messages)

    @overload
    def __getitem__(self, index: int) -> StoredMessage: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[StoredMessage, ...]: ...
    def __getitem__(self, index: int | slice) -> StoredMessage | tuple[StoredMessage, ...]:
        messages = self.messages
        try:
            return messages[index]
        except IndexError:
            count = len(messages)
            raise IndexError(
                f"{self._account} {self._name} has {count or 'no'} message{'' if count == 1 else 's'}; there is no"
                f" [{index}]."
            ) from None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Folder):
            return (self._source, self._account, self._name) == (other._source, other._account, other._name)
        return list(self) == list(other) if isinstance(other, (list, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash((id(self._source), self._account, self._name))

    def __repr__(self) -> str:
        messages = self.messages
        listed = "".join(f"\n  {message!r}" for message in messages[-10:])
        older = f"\n  ... {len(messages) - 10} older" if len(messages) > 10 else ""
        count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
        return f"<Folder {self._name} of {self._account}: {count}{older}{listed}>"

    # Acting as another client

    def add_flags(self, uid: int, *flags: str) -> StoredMessage:
        """Add flags; system flags with or without backslash. The message as it then is."""
        return self._change_flags(uid, "add", flags)

    def remove_flags(self, uid: int, *flags: str) -> StoredMessage:
        """Take flags away. The message as it then is."""
        return self._change_flags(uid, "remove", flags)

    def _change_flags(self, uid: int, change: FlagChange, flags: Iterable[str]) -> StoredMessage:
        spelled = _flags(flags)

        def act(mailbox: Mailbox) -> StoredMessage:
            self._entry(mailbox, uid)
            self._source.world.store.change_flags(mailbox, [uid], change, spelled, self._actor)
            return _stored(self._entry(mailbox, uid), mailbox.name)

        return self._act(act)

    def move(self, uid: int, folder: str | Folder) -> StoredMessage:
        """Move a message to another folder of the account, which must exist. The message as it then is."""
        name = folder.name if isinstance(folder, Folder) else canonical_name(folder)

        def act(mailbox: Mailbox) -> StoredMessage:
            entry = self._entry(mailbox, uid)
            target = self._found(name)
            if target is mailbox:
                raise ConfigurationError(f"The message is in {name!r} already; name another folder to move it to.")
            moved = self._source.world.store.move(mailbox, [entry], target, self._actor)
            return _stored(moved[0], target.name)

        return self._act(act)

    def expunge(self, uid: int) -> None:
        """Remove a message for good, whatever its flags."""

        def act(mailbox: Mailbox) -> None:
            self._entry(mailbox, uid)
            self._source.world.store.expunge(mailbox, [uid], self._actor)

        self._act(act)

    def clear(self) -> None:
        """Remove all messages for good."""
        self._act(
            lambda mailbox: self._source.world.store.expunge(
                mailbox, [entry.uid for entry in mailbox.entries], self._actor
            )
        )

    # Acting as an odd server

    def reset_uidvalidity(self, *, first_uid: int = 1) -> int:
        """Give the folder a higher UIDVALIDITY, which is returned, and its messages new UIDs from ``first_uid``, newest
        first, so that an old UID names another message. Sessions that have it selected get BYE."""
        if isinstance(first_uid, bool) or not isinstance(first_uid, int) or not 1 <= first_uid < 2**32:
            raise ConfigurationError(f"first_uid is {first_uid!r}; write a number from 1 to 4294967295.")
        world = self._source.world
        return self._act(
            lambda mailbox: (
                world.account(self._account).renumber(mailbox, world.new_uid_validity(), first_uid).uid_validity
            )
        )

    def set_read_only(self, read_only: bool = True) -> None:
        """Whether sessions that select it from now on can only read."""

        def act(mailbox: Mailbox) -> None:
            mailbox.read_only = read_only

        self._act(act)

    def refuse_keywords(self, refuse: bool = True) -> None:
        """Whether flags other than the system's are refused."""

        def act(mailbox: Mailbox) -> None:
            mailbox.refuse_keywords = refuse

        self._act(act)

    # On the server's thread

    @property
    def _actor(self) -> Actor:
        return Actor(account=self._account)

    def _found(self, name: str) -> Mailbox:
        account = self._source.world.account(self._account)
        mailbox = account.mailbox(name)
        if mailbox is None:
            raise ConfigurationError(_no_folder(self._account, name, account.names()))
        return mailbox

    def _entry(self, mailbox: Mailbox, uid: int) -> Entry:
        entry = mailbox.get(uid)
        if entry is None:
            uids = ", ".join(str(one.uid) for one in mailbox.entries[:20]) or "none"
            raise ConfigurationError(
                f"{self._account} {self._name} has no message with UID {uid!r}; there are: {uids}."
            )
        return entry

    def _ask(self, look: Callable[[Mailbox], T]) -> T:
        return ask(self._source, lambda: look(self._found(self._name)))

    def _act(self, change: Callable[[Mailbox], T]) -> T:
        return self._source.call(lambda: change(self._found(self._name)))


def _stored(entry: Entry, folder: str) -> StoredMessage:
    return StoredMessage(entry.message, uid=entry.uid, flags=entry.flags, folder=folder)


def _flags(flags: Iterable[str]) -> list[str]:
    if isinstance(flags, str):
        raise ConfigurationError(f"flags is the string {flags!r}; write a list: [{flags!r}].")
    return [normal_flag(flag) for flag in flags]


def _no_folder(account: str, name: str, names: Iterable[str]) -> str:
    return (
        f"{account} has no folder {name!r}; it has {', '.join(map(repr, names))}. Make it by create_folder({name!r})."
    )
