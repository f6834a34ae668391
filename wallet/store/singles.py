"""Calls of PostgreSQL that are a transaction of their own each, many of them at one time, by one thread.

Each connection is in libpq's pipeline mode, with a sync behind every call: the server commits each by itself,
whatever becomes of the one before or behind it. One thread sends and receives for all connections: a thread
for each costs as much in switching between them as the calls.

What is sent together waits for the disk together. All but a lone call are committed with synchronous_commit
off; behind them goes a transaction that is committed as the server has it set. The log is written in order:
once that one is on disk, so are those before it, and only then is any of them answered.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import pq
from sqlalchemy import Engine

from wallet.batching import IDLE_S, Done, Failed, LaneClosed, Together, settle
from wallet.store.lines import borrow, prepare

# So many connections, each with so many calls on their way.
CONNECTIONS = 4
TOGETHER = 16
ROOM = CONNECTIONS * TOGETHER
# Prepared statements: a call that waits for the disk itself, one of several, what waits for them.
_LONE, _ONE_OF_MANY, _FLUSH = b"lone", b"one_of_many", b"flush"


@dataclass(slots=True)
class Job:
    """A use case on its way. otherwise: who does it where the call leaves it undone."""

    use_case: Together
    values: Sequence[bytes]
    otherwise: Callable[[Together], Future[Any]]
    answer: Future[Any] = field(default_factory=Future)


class Singles:
    """Thread-safe. Connections are opened as they are needed, kept for good, and opened anew when lost.

    query: the one statement that is called.
    """

    def __init__(self, engine: Engine, query: bytes) -> None:
        self._engine = engine
        self._query = query
        self._changed = threading.Lock()
        self._queue: deque[Job] = deque()
        self._under_way = 0
        self._thread: threading.Thread | None = None
        self._is_asleep = False
        self._is_closed = False
        # Of the thread alone.
        self._wires: list[Wire] = []
        self._idle: list[Wire] = []
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ, None)

    @property
    def load(self) -> int:
        """How many are queued or on their way."""
        return self._under_way

    def submit(
        self, use_case: Together, values: Sequence[bytes], otherwise: Callable[[Together], Future[Any]]
    ) -> Future[Any]:
        """The use case's answer to come, once its own transaction is on disk.

        values: the parameters of its call. otherwise: does it where the call leaves it undone, and where the
        connection was lost, so that nobody knows: it must look first. Raises LaneClosed.
        """
        job = Job(use_case, values, otherwise)
        with self._changed:
            if self._is_closed:
                raise LaneClosed("the wallet's connections are closed")
            self._queue.append(job)
            self._under_way += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wallet singles", daemon=True)
                self._thread.start()
            wake, self._is_asleep = self._is_asleep, False
        if wake:
            self._bell.send(b"\0")
        return job.answer

    def close(self) -> None:
        """Waits for what is on its way, then ends the connections; later calls are refused."""
        with self._changed:
            was_closed, self._is_closed = self._is_closed, True
            thread = self._thread
        if was_closed:
            return
        self._bell.send(b"\0")
        if thread is not None:
            thread.join()
        for wire in self._wires:
            wire.close()
        self._selector.close()
        self._bell.close()
        self._ear.close()

    # The thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            is_full = self._place()
            with self._changed:
                if self._queue and not is_full:
                    continue
                if self._is_closed and self._under_way == 0:
                    return
                self._is_asleep = True
            events = self._selector.select(IDLE_S)
            with self._changed:
                self._is_asleep = False
                if not events and self._under_way == 0:
                    # Said under the lock: a call that comes from now on starts another thread.
                    self._thread = None
                    return
            for key, _ in events:
                if key.data is None:
                    self._ear.recv(4096)
                else:
                    self._receive(key.data)

    def _place(self) -> bool:
        """Sends what is queued; whether it stopped because there was no room."""
        while self._queue:
            share = self._share()
            try:
                wire = self._free_wire()
            except Exception:  # noqa: BLE001  whatever it is, the other way meets it too, and tells the caller
                self._leave([self._queue.popleft()])
                continue
            if wire is None:
                return True
            taken = [self._queue.popleft() for _ in range(share)]
            jobs = [job for job in taken if job.answer.set_running_or_notify_cancel()]
            self._count_off(len(taken) - len(jobs))
            try:
                wire.send(jobs)
            except psycopg.Error:
                self._lose(wire)
                continue
            self._rest(wire)
            self._listen(wire)
        return False

    def _share(self) -> int:
        """How many of those that wait the next connection takes: no more than its part of them."""
        free = len(self._idle) + CONNECTIONS - len(self._wires)
        each, rest = divmod(len(self._queue), max(1, free))
        return min(each + (rest > 0), TOGETHER)

    def _free_wire(self) -> Wire | None:
        """The one that was idle last, else a new one."""
        if self._idle:
            # What its server needs is still in the processor's cache.
            return self._idle.pop()
        if len(self._wires) == CONNECTIONS:
            return None
        wire = Wire(self._engine, self._query)
        self._wires.append(wire)
        self._selector.register(wire.file, selectors.EVENT_READ, wire)
        return wire

    def _rest(self, wire: Wire) -> None:
        """Idle, where it has nothing to do."""
        if not wire.is_busy and wire not in self._idle:
            self._idle.append(wire)

    def _listen(self, wire: Wire) -> None:
        """Hears of the connection when there is an answer and, while something is unsent, when it can be."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.is_unsent else 0)
        if events != wire.events:
            self._selector.modify(wire.file, events, wire)
            wire.events = events

    def _receive(self, wire: Wire) -> None:
        try:
            for job, said in wire.answers():
                if said is None:
                    self._leave([job])
                else:
                    self._count_off(1)
                    settle(job.answer, job.use_case.answered(said))
        except psycopg.Error:
            self._lose(wire)
            return
        self._rest(wire)
        self._listen(wire)

    def _lose(self, wire: Wire) -> None:
        """The connection is gone. What became of the calls that were on it nobody knows."""
        self._selector.unregister(wire.file)
        self._wires.remove(wire)
        self._idle = [other for other in self._idle if other is not wire]
        wire.close()
        self._leave(wire.unanswered())

    def _leave(self, jobs: Iterable[Job]) -> None:
        """Hands these on to the other way."""
        for job in jobs:
            self._count_off(1)
            if not job.answer.running() and not job.answer.set_running_or_notify_cancel():
                continue
            try:
                job.otherwise(job.use_case).add_done_callback(_Copy(job.answer))
            except Exception as error:  # noqa: BLE001  belongs to the caller
                job.answer.set_exception(error)

    def _count_off(self, count: int) -> None:
        with self._changed:
            self._under_way -= count


