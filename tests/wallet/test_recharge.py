"""Money coming in: each order and each payment of a channel counts once, whatever the channel repeats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallet.errors import InvalidAmount, InvalidFact, KeyReused, OrderUnknown
from wallet.facts import ChannelPayment, PaymentAlreadyApplied, PaymentApplied, PaymentRefused

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def _order(wallet, forecourt, amount_fen=20_000):
    account_id = forecourt.customer("粤B12345", 0)
    return wallet.create_recharge_order(account_id, amount_fen, "sandbox", "order", forecourt.at(0))


def _payment(order, forecourt, txn="t1", **changes):
    return replace(ChannelPayment("sandbox", txn, order.id, order.amount_fen, forecourt.at(5)), **changes)


def test_a_paid_order_credits_the_wallet_once(wallet, forecourt):
    order = _order(wallet, forecourt)
    payment = _payment(order, forecourt)
    applied = wallet.channel_paid(payment, forecourt.at(6))
    assert isinstance(applied, PaymentApplied)
    assert applied.balance == wallet.balance(order.account_id)
    assert applied.balance.principal_fen == 20_000
    paid = wallet.recharge_order(order.id)
    assert (paid.state, paid.paid_at, paid.channel_txn_id) == ("paid", forecourt.at(5), "t1")
    for later in (7, 10_000_000):
        assert wallet.channel_paid(payment, forecourt.at(later)) == PaymentAlreadyApplied(paid)
    assert forecourt.total_fen(order.account_id) == 20_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_fen": 19_999}, "amount_differs"),
        ({"channel": "alipay"}, "channel_differs"),
        ({"order_id": "nobody"}, "order_unknown"),
    ],
)
def test_a_payment_that_does_not_fit_credits_nobody_and_is_not_lost(wallet, forecourt, changes, reason):
    order = _order(wallet, forecourt)
    wrong = _payment(order, forecourt, **changes)
    assert wallet.channel_paid(wrong, forecourt.at(6)) == PaymentRefused(reason)
    assert wallet.channel_paid(wrong, forecourt.at(7)) == PaymentRefused(reason)
    assert forecourt.total_fen(order.account_id) == 0
    (item,) = wallet.reviews(kind="payment_refused")
    assert (item.amount_fen, [r.code for r in item.reasons]) == (wrong.amount_fen, [reason])
    # The order is still open: the right payment is credited.
    right = _payment(order, forecourt, txn="t2")
    assert isinstance(wallet.channel_paid(right, forecourt.at(8)), PaymentApplied)


def test_an_order_paid_twice_is_credited_once_and_the_second_payment_is_kept_apart(wallet, forecourt):
    order = _order(wallet, forecourt)
    wallet.channel_paid(_payment(order, forecourt), forecourt.at(6))
    second = _payment(order, forecourt, txn="t2")
    assert wallet.channel_paid(second, forecourt.at(7)) == PaymentRefused("order_already_paid")
    assert forecourt.total_fen(order.account_id) == 20_000
    assert [item.subject for item in wallet.reviews(kind="payment_refused")] == ["sandbox/t2"]


def test_a_payment_told_again_with_another_body_changes_nothing(wallet, forecourt):
    order = _order(wallet, forecourt)
    wallet.channel_paid(_payment(order, forecourt), forecourt.at(6))
    other = _payment(order, forecourt, amount_fen=1)
    assert wallet.channel_paid(other, forecourt.at(7)) == PaymentRefused("payment_differs")
    assert forecourt.total_fen(order.account_id) == 20_000


def test_the_same_order_key_makes_one_order(wallet, forecourt):
    order = _order(wallet, forecourt)
    again = wallet.create_recharge_order(order.account_id, 20_000, "sandbox", "order", forecourt.at(9))
    assert again == order
    with pytest.raises(KeyReused):
        wallet.create_recharge_order(order.account_id, 20_001, "sandbox", "order", forecourt.at(9))


def test_the_first_answer_of_a_key_shows_what_became_of_the_order(wallet, forecourt):
    order = _order(wallet, forecourt)
    wallet.channel_paid(_payment(order, forecourt), forecourt.at(6))
    again = wallet.create_recharge_order(order.account_id, 20_000, "sandbox", "order", forecourt.at(9))
    assert (again.id, again.state) == (order.id, "paid")


@ON_SQLITE
@pytest.mark.parametrize("amount_fen", [0, -1, 1.0, "100", True, 500_001])
def test_no_order_of_nothing_of_a_fraction_or_above_the_legal_most(wallet, forecourt, amount_fen):
    account_id = forecourt.customer("粤B12345", 0)
    with pytest.raises(InvalidAmount):
        wallet.create_recharge_order(account_id, amount_fen, "sandbox", "k", forecourt.at(0))


@ON_SQLITE
@pytest.mark.parametrize(
    "changes", [{"amount_fen": 0}, {"amount_fen": 1.5}, {"channel_txn_id": ""}, {"channel": ""}]
)
def test_a_payment_of_nothing_or_without_a_name_is_refused(wallet, forecourt, changes):
    order = _order(wallet, forecourt)
    with pytest.raises((InvalidAmount, InvalidFact)):
        wallet.channel_paid(_payment(order, forecourt, **changes), forecourt.at(6))
    assert forecourt.total_fen(order.account_id) == 0


@ON_SQLITE
@pytest.mark.parametrize("channel", ["", "a/b", "a\x00b", "x" * 41])
def test_what_is_no_channel_is_refused(wallet, forecourt, channel):
    account_id = forecourt.customer("粤B12345", 0)
    with pytest.raises(InvalidFact):
        wallet.create_recharge_order(account_id, 100, channel, "k", forecourt.at(0))


def test_an_unknown_order_is_named(wallet):
    with pytest.raises(OrderUnknown):
        wallet.recharge_order("nobody")
