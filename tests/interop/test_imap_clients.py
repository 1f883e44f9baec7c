"""imaplib, IMAPClient, imap-tools and aioimaplib against the running server: whole jobs, as applications do them."""

from __future__ import annotations

import asyncio
import email
import imaplib
import smtplib
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import aioimaplib
import imap_tools
import imapclient
import pytest

from mockmail import MockMail
from mockmail.core.events import Command

BOB = "bob@example.test"
ALICE = "alice@example.test"


def send(mail: MockMail, subject: str, text: str = "hello\n") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ALICE, BOB, subject
    message.set_content(text)
    with smtplib.SMTP(*mail.smtp.address, timeout=10) as client:
        client.send_message(message)


def idle_began(mail: MockMail) -> threading.Event:
    """Set when a client is told that it idles, so that a delivery can be sent to wake it."""
    began = threading.Event()
    journal = mail.world.journal
    start = len(journal.records)

    def look() -> None:
        if any(isinstance(event, Command) and event.name == "IDLE" for event in journal.events(start)):
            began.set()
        else:
            journal.when_longer(len(journal.records), look)

    journal.when_longer(start, look)
    return began


def when_idle(mail: MockMail, action: Callable[[], None]) -> threading.Thread:
    """Carry ``action`` out in a thread as soon as a client idles."""
    began = idle_began(mail)

    def run() -> None:
        assert began.wait(10)
        action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


# imaplib


@pytest.fixture
def client(mockmail: MockMail) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(*mockmail.imap.address, timeout=10)
    client.login(BOB, "any")
    yield client
    client.logout()


def test_imaplib_reads_what_smtp_delivered(mockmail: MockMail, client: imaplib.IMAP4) -> None:
    send(mockmail, "Welcome", "Your code is 1234\n")
    assert client.select() == ("OK", [b"1"])
    status, found = client.search(None, "UNSEEN", "SUBJECT", '"welcome"')
    assert (status, found) == ("OK", [b"1"])
    status, data = client.fetch("1", "(RFC822)")
    message = email.message_from_bytes(data[0][1])
    assert message["Subject"] == "Welcome"
    assert data[0][1] == mockmail.messages[0].raw
    assert client.search(None, "UNSEEN") == ("OK", [b""])
    assert client.uid("SEARCH", "TEXT", "1234") == ("OK", [b"1"])
    mockmail.assert_fetched(account=BOB, subject="Welcome", protocol="imap")


def test_imaplib_flags_copies_and_expunges(mockmail: MockMail, client: imaplib.IMAP4) -> None:
    for subject in ("One", "Two", "Three"):
        mockmail.seed(to=BOB, subject=subject)
    client.select("INBOX")
    assert client.create("Archive/2026")[0] == "OK"
    assert client.store("1:2", "+FLAGS", "\\Seen $Done")[0] == "OK"
    assert client.copy("1", "Archive/2026")[0] == "OK"
    assert client.uid("MOVE", "2", "Archive/2026")[0] == "OK"
    assert client.response("EXPUNGE") == ("EXPUNGE", [b"2"])
    assert client.store("1", "+FLAGS", "(\\Deleted)")[0] == "OK"
    assert client.expunge() == ("OK", [b"1"])
    account = mockmail.account(BOB)
    assert [message.subject for message in account.folder("Archive/2026")] == ["One", "Two"]
    assert [message.subject for message in account.inbox] == ["Three"]
    assert client.status("Archive/2026", "(MESSAGES UNSEEN)") == ("OK", [b"Archive/2026 (MESSAGES 2 UNSEEN 0)"])
    assert client.close()[0] == "OK"
    assert client.rename("Archive/2026", "Archive/old")[0] == "OK"
    assert client.delete("Archive/old")[0] == "OK"
    assert client.list()[1] == [b'(\\HasNoChildren) "/" INBOX', b'(\\HasNoChildren) "/" Archive']


