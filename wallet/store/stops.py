"""Rows of stopped plates, of places of stations, and of where else a plate was seen."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Integer, Row, bindparam, func, select, update

from wallet.facts import Visit
from wallet.limit_facts import Place, Seen, Stop
from wallet.store.forecourt import visit_from, visits_with_money
from wallet.store.statements import Statement, insert_new
from wallet.tables import (
    departures,
    matches,
    plate_releases,
    plate_stops,
    sightings,
    station_places,
    vehicles,
    visits,
)


def add_stop(connection: Connection, stop: Stop) -> bool:
    """Writes a stop unless its cause has stopped the plate before; says whether it did."""
    return insert_new(
        connection,
        plate_stops,
        id=stop.id,
        kind=stop.kind,
        cause=stop.cause,
        plate=stop.plate,
        vehicle_id=stop.vehicle_id,
        account_id=stop.account_id,
        reason=stop.reason,
        actor=stop.actor,
        stopped_at=stop.stopped_at,
    )


_STOPS = (
    select(
        plate_stops,
        plate_releases.c.released_at,
        plate_releases.c.actor.label("released_by"),
        plate_releases.c.reason.label("release_reason"),
    )
    .join(plate_releases, plate_releases.c.stop_id == plate_stops.c.id, isouter=True)
    .where(plate_stops.c.plate == bindparam("plate"))
    .order_by(plate_stops.c.stopped_at, plate_stops.c.id)
)
_ALL_STOPS = Statement(_STOPS)
_OPEN_STOPS = Statement(_STOPS.where(plate_releases.c.stop_id.is_(None)))


def stops_of(connection: Connection, plate: str, *, only_open: bool) -> list[Stop]:
    """Stops of a plate, oldest first; only_open: those that nobody has released."""
    statement = _OPEN_STOPS if only_open else _ALL_STOPS
    return [_stop(row) for row in statement.all(connection, plate=plate)]


def find_stop(connection: Connection, stop_id: str) -> Stop | None:
    """The stop with this id, released or not."""
    row = connection.execute(
        select(plate_stops.c.plate).where(plate_stops.c.id == stop_id)
    ).scalar_one_or_none()
    if row is None:
        return None
    return next(stop for stop in stops_of(connection, row, only_open=False) if stop.id == stop_id)


def add_release(connection: Connection, stop_id: str, reason: str, actor: str, now: datetime) -> bool:
    """Writes that a stop is over unless it was before; says whether it did."""
    return insert_new(
        connection, plate_releases, stop_id=stop_id, reason=reason, actor=actor, released_at=now
    )


def open_visits_of(connection: Connection, vehicle_id: str) -> list[Visit]:
    """Open visits of a vehicle anywhere."""
    query = (
        visits_with_money()
        .where(visits.c.vehicle_id == vehicle_id, visits.c.state == "open")
        .order_by(visits.c.id)
    )
    return [visit_from(row) for row in connection.execute(query)]


def newest_vehicle(connection: Connection, plate: str) -> tuple[str, str] | None:
    """(vehicle id, account id) of the plate's newest binding, ended or not."""
    query = (
        select(vehicles.c.id, vehicles.c.account_id)
        .where(vehicles.c.plate == plate)
        .order_by(vehicles.c.unbound_at.is_(None).desc(), vehicles.c.bound_at.desc(), vehicles.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.id, row.account_id)


# Where stations are, and where a plate was seen -------------------------------------------------------------


def place_station(connection: Connection, place: Place, actor: str, now: datetime) -> None:
    """Writes where a station is; another place than before replaces it."""
    values = {
        "latitude_udeg": place.latitude_udeg,
        "longitude_udeg": place.longitude_udeg,
        "actor": actor,
        "recorded_at": now,
    }
    if insert_new(connection, station_places, station=place.station, **values):
        return
    connection.execute(
        update(station_places).where(station_places.c.station == place.station).values(**values)
    )


def place_of(connection: Connection, station: str) -> Place | None:
    """Where a station is, if that is known."""
    row = connection.execute(select(station_places).where(station_places.c.station == station)).one_or_none()
    return None if row is None else Place(row.station, row.latitude_udeg, row.longitude_udeg)


_SEEN_ELSEWHERE = Statement(
    select(
        sightings.c.station,
        sightings.c.first_seen_at,
        sightings.c.last_seen_at,
        departures.c.left_at,
        station_places.c.latitude_udeg,
        station_places.c.longitude_udeg,
    )
    .join(matches, matches.c.sighting_id == sightings.c.id)
    .join(departures, departures.c.sighting_id == sightings.c.id, isouter=True)
    .join(station_places, station_places.c.station == sightings.c.station)
    .where(
        matches.c.plate == bindparam("plate"),
        matches.c.decided_at >= bindparam("since"),
        sightings.c.text == bindparam("plate"),
        sightings.c.station != bindparam("station"),
        sightings.c.wrong_ppm <= bindparam("wrong_ppm"),
    )
    .order_by(matches.c.decided_at.desc())
    .limit(bindparam("most", type_=Integer))
)


def seen_elsewhere(
    connection: Connection, plate: str, station: str, since: datetime, wrong_ppm: int, most: int = 20
) -> list[Seen]:
    """Where this very plate was surely read at other stations whose place is known, since then; newest first.

    wrong_ppm: a reading likelier wrong than this says nothing. A car is there until its departure, if known.
    """
    rows = _SEEN_ELSEWHERE.all(
        connection, plate=plate, since=since, station=station, wrong_ppm=wrong_ppm, most=most
    )
    return [
        Seen(
            row.station,
            row.first_seen_at,
            row.left_at or row.last_seen_at,
            Place(row.station, row.latitude_udeg, row.longitude_udeg),
        )
        for row in rows
    ]


def seen_in_colour(
    connection: Connection, plate: str, colour: str, since: datetime, wrong_ppm: int, without: str
) -> int:
    """How many sightings since then surely read this very plate in that colour, `without` not counted."""
    query = (
        select(func.count())
        .select_from(sightings)
        .join(matches, matches.c.sighting_id == sightings.c.id)
        .where(
            matches.c.plate == plate,
            matches.c.decided_at >= since,
            sightings.c.text == plate,
            sightings.c.colour == colour,
            sightings.c.wrong_ppm <= wrong_ppm,
            sightings.c.id != without,
        )
    )
    return int(connection.execute(query).scalar_one())


def _stop(row: Row[tuple[object, ...]]) -> Stop:
    return Stop(
        id=row.id,
        kind=row.kind,
        cause=row.cause,
        plate=row.plate,
        vehicle_id=row.vehicle_id,
        account_id=row.account_id,
        reason=row.reason,
        actor=row.actor,
        stopped_at=row.stopped_at,
        released_at=row.released_at,
        released_by=row.released_by,
        release_reason=row.release_reason,
    )
