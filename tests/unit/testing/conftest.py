"""A server without sockets: a world, owned by a thread of its own, with what a test needs to make things happen."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mockmail.config import Settings
from mockmail.core.events import Actor, Command, LoggedIn, LoginFailed, Rejected, SessionClosed, SessionOpened
from mockmail.core.journal import Journal
from mockmail.core.message import Envelope
from mockmail.core.routing import Deliver
from mockmail.core.world import World
from mockmail.errors import NotRunningError
from mockmail.testing.accounts import Account
from mockmail.testing.aio import AsyncMockMail
from mockmail.testing.assertions import Assertions
from mockmail.testing.compose import compose

AT = datetime.datetime(2026, 11, 23, 12, 0, 1, 5000, tzinfo=datetime.UTC)
NOTHING = {"from_": None, "subject": "", "text": None, "html": None, "attachments": (), "headers": None}


class Mail(Assertions):
    def __init__(self, **settings):
        self._world = World(Settings(**settings))
        self._world.clock.freeze(AT)
        self._owner = ThreadPoolExecutor(1)
        self._owner_ident = self._owner.submit(threading.get_ident).result()
        self._running = True
        self.aio = AsyncMockMail(self)
        self.transcript = ""

    @property
    def world(self):
        return self._world

    @property
    def settings(self):
        return self._world.settings

    def transcript_text(self):
        return self.transcript

    def call(self, function, /, *args, **kwargs):
        if not self._running:
            raise NotRunningError("stopped")
        if threading.get_ident() == self._owner_ident:
            return function(*args, **kwargs)
        return self._owner.submit(function, *args, **kwargs).result()

    def stop(self):
        self._running = False
        self._owner.shutdown()

    def reset(self):
        def swap():
            old = self._world
            self._world = World(old.settings, late=old.late)
            old.retire()

        self.call(swap)

    def record(self, event):
        self.call(lambda: self.world.journal.append(event))

    # What clients do

    def deliver(self, *to, sender="app@app.test", subject="Welcome", body="Hello\r\n", headers="", raw=None):
        to = to or ("bob@example.test",)
        if raw is None:
            fields = f"From: {sender}\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n{headers}"
            raw = f"{fields}\r\n{body}".encode()

        def accept():
            message = self.world.store.new_message(raw, envelope=Envelope(sender, to))
            self.world.store.accept(message, [Deliver(one, one.lower()) for one in to], Actor("smtp", "smtp-1"))
            return message

        return self.call(accept)

    def seed(self, to="bob@example.test", *, folder="INBOX", flags=(), sender="sender@example.test", **content):
        content = NOTHING | {"date": None, "received_at": None, "now": AT} | content
        raw, at = compose(content.pop("message", None), to=to, sender=sender, **content)
        return self.account(to)._seed(raw, sender=sender, folder=folder, flags=flags, received_at=at)

    def account(self, address):
        return Account(self, self.call(lambda: self.world.account(address).address))

    def mailbox(self, account="bob@example.test", folder="INBOX"):
        return self.world.account(account).mailbox(folder)

    def fetch(self, account="bob@example.test", *, uid=1, part="full", session="imap-1", peeked=False):
        def read():
            mailbox = self.mailbox(account)
            actor = Actor(session.partition("-")[0], session, account)
            self.world.store.record_fetched(mailbox, mailbox.select([uid]), [(part, peeked)], actor)

        self.call(read)

    def refuse(self, to="bob@example.test", *, sender="app@app.test", code=550, reply="550 5.1.1 no such user here"):
        self.record(Rejected(AT, "smtp", "smtp-1", "", "RCPT", sender, (to,), code, reply))

    def command(
        self, name, arguments="", *, protocol="imap", account="bob@example.test", session=None, reply="OK done"
    ):
        self.record(Command(AT, protocol, name, arguments, account, session or f"{protocol}-1", reply))

    def log_in(self, account="bob@example.test", *, protocol="imap", mechanism="PLAIN", tls=None, checked=True):
        self.record(LoggedIn(AT, protocol, f"{protocol}-1", account, account, mechanism, tls, checked))

    def fail_login(self, username="bob", *, protocol="imap", reason="wrong password"):
        self.record(LoginFailed(AT, protocol, f"{protocol}-1", username, "PLAIN", None, reason))

    def connect(self, session="smtp-1"):
        self.record(SessionOpened(AT, session.partition("-")[0], session, ("127.0.0.1", 1)))

    def disconnect(self, session="imap-1"):
        self.record(SessionClosed(AT, session.partition("-")[0], session))


@pytest.fixture
def make_mail():
    made = []

    def make(**settings):
        made.append(Mail(**settings))
        return made[-1]

    yield make
    for mail in made:
        mail.stop()


@pytest.fixture
def mail(make_mail):
    return make_mail(timeout=30.0)


@pytest.fixture
def when_waiting(monkeypatch):
    """Run functions in another thread, one at each wait that begins, in order."""
    acts = []
    threads = []
    begin = Journal.when_longer

    def when_longer(journal, length, callback):
        cancel = begin(journal, length, callback)
        if acts:
            threads.append(threading.Thread(target=acts.pop(0)))
            threads[-1].start()
        return cancel

    monkeypatch.setattr(Journal, "when_longer", when_longer)
    yield lambda *functions: acts.extend(functions)
    for thread in threads:
        thread.join()
    assert not acts, "not all waits came"


@pytest.fixture
def failure_of():
    """The text of the failure of a call."""

    def failure(call, *args, **kwargs):
        with pytest.raises(AssertionError) as caught:
            call(*args, **kwargs)
        return str(caught.value)

    return failure
