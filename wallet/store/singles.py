"""Calls of PostgreSQL that are a transaction of their own each, many of them at one time, by one thread.

Each connection is in libpq's pipeline mode, with a sync behind every call: the server commits each by itself
and answers it once it is on disk, whatever becomes of the one before or behind it. One thread sends and
receives for all connections: a thread for each costs as much in switching between them as the calls.
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

# So many connections: their commits share a flush of the disk. Where all are busy, so many calls on each: the
# second is there when the first is on disk.
CONNECTIONS = 16
DEPTH = 2
ROOM = CONNECTIONS * DEPTH
_NAME = b"single"


@dataclass(slots=True)
class _Job:
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
        self._queue: deque[_Job] = deque()
        self._under_way = 0
        self._thread: threading.Thread | None = None
        self._is_asleep = False
        self._is_closed = False
        # Of the thread alone.
        self._wires: list[_Wire] = []
        self._idle: list[_Wire] = []
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
        job = _Job(use_case, values, otherwise)
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
            try:
                wire = self._free_wire()
            except Exception:  # noqa: BLE001  whatever it is, the other way meets it too, and tells the caller
                self._leave([self._queue.popleft()])
                continue
            if wire is None:
                return True
            job = self._queue.popleft()
            if not job.answer.set_running_or_notify_cancel():
                self._count_off()
                self._rest(wire)
                continue
            try:
                wire.send(job)
            except psycopg.Error:
                self._lose(wire)
                continue
            self._listen(wire)
        return False

    def _free_wire(self) -> _Wire | None:
        """The one that was idle last, else a new one, else the one with the most room behind what it does."""
        if self._idle:
            # What its server needs is still in the processor's cache.
            return self._idle.pop()
        if len(self._wires) < CONNECTIONS:
            wire = _Wire(self._engine, self._query)
            self._wires.append(wire)
            self._selector.register(wire.file, selectors.EVENT_READ, wire)
            return wire
        wire = min(self._wires, key=_Wire.load)
        return wire if wire.load() < DEPTH else None

    def _rest(self, wire: _Wire) -> None:
        """Idle, where it has nothing to do."""
        if not wire.sent and wire not in self._idle:
            self._idle.append(wire)

    def _listen(self, wire: _Wire) -> None:
        """Hears of the connection when there is an answer and, while something is unsent, when it can be."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.is_unsent else 0)
        if events != wire.events:
            self._selector.modify(wire.file, events, wire)
            wire.events = events

    def _receive(self, wire: _Wire) -> None:
        try:
            for job, said in wire.answers():
                if said is None:
                    self._leave([job])
                else:
                    self._count_off()
                    settle(job.answer, job.use_case.answered(said))
        except psycopg.Error:
            self._lose(wire)
            return
        self._rest(wire)
        self._listen(wire)

    def _lose(self, wire: _Wire) -> None:
        """The connection is gone. What became of the calls that were on it nobody knows."""
        self._selector.unregister(wire.file)
        self._wires.remove(wire)
        self._idle = [other for other in self._idle if other is not wire]
        wire.close()
        self._leave(wire.sent)

    def _leave(self, jobs: Iterable[_Job]) -> None:
        """Hands these on to the other way."""
        for job in jobs:
            self._count_off()
            if not job.answer.running() and not job.answer.set_running_or_notify_cancel():
                continue
            try:
                job.otherwise(job.use_case).add_done_callback(_Copy(job.answer))
            except Exception as error:  # noqa: BLE001  belongs to the caller
                job.answer.set_exception(error)

    def _count_off(self) -> None:
        with self._changed:
            self._under_way -= 1


@dataclass(frozen=True, slots=True)
class _Copy:
    """Gives to one future what another has come to."""

    to: Future[Any]

    def __call__(self, done: Future[Any]) -> None:
        error = done.exception()
        settle(self.to, Done(done.result()) if error is None else Failed(error))


class _Wire:
    """One connection in pipeline mode: it answers in the order it was asked.

    sent: what has no answer yet. is_unsent: a part of it is still here.
    """

    def __init__(self, engine: Engine, query: bytes) -> None:
        self._connection = borrow(engine)
        self._pgconn = self._connection.pgconn
        try:
            prepare(self._pgconn, _NAME, query)
            self._pgconn.nonblocking = 1
            self._pgconn.enter_pipeline_mode()
            # Kept: a connection that is lost has none any more.
            self.file = int(self._pgconn.socket)
        except BaseException:
            self.close()
            raise
        self.sent: deque[_Job] = deque()
        self.is_unsent = False
        self.events = selectors.EVENT_READ
        self._said: bytes | None = None

    def load(self) -> int:
        """How many calls are on their way."""
        return len(self.sent)

    def send(self, job: _Job) -> None:
        """Sends a call and the end of its transaction. Raises psycopg.Error where the connection is lost."""
        self.sent.append(job)
        self._pgconn.send_query_prepared(_NAME, job.values)
        self._pgconn.pipeline_sync()
        self.is_unsent = bool(self._pgconn.flush())

    def answers(self) -> Iterator[tuple[_Job, bytes | None]]:
        """What has come in: for each call the first value of its answer, None where all of it was undone.

        Raises psycopg.Error where the connection is lost.
        """
        pgconn = self._pgconn
        if self.is_unsent:
            self.is_unsent = bool(pgconn.flush())
        pgconn.consume_input()
        while self.sent and not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                # Between the answer and the sync behind it; for ever, where the connection is gone.
                if pgconn.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError("the connection is lost")
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                said, self._said = self._said, None
                yield self.sent.popleft(), said
            elif result.status == pq.ExecStatus.TUPLES_OK:
                self._said = result.get_value(0, 0)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
