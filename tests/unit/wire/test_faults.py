from __future__ import annotations

import itertools
import re
import socket
import time

import pytest

from mockmail.errors import ConfigurationError
from mockmail.wire.faults import FaultPlan, Vocabulary

IMAP = Vocabulary(
    frozenset({"LOGIN", "AUTHENTICATE", "FETCH", "UID FETCH", "NOOP", "LITERAL"}),
    frozenset({"LOGIN", "AUTHENTICATE"}),
    tagged=True,
)
SMTP = Vocabulary(frozenset({"RCPT", "DATA", "MESSAGE"}))


@pytest.fixture
def plan():
    return FaultPlan({"imap": IMAP, "smtp": SMTP})


def hits(plan, *commands, protocol="imap", arguments="", account=None):
    """Whether a fault fires, for each of ``commands``."""
    return [plan.match(protocol, name, arguments, account, "s-1") is not None for name in commands]


# Matching


@pytest.mark.parametrize(
    ("command", "matching"),
    [
        ("FETCH", {"FETCH", "UID FETCH"}),
        ("uid  fetch", {"UID FETCH"}),
        ("AUTH", {"LOGIN", "AUTHENTICATE"}),
        ("LOGIN", {"LOGIN"}),
        ("*", {"FETCH", "UID FETCH", "LOGIN", "AUTHENTICATE", "NOOP"}),
        ("LITERAL", {"LITERAL"}),
        ("CONNECT", {"CONNECT"}),
        ("GREETING", {"GREETING"}),
    ],
)
def test_names(plan, command, matching):
    plan.add("imap", command, drop=True)
    names = ["FETCH", "UID FETCH", "LOGIN", "AUTHENTICATE", "NOOP", "LITERAL", "CONNECT", "GREETING"]
    assert {name for name, hit in zip(names, hits(plan, *names), strict=True) if hit} == matching
    assert hits(plan, "FETCH", "NOOP", protocol="smtp") == [False, False]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 1, 1, 1, 1]),
        ({"times": 2}, [1, 1, 0, 0, 0]),
        ({"nth": 3}, [0, 0, 1, 0, 0]),
        ({"nth": 2, "times": 3}, [0, 1, 1, 1, 0]),
        ({"probability": 1.0}, [1, 1, 1, 1, 1]),
    ],
)
def test_counting(plan, options, expected):
    fault = plan.add("imap", "NOOP", drop=True, **options)
    assert hits(plan, *["NOOP"] * 5) == [bool(number) for number in expected]
    assert fault.hits == sum(expected)


def test_probability_is_the_same_for_the_same_seed(plan):
    def run(seed: int | None) -> list[bool]:
        plan.clear()
        plan.add("imap", "NOOP", drop=True, probability=0.5, seed=seed)
        return hits(plan, *["NOOP"] * 200)

    assert run(1) == run(1)
    assert run(None) == run(None)
    assert run(1) != run(2)
    assert 60 < sum(run(3)) < 140


def test_several_faults_script_a_sequence(plan):
    one = plan.add("imap", "NOOP", reply="NO one", times=2)
    two = plan.add("imap", "NOOP", reply="NO two", times=1)
    fired = [plan.match("imap", "NOOP", "", None, "s") for _ in range(4)]
    assert fired == [one, one, two, None]


def test_nth_counts_commands_that_another_fault_took(plan):
    one = plan.add("imap", "NOOP", drop=True, nth=1)
    two = plan.add("imap", "NOOP", drop=True, nth=2)
    assert [plan.match("imap", "NOOP", "", None, "s") for _ in range(3)] == [one, two, None]


@pytest.mark.parametrize(
    ("account", "hit"),
    [("bob@example.test", True), ("BOB@Example.test", True), ("bob", False), (re.compile("^bob@"), True)],
)
def test_account(plan, account, hit):
    plan.add("imap", "NOOP", drop=True, account=account)
    assert hits(plan, "NOOP", account="bob@example.test") == [hit]
    assert hits(plan, "NOOP", account=None) == [False]


@pytest.mark.parametrize(
    ("to", "arguments", "hit"),
    [
        ("bob@b.test", "TO:<bob@b.test>", True),
        ("bob@b.test", "TO:<BOB@B.test> NOTIFY=NEVER", True),
        ("bob@b.test", "TO:<jimbob@b.test>", False),
        (re.compile("@b.test$"), "TO:<bob@b.test>", True),
        (["a@b.test", "bob@b.test"], "bob@b.test a@b.test", True),
        (["a@b.test", "bob@b.test"], "bob@b.test", False),
    ],
)
def test_to(plan, to, arguments, hit):
    plan.add("smtp", "RCPT", reply="451 no", to=to)
    assert hits(plan, "RCPT", protocol="smtp", arguments=arguments) == [hit]


def test_where_judges_the_command(plan):
    seen = []

    def judge(command):
        seen.append((command.protocol, command.name, command.arguments, command.account, command.session))
        return "1:*" in command.arguments

    plan.add("imap", "FETCH", drop=True, where=judge)
    assert hits(plan, "FETCH", arguments="1:* (FLAGS)", account="b@b.test") == [True]
    assert hits(plan, "FETCH", arguments="1 (FLAGS)") == [False]
    assert seen[0] == ("imap", "FETCH", "1:* (FLAGS)", "b@b.test", "s-1")


