"""What reviewers see: the queue merged from all kinds by due time, and one item with all that is known."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet import known_cases, review_actions
from wallet.errors import ReviewUnknown
from wallet.facts import Match, Review, SightingFact
from wallet.money import MILLION
from wallet.once import Command
from wallet.review_ending import Desk
from wallet.review_facts import (
    SALE_KINDS,
    AnswerFact,
    KnownCase,
    QueueRow,
    ReviewItem,
    Score,
    due_after,
)
from wallet.rules import Rules
from wallet.store import events, forecourt, reviewing, selling
from wallet.store import known_cases as case_rows


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose queue, and which part of it."""

    reviewer: str
    kind: str | None
    station: str | None
    limit: int
    after: str | None


def queue(connection: Connection, wanted: Wanted, rules: Rules, now: datetime) -> list[QueueRow]:
    """Open items, first what is due first. Each kind is read by age; what is due when follows from both."""
    mark = _mark(connection, wanted, rules)
    cases = case_rows.cases_for(
        connection, wanted.reviewer, now - known_cases.oldest_shown(rules), wanted.station
    )
    known = {case.id: case for case in cases}
    if wanted.kind is not None and wanted.kind != "sighting":
        known = {}
    streams = [_dated([known_cases.as_review(case) for case in known.values()], rules)]
    for kind in reviewing.open_kinds(connection) if wanted.kind is None else [wanted.kind]:
        after = (mark[0] - due_after(kind, rules), mark[1]) if mark else None
        found = reviewing.oldest_open(connection, kind, wanted.station, after, wanted.limit)
        streams.append(_dated(found, rules))
    merged = [item for item in heapq.merge(*streams, key=_order) if mark is None or _order(item) > mark]
    page = merged[: wanted.limit]
    counts = reviewing.answer_counts(connection, [review.id for _, review in page])
    return [_row(connection, review, known.get(review.id), rules, counts) for _, review in page]


def _dated(found: Sequence[Review], rules: Rules) -> list[tuple[datetime, Review]]:
    dated = [(review.created_at + due_after(review.kind, rules), review) for review in found]
    return sorted(dated, key=_order)


def _order(item: tuple[datetime, Review]) -> tuple[datetime, str]:
    return item[0], item[1].id


def _mark(connection: Connection, wanted: Wanted, rules: Rules) -> tuple[datetime, str] | None:
    if wanted.after is None:
        return None
    review = events.find_review(connection, wanted.after)
    if review is None:
        case = case_rows.find_case(connection, wanted.after)
        if case is None:
            raise ReviewUnknown(wanted.after)
        review = known_cases.as_review(case)
    return review.created_at + due_after(review.kind, rules), review.id


def _row(
    connection: Connection,
    review: Review,
    known: KnownCase | None,
    rules: Rules,
    counts: dict[str, int],
) -> QueueRow:
    sighting, match = _seen(connection, review, known)
    suggestion = match.plate if match else None
    if review.kind in SALE_KINDS or review.kind in ("wrong_debit", "amount_above_hold"):
        suggestion = _suggestion(connection, review, match, rules)
    certain_ppm = MILLION - match.wrong_ppm if match and match.plate else 0
    pump = sighting.pump if sighting else None
    if pump is None and review.sale_id is not None and review.station is not None:
        found = selling.find_sale(connection, review.station, review.sale_id)
        pump = found[0].pump if found else None
    return QueueRow(
        review=review,
        due_at=review.created_at + due_after(review.kind, rules),
        text=sighting.text if sighting else None,
        colour=sighting.colour if sighting else None,
        camera=sighting.camera if sighting else None,
        pump=pump,
        evidence_crop=sighting.evidence_crop if sighting else None,
        suggestion=suggestion,
        runner_up=match.runner_up if match else None,
        margin_ppm=certain_ppm - match.runner_up_ppm if match and match.plate else 0,
        wrong_ppm=sighting.wrong_ppm if sighting else 0,
        answers_in=counts.get(review.id, 0),
    )


def _seen(
    connection: Connection, review: Review, known: KnownCase | None
) -> tuple[SightingFact | None, Match | None]:
    if known is not None:
        return known.sighting, known.match
    sighting_id = review.sighting_id
    if sighting_id is None and review.visit_id is not None:
        visit = forecourt.find_visit(connection, review.visit_id)
        sighting_id = visit.last_sighting_id if visit else None
    if sighting_id is None:
        return None, None
    return forecourt.find_sighting(connection, sighting_id), forecourt.find_match(connection, sighting_id)


