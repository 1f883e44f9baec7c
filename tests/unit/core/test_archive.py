"""Archives, read back byte for byte, and by the standard library as an independent reader."""

import datetime
import email.policy
import mailbox
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockmail.core.archive import FORMATS, Archived, read_archive, write_archive
from mockmail.errors import ConfigurationError

AT = datetime.datetime(2026, 11, 23, 12, 0, 1, tzinfo=datetime.UTC)
HI = b"From: a@b.test\r\nSubject: Hi\r\n\r\nHi.\r\n"
BOB = "bob@example.test"

FROM_LINES = (
    b"Subject: x\r\n\r\nFrom here on\r\n>From there\r\n\r\nFrom a@b.test Mon Nov 23 12:00:01 2026\r\n>>From\r\n",
    b"From the first line on\r\n\r\n",
    b"From LF\n\nFrom more LF\n",
    b"\r\n\r\n\r\n",
)


def round_trip(path, archive_format, *messages):
    write_archive(path, archive_format, messages)
    return list(read_archive(path))


@pytest.mark.parametrize("archive_format", FORMATS)
@pytest.mark.parametrize("raw", [HI, b"Subject: LF only\n\nHi.\n", b"\r\n", *FROM_LINES])
def test_bytes_come_back(tmp_path, archive_format, raw):
    (found,) = round_trip(tmp_path / "mail", archive_format, Archived(raw, BOB, received_at=AT, sender="a@b.test"))
    assert (found.raw, found.account, found.folder, found.received_at) == (raw, BOB, "INBOX", AT)


@pytest.mark.parametrize("archive_format", FORMATS)
def test_many_come_back_in_order_with_their_folders(tmp_path, archive_format):
    names = ["INBOX", "Work/2026", "Work", "..", "a.b", "50%", "/etc"[1:] + "/../x", "Grüße", "con\\prn:*", "nl\nnl"]
    messages = [
        Archived(b"Subject: %d\r\n\r\n" % number, account, folder, received_at=AT)
        for account in (BOB, "../ann@example.test", '"a/b"@example.test')
        for folder in names
        for number in range(3)
    ]
    path = tmp_path / "mail"
    found = round_trip(path, archive_format, *messages)
    assert sorted(map(repr, found)) == sorted(
        repr(Archived(one.raw, one.account, one.folder, received_at=AT, sender=found[0].sender)) for one in messages
    )
    for place in ((BOB, "INBOX"), ("../ann@example.test", "..")):
        assert [one.raw for one in found if (one.account, one.folder) == place] == [
            b"Subject: %d\r\n\r\n" % number for number in range(3)
        ]
    assert {one.name for one in tmp_path.iterdir()} == {"mail"}, "nothing is written beside it"


