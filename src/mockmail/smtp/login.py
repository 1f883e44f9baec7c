"""AUTH (RFC 4954): a login, in one step or in several."""

from __future__ import annotations

from mockmail.auth import sasl
from mockmail.auth.credentials import LoginRefused, log_in_by
from mockmail.auth.mechanisms import offered_mechanisms, start_exchange
from mockmail.core.world import World
from mockmail.wire.contract import Link

__all__ = ["Login"]


class Login:
    """Who the client of a conversation is. Each call returns a reply (see ``smtp.replies``)."""

    __slots__ = ("_link", "account", "exchange")

    def __init__(self, link: Link) -> None:
        self._link = link
        self.account: str | None = None
        self.exchange: sasl.Exchange | None = None
        """Set while AUTH waits for the client's answer."""

    def begin(self, world: World, argument: str | None) -> str:
        """AUTH with a mechanism, and perhaps the client's first answer (section 4)."""
        name, _, initial = (argument or "").partition(" ")
        if not name:
            return "501 5.5.4 AUTH takes a mechanism"
        exchange = start_exchange(world, self._link, name)
        if exchange is None:
            offered = " ".join(offered_mechanisms(world, self._link))
            return f"504 5.5.4 There is no such mechanism; there are {offered}"
        return self._reply(world, exchange, exchange.begin(initial.strip().encode() or None))

    def answer(self, world: World, line: bytes) -> str:
        """The client's answer to a 334."""
        exchange = self.exchange
        assert exchange is not None  # only asked for after a 334
        self.exchange = None
        return self._reply(world, exchange, exchange.receive(line))

    def _reply(self, world: World, exchange: sasl.Exchange, reply: sasl.Reply) -> str:
        if isinstance(reply, sasl.Prompt):
            self.exchange = exchange
            return f"334 {reply.line.decode()}"
        if isinstance(reply, sasl.Cancelled):
            return "501 5.7.0 Authentication cancelled"
        if isinstance(reply, sasl.Malformed):
            return f"500 5.5.6 {reply.reason}" if reply.too_long else f"501 5.5.2 {reply.reason}"
        try:
            self.account = log_in_by(world, self._link, exchange, reply).address
        except LoginRefused:
            return "535 5.7.8 Authentication credentials invalid"
        return "235 2.7.0 Authentication successful"
