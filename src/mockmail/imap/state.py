"""What a session knows of its client: who it is, what it has selected, and what is on offer to it (RFC 3501
section 3)."""

from __future__ import annotations

from collections.abc import Callable

from mockmail.auth.mechanisms import offered_mechanisms, without_mechanisms
from mockmail.core.accounts import AccountState
from mockmail.core.events import Actor
from mockmail.core.mailbox import Mailbox
from mockmail.core.views import MailboxView
from mockmail.core.world import World
from mockmail.imap.extensions import (
    AUTHENTICATED,
    NOT_AUTHENTICATED,
    SELECTED,
    capability_line,
    offered_names,
    understood,
)
from mockmail.imap.framing import Limits
from mockmail.imap.replies import Refused, no
from mockmail.wire.contract import Link

__all__ = ["ConnectionState"]

_LITERAL_BYTES_BEFORE_LOGIN = 16 * 1024
_LINE_BYTES_BEFORE_LOGIN = 64 * 1024
_UNLIMITED_BYTES = 2**62


def _nothing() -> None:
    return None


class ConnectionState:
    """The state of one connection; handlers of commands read and change it."""

    def __init__(self, link: Link, world: World, on_change: Callable[[], None]) -> None:
        self.link = link
        self.account: AccountState | None = None
        self.view: MailboxView | None = None
        self.enabled: set[str] = set()
        """What ENABLE turned on, in capitals."""
        self.arguments = ""
        """Those of the command being carried out, as sent."""
        self._on_change = on_change
        self._enter(world)

    def _enter(self, world: World) -> None:
        settings = world.settings
        self.world = world
        self.offered = offered_names(settings)
        """Names of the capabilities in force, in capitals."""
        self.understood = understood(self.offered)
        self.advertised = without_mechanisms(settings.advertise.get("imap", ()))

    # Who

    @property
    def name(self) -> str:
        """The state, as :data:`mockmail.imap.extensions.STATES` calls it."""
        if self.account is None:
            return NOT_AUTHENTICATED
        return AUTHENTICATED if self.view is None else SELECTED

    @property
    def address(self) -> str:
        """The account logged in to; ``""`` before login."""
        return "" if self.account is None else self.account.address

    @property
    def actor(self) -> Actor:
        """Who does what the store is told to do."""
        return Actor(self.link.protocol, self.link.session, self.address)

    @property
    def user(self) -> AccountState:
        """The account; commands that need it are not valid before login."""
        assert self.account is not None
        return self.account

    @property
    def selected(self) -> MailboxView:
        """The selected mailbox; commands that need it are not valid without one."""
        assert self.view is not None
        return self.view

    @property
    def limits(self) -> Limits:
        """How much a command may hold: little before login."""
        if self.account is None:
            small = _LITERAL_BYTES_BEFORE_LOGIN
            return Limits(
                line_bytes=_LINE_BYTES_BEFORE_LOGIN, literal_bytes=small, message_bytes=small, command_bytes=8 * small
            )
        message_bytes = self.world.settings.max_message_bytes or _UNLIMITED_BYTES
        return Limits(message_bytes=message_bytes, command_bytes=message_bytes + 16 * 1024 * 1024)

    # What is on offer

    def offers(self, name: str) -> bool:
        """Whether a capability (in capitals) is in force."""
        return name in self.offered

    def capabilities(self) -> str:
        """``CAPABILITY IMAP4rev1 ...`` in the present state."""
        settings = self.world.settings
        facts = {
            "plain-text": not self.link.secure,
            "tls-available": settings.starttls_offered,
            "tls-required": settings.require_tls,
        }
        return capability_line(
            self.offered,
            self.name,
            auth_mechanisms=offered_mechanisms(self.world, self.link) if self.login_permitted else (),
            facts=[fact for fact, holds in facts.items() if holds],
            advertise=self.advertised,
        )

    @property
    def login_permitted(self) -> bool:
        """False while a login would have to wait for TLS."""
        return self.link.secure or not self.world.settings.require_tls

    # What is selected

    def select(self, mailbox: Mailbox, *, read_only: bool) -> MailboxView:
        """Look at a mailbox from now on."""
        self.unselect()
        self.view = MailboxView(mailbox, read_only=read_only or mailbox.read_only, on_change=self._on_change)
        return self.view

    def unselect(self) -> None:
        """Look at none."""
        if self.view is not None:
            self.view.close()
            self.view = None

    def end(self) -> None:
        """The connection is gone: look at none, and refer to nobody who refers to this."""
        self.unselect()
        self._on_change = _nothing

    def writable(self) -> MailboxView:
        """The selected mailbox, for a command that changes it; refuses where that cannot be."""
        view = self.selected
        if view.read_only or view.mailbox.read_only:
            raise Refused(no(f"Mailbox {view.mailbox.name} is open read-only", "READ-ONLY"))
        return view

    def target(self, name: str) -> Mailbox:
        """A mailbox that messages are to be put into; refuses where that cannot be."""
        mailbox = self.user.mailbox(name)
        if mailbox is None:
            raise Refused(no(f"Mailbox {name} does not exist", "TRYCREATE"))
        if mailbox.read_only:
            raise Refused(no(f"Mailbox {name} is read-only", "NOPERM"))
        return mailbox

    def check_room(self, size_bytes: int) -> None:
        """Refuse what is past the account's quota (RFC 9208 section 4.4)."""
        user = self.user
        if not user.has_room(size_bytes):
            raise Refused(no(f"The account is full: its quota is {user.quota_bytes} bytes", "OVERQUOTA"))

    @property
    def mailbox_lost(self) -> bool:
        """Whether the selected mailbox is gone, so that the client must go too."""
        return self.view is not None and self.view.mailbox.deleted

    # The end of a world

    def rebind(self, world: World) -> None:
        """Go over to the world after a reset: the login stays, and so does the selected mailbox, whose messages leave
        by EXPUNGE."""
        self._enter(world)
        if self.account is None:
            return
        address = self.account.address
        if self.view is not None and not self.view.mailbox.deleted:
            self.view.rebind(world.carry(self.view.mailbox))
        self.account = world.accounts.get(address) or world.accounts.create(address, created_by="login")
