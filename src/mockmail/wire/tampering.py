"""Faults at work on bytes, and the seam through which a session's commands meet the plan of faults."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from mockmail.records import record
from mockmail.wire.contract import Abort, Action, Close, Link, Pause, Verdict
from mockmail.wire.faults import Fault
from mockmail.wire.transcript import Record

if TYPE_CHECKING:
    from mockmail.wire.connections import Connections

__all__ = ["FaultSeam", "HalfClose", "Step", "Tampering"]

THROTTLE_STEPS_A_SECOND = 20
GARBAGE = bytes(byte if byte in b"\r\n" else byte ^ 0x80 for byte in range(256))
"""The same length and the same line ends, and nothing a client can read."""

_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


@record
class HalfClose:
    """An action of faults alone: say no more, but go on listening."""


Step: TypeAlias = Action | HalfClose


class Tampering:
    """A fault at work on the output of one command."""

    __slots__ = ("_fault", "_left", "_literal_seen", "begun")

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._left = fault.after_bytes
        self._literal_seen = False
        self.begun = False
        """Whether there was output yet."""

    def apply(self, actions: Iterable[Step]) -> list[Step]:
        done: list[Step] = []
        for action in actions:
            if type(action) is not bytes:
                done.append(action)
                continue
            self.begun = True
            data, cut = self._shorten(action)
            if self._fault.garble:
                data = data.translate(GARBAGE)
            done += self._paced(data)
            if cut:
                done.append(Close())
                break
        return done

    def end(self) -> list[Step]:
        """What follows the last byte."""
        if self._fault.half_close:
            return [HalfClose()]
        if self._left is not None or self._fault.partial_literal:
            return [Close()]  # the reply was shorter than the place for the cut
        return []

    def _shorten(self, data: bytes) -> tuple[bytes, bool]:
        if self._left is not None:
            if len(data) >= self._left:
                return data[: self._left], True
            self._left -= len(data)
        elif self._fault.partial_literal and (match := _LITERAL.search(data)) is not None:
            return data[: match.end() + int(match[1]) // 2], True
        return data, False

    def _paced(self, data: bytes) -> list[Action]:
        rate = self._fault.throttle
        if rate is None:
            return [data] if data else []
        step = max(1, int(rate / THROTTLE_STEPS_A_SECOND))
        paced: list[Action] = []
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            paced += (piece, Pause(len(piece) / rate))
        return paced


class FaultSeam:
    """A connection's commands on their way through the plan of faults, and its output on the way back."""

    __slots__ = ("_connections", "_ended", "_link", "_record", "_tampering", "at_work")

    def __init__(self, connections: Connections, link: Link, record: Record) -> None:
        self._connections = connections
        self._link = link
        self._record = record
        self._tampering: Tampering | None = None
        """The fault at work on the output of the present command."""
        self._ended: Tampering | None = None
        """The one before, of which the end is still to be carried out."""
        self.at_work = False
        """Whether there is one: then output has to come one command at a time, and go through :meth:`apply`."""

    def connect(self, fault: Fault) -> list[Step]:
        """A fault of the connection itself acts on its greeting. Returns what comes before that."""
        self._record.note(f"fault: {fault.description}")
        if fault.acts_on_bytes:
            self._tamper(fault)
        verdict = fault.verdict()
        if verdict is None:
            return []
        return [Abort()] if verdict.drop else [Pause(verdict.delay_seconds)]

    def command(self, name: str, arguments: str, account: str | None) -> Verdict | None:
        """``Link.command`` of a connection."""
        if account is not None:
            self._record.account = account
        plan = self._connections.faults
        if plan is None or not plan.rules:
            return None
        if self._tampering is not None and self._tampering.begun:
            # Without output yet this is the same command still: LMTP asks about each recipient before it answers.
            self._ended, self._tampering = self._tampering, None
        try:
            fault = plan.match(self._link.protocol, name, arguments, account, self._link.session)
        except Exception as error:  # noqa: BLE001 - of a predicate of the user's; raised in the test
            self._link.errors.append(error)
            return None
        if fault is None:
            return None
        self._record.note(f"fault: {fault.description}")
        if fault.acts_on_bytes:
            self._tamper(fault)
        return fault.verdict()

    def _tamper(self, fault: Fault) -> None:
        self._tampering, self.at_work = Tampering(fault), True

    def apply(self, actions: Iterable[Action], *, busy: bool) -> list[Step]:
        """``actions`` of one command as they are to be done; unless ``busy`` they are its last."""
        steps: list[Step] = list(actions)
        if self._tampering is not None:
            steps = self._tampering.apply(steps)
            if not busy:
                steps += self._tampering.end()
                self._tampering = None
        if self._ended is not None:
            steps[:0] = self._ended.end()
            self._ended = None
        self.at_work = self._tampering is not None
        return steps
