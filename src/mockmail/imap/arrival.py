"""A command as it came in, told apart just far enough to be recorded and matched by faults: also one that does not
parse. Secrets are left out."""

from __future__ import annotations

import re

from mockmail.imap.framing import Piece, RawCommand
from mockmail.imap.parsing import secret_spans
from mockmail.records import record

__all__ = ["HIDDEN", "Arrival", "arrival_of", "hidden_arrival"]

_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+(?= |\Z)")
_NAME = re.compile(rb"[^ ]+ ((?:UID +)?[^ ]+) ?", re.IGNORECASE)
_SHOWN_LITERAL_BYTES = 1000
_SHOWN_NAME_BYTES = 40
HIDDEN = "***"


@record
class Arrival:
    """What faults and the journal are told of a command."""

    raw: RawCommand
    tag: str | None
    """``None`` when there is none that a reply could carry."""
    name: str
    """In capitals, ``"UID FETCH"``; ``""`` when there is none."""
    arguments: str
    """As sent, with secrets as ``***`` and literals in quotes, or, when they are long, as their size in braces."""
    secrets: tuple[tuple[int, int], ...]
    """Offsets ``[start, stop)`` in the bytes received of what must not be shown."""


def arrival_of(raw: RawCommand) -> Arrival:
    """Look at a command; it may be unfinished."""
    if not raw.pieces:
        return Arrival(raw, None, "", "", ())
    head = raw.pieces[0].data
    tag = _TAG.match(head)
    named = _NAME.match(head)
    if named is None:
        return Arrival(raw, tag and tag[0].decode("ascii"), "", "", secret_spans(raw))
    name = b" ".join(named[1].upper().split())[:_SHOWN_NAME_BYTES].decode("ascii", "backslashreplace")
    secrets = secret_spans(raw)
    stop = secrets[0][0] if secrets else None
    arguments = _shown(raw.pieces, named.end(), stop, whole=name != "APPEND")
    return Arrival(raw, tag and tag[0].decode("ascii"), name, arguments, secrets)


def hidden_arrival(raw: RawCommand) -> Arrival:
    """A command of which nothing must be shown."""
    return Arrival(raw, None, HIDDEN, "", tuple((piece.start, piece.stop) for piece in raw.pieces))


def _shown(pieces: tuple[Piece, ...], at: int, stop: int | None, *, whole: bool) -> str:
    """The text of the pieces from index ``at`` of the first one to before offset ``stop``."""
    shown = []
    for piece in pieces:
        data = piece.data
        if stop is not None:
            if piece.start >= stop:
                break
            data = data[: stop - piece.start]
        if not piece.literal:
            shown.append(data[at:].decode("utf-8", "backslashreplace"))
            at = 0
        elif whole and len(data) <= _SHOWN_LITERAL_BYTES:
            shown.append('"' + data.decode("utf-8", "backslashreplace") + '"')
        else:
            shown.append(f"{{{len(piece.data)}}}")
    return "".join(shown) + (HIDDEN if stop is not None else "")
