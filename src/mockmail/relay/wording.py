"""What a report tells people, in plain sentences: what happened, and what happens next."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Sequence

from mockmail.mime.headers import Headers
from mockmail.relay.notify import Action, Outcome

__all__ = ["SUBJECTS", "date_text", "explain", "on_one_line"]

SUBJECTS: dict[Action, str] = {
    "failed": "Undelivered mail returned to sender",
    "delayed": "Delayed mail, still being tried",
    "delivered": "Mail delivered",
    "relayed": "Mail relayed",
    "expanded": "Mail passed on to several recipients",
}

_WIDTH = 76
_SUBJECT_LIMIT = 200
_REPLY_LIMIT = 900
"""Characters of a reply that are told: no line may be longer than 998 bytes, and it may be one word."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_HAPPENED: dict[Action, tuple[str, str]] = {
    "failed": (
        "It could not be delivered to this recipient:",
        "It could not be delivered to these recipients:",
    ),
    "delayed": (
        "It could not be delivered yet to this recipient:",
        "It could not be delivered yet to these recipients:",
    ),
    "delivered": (
        "It was delivered, as you asked to be told, to the mailbox of this recipient:",
        "It was delivered, as you asked to be told, to the mailboxes of these recipients:",
    ),
    "relayed": (
        "It was handed over to the next server, as you asked to be told, for this recipient:",
        "It was handed over to the next server, as you asked to be told, for these recipients:",
    ),
    "expanded": (
        "It reached this address, as you asked to be told, and was passed on to all that the address stands for:",
        "It reached these addresses, as you asked to be told, and was passed on to all that they stand for:",
    ),
}
_NEXT: dict[Action, str] = {
    "failed": "The server has given up and does not try again.",
    "delivered": "Whether it is read, and when, is not known.",
    "relayed": "That server does not confirm delivery. Unless delivery fails, you get no other report.",
    "expanded": "Their deliveries are not confirmed; if one fails, you may get another report.",
}


def on_one_line(text: str, limit: int = _REPLY_LIMIT) -> str:
    """Text without line ends and other controls, of at most ``limit`` characters."""
    shown = "".join(one if one.isprintable() else " " for one in text[: limit + 1])
    return " ".join((shown if len(shown) <= limit else shown[:limit] + "...").split())


def date_text(at: datetime.datetime) -> str:
    """RFC 5322 section 3.3, with English names whatever the locale; the zone stays."""
    offset = at.utcoffset() or datetime.timedelta()
    minutes = abs(int(offset.total_seconds())) // 60
    sign = "-" if offset < datetime.timedelta() else "+"
    return (
        f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year:04} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} {sign}{minutes // 60:02}{minutes % 60:02}"
    )


def explain(
    action: Action,
    outcomes: Sequence[Outcome],
    header: Headers,
    *,
    server: str,
    arrived_at: datetime.datetime,
    attached: str,
) -> str:
    """The text, with ``\\n`` line ends. ``attached`` is what of the message the report returns, in words."""
    subject = on_one_line(header.get("Subject", ""), _SUBJECT_LIMIT)
    called = f' "{subject}"' if subject else ""
    paragraphs = [
        _wrapped(
            f"This is the mail server {server}. It writes about your message{called}, "
            f"which it received on {date_text(arrived_at)}."
        ),
        _wrapped(_HAPPENED[action][len(outcomes) > 1]),
        *("\n".join([f"  <{outcome.recipient}>", *_reason(outcome)]) for outcome in outcomes),
        _wrapped(" ".join(filter(None, (_NEXT.get(action) or _delayed(outcomes), attached)))),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _reason(outcome: Outcome) -> list[str]:
    reply = on_one_line(outcome.reply)
    if outcome.action in {"delivered", "expanded"} or not (reply or outcome.remote):
        return []
    if outcome.action == "relayed":
        sentence = f"{outcome.remote or 'The next server'} took it: {reply}" if reply else f"{outcome.remote} took it."
    elif outcome.remote_spoke:
        sentence = f"{outcome.remote or 'The next server'} said: {reply}"
    elif outcome.remote:
        sentence = (
            f"{outcome.remote} could not be reached: {reply}" if reply else f"{outcome.remote} could not be reached."
        )
    else:
        sentence = reply
    return _wrapped(sentence, "    ").split("\n")


def _delayed(outcomes: Sequence[Outcome]) -> str:
    until = max((outcome.retry_until for outcome in outcomes if outcome.retry_until is not None), default=None)
    goes_on = "The server goes on trying" if until is None else f"The server goes on trying until {date_text(until)}"
    return f"{goes_on}, and tells you if it gives up. You need not send the message again."


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
