"""Random networks, outages, schedules and faults: each accepted message ends as delivered once, bounced once, or still
queued, for each mailbox that it was meant for; and each bounce is reported once, to whom it concerns.

Where a next hop took a message and its reply was lost, SMTP doubles it (RFC 5321 section 6.1, RFC 1047): there, and
nowhere else, a message may have more than one end. It never has none.
"""

from __future__ import annotations

import operator
import re
import smtplib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.events import Bounced, Delivered, RelayAttempted
from mockmail.core.message import Message
from mockmail.network import MailNetwork
from mockmail.server import MockMail

DOMAINS = ("a.test", "b.test", "c.test")
CLOSED = "451 4.4.2 the next hop closed the connection"

# Whom mail can be for


@dataclass
class Name:
    """An address: a mailbox, a name that nobody has, an alias or a list with what it stands for."""

    kind: str
    domain: int
    targets: list[Name] = field(default_factory=list)
    owner: int = 0
    """Number of the domain that a list's owner has a mailbox in."""
    address: str = ""
    above: tuple[Name, ...] = ()

    def named(self, numbers: Iterator[int], above: tuple[Name, ...] = ()) -> Name:
        """With an address that no other has, so that there is one way to each mailbox."""
        self.address, self.above = f"{self.kind}{next(numbers)}@{DOMAINS[self.domain]}", above
        for target in self.targets:
            target.named(numbers, (*above, self))
        return self

    def all(self) -> Iterator[Name]:
        yield self
        for target in self.targets:
            yield from target.all()

    @property
    def ends(self) -> list[Name]:
        return [name for name in self.all() if not name.targets]


_domain = st.integers(0, len(DOMAINS) - 1)
_end = st.builds(Name, st.sampled_from(["user", "user", "user", "gone"]), _domain)
_name = st.recursive(
    _end,
    lambda names: st.builds(
        Name, st.sampled_from(["alias", "list"]), _domain, st.lists(names, min_size=1, max_size=3), _domain
    ),
    max_leaves=5,
)


# What happens

_LATER = {"reply": "451 4.7.1 later", "times": 1}
_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("CONNECT", {"refuse": True, "times": 1}),
    ("GREETING", {"reply": "421 4.3.2 busy", "times": 1}),
    ("EHLO", {"drop": True, "times": 1}),
    ("MAIL", _LATER),
    ("MAIL", {"reply": "553 5.1.8 not from you", "times": 1}),
    ("RCPT", _LATER),
    ("RCPT", {"reply": "550 5.7.1 not to her", "times": 1}),
    ("RCPT", {"drop": True, "times": 1}),
    ("DATA", _LATER),
    ("DATA", {"drop": True, "times": 1}),
    ("MESSAGE", {"reply": "451 4.3.0 disk full", "times": 1}),
    ("MESSAGE", {"reply": "554 5.7.1 spam", "times": 1}),
    ("MESSAGE", {"drop": True, "times": 1}),
]
_LOSSY: list[tuple[str, dict[str, Any]]] = [
    ("MESSAGE", {"after_bytes": 0, "times": 1}),
    ("MESSAGE", {"after_bytes": 5, "times": 1}),
]


