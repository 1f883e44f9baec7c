"""How sessions end, and what comes between: faults, errors, resets."""

import pytest

from mockmail.core.events import (
    Actor,
    Command,
    Expunged,
    Fetched,
    LoggedIn,
    SessionClosed,
)
from mockmail.wire.contract import Abort, Close, Pause, TLSInfo, Verdict

BOB = "bob@example.test"


def test_an_idle_client_is_let_go_without_a_word(world, seed, new_peer):
    seed(b"x")
    peer = new_peer().log_in()
    peer.say("DELE 1")
    assert peer.session.timeout_seconds >= 600
    peer.session.timed_out()
    assert peer.pull() == b""
    assert peer.end is Close
    assert world.account(BOB).maildrop_session is None
    assert len(world.account(BOB).inbox.entries) == 1
    assert peer.send(b"QUIT\r\n") == b""


@pytest.mark.parametrize("how", ["lost", "eof", "timeout", "lost in a reply"])
def test_without_quit_nothing_is_deleted_and_the_lock_is_free(world, seed, new_peer, how):
    seed(b"x" * 1_000_000)
    peer = new_peer().log_in()
    assert world.account(BOB).maildrop_session == "pop3-1"
    peer.say("DELE 1")
    if how == "eof":
        peer.session.receive_eof()
    elif how == "timeout":
        peer.session.timed_out()
    elif how == "lost in a reply":
        peer.say("RSET")
        peer.session.receive(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        peer.session.outgoing()
    if how in ("eof", "timeout"):
        peer.pull()
        assert peer.end is Close
    peer.session.connection_lost()
    assert world.account(BOB).maildrop_session is None
    assert len(world.account(BOB).inbox.entries) == 1
    assert peer.session.outgoing() == []
    assert not peer.session.busy


def test_what_was_sent_before_the_half_close_is_answered(new_peer):
    peer = new_peer()
    peer.session.receive(b"CAPA\r\nQUI")
    peer.session.receive_eof()
    assert peer.pull().endswith(b"IMPLEMENTATION mockmail\r\n.\r\n")
    assert peer.end is Close


def test_a_refused_second_session_takes_no_lock_away(world, new_peer):
    first, second = new_peer().log_in(), new_peer()
    assert second.say(f"USER {BOB}", "PASS x").endswith("-ERR [IN-USE] the maildrop is locked by another session\r\n")
    second.session.connection_lost()
    assert world.account(BOB).maildrop_session == "pop3-1"
    first.say("QUIT")
    assert world.account(BOB).maildrop_session is None


def test_a_new_uidvalidity_saves_what_now_has_the_uids(world, seed, new_peer):
    seed(b"one", b"two")
    peer = new_peer().log_in()
    peer.say("DELE 1")
    account = world.account(BOB)
    account.renumber(account.inbox, world.new_uid_validity())
    assert peer.say("RETR 2").startswith("+OK 3 octets")
    assert world.account(BOB).inbox.get(2).flags == frozenset()
    assert peer.say("QUIT") == "-ERR [SYS/TEMP] some deleted messages not removed\r\n"
    assert peer.end is Close
    assert len(world.account(BOB).inbox.entries) == 2
    assert world.account(BOB).maildrop_session is None


def test_a_read_only_maildrop_is_not_changed(world, seed, new_peer):
    seed(b"one")
    world.account(BOB).inbox.read_only = True
    peer = new_peer().log_in()
    assert peer.say("DELE 1") == "-ERR [SYS/PERM] the maildrop is read-only\r\n"
    peer.say("RETR 1")
    assert world.account(BOB).inbox.get(1).flags == frozenset()


def test_mail_that_another_client_removed_stays_removed(world, seed, new_peer):
    seed(b"one", b"two")
    peer = new_peer().log_in()
    peer.say("DELE 1", "DELE 2")
    world.store.expunge(world.account(BOB).inbox, [1], Actor())
    assert peer.say("QUIT") == "+OK mockmail POP3 server signing off (maildrop empty)\r\n"
    assert [event.uid for event in world.journal.of(Expunged)] == [1, 2]


# Faults, errors, resets


def test_faults_are_asked_for_every_command(world, new_peer):
    asked = []

    def command(name, arguments, account):
        asked.append((name, arguments, account))

    world.account(BOB)
    peer = new_peer(command=command)
    peer.say("CAPA", "USER bob@example.test", "PASS secret", "retr 1", "NONSENSE", "QUIT")
    assert asked == [
        ("GREETING", "", None),
        ("CAPA", "", None),
        ("USER", BOB, None),
        ("PASS", "***", BOB),
        ("RETR", "1", BOB),
        ("QUIT", "", BOB),
    ]


def test_a_fault_answers_instead_of_the_command(world, seed, new_peer):
    seed(b"x")
    verdicts = {"DELE": Verdict(reply="-ERR [SYS/TEMP] later"), "USER": Verdict(reply="+OK who?")}
    peer = new_peer(command=lambda name, arguments, account: verdicts.get(name))
    assert peer.say("USER bob@example.test", "PASS x") == "+OK who?\r\n-ERR PASS follows USER immediately\r\n"
    del verdicts["USER"]
    peer.log_in()
    assert peer.say("DELE 1", "STAT") == "-ERR [SYS/TEMP] later\r\n+OK 1 1\r\n"
    assert world.journal.of(Command)[-2].reply == "-ERR [SYS/TEMP] later"


def test_a_fault_may_drop_the_connection(seed, new_peer):
    seed(b"x")
    peer = new_peer(command=lambda name, arguments, account: Verdict(drop=True) if name == "DELE" else None)
    peer.log_in()
    assert peer.say("NOOP", "DELE 1", "NOOP") == "+OK\r\n"
    assert peer.end is Abort


def test_a_delayed_command_is_carried_out_after_the_pause(world, new_peer):
    peer = new_peer(command=lambda name, arguments, account: Verdict(delay_seconds=2.5) if name == "PASS" else None)
    peer.session.receive(b"USER bob@example.test\r\nPASS x\r\nNOOP\r\n")
    first = peer.session.outgoing()
    assert first == [b"+OK send PASS\r\n", Pause(2.5)]
    assert world.journal.of(LoggedIn) == []
    assert peer.session.busy
    assert peer.pull() == b"+OK maildrop has 0 messages (0 octets)\r\n+OK\r\n"


def test_an_unexpected_error_is_kept_for_the_test_and_the_connection_too(world, seed, new_peer, monkeypatch):
    seed(b"x")
    peer = new_peer().log_in()
    monkeypatch.setattr("mockmail.core.views.Maildrop.delete", lambda drop, number: 1 / 0)
    assert peer.say("DELE 1", "STAT") == "-ERR [SYS/TEMP] the server met an error of its own\r\n+OK 1 1\r\n"
    (error,) = peer.link.errors
    assert isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize(
    ("line", "method"),
    [("DELE 1", "core.views.Maildrop.delete"), ("RETR 1", "pop3.transaction.Transaction._sent_whole")],
)
def test_an_unexpected_error_of_what_is_answered_at_once_is_kept_too(world, seed, new_peer, monkeypatch, line, method):
    seed(b"x\r\n")
    peer = new_peer().log_in()
    monkeypatch.setattr(f"mockmail.{method}", lambda *arguments: 1 / 0)
    assert peer.say(line) == "-ERR [SYS/TEMP] the server met an error of its own\r\n"
    assert peer.say("STAT") == "+OK 1 3\r\n"
    (error,) = peer.link.errors
    assert isinstance(error, ZeroDivisionError)
    assert [command.name for command in world.journal.of(Command)][-2:] == [line[:4], "STAT"]


def test_an_error_in_mid_response_cuts_the_connection(world, seed, new_peer, monkeypatch):
    seed(b"x")
    peer = new_peer().log_in()
    monkeypatch.setattr("mockmail.core.store.Store.read_whole", lambda *arguments, **named: 1 / 0)
    assert peer.send(b"RETR 1\r\n") == b"+OK 1 octets\r\nx\r\n"
    assert peer.end is Abort
    assert len(peer.link.errors) == 1
    assert world.account(BOB).maildrop_session is None


def test_an_error_in_the_update_releases_the_lock(world, seed, new_peer, monkeypatch):
    seed(b"x")
    peer = new_peer().log_in()
    peer.say("DELE 1")
    monkeypatch.setattr("mockmail.core.store.Store.expunge", lambda *arguments: 1 / 0)
    assert peer.say("QUIT").startswith("-ERR [SYS/TEMP]")
    assert world.account(BOB).maildrop_session is None


def test_a_reset_before_login_goes_unnoticed(world, new_world, new_peer):
    peer, after = new_peer(), new_world(users={"eve@example.test": "pw"})
    peer.say("USER eve")
    peer.session.rebind(after)
    assert peer.say("PASS pw") == "+OK maildrop has 0 messages (0 octets)\r\n"
    assert len(after.journal.of(LoggedIn)) == 1
    assert world.journal.of(LoggedIn) == []
    peer.session.connection_lost()
    assert len(after.journal.of(SessionClosed)) == 1


def test_a_reset_takes_the_maildrop_away(world, seed, new_world, new_peer):
    seed(b"x")
    peer, after = new_peer().log_in(), new_world()
    peer.say("DELE 1")
    peer.session.rebind(after)
    lost = "-ERR [SYS/TEMP] the server was reset, and the maildrop is gone; connect again\r\n"
    for command in ("STAT", "NOOP", "RETR 1", "RSET", "CAPA", "USER bob@example.test"):
        assert peer.say(command) == lost
    assert world.account(BOB).maildrop_session is None
    # The new world's maildrop is free, and is another.
    assert new_peer(after).log_in().say("STAT") == "+OK 0 0\r\n"
    peer.session.rebind(new_world())
    assert peer.say("QUIT") == "+OK mockmail POP3 server signing off\r\n"
    assert peer.end is Close
    assert len(world.account(BOB).inbox.entries) == 1
    peer.session.connection_lost()
    assert [event.session for event in after.journal.of(SessionClosed)] == []
    assert after.account(BOB).maildrop_session == "pop3-2"


def test_a_reset_in_mid_response_lets_it_end(world, seed, new_world, new_peer):
    seed(b"x" * 1_000_000)
    peer, after = new_peer().log_in(), new_world()
    peer.session.receive(b"RETR 1\r\nSTAT\r\n")
    (action,) = peer.session.outgoing()
    peer.session.rebind(after)
    rest = peer.pull()
    assert len(action) + len(rest) > 1_000_000
    assert b"\r\n.\r\n-ERR [SYS/TEMP] the server was reset" in rest
    assert len(world.journal.of(Fetched)) == 1
    assert after.journal.of(Fetched) == []


def test_tls_forgets_what_was_said_before(new_peer):
    peer = new_peer()
    peer.say("USER bob@example.test")
    peer.session.receive(b"PAS")
    peer.session.tls_started(TLSInfo("TLSv1.3", "x"))
    assert peer.say("PASS x") == "-ERR PASS follows USER immediately\r\n"
    assert peer.link.secure
