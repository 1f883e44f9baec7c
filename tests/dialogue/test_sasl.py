"""Every mechanism on every protocol, in memory: what is said, what goes on record, what is kept secret."""

import base64
import importlib
import json
import re
from datetime import timedelta
from hashlib import md5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scramp import ScramClient

from mockmail.auth.mechanisms import MECHANISMS
from mockmail.auth.tokens import issue_token, revoke_token
from mockmail.config import Settings
from mockmail.core.events import Command, LoggedIn, LoginFailed
from mockmail.core.world import World
from mockmail.wire.contract import Link, TLSInfo

PROTOCOLS = {
    "smtp": "mockmail.smtp.session:SmtpSession",
    "pop3": "mockmail.pop3.session:Pop3Session",
    "imap": "mockmail.imap.session:ImapSession",
}
BOB, PASSWORD = "bob@example.test", "sekrit,=pass"
USERS = {BOB: PASSWORD, "eve@example.test": "eves-own"}
BINDING = b"the first Finished message"
TLS = TLSInfo(
    "TLSv1.2",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "commonName=Bob",
    certified_names=(BOB, "Bob"),
    channel_bindings={"tls-unique": BINDING},
)
# By protocol: (challenge, success, refused login); what is neither is a mistake of the client's.
REPLIES = {
    "smtp": (rb"334 (.*)", rb"235 .*", rb"535 .*"),
    "pop3": (rb"\+ (.*)", rb"\+OK maildrop .*", rb"-ERR \[AUTH\] .*"),
    "imap": (rb"\+ (.*)", rb"a\d+ OK .*", rb"a\d+ NO \[AUTHENTICATIONFAILED\] .*"),
}


class Client:
    """Speaks one of the protocols to a session in memory."""

    def __init__(self, protocol, world, tls=None):
        self.protocol = protocol
        self.world = world
        self.sent = bytearray()
        self.hidden = set()
        self.received = b""
        self.tags = 0
        self.link = Link(protocol, f"{protocol}-1", tls=tls, redact=lambda a, b: self.hidden.update(range(a, b)))
        module, _, name = PROTOCOLS[protocol].partition(":")
        self.session = getattr(importlib.import_module(module), name)(self.link, world)
        self.session.greeting()
        self._read()
        if protocol == "smtp":
            self.hello = self.line(b"EHLO client.test")

    def line(self, line):
        """Send a line, return what comes back."""
        self.sent += line + b"\r\n"
        self.session.receive(line + b"\r\n")
        return self._read()

    def _read(self):
        data = b""
        while (actions := self.session.outgoing()) or self.session.busy:
            data += b"".join(action for action in actions if isinstance(action, bytes))
        self.received += data
        return data

    def auth(self, name, initial=None):
        """Begin; ``initial`` unencoded, or text as it stands in the command."""
        self.tags += 1
        word = {"smtp": "AUTH", "pop3": "AUTH", "imap": f"a{self.tags} AUTHENTICATE"}[self.protocol]
        if isinstance(initial, bytes):
            initial = base64.b64encode(initial).decode() or "="
        return self._judge(self.line(f"{word} {name}{'' if initial is None else ' ' + initial}".encode()))

    def answer(self, data):
        """Answer a challenge; bytes are encoded, text stands as it is."""
        return self._judge(self.line(data.encode() if isinstance(data, str) else base64.b64encode(data)))

    def _judge(self, reply):
        for kind, pattern in zip(("challenge", "yes", "no"), REPLIES[self.protocol], strict=True):
            match = re.fullmatch(pattern, reply.rstrip(b"\r\n"))
            if match:
                return (kind, base64.b64decode(match[1])) if kind == "challenge" else (kind, b"")
        assert reply.count(b"\r\n") == 1
        return "bad", reply

    def offered(self):
        if self.protocol == "smtp":
            match = re.search(rb"^250[- ]AUTH (.*)\r$", self.line(b"EHLO client.test"), re.MULTILINE)
        elif self.protocol == "pop3":
            match = re.search(rb"^SASL (.*)\r$", self.line(b"CAPA"), re.MULTILINE)
        else:
            return [name.decode() for name in re.findall(rb"AUTH=(\S+)", self.line(b"c CAPABILITY"))]
        return match[1].decode().split() if match else []

    def of(self, kind):
        return self.world.journal.of(kind)

    @property
    def on_record(self):
        """Everything that anybody might read afterwards."""
        shown = bytes(byte for at, byte in enumerate(self.sent) if at not in self.hidden)
        events = [repr(event) for event in self.world.journal.events(0)]
        return shown.decode("utf-8", "replace") + self.received.decode("utf-8", "replace") + "".join(events)


