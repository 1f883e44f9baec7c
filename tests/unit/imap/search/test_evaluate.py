"""SEARCH by the words of RFC 3501 section 6.4.4."""

from datetime import UTC, datetime, timedelta, timezone

import pytest


def test_example_of_rfc_3501(box):
    smith = b"From: John Smith <smith@example.test>\r\n\r\n"
    box.add(smith, "\\Flagged")
    box.add(b"From: jones@example.test\r\n\r\n", "\\Flagged")
    box.add(b"From: jones@example.test\r\n\r\n")
    box.add(b"From: jones@example.test\r\n\r\n", "\\Flagged", received_at=datetime(1994, 1, 31, 23, tzinfo=UTC))
    assert box.search('FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"') == [2]
    assert box.search('TEXT "string not in mailbox"') == []
    assert box.search("ALL") == [1, 2, 3, 4]


@pytest.mark.parametrize("flag", ["Answered", "Deleted", "Draft", "Flagged", "Seen"])
def test_system_flags(box, flag):
    box.add()
    box.add(b"", f"\\{flag}", "other")
    assert box.search(flag) == [2]
    assert box.search(f"UN{flag}") == [1]
    assert box.search(f"NOT {flag}") == [1]


def test_keywords_in_any_case(box):
    box.add(b"", "$Forwarded")
    box.add(b"", "\\Seen", "$forwarded", "other")
    box.add()
    assert box.search("KEYWORD $FORWARDED") == [1, 2]
    assert box.search("UNKEYWORD $FORWARDED") == [3]
    assert box.search("KEYWORD nothing") == []
    assert box.search("KEYWORD Seen") == []


def test_recent_belongs_to_the_view(box):
    box.add()
    box.add(b"", "\\Seen")
    assert box.search("RECENT") == [1, 2]
    box.add()
    box.view.changes(expunges=True)
    assert box.search("RECENT") == [1, 2, 3]
    assert box.search("NEW") == [1, 3]
    assert box.search("OLD") == []
    box._view = None  # the next to select the mailbox
    assert box.search("OLD") == [1, 2, 3]
    assert box.search("NEW") == []
    box.add()
    box.view.changes(expunges=True)
    assert box.search("NEW") == [4]
    assert box.search("OLD") == [1, 2, 3]
    assert box.search("NOT NEW") == [1, 2, 3]


@pytest.mark.parametrize(
    ("key", "found"),
    [("BEFORE", [1]), ("ON", [2, 3]), ("SINCE", [2, 3, 4]), ("NOT ON", [1, 4]), ("NOT BEFORE", [2, 3, 4])],
)
def test_internal_date_is_the_day_that_fetch_shows(box, key, found):
    east, west = timezone(timedelta(hours=11)), timezone(timedelta(hours=-11))
    box.add(received_at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=west))  # already 2 March in UTC
    box.add(received_at=datetime(2026, 3, 2, 0, 0, tzinfo=east))  # still 1 March in UTC
    box.add(received_at=datetime(2026, 3, 2, 23, 59, 59))
    box.add(received_at=datetime(2026, 3, 3, tzinfo=UTC))
    assert box.search(f"{key} 2-Mar-2026") == found


@pytest.mark.parametrize(
    ("date", "found"),
    [
        (b"Mon, 2 Mar 2026 00:00:00 +1100", "ON"),
        (b"2 Mar 2026 23:59 -1100", "ON"),
        (b"Mon, 2 Mar 26 12:00:00 EST", "ON"),
        (b"Sun, 01 Mar 2026 23:59:59 -0800 (PST)", "BEFORE"),
        (b"Tue,\r\n 3 Mar 2026\r\n 00:00:00 +0000", "AFTER"),
        (b"2026-03-02T10:00:00Z", "ON"),
        (b"", ""),
        (b"yesterday", ""),
        (b"31 Feb 2026 00:00:00 +0000", ""),
        (b"\xff\xfe =?utf-8?q?x?=", ""),
    ],
)
def test_sent_date_is_the_day_in_the_header(box, date, found):
    box.add(b"Date: " + date + b"\r\n\r\n")
    box.add(b"Subject: no date\r\n\r\n")
    assert box.search("SENTBEFORE 2-Mar-2026") == [1] * (found == "BEFORE")
    assert box.search("SENTON 2-Mar-2026") == [1] * (found == "ON")
    assert box.search("SENTSINCE 2-Mar-2026") == [1] * (found in ("ON", "AFTER"))


def test_sizes_are_in_octets_and_exclusive(box):
    for size in (0, 9, 10, 11):
        box.add(b"x" * size)
    assert box.search("LARGER 10") == [4]
    assert box.search("SMALLER 10") == [1, 2]
    assert box.search("NOT LARGER 10 NOT SMALLER 10") == [3]
    assert box.search("LARGER 0") == [2, 3, 4]


