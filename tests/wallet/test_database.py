"""The database is durable, one writer at a time, or the wallet does not open."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from wallet.errors import DurabilityTooLow, InvalidFact, SchemaMissing
from wallet.service import open_wallet
from wallet.store.database import create_schema, has_schema, insert_new, make_engine
from wallet.tables import pumps


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/wallet.db"


def test_every_connection_is_durable_and_checks_its_keys(sqlite_url):
    wallet = open_wallet(sqlite_url)
    with wallet.engine.connect() as first, wallet.engine.connect() as second:
        for connection in (first, second):
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
            assert settings == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "busy_timeout": 10_000,
            }
    wallet.close()


@pytest.mark.parametrize(
    ("pragma", "setting"),
    [((
        ""
        "synchronous=NORMAL"
    ), "synchronous"), ("synchronous=OFF", "synchronous"), ("foreign_keys=OFF", "foreign_keys"),
     ("journal_mode=DELETE", "journal_mode")],
)  # fmt: skip
def test_the_wallet_does_not_open_where_a_power_cut_could_lose_an_answer(sqlite_url, pragma, setting):
    engine = make_engine(sqlite_url)
    event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}"))
    with pytest.raises(DurabilityTooLow) as refused:
        open_wallet(sqlite_url, engine=engine)
    assert refused.value.setting == setting
    assert refused.value.needed in str(refused.value)


@pytest.mark.parametrize("level", ["off", "local"])
def test_the_wallet_does_not_open_on_a_postgresql_that_does_not_wait_for_its_disk(postgresql_tables, level):
    url = postgresql_tables.url.update_query_dict({"options": f"-c synchronous_commit={level}"})
    with pytest.raises(DurabilityTooLow) as refused:
        open_wallet(url.render_as_string(hide_password=False))
    assert (refused.value.setting, refused.value.found) == ("synchronous_commit", level)


def test_a_fresh_sqlite_file_gets_its_tables_once(sqlite_url):
    engine = make_engine(sqlite_url)
    assert not has_schema(engine)
    open_wallet(sqlite_url).close()
    assert has_schema(engine)
    create_schema(engine)
    open_wallet(sqlite_url).close()


def test_a_postgresql_without_tables_is_refused(postgresql_server):
    admin = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE bare"))
    with pytest.raises(SchemaMissing):
        open_wallet(postgresql_server.replace("/postgres?", "/bare?"))
    admin.dispose()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_text_that_postgresql_cannot_keep_is_the_callers_mistake(wallet):
    with pytest.raises(InvalidFact):
        wallet.recharge_order("a\x00b")


def test_a_use_case_that_fails_leaves_nothing_behind(wallet):
    def half(connection):
        insert_new(connection, pumps, station="demo", pump="1")
        raise RuntimeError("the power goes out")

    with pytest.raises(RuntimeError):
        wallet.store.write(half)
    with wallet.engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM pumps")).scalar_one() == 0


def test_writers_of_one_process_queue_instead_of_failing(sqlite_url):
    """Each reads and writes what it read. SQLite itself is told to wait for nobody."""
    engine = make_engine(sqlite_url)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=0"))
    wallet = open_wallet(sqlite_url, engine=engine)
    started = threading.Barrier(20)
    failures = []

    def count(connection):
        seen = connection.execute(text("SELECT COUNT(*) FROM pumps")).scalar_one()
        insert_new(connection, pumps, station="demo", pump=str(seen))

    def work():
        started.wait()
        try:
            for _ in range(5):
                wallet.store.write(count)
        except OperationalError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with wallet.engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM pumps")).scalar_one() == 100
    wallet.close()


def test_a_writer_owns_the_file_from_its_first_statement(sqlite_url):
    """What it has read is still true when it writes, whatever other processes want."""
    wallet = open_wallet(sqlite_url)
    impatient = make_engine(sqlite_url)
    event.listen(impatient, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=0"))
    other = open_wallet(sqlite_url, engine=impatient)

    def read_then_write(connection):
        connection.execute(text("SELECT COUNT(*) FROM pumps")).scalar_one()
        with pytest.raises(OperationalError, match="locked"):
            other.store.write(lambda tx: insert_new(tx, pumps, station="demo", pump="2"))
        return insert_new(connection, pumps, station="demo", pump="1")

    assert wallet.store.write(read_then_write)
    assert other.store.write(lambda tx: insert_new(tx, pumps, station="demo", pump="2"))
    wallet.close()
    other.close()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_deadlock_is_tried_again_and_other_faults_are_not(wallet):
    tries = []

    def deadlocked_once(connection):
        tries.append(1)
        code = "40P01" if len(tries) == 1 else "23505"
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$"))

    with pytest.raises(Exception, match="x"):
        wallet.store.write(deadlocked_once)
    assert len(tries) == 2
