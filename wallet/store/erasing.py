"""Rows that are emptied: sightings of strangers, and everything that names a customer who is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, cast, delete, insert, or_, select, tuple_, update

from wallet.facts import Reason
from wallet.store.events import reasons_from_json, reasons_to_json
from wallet.tables import (
    accounts,
    corrections,
    decision_inputs,
    erasures,
    known_cases,
    matches,
    outbox,
    plate_index,
    review_answers,
    review_ends,
    reviews,
    sighting_readings,
    sightings,
    twins,
    vehicles,
    visits,
)

NO_PLATE = ""
NO_POSTERIOR: dict[str, Any] = {"candidates": [], "none_ppm": 0}


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, when, by whom and why; never what it was. kind: sighting or account."""

    id: str
    kind: str
    subject: str
    reason: str
    actor: str
    erased: tuple[str, ...]
    recorded_at: datetime


def strangers_due(connection: Connection, before: datetime, most: int) -> list[str]:
    """Sightings decided before this that are nobody's: no visit, no open question, nothing to be remembered.

    What a person corrected stays, for the memory of corrections and known cases are made of it.
    """
    asked = select(reviews.c.id).where(reviews.c.sighting_id == matches.c.sighting_id)
    query = (
        select(matches.c.sighting_id)
        .where(
            matches.c.outcome.in_(("none", "review")),
            matches.c.outcome != "auto",
            matches.c.erasure_id.is_(None),
            matches.c.decided_at < before,
            ~asked.where(or_(reviews.c.state == "open", reviews.c.closed_at >= before)).exists(),
            ~asked.join(review_ends, review_ends.c.review_id == reviews.c.id)
            .where(review_ends.c.visit_id.is_not(None))
            .exists(),
            ~select(corrections.c.id).where(corrections.c.sighting_id == matches.c.sighting_id).exists(),
            ~select(known_cases.c.id).where(known_cases.c.sighting_id == matches.c.sighting_id).exists(),
            ~select(visits.c.id).where(visits.c.first_sighting_id == matches.c.sighting_id).exists(),
        )
        .order_by(matches.c.decided_at)
        .limit(most)
    )
    return list(connection.execute(query).scalars())


def add_erasures(connection: Connection, made: Sequence[Erasure]) -> None:
    """Writes down what is erased next."""
    connection.execute(
        insert(erasures),
        [
            {
                "id": one.id,
                "kind": one.kind,
                "subject": one.subject,
                "reason": one.reason,
                "actor": one.actor,
                "erased": list(one.erased),
                "recorded_at": one.recorded_at,
            }
            for one in made
        ],
    )


def erasures_of(connection: Connection, subject: str | None, most: int) -> list[Erasure]:
    """What was erased of this account or sighting (None: of all), newest first."""
    query = select(erasures).order_by(erasures.c.id.desc()).limit(most)
    if subject is not None:
        query = query.where(erasures.c.subject == subject)
    return [
        Erasure(row.id, row.kind, row.subject, row.reason, row.actor, tuple(row.erased), row.recorded_at)
        for row in connection.execute(query)
    ]


def empty_sighting(connection: Connection, sighting_id: str, erasure_id: str, *, plate: str | None) -> None:
    """Takes text, positions, readings and reasons out of a sighting and its decision; its pictures go next.

    plate: what the decision names from now on: none where it named none, else the empty one.
    """
    reasons = connection.execute(
        select(matches.c.reasons).where(matches.c.sighting_id == sighting_id)
    ).scalar_one()
    codes = reasons_to_json([Reason(reason.code, "") for reason in reasons_from_json(reasons)])
    _empty(connection, sightings, "id", sighting_id, erasure_id, text=None, positions=[])
    _empty(
        connection,
        matches,
        "sighting_id",
        sighting_id,
        erasure_id,
        plate=plate,
        runner_up=None,
        reasons=codes,
        posterior=NO_POSTERIOR,
    )
    _empty(connection, sighting_readings, "sighting_id", sighting_id, erasure_id, readings=[], corners=[])
    _empty(connection, decision_inputs, "sighting_id", sighting_id, erasure_id, inputs={})
    _empty(connection, reviews, "sighting_id", sighting_id, erasure_id, reasons=[])
    connection.execute(delete(plate_index).where(plate_index.c.sighting_id == sighting_id))


def empty_account(connection: Connection, account_id: str, plates: Sequence[str], erasure_id: str) -> None:
    """Takes name, phone and plates out of an account, its vehicles, visits and review items."""
    mine = select(vehicles.c.id).where(vehicles.c.account_id == account_id)
    connection.execute(
        delete(twins).where(twins.c.first_vehicle_id.in_(mine) | twins.c.second_vehicle_id.in_(mine))
    )
    _empty(connection, vehicles, "account_id", account_id, erasure_id, plate=NO_PLATE)
    _empty(connection, visits, "account_id", account_id, erasure_id, plate=NO_PLATE)
    _empty(connection, reviews, "account_id", account_id, erasure_id, reasons=[])
    for plate in plates:
        _empty(connection, review_answers, "plate", plate, erasure_id, plate=None, reason=None)
        _empty(connection, review_ends, "plate", plate, erasure_id, plate=None)
        for column in ("plate", "label", "text"):
            _empty(
                connection,
                corrections,
                column,
                plate,
                erasure_id,
                text=None,
                plate=NO_PLATE,
                label=NO_PLATE,
                evidence_crop=None,
            )
    _empty(connection, accounts, "id", account_id, erasure_id, name="", phone=None)


