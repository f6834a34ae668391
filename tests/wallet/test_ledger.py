"""Double entry as arithmetic: what must hold of every wallet and every list of transfers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ledger import Transfer, Wallet, capture, clearing, credit, fold, release, reserve, take

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


def test_a_transfer_moves_something_between_two_accounts():
    with pytest.raises(ValueError, match="0 fen"):
        Transfer("n", "recharge", "x", "y", 0)
    with pytest.raises(ValueError, match="nowhere"):
        Transfer("n", "recharge", "x", "x", 1)