def _suggestion(
    connection: Connection,
    review: Review,
    match: Match | None,
    rules: Rules,
) -> str | None:
    if review.kind in ("wrong_debit", "amount_above_hold"):
        visit = forecourt.find_visit(connection, review.visit_id) if review.visit_id else None
        return visit.plate if visit else None
    found = selling.find_sale(connection, review.station or "", review.sale_id or "")
    return review_actions.suggestion_for(connection, review, match, found[0] if found else None, rules)


# One item ---------------------------------------------------------------------------------------------------


def item(
    connection: Connection,
    review_id: str,
    reviewer: str,
    rules: Rules,
    now: datetime,
    new_id: Callable[[], str],
) -> ReviewItem:
    """Everything about one item; the others' answers only when two are in, or the item is closed."""
    known = case_rows.find_case(connection, review_id)
    if known is not None:
        return _known_item(connection, known, reviewer, rules)
    review = events.find_review(connection, review_id)
    if review is None:
        raise ReviewUnknown(review_id)
    sighting, match = _seen(connection, review, None)
    sale = None
    if review.sale_id is not None and review.station is not None:
        found = selling.find_sale(connection, review.station, review.sale_id)
        sale = found[0] if found else None
    if sighting is None and sale is not None:
        seen = reviewing.sightings_at_pump(
            connection,
            sale.station,
            sale.pump,
            sale.started_at - timedelta(seconds=rules.longest_stay_s),
            sale.ended_at,
            1,
        )
        sighting = seen[0][0] if seen else None
        match = forecourt.find_match(connection, sighting.sighting_id) if sighting else None
    answers = reviewing.answers_to(connection, review_id)
    row = _row(connection, review, None, rules, {review_id: len(answers)})
    command = Command("review", "", {}, reviewer, now, new_id)
    unpaid = sale if review.kind in SALE_KINDS else None
    desk = Desk(connection, command, rules, review, sighting, match, unpaid, row.suggestion)
    is_open = review.state == "open"
    end = reviewing.end_of(connection, review_id)
    visit_id = (end.visit_id if end else None) or review.visit_id
    shown = row.suggestion or (match.plate if match else None)
    crop = sighting.evidence_crop if sighting else None
    return ReviewItem(
        row=row,
        allowed=review_actions.allowed(desk) if is_open else (),
        people_needed=review_actions.people_needed(desk),
        sighting=sighting,
        match=match,
        sale=sale,
        visit=forecourt.find_visit(connection, visit_id) if visit_id else None,
        candidates=match.posterior.candidates if match else (),
        gallery=reviewing.gallery(connection, shown, crop) if shown else (),
        answers=_visible(answers, reviewer, is_open),
        end=end,
        review_cost_fen=rules.review_cost_fen,
        dispute_cost_fen=rules.dispute_cost_fen,
    )


def _visible(answers: list[AnswerFact], reviewer: str, is_open: bool) -> tuple[AnswerFact, ...]:
    if is_open and len(answers) < 2:
        return tuple(one for one in answers if one.answered_by == reviewer)
    return tuple(answers)


def _known_item(connection: Connection, known: KnownCase, reviewer: str, rules: Rules) -> ReviewItem:
    review = known_cases.as_review(known)
    row = _row(connection, review, known, rules, {})
    answered = case_rows.has_answered(connection, known.id, reviewer)
    plate = known.match.plate
    crop = known.sighting.evidence_crop
    return ReviewItem(
        row=replace(row, review=replace(review, state="closed")) if answered else row,
        allowed=() if answered else known_cases.allowed(known),
        people_needed=1,
        sighting=known.sighting,
        match=known.match,
        sale=None,
        visit=None,
        candidates=known.match.posterior.candidates,
        gallery=reviewing.gallery(connection, plate, crop) if plate else (),
        answers=(),
        end=None,
        review_cost_fen=rules.review_cost_fen,
        dispute_cost_fen=rules.dispute_cost_fen,
    )


# Numbers ----------------------------------------------------------------------------------------------------


def waiting(connection: Connection, rules: Rules, now: datetime) -> dict[str, tuple[int, int]]:
    """For each kind how many items are open, and how many of these are overdue."""
    return {
        kind: (
            reviewing.count_open(connection, kind),
            reviewing.count_open(connection, kind, now - due_after(kind, rules)),
        )
        for kind in reviewing.open_kinds(connection)
    }


def scores(connection: Connection) -> list[Score]:
    """How each person did on known cases, and how many real items they answered."""
    judged = case_rows.right_and_wrong(connection)
    answered = reviewing.answered_by_each(connection)
    return [
        Score(name, *judged.get(name, (0, 0)), answered=answered.get(name, 0))
        for name in sorted(judged.keys() | answered.keys())
    ]
