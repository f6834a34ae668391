"""Many use cases in one commit: all of them on SQLite, those that know how on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, Engine

from wallet.batching import Done, Failed, Lane, Outcome, Together
from wallet.store.statements import command

UseCase = Callable[[Connection], Any]

_MOST_SQLITE = 128
_MOST_POSTGRESQL = 256
_LANES = 2
# While fewer are under way, each has a transaction of its own; more are several times cheaper in batches.
_FEW = 32
_MOST_NOTED = 128


class _OneFailed(Exception):  # noqa: N818
    """A use case of a batch without savepoints failed: all of it was undone."""


class Undone:
    """Counts what was rolled back: who remembers what was written can tell whether it may be gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def one_more(self) -> None:
        """Something was rolled back."""
        with self._lock:
            self.count += 1


class GroupCommit:
    """SQLite: the writes of this process, batch after batch. A use case may run again, but counts once.

    Nearly always all of a batch succeed: it is tried without savepoints, and where one fails, done again with
    one for each. Answers and refusals alike go out after the commit: a refusal may rest on what a neighbour
    wrote.
    """

    def __init__(self, engine: Engine, undone: Undone) -> None:
        self._engine = engine
        self._undone = undone
        self._lane: Lane[UseCase] = Lane("wallet writer", self._batch, _MOST_SQLITE)

    def submit(self, use_case: UseCase) -> Future[Any]:
        """What the use case returns or raises, once the transaction it was in is on disk."""
        return self._lane.submit(use_case)

    def alone(self, use_case: UseCase) -> Any:
        """The same in a transaction of its own; the database lets only one writer in at a time."""
        match self._alone(use_case):
            case Done(value):
                return value
            case Failed(error):
                raise error

    def close(self) -> None:
        """Does what is queued, then takes no more."""
        self._lane.close()

    def _batch(self, use_cases: Sequence[UseCase]) -> list[Outcome]:
        if len(use_cases) > 1:
            outcomes = self._together(use_cases)
            if outcomes is not None:
                return outcomes
        return [self._alone(use_case) for use_case in use_cases]

    def _alone(self, use_case: UseCase) -> Outcome:
        """One use case in one transaction."""
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(platepay_writes=True)
                with connection.begin():
                    value = use_case(connection)
                return Done(value)
        except Exception as error:  # noqa: BLE001  belongs to the caller of this use case
            self._undone.one_more()
            return Failed(error)

    def _together(self, use_cases: Sequence[UseCase]) -> list[Outcome] | None:
        """All in one transaction; None where that could not be kept, so that each must try alone."""
        for way in (_straight, self._under_savepoint):
            try:
                with self._engine.connect() as connection:
                    connection = connection.execution_options(platepay_writes=True)
                    with connection.begin():
                        return self._in_turn(connection, use_cases, way)
            except _OneFailed:
                self._undone.one_more()
            except Exception:  # noqa: BLE001  whatever it was, each use case meets it again alone and tells its caller
                self._undone.one_more()
                break
        return None

    def _in_turn(
        self,
        connection: Connection,
        use_cases: Sequence[UseCase],
        way: Callable[[Connection, UseCase], Outcome],
    ) -> list[Outcome]:
        """One by one in this way; those that can be done together, together at the end."""
        outcomes: dict[int, Outcome] = {}
        alike: dict[int, Together] = {}
        for place, use_case in enumerate(use_cases):
            if isinstance(use_case, Together):
                alike[place] = use_case
            else:
                outcomes[place] = way(connection, use_case)
        if alike:
            # Any error of theirs undoes the whole batch.
            first, *_ = alike.values()
            done = first.together(connection, list(alike.values()))
            outcomes.update(zip(alike, done, strict=True))
        return [outcomes[place] for place in range(len(use_cases))]

    def _under_savepoint(self, connection: Connection, use_case: UseCase) -> Outcome:
        command(connection, "SAVEPOINT use_case")
        try:
            value = use_case(connection)
        except Exception as error:  # noqa: BLE001  belongs to the caller of this use case
            # A full disk ends the whole transaction; this raises then, and the batch is undone.
            command(connection, "ROLLBACK TO use_case")
            command(connection, "RELEASE use_case")
            self._undone.one_more()
            return Failed(error)
        command(connection, "RELEASE use_case")
        return Done(value)


def _straight(connection: Connection, use_case: UseCase) -> Outcome:
    """Without a savepoint: raises _OneFailed where it fails, and the whole batch must be undone."""
    try:
        return Done(use_case(connection))
    except Exception as error:
        raise _OneFailed() from error


@dataclass(frozen=True, slots=True)
class _Left:
    """A use case that the short way has left undone already."""

    use_case: Together


