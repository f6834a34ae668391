"""Rows of adjustments and of what a second person decided about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, select

from wallet.ledger import Part
from wallet.store.database import add
from wallet.tables import adjustment_decisions, adjustments

Decision = Literal["approved", "declined"]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change of a wallet that one person proposed; decision: None while it waits for another."""

    id: str
    account_id: str
    part: Part
    change_fen: int
    reason: str
    proposed_by: str
    proposed_at: datetime
    decision: Decision | None
    decided_by: str | None
    decided_at: datetime | None


def add_adjustment(connection: Connection, adjustment: Adjustment) -> None:
    """Writes a proposal."""
    add(
        connection,
        adjustments,
        id=adjustment.id,
        account_id=adjustment.account_id,
        part=adjustment.part,
        change_fen=adjustment.change_fen,
        reason=adjustment.reason,
        proposed_by=adjustment.proposed_by,
        recorded_at=adjustment.proposed_at,
    )


def add_decision(
    connection: Connection,
    decision_id: str,
    adjustment: Adjustment,
    decision: Decision,
    decided_by: str,
    now: datetime,
) -> None:
    """Writes what a second person decided, once for each adjustment."""
    add(
        connection,
        adjustment_decisions,
        id=decision_id,
        adjustment_id=adjustment.id,
        proposed_by=adjustment.proposed_by,
        decided_by=decided_by,
        decision=decision,
        recorded_at=now,
    )


def find_adjustment(connection: Connection, adjustment_id: str) -> Adjustment | None:
    """The adjustment with this id."""
    row = connection.execute(_all().where(adjustments.c.id == adjustment_id)).one_or_none()
    return None if row is None else _adjustment(row)


def list_adjustments(
    connection: Connection, *, is_open: bool | None, limit: int, before: str | None
) -> list[Adjustment]:
    """Adjustments, newest first, older than the one with the id `before`; is_open: those that wait."""
    query = _all().order_by(adjustments.c.id.desc()).limit(limit)
    if is_open is not None:
        undecided = adjustment_decisions.c.id.is_(None)
        query = query.where(undecided if is_open else ~undecided)
    if before is not None:
        query = query.where(adjustments.c.id < before)
    return [_adjustment(row) for row in connection.execute(query)]


def _all() -> Select[Any]:
    return select(
        adjustments,
        adjustment_decisions.c.decision,
        adjustment_decisions.c.decided_by,
        adjustment_decisions.c.recorded_at.label("decided_at"),
    ).join(adjustment_decisions, adjustment_decisions.c.adjustment_id == adjustments.c.id, isouter=True)


def _adjustment(row: Row[tuple[object, ...]]) -> Adjustment:
    return Adjustment(
        id=row.id,
        account_id=row.account_id,
        part=row.part,
        change_fen=row.change_fen,
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_at=row.recorded_at,
        decision=row.decision,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
