from __future__ import annotations

import socket

import pytest

from mockmail.errors import ConfigurationError
from mockmail.wire.connection import Connections
from mockmail.wire.listener import Listener


@pytest.fixture
def make(wire):
    made = []

    def make(**arguments):
        made.append(Listener("line", wire.Session, Connections(), **arguments))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


def test_the_system_chooses_a_port_once(make):
    one, two = make(), make()
    assert one.port != two.port
    assert one.address == ("127.0.0.1", one.port)


def test_clients_are_taken_before_the_loop_runs(make):
    with socket.create_connection(make().address, timeout=10):
        pass


def test_a_port_in_use_is_named_with_what_to_write(make):
    taken = make().port
    with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1 port {taken}.*in use.*smtp_port=0"):
        make(port=taken, setting="smtp_port")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"port": 70000}, "line_port= as a number from 0 to 65535"),
        ({"port": -1}, "line_port= as a number from 0 to 65535"),
        ({"host": "192.0.2.1"}, "no address of this machine"),
        ({"host": "no-such-host.invalid"}, "no address of this machine"),
    ],
)
def test_addresses_that_cannot_be_bound(make, arguments, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        make(**arguments)


def test_a_port_can_be_had_again_at_once(wire):
    server = wire.start()
    client = server.greeted()
    client.send(b"QUIT\r\n")
    client.rest()
    port = server.listener.port
    server.stop()
    again = wire.start(port=port)
    assert again.greeted().ask("ECHO a") == b"a"


def test_localhost_by_name(wire):
    server = wire.start(host="localhost")
    assert server.listener.address == ("localhost", server.listener.port)
    assert server.greeted().ask("ECHO a") == b"a"


def test_ipv6(wire):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        with pytest.raises(ConfigurationError, match="::1"):
            wire.start(host="::1")
        return
    server = wire.start(host="::1")
    with socket.create_connection(server.listener.address, timeout=10) as client:
        assert client.recv(100) == b"hello\r\n"
    assert "[::1]:" in str(server.connections.transcript)


def test_closing_a_port_leaves_its_connections(server):
    client = server.greeted()
    server.runtime.call(server.listener.close)
    server.runtime.call(server.listener.close)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.listener.address)
    assert client.ask("ECHO a") == b"a"


def test_running_out_of_descriptors_is_recorded_and_survived(wire, monkeypatch):
    server = wire.start()
    listener = server.listener

    class Exhausted:
        def __init__(self, real: socket.socket) -> None:
            self.real = real
            self.failures = 1

        def accept(self):
            if self.failures:
                self.failures -= 1
                raise OSError(24, "Too many open files")
            return self.real.accept()

        def __getattr__(self, name: str):
            return getattr(self.real, name)

    server.runtime.call(setattr, listener, "_socket", Exhausted(listener._socket))
    assert server.greeted().ask("ECHO a") == b"a"
    server.stop()
    assert [error.errno for error in server.errors] == [24]


def test_the_end_of_a_long_response_is_sent_without_delay(server):
    client = server.greeted()
    assert client.ask("ECHO a") == b"a"
    (connection,) = server.connections
    assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
