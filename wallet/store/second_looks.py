"""What cameras that watch no pump saw at a station, and whether a text was seen at a pump."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import Connection, bindparam, literal_column, select

from wallet.facts import SightingFact
from wallet.store.looks import LOOK, look_from
from wallet.store.statements import Statement
from wallet.tables import matches, sightings
from wallet.twin_tables import station_traffic

# More cars than this do not come to one station within a stay's first minutes.
MOST_LOOKS = 200
# The surest looks of a stay; one is enough.
MOST_PROOFS = 20

_ON_THE_WAY = Statement(
    select(sightings.c.camera, sightings.c.text, sightings.c.wrong_ppm, sightings.c.colour)
    .where(
        sightings.c.station == bindparam("station"),
        sightings.c.pump.is_(None),
        sightings.c.camera != bindparam("camera"),
        sightings.c.first_seen_at >= bindparam("since"),
        sightings.c.first_seen_at <= bindparam("until"),
    )
    .order_by(sightings.c.first_seen_at.desc())
    .limit(MOST_LOOKS)
)
_AT_A_PUMP = Statement(
    select(sightings.c.id)
    .where(
        sightings.c.recorded_at >= bindparam("since"),
        sightings.c.station == bindparam("station"),
        sightings.c.pump.is_not(None),
        sightings.c.text == bindparam("text"),
    )
    .limit(1)
)
_CARS_WITH = Statement(
    select(station_traffic.c.cars).where(
        station_traffic.c.station == bindparam("station"), station_traffic.c.prefix == bindparam("prefix")
    )
)
_OF_A_STAY = Statement(
    select(*LOOK, matches.c.wrong_ppm.label("decided_wrong_ppm"), matches.c.runner_up_ppm)
    .join(matches, matches.c.sighting_id == sightings.c.id)
    .where(matches.c.visit_id == bindparam("visit_id"), matches.c.outcome == literal_column("'auto'"))
    .order_by(matches.c.wrong_ppm, sightings.c.id)
    .limit(MOST_PROOFS)
)


def sure_looks_of(connection: Connection, visit_id: str) -> list[tuple[SightingFact, int, int]]:
    """The sightings decided for this visit without a person, with wrong_ppm and runner_up_ppm of each."""
    found = _OF_A_STAY.all(connection, visit_id=visit_id)
    return [(look_from(row), int(row.decided_wrong_ppm), int(row.runner_up_ppm)) for row in found]


def on_the_way(
    connection: Connection, station: str, camera: str, since: datetime, until: datetime
) -> list[tuple[str, str | None, int, str]]:
    """Camera, text, wrong_ppm and colour of what other cameras saw away from the pumps, newest first."""
    found = _ON_THE_WAY.tuples(connection, station=station, camera=camera, since=since, until=until)
    return cast("list[tuple[str, str | None, int, str]]", found)


def cars_with(connection: Connection, station: str, prefix: str) -> int:
    """Cars of these first two characters that came to a station, as counted last night."""
    row = _CARS_WITH.first(connection, station=station, prefix=prefix)
    return 0 if row is None else int(row.cars)


def was_at_a_pump(connection: Connection, station: str, text: str, since: datetime) -> bool:
    """Whether a sighting with this text at a pump of this station was written down since then."""
    return _AT_A_PUMP.first(connection, station=station, text=text, since=since) is not None
