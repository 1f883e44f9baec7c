"""What the commands of SMTP do (RFC 5321 section 4.1.1): the state of a conversation between its commands."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mockmail.auth.mechanisms import offered_mechanisms
from mockmail.core.message import Message
from mockmail.core.routing import Deliver, Refuse, route
from mockmail.core.world import World
from mockmail.smtp.chunking import ChunkReader, parse_chunk
from mockmail.smtp.data import DataReader
from mockmail.smtp.directory import expand, verify
from mockmail.smtp.extensions import Capabilities, capabilities_of
from mockmail.smtp.login import Login
from mockmail.smtp.parameters import RCPT_PARAMETERS, refused_parameter
from mockmail.smtp.params import AddressError, ArgumentError, PathArgument, parse_path, plain_address
from mockmail.smtp.replies import GO_AHEAD, OK, RECIPIENT_OK, SENDER_OK
from mockmail.smtp.transaction import RESET, Origin, TextReader, Transaction, deliver, deliver_to
from mockmail.wire.contract import Link

__all__ = ["Conversation"]

RECIPIENT_LIMIT = 1000
_WITHOUT_EXTENSIONS = Capabilities(only=())
"""What there is for a client that said HELO."""
_BEFORE_TLS = frozenset({"NOOP", "EHLO", "LHLO", "STARTTLS", "QUIT"})
_HOST = re.compile(r"[!-~]{1,255}")


class Conversation:
    """Carries commands out; the ``Commands`` of an interpreter. Each call returns a reply (see ``smtp.replies``)."""

    def __init__(
        self,
        link: Link,
        world: World,
        *,
        server_name: str | None,
        recipient_limit: int,
        transaction_limit: int | None,
    ) -> None:
        self.link = link
        self._lmtp = link.protocol == "lmtp"
        self.hello = "LHLO" if self._lmtp else "EHLO"
        """The command that begins a conversation."""
        self._own_name = server_name
        self._recipient_limit = recipient_limit
        self._transaction_limit = transaction_limit
        self._transactions = 0
        self.world = world
        self.forget()

    def enter(self, world: World) -> None:
        """Belong to this world from now on."""
        self.world = world
        settings, secure = world.settings, self.link.secure
        self.origin: Origin | None = None
        """Where this client's messages come from, since the last of them."""
        protocol = self.link.protocol
        self.capabilities = world.derived(
            (protocol, secure), lambda: capabilities_of(settings, protocol, facts=("tls",) if secure else ())
        )
        self.needs_tls = settings.require_tls and not secure
        """Whether commands have to wait for TLS."""
        self.needs_login = settings.require_auth
        """Whether commands have to wait for a login."""
        self.server_name = self._own_name or settings.default_domain
        """What this server calls itself."""

    def forget(self) -> None:
        """Know nothing of the client (RFC 3207 section 4.2)."""
        self.enter(self.world)
        self.host = ""
        """What the client called itself."""
        self.extended = False
        """Whether it said so by EHLO or LHLO."""
        self.login = Login(self.link)
        self.transaction: Transaction | None = None
        self.reader: TextReader | None = None
        """Set while the message text is read."""
        self.quitting = False
        self.starting_tls = False
        """Set from the reply to STARTTLS until the handshake is done."""

    def greeting(self) -> str:
        """RFC 5321 section 4.2: a greeting begins with the server's name."""
        return f"220 {self.server_name} {'LMTP' if self._lmtp else 'ESMTP'} mockmail"

    def helo(self, host: str) -> str:
        """HELO, of which the interpreter has checked that there is a name."""
        if not _HOST.fullmatch(host):
            return "501 Syntax: HELO hostname"
        self._greeted(host, extended=False)
        return f"250 {self.server_name}"

    def ehlo(self, host: str | None) -> str:
        """EHLO, or LHLO: all the extensions, rendered from their rows."""
        if host is None or not _HOST.fullmatch(host):
            return f"501 Syntax: {self.hello} hostname"
        self._greeted(host, extended=True)
        lines = self.capabilities.ehlo_lines(
            limit_bytes=self.world.settings.max_message_bytes,
            mechanisms=() if self.tls_missing("AUTH") else offered_mechanisms(self.world, self.link),
            recipient_limit=self._recipient_limit,
            transaction_limit=self._transaction_limit,
        )
        return "\n".join([f"250 {self.server_name}", *lines])

    def _greeted(self, host: str, *, extended: bool) -> None:
        self.host, self.extended, self.transaction = host, extended, None
        self.origin = None

    def understands(self, command: str) -> bool:
        """Whether there is this command (in capitals)."""
        return command in self.capabilities.commands

    def tls_missing(self, command: str) -> bool:
        """Whether the command (in capitals) has to wait for TLS (RFC 3207 section 4, reply 530)."""
        return self.needs_tls and command not in _BEFORE_TLS

    def authentication_missing(self) -> bool:
        """Whether the client has to log in before it goes on (RFC 4954 section 6, reply 530)."""
        return self.needs_login and self.login.account is None

    def mail(self, argument: str | None) -> str:
        """MAIL FROM (section 4.1.1.2)."""
        self._transactions += 1
        if self._transaction_limit is not None and self._transactions > self._transaction_limit:
            return f"421 4.5.3 More than {self._transaction_limit} transactions in one connection"
        if self.transaction is not None:
            if self.transaction.world.retired:
                self.transaction = None
                return RESET
            return "503 5.5.1 A transaction is open already"
        address, parameters = plain_address(argument, "FROM:"), {}
        if address is None:
            path = _path(argument, "FROM:", "5.1.7")
            if isinstance(path, str):
                return path
            address, parameters = path.address, path.parameters
        transaction = Transaction(self.world, address, parameters)
        if parameters:
            refusal = transaction.take(parameters, self.capabilities if self.extended else _WITHOUT_EXTENSIONS)
            if refusal is not None:
                return refusal
        if not (address.isascii() or transaction.smtputf8):
            return "550 5.6.7 A sender that is not ASCII needs the parameter SMTPUTF8"
        self.transaction = transaction
        return SENDER_OK

    def rcpt(self, argument: str | None) -> str:
        """RCPT TO (section 4.1.1.3): routing decides for each recipient."""
        transaction = self.transaction
        if transaction is None:
            return "503 5.5.1 Send MAIL first"
        if transaction.world.retired:
            return RESET
        if transaction.chunks is not None:
            return "503 5.5.1 The text has begun"
        address, parameters = plain_address(argument, "TO:"), {}
        if address is None:
            path = _path(argument, "TO:", "5.1.3")
            if isinstance(path, str):
                transaction.refused += 1
                return path
            address, parameters = path.address, path.parameters
        if parameters:
            known = self.capabilities if self.extended else _WITHOUT_EXTENSIONS
            refusal = refused_parameter(parameters, RCPT_PARAMETERS, known, smtputf8=transaction.smtputf8)
            if refusal is not None:
                transaction.refused += 1
                return refusal
        if len(transaction.decisions) >= self._recipient_limit:
            return f"452 4.5.3 More than {self._recipient_limit} recipients"
        if not (address.isascii() or transaction.smtputf8):
            transaction.refused += 1
            return "553 5.6.7 A recipient that is not ASCII needs the parameter SMTPUTF8 in MAIL"
        authenticated = self.login.account is not None
        decision = route(transaction.world, address, authenticated=authenticated, size_bytes=transaction.declared_bytes)
        if isinstance(decision, Refuse):
            transaction.refused += 1
            return f"{decision.code} {decision.status} {decision.text}"
        transaction.recipients.append(address)
        transaction.decisions.append(decision)
        if not isinstance(decision, Deliver):
            transaction.travels = True
        if parameters:
            transaction.rcpt_options[address] = parameters
        return RECIPIENT_OK

    def data(self, argument: str | None) -> str:
        """DATA (section 4.1.1.4)."""
        transaction = self.transaction
        if argument is not None:
            return "501 5.5.4 DATA takes no argument"
        if transaction is None:
            return "503 5.5.1 Send MAIL first"
        if transaction.world.retired:
            self.transaction = None
            return RESET
        if transaction.chunks is not None or transaction.failed:
            return "503 5.5.1 DATA cannot follow BDAT: send RSET"
        if transaction.binary:
            return "503 5.5.1 BODY=BINARYMIME takes BDAT, not DATA"
        if not transaction.decisions:
            return _no_recipients(transaction, lmtp=self._lmtp)
        self.reader = DataReader(transaction.world.settings.max_message_bytes)
        return GO_AHEAD

    def begin_chunk(self, argument: str | None) -> bool:
        """Whether a chunk follows this BDAT (RFC 3030 section 2), which is then read, though perhaps not kept. The
        command is carried out when it has come."""
        chunk = parse_chunk(argument)
        if chunk is None:
            return False
        transaction = self.transaction
        keep = transaction is not None and bool(transaction.decisions) and not transaction.failed
        limit_bytes = self.world.settings.max_message_bytes
        if transaction is None:
            reader = ChunkReader(limit_bytes)
        else:
            reader = transaction.chunks or ChunkReader(limit_bytes)
            if keep:
                transaction.chunks = reader
        reader.begin(chunk[0], keep=keep)
        self.reader = reader
        return True

    def bdat(self, argument: str | None) -> str:
        """BDAT, of which the chunk has come; ``""`` for the last chunk, when :meth:`message` is to follow."""
        chunk, transaction = parse_chunk(argument), self.transaction
        if chunk is None:
            return "501 5.5.4 BDAT takes a number of bytes, and LAST behind it for the last chunk"
        size_bytes, last = chunk
        if transaction is None:
            return "503 5.5.1 Send MAIL first"
        if transaction.failed:
            if last:
                self.transaction = None
            return "503 5.5.1 An earlier chunk was refused"
        if not transaction.decisions:
            return _no_recipients(transaction, lmtp=self._lmtp)
        if last:
            return ""
        if transaction.world.retired:
            return RESET
        if transaction.chunks is not None and transaction.chunks.too_big:
            return f"552 5.3.4 The message is larger than {transaction.world.settings.max_message_bytes} bytes"
        return f"250 2.0.0 {size_bytes} bytes taken"

    def end_chunk(self, reply: str) -> None:
        """The chunk was answered so; after a refusal all others of its transaction are refused too."""
        self.reader = None
        if reply[:1] != "2" and self.transaction is not None:
            self.transaction.failed = True
            self.transaction.chunks = None

    def whom_to_ask(self) -> list[str]:
        """Recipients whose fate is decided one by one at the end of the text: each by LMTP (RFC 2033 section 4.2), by
        SMTP all together, separated by spaces."""
        assert self.transaction is not None  # there is no text outside of one
        recipients = self.transaction.recipients
        return recipients if self._lmtp else [" ".join(recipients)]

    def message(self, refusals: Sequence[str | None]) -> tuple[list[str], Message | None]:
        """The end of the text; ``refusals`` and replies are of those of :meth:`whom_to_ask`. The message, which is
        none when it was too big, is visible to every reader when this returns."""
        reader, transaction, origin = _text_ended(self)
        if self._lmtp:
            return deliver(transaction, reader, origin, refusals)
        replies, message = deliver(transaction, reader, origin, list(refusals) * len(transaction.decisions))
        return replies[:1], message

    def message_for_all(self) -> tuple[str, Message | None]:
        """The same by SMTP, where no fault refuses it: nothing is asked for each recipient."""
        reader, transaction, origin = _text_ended(self)
        if reader.too_big or transaction.world.accounts.has_quotas:
            replies, message = deliver(transaction, reader, origin, [None] * len(transaction.decisions))
            return replies[0], message
        return deliver_to(transaction.decisions, transaction, reader, origin)

    def rset(self) -> str:
        """RSET (section 4.1.1.5)."""
        self.transaction = None
        return OK

    def vrfy(self, argument: str | None) -> str:
        """VRFY (section 4.1.1.6)."""
        return verify(self.world, argument, smtputf8="SMTPUTF8" in self.capabilities.names)

    def expn(self, argument: str | None) -> str:
        """EXPN (section 4.1.1.7)."""
        return expand(self.world, argument, smtputf8="SMTPUTF8" in self.capabilities.names)

    def quit(self, argument: str | None) -> str:
        """QUIT (section 4.1.1.10)."""
        if argument is not None:
            return "501 5.5.4 QUIT takes no argument"
        self.quitting = True
        return "221 2.0.0 Bye"

    def starttls(self, argument: str | None) -> str:
        """STARTTLS (RFC 3207 section 4)."""
        if argument is not None:
            return "501 5.5.4 STARTTLS takes no argument"
        if self.link.secure:
            return "503 5.5.1 TLS is on already"
        if not self.extended:
            return f"503 5.5.1 Send {self.hello} first"
        options = self.world.settings.tls_options
        if options is None or options.starttls == "refuse":
            return "454 4.7.0 TLS is not available just now"
        self.starting_tls = True
        return "220 2.0.0 Ready to start TLS"

    def auth(self, argument: str | None) -> str:
        """AUTH (RFC 4954 section 4)."""
        if not self.extended:
            return f"503 5.5.1 Send {self.hello} first"
        if self.login.account is not None:
            return "503 5.5.1 Logged in already"
        if self.transaction is not None:
            return "503 5.5.1 AUTH is not permitted during a mail transaction"
        return self.login.begin(self.world, argument)


