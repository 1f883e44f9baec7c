"""A mailbox to search in."""

from datetime import UTC, datetime

import pytest

from mockmail.core.mailbox import Mailbox
from mockmail.core.message import Envelope, Message
from mockmail.core.views import MailboxView
from mockmail.imap.search.evaluate import evaluate
from mockmail.imap.search.keys import read_search

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def finished(generator):
    """The value of a generator, and how often it gave way."""
    steps = 0
    while True:
        try:
            assert next(generator) is None
        except StopIteration as stop:
            return stop.value, steps
        steps += 1


class Searched:
    """A mailbox and one view of it."""

    def __init__(self, reader) -> None:
        self._reader = reader
        self.mailbox = Mailbox("bob@example.test", "INBOX", 1)
        self._view = None

    @property
    def view(self):
        if self._view is None:
            self._view = MailboxView(self.mailbox)
        return self._view

    def add(self, raw=b"Subject: x\r\n\r\nbody\r\n", *flags, received_at=NOON):
        """Its UID."""
        message = Message(raw, id=str(self.mailbox.uid_next), envelope=Envelope(), received_at=received_at)
        return self.mailbox.add([(message, self.mailbox.spelled(flags))])[0].uid

    def generator(self, criteria):
        if isinstance(criteria, str):
            criteria = criteria.encode("ascii")
        return evaluate(read_search(self._reader(criteria))[1], self.view, NOON)

    def search(self, criteria):
        """The sequence numbers found."""
        found, _ = finished(self.generator(criteria))
        entries = self.view.entries()
        assert found.uids == [entries[number - 1].uid for number in found.numbers]
        assert found.numbers == sorted(set(found.numbers))
        return found.numbers


@pytest.fixture
def box(reader):
    return Searched(reader)


@pytest.fixture
def run_to_end():
    return finished
