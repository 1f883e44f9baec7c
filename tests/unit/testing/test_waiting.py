import asyncio
import importlib.util
import inspect
import threading
import time

import pytest

from mockmail.core.clock import Clock
from mockmail.core.journal import Journal
from mockmail.testing.aio_relay import AsyncClock


def test_a_wait_ends_with_the_delivery(mail, when_waiting):
    when_waiting(mail.deliver)
    assert mail.assert_delivered(to="bob@example.test").subject == "Welcome"


def test_records_of_other_kinds_do_not_end_a_wait(mail, when_waiting):
    def others_then_the_one():
        for _ in range(5):
            mail.command("NOOP")
        mail.deliver(subject="Other")
        mail.deliver()

    looks = []
    when_waiting(others_then_the_one)
    mail.assert_delivered(subject="Welcome", where=lambda message: looks.append(message) or True)
    assert len(looks) == 1


def test_each_message_is_tested_once(mail, when_waiting):
    looked = []
    mail.deliver(subject="first")
    when_waiting(lambda: mail.deliver(subject="second"))
    mail.wait_for(2, where=lambda message: looked.append(message.subject) or True)
    assert looked == ["first", "second"]


def test_timeout_ends_a_wait(mail, failure_of):
    assert "within 0.01 s; there was none" in failure_of(mail.assert_delivered, timeout=0.01)


def test_the_timeout_of_the_settings(make_mail, failure_of):
    assert "within 0.01 s" in failure_of(make_mail(timeout=0.01).assert_delivered)


def test_timeout_0_looks_now(mail, failure_of):
    text = failure_of(mail.assert_delivered, timeout=0)
    assert text.startswith("assert_delivered() expected exactly one message delivered; there was none.")


def test_no_limit(mail, when_waiting):
    when_waiting(mail.deliver)
    mail.assert_delivered(timeout=float("inf"))


def test_a_second_one_in_the_quiet_time(mail, when_waiting, failure_of):
    mail.deliver()
    when_waiting(mail.deliver)
    assert "exactly one message delivered and no more for 30 s; there were 2" in failure_of(
        mail.assert_delivered, quiet=30
    )


def test_a_quiet_time_that_stays_quiet(mail, when_waiting):
    mail.deliver()
    when_waiting(lambda: mail.deliver(subject="Other"))
    assert mail.assert_delivered(subject="Welcome", quiet=0.05).subject == "Welcome"


def test_not_delivered_fails_the_moment_one_comes(mail, when_waiting, failure_of):
    when_waiting(mail.deliver)
    assert "expected no message delivered for 30 s; there was 1" in failure_of(mail.assert_not_delivered, quiet=30)


def test_one_too_many_in_the_quiet_time(mail, when_waiting, failure_of):
    mail.deliver()
    when_waiting(mail.deliver)
    assert "exactly 1 message delivered and no more" in failure_of(mail.assert_delivered_count, 1, quiet=30)


def test_a_reset_ends_a_wait(mail, when_waiting, failure_of):
    when_waiting(mail.reset)
    assert "The server was reset or stopped" in failure_of(mail.assert_delivered)


def test_a_reset_ends_a_quiet_time(mail, when_waiting, failure_of):
    when_waiting(mail.reset)
    assert "which ended the watch" in failure_of(mail.assert_not_delivered, quiet=30)


