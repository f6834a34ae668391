"""The database as the wallet needs it: durable, one writer at a time on SQLite, row locks on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from wallet.batching import Together
from wallet.errors import DurabilityTooLow, InvalidFact, SchemaMissing
from wallet.guards import creating as _guards  # noqa: F401  the triggers come with the tables
from wallet.store.batching import GroupCommit, PostgresqlLanes, Undone
from wallet.store.joining import Joining, PostgresqlGroup
from wallet.store.statements import add as add
from wallet.store.statements import insert_new as insert_new
from wallet.store.statements import to_json
from wallet.tables import metadata

T = TypeVar("T")

# serialization_failure and deadlock_detected: the whole transaction was undone and may be tried again.
_TRY_AGAIN = frozenset({"40001", "40P01"})
_TAKEN = "23505"
_ATTEMPTS = 5
_BUSY_TIMEOUT_MS = 10_000


def make_engine(database_url: str) -> Engine:
    """An engine for `sqlite:///path` or `postgresql+psycopg://...`, set up for money."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, json_serializer=to_json)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=10,
        max_overflow=20,
        json_serializer=to_json,
        # Statements of the hot way are prepared by us (prepared.py); psycopg's own would take them away.
        connect_args={"prepare_threshold": None},
    )
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    # Every question is a small one, whatever the planner makes of it: a look by an expression it takes for a
    # two-hundredth of the table, and would call workers for it, and compile it, each time.
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.execute("SET jit = off")
    connection.commit()


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: _begin_sqlite does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("platepay_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _unstorable_text() -> Iterator[None]:
    """Text that PostgreSQL cannot keep (a zero byte in it) is the caller's mistake, not a failure of ours."""
    try:
        yield
    except DataError as error:
        raise InvalidFact("text", str(error.orig), "must be something the database can keep") from error


class Store:
    """Runs use cases against one database, each whole or not at all.

    On SQLite all writes of this process go through one writer, which commits those that wait together.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._undone = Undone()
        self._writer = GroupCommit(engine, self._undone) if engine.dialect.name == "sqlite" else None
        self._lanes = None if self._writer else PostgresqlLanes(engine, self._write_with_row_locks)
        self._group = (
            None if self._writer else PostgresqlGroup(engine, self._write_with_row_locks, self._undone)
        )
        self._joining = Joining()

    @property
    def undone(self) -> int:
        """How often something was rolled back: when it grew, what a transaction wrote may be gone."""
        return self._undone.count

    def write(self, use_case: Callable[[Connection], T]) -> T:
        """What `use_case` returns, once its transaction is on disk. It may run again: only rows may count.

        Inside a use case of submit_whole: part of that.
        """
        with _unstorable_text():
            if (connection := self._joining.connection) is not None:
                return use_case(connection)
            if self._writer is None and not isinstance(use_case, Together):
                return self._write_with_row_locks(use_case)
            answer: T = self.submit(use_case).result()
            return answer

    def alone(self, use_case: Callable[[Connection], T]) -> T:
        """The same in a transaction that nobody else shares, however many wait."""
        with _unstorable_text():
            if self._writer is not None:
                answer: T = self._writer.alone(use_case)
            elif self._lanes is not None and isinstance(use_case, Together):
                answer = self._lanes.submit_alone(use_case).result()
            else:
                answer = self._write_with_row_locks(use_case)
            return answer

    def submit(self, use_case: Callable[[Connection], T]) -> Future[T]:
        """The same for callers who do not wait: use cases that are done together with others.

        On PostgreSQL only those that know how (Together).
        """
        if self._writer is not None:
            return self._writer.submit(use_case)
        if self._lanes is None or not isinstance(use_case, Together):
            raise TypeError(f"{use_case!r} cannot be done together with others")
        return self._lanes.submit(use_case)

    def submit_alone(self, use_case: Callable[[Connection], T]) -> Future[T]:
        """The same, each in a transaction that nobody else shares. PostgreSQL only."""
        if self._lanes is None or not isinstance(use_case, Together):
            raise TypeError(f"{use_case!r} cannot be sent alone")
        return self._lanes.submit_alone(use_case)

    def submit_whole(self, use_case: Callable[[Connection], T]) -> Future[T]:
        """The same for a use case that may call others of this store: they join its transaction.

        Those that wait together are committed together, on PostgreSQL too.
        """
        whole = self._joining.whole(use_case)
        if self._writer is not None:
            return self._writer.submit(whole)
        if self._group is None:
            raise RuntimeError("a store has a writer or a group")
        return self._group.submit(whole)

    def _write_with_row_locks(self, use_case: Callable[[Connection], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.engine.begin() as connection:
                    return use_case(connection)
            except Exception as error:
                self._undone.one_more()
                lost = isinstance(error, OperationalError | IntegrityError) and _may_try_again(
                    error, use_case
                )
                if not lost or attempt == _ATTEMPTS:
                    raise
        raise RuntimeError("unreachable: the last attempt returns or raises")

    def read(self, query: Callable[[Connection], T], *, snapshot: bool = False) -> T:
        """What `query` returns; it must not write.

        snapshot: all its statements see the same moment (on SQLite they always do).
        """
        if (joined := self._joining.connection) is not None:
            return query(joined)
        with self.engine.connect() as connection:
            if snapshot and self._writer is None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with _unstorable_text(), connection.begin():
                return query(connection)

    def close(self) -> None:
        """Ends the batches, then gives every pooled connection back."""
        for batches in (self._writer, self._lanes, self._group):
            if batches is not None:
                batches.close()
        self.engine.dispose()


def _may_try_again(error: DBAPIError, use_case: Callable[[Connection], Any]) -> bool:
    """Whether all of it was undone, and done again may come to something else.

    A use case of many (Together) looks its names up first: one that was taken meanwhile it finds then.
    """
    state = getattr(error.orig, "sqlstate", None)
    return state in _TRY_AGAIN or (state == _TAKEN and isinstance(use_case, Together))


def create_schema(engine: Engine) -> None:
    """Makes the tables, triggers and view in a database that has none of them."""
    with engine.connect() as connection:
        connection = connection.execution_options(platepay_writes=True)
        with connection.begin():
            metadata.create_all(connection)


def has_schema(engine: Engine) -> bool:
    """Whether the tables are there (some version of them)."""
    return inspect(engine).has_table("transfers")


def require_schema(engine: Engine) -> None:
    """Raises SchemaMissing where the tables are not there."""
    if not has_schema(engine):
        raise SchemaMissing(engine.url.render_as_string(hide_password=True))


def check_durability(engine: Engine) -> None:
    """Raises DurabilityTooLow where a committed transaction could be lost at a power cut."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            _check_sqlite(connection)
        else:
            _check_postgresql(connection)


def _check_sqlite(connection: Connection) -> None:
    synchronous = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    if synchronous < 2:
        raise DurabilityTooLow("synchronous", ("OFF", "NORMAL")[synchronous], "FULL")
    journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    if journal.lower() != "wal":
        raise DurabilityTooLow("journal_mode", journal, "wal")
    if int(connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one()) != 1:
        raise DurabilityTooLow("foreign_keys", "OFF", "ON")


def _check_postgresql(connection: Connection) -> None:
    for setting, allowed in (
        ("fsync", ("on",)),
        ("full_page_writes", ("on",)),
        ("synchronous_commit", ("on", "remote_apply")),
    ):
        found = str(connection.exec_driver_sql(f"SHOW {setting}").scalar_one())
        if found not in allowed:
            how = f"ALTER SYSTEM SET {setting} = {allowed[0]}; SELECT pg_reload_conf();"
            raise DurabilityTooLow(setting, found, allowed[0], how)
