"""Charges that are done together come to what each would alone, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

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
