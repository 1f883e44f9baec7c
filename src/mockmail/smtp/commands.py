"""What the commands of SMTP do (RFC 5321 section 4.1.1): the state of a conversation between its commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from mockmail.auth import sasl
from mockmail.auth.credentials import LoginRefused, log_in_by
from mockmail.auth.mechanisms import offered_mechanisms, start_exchange, without_mechanisms
from mockmail.config import Settings
from mockmail.core.events import Actor
from mockmail.core.message import Envelope, Message
from mockmail.core.routing import Deliver, Refuse, route
from mockmail.core.world import World
from mockmail.profiles import profile_named
from mockmail.smtp.data import DataReader
from mockmail.smtp.extensions import Capabilities
from mockmail.smtp.params import (
    AddressError,
    ArgumentError,
    Parameters,
    PathArgument,
    is_xtext,
    parse_mailbox,
    parse_path,
)
from mockmail.smtp.replies import OK
from mockmail.smtp.trace import protocol_name, trace_headers
from mockmail.wire.contract import Link

__all__ = ["Conversation", "Transaction", "capabilities_of"]

RECIPIENT_LIMIT = 1000
_RESET = "451 4.3.2 The server was reset during this transaction"
_HOST = re.compile(r"[!-~]{1,255}")
_SIZE = re.compile(r"[0-9]{1,20}")


def capabilities_of(settings: Settings) -> Capabilities:
    """What these settings offer by SMTP. Raises ``ConfigurationError`` for a name that SMTP does not have."""
    return _capabilities(
        settings.profile, tuple(settings.hide.get("smtp", ())), tuple(settings.advertise.get("smtp", ()))
    )


@lru_cache(maxsize=32)
def _capabilities(profile: str, hide: tuple[str, ...], advertise: tuple[str, ...]) -> Capabilities:
    return Capabilities(
        only=profile_named(profile).names("smtp"),
        hide=without_mechanisms(hide, hidden=True),
        advertise=without_mechanisms(advertise),
    )


@dataclass(slots=True)
class Transaction:
    """From MAIL to the end of the data, in the world in which it began."""

    world: World
    sender: str
    mail_options: Parameters
    smtputf8: bool
    decisions: list[Deliver] = field(default_factory=list)
    refused: int = 0
    """How many recipients were."""

    @property
    def recipients(self) -> list[str]:
        """Those taken, as given."""
        return [decision.recipient for decision in self.decisions]


class Conversation:
    """Carries commands out; the ``Commands`` of an interpreter. Each call returns a reply (see ``smtp.replies``)."""

    def __init__(self, link: Link, world: World, *, server_name: str | None, recipient_limit: int) -> None:
        self._link = link
        self._server_name = server_name
        self._recipient_limit = recipient_limit
        self.enter(world)
        self.account: str | None = None
        self.forget()

    def enter(self, world: World) -> None:
        """Belong to this world from now on."""
        self.world = world
        self.capabilities = capabilities_of(world.settings)

    def forget(self) -> None:
        """Know nothing of the client (RFC 3207 section 4.2)."""
        self._host = ""
        self._extended = False
        self.account = None
        self.transaction: Transaction | None = None
        self.reader: DataReader | None = None
        """Set while the message text is read."""
        self.exchange: sasl.Exchange | None = None
        """Set while AUTH waits for the client's answer."""
        self.quitting = False

    @property
    def server_name(self) -> str:
        """What this server calls itself."""
        return self._server_name or self.world.settings.default_domain

    def greeting(self) -> str:
        """RFC 5321 section 4.2: a greeting begins with the server's name."""
        return f"220 {self.server_name} ESMTP mockmail"

    def helo(self, host: str) -> str:
        """HELO, of which the interpreter has checked that there is a name."""
        if not _HOST.fullmatch(host):
            return "501 Syntax: HELO hostname"
        self._host, self._extended, self.transaction = host, False, None
        return f"250 {self.server_name}"

    def ehlo(self, host: str | None) -> str:
        """EHLO: all the extensions, rendered from their rows."""
        if host is None or not _HOST.fullmatch(host):
            return "501 Syntax: EHLO hostname"
        self._host, self._extended, self.transaction = host, True, None
        lines = self.capabilities.ehlo_lines(
            limit_bytes=self.world.settings.max_message_bytes, mechanisms=offered_mechanisms(self.world, self._link)
        )
        return "\n".join([f"250 {self.server_name}", *lines])

    def understands(self, command: str) -> bool:
        """Whether there is this command (in capitals)."""
        return command in self.capabilities.commands

    def authentication_missing(self) -> bool:
        """Whether the client has to log in before it goes on (RFC 4954 section 6, reply 530)."""
        return self.account is None and self.world.settings.require_auth

    def mail(self, argument: str | None) -> str:
        """MAIL FROM (section 4.1.1.2)."""
        if self.transaction is not None:
            if self.transaction.world.retired:
                self.transaction = None
                return _RESET
            return "503 5.5.1 A transaction is open already"
        path = _path(argument, "FROM:", "5.1.7")
        if isinstance(path, str):
            return path
        refusal = self._refused_parameters(path.parameters)
        if refusal is not None:
            return refusal
        smtputf8 = any(name.upper() == "SMTPUTF8" for name in path.parameters)
        if not smtputf8 and not path.address.isascii():
            return "550 5.6.7 A sender that is not ASCII needs the parameter SMTPUTF8"
        self.transaction = Transaction(self.world, path.address, path.parameters, smtputf8)
        return "250 2.1.0 Sender OK"

    def _refused_parameters(self, parameters: Parameters) -> str | None:
        """The reply to parameters of MAIL that are unknown, wrong or too much; ``None`` when all is well."""
        for name, value in parameters.items():
            keyword = name.upper()
            if not self._extended or keyword not in self.capabilities.parameters:
                return f"555 5.5.4 The parameter {keyword} is not known here"
            if keyword == "SIZE":
                if value is None or not _SIZE.fullmatch(value):
                    return "501 5.5.4 SIZE takes a number of bytes"
                limit_bytes = self.world.settings.max_message_bytes
                if limit_bytes is not None and int(value) > limit_bytes:
                    return f"552 5.3.4 The message is larger than {limit_bytes} bytes"
            elif keyword == "BODY" and (value or "").upper() not in ("7BIT", "8BITMIME"):
                return "501 5.5.4 BODY takes 7BIT or 8BITMIME"
            elif keyword == "SMTPUTF8" and value is not None:
                return "501 5.5.4 SMTPUTF8 takes no value"
            elif keyword == "AUTH" and value != "<>" and not is_xtext(value or "="):
                return "501 5.5.4 AUTH takes a mailbox in xtext, or <>"
        return None

    def rcpt(self, argument: str | None) -> str:
        """RCPT TO (section 4.1.1.3): routing decides for each recipient."""
        transaction = self.transaction
        if transaction is None:
            return "503 5.5.1 Send MAIL first"
        if transaction.world.retired:
            return _RESET
        path = _path(argument, "TO:", "5.1.3")
        if isinstance(path, str):
            transaction.refused += 1
            return path
        if path.parameters:
            return f"555 5.5.4 The parameter {next(iter(path.parameters)).upper()} is not known here"
        if len(transaction.decisions) >= self._recipient_limit:
            return f"452 4.5.3 More than {self._recipient_limit} recipients"
        if not transaction.smtputf8 and not path.address.isascii():
            transaction.refused += 1
            return "553 5.6.7 A recipient that is not ASCII needs the parameter SMTPUTF8 in MAIL"
        decision = route(transaction.world, path.address)
        if isinstance(decision, Refuse):
            transaction.refused += 1
            return f"{decision.code} {decision.status} {decision.text}"
        transaction.decisions.append(decision)
        return "250 2.1.5 Recipient OK"

    def data(self, argument: str | None) -> str:
        """DATA (section 4.1.1.4)."""
        transaction = self.transaction
        if argument is not None:
            return "501 5.5.4 DATA takes no argument"
        if transaction is None:
            return "503 5.5.1 Send MAIL first"
        if transaction.world.retired:
            self.transaction = None
            return _RESET
        if not transaction.decisions:
            if transaction.refused:
                return "554 5.5.1 No recipient was taken"
            return "503 5.5.1 Send RCPT first"
        self.reader = DataReader(transaction.world.settings.max_message_bytes)
        return "354 End data with <CR><LF>.<CR><LF>"

    def message(self) -> str:
        """The end of the data: the message is visible to every reader when this returns."""
        reader, transaction = self._end_transaction()
        world = transaction.world
        if reader.too_big:
            return f"552 5.3.4 The message is larger than {world.settings.max_message_bytes} bytes"
        message = self._new_message(reader, transaction)
        if world.retired:
            world.late.append(message)
            return _RESET
        actor = Actor(self._link.protocol, self._link.session, self.account or "")
        world.store.accept(message, transaction.decisions, actor)
        return f"250 2.6.0 Message accepted as {message.id}"

    def refused_message(self) -> Message | None:
        """End the transaction without delivery: the message that somebody else refused, if it was not too big."""
        reader, transaction = self._end_transaction()
        return None if reader.too_big else self._new_message(reader, transaction)

    def _end_transaction(self) -> tuple[DataReader, Transaction]:
        reader, transaction = self.reader, self.transaction
        assert reader is not None  # a message is only ended after DATA began it
        assert transaction is not None
        self.reader = self.transaction = None
        return reader, transaction

    def _new_message(self, reader: DataReader, transaction: Transaction) -> Message:
        world = transaction.world
        now, message_id, recipients = world.clock.now(), world.store.new_id(), transaction.recipients
        trace = b""
        if world.settings.trace_headers:
            trace = trace_headers(
                sender=transaction.sender,
                helo=self._host,
                peer=self._link.peer[0],
                server=self.server_name,
                protocol=protocol_name(
                    extended=self._extended,
                    smtputf8=transaction.smtputf8,
                    secure=self._link.secure,
                    authenticated=self.account is not None,
                ),
                message_id=message_id,
                recipients=recipients,
                at=now,
            )
        envelope = Envelope(transaction.sender, tuple(recipients), transaction.mail_options)
        return Message(reader.text(trace), id=message_id, envelope=envelope, received_at=now, trace_length=len(trace))

    def rset(self) -> str:
        """RSET (section 4.1.1.5)."""
        self.transaction = None
        return OK

    def vrfy(self, argument: str | None) -> str:
        """VRFY (section 4.1.1.6): 252, because mail is tried only when it comes, or the refusal that RCPT would get."""
        words = (argument or "").split()
        if len(words) > 1 and words[-1].upper() == "SMTPUTF8" and "SMTPUTF8" in self.capabilities.names:
            words.pop()
        if not words:
            return "501 5.5.4 VRFY takes a name or an address"
        name = " ".join(words).removeprefix("<").removesuffix(">")
        try:
            address = parse_mailbox(name if "@" in name else f"{name}@{self.world.settings.default_domain}")
        except AddressError as error:
            return f"501 5.1.3 {error}"
        decision = route(self.world, address)
        if isinstance(decision, Refuse) and decision.status == "5.1.1":
            return f"{decision.code} {decision.status} {decision.text}"
        return f"252 2.5.2 Cannot verify <{address}>, but mail for it is tried"

    def quit(self, argument: str | None) -> str:
        """QUIT (section 4.1.1.10)."""
        if argument is not None:
            return "501 5.5.4 QUIT takes no argument"
        self.quitting = True
        return "221 2.0.0 Bye"

    def auth(self, argument: str | None) -> str:
        """AUTH (RFC 4954 section 4)."""
        if not self._extended:
            return "503 5.5.1 Send EHLO first"
        if self.account is not None:
            return "503 5.5.1 Logged in already"
        if self.transaction is not None:
            return "503 5.5.1 AUTH is not permitted during a mail transaction"
        name, _, initial = (argument or "").partition(" ")
        if not name:
            return "501 5.5.4 AUTH takes a mechanism"
        exchange = start_exchange(self.world, self._link, name)
        if exchange is None:
            offered = " ".join(offered_mechanisms(self.world, self._link))
            return f"504 5.5.4 There is no such mechanism; there are {offered}"
        return self._authenticated(exchange, exchange.begin(initial.strip().encode() or None))

    def auth_answer(self, line: bytes) -> str:
        """The client's answer to a 334."""
        exchange = self.exchange
        assert exchange is not None  # only asked for after a 334
        self.exchange = None
        return self._authenticated(exchange, exchange.receive(line))

    def _authenticated(self, exchange: sasl.Exchange, reply: sasl.Reply) -> str:
        if isinstance(reply, sasl.Prompt):
            self.exchange = exchange
            return f"334 {reply.line.decode()}"
        if isinstance(reply, sasl.Cancelled):
            return "501 5.7.0 Authentication cancelled"
        if isinstance(reply, sasl.Malformed):
            return f"500 5.5.6 {reply.reason}" if reply.too_long else f"501 5.5.2 {reply.reason}"
        try:
            self.account = log_in_by(self.world, self._link, exchange, reply).address
        except LoginRefused:
            return "535 5.7.8 Authentication credentials invalid"
        return "235 2.7.0 Authentication successful"


def _path(argument: str | None, keyword: str, status: str) -> PathArgument | str:
    """The path, or the reply to what is none."""
    try:
        return parse_path(argument, keyword)
    except ArgumentError as error:
        return f"501 5.5.4 Syntax: {error}"
    except AddressError as error:
        return f"553 {status} {error}"
