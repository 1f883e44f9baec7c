"""What is advertised is a table, by the same rules on every protocol: off means neither advertised nor understood."""

import pytest

from mockmail import MockMail
from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import ConfigurationError
from mockmail.imap.extensions import EXTENSIONS as IMAP_EXTENSIONS
from mockmail.imap.session import ImapSession
from mockmail.pop3.extensions import EXTENSIONS as POP3_EXTENSIONS
from mockmail.pop3.session import Pop3Session
from mockmail.smtp.extensions import EXTENSIONS as SMTP_EXTENSIONS
from mockmail.smtp.parameters import RCPT_PARAMETERS
from mockmail.smtp.session import SmtpSession
from mockmail.wire.contract import Link, TLSInfo

SESSIONS = {"smtp": SmtpSession, "lmtp": SmtpSession, "pop3": Pop3Session, "imap": ImapSession}
EXTENSIONS = {"smtp": SMTP_EXTENSIONS, "lmtp": SMTP_EXTENSIONS, "pop3": POP3_EXTENSIONS, "imap": IMAP_EXTENSIONS}
ROWS = [(protocol, row) for protocol, rows in EXTENSIONS.items() for row in rows]

IMAP_SYNTAX = {
    "SEARCH WITHIN": "SEARCH YOUNGER 60",
    "AUTHENTICATE initial-response": "AUTHENTICATE PLAIN AGJvYgBhbnk=",
    "{n+}": "LOGIN {3+}",
    "LIST RETURN SPECIAL-USE": 'LIST "" "*" RETURN (SPECIAL-USE)',
    "CREATE USE": "CREATE Old (USE (\\Archive))",
}
"""A command with a parameter of a row. A row that has another kind of parameter has to be written here."""


class Client:
    """The other end of a session in memory; over TLS, if need be."""

    def __init__(self, protocol: str, settings: Settings, *, secure: bool) -> None:
        tls = TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384") if secure else None
        self.protocol = protocol
        self.link = Link(protocol, f"{protocol}-1", tls=tls)
        self.session = SESSIONS[protocol](self.link, World(settings))
        self.session.greeting()
        self.greeting = self.pull()

    def pull(self) -> str:
        said = b""
        while True:
            actions = self.session.outgoing()
            said += b"".join(action for action in actions if isinstance(action, bytes))
            if not actions and not self.session.busy:
                return said.decode()

    def say(self, line: str) -> str:
        self.session.receive(f"{line}\r\n".encode())
        return self.pull()

    def advertised(self) -> list[str]:
        """The words that tell what there is."""
        question = {"smtp": "EHLO x", "lmtp": "LHLO x", "pop3": "CAPA", "imap": "t CAPABILITY"}[self.protocol]
        answer = self.say(question)
        if self.protocol in ("smtp", "lmtp"):
            return [line[4:].split()[0] for line in answer.splitlines()[1:]]
        if self.protocol == "pop3":
            return [line.split()[0] for line in answer.splitlines()[1:-1]]
        return answer.splitlines()[0].split()[2:]

    def refuses(self, command: str) -> bool:
        """Whether it answers as to what it does not know (and not as to what is wrong about it)."""
        if self.protocol in ("smtp", "lmtp"):
            return self.say(command).startswith("500 ")
        if self.protocol == "pop3":
            return self.say(command).startswith("-ERR") and "state" not in self.say(command)
        return self.say(f"t {command}").startswith("t BAD")

    def log_in(self) -> None:
        if self.protocol == "pop3":
            self.say("USER bob@x.test")
            self.say("PASS any")
        elif self.protocol == "imap":
            self.say("t LOGIN bob@x.test any")
            self.say("t SELECT INBOX")


@pytest.fixture
def client():
    clients = []

    def make(protocol: str, *, hide: tuple[str, ...] = (), secure: bool = False, **settings) -> Client:
        # STARTTLS is a capability of servers that have TLS, LOGIN-DELAY of those that have a delay.
        some = Settings(hide={protocol: hide}, tls=True, pop3_login_delay_seconds=1, **settings)
        clients.append(Client(protocol, some, secure=secure))
        return clients[-1]

    yield make
    for one in clients:
        one.session.connection_lost()
        assert one.link.errors == []


def is_shown(row, protocol: str) -> bool:
    return row.name not in {"CAPA", "APOP", "IMAP4REV1"} or (row.name == "CAPA" and protocol != "pop3")


@pytest.mark.parametrize(("protocol", "row"), ROWS, ids=lambda value: getattr(value, "name", value))
def test_off_means_neither_advertised_nor_understood(protocol, row, client):
    secure = "tls" in row.needs
    hidden = client(protocol, hide=(row.name,), secure=secure)
    if is_shown(row, protocol):
        if "plain-text" not in row.needs:
            assert row.name in [word.upper() for word in client(protocol, secure=secure).advertised()]
        assert row.name not in [word.upper() for word in hidden.advertised()]
    for command in row.commands:
        fresh = client(protocol, hide=(row.name,), secure=secure)
        if protocol in ("smtp", "lmtp"):
            fresh.advertised()
        elif command not in ("USER", "PASS", "APOP", "AUTH", "AUTHENTICATE", "LOGIN", "STARTTLS"):
            fresh.log_in()
        assert fresh.refuses(command), command
    for parameter in row.parameters:
        if protocol in ("smtp", "lmtp"):
            told = "RCPT TO:<a@b>" if parameter in RCPT_PARAMETERS else "MAIL FROM:<a@b>"
            hidden.say("RSET")
            if parameter in RCPT_PARAMETERS:
                hidden.say("MAIL FROM:<a@b>")
            assert hidden.say(f"{told} {parameter}=1").startswith("555")
        elif protocol == "imap":
            fresh = client(protocol, hide=(row.name,))
            if parameter not in ("AUTHENTICATE initial-response", "{n+}"):
                fresh.log_in()
            assert fresh.refuses(IMAP_SYNTAX[parameter]), parameter


@pytest.mark.parametrize("protocol", SESSIONS)
def test_a_word_can_be_added_and_means_nothing(protocol, client):
    shown = client(protocol, advertise={protocol: ("XMAGIC",)})
    assert "XMAGIC" in shown.advertised()
    assert shown.refuses("XMAGIC")


@pytest.mark.parametrize("protocol", SESSIONS)
def test_a_wrong_name_is_an_error_at_once(protocol):
    with pytest.raises(ConfigurationError, match="NOSUCH"):
        MockMail(hide={protocol: ["NOSUCH"]})
    mail = MockMail()
    before = mail.world
    with pytest.raises(ConfigurationError, match="NOSUCH"):
        mail.reset_to(Settings(hide={protocol: ["NOSUCH"]}))
    assert mail.world is before
