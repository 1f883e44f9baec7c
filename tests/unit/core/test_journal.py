import threading
from datetime import UTC, datetime, timedelta

import pytest

from mockmail.core import events as all_events
from mockmail.core.events import KINDS, Accepted, Delivered, Expunged, SessionClosed, SessionOpened
from mockmail.core.journal import Batch, Journal, JournalView, Rows

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def closed(number, at=NOON):
    return SessionClosed(at, "pop3", f"pop3-{number}")


def batch(message, *uids):
    return Batch(Expunged, NOON, lambda uid: Expunged(NOON, "imap", "imap-1", "b@x", "INBOX", uid, message), uids)


def test_events_are_found_by_kind_in_order():
    journal = Journal()
    journal.append(closed(1))
    journal.append(SessionOpened(NOON, "pop3", "pop3-2", ("127.0.0.1", 1)))
    journal.append(closed(2))
    assert [event.session for event in journal.of(SessionClosed)] == ["pop3-1", "pop3-2"]
    assert [event.session for event in journal.of(SessionOpened)] == ["pop3-2"]
    assert journal.of(Expunged) == []


def test_what_is_noted_becomes_an_event_when_somebody_looks_and_stays_that_event():
    journal = Journal()
    journal.note(SessionClosed, NOON, "pop3", "pop3-1")
    journal.append(closed(2))
    journal.note(SessionClosed, NOON, "pop3", "pop3-3")
    first = journal.of(SessionClosed)
    assert first == [closed(1), closed(2), closed(3)]
    assert [a is b for a, b in zip(first, journal.of(SessionClosed), strict=True)] == [True] * 3
    assert journal.rows(SessionClosed)[-1] is first[2]
    assert journal.events(1) == first[1:]
    assert journal.rows(SessionClosed).read(1, 2) == [closed(2)]
    assert list(JournalView(lambda: journal)) == first


@pytest.mark.parametrize("index", [0, 1, -1, -2])
def test_a_row_that_is_looked_at_alone_is_an_event(index):
    journal = Journal()
    journal.note(SessionClosed, NOON, "pop3", "pop3-1")
    journal.note(SessionClosed, NOON, "pop3", "pop3-2")
    row = journal.rows(SessionClosed)[index]
    assert row == closed(1 + index % 2)
    assert journal.rows(SessionClosed)[index] is row


def test_an_arrival_is_one_record_of_two_events(new_message):
    journal, message = Journal(), new_message()
    before = journal.mark()
    for session in ("smtp-1", "smtp-2"):
        journal.note_arrival(NOON, message, "smtp", session, "eve@x", ("B@x", "c@x"), ("b@x", "c@x"))
    accepted = [Accepted(NOON, message, "smtp", session, "eve@x") for session in ("smtp-1", "smtp-2")]
    delivered = [Delivered(NOON, message, ("B@x", "c@x"), ("b@x", "c@x"), one.session) for one in accepted]
    assert journal.of(Accepted) == journal.of(Accepted, since=before) == accepted
    assert journal.of(Delivered) == journal.of(Delivered, since=before) == delivered
    assert journal.rows(Delivered)[-1] == delivered[1]
    assert len(journal.records) == 2
    assert journal.events(0, 1) == [accepted[0], delivered[0]]
    assert list(JournalView(lambda: journal)) == [accepted[0], delivered[0], accepted[1], delivered[1]]
    assert len(JournalView(lambda: journal)) == 4
    assert journal.records[-1].at == NOON


def test_an_arrival_wakes_who_waits(new_message):
    journal, found = Journal(), []
    journal.when_longer(0, lambda: found.extend(journal.events(0)))
    journal.note_arrival(NOON, new_message(), "smtp", "smtp-1", "", ("b@x",), ("b@x",))
    assert [type(event) for event in found] == [Accepted, Delivered]


def test_of_arrivals_the_deliveries_stay_with_the_mail(new_message):
    journal = Journal(limit_records=1000)
    for number in range(3000):
        journal.note_arrival(NOON, new_message(), "smtp", f"smtp-{number}", "", ("b@x",), ("b@x",))
    assert 1000 <= len(journal.of(Accepted)) <= 1250
    assert len(journal.of(Delivered)) == 3000
    journal.trim(Delivered, 10)
    assert [one.session for one in journal.of(Delivered)] == [f"smtp-{number}" for number in range(2990, 3000)]
    journal.note_arrival(NOON, new_message(), "smtp", "smtp-last", "", ("b@x",), ("b@x",))
    assert journal.of(Delivered)[-1].session == journal.of(Accepted)[-1].session == "smtp-last"


def test_all_kinds_of_events_are_known_by_name():
    assert set(KINDS) == {name for name in all_events.__all__ if name not in ("KINDS", "Actor", "Event")}
    assert all(KINDS[kind.__name__] is kind for kind in KINDS.values())


def test_rows_are_trimmed_by_time_whether_anybody_looked_or_not():
    journal = Journal()
    for number in range(400):
        at = NOON + timedelta(seconds=number)
        journal.note(SessionOpened, at, "pop3", str(number), ("127.0.0.1", 1))
        journal.note(SessionClosed, at, "pop3", str(number))
        if number == 200:
            journal.of(SessionOpened)
    journal.trim(SessionClosed, 100)
    assert [event.session for event in journal.of(SessionOpened)] == [str(number) for number in range(300, 400)]
    journal.note(SessionClosed, NOON + timedelta(days=1), "pop3", "400")
    assert journal.of(SessionClosed)[-1].session == "400"
    assert len(journal.records.read()) == 201


