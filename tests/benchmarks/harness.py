"""Scenarios, interleaved rounds, and the table that comes of them."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

OURS = "mockmail"


class Unavailable(Exception):
    """A contender that this machine does not have; says in a sentence what to install."""


def duration(seconds: float) -> str:
    """Three digits and a unit, such as ``86.2 us``."""
    for unit, scale in (("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 1000:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


@dataclass(frozen=True)
class Goal:
    """What a row should show: a peer that costs ``times`` as much as we do, or a cost of our own."""

    peer: str | None = None
    times: float = 0.0
    at_most: float = 0.0

    def verdict(self, costs: Mapping[str, float], show: Callable[[float], str]) -> str:
        ours = costs.get(OURS)
        if self.peer is None:
            text = f"<= {show(self.at_most)}"
            return text if ours is None else f"{text}: {_word(ours <= self.at_most)}"
        text = f"{self.peer} >= x{self.times:g}"
        peer = costs.get(self.peer)
        return text if ours is None or peer is None else f"{text}: {_word(peer / ours >= self.times)}"


@dataclass(frozen=True)
class Ahead:
    """We cost less than each of these; one that was not measured is left out, and named."""

    peers: tuple[str, ...]

    def verdict(self, costs: Mapping[str, float], show: Callable[[float], str]) -> str:
        measured = [peer for peer in self.peers if peer in costs]
        missing = [peer for peer in self.peers if peer not in costs]
        text = f"ahead of {', '.join(measured or self.peers)}"
        if OURS not in costs or not measured:
            return text
        met = all(costs[OURS] < costs[peer] for peer in measured)
        return f"{text}: {_word(met)}" + (f" (not measured: {', '.join(missing)})" if missing else "")


@dataclass(frozen=True)
class Within:
    """We cost at most ``times`` as much as the floor."""

    times: float
    peer: str = "floor"

    def verdict(self, costs: Mapping[str, float], show: Callable[[float], str]) -> str:
        text = f"within x{self.times:g} of {self.peer}"
        if OURS not in costs or self.peer not in costs:
            return text
        ratio = costs[OURS] / costs[self.peer]
        return f"{text}: {_word(ratio <= self.times)} (x{ratio:.3g})"


@dataclass(frozen=True)
class Step:
    """One row: ``measure(subject)`` gives seconds for one operation, or ``None`` where a subject has none. A row of
    anything but seconds has its own ``show``."""

    title: str
    measure: Callable[[Any], float | None]
    goals: Sequence[Goal | Ahead | Within] = ()
    show: Callable[[float], str] = duration


@dataclass(frozen=True)
class Scenario:
    """One table. In each round every contender is opened anew, then each step is measured on all of them in turn."""

    name: str
    title: str
    contenders: Mapping[str, Callable[[], AbstractContextManager[Any]]]
    steps: Sequence[Step]
    base: str = OURS
    rounds: int | None = None
    """Rounds unless the command line says otherwise; ``None``: the general default."""


Figures = dict[tuple[str, str], list[float]]


def _word(met: bool) -> str:
    return "met" if met else "MISSED"


def run(scenario: Scenario, rounds: int, only: Sequence[str] = ()) -> Figures:
    """Measure ``rounds`` times; whoever goes first changes from round to round. ``only`` names contenders. One that
    this machine does not have is left out, with a sentence."""
    contenders = {name: opener for name, opener in scenario.contenders.items() if not only or name in only}
    figures: Figures = {}
    for number in range(rounds):
        names = list(contenders)
        first = number % max(1, len(names))
        names = names[first:] + names[:first]
        with ExitStack() as stack:
            subjects = {}
            for name in names:
                try:
                    subjects[name] = stack.enter_context(contenders[name]())
                except Unavailable as reason:
                    print(f"\n{scenario.name}: no column {name}: {reason}", flush=True)
                    del contenders[name]
            for step in scenario.steps:
                for name in subjects:
                    value = step.measure(subjects[name])
                    if value is not None:
                        figures.setdefault((step.title, name), []).append(value)
        print(f"{scenario.name}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return figures


def table(scenario: Scenario, figures: Figures) -> str:
    """The least of the rounds, which is what goals and ratios are of: what else a machine does only adds. The median
    in brackets, with its own ratio to the base contender; the goal last."""
    names = [name for name in scenario.contenders if any(key[1] == name for key in figures)]
    lines = [
        f"\n## {scenario.title}\n",
        f"| row | {' | '.join(names)} | goal |",
        "|---" * (len(names) + 2) + "|",
    ]
    for step in scenario.steps:
        values = {name: figures[step.title, name] for name in names if (step.title, name) in figures}
        costs = {name: min(each) for name, each in values.items()}
        cells = [_cell(values.get(name), values.get(scenario.base), step.show) for name in names]
        goals = "; ".join(goal.verdict(costs, step.show) for goal in step.goals)
        lines.append(f"| {step.title} | {' | '.join(cells)} | {goals} |")
    return "\n".join(lines)


def _cell(values: list[float] | None, base: list[float] | None, show: Callable[[float], str]) -> str:
    if not values:
        return ""
    least, median = min(values), statistics.median(values)
    text = f"{show(least)} [{show(median)}]"
    if base and values is not base and min(base) > 0:
        text += f" x{least / min(base):.3g} [x{median / statistics.median(base):.3g}]"
    return text
