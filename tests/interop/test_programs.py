"""Debian's mail programs, each doing a whole job."""

import re
from collections.abc import Callable
from pathlib import Path

from mockmail import MockMail

BOB = "bob@example.test"


def test_curl_sends_by_smtp(mockmail: MockMail, program: Callable) -> None:
    curl = program("curl")
    text = b"From: a@example.test\r\nTo: bob@example.test\r\nSubject: From curl\r\n\r\n.dots\r\n..too\r\n"
    url = mockmail.smtp.url
    recipients = ("--mail-rcpt", BOB, "--mail-rcpt", "c@x.test")
    curl("-sS", url, "--mail-from", "a@example.test", *recipients, "-T", "-", stdin=text)
    message = mockmail.assert_delivered(to=[BOB, "c@x.test"], subject="From curl")
    assert message.original == text


def test_curl_logs_in_and_sends(mockmail: MockMail, program: Callable) -> None:
    curl = program("curl")
    for mechanism in ("PLAIN", "LOGIN"):
        login = ("-u", f"{BOB}:secret", "--login-options", f"AUTH={mechanism}")
        envelope = ("--mail-from", BOB, "--mail-rcpt", "c@x.test")
        curl("-sS", mockmail.smtp.url, *login, *envelope, "-T", "-", stdin=b"Subject: x\r\n\r\n")
        mockmail.assert_logged_in(account=BOB, protocol="smtp", mechanism=mechanism)
    assert "secret" not in str(mockmail.transcript)


def test_curl_reads_and_deletes_by_pop3(mockmail: MockMail, program: Callable) -> None:
    curl = program("curl")
    seeded = mockmail.seed(to=BOB, subject="One", text="line\n.dot\n")
    mockmail.seed(to=BOB, subject="Two", text="other")
    login = ("-sS", "-u", f"{BOB}:any")
    listed = curl(*login, mockmail.pop3.url + "/").stdout
    assert listed.split() == [b"1", b"%d" % seeded.size, b"2", b"%d" % mockmail.account(BOB).inbox[1].size]
    assert curl(*login, mockmail.pop3.url + "/1").stdout == seeded.raw
    curl(*login, "-X", "DELE 1", "--head", mockmail.pop3.url + "/")
    assert [message.subject for message in mockmail.account(BOB).inbox] == ["Two"]
    mockmail.assert_fetched(account=BOB, subject="One", protocol="pop3")


def test_curl_works_with_imap(mockmail: MockMail, program: Callable, tmp_path: Path) -> None:
    curl = program("curl")
    message = mockmail.seed(to=BOB, subject="Grüße", text="Der Text.")
    login = ("-sS", "-u", f"{BOB}:any")
    url = mockmail.imap.url
    assert b"INBOX" in curl(*login, url + "/").stdout
    assert curl(*login, f"{url}/INBOX;UID={message.uid}").stdout == message.raw
    header = curl(*login, f"{url}/INBOX;UID={message.uid};SECTION=HEADER.FIELDS%20(SUBJECT)").stdout
    assert header.startswith(b"Subject: ")
    assert b"* SEARCH 1" in curl(*login, f"{url}/INBOX?TEXT%20Der").stdout
    upload = tmp_path / "upload.eml"  # curl must know its size beforehand
    upload.write_bytes(b"Subject: uploaded\r\n\r\nHi.\r\n")
    assert curl(*login, f"{url}/Archive/2026", "-T", upload, ok=(25, 56, 78)).returncode
    curl(*login, url, "-X", "CREATE Archive/2026")
    curl(*login, f"{url}/Archive/2026", "-T", upload)
    assert mockmail.account(BOB).folder("Archive/2026")[0].raw == b"Subject: uploaded\r\n\r\nHi.\r\n"
    curl(*login, f"{url}/INBOX", "-X", "STORE 1 +Flags \\Deleted")
    curl(*login, f"{url}/INBOX", "-X", "EXPUNGE")
    mockmail.assert_deleted(account=BOB, subject="Grüße")


