from __future__ import annotations

import contextlib
import socket
import ssl
import struct

import pytest
import trustme


@pytest.fixture(scope="module")
def contexts():
    """(server, client)"""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest.fixture
def secure(wire, contexts):
    """A server that can StartTLS."""
    running = wire.start(tls=contexts[0])
    yield running
    running.stop()
    assert running.errors == []


def test_start_tls(secure, contexts):
    client = secure.greeted()
    assert client.ask("ECHO plain") == b"plain"
    assert client.ask("STARTTLS") == b"go"
    client.start_tls(contexts[1])
    assert client.ask("ECHO hidden") == b"hidden"
    session = secure.sessions[0]
    assert session.tls.version == client.socket.version()
    assert session.tls.cipher == client.socket.cipher()[0]
    assert session.link.secure
    assert "C: ECHO hidden" in str(secure.connections.transcript)
    client.send(b"BIG 3000000\r\n")
    assert len(client.line()) == 3_000_000 - 2
    assert client.ask("QUIT") == b"bye"
    assert client.rest() == b""
    client.close()
    assert session.lost_event.wait(10)
    assert session.lost == 1


@pytest.fixture
def certified():
    """(server, client) that know each other's certificates."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    server.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    authority.issue_cert("bob@example.test", common_name="Bob").configure_cert(client)
    return server, client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_session_learns_whom_the_client_is_and_what_binds_the_channel(wire, certified, version):
    server, context = certified
    server.minimum_version = server.maximum_version = version
    running = wire.start(tls=server)
    client = running.greeted()
    client.ask("STARTTLS")
    client.start_tls(context)
    client.ask("ECHO hidden")
    info = running.sessions[0].tls
    assert "commonName=Bob" in info.client_certificate
    assert info.certified_names == ("bob@example.test", "Bob")
    kinds = [kind for kind in ssl.CHANNEL_BINDING_TYPES if kind != "tls-unique" or version == ssl.TLSVersion.TLSv1_2]
    assert info.channel_bindings == {kind: client.socket.get_channel_binding(kind) for kind in kinds}
    assert ("tls-unique" in info.channel_bindings) == (version == ssl.TLSVersion.TLSv1_2)
    for data in info.channel_bindings.values():
        assert repr(data) not in repr(info)
    client.close()
    running.stop()
    assert running.errors == []


@pytest.mark.parametrize("separately", [False, True])
def test_plain_text_behind_starttls_is_dropped(secure, contexts, separately):
    client = secure.greeted()
    session = secure.sessions[0]
    if separately:
        # Both pieces wait in the kernel or the session before STARTTLS is carried out.
        secure.runtime.call(setattr, session, "hold", True)
        client.send(b"STARTTLS\r\n")
        while not session.received:
            secure.runtime.call(int)
        client.send(b"ECHO injected\r\n" * 10)

        def let_go() -> None:
            session.hold = False
            session.link.wake()

        secure.runtime.call(let_go)
    else:
        client.send(b"STARTTLS\r\nECHO injected\r\n")
    assert client.line() == b"go"
    client.start_tls(contexts[1])
    assert client.ask("ECHO mine") == b"mine"
    assert b"injected" not in b"".join(session.received[1 + (not separately) :])


def test_a_client_that_says_goodbye_in_tls_too_gives_no_warning(secure, contexts, caplog):
    """msmtp does so, after the reply to QUIT."""
    client = secure.greeted()
    client.ask("STARTTLS")
    client.start_tls(contexts[1])
    assert client.ask("QUIT") == b"bye"
    client.socket.unwrap().close()
    assert secure.sessions[0].lost_event.wait(10)
    assert [record.getMessage() for record in caplog.records] == []


def test_a_client_that_does_not_trust_us_leaves(secure):
    client = secure.greeted()
    client.ask("STARTTLS")
    with pytest.raises(ssl.SSLCertVerificationError):
        client.start_tls(ssl.create_default_context())
    assert secure.sessions[0].lost_event.wait(10)
    assert secure.sessions[0].lost == 1
    assert len(secure.connections) == 0


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"nonsense\r\n" * 5])
@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_a_client_may_vanish_in_the_handshake(secure, sent, reset):
    client = secure.greeted()
    client.ask("STARTTLS")
    client.send(sent)
    if reset:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert secure.sessions[0].lost_event.wait(10)
    assert secure.sessions[0].lost == 1


def test_a_stop_in_the_handshake_leaves_nothing(secure):
    client = secure.greeted()
    client.ask("STARTTLS")
    secure.runtime.stop()
    assert secure.sessions[0].lost == 1


def test_starttls_without_a_context_is_an_error_of_ours(wire):
    server = wire.start()
    client = server.greeted()
    client.send(b"STARTTLS\r\n")
    client.rest()
    server.stop()
    assert [str(error) for error in server.errors] == [
        "a session asked for TLS, but its listener has no context for it"
    ]
    assert server.sessions[0].lost == 1


@pytest.fixture
def implicit(wire, contexts):
    running = wire.start(tls=contexts[0], implicit_tls=True)
    yield running
    running.stop()
    assert running.errors == []


def test_implicit_tls(implicit, contexts):
    client = implicit.connect()
    client.start_tls(contexts[1])
    assert client.line() == b"hello"
    assert client.ask("ECHO a") == b"a"
    assert implicit.sessions[0].link.tls.version.startswith("TLSv1.")


def test_the_end_of_a_tls_client_is_answered(implicit, contexts):
    """A close_notify ends both directions for asyncio, but what was asked before it is still answered."""
    client = implicit.connect()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = contexts[1].wrap_bio(incoming, outgoing, server_hostname="localhost")

    def shake() -> bool:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    while not shake():
        client.send(outgoing.read())
        incoming.write(client.socket.recv(65536))
    tls.write(b"ECHO a\r\nBIG 300000\r\nECHO b\r\n")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.unwrap()
    client.send(outgoing.read())
    assert implicit.began.acquire(timeout=10)
    assert implicit.sessions[0].lost_event.wait(10)
    assert implicit.sessions[0].lost == 1
    assert sum(implicit.sessions[0].pulled) == len(b"hello\r\na\r\nb\r\n") + 300_000


def test_plain_text_on_an_implicit_port_is_cut_and_no_error(implicit, contexts):
    client = implicit.connect()
    client.send(b"ECHO hello\r\n")
    with contextlib.suppress(ConnectionResetError):
        client.rest()
    assert implicit.sessions == []
    other = implicit.connect()
    other.start_tls(contexts[1])
    assert other.line() == b"hello"


def test_a_stop_cuts_tls_connections_and_handshakes(implicit, contexts):
    silent = implicit.connect()
    client = implicit.connect()
    client.start_tls(contexts[1])
    client.line()
    client.send(b"BIG 50000000\r\n")
    assert client.socket.recv(1) == b"x"
    implicit.runtime.stop()
    assert silent.socket.recv(1) == b""
    assert [session.lost for session in implicit.sessions] == [1]
