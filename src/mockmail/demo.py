"""``mockmail demo``: mail that crosses servers, played by the standard library's own clients on real sockets.

What stands behind ``>>>`` is run as it is printed; lines of a protocol are those that the servers saw.
"""

from __future__ import annotations

import datetime
import imaplib
import os
import poplib
import smtplib
import time
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any, TextIO, TypeAlias

from mockmail.core.events import RelayAttempted
from mockmail.network import MailNetwork
from mockmail.server import MockMail

__all__ = ["play"]

_MONDAY = datetime.datetime(2026, 6, 1, 9, 0, tzinfo=datetime.UTC)
_ALICE, _BOB, _CAROL, _PASSWORD = "alice@alice.test", "bob@bob.test", "carol@dead.test", "secret"
_INDENT = " " * 11
_WIDTH = 88

Act: TypeAlias = "Callable[[_Stage], None]"


def play(out: TextIO) -> int:
    """Print the story as it happens; returns the exit status."""
    began = time.perf_counter()
    try:
        with MailNetwork("alice.test", "bob.test", "dead.test") as net:
            stage = _Stage(net, out)
            for act in _ACTS:
                act(stage)
            stage.say(f"\nFive days of mail, played in {time.perf_counter() - began:.2f} seconds.")
            stage.say("A test of yours gets such servers by the pytest fixture mockmail_network.")
    except BrokenPipeError:
        # The reader has seen enough, as `| head` has. What the interpreter flushes as it ends goes nowhere, too.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, out.fileno())
        os.close(nowhere)
    return 0


