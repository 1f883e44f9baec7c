"""VRFY and EXPN (RFC 5321 section 3.5): what a server tells about its addresses without mail for them."""

from __future__ import annotations

from mockmail.core.routing import Decision, Deliver, Expand, Refuse, route
from mockmail.core.world import World
from mockmail.smtp.params import AddressError, parse_mailbox

__all__ = ["expand", "verify"]


def verify(world: World, argument: str | None, *, smtputf8: bool) -> str:
    """The reply to VRFY: 252, because mail is tried only when it comes, or the refusal that RCPT would get."""
    found = _look_up(world, "VRFY", argument, smtputf8)
    if isinstance(found, str):
        return found
    address, decision = found
    if isinstance(decision, Refuse) and decision.status == "5.1.1":
        return f"{decision.code} {decision.status} {decision.text}"
    return f"252 2.5.2 Cannot verify <{address}>, but mail for it is tried"


def expand(world: World, argument: str | None, *, smtputf8: bool) -> str:
    """The reply to EXPN: the addresses behind an alias or a list; a mailbox is none (RFC 5321 section 3.5.1)."""
    found = _look_up(world, "EXPN", argument, smtputf8)
    if isinstance(found, str):
        return found
    address, decision = found
    if isinstance(decision, Expand):
        members = dict.fromkeys(leaf.address for leaf in decision.targets)
        return "\n".join(f"250 2.1.5 <{member}>" for member in members)
    if isinstance(decision, Deliver):
        return f"550 5.2.4 <{address}> is a mailbox, not a mailing list"
    if isinstance(decision, Refuse) and decision.status == "5.1.1":
        return decision.reply
    return f"252 2.5.2 Cannot expand <{address}>, which is not of this server"


def _look_up(world: World, command: str, argument: str | None, smtputf8: bool) -> tuple[str, Decision] | str:
    """An address, or a name of the first domain, and where mail for it goes; the reply to what is neither."""
    words = (argument or "").split()
    if len(words) > 1 and words[-1].upper() == "SMTPUTF8" and smtputf8:
        words.pop()
    if not words:
        return f"501 5.5.4 {command} takes a name or an address"
    name = " ".join(words).removeprefix("<").removesuffix(">")
    try:
        address = parse_mailbox(name if "@" in name else f"{name}@{world.settings.default_domain}")
    except AddressError as error:
        return f"501 5.1.3 {error}"
    return address, route(world, address)
