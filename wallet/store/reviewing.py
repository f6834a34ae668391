"""Rows of the review queue as reviewers work on it: items by age, answers, ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from wallet.facts import Review, SightingFact
from wallet.review_facts import AnswerFact, EndFact, Given
from wallet.store.events import review_from
from wallet.store.forecourt import sighting_from
from wallet.store.statements import Statement, add
from wallet.tables import departures, matches, review_answers, review_ends, reviews, sightings, visits

# The queue --------------------------------------------------------------------------------------------------


def open_kinds(connection: Connection) -> list[str]:
    """The kinds there are open items of."""
    query = select(reviews.c.kind).where(reviews.c.state == "open").distinct()
    return sorted(connection.execute(query).scalars())


def oldest_open(
    connection: Connection, kind: str, station: str | None, after: tuple[datetime, str] | None, most: int
) -> list[Review]:
    """Open items of one kind, oldest first, after the one made at `after` with that id."""
    query = select(reviews).where(reviews.c.state == "open", reviews.c.kind == kind)
    if station is not None:
        query = query.where(reviews.c.station == station)
    if after is not None:
        made, review_id = after
        query = query.where(
            (reviews.c.created_at > made) | ((reviews.c.created_at == made) & (reviews.c.id > review_id))
        )
    query = query.order_by(reviews.c.created_at, reviews.c.id).limit(most)
    return [review_from(row) for row in connection.execute(query)]


def doubted_and_debited(connection: Connection, since: datetime, most: int) -> list[str]:
    """Open items about sightings, made since then, whose suggested plate was debited by a later sighting."""
    asked, later = matches.alias("asked"), matches.alias("later")
    query = (
        select(reviews.c.id)
        .join(asked, asked.c.sighting_id == reviews.c.sighting_id)
        .where(
            reviews.c.state == "open",
            reviews.c.kind == "sighting",
            reviews.c.created_at >= since,
            select(later.c.sighting_id)
            .where(
                later.c.plate == asked.c.plate,
                later.c.decided_at >= asked.c.decided_at,
                later.c.outcome == "auto",
                later.c.visit_id.is_not(None),
            )
            .exists(),
        )
        .order_by(reviews.c.created_at, reviews.c.id)
        .limit(most)
    )
    return list(connection.execute(query).scalars())


def debited_after(connection: Connection, plate: str, since: datetime, most: int = 20) -> list[str]:
    """The first sightings decided since then that this plate pays for without a person."""
    query = (
        select(matches.c.sighting_id)
        .where(
            matches.c.plate == plate,
            matches.c.decided_at >= since,
            matches.c.outcome == "auto",
            matches.c.visit_id.is_not(None),
        )
        .order_by(matches.c.decided_at, matches.c.sighting_id)
        .limit(most)
    )
    return list(connection.execute(query).scalars())


def count_open(connection: Connection, kind: str, made_before: datetime | None = None) -> int:
    """Open items of a kind, made before a time where one is given."""
    query = select(func.count()).select_from(reviews).where(reviews.c.state == "open", reviews.c.kind == kind)
    if made_before is not None:
        query = query.where(reviews.c.created_at < made_before)
    return int(connection.execute(query).scalar_one())


def lock_review(connection: Connection, review_id: str) -> Review | None:
    """The item, about which nobody else decides until this transaction ends."""
    row = connection.execute(select(reviews).where(reviews.c.id == review_id).with_for_update()).one_or_none()
    return None if row is None else review_from(row)


def close_review(connection: Connection, review_id: str, now: datetime) -> None:
    """Closes an open item that is locked."""
    changed = connection.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state == "open")
        .values(state="closed", closed_at=now)
    ).rowcount
    if changed != 1:
        raise RuntimeError(f"review {review_id} is not open")


def review_of(connection: Connection, kind: str, subject: str) -> Review | None:
    """The item of this kind about this subject."""
    row = connection.execute(
        select(reviews).where(reviews.c.kind == kind, reviews.c.subject == subject)
    ).one_or_none()
    return None if row is None else review_from(row)


def reviews_of_sale(connection: Connection, station: str, sale_id: str) -> list[Review]:
    """Every item about this sale."""
    query = select(reviews).where(reviews.c.station == station, reviews.c.sale_id == sale_id)
    return [review_from(row) for row in connection.execute(query.order_by(reviews.c.id))]


# Answers and ends -------------------------------------------------------------------------------------------


def add_answer(connection: Connection, answer: AnswerFact) -> None:
    """Writes what one person answered; each person answers an item once."""
    add(
        connection,
        review_answers,
        id=answer.id,
        review_id=answer.review_id,
        action=answer.given.action,
        plate=answer.given.plate,
        is_misread=answer.given.is_misread,
        reason=answer.given.reason,
        answered_by=answer.answered_by,
        recorded_at=answer.recorded_at,
    )


def answers_to(connection: Connection, review_id: str) -> list[AnswerFact]:
    """What was answered about an item, oldest first."""
    query = select(review_answers).where(review_answers.c.review_id == review_id)
    rows = connection.execute(query.order_by(review_answers.c.recorded_at, review_answers.c.id))
    return [_answer(row) for row in rows]


def answer_counts(connection: Connection, review_ids: Sequence[str]) -> dict[str, int]:
    """How many people have answered each of these items."""
    query = (
        select(review_answers.c.review_id, func.count().label("answers"))
        .where(review_answers.c.review_id.in_(review_ids))
        .group_by(review_answers.c.review_id)
    )
    return {row.review_id: int(row.answers) for row in connection.execute(query)}


def answered_by_each(connection: Connection) -> dict[str, int]:
    """How many items each person has answered."""
    query = select(review_answers.c.answered_by, func.count().label("answers")).group_by(
        review_answers.c.answered_by
    )
    return {row.answered_by: int(row.answers) for row in connection.execute(query)}


def add_end(connection: Connection, end: EndFact) -> None:
    """Writes how an item ended, once."""
    add(
        connection,
        review_ends,
        review_id=end.review_id,
        ended_as=end.ended_as,
        answer_id=end.answer_id,
        first_answer_id=end.first_answer_id,
        plate=end.plate,
        account_id=end.account_id,
        visit_id=end.visit_id,
        station=end.station,
        sale_id=end.sale_id,
        refund_id=end.refund_id,
        moved_fen=end.moved_fen,
        recorded_at=end.recorded_at,
    )


def end_of(connection: Connection, review_id: str) -> EndFact | None:
    """How an item ended, or None while it is open."""
    row = connection.execute(select(review_ends).where(review_ends.c.review_id == review_id)).one_or_none()
    return None if row is None else EndFact(**{name: getattr(row, name) for name in _END})


_END = tuple(field.name for field in fields(EndFact))


# What belongs to an item ------------------------------------------------------------------------------------


def sightings_at_pump(
    connection: Connection, station: str, pump: str, since: datetime, until: datetime, most: int = 20
) -> list[tuple[SightingFact, str | None, str]]:
    """(sighting, its matched or suggested plate, outcome) first seen at a pump in a time, newest first."""
    query = (
        select(sightings, matches.c.plate, matches.c.outcome)
        .join(matches, matches.c.sighting_id == sightings.c.id)
        .where(
            sightings.c.station == station,
            sightings.c.pump == pump,
            sightings.c.first_seen_at >= since,
            sightings.c.first_seen_at <= until,
        )
        .order_by(sightings.c.first_seen_at.desc(), sightings.c.id)
        .limit(most)
    )
    return [(sighting_from(row), row.plate, row.outcome) for row in connection.execute(query)]


def departure_of(connection: Connection, sighting_id: str) -> datetime | None:
    """When the car of this sighting left, or None where it was not seen leaving."""
    query = select(departures.c.left_at).where(departures.c.sighting_id == sighting_id)
    return connection.execute(query).scalar_one_or_none()


_GIVEN_BY_PERSON = Statement(
    select(review_ends.c.visit_id)
    .join(reviews, reviews.c.id == review_ends.c.review_id)
    .where(
        reviews.c.kind == "sighting",
        reviews.c.subject == bindparam("sighting_id"),
        review_ends.c.visit_id.is_not(None),
    )
)


def visit_given_by_person(connection: Connection, sighting_id: str) -> str | None:
    """The visit that a person opened for, or joined to, this sighting."""
    row = _GIVEN_BY_PERSON.first(connection, sighting_id=sighting_id)
    return None if row is None else str(row.visit_id)


def sightings_of_visit(connection: Connection, visit_id: str) -> list[SightingFact]:
    """Every sighting that led to a visit: matched to it, given to it by a person, or its first."""
    matched = select(matches.c.sighting_id).where(matches.c.visit_id == visit_id)
    given = (
        select(reviews.c.sighting_id)
        .join(review_ends, review_ends.c.review_id == reviews.c.id)
        .where(review_ends.c.visit_id == visit_id, reviews.c.sighting_id.is_not(None))
    )
    first = select(visits.c.first_sighting_id).where(visits.c.id == visit_id)
    query = select(sightings).where(
        sightings.c.id.in_(matched) | sightings.c.id.in_(given) | sightings.c.id.in_(first)
    )
    return [sighting_from(row) for row in connection.execute(query.order_by(sightings.c.first_seen_at))]


def gallery(connection: Connection, plate: str, but: str | None, most: int = 3) -> tuple[str, ...]:
    """Pictures (crops) of a plate from its last sightings that were sure, without the one `but`."""
    query = (
        select(sightings.c.evidence_crop)
        .join(matches, matches.c.sighting_id == sightings.c.id)
        .where(matches.c.plate == plate, matches.c.outcome == "auto", sightings.c.evidence_crop.is_not(None))
        .order_by(matches.c.decided_at.desc())
        .limit(most + 1)
    )
    found: list[str] = []
    for sha256 in connection.execute(query).scalars():
        if sha256 != but and sha256 not in found:
            found.append(str(sha256))
    return tuple(found[:most])


def _answer(row: Row[Any]) -> AnswerFact:
    return AnswerFact(
        id=row.id,
        review_id=row.review_id,
        given=Given(row.action, row.plate, row.is_misread, row.reason),
        answered_by=row.answered_by,
        recorded_at=row.recorded_at,
    )
