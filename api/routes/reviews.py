"""The work of reviewers: the queue, items in full, answers, known cases, scores."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from api import answers
from api.deps import Parts, TheKey, TheOperator, get_operator, whole_numbers_only
from api.errors import KeyRequired, NotAllowed
from api.refusals import JSON, OPERATOR, refusals
from api.review_answers import case_view, queue_line, review_detail, reviewed_view, score_view
from api.rights import may, must_have, needs
from api.schemas.log import ReviewsAnswer
from api.schemas.reviews import (
    KnownCaseMessage,
    KnownCasesAnswer,
    PlantedAnswer,
    QueueAnswer,
    ReviewDetail,
    ReviewedAnswer,
    ReviewMessage,
    ScoresAnswer,
    VisitReversalMessage,
    WaitingAnswer,
    WaitingLine,
)
from wallet.command_facts import Rejected, Reviewed
from wallet.errors import (
    InvalidFact,
    KeyReused,
    ReviewUnknown,
    SightingUnknown,
    VehicleUnknown,
    VisitUnknown,
)
from wallet.review_facts import Given

router = APIRouter(
    prefix="/v1", tags=["review"], dependencies=[Depends(get_operator), Depends(whole_numbers_only)]
)

Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=64)]
Text = Annotated[str | None, Query(max_length=64)]
ReviewId = Annotated[str, Path(max_length=64, examples=["019aa6f6-40fe-7a5e-bc5e-8f3f5c1f1c0a"])]
VisitId = Annotated[str, Path(max_length=64, examples=["019aa6f2-8d9b-7e02-8c1d-5c2f7ad0e911"])]
COMMAND = (*OPERATOR, NotAllowed, KeyRequired, KeyReused, InvalidFact, *JSON)


@router.get("/review-queue", responses=refusals(*OPERATOR, ReviewUnknown))
def show_queue(
    services: Parts,
    operator: TheOperator,
    kind: Text = None,
    station: Text = None,
    limit: Limit = 100,
    after: Cursor = None,
) -> QueueAnswer:
    """What waits for a person, first what is due first."""
    now = services.clock()
    rows = services.wallet.reviewing.queue(
        operator.operator_name, now, kind=kind, station=station, limit=limit, after=after
    )
    more = rows[-1].review.id if len(rows) == limit else None
    return QueueAnswer(items=[queue_line(row, now) for row in rows], next_after=more)


@router.get("/review-queue/counts", responses=refusals(*OPERATOR))
def count_queue(services: Parts) -> WaitingAnswer:
    """How many items are open, and how many of them are overdue."""
    waiting = services.wallet.reviewing.waiting(services.clock())
    return WaitingAnswer(
        kinds=[WaitingLine(kind=kind, open=found, overdue=late) for kind, (found, late) in waiting.items()]
    )


@router.get("/reviews", responses=refusals(*OPERATOR))
def list_reviews(
    services: Parts,
    state: Literal["open", "closed"] | None = None,
    station: Text = None,
    limit: Limit = 100,
    before: Annotated[
        str | None, Query(max_length=64, description="next_before of the answer before")
    ] = None,
) -> ReviewsAnswer:
    """Every item there was, newest first."""
    found = services.wallet.reviews(state=state, station=station, limit=limit, before=before)
    more = found[-1].id if len(found) == limit else None
    return ReviewsAnswer(reviews=[answers.review_view(one) for one in found], next_before=more)


@router.get("/reviews/{review_id}", responses=refusals(*OPERATOR, ReviewUnknown))
def show_review(review_id: ReviewId, services: Parts, operator: TheOperator) -> ReviewDetail:
    """One item with its evidence, the sum behind the decision, and what may be answered."""
    item = services.wallet.reviewing.item(review_id, operator.operator_name, services.clock())
    return review_detail(item)


@router.post(
    "/reviews/{review_id}/answers",
    dependencies=[Depends(needs("review"))],
    responses=refusals(*COMMAND, ReviewUnknown),
)
def answer_review(
    review_id: ReviewId, message: ReviewMessage, services: Parts, key: TheKey, operator: TheOperator
) -> ReviewedAnswer:
    """Confirm, correct, reject or reverse; once for each person. docs/review.md has every rejection."""
    given = Given(message.action, message.plate, message.misread, message.reason)
    done = services.wallet.reviewing.answer(
        review_id, given, key=key, actor=operator.operator_name, now=services.clock()
    )
    return _reviewed(done)


@router.post(
    "/visits/{visit_id}/reversal",
    dependencies=[Depends(needs("review"))],
    responses=refusals(*COMMAND, VisitUnknown),
)
def reverse_visit(
    visit_id: VisitId, message: VisitReversalMessage, services: Parts, key: TheKey, operator: TheOperator
) -> ReviewedAnswer:
    """Give back what a visit took, once; above an amount a second person must agree in the queue.

    Rejected: nothing_captured, nothing_left, already_reversed, already_answered, already_decided.
    """
    given = Given("reverse", message.plate, message.misread, message.reason)
    done = services.wallet.reviewing.reverse_visit(
        visit_id, given, key=key, actor=operator.operator_name, now=services.clock()
    )
    return _reviewed(done)


def _reviewed(done: Reviewed | Rejected) -> ReviewedAnswer:
    if isinstance(done, Rejected):
        return ReviewedAnswer(outcome="rejected", code=done.code, text=done.text, review=None)
    return ReviewedAnswer(outcome="done", code="done", text=None, review=reviewed_view(done))


@router.post(
    "/known-cases",
    status_code=201,
    dependencies=[Depends(needs("plant"))],
    responses=refusals(*COMMAND, SightingUnknown, VehicleUnknown),
)
def plant(message: KnownCaseMessage, services: Parts, key: TheKey, operator: TheOperator) -> PlantedAnswer:
    """Put a copy of a sighting into the queue whose answer is known; whatever is answered moves no money."""
    done = services.wallet.reviewing.plant(
        message.sighting_id,
        message.suggestion,
        Given(message.right_action, message.right_plate),
        key=key,
        actor=operator.operator_name,
        now=services.clock(),
    )
    if isinstance(done, Rejected):
        return PlantedAnswer(outcome="rejected", code=done.code, text=done.text, case_id=None)
    return PlantedAnswer(outcome="done", code="done", text=None, case_id=done.case_id)


@router.get("/known-cases", responses=refusals(*OPERATOR, NotAllowed))
def list_known_cases(services: Parts, operator: TheOperator, limit: Limit = 100) -> KnownCasesAnswer:
    """The known cases, newest first; only for those who may plant them."""
    must_have(operator, "plant")
    return KnownCasesAnswer(cases=[case_view(one) for one in services.wallet.reviewing.known_cases(limit)])


@router.get("/reviewers", responses=refusals(*OPERATOR))
def show_scores(services: Parts, operator: TheOperator) -> ScoresAnswer:
    """How each reviewer did on known cases; who may not plant them sees their own."""
    scores = services.wallet.reviewing.scores()
    if not may(operator, "plant"):
        scores = [score for score in scores if score.reviewer == operator.operator_name]
    return ScoresAnswer(reviewers=[score_view(score) for score in scores])
