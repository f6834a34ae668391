"""Sightings as other sightings and departures need them: without the chances of each character.

Those are most of a row, and are JSON that must be read.
"""

from __future__ import annotations

from sqlalchemy import Connection, Row, bindparam, select

from wallet.facts import SightingFact
from wallet.store.statements import Statement
from wallet.tables import matches, sightings

LOOK = (
    sightings.c.id,
    sightings.c.station,
    sightings.c.camera,
    sightings.c.pump,
    sightings.c.first_seen_at,
    sightings.c.last_seen_at,
    sightings.c.text,
    sightings.c.colour,
    sightings.c.wrong_ppm,
    sightings.c.looks,
)


def look_from(row: Row[tuple[object, ...]]) -> SightingFact:
    """The columns of LOOK as a value without positions, pictures and models."""
    return SightingFact(
        sighting_id=row.id,
        station=row.station,
        camera=row.camera,
        pump=row.pump,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        text=row.text,
        colour=row.colour,
        wrong_ppm=row.wrong_ppm,
        looks=row.looks,
    )


_LOOK = Statement(select(*LOOK).where(sightings.c.id == bindparam("sighting_id")))
_STATION_OF = Statement(select(sightings.c.station).where(sightings.c.id == bindparam("sighting_id")))
_VISIT_OF = Statement(select(matches.c.visit_id).where(matches.c.sighting_id == bindparam("sighting_id")))


def find_look(connection: Connection, sighting_id: str) -> SightingFact | None:
    """The sighting with this id, so far."""
    row = _LOOK.first(connection, sighting_id=sighting_id)
    return None if row is None else look_from(row)


def station_of(connection: Connection, sighting_id: str) -> str | None:
    """The station of the sighting with this id."""
    row = _STATION_OF.first(connection, sighting_id=sighting_id)
    return None if row is None else row.station


def visit_of(connection: Connection, sighting_id: str) -> str | None:
    """Id of the visit that this sighting was decided for, if any."""
    row = _VISIT_OF.first(connection, sighting_id=sighting_id)
    return None if row is None else row.visit_id
