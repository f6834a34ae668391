"""The database itself refuses what the code never does: every rule stands there again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from wallet.deciding import DeciderFact
from wallet.errors import KeyReused
from wallet.facts import Posterior
from wallet.guards import FACTS, KEPT
from wallet.limit_facts import Limits, Place
from wallet.reading_facts import ReadingFact, Said
from wallet.review_facts import Given


@pytest.fixture
def used(wallet, forecourt):
    """A wallet with rows in every table that carries money."""
    forecourt.customer("粤B00001")
    forecourt.customer("粤B00002")
    forecourt.arrive("粤B00001", pump="1", sighting_id="s1")
    forecourt.sell(20_000, pump="1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    forecourt.arrive("粤B00002", pump="2", sighting_id="s2")
    forecourt.arrive("粤B00003", pump="3", sighting_id="s3", candidates=(("粤B00002", 900_000),))
    operator = wallet.access.add_operator("wang", "admin", "hash", forecourt.at(0))
    wallet.access.record_look("a" * 64, operator.id, "test", forecourt.at(0))
    _evidence(wallet, forecourt)
    _command(wallet, forecourt)
    _review(wallet, forecourt)
    _limit(wallet, forecourt)
    _fee(wallet, forecourt)
    assert wallet.proving.prove(b"key", forecourt.at(600)).ok
    return wallet


def _evidence(wallet, forecourt):
    """A sighting with a reading, decided by somebody; an erasure; a look as the version before wrote it."""
    wallet.proof.decide_as(DeciderFact("d1", "c" * 64, {}, {}, forecourt.at(0)))
    wallet.proof.keep_traffic("demo", {"cars": 0}, forecourt.at(0))
    reading = ReadingFact(forecourt.at(0), "blue", 1, 1, Said(None, 1_000_000, ()))
    seen = replace(forecourt.sighting("粤B00004", pump="4", sighting_id="s4"), readings=(reading,))
    wallet.arrive(seen, Posterior((), 1_000_000), forecourt.at(0))
    moment = "2026-11-21 08:00:00.000000"
    with wallet.engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        for statement in (
            "INSERT INTO erasures (id, kind, subject, reason, actor, erased, recorded_at)"
            f" VALUES ('e1', 'sighting', 's0', 'test', 'test', '[]', '{moment}')",
            "INSERT INTO evidence_looks (id, sha256, operator_id, purpose, looked_at)"
            f" SELECT 'l1', 'a', id, 'test', '{moment}' FROM operators",
        ):
            connection.exec_driver_sql(statement)


def _command(wallet, forecourt):
    """A charge that is refunded in part, an adjustment by two, a reversal, and a name that came twice."""
    account_id = forecourt.customer("粤B00009")
    numbers = iter(range(100))

    def by(actor="wang"):
        return {"key": f"c{next(numbers)}", "actor": actor, "now": forecourt.at(500)}

    charged = wallet.commands.charge(account_id, "demo", 3_000, "wash", **by())
    wallet.commands.refund(1_000, "dry", charge_id=charged.charge_id, **by())
    proposed = wallet.commands.propose_adjustment(account_id, "principal", 70, "counted", **by())
    wallet.commands.decide_adjustment(proposed.adjustment_id, approve=True, **by("li"))
    granted = wallet.commands.give_bonus(account_id, 500, "spring", **by())
    wallet.commands.reverse(granted.transfer_id, "not his", **by())
    with pytest.raises(KeyReused):
        wallet.commands.give_bonus(account_id, 501, "spring", key="c4", actor="wang", now=forecourt.at(500))


def _review(wallet, forecourt):
    """An item that was confirmed, with what is remembered of it, and a known case that was answered."""
    forecourt.arrive("粤B00009", pump="9", sighting_id="s9", wrong_ppm=60_000)
    (item,) = [one for one in wallet.reviews() if one.sighting_id == "s9"]
    given, by = Given("confirm"), {"actor": "wang", "now": forecourt.at(500)}
    assert wallet.reviewing.answer(item.id, given, key="r1", **by).ended_as == "visit_opened"
    case = wallet.reviewing.plant("s9", "粤B00009", given, key="p1", actor="li", now=forecourt.at(500))
    wallet.reviewing.answer(case.case_id, given, key="r2", **by)


def _limit(wallet, forecourt):
    """A stay under limits, at a station with a price and a tariff; its plate stopped and released."""
    account_id, by = forecourt.customer("粤B00008"), {"actor": "wang", "now": forecourt.at(0)}
    limits = Limits(grades=("92",), stations=("demo",))
    wallet.limits.set_limits(account_id, "粤B00008", limits, key="l", **by)
    wallet.limits.set_price("demo", "92", 1_000, forecourt.at(0), key="p", **by)
    wallet.limits.set_tariff("demo", "parking", 0, forecourt.at(0), key="t", **by)
    wallet.limits.place_station(Place("demo", 22_540_000, 114_050_000), key="w", **by)
    assert forecourt.arrive("粤B00008", pump="8").visit is not None
    stopped = wallet.limits.freeze("粤B00008", "stolen", key="f", **by)
    wallet.limits.release(stopped.stop_id, "found", key="r", **by)


def _fee(wallet, forecourt):
    """A sale that costs its station something, settled."""
    account_id = forecourt.customer("粤B00007")
    wallet.fees.set_terms("north", 6_000, "contract", key="ft", actor="wang", now=forecourt.at(0))
    by = {"actor": "wang", "now": forecourt.at(10)}
    wallet.commands.charge(account_id, "north", 3_000, "wash", key="fc", **by)
    wallet.proving.seal(b"key", everything=True)
    assert wallet.fees.settle(key="fs", **by).fee_fen == 18


def _refused(wallet, statement):
    """What the database says against this statement; fails where it says nothing."""
    with wallet.engine.connect().execution_options(platepay_writes=True) as connection:
        try:
            with connection.begin():
                changed = connection.execute(text(statement)).rowcount
        except IntegrityError as refused:
            return str(refused.orig)
    pytest.fail(f"{changed} rows were changed by: {statement}")


def test_facts_are_never_updated_and_no_row_about_money_is_ever_deleted(used):
    for table in FACTS:
        column = "account_id" if table == "captures" else next(iter(_columns(used, table)))
        assert "never updated" in _refused(used, f"UPDATE {table} SET {column} = {column}")
    for table in FACTS + KEPT:
        assert "never deleted" in _refused(used, f"DELETE FROM {table}")


def _columns(wallet, table):
    with wallet.engine.connect() as connection:
        return list(connection.execute(text(f"SELECT * FROM {table}")).keys())


# Each statement with a word of what must be said against it.
REFUSED = [
    ("UPDATE wallets SET held_fen = principal_fen + bonus_fen + 1", "available_not_negative"),
    ("UPDATE wallets SET principal_fen = -1", "not_negative"),
    ("UPDATE wallets SET version = version - 1", "never goes back"),
    (
        "UPDATE holds SET captured_fen = amount_fen + 1, state = 'captured', closed_at = placed_at"
        " WHERE state = 'live'",
        "capture_within_hold",
    ),
    ("UPDATE holds SET amount_fen = amount_fen - 1 WHERE state = 'live'", "never shrinks"),
    (
        "UPDATE holds SET state = 'live', captured_fen = 0, closed_at = NULL WHERE state = 'captured'",
        "stays closed",
    ),
    ("UPDATE holds SET state = 'voided' WHERE state = 'live'", "live_is_not_closed"),
    ("UPDATE holds SET visit_id = 'x' WHERE state = 'live'", "keeps its visit"),
    (
        "UPDATE visits SET state = 'open', ended_by = NULL, settled_at = NULL WHERE state = 'captured'",
        "stays ended",
    ),
    ("UPDATE visits SET state = 'captured' WHERE state = 'open'", "end_fits_state"),
    ("UPDATE visits SET plate = 'X' WHERE state = 'open'", "keeps its vehicle"),
    ("UPDATE sales SET state = 'waiting', captured_fen = 0", "stays settled"),
    ("UPDATE recharge_orders SET state = 'open', paid_at = NULL, channel_txn_id = NULL", "paid once"),
    ("UPDATE vehicles SET plate = '粤B00001' WHERE plate = '粤B00002'", "binding"),
    ("UPDATE reviews SET state = 'closed' WHERE state = 'open'", "open_is_not_closed"),
    (
        "INSERT INTO vehicles (id, account_id, plate, colour, bound_at)"
        " SELECT 'x', account_id, plate, colour, bound_at FROM vehicles LIMIT 1",
        "plate",
    ),
    (
        "INSERT INTO visits SELECT 'x', station, pump, account_id, vehicle_id, plate, state, ended_by,"
        " opened_at, last_seen_at, left_at, settled_at, recorded_at, 's3', 's3', NULL"
        " FROM visits WHERE state = 'open'",
        "vehicle_id",
    ),
    (
        "INSERT INTO captures SELECT visit_id, 'x', station, 'x', account_id, amount_fen, bonus_fen,"
        " principal_fen, captured_at FROM captures",
        "visit_id",
    ),
    (
        "INSERT INTO captures SELECT 'x', 'x', station, sale_id, account_id, amount_fen, bonus_fen,"
        " principal_fen, captured_at FROM captures",
        "sale_id",
    ),
    (
        "INSERT INTO holds SELECT 'x', visit_id, account_id, amount_fen, state, captured_fen,"
        " placed_at, closed_at FROM holds LIMIT 1",
        "visit_id",
    ),
    (
        "INSERT INTO refunds SELECT 'x', kind, visit_id, charge_id, account_id, number, amount_fen,"
        " bonus_fen, principal_fen, refunded_fen, debited_fen, reason, recorded_at FROM refunds",
        "number",
    ),
    *(
        (
            f"INSERT INTO refunds SELECT 'x', {kind}, {visit}, charge_id, account_id, 2, {amount}, 0,"
            f" {amount}, {total}, debited_fen, reason, recorded_at FROM refunds",
            word,
        )
        for kind, visit, amount, total, word in (
            ("kind", "NULL", "2001", "3001", "within_debit"),
            ("kind", "NULL", "100", "99", "within_debit"),
            ("kind", "NULL", "0", "1000", "not_negative"),
            ("kind", "NULL", "1000", "1000", "numbered"),
            ("'reversal'", "NULL", "100", "1100", "reversal_leaves_nothing"),
            ("kind", "(SELECT MIN(visit_id) FROM captures)", "100", "1100", "of_one_debit"),
        )
    ),
    (
        "INSERT INTO adjustment_decisions SELECT 'x', adjustment_id, proposed_by, decided_by, decision,"
        " recorded_at FROM adjustment_decisions",
        "adjustment_id",
    ),
    (
        "INSERT INTO adjustments SELECT 'x', account_id, part, 0, reason, proposed_by, recorded_at"
        " FROM adjustments",
        "changes_something",
    ),
    (
        "INSERT INTO commands SELECT 'x', scope, idempotency_key, body_hash, outcome, code, answer, actor,"
        " recorded_at FROM commands WHERE scope = 'bonus'",
        "idempotency_key",
    ),
    (
        "INSERT INTO transfers SELECT 'x', 'x', kind, from_account, to_account, amount_fen, NULL, NULL, NULL,"
        " NULL, NULL, NULL, NULL, recorded_at, NULL, NULL, NULL, reverses_id FROM transfers"
        " WHERE kind = 'reversal'",
        "reverses_id",
    ),
    (
        "INSERT INTO commands SELECT 'x', 'charge', (SELECT MIN(idempotency_key) FROM charges), body_hash,"
        " outcome, code, answer, actor, recorded_at FROM commands WHERE scope = 'bonus'",
        "this charge was answered before",
    ),
    (
        "INSERT INTO transfers SELECT 'x', 'x', kind, from_account, to_account, amount_fen, NULL, NULL, NULL,"
        " NULL, NULL, NULL, NULL, recorded_at, NULL, NULL, NULL, 'nothing' FROM transfers"
        " WHERE kind = 'reversal'",
        "what it reverses is not there",
    ),
    (
        "INSERT INTO transfers SELECT 'x', 'x', 'bonus', from_account, to_account, amount_fen, NULL, NULL,"
        " NULL, NULL, NULL, NULL, NULL, recorded_at, NULL, NULL, NULL, id FROM transfers ORDER BY id LIMIT 1",
        "reversal_names_what",
    ),
    *(
        (
            f"INSERT INTO transfers SELECT 'x', {name}, kind, from_account, {to}, {fen}, NULL, {version},"
            " NULL, NULL, NULL, NULL, NULL, recorded_at, NULL, NULL, NULL, NULL FROM transfers"
            " ORDER BY id LIMIT 1",
            word,
        )
        for name, to, fen, version, word in (
            ("name", "to_account", "1", "NULL", "name"),
            ("'x'", "from_account", "1", "NULL", "two_accounts"),
            ("'x'", "to_account", "0", "NULL", "amount_positive"),
            ("'x'", "to_account", "1", "7", "wallet_transfer_is_numbered"),
            ("'x'", "'nowhere'", "1", "NULL", "(?i)foreign key"),
        )
    ),
]


def test_the_database_refuses_by_itself(used):
    for statement, word in REFUSED:
        assert re.search(word, _refused(used, statement)), statement


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_postgresql_refuses_to_be_truncated(used):
    assert "never deleted" in _refused(used, "TRUNCATE transfers CASCADE")


def test_entries_are_both_legs_of_every_transfer_and_sum_to_zero(used):
    with used.engine.connect() as connection:
        legs, total = connection.execute(text("SELECT COUNT(*), SUM(amount_fen) FROM entries")).one()
        transfers = connection.execute(text("SELECT COUNT(*) FROM ledger_transfers")).scalar_one()
    assert (legs, total) == (2 * transfers, 0)
