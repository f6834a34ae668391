"""What a wallet was at any past moment, from its transfers and holds alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, func, select

from wallet.facts import Balance
from wallet.ledger import Part, wallet_side
from wallet.tables import holds, ledger_transfers, matches


def version_at(connection: Connection, account_id: str, moment: datetime) -> int:
    """How many transfers the wallet had at that moment, itself included.

    Services may differ a little in their clocks; the transfers up to a number are always what the wallet was.
    """
    query = select(func.max(ledger_transfers.c.wallet_version)).where(
        ledger_transfers.c.account_id == account_id, ledger_transfers.c.recorded_at <= moment
    )
    return int(connection.execute(query).scalar() or 0)


def balance_at(connection: Connection, account_id: str, moment: datetime) -> Balance:
    """The wallet as it was at that moment, itself included."""
    version = version_at(connection, account_id, moment)
    query = select(_sum_of(account_id, "principal"), _sum_of(account_id, "bonus")).where(
        ledger_transfers.c.account_id == account_id, ledger_transfers.c.wallet_version <= version
    )
    principal_fen, bonus_fen = (int(total or 0) for total in connection.execute(query).one())
    held_fen = _held_at(connection, account_id, moment)
    return Balance(principal_fen, bonus_fen, held_fen, principal_fen + bonus_fen - held_fen)


def _sum_of(account_id: str, part: Part) -> ColumnElement[int]:
    side = wallet_side(account_id, part)
    signed = case(
        (ledger_transfers.c.to_account == side, ledger_transfers.c.amount_fen),
        (ledger_transfers.c.from_account == side, -ledger_transfers.c.amount_fen),
        else_=0,
    )
    return func.sum(signed)


def _held_at(connection: Connection, account_id: str, moment: datetime) -> int:
    """Holds that were live then. A hold is raised only when it is captured: before, it was as placed."""
    placed = (
        select(func.max(matches.c.hold_fen)).where(matches.c.visit_id == holds.c.visit_id).scalar_subquery()
    )
    query = select(func.sum(func.coalesce(placed, holds.c.amount_fen))).where(
        holds.c.account_id == account_id,
        holds.c.placed_at <= moment,
        holds.c.closed_at.is_(None) | (holds.c.closed_at > moment),
    )
    return int(connection.execute(query).scalar() or 0)
