"""Many callers, one commit: a lane runs jobs in batches.

A batch is whatever queued while the last one ran. There is no timer: a lone job runs at once, and the busier
the lane, the larger its batches.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Container, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")

# A lane without work for so long gives its thread back; the next job starts another.
IDLE_S = 2


class LaneClosed(RuntimeError):  # noqa: N818
    """A job came after the lane was closed: nothing of it was done."""


@dataclass(frozen=True, slots=True)
class Done:
    """A job's answer, on disk."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """A job's error; nothing of it is on disk."""

    error: BaseException


Outcome = Done | Failed


def settle(answer: Future[Any], outcome: Outcome) -> None:
    """Gives a job's outcome to whoever waits for it."""
    match outcome:
        case Done(value):
            answer.set_result(value)
        case Failed(reason):
            answer.set_exception(reason)


class Together(ABC):
    """A use case that knows how to do many of its like in one transaction, better than one by one."""

    __slots__ = ()

    @property
    @abstractmethod
    def lane(self) -> str:
        """Use cases of one lane are done in the order they came."""

    @abstractmethod
    def __call__(self, connection: Any) -> Any:
        """This one alone: what it returns or raises."""

    def shortly(self, way: Any, others: Sequence[Any]) -> Sequence[Outcome | None]:  # noqa: ARG002
        """These, this one among them, by a short way of the database; None for each that it left undone.

        What has an outcome is on disk, whatever becomes of the others.
        """
        return [None] * len(others)

    def question(self, known: Container[str]) -> Sequence[bytes] | None:  # noqa: ARG002
        """The parameters of the database's short call for this one alone; None where it can not be asked.

        known: what earlier ones have made sure is there.
        """
        return None

    def answered(self, said: bytes) -> Outcome:
        """What it comes to where that call said this."""
        raise NotImplementedError

    @abstractmethod
    def together(self, connection: Any, others: Sequence[Any]) -> Sequence[Outcome]:
        """All of these, this one among them; any error means that nothing of it counts."""


class Lane(Generic[Job]):
    """Runs jobs one batch after the other on a thread of its own, in the order they came.

    work: what a batch comes to, one outcome a job, in order, once all of it is on disk. It must not raise:
    where it does, every job of the batch gets that error and the lane goes on.
    """

    def __init__(self, name: str, work: Callable[[Sequence[Job]], Sequence[Outcome]], most: int) -> None:
        self._name = name
        self._work = work
        self._most = most
        self._queue: deque[tuple[Job, Future[Any]]] = deque()
        self._in_work: Sequence[tuple[Job, Future[Any]]] = ()
        # Taken as it stands: the way into a lock through its condition costs as much as the queue.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._is_asleep = False
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def load(self) -> int:
        """How many jobs wait or are being done, more or less."""
        return len(self._queue) + len(self._in_work)

    def under_way(self) -> list[Job]:
        """The jobs that wait or are being done."""
        with self._lock:
            return [job for job, _ in (*self._queue, *self._in_work)]

    def submit(self, job: Job) -> Future[Any]:
        """The job's answer to come. Cancelled before its batch begins, the job is never done.

        Raises LaneClosed, and RuntimeError for a job that comes from a job of this lane.
        """
        answer: Future[Any] = Future()
        with self._lock:
            if self._is_closed:
                raise LaneClosed(f"{self._name} is closed")
            if threading.current_thread() is self._thread:
                raise RuntimeError(f"a job of {self._name} gave it another one; it would wait for itself")
            self._queue.append((job, answer))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif self._is_asleep:
                self._changed.notify()
        return answer

    def close(self) -> None:
        """Does what is queued, then ends; later jobs are refused."""
        with self._lock:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._do(batch)

    def _next_batch(self) -> list[tuple[Job, Future[Any]]]:
        """Jobs that nobody has cancelled; none where the thread shall end."""
        batch: list[tuple[Job, Future[Any]]] = []
        while not batch:
            with self._lock:
                while not self._queue:
                    if self._is_closed or not self._sleep():
                        if self._queue:
                            continue
                        # Said under the lock: a job that comes from now on starts another thread.
                        self._thread = None
                        return []
                waiting = [self._queue.popleft() for _ in range(min(len(self._queue), self._most))]
                self._in_work = waiting
            self._in_work = batch = [item for item in waiting if item[1].set_running_or_notify_cancel()]
        return batch

    def _sleep(self) -> bool:
        """Until there may be something to do; whether it was woken."""
        self._is_asleep = True
        is_woken = self._changed.wait(IDLE_S)
        self._is_asleep = False
        return is_woken

    def _do(self, batch: Sequence[tuple[Job, Future[Any]]]) -> None:
        try:
            outcomes = self._work([job for job, _ in batch])
            if len(outcomes) != len(batch):
                raise RuntimeError(f"{self._name}: {len(batch)} jobs got {len(outcomes)} answers")
        except BaseException as error:  # noqa: BLE001  handed to every caller that waits for this batch
            outcomes = [Failed(error)] * len(batch)
        self._in_work = ()
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            settle(answer, outcome)