FLAGS = frozenset({"\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "$Forwarded", "$Keyword", "zzz"})
STATUS = b"Status: RO\r\nX-Status: A\r\nX-Keywords: x\r\nX-Mockmail: \r\nSubject: whose?\r\n\r\n"


@pytest.mark.parametrize("archive_format", ["mbox", "maildir"])
@pytest.mark.parametrize(
    "raw",
    [HI, STATUS, b"Subject: x\r\n" + STATUS, b"Subject: no end\r\n\r\nno end", b"X-Mockmail: as-is\n\nx\n", b"", b"\r"],
)
def test_flags_come_back_with_the_bytes(tmp_path, archive_format, raw):
    one, other, old = round_trip(
        tmp_path / "m", archive_format, Archived(raw, BOB, flags=FLAGS), Archived(raw, BOB), Archived(raw, BOB, "Old")
    )
    assert {one.flags, other.flags, old.flags} == {FLAGS, frozenset()}
    assert [one.raw, other.raw, old.raw] == [raw] * 3


def test_what_other_programs_say_of_flags(tmp_path):
    box = mailbox.mbox(tmp_path / "in.mbox")
    message = mailbox.mboxMessage(b"To: ann@example.test\nSubject: Hi\n\nHello\n")
    message.set_flags("RAF")
    message.set_from("eve@else.test", AT.timetuple())
    box.add(message)
    box.close()
    (found,) = read_archive(tmp_path / "in.mbox")
    assert (found.flags, found.sender, found.received_at) == (
        {"\\Seen", "\\Answered", "\\Flagged"}, "eve@else.test", AT,
    )  # fmt: skip


def test_the_standard_library_sees_our_flags(tmp_path):
    message = Archived(HI, BOB, flags=FLAGS, received_at=AT)
    write_archive(tmp_path / "mbox", "mbox", [message])
    box = mailbox.mbox(tmp_path / "mbox" / BOB / "INBOX.mbox")
    assert set(box[0].get_flags()) == set("ROADFT")
    box.close()
    write_archive(tmp_path / "maildir", "maildir", [message])
    ((_, message),) = mailbox.Maildir(tmp_path / "maildir" / BOB).items()
    assert set(message.get_flags()) == set("DFPRSTab")


def test_the_standard_library_reads_our_mbox(tmp_path):
    messages = [Archived(b"Subject: %d\r\n\r\nText.\r\n" % n, BOB, received_at=AT, sender="a@b.test") for n in range(5)]
    write_archive(tmp_path / "mail", "mbox", messages)
    box = mailbox.mbox(tmp_path / "mail" / BOB / "INBOX.mbox")
    assert [box.get_bytes(key) for key in box.keys()] == [one.raw for one in messages]  # noqa: SIM118 - no mapping
    assert box[0].get_from() == "a@b.test Mon Nov 23 12:00:01 2026"
    box.close()


def test_the_standard_library_reads_our_maildir(tmp_path):
    write_archive(
        tmp_path / "mail", "maildir", [Archived(HI, BOB, flags=frozenset({"\\Seen"})), Archived(HI, BOB, "Work/Old")]
    )
    box = mailbox.Maildir(tmp_path / "mail" / BOB)
    ((key, message),) = box.items()
    assert (message.get_flags(), box.get_bytes(key)) == ("S", HI)
    assert box.list_folders() == ["Work.Old"]
    assert len(box.get_folder("Work.Old")) == 1


def test_we_read_the_standard_librarys(tmp_path):
    message = email.message_from_bytes(b"Subject: Hi\n\nFrom me\n\nBye\n", policy=email.policy.default)
    box = mailbox.mbox(tmp_path / "in.mbox")
    box.add(message)
    box.add(message)
    box.close()
    maildir = mailbox.Maildir(tmp_path / "dir")
    maildir.add(mailbox.MaildirMessage(message))
    wanted = b"Subject: Hi\r\n\r\nFrom me\r\n\r\nBye\r\n"
    assert [one.raw for one in read_archive(tmp_path / "in.mbox")] == [wanted] * 2
    assert [one.raw for one in read_archive(tmp_path / "dir")] == [wanted]


def test_loose_files(tmp_path):
    (tmp_path / "Work").mkdir()
    (tmp_path / "Work" / "b.EML").write_bytes(b"Subject: b\n\nx\n")
    (tmp_path / "a.eml").write_bytes(HI)
    (tmp_path / "notes.txt").write_bytes(b"no mail")
    (tmp_path / ".hidden.eml").write_bytes(HI)
    found = [(one.folder, one.account, one.raw) for one in read_archive(tmp_path)]
    assert found == [("Work", None, b"Subject: b\r\n\r\nx\r\n"), ("INBOX", None, HI)]


def test_what_was_saved_before_is_replaced_and_nothing_else_is(tmp_path):
    path = tmp_path / "mail"
    write_archive(path, "eml", [Archived(HI, BOB)] * 3)
    write_archive(path, "maildir", [Archived(HI, BOB)])
    assert len(list(read_archive(path))) == 1
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("x")
    for taken in ("thesis", "thesis/chapter"):
        with pytest.raises(ConfigurationError, match="is there already, and not written by mockmail"):
            write_archive(tmp_path / taken, "eml", [])
    assert (tmp_path / "thesis" / "chapter").read_text() == "x"


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "mail"
    write_archive(path, "eml", [Archived(HI, BOB)])

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConfigurationError, match=r"cannot be saved in .*: No space left on device"):
        write_archive(path, "eml", [Archived(HI, BOB)] * 2)
    monkeypatch.undo()
    assert len(list(read_archive(path))) == 1
    assert os.listdir(tmp_path) == ["mail"]


@pytest.mark.parametrize("archive_format", FORMATS)
def test_mail_of_a_folder_whose_name_is_too_long_is_not_lost(tmp_path, archive_format):
    names = ["ü" * 300, "ü" * 300 + "x"]
    found = round_trip(tmp_path / "mail", archive_format, *[Archived(HI, BOB, name) for name in names])
    assert [one.raw for one in found] == [HI, HI]
    assert len({one.folder for one in found}) == 2
    assert all(one.folder.startswith("ü" * 80) for one in found)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.eml")
    (tmp_path / "a.eml").write_bytes(HI)
    assert [one.raw for one in read_archive(tmp_path)] == [HI]


def test_what_may_not_be_read_is_said(tmp_path, monkeypatch):
    (tmp_path / "a.eml").write_bytes(HI)

    def forbidden(path, *arguments):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(ConfigurationError, match=r"a\.eml' cannot be loaded: Permission denied"):
        list(read_archive(tmp_path))


def test_wrong_arguments(tmp_path):
    with pytest.raises(ConfigurationError, match="format is 'pst'; write one of 'eml', 'mbox', 'maildir'"):
        write_archive(tmp_path / "x", "pst", [])
    with pytest.raises(ConfigurationError, match="There is no file or directory"):
        list(read_archive(tmp_path / "nowhere"))


LINES = st.lists(
    st.sampled_from([b"From x", b">From x", b">>From", b"", b"text", b"From ", b"\r", b"Subject: x"]), max_size=8
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.sampled_from([b"\r\n", b"\n"]), st.integers(1, 3))
def test_any_lines_come_back_from_an_mbox(tmp_path, lines, end, count):
    raw = b"".join(line + end for line in lines) or end
    found = round_trip(tmp_path / "mail", "mbox", *[Archived(raw, BOB)] * count)
    assert [one.raw for one in found] == [raw] * count
