"""What a server costs besides its protocols: start and stop, reset, waking an assertion."""

from __future__ import annotations

from harness import OURS, Goal, Scenario, Step
from subjects import Subject, child

CYCLES = 30


def start(subject: Subject) -> float:
    subject.notes["cycles"] = subject.ask("cycles", count=CYCLES)
    seconds: float = subject.notes["cycles"]["start"]
    return seconds


def stop(subject: Subject) -> float:
    seconds: float = subject.notes["cycles"]["stop"]
    return seconds


def both(subject: Subject) -> float:
    return start(subject) + stop(subject)


def resets(subject: Subject) -> float:
    seconds: float = subject.ask("resets", count=1000)
    return seconds


def resets_after_mail(subject: Subject) -> float:
    seconds: float = subject.ask("resets_after_mail", count=300)
    return seconds


def wake_ups(subject: Subject) -> float:
    seconds: float = subject.ask("wake_ups", count=100)
    return seconds


SCENARIOS = [
    Scenario(
        "start",
        f"All three servers started and stopped (median of {CYCLES} in one process), against one SMTP server",
        {OURS: child("start-mockmail"), "pytest-localserver": child("start-localserver")},
        [
            Step("start", start),
            Step("stop", stop),
            Step("start and stop", both, (Goal("pytest-localserver", 1.0),)),
        ],
    ),
    Scenario(
        "server",
        "Between tests, and waiting",
        {OURS: child("mockmail")},
        [
            Step("reset(), empty, one of 1,000", resets, (Goal(at_most=50e-6),)),
            Step("reset() after one message", resets_after_mail, (Goal(at_most=50e-6),)),
            Step("message stored to assert_delivered returning", wake_ups, (Goal(at_most=60e-6),)),
        ],
    ),
]
