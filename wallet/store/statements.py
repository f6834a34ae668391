"""Statements that are built once, compiled once a dialect, and run on the driver's own cursor.

SQLAlchemy builds a statement, looks up its compiled form and makes a context for each execution: several
times what SQLite needs to run it. Here only the values change. Types, dialects, pool and errors stay
SQLAlchemy's.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from operator import itemgetter
from typing import Any, NoReturn

import msgspec
from sqlalchemy import JSON, Connection, Dialect, Table, bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

from wallet.columns import UtcTime

Convert = Callable[[Any], Any]

# So many times are remembered as text, and the other way about.
_TIMES = 2_048


_encode = msgspec.json.Encoder().encode
_PARAMETER = re.compile(r"%%|%\((\w+)\)s")


def to_json(value: Any) -> str:
    """JSON without spaces, for a column. There are no floats in it: money is whole."""
    return _encode(value).decode()


class _Compiled:
    """A statement in one dialect: its text, and what is to be done with each value on its way in and out.

    names: of its parameters, in the order of the driver. numbered: the same text as PostgreSQL counts its
    parameters; None on SQLite.
    """

    __slots__ = ("_converts", "_fixed", "_make", "_pick", "_reads", "names", "numbered", "reads_any", "sql")

    def __init__(self, clause: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = clause.compile(dialect=dialect)
        self.sql: str = compiled.string
        self.numbered: bytes | None = None
        if dialect.positional:
            self.names: Sequence[str] = tuple(compiled.positiontup)
        else:
            text, self.names = _numbered(self.sql)
            self.numbered = text.encode()
        # Of one name this takes the value itself, not a tuple of one.
        self._pick = itemgetter(*self.names) if len(self.names) > 1 else None
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._converts = [
            (place, convert)
            for place, name in enumerate(self.names)
            if (convert := _on_the_way_in(compiled.binds[name].type, dialect)) is not None
        ]
        columns = compiled._result_columns
        self._make = partial(tuple.__new__, _row_of([column.keyname for column in columns]))
        self._reads = [
            (place, convert)
            for place, column in enumerate(columns)
            if (convert := _on_the_way_out(column.type, dialect)) is not None
        ]
        self.reads_any = bool(self._reads)

    def given(self, values: dict[str, Any]) -> list[Any]:
        """The values as the driver takes them, in their order."""
        if self._fixed:
            values = {**self._fixed, **values}
        pick = self._pick
        parameters = [values[name] for name in self.names] if pick is None else list(pick(values))
        for place, convert in self._converts:
            parameters[place] = convert(parameters[place])
        return parameters

    def value(self, found: Sequence[Any]) -> Any:
        """A row of the driver with named columns."""
        if not self._reads:
            return self._make(found)
        values = list(found)
        for place, convert in self._reads:
            if values[place] is not None:
                values[place] = convert(values[place])
        return self._make(values)


class Statement:
    """One statement, whose values are named by `bindparam`."""

    __slots__ = ("_clause", "_compiled")

    def __init__(self, clause: ClauseElement | dict[str, ClauseElement]) -> None:
        """clause: the statement, or one for each name of a dialect."""
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """Every row, its columns as attributes."""
        compiled, cursor = self.execute(connection, values)
        found = cursor.fetchall()
        return [compiled.value(row) for row in found] if found else []

    def tuples(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Every row as the driver gives it; for many rows of text and numbers, which need no reading."""
        compiled, cursor = self.execute(connection, values)
        if compiled.reads_any:
            raise TypeError(f"a column of {compiled.sql!r} must be read")
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def first(self, connection: Connection, **values: Any) -> Any | None:
        """The first row, or None."""
        compiled, cursor = self.execute(connection, values)
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
        return int(self.execute(connection, values)[1].rowcount)

    def execute(self, connection: Connection, values: dict[str, Any]) -> tuple[_Compiled, Any]:
        """The statement as it was run, and the driver's cursor or what stands in its place."""
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        if not connection.in_transaction():
            connection.begin()
        parameters = compiled.given(values)
        try:
            # Both drivers are used as they are: what the pool holds is the driver's own connection.
            raw: Any = connection.connection.dbapi_connection
            if compiled.numbered is None:
                return compiled, raw.execute(compiled.sql, parameters)
            answer = _on_libpq()(raw).execute(compiled.numbered, parameters)
            if answer is None:
                answer = raw.execute(compiled.sql, dict(zip(compiled.names, parameters, strict=True)))
            return compiled, answer
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
    return int(_insert(table, tuple(values), True).execute(connection, values)[1].rowcount) == 1


def add(connection: Connection, table: Table, **values: Any) -> None:
    """Adds a row; an existing key is an IntegrityError."""
    _insert(table, tuple(values), False).execute(connection, values)


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


def _numbered(sql: str) -> tuple[str, list[str]]:
    """The statement with $1, $2 in place of %(name)s, and the name of each."""
    order: dict[str, int] = {}

    def replaced(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        return f"${order.setdefault(match[1], len(order) + 1)}"

    text = _PARAMETER.sub(replaced, sql)
    return text, list(order)


def _on_the_way_in(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    if isinstance(kind, UtcTime):
        return _time_to_text if dialect.name == "sqlite" else _utc
    if isinstance(kind, JSON):
        return to_json
    convert: Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _on_the_way_out(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    if isinstance(kind, UtcTime):
        return _text_to_time if dialect.name == "sqlite" else _utc
    convert: Convert | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return convert


@lru_cache(maxsize=_TIMES)
def _utc(value: datetime | None) -> datetime | None:
    """The same moment in UTC. Two times that are equal are the same moment, whatever their zones."""
    if value is None or value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone: {value!r}")
    return value.astimezone(UTC)


# One moment stands in several rows of a use case, and in those of its neighbours.
@lru_cache(maxsize=_TIMES)
def _time_to_text(value: datetime | None) -> str | None:
    """As SQLAlchemy writes it: text that sorts by time."""
    moment = _utc(value)
    return None if moment is None else moment.isoformat(" ", "microseconds")[:26]


@lru_cache(maxsize=_TIMES)
def _text_to_time(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
