"""Accounts, folders and addresses of a server in another process, and its outages."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from mockmail.core.accounts import canonical_name
from mockmail.core.message import StoredMessage
from mockmail.core.queue import QueuedMessage
from mockmail.errors import ConfigurationError
from mockmail.testing.accounts import Account
from mockmail.testing.folders import Folder, check_name, check_uid, spelled_flags
from mockmail.testing.line import Line
from mockmail.testing.live import QueueView
from mockmail.testing.mirror import Mirror
from mockmail.testing.source import Source

__all__ = ["Administered", "RemoteAccount", "RemoteFolder"]

T = TypeVar("T")


class Administered(Source):
    """What an administrator does with a server in another process: outages, accounts, aliases and lists."""

    _line: Line
    _mirror: Mirror

    def go_down(self) -> None:
        """Refuse connections on all ports but that of HTTP, and cut those that are open. Mail stays."""
        self._line.json("PUT", "outage", {"state": "down"})

    def come_up(self) -> None:
        """Serve again, after :meth:`go_down` or :meth:`hang`."""
        self._line.json("PUT", "outage", {"state": "up"})

    def hang(self) -> None:
        """Accept connections on all ports but that of HTTP and never speak; those that are open are cut."""
        self._line.json("PUT", "outage", {"state": "hanging"})

    @property
    def queue(self) -> Sequence[QueuedMessage]:
        """Messages waiting to be relayed, oldest first."""
        return QueueView(self)

    def account(self, address: str) -> RemoteAccount:
        """The account of an address, made on first use."""
        __tracebackhide__ = True
        return RemoteAccount(self, self._line.json("POST", "accounts", {"address": address})["address"])

    def add_user(self, address: str, password: str) -> RemoteAccount:
        """An account that takes only this password."""
        __tracebackhide__ = True
        told = self._line.json("POST", "accounts", {"address": address, "password": password})
        return RemoteAccount(self, told["address"])

    def add_alias(self, address: str, *targets: str) -> None:
        """As :meth:`mockmail.MockMail.add_alias`."""
        __tracebackhide__ = True
        self._line.json("POST", "aliases", {"address": address, "targets": list(targets)})

    def add_list(self, address: str, members: Collection[str], *, owner: str) -> None:
        """As :meth:`mockmail.MockMail.add_list`."""
        __tracebackhide__ = True
        listed = members if isinstance(members, str) else list(members)
        self._line.json("POST", "lists", {"address": address, "members": listed, "owner": owner})

    def set_catch_all(self, address: str | None) -> None:
        """Send mail for unknown local recipients to ``address``; ``None`` ends that."""
        __tracebackhide__ = True
        self._line.json("PUT", "catch-all", {"address": address})


class RemoteAccount(Account):
    """An account of a server in another process."""

    _source: Administered

    @property
    def inbox(self) -> RemoteFolder:
        """The folder INBOX."""
        return RemoteFolder(self._source, self._address, "INBOX")

    @property
    def folders(self) -> Mapping[str, Folder]:
        """The folders there are now, by name; INBOX first."""
        return {name: RemoteFolder(self._source, self._address, name) for name in super().folders}

    def create_folder(self, name: str) -> Folder:
        """Make a folder, and those above it. The parts of a name are separated by ``/``."""
        self._tell("POST", "folders", {"name": name})
        return self.folder(name)

    def rename_folder(self, name: str, new_name: str) -> Folder:
        """Rename a folder and all below it; renaming INBOX moves its messages and leaves it empty."""
        self._tell("PUT", "folders", {"name": name, "new_name": new_name})
        return self.folder(new_name)

    def delete_folder(self, name: str) -> None:
        """Delete a folder with its messages."""
        self._tell("DELETE", "folders", folder=name)

    def set_quota(self, limit_bytes: int | None) -> None:
        """As :meth:`mockmail.Account.set_quota`."""
        self._tell("PUT", "quota", {"limit_bytes": limit_bytes})

    def token(self, expires_in: float | datetime.timedelta | None = 3600) -> str:
        """As :meth:`mockmail.Account.token`."""
        seconds = expires_in.total_seconds() if isinstance(expires_in, datetime.timedelta) else expires_in
        return str(self._tell("POST", "tokens", {"expires_in": seconds})["token"])

    def revoke(self, token: str) -> None:
        """As :meth:`mockmail.Account.revoke`."""
        self._tell("DELETE", "tokens", {"token": token})

    def _tell(self, method: str, what: str, body: Any = None, **query: Any) -> Any:
        return self._source._line.json(method, f"accounts/{quote(self._address)}/{what}", body, **query)

    def _act(self, change: Callable[[Any], T]) -> T:
        raise NotImplementedError("what changes a server in another process is asked for over HTTP")

    def _seed(
        self, raw: bytes, *, sender: str, folder: str, flags: Iterable[str], received_at: datetime.datetime
    ) -> StoredMessage:
        spelled = spelled_flags(flags)
        check_name(folder)
        told = self._tell(
            "POST", "messages", raw, folder=folder, sender=sender, flag=spelled, received_at=received_at.isoformat()
        )
        found = self._source._mirror.message(told["message"])
        return StoredMessage(found, uid=told["uid"], flags=frozenset(told["flags"]), folder=canonical_name(folder))


class RemoteFolder(Folder):
    """A folder of a server in another process, live."""

    def __init__(self, remote: Administered, account: str, name: str) -> None:
        super().__init__(remote, account, name)
        self._remote = remote
        self._account = account

    def _change(self, method: str, body: Any) -> Any:
        path = f"accounts/{quote(self._account)}/messages"
        return self._remote._line.json(method, path, body, folder=self.name)

    def _now(self, uid: int, folder: str) -> StoredMessage:
        for message in RemoteFolder(self._remote, self._account, folder).messages:
            if message.uid == uid:
                return message
        raise ConfigurationError(f"{self._account} {folder} has no message with UID {uid!r} any more.")

    def add_flags(self, uid: int, *flags: str) -> StoredMessage:
        """Add flags; system flags with or without backslash. The message as it then is."""
        self._change("PATCH", {"uids": _one(uid), "add": list(flags)})
        return self._now(uid, self.name)

    def remove_flags(self, uid: int, *flags: str) -> StoredMessage:
        """Take flags away. The message as it then is."""
        self._change("PATCH", {"uids": _one(uid), "remove": list(flags)})
        return self._now(uid, self.name)

    def move(self, uid: int, folder: str | Folder) -> StoredMessage:
        """Move a message to another folder of the account, which must exist. The message as it then is."""
        name = folder.name if isinstance(folder, Folder) else folder
        told = self._change("PATCH", {"uids": _one(uid), "move_to": name})
        return self._now(told["messages"][0]["uid"], told["folder"])

    def expunge(self, uid: int) -> None:
        """Remove a message for good, whatever its flags."""
        self._change("DELETE", {"uids": _one(uid)})

    def clear(self) -> None:
        """Remove all messages for good."""
        self._change("DELETE", {"uids": "all"})

    def reset_uidvalidity(self, *, first_uid: int = 1) -> int:
        """As :meth:`mockmail.Folder.reset_uidvalidity`."""
        return int(self._oddity({"first_uid": first_uid})["uidvalidity"])

    def set_read_only(self, read_only: bool = True) -> None:
        """Whether sessions that select it from now on can only read."""
        self._oddity({"read_only": read_only})

    def refuse_keywords(self, refuse: bool = True) -> None:
        """Whether flags other than the system's are refused."""
        self._oddity({"refuse_keywords": refuse})

    def _oddity(self, body: Any) -> Any:
        path = f"accounts/{quote(self._account)}/folders"
        return self._remote._line.json("PATCH", path, body, folder=self.name)


def _one(uid: int) -> list[int]:
    check_uid(uid)
    return [uid]