class _Stage:
    """The network, and how what happens in it is printed."""

    def __init__(self, net: MailNetwork, out: TextIO) -> None:
        self.net = net
        self.alice, self.bob, self.dead = net["alice.test"], net["bob.test"], net["dead.test"]
        self._out = out
        self._attempts = 0

    def say(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def chapter(self, title: str) -> None:
        self.say(f"\n{title}\n")

    def tell(self, text: str) -> None:
        """A sentence, behind the time by the network's clock."""
        self.say(f"{self.net.clock.now():%a %H:%M}  {text}")

    def run(self, code: str) -> Any:
        """Print a line of Python, and run it."""
        self.say(f"{_INDENT}>>> {code}")
        return eval(code, {"net": self.net, "alice": self.alice, "bob": self.bob, "dead": self.dead})

    def quote(self, lines: Iterable[str]) -> None:
        """Lines of a protocol or a message."""
        for line in lines:
            self.say(f"{_INDENT}{line if len(line) <= _WIDTH else line[: _WIDTH - 3] + '...'}".rstrip())

    def attempts(self) -> None:
        """Tell of what Alice's server tried since the last call."""
        made = self.alice.events.of(RelayAttempted)[self._attempts :]
        self._attempts += len(made)
        if len(made) > 4:
            self._attempt(made[0])
            self.say(f"      ...  {len(made) - 2} more, one every 30 minutes, each as this one")
            made = made[-1:]
        for event in made:
            self._attempt(event)

    def _attempt(self, event: RelayAttempted) -> None:
        subject = event.message.subject
        self.say(f'{event.at:%a %H:%M}  attempt {event.attempt} of "{subject}" at {event.via}: {event.reply}')


# The acts


def _open(stage: _Stage) -> None:
    stage.net.clock.freeze(_MONDAY)
    stage.say("Two mail servers on real sockets, and one clock, which moves when the story says so.\n")
    for name, server in (("alice.test", stage.alice), ("bob.test", stage.bob)):
        stage.say(f"  {name:<12}{'  '.join(endpoint.url for endpoint in server.endpoints.values())}")
    stage.say("\nBehind >>> stands Python, run as it is printed. C: is said by a client, S: by a server.")


def _submit(stage: _Stage) -> None:
    stage.chapter("1. Bob's server is down when Alice sends him two messages")
    stage.run("bob.go_down()")
    stage.tell("Alice's mail program gives them to her own server, by SMTP:")
    _send(stage.alice, (_BOB, "Lunch?", "The usual place at noon."), (_BOB, "Minutes", "Here they are."))
    stage.quote(_transaction(stage.alice))
    stage.tell("Her server tries to pass them on at once:")
    stage.run(f'alice.assert_queued(to="{_BOB}", subject="Lunch?", attempts=1)')
    stage.alice.wait_for(2, what="queued", attempts=1)
    stage.attempts()
    stage.tell("It keeps them, and will try again in half an hour.")


def _relay(stage: _Stage) -> None:
    stage.chapter("2. Bob's server comes up, and the messages go on")
    stage.run("net.clock.advance(minutes=20)")
    stage.run("bob.come_up()")
    stage.tell("Nothing happens yet: the next attempt is not due.")
    stage.run(f'bob.assert_not_delivered(to="{_BOB}")')
    stage.run("net.clock.advance(minutes=10)")
    stage.attempts()
    stage.tell("Alice's server is the client now, and says as much at once as it may:")
    stage.quote(_transaction(stage.bob))
    stage.run(f'alice.assert_relayed(to="{_BOB}", subject="Lunch?", via="bob.test", attempts=2)')
    message = stage.run(f'bob.assert_delivered(to="{_BOB}", subject="Lunch?")')
    stage.tell("What Bob gets: each server has put its Received on top.")
    stage.quote(message.raw.decode().splitlines())


def _download(stage: _Stage) -> None:
    stage.chapter("3. Bob's old mail program downloads and deletes, by POP3")
    pop = poplib.POP3(*stage.bob.pop3.address)
    pop.user(_BOB)
    pop.pass_(_PASSWORD)
    count, _ = pop.stat()
    pop.retr(1)
    pop.dele(1)
    pop.quit()
    stage.tell(f"It finds {count} messages, takes the first, and leaves the other:")
    stage.quote(_said(stage.bob, "pop3", "USER", "PASS", "STAT", "RETR", "DELE", "QUIT"))
    stage.run(f'bob.assert_fetched(account="{_BOB}", subject="Lunch?", protocol="pop3")')
    stage.run(f'bob.assert_deleted(account="{_BOB}", subject="Lunch?")')


def _file(stage: _Stage) -> None:
    stage.chapter("4. His other one reads and files, by IMAP")
    with imaplib.IMAP4(*stage.bob.imap.address) as imap:
        imap.login(_BOB, _PASSWORD)
        imap.create("Projects")
        imap.select("INBOX")
        uid = imap.uid("SEARCH", "SUBJECT", "Minutes")[1][0].decode()
        imap.uid("FETCH", uid, "(FLAGS BODY[TEXT])")
        imap.uid("MOVE", uid, "Projects")
    stage.tell("The folder, the flag and the message are there at its next visit, too:")
    stage.quote(_said(stage.bob, "imap", "CREATE", "SEARCH", "FETCH", "MOVE"))
    stage.run(f'bob.assert_flagged("seen", account="{_BOB}", subject="Minutes")')
    stage.run(f'bob.assert_moved("Projects", account="{_BOB}", subject="Minutes")')


def _bounce(stage: _Stage) -> None:
    stage.chapter("5. A message to a domain that is dead comes back after five days")
    stage.run("dead.go_down()")
    stage.tell(f"Alice writes to {_CAROL}.")
    _send(stage.alice, (_CAROL, "Reunion", "Are you coming?"))
    stage.run(f'alice.assert_queued(to="{_CAROL}", attempts=1)')
    stage.attempts()
    stage.run("net.clock.advance(hours=4)")
    stage.attempts()
    stage.tell("Alice's server tells her that it is late:")
    stage.quote(_report_text(stage.alice))
    stage.run("net.clock.run_until_idle()")
    stage.attempts()
    stage.run(f'alice.assert_bounced(to="{_CAROL}", status="5.4.7")')
    stage.tell("It has given up, and tells her so:")
    stage.quote(_report_text(stage.alice))
    report = stage.run(f'alice.account("{_ALICE}").inbox[-1].report').recipients[0]
    stage.say(f"{_INDENT}For programs: {report.recipient}, {report.action}, {report.status}, {report.diagnostic}")


_ACTS: tuple[Act, ...] = (_open, _submit, _relay, _download, _file, _bounce)


# What clients do, and what is shown of it


def _send(server: MockMail, *messages: tuple[str, str, str]) -> None:
    with smtplib.SMTP(*server.smtp.address, local_hostname="laptop") as smtp:
        smtp.login(_ALICE, _PASSWORD)
        for to, subject, text in messages:
            content = f"From: Alice <{_ALICE}>\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}\r\n"
            smtp.sendmail(_ALICE, [to], content)


def _transaction(server: MockMail) -> list[str]:
    """The first message of the newest session, without what a message has in its header besides the first field."""
    lines = server.transcript.sessions("smtp")[-1].lines
    begin = next(index for index, line in enumerate(lines) if line.upper().startswith("C: MAIL"))
    data = next(index for index, line in enumerate(lines) if line.startswith("S: 354"))
    end = lines.index("C: .")
    return [*lines[begin : data + 2], "C: ...", *lines[end : end + 2], "... and in the same way the second."]


def _said(server: MockMail, protocol: str, *commands: str) -> list[str]:
    """Of the newest session: these commands, each with the first line of its answer and, in IMAP, the last."""
    shown: list[str] = []
    lines = server.transcript.sessions(protocol)[-1].lines
    for index, line in enumerate(lines):
        if line.startswith("C: ") and any(command in line.split() for command in commands):
            answer = [*takewhile(lambda one: one.startswith("S: "), lines[index + 1 :])]
            shown += [line, *answer[:1], *(answer[-1:] if protocol == "imap" and len(answer) > 1 else ())]
    return shown


def _report_text(server: MockMail) -> list[str]:
    """What a person reads of the newest message in Alice's mailbox."""
    message = server.account(_ALICE).inbox[-1]
    return [f"Subject: {message.subject}", "", *message.text.rstrip().splitlines()]
