"""A mail transaction (RFC 5321 section 3.3): what MAIL and RCPT said, and the message that is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mockmail.core.events import Actor
from mockmail.core.forwarding import loop_in
from mockmail.core.message import Envelope, Message
from mockmail.core.routing import Deliver, Taken, overfull
from mockmail.core.world import World
from mockmail.records import record
from mockmail.smtp.chunking import ChunkReader
from mockmail.smtp.data import DataReader
from mockmail.smtp.extensions import Capabilities
from mockmail.smtp.parameters import MAIL_PARAMETERS, refused_parameter
from mockmail.smtp.params import Parameters
from mockmail.smtp.trace import protocol_name, trace_headers
from mockmail.wire.contract import Link

__all__ = ["RESET", "Origin", "TextReader", "Transaction", "deliver"]

RESET = "451 4.3.2 The server was reset during this transaction"

TextReader = DataReader | ChunkReader


@dataclass(slots=True)
class Transaction:
    """From MAIL to the end of the text, in the world in which it began."""

    world: World
    sender: str
    mail_options: Parameters
    smtputf8: bool = False
    binary: bool = False
    """Whether the text may only come in chunks (BODY=BINARYMIME)."""
    decisions: list[Taken] = field(default_factory=list)
    declared_bytes: int = 0
    """What SIZE said (RFC 1870)."""
    rcpt_options: dict[str, Parameters] = field(default_factory=dict)
    refused: int = 0
    """How many recipients were."""
    chunks: ChunkReader | None = None
    """Set by the first BDAT."""
    failed: bool = False
    """Whether a chunk was refused, so that the rest are too (RFC 3030 section 2)."""

    @property
    def recipients(self) -> list[str]:
        """Those taken, as given."""
        return [decision.recipient for decision in self.decisions]

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


@record
class Origin:
    """Where a message comes from, as its trace tells."""

    link: Link
    account: str | None
    host: str
    """What the client called itself."""
    server_name: str
    extended: bool


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
    message, received = _new_message(transaction, taken or transaction.decisions, reader, origin)
    reply = f"250 2.6.0 Message accepted as {message.id}"
    loop = loop_in(message.raw, origin.server_name) if taken else None
    if loop is not None:
        reply = f"554 5.4.6 {loop}"
    elif taken and world.retired:
        world.late.append(message)
        reply = RESET
    elif taken:
        link = origin.link
        world.store.accept(message, taken, Actor(link.protocol, link.session, origin.account or ""), received=received)
    return [refusal or reply for refusal in refusals], message


def _refused_for_quota(
    world: World, decisions: Sequence[Taken], refusals: Sequence[str | None], size_bytes: int, *, lmtp: bool
) -> Sequence[str | None]:
    """The refusals, with those of full mailboxes. SMTP has one reply for all: there the message is refused when nobody
    has room for it, and else taken, and reported back for those who have none."""
    full = [overfull(world, decision, size_bytes) for decision in decisions]
    replies = [refusal or (one.reply if one else None) for refusal, one in zip(refusals, full, strict=True)]
    return replies if lmtp or all(replies) else refusals


def _new_message(
    transaction: Transaction, taken: list[Taken], reader: TextReader, origin: Origin
) -> tuple[Message, bytes]:
    """The message, and the Received field of copies that travel on: those have it whatever the settings say."""
    world = transaction.world
    now, message_id = world.clock.now(), world.store.new_id()
    recipients = [decision.recipient for decision in taken]
    trace = b""
    if world.settings.trace_headers or any(type(decision) is not Deliver for decision in taken):
        trace = trace_headers(
            sender=transaction.sender,
            helo=origin.host,
            peer=origin.link.peer[0],
            server=origin.server_name,
            protocol=protocol_name(
                extended=origin.extended,
                smtputf8=transaction.smtputf8,
                secure=origin.link.secure,
                authenticated=origin.account is not None,
                lmtp=origin.link.protocol == "lmtp",
            ),
            message_id=message_id,
            recipients=recipients,
            at=now,
        )
    rcpt_options = transaction.rcpt_options
    if rcpt_options and len(taken) < len(transaction.decisions):
        rcpt_options = {name: options for name, options in rcpt_options.items() if name in recipients}
    envelope = Envelope(transaction.sender, tuple(recipients), transaction.mail_options, rcpt_options)
    received = trace.partition(b"\r\n")[2]
    if not world.settings.trace_headers:
        trace = b""
    text = reader.text(trace)
    return Message(text, id=message_id, envelope=envelope, received_at=now, trace_length=len(trace)), received