def _steps(faults: list[tuple[str, dict[str, Any]]]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Some faults lie in wait from the beginning, or few would meet any mail."""
    fault = st.tuples(st.just("fault"), st.tuples(_domain, st.sampled_from(faults)))
    send = st.tuples(
        st.just("send"),
        st.tuples(
            _domain,
            st.sets(st.integers(0, 3), min_size=1),
            st.sampled_from(["s", "s", "s", ""]),
            st.sampled_from([None, None, "NEVER"]),
        ),
    )
    outage = st.tuples(st.sampled_from(["go_down", "come_up", "come_up", "hang"]), _domain)
    advance = st.tuples(st.just("advance"), st.integers(1, 40))
    anything = st.lists(st.one_of(send, send, outage, advance, fault), min_size=4, max_size=16)
    return st.builds(operator.add, st.lists(fault, max_size=4), anything)


_SCHEDULES = st.sampled_from([[], [10], [10, 20, 30], [7] * 6])
_MX = st.sampled_from(["none", "backup", "equal"])


class Story:
    """What was sent and accepted, and what became of it."""

    def __init__(self, net: MailNetwork, names: list[Name]) -> None:
        self.net = net
        self.names = names
        self.states = dict.fromkeys(DOMAINS, "come_up")
        self.accepted: list[tuple[int, Name]] = []
        self.never: set[int] = set()
        self.anonymous: set[int] = set()

    def play(self, steps: list[tuple[str, Any]]) -> None:
        for number, (what, value) in enumerate(steps):
            if what == "send":
                self._send(number, *value)
            elif what == "advance":
                self.net.clock.advance(minutes=value)
            elif what == "fault":
                domain, (command, options) = value
                # User agents log in; servers do not. Whether a user agent sends again is not ours.
                self.net[DOMAINS[domain]].faults.smtp(command, where=lambda one: not one.account, **options)
            else:
                self.states[DOMAINS[value]] = what
                getattr(self.net[DOMAINS[value]], what)()
            # All that is under way ends before the next thing happens, or an outage would cut a conversation anywhere.
            # All that is under way ends before the next thing happens, or an outage would cut a conversation anywhere.
            self.net.clock.advance(seconds=0)

    def _send(self, number: int, source: int, roots: set[int], sender: str, notify: str | None) -> None:
        server = self.net[DOMAINS[source]]
        if self.states[DOMAINS[source]] != "come_up":
            return
        chosen = {self.names[root % len(self.names)].address: self.names[root % len(self.names)] for root in roots}
        options = [f"NOTIFY={notify}"] if notify else []
        try:
            with smtplib.SMTP(*server.smtp.address, timeout=30) as client:
                client.login(f"s@{DOMAINS[source]}", "any")
                refused = client.sendmail(
                    f"s@{DOMAINS[source]}" if sender else "",
                    list(chosen),
                    f"X-Number: {number}\r\n\r\nx\r\n",
                    rcpt_options=options,
                )
        except smtplib.SMTPRecipientsRefused:
            return
        except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, ConnectionError):
            return  # at its greeting, by a fault that knows no account yet
        except smtplib.SMTPHeloError:
            return
        if notify:
            self.never.add(number)
        if not sender:
            self.anonymous.add(number)
        self.accepted += [(number, name) for address, name in chosen.items() if address not in refused]

    # What became of it

    def ends_of(self, number: int, root: Name) -> Iterator[tuple[Name, Counter[str]]]:
        """For each mailbox meant: how often it was delivered, given up, or waits."""
        events = self._events(number)
        for end in root.ends:
            way = {name.address for name in (*end.above, end)}
            found: Counter[str] = Counter()
            for kind, addresses in events:
                found[kind] += sum(address in way for address in addresses)
            yield end, +found

    def _events(self, number: int) -> list[tuple[str, tuple[str, ...]]]:
        found: list[tuple[str, tuple[str, ...]]] = []
        for server in self.net:
            found += [("delivered", one.accounts) for one in server.events.of(Delivered) if _number(one) == number]
            found += [("bounced", one.addresses) for one in server.events.of(Bounced) if _number(one) == number]
            found += [("queued", one.addresses) for one in server.queue if _number(one) == number]
        return found

    def cut_attempts(self, number: int) -> int:
        """After how many attempts it is not known whether the next hop has it."""
        attempts = [one for server in self.net for one in server.events.of(RelayAttempted)]
        return sum(one.reply == CLOSED and _number(one) == number for one in attempts)

    def bounces_to_report(self) -> Counter[tuple[int, str]]:
        """What senders are to be told, by number and address."""
        by_address = {name.address: name for root in self.names for name in root.all()}
        wanted: Counter[tuple[int, str]] = Counter()
        for server in self.net:
            for event in server.events.of(Bounced):
                number = _number(event)
                if number is None:
                    assert event.sender == ""  # a report, of which nobody is told
                    continue
                for address in event.addresses:
                    # Mail to a list's members is its owner's, who did not ask not to be told.
                    listed = any(name.kind == "list" for name in by_address[address].above)
                    if number not in self.anonymous and (listed or number not in self.never):
                        wanted[number, address] += 1
        return wanted

    def reports(self) -> Counter[tuple[int, str]]:
        """What senders are told, or will be, or could not be told."""
        found: Counter[tuple[int, str]] = Counter()
        for server in self.net:
            for one in (*server.events.of(Delivered), *server.events.of(Bounced), *server.queue):
                found += _reported(one.message)
        return found


def _number(one: Any) -> int | None:
    text = one.message.headers.get("X-Number")
    return None if text is None else int(text)


def _reported(message: Message) -> Counter[tuple[int, str]]:
    if "X-Number" in message.headers:
        return Counter()
    about = re.search(rb"^X-Number: (\d+)", message.raw, re.MULTILINE)
    assert about is not None
    assert message.sender == ""
    return Counter((int(about[1]), one.recipient) for one in message.report.recipients if one.action == "failed")


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _network(names: list[Name], minutes: list[int], mx: str) -> MailNetwork:
    net = MailNetwork(settings=Settings(retry_schedule=[timedelta(minutes=one) for one in minutes]))
    every = [name for root in names for name in root.all()]
    for index, domain in enumerate(DOMAINS):
        users = {f"s@{domain}": "any", f"owner@{domain}": "any"}
        users |= {name.address: "any" for name in every if name.kind == "user" and name.domain == index}
        net.add(domain, users=users)
    if mx != "none":
        backup = net.add("mx.test", relay="open")
        net.mx("c.test", {10: net["c.test"], 20: backup} if mx == "backup" else {10: [net["c.test"], backup]})
    return net


def _add_names(net: Mapping[str, MockMail] | MailNetwork, names: list[Name]) -> None:
    for name in (name for root in names for name in root.all()):
        server, targets = net[DOMAINS[name.domain]], [target.address for target in name.targets]
        if name.kind == "alias":
            server.add_alias(name.address, *targets)
        elif name.kind == "list":
            server.add_list(name.address, targets, owner=f"owner@{DOMAINS[name.owner]}")


def _played(names: list[Name], minutes: list[int], mx: str, steps: list[Any], to_the_end: bool, lossy: bool) -> None:
    numbers = _numbers()
    names = [name.named(numbers) for name in names]
    with _network(names, minutes, mx) as net:
        _add_names(net, names)
        story = Story(net, names)
        story.play(steps)
        for server in net:
            server.faults.clear()
            if to_the_end:
                server.come_up()
        if to_the_end:
            net.clock.run_until_idle()
            assert [list(server.queue) for server in net] == [[]] * len(net)
        for number, root in story.accepted:
            for end, found in story.ends_of(number, root):
                allowed = 1 + (story.cut_attempts(number) if lossy else 0)
                assert 1 <= found.total() <= allowed, f"message {number} for {end.address}: {dict(found)}"
                if end.kind == "gone":
                    assert not found["delivered"]
        wanted, told = story.bounces_to_report(), story.reports()
        if lossy:
            assert told.keys() == wanted.keys()
            assert told >= wanted
        else:
            assert told == wanted


_names = st.lists(_name, min_size=2, max_size=4)


@settings(max_examples=25, deadline=None)
@given(names=_names, minutes=_SCHEDULES, mx=_MX, steps=_steps(_FAULTS), to_the_end=st.booleans())
def test_nothing_is_lost_and_nothing_doubled(names, minutes, mx, steps, to_the_end) -> None:
    _played(names, minutes, mx, steps, to_the_end, lossy=False)


@settings(max_examples=15, deadline=None)
@given(names=_names, minutes=_SCHEDULES, mx=_MX, steps=_steps([*_FAULTS, *_LOSSY, *_LOSSY, *_LOSSY]))
def test_what_a_next_hop_took_without_saying_so_is_doubled_and_never_lost(names, minutes, mx, steps) -> None:
    _played(names, minutes, mx, steps, to_the_end=True, lossy=True)
