"""The SMTP client that relays (RFC 5321), sans-IO: each method is a generator of steps, which is sent the replies.

A step is bytes to send, :class:`Ask` for the next reply, or :class:`Secure`. :class:`mockmail.relay.replies.Trouble`
means that the connection is of no more use.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from mockmail.relay.policy import Timeouts
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
    """One connection, from the greeting to QUIT. ``hello`` is the name that this server gives itself; ``tls`` whether
    to upgrade where that is offered."""

    def __init__(
        self,
        hello: str,
        *,
        login: tuple[str, str] | None = None,
        tls: bool = True,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._hello = hello
        self._login = login
        self._tls = tls
        self._timeouts = timeouts or Timeouts()
        self._open_transaction = False
        self.secure = False
        self.capabilities: dict[str, str] = {}
        """What the last EHLO offered: names in capitals, with their arguments."""

    def open(self) -> Script[None]:
        """Greeting, EHLO or HELO, STARTTLS where offered, AUTH where there is a login."""
        greeting = yield from self._reply(self._timeouts.greeting)
        if greeting.code != 220:
            raise Trouble(greeting)
        yield from self._greet()
        if self._tls and "STARTTLS" in self.capabilities:
            reply = yield from self._command("STARTTLS")
            if reply.code == 220:
                yield Secure()
                self.secure = True
                yield from self._greet()
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
        offered = self.capabilities.get("AUTH", "").upper().split()
        if "PLAIN" in offered:
            initial = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
            reply = yield from self._command(f"AUTH PLAIN {initial}")
        elif "LOGIN" in offered:
            reply = yield from self._command("AUTH LOGIN")
            for secret in (user, password):
                if reply.code == 334:
                    reply = yield from self._command(base64.b64encode(secret.encode()).decode())
        else:
            raise Trouble(Reply.here(454, "4.7.0", "the smarthost offers no AUTH PLAIN or LOGIN, but has a login set"))
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
            self._open_transaction = False
        commands = [self._mail(mail), *(self._rcpt(*recipient) for recipient in mail.recipients)]
        self._open_transaction = True
        if "PIPELINING" in self.capabilities:
            reply: Reply | None = yield from self._envelope_at_once(mail, commands, outcomes)
        else:
            reply = yield from self._envelope_in_steps(mail, commands, outcomes)
        if reply is None:
            return
        taken = [address for address, _ in mail.recipients if address not in outcomes]
        if reply.code == 354:
            yield _stuffed(mail.content) if taken else b".\r\n"
            reply = yield from self._reply(self._timeouts.end)
            self._open_transaction = False
        elif reply.positive:
            raise Trouble(Reply.here(451, "4.5.0", f"the next hop answered DATA with {str(reply)!r}"))
        outcomes.update((address, reply) for address in taken)

    def quit(self) -> Script[None]:
        """QUIT. What is answered does not matter."""
        yield from self._command("QUIT", self._timeouts.quit)

    # The envelope

    def _envelope_at_once(self, mail: Mail, commands: list[str], outcomes: dict[str, Reply]) -> Script[Reply]:
        """RFC 2920. The reply to DATA, which may be positive although no recipient was taken."""
        yield "\r\n".join([*commands, "DATA", ""]).encode()
        first = yield from self._reply(self._timeouts.command)
        for address, _ in mail.recipients:
            reply = yield from self._reply(self._timeouts.command)
            if not first.positive or not reply.positive:
                outcomes[address] = reply if first.positive else first
        return (yield from self._reply(self._timeouts.data))

    def _envelope_in_steps(self, mail: Mail, commands: list[str], outcomes: dict[str, Reply]) -> Script[Reply | None]:
        """The reply to DATA, or ``None`` when it did not come so far."""
        first = yield from self._command(commands[0])
        if not first.positive:
            outcomes.update((address, first) for address, _ in mail.recipients)
            return None
        for (address, _), command in zip(mail.recipients, commands[1:], strict=True):
            reply = yield from self._command(command)
            if not reply.positive:
                outcomes[address] = reply
        if len(outcomes) == len(mail.recipients):
            return None
        return (yield from self._command("DATA", self._timeouts.data))

    def _mail(self, mail: Mail) -> str:
        named = {name.upper(): value for name, value in mail.options.items()}
        words = [f"MAIL FROM:<{mail.sender}>"]
        if "SIZE" in self.capabilities:
            words.append(f"SIZE={len(mail.content)}")
        if "8BITMIME" in self.capabilities and not mail.content.isascii():
            words.append("BODY=8BITMIME")
        if _needs_utf8(mail):
            words.append("SMTPUTF8")
        if "REQUIRETLS" in named:
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
        if (named.get("BODY") or "").upper() == "BINARYMIME":
            return Reply.here(554, "5.6.3", "a message in BINARYMIME is not relayed; send it in base64")
        if not mail.content.isascii() and "8BITMIME" not in self.capabilities:
            return Reply.here(554, "5.6.3", "the next hop offers no 8BITMIME, which the message needs")
        if "REQUIRETLS" in named and not (self.secure and "REQUIRETLS" in self.capabilities):
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
