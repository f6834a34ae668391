"""Every row that tells of one visit, as plain values: what a dispute pack is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, or_, select

from wallet.chain import FORMATS, plain
from wallet.tables import (
    captures,
    departures,
    holds,
    matches,
    metadata,
    refunds,
    reviews,
    sales,
    seals,
    sightings,
    transfers,
    vehicles,
    visits,
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VisitRows:
    """Rows as they stand in the tables, times as text in UTC. chain: blocks with the seals they hold.

    review_actions: by table, whatever belongs to a review item of the visit.
    """

    visit: Row
    vehicle: Row
    holds: list[Row]
    sightings: list[Row]
    matches: list[Row]
    departures: list[Row]
    sales: list[Row]
    captures: list[Row]
    refunds: list[Row]
    transfers: list[Row]
    reviews: list[Row]
    review_actions: dict[str, list[Row]]
    chain: list[Row]


def rows_of_visit(connection: Connection, visit_id: str) -> VisitRows | None:
    """All of it; None where there is no such visit."""
    found = _rows(connection, visits, visits.c.id == visit_id)
    if not found:
        return None
    [visit] = found
    matched = _rows(connection, matches, matches.c.visit_id == visit_id)
    seen = [match["sighting_id"] for match in matched]
    moved = _rows(connection, transfers, transfers.c.visit_id == visit_id)
    refunded = _rows(connection, refunds, refunds.c.visit_id == visit_id)
    moved += [
        row
        for row in _rows(connection, transfers, transfers.c.refund_id.in_([one["id"] for one in refunded]))
        if row["id"] not in {one["id"] for one in moved}
    ]
    asked = _rows(connection, reviews, or_(reviews.c.visit_id == visit_id, reviews.c.sighting_id.in_(seen)))
    return VisitRows(
        visit=visit,
        vehicle=_rows(connection, vehicles, vehicles.c.id == visit["vehicle_id"])[0],
        holds=_rows(connection, holds, holds.c.visit_id == visit_id),
        sightings=_rows(connection, sightings, sightings.c.id.in_(seen)),
        matches=matched,
        departures=_rows(connection, departures, departures.c.sighting_id.in_(seen)),
        sales=_rows(connection, sales, sales.c.visit_id == visit_id),
        captures=_rows(connection, captures, captures.c.visit_id == visit_id),
        refunds=refunded,
        transfers=moved,
        reviews=asked,
        review_actions=_actions(connection, [item["id"] for item in asked]),
        chain=_blocks(connection, [row["id"] for row in (*moved, *refunded)]),
    )


def _actions(connection: Connection, review_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Rows of every table that speaks of these review items."""
    return {
        table.name: _rows(connection, table, table.c.review_id.in_(review_ids))
        for table in metadata.sorted_tables
        if "review_id" in table.c
    }


def _blocks(connection: Connection, row_ids: Sequence[str]) -> list[Row]:
    """The blocks that seal these rows, each with all its seals, in the order of the chain."""
    blocks = metadata.tables["blocks"]
    numbers = set(connection.execute(select(seals.c.block).where(seals.c.row_id.in_(row_ids))).scalars())
    found = []
    for block in _rows(connection, blocks, blocks.c.number.in_(numbers)):
        query = select(seals).where(seals.c.block == block["number"]).order_by(seals.c.place)
        sealed = [[row.sealed_table, row.row_id, row.row_hash] for row in connection.execute(query)]
        columns = {table: list(names) for table, names in FORMATS[block["format"]].items()}
        found.append({**block, "seals": sealed, "columns": columns})
    return sorted(found, key=lambda block: int(block["number"]))


def _rows(connection: Connection, table: Table, condition: ColumnElement[bool]) -> list[Row]:
    query = select(table).where(condition).order_by(*table.primary_key)
    return [{name: plain(value) for name, value in row._mapping.items()} for row in connection.execute(query)]
