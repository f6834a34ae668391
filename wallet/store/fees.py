"""Rows of fees: terms, settlements with their lines, and the sales and refunds that blocks seal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Select, case, func, literal, or_, select, text, tuple_

from wallet.fee_facts import FeeLine, FeeSettlement, FeeTerms
from wallet.fees import Move
from wallet.ledger import fee, revenue
from wallet.store.statements import add, insert_new
from wallet.tables import (
    blocks,
    captures,
    charges,
    fee_lines,
    fee_settlements,
    fee_terms,
    ledger_transfers,
    refunds,
    seals,
    transfers,
)

# Whoever settles or changes terms takes turns; the number only has to be ours.
_POSTGRESQL_LOCK = 7_528_361


def take_turn(connection: Connection) -> None:
    """Waits until nobody else settles or changes terms; held until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})


def state(connection: Connection) -> tuple[int, int]:
    """(how many terms, how many settlements) there are: none ever goes, so the same says nothing is new."""
    terms, settled = (
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (fee_terms, fee_settlements)
    )
    return int(terms), int(settled)


# Terms ------------------------------------------------------------------------------------------------------


def add_terms(connection: Connection, terms: FeeTerms) -> bool:
    """Writes terms unless there are some of that station and moment; says whether it did."""
    return insert_new(
        connection,
        fee_terms,
        id=terms.id,
        station=terms.station,
        rate_ppm=terms.rate_ppm,
        fixed_fen=terms.fixed_fen,
        valid_from=terms.valid_from,
        reason=terms.reason,
        actor=terms.actor,
        recorded_at=terms.recorded_at,
    )


def list_terms(connection: Connection, station: str | None) -> dict[str, list[FeeTerms]]:
    """All terms, or one station's, by station; those that come into force first come first."""
    query = select(fee_terms).order_by(fee_terms.c.station, fee_terms.c.valid_from)
    if station is not None:
        query = query.where(fee_terms.c.station == station)
    found: dict[str, list[FeeTerms]] = {}
    for row in connection.execute(query):
        terms = FeeTerms(
            row.id,
            row.station,
            row.rate_ppm,
            row.fixed_fen,
            row.valid_from,
            row.reason,
            row.actor,
            row.recorded_at,
        )
        found.setdefault(terms.station, []).append(terms)
    return found


# Settlements ------------------------------------------------------------------------------------------------


def add_settlement(connection: Connection, settled: FeeSettlement) -> None:
    """Writes a settlement with its lines; its transfer is there."""
    add(
        connection,
        fee_settlements,
        id=settled.id,
        station=settled.station,
        number=settled.number,
        after_block=settled.after_block,
        to_block=settled.to_block,
        debits=settled.debits,
        refunds=settled.refunds,
        debited_fen=settled.debited_fen,
        refunded_fen=settled.refunded_fen,
        fee_fen=settled.fee_fen,
        latest_at=settled.latest_at,
        transfer_id=settled.transfer_id,
        command_key=settled.command_key,
        actor=settled.actor,
        recorded_at=settled.recorded_at,
    )
    for line in settled.lines:
        add(
            connection,
            fee_lines,
            id=line.id,
            settlement_id=settled.id,
            terms_id=line.terms_id,
            debits=line.debits,
            refunds=line.refunds,
            debited_fen=line.debited_fen,
            refunded_fen=line.refunded_fen,
            fee_fen=line.fee_fen,
        )


def heads(connection: Connection, station: str | None) -> dict[str, tuple[int, int]]:
    """(number, last block) of the newest settlement of each station, or of one."""
    query = select(
        fee_settlements.c.station,
        func.max(fee_settlements.c.number).label("number"),
        func.max(fee_settlements.c.to_block).label("to_block"),
    ).group_by(fee_settlements.c.station)
    if station is not None:
        query = query.where(fee_settlements.c.station == station)
    return {row.station: (int(row.number), int(row.to_block)) for row in connection.execute(query)}


def latest_debit(connection: Connection, station: str) -> datetime | None:
    """When the newest sale of a station was recorded that a settlement has counted."""
    query = select(func.max(fee_settlements.c.latest_at)).where(fee_settlements.c.station == station)
    found: datetime | None = connection.execute(query).scalar_one()
    return found


def list_settlements(
    connection: Connection, station: str | None, most: int, before: tuple[str, int] | None = None
) -> list[FeeSettlement]:
    """Settlements, of each station the newest first; before: (station, number) of the last one shown."""
    order = (fee_settlements.c.station.desc(), fee_settlements.c.number.desc())
    query = select(fee_settlements).order_by(*order).limit(most)
    if station is not None:
        query = query.where(fee_settlements.c.station == station)
    if before is not None:
        query = query.where(tuple_(fee_settlements.c.station, fee_settlements.c.number) < tuple_(*before))
    rows = connection.execute(query).all()
    lines = _lines_of(connection, [row.id for row in rows])
    return [_settlement(row, tuple(lines.get(row.id, ()))) for row in rows]