def test_remove_and_with(plan):
    with plan.add("imap", "NOOP", drop=True) as fault:
        assert hits(plan, "NOOP") == [True]
    assert hits(plan, "NOOP") == [False]
    fault.remove()
    assert fault.hits == 1


def test_unused_faults_are_known(plan):
    used, idle = plan.add("imap", "NOOP", drop=True), plan.add("imap", "LOGIN", delay=1)
    idle.remove()
    hits(plan, "NOOP")
    assert plan.unused() == [idle]
    assert used.hits == 1
    assert "imap LOGIN delay=1" in repr(idle)
    plan.clear()
    assert plan.unused() == []


def test_each_hit_is_told():
    told = []
    plan = FaultPlan({"imap": IMAP}, on_fired=lambda fault, command: told.append((fault.hits, command.name)))
    plan.add("imap", "NOOP", after_bytes=0)
    hits(plan, "LOGIN", "NOOP", "NOOP")
    assert told == [(1, "NOOP"), (2, "NOOP")]


# What is refused


@pytest.mark.parametrize(
    ("protocol", "command", "acts", "sentence"),
    [
        ("gopher", "GET", {"drop": True}, "no protocol 'gopher'; write one of imap, smtp"),
        ("imap", "FETSCH", {"drop": True}, "no command or phase 'FETSCH'; write one of .*FETCH"),
        ("smtp", "NOOP", {"drop": True}, "no command or phase 'NOOP'"),
        ("imap", "NOOP", {}, "does nothing; write reply="),
        ("imap", "NOOP", {"delay": 0}, "does nothing"),
        ("imap", "NOOP", {"reply": "NO", "drop": True}, "both reply and drop"),
        ("imap", "NOOP", {"hang": True, "half_close": True}, "both half_close and hang"),
        ("imap", "NOOP", {"after_bytes": 0, "partial_literal": True}, "both after_bytes and partial_literal"),
        ("imap", "NOOP", {"drop": True, "throttle": 5}, "no answer for throttle"),
        ("imap", "NOOP", {"hang": True, "delay": 5}, "cannot delay a hang"),
        ("imap", "NOOP", {"refuse": True}, "too late to refuse; write 'CONNECT'"),
        ("imap", "CONNECT", {"reply": "BYE"}, "write 'GREETING'"),
        ("imap", "CONNECT", {"drop": True, "account": "b@b.test"}, "before any account"),
        ("smtp", "DATA", {"wrong_tag": True}, "no tags or literals"),
        ("smtp", "DATA", {"partial_literal": True}, "no tags or literals"),
        ("imap", "NOOP", {"reply": "NO\r\nx"}, "line end"),
        ("imap", "NOOP", {"drop": True, "nth": 0}, "nth=0; write 1 or more"),
        ("imap", "NOOP", {"drop": True, "times": 0}, "times=0"),
        ("imap", "NOOP", {"after_bytes": -1}, "after_bytes=-1; write 0 or more"),
        ("imap", "NOOP", {"delay": -1}, "delay=-1"),
        ("imap", "NOOP", {"throttle": 0}, "throttle=0"),
        ("imap", "NOOP", {"drop": True, "probability": 0}, "probability=0"),
        ("imap", "NOOP", {"drop": True, "probability": 1.5}, "probability=1.5"),
        ("imap", "NOOP", {"drop": True, "seed": 4}, "seed=4 decides nothing"),
    ],
)
def test_contradictions_are_refused_at_once(plan, protocol, command, acts, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        plan.add(protocol, command, **acts)
    assert plan.rules == ()
    assert plan.unused() == []


# On the wire


def test_reply_instead(server):
    server.faults.add("line", "ECHO", reply="later", times=2)
    client = server.greeted()
    assert [client.ask("ECHO a") for _ in range(3)] == [b"later", b"later", b"a"]


def test_drop_before(server):
    server.faults.add("line", "ECHO", drop=True, nth=2)
    client = server.greeted()
    assert client.ask("ECHO a") == b"a"
    client.send(b"ECHO b\r\n")
    with pytest.raises(ConnectionResetError):
        client.line()


@pytest.mark.parametrize("count", [0, 1, 4, 6, 7, 100])
@pytest.mark.parametrize("pipelined", [False, True])
def test_lost_after_some_bytes_of_the_reply(server, count, pipelined):
    server.faults.add("line", "ECHO", after_bytes=count, nth=2)
    client = server.greeted()
    if pipelined:
        client.send(b"ECHO first\r\nECHO second\r\nECHO third\r\n")
        assert client.line() == b"first"
    else:
        assert client.ask("ECHO first") == b"first"
        client.send(b"ECHO second\r\n")
    assert client.rest() == b"second\r\n"[:count]
    assert server.sessions[0].lost_event.wait(10)


def test_lost_in_the_midst_of_a_long_reply(server):
    server.faults.add("line", "BIG", after_bytes=1_000_000)
    client = server.greeted()
    client.send(b"BIG 50000000\r\n")
    assert len(client.rest()) == 1_000_000


def test_delay(server):
    server.faults.add("line", "ECHO", delay=0.05, times=1)
    client = server.greeted()
    began = time.monotonic()
    assert client.ask("ECHO a") == b"a"
    assert time.monotonic() - began >= 0.045
    assert client.ask("ECHO b") == b"b"


def test_half_close(server):
    server.faults.add("line", "ECHO", half_close=True)
    client = server.greeted()
    client.send(b"ECHO a\r\n")
    assert client.rest() == b"a\r\n"
    client.send(b"ECHO b\r\n" * 1000)  # it listens on
    (connection,) = server.connections
    assert server.runtime.call(connection._transport.is_closing) is False
    client.socket.shutdown(socket.SHUT_WR)
    assert server.sessions[0].lost_event.wait(10)


def test_throttle(server):
    server.faults.add("line", "BIG", throttle=20_000, times=1)
    client = server.greeted()
    began = time.monotonic()
    client.send(b"BIG 4000\r\nECHO a\r\n")
    assert len(client.line()) == 3998
    assert 0.1 < time.monotonic() - began < 5
    assert client.line() == b"a"
    assert client.ask("BIG 4000") == b"x" * 3998


def test_garble_keeps_length_and_line_ends(server):
    server.faults.add("line", "ECHO", garble=True, times=1)
    client = server.greeted()
    client.send(b"ECHO abc\r\nECHO abc\r\n")
    garbled = client.line()
    assert len(garbled) == 3
    assert not set(garbled) & set(b"abc")
    assert client.line() == b"abc"


def test_partial_literal(server):
    server.faults.add("line", "LITERAL", partial_literal=True)
    client = server.greeted()
    client.send(b"LITERAL\r\n")
    assert client.rest() == b"* {10}\r\n01234"


def test_refuse(server):
    server.faults.add("line", "CONNECT", refuse=True, times=1)
    with pytest.raises(ConnectionResetError):
        server.connect().line()
    assert server.greeted().ask("ECHO a") == b"a"
    assert len(server.sessions) == 1


@pytest.mark.parametrize("command", ["CONNECT", "ECHO"])
def test_hang(server, command):
    server.faults.add("line", command, hang=True, times=1)
    client = server.connect()
    if command == "ECHO":
        assert client.line() == b"hello"
    client.send(b"ECHO a\r\n")
    client.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.line()
    assert server.greeted().ask("ECHO b") == b"b"
    client.close()
    assert server.sessions[0].lost_event.wait(10)  # it notices all the same that the client left


@pytest.mark.parametrize(
    ("acts", "greeting"), [({"after_bytes": 3}, b"hel"), ({"after_bytes": 0}, b""), ({"delay": 0.01}, b"hello\r\n")]
)
def test_faults_of_the_connection_act_on_the_greeting(server, acts, greeting):
    server.faults.add("line", "CONNECT", **acts)
    client = server.connect()
    client.socket.shutdown(socket.SHUT_WR)
    assert client.rest() == greeting


def test_a_dropped_connection_says_nothing(server):
    server.faults.add("line", "CONNECT", drop=True)
    with pytest.raises(ConnectionResetError):
        server.connect().line()


def test_counting_goes_over_all_sessions(server):
    server.faults.add("line", "ECHO", reply="third", nth=3)
    answers = [server.greeted().ask("ECHO a") for _ in range(4)]
    assert answers == [b"a", b"a", b"third", b"a"]


def test_account_of_a_login(server):
    server.faults.add("line", "AUTH", reply="NO", account="bob@example.test")
    assert server.greeted().ask("SECRET word") == b"NO"


def test_a_failing_predicate_is_recorded_and_the_command_carried_out(wire):
    server = wire.start()
    server.faults.add("line", "ECHO", drop=True, where=lambda command: 1 / 0)
    assert server.greeted().ask("ECHO a") == b"a"
    server.stop()
    assert [type(error) for error in server.errors] == [ZeroDivisionError]


def test_the_transcript_tells_of_faults(server):
    server.faults.add("line", "ECHO", reply="later")
    server.greeted().ask("ECHO a")
    assert "*: fault: line ECHO reply='later'\nS: later" in str(server.connections.transcript)


def test_faults_and_pipelining_in_every_combination(server):
    """What acts on bytes acts on the bytes of its own command only, wherever that stands in a group."""
    for position, acts in itertools.product(range(3), [{"garble": True}, {"throttle": 1_000_000}]):
        server.faults.clear()
        server.faults.add("line", "ECHO", nth=position + 1, **acts)
        client = server.greeted()
        client.send(b"ECHO one\r\nECHO two\r\nECHO three\r\n")
        lines = [client.line() for _ in range(3)]
        changed = [got != sent for got, sent in zip(lines, (b"one", b"two", b"three"), strict=True)]
        assert changed == ["garble" in acts and number == position for number in range(3)]
