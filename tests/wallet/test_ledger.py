"""Double entry as arithmetic: what must hold of every wallet and every list of transfers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ledger import (
    Transfer,
    Wallet,
    bonus_share,
    capture,
    clearing,
    counterpart,
    credit,
    debit,
    fold,
    give_back,
    release,
    reserve,
    take,
)

AMOUNTS = st.integers(min_value=1, max_value=10**9)


def _wallet(principal_fen=0, bonus_fen=0, held_fen=0, version=0):
    return Wallet("a", principal_fen, bonus_fen, held_fen, version)


@given(principal=st.integers(0, 10**9), bonus=st.integers(0, 10**9), data=st.data())
def test_a_capture_takes_the_bonus_first_and_frees_the_whole_hold(principal, bonus, data):
    total = principal + bonus
    if total == 0:
        return
    hold = data.draw(st.integers(1, total))
    amount = data.draw(st.integers(1, hold))
    done = capture(reserve(_wallet(principal, bonus), hold), "capture:s/1", "s", hold, amount)
    assert done.wallet.total_fen == total - amount
    assert done.wallet.held_fen == 0
    assert done.bonus_fen == min(bonus, amount)
    assert done.bonus_fen + done.principal_fen == amount == sum(t.amount_fen for t in done.transfers)
    assert [t.wallet_version for t in done.transfers] == list(range(1, len(done.transfers) + 1))
    assert done.transfers[-1].wallet_after_fen == done.wallet.total_fen
    assert sum(fold(done.transfers).values()) == 0
    assert len({t.name for t in done.transfers}) == len(done.transfers)


@given(st.lists(st.tuples(st.booleans(), AMOUNTS), max_size=20))
def test_a_balance_is_the_fold_of_its_transfers(moves):
    wallet = _wallet()
    transfers = []
    for number, (is_bonus, amount_fen) in enumerate(moves):
        if is_bonus:
            wallet, transfer = credit(wallet, f"b{number}", "bonus", "marketing", "bonus", amount_fen)
        else:
            wallet, transfer = credit(
                wallet, f"r{number}", "recharge", clearing("x"), "principal", amount_fen
            )
        transfers.append(transfer)
    balances = fold(transfers)
    assert wallet.principal_fen == balances.get("wallet:a:principal", 0)
    assert wallet.bonus_fen == balances.get("wallet:a:bonus", 0)
    assert sum(balances.values()) == 0
    assert wallet.version == len(moves)


@pytest.mark.parametrize("amount_fen", [0, -1, 101])
def test_no_hold_of_nothing_or_of_more_than_is_available(amount_fen):
    with pytest.raises(ValueError, match=r"hold|below zero"):
        reserve(_wallet(100), amount_fen)


@pytest.mark.parametrize("amount_fen", [0, -1, 51])
def test_no_release_of_nothing_or_of_more_than_is_held(amount_fen):
    with pytest.raises(ValueError, match=r"release|below zero"):
        release(_wallet(100, held_fen=50), amount_fen)


@pytest.mark.parametrize("amount_fen", [0, -1, 51])
def test_no_capture_of_nothing_or_above_its_hold(amount_fen):
    with pytest.raises(ValueError, match="capture"):
        capture(_wallet(100, held_fen=50), "c", "s", 50, amount_fen)


@pytest.mark.parametrize("amount_fen", [0, -1, 51])
def test_no_debit_of_nothing_or_of_more_than_is_available(amount_fen):
    with pytest.raises(ValueError, match="50 are available"):
        take(_wallet(100, held_fen=50), "c", "charge", "revenue:s", amount_fen)


def test_a_wallet_below_zero_cannot_be_written_down():
    with pytest.raises(ValueError, match="below zero"):
        _wallet(10, 0, 11)


@pytest.mark.parametrize(
    "below", [{"principal_fen": -1}, {"bonus_fen": -1}, {"held_fen": -1}, {"version": -1}, {"held_fen": 21}]
)
def test_no_part_of_a_wallet_is_ever_below_zero(below):
    with pytest.raises(ValueError, match="a wallet below zero: Wallet"):
        _wallet(**{"principal_fen": 10, "bonus_fen": 10, **below})


def test_a_wallet_may_be_empty_or_wholly_held():
    assert _wallet().available_fen == 0
    assert _wallet(10, 10, 20).available_fen == 0


def test_the_smallest_amount_is_one_fen_and_the_largest_all_there_is():
    assert reserve(_wallet(1), 1) == _wallet(1, held_fen=1)
    assert release(_wallet(1, held_fen=1), 1) == _wallet(1)
    for amount_fen in (1, 50):
        assert (
            capture(_wallet(100, held_fen=50), "c", "s", 50, amount_fen).wallet.total_fen == 100 - amount_fen
        )
        assert take(_wallet(50), "c", "charge", "revenue:s", amount_fen).principal_fen == amount_fen
    assert Transfer("n", "recharge", "x", "y", 1).amount_fen == 1


@pytest.mark.parametrize(("part", "after"), [("principal", (13, 20)), ("bonus", (10, 23))])
def test_money_in_changes_its_part_and_says_so_in_the_transfer(part, after):
    wallet, transfer = credit(_wallet(10, 20, 5, 7), "n", "reversal", "other", part, 3, "taken")
    assert wallet == _wallet(*after, 5, 8)
    assert transfer == Transfer("n", "reversal", "other", f"wallet:a:{part}", 3, "a", 8, 33, "taken")


@pytest.mark.parametrize(("part", "after"), [("principal", (7, 20)), ("bonus", (10, 17))])
def test_money_out_changes_its_part_and_says_so_in_the_transfer(part, after):
    wallet, transfer = debit(_wallet(10, 20, 5, 7), "n", "reversal", "other", part, 3, "taken")
    assert wallet == _wallet(*after, 5, 8)
    assert transfer == Transfer("n", "reversal", f"wallet:a:{part}", "other", 3, "a", 8, 27, "taken")


def test_what_is_given_back_goes_to_both_parts_and_names_what_it_takes_back():
    done = give_back(_wallet(version=2), "r", "reversal", "revenue:s", 3, 4, {"bonus": "b", "principal": "p"})
    assert done.wallet == _wallet(4, 3, version=4)
    assert (done.bonus_fen, done.principal_fen) == (3, 4)
    assert done.transfers == (
        Transfer("r:bonus", "reversal", "revenue:s", "wallet:a:bonus", 3, "a", 3, 3, "b"),
        Transfer("r:principal", "reversal", "revenue:s", "wallet:a:principal", 4, "a", 4, 7, "p"),
    )
    refund = give_back(_wallet(), "r", "refund", "revenue:s", 0, 4)
    assert [(one.name, one.reverses_id) for one in refund.transfers] == [("r:principal", None)]


def test_a_balance_begins_at_nothing_and_leaves_where_it_came_from():
    one, other = Transfer("1", "fee", "x", "y", 5), Transfer("2", "fee", "y", "z", 2)
    assert fold([one, other]) == {"x": -5, "y": 3, "z": 2}


def test_each_part_is_put_right_against_its_own_account():
    assert (counterpart("bonus"), counterpart("principal")) == ("marketing", "adjustment")


@pytest.mark.parametrize(
    ("refunded_fen", "share_fen"), [(0, 0), (1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (9, 3)]
)
def test_the_bonus_comes_back_in_proportion_rounded_down(refunded_fen, share_fen):
    assert bonus_share(3, 9, refunded_fen) == share_fen


def test_a_transfer_moves_something_between_two_accounts():
    with pytest.raises(ValueError, match="0 fen"):
        Transfer("n", "recharge", "x", "y", 0)
    with pytest.raises(ValueError, match="nowhere"):
        Transfer("n", "recharge", "x", "x", 1)
