"""Folders as a test holds them: live handles that look, and act, on the server's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from mockmail.core.accounts import canonical_name
from mockmail.core.events import Actor
from mockmail.core.mailbox import Entry, FlagChange, Mailbox
from mockmail.core.message import StoredMessage
from mockmail.errors import ConfigurationError
from mockmail.testing.matching import normal_flag
from mockmail.testing.source import Source, ask

__all__ = ["Folder", "check_name", "check_uid", "no_folder", "spelled_flags", "stored"]

T = TypeVar("T")


class Folder(Sequence[StoredMessage]):
    """A folder, live: each ``len()``, ``[]`` and iteration takes its own snapshot, oldest message first.

    ``messages`` is one snapshot. Its methods act as another client of the account does, or as an odd server.
    """

    def __init__(self, source: Source, account: str, name: str) -> None:
        self._place = _Place(source, account, name)

    # Looking

    @property
    def name(self) -> str:
        """The name in full, parts separated by ``/``."""
        return self._place.name

    @property
    def messages(self) -> tuple[StoredMessage, ...]:
        """All messages now, in order of their UIDs."""
        return self._place.ask(lambda mailbox: tuple(stored(entry, mailbox.name) for entry in mailbox.entries))

    @property
    def uidvalidity(self) -> int:
        """UIDVALIDITY (RFC 3501 2.3.1.1)."""
        return self._place.ask(lambda mailbox: mailbox.uid_validity)

    @property
    def uidnext(self) -> int:
        """The UID that the next message will have."""
        return self._place.ask(lambda mailbox: mailbox.uid_next)

    def __len__(self) -> int:
        return self._place.ask(lambda mailbox: len(mailbox.entries))

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
                f"{self._place} has {count or 'no'} message{'' if count == 1 else 's'}; there is no [{index}]."
            ) from None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Folder):
            return self._place == other._place
        return list(self) == list(other) if isinstance(other, (list, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._place)

    def __repr__(self) -> str:
        messages = self.messages
        listed = "".join(f"\n  {message!r}" for message in messages[-10:])
        older = f"\n  ... {len(messages) - 10} older" if len(messages) > 10 else ""
        count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
        return f"<Folder {self._place.name} of {self._place.account}: {count}{older}{listed}>"

    # Acting as another client

    def add_flags(self, uid: int, *flags: str) -> StoredMessage:
        """Add flags; system flags with or without backslash. The message as it then is."""
        return self._change_flags(uid, "add", flags)

    def remove_flags(self, uid: int, *flags: str) -> StoredMessage:
        """Take flags away. The message as it then is."""
        return self._change_flags(uid, "remove", flags)

    def _change_flags(self, uid: int, change: FlagChange, flags: Iterable[str]) -> StoredMessage:
        spelled = spelled_flags(flags)

        def act(mailbox: Mailbox) -> StoredMessage:
            self._place.entry(mailbox, uid)
            self._place.source.world.store.change_flags(mailbox, [uid], change, spelled, self._place.actor)
            return stored(self._place.entry(mailbox, uid), mailbox.name)

        return self._place.act(act)

    def move(self, uid: int, folder: str | Folder) -> StoredMessage:
        """Move a message to another folder of the account, which must exist. The message as it then is."""
        name = folder.name if isinstance(folder, Folder) else canonical_name(folder)

        def act(mailbox: Mailbox) -> StoredMessage:
            entry = self._place.entry(mailbox, uid)
            target = self._place.mailbox(name)
            if target is mailbox:
                raise ConfigurationError(f"The message is in {name!r} already; name another folder to move it to.")
            moved = self._place.source.world.store.move(mailbox, [entry], target, self._place.actor)
            return stored(moved[0], target.name)

        return self._place.act(act)

    def expunge(self, uid: int) -> None:
        """Remove a message for good, whatever its flags."""

        def act(mailbox: Mailbox) -> None:
            self._place.entry(mailbox, uid)
            self._place.source.world.store.expunge(mailbox, [uid], self._place.actor)

        self._place.act(act)

    def clear(self) -> None:
        """Remove all messages for good."""
        self._place.act(
            lambda mailbox: self._place.source.world.store.expunge(
                mailbox, [entry.uid for entry in mailbox.entries], self._place.actor
            )
        )

    # Acting as an odd server

    def reset_uidvalidity(self, *, first_uid: int = 1) -> int:
        """Give the folder a higher UIDVALIDITY, which is returned, and its messages new UIDs from ``first_uid``, newest
        first, so that an old UID names another message. Sessions that have it selected get BYE."""
        if isinstance(first_uid, bool) or not isinstance(first_uid, int) or not 1 <= first_uid < 2**32:
            raise ConfigurationError(f"first_uid is {first_uid!r}; write a number from 1 to 4294967295.")
        world = self._place.source.world
        return self._place.act(
            lambda mailbox: (
                world.account(self._place.account).renumber(mailbox, world.new_uid_validity(), first_uid).uid_validity
            )
        )

    def set_read_only(self, read_only: bool = True) -> None:
        """Whether sessions that select it from now on can only read."""

        def act(mailbox: Mailbox) -> None:
            mailbox.read_only = read_only

        self._place.act(act)

    def refuse_keywords(self, refuse: bool = True) -> None:
        """Whether flags other than the system's are refused."""

        def act(mailbox: Mailbox) -> None:
            mailbox.refuse_keywords = refuse

        self._place.act(act)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a folder is, and the way there: the server's thread."""

    source: Source
    account: str
    name: str

    def __str__(self) -> str:
        return f"{self.account} {self.name}"

    @property
    def actor(self) -> Actor:
        return Actor(account=self.account)

    def mailbox(self, name: str) -> Mailbox:
        account = self.source.world.account(self.account)
        mailbox = account.mailbox(name)
        if mailbox is None:
            raise ConfigurationError(no_folder(self.account, name, account.names()))
        return mailbox

    def entry(self, mailbox: Mailbox, uid: int) -> Entry:
        check_uid(uid)
        entry = mailbox.get(uid)
        if entry is None:
            uids = ", ".join(str(one.uid) for one in mailbox.entries[:20]) or "none"
            raise ConfigurationError(f"{self} has no message with UID {uid!r}; there are: {uids}.")
        return entry

    def ask(self, look: Callable[[Mailbox], T]) -> T:
        return ask(self.source, lambda: look(self.mailbox(self.name)))

    def act(self, change: Callable[[Mailbox], T]) -> T:
        return self.source.call(lambda: change(self.mailbox(self.name)))


