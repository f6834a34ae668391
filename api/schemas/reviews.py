"""What reviewers see and answer: the queue, one item in full, known cases, scores."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api.schemas.devices import ACCOUNT_ID, CROP_SHA256, FRAME_SHA256, SIGHTING_ID, VISIT_ID
from api.schemas.fields import Message, PlateText, Time
from api.schemas.log import REVIEW, SHOWN_SIGHTING, ReviewView, SightingView, VisitAnswer
from api.schemas.money import DONE, CommandAnswer, Reason
from api.schemas.operators import example

REVIEW_ID = "019aa6f6-40fe-7a5e-bc5e-8f3f5c1f1c0a"
REFUND_ID = "019aa6f7-02be-7c11-8a77-5d9e0c4b1a02"
ActionName = Literal["confirm", "correct", "reject", "reverse"]

_LINE: dict[str, Any] = {
    "review_id": REVIEW_ID,
    "kind": "sighting",
    "station": "demo",
    "camera": "lane-1",
    "pump": "1",
    "text": "粤B1234S",
    "colour": "blue",
    "crop": CROP_SHA256,
    "suggestion": "粤B12345",
    "runner_up": "粤B1234S",
    "margin_ppm": 412000,
    "wrong_ppm": 61000,
    "amount_fen": 40000,
    "answers_in": 0,
    "created_at": "2026-11-21T08:00:02.000Z",
    "due_at": "2026-11-21T08:02:02.000Z",
    "is_overdue": False,
}


class QueueLine(Message):
    """One item that waits. margin_ppm: how far the suggestion is ahead of the runner-up."""

    model_config = example(**_LINE)

    review_id: str
    kind: str
    station: str | None
    camera: str | None
    pump: str | None
    text: str | None
    colour: str | None
    crop: str | None
    suggestion: str | None
    runner_up: str | None
    margin_ppm: int
    wrong_ppm: int
    amount_fen: int
    answers_in: int
    created_at: Time
    due_at: Time
    is_overdue: bool


class QueueAnswer(Message):
    model_config = example(items=[_LINE], next_after=None)

    items: list[QueueLine]
    next_after: str | None = Field(description="Send it as `after` for the next ones; null at the end")


class AnswerView(Message):
    action: ActionName
    plate: str | None
    reason: str | None
    answered_by: str
    recorded_at: Time


class EndView(Message):
    """ended_as: docs/review.md lists them. moved_fen: what was taken, or given back."""

    ended_as: str
    plate: str | None
    account_id: str | None
    visit_id: str | None
    sale_id: str | None
    refund_id: str | None
    moved_fen: int
    recorded_at: Time


class SaleView(Message):
    sale_id: str
    pump: str
    grade: str
    amount_fen: int
    started_at: Time
    ended_at: Time


class CandidateView(Message):
    plate: str
    ppm: int


class ReviewDetail(ReviewView):
    """One item in full. answers: one's own; everybody's once two are in, or the item is closed."""

    model_config = example(
        **{**REVIEW, "kind": "sighting", "sale_id": None, "sighting_id": SIGHTING_ID, "amount_fen": 40000},
        due_at="2026-11-21T08:02:02.000Z",
        suggestion="粤B12345",
        runner_up="粤B1234S",
        margin_ppm=412000,
        allowed=["confirm", "correct", "reject"],
        people_needed=1,
        sighting=SHOWN_SIGHTING,
        match_wrong_ppm=294000,
        expected_loss_fen=13230,
        review_cost_fen=200,
        dispute_cost_fen=5000,
        candidates=[{"plate": "粤B12345", "ppm": 706000}, {"plate": "粤B1234S", "ppm": 294000}],
        gallery=[FRAME_SHA256],
        sale=None,
        visit=None,
        answers=[],
        end=None,
    )

    due_at: Time
    suggestion: str | None
    runner_up: str | None
    margin_ppm: int
    allowed: list[ActionName]
    people_needed: int
    sighting: SightingView | None
    match_wrong_ppm: int | None
    expected_loss_fen: int | None
    review_cost_fen: int
    dispute_cost_fen: int
    candidates: list[CandidateView]
    gallery: list[str] = Field(description="SHA-256 of sure pictures of the suggested plate")
    sale: SaleView | None
    visit: VisitAnswer | None
    answers: list[AnswerView]
    end: EndView | None


class ReviewMessage(Message):
    """plate: with correct, the right one, null where it is nobody's; with reverse, where it is known.

    misread: with reverse, whether the plate was misread: it is remembered, and asked about next time.
    """

    model_config = example(action="correct", plate="粤B1234S", reason="the last character is an S")

    action: ActionName
    plate: PlateText | None = None
    misread: bool = True
    reason: Reason | None = None


class VisitReversalMessage(Message):
    model_config = example(reason="another car was charged", plate=None, misread=True)

    reason: Reason
    plate: PlateText | None = None
    misread: bool = True


class ReviewedView(Message):
    """state: closed; waiting (for a second person); disputed (for a further one); known (a known case).

    is_right: of a known case, whether the answer was.
    """

    review_id: str
    action: str
    state: Literal["closed", "waiting", "disputed", "known"]
    ended_as: str | None
    plate: str | None
    account_id: str | None
    visit_id: str | None
    sale_id: str | None
    refund_id: str | None
    hold_fen: int
    moved_fen: int
    is_right: bool | None


class ReviewedAnswer(CommandAnswer):
    model_config = example(
        **DONE,
        review={
            "review_id": REVIEW_ID,
            "action": "confirm",
            "state": "closed",
            "ended_as": "visit_opened",
            "plate": "粤B12345",
            "account_id": ACCOUNT_ID,
            "visit_id": VISIT_ID,
            "sale_id": None,
            "refund_id": None,
            "hold_fen": 40000,
            "moved_fen": 0,
            "is_right": None,
        },
    )

    review: ReviewedView | None


class KnownCaseMessage(Message):
    """A copy of this sighting is put into the queue. suggestion: the plate to suggest, a wrong one too."""

    model_config = example(
        sighting_id=SIGHTING_ID, suggestion="粤B1234S", right_action="correct", right_plate="粤B12345"
    )

    sighting_id: str = Field(min_length=1, max_length=64)
    suggestion: PlateText | None
    right_action: Literal["confirm", "correct", "reject"]
    right_plate: PlateText | None = None


_CASE: dict[str, Any] = {
    "case_id": REVIEW_ID,
    "sighting_id": SIGHTING_ID,
    "suggestion": "粤B1234S",
    "right_action": "correct",
    "right_plate": "粤B12345",
    "planted_by": "wang",
    "planted_at": "2026-11-21T08:00:02.000Z",
}


class KnownCaseView(Message):
    model_config = example(**_CASE)

    case_id: str
    sighting_id: str
    suggestion: str | None
    right_action: str
    right_plate: str | None
    planted_by: str
    planted_at: Time


class KnownCasesAnswer(Message):
    model_config = example(cases=[_CASE])

    cases: list[KnownCaseView]


class PlantedAnswer(CommandAnswer):
    model_config = example(**DONE, case_id=REVIEW_ID)

    case_id: str | None


class ScoreView(Message):
    """right_ppm: share of known cases answered right, with its 95 % interval (Wilson); null without any."""

    reviewer: str
    right: int
    wrong: int
    right_ppm: int | None
    low_ppm: int | None
    high_ppm: int | None
    answered: int = Field(description="Real items answered")


class ScoresAnswer(Message):
    model_config = example(
        reviewers=[
            {
                "reviewer": "wang",
                "right": 19,
                "wrong": 1,
                "right_ppm": 950000,
                "low_ppm": 763872,
                "high_ppm": 991124,
                "answered": 212,
            }
        ]
    )

    reviewers: list[ScoreView]


class WaitingLine(Message):
    kind: str
    open: int
    overdue: int


class WaitingAnswer(Message):
    model_config = example(kinds=[{"kind": "sighting", "open": 3, "overdue": 1}])

    kinds: list[WaitingLine]
