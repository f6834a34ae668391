"""Statements that are built once, compiled once a dialect, and run on the driver's own cursor.

SQLAlchemy builds a statement, looks up its compiled form and makes a context for each execution: several
times what SQLite needs to run it. Here only the values change. Types, dialects, pool and errors stay
SQLAlchemy's.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, NoReturn

import msgspec
from sqlalchemy import JSON, Connection, Dialect, Table, bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

from wallet.columns import UtcTime

Convert = Callable[[Any], Any]


def to_json(value: Any) -> str:
    """JSON without spaces, for a column. There are no floats in it: money is whole."""
    return msgspec.json.encode(value).decode()


class _Compiled:
    """A statement in one dialect: its text, and what is to be done with each value on its way in and out."""

    __slots__ = ("fixed", "is_named", "names", "processors", "read", "row", "sql")

    def __init__(self, clause: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = clause.compile(dialect=dialect)
        self.sql: str = compiled.string
        self.is_named = not dialect.positional
        self.names: tuple[str, ...] = tuple(compiled.positiontup if dialect.positional else compiled.binds)
        self.fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self.processors = [
            (place, name, convert)
            for place, name in enumerate(self.names)
            if (convert := _on_the_way_in(compiled.binds[name].type, dialect)) is not None
        ]
        columns = compiled._result_columns
        self.row = _row_of([column.keyname for column in columns])
        self.read = [
            (place, convert)
            for place, column in enumerate(columns)
            if (convert := _on_the_way_out(column.type, dialect)) is not None
        ]

    def given(self, values: dict[str, Any]) -> Any:
        """The values as the driver takes them."""
        if self.fixed:
            values = {**self.fixed, **values}
        if self.is_named:
            for _, name, convert in self.processors:
                values[name] = convert(values[name])
            return values
        parameters = list(map(values.__getitem__, self.names))
        for place, _, convert in self.processors:
            parameters[place] = convert(parameters[place])
        return parameters

    def value(self, found: Sequence[Any]) -> Any:
        """A row of the driver with named columns."""
        if not self.read:
            return self.row._make(found)
        values = list(found)
        for place, convert in self.read:
            if values[place] is not None:
                values[place] = convert(values[place])
        return self.row._make(values)


class Statement:
    """One statement, whose values are named by `bindparam`."""

    __slots__ = ("_clause", "_compiled")

    def __init__(self, clause: ClauseElement | dict[str, ClauseElement]) -> None:
        """clause: the statement, or one for each name of a dialect."""
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """Every row, its columns as attributes."""
        compiled, cursor = self._execute(connection, values)
        return [compiled.value(row) for row in cursor.fetchall()]

    def tuples(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Every row as the driver gives it; for many rows of text and numbers, which need no reading."""
        compiled, cursor = self._execute(connection, values)
        if compiled.read:
            raise TypeError(f"a column of {compiled.sql!r} must be read")
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def first(self, connection: Connection, **values: Any) -> Any | None:
        """The first row, or None."""
        compiled, cursor = self._execute(connection, values)
        row = cursor.fetchone()
        cursor.close()
        return None if row is None else compiled.value(row)

    def one(self, connection: Connection, **values: Any) -> Any:
        """The first row; RuntimeError where there is none."""
        row = self.first(connection, **values)
        if row is None:
            raise RuntimeError(f"no row for {values!r}")
        return row

    def run(self, connection: Connection, **values: Any) -> int:
        """How many rows it changed."""
        return int(self._execute(connection, values)[1].rowcount)

    def _execute(self, connection: Connection, values: dict[str, Any]) -> tuple[_Compiled, Any]:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        if not connection.in_transaction():
            connection.begin()
        parameters = compiled.given(values)
        try:
            raw: Any = connection.connection.driver_connection
            if compiled.is_named:
                answer = _on_libpq()(raw).execute(compiled.sql, parameters)
                if answer is not None:
                    return compiled, answer
            return compiled, raw.execute(compiled.sql, parameters)
        except Exception as error:  # noqa: BLE001  becomes SQLAlchemy's error of the same meaning, or is raised as it is
            _raise(connection, error, compiled.sql, parameters)

    def _compile(self, dialect: Dialect) -> _Compiled:
        clause = self._clause[dialect.name] if isinstance(self._clause, dict) else self._clause
        compiled = self._compiled[dialect.name] = _Compiled(clause, dialect)
        return compiled


def command(connection: Connection, sql: str) -> None:
    """Runs a statement without values, such as SAVEPOINT, in the transaction that is open."""
    try:
        raw: Any = connection.connection.driver_connection
        raw.execute(sql)
    except Exception as error:  # noqa: BLE001  as above
        _raise(connection, error, sql, ())


@cache
def _on_libpq() -> Callable[[Any], Any]:
    # The driver comes with the extra `postgres`: SQLite must do without it.
    from wallet.store.prepared import prepared_on

    return prepared_on


def _raise(connection: Connection, error: Exception, sql: str, parameters: Any) -> NoReturn:
    # What SQLAlchemy does with a driver's error: wraps it, and gives up connections that are lost.
    connection._handle_dbapi_exception(error, sql, parameters, None, None)
    raise error


def insert_new(connection: Connection, table: Table, **values: Any) -> bool:
    """Adds a row unless one with the same primary or unique key is there; says whether it was added.

    On PostgreSQL this waits for another transaction that is adding the same key, so the caller sees its
    outcome.
    """
    return _insert(table, tuple(values), True).run(connection, **values) == 1


def add(connection: Connection, table: Table, **values: Any) -> None:
    """Adds a row; an existing key is an IntegrityError."""
    _insert(table, tuple(values), False).run(connection, **values)


@lru_cache(maxsize=512)
def _insert(table: Table, columns: tuple[str, ...], unless_known: bool) -> Statement:
    values = {name: bindparam(name, type_=table.c[name].type) for name in columns}
    if not unless_known:
        return Statement(insert(table).values(values).inline())
    return Statement(
        {
            "sqlite": sqlite.insert(table).values(values).on_conflict_do_nothing().inline(),
            "postgresql": postgresql.insert(table).values(values).on_conflict_do_nothing().inline(),
        }
    )


def _row_of(names: list[str]) -> Any:
    return namedtuple("Row", names)


def _on_the_way_in(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    if dialect.name == "sqlite" and isinstance(kind, UtcTime):
        return _time_to_text
    if dialect.name == "sqlite" and isinstance(kind, JSON):
        return to_json
    convert: Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _on_the_way_out(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    if dialect.name == "sqlite" and isinstance(kind, UtcTime):
        return _text_to_time
    convert: Convert | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return convert


def _time_to_text(value: datetime | None) -> str | None:
    """As SQLAlchemy writes it: text that sorts by time."""
    if value is None:
        return None
    if value.tzinfo is not UTC:
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        value = value.astimezone(UTC)
    return _utc_to_text(value)


# One moment stands in several rows of a use case.
@lru_cache(maxsize=256)
def _utc_to_text(value: datetime) -> str:
    return value.isoformat(" ", "microseconds")[:26]


@lru_cache(maxsize=256)
def _text_to_time(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
