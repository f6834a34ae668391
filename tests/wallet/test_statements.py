"""Statements that are built once: the same rows, types and errors as SQLAlchemy's own way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, bindparam, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from wallet.ledger import Wallet
from wallet.store import balances, doors, selling
from wallet.store.balances import Hold
from wallet.store.statements import Statement, add, command, insert_new
from wallet.tables import accounts, nonces, outbox, wallets

NOW = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)
ACCOUNT = Statement(select(accounts).where(accounts.c.id == bindparam("account_id")))


def _account(connection: Any, **changes: Any) -> None:
    add(connection, accounts, **{"id": "a", "name": "王", "phone": None, "created_at": NOW, **changes})


def _begin(engine: Engine) -> Any:
    return engine.connect().execution_options(platepay_writes=True).begin()


@pytest.fixture
def connection(engine: Engine) -> Any:
    with engine.connect().execution_options(platepay_writes=True) as opened, opened.begin() as transaction:
        yield opened
        if transaction.is_active:
            transaction.rollback()


@pytest.mark.parametrize(
    "created_at",
    [NOW, NOW.replace(microsecond=0), NOW.astimezone(timezone(timedelta(hours=8)))],
)
def test_a_row_is_read_as_sqlalchemy_reads_it(connection: Any, created_at: datetime) -> None:
    _account(connection, created_at=created_at)
    wanted = connection.execute(select(accounts).where(accounts.c.id == "a")).one()
    found = ACCOUNT.one(connection, account_id="a")
    assert tuple(found) == tuple(wanted)
    assert found.created_at == created_at
    assert found.created_at.utcoffset() == timedelta()
    assert found._fields == tuple(wanted._fields)


def test_json_and_numbers_of_its_own_come_back(connection: Any) -> None:
    body = {"plate": "粤B12345", "list": [1, "二", None, True], "deep": {"fen": 10**12}}
    add(connection, outbox, kind="test", body=body, created_at=NOW, published_at=None)
    add(connection, outbox, kind="test", body={}, created_at=NOW, published_at=None)
    rows = Statement(select(outbox).order_by(outbox.c.id)).all(connection)
    assert [row.body for row in rows] == [body, {}]
    assert rows[0].id < rows[1].id
    assert [row.body for row in connection.execute(select(outbox).order_by(outbox.c.id))] == [body, {}]


def test_a_time_without_a_zone_is_refused(connection: Any) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        _account(connection, created_at=NOW.replace(tzinfo=None))


def test_a_known_key_is_not_added_again(connection: Any) -> None:
    values = {"device_id": "d", "nonce": "n", "expires_at": NOW}
    assert insert_new(connection, nonces, **values)
    assert not insert_new(connection, nonces, **values)


def test_errors_are_sqlalchemys_own(connection: Any) -> None:
    _account(connection)
    command(connection, "SAVEPOINT before")
    with pytest.raises(IntegrityError):
        _account(connection)
    command(connection, "ROLLBACK TO SAVEPOINT before")
    with pytest.raises((OperationalError, ProgrammingError)):
        command(connection, "SELECT nothing FROM nowhere")


def test_outside_a_transaction_a_statement_begins_one(engine: Engine) -> None:
    with engine.connect().execution_options(platepay_writes=True) as connection:
        _account(connection)
        assert connection.in_transaction()
        connection.rollback()
        assert ACCOUNT.first(connection, account_id="a") is None


def test_none_is_no_row_and_one_must_be_there(connection: Any) -> None:
    assert ACCOUNT.first(connection, account_id="nobody") is None
    assert ACCOUNT.all(connection, account_id="nobody") == []
    with pytest.raises(RuntimeError, match="no row"):
        ACCOUNT.one(connection, account_id="nobody")


def test_a_wallet_that_changed_meanwhile_is_not_written_over(connection: Any) -> None:
    _account(connection)
    add(connection, wallets, account_id="a", principal_fen=100, bonus_fen=0, held_fen=0, version=3)
    before = Wallet("a", 100, 0, 0, 3)
    after = Wallet("a", 90, 0, 0, 4)
    for stale in (replace(before, version=2), Wallet("a", 100, 0, 7, 3)):
        with pytest.raises(RuntimeError, match="changed while it was locked"):
            balances.save_wallet(connection, stale, after)
    balances.save_wallet(connection, before, after)
    assert balances.read_wallet(connection, "a") == after


def _stay(forecourt: Any) -> str:
    forecourt.customer("粤B12345", 50_000)
    return str(forecourt.arrive("粤B12345").visit.id)


def test_a_hold_is_closed_once(forecourt: Any) -> None:
    visit_id = _stay(forecourt)

    def close(connection: Any) -> None:
        hold = balances.hold_of(connection, visit_id)
        balances.close_hold(connection, hold, 0, NOW)
        closed = Hold(hold.id, visit_id, hold.account_id, hold.amount_fen, "live", 0)
        with pytest.raises(RuntimeError, match="is not live"):
            balances.close_hold(connection, closed, 0, NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        forecourt.wallet.store.write(close)


def test_a_sale_is_settled_once(forecourt: Any) -> None:
    _stay(forecourt)
    sale = forecourt.sale(100)
    forecourt.wallet.record_sale(sale, sale.ended_at)

    def again(connection: Any) -> None:
        selling.settle_sale(connection, sale, "review", None, 0, (), NOW)

    with pytest.raises(RuntimeError, match="is settled already"):
        forecourt.wallet.store.write(again)


@pytest.mark.parametrize(
    ("key_version", "disabled_at", "is_admitted"), [(1, None, True), (2, None, False), (1, NOW, False)]
)
def test_only_a_device_that_is_as_it_was_is_admitted(
    connection: Any, key_version: int, disabled_at: datetime | None, is_admitted: bool
) -> None:
    connection.execute(
        text(
            "INSERT INTO devices (id, role, station, key_version, created_at, disabled_at)"
            " VALUES ('d', 'camera', 's', 1, '2026-11-21 08:00:00.000000', NULL)"
        )
    )
    if disabled_at is not None:
        doors.disable_device(connection, "d", disabled_at)
    until = NOW + timedelta(seconds=900)
    assert doors.admit(connection, "d", key_version, "n", NOW, until) is is_admitted
    assert doors.admit(connection, "d", 1, "n", NOW, until) is (disabled_at is None and not is_admitted)
    if is_admitted:
        later = until + timedelta(seconds=1)
        assert doors.admit(connection, "d", 1, "n", later, later)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_statements_stay_prepared_over_rollbacks_and_failures(engine: Engine) -> None:
    """The driver drops every prepared statement of its connection with a ROLLBACK, once it has one itself."""
    for number in range(12):
        with engine.connect() as connection, connection.begin() as transaction:
            connection.execute(text("SELECT 1"))
            connection.execute(select(accounts).where(accounts.c.id == "a")).all()
            _account(connection, id=f"a{number}")
            assert ACCOUNT.one(connection, account_id=f"a{number}").name == "王"
            if number % 3 == 0:
                with pytest.raises(IntegrityError):
                    _account(connection, id=f"a{number}")
            if number % 2 == 0:
                transaction.rollback()
    with engine.connect() as connection:
        found = connection.execute(select(accounts.c.id).where(accounts.c.id.like("a%"))).scalars().all()
    assert sorted(found) == ["a1", "a11", "a5", "a7"]
