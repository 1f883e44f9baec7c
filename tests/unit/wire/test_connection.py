from __future__ import annotations

import socket
import struct
import threading

import pytest


def test_a_line_is_answered(server):
    client = server.greeted()
    assert client.ask("ECHO one") == b"one"
    assert client.ask("ECHO two") == b"two"


def test_a_pipelined_group_is_answered_in_order(server):
    client = server.greeted()
    client.send(b"".join(b"ECHO %d\r\n" % number for number in range(500)))
    assert [client.line() for _ in range(500)] == [b"%d" % number for number in range(500)]


def test_byte_by_byte(server):
    client = server.greeted()
    for byte in b"ECHO slow\r\n":
        client.send(bytes([byte]))
    assert client.line() == b"slow"


def test_quit_says_its_last_words_and_closes(server):
    client = server.greeted()
    client.send(b"QUIT\r\n")
    assert client.rest() == b"bye\r\n"
    assert server.sessions[0].lost_event.wait(10)
    assert server.sessions[0].lost == 1


def test_last_words_survive_input_that_nobody_reads(server):
    client = server.greeted()
    session = server.sessions[0]
    server.runtime.call(setattr, session, "hold", True)
    client.send(b"QUIT\r\n")
    client.send(b"junk" * 100_000)

    def let_go() -> None:
        session.hold = False
        session.link.wake()

    server.runtime.call(let_go)
    assert client.rest() == b"bye\r\n"
    client.close()
    assert session.lost_event.wait(10)


def test_large_output_is_pulled_as_the_client_takes_it(server):
    client = server.greeted(receive_buffer_bytes=4096)
    size = 64 * 1024 * 1024
    client.send(b"BIG %d\r\n" % size)
    assert client.socket.recv(1) == b"x"
    session = server.sessions[0]
    (connection,) = server.runtime.call(list, server.connections)
    # The kernel takes a few megabytes; the rest waits in the session, not in the transport.
    for _ in range(100):
        server.runtime.call(lambda: None)
    assert session.left > size // 2
    assert server.runtime.call(connection._transport.get_write_buffer_size) < 512 * 1024
    assert max(session.pulled) <= 128 * 1024
    total = 1
    while total < size:
        total += len(client.socket.recv(1 << 20))
    assert client.ask("ECHO on") == b"on"


def test_a_long_answer_lets_others_pass(server):
    slow, quick = server.greeted(), server.greeted()
    slow.send(b"BIG 200000000\r\n")
    assert slow.socket.recv(1) == b"x"
    assert quick.ask("ECHO quick") == b"quick"
    assert server.sessions[0].left > 0


def test_reading_stops_while_the_session_wants_no_input(server):
    client = server.greeted()
    session = server.sessions[0]
    server.runtime.call(setattr, session, "hold", True)
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.send(b"ECHO a\r\n" * 4_000_000)
    assert sum(map(len, session.received)) <= 512 * 1024


def test_what_is_answered_at_once_is_sent_and_shown(server):
    client = server.greeted()
    client.send(b"NOW 3\r\n")
    assert client.socket.recv(100) == b"yyy"
    client.send(b"NOW 0\r\n")
    assert client.ask("ECHO on") == b"on"
    assert server.sessions[0].answered == 2
    (shown,) = server.connections.transcript.sessions()
    assert shown.lines == ("S: hello", "C: NOW 3", "S: yyy", "C: NOW 0", "C: ECHO on", "S: on")


def test_reading_stops_while_an_answer_given_at_once_is_not_taken(server):
    client = server.greeted(receive_buffer_bytes=4096)
    session = server.sessions[0]
    size = 64 * 1024 * 1024
    client.send(b"NOW %d\r\n" % size)
    assert client.socket.recv(1) == b"y"
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.send(b"ECHO a\r\n" * 4_000_000)
    assert session.received == []
    client.socket.settimeout(10)
    total = 1
    while total < size:
        total += len(client.socket.recv(min(1 << 20, size - total)))
    assert client.line() == b"a"


def test_a_fault_has_what_would_be_answered_at_once_go_the_long_way(server):
    client = server.greeted()
    with server.faults.add("line", "NOW", after_bytes=2):
        client.send(b"NOW 5\r\n")
        assert client.rest() == b"xx"
    assert server.sessions[0].answered == 0
    other = server.greeted()
    other.send(b"NOW 5\r\n")
    assert other.socket.recv(100) == b"yyyyy"


