"""MockMail: start, stop, reset and endpoints. It composes the rooms below it and forwards to them."""

from __future__ import annotations

import datetime
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from mockmail.config import Settings
from mockmail.core.clock import Clock
from mockmail.core.events import Command, FaultFired
from mockmail.core.journal import JournalView
from mockmail.core.message import Message
from mockmail.core.world import World
from mockmail.errors import ConfigurationError, LateMailWarning, NotRunningError, ServerError
from mockmail.premises import Addresses, Membership, Outages
from mockmail.relay.reporting import send_reports
from mockmail.relay.worker import Worker, begin_relaying
from mockmail.running import Running
from mockmail.services import check_capabilities, listeners
from mockmail.testing.aio import AsyncMockMail
from mockmail.testing.archives import Archives
from mockmail.testing.assertions import Assertions
from mockmail.testing.endpoints import Endpoint, Endpoints, not_started
from mockmail.testing.faults import Faults, vocabularies
from mockmail.testing.handover import SettingsFor
from mockmail.testing.live import Deliveries
from mockmail.testing.report import sections
from mockmail.testing.source import Source
from mockmail.wire.certificates import Trust
from mockmail.wire.connection import Connections
from mockmail.wire.faults import Fault, FaultPlan
from mockmail.wire.listener import Listener
from mockmail.wire.runtime import Runtime
from mockmail.wire.transcript import Transcript

__all__ = ["MockMail"]

P = ParamSpec("P")
T = TypeVar("T")


