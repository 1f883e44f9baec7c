"""The mail that is sent and read: the same bytes for every contender."""

from __future__ import annotations

SENDER = "alice@example.test"
RECIPIENT = "bob@example.test"
_LINE = b"The quick brown fox jumps over the lazy dog while nobody measures the fence.\r\n"


def sized_message(size_bytes: int) -> bytes:
    """A plain message of about this size, in lines of 78 bytes; no line begins with a dot."""
    head = (
        f"From: Alice <{SENDER}>\r\nTo: Bob <{RECIPIENT}>\r\nSubject: Your order\r\n"
        "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <order@example.test>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n'
    ).encode()
    return head + _LINE * max(1, (size_bytes - len(head)) // len(_LINE))


def mailbox_message(number: int) -> bytes:
    """Message ``number`` of a mailbox, some 700 bytes. One in ten is multipart with an encoded subject; one in a
    hundred carries the words that searches look for: ``needle`` in the subject, ``haystack`` in the text."""
    hit = number % 100 == 7
    subject = f"Report {number}" + (" needle" if hit else "")
    text = f"Dear reader {number},\r\n" + _LINE.decode() * 3 + ("haystack\r\n" if hit else "")
    head = (
        f"Received: from client.example.test by mx.example.test; Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        f"From: Sender {number % 97} <sender{number % 97}@example.test>\r\nTo: Bob <{RECIPIENT}>\r\n"
        f"Message-ID: <{number}@example.test>\r\nDate: Mon, 23 Nov 2026 10:{number % 60:02}:00 +0000\r\n"
        "MIME-Version: 1.0\r\n"
    )
    if number % 10:
        return f"{head}Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    return (
        f"{head}Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {subject}\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{number}</p>\r\n--b--\r\n"
    ).encode()