def _empty(
    connection: Connection, table: Any, column: str, value: str, erasure_id: str, **emptied: Any
) -> None:
    """Empties the rows with this value that no erasure has emptied yet."""
    connection.execute(
        update(table)
        .where(table.c[column] == value, table.c.erasure_id.is_(None))
        .values(erasure_id=erasure_id, **emptied)
    )


def sightings_of(connection: Connection, account_id: str, plates: Sequence[str]) -> list[str]:
    """Sightings that were matched to this account, or read as one of its plates by nobody else's car."""
    mine = (matches.c.account_id == account_id) | (
        matches.c.account_id.is_(None) & sightings.c.text.in_(list(plates))
    )
    query = (
        select(matches.c.sighting_id)
        .join(sightings, sightings.c.id == matches.c.sighting_id)
        .where(mine, matches.c.erasure_id.is_(None))
    )
    return list(connection.execute(query).scalars())


def forget_events(connection: Connection, plates: Sequence[str]) -> int:
    """Takes plates out of the events of the outbox, delivered or not; gives how many were changed."""
    changed = 0
    for plate in plates:
        query = select(outbox.c.id, outbox.c.body).where(cast(outbox.c.body, String).contains(plate))
        for row in connection.execute(query).all():
            body = _without(row.body, plate)
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(body=body))
            changed += 1
    return changed


def _without(value: Any, plate: str) -> Any:
    """The value with nothing in the place of every text that holds the plate."""
    if isinstance(value, dict):
        return {name: _without(part, plate) for name, part in value.items()}
    if isinstance(value, list):
        return [_without(part, plate) for part in value]
    return None if isinstance(value, str) and plate in value else value


# Pictures ---------------------------------------------------------------------------------------------------


def pictures_to_erase(connection: Connection, most: int) -> list[tuple[str, tuple[str, ...]]]:
    """(sighting, its pictures that no other needs): erased sightings whose pictures are still there."""
    query = (
        select(sightings.c.id, sightings.c.evidence_frame, sightings.c.evidence_crop)
        .where(sightings.c.erasure_id.is_not(None), sightings.c.evidence_crop.is_not(None))
        .limit(most)
    )
    found = []
    for row in connection.execute(query).all():
        pictures = {row.evidence_frame, row.evidence_crop} - {None}
        found.append((row.id, tuple(sorted(one for one in pictures if not is_needed(connection, one)))))
    return found


def is_needed(connection: Connection, sha256: str) -> bool:
    """Whether a picture belongs to something that was not erased."""
    kept = sightings.c.erasure_id.is_(None)
    for column in (sightings.c.evidence_frame, sightings.c.evidence_crop):
        if connection.execute(select(sightings.c.id).where(column == sha256, kept).limit(1)).first():
            return True
    label = select(corrections.c.id).where(
        corrections.c.evidence_crop == sha256, corrections.c.erasure_id.is_(None)
    )
    return connection.execute(label.limit(1)).first() is not None


def pictures_are_gone(connection: Connection, sighting_id: str) -> None:
    """The files are deleted: their names go too."""
    connection.execute(
        update(sightings)
        .where(sightings.c.id == sighting_id, sightings.c.erasure_id.is_not(None))
        .values(evidence_frame=None, evidence_crop=None)
    )


# The index of plates ----------------------------------------------------------------------------------------


def texts_after(connection: Connection, after: tuple[datetime, str] | None, most: int) -> list[Any]:
    """(recorded_at, id, text) of the next sightings that were read and not erased."""
    query = (
        select(sightings.c.recorded_at, sightings.c.id, sightings.c.text)
        .where(sightings.c.text.is_not(None))
        .order_by(sightings.c.recorded_at, sightings.c.id)
        .limit(most)
    )
    if after is not None:
        query = query.where(tuple_(sightings.c.recorded_at, sightings.c.id) > after)
    return list(connection.execute(query))


def index_again(connection: Connection, hashes: Sequence[tuple[str, str]]) -> None:
    """Replaces what the index says of these sightings: (hash, sighting)."""
    ids = [sighting_id for _, sighting_id in hashes]
    connection.execute(delete(plate_index).where(plate_index.c.sighting_id.in_(ids)))
    connection.execute(
        insert(plate_index), [{"plate_hash": hashed, "sighting_id": one} for hashed, one in hashes]
    )


def has_index(connection: Connection) -> bool:
    """Whether anything is indexed, or there is nothing to index."""
    if connection.execute(select(plate_index.c.sighting_id).limit(1)).first() is not None:
        return True
    query = select(sightings.c.id).where(sightings.c.text.is_not(None)).limit(1)
    return connection.execute(query).first() is None
