"""The few statements of a batch of charges, on each database by the shortest way it has for many rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = tuple[Any, ...]
# account, principal, bonus, version
WalletRow = tuple[str, int, int, int]
_ANSWER = (
    "idempotency_key, body_hash, code, said, id, account_id, station, amount_fen, bonus_fen, principal_fen,"
    " wallet_after_fen"
)

# From so many rows on COPY is cheaper than one statement with all of them in it.
_MANY = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """What stands there before a batch.

    charges: (key, body hash, code, said, id, account, station, amount, bonus, principal, wallet after it) of
    those that were answered; before: (key, body hash, answer) of those that version 0002 answered.
    """

    wallets: Sequence[Row]
    charges: Sequence[Row]
    before: Sequence[tuple[str, str, Any]]


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows to add to a table."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Row]

    @property
    def names(self) -> str:
        """The columns as SQL lists them."""
        return ", ".join(self.columns)


class SqliteRows:
    """On the connection of sqlite3 itself: one prepared statement a table, run for many rows."""

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()

    def look(self, accounts: Sequence[str], keys: Sequence[str]) -> Looked:
        """The wallets there are, and what was answered before; the writer is alone."""
        wallets = self._among(
            "SELECT account_id, principal_fen, bonus_fen, held_fen, version FROM wallets WHERE account_id IN",
            accounts,
        )
        before = self._among(
            "SELECT idempotency_key, body_hash, answer FROM commands"
            " WHERE scope = 'charge' AND idempotency_key IN",
            keys,
        )
        return Looked(
            wallets,
            self._among(f"SELECT {_ANSWER} FROM charges WHERE idempotency_key IN", keys),  # noqa: S608
            [(key, body, json.loads(answer)) for key, body, answer in before],
        )

    def write(self, inserts: Sequence[Insert], opened: Sequence[str], wallets: Sequence[WalletRow]) -> None:
        """Adds rows, opens revenue accounts at their first use, saves wallets."""
        self._cursor.executemany(
            "INSERT INTO ledger_accounts (id, kind) VALUES (?, 'revenue') ON CONFLICT DO NOTHING",
            [(name,) for name in opened],
        )
        for insert in inserts:
            marks = ", ".join("?" * len(insert.columns))
            statement = f"INSERT INTO {insert.table} ({insert.names}) VALUES ({marks})"  # noqa: S608
            self._cursor.executemany(statement, insert.rows)
        self._cursor.executemany(
            "UPDATE wallets SET principal_fen = ?2, bonus_fen = ?3, version = ?4 WHERE account_id = ?1",
            wallets,
        )

    def time(self, moment: datetime) -> str:
        """A moment as SQLAlchemy keeps it there."""
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")

    def _among(self, query: str, values: Sequence[str]) -> list[Row]:
        # One parameter however many values: a list of its own length each time would be prepared anew.
        statement = f"{query} (SELECT value FROM json_each(?))"  # noqa: S608  our own query
        found: list[Row] = self._cursor.execute(statement, (json.dumps(values),)).fetchall()
        return found


class PostgresqlRows:
    """On psycopg's own connection: one trip to look, one to write; COPY where there are many rows."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def look(self, accounts: Sequence[str], keys: Sequence[str]) -> Looked:
        """The wallets there are, locked in the order of their accounts, and then what was answered before."""
        wallets = self._connection.execute(_LOCK, (list(accounts),)).fetchall()
        # Statements of their own, so that they see what whoever held these wallets has committed.
        return Looked(
            wallets,
            self._connection.execute(_ANSWERED, (list(keys),)).fetchall(),
            self._connection.execute(_BEFORE, (list(keys),)).fetchall(),
        )

    def write(self, inserts: Sequence[Insert], opened: Sequence[str], wallets: Sequence[WalletRow]) -> None:
        """Adds rows, opens revenue accounts at their first use, saves wallets."""
        columns = [list(column) for column in zip(*wallets, strict=True)] or [[], [], [], []]
        if max(len(insert.rows) for insert in inserts) < _MANY:
            self._write_few(inserts, opened, columns)
            return
        self._connection.execute(_OPEN, (list(opened),))
        self._connection.execute(_SAVE, columns)
        for insert in inserts:
            with self._connection.cursor().copy(f"COPY {insert.table} ({insert.names}) FROM STDIN") as copy:
                for row in insert.rows:
                    copy.write_row(row)

    def _write_few(self, inserts: Sequence[Insert], opened: Sequence[str], columns: list[list[Any]]) -> None:
        """Everything in one statement: each trip to the server and back costs as much as a debit."""
        parts = [f"_opened AS ({_OPEN} RETURNING 1)", f"_saved AS ({_SAVE} RETURNING 1)"]
        values: list[Any] = [list(opened), *columns]
        for insert in inserts:
            if insert.rows:
                marks = f"({', '.join(['%s'] * len(insert.columns))})"
                rows = ", ".join([marks] * len(insert.rows))
                parts.append(
                    f"_{insert.table} AS (INSERT INTO {insert.table} ({insert.names})"  # noqa: S608
                    f" VALUES {rows} RETURNING 1)"
                )
                for row in insert.rows:
                    values += row
        self._connection.execute(f"WITH {', '.join(parts)} SELECT 1", values)

    def time(self, moment: datetime) -> datetime:
        """A moment as the driver takes it."""
        return moment


_LOCK = (
    "SELECT account_id, principal_fen, bonus_fen, held_fen, version FROM wallets"
    " WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE"
)
_ANSWERED = f"SELECT {_ANSWER} FROM charges WHERE idempotency_key = ANY(%s)"  # noqa: S608
_BEFORE = (
    "SELECT idempotency_key, body_hash, answer FROM commands"
    " WHERE scope = 'charge' AND idempotency_key = ANY(%s)"
)
_OPEN = (
    "INSERT INTO ledger_accounts (id, kind) SELECT o, 'revenue' FROM unnest(%s::text[]) AS o"
    " ON CONFLICT DO NOTHING"
)
_SAVE = (
    "UPDATE wallets SET principal_fen = n.principal, bonus_fen = n.bonus, version = n.version"
    " FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
    " AS n (account, principal, bonus, version) WHERE account_id = n.account"
)
