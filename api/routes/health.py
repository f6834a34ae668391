"""Whether the service lives, is ready for money, and how it is."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError

from api import answers
from api.deps import Parts, get_operator
from api.metrics import CONTENT_TYPE
from api.refusals import OPERATOR, refusals
from api.schemas.fields import time_text
from api.schemas.log import AliveAnswer, HealthAnswer, ReadyAnswer
from wallet.errors import DurabilityTooLow, SchemaMissing

router = APIRouter(tags=["health"])

# The outbox waits for a relay only where there is one.
LARGEST_BACKLOG = 1_000


@router.get("/healthz", responses=refusals())
async def is_alive() -> AliveAnswer:
    """The process answers. Says nothing of the database."""
    return AliveAnswer(state="alive")


@router.get("/readyz", responses=refusals(DurabilityTooLow, SchemaMissing, OperationalError))
def is_ready(services: Parts) -> ReadyAnswer:
    """The database takes writes, and keeps them over a power cut."""
    services.check_ready(services.clock())
    return ReadyAnswer(state="ready")


@router.get("/v1/health", dependencies=[Depends(get_operator)], responses=refusals(*OPERATOR))
def show_health(services: Parts) -> HealthAnswer:
    """Cameras, the janitor, and events that wait."""
    now = services.clock()
    cameras = [answers.camera_view(status, now) for status in services.access.cameras()]
    janitor = services.janitor
    backlog = services.outbox_backlog()
    is_well = (
        janitor.is_running
        and all(camera.state in ("ok", "starting") for camera in cameras)
        and (services.relay is None or backlog < LARGEST_BACKLOG)
    )
    return HealthAnswer(
        state="ok" if is_well else "degraded",
        cameras=cameras,
        janitor={
            "running": janitor.is_running,
            "rounds": janitor.rounds,
            "failures": janitor.failed,
            "last_round_at": time_text(janitor.last_round_at) if janitor.last_round_at else None,
        },
        outbox_backlog=backlog,
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'platepay_sightings_total{outcome="auto"} 12.0',
                }
            },
        },
        **refusals(),
    },
)
def show_metrics(services: Parts) -> Response:
    """Counters for Prometheus. Keep this address inside: it tells how business goes, if not whose."""
    now = services.clock()
    ages_s = {}
    for status in services.access.cameras():
        services.metrics.tell_camera(status.camera, status.state)
        if status.last_frame_at is not None:
            ages_s[status.camera] = max(0, (now - status.last_frame_at) // timedelta(seconds=1))
    services.metrics.tell_reviews(services.wallet.reviewing.waiting(now))
    page = services.metrics.page(ages_s, services.holds_fen(), services.outbox_backlog())
    return Response(page, media_type=CONTENT_TYPE)
