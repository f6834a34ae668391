"""Rows of corrections: what a person said of a reading, and whether that still stands against a plate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, or_, select

from wallet.facts import SightingFact
from wallet.review_facts import Correction
from wallet.store.statements import Statement, insert_new
from wallet.tables import corrections


def add_correction(connection: Connection, correction: Correction) -> None:
    """Writes what was said of one reading, once for each review item and sighting."""
    insert_new(
        connection,
        corrections,
        id=correction.id,
        review_id=correction.review_id,
        sighting_id=correction.sighting_id,
        station=correction.station,
        camera=correction.camera,
        text=correction.text,
        plate=correction.plate,
        verdict=correction.verdict,
        label=correction.label,
        evidence_crop=correction.evidence_crop,
        decided_by=correction.decided_by,
        recorded_at=correction.recorded_at,
    )


def _newest_wrong(with_crop: bool) -> Statement:
    same: ColumnElement[bool] = (
        (corrections.c.station == bindparam("station"))
        & (corrections.c.camera == bindparam("camera"))
        & (corrections.c.text == bindparam("text"))
    )
    if with_crop:
        same = or_(same, corrections.c.evidence_crop == bindparam("crop"))
    return Statement(
        select(corrections)
        .where(corrections.c.plate == bindparam("plate"), corrections.c.verdict == "wrong", same)
        .order_by(corrections.c.recorded_at.desc(), corrections.c.id.desc())
        .limit(1)
    )


_NEWEST_WRONG = _newest_wrong(with_crop=False)
_NEWEST_WRONG_OR_CROP = _newest_wrong(with_crop=True)


def newest_wrong(connection: Connection, sighting: SightingFact, plate: str) -> Correction | None:
    """The newest word that this reading is not this plate: this text at this camera, or this very look."""
    asked = {
        "station": sighting.station, "camera": sighting.camera, "text": sighting.text, "plate": plate,
    }  # fmt: skip
    if sighting.evidence_crop is None:
        row = _NEWEST_WRONG.first(connection, **asked)
    else:
        row = _NEWEST_WRONG_OR_CROP.first(connection, crop=sighting.evidence_crop, **asked)
    return None if row is None else _correction(row)


def count_right_since(connection: Connection, wrong: Correction) -> int:
    """How many readings of the same text, camera and plate were said to be right after this correction."""
    query = (
        select(func.count())
        .select_from(corrections)
        .where(
            corrections.c.plate == wrong.plate,
            corrections.c.station == wrong.station,
            corrections.c.camera == wrong.camera,
            corrections.c.text == wrong.text,
            corrections.c.verdict == "right",
            corrections.c.recorded_at > wrong.recorded_at,
        )
    )
    return int(connection.execute(query).scalar_one())


def list_corrections(connection: Connection, limit: int, after: str | None) -> list[Correction]:
    """Corrections in the order of their ids, after the one with the id `after`."""
    query = select(corrections).order_by(corrections.c.id).limit(limit)
    if after is not None:
        query = query.where(corrections.c.id > after)
    return list(_all(connection.execute(query).all()))


def _all(rows: Any) -> Iterator[Correction]:
    return (_correction(row) for row in rows)


def _correction(row: Row[Any]) -> Correction:
    return Correction(
        id=row.id,
        review_id=row.review_id,
        sighting_id=row.sighting_id,
        station=row.station,
        camera=row.camera,
        text=row.text,
        plate=row.plate,
        verdict=row.verdict,
        label=row.label,
        evidence_crop=row.evidence_crop,
        decided_by=row.decided_by,
        recorded_at=row.recorded_at,
    )
