"""Logins gone wrong: whatever a client makes of its password, nobody reads it afterwards."""

import base64
import socket

import pytest

from mockmail import MockMail

BOB, PASSWORD = "bob@example.test", "sEkRiT-pass"


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


PLAIN = base64_of(f"\0{BOB}\0{PASSWORD}")
NEEDLES = [needle.lower() for needle in (PASSWORD, PLAIN[:16], PLAIN[-20:-4], base64_of(PASSWORD)[:12])]
SMTP = [
    ["AUTH PLAIN " + PLAIN],  # before the greeting
    ["EHLO x", "auth plain " + PLAIN],
    ["EHLO x", "AUTH PLAIN " + PLAIN, "AUTH PLAIN " + PLAIN],
    ["EHLO x", "AUTH PLAIN " + PLAIN + " x"],
    ["EHLO x", "AUTH PLAIN " + PLAIN * 900],
    ["EHLO x", "AUTH PLAIN " + PLAIN + "!"],
    ["EHLO x", "AUTH PLAIN \xff" + PLAIN],
    ["EHLO x", " AUTH PLAIN " + PLAIN],
    ["EHLO x", "AUTH\tPLAIN\t" + PLAIN],
    ["EHLO x", "AUTH  PLAIN  " + PLAIN],
    ["EHLO x", "AUTH GSSAPI " + PLAIN],
    ["HELO x", "AUTH PLAIN " + PLAIN],
    ["EHLO x", "MAIL FROM:<a@b.test>", "AUTH PLAIN " + PLAIN],
    ["EHLO x", "AUTH LOGIN", base64_of(BOB), base64_of(PASSWORD)],
    # What a script sends without reading that its login was refused.
    ["AUTH LOGIN", base64_of(BOB), base64_of(PASSWORD)],
    ["EHLO x", "AUTH GSSAPI", PLAIN],
    ["EHLO x", "AUTH PLAIN", PLAIN],
    ["EHLO x", "AUTH LOGIN", "!", base64_of(BOB), base64_of(PASSWORD), "NOOP"],
    ["EHLO x", "AUTH LOGIN", "*", base64_of(PASSWORD)],
    ["EHLO x", "AUTH LOGIN", "!", PASSWORD + " x", PASSWORD + "\t" + PASSWORD, PASSWORD * 2000],
    ["EHLO x", "AUTH", PLAIN],
    ["EHLO x", "AUTH LOGIN", "!", base64_of("user12"), base64_of(f"{PASSWORD} 1234"), f"x {PASSWORD}"],
]
MISTAKES = {
    "smtp": SMTP,
    "lmtp": [[line.replace("EHLO", "LHLO") for line in lines] for lines in SMTP],
    "pop3": [
        ["PASS " + PASSWORD],
        [f"user {BOB}", "pass " + PASSWORD],
        [f"USER {BOB}", "PASS wrong-" + PASSWORD],
        [f"USER {BOB}", " PASS " + PASSWORD],
        [f"USER {BOB}", "PASS\t" + PASSWORD],
        [f"USER {BOB}", "PASS " + PASSWORD, "PASS " + PASSWORD],
        [f"USER {BOB}", "PASS " + PASSWORD + "\0"],
        [f"USER {BOB}", "PASS " + PASSWORD * 2000],
        ["APOP bob " + PASSWORD],
        ["AUTH PLAIN " + PLAIN, "AUTH PLAIN " + PLAIN],
        ["\tAUTH PLAIN " + PLAIN],
        ["AUTH PLAIN " + PLAIN + " x"],
        ["AUTH GSSAPI " + PLAIN],
        ["AUTH PLAIN", PLAIN * 900],
        ["AUTH LOGIN", base64_of(BOB), base64_of(PASSWORD)],
        ["AUTH GSSAPI", PLAIN],
        ["AUTH PLAIN", "!", PLAIN, "NOOP"],
        ["AUTH LOGIN", "*", base64_of(BOB), base64_of(PASSWORD)],
        ["AUTH LOGIN", "!", PASSWORD + " x", PASSWORD * 2000],
    ],
    "imap": [
        [f"a LOGIN {BOB} {PASSWORD}", f"b LOGIN {BOB} {PASSWORD}"],
        [f"a login {BOB} x{PASSWORD}"],
        [f'a LOGIN {BOB} "{PASSWORD}'],
        [f'a LOGIN {BOB} "{PASSWORD}\\x"'],
        [f"a LOGIN {BOB} {PASSWORD} x"],
        [f"a LOGIN (bob) {PASSWORD}"],
        [f"a  LOGIN bob {PASSWORD}"],
        [f"a\tLOGIN bob {PASSWORD}"],
        [f" a LOGIN bob {PASSWORD}"],
        [f"LOGIN {BOB} {PASSWORD}"],
        [f"+ LOGIN {BOB} {PASSWORD}"],
        [f"a LOGIN {BOB} \xff{PASSWORD}"],
        [f"a LOGIN {BOB} \0{PASSWORD}"],
        ["a LOGIN {16+}", BOB + " {11+}", PASSWORD],
        [f"a LOGIN {BOB} " + "{12+}", PASSWORD + "\0"],
        ["a AUTHENTICATE PLAIN " + PLAIN + " x"],
        ["a AUTHENTICATE GSSAPI " + PLAIN],
        ["a AUTHENTICATE PLAIN", PLAIN + "!"],
        ["a AUTHENTICATE PLAIN", PLAIN * 900, "b NOOP"],
        ["a AUTHENTICATE GSSAPI", PLAIN],
        ["a AUTHENTICATE PLAIN", "!", PLAIN, "b NOOP"],
        ["a AUTHENTICATE LOGIN", "*", base64_of(BOB), base64_of(PASSWORD)],
        ["a AUTHENTICATE PLAIN", "!", PASSWORD + " x", f"{PASSWORD} {PASSWORD} x", PASSWORD * 9000],
        [f"a LOGIN {BOB} " + PASSWORD * 9000, "b NOOP"],
        [f'a LOGIN {BOB} "' + PASSWORD * 9000 + '"', "b NOOP"],
        [f"a LOGIN {BOB} " + "{99000+}", PASSWORD * 9000, "b NOOP"],
        [f"a LOGIN {BOB} " + "{99000}", PASSWORD, "b NOOP"],
        [f"a LOGIN {BOB} " + "x" * 70_000 + " {11+}", PASSWORD, "b NOOP"],
    ],
}
SERVERS = {
    "users": {"users": {BOB: PASSWORD}},
    "anybody": {},
    "less": {"users": {BOB: PASSWORD}, "hide": {"smtp": ["AUTH=PLAIN"], "pop3": ["USER", "APOP"], "imap": ["SASL-IR"]}},
}


