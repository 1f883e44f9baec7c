"""Parts of a server in another process: its faults, clock, transcript and certificates."""

from __future__ import annotations

import datetime
import re
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from mockmail.core.clock import Clock
from mockmail.errors import ConfigurationError, UnusedFaultWarning
from mockmail.testing.faults import FaultOptions
from mockmail.testing.line import Line
from mockmail.wire.certificates import Authority, Trust
from mockmail.wire.transcript import Conversations, SessionTranscript

__all__ = ["RemoteClock", "RemoteFault", "RemoteFaults", "RemoteTranscript", "RemoteTrust"]


T = TypeVar("T")

# Faults


class RemoteFault:
    """A rule in force on a server in another process. As a context manager it is removed at the end of the block."""

    def __init__(self, line: Line, told: Mapping[str, Any]) -> None:
        self._line = line
        self._told = told
        self._removed = False

    @property
    def protocol(self) -> str:
        """The protocol it is at."""
        return str(self._told["protocol"])

    @property
    def command(self) -> str:
        """The command or phase it is at."""
        return str(self._told["command"])

    @property
    def description(self) -> str:
        """What it does, in short."""
        return str(self._told["description"])

    @property
    def hits(self) -> int:
        """How often it fired."""
        return int(self._now()["hits"])

    @property
    def used_up(self) -> bool:
        """Whether it has fired as often as it may."""
        return bool(self._now()["used_up"])

    def _now(self) -> Mapping[str, Any]:
        if not self._removed:
            told = self._line.json("GET", "faults", all=1)["faults"]
            self._told = next((one for one in told if one["number"] == self._told["number"]), self._told)
        return self._told

    def remove(self) -> None:
        """Take the rule back. Idempotent."""
        self._now()
        if not self._removed:
            self._removed = True
            try:
                self._told = self._line.json("DELETE", f"faults/{self._told['number']}")
            except ConfigurationError:  # a reset has taken it back
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<RemoteFault {self.description}, hits={self.hits}>"


class RemoteFaults:
    """``mail.faults`` of a server in another process. ``where`` is refused: a function stays in its process."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._added: list[RemoteFault] = []

    def smtp(self, command: str, **options: Unpack[FaultOptions]) -> RemoteFault:
        """A fault of SMTP, such as ``smtp("RCPT", reply="451 4.3.0 try later", times=2)``."""
        return self._add("smtp", command, options)

    def lmtp(self, command: str, **options: Unpack[FaultOptions]) -> RemoteFault:
        """A fault of LMTP."""
        return self._add("lmtp", command, options)

    def pop3(self, command: str, **options: Unpack[FaultOptions]) -> RemoteFault:
        """A fault of POP3, such as ``pop3("RETR", delay=0.5, account="bob@example.test")``."""
        return self._add("pop3", command, options)

    def imap(self, command: str, **options: Unpack[FaultOptions]) -> RemoteFault:
        """A fault of IMAP, such as ``imap("FETCH", after_bytes=100)``: carried out, and lost in mid-reply."""
        return self._add("imap", command, options)

    def http(self, command: str, **options: Unpack[FaultOptions]) -> RemoteFault:
        """A fault of HTTP, such as ``http("GET /api/v1/messages", reply="503 Busy")``."""
        return self._add("http", command, options)

    def _add(self, protocol: str, command: str, options: Mapping[str, Any]) -> RemoteFault:
        self._check(options)
        body = {name: _encoded(name, value) for name, value in options.items()}
        told = self._line.json("POST", "faults", {"protocol": protocol, "command": command, **body})
        return self._keep(told)[0]

    def _check(self, options: Mapping[str, Any]) -> None:
        if "where" in options:
            raise ConfigurationError(
                "where= is a function, which cannot be sent to another process; write account=, to= or nth=."
            )

    def _keep(self, told: Mapping[str, Any]) -> list[RemoteFault]:
        made = [RemoteFault(self._line, one) for one in told["faults"]]
        self._added += made
        return made

    def scenario(self, name: str) -> list[RemoteFault]:
        """Faults that go together, by name."""
        return self._keep(self._line.json("POST", "faults", {"scenario": name}))

    def clear(self) -> None:
        """Take all faults back."""
        self._line.json("DELETE", "faults")
        self.forget()

    def forget(self) -> None:
        """A reset has taken them back."""
        self._added.clear()

    def warn_of_unused(self) -> None:
        """Warn of faults added here that never fired, and take them back."""
        added, self._added = self._added, []
        for fault in added:
            unused = not fault.hits
            fault.remove()
            if unused:
                warnings.warn(
                    f"The fault {fault.description!r} never fired: no matching command came, or another fault took it.",
                    UnusedFaultWarning,
                    stacklevel=3,
                )


def _encoded(name: str, value: Any) -> Any:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, bytes):
            raise ConfigurationError(f"{name} is the pattern of bytes {value.pattern!r}; write re.compile(r'...').")
        return {"pattern": value.pattern, "flags": value.flags & ~re.UNICODE}
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return value


# The clock


class RemoteClock(Clock):
    """The clock of a server in another process."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self.driver = _RemoteDriver(line)

    def now(self) -> datetime.datetime:
        """The time there, aware, in UTC."""
        return datetime.datetime.fromisoformat(self._line.json("GET", "clock")["now"])

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return bool(self._line.json("GET", "clock")["frozen"])

    @property
    def next_due(self) -> datetime.datetime | None:
        """When the next job is due; it may be past."""
        due = self._line.json("GET", "clock")["next_due"]
        return None if due is None else datetime.datetime.fromisoformat(due)


