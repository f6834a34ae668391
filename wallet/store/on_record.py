"""Whether there is anything on record that could speak against a debit: one look in the place of several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    String,
    bindparam,
    exists,
    literal_column,
    select,
)

from wallet.facts import Vehicle
from wallet.store.statements import Statement
from wallet.tables import corrections, limits, matches, plate_stops, sales, sightings, station_tariffs
from wallet.twin_tables import twins


@dataclass(frozen=True, slots=True)
class OnRecord:
    """False: there is no such row, so that nobody need look for one; True: there is, or nobody has looked.

    corrections, twins, stops: of the plate. limits: of the vehicle or its account. tariffs: of the station.
    looks: sightings that were taken for the plate; elsewhere: at another station. waiting: sales that wait at
    the pump for their car.
    """

    corrections: bool = True
    twins: bool = True
    stops: bool = True
    limits: bool = True
    tariffs: bool = True
    looks: bool = True
    elsewhere: bool = True
    waiting: bool = True


NOBODY_LOOKED = OnRecord()

_PLATE: BindParameter[str] = bindparam("plate", type_=String)
_VEHICLE: BindParameter[str] = bindparam("vehicle_id", type_=String)
_STATION: BindParameter[str] = bindparam("station", type_=String)
_LOOKS = (matches.c.plate == _PLATE, matches.c.decided_at >= bindparam("since"))


def _any(name: str, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(literal_column("1")).where(*conditions).label(name)


_ON_RECORD = Statement(
    select(
        _any("corrections", corrections.c.plate == _PLATE),
        _any("first_twin", twins.c.first_vehicle_id == _VEHICLE),
        _any("second_twin", twins.c.second_vehicle_id == _VEHICLE),
        _any("stops", plate_stops.c.plate == _PLATE),
        _any("vehicle_limits", limits.c.subject == _VEHICLE),
        _any("account_limits", limits.c.subject == bindparam("account_id")),
        _any("tariffs", station_tariffs.c.station == _STATION),
        _any("looks", *_LOOKS),
        _any("elsewhere", *_LOOKS, sightings.c.id == matches.c.sighting_id, sightings.c.station != _STATION),
        _any(
            "waiting",
            sales.c.station == _STATION,
            sales.c.pump == bindparam("pump", type_=String),
            # Written out, so that the planner sees that the index of waiting sales will do.
            sales.c.state == literal_column("'waiting'"),
        ),
    )
)


def on_record(
    connection: Connection, vehicle: Vehicle, station: str, pump: str | None, since: datetime
) -> OnRecord:
    """What there is about a vehicle; its wallet and the pump are locked. since: when looks were decided."""
    found = _ON_RECORD.one(
        connection,
        plate=vehicle.plate,
        vehicle_id=vehicle.id,
        account_id=vehicle.account_id,
        station=station,
        pump=pump,
        since=since,
    )
    return OnRecord(
        corrections=bool(found.corrections),
        twins=bool(found.first_twin or found.second_twin),
        stops=bool(found.stops),
        limits=bool(found.vehicle_limits or found.account_limits),
        tariffs=bool(found.tariffs),
        looks=bool(found.looks),
        elsewhere=bool(found.elsewhere),
        waiting=bool(found.waiting),
    )
