"""What became of TLS handshakes, told to the journal and to transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mockmail.core.events import TLSFailed, TLSStarted
from mockmail.wire.contract import Link
from mockmail.wire.tls import handshake_failure
from mockmail.wire.transcript import Record

if TYPE_CHECKING:
    from mockmail.core.world import World

__all__ = ["Handshake", "Handshakes"]

_SILENT = "left without a word"


class Handshakes:
    """The handshakes of one server. ``world`` is asked for the one of the moment; without it there are no events.
    Loop thread."""

    __slots__ = ("_world",)

    def __init__(self, world: Callable[[], World] | None) -> None:
        self._world = world

    def begin(self, link: Link, record: Record, *, implicit: bool) -> Handshake:
        """One that may come about on a connection."""
        return Handshake(self._world, link, record, implicit=implicit)


class Handshake:
    """The handshake of one connection."""

    __slots__ = ("_implicit", "_link", "_record", "_world", "unspoken")

    def __init__(self, world: Callable[[], World] | None, link: Link, record: Record, *, implicit: bool) -> None:
        self._world = world
        self._link = link
        self._record = record
        self._implicit = implicit
        self.unspoken = False
        """Whether it is done, and the client has said nothing since."""

    def started(self) -> None:
        """Both sides have finished it; ``link.tls`` says how."""
        info = self._link.tls
        assert info is not None
        self.unspoken = True
        self._record.note(f"TLS started ({info.version}, {info.cipher})")
        if self._world is not None:
            world, link = self._world(), self._link
            world.journal.note(
                TLSStarted,
                world.clock.now(),
                link.protocol,
                link.session,
                info.version,
                info.cipher,
                info.client_certificate,
                self._implicit,
            )

    def failed(self, error: OSError | None) -> None:
        """It came to nothing: by ``error``, or (``None``) because the client went away."""
        reason, by_client = handshake_failure(error)
        self._record.note(f"TLS handshake failed: {reason}{', said the client' if by_client else ''}")
        self._append(reason, by_client=by_client)

    def ended(self) -> None:
        """The client has left. Node and GnuTLS look at the certificate only after the handshake, and those who do not
        like it just go before a word."""
        if self.unspoken:
            self.unspoken = False
            self._record.note(f"the client {_SILENT} over TLS")
            self._append(_SILENT, by_client=True)

    def _append(self, reason: str, *, by_client: bool) -> None:
        if self._world is not None:
            world, link = self._world(), self._link
            world.journal.note(
                TLSFailed,
                world.clock.now(),
                link.protocol,
                link.session,
                reason,
                by_client,
                self._implicit,
            )
