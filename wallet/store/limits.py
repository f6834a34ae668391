"""Rows of limits and of what is used of them, of guarantees, prices and tariffs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, func, select

from wallet.limit_facts import Limits, LimitsRow, StationPrice, StationTariff, Used
from wallet.store.statements import Statement, add, insert_new
from wallet.tables import guarantees, holds, limits, refunds, station_prices, station_tariffs, visits

_NAMED = ("grades", "stations")


_EVERY = limits.alias("every")
_LAST = select(func.max(_EVERY.c.number)).where(_EVERY.c.subject == limits.c.subject).scalar_subquery()
_NEWEST = Statement(
    select(limits)
    .where(
        (limits.c.subject == bindparam("vehicle_id")) | (limits.c.subject == bindparam("account_id")),
        limits.c.number == _LAST,
    )
    .order_by(limits.c.vehicle_id.is_(None))
)


def newest(connection: Connection, vehicle_id: str, account_id: str) -> list[LimitsRow]:
    """The limits that hold now for a vehicle, then those for its account; either may not be there."""
    rows = _NEWEST.all(connection, vehicle_id=vehicle_id, account_id=account_id)
    return [limits_from(row) for row in rows]


def history(connection: Connection, subject: str, most: int) -> list[LimitsRow]:
    """All limits a vehicle or account ever had, newest first."""
    query = select(limits).where(limits.c.subject == subject).order_by(limits.c.number.desc()).limit(most)
    return [limits_from(row) for row in connection.execute(query)]


def add_limits(connection: Connection, row: LimitsRow) -> None:
    """Writes the next limits of a vehicle or account."""
    said = asdict(row.limits)
    for what in _NAMED:
        said[what] = None if said[what] is None else list(said[what])
    add(
        connection,
        limits,
        id=row.id,
        subject=row.subject,
        number=row.number,
        account_id=row.account_id,
        vehicle_id=row.vehicle_id,
        actor=row.actor,
        recorded_at=row.recorded_at,
        **said,
    )


def used_of(
    connection: Connection, row: LimitsRow, first: datetime, last: datetime, without: Sequence[str]
) -> Used:
    """What stays that began in [first, last) have taken or hold, refunds taken off.

    The wallet is locked. without: ids of visits that do not count.
    """
    back = select(func.max(refunds.c.refunded_fen)).where(refunds.c.visit_id == visits.c.id).scalar_subquery()
    query = (
        select(
            holds.c.state, holds.c.amount_fen, holds.c.captured_fen, func.coalesce(back, 0).label("back_fen")
        )
        .join(visits, visits.c.id == holds.c.visit_id)
        .where(
            visits.c.account_id == row.account_id,
            visits.c.opened_at >= first,
            visits.c.opened_at < last,
            visits.c.id.not_in(list(without)),
            holds.c.state != "voided",
        )
    )
    if row.vehicle_id is not None:
        query = query.where(visits.c.vehicle_id == row.vehicle_id)
    parts_fen = [
        found.amount_fen if found.state == "live" else found.captured_fen - found.back_fen
        for found in connection.execute(query)
    ]
    return Used(sum(parts_fen), sum(part_fen > 0 for part_fen in parts_fen))


def add_guarantee(connection: Connection, visit_id: str, rows: Sequence[LimitsRow], now: datetime) -> None:
    """Writes under which limits a visit was opened."""
    ids = {row.vehicle_id is None: row.id for row in rows}
    add(
        connection,
        guarantees,
        visit_id=visit_id,
        vehicle_limits_id=ids.get(False),
        account_limits_id=ids.get(True),
        recorded_at=now,
    )


_GUARANTEE = Statement(
    select(limits)
    .join(
        guarantees,
        (limits.c.id == guarantees.c.vehicle_limits_id) | (limits.c.id == guarantees.c.account_limits_id),
    )
    .where(guarantees.c.visit_id == bindparam("visit_id"))
    .order_by(limits.c.vehicle_id.is_(None))
)


def guarantee_of(connection: Connection, visit_id: str) -> list[LimitsRow]:
    """The limits a visit was opened under, those of its vehicle first; none where there were none."""
    return [limits_from(row) for row in _GUARANTEE.all(connection, visit_id=visit_id)]


def limits_from(row: Row[tuple[object, ...]]) -> LimitsRow:
    """A row of limits as a value."""
    return LimitsRow(
        id=row.id,
        number=row.number,
        account_id=row.account_id,
        vehicle_id=row.vehicle_id,
        limits=Limits(
            grades=None if row.grades is None else tuple(row.grades),
            litres_per_fill_ml=row.litres_per_fill_ml,
            amount_per_fill_fen=row.amount_per_fill_fen,
            amount_per_day_fen=row.amount_per_day_fen,
            fills_per_day=row.fills_per_day,
            stations=None if row.stations is None else tuple(row.stations),
            opens_minute=row.opens_minute,
            closes_minute=row.closes_minute,
            zone=row.zone,
            tank_ml=row.tank_ml,
            fuel=row.fuel,
        ),
        actor=row.actor,
        recorded_at=row.recorded_at,
    )


# Prices and tariffs -----------------------------------------------------------------------------------------


def add_price(connection: Connection, price: StationPrice) -> bool:
    """Writes a price unless there is one of that grade and moment; says whether it did."""
    return insert_new(
        connection,
        station_prices,
        id=price.id,
        station=price.station,
        grade=price.grade,
        unit_price_fen=price.unit_price_fen,
        valid_from=price.valid_from,
        actor=price.actor,
        recorded_at=price.recorded_at,
    )


def prices_at(connection: Connection, station: str, moment: datetime) -> dict[str, int]:
    """Fen a litre of every grade whose price at the station was known for that moment."""
    query = (
        select(station_prices.c.grade, station_prices.c.unit_price_fen)
        .where(station_prices.c.station == station, station_prices.c.valid_from <= moment)
        .order_by(station_prices.c.valid_from)
    )
    return {row.grade: row.unit_price_fen for row in connection.execute(query)}


_PRICE = Statement(
    select(station_prices.c.unit_price_fen)
    .where(
        station_prices.c.station == bindparam("station"),
        station_prices.c.grade == bindparam("grade"),
        station_prices.c.valid_from <= bindparam("moment"),
    )
    .order_by(station_prices.c.valid_from.desc())
    .limit(1)
)


def price_at(connection: Connection, station: str, grade: str, moment: datetime) -> int | None:
    """Fen a litre of a grade at that moment, where it is known."""
    row = _PRICE.first(connection, station=station, grade=grade, moment=moment)
    return None if row is None else int(row.unit_price_fen)


def list_prices(connection: Connection, station: str, most: int) -> list[StationPrice]:
    """Prices of a station, those that come into force last first."""
    query = (
        select(station_prices)
        .where(station_prices.c.station == station)
        .order_by(station_prices.c.valid_from.desc(), station_prices.c.grade)
        .limit(most)
    )
    return [
        StationPrice(
            row.id, row.station, row.grade, row.unit_price_fen, row.valid_from, row.actor, row.recorded_at
        )
        for row in connection.execute(query)
    ]


def add_tariff(connection: Connection, tariff: StationTariff) -> bool:
    """Writes a tariff unless there is one of that moment; says whether it did."""
    return insert_new(
        connection,
        station_tariffs,
        id=tariff.id,
        station=tariff.station,
        what=tariff.what,
        amount_fen=tariff.amount_fen,
        valid_from=tariff.valid_from,
        actor=tariff.actor,
        recorded_at=tariff.recorded_at,
    )


_TARIFF = Statement(
    select(station_tariffs)
    .where(
        station_tariffs.c.station == bindparam("station"), station_tariffs.c.valid_from <= bindparam("moment")
    )
    .order_by(station_tariffs.c.valid_from.desc())
    .limit(1)
)


def tariff_at(connection: Connection, station: str, moment: datetime) -> StationTariff | None:
    """The tariff of a station at that moment; also one that says that there is none (0 fen)."""
    row = _TARIFF.first(connection, station=station, moment=moment)
    return None if row is None else tariff_from(row)


def list_tariffs(connection: Connection, station: str, most: int) -> list[StationTariff]:
    """Tariffs of a station, the one that comes into force last first."""
    query = (
        select(station_tariffs)
        .where(station_tariffs.c.station == station)
        .order_by(station_tariffs.c.valid_from.desc())
        .limit(most)
    )
    return [tariff_from(row) for row in connection.execute(query)]


def tariff_from(row: Row[tuple[object, ...]]) -> StationTariff:
    """A row of tariffs as a value."""
    return StationTariff(
        row.id, row.station, row.what, row.amount_fen, row.valid_from, row.actor, row.recorded_at
    )