def test_imaplib_appends(mockmail: MockMail, client: imaplib.IMAP4) -> None:
    raw = b"Subject: draft\r\n\r\nNot \xff yet\r\n"
    assert client.append("Drafts", None, None, raw)[0] == "NO"
    client.create("Drafts")
    date = imaplib.Time2Internaldate(1_000_000_000)
    assert client.append("Drafts", "(\\Draft)", date, raw)[0] == "OK"
    stored = mockmail.account(BOB).folder("Drafts")[0]
    assert (stored.raw, stored.flags) == (raw, {"\\Draft"})
    assert stored.received_at.timestamp() == 1_000_000_000
    assert client.select("Drafts", readonly=True) == ("OK", [b"1"])
    assert client.fetch("1", "(BODY.PEEK[TEXT]<4.1>)")[1][0] == (b"1 (BODY[TEXT]<4> {1}", b"\xff")


def test_imaplib_errors(client: imaplib.IMAP4) -> None:
    assert client.select("nowhere") == ("NO", [b"[NONEXISTENT] Mailbox nowhere does not exist"])
    client.select()
    with pytest.raises(imaplib.IMAP4.error, match="no such message"):
        client.fetch("7", "FLAGS")


def test_imaplib_authenticates(mockmail: MockMail) -> None:
    mockmail.add_user(BOB, "secret")
    client = imaplib.IMAP4(*mockmail.imap.address, timeout=10)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login(BOB, "wrong")
    client.authenticate("PLAIN", lambda _: f"\0{BOB}\0secret".encode())
    assert client.state == "AUTH"
    client.logout()


# IMAPClient


@pytest.fixture
def imap_client(mockmail: MockMail) -> Iterator[imapclient.IMAPClient]:
    client = imapclient.IMAPClient(*mockmail.imap.address, ssl=False, timeout=10)
    client.login(BOB, "any")
    yield client
    client.logout()


