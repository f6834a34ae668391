"""Many use cases in one commit: all of them on SQLite, those that know how on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, Engine

from wallet.batching import Done, Failed, Lane, Outcome, Together
from wallet.store.statements import command

UseCase = Callable[[Connection], Any]

_MOST_SQLITE = 128
_MOST_POSTGRESQL = 256
_LANES = 2


class GroupCommit:
    """SQLite: the writes of this process, batch after batch. A use case may run twice, but counts once.

    Answers and refusals alike go out after the commit: a refusal may rest on what a neighbour wrote.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
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
            return Failed(error)

    def _together(self, use_cases: Sequence[UseCase]) -> list[Outcome] | None:
        """All in one transaction; None where that could not be kept, so that each must try alone."""
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(platepay_writes=True)
                with connection.begin():
                    return self._in_turn(connection, use_cases)
        except Exception:  # noqa: BLE001  whatever it was, each use case meets it again alone and tells its caller
            return None

    def _in_turn(self, connection: Connection, use_cases: Sequence[UseCase]) -> list[Outcome]:
        """One by one; those that can be done together, together at the end."""
        outcomes: dict[int, Outcome] = {}
        alike: dict[int, Together] = {}
        for place, use_case in enumerate(use_cases):
            if isinstance(use_case, Together):
                alike[place] = use_case
            else:
                outcomes[place] = self._under_savepoint(connection, use_case)
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
            return Failed(error)
        command(connection, "RELEASE use_case")
        return Done(value)


class PostgresqlLanes:
    """PostgreSQL: use cases that can be done together, in few lanes, each with one transaction at a time."""

    def __init__(self, engine: Engine, alone: Callable[[UseCase], Any]) -> None:
        self._engine = engine
        self._alone = alone
        # The driver comes with the extra `postgres`: SQLite must do without it.
        from wallet.store.lines import Lines

        self._lines = Lines(engine)
        self._lanes: list[Lane[Together]] = [
            Lane(f"wallet lane {number}", self._batch, _MOST_POSTGRESQL) for number in range(_LANES)
        ]

    def submit(self, use_case: Together) -> Future[Any]:
        """Its answer to come."""
        _, number = divmod(crc32(use_case.lane.encode()), _LANES)
        return self._lanes[number].submit(use_case)

    def alone(self, use_case: Together) -> Any:
        """This one in a transaction of its own, on the caller's thread."""
        (outcome,) = use_case.shortly(self._lines, [use_case])
        match outcome:
            case Done(value):
                return value
            case Failed(error):
                raise error
        return self._alone(use_case)

    def close(self) -> None:
        """Does what is queued, then takes no more."""
        for lane in self._lanes:
            lane.close()
        self._lines.close()

    def _batch(self, use_cases: Sequence[Together]) -> Sequence[Outcome]:
        outcomes = list(self._shortly(use_cases))
        left = [place for place, outcome in enumerate(outcomes) if outcome is None]
        if left:
            for place, outcome in zip(left, self._longer([use_cases[place] for place in left]), strict=True):
                outcomes[place] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

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
