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

__all__ = ["Handshakes"]

_SILENT = "left without a word"


class Handshakes:
    """The handshakes of one server. ``world`` is asked for the one of the moment; without it there are no events.
    Loop thread."""

    __slots__ = ("_world",)

    def __init__(self, world: Callable[[], World] | None) -> None:
        self._world = world

    def started(self, link: Link, record: Record, *, implicit: bool) -> None:
        """Both sides have finished one; ``link.tls`` says how."""
        info = link.tls
        assert info is not None
        record.note(f"TLS started ({info.version}, {info.cipher})")
        if self._world is not None:
            world = self._world()
            world.journal.append(
                TLSStarted(
                    world.clock.now(),
                    link.protocol,
                    link.session,
                    info.version,
                    info.cipher,
                    info.client_certificate,
                    implicit,
                )
            )

    def failed(self, link: Link, record: Record, error: OSError | None, *, implicit: bool) -> None:
        """One came to nothing: by ``error``, or (``None``) because the client went away."""
        reason, by_client = handshake_failure(error)
        record.note(f"TLS handshake failed: {reason}{', said the client' if by_client else ''}")
        self._append(link, reason, by_client=by_client, implicit=implicit)

    def in_vain(self, link: Link, record: Record, *, implicit: bool) -> None:
        """The client left after the handshake and before a word. Node and GnuTLS look at the certificate only then,
        and those who do not like it just go."""
        record.note(f"the client {_SILENT} over TLS")
        self._append(link, _SILENT, by_client=True, implicit=implicit)

    def _append(self, link: Link, reason: str, *, by_client: bool, implicit: bool) -> None:
        if self._world is not None:
            world = self._world()
            world.journal.append(
                TLSFailed(
                    world.clock.now(), link.protocol, link.session, reason, by_client=by_client, implicit=implicit
                )
            )
