"""``--webhook URL``: each delivered message is POSTed there, one after the other, until it is taken."""

from __future__ import annotations

import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from mockmail.core.events import Delivered
from mockmail.core.message import Message
from mockmail.errors import ConfigurationError
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
        self._news = threading.Event()
        self._ending = threading.Event()
        self._left = 0
        self._thread = threading.Thread(target=self._run, name="mockmail-webhook", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what is left, for a moment, and say how much was not taken."""
        self._ending.set()
        self._news.set()
        self._thread.join(FAREWELL_SECONDS)
        if self._left:
            self._say(f"{self._left} messages were not taken by the webhook {self._url}.")

    def _run(self) -> None:
        journal = self._mail.world.journal
        seen = 0
        while True:
            rows = journal.rows(Delivered)
            seen = max(seen, rows.first)
            new = [record for record in rows.read(seen) if isinstance(record, Delivered)]
            self._left = len(new)
            for record in new:
                if not self._deliver(record.message):
                    return
                seen += 1
                self._left -= 1
            if self._ending.is_set():
                return
            if self._mail.world.journal is not journal:
                journal, seen = self._mail.world.journal, 0  # there was a reset
                continue
            cancel = journal.when_longer(len(journal.records), self._news.set)
            if len(journal.rows(Delivered)) <= seen:
                self._news.wait()
            self._news.clear()
            cancel()

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
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            return f"status {error.code}"
        except (OSError, ValueError) as error:
            return str(getattr(error, "reason", error))


def _told(message: Message) -> object:
    """As an item of Mailpit's lists."""
    from mockmail.http.catalogue import own_tags
    from mockmail.http.content import summary

    return summary(message, read=False, tags=own_tags(message), username="")
