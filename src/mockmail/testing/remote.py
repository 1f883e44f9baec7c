"""``mockmail.connect(url)``: a server in another process, asked over HTTP by the same queries and assertions.

What happened there is copied into a journal here, and the same expectations look at it. Each question first catches
up with the server; while one waits, a thread has the server answer as soon as anything happens (a long poll).
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar
from urllib.parse import quote

from mockmail.config import Settings
from mockmail.core.accounts import Accounts
from mockmail.core.events import Delivered
from mockmail.core.journal import Journal, JournalView
from mockmail.core.mailbox import Mailbox
from mockmail.core.message import Message, StoredMessage
from mockmail.core.world import World
from mockmail.errors import ConfigurationError, NotRunningError
from mockmail.testing.accounts import Account
from mockmail.testing.assertions import Assertions
from mockmail.testing.coding import RemoteMessage, decoded_event
from mockmail.testing.compose import Attachment, compose
from mockmail.testing.folders import Folder
from mockmail.testing.line import Line, RemoteClock, RemoteFaults

if TYPE_CHECKING:
    from email.message import EmailMessage

__all__ = ["RemoteAccount", "RemoteFolder", "RemoteMockMail", "connect"]

P = ParamSpec("P")
T = TypeVar("T")

WAIT_SECONDS = 20.0
_NOT_FROM_AFAR = "This can only be done in the process of the server, with its MockMail."


def connect(url: str) -> RemoteMockMail:
    """A running server by the URL of its HTTP port, such as ``"http://127.0.0.1:8025"``, with ``user:password@`` when
    it has ``http_auth``. Raises ``NotRunningError`` when nobody answers there."""
    return RemoteMockMail(url)


class _MirrorJournal(Journal):
    """The copy of a journal; whoever waits for more sets the following going."""

    __slots__ = ("_follow",)

    def __init__(self, follow: Callable[[], None]) -> None:
        super().__init__()
        self._follow = follow

    def when_longer(self, length: int, callback: Callable[[], None]) -> Callable[[], None]:
        cancel = super().when_longer(length, callback)
        self._follow()
        return cancel


class _MirrorWorld(World):
    """The state of the server between two of its resets: its journal as copied, its mailboxes as fetched anew."""

    def __init__(
        self, settings: Settings, fetch: Callable[[_MirrorWorld], Accounts], follow: Callable[[], None]
    ) -> None:
        self._fetch_accounts = fetch
        super().__init__(settings)
        self.journal = _MirrorJournal(follow)

    @property
    def accounts(self) -> Accounts:
        return self._fetch_accounts(self)

    @accounts.setter
    def accounts(self, value: Accounts) -> None:
        """They are where they are."""


class RemoteMockMail(Assertions):
    """A server in another process, with the queries and assertions of :class:`mockmail.MockMail`.

    Its methods may be called from any thread. :meth:`close` it, or use it in a ``with``.
    """

    def __init__(self, url: str) -> None:
        self._line = Line(url)
        told = self._line.json("GET", "server")
        self.version: str = told["version"]
        self._settings = Settings(timeout=told["timeout"])
        # Whoever waits is told while news is taken in, and may register anew at once.
        self._lock = threading.RLock()
        self._messages: dict[str, RemoteMessage] = {}
        self._position = 0
        self._number: int = told["world"]
        self._mirror = self._new_world()
        self._follower: threading.Thread | None = None
        self._closed = False
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="mockmail-remote")
        self.events = JournalView(lambda: self.world.journal)
        self.faults = RemoteFaults(self._line)
        self.clock = RemoteClock(self._line)

    # What the questions need

    @property
    def url(self) -> str:
        """Where its HTTP port is."""
        return self._line.url

    @property
    def world(self) -> World:
        """The state as of now; for the library's own use."""
        if not self._closed:
            self._catch_up()
        return self._mirror

    @property
    def settings(self) -> Settings:
        """What is known of its settings: the time that assertions wait."""
        return self._settings

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on the thread that asks the server for its mailboxes."""
        if self._closed:
            raise NotRunningError(f"This connection to {self.url} is closed; connect() anew.")
        return self._owner.submit(function, *args, **kwargs).result()

    def transcript_text(self) -> str:
        """The end of each conversation, for a report."""
        sessions = self._line.json("GET", "transcripts")["sessions"]
        return "\n\n".join("\n".join((f"== {one['session']} ==", *one["lines"][-60:])) for one in sessions)

    def transcripts(self, protocol: str | None = None, account: str | None = None) -> list[dict[str, Any]]:
        """What was said in each session: ``protocol``, ``session``, ``account``, ``peer``, ``lines``, ``times``."""
        told = self._line.json("GET", "transcripts", protocol=protocol, account=account)
        found: list[dict[str, Any]] = told["sessions"]
        return found

    def _new_world(self) -> _MirrorWorld:
        return _MirrorWorld(self._settings, self._accounts, self._start_following)

    def _catch_up(self) -> None:
        while self._feed(self._line.json("GET", "journal", since=self._position, world=self._number)):
            pass

    def _feed(self, told: Mapping[str, Any]) -> bool:
        """Append what is new to the journal here; whether there is more to fetch at once."""
        with self._lock:
            if told["world"] != self._number:
                old, self._mirror = self._mirror, self._new_world()
                self._number, self._position = told["world"], 0
                self._messages.clear()
                old.retire()
            if told["since"] < self._position:
                # Two asked at once, and the other was faster.
                return bool(told["position"] > self._position)
            # A position beyond ours: the server forgot what was between.
            self._position = told["position"]
            for one in told["events"]:
                event = decoded_event(one, self._message)
                if event is not None:
                    self._mirror.journal.append(event)
            return bool(told["more"])

    def _message(self, told: Mapping[str, Any]) -> RemoteMessage:
        message = self._messages.get(told["id"])
        if message is None:
            message = self._messages[told["id"]] = RemoteMessage(told, self._raw)
        return message

    def _raw(self, message_id: str) -> bytes:
        return self._line.ask("GET", f"journal/messages/{quote(message_id)}")

    def _start_following(self) -> None:
        with self._lock:
            if self._follower is None and not self._closed:
                self._follower = threading.Thread(target=self._follow, name="mockmail-follower", daemon=True)
                self._follower.start()

    def _follow(self) -> None:
        while not self._closed:
            try:
                told = self._line.json("GET", "journal", since=self._position, world=self._number, wait=WAIT_SECONDS)
            except (NotRunningError, ConfigurationError):
                self._mirror.retire()
                self._follower = None
                return
            self._feed(told)

    def _accounts(self, world: _MirrorWorld) -> Accounts:
        accounts = Accounts(lambda account, name: Mailbox(account, name, 1))
        for told in self._line.json("GET", "accounts", messages=1)["accounts"]:
            account = accounts.create(told["address"], created_by="test")
            for folder in told["folders"]:
                mailbox = Mailbox(account.address, folder["name"], folder["uidvalidity"])
                for entry in folder["entries"]:
                    mailbox.uid_next = entry["uid"]
                    mailbox.add([(self._message(entry["message"]), frozenset(entry["flags"]))])
                mailbox.uid_next = folder["uidnext"]
                account.adopt(mailbox)
        return accounts

    # Being there

    def close(self) -> None:
        """End the connection; the server goes on. What was copied can still be looked at. Idempotent."""
        self._closed = True
        self._mirror.retire()
        self._owner.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RemoteMockMail {self.url}>"

    # Acting

    @property
    def endpoints(self) -> dict[str, tuple[str, int]]:
        """(host, port) of all that is served there, by name: ``"smtp"``, ``"imap"`` ..."""
        told = self._line.json("GET", "server")["endpoints"]
        return {name: (one["host"], one["port"]) for name, one in told.items()}

    @property
    def messages(self) -> list[Message]:
        """All delivered mail, oldest first."""
        return [event.message for event in self.world.journal.of(Delivered)]

    def reset(self) -> None:
        """Have the server go back to its settings, as :meth:`mockmail.MockMail.reset` does."""
        self._line.json("POST", "reset")

    def account(self, address: str) -> RemoteAccount:
        """The account of an address, made on first use."""
        return RemoteAccount(self, self._line.json("POST", "accounts", {"address": address})["address"])

    def add_user(self, address: str, password: str) -> RemoteAccount:
        """An account that takes only this password."""
        told = self._line.json("POST", "accounts", {"address": address, "password": password})
        return RemoteAccount(self, told["address"])

    def seed(
        self,
        message: bytes | EmailMessage | None = None,
        *,
        to: str,
        sender: str = "sender@example.test",
        from_: str | None = None,
        subject: str = "",
        text: str | None = None,
        html: str | None = None,
        attachments: Iterable[Attachment] = (),
        headers: Mapping[str, str] | None = None,
        folder: str = "INBOX",
        flags: Iterable[str] = (),
        date: datetime.datetime | None = None,
        received_at: datetime.datetime | None = None,
    ) -> StoredMessage:
        """As :meth:`mockmail.MockMail.seed`."""
        raw, at = compose(
            message, to=to, sender=sender, from_=from_, subject=subject, text=text, html=html, attachments=attachments,
            headers=headers, date=date, received_at=received_at, now=self.clock.now(),
        )  # fmt: skip
        told = self._line.json(
            "POST", f"accounts/{quote(to)}/messages", raw, folder=folder, flag=list(flags), sender=sender,
            received_at=at.isoformat(),
        )  # fmt: skip
        return StoredMessage(
            self._message(told["message"]), uid=told["uid"], flags=frozenset(told["flags"]), folder=folder
        )


class RemoteAccount(Account):
    """An account of a server in another process."""

    _source: RemoteMockMail

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
        self._ask_for("POST", {"name": name})
        return self.folder(name)

    def rename_folder(self, name: str, new_name: str) -> Folder:
        """Rename a folder and all below it; renaming INBOX moves its messages and leaves it empty."""
        self._ask_for("PUT", {"name": name, "new_name": new_name})
        return self.folder(new_name)

    def delete_folder(self, name: str) -> None:
        """Delete a folder with its messages."""
        self._ask_for("DELETE", folder=name)

    def _ask_for(self, method: str, body: Any = None, **query: Any) -> None:
        self._source._line.json(method, f"accounts/{quote(self._address)}/folders", body, **query)

    def _act(self, change: Callable[[Any], T]) -> T:
        raise ConfigurationError(_NOT_FROM_AFAR)


class RemoteFolder(Folder):
    """A folder of a server in another process, live."""

    def __init__(self, remote: RemoteMockMail, account: str, name: str) -> None:
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
        self._change("PATCH", {"uids": [uid], "add": list(flags)})
        return self._now(uid, self.name)

    def remove_flags(self, uid: int, *flags: str) -> StoredMessage:
        """Take flags away. The message as it then is."""
        self._change("PATCH", {"uids": [uid], "remove": list(flags)})
        return self._now(uid, self.name)

    def move(self, uid: int, folder: str | Folder) -> StoredMessage:
        """Move a message to another folder of the account, which must exist. The message as it then is."""
        name = folder.name if isinstance(folder, Folder) else folder
        told = self._change("PATCH", {"uids": [uid], "move_to": name})
        return self._now(told["messages"][0]["uid"], told["folder"])

    def expunge(self, uid: int) -> None:
        """Remove a message for good, whatever its flags."""
        self._change("DELETE", {"uids": [uid]})

    def clear(self) -> None:
        """Remove all messages for good."""
        self._change("DELETE", {"uids": "all"})

    def reset_uidvalidity(self, *, first_uid: int = 1) -> int:
        """Not from afar: ``ConfigurationError``."""
        raise ConfigurationError(_NOT_FROM_AFAR)

    def set_read_only(self, read_only: bool = True) -> None:
        """Not from afar: ``ConfigurationError``."""
        raise ConfigurationError(_NOT_FROM_AFAR)

    def refuse_keywords(self, refuse: bool = True) -> None:
        """Not from afar: ``ConfigurationError``."""
        raise ConfigurationError(_NOT_FROM_AFAR)