@pytest.fixture(params=PROTOCOLS)
def connect(request):
    """``connect(users=..., tls=...)`` gives a client of one protocol; fails if its session met an error."""
    clients = []

    def make(*, tls=None, world=None, **overrides):
        clients.append(Client(request.param, world or World(Settings(**overrides)), tls))
        return clients[-1]

    yield make
    for client in clients:
        assert client.link.errors == []


def cram(client, username, secret):
    kind, challenge = client.auth("CRAM-MD5")
    assert kind == "challenge"
    inner = bytes(byte ^ 0x36 for byte in secret.encode().ljust(64, b"\0"))
    outer = bytes(byte ^ 0x5C for byte in secret.encode().ljust(64, b"\0"))
    digest = md5(outer + md5(inner + challenge).digest()).hexdigest()  # HMAC, by hand (RFC 2104)
    return client.answer(f"{username} {digest}".encode())


def scram(client, name, username, secret, *, binding=None, initial=True):
    other = ScramClient([name], username, secret, channel_binding=binding)
    if initial:
        kind, data = client.auth(name, other.get_client_first().encode())
    else:
        assert client.auth(name) == ("challenge", b"")
        kind, data = client.answer(other.get_client_first().encode())
    if kind != "challenge":
        return kind, data
    other.set_server_first(data.decode())
    kind, data = client.answer(other.get_client_final().encode())
    if kind != "challenge":
        return kind, data
    other.set_server_final(data.decode())
    return client.answer("")


def xoauth2(username, token):
    return f"user={username}\x01auth=Bearer {token}\x01\x01".encode()


def oauthbearer(username, token):
    return f"n,a={username},\x01host=localhost\x01port=143\x01auth=Bearer {token}\x01\x01".encode()


def login(client, username, secret):
    assert client.auth("LOGIN") == ("challenge", b"Username:")
    assert client.answer(username.encode()) == ("challenge", b"Password:")
    return client.answer(secret.encode())


