"""Plays a dialogue on a stage."""

from __future__ import annotations

import importlib
from datetime import datetime, timedelta

from mockmail.core.events import Actor
from mockmail.core.message import Envelope
from support.script import Difference, Names, Script, Step
from support.stages import Stage

__all__ = ["Play", "session_class_of"]

SESSIONS = {
    "smtp": "mockmail.smtp.session:SmtpSession",
    "lmtp": "mockmail.smtp.session:SmtpSession",
    "pop3": "mockmail.pop3.session:Pop3Session",
    "imap": "mockmail.imap.session:ImapSession",
}
"""Protocol -> the class of its session, called with (link, world)."""


class Play:
    """One run of a script."""

    def __init__(self, script: Script, stage: Stage) -> None:
        self.script = script
        self.stage = stage
        self.names = Names()
        self.story: list[str] = []
        self._unsent: dict[int, bytes] = {}

    def run(self) -> None:
        """Play the script; ``AssertionError`` with the dialogue so far where the server differs."""
        step = self.script.steps[0]
        try:
            for step in self.script.steps:
                self._do(step)
            self._flush()
            for session in list(self.stage.received):
                self.story.append(f"(C{session} half-closes)")
                self.stage.half_close(session)
                self.stage.expect_closed(session)
            self.stage.finished()
        except Difference as difference:
            raise AssertionError(self._failure(step, difference)) from None
        finally:
            self.stage.close()

    def _failure(self, step: Step, difference: Difference) -> str:
        rest = {
            session: bytes(got[:2000])
            for session, got in self.stage.received.items()
            if got and session != step.session
        }
        lines = [f"{self.script.name}:{step.line}: {difference}", *(f"    {line}" for line in self.story)]
        lines += [f"    (session {session} has unread: {got!r})" for session, got in rest.items()]
        return "\n".join(lines)

    def _do(self, step: Step) -> None:
        if step.who != "@" and step.session not in self.stage.received:
            self._flush()
            self.stage.open(step.session)
        if step.who == "C" and step.text != "<eof>":
            if any(session != step.session for session in self._unsent):
                self._flush()
            data = self.names.fill(step.text) + (b"\r\n" if step.how == ":" else b"")
            self._unsent[step.session] = self._unsent.get(step.session, b"") + data
            self.story.append(step.source)
            return
        self._flush()
        if step.who == "S":
            self._expect(step)
            return
        self.story.append(step.source)
        if step.who == "C":
            self.stage.half_close(step.session)
        elif step.who == "X":
            self.stage.vanish(step.session)
            self.stage.received.pop(step.session)
        else:
            self.stage.on_loop(lambda: self._direct(step))

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, {}
        for session, data in unsent.items():
            self.stage.send(session, data)

    def _expect(self, step: Step) -> None:
        who = step.source.split(step.how)[0]
        if step.text == "<closed>":
            self.stage.expect_closed(step.session)
            self.stage.received.pop(step.session)
            self.story.append(step.source)
        elif step.how == "|":
            wanted = self.names.fill(step.text)
            actual = self.stage.read_exactly(step.session, len(wanted))
            self.story.append(f"{who}| {actual!r}")
            if actual != wanted:
                raise Difference(f"expected {wanted!r}")
        else:
            line = self._read_line(step, who)
            while step.text == "<rest>" and line[3:4] == b"-":
                line = self._read_line(step, who)
            if step.text != "<rest>":
                self.names.check(step.text, line)

    def _read_line(self, step: Step, who: str) -> bytes:
        line = self.stage.read_line(step.session)
        self.story.append(f"{who}: {line.decode('utf-8', 'backslashreplace')}")
        return line

    def _direct(self, step: Step) -> None:
        world = self.stage.world
        word, address, *rest = step.text.split()
        if word == "advance":
            world.clock.shift(timedelta(seconds=float(address)))
            return
        account = world.account(address)
        if word == "seed":
            flags = [item for item in rest if item.startswith(("\\", "$"))]
            options = dict(item.split("=", 1) for item in rest if "=" in item)
            folders = [item for item in rest if item not in flags and "=" not in item] or ["INBOX"]
            raw = b"".join(self.names.fill(text) + (b"\r\n" if how == ":" else b"") for how, text in step.body)
            received_at = datetime.fromisoformat(options["received_at"]) if "received_at" in options else None
            envelope = Envelope("sender@example.test", (address,))
            message = world.store.new_message(raw, envelope=envelope, received_at=received_at)
            world.store.seed(account, folders[0], message, flags)
            return
        mailbox = account.mailbox(rest[0])
        assert mailbox is not None, f"{rest[0]} is no mailbox of {address}"
        if word == "flags":
            change = {"+": "add", "-": "remove", "=": "replace"}[rest[2][0]]
            world.store.change_flags(mailbox, [int(rest[1])], change, [rest[2][1:], *rest[3:]], Actor())
        else:
            world.store.expunge(mailbox, [int(uid) for uid in rest[1:]], Actor())


def session_class_of(protocol: str) -> type:
    module, _, name = SESSIONS[protocol].partition(":")
    return getattr(importlib.import_module(module), name)
