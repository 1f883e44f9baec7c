"""Scripted faults: rules that match a command of any protocol and say what goes wrong, deterministically.

A session asks once for each command (``Link.command``) and gets a ``Verdict`` on what it has to do itself; what acts
on bytes the connection sees to (``tampering``).
"""

from __future__ import annotations

import datetime
import itertools
import math
import random
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from mockmail.core.events import Command
from mockmail.errors import ConfigurationError
from mockmail.wire.contract import Verdict

__all__ = ["Fault", "FaultPlan", "Vocabulary"]

EVERYWHERE = frozenset({"CONNECT", "GREETING", "AUTH", "*"})
PHASES = frozenset({"CONNECT", "GREETING", "LITERAL", "MESSAGE"})
"""Not commands, so not meant by ``"*"``."""

_ADDRESS = re.compile(r"[^\s<>:,;]+@[^\s<>:,;]+")

Matcher: TypeAlias = "str | re.Pattern[str]"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a protocol's rows tell about its commands. Names are in capitals."""

    commands: frozenset[str]
    """Commands and phases, such as ``"FETCH"``, ``"UID FETCH"``, ``"MESSAGE"``."""
    logins: frozenset[str] = frozenset()
    """Those that log in; all of them are meant by ``"AUTH"``."""
    tagged: bool = False
    """Whether there are tags and literals."""
    places: bool = False
    """Whether commands are methods and places, ``"GET /a/b"``, either of which names them; a place may end in ``*``.
    Then a reply is a status and a text, and faults do not act on single bytes."""


_numbers = itertools.count(1)


