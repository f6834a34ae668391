"""The few statements of a batch of charges, on each database by the shortest way it has for many rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Row = tuple[Any, ...]


class SqliteRows:
    """On the connection of sqlite3 itself: one prepared statement a table, run for many rows."""

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()

    def lock_wallets(self, accounts: Sequence[str]) -> list[Row]:
        """The wallets there are; the writer is alone, so nobody else changes them."""
        return self._among(
            "SELECT account_id, principal_fen, bonus_fen, held_fen, version FROM wallets WHERE account_id IN",
            accounts,
        )

    def answered(self, scope: str, keys: Sequence[str]) -> list[tuple[str, str, Any]]:
        """Key, hash of the body and answer of commands that have one."""
        found = self._among(
            "SELECT idempotency_key, body_hash, answer FROM commands WHERE scope = ? AND idempotency_key IN",
            keys,
            scope,
        )
        return [(key, body, json.loads(answer)) for key, body, answer in found]

    def open_accounts(self, names: Sequence[str]) -> None:
        """Revenue accounts at their first use."""
        self._cursor.executemany(
            "INSERT INTO ledger_accounts (id, kind) VALUES (?, 'revenue') ON CONFLICT DO NOTHING",
            [(name,) for name in names],
        )

    def save_wallets(self, rows: Sequence[tuple[str, int, int, int]]) -> None:
        """New principal, bonus and version of wallets, by account."""
        self._cursor.executemany(
            "UPDATE wallets SET principal_fen = ?2, bonus_fen = ?3, version = ?4 WHERE account_id = ?1", rows
        )

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Adds rows."""
        values = [tuple(_sqlite_value(value) for value in row) for row in rows]
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  our own names
        self._cursor.executemany(statement, values)

    def _among(self, query: str, values: Sequence[str], *first: str) -> list[Row]:
        # One parameter however many values: a list of its own length each time would be prepared anew.
        statement = f"{query} (SELECT value FROM json_each(?))"  # noqa: S608  our own query
        found: list[Row] = self._cursor.execute(statement, (*first, json.dumps(values))).fetchall()
        return found


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value


class PostgresqlRows:
    """On psycopg's own connection: COPY for what is new, arrays for what is asked and changed."""

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()

    def lock_wallets(self, accounts: Sequence[str]) -> list[Row]:
        """The wallets there are, locked one after the other in the order of their accounts."""
        query = (
            "SELECT account_id, principal_fen, bonus_fen, held_fen, version FROM wallets"
            " WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE"
        )
        found: list[Row] = self._cursor.execute(query, (list(accounts),)).fetchall()
        return found

    def answered(self, scope: str, keys: Sequence[str]) -> list[tuple[str, str, Any]]:
        """Key, hash of the body and answer of commands that have one."""
        query = (
            "SELECT idempotency_key, body_hash, answer FROM commands"
            " WHERE scope = %s AND idempotency_key = ANY(%s)"
        )
        found: list[tuple[str, str, Any]] = self._cursor.execute(query, (scope, list(keys))).fetchall()
        return found

    def open_accounts(self, names: Sequence[str]) -> None:
        """Revenue accounts at their first use."""
        query = "SELECT id FROM ledger_accounts WHERE id = ANY(%s)"
        known = {row[0] for row in self._cursor.execute(query, (list(names),))}
        for name in names:
            if name not in known:
                self._cursor.execute(
                    "INSERT INTO ledger_accounts (id, kind) VALUES (%s, 'revenue') ON CONFLICT DO NOTHING",
                    (name,),
                )

    def save_wallets(self, rows: Sequence[tuple[str, int, int, int]]) -> None:
        """New principal, bonus and version of wallets, by account."""
        self._cursor.execute(
            "UPDATE wallets SET principal_fen = n.principal, bonus_fen = n.bonus, version = n.version"
            " FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
            " AS n (account, principal, bonus, version) WHERE account_id = n.account",
            [list(column) for column in zip(*rows, strict=True)],
        )

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Adds rows."""
        with self._cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
