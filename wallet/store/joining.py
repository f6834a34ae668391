"""Use cases made of others: all they read and write is one transaction, committed with its neighbours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Connection, Engine

from wallet.batching import Done, Failed, Lane, Outcome
from wallet.store.batching import Undone

UseCase = Callable[[Connection], Any]

_MOST = 64


class Joining:
    """Remembers, for each thread, the transaction that reads and writes of that thread belong to."""

    def __init__(self) -> None:
        self._here = threading.local()

    @property
    def connection(self) -> Connection | None:
        """The open transaction of this thread, if it has one to join."""
        found: Connection | None = getattr(self._here, "connection", None)
        return found

    def whole(self, use_case: UseCase) -> UseCase:
        """The use case; while it runs, its thread's reads and writes join its transaction."""

        def run(connection: Connection) -> Any:
            self._here.connection = connection
            try:
                return use_case(connection)
            finally:
                self._here.connection = None

        return run


class PostgresqlGroup:
    """PostgreSQL: use cases that wait together, one after the other in one transaction.

    One lane, so that two batches of this process never wait for each other's locks. Where one of a batch
    fails, nothing of the batch counts, and each is done alone.
    """

    def __init__(self, engine: Engine, alone: Callable[[UseCase], Any], undone: Undone) -> None:
        self._engine = engine
        self._alone = alone
        self._undone = undone
        self._lane: Lane[UseCase] = Lane("wallet group", self._batch, _MOST)

    def submit(self, use_case: UseCase) -> Future[Any]:
        """What the use case returns or raises, once the transaction it was in is on disk."""
        return self._lane.submit(use_case)

    def close(self) -> None:
        """Does what is queued, then takes no more."""
        self._lane.close()

    def _batch(self, use_cases: Sequence[UseCase]) -> Sequence[Outcome]:
        if len(use_cases) > 1:
            try:
                with self._engine.begin() as connection:
                    return [Done(use_case(connection)) for use_case in use_cases]
            except Exception:  # noqa: BLE001  each meets it again alone, and tells its own caller
                self._undone.one_more()
        return [self._one(use_case) for use_case in use_cases]

    def _one(self, use_case: UseCase) -> Outcome:
        try:
            return Done(self._alone(use_case))
        except Exception as error:  # noqa: BLE001  belongs to the caller of this use case
            return Failed(error)
