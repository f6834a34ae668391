"""The chain of blocks: whatever is changed by hand in a sealed row, the audit names that row."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from wallet import chain
from wallet.chain import FORMAT, FORMATS, Seal
from wallet.store.database import add
from wallet.tables import metadata, transfers

KEY = b"the key of this service"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def sealed(wallet, forecourt):
    """A day with a row in every table that is sealed, sealed."""
    forecourt.spoiled = True
    account_id = forecourt.customer("粤B00001")
    forecourt.arrive("粤B00001")
    forecourt.sell(20_000)
    numbers = iter(range(100))

    def by(actor="wang"):
        return {"key": f"k{next(numbers)}", "actor": actor, "now": forecourt.at(500)}

    bonus = wallet.commands.give_bonus(account_id, 900, "spring", **by())
    wallet.commands.reverse(bonus.transfer_id, "not his", **by())
    wallet.commands.give_bonus(account_id, 900, "spring", **by())
    charged = wallet.commands.charge(account_id, "demo", 2_000, "car wash", **by())
    wallet.commands.refund(500, "too much", charge_id=charged.charge_id, **by())
    wallet.fees.set_terms("demo", 6_000, "contract", **{**by(), "now": forecourt.at(0)})
    adjustment = wallet.commands.propose_adjustment(account_id, "principal", 70, "counted", **by())
    wallet.commands.decide_adjustment(adjustment.adjustment_id, approve=True, **by("li"))
    wallet.access.record_read("picture", "a" * 64, "test", "wang", NOW)
    forecourt.arrive("京A00001", pump="9", candidates=())
    assert wallet.privacy.forget_strangers(forecourt.at(600), "wang", forecourt.at(600)) == 1
    assert wallet.proving.prove(KEY, NOW).ok
    return forecourt


def _chain(wallet, key=KEY, **how):
    (check,) = [check for check in wallet.proving.audit(key, **how).checks if check.rule == "I7"]
    return check


def _other(table, column):
    """SQL for another value of this column, whatever it is; what no CHECK of PostgreSQL refuses."""
    kept = {
        ("transfers", "kind"): "CASE kind WHEN 'recharge' THEN 'bonus' ELSE 'recharge' END",
        ("transfers", "reverses_id"): "CASE WHEN reverses_id IS NULL THEN NULL ELSE 'x' END",
        ("transfers", "account_id"): "CASE WHEN account_id IS NULL THEN NULL ELSE 'x' END",
        ("refunds", "kind"): "CASE kind WHEN 'refund' THEN 'reversal' ELSE 'refund' END",
        ("refunds", "number"): "number + 1",
        ("adjustments", "part"): "'bonus'",
        ("adjustments", "proposed_by"): "'zhao'",
        ("adjustment_decisions", "decision"): "'declined'",
        ("adjustment_decisions", "decided_by"): "'zhao'",
        ("commands", "outcome"): "CASE outcome WHEN 'done' THEN 'rejected' ELSE 'done' END",
        ("evidence_reads", "kind"): "'export'",
        ("erasures", "kind"): "'account'",
    }
    if (table, column) in kept:
        return kept[table, column]
    kind = str(metadata.tables[table].c[column].type)
    if kind.startswith(("BIGINT", "INTEGER")):
        return f"COALESCE({column}, 0) + 1"
    if kind == "JSON":
        return '\'{"answer":"Declined","adjustment_id":"x"}\''
    return "'2026-01-01'" if kind.startswith("DATETIME") else "'x'"


# CHECK constraints that tie columns to each other: by hand they are changed together with these.
TOGETHER = {
    ("refunds", "number"): ", refunded_fen = refunded_fen + 1",
    ("refunds", "amount_fen"): ", principal_fen = principal_fen + 1, refunded_fen = refunded_fen + 1",
    ("refunds", "principal_fen"): ", bonus_fen = bonus_fen - 1",
    ("refunds", "bonus_fen"): ", principal_fen = principal_fen - 1",
    ("refunds", "refunded_fen"): ", number = 2",
    ("refunds", "visit_id"): ", charge_id = NULL",
    ("refunds", "kind"): ", debited_fen = refunded_fen",
    ("charges", "amount_fen"): ", principal_fen = principal_fen + 1",
    ("charges", "principal_fen"): ", bonus_fen = bonus_fen - 1",
    ("charges", "bonus_fen"): ", principal_fen = principal_fen - 1",
    ("commands", "outcome"): ", code = CASE code WHEN 'done' THEN 'x' ELSE 'done' END",
    ("commands", "code"): ", outcome = 'rejected'",
    ("fee_settlements", "number"): ", after_block = 0",
    ("fee_settlements", "after_block"): ", number = 2, to_block = to_block + 5",
}
# Of two columns one is null in most rows, and a fee touches no wallet.
OFTEN_NULL = [
    ("transfers", name) for name in ("reverses_id", "account_id", "wallet_version", "wallet_after_fen")
]
COLUMNS = [
    (table, column) for table, columns in FORMATS[FORMAT].items() for column in columns if column != "id"
]


def test_every_column_of_a_sealed_row_counts(wallet, sealed, by_hand):
    """Each is changed by hand in one row, named by the audit, and put back."""
    assert wallet.fees.settle(key="fees", actor="wang", now=NOW).settlements == 1
    wallet.proving.seal(KEY, everything=True)
    for table, column in COLUMNS:
        where = f" WHERE {column} IS NOT NULL" if (table, column) in OFTEN_NULL else ""
        with wallet.engine.connect() as connection:
            row_id = connection.execute(text(f"SELECT MAX(id) FROM {table}{where}")).scalar_one()
            was = connection.execute(text(f"SELECT * FROM {table} WHERE id = '{row_id}'")).one()
            sealed_in = "SELECT block FROM seals WHERE sealed_table = :table AND row_id = :id"
            block = connection.execute(text(sealed_in), {"table": table, "id": row_id}).scalar_one()
        changes = f"{column} = {_other(table, column)}{TOGETHER.get((table, column), '')}"
        by_hand(wallet, f"UPDATE {table} SET {changes} WHERE id = '{row_id}'")
        found = _chain(wallet)
        assert found.first_bad == f"row {row_id} of {table} is not as block {block} sealed it", (
            table,
            column,
        )
        _put_back(wallet, table, was)
        assert _chain(wallet).ok, (table, column)


def _put_back(wallet, table, row):
    with wallet.engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        if wallet.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        connection.execute(text(f"DELETE FROM {table} WHERE id = '{row.id}'"))
        names = row._fields
        written = ("answer", "erased")
        marks = ", ".join(f"CAST(:{name} AS JSON)" if name in written else f":{name}" for name in names)
        values = dict(row._mapping)
        for name in written:
            if not isinstance(values.get(name, ""), str):
                values[name] = json.dumps(values[name])
        if wallet.engine.dialect.name == "sqlite":
            marks = ", ".join(f":{name}" for name in names)
        connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"), values)


def test_the_first_bad_row_is_the_one_that_is_named(wallet, sealed, by_hand):
    with wallet.engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM transfers ORDER BY id")).scalars().all()
    by_hand(wallet, f"UPDATE transfers SET station = 'x' WHERE id >= '{ids[2]}'")
    assert ids[2] in _chain(wallet).first_bad


def test_a_row_that_is_gone_is_named(wallet, sealed, by_hand):
    by_hand(wallet, "DELETE FROM refunds")
    assert "of refunds of block 1 is gone" in _chain(wallet).first_bad


def test_a_whole_block_cannot_be_taken_out(wallet, sealed, by_hand):
    sealed.recharge(wallet.accounts()[0].id, 1_000)
    wallet.proving.prove(KEY, NOW)
    by_hand(wallet, "DELETE FROM seals WHERE block = 2", "DELETE FROM blocks WHERE number = 2")
    assert "block 2, proven at" in _chain(wallet).first_bad


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM blocks WHERE number = 2", "block 2 is missing"),
        ("UPDATE blocks SET previous_hash = 'x' WHERE number = 2", "block 2 does not follow block 1"),
        ("UPDATE blocks SET first_transfer = 'x' WHERE number = 2", "block 2 and its seals do not fit"),
        ("UPDATE blocks SET sealed_at = '2026-01-01' WHERE number = 2", "block 2 and its seals do not fit"),
        ("UPDATE seals SET row_hash = 'x' WHERE block = 2 AND place = 0", "is not as block 2 sealed it"),
        ("UPDATE seals SET place = place + 7 WHERE block = 2 AND place = 0", "do not fit its hash"),
        ("DELETE FROM seals WHERE block = 2 AND place = 0", "do not fit its hash"),
        ("UPDATE blocks SET signature = 'x' WHERE number = 2", "block 2 was not signed by this service"),
        ("UPDATE blocks SET format = 9 WHERE number = 2", "unknown format 9"),
    ],
)
def test_the_chain_itself_cannot_be_edited(wallet, sealed, statement, says, by_hand):
    account_id = wallet.accounts()[0].id
    for amounts in ((1_000, 2_000), (3_000,)):
        for amount in amounts:
            sealed.recharge(account_id, amount)
        wallet.proving.seal(KEY)
    by_hand(wallet, statement)
    assert says in _chain(wallet).first_bad


def test_whoever_rewrites_row_seal_and_block_still_has_not_the_key(wallet, sealed, by_hand):
    """A thorough forger changes the money and makes every hash fit; only the signature tells."""
    with wallet.engine.connect() as connection:
        last = connection.execute(text("SELECT MAX(id) FROM transfers")).scalar_one()
    by_hand(wallet, f"UPDATE transfers SET station = 'x' WHERE id = '{last}'", "DELETE FROM audit_proofs")
    by_hand(wallet, "DELETE FROM seals", "DELETE FROM blocks")
    wallet.proving.seal(b"another key", everything=True)
    assert _chain(wallet, key=None).ok
    assert _chain(wallet).first_bad == "block 1 was not signed by this service"


def test_blocks_follow_each_other_and_seal_every_row_once(wallet, forecourt):
    account_id = forecourt.customer("粤B00001")
    for amount in range(1, 26):
        forecourt.recharge(account_id, amount)
    assert wallet.proving.seal(KEY, most=10) == 26
    assert wallet.proving.seal(KEY) == 0
    with wallet.engine.connect() as connection:
        blocks = connection.execute(text("SELECT number, row_count FROM blocks ORDER BY number")).all()
        assert [tuple(block) for block in blocks] == [(1, 10), (2, 10), (3, 6)]
    report = wallet.proving.audit(KEY)
    assert (report.ok, report.head[0], report.unsealed) == (True, 3, 0)


def test_a_row_written_long_after_its_id_was_made_is_sealed_by_the_next_whole_audit(wallet, forecourt):
    account_id = forecourt.customer("粤B00001")
    wallet.proving.seal(KEY)
    late = {
        "id": "01900000-0000-7000-8000-000000000000",
        "name": "late",
        "kind": "suspense",
        "from_account": "clearing:sandbox",
        "to_account": f"wallet:{account_id}:principal",
        "amount_fen": 1,
        "recorded_at": NOW,
    }
    forecourt.spoiled = True
    wallet.store.write(lambda tx: add(tx, transfers, **late))
    assert wallet.proving.seal(KEY) == 0
    assert wallet.proving.seal(KEY, everything=True) == 1


def test_services_that_seal_at_once_seal_every_row_once(wallet, forecourt):
    account_id = forecourt.customer("粤B00001")
    for amount in range(1, 31):
        forecourt.recharge(account_id, amount)
    start = threading.Barrier(6)
    sealed = []

    def seal():
        start.wait()
        sealed.append(wallet.proving.seal(KEY, most=4))

    threads = [threading.Thread(target=seal) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sealed) == 31
    assert wallet.proving.audit(KEY).ok


def test_nothing_is_sealed_before_it_is_due(wallet, forecourt):
    forecourt.customer("粤B00001")
    assert wallet.proving.seal_when_due(KEY, timedelta(hours=1)) == 1
    forecourt.customer("粤B00002")
    assert wallet.proving.seal_when_due(KEY, timedelta(hours=1)) == 0
    assert wallet.proving.seal_when_due(KEY, timedelta()) == 1


# From the last proof on -------------------------------------------------------------------------------------


def test_an_audit_since_the_last_proof_looks_at_what_is_new_only(wallet, sealed):
    report = wallet.proving.prove(KEY, NOW, since_last=True)
    assert (report.ok, report.since_block) == (True, 1)
    assert {check.name: check.count for check in report.checks}["chain_is_unbroken"] == 0
    sealed.customer("粤B00002", 7_000)
    report = wallet.proving.prove(KEY, NOW, since_last=True)
    counts = {check.name: check.count for check in report.checks}
    assert (report.ok, report.since_block, report.head[0]) == (True, 1, 2)
    assert counts["chain_is_unbroken"] == 1
    assert counts["running_balance_adds_up"] >= 1
    assert wallet.proving.prove(KEY, NOW, since_last=True).since_block == 2


def test_what_is_wrong_after_the_last_proof_is_found_since_it(wallet, sealed, by_hand):
    account_id = sealed.customer("粤B00002", 7_000)
    by_hand(wallet, f"UPDATE wallets SET principal_fen = 7001 WHERE account_id = '{account_id}'")
    report = wallet.proving.prove(KEY, NOW, since_last=True)
    wrong = {check.name: check.first_bad for check in report.checks if not check.ok}
    assert account_id in wrong["balance_is_fold_of_transfers"]
    # Nothing was written down: the next one begins at the same place.
    assert wallet.proving.prove(KEY, NOW, since_last=True).since_block == 1


def test_without_a_proof_the_audit_is_from_scratch(wallet, forecourt):
    forecourt.customer("粤B00001")
    report = wallet.proving.audit(KEY, since_last=True)
    assert (report.ok, report.since_block) == (True, None)


# Arithmetic -------------------------------------------------------------------------------------------------


def test_a_hash_depends_on_every_value_and_on_the_order():
    rows = [Seal("transfers", "a", "1"), Seal("transfers", "b", "2")]
    first = chain.seal_block(None, rows, KEY, NOW)
    assert chain.is_signed(first, KEY)
    assert not chain.is_signed(first, b"other")
    assert (first.first_transfer, first.last_transfer, first.previous_hash) == ("a", "b", chain.GENESIS)
    assert chain.block_hash(first, rows[::-1]) != first.block_hash
    second = chain.seal_block(first, [Seal("charges", "c", "3")], KEY, NOW)
    assert (second.number, second.previous_hash, second.first_transfer) == (2, first.block_hash, None)


def test_no_two_rows_look_the_same_to_the_hash():
    values = [("a", "b"), ("ab", ""), ("", "ab"), (None, "ab"), ("null", "ab"), (1, "b"), ("1", "b")]
    assert len({chain.row_hash("transfers", value) for value in values}) == len(values)


def test_the_window_is_an_id_of_that_time():
    block = chain.seal_block(None, [Seal("charges", "c", "3")], KEY, NOW)
    moment = int((NOW - timedelta(seconds=300)).timestamp() * 1000)
    assert int(chain.window(block).replace("-", ""), 16) == moment
