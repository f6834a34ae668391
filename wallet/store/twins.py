"""Rows of registered look-alikes, and of the looks that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, Select, String, bindparam, select, union_all, update

from wallet.facts import SightingFact, Vehicle
from wallet.store.looks import LOOK, look_from
from wallet.store.statements import Statement, insert_new
from wallet.tables import matches, sightings, vehicles
from wallet.twin_tables import twins


def add_pair(connection: Connection, one: Vehicle, other: Vehicle, alike_ppm: int, now: datetime) -> bool:
    """Notes a pair, or how alike it is now; says whether it is new."""
    first, second = sorted((one, other), key=lambda vehicle: vehicle.plate)
    is_new = insert_new(
        connection,
        twins,
        first_vehicle_id=first.id,
        second_vehicle_id=second.id,
        first_plate=first.plate,
        second_plate=second.plate,
        alike_ppm=alike_ppm,
        found_at=now,
    )
    if not is_new:
        change_pair(connection, first.id, second.id, alike_ppm)
    return is_new


def change_pair(
    connection: Connection, first_vehicle_id: str, second_vehicle_id: str, alike_ppm: int
) -> None:
    """How alike a known pair is now."""
    connection.execute(
        update(twins)
        .where(twins.c.first_vehicle_id == first_vehicle_id, twins.c.second_vehicle_id == second_vehicle_id)
        .values(alike_ppm=alike_ppm)
    )


def all_pairs(connection: Connection) -> list[tuple[str, str, tuple[str, str], int]]:
    """Every pair that was ever found: the vehicles, their plates, and how alike."""
    return [
        (row.first_vehicle_id, row.second_vehicle_id, (row.first_plate, row.second_plate), int(row.alike_ppm))
        for row in connection.execute(select(twins))
    ]


def _of(mine: Column[Any], theirs: Column[Any]) -> Select[Any]:
    return (
        select(vehicles, twins.c.alike_ppm)
        .join(twins, theirs == vehicles.c.id)
        .where(
            mine == bindparam("vehicle_id", type_=String),
            twins.c.alike_ppm >= bindparam("floor_ppm", type_=Integer),
            vehicles.c.unbound_at.is_(None),
        )
    )


_TWINS = Statement(
    union_all(
        _of(twins.c.first_vehicle_id, twins.c.second_vehicle_id),
        _of(twins.c.second_vehicle_id, twins.c.first_vehicle_id),
    )
)


def twins_of(connection: Connection, vehicle_id: str, floor_ppm: int) -> list[tuple[Vehicle, int]]:
    """The vehicles bound now whose plates are taken for this one's, and how often, in ppm; worst first."""
    found = [
        (
            Vehicle(row.id, row.account_id, row.plate, row.colour, row.bound_at, row.unbound_at),
            int(row.alike_ppm),
        )
        for row in _TWINS.all(connection, vehicle_id=vehicle_id, floor_ppm=floor_ppm)
    ]
    return sorted(found, key=lambda pair: (-pair[1], pair[0].plate))


def live_pairs(connection: Connection, floor_ppm: int, limit: int) -> list[tuple[str, str, int]]:
    """Plates of two accounts that are taken for each other, both bound now, and how often; worst first."""
    first, second = vehicles.alias("first"), vehicles.alias("second")
    query = (
        select(twins.c.first_plate, twins.c.second_plate, twins.c.alike_ppm)
        .join(first, first.c.id == twins.c.first_vehicle_id)
        .join(second, second.c.id == twins.c.second_vehicle_id)
        .where(
            first.c.unbound_at.is_(None),
            second.c.unbound_at.is_(None),
            first.c.account_id != second.c.account_id,
            twins.c.alike_ppm >= floor_ppm,
        )
        .order_by(twins.c.alike_ppm.desc(), twins.c.first_plate, twins.c.second_plate)
        .limit(limit)
    )
    return [(row.first_plate, row.second_plate, int(row.alike_ppm)) for row in connection.execute(query)]


_LOOKS_BEFORE = Statement(
    select(*LOOK)
    .join(matches, matches.c.sighting_id == sightings.c.id)
    .where(matches.c.plate == bindparam("plate"), matches.c.decided_at >= bindparam("since"))
    .order_by(matches.c.decided_at.desc())
    .limit(bindparam("most", type_=Integer))
)


def looks_before(connection: Connection, plate: str, since: datetime, most: int) -> Sequence[SightingFact]:
    """Sightings that were taken for this plate and decided since then, newest first."""
    return [look_from(row) for row in _LOOKS_BEFORE.all(connection, plate=plate, since=since, most=most)]
