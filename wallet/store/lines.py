"""Connections to PostgreSQL for hot statements: each is prepared once, each call is a transaction of its own.

They are called on libpq itself: the way through a cursor costs as much as a debit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from sqlalchemy import Engine

# Plans are made once and must still be right when the tables have grown: always by index, row by row.
_SETTINGS = (
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET default_transaction_isolation = 'read committed'",
)
# A constraint, a deadlock, a serialization failure: all of it was undone.
_UNDONE = ("23", "40")


class Lines:
    """Thread-safe. Connections are the engine's, kept for good; as many as calls at one time.

    known: what callers have seen to be there, for ever.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[_Line] = deque()
        self.known: set[str] = set()

    def call(self, query: bytes, values: Sequence[bytes]) -> bytes | None:
        """The first value of the answer, as text.

        None where there is none, where all was undone by a constraint or a deadlock, and where the connection
        was lost, so that nobody knows. Raises psycopg.Error.
        """
        try:
            line = self._idle.pop()
        except IndexError:
            line = _Line(self._engine)
        try:
            said = line.call(query, values)
        except psycopg.Error:
            if line.is_lost:
                line.close()
                return None
            self._idle.append(line)
            raise
        self._idle.append(line)
        return said

    def close(self) -> None:
        """Ends the connections that are idle."""
        while self._idle:
            self._idle.pop().close()


def borrow(engine: Engine) -> Any:
    """One of the engine's connections, psycopg's own, for good; set up for statements that stay prepared."""
    borrowed = engine.raw_connection()
    connection: Any = borrowed.driver_connection
    borrowed.detach()
    connection.autocommit = True
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


def prepare(pgconn: Any, name: bytes, query: bytes) -> None:
    """Prepares a statement under this name. Raises psycopg.Error."""
    result = pgconn.prepare(name, query)
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)


class _Line:
    """One connection."""

    def __init__(self, engine: Engine) -> None:
        self._connection = borrow(engine)
        self._pgconn = self._connection.pgconn
        self._prepared: dict[bytes, bytes] = {}

    def call(self, query: bytes, values: Sequence[bytes]) -> bytes | None:
        name = self._prepared.get(query) or self._prepare(query)
        result = self._pgconn.exec_prepared(name, values)
        if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            return result.get_value(0, 0) if result.ntuples else None
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        if state.startswith(_UNDONE):
            return None
        raise psycopg.errors.error_from_result(result)

    def _prepare(self, query: bytes) -> bytes:
        name = f"line_{len(self._prepared)}".encode()
        prepare(self._pgconn, name, query)
        self._prepared[query] = name
        return name

    @property
    def is_lost(self) -> bool:
        return bool(self._pgconn.status != pq.ConnStatus.OK)

    def close(self) -> None:
        self._connection.close()
