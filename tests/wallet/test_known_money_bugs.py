"""Bugs that other payment and ledger projects had with refunds, reversals and corrections, as our tests.

Their names are those of the project and thread where the bug was described, or of its kind.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from wallet.command_facts import Refunded, Rejected, Reversed
from wallet.errors import KeyReused
from wallet.service import open_wallet

LATER = 40 * 24 * 3_600


class Desk:
    """One operator; each command has a key of its own unless one is given."""

    def __init__(self, forecourt):
        self.commands, self.forecourt = forecourt.wallet.commands, forecourt

    def by(self, key=None, actor="wang", seconds=500):
        name = key or f"bug-{next(self.forecourt.numbers)}"
        return {"key": name, "actor": actor, "now": self.forecourt.at(seconds)}

    def refund(self, amount, visit_id, key=None, seconds=500):
        return self.commands.refund(amount, "x", visit_id=visit_id, **self.by(key, seconds=seconds))


@pytest.fixture
def desk(forecourt):
    return Desk(forecourt)


@pytest.fixture
def paid(forecourt):
    """(account, visit) of a car that paid 200 of its 1,000 yuan."""
    account_id = forecourt.customer("粤B12345", 100_000)
    visit = forecourt.arrive("粤B12345").visit
    forecourt.sell(20_000)
    return account_id, visit.id


def _together(works):
    start = threading.Barrier(len(works))

    def run(work):
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_two_parallel_refunds_of_60_percent_are_one(forecourt, desk, paid, database_url):
    """Hyperswitch #13182: each checks that it fits, both are paid out, 120 % go back."""
    account_id, visit_id = paid
    other = open_wallet(database_url)
    ask = {"visit_id": visit_id, "actor": "wang", "now": forecourt.at(500)}
    answers = _together(
        [
            lambda: desk.commands.refund(12_000, "x", key="a", **ask),
            lambda: other.commands.refund(12_000, "x", key="b", **ask),
        ]
    )
    other.close()
    assert sorted(type(answer).__name__ for answer in answers) == ["Refunded", "Rejected"]
    assert forecourt.total_fen(account_id) == 92_000


def test_a_refund_sent_three_times_is_one(forecourt, desk, paid):
    """Medusa #16681: the answer is lost, the shop sends the refund again, the customer is paid twice."""
    account_id, visit_id = paid
    answers = {desk.refund(5_000, visit_id, "r") for _ in range(3)}
    assert len(answers) == 1
    assert forecourt.total_fen(account_id) == 85_000


def test_a_refund_is_remembered_after_forty_days(forecourt, desk, paid):
    """Qonto forgets a key after 30 minutes, Stripe after 24 hours."""
    account_id, visit_id = paid
    first = desk.refund(5_000, visit_id, "r")
    assert desk.refund(5_000, visit_id, "r", seconds=LATER) == first
    assert forecourt.total_fen(account_id) == 85_000


def test_a_key_with_another_amount_is_not_answered_with_the_first(forecourt, desk, paid):
    """Keys without a look at the body: the caller believes 70 yuan went back, it was 50."""
    _, visit_id = paid
    desk.refund(5_000, visit_id, "r")
    with pytest.raises(KeyReused):
        desk.refund(7_000, visit_id, "r")


def test_a_retry_after_a_rejection_is_not_tried_again_by_itself(forecourt, desk):
    """Lago #5870: what was refused for want of money is taken by a late retry, when nobody expects it."""
    account_id = forecourt.customer("粤B12345", 1_000)
    ask = (account_id, "demo", 5_000, "wash")
    assert isinstance(desk.commands.charge(*ask, **desk.by("c")), Rejected)
    forecourt.recharge(account_id, 100_000)
    assert isinstance(desk.commands.charge(*ask, **desk.by("c", seconds=LATER)), Rejected)
    assert forecourt.total_fen(account_id) == 101_000


def test_a_hold_that_was_voided_cannot_be_refunded(forecourt, desk):
    """Blnk #182: money of a transaction that never settled comes back all the same."""
    account_id = forecourt.customer("粤B12345")
    visit = forecourt.arrive("粤B12345").visit
    desk.commands.void(visit.id, "asked", **desk.by())
    assert desk.refund(1, visit.id).code == "nothing_captured"
    assert forecourt.total_fen(account_id) == 100_000


def test_a_reversal_five_times_moves_money_once(wallet, forecourt, desk, paid):
    """Blnk #374: a transaction could be reversed again and again."""
    account_id, _ = paid
    (line,) = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    answers = _together([lambda: desk.commands.reverse(line.id, "x", **desk.by()) for _ in range(5)])
    assert [type(answer) for answer in answers].count(Reversed) == 1
    assert forecourt.total_fen(account_id) == 100_000


def test_a_reversal_is_not_itself_reversed(wallet, forecourt, desk, paid):
    """Ping-pong: reversing a reversal takes the money again without a sale behind it."""
    account_id, _ = paid
    (line,) = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    done = desk.commands.reverse(line.id, "x", **desk.by())
    again = desk.commands.reverse(done.transfer_ids[0], "x", **desk.by())
    assert again.code == "not_reversible"
    assert forecourt.total_fen(account_id) == 100_000


