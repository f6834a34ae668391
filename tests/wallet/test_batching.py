"""Batches: what waits together is done together, and nobody pays for a neighbour's mistake."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, wait

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from wallet.batching import Done, Failed, Lane, LaneClosed
from wallet.store.database import Store, add, create_schema, insert_new, make_engine
from wallet.tables import pumps

PATIENCE_S = 30


class Gate:
    """A worker whose first batch waits until it is let go, so that the jobs after it queue."""

    def __init__(self):
        self.began = threading.Event()
        self.go = threading.Event()
        self.batches = []

    def work(self, jobs):
        self.batches.append(list(jobs))
        if len(self.batches) == 1:
            self.began.set()
            assert self.go.wait(PATIENCE_S)
        return [Failed(ValueError(job)) if job < 0 else Done(job * 10) for job in jobs]


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def lane(gate):
    opened = Lane("test lane", gate.work, most=3)
    yield opened
    gate.go.set()
    opened.close()


def _behind(lane, gate, jobs):
    """A job that runs at once, and others that queue behind it."""
    first = lane.submit(0)
    assert gate.began.wait(PATIENCE_S)
    return [first, *(lane.submit(job) for job in jobs)]


def test_a_batch_is_what_queued_while_the_last_one_ran_and_never_more_than_the_most(lane, gate):
    answers = _behind(lane, gate, [1, 2, 3, 4])
    gate.go.set()
    assert [answer.result(PATIENCE_S) for answer in answers] == [0, 10, 20, 30, 40]
    assert gate.batches == [[0], [1, 2, 3], [4]]


def test_each_caller_gets_its_own_error(lane, gate):
    answers = _behind(lane, gate, [1, -2, 3])
    gate.go.set()
    assert answers[1].result(PATIENCE_S) == 10
    with pytest.raises(ValueError, match="-2"):
        answers[2].result(PATIENCE_S)
    assert answers[3].result(PATIENCE_S) == 30


def test_a_job_that_is_cancelled_in_the_queue_is_never_done(lane, gate):
    answers = _behind(lane, gate, [1, 2])
    assert answers[1].cancel()
    gate.go.set()
    assert answers[2].result(PATIENCE_S) == 20
    assert gate.batches == [[0], [2]]
    with pytest.raises(CancelledError):
        answers[1].result(PATIENCE_S)


def test_a_job_that_has_begun_can_not_be_cancelled(lane, gate):
    answers = _behind(lane, gate, [])
    assert not answers[0].cancel()
    gate.go.set()
    assert answers[0].result(PATIENCE_S) == 0


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(1), KeyboardInterrupt()])
def test_a_lane_outlives_what_its_worker_raises_and_tells_everybody_who_waits(error):
    def work(jobs):
        if -1 in jobs:
            raise error
        return [Done(job) for job in jobs]

    lane = Lane("breaking", work, most=8)
    broken = lane.submit(-1)
    assert broken.exception(PATIENCE_S) is error
    assert lane.submit(7).result(PATIENCE_S) == 7
    lane.close()


def test_an_answer_too_few_is_an_error_for_all_rather_than_somebody_elses_answer():
    lane = Lane("short", lambda jobs: [Done(1)] * (len(jobs) - 1), most=8)
    assert isinstance(lane.submit(1).exception(PATIENCE_S), RuntimeError)
    lane.close()


def test_a_closed_lane_does_what_is_queued_and_takes_no_more(gate):
    lane = Lane("closing", gate.work, most=3)
    answers = _behind(lane, gate, [1, 2, 3, 4, 5])
    closing = threading.Thread(target=lane.close)
    closing.start()
    gate.go.set()
    closing.join(PATIENCE_S)
    assert [answer.result(0) for answer in answers] == [0, 10, 20, 30, 40, 50]
    with pytest.raises(LaneClosed):
        lane.submit(1)


def test_a_lane_whose_thread_went_home_starts_another(monkeypatch):
    monkeypatch.setattr("wallet.batching.IDLE_S", 0.001)
    lane = Lane("idle", lambda jobs: [Done(threading.current_thread()) for _ in jobs], most=8)
    first = lane.submit(1).result(PATIENCE_S)
    first.join(PATIENCE_S)
    assert not first.is_alive()
    second = lane.submit(2).result(PATIENCE_S)
    assert second is not first
    lane.close()


def test_a_job_that_would_wait_for_its_own_lane_is_refused():
    lane = Lane("inner", lambda jobs: [_outcome(lane) for _ in jobs], most=8)

    def _outcome(inner):
        try:
            return Done(inner.submit(1))
        except RuntimeError as error:
            return Failed(error)

    with pytest.raises(RuntimeError, match="wait for itself"):
        lane.submit(1).result(PATIENCE_S)
    lane.close()


# Group commit on SQLite -------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path}/wallet.db")
    create_schema(engine)
    opened = Store(engine)
    yield opened
    opened.close()


class Queue:
    """Use cases that are written in one batch: they queue behind one that waits."""

    def __init__(self, store):
        self.store = store
        self.commits = 0
        event.listen(store.engine, "commit", self._count)

    def _count(self, _connection):
        self.commits += 1

    def write_together(self, *use_cases):
        """What each of them came to: a value or an error."""
        began, go = threading.Event(), threading.Event()

        def gate(_connection):
            began.set()
            assert go.wait(PATIENCE_S)

        first = self.store.submit(gate)
        assert began.wait(PATIENCE_S)
        answers = [self.store.submit(use_case) for use_case in use_cases]
        before = self.commits
        go.set()
        wait([first, *answers], PATIENCE_S)
        self.commits -= before + 1
        return [answer.exception(0) or answer.result(0) for answer in answers]


@pytest.fixture
def queue(store):
    return Queue(store)


def _pump(name):
    return lambda connection: add(connection, pumps, station="s", pump=name) or name


def _pumps(store):
    rows = store.read(lambda connection: connection.execute(text("SELECT pump FROM pumps")).scalars().all())
    return sorted(rows)


def test_what_waits_together_is_one_commit(queue, store):
    assert queue.write_together(*(_pump(str(number)) for number in range(20))) == [str(n) for n in range(20)]
    assert queue.commits == 1
    assert len(_pumps(store)) == 20


def test_a_use_case_that_fails_takes_only_its_own_rows_with_it(queue, store):
    def half_done(connection):
        add(connection, pumps, station="s", pump="half")
        raise ValueError("no")

    said = queue.write_together(_pump("a"), half_done, _pump("b"), _pump("a"), _pump("c"))
    assert [said[0], said[2], said[4]] == ["a", "b", "c"]
    assert isinstance(said[1], ValueError)
    assert isinstance(said[3], IntegrityError)
    assert queue.commits == 1
    assert _pumps(store) == ["a", "b", "c"]


def test_savepoints_are_taken_only_where_one_of_the_batch_fails(queue, store):
    statements = []
    with store.engine.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(statements.append)
    # The pool hands the same connection to the writer.
    undone = store.undone
    assert queue.write_together(_pump("a"), _pump("b")) == ["a", "b"]
    assert [line for line in statements if "SAVEPOINT" in line] == []
    assert store.undone == undone
    queue.write_together(_pump("c"), _pump("a"), _pump("d"))
    assert len([line for line in statements if line.startswith("SAVEPOINT")]) == 3
    assert store.undone > undone
    assert _pumps(store) == ["a", "b", "c", "d"]


def test_a_use_case_sees_what_its_neighbour_in_the_batch_wrote(queue, store):
    def new(connection):
        return insert_new(connection, pumps, station="s", pump="a")

    assert queue.write_together(new, new, new) == [True, False, False]


def test_where_the_batch_can_not_be_committed_each_gets_its_own_try(queue, store):
    """A use case that ends the whole transaction, as a full disk does, harms nobody else."""

    def end_it_all(connection):
        connection.exec_driver_sql("ROLLBACK")
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    said = queue.write_together(_pump("a"), end_it_all, _pump("b"))
    assert [said[0], said[2]] == ["a", "b"]
    assert isinstance(said[1], OperationalError)
    assert _pumps(store) == ["a", "b"]


def test_a_refused_commit_is_nobodys_answer(queue, store):
    """The constraint is only looked at when the batch commits: each is then tried alone, one is refused."""
    for table in ("children", "parents"):
        store.write(lambda connection, table=table: connection.execute(text(f"DROP TABLE IF EXISTS {table}")))
    store.write(lambda connection: connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)")))
    store.write(
        lambda connection: connection.execute(
            text("CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")
        )
    )

    def orphan(connection):
        connection.execute(text("INSERT INTO children VALUES (1)"))

    said = queue.write_together(_pump("a"), orphan, _pump("b"))
    assert [said[0], said[2]] == ["a", "b"]
    assert isinstance(said[1], IntegrityError)
    assert _pumps(store) == ["a", "b"]


def test_a_closed_store_has_done_what_it_was_given(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path}/wallet.db")
    create_schema(engine)
    store = Store(engine)
    answers = [store.submit(_pump(str(number))) for number in range(200)]
    store.close()
    assert [answer.result(0) for answer in answers] == [str(number) for number in range(200)]
    with pytest.raises(LaneClosed):
        store.write(_pump("late"))
