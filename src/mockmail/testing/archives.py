"""Loading mail from disk into mailboxes, and saving what is in them."""

from __future__ import annotations

import datetime
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mockmail.core.message import Envelope, Message, StoredMessage
from mockmail.errors import ConfigurationError
from mockmail.testing.gather import held
from mockmail.testing.seeding import Seeding
from mockmail.testing.source import ask

if TYPE_CHECKING:
    from mockmail.core.archive import Archived

__all__ = ["Archives"]


class Archives(Seeding):
    """A server whose mail can be loaded and saved."""

    def load(self, path: str | os.PathLike[str], *, account: str | None = None) -> list[StoredMessage]:
        """Put the mail of an eml file, an mbox, a Maildir, or a directory of these into mailboxes, as :meth:`seed`
        does. ``account``: whose it all is; else whose directory it is in, or whom its Delivered-To, or To and Cc,
        name. Raises ``ConfigurationError`` where none of these tells."""
        __tracebackhide__ = True
        from mockmail.core.archive import read_archive

        found = []
        for one in read_archive(Path(path)):
            for address in [account] if account is not None else _owners(one):
                at = one.received_at or self.clock.now()
                owner = self.account(address)
                found.append(
                    owner._seed(one.raw, sender=one.sender or "", folder=one.folder, flags=one.flags, received_at=at)
                )
        return found

    def save(
        self,
        path: str | os.PathLike[str],
        format: Literal["eml", "mbox", "maildir"] = "eml",  # noqa: A002  the word for it
    ) -> int:
        """Write all mail that is in mailboxes into a directory, by account and folder, byte for byte, and return how
        many messages there were. Flags are kept by mbox and Maildir. What was saved there before is replaced when
        all is written; ``ConfigurationError`` for anything else that is there, and where nothing can be written."""
        __tracebackhide__ = True
        from mockmail.core.archive import Archived, write_archive

        lying = ask(self, partial(held, self.world))
        return write_archive(
            Path(path),
            format,
            (
                Archived(
                    one.message.raw,
                    one.account,
                    one.message.folder,
                    one.message.flags,
                    one.message.received_at,
                    one.message.sender,
                )
                for one in lying
            ),
        )


def _owners(one: Archived) -> list[str]:
    if one.account is not None:
        return [one.account]
    message = Message(one.raw, id="", envelope=Envelope(), received_at=datetime.datetime.now(datetime.UTC))
    named = {
        name: [found.address for found in message.header_addresses(name) if "@" in found.address]
        for name in ("delivered-to", "x-original-to", "to", "cc")
    }
    owners = named["delivered-to"][:1] or named["x-original-to"][:1] or [*named["to"], *named["cc"]]
    if owners:
        return list(dict.fromkeys(owners))
    raise ConfigurationError(
        f"The message {message.subject!r} does not say whose it is, by Delivered-To, To or Cc: write account=, such as"
        " account='bob@example.test'."
    )