def test_a_refund_after_a_reversal_gives_nothing(wallet, forecourt, desk, paid):
    """Refund and chargeback of one payment, each by its own path: the money goes back twice."""
    account_id, visit_id = paid
    (line,) = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    reverse, refund = _together(
        [
            lambda: desk.commands.reverse(line.id, "x", **desk.by()),
            lambda: desk.refund(20_000, visit_id),
        ]
    )
    assert isinstance(reverse, Reversed) != isinstance(refund, Refunded)
    assert forecourt.total_fen(account_id) == 100_000


def test_odd_fen_are_neither_made_nor_lost_in_partial_refunds(wallet, forecourt, desk):
    """Rounding each part by itself: refunds of one third end a fen above or below what was taken."""
    account_id = forecourt.customer("粤B12345", 100_000)
    desk.commands.give_bonus(account_id, 6_667, "spring", **desk.by())
    visit = forecourt.arrive("粤B12345").visit
    forecourt.sell(20_000)
    for amount in (3_333, 3_333, 1, 1, 1, 6_665, 6_666):
        assert isinstance(desk.refund(amount, visit.id), Refunded)
    balance = wallet.balance(account_id)
    assert (balance.principal_fen, balance.bonus_fen) == (100_000, 6_667)


def test_a_bonus_does_not_become_money_by_a_refund(wallet, forecourt, desk):
    """Pay with a voucher, ask for the money back: the bonus came back as cash."""
    account_id = forecourt.customer("粤B12345", 50_000)
    desk.commands.give_bonus(account_id, 30_000, "spring", **desk.by())
    visit = forecourt.arrive("粤B12345").visit
    forecourt.sell(20_000)
    refunded = desk.refund(20_000, visit.id)
    assert (refunded.bonus_fen, refunded.principal_fen) == (20_000, 0)
    assert wallet.balance(account_id).principal_fen == 50_000


def test_a_correction_does_not_touch_the_row_it_corrects(wallet, forecourt, desk, paid):
    """OpenBank PR #528: balances were put right by changing the old row; no statement was true any more."""
    account_id, visit_id = paid
    before = wallet.statement(account_id)
    desk.refund(20_000, visit_id)
    assert wallet.statement(account_id)[1:] == before
    for statement in (
        "UPDATE transfers SET amount_fen = 1",
        "UPDATE captures SET amount_fen = 1",
        "DELETE FROM transfers",
        "UPDATE refunds SET amount_fen = 1",
        "DELETE FROM commands",
    ):
        with pytest.raises(DBAPIError), wallet.engine.begin() as connection:
            connection.execute(text(statement))


def test_one_person_alone_makes_no_money(wallet, forecourt, desk):
    """An operator with a screen and a button: one's own proposal is approved by another, or not at all."""
    account_id = forecourt.customer("粤B12345", 0)
    by = desk.by
    proposed = desk.commands.propose_adjustment(account_id, "principal", 1_000_000, "mine", **by())
    for _ in range(3):
        answer = desk.commands.decide_adjustment(proposed.adjustment_id, approve=True, **by())
        assert answer.code == "same_person"
    with pytest.raises(DBAPIError, match=r"two_people|CHECK"), wallet.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO adjustment_decisions SELECT 'd', id, proposed_by, proposed_by, 'approved',"
                " recorded_at FROM adjustments"
            )
        )
    assert forecourt.total_fen(account_id) == 0


def test_a_negative_refund_takes_nothing(forecourt, desk, paid):
    """Signs: a refund of minus 50 yuan was a charge without a hold, without a limit."""
    account_id, visit_id = paid
    for amount in (-5_000, 0):
        with pytest.raises(Exception, match="must be from 1"):
            desk.refund(amount, visit_id)
    assert forecourt.total_fen(account_id) == 80_000


def test_an_event_of_money_is_told_exactly_as_often_as_money_moved(wallet, forecourt, desk, paid):
    """Events beside the transaction: a receipt for a refund that was rolled back, none for a real one."""
    _, visit_id = paid
    for _ in range(3):
        desk.refund(5_000, visit_id, "r")
        desk.refund(50_000, visit_id)
    kinds = [event.kind for event in wallet.outbox.pending()]
    assert kinds.count("refunded") == 1


def test_the_database_alone_keeps_refunds_within_what_was_taken(wallet, forecourt, desk, paid):
    """A check in the code only: whoever writes the row otherwise is stopped by the table itself."""
    _, visit_id = paid
    desk.refund(5_000, visit_id)
    columns = "kind, visit_id, charge_id, account_id"
    for number, amount, refunded in ((2, 15_001, 20_001), (1, 5_000, 5_000), (2, 0, 5_000), (2, 100, 99)):
        with pytest.raises(DBAPIError), wallet.engine.begin() as connection:
            connection.execute(
                text(
                    f"INSERT INTO refunds SELECT 'x', {columns}, {number}, {amount}, 0, {amount}, {refunded},"
                    " debited_fen, reason, recorded_at FROM refunds"
                )
            )