class Fault:
    """A rule in force. As a context manager it is removed at the end of the block. ``hits`` counts how often it
    fired. What each argument means is written at :meth:`FaultPlan.add`."""

    def __init__(
        self,
        plan: FaultPlan,
        protocol: str,
        command: str,
        *,
        reply: str | None,
        drop: bool,
        after_bytes: int | None,
        delay: float,
        half_close: bool,
        throttle: float | None,
        garble: bool,
        refuse: bool,
        hang: bool,
        wrong_tag: bool,
        partial_literal: bool,
        account: Matcher | None,
        to: Matcher | Collection[str] | None,
        where: Callable[[Command], bool] | None,
        nth: int | None,
        times: int | None,
        probability: float | None,
        seed: int | None,
    ) -> None:
        self._plan = plan
        self.protocol = protocol
        self.command = command
        self.reply = reply
        self.drop = drop
        self.after_bytes = after_bytes
        self.delay_seconds = delay
        self.half_close = half_close
        self.throttle = throttle
        self.garble = garble
        self.refuse = refuse
        self.hang = hang
        self.wrong_tag = wrong_tag
        self.partial_literal = partial_literal
        self.account = account
        self.to = to
        self.where = where
        self.nth = nth
        self.times = times if times is not None or nth is None else 1
        self.probability = probability
        self.number = next(_numbers)
        """What tells it from the others of this process."""
        self.hits = 0
        """How often it fired."""
        self._seen = 0
        self._random = random.Random(0 if seed is None else seed)

    def remove(self) -> None:
        """Take the rule back. Idempotent; any thread."""
        self._plan.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<Fault {self.description}, hits={self.hits}>"

    @property
    def used_up(self) -> bool:
        return self.times is not None and self.hits >= self.times

    @property
    def acts_on_bytes(self) -> bool:
        return (
            self.after_bytes is not None
            or self.half_close
            or self.throttle is not None
            or self.garble
            or self.partial_literal
        )

    @property
    def acts(self) -> list[str]:
        """Names of what it does."""
        return [
            name
            for name in _ACTS
            if (value := getattr(self, name)) is not None and value is not False and (name, value) != _NO_DELAY
        ]

    @property
    def description(self) -> str:
        acts = " ".join(f"{name}={getattr(self, name)!r}" for name in self.acts)
        return f"{self.protocol} {self.command} {acts}".replace("delay_seconds", "delay")

    def verdict(self) -> Verdict | None:
        """What the session has to do."""
        if self.hang:
            return Verdict(delay_seconds=math.inf)
        if self.reply is None and not self.drop and not self.delay_seconds and not self.wrong_tag:
            return None
        return Verdict(self.reply, self.drop, self.delay_seconds, self.wrong_tag)

    def fires(self, command: Command, logins: frozenset[str], *, eligible: bool) -> bool:
        """Count ``command`` if it matches, and say whether this rule acts on it (never when another one does, that
        is, unless ``eligible``)."""
        if not self._matches(command, logins):
            return False
        self._seen += 1
        if not eligible or self.used_up or self._seen < (self.nth or 1):
            return False
        if self.probability is not None and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def _matches(self, command: Command, logins: frozenset[str]) -> bool:
        name, wanted = command.name, self.command
        if self.protocol != command.protocol:
            return False
        if wanted == "*":
            if name in PHASES:
                return False
        elif wanted.endswith("*"):
            if not any(one.startswith(wanted[:-1]) for one in (name, name.partition(" ")[2])):
                return False
        elif not (
            name == wanted
            or name.endswith(" " + wanted)
            or name.startswith(wanted + " /")
            or (wanted == "AUTH" and name in logins)
        ):
            return False
        if self.account is not None and not _is(self.account, command.account):
            return False
        if self.to is not None and not _all_there(self.to, _ADDRESS.findall(command.arguments)):
            return False
        return self.where is None or bool(self.where(command))


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class FaultPlan:
    """The faults of a server, in the order added. ``add`` and ``remove`` from any thread; ``match`` on the loop's.

    ``vocabularies`` has the protocols that faults are known for. ``on_fired`` is told of each hit (loop thread), with
    the command as ``where`` saw it: not carried out yet, so without a reply; ``now`` dates it.
    """

    def __init__(
        self,
        vocabularies: Mapping[str, Vocabulary] | None = None,
        *,
        on_fired: Callable[[Fault, Command], None] | None = None,
        now: Callable[[], datetime.datetime] = _now,
    ) -> None:
        self._vocabularies = dict(vocabularies or {})
        self._on_fired = on_fired
        self._now = now
        self._lock = threading.Lock()
        self.rules: tuple[Fault, ...] = ()
        self._added: list[Fault] = []
        self.acts_on_bytes = False
        """Whether any rule does; then a connection pulls one command's output at a time."""

    def add(
        self,
        protocol: str,
        command: str,
        *,
        reply: str | None = None,
        drop: bool = False,
        after_bytes: int | None = None,
        delay: float = 0.0,
        half_close: bool = False,
        throttle: float | None = None,
        garble: bool = False,
        refuse: bool = False,
        hang: bool = False,
        wrong_tag: bool = False,
        partial_literal: bool = False,
        account: Matcher | None = None,
        to: Matcher | Collection[str] | None = None,
        where: Callable[[Command], bool] | None = None,
        nth: int | None = None,
        times: int | None = None,
        probability: float | None = None,
        seed: int | None = None,
    ) -> Fault:
        """Add a rule: at ``command`` (or phase) of ``protocol``, if ``account``, ``to`` and ``where`` fit, from the
        ``nth`` match on, ``times`` times (once with ``nth``, else always), with ``probability``:

        answer ``reply`` (text without tag) instead of carrying it out; ``drop`` the connection before; lose it
        ``after_bytes`` of the answer; wait for ``delay`` seconds before; ``half_close`` after the answer;
        ``throttle`` the answer to so many bytes a second; ``garble`` it; ``refuse`` the connection (CONNECT);
        ``hang`` for ever; answer with the ``wrong_tag``; end in mid-literal (``partial_literal``).

        Raises ``ConfigurationError`` for unknown names and contradictions.
        """
        command = _normal(command)
        vocabulary = self._vocabulary(protocol, command)
        fault = Fault(
            self, protocol, command, reply=reply, drop=drop, after_bytes=after_bytes, delay=delay,
            half_close=half_close, throttle=throttle, garble=garble, refuse=refuse, hang=hang, wrong_tag=wrong_tag,
            partial_literal=partial_literal, account=account, to=to, where=where, nth=nth, times=times,
            probability=probability, seed=seed,
        )  # fmt: skip
        if seed is not None and probability is None:
            raise ConfigurationError(f"seed={seed} decides nothing; write probability= with it.")
        _check_acts(fault, vocabulary)
        _check_numbers(fault)
        with self._lock:
            self._added.append(fault)
            self._set((*self.rules, fault))
        return fault

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._set(tuple(rule for rule in self.rules if rule is not fault))

    def clear(self) -> None:
        """Remove all, and forget that they were."""
        with self._lock:
            self._added.clear()
            self._set(())

    @property
    def added(self) -> tuple[Fault, ...]:
        """All since the last :meth:`clear`, removed ones too."""
        return tuple(self._added)

    def unused(self) -> list[Fault]:
        """Those ever added that never fired."""
        return [fault for fault in self.added if not fault.hits]

    def match(self, protocol: str, name: str, arguments: str, account: str | None, session: str) -> Fault | None:
        """The first rule that acts on this command; it counts as a hit. The arguments at the end of a message are
        its recipients, separated by spaces. Lets exceptions of ``where`` through."""
        rules = self.rules
        if not rules:
            return None
        command = Command(self._now(), protocol, _normal(name), arguments, account or "", session, "")
        vocabulary = self._vocabularies.get(protocol)
        logins = vocabulary.logins if vocabulary is not None else frozenset()
        fired = None
        for rule in rules:
            if rule.fires(command, logins, eligible=fired is None):
                fired = rule
        if fired is not None and self._on_fired is not None:
            self._on_fired(fired, command)
        return fired

    def _set(self, rules: tuple[Fault, ...]) -> None:
        self.rules = rules
        self.acts_on_bytes = any(rule.acts_on_bytes for rule in rules)

    def _vocabulary(self, protocol: str, command: str) -> Vocabulary:
        vocabulary = self._vocabularies.get(protocol)
        if vocabulary is None:
            known = ", ".join(sorted(self._vocabularies))
            raise ConfigurationError(f"faults know no protocol {protocol!r}; write one of {known}.")
        method, _, place = command.rpartition(" ") if command.startswith("/") else command.partition(" ")
        if vocabulary.places and (place.startswith("/") and (not method or method in vocabulary.commands)):
            return vocabulary
        if command not in EVERYWHERE and command not in vocabulary.commands:
            known = ", ".join(sorted(EVERYWHERE | vocabulary.commands))
            raise ConfigurationError(f"{protocol} has no command or phase {command!r}; write one of {known}.")
        return vocabulary