def stored(entry: Entry, folder: str) -> StoredMessage:
    """The picture of an entry in that folder."""
    return StoredMessage(entry.message, uid=entry.uid, flags=entry.flags, folder=folder)


def spelled_flags(flags: Iterable[str]) -> list[str]:
    """Flags as IMAP spells them."""
    if isinstance(flags, str):
        raise ConfigurationError(f"flags is the string {flags!r}; write a list: [{flags!r}].")
    return [normal_flag(flag) for flag in flags]


def check_name(folder: object) -> None:
    """Raise ``ConfigurationError`` for what names no folder."""
    if not isinstance(folder, str) or folder.endswith("/"):
        raise ConfigurationError(f"folder is {folder!r}; write the name of a folder, such as 'INBOX' or 'Work/2026'.")


def check_uid(uid: object) -> None:
    """Raise ``ConfigurationError`` for what is no UID."""
    if isinstance(uid, bool) or not isinstance(uid, int):
        raise ConfigurationError(f"uid is {uid!r}; write the UID of one message, such as message.uid.")


def no_folder(account: str, name: str, names: Iterable[str]) -> str:
    """The sentence for a folder that an account does not have."""
    return (
        f"{account} has no folder {name!r}; it has {', '.join(map(repr, names))}. Make it by create_folder({name!r})."
    )
