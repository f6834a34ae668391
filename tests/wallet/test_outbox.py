"""Events are delivered at least once, by whoever holds the lease, and one bad event stops nobody."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, text

from wallet.store.clock import database_time
from wallet.store.outbox import Outbox
from wallet.tables import outbox as rows
from wallet.tables import pumps


@pytest.fixture
def told(wallet, forecourt):
    """An outbox with three events in it, each handed out three times at most."""
    forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345")
    assert len(wallet.outbox.pending()) == 3
    return Outbox(wallet.store, most_attempts=3)


def _ids(events):
    return [event.id for event in events]


def _let_leases_run_out(wallet):
    """As if their time were over: by the database's clock, which a test does not wait for."""
    with wallet.engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        past = "2000-01-01 00:00:00"
        connection.execute(text(f"UPDATE outbox SET leased_until = '{past}' WHERE leased_until IS NOT NULL"))


def test_what_is_leased_is_given_to_nobody_else_until_the_lease_is_over(wallet, told):
    first = told.lease("a", 2)
    assert _ids(first) == _ids(told.pending())[:2]
    assert len(told.lease("b")) == 1
    assert told.lease("c") == []
    _let_leases_run_out(wallet)
    assert len(told.lease("c")) == 3


def test_what_is_done_is_delivered_no_more(wallet, told):
    events = told.lease("a")
    assert told.done("a", _ids(events)) == 3
    assert told.done("a", _ids(events)) == 0
    _let_leases_run_out(wallet)
    assert (told.lease("b"), told.pending(), told.done("a", [])) == ([], [], 0)


def test_a_worker_that_lost_its_lease_cannot_say_that_it_is_done(wallet, told):
    events = told.lease("slow")
    _let_leases_run_out(wallet)
    assert _ids(told.lease("quick")) == _ids(events)
    assert told.done("slow", _ids(events)) == 0
    assert told.give_back("slow", _ids(events)) == 0
    assert told.failed("slow", events[0].id, "x") is False
    assert told.done("quick", _ids(events)) == 3


def test_an_event_that_fails_is_dead_after_its_last_attempt_and_the_others_go_on(wallet, told):
    bad, *_ = told.pending()
    for attempt in range(1, 4):
        events = told.lease(f"worker-{attempt}")
        assert bad in events
        assert told.failed(f"worker-{attempt}", bad.id, "cannot be read") is (attempt == 3)
        told.done(f"worker-{attempt}", [event.id for event in events if event != bad])
    assert (told.lease("a"), told.pending()) == ([], [])
    (dead,) = told.dead()
    assert (dead.event, dead.attempts, dead.error) == (bad, 3, "cannot be read")


def test_an_event_that_kills_its_workers_is_dead_too(wallet, told):
    for _ in range(3):
        assert len(told.lease("a")) == 3
        _let_leases_run_out(wallet)
    assert told.lease("a") == []
    assert {dead.error for dead in told.dead()} == {"every worker that took it lost its lease"}


def test_a_blocked_way_costs_no_attempt(wallet, told):
    for _ in range(10):
        events = told.lease("a")
        assert told.give_back("a", _ids(events)) == 3
    assert (len(told.lease("a")), told.dead()) == (3, [])


def test_a_person_has_dead_events_delivered_again(wallet, told):
    ids = _ids(told.pending())
    for _ in range(3):
        for event in told.lease("a"):
            told.failed("a", event.id, "x" * 500)
    assert _ids(dead.event for dead in told.dead()) == ids
    assert told.requeue([ids[1], 10**9]) == 1
    assert _ids(told.lease("a")) == [ids[1]]
    assert told.requeue() == 2
    assert told.requeue() == 0
    assert _ids(told.lease("b")) == [ids[0], ids[2]]


def test_ten_workers_at_once_get_every_event_once(wallet, told):
    with wallet.engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        now = database_time(connection)
        more = [{"kind": "x", "body": {"n": n}, "created_at": now} for n in range(97)]
        connection.execute(insert(rows), more)
    start = threading.Barrier(10)

    def work(number):
        start.wait()
        mine = []
        while events := told.lease(f"worker-{number}", 7):
            mine += _ids(events)
            told.done(f"worker-{number}", _ids(events))
        return mine

    with ThreadPoolExecutor(10) as pool:
        delivered = Counter(event for mine in pool.map(work, range(10)) for event in mine)
    assert (len(delivered), set(delivered.values())) == (100, {1})


def test_a_consumer_does_its_work_once_however_often_it_is_delivered(wallet, told, forecourt):
    event = told.lease("a")[0]

    def work(connection):
        connection.execute(insert(pumps).values(station="consumed", pump=str(event.id)))

    done = [told.handle_once("receipts", event, work, forecourt.at(0)) for _ in range(3)]
    assert done == [True, False, False]
    assert told.handle_once("points", event, lambda _: None, forecourt.at(0)) is True


def test_work_that_fails_is_not_taken_as_done(wallet, told, forecourt):
    event = told.lease("a")[0]

    def fail(connection):
        connection.execute(insert(pumps).values(station="half", pump="1"))
        raise RuntimeError("the printer is on fire")

    with pytest.raises(RuntimeError):
        told.handle_once("receipts", event, fail, forecourt.at(0))
    with wallet.engine.connect() as connection:
        assert connection.execute(select(pumps).where(pumps.c.station == "half")).all() == []
    assert told.handle_once("receipts", event, lambda _: None, forecourt.at(0)) is True
