"""Rows that say how often a car came, and what usually comes to a station."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy import Row as SqlRow
from sqlalchemy.sql import ClauseElement

from wallet.store.lists import statement_among
from wallet.store.statements import Statement, insert_new
from wallet.tables import matches, refunds, sightings, vehicles, visits
from wallet.twin_tables import nightly_counts, station_traffic

_REVERSED = exists().where(refunds.c.visit_id == visits.c.id, refunds.c.kind == literal_column("'reversal'"))


def _paid(among: ColumnElement[bool]) -> ClauseElement:
    return (
        select(visits.c.vehicle_id, visits.c.station, func.count().label("stays"))
        .where(
            among,
            visits.c.opened_at >= bindparam("since", type_=visits.c.opened_at.type),
            # Written out: SQLite plans anew each time where a value might make a partial index fit.
            visits.c.state == literal_column("'captured'"),
            ~_REVERSED,
        )
        .group_by(visits.c.vehicle_id, visits.c.station)
    )


_PAID = statement_among(_paid, visits.c.vehicle_id, "vehicle_ids")
# Most readings have one plate near them.
_PAID_BY_ONE = Statement(_paid(visits.c.vehicle_id == bindparam("vehicle_id")))


def paid_visits(
    connection: Connection, vehicle_ids: Sequence[str], since: datetime
) -> dict[tuple[str, str], int]:
    """Stays by vehicle and station that were paid for since then and not reversed.

    A debit that was taken back may have been another car's: it makes no habit.
    """
    if not vehicle_ids:
        return {}
    if len(vehicle_ids) == 1:
        rows = _PAID_BY_ONE.all(connection, vehicle_id=vehicle_ids[0], since=since)
    else:
        rows = _PAID.all(connection, vehicle_ids=list(vehicle_ids), since=since)
    return {(row.vehicle_id, row.station): int(row.stays) for row in rows}


def count_registered(connection: Connection) -> int:
    """Plates that are bound now."""
    query = select(func.count()).select_from(vehicles).where(vehicles.c.unbound_at.is_(None))
    return int(connection.execute(query).scalar_one())


def count_traffic(connection: Connection, since: datetime) -> list[tuple[str, str, int, int]]:
    """Station, prefix, cars and customers among what was decided since then; the prefix "" has all.

    A car is a customer where the match was surely one; several sightings of one stay count as often.
    """
    prefix = func.substr(sightings.c.text, 1, 2)
    is_customer = case((matches.c.outcome == "auto", 1), else_=0)
    query = (
        select(sightings.c.station, prefix, func.count(), func.sum(is_customer))
        .join(matches, matches.c.sighting_id == sightings.c.id)
        .where(matches.c.decided_at >= since, sightings.c.text.is_not(None))
        .group_by(sightings.c.station, prefix)
    )
    rows = [(str(row[0]), str(row[1]), int(row[2]), int(row[3])) for row in connection.execute(query)]
    totals: dict[str, tuple[int, int]] = {}
    for station, _, cars, customers in rows:
        known = totals.get(station, (0, 0))
        totals[station] = (known[0] + cars, known[1] + customers)
    return rows + [(station, "", cars, customers) for station, (cars, customers) in totals.items()]


def save_traffic(
    connection: Connection, rows: Sequence[tuple[str, str, int, int]], counted_at: datetime
) -> None:
    """The new counts; what was counted before and does not come any more is counted as none."""
    known = {(row.station, row.prefix) for row in connection.execute(select(station_traffic))}
    counted = {(station, prefix) for station, prefix, _, _ in rows}
    gone = [(station, prefix, 0, 0) for station, prefix in known - counted]
    for station, prefix, cars, customers in [*rows, *gone]:
        values = {"cars": cars, "customers": customers, "counted_at": counted_at}
        if (station, prefix) in known:
            here = (station_traffic.c.station == station) & (station_traffic.c.prefix == prefix)
            connection.execute(update(station_traffic).where(here).values(**values))
        else:
            insert_new(connection, station_traffic, station=station, prefix=prefix, **values)


def traffic_rows(connection: Connection, station: str) -> list[SqlRow[tuple[object, ...]]]:
    """The counts of a station, its total too."""
    query = select(station_traffic).where(station_traffic.c.station == station, station_traffic.c.cars > 0)
    return list(connection.execute(query))


def note_count(connection: Connection, name: str, found: int, now: datetime) -> None:
    """That this count was done now, with what it found."""
    if not insert_new(connection, nightly_counts, name=name, found=found, done_at=now):
        connection.execute(
            update(nightly_counts).where(nightly_counts.c.name == name).values(found=found, done_at=now)
        )


def last_count(connection: Connection, name: str) -> tuple[int, datetime] | None:
    """What this count found last, and when."""
    row = connection.execute(select(nightly_counts).where(nightly_counts.c.name == name)).one_or_none()
    return None if row is None else (int(row.found), row.done_at)