def test_imapclient_does_a_days_work(mockmail: MockMail, imap_client: imapclient.IMAPClient) -> None:
    client = imap_client
    for subject in ("One", "Two", "Three"):
        send(mockmail, subject)
    assert client.namespace().personal == (("", "/"),)
    assert client.id_({"name": "tests"})[0][:2] == (b"name", b"mockmail")
    selected = client.select_folder("INBOX")
    assert selected[b"EXISTS"] == 3
    assert b"\\*" in selected[b"PERMANENTFLAGS"]
    uids = client.search(["FROM", ALICE, "SINCE", mockmail.clock.now().date()])
    assert uids == [1, 2, 3]
    assert client.search(["SUBJECT", "Twö"], "UTF-8") == []
    fetched = client.fetch(uids, ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE", "RFC822.SIZE"])
    assert [fetched[uid][b"ENVELOPE"].subject for uid in uids] == [b"One", b"Two", b"Three"]
    assert fetched[1][b"BODYSTRUCTURE"][:2] == (b"TEXT", b"PLAIN")
    assert client.add_flags([1, 2], [imapclient.FLAGGED]) == {
        1: (b"\\Flagged", b"\\Recent"),
        2: (b"\\Flagged", b"\\Recent"),
    }
    client.create_folder("Entwürfe/Ältere")
    assert "Entwürfe/Ältere" in [name for _, _, name in client.list_folders()]
    client.copy([1], "Entwürfe/Ältere")
    client.move([2], "Entwürfe/Ältere")
    client.rename_folder("Entwürfe", "Kladde")
    assert [message.subject for message in mockmail.account(BOB).folder("Kladde/Ältere")] == ["One", "Two"]
    client.delete_messages([1])
    client.uid_expunge([1])
    assert client.search() == [3]
    client.unselect_folder()
    client.delete_folder("Kladde/Ältere")
    assert not client.folder_exists("Kladde/Ältere")
    mockmail.assert_deleted(account=BOB, subject="One")
    mockmail.assert_moved(account=BOB, subject="Two", to_folder="Entwürfe/Ältere")


def test_imapclient_idles_until_a_delivery(mockmail: MockMail, imap_client: imapclient.IMAPClient) -> None:
    client = imap_client
    client.select_folder("INBOX")
    thread = when_idle(mockmail, lambda: send(mockmail, "Wake up"))
    client.idle()
    pushed = client.idle_check(timeout=10)
    thread.join()
    assert (1, b"EXISTS") in pushed
    assert client.idle_done()[0] == b"IDLE completed"
    assert client.fetch(1, ["ENVELOPE"])[1][b"ENVELOPE"].subject == b"Wake up"


# imap-tools


def test_imap_tools_does_a_days_work(mockmail: MockMail) -> None:
    mockmail.seed(to=BOB, subject="Grüße", text="ß", attachments=[("a.txt", b"data", "text/plain")])
    send(mockmail, "Second")
    host, port = mockmail.imap.address
    with imap_tools.MailBoxUnencrypted(host, port, timeout=10).login(BOB, "any") as box:
        messages = list(box.fetch(imap_tools.AND(seen=False), mark_seen=True))
        assert [message.subject for message in messages] == ["Grüße", "Second"]
        assert messages[0].attachments[0].payload == b"data"
        assert [message.uid for message in box.fetch(imap_tools.AND(subject="grüße"), charset="UTF-8")] == ["1"]
        assert all(message.seen for message in mockmail.account(BOB).inbox)
        box.folder.create("Done")
        assert [folder.name for folder in box.folder.list()] == ["INBOX", "Done"]
        box.flag("1", "\\Flagged", True)
        box.copy("1", "Done")
        box.move("2", "Done")
        assert box.folder.status("Done")["MESSAGES"] == 2
        box.folder.rename("Done", "Finished")
        box.delete("1")
        assert box.uids() == []
        box.append(b"Subject: appended\r\n\r\nx\r\n", "INBOX", flag_set=["\\Seen"])
        assert box.uids(imap_tools.AND(seen=True)) == ["3"]
        assert {name for name, _ in box.folder.status("INBOX").items()} >= {"UIDNEXT", "UIDVALIDITY"}
        box.folder.subscribe("Finished", True)
        assert [folder.name for folder in box.folder.list(subscribed_only=True)] == ["INBOX", "Finished"]
        box.folder.delete("Finished")
    assert "Finished" not in mockmail.account(BOB).folders


def test_imap_tools_idles_until_a_delivery(mockmail: MockMail) -> None:
    host, port = mockmail.imap.address
    with imap_tools.MailBoxUnencrypted(host, port, timeout=10).login(BOB, "any") as box:
        thread = when_idle(mockmail, lambda: send(mockmail, "Wake up"))
        responses = box.idle.wait(timeout=10)
        thread.join()
        assert b"* 1 EXISTS" in responses
        assert [message.subject for message in box.fetch()] == ["Wake up"]


# aioimaplib


@pytest.mark.asyncio
async def test_aioimaplib_does_a_days_work(mockmail: MockMail) -> None:
    host, port = mockmail.imap.address
    await asyncio.to_thread(send, mockmail, "One")
    mockmail.seed(to=BOB, subject="Two")
    client = aioimaplib.IMAP4(host, port, timeout=10)
    await client.wait_hello_from_server()
    await client.login(BOB, "any")
    assert (await client.select("INBOX")).result == "OK"
    assert client.has_capability("MOVE")
    assert (await client.search("ALL")).lines[0] == b"1 2"
    fetched = await client.fetch("1", "(RFC822)")
    assert fetched.lines[1] == mockmail.messages[0].raw
    assert (await client.store("1", "+FLAGS", "(\\Flagged)")).result == "OK"
    assert (await client.create("box")).result == "OK"
    assert (await client.copy("1", "box")).result == "OK"
    assert (await client.uid("move", "2", "box")).result == "OK"
    assert (await client.rename("box", "other")).result == "OK"
    assert [message.subject for message in mockmail.account(BOB).folder("other")] == ["One", "Two"]
    assert (await client.append(b"Subject: three\r\n\r\n", mailbox="other")).result == "OK"
    assert (await client.store("1", "+FLAGS", "(\\Deleted)")).result == "OK"
    assert (await client.expunge()).result == "OK"
    assert len(mockmail.account(BOB).inbox) == 0

    idling = await client.idle_start(timeout=10)
    await asyncio.to_thread(send, mockmail, "Wake up")
    assert b"1 EXISTS" in await client.wait_server_push(timeout=10)
    client.idle_done()
    await asyncio.wait_for(idling, 10)
    assert (await client.delete("other")).result == "OK"
    assert (await client.logout()).result == "OK"
