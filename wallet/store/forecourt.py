"""Rows of sightings, matches, visits and departures: who stands where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Integer, Row, Select, bindparam, func, literal_column, select, update

from wallet.facts import Match, SightingFact, Visit
from wallet.store.events import reasons_from_json, reasons_to_json
from wallet.store.judgements import posterior_from_json, posterior_to_json
from wallet.store.looks import look_from
from wallet.store.statements import Statement, add, insert_new
from wallet.tables import captures, departures, holds, matches, pumps, sightings, visits

_LOCK_PUMP = Statement(
    select(pumps)
    .where(pumps.c.station == bindparam("station"), pumps.c.pump == bindparam("pump"))
    .with_for_update()
)


def lock_pump(connection: Connection, station: str, pump: str) -> None:
    """Waits until nobody else decides about this pump; held until this transaction ends.

    SQLite lets one writer in at a time: there is nobody else.
    """
    if connection.dialect.name == "sqlite":
        return
    if _LOCK_PUMP.first(connection, station=station, pump=pump) is None:
        insert_new(connection, pumps, station=station, pump=pump)
        _LOCK_PUMP.one(connection, station=station, pump=pump)


# Sightings and their matches --------------------------------------------------------------------------------


def add_sighting(connection: Connection, sighting: SightingFact, body: str, now: datetime) -> bool:
    """Adds the sighting unless its id is known; says whether it did."""
    return insert_new(
        connection,
        sightings,
        id=sighting.sighting_id,
        station=sighting.station,
        camera=sighting.camera,
        pump=sighting.pump,
        first_seen_at=sighting.first_seen_at,
        last_seen_at=sighting.last_seen_at,
        text=sighting.text,
        colour=sighting.colour,
        wrong_ppm=sighting.wrong_ppm,
        looks=sighting.looks,
        positions=sighting.positions,
        evidence_frame=sighting.evidence_frame,
        evidence_crop=sighting.evidence_crop,
        detector_model=sighting.detector_model,
        reader_model=sighting.reader_model,
        body_hash=body,
        recorded_at=now,
    )


_SIGHTING_HASH = Statement(select(sightings.c.body_hash).where(sightings.c.id == bindparam("sighting_id")))


def sighting_hash(connection: Connection, sighting_id: str) -> str:
    """Hash of the body that came with this sighting first."""
    return str(_SIGHTING_HASH.one(connection, sighting_id=sighting_id).body_hash)


def list_sightings(
    connection: Connection, station: str | None, camera: str | None, limit: int, before: str | None
) -> list[SightingFact]:
    """Sightings, newest recorded first, older than the one with the id `before`."""
    query = select(sightings).order_by(sightings.c.recorded_at.desc(), sightings.c.id.desc()).limit(limit)
    if station is not None:
        query = query.where(sightings.c.station == station)
    if camera is not None:
        query = query.where(sightings.c.camera == camera)
    if before is not None:
        mark = connection.execute(
            select(sightings.c.recorded_at).where(sightings.c.id == before)
        ).scalar_one_or_none()
        if mark is None:
            return []
        query = query.where(
            (sightings.c.recorded_at < mark) | ((sightings.c.recorded_at == mark) & (sightings.c.id < before))
        )
    return [sighting_from(row) for row in connection.execute(query)]


_SIGHTING = Statement(select(sightings).where(sightings.c.id == bindparam("sighting_id")))


def find_sighting(connection: Connection, sighting_id: str) -> SightingFact | None:
    """The sighting with this id."""
    row = _SIGHTING.first(connection, sighting_id=sighting_id)
    return None if row is None else sighting_from(row)


_NEWEST_STRANGER = Statement(
    select(sightings)
    .join(matches, matches.c.sighting_id == sightings.c.id)
    .where(
        sightings.c.station == bindparam("station"),
        sightings.c.pump == bindparam("pump"),
        sightings.c.first_seen_at > bindparam("after"),
        sightings.c.first_seen_at <= bindparam("until"),
        sightings.c.text.is_not(None),
        sightings.c.text != bindparam("plate"),
        func.coalesce(matches.c.plate, literal_column("''")) != bindparam("plate"),
    )
    .order_by(sightings.c.first_seen_at.desc())
    .limit(literal_column("1"))
)


def newest_stranger(
    connection: Connection, station: str, pump: str, plate: str, after: datetime, until: datetime
) -> SightingFact | None:
    """The newest car with another plate that came to this pump after `after` and not later than `until`."""
    row = _NEWEST_STRANGER.first(
        connection, station=station, pump=pump, after=after, until=until, plate=plate
    )
    return None if row is None else sighting_from(row)


def add_match(connection: Connection, match: Match) -> None:
    """Writes the decision about a sighting."""
    add(
        connection,
        matches,
        sighting_id=match.sighting_id,
        outcome=match.outcome,
        account_id=match.account_id,
        vehicle_id=match.vehicle_id,
        plate=match.plate,
        wrong_ppm=match.wrong_ppm,
        amount_fen=match.amount_fen,
        expected_loss_fen=match.expected_loss_fen,
        runner_up=match.runner_up,
        runner_up_ppm=match.runner_up_ppm,
        reasons=reasons_to_json(match.reasons),
        visit_id=match.visit_id,
        hold_fen=match.hold_fen,
        joined=match.joined,
        posterior=posterior_to_json(match.posterior),
        decided_at=match.decided_at,
    )


_MATCH = Statement(select(matches).where(matches.c.sighting_id == bindparam("sighting_id")))


def find_match(connection: Connection, sighting_id: str) -> Match | None:
    """The decision about this sighting."""
    row = _MATCH.first(connection, sighting_id=sighting_id)
    return None if row is None else match_from(row)


def add_departure(connection: Connection, sighting_id: str, left_at: datetime, now: datetime) -> bool:
    """Adds that the car of this sighting left, unless that is known; says whether it did."""
    return insert_new(connection, departures, sighting_id=sighting_id, left_at=left_at, recorded_at=now)


def departure_of(connection: Connection, sighting_id: str) -> datetime:
    """When the car of this sighting was first said to have left."""
    found: datetime = connection.execute(
        select(departures.c.left_at).where(departures.c.sighting_id == sighting_id)
    ).scalar_one()
    return found


# Visits -----------------------------------------------------------------------------------------------------


def add_visit(connection: Connection, visit: Visit) -> None:
    """Writes an open visit."""
    add(
        connection,
        visits,
        id=visit.id,
        station=visit.station,
        pump=visit.pump,
        account_id=visit.account_id,
        vehicle_id=visit.vehicle_id,
        plate=visit.plate,
        state=visit.state,
        ended_by=None,
        opened_at=visit.opened_at,
        last_seen_at=visit.last_seen_at,
        left_at=visit.left_at,
        settled_at=None,
        recorded_at=visit.recorded_at,
        first_sighting_id=visit.last_sighting_id,
        last_sighting_id=visit.last_sighting_id,
    )


def change_visit(connection: Connection, visit_id: str, **values: Any) -> None:
    """Writes what has changed about a visit."""
    if _change_visit(tuple(values)).run(connection, changed_id=visit_id, **values) != 1:
        raise RuntimeError(f"no visit {visit_id} to change")


@lru_cache(maxsize=64)
def _change_visit(columns: tuple[str, ...]) -> Statement:
    values = {name: bindparam(name, type_=visits.c[name].type) for name in columns}
    return Statement(update(visits).where(visits.c.id == bindparam("changed_id")).values(values))


def visits_with_money() -> Select[Any]:
    """The query of all visits, each with its hold and capture."""
    return (
        select(visits, holds.c.amount_fen.label("hold_fen"), holds.c.captured_fen, captures.c.sale_id)
        .join(holds, holds.c.visit_id == visits.c.id, isouter=True)
        .join(captures, captures.c.visit_id == visits.c.id, isouter=True)
    )


_VISIT = Statement(visits_with_money().where(visits.c.id == bindparam("visit_id")))


def find_visit(connection: Connection, visit_id: str) -> Visit | None:
    """The visit with this id."""
    row = _VISIT.first(connection, visit_id=visit_id)
    return None if row is None else visit_from(row)


def seen_again(connection: Connection, visit: Visit) -> Visit | None:
    """A visit that was read in this transaction, as it stands since its wallet was waited for and is locked.

    SQLite lets one writer in at a time: nobody else can have changed it.
    """
    return visit if connection.dialect.name == "sqlite" else find_visit(connection, visit.id)


_RECENT_VISITS = Statement(
    visits_with_money()
    .where(visits.c.vehicle_id == bindparam("vehicle_id"), visits.c.station == bindparam("station"))
    .order_by(visits.c.opened_at.desc(), visits.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)


def recent_visits(connection: Connection, vehicle_id: str, station: str, most: int = 8) -> list[Visit]:
    """The last stays of a vehicle at a station, newest first."""
    rows = _RECENT_VISITS.all(connection, vehicle_id=vehicle_id, station=station, most=most)
    return [visit_from(row) for row in rows]


_OPEN_VISITS = Statement(
    visits_with_money()
    .where(
        visits.c.station == bindparam("station"),
        visits.c.pump == bindparam("pump"),
        # Written out, so that the planner sees that the index of open visits will do.
        visits.c.state == literal_column("'open'"),
    )
    .order_by(visits.c.opened_at, visits.c.id)
)


def has_opened_visit(connection: Connection, sighting_id: str) -> bool:
    """Whether a visit that was not voided began with this sighting."""
    query = select(visits.c.id).where(visits.c.first_sighting_id == sighting_id, visits.c.state != "voided")
    return connection.execute(query).one_or_none() is not None


def open_visits_at(connection: Connection, station: str, pump: str) -> list[Visit]:
    """Open visits at a pump, oldest first."""
    return [visit_from(row) for row in _OPEN_VISITS.all(connection, station=station, pump=pump)]


def overdue_visits(
    connection: Connection, left_before: datetime, opened_before: datetime, most: int
) -> Sequence[str]:
    """Ids of open visits whose car has left, or that were opened, before these times.

    One that was recorded late (a camera was cut off) still gets the whole time in which its sale may come.
    """
    query = (
        select(visits.c.id)
        .where(
            visits.c.state == "open",
            visits.c.recorded_at < left_before,
            (visits.c.left_at < left_before)
            | (visits.c.opened_at < opened_before)
            # A camera whose clock is ahead must not hold money until its time has come.
            | (visits.c.recorded_at < opened_before),
        )
        .order_by(visits.c.opened_at, visits.c.id)
        .limit(most)
    )
    return connection.execute(query).scalars().all()


def list_visits(
    connection: Connection,
    *,
    station: str | None,
    state: str | None,
    plate: str | None,
    account_id: str | None,
    limit: int,
    before: str | None,
) -> list[Visit]:
    """Visits, newest first, older than the visit with the id `before`."""
    query = visits_with_money().order_by(visits.c.id.desc()).limit(limit)
    for column, wanted in (
        (visits.c.station, station),
        (visits.c.state, state),
        (visits.c.plate, plate),
        (visits.c.account_id, account_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(visits.c.id < before)
    return [visit_from(row) for row in connection.execute(query)]


# Rows as values ---------------------------------------------------------------------------------------------


def sighting_from(row: Row[tuple[object, ...]]) -> SightingFact:
    """A row of sightings as a value."""
    return replace(
        look_from(row),
        positions=tuple(tuple((str(char), int(ppm)) for char, ppm in position) for position in row.positions),
        evidence_frame=row.evidence_frame,
        evidence_crop=row.evidence_crop,
        detector_model=row.detector_model,
        reader_model=row.reader_model,
    )


def match_from(row: Row[tuple[object, ...]]) -> Match:
    """A row of matches as a value."""
    return Match(
        sighting_id=row.sighting_id,
        outcome=row.outcome,
        account_id=row.account_id,
        vehicle_id=row.vehicle_id,
        plate=row.plate,
        wrong_ppm=row.wrong_ppm,
        amount_fen=row.amount_fen,
        expected_loss_fen=row.expected_loss_fen,
        runner_up=row.runner_up,
        runner_up_ppm=row.runner_up_ppm,
        reasons=reasons_from_json(row.reasons),
        visit_id=row.visit_id,
        hold_fen=row.hold_fen,
        joined=row.joined,
        decided_at=row.decided_at,
        posterior=posterior_from_json(row.posterior),
    )


def visit_from(row: Row[tuple[object, ...]]) -> Visit:
    """A row of `visits_with_money` as a value."""
    return Visit(
        id=row.id,
        station=row.station,
        pump=row.pump,
        account_id=row.account_id,
        vehicle_id=row.vehicle_id,
        plate=row.plate,
        state=row.state,
        end=row.ended_by,
        opened_at=row.opened_at,
        last_seen_at=row.last_seen_at,
        left_at=row.left_at,
        settled_at=row.settled_at,
        recorded_at=row.recorded_at,
        last_sighting_id=row.last_sighting_id,
        hold_fen=row.hold_fen or 0,
        captured_fen=row.captured_fen or 0,
        sale_id=row.sale_id,
    )
