"""Logging in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from api.deps import Parts, TheOperator, get_token, whole_numbers_only
from api.errors import LockedOut, TooBusy, WrongPassword
from api.refusals import JSON, OPERATOR, refusals
from api.schemas.operators import SessionAnswer, SessionMessage

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(whole_numbers_only)],
    responses=refusals(WrongPassword, LockedOut, TooBusy, *JSON),
)
def log_in(message: SessionMessage, services: Parts, response: Response) -> SessionAnswer:
    """Trade a name and password for a token. Several wrong passwords in a row lock the name for a while."""
    token, expires_at = services.operators.login(message.name, message.password)
    response.headers["Cache-Control"] = "no-store"
    return SessionAnswer(token=token, expires_at=expires_at)


@router.delete("/current", status_code=204, responses=refusals(*OPERATOR))
def log_out(
    services: Parts, _operator: TheOperator, token: Annotated[str | None, Depends(get_token)]
) -> Response:
    """End this session."""
    if token is not None:
        services.operators.logout(token)
    return Response(status_code=204)
