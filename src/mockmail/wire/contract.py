"""What a protocol session and a connection owe each other.

A session is sans-IO: bytes come in by :meth:`Session.receive`, actions are *pulled* out of it by
:meth:`Session.outgoing`. The connection alone touches the socket. Everything here runs on the loop thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from mockmail.records import record

if TYPE_CHECKING:
    from mockmail.core.world import World

__all__ = ["Abort", "Action", "Close", "Link", "Pause", "Session", "StartTLS", "TLSInfo", "Verdict"]

SLICE_BYTES = 128 * 1024
"""What a connection asks of a session in one pull."""


@record
class StartTLS:
    """Upgrade now: everything sent before this action goes out in plain text, everything buffered and not yet
    consumed is dropped, and :meth:`Session.tls_started` is called when the handshake is done."""


@record
class Pause:
    """Carry out no further action, and read nothing, for this long (a scripted delay; real time)."""

    seconds: float


@record
class Close:
    """Close in order: what was sent before is flushed first."""


@record
class Abort:
    """Cut the connection at once (RST where the platform can)."""


Action: TypeAlias = bytes | StartTLS | Pause | Close | Abort
"""Bytes are to be written; for the rest see there."""


@record
class TLSInfo:
    """What a finished handshake agreed on."""

    version: str
    cipher: str
    client_certificate: str | None = None
    """Subject of the client's certificate, or ``None`` when it gave none."""
    certified_names: tuple[str, ...] = ()
    """Whom the client's certificate names: addresses of its subjectAltName, then of its subject, then common names."""
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """Channel binding data by type: ``"tls-unique"`` and ``"tls-server-end-point"`` (RFC 5929), ``"tls-exporter"`` (RFC
    9266)."""


@record
class Verdict:
    """What a fault wants done instead of, or before, a command. The connection itself sees to the faults that
    act on bytes (``after_bytes``, ``throttle``, ``garble`` ...); a session sees only these."""

    reply: str | None = None
    """Answer with this text (without tag) and do not carry the command out."""
    drop: bool = False
    """Emit :class:`Abort` instead of carrying the command out."""
    delay_seconds: float = 0.0
    """Emit :class:`Pause` first, then carry on with the rest of this verdict or the command."""
    wrong_tag: bool = False


def _nothing() -> None:
    return None


def _no_verdict(name: str, arguments: str, account: str | None) -> Verdict | None:
    return None


def _no_note(text: str) -> None:
    return None


def _no_redaction(start: int, stop: int) -> None:
    return None


@dataclass(slots=True)
class Link:
    """A session's view of the connection it lives on. As it stands it is a link in memory, for tests; a
    connection replaces the callables by its own."""

    protocol: str
    """``"smtp"``, ``"lmtp"``, ``"pop3"`` or ``"imap"``."""
    session: str
    """Name of this session in events and transcripts, such as ``"imap-3"``."""
    peer: tuple[str, int] = ("127.0.0.1", 0)
    local: tuple[str, int] = ("127.0.0.1", 0)
    tls: TLSInfo | None = None
    wake: Callable[[], None] = _nothing
    """Ask for a pull of :meth:`Session.outgoing` soon; any number of calls cost one pull."""
    redact: Callable[[int, int], None] = _no_redaction
    """Hide the received bytes ``[start, stop)`` from transcripts. Offsets count the bytes given to
    :meth:`Session.receive` since the connection began."""
    note: Callable[[str], None] = _no_note
    """Put a remark into the transcript: a line for whoever reads why a client failed."""
    command: Callable[[str, str, str | None], Verdict | None] = _no_verdict
    """The command seam: ask, with name, arguments and account, what a fault wants done with this command."""
    errors: list[BaseException] = field(default_factory=list)
    """Unexpected exceptions; whoever owns the server raises them in the test."""

    def let_go(self) -> None:
        """The connection is gone: refer to it no more, so that it and what its session had are freed at once."""
        self.wake, self.redact, self.note, self.command = _nothing, _no_redaction, _no_note, _no_verdict

    @property
    def secure(self) -> bool:
        """Whether the bytes travel over TLS."""
        return self.tls is not None


class Session(Protocol):
    """One conversation. No method blocks, waits or raises for anything a client sent."""

    link: Link

    def greeting(self) -> None:
        """The connection is open: queue the greeting. Called once, first."""

    def receive(self, data: bytes) -> None:
        """Take bytes. Commands are carried out in order, and each begins when the response to the one before it
        has been pulled whole."""

    def answer(self, data: bytes) -> bytes | None:
        """:meth:`receive`, and the response where that is all there is to do: the short way of what is answered at
        once. Called while bytes may be sent and no fault is set, so of faults nothing is asked. ``b""``: there is
        nothing to say; ``None``: a pull is due. Unless it is, no property of the session is another than before."""

    def receive_eof(self) -> None:
        """The client will send no more; what it did send is still answered, then :class:`Close` follows."""

    def notify(self) -> None:
        """The store changed under a view of this session. Only sets a mark; the rendering is done in a pull."""

    def outgoing(self, limit_bytes: int = SLICE_BYTES) -> list[Action]:
        """Hand over what is to be done now, at most about ``limit_bytes`` of it, in order. An empty list means
        nothing for now, unless :attr:`busy`: a long command gave way to other connections.

        The limit is looked at between pieces (a line, a slice of a message) and splits none. A pull with a limit of 1
        gets bytes of one command only: that is how a fault meets the output of the command it was meant for.
        :class:`StartTLS` comes with the reply that grants it, as the handshake may come right behind that."""

    @property
    def busy(self) -> bool:
        """More will come from :meth:`outgoing` without any further input."""

    @property
    def wants_input(self) -> bool:
        """False while input waits unread behind a command in progress: the connection then stops reading."""

    @property
    def timeout_seconds(self) -> float:
        """How long a silent client is kept in the present state (real time)."""

    def timed_out(self) -> None:
        """The client was silent for :attr:`timeout_seconds`: queue the protocol's farewell and :class:`Close`."""

    def tls_started(self, info: TLSInfo) -> None:
        """The handshake asked for by :class:`StartTLS` is done; forget what was learnt in plain text."""

    def rebind(self, world: World) -> None:
        """A reset replaced the world. Called at any time; takes effect at the next command boundary, and a
        transaction under way keeps the world it began in."""

    def connection_lost(self) -> None:
        """The connection is gone, in order or not: release locks and views. Called once, last."""
