"""What comes of attempts: gathered while they go on, written down when they are over. Loop thread only."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from mockmail.core.events import Bounced, RelayAttempted, Relayed
from mockmail.core.journal import Batch
from mockmail.core.notification import option
from mockmail.core.queue import Attempt, QueuedRecipient, QueueEntry
from mockmail.core.world import World
from mockmail.relay.client import Mail
from mockmail.relay.replies import Reply
from mockmail.relay.reporting import send_reports
from mockmail.relay.routes import Hop
from mockmail.smtp.params import encode_xtext

__all__ = ["Trial", "Verdict", "record_attempts"]

EXPIRED = "5.4.7"
"""Delivery time expired (RFC 3463 section 3.5)."""
_NEW_SUBMISSION = frozenset({"RET", "ENVID"})


class Verdict:
    """What was said of recipients, or is known of the hop that they were tried at."""

    __slots__ = ("final", "hop", "reply", "seconds", "temporary", "text", "tls", "tls_problem", "via")

    def __init__(
        self,
        reply: Reply,
        hop: Hop | None = None,
        tls: str | None = None,
        seconds: float = 0.0,
        tls_problem: str | None = None,
    ) -> None:
        self.reply = reply
        self.text = str(reply)
        self.hop = hop
        self.via = hop.name if hop is not None else ""
        self.tls = tls
        self.tls_problem = tls_problem
        self.seconds = seconds
        """In real time, of the conversation or of the vain try to begin one."""
        self.temporary = 400 <= reply.code < 500
        self.final = reply.spoken and not self.temporary
        """Whether no other host is asked: a next hop took the mail, or refused it for good. That one cannot take it
        says nothing of the others."""


class Trial:
    """An entry of the queue while it is being tried, one attempt after the other. Many of them fail together, again
    and again, so that this is made to cost little: as long as nothing was said of single recipients there is one
    verdict for all."""

    __slots__ = ("_all", "_each", "_hops", "_names", "_told", "_tried", "due_at", "entry", "late_report_due")

    def __init__(self, entry: QueueEntry) -> None:
        self.entry = entry
        self.due_at = entry.queued_at
        """When the attempt was to be made."""
        self._hops: tuple[Hop, ...] = ()
        self._tried = 0
        self.late_report_due = False
        """Whether its sender will be told that it is late."""
        self._all: Verdict | None = None
        self._each: dict[int, Verdict] = {}
        """By identity of the recipient."""
        self._names: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._told: Verdict | None = None
        """What all recipients that wait have as their reply."""

    def begin(self, due_at: datetime.datetime, hops: tuple[Hop, ...]) -> None:
        """Another attempt, at these hosts in this order."""
        self.due_at = due_at
        self._hops = hops
        self._tried = 0
        self.entry.next_attempt = None
        self.entry.attempt_count += 1
        self._all = None
        if self._each:
            self._each = {}
            self._names = None

    # While it goes on

    def next_hop(self) -> Hop | None:
        """Where it goes next; ``None`` when there is nobody left to ask, or about."""
        if self._tried >= len(self._hops) or (self._each and not self.undecided()):
            return None
        self._tried += 1
        return self._hops[self._tried - 1]

    def undecided(self) -> list[QueuedRecipient]:
        """Those for whom other hosts may be asked: nobody took the mail for them, or refused it for good."""
        waiting = self.entry.waiting
        if not self._each:
            return waiting
        return [one for one in waiting if (verdict := self._each.get(id(one))) is None or not verdict.final]

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of those undecided: as given in RCPT, and where the mail goes."""
        if self._names is None:
            undecided = self.undecided()
            self._names = tuple([one.original for one in undecided]), tuple([one.address for one in undecided])
        return self._names

    def mail(self, batch: Sequence[QueuedRecipient]) -> Mail:
        """What is sent to a next hop for these recipients."""
        entry = self.entry
        options = entry.message.envelope.mail_options
        if entry.sender != entry.message.sender:
            # A list's mail is the owner's, who asked nothing (RFC 3461 section 5.2.7.1).
            options = {name: value for name, value in options.items() if name.upper() not in _NEW_SUBMISSION}
        anew = entry.sender != entry.message.sender
        recipients = [(one.address, one.options if anew else _with_original(one)) for one in batch]
        return Mail(entry.sender, recipients, entry.content, options)

    def note_all(self, verdict: Verdict) -> None:
        """Note what holds for all that are undecided."""
        if not self._each:
            self._all = _later(self._all, verdict)
            return
        for recipient in self.undecided():
            self.note(recipient, verdict)

    def note(self, recipient: QueuedRecipient, verdict: Verdict) -> None:
        """Note what is known of one recipient."""
        self._names = None
        self._each[id(recipient)] = _later(self._each.get(id(recipient), self._all), verdict)

    # When it is over

    def _verdict(self, recipient: QueuedRecipient) -> Verdict:
        verdict = self._each.get(id(recipient), self._all)
        assert verdict is not None  # an attempt is over when something was said, or known, of everybody
        return verdict

    @property
    def anyone_waits(self) -> bool:
        """Whether there is somebody to try again for."""
        if not self._each and self._all is not None:
            return self._all.temporary
        return any(self._verdict(recipient).temporary for recipient in self.entry.waiting)

    def settle(self, world: World, *, give_up: bool) -> None:
        """Give each recipient the state that follows, record it, and have the sender told."""
        told, self._told = self._told, None
        if not give_up and not self._each:
            together = self._told = self._all
            if told is not None and together is not None and (told.text, told.via) == (together.text, together.via):
                return  # as after the attempt before, and the one before that
        now = world.clock.now()
        settled: list[QueuedRecipient] = []
        for recipient in self.entry.waiting:
            verdict = self._verdict(recipient)
            reply = verdict.reply
            recipient.reply, recipient.status, recipient.remote_spoke = verdict.text, reply.status, reply.spoken
            recipient.remote = verdict.via
            if reply.positive:
                recipient.state = "relayed"
            elif reply.permanent or give_up:
                recipient.state = "failed"
                if not reply.permanent:
                    recipient.status = EXPIRED
            else:
                continue
            recipient.settled_at = now
            settled.append(recipient)
        if settled:
            self._names = None
            self._record_relayed(world, [one for one in settled if one.state == "relayed"])
            self._record_bounced(world, [one for one in settled if one.state == "failed"])
            if any(one.state == "failed" or "SUCCESS" in one.notify for one in settled):  # mostly nobody is told
                send_reports(world, self.entry, settled)

    def _record_relayed(self, world: World, recipients: Sequence[QueuedRecipient]) -> None:
        by_hop: dict[str, list[QueuedRecipient]] = {}
        for recipient in recipients:
            by_hop.setdefault(recipient.remote, []).append(recipient)
        for name, there in by_hop.items():
            verdict = self._verdict(there[0])
            assert verdict.hop is not None  # only a next hop says yes
            world.journal.note(
                Relayed,
                world.clock.now(),
                self.entry.message,
                self.entry.domain,
                tuple([one.original for one in there]),
                tuple([one.address for one in there]),
                self.entry.attempt_count,
                name,
                verdict.hop.address,
                there[0].reply,
                verdict.tls,
                verdict.seconds,
            )

    def _record_bounced(self, world: World, recipients: Sequence[QueuedRecipient]) -> None:
        by_reply: dict[tuple[str, str], list[QueuedRecipient]] = {}
        for recipient in recipients:
            by_reply.setdefault((recipient.status, recipient.reply), []).append(recipient)
        entry = self.entry
        for (status, reply), failed in by_reply.items():
            world.journal.note(
                Bounced,
                world.clock.now(),
                entry.message,
                entry.sender,
                entry.domain,
                tuple([one.original for one in failed]),
                tuple([one.address for one in failed]),
                entry.attempt_count,
                status,
                reply,
                failed[0].remote,
            )


