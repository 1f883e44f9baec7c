import base64
import datetime
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.clock import Clock
from mockmail.core.events import (
    Accepted,
    Command,
    Delivered,
    LoggedIn,
    LoginFailed,
    Rejected,
    SessionClosed,
    SessionOpened,
)
from mockmail.core.world import World
from mockmail.wire.contract import Abort, Close, Pause, TLSInfo, Verdict

TLS = TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def world(**settings) -> World:
    clock = Clock()
    clock.freeze(datetime.datetime(2026, 11, 3, 4, 5, 6, tzinfo=datetime.UTC))
    return World(Settings(**settings), clock)


def stored(w: World) -> list[bytes]:
    return [event.message.raw for event in w.journal.of(Delivered)]


# Messages


def test_a_message_is_in_the_mailbox_when_its_reply_is_pulled(client):
    c = client(world()).start()
    assert c.mail("bob@example.test", "eve@example.test").startswith("250 2.6.0 ")
    (accepted,) = c.world.journal.of(Accepted)
    (delivered,) = c.world.journal.of(Delivered)
    assert delivered.message is accepted.message
    assert delivered.message.sender == "a@b.test"
    assert delivered.recipients == delivered.message.recipients == ("bob@example.test", "eve@example.test")
    for address in delivered.recipients:
        assert [entry.message for entry in c.world.accounts.get(address).inbox.entries] == [delivered.message]
    assert delivered.message.original == b"Subject: x\r\n\r\ntext\r\n"


def test_trace_headers_stand_on_top(client):
    c = client(world()).start()
    reply = c.mail("bob@example.test")
    message_id = reply.split()[-1]
    assert stored(c.world) == [
        b"Return-Path: <a@b.test>\r\n"
        b"Received: from client.test ([127.0.0.1])\r\n"
        b"\tby localhost with ESMTP id " + message_id.encode() + b"\r\n"
        b"\tfor <bob@example.test>;\r\n"
        b"\tTue, 3 Nov 2026 04:05:06 +0000\r\n"
        b"Subject: x\r\n\r\ntext\r\n"
    ]


def test_trace_headers_name_no_recipient_among_several(client):
    c = client(world()).start()
    c.mail("bob@example.test", "eve@example.test", sender="")
    assert stored(c.world)[0].startswith(b"Return-Path: <>\r\n")
    assert b"for <" not in stored(c.world)[0]


def test_trace_headers_can_be_left_out(client):
    c = client(world(trace_headers=False)).start()
    c.mail(text=b"..a\r\n")
    assert stored(c.world) == [b".a\r\n"]


@pytest.mark.parametrize(
    ("secure", "login", "smtputf8", "name"),
    [
        (False, False, False, b"ESMTP"),
        (True, False, False, b"ESMTPS"),
        (False, True, False, b"ESMTPA"),
        (True, True, False, b"ESMTPSA"),
        (False, False, True, b"UTF8SMTP"),
        (True, True, True, b"UTF8SMTPSA"),
    ],
)
def test_the_protocol_of_the_trace(client, secure, login, smtputf8, name):
    c = client(world())
    c.link.tls = TLS if secure else None
    c.start()
    if login:
        assert c.say("AUTH PLAIN " + b64("\0bob\0any")).startswith("235")
    c.say("MAIL FROM:<jürgen@b.test> SMTPUTF8" if smtputf8 else "MAIL FROM:<a@b.test>", "RCPT TO:<bob@b.test>")
    c.say("DATA", "text", ".")
    assert b" with " + name + b" id " in stored(c.world)[0]


def test_helo_and_a_peer_of_ipv6_show_in_the_trace(client):
    c = client(world())
    c.link.peer = ("::1", 5)
    c.session.greeting()
    c.say("HELO [IPv6:::1]")
    c.mail()
    assert b"Received: from [IPv6:::1] ([IPv6:::1])\r\n\tby localhost with SMTP id" in stored(c.world)[0]


def test_options_are_kept_as_sent(client):
    c = client(world()).start()
    c.say("MAIL FROM:<a@b.test> size=20 Body=8bitMIME", "RCPT TO:<x@b.test>", "DATA", "x", ".")
    assert c.world.journal.of(Delivered)[0].message.envelope.mail_options == {"size": "20", "Body": "8bitMIME"}


