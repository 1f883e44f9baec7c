"""The IMAP4rev1 session (RFC 3501): bytes in, actions out. What each command does is in ``imap.handlers``.

Commands are carried out one after the other; the next one begins when the response to the one before has been pulled
whole, so that a client may send several at once (RFC 3501 section 5.5).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from time import perf_counter

from mockmail.core.world import World
from mockmail.imap.answers import Answers
from mockmail.imap.arrival import HIDDEN, Arrival, arrival_of, hidden_arrival
from mockmail.imap.extensions import NOT_AUTHENTICATED, STATES
from mockmail.imap.framing import Continuation, Framer, Line, RawCommand, Refusal
from mockmail.imap.handlers import HANDLERS
from mockmail.imap.handlers.login import needs_tls
from mockmail.imap.parsing import parse
from mockmail.imap.replies import Completion, LineMode, Output, Refused, Response, bad, no, untagged
from mockmail.imap.state import ConnectionState
from mockmail.imap.tokens import BadSyntax
from mockmail.imap.updates import known_flags, updates
from mockmail.wire.contract import SLICE_BYTES, Abort, Action, Close, Link, StartTLS, TLSInfo

__all__ = ["ImapSession"]

SLICE_SECONDS = 0.002
"""How long one pull may work before other connections have their turn."""
TIMEOUT_SECONDS = 30 * 60.0
"""At least that long a silent client is kept (RFC 3501 section 5.4)."""

_HOLDS_EXPUNGES_BACK = frozenset({"FETCH", "STORE", "SEARCH"})  # RFC 3501 section 7.4.1; their UID forms do not
_CONTINUE = b"+ Ready for the literal\r\n"


class ImapSession:
    """One client's conversation. See :class:`mockmail.wire.contract.Session` for what its methods mean."""

    def __init__(self, link: Link, world: World) -> None:
        self.link = link
        self.state = ConnectionState(link, world, self.notify)
        self._framer = Framer()
        self._set_limits()
        self._answers = Answers(self.state)
        self._out = self._answers.queue
        self._running: Iterator[bytes | None] | None = None
        self._held: Arrival | None = None
        """A command that waits for a scripted delay to be over."""
        self._line_mode: tuple[Arrival, LineMode] | None = None
        self._next_world: World | None = None
        self._in_command = False
        """Whether the reset came in the middle of a command, which then belongs to the world before."""
        self._fresh = False
        """Whether the framer may have something that was not asked for yet."""
        self._starting_tls = False
        """From the answer to STARTTLS until the handshake is done."""
        self._marked = False
        self._eof = False
        self._closed = False

    # The contract

    def greeting(self) -> None:
        """``* OK [CAPABILITY ...]``, or what a fault says instead."""
        verdict = self.link.command("GREETING", "", None)
        if verdict is None or not self._answers.obey(verdict, None):
            self._out.append(untagged(f"OK [{self.state.capabilities()}] mockmail is ready"))

    def receive(self, data: bytes) -> None:
        """Bytes of the client, cut anyhow."""
        self._framer.feed(data)
        if self._starting_tls:
            self._framer.clear()  # plain text behind STARTTLS is nobody's
        else:
            self._fresh = True

    answer = receive
    """The same: the response always waits for a pull."""

    def receive_eof(self) -> None:
        """The client half-closed."""
        self._eof = True

    def notify(self) -> None:
        """Something changed in the selected mailbox."""
        self._marked = True
        if (self._line_mode is not None and self._line_mode[1].pushes) or self.state.mailbox_lost:
            self.link.wake()

    def outgoing(self, limit_bytes: int = SLICE_BYTES) -> list[Action]:
        """What is to be done now: bytes in one piece, then at most one other action."""
        sends: list[bytes] = []
        action: Action | None = None
        size = 0
        deadline = perf_counter() + SLICE_SECONDS
        late = False
        while not self._closed:
            queued = self._out[0] if self._out else None
            if not (queued is None or isinstance(queued, bytes)):
                # However late it is: between two pulls the client's first words of TLS would be taken for commands.
                action = self._out.popleft()
                self._closed = isinstance(action, Close | Abort)
                if isinstance(action, StartTLS):
                    self._starting_tls = True
                    self._framer.clear()
                    self._fresh = False
                break
            if late or size >= limit_bytes:
                break
            chunk = queued
            if queued is not None:
                self._out.popleft()
            elif self._running is not None:
                try:
                    chunk = next(self._running)
                except StopIteration:
                    self._running = None
                    continue
            elif not self._begin_next():
                break
            if chunk:
                sends.append(chunk)
                size += len(chunk)
            late = perf_counter() > deadline
        actions: list[Action] = [b"".join(sends)] if sends else []
        if action is not None:
            actions.append(action)
        return actions

    @property
    def busy(self) -> bool:
        """Whether a response is not finished, or commands wait."""
        if self._closed:
            return False
        if self._out or self._running is not None or self._held is not None or self._fresh or self._eof:
            return True
        return self._marked and self._line_mode is not None and self._line_mode[1].pushes

    @property
    def wants_input(self) -> bool:
        """False while commands wait behind one in progress."""
        return self._framer.buffered_bytes == 0

    @property
    def timeout_seconds(self) -> float:
        """The same in every state, IDLE included (RFC 3501 section 5.4, RFC 2177)."""
        return TIMEOUT_SECONDS

    def timed_out(self) -> None:
        """Say goodbye."""
        if self._running is not None:
            self._out.append(Abort())  # a BYE now would stand in the middle of a response
        else:
            self._answers.bye("Logged out: nothing came for too long")

    def tls_started(self, info: TLSInfo) -> None:
        """Forget what came in plain text (RFC 3501 section 6.2.1)."""
        self.link.tls = info
        self._framer.clear()
        self._fresh = self._starting_tls = False

    def rebind(self, world: World) -> None:
        """Go over to a new world when the command in progress is done; one that has come in part counts as such."""
        self._next_world = world
        self._in_command = self._line_mode is None and self._framer.in_command
        self._marked = True
        self.link.wake()

    def connection_lost(self) -> None:
        """Give up what was under way; what had been handed out counts as done."""
        self._closed = True
        if self._running is not None:
            running, self._running = self._running, None
            running.close()  # type: ignore[attr-defined]  # all of them are generators
        self.state.end()

    # One thing after the other

    def _begin_next(self) -> bool:
        """Begin what comes next; False when there is nothing."""
        if self._held is not None:
            held, self._held = self._held, None
            self._dispatch(held)
            return True
        if self.state.mailbox_lost:
            self._answers.bye("The selected mailbox was deleted, or its UIDVALIDITY changed")
            return True
        if self._next_world is not None and not self._in_command:
            self._enter(self._next_world)
        if self._line_mode is not None:
            return self._go_on(*self._line_mode)
        if self._limits_are_of is not self.state.account:
            self._set_limits()
        event = self._framer.next()
        if event is None:
            return self._at_end_of_input()
        if isinstance(event, Continuation):
            self._literal_announced(event)
            return True
        self._in_command = False
        if isinstance(event, RawCommand):
            self._arrived(event)
        else:
            self._refused(event)
        return True

    def _at_end_of_input(self) -> bool:
        self._fresh = False
        if self._eof:
            self._out.append(Close())
        return self._eof

    def _enter(self, world: World) -> None:
        self._next_world = None
        self.state.rebind(world)
        self._marked = True
        self._set_limits()

    def _set_limits(self) -> None:
        self._framer.limits = self.state.limits
        self._framer.literal_plus = self.state.offers("LITERAL+")
        self._limits_are_of = self.state.account

    def _arrived(self, raw: RawCommand) -> None:
        arrival = self._announce(raw)
        if arrival.name == HIDDEN:
            self._answers.complete(arrival, bad("There is no such command"))
            return
        verdict = self.link.command(arrival.name, arrival.arguments, self.state.address or None)
        if verdict is None:
            self._dispatch(arrival)
            return
        self._answers.wrong_tag = verdict.wrong_tag
        if self._answers.obey(verdict, arrival):
            return
        if verdict.delay_seconds:
            self._held = arrival
        else:
            self._dispatch(arrival)

    def _announce(self, raw: RawCommand) -> Arrival:
        """Look at a command, and hide its secrets."""
        arrival = arrival_of(raw)
        refused_login = self._answers.refused_login
        if refused_login is not None and arrival.name not in STATES and not _like(refused_login, arrival.tag):
            # A script that does not read its replies sends its password all the same.
            arrival = hidden_arrival(raw)
        for start, stop in arrival.secrets:
            self.link.redact(start, stop)
        return arrival

    def _dispatch(self, arrival: Arrival) -> None:
        """Carry a command out: the one way to every handler."""
        state = self.state
        response: Response | LineMode
        uid = holds_back = False
        try:
            command = parse(arrival.raw, state.understood, utf8="UTF8=ACCEPT" in state.enabled)
            uid = command.uid
            holds_back = not uid and command.name in _HOLDS_EXPUNGES_BACK
            _check_state(command.full_name, command.name, state.name)
            handler = HANDLERS.get(command.name)
            state.arguments = arrival.arguments
            response = handler(state, command) if handler else bad(f"{command.full_name} is not available here")
        except BadSyntax as error:
            response = bad(error.text) if error.condition == "BAD" else no(error.text, error.code)
        except Refused as refusal:
            response = refusal.completion
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            response = _server_bug(self.link, error)
        if isinstance(response, LineMode):
            self._line_mode = arrival, response
            self._marked = True
            self._out.append(response.prompt)
            if response.pushes:
                self._answers.record(arrival, response.prompt.decode("ascii").rstrip())
        elif isinstance(response, Completion) and not _has_news(state):
            self._answers.complete(arrival, response)
        else:
            self._running = self._respond(arrival, response, expunges=not holds_back, uid=uid)

    def _respond(self, arrival: Arrival, response: Response, *, expunges: bool, uid: bool) -> Iterator[bytes | None]:
        view = self.state.view
        if view is not None and view.has_new_keywords:
            yield known_flags(view)  # before the first FETCH that has one
        completion = yield from _guarded(self.link, response)
        view = self.state.view
        if view is not None:
            yield from updates(view, expunges=expunges, uid=uid)
        self._answers.complete(arrival, completion)

    # Lines that are no commands

    def _go_on(self, arrival: Arrival, mode: LineMode) -> bool:
        view = self.state.view
        if mode.pushes and self._marked:
            self._marked = False
            if view is not None and view.has_changes:
                self._running = updates(view, expunges=True)
                return True
        line = self._framer.next_line()
        if line is None:
            return self._at_end_of_input()
        answer: bytes | Completion
        try:
            answer = self._answer(mode, line)
        except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
            answer = _server_bug(self.link, error)
        if isinstance(answer, bytes):
            self._out.append(answer)
            return True
        self._line_mode = None
        self._running = self._respond(arrival, answer, expunges=True, uid=False)
        return True

    def _answer(self, mode: LineMode, line: Line | Refusal) -> bytes | Completion:
        if isinstance(line, Refusal):
            if mode.secret:
                _hide_rest(self.link, self._framer, line.command.pieces[0].start)
            return bad(line.text)
        if mode.secret and line.data != b"*":
            self.link.redact(line.start, line.stop)
        return mode.take(line.data)

    # Literals

    def _literal_announced(self, event: Continuation) -> None:
        arrival = self._announce(event.command)
        if arrival.name == HIDDEN:
            self._framer.refuse()
            self._answers.complete(arrival, bad("There is no such command"))
            return
        verdict = self.link.command("LITERAL", arrival.arguments, self.state.address or None)
        if verdict is not None and self._answers.obey(verdict, arrival):
            self._framer.refuse()
            return
        refusal = _early_refusal(self.state, arrival) if len(event.command.pieces) == 1 else None
        if refusal is None:
            self._out.append(_CONTINUE)
        else:
            # It is kinder, and takes less memory, than to have a message sent first (RFC 3501 section 7.5).
            self._framer.refuse()
            self._answers.complete(arrival, refusal)

    def _refused(self, refusal: Refusal) -> None:
        arrival = self._announce(refusal.command)
        if arrival.secrets or arrival.name in ("LOGIN", "AUTHENTICATE"):
            _hide_rest(self.link, self._framer, arrival.secrets[0][0] if arrival.secrets else self._framer.position)
        if arrival.name != HIDDEN:
            arrival = dataclasses.replace(arrival, tag=refusal.tag)
        self._answers.complete(
            arrival, Completion("NO" if refusal.condition == "NO" else "BAD", refusal.text, refusal.code)
        )


