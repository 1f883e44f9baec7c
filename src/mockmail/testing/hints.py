"""What may have gone wrong when an expectation does not come true, as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

from mockmail.core.events import (
    Accepted,
    Appended,
    Bounced,
    Command,
    Copied,
    Delivered,
    FlagsChanged,
    LoggedIn,
    LoginFailed,
    Rejected,
    Relayed,
    Seeded,
    SessionOpened,
)
from mockmail.core.message import Message
from mockmail.core.queue import QueuedMessage
from mockmail.core.world import World
from mockmail.testing.expect import Query
from mockmail.testing.explain import Failure, attempts_made, clock_time, shown
from mockmail.testing.gather import held
from mockmail.testing.kinds import DELIVERED, REJECTED
from mockmail.testing.matching import addresses_test, normal_flag
from mockmail.testing.source import ask

__all__ = ["fits_message", "hints"]

_SHOWN = 3
_Q = Query[Any, Any]


def hints(failure: Failure) -> Iterator[str]:
    """Sentences, most telling first."""
    query, world = failure.look.query, failure.look.world
    if failure.too_many:
        yield from _doubled(failure)
        return
    yield from _before_the_mark(query, world)
    for hint in _BY_KIND.get(query.kind.name, ()):
        yield from hint(query, world)
    yield from _accounts_of_logins(query, world)
    yield from _nobody_came(query, world)


def _doubled(failure: Failure) -> Iterator[str]:
    messages = [
        message for one in failure.look.matches if (message := failure.look.query.kind.message(one)) is not None
    ]
    if failure.quantity == "none" or len({message.id for message in messages}) < 2:
        return
    contents = Counter(message.original for message in messages)
    if contents.most_common(1)[0][1] > 1:
        yield "The same bytes came more than once: one message was sent again, such as by a retry or a second worker."
        return
    ids = Counter(message.message_id for message in messages if message.message_id)
    if ids and ids.most_common(1)[0][1] > 1:
        yield f"Several have the Message-ID {ids.most_common(1)[0][0]}: one message was sent again."
    elif failure.quantity == "one":
        yield "Narrow the criteria, take mail since a mail.mark(), or use wait_for(count) when several are right."


def _before_the_mark(query: _Q, world: World) -> Iterator[str]:
    if query.since is None:
        return
    everything = query.kind.candidates(query.source, world)
    count = sum(map(query.fits, everything))
    if count:
        yield f"{query.kind.named(count)} before the mark given as since= would fit."


# Messages that are elsewhere


def fits_message(query: _Q, message: Message, account: str | None = None, **also: Any) -> bool:
    """Whether the criteria on a message hold, and those of ``also`` (values by name) for what is given; all other
    criteria count as held."""
    for test in query.tests:
        if test.label in also:
            fits = test.fits(also[test.label])
        elif test.label == "account":
            fits = account is None or test.fits((account,) if query.kind is DELIVERED else account)
        elif test.label in _OF_MESSAGES or test.label.startswith("headers["):
            fits = test.fits(_actual_of(test.label, message, test))
        else:
            continue
        if not fits:
            return False
    return True


_OF_MESSAGES = frozenset({"to", "sender", "from_", "subject", "body"})


class _Bearer:
    """Stands where a criterion expects an event that has a message."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.recipients = self.addresses = message.recipients
        self.sender = message.sender


def _actual_of(label: str, message: Message, test: Any) -> Any:
    return test.actual(_Bearer(message))


def _seeded(query: _Q, world: World) -> Iterator[str]:
    fitting = [
        event
        for event in world.journal.of(Seeded)
        if fits_message(query, event.message, event.account, to=(*event.message.recipients, event.account))
    ]
    if fitting:
        event = fitting[-1]
        yield (
            f"A seeded message fits ({event.message.subject!r} in {event.account} {event.folder}), but seed() puts mail"
            " there without delivering it. Read it by mail.account(...), or send it by SMTP."
        )


def _appended(query: _Q, world: World) -> Iterator[str]:
    for event in [one for one in world.journal.of(Appended) if fits_message(query, one.message, to=one.message.to)][
        -1:
    ]:
        yield (
            f"A message that fits was uploaded to {event.account} {event.folder} by APPEND"
            f" ({event.session or 'by the test'}); that delivers nothing to anybody."
        )


def _rejected(query: _Q, world: World) -> Iterator[str]:
    about = {name: query.criteria[name] for name in ("to", "sender") if name in query.criteria}
    asked = Query(query.source, REJECTED, query.method, about)
    refused = [event for event in world.journal.of(Rejected) if asked.fits(event)]
    for event in refused[-_SHOWN:]:
        who = ", ".join(event.recipients) or event.sender or "<>"
        yield f"Mail for {who} was refused at {event.stage}: {event.reply}"


