"""Group commit on SQLite: one writer, many use cases in one transaction, each under its own savepoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine

from wallet.batching import Done, Failed, Lane, Outcome

UseCase = Callable[[Connection], Any]

_MOST = 64


class GroupCommit:
    """Writes of this process, one batch after the other. A use case may run twice, but counts once.

    Answers and refusals alike go out after the commit: a refusal may rest on what a neighbour wrote.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lane: Lane[UseCase] = Lane("wallet writer", self._batch, _MOST)

    def write(self, use_case: UseCase) -> Any:
        """What the use case returns or raises, once the transaction it was in is on disk."""
        return self._lane.submit(use_case).result()

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
                    outcomes = [self._under_savepoint(connection, use_case) for use_case in use_cases]
                return outcomes
        except Exception:  # noqa: BLE001  whatever it was, each use case meets it again alone and tells its caller
            return None

    def _under_savepoint(self, connection: Connection, use_case: UseCase) -> Outcome:
        connection.exec_driver_sql("SAVEPOINT use_case")
        try:
            value = use_case(connection)
        except Exception as error:  # noqa: BLE001  belongs to the caller of this use case
            # A full disk ends the whole transaction; this raises then, and the batch is undone.
            connection.exec_driver_sql("ROLLBACK TO use_case")
            connection.exec_driver_sql("RELEASE use_case")
            return Failed(error)
        connection.exec_driver_sql("RELEASE use_case")
        return Done(value)
