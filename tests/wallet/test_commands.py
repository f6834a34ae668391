"""Commands under a name of their own: what each moves, why it is rejected, that a repeat moves nothing."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from wallet.command_facts import (
    Adjusted,
    Charged,
    Declined,
    Granted,
    Proposed,
    Refunded,
    Rejected,
    Reversed,
    Voided,
)
from wallet.errors import (
    AccountUnknown,
    AdjustmentUnknown,
    ChargeUnknown,
    InvalidAmount,
    InvalidFact,
    KeyReused,
    TransferUnknown,
    VisitUnknown,
)
from wallet.once import AnsweredMeanwhile, write_named
from wallet.service import open_wallet
from wallet.store.database import Store


class Desk:
    """Operators at work: short words for commands, each with a key of its own unless one is given."""

    def __init__(self, forecourt):
        self.forecourt = forecourt
        self.commands = forecourt.wallet.commands

    def _by(self, key, actor):
        return {
            "key": key or f"key-{next(self.forecourt.numbers)}",
            "actor": actor,
            "now": self.forecourt.at(500),
        }

    def charge(self, account_id, amount_fen, key=None):
        return self.commands.charge(account_id, "demo", amount_fen, "car wash", **self._by(key, "wang"))

    def refund(self, amount_fen, key=None, **debit):
        return self.commands.refund(amount_fen, "sold too much", **debit, **self._by(key, "wang"))

    def reverse(self, transfer_id, key=None):
        return self.commands.reverse(transfer_id, "wrong car", **self._by(key, "wang"))

    def bonus(self, account_id, amount_fen, key=None):
        return self.commands.give_bonus(account_id, amount_fen, "spring", **self._by(key, "wang"))

    def propose(self, account_id, change_fen, part="principal", key=None):
        return self.commands.propose_adjustment(
            account_id, part, change_fen, "counted again", **self._by(key, "wang")
        )

    def decide(self, adjustment_id, actor="li", approve=True, key=None):
        return self.commands.decide_adjustment(adjustment_id, approve=approve, **self._by(key, actor))

    def void(self, visit_id, key=None):
        return self.commands.void(visit_id, "the driver asked", **self._by(key, "wang"))


@pytest.fixture
def desk(forecourt):
    return Desk(forecourt)


def _parts(wallet, account_id):
    balance = wallet.balance(account_id)
    return balance.principal_fen, balance.bonus_fen


def _captured_visit(forecourt, desk, bonus_fen=0):
    """A car that paid 200 yuan; gives its account and visit."""
    account_id = forecourt.customer("粤B12345", 100_000)
    if bonus_fen:
        desk.bonus(account_id, bonus_fen)
    visit = forecourt.arrive("粤B12345").visit
    forecourt.sell(20_000)
    return account_id, visit.id


# Direct charge ----------------------------------------------------------------------------------------------


def test_a_charge_takes_the_bonus_first_and_never_what_is_held(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345", 50_000)
    desk.bonus(account_id, 3_000)
    forecourt.arrive("粤B12345")
    done = desk.charge(account_id, 5_000)
    assert isinstance(done, Charged)
    assert (done.bonus_fen, done.principal_fen, done.balance_fen) == (3_000, 2_000, 48_000)
    assert desk.charge(account_id, 8_001).code == "insufficient_balance"
    assert desk.charge(account_id, 8_000).balance_fen == 40_000
    assert wallet.balance(account_id).available_fen == 0


def test_a_charge_that_makes_no_sense_is_refused(forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    for amount in (0, -1, 1.5, True):
        with pytest.raises(InvalidAmount):
            desk.charge(account_id, amount)
    with pytest.raises(AccountUnknown):
        desk.charge("nobody", 1)


# Refunds ----------------------------------------------------------------------------------------------------


def test_refunds_in_parts_give_each_part_back_in_proportion_and_exactly_in_the_end(wallet, forecourt, desk):
    account_id, visit_id = _captured_visit(forecourt, desk, bonus_fen=7_001)
    assert _parts(wallet, account_id) == (87_001, 0)
    answers = [desk.refund(amount, visit_id=visit_id) for amount in (1, 3_333, 10_000, 6_666)]
    assert [answer.bonus_fen for answer in answers] == [0, 1_167, 3_500, 2_334]
    assert [answer.refunded_fen for answer in answers] == [1, 3_334, 13_334, 20_000]
    assert _parts(wallet, account_id) == (100_000, 7_001)
    assert desk.refund(1, visit_id=visit_id).code == "refund_above_captured"


def test_a_refund_is_never_above_what_was_taken(wallet, forecourt, desk):
    account_id, visit_id = _captured_visit(forecourt, desk)
    assert desk.refund(20_001, visit_id=visit_id).code == "refund_above_captured"
    assert isinstance(desk.refund(12_000, visit_id=visit_id), Refunded)
    assert desk.refund(12_000, visit_id=visit_id).code == "refund_above_captured"
    assert forecourt.total_fen(account_id) == 92_000


def test_a_charge_is_refunded_as_a_capture_is(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    charge_id = desk.charge(account_id, 3_000).charge_id
    assert desk.refund(1_000, charge_id=charge_id).refunded_fen == 1_000
    assert desk.refund(2_001, charge_id=charge_id).code == "refund_above_captured"
    assert forecourt.total_fen(account_id) == 98_000


def test_what_was_not_taken_is_not_given_back(forecourt, desk):
    forecourt.customer("粤B12345")
    visit = forecourt.arrive("粤B12345").visit
    assert desk.refund(1, visit_id=visit.id).code == "nothing_captured"
    with pytest.raises(VisitUnknown):
        desk.refund(1, visit_id="nothing")
    with pytest.raises(ChargeUnknown):
        desk.refund(1, charge_id="nothing")
    with pytest.raises(InvalidFact):
        desk.refund(1)


def test_refunds_that_race_never_give_back_more_than_was_taken(wallet, forecourt, desk, database_url):
    """Two services, twenty clerks, each giving back 60 % of the same 200 yuan: one of them does."""
    account_id, visit_id = _captured_visit(forecourt, desk, bonus_fen=5_000)
    other = open_wallet(database_url)
    start = threading.Barrier(20)

    def give_back(number):
        start.wait()
        return (wallet, other)[number % 2].commands.refund(
            12_000, "race", visit_id=visit_id, key=f"race-{number}", actor="wang", now=forecourt.at(600)
        )

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(give_back, range(20)))
    other.close()
    assert Counter(type(answer).__name__ for answer in answers) == {"Refunded": 1, "Rejected": 19}
    assert forecourt.total_fen(account_id) == 97_000


def test_one_refund_asked_for_twenty_times_at_once_is_one(wallet, forecourt, desk):
    account_id, visit_id = _captured_visit(forecourt, desk)
    start = threading.Barrier(20)

    def give_back(_):
        start.wait()
        return desk.refund(5_000, key="same", visit_id=visit_id)

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(give_back, range(20)))
    assert len(answers) == 1
    assert forecourt.total_fen(account_id) == 85_000


# Reversals --------------------------------------------------------------------------------------------------


def test_a_capture_is_reversed_once_however_often_it_is_asked(wallet, forecourt, desk):
    account_id, _ = _captured_visit(forecourt, desk, bonus_fen=5_000)
    taken = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    first = desk.reverse(taken[0].id)
    assert isinstance(first, Reversed)
    assert set(first.reversed_ids) == {line.id for line in taken}
    assert _parts(wallet, account_id) == (100_000, 5_000)
    for line in taken:
        assert desk.reverse(line.id).code == "already_reversed"
    assert _parts(wallet, account_id) == (100_000, 5_000)


def test_a_reversal_after_a_refund_gives_back_what_is_left(wallet, forecourt, desk):
    account_id, visit_id = _captured_visit(forecourt, desk, bonus_fen=5_000)
    desk.refund(7_777, visit_id=visit_id)
    taken = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    assert desk.reverse(taken[0].id).amount_fen == 12_223
    assert _parts(wallet, account_id) == (100_000, 5_000)
    assert desk.refund(1, visit_id=visit_id).code == "refund_above_captured"


def test_there_is_nothing_left_to_reverse_of_what_was_refunded_whole(wallet, forecourt, desk):
    account_id, visit_id = _captured_visit(forecourt, desk)
    desk.refund(20_000, visit_id=visit_id)
    (taken,) = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    assert desk.reverse(taken.id).code == "nothing_left"


def test_twenty_reversals_at_once_move_money_once(wallet, forecourt, desk):
    account_id, _ = _captured_visit(forecourt, desk)
    (taken,) = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    start = threading.Barrier(20)

    def reverse(_):
        start.wait()
        return desk.reverse(taken.id)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(reverse, range(20)))
    assert Counter(type(answer).__name__ for answer in answers) == {"Reversed": 1, "Rejected": 19}
    assert forecourt.total_fen(account_id) == 100_000


def test_a_bonus_is_taken_back_while_it_is_there(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345", 1_000)
    granted = desk.bonus(account_id, 2_000)
    assert isinstance(granted, Granted)
    assert isinstance(desk.reverse(granted.transfer_id), Reversed)
    assert desk.reverse(granted.transfer_id).code == "already_reversed"
    assert _parts(wallet, account_id) == (1_000, 0)
    spent = desk.bonus(account_id, 2_000)
    desk.charge(account_id, 500)
    assert desk.reverse(spent.transfer_id).code == "insufficient_balance"


def test_money_that_came_in_through_a_channel_is_not_reversed(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    (line,) = wallet.statement(account_id)
    assert desk.reverse(line.id).code == "not_reversible"
    with pytest.raises(TransferUnknown):
        desk.reverse("nothing")


# Adjustments ------------------------------------------------------------------------------------------------


def test_an_adjustment_needs_two_different_people(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    proposed = desk.propose(account_id, -700)
    assert isinstance(proposed, Proposed)
    assert forecourt.total_fen(account_id) == 100_000
    assert desk.decide(proposed.adjustment_id, "wang").code == "same_person"
    assert isinstance(desk.decide(proposed.adjustment_id, "li"), Adjusted)
    assert desk.decide(proposed.adjustment_id, "zhao").code == "already_decided"
    assert _parts(wallet, account_id) == (99_300, 0)
    found = wallet.commands.adjustment(proposed.adjustment_id)
    assert (found.proposed_by, found.decision, found.decided_by) == ("wang", "approved", "li")


def test_a_declined_adjustment_moves_nothing(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    proposed = desk.propose(account_id, 5_000, "bonus")
    assert desk.decide(proposed.adjustment_id, approve=False) == Declined(proposed.adjustment_id)
    assert desk.decide(proposed.adjustment_id).code == "already_decided"
    assert _parts(wallet, account_id) == (100_000, 0)


def test_an_adjustment_takes_only_what_is_there_and_not_held(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345", 50_000)
    forecourt.arrive("粤B12345")
    for part, change in (("principal", -10_001), ("bonus", -1)):
        proposed = desk.propose(account_id, change, part)
        assert desk.decide(proposed.adjustment_id).code == "insufficient_balance"
    assert len(wallet.commands.adjustments(is_open=True)) == 2
    assert wallet.commands.adjustments(is_open=False) == []


def test_an_adjustment_is_reversed_as_a_whole(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    for change in (-700, 900):
        desk.decide(desk.propose(account_id, change).adjustment_id)
    for line in wallet.statement(account_id, limit=2):
        assert isinstance(desk.reverse(line.id), Reversed)
    assert _parts(wallet, account_id) == (100_000, 0)


def test_two_people_who_decide_at_once_decide_once(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    adjustment_id = desk.propose(account_id, 1_000).adjustment_id
    start = threading.Barrier(10)

    def decide(number):
        start.wait()
        return desk.decide(adjustment_id, f"person-{number}")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(decide, range(10)))
    assert Counter(type(answer).__name__ for answer in answers) == {"Adjusted": 1, "Rejected": 9}
    assert forecourt.total_fen(account_id) == 101_000


def test_an_adjustment_that_makes_no_sense_is_refused(forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    for change in (0, True, 1.5, "1"):
        with pytest.raises(InvalidAmount):
            desk.propose(account_id, change)
    with pytest.raises(InvalidFact):
        desk.propose(account_id, 1, "credit")
    with pytest.raises(AdjustmentUnknown):
        desk.decide("nothing")
    with pytest.raises(AdjustmentUnknown):
        desk.commands.adjustment("nothing")


# Void -------------------------------------------------------------------------------------------------------


def test_an_operator_releases_a_hold_once(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    visit = forecourt.arrive("粤B12345").visit
    assert desk.void(visit.id) == Voided(visit.id, account_id, 40_000)
    assert desk.void(visit.id).code == "visit_not_open"
    assert (wallet.visit(visit.id).end, wallet.balance(account_id).held_fen) == ("voided_by_operator", 0)
    assert forecourt.sell(20_000).state == "waiting"
    with pytest.raises(VisitUnknown):
        desk.void("nothing")


# Names ------------------------------------------------------------------------------------------------------


def _one_of_each(forecourt, desk):
    """(command again under the same key, the same with another body) of every kind, each done once."""
    account_id, visit_id = _captured_visit(forecourt, desk)
    (line,) = [line for line in forecourt.wallet.statement(account_id) if line.kind == "capture"]
    adjustment_id = desk.propose(account_id, 1_000).adjustment_id
    return [
        (lambda: desk.charge(account_id, 100, "k"), lambda: desk.charge(account_id, 101, "k")),
        (lambda: desk.charge(account_id, 10**9, "r"), lambda: desk.charge(account_id, 1, "r")),
        (lambda: desk.refund(100, "k", visit_id=visit_id), lambda: desk.refund(9, "k", visit_id=visit_id)),
        (lambda: desk.refund(10**9, "r", visit_id=visit_id), lambda: desk.refund(9, "r", visit_id=visit_id)),
        (lambda: desk.reverse(line.id, "k"), lambda: desk.reverse("another", "k")),
        (lambda: desk.bonus(account_id, 100, "k"), lambda: desk.bonus(account_id, 101, "k")),
        (lambda: desk.propose(account_id, 5, key="k"), lambda: desk.propose(account_id, -5, key="k")),
        (
            lambda: desk.decide(adjustment_id, key="k"),
            lambda: desk.decide(adjustment_id, key="k", approve=False),
        ),
        (lambda: desk.void(visit_id, "k"), lambda: desk.void("another", "k")),
    ]


def test_a_command_again_gets_its_answer_for_ever_and_moves_nothing(wallet, forecourt, desk, database_url):
    for again, other in _one_of_each(forecourt, desk):
        first = again()
        before = [(account.id, wallet.balance(account.id)) for account in wallet.accounts()]
        assert again() == first
        with pytest.raises(KeyReused):
            other()
        assert again() == first
        assert [(account.id, wallet.balance(account.id)) for account in wallet.accounts()] == before


def test_a_name_with_another_body_is_written_down_once_for_each_body(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345")
    desk.charge(account_id, 100, "k")
    for amount in (101, 101, 102):
        with pytest.raises(KeyReused):
            desk.charge(account_id, amount, "k")
    found = wallet.commands.key_conflicts()
    assert [(conflict.scope, conflict.key) for conflict in found] == [("charge", "k")] * 2
    with wallet.engine.connect() as connection:
        kept = connection.execute(text("SELECT body_hash FROM charges")).scalars().all()
    assert len({*kept, *(conflict.body_hash for conflict in found)}) == 3


def test_every_kind_of_name_is_written_down_when_it_is_reused(wallet, forecourt):
    forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", sighting_id="s1")
    sale = forecourt.sale(1_000, sale_id="x")
    wallet.record_sale(sale, forecourt.at(95))
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    for use in (
        lambda: forecourt.arrive("粤B12346", sighting_id="s1"),
        lambda: wallet.record_sale(forecourt.sale(1_001, sale_id="x"), forecourt.at(95)),
        lambda: wallet.depart("s1", forecourt.at(101), forecourt.at(101)),
        lambda: wallet.open_account("Another", None, "account-1", forecourt.at(0)),
    ):
        with pytest.raises(KeyReused):
            use()
    assert {conflict.scope for conflict in wallet.commands.key_conflicts()} == {
        "sighting",
        "sale",
        "departure",
        "account",
    }


def test_a_rejection_is_stored_and_stays_when_the_money_has_come(wallet, forecourt, desk):
    account_id = forecourt.customer("粤B12345", 1_000)
    first = desk.charge(account_id, 5_000, "k")
    assert isinstance(first, Rejected)
    forecourt.recharge(account_id, 50_000)
    assert desk.charge(account_id, 5_000, "k") == first
    assert isinstance(desk.charge(account_id, 5_000, "k2"), Charged)


def test_a_command_that_was_answered_meanwhile_looks_again_and_not_for_ever(wallet, forecourt):
    tries = []

    def answered(connection, meanwhile):
        tries.append(connection)
        if len(tries) <= meanwhile:
            raise AnsweredMeanwhile()
        return len(tries)

    store = Store(wallet.engine)
    assert write_named(store, lambda connection: answered(connection, 4), forecourt.at(0)) == 5
    tries.clear()
    with pytest.raises(RuntimeError, match="answered meanwhile"):
        write_named(store, lambda connection: answered(connection, 5), forecourt.at(0))
    assert len(tries) == 5