def _to_in_header_only(query: _Q, world: World) -> Iterator[str]:
    wanted = query.criteria.get("to")
    if wanted is None:
        return
    fits = addresses_test("to", wanted)
    for event in world.journal.of(Delivered):
        message = event.message
        if not fits(event.recipients) and fits((*message.to, *message.cc)):
            yield (
                f"The To or Cc of {message.subject!r} names {shown(wanted)}, but its envelope does not: it was sent to"
                f" {', '.join(event.recipients)}. Who gets a message is what RCPT says."
            )
            return


def _late(query: _Q, world: World) -> Iterator[str]:
    for message in list(world.late)[-_SHOWN:]:
        fit = "fits, but it" if fits_message(query, message) else f"({message.subject!r})"
        yield (
            f"A message to {', '.join(message.recipients)} {fit} was begun before the last reset and is not shown: it"
            " belongs to an earlier test."
        )


def _unfinished(query: _Q, world: World) -> Iterator[str]:
    """Somebody came to send mail and left without."""
    journal = world.journal
    if len(journal.rows(Accepted)) or len(journal.rows(Rejected)):
        return
    commands = [command for command in journal.of(Command) if command.protocol in ("smtp", "lmtp")]
    if commands:
        last = commands[-1]
        yield (
            f"{last.session} is the last client that came to send, and handed over no message; its last command was"
            f" {last.name}, answered {last.reply!r}."
        )
    elif any(event.protocol == "smtp" for event in journal.of(SessionOpened)):
        yield "A client connected by SMTP and gave no command."


def _failed_logins(query: _Q, world: World, protocols: tuple[str, ...] = ()) -> Iterator[str]:
    failed = [event for event in world.journal.of(LoginFailed) if not protocols or event.protocol in protocols]
    for event in failed[-_SHOWN:]:
        yield f"The login of {event.username!r} by {event.protocol} ({event.mechanism}) was refused: {event.reason}"


def _passed_on(query: _Q, world: World, *, but: str = "") -> Iterator[str]:
    """What became of mail that fits and was to go on to another server, or is to come from one."""
    if but != "bounced":
        yield from _newest(
            f"{bounced.message.subject!r} bounced with {bounced.status}: {bounced.reply}"
            for bounced in world.journal.of(Bounced)
            if fits_message(query, bounced.message, to=(*bounced.recipients, *bounced.addresses))
        )
    if but != "relayed":
        yield from _newest(
            f"{relayed.message.subject!r} was relayed to {relayed.via} at attempt {relayed.attempts}"
            f" ({clock_time(relayed.at)}); look for it there."
            for relayed in world.journal.of(Relayed)
            if fits_message(query, relayed.message, to=(*relayed.recipients, *relayed.addresses))
        )
    for source in query.source.neighbours() if query.kind is DELIVERED else (query.source,):
        elsewhere = f" at {source.settings.default_domain}" if source is not query.source else ""
        if elsewhere or but != "queued":
            yield from _newest(
                _still_queued(one, elsewhere)
                for one in ask(source, partial(_queue, source.world))
                if fits_message(query, one.message, to=(*one.recipients, *one.addresses))
            )


def _newest(sentences: Iterable[str]) -> Iterator[str]:
    """The last few; of the others, how many there are."""
    told = list(sentences)
    yield from told[-_SHOWN:]
    if len(told) > _SHOWN:
        yield f"So it is with {len(told) - _SHOWN} more that came before."


def _queue(world: World) -> list[QueuedMessage]:
    return [entry.picture() for entry in world.queue]


def _still_queued(one: QueuedMessage, elsewhere: str) -> str:
    when = f"next attempt at {one.next_attempt:%Y-%m-%d %H:%M:%S}" if one.next_attempt else "an attempt goes on"
    reply = f", {one.last_reply}" if one.last_reply else ""
    return (
        f"{one.message.subject!r} is still queued{elsewhere} for {one.domain} after"
        f" {attempts_made(one.attempts)}{reply}; {when}: move the clock by clock.advance()."
    )


# Messages not handled as expected


def _still_there(query: _Q, world: World) -> Iterator[str]:
    """For what is done to a message in a mailbox: whether it is there at all."""
    lying = [
        one
        for one in ask(query.source, partial(held, world))
        if fits_message(query, one.message, one.account, folder=one.message.folder)
    ]
    done = query.kind.name + (" as asked" if query.kind.candidates(query.source, world) else "")
    for one in lying[-_SHOWN:]:
        where = f"{one.account} {one.message.folder}/{one.message.uid}"
        yield f"{one.message.subject!r} in {where} fits, but was not {done}."
    if not lying and any(test.label in _OF_MESSAGES or test.label == "account" for test in query.tests):
        yield "No mailbox has a message that fits."


def _other_logins(query: _Q, world: World) -> Iterator[str]:
    wanted = query.criteria.get("account")
    if not isinstance(wanted, str):
        return
    accounts = dict.fromkeys(event.account for event in world.journal.of(LoggedIn) if event.protocol != "smtp")
    if accounts and wanted.lower() not in accounts:
        yield f"Nobody logged in as {wanted!r}; clients logged in as {', '.join(accounts)}."