@pytest.fixture(scope="module", params=SERVERS)
def mail(request):
    with MockMail(lmtp_port=0, **SERVERS[request.param]) as running:
        yield running


def converse(address, data):
    """Send everything, read to the end."""
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as replies:
            return replies.read()


@pytest.mark.parametrize(
    ("protocol", "lines"), [(protocol, lines) for protocol, tried in MISTAKES.items() for lines in tried]
)
def test_a_secret_is_on_no_record(mail, protocol, lines):
    mail.reset()
    replies = converse(mail.endpoint(protocol).address, "".join(line + "\r\n" for line in lines).encode("latin-1"))
    assert replies
    record = f"{replies!r}{mail.transcript}{list(mail.events)}".lower()
    assert [needle for needle in NEEDLES if needle in record] == []


@pytest.mark.parametrize(
    ("protocol", "lines", "after"),
    [
        ("smtp", ["EHLO x", "AUTH LOGIN", "!", base64_of(PASSWORD), "NOOP", "BOGUS word"], "C: BOGUS word"),
        ("pop3", ["AUTH PLAIN", "!", PLAIN, "CAPA", "BOGUS word"], "C: BOGUS word"),
        ("imap", ["a AUTHENTICATE PLAIN", "!", PLAIN, "b NOOP", "c BOGUS word"], "C: c BOGUS word"),
        ("imap", [f"a LOGIN {BOB} " + PASSWORD * 9000, "b BOGUS word"], "C: b BOGUS word"),
    ],
)
def test_what_comes_after_it_is_shown_again(mail, protocol, lines, after):
    mail.reset()
    assert converse(mail.endpoint(protocol).address, "".join(line + "\r\n" for line in lines).encode())
    assert after in str(mail.transcript).splitlines()