def test_big_messages_come_in_pieces(client):
    c = client(world(trace_headers=False)).start()
    c.say("MAIL FROM:<a@b.test>", "RCPT TO:<x@b.test>", "DATA")
    text = b"".join(b"%d line\r\n" % number for number in range(100000))
    wire = text + b".\r\nNOOP\r\n"
    for start in range(0, len(wire), 60000):
        c.session.receive(wire[start : start + 60000])
    assert c.pull().count("\r\n") == 2
    assert stored(c.world) == [text]


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"])
def test_no_message_is_smuggled(client, end):
    c = client(world(trace_headers=False)).start()
    inner = b"MAIL FROM:<s@x.test>\r\nRCPT TO:<s@x.test>\r\nDATA\r\nx"
    c.mail(text=b"one" + end + inner + b"\r\n")
    (text,) = stored(c.world)
    assert inner in text
    assert c.world.accounts.get("s@x.test") is None


# Refusals and limits


def test_refusals_are_events(client):
    c = client(world(users={"bob@example.test": "x"}, max_message_bytes=100)).start()
    c.say("MAIL FROM:<a@b.test> SIZE=1000")
    c.say("MAIL FROM:<a@b.test>", "RCPT TO:<nobody@example.test>", "RCPT TO:<bob@example.test>")
    c.say("DATA", "x" * 200, ".")
    refusals = c.world.journal.of(Rejected)
    assert [(event.stage, event.code, event.sender, event.recipients) for event in refusals] == [
        ("MAIL", 552, "a@b.test", ()),
        ("RCPT", 550, "a@b.test", ("nobody@example.test",)),
        ("MESSAGE", 552, "a@b.test", ("bob@example.test",)),
    ]
    assert refusals[1].reply.startswith("550 5.1.1 ")


def test_mistakes_are_no_refusals(client):
    c = client(world()).start()
    c.say("MAIL", "RCPT TO:<a@b>", "DATA", "FOO")
    assert c.world.journal.of(Rejected) == []


def test_missing_login_is_a_refusal(client):
    c = client(world(require_auth=True)).start()
    c.say("MAIL FROM:<a@b.test>")
    assert [(event.code, event.sender) for event in c.world.journal.of(Rejected)] == [(530, "a@b.test")]


def test_too_many_recipients(client):
    c = client(world(), recipient_limit=2).start()
    replies = [c.say("MAIL FROM:<a@b.test>")] + [c.say(f"RCPT TO:<r{number}@b.test>") for number in range(3)]
    assert [reply[:9] for reply in replies] == ["250 2.1.0", "250 2.1.5", "250 2.1.5", "452 4.5.3"]
    assert c.say("DATA", "x", ".").startswith("250")
    assert c.world.journal.of(Delivered)[0].recipients == ("r0@b.test", "r1@b.test")


def test_a_thousand_recipients_are_taken(client):
    c = client(world()).start()
    assert c.mail(*(f"r{number}@b.test" for number in range(1000))).startswith("250")


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_all_recipients_share_one_copy_of_the_bytes(client, protocol):
    c = client(world(), protocol=protocol).start()
    addresses = [f"r{number}@b.test" for number in range(50)]
    c.mail(*addresses, text=b"Subject: x\r\n\r\n" + b"text\r\n" * 20_000)
    messages = [c.world.account(address).inbox.entries[0].message for address in addresses]
    assert len({id(message.raw) for message in messages}) == len({id(message) for message in messages}) == 1


def test_a_message_makes_mistakes_forgotten(client):
    c = client(world(), error_limit=3).start()
    c.say("FOO", "FOO")
    c.mail()
    assert c.say("FOO", "FOO").startswith("500")
    assert c.say("FOO") == "421 4.7.0 Too many errors"
    assert c.actions == [Close()]


def test_an_endless_line_takes_bounded_memory(client):
    c = client(world()).start()
    for _ in range(100):
        c.session.receive(b"x" * 50000)
        c.pull()
        assert len(c.session._input) < 70000
    assert c.say("").startswith("500 5.5.2")
    assert c.say("NOOP") == "250 2.0.0 OK"


def test_reading_ahead_is_bounded(client):
    c = client(world()).start()
    c.session.receive(b"NOOP\r\n" * 20000)
    assert not c.session.wants_input
    c.pull()
    assert c.session.wants_input


def test_a_pull_gives_about_what_was_asked_for(client):
    c = client(world()).start()
    c.session.receive(b"NOOP\r\n" * 10)
    (action,) = c.session.outgoing(20)
    assert action == b"250 2.0.0 OK\r\n" * 2
    assert c.session.busy