class _RemoteDriver:
    """Has the server there move its clock."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def run(self, until: datetime.datetime | None, *, freeze: bool = False) -> None:
        if until is None:
            self._line.json("POST", "clock", {"until_idle": True})
        else:
            self._line.json("POST", "clock", {"freeze" if freeze else "until": until.isoformat()})

    def run_next(self) -> bool:
        return bool(self._line.json("POST", "clock", {"to_next": True})["moved"])

    def begin(self, until: datetime.datetime | None, *, freeze: bool = False) -> Future[None]:
        return _apart(lambda: self.run(until, freeze=freeze))

    def begin_next(self) -> Future[bool]:
        return _apart(self.run_next)

    def arm(self) -> None:
        raise NotImplementedError("the jobs of another process are its own")


def _apart(work: Callable[[], T]) -> Future[T]:
    """Do it in a thread that ends with it."""
    once = ThreadPoolExecutor(1, thread_name_prefix="mockmail-clock")
    future = once.submit(work)
    once.shutdown(wait=False)
    return future


# What it says


class RemoteTranscript(Conversations):
    """What was said on the connections of a server in another process."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def sessions(self, protocol: str | None = None, account: str | None = None) -> list[SessionTranscript]:
        """Pictures of the sessions that said anything, of one protocol and one account if given."""
        told = self._line.json("GET", "transcripts", protocol=protocol, account=account)["sessions"]
        return [
            SessionTranscript(
                one["protocol"],
                one["session"],
                one["account"],
                (one["peer"][0], one["peer"][1]),
                tuple(one["lines"]),
                tuple(one["times"]),
            )
            for one in told
        ]


class RemoteTrust(Trust):
    """``mail.tls`` of a server on this machine, in another process."""

    __slots__ = ("_ca_file",)

    def __init__(self, ca_file: str | None) -> None:
        super().__init__(lambda: ca_file is not None)
        self._ca_file = ca_file

    @property
    def _authority(self) -> Authority:
        if self._ca_file is None:
            return super()._authority  # says that TLS is off
        path = Path(self._ca_file)
        if not path.exists():
            raise ConfigurationError(f"The server's authority is in {path}, which is not on this machine.")
        return Authority(path.parent)
