"""Rows of commands with their answers, and of names that came again with another body."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from wallet.store.database import insert_new
from wallet.tables import commands, key_conflicts


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A command and the answer it got. code: done, or why it was rejected."""

    id: str
    scope: str
    key: str
    body_hash: str
    code: str
    answer: dict[str, Any]
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class KeyConflict:
    """A name that came again with another body."""

    scope: str
    key: str
    body_hash: str
    recorded_at: datetime


def find(connection: Connection, scope: str, key: str) -> StoredCommand | None:
    """The command of this name."""
    query = select(commands).where(commands.c.scope == scope, commands.c.idempotency_key == key)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return StoredCommand(
        row.id,
        row.scope,
        row.idempotency_key,
        row.body_hash,
        row.code,
        row.answer,
        row.actor,
        row.recorded_at,
    )


def add(connection: Connection, command: StoredCommand) -> bool:
    """Adds the command unless its name is taken; says whether it did."""
    return insert_new(
        connection,
        commands,
        id=command.id,
        scope=command.scope,
        idempotency_key=command.key,
        body_hash=command.body_hash,
        outcome="done" if command.code == "done" else "rejected",
        code=command.code,
        answer=command.answer,
        actor=command.actor,
        recorded_at=command.recorded_at,
    )


def add_conflict(connection: Connection, conflict: KeyConflict) -> None:
    """Writes down that a name came again with this other body, once for each such body."""
    insert_new(
        connection,
        key_conflicts,
        scope=conflict.scope,
        idempotency_key=conflict.key,
        body_hash=conflict.body_hash,
        recorded_at=conflict.recorded_at,
    )


def list_conflicts(connection: Connection, limit: int) -> list[KeyConflict]:
    """Names that came again with another body, the newest first."""
    query = select(key_conflicts).order_by(key_conflicts.c.recorded_at.desc()).limit(limit)
    return [
        KeyConflict(row.scope, row.idempotency_key, row.body_hash, row.recorded_at)
        for row in connection.execute(query)
    ]
