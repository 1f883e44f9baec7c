"""Putting mail into mailboxes, as the world's other mail would be there."""

from __future__ import annotations

import datetime
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mockmail.core.clock import Clock
from mockmail.core.message import StoredMessage
from mockmail.testing.accounts import Account
from mockmail.testing.compose import Attachment, compose
from mockmail.testing.source import Source

if TYPE_CHECKING:
    from email.message import EmailMessage

__all__ = ["Seeding"]


class Seeding(Source):
    """What a server that can be seeded needs: accounts, and a clock."""

    @property
    @abstractmethod
    def clock(self) -> Clock:
        """The server's clock."""

    @abstractmethod
    def account(self, address: str) -> Account:
        """The account of an address, made on first use."""

    def seed(
        self,
        message: bytes | EmailMessage | None = None,
        *,
        to: str,
        sender: str = "sender@example.test",
        from_: str | None = None,
        subject: str = "",
        text: str | None = None,
        html: str | None = None,
        attachments: Iterable[Attachment] = (),
        headers: Mapping[str, str] | None = None,
        folder: str = "INBOX",
        flags: Iterable[str] = (),
        date: datetime.datetime | None = None,
        received_at: datetime.datetime | None = None,
    ) -> StoredMessage:
        """Put a message into the account ``to``, as the world's other mail would be there. It does not count as
        delivered. Bytes are stored untouched; a missing folder is made; datetimes must be aware."""
        raw, at = compose(
            message,
            to=to,
            sender=sender,
            from_=from_,
            subject=subject,
            text=text,
            html=html,
            attachments=attachments,
            headers=headers,
            date=date,
            received_at=received_at,
            now=self.clock.now(),
        )
        return self.account(to)._seed(raw, sender=sender, folder=folder, flags=flags, received_at=at)
