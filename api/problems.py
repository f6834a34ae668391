"""Errors as RFC 9457 problem details: one shape for every refusal, with the facts and what to do."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from api.errors import (
    PROBLEMS,
    ApiError,
    InternalError,
    LockedOut,
    MethodNotAllowed,
    NotFound,
    NotJson,
    PayloadTooLarge,
    problem_for,
)
from wallet.errors import WalletError

MEDIA_TYPE = "application/problem+json"


class ProblemResponse(JSONResponse):
    """JSON with the media type of problem details."""

    media_type = MEDIA_TYPE


def problem_response(error: Exception, request_id: str | None = None, **more: object) -> ProblemResponse:
    """The answer for an error of the table; any other becomes internal_error and tells nothing."""
    row = problem_for(error)
    if row is None:
        error = InternalError()
        row = PROBLEMS[InternalError]
    detail = " ".join(part for part in (_sentence(error), row.remedy) if part)
    body: dict[str, object] = {name: _plain(value) for name, value in _facts(error).items()}
    body.update({name: _plain(value) for name, value in more.items()})
    body.update(
        type=f"urn:platepay:problem:{row.code}",
        title=row.title,
        status=int(row.status),
        detail=detail,
        code=row.code,
    )
    if request_id:
        body["request_id"] = request_id
    headers = {}
    if isinstance(error, LockedOut):
        headers["Retry-After"] = str(error.facts["retry_after_s"])
    elif row.status == 503:
        headers["Retry-After"] = "2"
    elif row.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="platepay"'
    return ProblemResponse(body, status_code=row.status, headers=headers)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the table, of validation and of routing with problem details."""
    for kind in PROBLEMS:
        if kind is not RequestValidationError:
            app.add_exception_handler(kind, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _request_id(request: Request) -> str | None:
    value: str | None = request.scope.get("platepay.request_id")
    return value


async def _known(request: Request, error: Exception) -> Response:
    return problem_response(error, _request_id(request))


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    items: Sequence[Mapping[str, object]] = error.errors()
    for item in items:
        if item["type"] == "json_invalid":
            context = item.get("ctx")
            reason = context.get("error", "") if isinstance(context, dict) else ""
            return problem_response(
                NotJson(reason=str(reason) or "it cannot be parsed"), _request_id(request)
            )
    problems = [_field_problem(item) for item in items]
    return problem_response(error, _request_id(request), problems=problems)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    known: ApiError
    match error.status_code:
        case 404:
            known = NotFound(path=path)
        case 405:
            known = MethodNotAllowed(method=request.method, path=path)
        case 413:
            known = PayloadTooLarge()
        case 400:
            known = NotJson(reason="it cannot be parsed")
        case _:
            known = InternalError()
    response = problem_response(known, _request_id(request))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _field_problem(item: Mapping[str, object]) -> dict[str, str]:
    loc = item["loc"]
    parts = [str(part) for part in loc] if isinstance(loc, tuple | list) else [str(loc)]
    where = parts[0] if parts else "body"
    field = ".".join(parts[1:]) or where
    message = str(item["msg"]).removeprefix("Value error, ")
    match item["type"]:
        case "extra_forbidden":
            message = "is not a field of this request; leave it out or correct its name"
        case "missing":
            message = "is missing; send it"
        case "model_attributes_type" | "dict_type" | "model_type":
            message = "must be a JSON object"
    return {"in": where, "field": field, "message": message}


def _sentence(error: Exception) -> str:
    if isinstance(error, SQLAlchemyError):
        # Its text holds statements and parameters.
        return "The database does not answer."
    if isinstance(error, RequestValidationError):
        fields = sorted({_field_problem(item)["field"] for item in error.errors()})
        return f"These fields do not fit: {', '.join(fields[:10])}."
    text = str(error).strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _facts(error: Exception) -> dict[str, object]:
    """The facts an error carries: an ApiError's arguments, or a domain error's own."""
    if isinstance(error, ApiError):
        return dict(error.facts)
    if isinstance(error, WalletError):
        return error.facts()
    return {}


def _plain(value: object) -> object:
    """A value as JSON can hold it, never a float."""
    match value:
        case None | bool() | int() | str():
            return value
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return str(value)
