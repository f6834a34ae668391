"""Rows of recharge orders and of the payments that channels told us of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Row, select, update

from wallet.facts import ChannelPayment, RechargeOrder
from wallet.store.database import add, insert_new
from wallet.tables import channel_payments, recharge_orders


def add_order(connection: Connection, order: RechargeOrder) -> None:
    """Writes an open order."""
    add(
        connection,
        recharge_orders,
        id=order.id,
        account_id=order.account_id,
        amount_fen=order.amount_fen,
        channel=order.channel,
        state="open",
        created_at=order.created_at,
        paid_at=None,
        channel_txn_id=None,
    )


def find_order(connection: Connection, order_id: str, *, lock: bool = False) -> RechargeOrder | None:
    """The order with this id; locked, nobody else pays it until this transaction ends."""
    query = select(recharge_orders).where(recharge_orders.c.id == order_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _order(row)


def mark_paid(connection: Connection, order: RechargeOrder, payment: ChannelPayment) -> RechargeOrder:
    """The order, paid by this payment."""
    row = connection.execute(
        update(recharge_orders)
        .where(recharge_orders.c.id == order.id, recharge_orders.c.state == "open")
        .values(state="paid", paid_at=payment.paid_at, channel_txn_id=payment.channel_txn_id)
        .returning(recharge_orders)
    ).one()
    return _order(row)


def add_payment(
    connection: Connection, payment: ChannelPayment, refused_because: str | None, now: datetime
) -> bool:
    """Adds the payment unless the channel told us of it before; says whether it did."""
    return insert_new(
        connection,
        channel_payments,
        channel=payment.channel,
        channel_txn_id=payment.channel_txn_id,
        order_id=payment.order_id,
        amount_fen=payment.amount_fen,
        paid_at=payment.paid_at,
        outcome="applied" if refused_because is None else "refused",
        reason=refused_because,
        recorded_at=now,
    )


def find_payment(
    connection: Connection, channel: str, channel_txn_id: str
) -> tuple[ChannelPayment, str | None] | None:
    """The payment as it was told first, and why it was refused (None: it was applied)."""
    query = select(channel_payments).where(
        channel_payments.c.channel == channel, channel_payments.c.channel_txn_id == channel_txn_id
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return ChannelPayment(
        row.channel, row.channel_txn_id, row.order_id, row.amount_fen, row.paid_at
    ), row.reason


def _order(row: Row[tuple[object, ...]]) -> RechargeOrder:
    return RechargeOrder(
        id=row.id,
        account_id=row.account_id,
        amount_fen=row.amount_fen,
        channel=row.channel,
        state=row.state,
        created_at=row.created_at,
        paid_at=row.paid_at,
        channel_txn_id=row.channel_txn_id,
    )
