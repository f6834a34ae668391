"""Rows of what was taken from wallets (captures, charges) and of what was given back of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select

from wallet.ledger import Part
from wallet.store.database import add
from wallet.tables import captures, charges, refunds, transfers


@dataclass(frozen=True, slots=True)
class Debit:
    """Money that was taken once, by a capture (visit_id, sale_id) or a charge (charge_id).

    is_own_transfer: the charge's row is the transfer.
    """

    visit_id: str | None
    charge_id: str | None
    sale_id: str | None
    account_id: str
    station: str
    amount_fen: int
    bonus_fen: int
    principal_fen: int
    is_own_transfer: bool = False

    @property
    def name(self) -> str:
        """What its transfers are named after."""
        return (
            f"capture:{self.station}/{self.sale_id}" if self.charge_id is None else f"charge:{self.charge_id}"
        )


@dataclass(frozen=True, slots=True)
class GivenBack:
    """How much of a debit was given back so far, in how many refunds."""

    count: int
    refunded_fen: int
    bonus_fen: int
    is_reversed: bool


@dataclass(frozen=True, slots=True)
class RefundRow:
    """One refund as it is stored. number: its place among those of its debit, from 1."""

    id: str
    kind: Literal["refund", "reversal"]
    number: int
    bonus_fen: int
    principal_fen: int
    refunded_fen: int
    reason: str


def find_capture(connection: Connection, visit_id: str) -> Debit | None:
    """What was taken for a visit."""
    row = connection.execute(select(captures).where(captures.c.visit_id == visit_id)).one_or_none()
    if row is None:
        return None
    return Debit(
        row.visit_id,
        None,
        row.sale_id,
        row.account_id,
        row.station,
        row.amount_fen,
        row.bonus_fen,
        row.principal_fen,
    )


def find_charge(connection: Connection, charge_id: str) -> Debit | None:
    """What was taken by a charge; None for one that was rejected too."""
    query = select(charges).where(charges.c.id == charge_id, charges.c.code.is_(None))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Debit(
        None,
        row.id,
        None,
        row.account_id,
        row.station,
        row.amount_fen,
        row.bonus_fen,
        row.principal_fen,
        is_own_transfer=row.part is not None,
    )


def transfers_of(connection: Connection, debit: Debit) -> dict[Part, str]:
    """Ids of the transfers that took the parts of a debit, by part."""
    if debit.is_own_transfer and debit.charge_id is not None:
        return {"bonus" if debit.bonus_fen else "principal": debit.charge_id}
    parts: tuple[Part, ...] = ("bonus", "principal")
    names = {f"{debit.name}:{part}": part for part in parts}
    query = select(transfers.c.name, transfers.c.id).where(transfers.c.name.in_(list(names)))
    return {names[row.name]: row.id for row in connection.execute(query)}


def given_back(connection: Connection, debit: Debit) -> GivenBack:
    """What was given back of a debit whose wallet is locked."""
    mine = (
        refunds.c.visit_id == debit.visit_id
        if debit.charge_id is None
        else refunds.c.charge_id == debit.charge_id
    )
    rows = connection.execute(
        select(refunds.c.number, refunds.c.kind, refunds.c.refunded_fen, refunds.c.bonus_fen).where(mine)
    ).all()
    return GivenBack(
        count=max((row.number for row in rows), default=0),
        refunded_fen=max((row.refunded_fen for row in rows), default=0),
        bonus_fen=sum(row.bonus_fen for row in rows),
        is_reversed=any(row.kind == "reversal" for row in rows),
    )


def add_refund(connection: Connection, debit: Debit, row: RefundRow, now: datetime) -> None:
    """Writes a refund of a debit whose wallet is locked."""
    add(
        connection,
        refunds,
        id=row.id,
        kind=row.kind,
        visit_id=debit.visit_id,
        charge_id=debit.charge_id,
        account_id=debit.account_id,
        number=row.number,
        amount_fen=row.bonus_fen + row.principal_fen,
        bonus_fen=row.bonus_fen,
        principal_fen=row.principal_fen,
        refunded_fen=row.refunded_fen,
        debited_fen=debit.amount_fen,
        reason=row.reason,
        recorded_at=now,
    )