def test_mbsync_keeps_a_folder_tree_in_step_both_ways(mockmail: MockMail, program: Callable, tmp_path: Path) -> None:
    mbsync = program("mbsync")
    version = tuple(map(int, re.search(rb"(\d+)\.(\d+)", mbsync("--version").stdout).groups()))
    tls = "TLSType" if version >= (1, 5) else "SSLType"
    config = tmp_path / "mbsyncrc"
    config.write_text(f"""
        IMAPStore remote
        Host 127.0.0.1
        Port {mockmail.imap.port}
        User {BOB}
        Pass any
        {tls} None
        AuthMechs LOGIN

        MaildirStore local
        Path {tmp_path}/mail/
        Inbox {tmp_path}/mail/INBOX
        SubFolders Verbatim

        Channel all
        Far :remote:
        Near :local:
        Patterns *
        Create Both
        Remove Both
        Expunge Both
        SyncState *
    """)
    (tmp_path / "mail").mkdir()
    account = mockmail.account(BOB)
    mockmail.seed(to=BOB, subject="in the inbox", text="one")
    mockmail.seed(to=BOB, subject="flagged", text="two", flags=["\\Flagged", "\\Seen"])
    mockmail.seed(to=BOB, subject="filed", text="three", folder="Archive/2026/März")

    mbsync("-c", config, "-a")
    inbox = sorted((tmp_path / "mail/INBOX").glob("*/*"))
    assert len(inbox) == 2
    assert sum(path.name.endswith(":2,FS") for path in inbox) == 1
    assert len([path for path in (tmp_path / "mail/Archive").rglob("*/*") if path.parent.name in ("cur", "new")]) == 1

    # The other way: a new local message, one answered, one deleted.
    (tmp_path / "mail/INBOX/new/1.local").write_bytes(b"From: bob@example.test\nSubject: written here\n\nHi.\n")
    flagged = next(path for path in inbox if path.name.endswith(":2,FS"))
    flagged.rename(flagged.with_name(flagged.name + "T"))
    plain = next(path for path in inbox if path != flagged)
    plain.rename(tmp_path / "mail/INBOX/cur" / (plain.name.partition(":")[0] + ":2,R"))
    mbsync("-c", config, "-a")
    assert [message.subject for message in account.inbox] == ["in the inbox", "written here"]
    assert account.inbox[0].flags == {"\\Answered"}

    before = [(folder.name, [(m.uid, m.flags) for m in folder]) for folder in account.folders.values()]
    mark = mockmail.mark()
    mbsync("-c", config, "-a")
    assert [(folder.name, [(m.uid, m.flags) for m in folder]) for folder in account.folders.values()] == before
    mockmail.assert_not_appended(account=BOB, since=mark)
    mockmail.assert_not_fetched(account=BOB, since=mark)


def _fetchmail(
    program: Callable, tmp_path: Path, mockmail: MockMail, *options: str, ok: tuple[int, ...] = (0,)
) -> None:
    rc = tmp_path / "fetchmailrc"
    protocol, *flags = options  # "uidl" belongs to the server's part of the line
    uidl = "uidl" if protocol == "POP3" else ""
    rc.write_text(
        f"poll 127.0.0.1 protocol {protocol} port {getattr(mockmail, protocol.lower()).port} auth password {uidl}\n"
        f"user '{BOB}' password 'secret' is 'root' here sslproto '' {' '.join(flags)} mda 'cat >> {tmp_path}/got'\n"
    )
    rc.chmod(0o700)
    program("fetchmail")("-f", rc, "--idfile", tmp_path / "ids", "--pidfile", tmp_path / "pid", ok=ok)


def test_fetchmail_downloads_and_keeps_and_then_deletes(mockmail: MockMail, program: Callable, tmp_path: Path) -> None:
    inbox = mockmail.account(BOB).inbox
    for number in range(3):
        mockmail.seed(to=BOB, subject=f"number {number}", text="text")
    _fetchmail(program, tmp_path, mockmail, "POP3", "keep")
    got = (tmp_path / "got").read_text()
    assert [got.count(f"Subject: number {number}") for number in range(3)] == [1, 1, 1]
    assert len(inbox) == 3

    # It knows what it has by the unique-ids, and fetches only what is new; 1 is its "no new mail".
    _fetchmail(program, tmp_path, mockmail, "POP3", "keep", ok=(1,))
    mockmail.seed(to=BOB, subject="number 3", text="text")
    _fetchmail(program, tmp_path, mockmail, "POP3", "keep")
    assert (tmp_path / "got").read_text().count("Subject: number") == 4

    _fetchmail(program, tmp_path, mockmail, "POP3", "fetchall", "nokeep")
    assert len(inbox) == 0
    assert "secret" not in str(mockmail.transcript)


def test_fetchmail_reads_by_imap(mockmail: MockMail, program: Callable, tmp_path: Path) -> None:
    mockmail.seed(to=BOB, subject="one", text="text")
    _fetchmail(program, tmp_path, mockmail, "IMAP", "keep")
    assert mockmail.account(BOB).inbox[0].seen
    _fetchmail(program, tmp_path, mockmail, "IMAP", "keep", ok=(1,))
    _fetchmail(program, tmp_path, mockmail, "IMAP", "fetchall", "nokeep")
    assert len(mockmail.account(BOB).inbox) == 0