@dataclass(frozen=True, slots=True)
class _Copy:
    """Gives to one future what another has come to."""

    to: Future[Any]

    def __call__(self, done: Future[Any]) -> None:
        error = done.exception()
        settle(self.to, Done(done.result()) if error is None else Failed(error))


def flush_query(waits: bytes) -> bytes:
    """What is on disk only when everything committed before it is. waits: sets how its own commit waits."""
    # A line of nothing in the log: a transaction that changed nothing would not wait for the disk.
    return b"SELECT " + waits + b", pg_logical_emit_message(true, 'platepay', '')"


class Wire:
    """One connection in pipeline mode, answering in the order it was asked.

    is_unsent: a part of what was sent is still here.
    """

    def __init__(self, engine: Engine, query: bytes) -> None:
        self._connection = borrow(engine)
        self._pgconn = self._connection.pgconn
        try:
            (level,) = self._connection.execute("SHOW synchronous_commit").fetchone()
            waits = b"set_config('synchronous_commit', '" + level.encode() + b"', true)"
            prepare(self._pgconn, _LONE, query + b", " + waits)
            prepare(self._pgconn, _ONE_OF_MANY, query)
            prepare(self._pgconn, _FLUSH, flush_query(waits))
            self._connection.execute("SET synchronous_commit = off")
            self._pgconn.nonblocking = 1
            self._pgconn.enter_pipeline_mode()
            # Kept: a connection that is lost has none any more.
            self.file = int(self._pgconn.socket)
        except BaseException:
            self.close()
            raise
        self.is_unsent = False
        self.events = selectors.EVENT_READ
        # None: what waits for the disk.
        self._sent: deque[Job | None] = deque()
        self._is_lone = False
        self._held: list[tuple[Job, bytes]] = []
        self._said: bytes | None = None

    @property
    def is_busy(self) -> bool:
        """Whether calls are on their way."""
        return bool(self._sent)

    def unanswered(self) -> list[Job]:
        """What was sent and has no answer."""
        return [*(job for job, _ in self._held), *(job for job in self._sent if job is not None)]

    def send(self, jobs: Sequence[Job]) -> None:
        """Sends calls, each with the end of its transaction. Raises psycopg.Error where it is lost."""
        self._is_lone = len(jobs) == 1
        self._sent.extend(jobs)
        for job in jobs:
            self._ask(_LONE if self._is_lone else _ONE_OF_MANY, job.values)
        if len(jobs) > 1:
            self._sent.append(None)
            self._ask(_FLUSH, ())
        self.is_unsent = bool(self._pgconn.flush())

    def _ask(self, name: bytes, values: Sequence[bytes]) -> None:
        self._pgconn.send_query_prepared(name, values)
        self._pgconn.pipeline_sync()

    def answers(self) -> Iterator[tuple[Job, bytes | None]]:
        """What is on disk: the first value of each call's answer. None: undone, or nobody knows.

        Raises psycopg.Error where the connection is lost.
        """
        pgconn = self._pgconn
        if self.is_unsent:
            self.is_unsent = bool(pgconn.flush())
        pgconn.consume_input()
        while self._sent and not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                # Between the answer and the sync behind it; for ever, where the connection is gone.
                if pgconn.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError("the connection is lost")
            elif result.status == pq.ExecStatus.TUPLES_OK:
                self._said = result.get_value(0, 0)
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                said, self._said = self._said, None
                yield from self._committed(self._sent.popleft(), said)

    def _committed(self, job: Job | None, said: bytes | None) -> Iterator[tuple[Job, bytes | None]]:
        """What can be answered once this transaction has ended."""
        if job is None:
            held, self._held = self._held, []
            yield from ((one, None if said is None else its) for one, its in held)
        elif said is None or self._is_lone:
            yield job, said
        else:
            self._held.append((job, said))

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
