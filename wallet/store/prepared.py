"""Statements prepared on a connection to PostgreSQL and called on libpq itself.

The way through a cursor costs several times what the call does: a generator, a state machine, a query that is
parsed for its parameters each time. Values are read by psycopg's own loaders, so they are what a cursor would
give, and written as its dumpers write them; errors are psycopg's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

# Imported where PostgreSQL is used: SQLite must do without the driver, which comes with the extra `postgres`.
import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer

_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_IN_TRANSACTION = pq.TransactionStatus.INTRANS


class Answer:
    """What a statement came to, as a cursor gives it. rows: those it found. rowcount: those it changed."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def fetchall(self) -> list[Any]:
        """Every row."""
        return self._rows

    def fetchone(self) -> Any | None:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def close(self) -> None:
        """Nothing is open."""


class Prepared:
    """The prepared statements of one connection, for as long as that lives. Not thread-safe, as it is not."""

    def __init__(self, connection: Any) -> None:
        # It prepares nothing itself from now on: with a ROLLBACK it would drop its statements, and ours too.
        connection.prepare_threshold = None
        self._pgconn = connection.pgconn
        self._adapting = Transformer(connection)
        self._is_utf8 = connection.info.encoding == "utf-8"
        self._names: dict[bytes, bytes] = {}

    def execute(self, sql: bytes, values: Sequence[Any]) -> Answer | None:
        """What the statement comes to in the open transaction; None where none is open or it has failed.

        sql: with its parameters numbered. Raises psycopg.Error.
        """
        pgconn = self._pgconn
        if pgconn.transaction_status != _IN_TRANSACTION:
            return None
        name = self._names.get(sql) or self._prepare(sql)
        result = pgconn.exec_prepared(name, self._dumped(values))
        if result.status not in _DONE:
            raise psycopg.errors.error_from_result(result)
        rows: list[Any] = []
        if result.ntuples:
            self._adapting.set_pgresult(result)
            rows = self._adapting.load_rows(0, result.ntuples, tuple)
        return Answer(rows, result.command_tuples or 0)

    def _dumped(self, values: Sequence[Any]) -> Sequence[Any]:
        """The values as text. What the plain ones are is known; psycopg is asked for others."""
        if self._is_utf8:
            try:
                return [_WRITTEN[type(value)](value) for value in values]
            except KeyError:
                pass
        # Text whatever the value: as binary a number has a type that depends on how large it is.
        return self._adapting.dump_sequence(values, [PyFormat.TEXT] * len(values))

    def _prepare(self, sql: bytes) -> bytes:
        name = f"platepay_{len(self._names)}".encode()
        result = self._pgconn.prepare(name, sql)
        if result.status not in _DONE:
            raise psycopg.errors.error_from_result(result)
        self._names[sql] = name
        return name


def _text(value: str) -> bytes:
    if "\0" in value:
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return value.encode()


# One moment stands in several rows of a use case. Times that are equal are one moment, whatever their zones.
@lru_cache(maxsize=2_048)
def _time(value: datetime) -> bytes:
    return str(value).encode()


# A value of exactly this type, as psycopg writes it.
_WRITTEN: dict[type, Callable[[Any], bytes | None]] = {
    str: _text,
    int: lambda value: str(value).encode(),
    bool: lambda value: b"t" if value else b"f",
    datetime: _time,
    type(None): lambda _: None,
}


def prepared_on(connection: Any) -> Prepared:
    """The prepared statements of this connection of psycopg."""
    found: Prepared | None = connection.__dict__.get("_platepay_prepared")
    if found is None:
        found = connection._platepay_prepared = Prepared(connection)
    return found
