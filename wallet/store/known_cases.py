"""Rows of known cases and of what reviewers answered about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from wallet.facts import Match, Posterior, SightingFact
from wallet.review_facts import Given, KnownCase
from wallet.store.events import reasons_from_json, reasons_to_json
from wallet.store.statements import add
from wallet.tables import known_case_answers, known_cases


def add_case(connection: Connection, known: KnownCase) -> None:
    """Writes a known case."""
    add(
        connection,
        known_cases,
        id=known.id,
        sighting_id=known.sighting.sighting_id,
        station=known.sighting.station,
        shown=_shown(known),
        amount_fen=known.amount_fen,
        right_action=known.right.action,
        right_plate=known.right.plate,
        planted_by=known.planted_by,
        planted_at=known.planted_at,
    )


def find_case(connection: Connection, case_id: str) -> KnownCase | None:
    """The known case with this id."""
    row = connection.execute(select(known_cases).where(known_cases.c.id == case_id)).one_or_none()
    return None if row is None else _case(row)


def cases_for(
    connection: Connection, reviewer: str, planted_after: datetime, station: str | None
) -> list[KnownCase]:
    """Known cases planted since a time that this person neither planted nor answered, oldest first."""
    answered = select(known_case_answers.c.case_id).where(known_case_answers.c.answered_by == reviewer)
    query = (
        select(known_cases)
        .where(
            known_cases.c.planted_at > planted_after,
            known_cases.c.planted_by != reviewer,
            known_cases.c.id.not_in(answered),
        )
        .order_by(known_cases.c.planted_at, known_cases.c.id)
    )
    if station is not None:
        query = query.where(known_cases.c.station == station)
    return [_case(row) for row in connection.execute(query)]


def list_cases(connection: Connection, limit: int) -> list[KnownCase]:
    """Known cases, newest first."""
    query = select(known_cases).order_by(known_cases.c.id.desc()).limit(limit)
    return [_case(row) for row in connection.execute(query)]


def has_answered(connection: Connection, case_id: str, reviewer: str) -> bool:
    """Whether this person has answered this case."""
    query = select(known_case_answers.c.id).where(
        known_case_answers.c.case_id == case_id, known_case_answers.c.answered_by == reviewer
    )
    return connection.execute(query).one_or_none() is not None


def add_case_answer(
    connection: Connection,
    answer_id: str,
    case_id: str,
    given: Given,
    is_right: bool,
    reviewer: str,
    now: datetime,
) -> None:
    """Writes what a person answered about a known case, once."""
    add(
        connection,
        known_case_answers,
        id=answer_id,
        case_id=case_id,
        action=given.action,
        plate=given.plate,
        is_right=is_right,
        answered_by=reviewer,
        recorded_at=now,
    )


def right_and_wrong(connection: Connection) -> dict[str, tuple[int, int]]:
    """How many known cases each person answered right, and wrong."""
    right = func.sum(case((known_case_answers.c.is_right, 1), else_=0))
    query = select(
        known_case_answers.c.answered_by, right.label("right_count"), func.count().label("all_count")
    )
    rows = connection.execute(query.group_by(known_case_answers.c.answered_by))
    return {
        row.answered_by: (int(row.right_count), int(row.all_count) - int(row.right_count)) for row in rows
    }


# The case as it is shown, in one column ---------------------------------------------------------------------


def _shown(known: KnownCase) -> dict[str, Any]:
    seen, match = known.sighting, known.match
    return {
        "camera": seen.camera,
        "pump": seen.pump,
        "first_seen_at": seen.first_seen_at.isoformat(),
        "last_seen_at": seen.last_seen_at.isoformat(),
        "text": seen.text,
        "colour": seen.colour,
        "wrong_ppm": seen.wrong_ppm,
        "looks": seen.looks,
        "positions": [[list(choice) for choice in position] for position in seen.positions],
        "evidence_frame": seen.evidence_frame,
        "evidence_crop": seen.evidence_crop,
        "detector_model": seen.detector_model,
        "reader_model": seen.reader_model,
        "plate": match.plate,
        "match_wrong_ppm": match.wrong_ppm,
        "expected_loss_fen": match.expected_loss_fen,
        "runner_up": match.runner_up,
        "runner_up_ppm": match.runner_up_ppm,
        "reasons": reasons_to_json(match.reasons),
        "candidates": [list(candidate) for candidate in match.posterior.candidates],
        "none_ppm": match.posterior.none_ppm,
    }


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written).astimezone(UTC)


def _case(row: Row[Any]) -> KnownCase:
    shown = row.shown
    sighting = SightingFact(
        sighting_id=row.sighting_id,
        station=row.station,
        camera=shown["camera"],
        pump=shown["pump"],
        first_seen_at=_moment(shown["first_seen_at"]),
        last_seen_at=_moment(shown["last_seen_at"]),
        text=shown["text"],
        colour=shown["colour"],
        wrong_ppm=shown["wrong_ppm"],
        looks=shown["looks"],
        positions=tuple(tuple((str(c), int(ppm)) for c, ppm in position) for position in shown["positions"]),
        evidence_frame=shown["evidence_frame"],
        evidence_crop=shown["evidence_crop"],
        detector_model=shown["detector_model"],
        reader_model=shown["reader_model"],
    )
    match = Match(
        sighting_id=row.sighting_id,
        outcome="review",
        account_id=None,
        vehicle_id=None,
        plate=shown["plate"],
        wrong_ppm=shown["match_wrong_ppm"],
        amount_fen=row.amount_fen,
        expected_loss_fen=shown["expected_loss_fen"],
        runner_up=shown["runner_up"],
        runner_up_ppm=shown["runner_up_ppm"],
        reasons=reasons_from_json(shown["reasons"]),
        visit_id=None,
        hold_fen=0,
        joined=False,
        decided_at=row.planted_at,
        posterior=Posterior(tuple((str(p), int(ppm)) for p, ppm in shown["candidates"]), shown["none_ppm"]),
    )
    return KnownCase(
        id=row.id,
        sighting=sighting,
        match=match,
        amount_fen=row.amount_fen,
        right=Given(row.right_action, row.right_plate),
        planted_by=row.planted_by,
        planted_at=row.planted_at,
    )
