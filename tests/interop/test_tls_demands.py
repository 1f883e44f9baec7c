"""What servers demand, refuse and survive around a handshake."""

import contextlib
import imaplib
import poplib
import re
import smtplib
import socket
import ssl
import struct
import threading

import pytest

from mockmail import TLS, LoggedIn, MockMail, TLSFailed, TLSStarted
from mockmail.wire import tls as wire_tls

BOB = "bob@example.test"
USERS = {BOB: "secret"}
SECONDS = 10.0
PROTOCOLS = ("smtp", "pop3", "imap")
UPGRADING = (*PROTOCOLS, "lmtp")
"""LMTP has no port that begins with TLS."""
ASK = {"smtp": b"STARTTLS\r\n", "pop3": b"STLS\r\n", "imap": b"t STARTTLS\r\n", "lmtp": b"STARTTLS\r\n"}
CAPABILITIES = {
    "smtp": b"EHLO c.test\r\n",
    "pop3": b"CAPA\r\n",
    "imap": b"c CAPABILITY\r\n",
    "lmtp": b"LHLO c.test\r\n",
}
_REPLY = rb"^\d{3} .*\r\n\Z"
ENDS = {"smtp": _REPLY, "pop3": rb"(^\.\r\n|^-ERR.*\r\n)\Z", "imap": rb"^c .*\r\n\Z", "lmtp": _REPLY}
NAMES = {"smtp": b"STARTTLS", "pop3": b"STLS", "imap": b"STARTTLS", "lmtp": b"STARTTLS"}


class Peer:
    """A client by hand."""

    def __init__(self, mail, protocol):
        self.protocol = protocol
        self.socket = socket.create_connection(mail.endpoint(protocol).address, timeout=SECONDS)
        self.file = self.socket.makefile("rb")
        self.greeting = self.file.readline()

    def say(self, data):
        self.socket.sendall(data)
        return self.file.readline()

    def capabilities(self):
        """The whole reply."""
        self.socket.sendall(CAPABILITIES[self.protocol])
        reply = b""
        while not re.search(ENDS[self.protocol], reply, re.MULTILINE):
            line = self.file.readline()
            assert line, reply
            reply += line
        return reply

    def start_tls(self, context):
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()


def failure(mail, reason=None):
    """The first handshake that failed (for this reason), waited for."""
    happened = threading.Event()
    journal = mail.world.journal

    def found():
        return [event for event in mail.events.of(TLSFailed) if reason in (None, event.reason)]

    while not found():
        happened.clear()
        cancel = journal.when_longer(len(journal.records), happened.set)
        if not found():
            assert happened.wait(SECONDS), mail.events.of(TLSFailed)
        cancel()
    return found()[0]


@pytest.fixture
def peer():
    with contextlib.ExitStack() as stack:

        def connect(mail, protocol):
            made = Peer(mail, protocol)
            stack.callback(lambda: made.close())
            return made

        connect.enter = stack.enter_context
        yield connect


@pytest.fixture(scope="module")
def mail():
    with MockMail(users=USERS, tls=True, lmtp_port=0) as running:
        yield running


@pytest.mark.parametrize("protocol", UPGRADING)
def test_starttls_is_offered_once(mail, peer, protocol):
    client = peer(mail, protocol)
    assert NAMES[protocol] in client.capabilities()
    assert client.say(ASK[protocol])[:6].strip() in (b"220 2.", b"+OK be", b"t OK B")
    client.start_tls(mail.tls.client_context())
    if protocol in ("smtp", "lmtp"):  # it has forgotten the EHLO
        assert client.say(b"MAIL FROM:<a@b.test>\r\n").startswith(b"503")
    assert NAMES[protocol] not in client.capabilities()
    again = client.say(ASK[protocol])
    assert again.startswith((b"503 5.5.1", b"-ERR", b"t BAD"))
    assert NAMES[protocol] not in client.capabilities()


INJECTED = {
    "smtp": b"MAIL FROM:<evil@else.test>\r\nRCPT TO:<bob@example.test>\r\nRSET\r\nQUIT\r\n",
    "pop3": b"USER bob@example.test\r\nPASS secret\r\nQUIT\r\n",
    "imap": b"x LOGIN bob@example.test secret\r\ny LOGOUT\r\n",
    "lmtp": b"LHLO evil.test\r\nMAIL FROM:<evil@else.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n.\r\n",
}


