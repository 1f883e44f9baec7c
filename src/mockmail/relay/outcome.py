"""What comes of an attempt: gathered while it goes on, written down when it is over. Loop thread only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mockmail.core.events import Bounced, RelayAttempted, Relayed
from mockmail.core.journal import Batch
from mockmail.core.queue import Attempt, QueuedRecipient, QueueEntry
from mockmail.core.world import World
from mockmail.relay.client import Mail
from mockmail.relay.replies import Reply, Trouble
from mockmail.relay.reporting import send_reports
from mockmail.relay.routes import Hop
from mockmail.relay.transmit import Transmission

__all__ = ["Ledger"]

EXPIRED = "5.4.7"
"""Delivery time expired (RFC 3463 section 3.5)."""
_NEW_SUBMISSION = frozenset({"RET", "ENVID"})


@dataclass(frozen=True, slots=True)
class _Verdict:
    reply: Reply
    hop: Hop | None
    tls: str | None
    seconds: float


class Ledger:
    """The verdicts of one attempt, which may be of many entries at several hosts."""

    def __init__(self) -> None:
        self._verdicts: dict[int, _Verdict] = {}
        self._final: set[int] = set()
        """Recipients (by identity) whom a next hop answered; no other host of the same domain is asked then."""

    # While it goes on

    def undecided(self, entry: QueueEntry) -> list[QueuedRecipient]:
        """Those about whom no next hop has said anything."""
        return [recipient for recipient in entry.waiting if id(recipient) not in self._final]

    def mail(self, entry: QueueEntry, batch: Sequence[QueuedRecipient]) -> Mail:
        """What is sent to a next hop for these recipients."""
        options = entry.message.envelope.mail_options
        if entry.sender != entry.message.sender:
            # A list's mail is the owner's, who asked nothing (RFC 3461 section 5.2.7.1).
            options = {name: value for name, value in options.items() if name.upper() not in _NEW_SUBMISSION}
        recipients = [(recipient.address, dict(recipient.options)) for recipient in batch]
        return Mail(entry.sender, recipients, entry.content, options)

    def decide(self, recipient: QueuedRecipient, reply: Reply, hop: Hop | None) -> None:
        """Note what is known about a recipient, until something better is."""
        self._verdicts[id(recipient)] = _Verdict(reply, hop, None, 0.0)

    def decide_all(self, entry: QueueEntry, reply: Reply, hop: Hop | None) -> None:
        """Note it for everybody about whom nothing was said."""
        for recipient in self.undecided(entry):
            self.decide(recipient, reply, hop)

    def attempted(
        self,
        world: World,
        entries: Sequence[QueueEntry],
        hop: Hop | None,
        reply: Reply,
        tls: str | None,
        seconds: float,
        batch: Sequence[QueuedRecipient] | None = None,
    ) -> None:
        """Record a try of entries at one host, with what decided it."""
        now, text = world.clock.now(), str(reply)
        name, address = (hop.name, hop.address) if hop is not None else ("", None)
        same: dict[int, Attempt] = {}
        rows = []
        for entry in entries:
            number = entry.attempt_count
            attempt = same.get(number)
            if attempt is None:
                attempt = same[number] = Attempt(number, now, seconds, name, address, text, reply.status, tls)
            entry.attempts.append(attempt)
            concerned = batch if batch is not None else self.undecided(entry)
            rows.append((entry, number, [(one.original, one.address) for one in concerned]))

        def event(row: tuple[QueueEntry, int, list[tuple[str, str]]]) -> RelayAttempted:
            entry, number, names = row
            originals, addresses = tuple(one for one, _ in names), tuple(one for _, one in names)
            return RelayAttempted(
                now, entry.message, entry.domain, originals, addresses, number, name, address, text, tls, seconds
            )

        world.journal.append(Batch(RelayAttempted, now, event, rows))

    def sent(
        self,
        world: World,
        entry: QueueEntry,
        batch: Sequence[QueuedRecipient],
        outcomes: dict[str, Reply],
        trouble: Trouble | None,
        transmission: Transmission,
        seconds: float,
    ) -> None:
        """Note how a transaction ended."""
        hop, tls = transmission.hop, transmission.tls
        for recipient in batch:
            reply = outcomes.get(recipient.address)
            if reply is not None:
                self._final.add(id(recipient))
                self._verdicts[id(recipient)] = _Verdict(reply, hop, tls, seconds)
                recipient.notifies_itself = reply.positive and transmission.confirms
            elif trouble is not None:
                self._verdicts[id(recipient)] = _Verdict(trouble.reply, hop, tls, seconds)
        replies = list(outcomes.values())
        decisive = (
            trouble.reply if trouble is not None else next((one for one in replies if not one.positive), replies[0])
        )
        self.attempted(world, [entry], hop, decisive, tls, seconds, batch)

    # When it is over

    def anyone_waits(self, entry: QueueEntry) -> bool:
        """Whether there is somebody to try again for."""
        return any(400 <= self._verdicts[id(recipient)].reply.code < 500 for recipient in entry.waiting)

    def settle(self, world: World, entry: QueueEntry, *, give_up: bool) -> None:
        """Give each recipient the state that follows, record it, and have the sender told."""
        now = world.clock.now()
        settled: list[QueuedRecipient] = []
        for recipient in entry.waiting:
            verdict = self._verdicts[id(recipient)]
            reply = verdict.reply
            recipient.reply, recipient.status, recipient.remote_spoke = str(reply), reply.status, reply.spoken
            recipient.remote = verdict.hop.name if verdict.hop is not None else ""
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
        self._record_relayed(world, entry, [one for one in settled if one.state == "relayed"])
        self._record_bounced(world, entry, [one for one in settled if one.state == "failed"])
        if settled:
            send_reports(world, entry, settled)

    def _record_relayed(self, world: World, entry: QueueEntry, recipients: Sequence[QueuedRecipient]) -> None:
        by_hop: dict[str, list[QueuedRecipient]] = {}
        for recipient in recipients:
            by_hop.setdefault(recipient.remote, []).append(recipient)
        for name, there in by_hop.items():
            verdict = self._verdicts[id(there[0])]
            assert verdict.hop is not None  # only a next hop says yes
            world.journal.append(
                Relayed(
                    world.clock.now(),
                    entry.message,
                    entry.domain,
                    tuple(one.original for one in there),
                    tuple(one.address for one in there),
                    entry.attempt_count,
                    name,
                    verdict.hop.address,
                    there[0].reply,
                    verdict.tls,
                    verdict.seconds,
                )
            )

    def _record_bounced(self, world: World, entry: QueueEntry, recipients: Sequence[QueuedRecipient]) -> None:
        by_reply: dict[tuple[str, str], list[QueuedRecipient]] = {}
        for recipient in recipients:
            by_reply.setdefault((recipient.status, recipient.reply), []).append(recipient)
        for (status, reply), failed in by_reply.items():
            world.journal.append(
                Bounced(
                    world.clock.now(),
                    entry.message,
                    entry.sender,
                    entry.domain,
                    tuple(one.original for one in failed),
                    tuple(one.address for one in failed),
                    entry.attempt_count,
                    status,
                    reply,
                    failed[0].remote,
                )
            )
