"""Statements prepared on a connection to PostgreSQL and called on libpq itself.

The way through a cursor costs several times what the call does: a generator, a state machine, a query that is
parsed for its parameters each time. Values are written and read by psycopg's own dumpers and loaders, so they
are what a cursor would give; errors are psycopg's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# Imported where PostgreSQL is used: SQLite must do without the driver, which comes with the extra `postgres`.
import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer

_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_PARAMETER = re.compile(r"%%|%\((\w+)\)s")


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


class _Known:
    """A statement that is prepared: its name, and which value each of its parameters is."""

    __slots__ = ("formats", "name", "order")

    def __init__(self, name: bytes, order: Sequence[str]) -> None:
        self.name = name
        self.order = order
        # Text whatever the value: as binary a number has a type that depends on how large it is.
        self.formats = [PyFormat.TEXT] * len(order)


class Prepared:
    """The prepared statements of one connection, for as long as that lives. Not thread-safe, as it is not."""

    def __init__(self, connection: Any) -> None:
        # It prepares nothing itself from now on: with a ROLLBACK it would drop its statements, and ours too.
        connection.prepare_threshold = None
        self._pgconn = connection.pgconn
        self._adapting = Transformer(connection)
        self._known: dict[str, _Known] = {}

    def execute(self, sql: str, values: dict[str, Any]) -> Answer | None:
        """What the statement comes to in the open transaction; None where none is open or it has failed.

        Raises psycopg.Error.
        """
        pgconn = self._pgconn
        if pgconn.transaction_status != pq.TransactionStatus.INTRANS:
            return None
        known = self._known.get(sql) or self._prepare(sql)
        given = self._adapting.dump_sequence([values[name] for name in known.order], known.formats)
        result = pgconn.exec_prepared(known.name, given)
        if result.status not in _DONE:
            raise psycopg.errors.error_from_result(result)
        rows: list[Any] = []
        if result.ntuples:
            self._adapting.set_pgresult(result)
            rows = self._adapting.load_rows(0, result.ntuples, tuple)
        return Answer(rows, result.command_tuples or 0)

    def _prepare(self, sql: str) -> _Known:
        text, order = numbered(sql)
        name = f"platepay_{len(self._known)}".encode()
        result = self._pgconn.prepare(name, text.encode())
        if result.status not in _DONE:
            raise psycopg.errors.error_from_result(result)
        known = self._known[sql] = _Known(name, order)
        return known


def prepared_on(connection: Any) -> Prepared:
    """The prepared statements of this connection of psycopg."""
    found: Prepared | None = connection.__dict__.get("_platepay_prepared")
    if found is None:
        found = connection._platepay_prepared = Prepared(connection)
    return found


def numbered(sql: str) -> tuple[str, list[str]]:
    """The statement with $1, $2 in place of %(name)s, and the name of each."""
    order: dict[str, int] = {}

    def replaced(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        return f"${order.setdefault(match[1], len(order) + 1)}"

    text = _PARAMETER.sub(replaced, sql)
    return text, list(order)
