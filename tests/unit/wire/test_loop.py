"""The servers' event loop: whom it calls when a socket is ready."""

import asyncio
import socket
import threading

import pytest

from mockmail.wire.loop import Loop, PortableLoop


@pytest.fixture(params=[Loop, PortableLoop])
def loop(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


def once(loop):
    """One round of the loop."""
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_reader_is_called_while_there_is_something_to_read(loop, pair):
    one, other = pair
    called = []
    loop.add_reader(one, called.append, "read")
    once(loop)
    assert called == []
    other.send(b"x")
    once(loop)
    once(loop)
    assert called == ["read", "read"]
    one.recv(1)
    once(loop)
    assert called == ["read", "read"]


def test_a_reader_takes_the_place_of_another(loop, pair):
    one, other = pair
    called = []
    loop.add_reader(one, called.append, "first")
    loop.add_reader(one.fileno(), called.append, "second")
    other.send(b"x")
    once(loop)
    assert called == ["second"]
    assert loop.remove_reader(one)
    assert not loop.remove_reader(one)
    once(loop)
    assert called == ["second"]


def test_reader_and_writer_of_one_socket_come_and_go_apart(loop, pair):
    one, other = pair
    called = []
    loop.add_writer(one, called.append, "write")
    once(loop)
    assert called == ["write"]
    loop.add_reader(one, called.append, "read")
    other.send(b"x")
    once(loop)
    assert called == ["write", "read", "write"]
    assert loop.remove_writer(one)
    once(loop)
    assert called == ["write", "read", "write", "read"]
    loop.remove_reader(one)
    loop.add_writer(one, called.append, "again")
    once(loop)
    assert called[4:] == ["again"]
    assert loop.remove_writer(one)
    assert not loop.remove_writer(one)


def test_the_end_of_a_connection_is_for_reader_and_writer(loop, pair):
    one, other = pair
    called = []
    loop.add_reader(one, called.append, "read")
    loop.add_writer(one, called.append, "write")
    other.close()
    once(loop)
    assert called == ["read", "write"]


def test_who_was_taken_out_by_another_is_not_called(loop, pair):
    called = []

    def take_out(mine, others):
        called.append(mine)
        loop.remove_reader(others)

    one, other = pair
    loop.add_reader(one, take_out, one, other)
    loop.add_reader(other, take_out, other, one)
    one.send(b"x")
    other.send(b"x")
    once(loop)
    assert len(called) == 1


@pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError, pytest.fail.Exception])
def test_an_exception_is_handed_over_and_stops_nobody_else(loop, pair, kind):
    one, other = pair
    errors, called = [], []
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))

    def fail(connection):
        connection.recv(1)
        raise kind("in a callback")

    def read(connection):
        called.append(connection.recv(1))

    loop.add_reader(one, fail, one)
    loop.add_reader(other, read, other)
    one.send(b"x")
    other.send(b"x")
    once(loop)
    once(loop)
    assert [str(error) for error in errors] == ["in a callback"]
    assert called == [b"x"]


def test_what_a_callback_puts_off_is_done_soon(loop, pair):
    one, other = pair
    called = []
    loop.add_reader(one, loop.call_soon, called.append, "soon")
    other.send(b"x")
    loop.call_later(3600, called.append, "never")
    once(loop)
    loop.remove_reader(one)
    once(loop)
    assert called == ["soon"]


def test_what_a_reader_wants_of_the_loop_is_done_though_input_goes_on(loop, pair):
    one, other = pair
    done = []

    def read():
        data = one.recv(1)
        other.send(data)  # there is something to read again at once
        if len(done) == 0:
            done.append("asked")
            loop.call_soon(done.append, "soon")
        elif done == ["asked", "soon"]:
            loop.call_later(0.001, done.append, "later")
            done.append("put off")
        elif "later" in done:
            loop.stop()

    loop.add_reader(one, read)
    other.send(b"x")
    loop.run_forever()
    assert done == ["asked", "soon", "put off", "later"]


def test_another_thread_is_heard_though_input_goes_on(loop, pair):
    one, other = pair
    loop.add_reader(one, lambda: other.send(one.recv(1)))
    other.send(b"x")
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def test_a_timer_that_was_there_is_kept_though_input_goes_on(loop, pair):
    one, other = pair
    loop.add_reader(one, lambda: other.send(one.recv(1)))
    other.send(b"x")
    loop.call_later(0.01, loop.stop)
    loop.run_forever()


def test_asyncio_has_its_own_sockets_beside_ours(loop, pair):
    one, other = pair
    called = []
    loop.add_reader(one, called.append, "ours")
    other.send(b"x")

    async def talk():
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return answer

    assert loop.run_until_complete(talk()) == b""
    assert "ours" in called


def test_what_asyncio_put_in_by_a_way_of_its_own_it_takes_out_by_ours(loop, pair):
    one, other = pair

    async def receive():
        waiting = asyncio.ensure_future(loop.sock_recv(one, 10))
        await asyncio.sleep(0)
        other.send(b"late")
        return await waiting

    own = len(loop.selector.get_map())
    assert loop.run_until_complete(receive()) == b"late"
    assert len(loop.selector.get_map()) == own


def test_a_closed_loop_watches_nothing(pair):
    one, _ = pair
    loop = Loop()
    loop.add_reader(one, print)
    loop.close()
    loop.remove_reader(one)  # raises nothing
    assert not loop.remove_reader(one)
