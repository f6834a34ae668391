"""What cameras and pumps send, each request signed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from api import answers
from api.deps import (
    Body,
    Parts,
    TheCamera,
    TheOperator,
    ThePump,
    ThePurpose,
    get_camera,
    get_pump,
    whole_numbers_only,
)
from api.errors import (
    EvidenceDiffers,
    EvidenceMissing,
    EvidenceNotJpeg,
    EvidenceUnknown,
    PayloadTooLarge,
    WrongStation,
)
from api.refusals import JSON, OPERATOR, SIGNED, refusals
from api.schemas.devices import (
    AuthorisationAnswer,
    AuthorisationMessage,
    CameraHealthAnswer,
    CameraHealthMessage,
    DepartureAnswer,
    DepartureMessage,
    EvidenceAnswer,
    SaleAnswer,
    SaleMessage,
    SightingAnswer,
    SightingMessage,
)
from api.schemas.fields import Identifier
from wallet.errors import InvalidAmount, InvalidFact, KeyReused, SaleAmountMismatch, SightingUnknown
from wallet.facts import Sale
from wallet.money import format_litres, parse_litres

cameras = APIRouter(
    prefix="/v1", tags=["cameras"], dependencies=[Depends(get_camera), Depends(whole_numbers_only)]
)
pumps = APIRouter(prefix="/v1", tags=["pumps"], dependencies=[Depends(get_pump), Depends(whole_numbers_only)])
pictures = APIRouter(prefix="/v1", tags=["evidence"])

REPEATED: dict[int | str, dict[str, Any]] = {200: {"description": "Sent before; this is its answer"}}

Sha256InPath = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", examples=["a" * 64])]


@cameras.post(
    "/sightings",
    status_code=201,
    responses={
        **REPEATED,
        **refusals(*SIGNED, WrongStation, EvidenceMissing, KeyReused, InvalidFact, *JSON),
    },
)
def take_sighting(
    message: SightingMessage, services: Parts, camera: TheCamera, response: Response
) -> SightingAnswer:
    """Decide whose car was seen, and reserve money where that is sure. Answered after the commit."""
    camera.must_speak_for(message.station)
    arrival = services.autopay.arrive(message)
    if arrival.repeated:
        response.status_code = 200
    return answers.sighting_answer(arrival)


@cameras.post("/departures", responses=refusals(*SIGNED, SightingUnknown, KeyReused, InvalidFact, *JSON))
def take_departure(message: DepartureMessage, services: Parts, camera: TheCamera) -> DepartureAnswer:
    """The car has left the picture; its stay ends after a grace."""
    services.autopay.depart(message, camera)
    return DepartureAnswer(sighting_id=message.sighting_id)


@cameras.post("/cameras/{camera}/health", responses=refusals(*SIGNED, WrongStation, *JSON))
def take_health(
    camera: Annotated[Identifier, Path(examples=["lane-1"])],
    message: CameraHealthMessage,
    services: Parts,
    speaker: TheCamera,
) -> CameraHealthAnswer:
    """Keep how a camera is."""
    speaker.must_speak_for(message.station)
    services.tell_camera(camera, message)
    return CameraHealthAnswer(camera=camera, state=message.state)


@pictures.put(
    "/evidence/{sha256}",
    status_code=201,
    dependencies=[Depends(get_camera)],
    responses={
        **REPEATED,
        **refusals(*SIGNED, EvidenceDiffers, EvidenceNotJpeg, PayloadTooLarge, RequestValidationError),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def put_evidence(sha256: Sha256InPath, body: Body, services: Parts, response: Response) -> EvidenceAnswer:
    """Keep a picture under the SHA-256 of its bytes, before the sighting that names it."""
    if not services.evidence.put(sha256, body):
        response.status_code = 200
    return EvidenceAnswer(sha256=sha256, bytes=len(body))


@pictures.get(
    "/evidence/{sha256}",
    response_class=Response,
    responses={
        200: {
            "description": "The picture",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        },
        **refusals(*OPERATOR, EvidenceUnknown),
    },
)
def get_evidence(
    sha256: Sha256InPath, services: Parts, operator: TheOperator, purpose: ThePurpose = "picture"
) -> Response:
    """A picture, for operators; who looked and why is kept."""
    content = services.evidence.get(sha256)
    services.access.record_read(
        "picture", sha256, purpose, operator.operator_name, services.clock(), operator.operator_id
    )
    return Response(
        content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600, immutable"}
    )


@pumps.post(
    "/sales",
    status_code=201,
    responses={
        **REPEATED,
        **refusals(*SIGNED, WrongStation, SaleAmountMismatch, KeyReused, InvalidAmount, InvalidFact, *JSON),
    },
)
def take_sale(message: SaleMessage, services: Parts, pump: ThePump, response: Response) -> SaleAnswer:
    """Take the money for a sale from the hold of the car at this pump. Answered after the commit."""
    pump.must_speak_for(message.station)
    result = services.wallet.record_sale(
        Sale(
            sale_id=message.sale_id,
            station=message.station,
            pump=message.pump,
            grade=message.grade,
            litres_ml=parse_litres(message.litres),
            unit_price_fen=message.unit_price_fen,
            amount_fen=message.amount_fen,
            started_at=message.started_at,
            ended_at=message.ended_at,
        ),
        services.clock(),
    )
    if result.repeated:
        response.status_code = 200
    else:
        services.metrics.count_sale(result)
    return answers.sale_answer(result)


@pumps.post("/authorisations", responses=refusals(*SIGNED, WrongStation, *JSON))
def authorise(message: AuthorisationMessage, services: Parts, pump: ThePump) -> AuthorisationAnswer:
    """What the pump may sell to the car that stands at it now."""
    pump.must_speak_for(message.station)
    found = services.wallet.authorise(message.station, message.pump, services.clock())
    return AuthorisationAnswer(
        authorised=found.authorised,
        limit_fen=found.limit_fen,
        visit_id=found.visit_id,
        limit_litres=None if found.litres_ml is None else format_litres(found.litres_ml),
        grades=None if found.grades is None else list(found.grades),
    )
