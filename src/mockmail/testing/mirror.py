"""A copy of the history of a server in another process, kept up to date over HTTP.

Each question first catches up with the server; while one waits, a thread has the server answer as soon as anything
happens there (a request that is answered late), so that nothing polls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from mockmail.config import Settings
from mockmail.core.accounts import Accounts
from mockmail.core.events import Event
from mockmail.core.journal import Journal
from mockmail.core.mailbox import Mailbox
from mockmail.core.queue import QueuedMessage
from mockmail.core.world import World
from mockmail.errors import ConfigurationError, NotRunningError
from mockmail.testing.coding import RemoteMessage, decoded_event, decoded_queued
from mockmail.testing.far import RemoteClock
from mockmail.testing.line import Line

__all__ = ["Mirror"]

WAIT_SECONDS = 20.0
FOLLOWER_END_SECONDS = 5.0


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


class _Waiting:
    """An entry of the queue, as far as questions go."""

    def __init__(self, picture: QueuedMessage) -> None:
        self._picture = picture

    def picture(self) -> QueuedMessage:
        return self._picture


class _MirrorWorld(World):
    """The state of the server between two of its resets: its journal as copied, the rest as fetched anew each time."""

    def __init__(self, settings: Settings, mirror: Mirror) -> None:
        self._mirror = mirror
        super().__init__(settings)
        self.clock = mirror.clock
        self.journal = _MirrorJournal(mirror.follow)

    @property
    def accounts(self) -> Accounts:
        return self._mirror.accounts()

    @accounts.setter
    def accounts(self, value: Accounts) -> None:
        """They are where they are."""

    @property
    def queue(self) -> Any:
        return [_Waiting(one) for one in self._mirror.queue()]

    @queue.setter
    def queue(self, value: Any) -> None:
        """It is where it is."""


class Mirror:
    """The copy. Any thread."""

    def __init__(self, line: Line, settings: Settings, *, from_now: bool = False) -> None:
        """``from_now``: what happened before is left out."""
        self._line = line
        self._settings = settings
        self.clock = RemoteClock(line)
        # Whoever waits is told while news is taken in, and may register anew at once.
        self._lock = threading.RLock()
        self._messages: dict[str, RemoteMessage] = {}
        self._number = 0
        self._position = 0
        self._follower: threading.Thread | None = None
        self._closed = False
        self._world = _MirrorWorld(settings, self)
        if from_now:
            told = line.json("GET", "journal", since=10**9)
            self._number, self._position = told["world"], told["position"]

    @property
    def world(self) -> World:
        """The state as of now; after :meth:`close`, as it was last."""
        if not self._closed:
            while self._feed(self._line.json("GET", "journal", since=self._position, world=self._number)):
                pass
        return self._world

    def _feed(self, told: Mapping[str, Any]) -> bool:
        """Append what is new to the journal here; whether there is more to fetch at once."""
        with self._lock:
            if told["world"] != self._number:
                old, self._world = self._world, _MirrorWorld(self._settings, self)
                self._number, self._position = told["world"], 0
                self._messages.clear()
                self.forget()
                old.retire()
            if told["since"] < self._position:
                # Two asked at once, and the other was faster.
                return bool(told["position"] > self._position)
            # A position beyond ours: the server forgot what was between.
            self._position = told["position"]
            for one in told["events"]:
                event = decoded_event(one, self.message)
                if event is not None:
                    for admitted in self.admitted(event):
                        self._world.journal.append(admitted)
            return bool(told["more"])

    # What a narrower view replaces

    def admitted(self, event: Event) -> Iterator[Event]:
        """The events to be copied now, given the next one of the server."""
        yield event

    def forget(self) -> None:
        """The server was reset."""

    def accounts(self) -> Accounts:
        """The accounts there now, with all their mail."""
        return self._accounts_of(self._line.json("GET", "accounts", messages=1))

    def queue(self) -> list[QueuedMessage]:
        """What waits to be relayed there now."""
        return [decoded_queued(one, self.message) for one in self._line.json("GET", "queue")["queue"]]

    def _accounts_of(self, told: Mapping[str, Any]) -> Accounts:
        accounts = Accounts(lambda account, name: Mailbox(account, name, 1))
        for one in told["accounts"]:
            account = accounts.create(one["address"], created_by="test")
            for folder in one["folders"]:
                mailbox = Mailbox(account.address, folder["name"], folder["uidvalidity"])
                for entry in folder["entries"]:
                    mailbox.uid_next = entry["uid"]
                    mailbox.add([(self.message(entry["message"]), frozenset(entry["flags"]))])
                mailbox.uid_next = folder["uidnext"]
                account.adopt(mailbox)
        return accounts

    def message(self, told: Mapping[str, Any]) -> RemoteMessage:
        """The message that was told of; always the same one."""
        message = self._messages.get(told["id"])
        if message is None:
            message = self._messages[told["id"]] = RemoteMessage(told, self._raw)
        return message

    def _raw(self, message_id: str) -> bytes:
        return self._line.ask("GET", f"journal/messages/{quote(message_id)}")

    # Following

    def follow(self) -> None:
        """Have a thread take in what happens, as it happens."""
        with self._lock:
            if self._follower is None and not self._closed:
                self._follower = threading.Thread(target=self._run, name="mockmail-follower", daemon=True)
                self._follower.start()

    def _run(self) -> None:
        while not self._closed:
            try:
                told = self._line.json("GET", "journal", since=self._position, world=self._number, wait=WAIT_SECONDS)
            except (NotRunningError, ConfigurationError):
                # The server has stopped, or close() was called: whoever waits shall know.
                self._world.retire()
                with self._lock:
                    self._follower = None
                return
            self._feed(told)

    def close(self) -> None:
        """Take in no more. What was copied can still be looked at. Idempotent."""
        self._closed = True
        self._world.retire()
        self._line.close()
        follower = self._follower
        if follower is not None and follower is not threading.current_thread():
            follower.join(FOLLOWER_END_SECONDS)
