"""What operators read: sightings, matches, visits."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from api import answers
from api.deps import Parts, get_operator
from api.refusals import OPERATOR, refusals
from api.schemas.fields import Time
from api.schemas.log import (
    MatchesAnswer,
    SightingsAnswer,
    VisitAnswer,
    VisitsAnswer,
)
from wallet.errors import VisitUnknown

router = APIRouter(prefix="/v1", tags=["log"], dependencies=[Depends(get_operator)])

Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[str | None, Query(max_length=64, description="next_before of the answer before")]
Text = Annotated[str | None, Query(max_length=64)]
Moment = Annotated[Time | None, Query()]
Outcome = Literal["auto", "review", "none"]


@router.get("/matches", responses=refusals(*OPERATOR))
def list_matches(
    services: Parts,
    plate: Text = None,
    station: Text = None,
    outcome: Outcome | None = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 100,
    before: Before = None,
) -> MatchesAnswer:
    """The log: what was seen, whose it is, why, and what it moved; newest first."""
    rows = services.wallet.matches(
        plate=plate, station=station, outcome=outcome, since=since, until=until, limit=limit, before=before
    )
    more = rows[-1].sighting.sighting_id if len(rows) == limit else None
    return MatchesAnswer(matches=[answers.match_view(row) for row in rows], next_before=more)


@router.get("/sightings", responses=refusals(*OPERATOR))
def list_sightings(
    services: Parts,
    station: Text = None,
    limit: Limit = 100,
    before: Before = None,
) -> SightingsAnswer:
    """What cameras saw, newest first."""
    found = services.wallet.sightings(station=station, limit=limit, before=before)
    more = found[-1].sighting_id if len(found) == limit else None
    return SightingsAnswer(sightings=[answers.sighting_view(one) for one in found], next_before=more)


@router.get("/visits", responses=refusals(*OPERATOR))
def list_visits(
    services: Parts,
    account_id: Text = None,
    station: Text = None,
    state: Literal["open", "captured", "voided"] | None = None,
    limit: Limit = 100,
    before: Before = None,
) -> VisitsAnswer:
    """Stays of registered cars, newest first."""
    found = services.wallet.visits(
        account_id=account_id, station=station, state=state, limit=limit, before=before
    )
    more = found[-1].id if len(found) == limit else None
    return VisitsAnswer(visits=[answers.visit_answer(one) for one in found], next_before=more)


@router.get("/visits/{visit_id}", responses=refusals(*OPERATOR, VisitUnknown))
def show_visit(
    visit_id: Annotated[str, Path(max_length=64, examples=["019aa6f2-8d9b-7e02-8c1d-5c2f7ad0e911"])],
    services: Parts,
) -> VisitAnswer:
    """One stay and its money."""
    return answers.visit_answer(services.wallet.visit(visit_id))