def test_sequence_sets_and_uids(box):
    for _ in range(6):
        box.add()
    box.mailbox.expunge([2, 5])
    box.view.changes(expunges=True)
    assert [entry.uid for entry in box.view.entries()] == [1, 3, 4, 6]
    assert box.search("2:3") == [2, 3]
    assert box.search("*") == [4]
    assert box.search("3:*") == [3, 4]
    assert box.search("4:99") == [4]
    assert box.search("99") == []
    assert box.search("UID 2:5") == [2, 3]
    assert box.search("UID 2,5") == []
    assert box.search("UID 99:*") == [4]
    assert box.search("NOT 2") == [1, 3, 4]
    assert box.search("NOT UID 3:4") == [1, 4]
    assert box.search("1,3 UID 4:*") == [3]
    assert box.search("OR 1 UID 6") == [1, 4]
    assert box.search("OR 1:2 NOT 1") == [1, 2, 3, 4]


def test_an_empty_mailbox(box):
    for criteria in ("ALL", "1:*", "UID 1:*", "NOT 1", "NOT ALL", "TEXT x", "OR NEW 1", "OLD", "UNSEEN"):
        assert box.search(criteria) == []


@pytest.mark.parametrize("name", ["BCC", "CC", "FROM", "SUBJECT", "TO"])
def test_fields_of_the_envelope(box, name):
    field = name.encode()
    box.add(field.lower() + b": Some Body <some.body@example.test>\r\n\r\n" + field + b": nobody\r\n")
    box.add(b"X-" + field + b": some body\r\n\r\nsome body\r\n")
    box.add(field + b" :\r\n\tSOME\r\n\tBODY\r\n\r\n")
    box.add(field + b": other\r\n" + field + b": some body\r\n\r\n")
    assert box.search(f'{name} "some body"') == [1, 4]
    assert box.search(f'{name} "SOME\tbody"') == [3]
    assert box.search(f"{name} BODY@EXAMPLE") == [1]
    assert box.search(f"{name} nobody") == []
    assert box.search(f'{name} ""') == [1, 3, 4]
    assert box.search(f'NOT {name} ""') == [2]


def test_header_looks_behind_the_colon_of_that_field_only(box):
    box.add(b"X-Spam: yes\r\nX-Spam-Level: high\r\n\r\nX-Spam: in the body\r\n")
    box.add(b"Subject: X-Spam: yes\r\n\r\n")
    box.add(b"x-SPAM:\r\n\r\n")
    assert box.search("HEADER X-Spam yes") == [1]
    assert box.search("HEADER x-spam spam") == []
    assert box.search('HEADER X-Spam ""') == [1, 3]
    assert box.search('HEADER X-Spam "in the body"') == []
    assert box.search('HEADER Spam ""') == []
    assert box.search('HEADER "X-Spam:" ""') == []
    assert box.search('HEADER "" ""') == []
    assert box.search(b"HEADER Subject {9}\r\nx\r\nx-spam") == []


def test_encoded_words_match_decoded_and_as_they_stand(box):
    box.add(b"From: =?utf-8?q?J=C3=BCrgen?= =?utf-8?b?IEdyw7bDn2U=?= <j@example.test>\r\n\r\n")
    box.add("From: Jürgen Größe <j@example.test>\r\n\r\n".encode())
    box.add("From: Jürgen Größe <j@example.test>\r\n\r\n".encode("latin-1"))
    needle = "JÜRGEN GRÖSSE".encode()
    assert box.search(b"CHARSET UTF-8 FROM {%d}\r\n%b" % (len(needle), needle)) == [1, 2, 3]
    assert box.search(b"CHARSET ISO-8859-1 FROM {7}\r\ngr\xf6\xdfe <") == [1, 2, 3]
    assert box.search('FROM "=?utf-8?q?j=c3"') == [1]
    assert box.search("FROM example") == [1, 2, 3]
    assert box.search("HEADER From =?utf") == [1]


MULTIPART = (
    b"Subject: outside\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=frontier\r\n\r\n"
    b"preamble\r\n--frontier\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DF=\r\ne aus K=F6ln\r\n"
    b"--frontier\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: =?utf-8?q?inn=C3=A9r?=\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nPGI+ZMOpZXA8L2I+\r\n"
    b'--frontier\r\nContent-Type: application/pdf; name="report.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    b"c2VjcmV0\r\n--frontier--\r\nepilogue\r\n"
)


@pytest.mark.parametrize(
    ("needle", "body", "text"),
    [
        ("Grüsse aus köln", True, True),  # decoded, joined, folded
        ("inn\u00c9r", True, True),  # the header of a message inside is body
        ("<b>déep</b>", True, True),
        ("report.pdf", True, True),  # headers of parts are
        ("outside", False, True),
        ("subject: outside", False, True),
        ("Subject:", True, True),
        ("=FC", False, False),
        ("PGI+", False, False),
        ("secret", False, False),
        ("c2Vj", False, False),
        ("preamble", False, False),
        ("epilogue", False, False),
        ("--frontier", False, False),
        ("", True, True),
    ],
)
def test_body_and_text(box, needle, body, text):
    box.add(MULTIPART)
    literal = b"{%d}\r\n%b" % (len(needle.encode()), needle.encode())
    assert box.search(b"CHARSET UTF-8 BODY " + literal) == [1] * body
    assert box.search(b"CHARSET UTF-8 TEXT " + literal) == [1] * text