_STATUS = re.compile("[2-5][0-9][0-9](?: .*)?").fullmatch
_ACTS = (
    "reply", "drop", "after_bytes", "delay_seconds", "half_close", "throttle", "garble", "refuse", "hang", "wrong_tag",
    "partial_literal",
)  # fmt: skip
_NO_DELAY = ("delay_seconds", 0)
_ENDINGS = ("reply", "drop", "after_bytes", "half_close", "refuse", "hang", "partial_literal")
"""Only one of these can happen to one command; but a reply may be cut."""
_OF_OUTPUT = frozenset({"after_bytes", "half_close", "partial_literal"})


def _normal(command: str) -> str:
    """Commands in capitals; places as they are."""
    words = command.split()
    return " ".join(word if word.startswith("/") else word.upper() for word in words)


def _check_acts(fault: Fault, vocabulary: Vocabulary) -> None:
    acts = fault.acts
    where = f"the fault at {fault.protocol} {fault.command}"
    if not acts:
        raise ConfigurationError(f"{where} does nothing; write reply=, drop=True, after_bytes=, delay= or another act.")
    endings = [name for name in acts if name in _ENDINGS]
    if len(endings) > 1 and not (endings[0] == "reply" and len(endings) == 2 and endings[1] in _OF_OUTPUT):
        raise ConfigurationError(f"{where} cannot do both {endings[0]} and {endings[1]}; write one, or add two faults.")
    silent = next((name for name in ("drop", "refuse", "hang") if name in acts), None)
    for name in ("throttle", "garble", "wrong_tag"):
        if silent is not None and name in acts:
            raise ConfigurationError(
                f"{where} has no answer for {name} to act on, since it says {silent}; leave one out."
            )
    if "delay_seconds" in acts and silent in {"refuse", "hang"}:
        raise ConfigurationError(f"{where} cannot delay a {silent}; leave one out.")
    if fault.refuse and fault.command != "CONNECT":
        raise ConfigurationError(
            f"{where} comes too late to refuse; write 'CONNECT' with refuse=True, or drop=True here."
        )
    if fault.command == "CONNECT" and (fault.reply is not None or fault.wrong_tag):
        raise ConfigurationError(f"{where} has nothing to reply to; write 'GREETING' with reply=.")
    if fault.command == "CONNECT" and (fault.account is not None or fault.to is not None):
        raise ConfigurationError(f"{where} comes before any account or recipient is known; leave account= and to= out.")
    if (fault.wrong_tag or fault.partial_literal) and not vocabulary.tagged:
        name = "wrong_tag" if fault.wrong_tag else "partial_literal"
        raise ConfigurationError(
            f"{where} cannot do {name}: {fault.protocol} has no tags or literals; try garble=True."
        )
    if vocabulary.places:
        unfit = [name for name in acts if name not in ("reply", "drop", "delay_seconds", "hang", "refuse")]
        if unfit or (fault.reply is not None and not _STATUS(fault.reply)):
            raise ConfigurationError(
                f"{where} can be a reply with a status ('503 Busy'), drop, delay, hang, or refuse at CONNECT; it says"
                f" {', '.join(unfit) or repr(fault.reply)}."
            )
    if fault.reply is not None and ("\r" in fault.reply or "\n" in fault.reply):
        raise ConfigurationError(f"{where} has a line end in reply={fault.reply!r}; write one line without it.")


def _check_numbers(fault: Fault) -> None:
    where = f"the fault at {fault.protocol} {fault.command}"
    for name, value, least in (
        ("nth", fault.nth, 1),
        ("times", fault.times, 1),
        ("after_bytes", fault.after_bytes, 0),
        ("delay", fault.delay_seconds, 0),
    ):
        if value is not None and not value >= least:
            raise ConfigurationError(f"{where} has {name}={value}; write {least} or more.")
    if fault.throttle is not None and not fault.throttle > 0:
        raise ConfigurationError(f"{where} has throttle={fault.throttle}; write bytes a second, more than 0.")
    if fault.probability is not None and not 0 < fault.probability <= 1:
        raise ConfigurationError(f"{where} has probability={fault.probability}; write more than 0 and at most 1.")


def _is(wanted: Matcher, value: str) -> bool:
    if isinstance(wanted, str):
        return wanted.lower() == value.lower()
    return wanted.search(value) is not None


def _all_there(wanted: Matcher | Collection[str], addresses: list[str]) -> bool:
    if isinstance(wanted, (str, re.Pattern)):
        return any(_is(wanted, address) for address in addresses)
    return all(any(_is(one, address) for address in addresses) for one in wanted)
