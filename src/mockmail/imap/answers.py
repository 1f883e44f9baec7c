"""What is queued for the client between responses: tagged lines, farewells, scripted replies; and their record in the
journal."""

from __future__ import annotations

from collections import deque

from mockmail.imap.arrival import HIDDEN, Arrival
from mockmail.imap.replies import Completion, untagged
from mockmail.imap.state import ConnectionState
from mockmail.wire.contract import Abort, Action, Close, Pause, StartTLS, Verdict

__all__ = ["BAD_COMMANDS_BEFORE_LOGIN", "Answers"]

BAD_COMMANDS_BEFORE_LOGIN = 10
"""That many in a row, and it is no mail program that talks."""

_LOGINS = frozenset({"LOGIN", "AUTHENTICATE"})


class Answers:
    """A queue of bytes and actions, handed out before anything else."""

    __slots__ = ("_bad_in_a_row", "_state", "queue", "refused_login", "wrong_tag")

    def __init__(self, state: ConnectionState) -> None:
        self._state = state
        self.queue: deque[bytes | Action] = deque()
        self.wrong_tag = False
        """A fault wants the next completion to carry another tag than the command's."""
        self.refused_login: str | None = None
        """The tag of the last command, when that was a login and refused: what comes next may be its secret."""
        self._bad_in_a_row = 0

    def complete(self, arrival: Arrival, completion: Completion) -> None:
        """The end of a command. It is recorded before the client can know of it."""
        line = completion.line
        if arrival.name == "IDLE" and completion.condition == "OK":
            self.record(arrival, line, name="DONE")  # IDLE itself was recorded when it began
        else:
            self.record(arrival, line)
        self.queue.append(f"{self._tag(arrival)} {line}\r\n".encode("ascii", "backslashreplace"))
        if completion.farewell is not None:
            self.bye(completion.farewell)
        elif completion.closes:
            self.queue.append(Close())
        elif completion.starts_tls:
            self.queue.append(StartTLS())
        else:
            self._count_bad(completion)

    def _tag(self, arrival: Arrival) -> str:
        wrong, self.wrong_tag = self.wrong_tag, False
        if arrival.tag is None:
            return "*"
        return arrival.tag + "0" if wrong else arrival.tag

    def _count_bad(self, completion: Completion) -> None:
        if completion.condition != "BAD" or self._state.account is not None:
            self._bad_in_a_row = 0
            return
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= BAD_COMMANDS_BEFORE_LOGIN:
            self.bye(f"{self._bad_in_a_row} bad commands in a row, and no login")

    def obey(self, verdict: Verdict, arrival: Arrival | None) -> bool:
        """Queue what a fault wants done instead of a command (``None``: of the greeting), or before it; whether it is
        done with."""
        if verdict.delay_seconds:
            self.queue.append(Pause(verdict.delay_seconds))
        if verdict.drop:
            self.queue.append(Abort())
        elif verdict.reply is not None:
            self._scripted(arrival, verdict.reply)
        else:
            return False
        return True

    def _scripted(self, arrival: Arrival | None, reply: str) -> None:
        bye = reply[:3].upper() == "BYE"
        tag = "*"
        if arrival is not None:
            self.record(arrival, reply)
            tag = "*" if bye else self._tag(arrival)
        self.queue.append(f"{tag} {reply}\r\n".encode())
        if bye:
            self.queue.append(Close())

    def record(self, arrival: Arrival, reply: str, *, name: str | None = None) -> None:
        """Put the command into the journal, under its own name or another."""
        if arrival.name in _LOGINS:
            self.refused_login = None if reply.startswith("OK") else arrival.tag or ""
        elif arrival.name != HIDDEN:
            self.refused_login = None
        state = self._state
        world, link = state.world, state.link
        world.journal.note_command(
            world.clock.instant(),
            link.protocol,
            name or arrival.name,
            arrival.arguments,
            state.address,
            link.session,
            reply,
        )

    def bye(self, text: str) -> None:
        """Say goodbye, and close."""
        self.queue.append(untagged(f"BYE {text}"))
        self.queue.append(Close())