class MockMail(Addresses, Outages, Archives, Assertions, Endpoints, Running):
    """A mail system: real SMTP, POP3 and IMAP servers over one in-memory store, in a thread of their own.

    ``MockMail(users={"bob@example.test": "secret"})``; all settings are keyword arguments, see
    :class:`mockmail.Settings`. Use it in a ``with`` (or ``async with``), or call :meth:`start` and :meth:`stop`.
    Its methods may be called from any thread.
    """

    def __init__(self, settings: Settings | None = None, /, **overrides: Any) -> None:
        if settings is not None and not isinstance(settings, Settings):
            raise ConfigurationError(
                f"MockMail was given {settings!r}; write settings by keyword, such as MockMail(users=...),"
                " or give one Settings."
            )
        __tracebackhide__ = True
        self._own_settings = (settings or Settings()).updated(**overrides)
        check_capabilities(self._own_settings)
        self._errors: list[BaseException] = []
        self._runtime = Runtime(self._errors.append)
        self._transcript = Transcript()
        plan = FaultPlan(vocabularies(), on_fired=lambda *fired: _record_fault(self._world, *fired), now=self._now)
        self.faults = Faults(plan)
        self._connections = Connections(
            transcript=self._transcript, faults=plan, errors=self._errors, world=lambda: self._world
        )
        self._listeners: dict[str, Listener] = {}
        self._uid_validities: itertools.count[int] | None = None
        self._late: list[Message] = []
        self._network: Membership | None = None
        self._worker: Worker | None = None
        self._world = self._new_world(self._own_settings)
        self.tls = Trust(lambda: bool(self._world.settings.tls))
        self.settings_for = SettingsFor(self)
        self.events = JournalView(lambda: self._world.journal)
        self.messages: Sequence[Message] = Deliveries(lambda: self._world)
        self.aio = AsyncMockMail(self)

    # What the rooms below need of it

    @property
    def world(self) -> World:
        """The state since the last reset; for the library's own use."""
        return self._world

    @property
    def runtime(self) -> Runtime:
        """The thread that the servers run in; for the library's own use."""
        return self._runtime

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._world.settings

    @property
    def clock(self) -> Clock:
        """The server's clock since the last reset."""
        return self._world.clock

    @property
    def transcript(self) -> Transcript:
        """What was said on all connections; ``str()`` of it is readable, secrets are left out."""
        return self._transcript

    def neighbours(self) -> Sequence[Source]:
        """The servers of its network, itself included."""
        return (self,) if self._network is None else self._network.servers()

    def transcript_text(self) -> str:
        """The end of each conversation, for a report."""
        return self._transcript.tail()

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on the thread that owns the store, and return its result."""
        return self._runtime.call(function, *args, **kwargs)

    def _join(self, network: Membership) -> None:
        """Share a thread, a clock and MX records with others, from before the first start on."""
        self._network = network
        self._runtime = network.runtime
        self._world = self._new_world(self._own_settings)

    def _new_world(self, settings: Settings) -> World:
        clock = Clock() if self._network is None else self._network.clock
        if self._uid_validities is None:
            self._uid_validities = itertools.count(int(clock.now().timestamp()) + 1)
        world = World(settings, clock, next_uid_validity=partial(next, self._uid_validities), late=self._late)
        world.queue.reporter = send_reports
        return world

    def _now(self) -> datetime.datetime:
        return self._world.clock.now()

    # Starting and stopping

    def start(self) -> Self:
        """Bind the ports and serve. Raises ``NotRunningError`` when it runs already, ``ConfigurationError`` when a
        port cannot be bound."""
        if self._worker is not None:
            raise NotRunningError("This MockMail runs already; stop() it before another start(), or make a second one.")
        settings = self._own_settings
        settings.check_together()
        self._world = self._new_world(settings)
        try:
            for name, listener in listeners(settings, self._connections, lambda: self._world, self):
                self._listeners[name] = listener
            openers = [*(listener.open for listener in self._listeners.values()), self._begin_relaying]
            if self._network is None:
                self._runtime.start(*openers)
            else:
                self.call(lambda: [opener(self._runtime) for opener in openers])
        except BaseException:
            for listener in self._listeners.values():
                listener.close()
            self._listeners.clear()
            raise
        return self

    def stop(self) -> None:
        """Cut all connections and close the ports; no thread, socket or task is left. Idempotent. What was delivered
        can still be looked at."""
        if self._network is None:
            self._runtime.stop()
        elif self._runtime.running:
            self.call(_close, [*self._listeners.values()], self._connections)
        if self._worker is not None:
            self._worker.end(clock_too=self._network is None)
            self._worker = None
        self._world.retire()
        self._listeners.clear()

    def _begin_relaying(self, runtime: Runtime) -> None:
        directory = None if self._network is None else self._network.directory(self)
        listeners = self._listeners.values()
        self._worker = begin_relaying(self._world, runtime, directory, lambda: {one.address for one in listeners})

    def _warn_of_unused(self) -> None:
        self.faults.warn_of_unused()

    def reset(self) -> None:
        """Go back to the settings: mail, accounts made since, events and the clock go; ports and connections stay.

        Mail whose MAIL command came before is never shown after; it is kept aside, with a ``LateMailWarning``.
        """
        self.reset_to(self._own_settings)

    def reset_to(self, settings: Settings) -> None:
        """As :meth:`reset`, but to other settings, on the same ports; for the pytest plugin."""

        def swap() -> None:
            old, new = self._world, self._new_world(settings)
            old.retire()
            if self._worker is not None:
                self._worker.end(clock_too=self._network is None)
            self._world = new
            self._begin_relaying(self._runtime)
            for listener in self._listeners.values():
                listener.come_up()
            self._connections.rebind(new)
            self._transcript.clear()
            self.faults.clear()

        if settings is not self._world.settings:
            check_capabilities(settings)
            settings.check_together()
        self._warn_of_late_mail()
        if self._runtime.running:
            self.call(swap)
        else:
            self._world = self._new_world(settings)

    def check(self) -> None:
        """Raise ``ServerError`` for unexpected errors inside the servers since the last call, and warn of late mail."""
        self._warn_of_late_mail()
        if self._errors:
            errors = list(self._errors)
            del self._errors[: len(errors)]
            raise ServerError(errors) from errors[0]

    def late_mail(self) -> list[str]:
        """A sentence for each message that began before a reset and arrived after it, each told once; for the
        library's own use."""
        told = []
        while self._late:
            message = self._late.pop(0)
            told.append(
                f"A message to {', '.join(message.recipients) or 'nobody'} with the subject {message.subject!r} was"
                " begun before the last reset and arrived after it: work left over by an earlier test. It was refused"
                " and is not shown; have that test wait for its mail."
            )
        return told

    def _warn_of_late_mail(self) -> None:
        for sentence in self.late_mail():
            warnings.warn(sentence, LateMailWarning, stacklevel=4)

    # Where it is

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """All that is started, by name: ``"smtp"``, ``"imaps"`` ..."""
        return {name: Endpoint(name, listener.host, listener.port) for name, listener in self._listeners.items()}

    def endpoint(self, name: str) -> Endpoint:
        """Where ``"smtp"``, ``"imaps"`` ... is served; ``NotRunningError`` says what to set when it is not."""
        __tracebackhide__ = True
        listener = self._listeners.get(name)
        if listener is None:
            raise not_started(name, self.settings, running=self._runtime.running)
        return Endpoint(name, listener.host, listener.port)

    # Reports

    def report_sections(self, told: str = "") -> Iterator[tuple[str, str]]:
        """(title, text) for the report of a failed test whose error told ``told``."""
        return sections(self, told)

    def __repr__(self) -> str:
        state = ", ".join(endpoint.url for endpoint in self.endpoints.values()) or "stopped"
        return f"<MockMail {state}>"


def _record_fault(world: World, fault: Fault, command: Command) -> None:
    at, protocol, session, account = command.at, command.protocol, command.session, command.account
    world.journal.note(FaultFired, at, protocol, session, account, command.name, fault.description)


def _close(listeners: Iterable[Listener], connections: Connections) -> None:
    for listener in listeners:
        listener.abort()
    connections.abort()