def test_silence_is_ended(client):
    c = client(world()).start()
    assert c.session.timeout_seconds == 300.0
    c.session.timed_out()
    assert c.pull().startswith("421 4.4.2 ")
    assert c.actions == [Close()]


# Logins


def test_logins_are_events_and_secrets_are_hidden(client):
    c = client(world(users={"bob@example.test": "secret"}))
    c.session.greeting()
    blob = b64("\0bob\0wrong")
    sent = [b"EHLO x\r\n", b"AUTH PLAIN  " + blob.encode() + b"\r\n", b"AUTH LOGIN\r\n", b"Ym9i\r\n", b"c2VjcmV0\r\n"]
    for line in sent:
        c.session.receive(line)
        c.pull()
    everything = b"".join(sent)
    assert [everything[start:stop] for start, stop in c.redacted] == [blob.encode(), b"Ym9i", b"c2VjcmV0"]
    assert [(event.username, event.mechanism) for event in c.world.journal.of(LoginFailed)] == [("bob", "PLAIN")]
    assert [(event.account, event.mechanism) for event in c.world.journal.of(LoggedIn)] == [
        ("bob@example.test", "LOGIN")
    ]
    commands = [event for event in c.world.journal.of(Command) if event.name == "AUTH"]
    assert [(event.arguments, event.reply[:3]) for event in commands] == [("PLAIN", "535"), ("LOGIN", "235")]
    c.mail()
    assert c.world.journal.of(Accepted)[0].account == "bob@example.test"


def test_secrets_in_long_and_in_broken_lines_are_hidden_too(client):
    c = client(world()).start()
    before = len(b"EHLO client.test\r\n")
    c.session.receive(b"AUTH PLAIN " + b"A" * 30000)
    c.pull()
    c.session.receive(b"A" * 10 + b"\r\n")
    c.pull()
    assert hidden_bytes(c) >= set(range(before + 11, before + 11 + 30010))
    c.redacted.clear()
    c.session.receive(b"AUTH PLAIN c2Vj")
    c.pull()
    c.session.connection_lost()
    assert c.redacted == [(before + 30023, before + 30023 + 15)]
    c.session = client(world()).session


# Events of a session


def test_a_session_is_recorded(client):
    c = client(world()).start()
    c.say("noop  x ")
    c.mail()
    c.say("FOO \xff")
    c.say("QUIT")
    c.session.connection_lost()
    assert [event.session for event in c.world.journal.of(SessionOpened)] == ["smtp-1"]
    assert [event.session for event in c.world.journal.of(SessionClosed)] == ["smtp-1"]
    assert [(event.name, event.arguments, event.reply[:3]) for event in c.world.journal.of(Command)] == [
        ("EHLO", "client.test", "250"),
        ("NOOP", "x", "250"),
        ("MAIL", "FROM:<a@b.test>", "250"),
        ("RCPT", "TO:<bob@example.test>", "250"),
        ("DATA", "", "250"),
        ("FOO", "ÿ", "500"),
        ("QUIT", "", "221"),
    ]
    c.session = client(world()).session


# Faults


def fault(c, name, verdict, times=100):
    asked = []

    def command(asked_name, arguments, account):
        asked.append((asked_name, arguments, account))
        matches = asked_name == name and sum(1 for one in asked if one[0] == name) <= times
        return verdict if matches else None

    c.link.command = command
    return asked


def test_each_command_is_asked_about_once(client):
    c = client(world())
    asked = fault(c, "X", None)
    c.start()
    c.say("AUTH PLAIN " + b64("\0bob\0any"))
    c.mail()
    c.say("FOO", "QUIT")
    assert asked == [
        ("GREETING", "", None),
        ("EHLO", "client.test", None),
        ("AUTH", "PLAIN", None),
        ("MAIL", "FROM:<a@b.test>", "bob@localhost"),
        ("RCPT", "TO:<bob@example.test>", "bob@localhost"),
        ("DATA", "", "bob@localhost"),
        ("MESSAGE", "bob@example.test", "bob@localhost"),
        ("FOO", "", "bob@localhost"),
        ("QUIT", "", "bob@localhost"),
    ]


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_a_scripted_reply_stands_instead_of_the_command_and_is_a_refusal(client, stage):
    c = client(world()).start()
    name = ("MAIL", "RCPT", "DATA", "MESSAGE")[stage]
    lines = ["MAIL FROM:<a@b.test>", "RCPT TO:<x@b.test>", "DATA", "x\r\n."]
    fault(c, name, Verdict(reply="451 4.3.0 try later"), times=1)
    if stage:
        c.say(*lines[:stage])
    assert c.say(lines[stage]) == "451 4.3.0 try later"
    (refusal,) = c.world.journal.of(Rejected)
    assert (refusal.stage, refusal.code, refusal.sender) == (name, 451, "a@b.test")
    assert (refusal.message is not None) == (name == "MESSAGE")
    if refusal.message is not None:
        assert refusal.message.original == b"x\r\n"
    assert c.say("RSET") == "250 2.0.0 OK"
    assert stored(c.world) == []
    assert c.mail().startswith("250")


