"""``--webhook URL``: each delivered message is POSTed there, one after the other, until it is taken."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from mockmail.core.events import Delivered
from mockmail.core.message import Message
from mockmail.core.world import World
from mockmail.errors import ConfigurationError, NotRunningError
from mockmail.server import MockMail

__all__ = ["Webhook"]

ANSWER_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
FAREWELL_SECONDS = 0.7
"""For what is still to be told at the end."""


def _said(text: str) -> None:
    print(f"mockmail: {text}", file=sys.stderr, flush=True)


class Webhook:
    """A thread of its own, which follows the journal. Nothing is dropped while the server runs: a message that is not
    taken (any status but 2xx, or no answer) is sent again, with pauses that grow to half a minute, and those behind it
    wait."""

    def __init__(self, url: str, mail: MockMail, say: Callable[[str], None] = _said) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"webhook is {url!r}; write a URL such as http://127.0.0.1:8000/mail.")
        self._url = url
        self._mail = mail
        self._say = say
        self._waiting: deque[Message] = deque()
        self._world: World | None = None
        self._seen = 0
        self._news = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mockmail-webhook", daemon=True)

    def start(self) -> None:
        self._mail.call(self._follow)
        self._thread.start()

    def stop(self) -> None:
        """Send what is left, for a moment, and say how much was not taken."""
        self._ending.set()
        self._news.set()
        self._thread.join(FAREWELL_SECONDS)
        if left := len(self._waiting):
            self._say(f"{left} message{'s were' if left > 1 else ' was'} not taken by the webhook {self._url}.")

    # Loop thread

    def _follow(self) -> None:
        """Begin with the world there is now: the first, or that after a reset."""
        self._world, self._seen = self._mail.world, 0
        self._collect()

    def _collect(self) -> None:
        """Take over what was delivered at once: ``max_messages`` may have the journal forget it before it is told."""
        world = self._world
        assert world is not None
        rows = world.journal.rows(Delivered)
        self._waiting.extend(record.message for record in rows.read(self._seen) if isinstance(record, Delivered))
        self._seen = len(rows)
        if not world.retired:
            world.journal.when_longer(len(world.journal.records), self._collect)
        self._news.set()

    # Its own thread

    def _run(self) -> None:
        while True:
            self._news.clear()
            if self._waiting:
                if not self._deliver(self._waiting[0]):
                    return
                self._waiting.popleft()
            elif self._ending.is_set():
                return
            elif self._world is not None and self._world.retired:
                try:
                    self._mail.call(self._follow)
                except NotRunningError:
                    self._ending.wait()
            else:
                self._news.wait()

    def _deliver(self, message: Message) -> bool:
        """Until it is taken; false when the end came first."""
        body = json.dumps(_told(message)).encode()
        pause_seconds, complained = FIRST_PAUSE_SECONDS, False
        while True:
            trouble = self._post(body)
            if trouble is None:
                if complained:
                    self._say(f"The webhook {self._url} takes messages again.")
                return True
            if not complained:
                self._say(f"The webhook {self._url} did not take a message ({trouble}); it is tried again.")
                complained = True
            if self._ending.wait(pause_seconds):
                return self._post(body) is None
            pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _post(self, body: bytes) -> str | None:
        """What went wrong."""
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        try:
            with _OPENER.open(request, timeout=ANSWER_SECONDS):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            return f"status {error.code}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            return str(getattr(error, "reason", error)) or type(error).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without the message."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
"""Goes where it is told and nowhere else: a proxy of the environment is not for the developer's own machine."""


def _told(message: Message) -> object:
    """As an item of Mailpit's lists."""
    from mockmail.http.catalogue import own_tags
    from mockmail.http.content import summary

    return summary(message, read=False, tags=own_tags(message), username="")