@pytest.mark.parametrize("protocol", UPGRADING)
def test_plain_text_behind_the_command_is_never_acted_on(peer, protocol):
    mail = peer.enter(MockMail(users=USERS, tls=True, lmtp_port=0))
    client = peer(mail, protocol)
    client.capabilities()
    assert client.say(ASK[protocol] + INJECTED[protocol])[:4] in (b"220 ", b"+OK ", b"t OK")
    client.start_tls(mail.tls.client_context())
    assert NAMES[protocol] not in client.capabilities()
    named = {command.name for command in mail.commands()}
    assert named <= {"EHLO", "LHLO", "CAPA", "CAPABILITY", "STARTTLS", "STLS"}
    assert "evil.test" not in str(mail.commands())
    assert mail.events.of(LoggedIn) == []
    mail.check()


@pytest.mark.parametrize("protocol", UPGRADING)
def test_what_comes_encrypted_with_the_end_of_the_handshake_is_answered(mail, peer, protocol):
    """curl asks for capabilities in the packet that ends its side of the handshake."""
    for _ in range(5):
        client = peer(mail, protocol)
        client.capabilities()
        client.say(ASK[protocol])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = mail.tls.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        client.socket.sendall(outgoing.read())
        while True:
            incoming.write(client.socket.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
        tls.write(CAPABILITIES[protocol])
        client.socket.sendall(outgoing.read())
        reply = b""
        while not re.search(ENDS[protocol], reply, re.MULTILINE):
            received = client.socket.recv(65536)
            assert received, reply
            incoming.write(received)
            with contextlib.suppress(ssl.SSLWantReadError):
                while record := tls.read(65536):  # one at a time, and a slow machine sends a reply in several
                    reply += record


@pytest.mark.parametrize("protocol", UPGRADING)
def test_hidden_means_refused(peer, protocol):
    with MockMail(tls=TLS(starttls="hide"), lmtp_port=0) as mail:
        client = peer(mail, protocol)
        assert NAMES[protocol] not in client.capabilities()
        assert client.say(ASK[protocol]).startswith((b"500 5.5.1", b"-ERR", b"t BAD"))
        if protocol in PROTOCOLS:
            assert mail.endpoint(f"{protocol}s").port


@pytest.mark.parametrize("protocol", UPGRADING)
def test_refused_though_advertised(peer, protocol):
    with MockMail(tls=TLS(starttls="refuse"), lmtp_port=0) as mail:
        client = peer(mail, protocol)
        assert NAMES[protocol] in client.capabilities()
        assert client.say(ASK[protocol]).startswith((b"454 4.7.0", b"-ERR [SYS/TEMP]", b"t NO [UNAVAILABLE]"))
        assert NAMES[protocol] in client.capabilities()


@pytest.mark.parametrize("protocol", UPGRADING)
def test_agreed_and_then_broken_off(peer, protocol):
    with MockMail(tls=TLS(starttls="fail"), lmtp_port=0) as mail:
        client = peer(mail, protocol)
        client.capabilities()
        assert client.say(ASK[protocol]).startswith((b"220", b"+OK", b"t OK"))
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            client.start_tls(mail.tls.client_context())
        client.socket.close()
        failed = failure(mail)
        assert (failed.protocol, failed.reason, failed.by_client) == (protocol, "no shared cipher", False)
        with implicit(mail, "smtp" if protocol == "lmtp" else protocol, mail.tls.client_context()) as tls:
            assert tls.version() == "TLSv1.3"


@contextlib.contextmanager
def implicit(mail, protocol, context):
    """A connection of the twin port."""
    with socket.create_connection(mail.endpoint(f"{protocol}s").address, timeout=SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            yield tls


@pytest.mark.parametrize(
    ("minimum", "maximum", "version"), [("1.2", "1.2", "TLSv1.2"), ("1.3", "1.3", "TLSv1.3"), ("1.2", "1.3", "TLSv1.3")]
)
def test_versions(minimum, maximum, version):
    with MockMail(tls=TLS(minimum_version=minimum, maximum_version=maximum)) as mail:
        with implicit(mail, "smtp", mail.tls.client_context()) as tls:
            assert tls.version() == version
            tls.recv(100)
            tls.sendall(b"QUIT\r\n")
            tls.recv(100)
        started = mail.assert_tls_started(protocol="smtp", version=version, implicit=True)
        assert started.client_certificate is None
        mail.assert_not_tls_started(version=re.compile("SSL|1.1"))
        if minimum == maximum:
            other = mail.tls.client_context()
            only = ssl.TLSVersion.TLSv1_2 if maximum == "1.3" else ssl.TLSVersion.TLSv1_3
            other.minimum_version = other.maximum_version = only
            with pytest.raises(ssl.SSLError), implicit(mail, "smtp", other):
                pass
            failed = failure(mail)
            assert failed.reason == "unsupported protocol"
            assert not failed.by_client


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_certificate(protocol):
    with MockMail(tls=TLS(client_certificate="required")) as mail:
        with implicit(mail, protocol, mail.tls.client_context(certificate=BOB)) as tls:
            assert tls.recv(10)
        started = mail.assert_tls_started(protocol=protocol, client_certificate=re.compile(f"commonName={BOB}"))
        assert started.client_certificate.startswith("organizationName=mockmail, ")
        # By TLS 1.3 the client learns of it only after its own end of the handshake.
        with contextlib.suppress(ssl.SSLError, ConnectionResetError):
            with implicit(mail, protocol, mail.tls.client_context()) as tls:
                assert tls.recv(10) == b""
        assert failure(mail, "peer did not return a certificate").by_client is False
    with MockMail(tls=TLS(client_certificate="optional")) as mail:
        with implicit(mail, protocol, mail.tls.client_context()) as tls:
            assert tls.recv(10)
        mail.assert_tls_started(client_certificate=False)
        with implicit(mail, protocol, mail.tls.client_context(certificate=True)) as tls:
            assert tls.recv(10)
        mail.assert_tls_started(client_certificate=True)


REFUSED = {
    "smtp": [
        (b"HELO c.test\r\n", b"530 5.7.0 "),
        (b"MAIL FROM:<a@b.test>\r\n", b"530 5.7.0 "),
        (b"AUTH PLAIN\r\n", b"530 5.7.0 "),
        (b"NOOP\r\n", b"250 "),
    ],
    "pop3": [
        (b"USER bob@example.test\r\n", b"-ERR [SYS/PERM] "),
        (b"AUTH PLAIN\r\n", b"-ERR [SYS/PERM] "),
        (b"NOOP\r\n", b"-ERR "),
    ],
    "imap": [
        (b"a LOGIN bob@example.test secret\r\n", b"a NO [PRIVACYREQUIRED] "),
        (b"a LOGIN {16}\r\n", b"a NO [PRIVACYREQUIRED] "),
        (b"a AUTHENTICATE PLAIN\r\n", b"a NO [PRIVACYREQUIRED] "),
        (b"a NOOP\r\n", b"a OK "),
    ],
    "lmtp": [
        (b"MAIL FROM:<a@b.test>\r\n", b"530 5.7.0 "),
        (b"AUTH PLAIN\r\n", b"530 5.7.0 "),
        (b"NOOP\r\n", b"250 "),
    ],
}


@pytest.mark.parametrize("protocol", UPGRADING)
def test_require_tls(peer, protocol):
    with MockMail(users=USERS, tls=True, require_tls=True, lmtp_port=0) as mail:
        client = peer(mail, protocol)
        before = client.capabilities()
        assert b"PLAIN" not in before
        assert b"\r\nUSER\r\n" not in before  # "UTF8 USER" is no login
        assert (b"LOGINDISABLED" in before) is (protocol == "imap")
        for line, reply in REFUSED[protocol]:
            assert client.say(line).startswith(reply)
        assert client.say(ASK[protocol]).startswith((b"220", b"+OK", b"t OK"))
        client.start_tls(mail.tls.client_context())
        after = client.capabilities()
        assert b"PLAIN" in after
        assert b"LOGINDISABLED" not in after
        mail.assert_not_logged_in()
        if protocol in PROTOCOLS:
            with implicit(mail, protocol, mail.tls.client_context()) as tls:
                assert tls.recv(3) in (b"220", b"+OK", b"* O")


def test_a_login_over_required_tls():
    with MockMail(users=USERS, tls=True, require_tls=True) as mail:
        context = mail.tls.client_context()
        with smtplib.SMTP("localhost", mail.smtp.port, timeout=SECONDS) as smtp:
            with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
                smtp.sendmail("a@b.test", [BOB], b"x")
            smtp.starttls(context=context)
            smtp.login(BOB, "secret")
        pop3 = poplib.POP3("localhost", mail.pop3.port, timeout=SECONDS)
        pop3.stls(context=context)
        pop3.user(BOB)
        pop3.pass_("secret")
        pop3.quit()
        with imaplib.IMAP4("localhost", mail.imap.port, timeout=SECONDS) as imap:
            imap.starttls(ssl_context=context)
            assert "LOGINDISABLED" not in imap.capabilities
            imap.login(BOB, "secret")
        for protocol in PROTOCOLS:
            mail.assert_logged_in(account=BOB, protocol=protocol, tls="TLSv1.3")


@pytest.mark.parametrize("way", ["starttls", "implicit"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_leaves_after_the_handshake_has_refused_too(peer, protocol, way):
    """So do Node's and GnuTLS's clients, which look at the certificate when the handshake is done."""
    mail = peer.enter(MockMail(tls=True))
    if way == "implicit":
        with implicit(mail, protocol, mail.tls.client_context()):
            pass
    else:
        client = peer(mail, protocol)
        client.capabilities()
        client.say(ASK[protocol])
        client.start_tls(mail.tls.client_context())
        client.close()
    refused = mail.assert_tls_refused(protocol=protocol, reason="left without a word")
    (started,) = mail.events.of(TLSStarted)
    assert started.session == refused.session


def test_a_failure_says_what_handshakes_there_were(peer):
    mail = peer.enter(MockMail(tls=True))
    with implicit(mail, "imap", mail.tls.client_context()) as tls:
        tls.recv(10)
    mail.assert_tls_refused(protocol="imap")
    with pytest.raises(AssertionError) as raised:
        mail.assert_tls_started(protocol="imap", version="TLSv1.2", timeout=0)
    assert "assert_tls_started() expected at least one TLS handshake; there was none." in str(raised.value)
    assert re.search(r"imap-\d+  TLSv1.3 TLS_\w+, from the first byte", str(raised.value))
    with pytest.raises(AssertionError, match="left without a word"):
        mail.assert_tls_refused(protocol="imap", reason="unknown ca", timeout=0)


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_half_a_handshake_ends_in_time(peer, way, monkeypatch):
    monkeypatch.setattr(wire_tls, "HANDSHAKE_SECONDS", 0.3)
    with MockMail(tls=True) as mail:
        client = peer(mail, "pop3") if way == "starttls" else None
        if client is not None:
            client.say(b"STLS\r\n")
        with socket.create_connection(mail.pop3s.address, timeout=SECONDS) as other:
            half = client.socket if client is not None else other
            half.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            with contextlib.suppress(ConnectionResetError):
                assert half.recv(1) == b""
            assert failure(mail, "timeout").by_client is False


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_garbage_for_a_handshake_costs_its_sender_alone(peer, way):
    mail = peer.enter(MockMail(tls=True))
    client = peer(mail, "smtp")
    client.capabilities()
    if way == "starttls":
        client.say(b"STARTTLS\r\n")
        victim = client.socket
    else:
        victim = socket.create_connection(mail.smtps.address, timeout=SECONDS)
    with contextlib.suppress(OSError):
        for _ in range(200):
            victim.sendall(b"\x16\x03\x01\xff\xff" + b"A" * 65535)
    victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    victim.close()
    assert failure(mail).implicit is (way == "implicit")
    with implicit(mail, "smtp", mail.tls.client_context()) as tls:
        assert tls.recv(3) == b"220"
    mail.check()


def test_a_stop_in_a_handshake_leaves_nothing(peer):
    before = set(threading.enumerate())
    with MockMail(tls=True) as mail:
        for protocol in PROTOCOLS:
            client = peer(mail, protocol)
            client.capabilities()
            client.say(ASK[protocol])
            client.socket.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        half = socket.create_connection(mail.imaps.address, timeout=SECONDS)
        half.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    assert set(threading.enumerate()) == before
    assert mail.events.of(TLSFailed) == []
    half.close()