def test_a_recipient_refused_by_a_fault_is_refused(client):
    c = client(world()).start()
    fault(c, "RCPT", Verdict(reply="451 4.3.0 try later"), times=1)
    assert c.say("MAIL FROM:<a@b.test>", "RCPT TO:<x@b.test>", "DATA") == "554 5.5.1 No recipient was taken"


def test_a_drop_cuts_the_connection_before_the_command(client):
    c = client(world()).start()
    fault(c, "MESSAGE", Verdict(drop=True))
    c.session.receive(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@b.test>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n")
    c.pull()
    assert c.actions == [Abort()]
    assert stored(c.world) == []


def test_a_delay_comes_before_the_command_and_holds_up_those_behind(client):
    c = client(world()).start()
    asked = fault(c, "MESSAGE", Verdict(delay_seconds=0.5))
    c.session.receive(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@b.test>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n")
    actions = c.session.outgoing()
    assert [type(action) for action in actions] == [bytes, Pause]
    assert actions[1] == Pause(0.5)
    assert stored(c.world) == []
    assert not c.session.wants_input
    assert c.session.busy
    assert c.pull().endswith("\r\n250 2.0.0 OK\r\n")
    assert len(stored(c.world)) == 1
    assert [name for name, _, _ in asked].count("MESSAGE") == 1


def test_a_refused_greeting_leaves_only_quit(client):
    c = client(world())
    fault(c, "GREETING", Verdict(reply="554 5.3.2 not today"))
    c.session.greeting()
    assert c.pull() == "554 5.3.2 not today\r\n"
    assert c.say("EHLO x").startswith("503 5.5.1")
    assert c.say("QUIT") == "221 2.0.0 Bye"


@pytest.mark.parametrize("name", ["GREETING", "NOOP"])
def test_a_scripted_421_closes(client, name):
    c = client(world())
    fault(c, name, Verdict(reply="421 4.3.2 going down"))
    c.session.greeting()
    c.session.receive(b"NOOP\r\n")
    assert c.pull().endswith("421 4.3.2 going down\r\n")
    assert c.actions == [Close()]


def test_an_unexpected_exception_is_recorded_and_the_connection_kept(client, monkeypatch):
    c = client(world()).start()
    error = ZeroDivisionError("of ours")

    def accept(self, *arguments, **named):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(type(c.world.store), "accept", accept)
        assert c.mail() == "451 4.3.0 Internal error"
    assert c.link.errors == [error]
    c.link.errors.clear()
    assert c.mail().startswith("250")


def test_an_unexpected_exception_of_what_is_answered_at_once_is_recorded_too(client, monkeypatch):
    c = client(world()).start()
    c.say("MAIL FROM:<a@b.test>")
    with monkeypatch.context() as patched:
        patched.setattr("mockmail.smtp.commands.route", lambda *arguments, **named: 1 / 0)
        assert c.say("RCPT TO:<bob@example.test>") == "451 4.3.0 Internal error"
    assert c.say("RCPT TO:<bob@example.test>") == "250 2.1.5 Recipient OK"
    c.say("DATA")
    with monkeypatch.context() as patched:
        patched.setattr(type(c.world.store), "accept", lambda *arguments, **named: 1 / 0)
        assert c.say("text", ".") == "451 4.3.0 Internal error"
    assert [type(error) for error in c.link.errors] == [ZeroDivisionError] * 2
    c.link.errors.clear()
    assert c.mail().startswith("250")


def test_mistakes_are_forgiven_when_a_message_is_taken_at_once(client):
    c = client(world(), error_limit=3).start()
    for _ in range(4):
        c.say("WHAT")
        c.say("WHAT")
        for line in ("MAIL FROM:<a@b.test>", "RCPT TO:<bob@example.test>", "DATA"):
            c.say(line)
        assert c.say("text", ".").startswith("250")
    assert c.actions == []


# Resets


def reset(c) -> World:
    new = World(c.world.settings, c.world.clock)
    c.world.retired = True
    c.session.rebind(new)
    return new


def test_a_session_without_a_transaction_goes_on_in_the_new_world(client):
    c = client(world()).start()
    new = reset(c)
    assert c.mail().startswith("250")
    assert stored(c.world) == []
    assert len(stored(new)) == 1


@pytest.mark.parametrize("commands", [1, 2, 3])
def test_an_open_transaction_is_refused_once_the_server_was_reset(client, commands):
    c = client(world()).start()
    lines = ["MAIL FROM:<a@b.test>", "RCPT TO:<x@b.test>", "DATA"]
    c.say(*lines[:commands])
    new = reset(c)
    reply = c.say(lines[commands]) if commands < 3 else c.say("text", ".")
    assert reply.startswith("451 4.3.2 ")
    assert len(c.world.late) == (1 if commands == 3 else 0)
    c.say("RSET")
    assert c.mail().startswith("250")
    assert stored(c.world) == []
    assert len(stored(new)) == 1


def test_mail_after_a_reset_ends_the_old_transaction(client):
    c = client(world()).start()
    c.say("MAIL FROM:<a@b.test>")
    reset(c)
    assert c.say("MAIL FROM:<a@b.test>").startswith("451 4.3.2")
    assert c.say("MAIL FROM:<a@b.test>").startswith("250")


def test_new_settings_hold_after_a_reset(client):
    c = client(world()).start()
    c.session.rebind(World(Settings(hide={"smtp": ("HELP",)}), c.world.clock))
    assert c.say("HELP") == "500 5.5.1 There is no command HELP"


def test_what_was_learnt_in_plain_text_is_forgotten(client):
    c = client(world()).start()
    c.say("AUTH PLAIN " + b64("\0bob\0any"))
    c.say("MAIL FROM:<a@b.test>")
    c.session.receive(b"RCPT TO:<injected@x.test>\r\n")
    c.session.tls_started(TLS)
    assert c.pull() == ""
    assert c.say("MAIL FROM:<a@b.test>") == "503 5.5.1 Error: send EHLO first"
    c.say("EHLO x")
    assert c.say("AUTH PLAIN " + b64("\0bob\0any")).startswith("235")


# Any input

PIECES = st.sampled_from(
    [
        b"EHLO x\r\n",
        b"HELO x\r\n",
        b"MAIL FROM:<a@b>\r\n",
        b"MAIL FROM:<\xff>\r\n",
        b"RCPT TO:<c@d>\r\n",
        b"DATA\r\n",
        b"BDAT 5\r\n",
        b"BDAT 3 LAST\r\nabc",
        b"BDAT 0 LAST\r\n",
        b"BDAT 99999\r\n",
        b"RSET\r\n",
        b"VRFY bob\r\n",
        b"HELP\r\n",
        b"AUTH LOGIN\r\n",
        b"AUTH PLAIN AGJvYgBhbnk=\r\n",
        b"Ym9i\r\n",
        b"*\r\n",
        b"text\r\n..\r\n.\r\n",
        b".\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b".",
        b"\0\xff",
        b"x" * 700,
        b"A" * 13000,
        b"QUIT\r\n",
    ]
)


@example([b"AUTH LOGIN\r\n", b"A" * 13000, b"\r\n", b"EHLO x\r\n"], 1)
@given(st.lists(PIECES, max_size=25), st.integers(1, 40))
def test_any_input_gets_the_same_answers_however_it_is_cut(new_client, pieces, size):
    wire = b"".join(pieces)
    answers = []
    for cut in (max(1, len(wire)), size):
        c = new_client(world(trace_headers=False))
        c.session.greeting()
        said = c.pull()
        for start in range(0, len(wire), cut):
            c.session.receive(wire[start : start + cut])
            said += c.pull()
        left_early = bool(c.actions)
        c.session.receive_eof()
        said += c.pull()
        assert c.actions == [Close()]
        assert c.link.errors == []
        c.session.connection_lost()
        # Behind the end of a session nothing is read, so whether it is secret is not known.
        hidden = [] if left_early else sorted(hidden_bytes(c))
        answers.append((re.sub("as [0-9A-Za-z]{22}", "", said), stored(c.world), hidden))
    assert answers[0] == answers[1]


def hidden_bytes(c) -> set[int]:
    return {offset for start, stop in c.redacted for offset in range(start, stop)}