def test_half_close_is_answered_then_closed(server):
    client = server.greeted()
    client.send(b"ECHO a\r\nBIG 1000000\r\nECHO b\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    rest = client.rest()
    assert rest.startswith(b"a\r\nxxx")
    assert rest.endswith(b"x\r\nb\r\n")
    assert len(rest) == 3 + 1_000_000 + 3
    assert server.sessions[0].lost_event.wait(10)


@pytest.mark.parametrize("sent", [b"", b"EC", b"ECHO a\r\n", b"BIG 50000000\r\n", b"PAUSE 60\r\n", b"QUIT\r\n"])
@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_a_client_may_vanish(server, sent, reset):
    client = server.greeted()
    client.send(sent)
    if reset:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    if sent.startswith(b"PAUSE"):
        server.stop()  # nothing is read meanwhile
    assert server.sessions[0].lost_event.wait(10)
    assert server.sessions[0].lost == 1


def test_abort_resets(server):
    client = server.greeted()
    client.send(b"CUT\r\n")
    with pytest.raises(ConnectionResetError):
        client.rest()


def test_a_silent_client_is_sent_away(wire, server):
    server.prepare = lambda session: setattr(session, "timeout_seconds", 0.01)
    client = server.greeted()
    assert client.rest() == b"too slow\r\n"
    assert server.sessions[0].lost_event.wait(10)


def test_a_shorter_timeout_takes_effect_with_the_next_command(server):
    client = server.greeted()
    server.runtime.call(setattr, server.sessions[0], "timeout_seconds", 0.01)
    client.send(b"ECHO a\r\n")
    assert client.rest() == b"a\r\ntoo slow\r\n"


def test_one_timer_for_all_commands_and_connections(server):
    client = server.greeted()
    client.ask("ECHO a")
    timer = server.connections.watch._timer
    for _ in range(20):
        client.ask("ECHO b")
    server.greeted().ask("ECHO c")
    assert timer is not None
    assert server.connections.watch._timer is timer


def test_a_client_that_takes_nothing_is_cut(server):
    server.prepare = lambda session: setattr(session, "timeout_seconds", 0.05)
    client = server.greeted(receive_buffer_bytes=4096)
    client.send(b"BIG 50000000\r\n")
    assert server.sessions[0].lost_event.wait(10)


def test_wakes_are_coalesced(server):
    client = server.greeted()
    session = server.sessions[0]
    client.ask("ECHO a")

    def tell() -> int:
        for _ in range(50):
            session.notify()
        return len(session.pulled)

    before = server.runtime.call(tell)
    assert client.line() == b"* news"
    assert len(session.pulled) - before == 1


def test_a_reset_reaches_open_sessions(server):
    client = server.greeted()
    assert client.ask("WORLD") == b"first"
    errors: list[BaseException] = []
    server.runtime.call(server.connections.rebind, "second", errors)
    assert client.ask("WORLD") == b"second"
    assert server.sessions[0].link.errors is errors


@pytest.mark.parametrize(
    "where", ["greeting", "receive", "answer", "receive_eof", "outgoing", "timed_out", "connection_lost"]
)
def test_an_exception_is_recorded_and_cuts_the_connection(wire, where):
    server = wire.start()
    if where == "greeting":
        server.prepare = lambda session: setattr(session, "crash_in", where)
    elif where == "timed_out":
        server.prepare = lambda session: setattr(session, "timeout_seconds", 0.2)
    client = server.connect()
    if where == "greeting":
        assert client.rest() == b""
    else:
        client.line()
        server.runtime.call(setattr, server.sessions[0], "crash_in", where)
        if where != "timed_out":
            client.send(b"NOW 1\r\n" if where == "answer" else b"ECHO a\r\n")
        if where == "receive_eof":
            client.socket.shutdown(socket.SHUT_WR)
        if where == "connection_lost":
            client.close()
        else:
            client.rest()
    assert server.sessions[-1].lost_event.wait(10)
    server.stop()
    assert [str(error) for error in server.errors] == [where]


def test_a_factory_that_fails_is_recorded(wire):
    server = wire.start()

    def fail(session: object) -> None:
        raise LookupError("no session")

    server.prepare = fail
    assert server.connect().rest() == b""
    server.stop()
    assert [str(error) for error in server.errors] == ["no session"]


def test_many_connections_at_once(server):
    clients = [server.connect() for _ in range(100)]
    for client in clients:
        assert client.line() == b"hello"
    assert len(server.connections) == 100
    assert {session.link.session for session in server.sessions} == {f"line-{n}" for n in range(1, 101)}


def test_link_knows_both_ends(server):
    client = server.greeted()
    link = server.sessions[0].link
    assert link.peer == client.socket.getsockname()
    assert link.local == server.listener.address
    assert not link.secure


def test_pause_is_kept(server):
    client = server.greeted()
    client.send(b"PAUSE 0.01\r\nECHO after\r\n")
    assert client.line() == b"later"
    assert client.line() == b"after"


def test_sessions_live_on_the_loop_thread(server):
    names: list[str] = []
    server.prepare = lambda session: names.append(threading.current_thread().name)
    server.greeted()
    assert names == ["mockmail"]