BY_PASSWORD = {
    "PLAIN": lambda client, username, secret: client.auth("PLAIN", f"\0{username}\0{secret}".encode()),
    "LOGIN": login,
    "CRAM-MD5": cram,
    "SCRAM-SHA-1": lambda client, *who: scram(client, "SCRAM-SHA-1", *who),
    "SCRAM-SHA-256": lambda client, *who: scram(client, "SCRAM-SHA-256", *who),
    "SCRAM-SHA-1-PLUS": lambda client, *who: scram(client, "SCRAM-SHA-1-PLUS", *who, binding=("tls-unique", BINDING)),
    "SCRAM-SHA-256-PLUS": lambda client, *who: scram(
        client, "SCRAM-SHA-256-PLUS", *who, binding=("tls-unique", BINDING)
    ),
}
BY_TOKEN = {"XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer}


@pytest.mark.parametrize("name", BY_PASSWORD)
@pytest.mark.parametrize("username", ["bob", BOB, "BOB@example.test"])
def test_the_right_password_logs_in(connect, name, username):
    client = connect(users=USERS, tls=TLS)
    assert name in client.offered()
    assert BY_PASSWORD[name](client, username, PASSWORD) == ("yes", b"")
    (event,) = client.of(LoggedIn)
    assert (event.account, event.username, event.mechanism) == (BOB, username, name)
    assert (event.tls, event.password_checked) == ("TLSv1.2", True)
    assert client.of(LoginFailed) == []
    assert PASSWORD not in client.on_record


@pytest.mark.parametrize("name", BY_PASSWORD)
@pytest.mark.parametrize(("username", "secret"), [("bob", "sekrit,=nope"), ("bob", "eves-own"), ("nobody", PASSWORD)])
def test_a_wrong_password_or_name_does_not_and_another_try_may(connect, name, username, secret):
    client = connect(users=USERS, tls=TLS)
    assert BY_PASSWORD[name](client, username, secret) == ("no", b"")
    (event,) = client.of(LoginFailed)
    assert (event.username, event.mechanism, event.tls) == (username, name, "TLSv1.2")
    assert username in event.reason
    assert BY_PASSWORD[name](client, "bob", PASSWORD) == ("yes", b"")
    assert "LoginFailed(" in client.on_record
    for hidden in (secret, PASSWORD, base64.b64encode(secret.encode()).decode().rstrip("=")):
        assert hidden not in client.on_record


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_without_users_any_password_does_but_none(connect, name):
    client = connect()
    assert BY_PASSWORD[name](client, "new@example.test", "") == ("no", b"")
    assert "empty password" in client.of(LoginFailed)[0].reason
    assert BY_PASSWORD[name](client, "new@example.test", "whatever") == ("yes", b"")
    assert client.of(LoggedIn)[0].password_checked is False


@pytest.mark.parametrize("name", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_without_a_known_password_scram_is_not_offered_and_says_why_it_fails(connect, name):
    client = connect()
    assert name not in client.offered()
    assert scram(client, name, "bob", "any") == ("no", b"")
    reason = client.of(LoginFailed)[0].reason
    assert reason == "'bob' has no password that the server knows, as SCRAM needs; give users= or add_user()"
    client.world.accounts.create(BOB, password=PASSWORD, created_by="test")
    assert name in client.offered()
    assert scram(client, name, "bob", PASSWORD) == ("yes", b"")


@pytest.mark.parametrize("name", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_scram_begins_without_an_initial_response_too(connect, name):
    assert scram(connect(users=USERS), name, BOB, PASSWORD, initial=False) == ("yes", b"")


def test_a_client_that_does_not_believe_the_server_cancels(connect):
    client = connect(users=USERS)
    other = ScramClient(["SCRAM-SHA-256"], BOB, PASSWORD)
    other.set_server_first(client.auth("SCRAM-SHA-256", other.get_client_first().encode())[1].decode())
    assert client.answer(other.get_client_final().encode())[0] == "challenge"
    assert client.answer("*")[0] == "bad"
    assert client.of(LoggedIn) == []


@pytest.mark.parametrize("name", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
def test_scram_on_another_channel_is_refused(connect, name):
    client = connect(users=USERS, tls=TLS)
    assert scram(client, name, BOB, PASSWORD, binding=("tls-unique", b"of the man in the middle")) == ("no", b"")
    assert client.of(LoginFailed)[0].reason == "the client's channel binding is another"


def test_what_needs_tls_is_not_there_without(connect):
    client = connect(users=USERS)
    for name in ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "EXTERNAL"):
        assert name not in client.offered()
        assert client.auth(name, b"")[0] == "bad"
    client = connect(users=USERS, tls=TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
    assert not {"SCRAM-SHA-256-PLUS", "EXTERNAL"}.intersection(client.offered())


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize(("name", "message"), BY_TOKEN.items())
def test_a_token_logs_in_until_it_expires(connect, name, message, initial):
    client = connect(users=USERS)
    token = issue_token(client.world, client.world.account(BOB), expires_in=60)
    assert name in client.offered()
    if initial:
        assert client.auth(name, message(BOB, token)) == ("yes", b"")
    else:
        assert client.auth(name) == ("challenge", b"")
        assert client.answer(message(BOB, token)) == ("yes", b"")
    (event,) = client.of(LoggedIn)
    assert (event.account, event.mechanism, event.password_checked) == (BOB, name, True)
    client.world.clock.shift(timedelta(seconds=60))
    late = connect(world=client.world)
    assert late.auth(name, message(BOB, token))[0] == "challenge"
    assert late.answer("")[0] == "no"
    assert f"the token of {BOB} expired at" in late.of(LoginFailed)[0].reason
    assert token not in client.on_record
    assert token not in late.on_record


@pytest.mark.parametrize("answer", ["", "AQ==", "*"])
@pytest.mark.parametrize(
    ("name", "message", "status"), [("XOAUTH2", xoauth2, "401"), ("OAUTHBEARER", oauthbearer, "invalid_token")]
)
@pytest.mark.parametrize("case", ["revoked", "unknown", "another's", "empty", "no such user"])
def test_a_token_that_is_not_good_gets_the_error_challenge(connect, name, message, status, answer, case):
    client = connect(users=USERS)
    bob, eve = client.world.account(BOB), client.world.account("eve@example.test")
    token, others = issue_token(client.world, bob), issue_token(client.world, eve)
    revoked = issue_token(client.world, bob)
    revoke_token(bob, revoked)
    username = "carol@example.test" if case == "no such user" else BOB
    sent = {"revoked": revoked, "unknown": "ya29.made-up", "another's": others, "empty": ""}.get(case, token)
    kind, challenge = client.auth(name, message(username, sent))
    assert kind == "challenge"
    assert json.loads(challenge) == {"status": status, "schemes": "bearer", "scope": "mail"}
    assert client.answer(answer) == ("no", b"")
    (event,) = client.of(LoginFailed)
    assert (event.username, event.mechanism) == (username, name)
    said = {"revoked": "revoked", "unknown": "never issued", "another's": "eve@example.test", "empty": "empty token"}
    assert said.get(case, "none of users=") in event.reason
    for hidden in (token, others, revoked, "ya29.made-up"):
        assert hidden not in client.on_record
    assert client.auth(name, message(BOB, token)) == ("yes", b"")


@pytest.mark.parametrize(("name", "message"), BY_TOKEN.items())
def test_a_client_that_hangs_up_on_the_error_challenge_has_failed(connect, name, message):
    client = connect(users=USERS)
    assert client.auth(name, message(BOB, "made-up"))[0] == "challenge"
    client.session.connection_lost()
    assert len(client.of(LoginFailed)) == 1


@pytest.mark.parametrize(("name", "message"), BY_TOKEN.items())
def test_without_users_any_token_does_until_one_is_issued(connect, name, message):
    client = connect()
    assert client.auth(name, message("new@example.test", "made-up")) == ("yes", b"")
    assert client.of(LoggedIn)[0].password_checked is False
    account = client.world.account("new@example.test")
    token = issue_token(client.world, account)
    client.session.connection_lost()
    second = connect(world=client.world)
    assert second.auth(name, message("new@example.test", "made-up"))[0] == "challenge"
    assert second.answer("")[0] == "no"
    assert second.auth(name, message("new@example.test", token)) == ("yes", b"")
    third = connect(world=client.world)
    client.world.accounts.create(BOB, password="secret", created_by="test")
    assert third.auth(name, message(BOB, "made-up"))[0] == "challenge"
    assert third.answer("")[0] == "no"


def test_a_token_gives_no_login_by_password(connect):
    client = connect(users=USERS)
    carol = client.world.accounts.create("carol@example.test", created_by="test")
    token = issue_token(client.world, carol)
    for name in ("PLAIN", "CRAM-MD5", "SCRAM-SHA-256"):
        assert BY_PASSWORD[name](client, "carol@example.test", "any") == ("no", b"")
    assert client.auth("XOAUTH2", xoauth2("carol@example.test", token)) == ("yes", b"")


def test_oauthbearer_finds_the_user_of_a_token(connect):
    client = connect(users=USERS)
    token = issue_token(client.world, client.world.account(BOB))
    assert client.auth("OAUTHBEARER", b"n,,\x01auth=Bearer made-up\x01\x01")[0] == "challenge"
    assert client.answer("AQ==")[0] == "no"
    assert client.auth("OAUTHBEARER", f"n,,\x01auth=Bearer {token}\x01\x01".encode()) == ("yes", b"")
    assert client.of(LoggedIn)[0].username == BOB


@pytest.mark.parametrize("wanted", [b"", b"bob", BOB.encode()])
def test_external_is_whom_the_certificate_names(connect, wanted):
    client = connect(users=USERS, tls=TLS)
    assert "EXTERNAL" in client.offered()
    assert client.auth("EXTERNAL", wanted) == ("yes", b"")
    (event,) = client.of(LoggedIn)
    assert (event.account, event.mechanism, event.password_checked) == (BOB, "EXTERNAL", True)


@pytest.mark.parametrize("wanted", [b"eve@example.test", b"carol@example.test"])
def test_external_is_nobody_else(connect, wanted):
    client = connect(users=USERS, tls=TLS)
    assert client.auth("EXTERNAL") == ("challenge", b"")
    assert client.answer(wanted) == ("no", b"")
    assert wanted.decode() in client.of(LoginFailed)[0].reason


@pytest.mark.parametrize("users", [None, USERS])
@pytest.mark.parametrize("trace", ["", "sirhc", "someone@else.test"])
def test_anonymous_only_where_it_is_advertised(connect, users, trace):
    client = connect(users=users)
    assert "ANONYMOUS" not in client.offered()
    assert client.auth("ANONYMOUS", trace.encode())[0] == "bad"
    client = connect(users=users, advertise={name: ["AUTH=ANONYMOUS"] for name in PROTOCOLS})
    assert "ANONYMOUS" in client.offered()
    assert client.auth("ANONYMOUS", trace.encode()) == ("yes", b"")
    (event,) = client.of(LoggedIn)
    assert (event.account, event.username) == ("anonymous@localhost", trace or "anonymous")
    assert event.password_checked is False


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_star_cancels(connect, name):
    client = connect(users=USERS, tls=TLS, advertise={name: ["AUTH=ANONYMOUS"] for name in PROTOCOLS})
    assert client.auth(name)[0] == "challenge"
    assert client.answer("*")[0] == "bad"
    assert client.of(LoggedIn) == client.of(LoginFailed) == []
    assert client.auth("PLAIN", f"\0bob\0{PASSWORD}".encode()) == ("yes", b"")


@pytest.mark.parametrize("name", MECHANISMS)
@pytest.mark.parametrize("answer", ["not base64!", "=", "AAA", "c2Vrcml0LD1wYXNz=c2Vr", b"\0\0\0", b"\xff\xfe\xfd"])
def test_nonsense_is_a_mistake_and_no_login(connect, name, answer):
    client = connect(users=USERS, tls=TLS, advertise={name: ["AUTH=ANONYMOUS"] for name in PROTOCOLS})
    assert client.auth(name)[0] == "challenge"
    kind, _ = client.answer(answer)
    assert kind == "bad"
    assert client.of(LoggedIn) == []
    assert "c2Vrcml0" not in client.on_record


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_hidden_mechanism_is_refused(connect, name):
    hide = {protocol: [f"AUTH={name.lower()}"] for protocol in PROTOCOLS}
    advertise = {protocol: ["AUTH=ANONYMOUS"] for protocol in PROTOCOLS}
    client = connect(users=USERS, tls=TLS, hide=hide, advertise=advertise)
    assert client.offered() == [other for other in MECHANISMS if other != name]
    assert client.auth(name)[0] == "bad"
    assert client.of(LoginFailed) == []


def test_what_is_advertised_and_does_not_exist_is_shown_and_refused(connect):
    client = connect(advertise={protocol: ["AUTH=GSSAPI"] for protocol in PROTOCOLS})
    assert client.offered() == ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "GSSAPI"]
    assert client.auth("GSSAPI")[0] == "bad"


def test_a_server_without_any_mechanism_shows_none(connect):
    client = connect(hide={protocol: [f"AUTH={name}" for name in MECHANISMS] for protocol in PROTOCOLS})
    assert client.offered() == []
    assert client.auth("PLAIN", b"\0bob\0any")[0] == "bad"


def test_an_endless_line_is_refused_in_bounded_memory(connect):
    client = connect(users=USERS)
    assert client.auth("PLAIN")[0] == "challenge"
    reply = b""
    for _ in range(40):
        client.session.receive(b"QUFB" * 4096)
        reply += client._read()
    reply += client.line(b"")
    assert reply.startswith((b"500", b"-ERR", b"a1 BAD", b"* BAD", b"* BYE"))
    assert "QUFBQUFB" not in client.on_record


def test_the_recorded_command_has_no_secret(connect):
    client = connect(users=USERS)
    client.auth("PLAIN", f"\0bob\0{PASSWORD}".encode())
    (event,) = [event for event in client.of(Command) if event.name in ("AUTH", "AUTHENTICATE")]
    assert base64.b64encode(f"\0bob\0{PASSWORD}".encode()).decode() not in repr(event)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(list(MECHANISMS)), answers=st.lists(st.binary(max_size=60), max_size=4))
def test_any_answers_get_the_protocols_own_replies(protocol, name, answers):
    advertise = {protocol: ["AUTH=ANONYMOUS"]}
    client = Client(protocol, World(Settings(users=USERS, advertise=advertise)), TLS)
    kind, _ = client.auth(name)
    for answer in answers:
        if kind != "challenge":
            break
        kind, _ = client.answer(answer)
    assert client.link.errors == []
    assert name in ("EXTERNAL", "ANONYMOUS") or client.of(LoggedIn) == []


def test_it_is_the_example_of_rfc_7628(connect):
    client = connect(users=USERS)
    line = (
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
        "YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    assert base64.b64decode(line).startswith(b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=")
    assert client.auth("OAUTHBEARER", line)[0] == "challenge"
    assert client.answer("AQ==")[0] == "no"
    account = client.world.accounts.create("user@example.com", created_by="test")
    issue_token(client.world, account)
    account.tokens["vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="] = next(iter(account.tokens.values()))
    assert client.auth("OAUTHBEARER", line) == ("yes", b"")
