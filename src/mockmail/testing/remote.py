"""``mockmail.connect(url)``: a server in another process, asked over HTTP by the same queries and assertions."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from mockmail.config import Settings
from mockmail.core.clock import Clock
from mockmail.core.journal import JournalView
from mockmail.core.message import Message
from mockmail.core.world import World
from mockmail.errors import ConfigurationError, LateMailWarning, NotRunningError, ServerError
from mockmail.testing.aio import AsyncMockMail
from mockmail.testing.archives import Archives
from mockmail.testing.assertions import Assertions
from mockmail.testing.endpoints import Endpoint, Endpoints, not_started
from mockmail.testing.far import RemoteFaults, RemoteTranscript, RemoteTrust
from mockmail.testing.far_accounts import Administered
from mockmail.testing.handover import SettingsFor
from mockmail.testing.line import Line
from mockmail.testing.live import Deliveries
from mockmail.testing.mirror import Mirror
from mockmail.testing.report import sections
from mockmail.wire.transcript import Conversations

__all__ = ["RemoteMockMail", "connect"]

P = ParamSpec("P")
T = TypeVar("T")


def connect(url: str) -> RemoteMockMail:
    """A running server by the URL of its HTTP port, such as ``"http://127.0.0.1:8025"``, with ``user:password@`` when
    it has ``http_auth``. Raises ``NotRunningError`` when nobody answers there."""
    return RemoteMockMail(url)


class _RemoteSettingsFor(SettingsFor):
    """Passwords are not told over HTTP, so the first user's must be given."""

    __slots__ = ("_users",)

    def __init__(self, server: RemoteMockMail, users: list[str] | None) -> None:
        super().__init__(server)
        self._users = users

    def _login(self, login: tuple[str, str] | None) -> tuple[str, str] | None:
        if login is None and self._users and self._server.settings.require_auth:
            raise ConfigurationError(
                f"The server wants a login, and does not tell passwords; write login=({self._users[0]!r}, password)."
            )
        return super()._login(login)


class RemoteMockMail(Administered, Archives, Assertions, Endpoints):
    """A server in another process, with the queries and assertions of :class:`mockmail.MockMail`.

    Its methods may be called from any thread. :meth:`close` it, or use it in a ``with``.
    """

    def __init__(self, url: str) -> None:
        self._line = Line(url)
        told = self._line.json("GET", "server")
        self.version: str = told["version"]
        """The version of mockmail that runs there."""
        self._settings = Settings(
            timeout=told["timeout"],
            profile=told["profile"],
            domains=told["domains"],
            require_auth=told["require_auth"],
            require_tls=told["require_tls"],
            tls=told["ca_file"] is not None,
        )
        self._mirror = self._new_mirror()
        self._closed = False
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="mockmail-remote")
        self.events = JournalView(lambda: self.world.journal)
        self.messages: Sequence[Message] = Deliveries(lambda: self.world)
        self.faults = RemoteFaults(self._line)
        self.tls = RemoteTrust(told["ca_file"])
        self.settings_for: SettingsFor = _RemoteSettingsFor(self, told["users"])
        self.aio = AsyncMockMail(self)

    def _new_mirror(self) -> Mirror:
        return Mirror(self._line, self._settings)

    # What the questions need

    @property
    def url(self) -> str:
        """Where its HTTP port is."""
        return self._line.url

    @property
    def world(self) -> World:
        """The state as of now; for the library's own use."""
        return self._mirror.world

    @property
    def settings(self) -> Settings:
        """What is told of its settings: timeout, profile, domains, and what is required."""
        return self._settings

    @property
    def clock(self) -> Clock:
        """The server's clock."""
        return self._mirror.clock

    @property
    def transcript(self) -> Conversations:
        """What was said on all connections; ``str()`` of it is readable, secrets are left out."""
        return RemoteTranscript(self._line)

    def transcript_text(self) -> str:
        """The end of each conversation, for a report; nothing when the server has gone."""
        try:
            return self.transcript.tail()
        except NotRunningError:
            return ""

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on the thread that asks the server for its mailboxes."""
        if self._closed:
            raise NotRunningError(f"This connection to {self.url} is closed; connect() anew.")
        return self._owner.submit(function, *args, **kwargs).result()

    def report_sections(self, told: str = "") -> Iterator[tuple[str, str]]:
        """(title, text) for the report of a failed test whose error told ``told``."""
        return sections(self, told)

    # Being there

    def close(self) -> None:
        """End the connection; the server goes on. What happened so far can still be asked for. Idempotent."""
        self._closed = True
        self._mirror.close()
        self._owner.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with contextlib.suppress(NotRunningError):  # it has been stopped meanwhile, and told its owner
                    self.check()
                    self.faults.warn_of_unused()
        finally:
            self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def reset(self) -> None:
        """Have the server go back to its settings, as :meth:`mockmail.MockMail.reset` does."""
        self._warn_of_late_mail(self._line.json("POST", "reset"))
        self.faults.forget()

    def check(self) -> None:
        """Raise ``ServerError`` for unexpected errors inside the servers since the last call, and warn of late mail."""
        told = self._line.json("POST", "check")
        self._warn_of_late_mail(told)
        if told["errors"]:
            raise ServerError([RuntimeError(text) for text in told["errors"]])

    def _warn_of_late_mail(self, told: Mapping[str, Any]) -> None:
        for sentence in told["late"]:
            warnings.warn(sentence, LateMailWarning, stacklevel=3)

    # Where it is

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """All that is started, by name: ``"smtp"``, ``"imaps"`` ..."""
        told = self._line.json("GET", "server")["endpoints"]
        return {name: Endpoint(name, one["host"], one["port"]) for name, one in told.items()}

    def endpoint(self, name: str) -> Endpoint:
        """Where ``"smtp"``, ``"imaps"`` ... is served; ``NotRunningError`` says what to set when it is not."""
        __tracebackhide__ = True
        try:
            return self.endpoints[name]
        except KeyError:
            raise not_started(name, self.settings, running=True) from None

    def __repr__(self) -> str:
        return f"<RemoteMockMail {self.url}>"