def _with_original(recipient: QueuedRecipient) -> Mapping[str, str | None]:
    """The parameters of RCPT, with the address that an alias took the place of (RFC 3461 section 5.2.1 d)."""
    options, original = recipient.options, recipient.original
    if original == recipient.address or option(options, "ORCPT") or not original.isascii():
        return options
    return {**options, "ORCPT": f"rfc822;{encode_xtext(original)}"}


def _later(known: Verdict | None, new: Verdict) -> Verdict:
    """The newer of two verdicts; but that one host can never take the mail ends nothing while another may."""
    if known is not None and known.temporary and not new.temporary and not new.final:
        return known
    return new


def record_attempts(
    world: World, trials: Sequence[Trial], verdict: Verdict, batch: Sequence[QueuedRecipient] | None = None
) -> None:
    """Record a try of entries at one host, with what decided it: for those undecided, or for the recipients in
    ``batch``."""
    now, name = world.clock.now(), verdict.via
    address = verdict.hop.address if verdict.hop is not None else None
    text, status, seconds = verdict.text, verdict.reply.status, verdict.seconds
    tls, problem = verdict.tls, verdict.tls_problem
    # Three lists, not a row for each: thousands of messages may wait, and each new tuple is one more that the garbage
    # collector walks from then on.
    entries = [trial.entry for trial in trials]
    numbers = [entry.attempt_count for entry in entries]
    names = [trial.names() for trial in trials] if batch is None else [_names(batch)]
    made = {n: Attempt(n, now, seconds, name, address, text, status, tls, problem) for n in set(numbers)}
    for entry, number in zip(entries, numbers, strict=True):
        entry.attempts.append(made[number])

    def event(row: int) -> RelayAttempted:
        entry, (originals, addresses) = entries[row], names[row]
        number = numbers[row]
        return RelayAttempted(
            now, entry.message, entry.domain, originals, addresses, number, name, address, text, tls, seconds, problem
        )

    world.journal.append(Batch(RelayAttempted, now, event, range(len(entries))))


def _names(batch: Sequence[QueuedRecipient]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple([one.original for one in batch]), tuple([one.address for one in batch])