class PostgresqlLanes:
    """PostgreSQL: use cases that can be done together.

    While few are under way, each is one call and one transaction. Where more are, or where another one of the
    same lane is, they wait in few lanes, each with one transaction at a time.
    """

    def __init__(self, engine: Engine, alone: Callable[[UseCase], Any]) -> None:
        self._engine = engine
        self._alone = alone
        # The driver comes with the extra `postgres`: SQLite must do without it.
        from wallet.store.charging import ONE
        from wallet.store.lines import Lines
        from wallet.store.singles import Singles

        self._lines = Lines(engine)
        self._singles = Singles(engine, ONE)
        self._lanes: list[Lane[Together | _Left]] = [
            Lane(f"wallet lane {number}", self._batch, _MOST_POSTGRESQL) for number in range(_LANES)
        ]
        self._apart: Lane[Together | _Left] = Lane("wallet alone", self._batch, 1)
        self._placing = threading.Lock()
        # By their lane, those that went alone and may be on their way still.
        self._alone_now: dict[str, Future[Any]] = {}

    def submit(self, use_case: Together) -> Future[Any]:
        """Its answer to come."""
        with self._placing:
            lane = self._lane_of(use_case)
            values = use_case.question(self._lines.known) if self._goes_alone(use_case.lane, lane) else None
            if values is None:
                return lane.submit(use_case)
            answer = self._singles.submit(use_case, values, self._among_others)
            self._note(use_case.lane, answer)
        return answer

    def submit_alone(self, use_case: Together) -> Future[Any]:
        """The same in a transaction that it shares with no other, however many are under way."""
        values = use_case.question(self._lines.known)
        if values is None:
            return self._apart.submit(use_case)
        return self._singles.submit(use_case, values, lambda left: self._apart.submit(_Left(left)))

    def close(self) -> None:
        """Does what is queued, then takes no more."""
        self._singles.close()
        for lane in (*self._lanes, self._apart):
            lane.close()
        self._lines.close()

    def _goes_alone(self, name: str, lane: Lane[Together | _Left]) -> bool:
        """Whether nobody would wait for it or it for them: locks are held until the commit is on disk."""
        if self._singles.load + sum(one.load for one in self._lanes) >= _FEW:
            return False
        last = self._alone_now.get(name)
        if last is not None and not last.done():
            return False
        return not lane.load or all(_use_case(job).lane != name for job in lane.under_way())

    def _note(self, name: str, answer: Future[Any]) -> None:
        """The last one of each lane; those that are done are forgotten now and then."""
        self._alone_now[name] = answer
        if len(self._alone_now) > _MOST_NOTED:
            self._alone_now = {name: one for name, one in self._alone_now.items() if not one.done()}

    def _lane_of(self, use_case: Together) -> Lane[Together | _Left]:
        _, number = divmod(crc32(use_case.lane.encode()), _LANES)
        return self._lanes[number]

    def _among_others(self, left: Together) -> Future[Any]:
        return self._lane_of(left).submit(_Left(left))

    def _batch(self, asked: Sequence[Together | _Left]) -> Sequence[Outcome]:
        """By the short way, then by the long one what that has left, or had left before."""
        use_cases = [_use_case(one) for one in asked]
        new = [one for one in asked if not isinstance(one, _Left)]
        short = iter(self._shortly(new) if new else ())
        outcomes = [None if isinstance(one, _Left) else next(short) for one in asked]
        left = [use_case for use_case, outcome in zip(use_cases, outcomes, strict=True) if outcome is None]
        long = iter(self._longer(left) if left else ())
        return [next(long) if outcome is None else outcome for outcome in outcomes]

    def _shortly(self, use_cases: Sequence[Together]) -> Sequence[Outcome | None]:
        try:
            return use_cases[0].shortly(self._lines, use_cases)
        except Exception:  # noqa: BLE001  each meets it again, and tells its own caller
            return [None] * len(use_cases)

    def _longer(self, use_cases: Sequence[Together]) -> Sequence[Outcome]:
        if len(use_cases) > 1:
            try:
                with self._engine.begin() as connection:
                    return use_cases[0].together(connection, use_cases)
            except Exception:  # noqa: BLE001, S110  each meets it again alone, and tells its own caller
                pass
        return [self._one(use_case) for use_case in use_cases]

    def _one(self, use_case: Together) -> Outcome:
        try:
            return Done(self._alone(use_case))
        except Exception as error:  # noqa: BLE001  belongs to the caller of this use case
            return Failed(error)


def _use_case(job: Together | _Left) -> Together:
    return job.use_case if isinstance(job, _Left) else job