def test_a_test_that_has_frozen_time(mail, failure_of, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    assert "within 0.01 s" in failure_of(mail.assert_delivered, timeout=0.01)


def test_a_test_that_had_frozen_time_before_the_library_came(monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    spec = importlib.util.find_spec("mockmail.testing.expect")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert now <= module.real_seconds() < now + 60


def test_nobody_is_left_waiting(mail, failure_of):
    failure_of(mail.assert_delivered, timeout=0.01)
    assert mail.world.journal._waiters == []


def test_a_stopped_server_is_not_waited_for(mail, failure_of):
    mail.deliver()
    mail.stop()
    assert mail.assert_delivered().subject == "Welcome"
    assert "the server is not running" in failure_of(mail.assert_delivered, subject="x")


def test_no_wait_on_the_servers_own_thread(mail):
    with pytest.raises(RuntimeError, match="server's own thread"):
        mail.call(mail.assert_delivered)


def test_a_predicate_runs_in_the_thread_of_the_test(mail, when_waiting):
    threads = []
    when_waiting(mail.deliver)
    mail.assert_delivered(where=lambda message: threads.append(threading.current_thread()) or True)
    assert threads == [threading.current_thread()]


def test_an_error_in_a_predicate_comes_out(mail):
    mail.deliver()
    with pytest.raises(ZeroDivisionError):
        mail.assert_delivered(where=lambda message: 1 / 0)


def test_frames_of_the_library_are_hidden(mail):
    with pytest.raises(AssertionError) as caught:
        mail.assert_delivered(timeout=0.001)
    own = [entry for entry in caught.traceback if "mockmail" in entry.path.parts]
    assert own
    assert all(entry.ishidden(caught) for entry in own)


# In coroutines


def test_a_synchronous_wait_in_a_task_looks_once(mail, failure_of):
    async def main():
        return failure_of(mail.assert_delivered, subject="Welcome")

    assert "await mail.aio.assert_delivered(...)" in asyncio.run(main())


def test_a_synchronous_assertion_in_a_task_that_need_not_wait(mail):
    mail.deliver()

    async def main():
        return mail.assert_delivered()

    assert asyncio.run(main()).subject == "Welcome"


def test_a_quiet_time_in_a_task_fails(mail, failure_of):
    async def main():
        return failure_of(mail.assert_not_delivered, quiet=1)

    assert "did not watch" in asyncio.run(main())


def test_awaiting(mail, when_waiting):
    when_waiting(mail.deliver)

    async def main():
        turns = 0

        async def work():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        worker = asyncio.create_task(work())
        message = await mail.aio.assert_delivered(to="bob@example.test")
        worker.cancel()
        return message, turns

    message, turns = asyncio.run(main())
    assert message.subject == "Welcome"
    assert turns > 0


def test_awaiting_in_vain(mail, failure_of):
    async def main():
        await mail.aio.assert_delivered(timeout=0.01)

    assert "within 0.01 s; there was none" in failure_of(lambda: asyncio.run(main()))


def test_a_cancelled_wait_leaves_nothing(mail):
    async def main():
        task = asyncio.create_task(mail.aio.assert_delivered())
        while not mail.world.journal._waiters:  # noqa: ASYNC110  one turn of the loop each
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert mail.world.journal._waiters == []


def test_a_loop_whose_clock_stands_still(mail, failure_of):
    class Frozen(asyncio.SelectorEventLoop):
        def time(self):
            return 0.0

    async def main():
        await mail.aio.assert_delivered(timeout=0.01)

    def run():
        with asyncio.Runner(loop_factory=Frozen) as runner:
            runner.run(main())

    assert "within 0.01 s" in failure_of(run)


def test_every_waiting_assertion_is_awaitable_too(mail):
    sync = {name for name in dir(mail) if name.startswith(("assert_", "wait_"))}
    now_only = {"assert_no_bcc_leak", "assert_no_protocol_errors"}
    assert {name for name in dir(mail.aio) if not name.startswith("_")} == sync - now_only | {"clock"}


def test_the_clocks_have_the_same_parameters():
    for name in ("advance", "advance_to_next", "run_until_idle", "freeze", "now"):
        awaitable, sync = (inspect.signature(getattr(kind, name)) for kind in (AsyncClock, Clock))
        assert list(awaitable.parameters) == list(sync.parameters), name


def test_the_faces_have_the_same_parameters(mail):
    for name in dir(mail.aio):
        if not name.startswith("_") and name != "clock":
            awaitable, sync = (inspect.signature(getattr(one, name)) for one in (mail.aio, mail))
            assert awaitable == sync, name


# The journal's side


def test_a_closed_journal_calls_at_once():
    journal = Journal()
    called = []
    journal.when_longer(0, lambda: called.append("before"))
    journal.close()
    journal.when_longer(5, lambda: called.append("after"))
    assert called == ["before", "after"]
