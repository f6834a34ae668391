"""What migrations do again and again: other words in a check, triggers for new facts, another trigger.

Each function is handed the whole of what it makes: it knows no version and reads nothing of today's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from alembic import op

from api.migrations import WouldLoseRows


def refuse_to_lose(version: str, unknown: Iterable[tuple[str, str]]) -> None:
    """Raises WouldLoseRows where a table has rows (table, condition) that `version` does not know."""
    for table, condition in unknown:
        rows = sa.select(sa.func.count()).select_from(sa.table(table)).where(sa.text(condition))
        if count := op.get_bind().execute(rows).scalar_one():
            raise WouldLoseRows(version, table, count)


def replace_check(table: str, constraint: str, before: str, after: str) -> None:
    """Another condition in the check `ck_<table>_<constraint>`. On SQLite foreign keys are off meanwhile."""
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(table, before, after)
        return
    name = op.f(f"ck_{table}_{constraint}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, after)


def _make_anew(table: str, before: str, after: str) -> None:
    """A SQLite table with the same rows, indexes and triggers, and other words in it."""
    bind = op.get_bind()
    made, *also = bind.execute(
        sa.text(
            "SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
            " ORDER BY type <> 'table'"
        ),
        {"table": table},
    ).scalars()
    columns = ", ".join(row.name for row in bind.execute(sa.text(f"PRAGMA table_info({table})")))
    _, body = made.split("(", 1)
    if body.count(before) != 1:
        raise RuntimeError(f"{table} is not as the version before made it")
    for statement in (
        f"CREATE TABLE {table}_new ({body.replace(before, after)}",
        f"INSERT INTO {table}_new ({columns}) SELECT {columns} FROM {table}",  # noqa: S608
        f"DROP TABLE {table}",
        f"ALTER TABLE {table}_new RENAME TO {table}",
        *also,
    ):
        bind.exec_driver_sql(statement)


def guard_facts(tables: Sequence[str]) -> None:
    """Triggers that refuse to change or delete rows of these tables."""
    for table in tables:
        add_guard(f"{table}_no_update", table, "UPDATE", None, "rows are never updated")
        add_guard(f"{table}_no_delete", table, "DELETE", None, "rows are never deleted")
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                sa.text(
                    f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION platepay_refuse('rows are never deleted')"
                )
            )


def add_guard(name: str, table: str, event: str, when: str | None, says: str) -> None:
    """A trigger that refuses an event on a row, always or only `when` (SQL over OLD and NEW)."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    condition = "" if when is None else f" WHEN {when}" if sqlite else f" WHEN ({when})"
    action = (
        f"BEGIN SELECT RAISE(ABORT, '{table}: {says}'); END"
        if sqlite
        else f"EXECUTE FUNCTION platepay_refuse('{says}')"
    )
    op.execute(sa.text(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW{condition} {action}"))


def drop_guard(name: str, table: str) -> None:
    """Takes a trigger away."""
    on = "" if op.get_bind().dialect.name == "sqlite" else f" ON {table}"
    op.execute(sa.text(f"DROP TRIGGER {name}{on}"))
