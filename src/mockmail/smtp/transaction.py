"""A mail transaction (RFC 5321 section 3.3): what MAIL and RCPT said, and the message that is made of it."""

from __future__ import annotations

from collections.abc import Sequence

from mockmail.core.events import Actor
from mockmail.core.forwarding import loop_in
from mockmail.core.message import Message
from mockmail.core.routing import Taken, alone, overfull
from mockmail.core.trace import protocol_name, trace_beginning, trace_headers
from mockmail.core.world import World
from mockmail.smtp.chunking import ChunkReader
from mockmail.smtp.data import DataReader
from mockmail.smtp.extensions import Capabilities
from mockmail.smtp.parameters import MAIL_PARAMETERS, refused_parameter
from mockmail.smtp.params import Parameters
from mockmail.wire.contract import Link

__all__ = ["RESET", "Origin", "TextReader", "Transaction", "deliver", "deliver_to"]

RESET = "451 4.3.2 The server was reset during this transaction"

TextReader = DataReader | ChunkReader


class Transaction:
    """From MAIL to the end of the text, in the world in which it began."""

    __slots__ = (
        "binary", "chunks", "decisions", "declared_bytes", "failed", "mail_options", "rcpt_options", "recipients",
        "refused", "sender", "smtputf8", "travels", "world",
    )  # fmt: skip

    def __init__(self, world: World, sender: str, mail_options: Parameters) -> None:
        self.world = world
        self.sender = sender
        self.mail_options = mail_options
        self.recipients: list[str] = []
        """Those taken, as given."""
        self.decisions: list[Taken] = []
        """The same, as routed."""
        self.rcpt_options: dict[str, Parameters] = {}
        self.smtputf8 = False
        self.binary = False
        """Whether the text may only come in chunks (BODY=BINARYMIME)."""
        self.travels = False
        """Whether any decision is more than a delivery to a mailbox here."""
        self.declared_bytes = 0
        """What SIZE said (RFC 1870)."""
        self.refused = 0
        """How many recipients were."""
        self.chunks: ChunkReader | None = None
        """Set by the first BDAT."""
        self.failed = False
        """Whether a chunk was refused, so that the rest are too (RFC 3030 section 2)."""

    def take(self, parameters: Parameters, known: Capabilities) -> str | None:
        """Have the parameters of MAIL hold; the reply when one of them is refused."""
        named = {name.upper(): value or "" for name, value in parameters.items()}
        self.smtputf8 = "SMTPUTF8" in named
        refusal = refused_parameter(parameters, MAIL_PARAMETERS, known, smtputf8=self.smtputf8)
        if refusal is not None:
            return refusal
        limit_bytes = self.world.settings.max_message_bytes
        self.declared_bytes = int(named.get("SIZE", "0"))
        if limit_bytes is not None and self.declared_bytes > limit_bytes:
            return f"552 5.3.4 The message is larger than {limit_bytes} bytes"
        self.binary = named.get("BODY", "").upper() == "BINARYMIME"
        return None


class Origin:
    """Where the messages of a client come from, as their traces tell. Made anew when anything of it changes."""

    __slots__ = ("_beginning", "_helo", "_protocols", "account", "actor", "link", "server_name")

    def __init__(self, link: Link, account: str | None, host: str, server_name: str, *, extended: bool) -> None:
        """``host``: what the client called itself."""
        self.link = link
        self.account = account
        self.actor = Actor(link.protocol, link.session, account or "")
        self.server_name = server_name
        self._helo = host
        self._protocols = [
            protocol_name(
                extended=extended,
                smtputf8=smtputf8,
                secure=link.secure,
                authenticated=account is not None,
                lmtp=link.protocol == "lmtp",
            )
            for smtputf8 in (False, True)
        ]
        self._beginning = ("", False, "")

    def trace_begins(self, transaction: Transaction) -> str:
        """How the trace headers of a message begin."""
        sender, smtputf8, beginning = self._beginning
        if not beginning or sender != transaction.sender or smtputf8 is not transaction.smtputf8:
            sender, smtputf8 = transaction.sender, transaction.smtputf8
            peer, protocol = self.link.peer[0], self._protocols[smtputf8]
            beginning = trace_beginning(sender, self._helo, peer, self.server_name, protocol)
            self._beginning = (sender, smtputf8, beginning)
        return beginning


def deliver(
    transaction: Transaction, reader: TextReader, origin: Origin, refusals: Sequence[str | None]
) -> tuple[list[str], Message | None]:
    """Put the message into the mailboxes of all recipients but those with a refusal, in one step: it is visible to
    every reader when this returns. Returns a reply for each recipient, in their order, and the message unless it was
    too big."""
    world = transaction.world
    if reader.too_big:
        reply = f"552 5.3.4 The message is larger than {world.settings.max_message_bytes} bytes"
        return [refusal or reply for refusal in refusals], None
    taken = transaction.decisions
    if world.accounts.has_quotas:
        refusals = _refused_for_quota(world, taken, refusals, reader.size_bytes, lmtp=origin.link.protocol == "lmtp")
    if any(refusals):
        taken = [decision for decision, refusal in zip(taken, refusals, strict=True) if refusal is None]
    reply, message = deliver_to(taken, transaction, reader, origin)
    return [refusal or reply for refusal in refusals], message


def deliver_to(taken: list[Taken], transaction: Transaction, reader: TextReader, origin: Origin) -> tuple[str, Message]:
    """The same for these recipients, who may be none, and all of a message that is not too big. Returns the reply."""
    world = transaction.world
    now, message_id = world.clock.now(), world.store.new_id()
    recipients: Sequence[str] = transaction.recipients
    if len(recipients) == 1:
        recipients = alone(recipients[0])
    elif taken and len(taken) < len(recipients):
        recipients = tuple([decision.recipient for decision in taken])
    else:
        recipients = tuple(recipients)
    trace_begins, rcpt_options = origin.trace_begins(transaction), transaction.rcpt_options
    received = b""
    if transaction.travels or rcpt_options:
        # Copies that travel on have a Received field whatever the settings say.
        received = trace_headers(trace_begins, message_id, recipients, now).partition(b"\r\n")[2]
        if len(taken) < len(transaction.decisions):
            rcpt_options = {name: options for name, options in rcpt_options.items() if name in recipients}
    options = None
    if rcpt_options or transaction.mail_options:
        options = transaction.mail_options, rcpt_options
    loop = loop_in(reader.beginning(), origin.server_name)
    if not world.settings.trace_headers:
        trace_begins = ""
    message = Message(reader.text(), message_id, (transaction.sender, recipients, options), now, 0, trace_begins)
    if loop is not None:
        return f"554 5.4.6 {loop}", message
    if taken:
        if world.retired:
            world.late.append(message)
            return RESET, message
        world.store.accept(message, taken, origin.actor, received=received, now=now)
    return f"250 2.6.0 Message accepted as {message_id}", message


def _refused_for_quota(
    world: World, decisions: Sequence[Taken], refusals: Sequence[str | None], size_bytes: int, *, lmtp: bool
) -> Sequence[str | None]:
    """The refusals, with those of full mailboxes. SMTP has one reply for all: there the message is refused when nobody
    has room for it, and else taken, and reported back for those who have none."""
    full = [overfull(world, decision, size_bytes) for decision in decisions]
    replies = [refusal or (one.reply if one else None) for refusal, one in zip(refusals, full, strict=True)]
    return replies if lmtp or all(replies) else refusals
