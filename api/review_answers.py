"""Review items, answers and scores as the HTTP interface shows them."""

from __future__ import annotations

from datetime import datetime

from api import answers
from api.schemas.reviews import (
    AnswerView,
    CandidateView,
    EndView,
    KnownCaseView,
    QueueLine,
    ReviewDetail,
    ReviewedView,
    SaleView,
    ScoreView,
)
from vision.intervals import wilson
from wallet.command_facts import Reviewed
from wallet.review_facts import EndFact, KnownCase, QueueRow, ReviewItem, Score

MILLION = 1_000_000
# Two-sided 95 % of the normal distribution.


def queue_line(row: QueueRow, now: datetime) -> QueueLine:
    """One line of the queue."""
    return QueueLine(
        review_id=row.review.id,
        kind=row.review.kind,
        station=row.review.station,
        camera=row.camera,
        pump=row.pump,
        text=row.text,
        colour=row.colour,
        crop=row.evidence_crop,
        suggestion=row.suggestion,
        runner_up=row.runner_up,
        margin_ppm=row.margin_ppm,
        wrong_ppm=row.wrong_ppm,
        amount_fen=row.review.amount_fen,
        answers_in=row.answers_in,
        created_at=row.review.created_at,
        due_at=row.due_at,
        is_overdue=row.due_at < now,
    )


def review_detail(item: ReviewItem) -> ReviewDetail:
    """One item in full."""
    sale = item.sale
    return ReviewDetail(
        **answers.review_view(item.row.review).model_dump(),
        due_at=item.row.due_at,
        suggestion=item.row.suggestion,
        runner_up=item.row.runner_up,
        margin_ppm=item.row.margin_ppm,
        allowed=list(item.allowed),
        people_needed=item.people_needed,
        sighting=answers.sighting_view(item.sighting) if item.sighting else None,
        match_wrong_ppm=item.match.wrong_ppm if item.match else None,
        expected_loss_fen=item.match.expected_loss_fen if item.match else None,
        review_cost_fen=item.review_cost_fen,
        dispute_cost_fen=item.dispute_cost_fen,
        candidates=[CandidateView(plate=plate, ppm=ppm) for plate, ppm in item.candidates],
        gallery=list(item.gallery),
        sale=SaleView(
            sale_id=sale.sale_id,
            pump=sale.pump,
            grade=sale.grade,
            amount_fen=sale.amount_fen,
            started_at=sale.started_at,
            ended_at=sale.ended_at,
        )
        if sale
        else None,
        visit=answers.visit_answer(item.visit) if item.visit else None,
        answers=[
            AnswerView(
                action=one.given.action,
                plate=one.given.plate,
                reason=one.given.reason,
                answered_by=one.answered_by,
                recorded_at=one.recorded_at,
            )
            for one in item.answers
        ],
        end=end_view(item.end) if item.end else None,
    )


def end_view(end: EndFact) -> EndView:
    """How an item ended."""
    return EndView(
        ended_as=end.ended_as,
        plate=end.plate,
        account_id=end.account_id,
        visit_id=end.visit_id,
        sale_id=end.sale_id,
        refund_id=end.refund_id,
        moved_fen=end.moved_fen,
        recorded_at=end.recorded_at,
    )


def reviewed_view(done: Reviewed) -> ReviewedView:
    """What an answer came to."""
    return ReviewedView.model_validate(
        {name: getattr(done, name) for name in ReviewedView.model_fields}, strict=False
    )


def case_view(case: KnownCase) -> KnownCaseView:
    """A known case, for those who plant them."""
    return KnownCaseView(
        case_id=case.id,
        sighting_id=case.sighting.sighting_id,
        suggestion=case.match.plate,
        right_action=case.right.action,
        right_plate=case.right.plate,
        planted_by=case.planted_by,
        planted_at=case.planted_at,
    )


def score_view(score: Score) -> ScoreView:
    """A reviewer's score with its interval."""
    judged = score.right + score.wrong
    low, high = wilson(score.right, judged) if judged else (0.0, 1.0)
    return ScoreView(
        reviewer=score.reviewer,
        right=score.right,
        wrong=score.wrong,
        right_ppm=score.right * MILLION // judged if judged else None,
        low_ppm=int(low * MILLION) if judged else None,
        high_ppm=int(high * MILLION) if judged else None,
        answered=score.answered,
    )