def _copied_only(query: _Q, world: World) -> Iterator[str]:
    for event in world.journal.of(Copied):
        if fits_message(query, event.message, event.account, folder=event.folder, to_folder=event.to_folder):
            yield (
                f"{event.message.subject!r} was copied from {event.folder!r} to {event.to_folder!r}, but not removed"
                f" from {event.folder!r}: a copy becomes a move when the original is expunged."
            )


def _marked_only(query: _Q, world: World) -> Iterator[str]:
    for one in ask(query.source, partial(held, world)):
        if "\\Deleted" in one.message.flags and fits_message(
            query, one.message, one.account, folder=one.message.folder
        ):
            where = f"{one.account} {one.message.folder}/{one.message.uid}"
            yield f"{one.message.subject!r} in {where} is flagged \\Deleted, but was not expunged."
    dele = {command.session for command in world.journal.of(Command) if command.name == "DELE"}
    quit_ = {command.session for command in world.journal.of(Command) if command.name == "QUIT"}
    for session in sorted(dele - quit_):
        yield f"{session} gave DELE but not QUIT: POP3 deletes nothing before QUIT."


def _flag_taken_away(query: _Q, world: World) -> Iterator[str]:
    flag = query.criteria.get("flag")
    if not isinstance(flag, str):
        return
    wanted = normal_flag(flag).lower()
    for event in world.journal.of(FlagsChanged):
        if wanted in {one.lower() for one in event.removed} and fits_message(query, event.message, event.account):
            by = event.session or "the test"
            yield f"{event.message.subject!r} lost {normal_flag(flag)} at {clock_time(event.at)}, by {by}."


# Logins and commands


def _logged_in_instead(query: _Q, world: World) -> Iterator[str]:
    for event in world.journal.of(LoggedIn)[-_SHOWN:]:
        checked = "" if event.password_checked else "; any password does while users= is not given"
        yield f"{event.username!r} logged in by {event.protocol} ({event.mechanism}){checked}."


def _near_command(query: _Q, world: World) -> Iterator[str]:
    name = query.criteria.get("name")
    if isinstance(name, str):
        names = {command.name for command in world.journal.of(Command)}
        near = get_close_matches(name.upper(), names, n=1)
        if near and near[0] != name.upper():
            yield f"Did you mean {near[0]!r}?"


def _last_command(query: _Q, world: World) -> Iterator[str]:
    latest = {command.session: command for command in world.journal.of(Command) if command.protocol == "imap"}
    for session, command in list(latest.items())[-_SHOWN:]:
        if command.name != "IDLE":
            yield f"{session} ({command.account or 'not logged in'}) gave {command.name} last."


# For all


def _accounts_of_logins(query: _Q, world: World) -> Iterator[str]:
    wanted = query.criteria.get("account", query.criteria.get("to"))
    if not isinstance(wanted, str):
        return
    by_login = ask(query.source, lambda: [one.address for one in world.accounts if one.created_by == "login"])
    near = [address for address in get_close_matches(wanted.lower(), by_login, n=1) if address != wanted.lower()]
    local = wanted.lower().partition("@")[0]
    near = near or [address for address in by_login if address != wanted.lower() and address.partition("@")[0] == local]
    for address in near[:1]:
        yield (
            f"The account {address!r} was made by a login, and its address is near {wanted!r}: was that login meant for"
            " it? With users= a login makes no account."
        )


def _nobody_came(query: _Q, world: World) -> Iterator[str]:
    if query.kind.name in ("flagged", "moved", "deleted") or any(
        len(source.world.journal.rows(kind))
        for source in query.source.neighbours()
        for kind in (SessionOpened, Command, Accepted)
    ):
        return
    yield "No client has connected: is the application told the host and port of this server?"


_Hint = Callable[[_Q, World], Iterator[str]]
_for_mail = partial(_failed_logins, protocols=("smtp", "lmtp"))
_for_reading = partial(_failed_logins, protocols=("imap", "pop3", "http"))
_BY_KIND: Mapping[str, tuple[_Hint, ...]] = {
    "relayed": (partial(_passed_on, but="relayed"), _rejected, _late, _unfinished, _for_mail),
    "queued": (partial(_passed_on, but="queued"), _rejected, _late, _unfinished, _for_mail),
    "bounced": (partial(_passed_on, but="bounced"), _rejected, _late, _unfinished, _for_mail),
    "delivered": (_seeded, _appended, _passed_on, _rejected, _to_in_header_only, _late, _unfinished, _for_mail),
    "rejected": (_unfinished, _for_mail),
    "fetched": (_still_there, _other_logins, _for_reading),
    "flagged": (_flag_taken_away, _other_logins, _for_reading),
    "moved": (_copied_only, _still_there, _other_logins, _for_reading),
    "deleted": (_marked_only, _still_there, _other_logins, _for_reading),
    "appended": (_other_logins, _for_reading),
    "logged_in": (_failed_logins,),
    "login_failed": (_logged_in_instead,),
    "command": (_near_command,),
    "idling": (_last_command, _for_reading),
}