def _lines_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[FeeLine]]:
    query = (
        select(fee_lines)
        .join(fee_terms, fee_terms.c.id == fee_lines.c.terms_id)
        .where(fee_lines.c.settlement_id.in_(ids))
        .order_by(fee_terms.c.valid_from)
    )
    found: dict[str, list[FeeLine]] = {}
    for row in connection.execute(query):
        line = FeeLine(
            row.id, row.terms_id, row.debits, row.refunds, row.debited_fen, row.refunded_fen, row.fee_fen
        )
        found.setdefault(row.settlement_id, []).append(line)
    return found


def _settlement(row: Row[tuple[object, ...]], lines: tuple[FeeLine, ...]) -> FeeSettlement:
    return FeeSettlement(
        id=row.id,
        station=row.station,
        number=row.number,
        after_block=row.after_block,
        to_block=row.to_block,
        debits=row.debits,
        refunds=row.refunds,
        debited_fen=row.debited_fen,
        refunded_fen=row.refunded_fen,
        fee_fen=row.fee_fen,
        latest_at=row.latest_at,
        transfer_id=row.transfer_id,
        command_key=row.command_key,
        actor=row.actor,
        recorded_at=row.recorded_at,
        lines=lines,
    )


# What is covered --------------------------------------------------------------------------------------------


def last_block(connection: Connection, through: datetime | None) -> int:
    """The newest block that was sealed by this moment of the database's clock (None: at all); 0: none."""
    query = select(func.coalesce(func.max(blocks.c.number), 0))
    if through is not None:
        query = query.where(blocks.c.sealed_at <= through)
    return int(connection.execute(query).scalar_one())


def moves(connection: Connection, after: int, to: int, station: str | None) -> Iterator[Move]:
    """Sales and refunds that the blocks after `after` up to `to` seal, at stations that have terms.

    A capture counts where its first transfer is sealed (its bonus, where a bonus paid), a charge and a refund
    where their own row is: once each, however many transfers moved the money.
    """
    for query, where in ((_CAPTURES, captures.c.station), (_CHARGES, charges.c.station), (_REFUNDS, _WHERE)):
        asked = query.where(seals.c.block > after, seals.c.block <= to)
        mine = where == station if station is not None else where.in_(select(fee_terms.c.station))
        for row in connection.execute(asked.where(mine)):
            yield Move(row.station, row.block, row.debit_at, row.was_fen, row.left_fen)


def _sealed(name: str) -> Select[tuple[int]]:
    # Joined to nothing, so that the index of blocks is taken and not the key: that has every seal of a table.
    return select(seals.c.block).where(seals.c.sealed_table.concat("") == name)


_CAPTURES = (
    _sealed("transfers")
    .add_columns(
        captures.c.station,
        captures.c.captured_at.label("debit_at"),
        literal(0).label("was_fen"),
        captures.c.amount_fen.label("left_fen"),
    )
    .join(transfers, transfers.c.id == seals.c.row_id)
    .join(captures, captures.c.visit_id == transfers.c.visit_id)
    .where(
        transfers.c.kind == "capture",
        or_(captures.c.bonus_fen == 0, transfers.c.from_account.like("%:bonus")),
    )
)
_CHARGES = (
    _sealed("charges")
    .add_columns(
        charges.c.station,
        charges.c.charged_at.label("debit_at"),
        literal(0).label("was_fen"),
        charges.c.amount_fen.label("left_fen"),
    )
    .join(charges, charges.c.id == seals.c.row_id)
    .where(charges.c.code.is_(None))
)
_WHERE = func.coalesce(captures.c.station, charges.c.station)
_LEFT = refunds.c.debited_fen - refunds.c.refunded_fen
_REFUNDS = (
    _sealed("refunds")
    .add_columns(
        _WHERE.label("station"),
        func.coalesce(captures.c.captured_at, charges.c.charged_at).label("debit_at"),
        (_LEFT + refunds.c.amount_fen).label("was_fen"),
        _LEFT.label("left_fen"),
    )
    .join(refunds, refunds.c.id == seals.c.row_id)
    .join(captures, captures.c.visit_id == refunds.c.visit_id, isouter=True)
    .join(charges, charges.c.id == refunds.c.charge_id, isouter=True)
)


def balances(connection: Connection, station: str) -> tuple[int, int]:
    """(revenue, fee) of a station in fen, from all transfers there are: it reads the whole ledger."""
    sums = []
    for name in (revenue(station), fee(station)):
        into = case((ledger_transfers.c.to_account == name, ledger_transfers.c.amount_fen), else_=0)
        out = case((ledger_transfers.c.from_account == name, ledger_transfers.c.amount_fen), else_=0)
        sums.append(func.coalesce(func.sum(into - out), 0))
    revenue_fen, fee_fen = connection.execute(select(*sums).select_from(ledger_transfers)).one()
    return int(revenue_fen), int(fee_fen)