def test_threads_that_look_at_once_see_equal_events():
    journal = Journal()
    seen = []

    def reader():
        events = []
        while len(events) < 2000:
            events = journal.of(SessionClosed)
            assert events == [closed(number) for number in range(len(events))]
        seen.append(events)

    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        journal.note(SessionClosed, NOON, "pop3", f"pop3-{number}")
    for thread in threads:
        thread.join(30)
    assert len(seen) == 4
    assert all(events == seen[0] for events in seen)


def test_a_batch_is_one_record_and_many_events(new_message):
    journal = Journal()
    journal.append(batch(new_message(), 1, 2, 3))
    assert len(journal.records) == 1
    assert [event.uid for event in journal.of(Expunged)] == [1, 2, 3]
    view = JournalView(lambda: journal)
    assert len(view) == 3
    assert [event.uid for event in view] == [1, 2, 3]
    assert view[-1].uid == 3
    assert [event.uid for event in view[:2]] == [1, 2]
    assert repr(view) == "<3 events>"


def test_since_a_mark():
    journal = Journal()
    journal.append(closed(1))
    mark = journal.mark()
    assert journal.of(SessionClosed, since=mark) == []
    journal.append(closed(2))
    assert [event.session for event in journal.of(SessionClosed, since=mark)] == ["pop3-2"]
    other = Journal()
    other.append(closed(3))
    # A mark of a journal before a reset means everything of the new one.
    assert [event.session for event in other.of(SessionClosed, since=mark)] == ["pop3-3"]


def test_a_waiter_is_called_once_when_there_is_more():
    journal = Journal()
    calls = []
    journal.when_longer(1, lambda: calls.append("called"))
    journal.append(closed(1))
    assert calls == []
    journal.append(closed(2))
    assert calls == ["called"]
    journal.append(closed(3))
    assert calls == ["called"]


def test_a_waiter_that_is_late_is_called_at_once():
    journal = Journal()
    journal.append(closed(1))
    calls = []
    journal.when_longer(0, lambda: calls.append("called"))()
    assert calls == ["called"]


def test_a_waiter_may_give_up():
    journal = Journal()
    calls = []
    cancel = journal.when_longer(0, lambda: calls.append("called"))
    cancel()
    cancel()
    journal.append(closed(1))
    assert calls == []


def test_waiters_that_leave_in_their_own_threads_take_nobody_along():
    journal = Journal()
    missed = []

    def reader():
        seen = 0
        for _ in range(200):
            woken = threading.Event()
            cancel = journal.when_longer(seen, woken.set)
            if not woken.wait(10):
                missed.append(seen)
            cancel()
            seen = len(journal.records)
            if seen >= 200:
                return

    threads = [threading.Thread(target=reader) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        journal.append(closed(1))
    assert missed == []


@pytest.mark.parametrize("count", [1, 64, 65, 200, 1000])
def test_rows_lose_their_beginning_and_keep_their_positions(count):
    rows = Rows()
    for number in range(count):
        rows.items[0].append(number)
    for first in sorted((0, 1, count // 2, count - 1, count, count + 5)):
        rows.trim(first)
        kept = min(max(first, 0), count)
        assert rows.first == kept
        assert len(rows) == count
        assert rows.read() == list(range(kept, count))
        assert rows.read(count - 1) == list(range(max(kept, count - 1), count))
        assert rows.read(0, count - 1) == list(range(kept, max(kept, count - 1)))
    rows.items[0].append("new")
    assert rows.read(count) == ["new"]
    assert rows[0] == rows[-1] == "new"


def test_a_row_that_is_gone_is_an_index_error():
    rows = Rows()
    with pytest.raises(IndexError):
        rows[-1]
    with pytest.raises(IndexError):
        rows[0]


def test_trimming_one_kind_forgets_what_is_older_of_all():
    journal = Journal()
    for number in range(400):
        at = NOON + timedelta(seconds=number)
        journal.append(SessionOpened(at, "pop3", str(number), ("127.0.0.1", 1)))
        journal.append(closed(number, at))
    journal.trim(SessionClosed, 100)
    assert len(journal.of(SessionClosed)) == 100
    assert len(journal.of(SessionOpened)) == 100
    assert len(journal.records.read()) == 200
    mark = journal.mark()
    journal.append(closed(400, NOON + timedelta(seconds=400)))
    assert [event.session for event in journal.of(SessionClosed, since=mark)] == ["pop3-400"]
    # A list read before is not changed by it.
    journal.trim(SessionClosed, 1)
    assert len(journal.of(SessionClosed)) == 1


def test_of_what_clients_ask_for_ever_the_newest_is_kept(new_message):
    journal = Journal(limit_records=1000)
    mark = journal.mark()
    delivered = Delivered(NOON, new_message(), ("b@x",), ("b@x",), "smtp-1")
    journal.append(delivered)
    for number in range(5000):
        journal.note(SessionClosed, NOON, "pop3", f"pop3-{number}")
    assert 1000 <= len(journal.of(SessionClosed)) <= 1250
    assert journal.of(SessionClosed)[-1].session == "pop3-4999"
    assert journal.of(SessionClosed, since=mark)[-1].session == "pop3-4999"
    assert len(journal.records) == 5001
    assert len(journal.events(0)) <= 1250
    # Mail leaves the list of what was delivered when it leaves the mailboxes, and not before.
    assert journal.of(Delivered) == [delivered]