def test_the_body_of_plain_messages(box):
    box.add(b"Subject: needle\r\n\r\nhay\r\n")
    box.add(b"Subject: hay\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nA NEEDLE in the\r\nhay\r\n")
    box.add(b"Subject: hay\n\na needle\n")
    box.add("Subject: hay\r\n\r\nein Nädelchen, needle\r\n".encode())
    box.add(b"no header at all, needle\r\n")
    box.add(b"Content-Type: text/html\r\n\r\n<p>needle")
    box.add(b"Content-Type: application/octet-stream\r\n\r\nneedle")
    assert box.search("BODY needle") == [2, 3, 4, 5, 6]
    assert box.search("TEXT needle") == [1, 2, 3, 4, 5, 6]
    assert box.search(b"BODY {8}\r\nthe\r\nhay") == [2]
    assert box.search('CHARSET UTF-8 BODY "N{}DEL"'.format("Ä").encode()) == [4]


@pytest.mark.parametrize(("charset", "data"), [("utf-7", b"+AOk-t+AOk-"), ("iso-2022-jp", "été".encode("utf-7"))])
def test_seven_bit_charsets_are_decoded(box, charset, data):
    box.add(b"Content-Type: text/plain; charset=%b\r\n\r\n%b\r\n" % (charset.encode(), data))
    assert box.search('CHARSET UTF-8 BODY "été"'.encode()) == [1] * (charset == "utf-7")


def test_and_or_not_nested(box):
    for subject in (b"a", b"b", b"ab", b"c"):
        box.add(b"Subject: " + subject + b"\r\n\r\n" + subject + b"\r\n", *(["\\Seen"] if b"a" in subject else []))
    assert box.search("SUBJECT a SUBJECT b") == [3]
    assert box.search("OR SUBJECT a SUBJECT b") == [1, 2, 3]
    assert box.search("NOT (OR SUBJECT a SUBJECT b)") == [4]
    assert box.search("OR (SEEN BODY b) (UNSEEN 3:*)") == [3, 4]
    assert box.search("OR (1:2 SEEN) (NOT SEEN 4)") == [1, 4]
    assert box.search("NOT (SEEN 1)") == [2, 3, 4]
    assert box.search("OR 4 OR BODY c BODY a") == [1, 3, 4]
    assert box.search("NOT (1:3 SEEN BODY a)") == [2, 4]
    assert box.search("OR SEEN NOT SEEN") == [1, 2, 3, 4]
    assert box.search("OR ALL SUBJECT x") == [1, 2, 3, 4]
    assert box.search("NOT ALL") == []


def test_messages_that_are_gone_are_searched_as_they_last_were(box):
    for _ in range(3):
        box.add(b"Subject: x\r\n\r\nneedle", "\\Flagged")
    assert box.view.count == 3
    box.mailbox.expunge([2])
    box.add(b"Subject: x\r\n\r\nneedle", "\\Flagged")
    assert box.search("FLAGGED BODY needle") == [1, 2, 3]
    assert box.search("UID 2") == [2]
    box.view.changes(expunges=True)
    assert box.search("FLAGGED BODY needle") == [1, 2, 3]
    assert box.search("UID 2") == []


def test_changes_while_a_search_goes_on(box, run_to_end):
    for _ in range(2000):
        box.add(b"Subject: x\r\n\r\nneedle")
    running = box.generator("TEXT needle")
    next(running)
    box.mailbox.expunge(range(1, 2000, 2))
    box.add(b"Subject: x\r\n\r\nneedle")
    found, steps = run_to_end(running)
    assert found.numbers == list(range(1, 2001))
    assert steps > 5


@pytest.mark.parametrize("criteria", ["UNSEEN", "SUBJECT x", "TEXT needle", "BEFORE 1-Jan-2027", "UID 1:*"])
def test_gives_way_often(box, run_to_end, criteria):
    for _ in range(3000):
        box.add()
    _, steps = run_to_end(box.generator(criteria))
    assert steps >= 5


def test_gives_way_after_each_large_message(box, run_to_end):
    for _ in range(4):
        box.add(b"Subject: x\r\n\r\n" + b"y" * 200_000)
    found, steps = run_to_end(box.generator("BODY yy"))
    assert found.numbers == [1, 2, 3, 4]
    assert steps == 4


def test_long_chains_of_alternatives(box):
    for number in range(50):
        box.add(b"Message-ID: <%d@example.test>\r\n\r\n" % number)
    wanted = [f"HEADER Message-ID <{number}@" for number in range(0, 50, 5)]
    assert box.search("OR " * 9 + " ".join(wanted)) == list(range(1, 51, 5))
    assert box.search("OR " * 999 + " ".join(f"UID {number}" for number in range(1, 2001, 2))) == list(range(1, 51, 2))