def _like(one: str, other: str | None) -> bool:
    """Whether two tags look alike, as those of one client do: ``a1`` and ``a12``."""
    return other is not None and _shape(one) == _shape(other)


def _shape(tag: str) -> str:
    return _DIGITS("0", _LETTERS("a", tag))


_DIGITS, _LETTERS = re.compile("[0-9]+").sub, re.compile("[A-Za-z]").sub


def _has_news(state: ConnectionState) -> bool:
    """Whether the client is to be told of anything before its command is completed."""
    view = state.view
    return view is not None and (view.has_changes or view.has_new_keywords)


def _check_state(full_name: str, name: str, state: str) -> None:
    """Raise ``Refused`` for a command that is not valid in this state (RFC 3501 section 3)."""
    valid = STATES[name]
    if state in valid:
        return
    if state == NOT_AUTHENTICATED:
        raise Refused(bad(f"{full_name} needs a login; write LOGIN user password first"))
    if NOT_AUTHENTICATED in valid:
        raise Refused(bad(f"{full_name} is for clients that have not logged in, and this one has"))
    raise Refused(bad(f"{full_name} needs a selected mailbox; write SELECT INBOX first"))


def _early_refusal(state: ConnectionState, arrival: Arrival) -> Completion | None:
    """Why a command whose first literal was announced will not be carried out, where that can be told."""
    name = arrival.name.removeprefix("UID ")
    if arrival.tag is None or name not in STATES or arrival.name not in state.understood.commands:
        return None  # the parser knows best how to say so
    try:
        _check_state(arrival.name, name, state.name)
    except Refused as refusal:
        return refusal.completion
    if name in ("LOGIN", "AUTHENTICATE") and not state.login_permitted:
        return needs_tls()
    return None


def _guarded(link: Link, response: Response) -> Output:
    """A response that ends in a completion whatever happens in it."""
    if isinstance(response, Completion):
        return response
    try:
        return (yield from response)
    except Refused as refusal:
        return refusal.completion
    except Exception as error:  # noqa: BLE001 - recorded, and raised in the test
        return _server_bug(link, error)


def _server_bug(link: Link, error: Exception) -> Completion:
    link.errors.append(error)
    return no("mockmail failed at this command; the error is raised in the test", "SERVERBUG")


def _hide_rest(link: Link, framer: Framer, start: int) -> None:
    """Hide what was refused, also what is still to come of it."""
    link.redact(start, framer.position)
    framer.hide = link.redact