def _text_ended(talk: Conversation) -> tuple[TextReader, Transaction, Origin]:
    """The text that has come whole, of what, and from where; the conversation goes on without them."""
    reader, transaction, origin = talk.reader, talk.transaction, talk.origin
    assert reader is not None  # a message is only ended after DATA or BDAT began it
    assert transaction is not None
    talk.reader = talk.transaction = None
    account = talk.login.account
    if origin is None or origin.account is not account:
        origin = Origin(talk.link, account, talk.host, talk.server_name, extended=talk.extended)
        talk.origin = origin
    return reader, transaction, origin


def _no_recipients(transaction: Transaction, *, lmtp: bool) -> str:
    """LMTP's reply is 503 whatever became of them (RFC 2033 section 4.2), SMTP's 554 (RFC 5321 section 3.3)."""
    if transaction.refused:
        return f"{503 if lmtp else 554} 5.5.1 No recipient was taken"
    return "503 5.5.1 Send RCPT first"


def _path(argument: str | None, keyword: str, status: str) -> PathArgument | str:
    """The path, or the reply to what is none."""
    try:
        return parse_path(argument, keyword)
    except ArgumentError as error:
        return f"501 5.5.4 Syntax: {error}"
    except AddressError as error:
        return f"553 {status} {error}"
