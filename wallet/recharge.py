"""Money coming in: orders, and what the payment channels say has been paid. Each payment counts once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from wallet.errors import AccountUnknown, InvalidAmount
from wallet.facts import (
    Balance,
    ChannelPayment,
    PaymentAlreadyApplied,
    PaymentApplied,
    PaymentRefused,
    PaymentResult,
    Reason,
    RechargeOrder,
    Review,
)
from wallet.fingerprint import body_hash
from wallet.ledger import SUSPENSE, Transfer, Wallet, clearing, credit
from wallet.money import fen, format_yuan
from wallet.rules import Rules
from wallet.sales import NewId
from wallet.store import balances, events, orders, people
from wallet.wording import check_name, check_text


def balance_of(wallet: Wallet) -> Balance:
    """The wallet as its owner sees it."""
    return Balance(wallet.principal_fen, wallet.bonus_fen, wallet.held_fen, wallet.available_fen)


def create_order(
    connection: Connection,
    account_id: str,
    amount_fen: int,
    channel: str,
    key: str,
    rules: Rules,
    new_id: NewId,
    now: datetime,
) -> RechargeOrder:
    """A new open order, or the one made first under the same key and body."""
    fen(amount_fen, least=1)
    if not rules.smallest_recharge_fen <= amount_fen <= rules.largest_recharge_fen:
        smallest, largest = format_yuan(rules.smallest_recharge_fen), format_yuan(rules.largest_recharge_fen)
        raise InvalidAmount("amount_fen", str(amount_fen), f"must be from {smallest} to {largest} yuan")
    check_name("channel", channel, 40)
    check_text("key", key, 255)
    balances.read_wallet(connection, account_id)
    if people.is_deleted(connection, account_id):
        raise AccountUnknown(account_id)
    body = body_hash({"account_id": account_id, "amount_fen": amount_fen, "channel": channel})
    order = RechargeOrder(new_id(), account_id, amount_fen, channel, "open", now, None, None)
    first = people.claim_key(connection, "recharge-order", key, body, order.id, now)
    if first is None:
        orders.add_order(connection, order)
        return order
    known = orders.find_order(connection, first)
    if known is None:
        raise RuntimeError(f"key {key} names order {first}, which is not there")
    return known


def channel_paid(
    connection: Connection, payment: ChannelPayment, new_id: NewId, now: datetime
) -> PaymentResult:
    """Credits the wallet of the order, once for each transaction of the channel and once for each order."""
    fen(payment.amount_fen, least=1)
    check_name("channel", payment.channel, 40)
    check_text("channel_txn_id", payment.channel_txn_id, 128)
    check_text("order_id", payment.order_id)
    order = orders.find_order(connection, payment.order_id, lock=True)
    refused_because = _refusal(payment, order)
    if refused_because is None and order is not None and people.is_deleted(connection, order.account_id):
        refused_because = "account_deleted"
    told_before = orders.find_payment(connection, payment.channel, payment.channel_txn_id)
    if told_before is None and not orders.add_payment(connection, payment, refused_because, now):
        told_before = orders.find_payment(connection, payment.channel, payment.channel_txn_id)
    if told_before is not None:
        return _again(payment, *told_before, order)
    if refused_because is not None or order is None:
        _keep_in_suspense(connection, payment, refused_because or "order_unknown", order, new_id, now)
        return PaymentRefused(refused_because or "order_unknown")
    return _apply(connection, payment, order, new_id, now)


def _refusal(payment: ChannelPayment, order: RechargeOrder | None) -> str | None:
    if order is None:
        return "order_unknown"
    if order.channel != payment.channel:
        return "channel_differs"
    if order.amount_fen != payment.amount_fen:
        return "amount_differs"
    if order.state == "paid":
        return "order_already_paid"
    return None


def _again(
    payment: ChannelPayment, first: ChannelPayment, refused_because: str | None, order: RechargeOrder | None
) -> PaymentResult:
    if (first.order_id, first.amount_fen) != (payment.order_id, payment.amount_fen):
        return PaymentRefused("payment_differs")
    if refused_because is not None or order is None:
        return PaymentRefused(refused_because or "order_unknown")
    return PaymentAlreadyApplied(order)


def _apply(
    connection: Connection, payment: ChannelPayment, order: RechargeOrder, new_id: NewId, now: datetime
) -> PaymentApplied:
    paid = orders.mark_paid(connection, order, payment)
    before = balances.lock_wallet(connection, order.account_id)
    after, transfer = credit(
        before, f"recharge:{order.id}", "recharge", clearing(payment.channel), "principal", payment.amount_fen
    )
    balances.save_wallet(connection, before, after)
    balances.add_transfers(connection, (transfer,), (new_id(),), now, recharge_order_id=order.id)
    events.tell(
        connection,
        "recharge_credited",
        {
            "order_id": order.id,
            "account_id": order.account_id,
            "channel": payment.channel,
            "amount_fen": payment.amount_fen,
            "balance_fen": after.total_fen,
        },
        now,
    )
    return PaymentApplied(paid, balance_of(after))


def _keep_in_suspense(
    connection: Connection,
    payment: ChannelPayment,
    refused_because: str,
    order: RechargeOrder | None,
    new_id: NewId,
    now: datetime,
) -> None:
    """The channel does hold this money: it is booked where it belongs to nobody yet, and a person decides."""
    name = f"{payment.channel}/{payment.channel_txn_id}"
    transfer = Transfer(
        f"suspense:{name}", "suspense", clearing(payment.channel), SUSPENSE, payment.amount_fen
    )
    balances.add_transfers(
        connection, (transfer,), (new_id(),), now, recharge_order_id=order.id if order is not None else None
    )
    paid = format_yuan(payment.amount_fen)
    text = f"{paid} yuan paid by {name} for order {payment.order_id} were not credited."
    item = Review(
        id=new_id(),
        kind="payment_refused",
        state="open",
        subject=name,
        station=None,
        sighting_id=None,
        sale_id=None,
        visit_id=None,
        account_id=order.account_id if order is not None else None,
        amount_fen=payment.amount_fen,
        reasons=(Reason(refused_because, text),),
        created_at=now,
        closed_at=None,
    )
    events.ask_for_review(connection, item)
