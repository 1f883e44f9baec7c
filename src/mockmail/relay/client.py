"""The SMTP client that relays (RFC 5321), sans-IO: each method is a generator of steps, which is sent the replies.

A step is bytes to send, :class:`Ask` for the next reply, or :class:`Secure`, after which :meth:`Client.secured` is to
be called. :class:`mockmail.relay.replies.Trouble`
means that the connection is of no more use.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from mockmail.relay.login import MECHANISMS, begin, chosen
from mockmail.relay.policy import CHUNK_BYTES, RECIPIENT_LIMIT, Timeouts
from mockmail.relay.replies import Reply, Trouble

__all__ = ["Ask", "Client", "Mail", "Script", "Secure", "Step"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """Wait for the next reply, no longer than this (real time)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Secure:
    """Begin TLS now."""


Step: TypeAlias = "bytes | Ask | Secure"
Script: TypeAlias = Generator[Step, "Reply | None", T]


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes out in one transaction."""

    sender: str
    recipients: Sequence[tuple[str, Mapping[str, str | None]]]
    """Addresses with the parameters of their RCPT, those of DSN alone."""
    content: bytes
    options: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters of MAIL as they came: SMTPUTF8, BODY, REQUIRETLS, RET, ENVID."""


class Client:
    """One connection, from the greeting to QUIT. ``hello`` is the name that this server gives itself."""

    def __init__(self, hello: str, *, login: tuple[str, str] | None = None, timeouts: Timeouts | None = None) -> None:
        self._hello = hello
        self._login = login
        self._timeouts = timeouts or Timeouts()
        self._open_transaction = False
        self._transactions = 0
        self._verified = False
        self.secure = False
        self.tls_problem: str | None = None
        """Why there is no TLS, or none that was verified, as far as the caller knows."""
        self.capabilities: dict[str, str] = {}
        """What the last EHLO offered: names in capitals, with their arguments."""

    @property
    def recipient_limit(self) -> int:
        """Recipients in one transaction (RFC 5321 section 4.5.3.1.8, RFC 9422)."""
        return min(RECIPIENT_LIMIT, self._limit("RCPTMAX", RECIPIENT_LIMIT))

    @property
    def spent(self) -> bool:
        """Whether the next hop takes no more transactions on this connection (RFC 9422)."""
        return 0 < self._limit("MAILMAX", 0) <= self._transactions

    def _limit(self, name: str, default: int) -> int:
        limits = dict(word.partition("=")[::2] for word in self.capabilities.get("LIMITS", "").upper().split())
        value = limits.get(name, "")
        return int(value) if value.isdigit() and int(value) > 0 else default

    def secured(self, *, verified: bool) -> None:
        """TLS has begun. ``verified``: the certificate is that of the host, from somebody who is trusted."""
        self.secure, self._verified = True, verified

    def open(self, *, tls: bool = True) -> Script[None]:
        """Greeting, EHLO or HELO, STARTTLS where offered (unless ``tls`` says no), AUTH where there is a login."""
        greeting = yield from self._reply(self._timeouts.greeting)
        if greeting.code != 220:
            raise Trouble(greeting)
        yield from self._greet()
        if tls and "STARTTLS" in self.capabilities:
            reply = yield from self._command("STARTTLS")
            if reply.code == 220:
                yield Secure()
                yield from self._greet()
            else:
                self.tls_problem = f"STARTTLS was refused: {reply}"
        if self._login is not None:
            yield from self._authenticate(*self._login)

    def _greet(self) -> Script[None]:
        reply = yield from self._command(f"EHLO {self._hello}")
        if reply.positive:
            words = [line.split(" ", 1) for line in reply.lines[1:] if line]
            self.capabilities = {word[0].upper(): word[1].strip() if len(word) > 1 else "" for word in words}
            return
        self.capabilities = {}
        if reply.permanent:
            # It does not know EHLO (RFC 5321 section 3.2).
            reply = yield from self._command(f"HELO {self._hello}")
        if not reply.positive:
            raise Trouble(reply)

    def _authenticate(self, user: str, password: str) -> Script[None]:
        mechanism = chosen(self.capabilities.get("AUTH", ""))
        if mechanism is None:
            known = ", ".join(MECHANISMS)
            raise Trouble(Reply.here(454, "4.7.0", f"the smarthost has a login set, but offers no AUTH by {known}"))
        response, exchange = begin(mechanism, user, password)
        initial = f" {base64.b64encode(response).decode()}" if response else ""
        reply = yield from self._command(f"AUTH {mechanism}{initial}")
        try:
            while reply.code == 334:
                challenge = binascii.a2b_base64(" ".join(reply.lines), strict_mode=True)
                reply = yield from self._command(base64.b64encode(exchange.send(challenge)).decode())
        except ValueError as error:
            raise Trouble(Reply.here(454, "4.7.0", f"AUTH {mechanism} went wrong: {error}")) from None
        if reply.code != 235:
            raise Trouble(reply)

    def send(self, mail: Mail, outcomes: dict[str, Reply]) -> Script[None]:
        """One transaction. Puts the reply that decided about each recipient into ``outcomes``, also those that there
        are before a ``Trouble``."""
        problem = self._problem(mail)
        if problem is not None:
            outcomes.update((address, problem) for address, _ in mail.recipients)
            return
        if self._open_transaction:
            yield from self._command("RSET")
        self._open_transaction = True
        self._transactions += 1
        binary = _body(mail) == "BINARYMIME"
        commands = [self._mail(mail), *(self._rcpt(*recipient) for recipient in mail.recipients)]
        reply = yield from self._envelope(mail, commands, outcomes, data=not binary)
        taken = [address for address, _ in mail.recipients if address not in outcomes]
        if binary and taken:
            reply = yield from self._chunks(mail.content)
        elif reply is None:
            return
        elif reply.code == 354:
            yield _stuffed(mail.content) if taken else b".\r\n"
            reply = yield from self._reply(self._timeouts.end)
        elif reply.positive:
            raise Trouble(Reply.here(451, "4.5.0", f"the next hop answered DATA with {str(reply)!r}"))
        if reply.positive:
            self._open_transaction = False
        outcomes.update((address, reply) for address in taken)

    def _chunks(self, content: bytes) -> Script[Reply]:
        """The message in chunks, which may be of any bytes (RFC 3030 section 2)."""
        for start in range(0, max(1, len(content)), CHUNK_BYTES):
            chunk = content[start : start + CHUNK_BYTES]
            last = start + CHUNK_BYTES >= len(content)
            yield f"BDAT {len(chunk)}{' LAST' if last else ''}\r\n".encode() + chunk
            reply = yield from self._reply(self._timeouts.end if last else self._timeouts.data)
            if not reply.positive:
                break
        return reply

    def quit(self) -> Script[None]:
        """QUIT. What is answered does not matter."""
        yield from self._command("QUIT", self._timeouts.quit)

    # The envelope

    def _envelope(
        self, mail: Mail, commands: list[str], outcomes: dict[str, Reply], *, data: bool
    ) -> Script[Reply | None]:
        """MAIL and RCPT; with ``data``, DATA too, and the reply to it. ``None`` when it did not come so far."""
        if "PIPELINING" in self.capabilities:
            return (yield from self._envelope_at_once(mail, commands, outcomes, data=data))
        first = yield from self._command(commands[0])
        if not first.positive:
            outcomes.update((address, first) for address, _ in mail.recipients)
            return None
        for (address, _), command in zip(mail.recipients, commands[1:], strict=True):
            reply = yield from self._command(command)
            if not reply.positive:
                outcomes[address] = reply
        if not data or len(outcomes) == len(mail.recipients):
            return None
        return (yield from self._command("DATA", self._timeouts.data))

    def _envelope_at_once(
        self, mail: Mail, commands: list[str], outcomes: dict[str, Reply], *, data: bool
    ) -> Script[Reply | None]:
        """RFC 2920. The reply to DATA may be positive although no recipient was taken."""
        yield "\r\n".join([*commands, *(["DATA"] if data else []), ""]).encode()
        first = yield from self._reply(self._timeouts.command)
        for address, _ in mail.recipients:
            reply = yield from self._reply(self._timeouts.command)
            if not first.positive or not reply.positive:
                outcomes[address] = reply if first.positive else first
        return (yield from self._reply(self._timeouts.data)) if data else None

    def _mail(self, mail: Mail) -> str:
        named = {name.upper(): value for name, value in mail.options.items()}
        words = [f"MAIL FROM:<{mail.sender}>"]
        if "SIZE" in self.capabilities:
            words.append(f"SIZE={len(mail.content)}")
        if _body(mail) == "BINARYMIME":
            words.append("BODY=BINARYMIME")
        elif "8BITMIME" in self.capabilities and not mail.content.isascii():
            words.append("BODY=8BITMIME")
        if _needs_utf8(mail):
            words.append("SMTPUTF8")
        if "REQUIRETLS" in named and "REQUIRETLS" in self.capabilities and self._verified:
            words.append("REQUIRETLS")
        if "DSN" in self.capabilities:
            words += [f"{name}={named[name]}" for name in ("RET", "ENVID") if named.get(name)]
        return " ".join(words)

    def _rcpt(self, address: str, options: Mapping[str, str | None]) -> str:
        words = [f"RCPT TO:<{address}>"]
        if "DSN" in self.capabilities:
            words += [f"{name.upper()}={value}" for name, value in options.items() if value]
        return " ".join(words)

    def _problem(self, mail: Mail) -> Reply | None:
        """Why this next hop can never take it."""
        named = {name.upper(): value for name, value in mail.options.items()}
        if _needs_utf8(mail) and "SMTPUTF8" not in self.capabilities:
            return Reply.here(553, "5.6.7", "the next hop offers no SMTPUTF8, which the message needs")
        if _body(mail) == "BINARYMIME":
            # What was signed, or is only kept as it is, is not written anew (RFC 3030 section 3, option b).
            if not {"CHUNKING", "BINARYMIME"} <= self.capabilities.keys():
                text = "the next hop offers no CHUNKING with BINARYMIME, which the message needs; send it in base64"
                return Reply.here(554, "5.6.3", text)
        elif not mail.content.isascii() and "8BITMIME" not in self.capabilities:
            return Reply.here(554, "5.6.3", "the next hop offers no 8BITMIME, which the message needs")
        if "REQUIRETLS" in named and mail.sender:  # reports rather go without than be lost (RFC 8689 section 5)
            if not self._verified:
                why = self.tls_problem or "the next hop offers none"
                return Reply.here(550, "5.7.10", f"the sender insists on TLS with a host that can be trusted: {why}")
            if "REQUIRETLS" not in self.capabilities:
                return Reply.here(550, "5.7.30", "the next hop offers no REQUIRETLS, on which the sender insists")
        limit = self.capabilities.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < len(mail.content):
            return Reply.here(552, "5.3.4", f"the next hop takes {limit} bytes; the message has {len(mail.content)}")
        return None

    # Steps

    def _command(self, line: str, seconds: float | None = None) -> Script[Reply]:
        yield f"{line}\r\n".encode()
        return (yield from self._reply(self._timeouts.command if seconds is None else seconds))

    def _reply(self, seconds: float) -> Script[Reply]:
        reply = yield Ask(seconds)
        assert reply is not None  # whoever plays the script answers Ask so, or raises
        if reply.code == 421:
            raise Trouble(reply)
        return reply


def _body(mail: Mail) -> str:
    return next((value or "" for name, value in mail.options.items() if name.upper() == "BODY"), "").upper()


def _needs_utf8(mail: Mail) -> bool:
    """RFC 6531 section 3.4: who asked for SMTPUTF8 gets it where something is not ASCII."""
    if not mail.sender.isascii() or any(not address.isascii() for address, _ in mail.recipients):
        return True
    if all(name.upper() != "SMTPUTF8" for name in mail.options):
        return False
    end = mail.content.find(b"\r\n\r\n")
    return not mail.content[: end if end >= 0 else None].isascii()


def _stuffed(content: bytes) -> bytes:
    """RFC 5321 section 4.5.2, with the end of the data."""
    text = content.replace(b"\r\n.", b"\r\n..")
    if text.startswith(b"."):
        text = b"." + text
    return text + (b".\r\n" if text.endswith(b"\r\n") or not text else b"\r\n.\r\n")
