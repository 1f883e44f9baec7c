"""What the events of an SMTP session tell of its commands and of what was refused."""

from __future__ import annotations

from mockmail.core.events import Rejected
from mockmail.core.message import Message
from mockmail.core.world import World
from mockmail.smtp.params import AddressError, ArgumentError, parse_path
from mockmail.smtp.replies import code_of
from mockmail.smtp.transaction import Transaction
from mockmail.wire.contract import Link

__all__ = ["SYNTAX_CODES", "record_refusal", "shown"]

SYNTAX_CODES = frozenset({500, 501, 502, 503, 504})


def record_refusal(
    world: World,
    link: Link,
    name: str,
    argument: str | None,
    account: str | None,
    reply: str,
    transaction: Transaction | None,
    message: Message | None = None,
) -> None:
    """A sender, a recipient or a text that was refused for what it is, not for how the command was written.
    ``argument``: for ``MESSAGE`` the recipients refused, separated by spaces."""
    if reply[:1] not in ("4", "5"):
        return
    code = code_of(reply)
    if code in SYNTAX_CODES:
        return
    sender = "" if transaction is None else transaction.sender
    if name == "MAIL":
        sender, recipients = _address(argument, "FROM:"), tuple[str, ...]()
    elif name == "RCPT":
        recipients = (_address(argument, "TO:"),)
    elif name == "MESSAGE":
        recipients = tuple((argument or "").split(" "))
    elif name in ("DATA", "BDAT"):
        recipients = () if transaction is None else tuple(transaction.recipients)
    else:
        return
    if transaction is not None:
        world = transaction.world
    now = world.clock.now()
    world.journal.note(
        Rejected, now, link.protocol, link.session, account or "", name, sender, recipients, code, reply, message
    )


def shown(name: str, argument: str | None) -> str:
    """The argument as events and faults see it: without the secret of AUTH."""
    if argument is None:
        return ""
    return argument.partition(" ")[0] if name == "AUTH" else argument


def _address(argument: str | None, keyword: str) -> str:
    """The address in an argument that was refused, or as much of the argument as there is."""
    try:
        return parse_path(argument, keyword).address
    except (ArgumentError, AddressError):
        text = (argument or "").strip()
        return text[len(keyword) :].strip(" <>") if text.upper().startswith(keyword) else text
