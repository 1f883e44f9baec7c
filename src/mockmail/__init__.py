"""The mail system your tests talk to: real SMTP, POP3 and IMAP servers over one in-memory store.

Nothing is imported before it is used: the pytest plugin is loaded in every test run of an environment, also in those
that send no mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockmail.config import Settings as Settings
    from mockmail.core.clock import Clock as Clock
    from mockmail.core.events import Accepted as Accepted
    from mockmail.core.events import Appended as Appended
    from mockmail.core.events import Bounced as Bounced
    from mockmail.core.events import Command as Command
    from mockmail.core.events import Copied as Copied
    from mockmail.core.events import Delivered as Delivered
    from mockmail.core.events import Event as Event
    from mockmail.core.events import Expunged as Expunged
    from mockmail.core.events import FaultFired as FaultFired
    from mockmail.core.events import Fetched as Fetched
    from mockmail.core.events import FlagsChanged as FlagsChanged
    from mockmail.core.events import LoggedIn as LoggedIn
    from mockmail.core.events import LoginFailed as LoginFailed
    from mockmail.core.events import Moved as Moved
    from mockmail.core.events import Queued as Queued
    from mockmail.core.events import Rejected as Rejected
    from mockmail.core.events import RelayAttempted as RelayAttempted
    from mockmail.core.events import Relayed as Relayed
    from mockmail.core.events import Searched as Searched
    from mockmail.core.events import Seeded as Seeded
    from mockmail.core.events import SessionClosed as SessionClosed
    from mockmail.core.events import SessionOpened as SessionOpened
    from mockmail.core.events import TLSFailed as TLSFailed
    from mockmail.core.events import TLSStarted as TLSStarted
    from mockmail.core.message import Envelope as Envelope
    from mockmail.core.message import Message as Message
    from mockmail.core.message import StoredMessage as StoredMessage
    from mockmail.core.queue import Attempt as Attempt
    from mockmail.core.queue import QueuedMessage as QueuedMessage
    from mockmail.errors import ConfigurationError as ConfigurationError
    from mockmail.errors import LateMailWarning as LateMailWarning
    from mockmail.errors import MissingExtraError as MissingExtraError
    from mockmail.errors import MockMailError as MockMailError
    from mockmail.errors import NotRunningError as NotRunningError
    from mockmail.errors import ServerError as ServerError
    from mockmail.errors import UnusedFaultWarning as UnusedFaultWarning
    from mockmail.factories import MailNetworkFactory as MailNetworkFactory
    from mockmail.factories import MockMailFactory as MockMailFactory
    from mockmail.mime.report import AbuseReport as AbuseReport
    from mockmail.mime.report import DeliveryReport as DeliveryReport
    from mockmail.mime.report import Disposition as Disposition
    from mockmail.mime.report import DispositionReport as DispositionReport
    from mockmail.mime.report import Report as Report
    from mockmail.mime.report import ReportedRecipient as ReportedRecipient
    from mockmail.network import MailNetwork as MailNetwork
    from mockmail.server import MockMail as MockMail
    from mockmail.testing.accounts import Account as Account
    from mockmail.testing.aio import AsyncMockMail as AsyncMockMail
    from mockmail.testing.endpoints import Endpoint as Endpoint
    from mockmail.testing.folders import Folder as Folder
    from mockmail.testing.remote import RemoteMockMail as RemoteMockMail
    from mockmail.testing.remote import connect as connect
    from mockmail.testing.shared import SharedMail as SharedMail
    from mockmail.tls import TLS as TLS
    from mockmail.wire.faults import Fault as Fault

_HOMES = {
    "mockmail.config": ("Settings",),
    "mockmail.core.clock": ("Clock",),
    "mockmail.core.events": (
        "Accepted",
        "Appended",
        "Bounced",
        "Command",
        "Copied",
        "Delivered",
        "Event",
        "Expunged",
        "FaultFired",
        "Fetched",
        "FlagsChanged",
        "LoggedIn",
        "LoginFailed",
        "Moved",
        "Queued",
        "Rejected",
        "RelayAttempted",
        "Relayed",
        "Searched",
        "Seeded",
        "SessionClosed",
        "SessionOpened",
        "TLSFailed",
        "TLSStarted",
    ),
    "mockmail.core.message": ("Envelope", "Message", "StoredMessage"),
    "mockmail.core.queue": ("Attempt", "QueuedMessage"),
    "mockmail.errors": (
        "ConfigurationError",
        "LateMailWarning",
        "MissingExtraError",
        "MockMailError",
        "NotRunningError",
        "ServerError",
        "UnusedFaultWarning",
    ),
    "mockmail.factories": ("MailNetworkFactory", "MockMailFactory"),
    "mockmail.mime.report": (
        "AbuseReport",
        "DeliveryReport",
        "Disposition",
        "DispositionReport",
        "Report",
        "ReportedRecipient",
    ),
    "mockmail.network": ("MailNetwork",),
    "mockmail.server": ("MockMail",),
    "mockmail.testing.accounts": ("Account",),
    "mockmail.testing.aio": ("AsyncMockMail",),
    "mockmail.testing.endpoints": ("Endpoint",),
    "mockmail.testing.folders": ("Folder",),
    "mockmail.testing.remote": ("RemoteMockMail", "connect"),
    "mockmail.testing.shared": ("SharedMail",),
    "mockmail.tls": ("TLS",),
    "mockmail.wire.faults": ("Fault",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  made from the same table as __getattr__
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    try:
        module = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module 'mockmail' has no attribute {name!r}") from None
    from importlib import import_module

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME_OF]
