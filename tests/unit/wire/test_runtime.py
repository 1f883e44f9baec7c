from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import CancelledError

import pytest

from mockmail.errors import NotRunningError
from mockmail.wire.connection import Connections
from mockmail.wire.listener import Listener
from mockmail.wire.runtime import Runtime


@pytest.fixture
def runtime():
    errors: list[BaseException] = []
    running = Runtime(errors.append)
    running.errors = errors
    running.start()
    yield running
    running.stop()


def test_call_returns_and_raises(runtime):
    assert runtime.call(lambda a, b=0: (a, b, threading.current_thread().name), 1, b=2) == (1, 2, "mockmail")
    with pytest.raises(ZeroDivisionError):
        runtime.call(lambda: 1 / 0)
    assert runtime.errors == []


def test_a_call_on_the_loop_thread_is_direct(runtime):
    assert runtime.call(lambda: runtime.call(lambda: 5)) == 5


def test_calls_from_many_threads(runtime):
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: [runtime.call(seen.append, number) for number in range(100)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(list(range(100)) * 8)


def test_before_and_after_it_runs_every_call_says_so():
    runtime = Runtime()
    for _ in range(2):
        with pytest.raises(NotRunningError, match="do not run"):
            runtime.call(int)
        with pytest.raises(NotRunningError):
            runtime.call_soon(int)
        with pytest.raises(NotRunningError):
            runtime.submit(asyncio.sleep(0))
        runtime.start()
        runtime.stop()
        runtime.stop()


def test_it_starts_again(runtime):
    with pytest.raises(NotRunningError, match="runs already"):
        runtime.start()
    runtime.stop()
    runtime.start()
    assert runtime.call(int) == 0


def test_a_stop_on_its_own_thread_is_refused(runtime):
    with pytest.raises(RuntimeError, match="own thread"):
        runtime.call(runtime.stop)


def test_a_call_that_the_stop_overtakes_fails(runtime):
    inside, go = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def wait() -> None:
        inside.set()
        assert go.wait(10)

    def late() -> None:
        try:
            while True:
                runtime.call(int)
        except NotRunningError as error:
            failures.append(error)

    runtime.call_soon(wait)
    assert inside.wait(10)
    threads = [threading.Thread(target=late) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    runtime.stop()
    for thread in threads:
        thread.join(10)
    assert len(failures) == 4


def test_submit(runtime):
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    async def fail() -> None:
        raise LookupError("no")

    assert runtime.submit(double(4)).result(10) == 8
    with pytest.raises(LookupError):
        runtime.submit(fail()).result(10)


def test_cancelling_the_future_cancels_the_task(runtime):
    started, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    future = runtime.submit(wait())
    assert started.wait(10)
    assert future.cancel()
    assert cancelled.wait(10)


def test_a_stop_cancels_tasks(runtime):
    async def wait() -> None:
        await asyncio.Event().wait()

    future = runtime.submit(wait())
    spawned = runtime.call(runtime.spawn, wait())
    runtime.stop()
    assert spawned.cancelled()
    with pytest.raises(CancelledError):
        future.result(10)


def test_unexpected_exceptions_are_recorded(runtime, capfd):
    async def fail() -> None:
        raise LookupError("task")

    runtime.call_soon(lambda: {}[1])
    runtime.call(lambda: runtime.loop.call_soon(int, "x"))
    task = runtime.call(runtime.spawn, fail())
    runtime.stop()
    assert task.done()
    assert sorted(type(error).__name__ for error in runtime.errors) == ["KeyError", "LookupError", "ValueError"]
    assert capfd.readouterr() == ("", "")


def test_starting_and_stopping_leaves_nothing(wire):
    def state() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = state()
        began = time.perf_counter()
        for _ in range(200):
            connections = Connections()
            listeners = [Listener("line", wire.Session, connections) for _ in range(3)]
            runtime = Runtime()
            runtime.start(*(listener.open for listener in listeners))
            with socket.create_connection(listeners[0].address):
                runtime.stop()
            assert not runtime.running
        assert time.perf_counter() - began < 20
        assert state() == before


def test_a_stop_cuts_connections_and_closes_ports(server):
    clients = [server.greeted() for _ in range(5)]
    clients[0].send(b"BIG 100000000\r\n")
    server.runtime.stop()
    for client in clients:
        with contextlib.suppress(ConnectionResetError):
            client.rest()
    assert [session.lost for session in server.sessions] == [1] * 5
    assert len(server.connections) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.listener.address)


def test_a_failing_opener_leaves_nothing(wire):
    listener = Listener("line", wire.Session, Connections())
    runtime = Runtime()

    def fail(runtime: Runtime) -> None:
        raise LookupError("opener")

    with pytest.raises(LookupError):
        runtime.start(listener.open, fail)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.address)


def test_other_threads_run_beside_a_busy_loop(runtime):
    """Short callbacks that follow each other give the GIL up often, but never for long enough to be taken."""
    done = threading.Event()

    def work() -> None:
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        if not done.is_set():
            runtime.loop.call_soon(work)

    runtime.call_soon(work)
    began = time.perf_counter()
    for _ in range(5):
        runtime.call(int)
    turns = 0
    while time.perf_counter() - began < 1:
        turns += 1
        threading.Event().wait(0.0001)
    done.set()
    assert turns > 10


def test_frozen_time_does_not_stop_the_loop(runtime, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    woken = threading.Event()
    runtime.call(lambda: runtime.loop.call_later(0.01, woken.set))
    assert woken.wait(10)


def test_a_module_first_imported_in_frozen_time_keeps_real_time():
    program = """
import time, threading
time.monotonic = lambda: 5.0
from mockmail.wire.runtime import Runtime
runtime = Runtime(); runtime.start()
woken = threading.Event()
runtime.call(lambda: runtime.loop.call_later(0.01, woken.set))
assert woken.wait(10)
runtime.stop()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=30)


def test_a_forgotten_stop_does_not_keep_the_interpreter():
    program = """
import sys
from mockmail.wire.runtime import Runtime
runtime = Runtime(); runtime.start()
print(runtime.call(int))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, timeout=30, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_copy_in_a_forked_child_is_closed(server):
    if not hasattr(os, "fork"):
        return
    client = server.greeted()
    child = os.fork()
    if not child:
        status = 1
        try:
            server.runtime.call(int)
        except NotRunningError as error:
            status = 0 if "forked" in str(error) else 2
        try:
            os._exit(status + 4 * server.runtime.running)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.ask("ECHO still") == b"still"
    server.greeted()
