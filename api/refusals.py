"""The refusals of each route as OpenAPI shows them, made from the table in errors.py."""

from __future__ import annotations

from typing import Any

from fastapi.exceptions import RequestValidationError

from api.errors import (
    PROBLEMS,
    BadSignature,
    FloatForMoney,
    InternalError,
    NoncesUnavailable,
    NotJson,
    NotSignedIn,
    PayloadTooLarge,
    ReplayedRequest,
    StaleTimestamp,
    UnknownDevice,
    UnsignedRequest,
    WrongRole,
)
from api.problems import MEDIA_TYPE

SIGNED = (
    UnsignedRequest,
    UnknownDevice,
    BadSignature,
    StaleTimestamp,
    ReplayedRequest,
    WrongRole,
    NoncesUnavailable,
)
JSON = (NotJson, FloatForMoney, RequestValidationError, PayloadTooLarge)
OPERATOR = (NotSignedIn, RequestValidationError)

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457 problem details; the facts of the error are further members.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do, for people"},
        "code": {"type": "string", "description": "Stable, for programs"},
        "request_id": {"type": "string"},
        "problems": {
            "type": "array",
            "description": "With invalid_request: each field and what is wrong with it",
            "items": {"type": "object"},
        },
    },
}


def refusals(*kinds: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for these errors and internal_error: by status, with an example for each code."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in (*kinds, InternalError):
        row = PROBLEMS[kind]
        entry = found.setdefault(
            int(row.status),
            {
                "description": "",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        entry["description"] = f"{entry['description']}, {row.code}".removeprefix(", ")
        entry["content"][MEDIA_TYPE]["examples"][row.code] = {
            "summary": row.title,
            "value": {
                "type": f"urn:platepay:problem:{row.code}",
                "title": row.title,
                "status": int(row.status),
                "detail": row.remedy,
                "code": row.code,
            },
        }
    return found
