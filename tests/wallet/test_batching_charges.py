"""Charges that are done together come to what each would alone, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from wallet.batching import Done, Failed
from wallet.batching_charges import Answered, checked, decide_charges
from wallet.command_facts import Charged, Rejected
from wallet.errors import AccountUnknown, InvalidAmount, InvalidFact, KeyReused
from wallet.ledger import Wallet
from wallet.once import Command
from wallet.service import new_uuid7
from wallet.store.batching_charges import ChargeTogether, charge_all

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PATIENCE_S = 60


def charge(account_id, amount_fen, key, station="demo"):
    body = {"account_id": account_id, "station": station, "amount_fen": amount_fen, "purpose": "wash"}
    return checked(
        Command("charge", key, body, "test", NOW, new_uuid7), account_id, station, amount_fen, "wash"
    )


def together(wallet, *charges):
    """What charges come to in one transaction."""
    outcomes = wallet.store.alone(lambda connection: charge_all(connection, charges))
    return [outcome.value if isinstance(outcome, Done) else outcome.error for outcome in outcomes]


def test_a_charge_too_large_does_not_stop_a_smaller_one_behind_it(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    said = together(
        wallet,
        charge(account_id, 600, "a"),
        charge(account_id, 600, "too-large"),
        charge(account_id, 300, "b"),
        charge(account_id, 101, "a-fen-too-much"),
        charge(account_id, 100, "the-rest"),
    )
    assert [type(answer) for answer in said] == [Charged, Rejected, Charged, Rejected, Charged]
    assert [said[0].balance_fen, said[2].balance_fen, said[4].balance_fen] == [400, 100, 0]
    assert said[1].code == "insufficient_balance"
    assert forecourt.total_fen(account_id) == 0


def test_the_same_charge_twice_in_a_batch_is_taken_once(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    said = together(wallet, *(charge(account_id, 10, "same") for _ in range(20)))
    assert all(answer == said[0] for answer in said)
    assert forecourt.total_fen(account_id) == 990


def test_a_name_with_another_body_is_refused_and_its_neighbours_are_not(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    said = together(
        wallet, charge(account_id, 10, "a"), charge(account_id, 20, "a"), charge(account_id, 30, "b")
    )
    assert [type(answer) for answer in said] == [Charged, KeyReused, Charged]
    assert forecourt.total_fen(account_id) == 960


def test_an_account_nobody_has_fails_alone(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    said = together(wallet, charge("nobody", 10, "a"), charge(account_id, 20, "b"))
    assert [type(answer) for answer in said] == [AccountUnknown, Charged]
    assert forecourt.total_fen(account_id) == 980


@pytest.mark.parametrize("count", [1, 7, 40])
def test_a_charge_again_gets_the_stored_answer_however_many_come_with_it(forecourt, wallet, count):
    """Few rows and many are written in different ways; what is stored is the same."""
    account_id = forecourt.customer("粤B12345", 100_000)
    charges = [charge(account_id, number + 1, f"charge-{number}") for number in range(count)]
    first = together(wallet, *charges)
    assert together(wallet, *charges) == first
    again = wallet.commands.charge(account_id, "demo", 1, "wash", key="charge-0", actor="test", now=NOW)
    assert again == first[0]
    assert forecourt.total_fen(account_id) == 100_000 - sum(range(1, count + 1))


def test_bonus_is_used_first_and_both_parts_are_written(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    wallet.commands.give_bonus(account_id, 50, "welcome", key="bonus", actor="test", now=NOW)
    (answer,) = together(wallet, charge(account_id, 70, "a"))
    assert (answer.bonus_fen, answer.principal_fen) == (50, 20)
    balance = wallet.balance(account_id)
    assert (balance.bonus_fen, balance.principal_fen) == (0, 980)


def test_what_is_held_can_not_be_charged(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 50_000)
    forecourt.arrive("粤B12345")
    said = together(wallet, charge(account_id, 10_001, "too-much"), charge(account_id, 10_000, "rest"))
    assert [type(answer) for answer in said] == [Rejected, Charged]


def test_callers_at_once_share_transactions_and_each_gets_its_own_answer(forecourt, wallet):
    """Every lane, several wallets, names that come twice and names with two bodies."""
    accounts = [forecourt.customer(f"粤B1234{number}", 1_000) for number in range(4)]
    answers = []
    for number in range(120):
        account_id = accounts[number % 4]
        answers.append(wallet.store.submit(ChargeTogether(charge(account_id, 9, f"charge-{number}"))))
        answers.append(wallet.store.submit(ChargeTogether(charge(account_id, 9, f"charge-{number}"))))
    # One name, four wallets, so lanes that know nothing of each other: one of them has it.
    contested = [
        wallet.store.submit(ChargeTogether(charge(account_id, 5, "contested"))) for account_id in accounts
    ]
    wait([*answers, *contested], PATIENCE_S)
    assert all(isinstance(answer.result(0), Charged) for answer in answers)
    assert sorted(type(one.exception(0) or one.result(0)).__name__ for one in contested) == [
        "Charged",
        *["KeyReused"] * 3,
    ]
    assert sum(forecourt.total_fen(account_id) for account_id in accounts) == 4_000 - 120 * 9 - 5


def test_where_a_batch_fails_each_charge_is_tried_alone(forecourt, wallet, monkeypatch):
    account_id = forecourt.customer("粤B12345", 1_000)
    batches = []

    def fails_together(connection, commands):
        batches.append(len(commands))
        if len(commands) > 1:
            raise RuntimeError("a batch that cannot be")
        return charge_all(connection, commands)

    monkeypatch.setattr("wallet.store.batching_charges.charge_all", fails_together)
    # The short way of PostgreSQL leaves them all: what it leaves is done so.
    monkeypatch.setattr("wallet.store.batching_charges.charge_many", lambda _, many: [None] * len(many))
    # The row is locked by somebody else, so that the charges behind the first one queue.
    started, go = threading.Event(), threading.Event()

    def holder(connection):
        connection.execute(text(f"UPDATE wallets SET held_fen = held_fen WHERE account_id = '{account_id}'"))
        started.set()
        assert go.wait(PATIENCE_S)

    blocker = threading.Thread(target=wallet.store.write, args=(holder,))
    blocker.start()
    assert started.wait(PATIENCE_S)
    answers = [
        wallet.store.submit(ChargeTogether(charge(account_id, 10, f"charge-{number}"))) for number in range(5)
    ]
    go.set()
    blocker.join(PATIENCE_S)
    assert [answer.result(PATIENCE_S).amount_fen for answer in answers] == [10] * 5
    assert max(batches) > 1
    assert forecourt.total_fen(account_id) == 950


@pytest.mark.parametrize(
    ("account_id", "station", "amount_fen", "purpose", "error"),
    [
        ("a", "demo", 0, "wash", InvalidAmount),
        ("a", "demo", -1, "wash", InvalidAmount),
        ("a", "de/mo", 1, "wash", InvalidFact),
        ("a", "demo", 1, "", InvalidFact),
        ("a\0", "demo", 1, "wash", InvalidFact),
    ],
)
def test_a_charge_that_makes_no_sense_reaches_no_batch(account_id, station, amount_fen, purpose, error):
    with pytest.raises(error):
        checked(
            Command("charge", "key", {}, "test", NOW, new_uuid7), account_id, station, amount_fen, purpose
        )


def test_deciding_changes_nothing_it_was_given():
    wallet = Wallet("a", 100, 0, 0, 0)
    wallets = {"a": wallet}
    known = {"old": Answered("body", Rejected("insufficient_balance", "no"))}
    decided = decide_charges([charge("a", 60, "new"), charge("a", 60, "more")], wallets, known)
    assert wallets == {"a": wallet}
    assert set(known) == {"old"}
    assert decided.wallets["a"].principal_fen == 40
    assert [type(answer) for answer in decided.answers] == [Charged, Rejected]
    assert isinstance(Failed(ValueError()).error, ValueError)


# One row for all of it --------------------------------------------------------------------------------------


def rows(wallet, query):
    with wallet.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_charge_that_one_part_paid_is_one_row_and_stands_in_the_statement(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    before = rows(wallet, "SELECT COUNT(*) FROM transfers")
    for do, amount_fen in ((wallet.store.write, 300), (wallet.store.alone, 200)):
        answer = do(ChargeTogether(charge(account_id, amount_fen, f"charge-{amount_fen}")))
        line = wallet.statement(account_id)[0]
        assert (line.id, line.balance_after_fen) == (answer.charge_id, answer.balance_fen)
        assert line.amount_fen == -answer.amount_fen
    assert rows(wallet, "SELECT COUNT(*) FROM transfers") == before
    assert rows(wallet, "SELECT COUNT(*) FROM commands WHERE scope = 'charge'") == [(0,)]
    assert wallet.audit().ok


def test_the_short_way_and_the_long_one_write_the_same(forecourt, wallet):
    """On PostgreSQL the short way is a stored function; on SQLite there is only the long one."""
    account_id = forecourt.customer("粤B12345", 10_000)
    other_id = forecourt.customer("粤B12346", 10_000)
    wallet.commands.give_bonus(other_id, 5_000, "welcome", key="bonus", actor="test", now=NOW)
    for place, account in enumerate((account_id, other_id)):
        together(wallet, charge(account, 70, f"long-{place}", station='de"mo'))
        wallet.store.alone(ChargeTogether(charge(account, 70, f"short-{place}", station='de"mo')))
        many = [
            wallet.store.submit(
                ChargeTogether(charge(account, 70, f"lane-{place}-{number}", station='de"mo'))
            )
            for number in range(3)
        ]
        assert all(isinstance(answer.result(PATIENCE_S), Charged) for answer in many)
    same = (
        "SELECT DISTINCT station, purpose, amount_fen, bonus_fen, principal_fen, charged_at, actor, code,"
        " said, part, body_hash FROM charges WHERE account_id = '{}'"
    )
    for account, part in ((account_id, "principal"), (other_id, "bonus")):
        found = rows(wallet, same.format(account))
        assert len(found) == 1
        assert part in found[0]
    events = [event.body for event in wallet.outbox.lease("w", 100) if event.kind == "charged"]
    assert len(events) == 10
    for event in events:
        (stored,) = rows(wallet, f"SELECT wallet_after_fen FROM charges WHERE id = '{event['charge_id']}'")
        assert event["balance_fen"] == stored[0]
        assert set(event) == set(Charged.__slots__)
        assert event["station"] == 'de"mo'
    assert wallet.audit().ok


def test_a_charge_on_the_last_fen_of_a_part_comes_out_right_either_way(forecourt, wallet):
    for number, (bonus_fen, amount_fen) in enumerate(((50, 50), (50, 49), (50, 51), (0, 1_000), (0, 1_001))):
        account_id = forecourt.customer(f"粤B1000{number}", 1_000)
        if bonus_fen:
            wallet.commands.give_bonus(account_id, bonus_fen, "x", key=f"b{number}", actor="test", now=NOW)
        answer = wallet.store.alone(ChargeTogether(charge(account_id, amount_fen, f"c{number}")))
        if amount_fen > 1_000:
            assert answer.code == "insufficient_balance"
        else:
            assert (answer.bonus_fen, answer.principal_fen) == (
                min(bonus_fen, amount_fen),
                max(0, amount_fen - bonus_fen),
            )
    assert wallet.audit().ok


def test_a_rejection_holds_its_name_against_another_wallet(forecourt, wallet):
    poor, rich = forecourt.customer("粤B12345", 10), forecourt.customer("粤B12346", 1_000)
    assert isinstance(wallet.store.alone(ChargeTogether(charge(poor, 100, "k"))), Rejected)
    with pytest.raises(KeyReused):
        wallet.store.alone(ChargeTogether(charge(rich, 100, "k")))
    assert isinstance(wallet.store.alone(ChargeTogether(charge(poor, 100, "k"))), Rejected)
    assert forecourt.total_fen(rich) == 1_000


def test_a_charge_is_refunded_and_reversed_however_it_is_stored(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    by = {"actor": "test", "now": NOW}
    wallet.commands.give_bonus(account_id, 50, "welcome", key="bonus", **by)
    both = wallet.store.alone(ChargeTogether(charge(account_id, 70, "both")))
    one = wallet.store.alone(ChargeTogether(charge(account_id, 100, "one")))
    for answer in (both, one):
        wallet.commands.refund(40, "too much", charge_id=answer.charge_id, key=f"r-{answer.charge_id}", **by)
    lines = {line.name: line.id for line in wallet.statement(account_id)}
    for answer, part in ((both, "bonus"), (one, "principal")):
        line_id = lines[f"charge:{answer.charge_id}:{part}"]
        said = wallet.commands.reverse(line_id, "not his", key=f"v-{answer.charge_id}", **by)
        assert said.amount_fen == answer.amount_fen - 40
        assert line_id in said.reversed_ids
        assert wallet.commands.reverse(line_id, "x", key=f"w-{line_id}", **by).code == "already_reversed"
    balance = wallet.balance(account_id)
    assert (balance.bonus_fen, balance.principal_fen) == (50, 1_000)
    assert wallet.audit().ok


# The version before -----------------------------------------------------------------------------------------


def as_before(connection, account_id, key, body_hash):
    """A charge of one yuan as version 0002 wrote it; the wallet had ten."""
    for statement in (
        f"UPDATE wallets SET principal_fen = principal_fen - 100, version = version + 1"
        f" WHERE account_id = '{account_id}'",
        "INSERT INTO ledger_accounts (id, kind) VALUES ('revenue:demo', 'revenue') ON CONFLICT DO NOTHING",
        "INSERT INTO charges (id, account_id, station, purpose, amount_fen, bonus_fen, principal_fen,"
        f" charged_at) VALUES ('old', '{account_id}', 'demo', 'wash', 100, 0, 100,"
        " '2026-11-22 08:00:00.000000')",
        "INSERT INTO transfers (id, name, kind, from_account, to_account, amount_fen, account_id,"
        " wallet_version, wallet_after_fen, station, recorded_at, charge_id)"
        f" VALUES ('old-t', 'charge:old:principal', 'charge', 'wallet:{account_id}:principal', "
        f" 'revenue:demo', 100, '{account_id}', 2, 900, 'demo', '2026-11-22 08:00:00.000000', 'old')",
        "INSERT INTO commands (id, scope, idempotency_key, body_hash, outcome, code, answer, actor,"
        f" recorded_at) VALUES ('old-c', 'charge', '{key}', '{body_hash}', 'done', 'done',"
        f' \'{{"answer":"Charged",'
        f'"charge_id":"old","account_id":"{account_id}","station":"demo","amount_fen":100,"bonus_fen":0,'
        f"\"principal_fen\":100,\"balance_fen\":900}}', 'li', '2026-11-22 08:00:00.000000')",
    ):
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("way", ["alone", "write"])
def test_a_charge_of_the_version_before_is_answered_refunded_reversed_and_proven(forecourt, wallet, way):
    account_id = forecourt.customer("粤B12345", 1_000)
    again = charge(account_id, 100, "k")
    wallet.store.write(lambda connection: as_before(connection, account_id, "k", again.body_hash))
    assert wallet.audit().ok
    do = getattr(wallet.store, way)
    assert do(ChargeTogether(again)) == Charged("old", account_id, "demo", 100, 0, 100, 900)
    with pytest.raises(KeyReused):
        do(ChargeTogether(charge(account_id, 101, "k")))
    by = {"actor": "test", "now": NOW}
    assert wallet.commands.refund(30, "x", charge_id="old", key="r", **by).refunded_fen == 30
    assert wallet.commands.reverse("old-t", "x", key="v", **by).amount_fen == 70
    assert forecourt.total_fen(account_id) == 1_000
    assert wallet.audit().ok


def test_the_version_before_can_not_take_a_charge_again_that_this_one_answered(forecourt, wallet):
    """Both run for a while when services are replaced one after the other."""
    account_id = forecourt.customer("粤B12345", 1_000)
    new = charge(account_id, 100, "k")
    wallet.store.alone(ChargeTogether(new))
    with pytest.raises(DBAPIError, match="answered before"):
        wallet.store.write(lambda connection: as_before(connection, account_id, "k", new.body_hash))
    assert forecourt.total_fen(account_id) == 900
    assert wallet.audit().ok


@pytest.mark.parametrize(
    "values",
    [
        "0, 0, 0, NULL, NULL, NULL",
        "10, 5, 4, NULL, NULL, NULL",
        "10, 0, 10, 'x', NULL, NULL",
        "10, 0, 10, NULL, 'bonus', 9",
        "10, 0, 10, NULL, 'principal', NULL",
        "10, 5, 5, NULL, 'principal', 9",
        "10, -1, 11, NULL, NULL, NULL",
        "10, 0, 10, NULL, 'both', 9",
    ],
)
def test_the_database_takes_no_charge_that_does_not_hold_together(forecourt, wallet, values):
    account_id = forecourt.customer("粤B12345", 1_000)
    with pytest.raises(DBAPIError, match="parts_make_the_whole"):
        wallet.store.write(
            lambda connection: connection.exec_driver_sql(
                "INSERT INTO charges (id, account_id, station, purpose, amount_fen, bonus_fen, principal_fen,"
                f" code, part, wallet_version, charged_at) SELECT 'x', '{account_id}', 'demo', 'x', {values},"
                " '2026-11-22 08:00:00.000000'"
            )
        )


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_connection_that_is_lost_costs_no_charge_and_doubles_none(forecourt, wallet):
    account_id = forecourt.customer("粤B12345", 1_000)
    first = wallet.store.alone(ChargeTogether(charge(account_id, 10, "a")))
    killed = rows(
        wallet,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE '%platepay_charge%' AND pid <> pg_backend_pid()",
    )
    assert killed
    assert wallet.store.alone(ChargeTogether(charge(account_id, 10, "a"))) == first
    assert wallet.store.alone(ChargeTogether(charge(account_id, 10, "b"))).balance_fen == 980
    assert wallet.audit().ok
