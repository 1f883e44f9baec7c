"""``mockmail demo``: a mail system's day, played by the standard library's own clients on real sockets."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import time
from collections.abc import Callable
from email.message import EmailMessage
from typing import TextIO, TypeAlias

from mockmail.server import MockMail

__all__ = ["play"]

_Say: TypeAlias = Callable[[str], None]
_ALICE, _BOB, _PASSWORD = "alice@example.test", "bob@example.test", "secret"


def play(out: TextIO) -> int:
    """Print the story as it happens; returns the exit status."""
    started = time.perf_counter()

    def say(text: str) -> None:
        print(text, file=out, flush=True)

    with MockMail(users={_ALICE: _PASSWORD, _BOB: _PASSWORD}) as mail:
        say(f"A mail system for this process, up after {_milliseconds(started)}, imports included:")
        for endpoint in mail.endpoints.values():
            say(f"  {endpoint.url}")
        _submit(mail, say)
        _download(mail, say)
        _file(mail, say)
        say("\nWhat the tests of an application would have asked:")
        mail.assert_delivered(to=_BOB, subject="Lunch?")
        say("  mail.assert_delivered(to='bob@example.test', subject='Lunch?')       holds")
        mail.assert_fetched(account=_BOB, subject="Lunch?", protocol="pop3")
        say("  mail.assert_fetched(account='bob@example.test', protocol='pop3')     holds")
        mail.assert_rejected(to="nobody@example.test", code=550)
        say("  mail.assert_rejected(to='nobody@example.test', code=550)             holds")
    say(f"\nAll stopped again, {_milliseconds(started)} after the start.")
    started = time.perf_counter()
    with MockMail():
        say(f"Without the imports the servers are up after {_milliseconds(started)}.")
    return 0


def _milliseconds(started: float) -> str:
    return f"{(time.perf_counter() - started) * 1000:.1f} ms"


def _message(subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"Alice <{_ALICE}>", f"Bob <{_BOB}>", subject
    message.set_content(text)
    return message


def _submit(mail: MockMail, say: _Say) -> None:
    say("\nAlice's user agent pushes mail by SMTP.")
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.login(_ALICE, _PASSWORD)
        for subject in ("Lunch?", "Notes"):
            smtp.send_message(_message(subject, "The usual place at noon.\n"))
            say(f"  250  {_ALICE} -> {_BOB}: {subject!r}")
        try:
            smtp.sendmail(_ALICE, ["nobody@example.test"], b"Subject: Hello\r\n\r\n")
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = refused.recipients["nobody@example.test"]
            say(f"  {code}  {text.decode()}")


def _download(mail: MockMail, say: _Say) -> None:
    say("\nBob downloads and keeps by POP3: its sessions know nothing of each other.")
    for visit in ("first", "second"):
        pop = poplib.POP3(*mail.pop3.address)
        pop.user(_BOB)
        pop.pass_(_PASSWORD)
        count, size = pop.stat()
        unique_ids = [line.split()[1].decode() for line in pop.uidl()[1]]
        say(f"  {visit} visit: {count} messages, {size} bytes, unique-ids {', '.join(unique_ids)}")
        pop.retr(1)
        pop.quit()


def _file(mail: MockMail, say: _Say) -> None:
    say("\nBob reads and files by IMAP: folders, flags and searches last.")
    with imaplib.IMAP4(*mail.imap.address) as imap:
        imap.login(_BOB, _PASSWORD)
        imap.create("Projects/2026")
        imap.select("INBOX")
        found = imap.uid("SEARCH", "SUBJECT", "Notes")[1][0].decode()
        say(f"  UID SEARCH SUBJECT Notes -> {found}")
        structure = imap.uid("FETCH", found, "(BODYSTRUCTURE)")[1][0]
        say(f"  {structure.decode() if isinstance(structure, bytes) else structure}")
        imap.uid("STORE", found, "+FLAGS", r"(\Flagged)")
        imap.uid("MOVE", found, "Projects/2026")
    folders = mail.account(_BOB).folders
    for name, folder in folders.items():
        say(f"  {name}: {[message.subject for message in folder]}")
