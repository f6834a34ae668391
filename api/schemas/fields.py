"""The kinds of field the messages are made of: whole money, litres as text, times with a zone, safe names."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

LITRES = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
LARGEST_FEN = 10**12

Colour = Literal["blue", "green", "yellow", "white", "black"]


class Message(BaseModel):
    """A JSON object; a field it does not know is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _no_control(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("must not hold control characters")
    return value


def _time_text(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text in RFC 3339, for example 2026-11-21T08:00:00Z")
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone; send UTC, for example 2026-11-21T08:00:00Z")
    if not 2000 <= value.year <= 2200:
        raise ValueError("is not a time of our days")
    return value.astimezone(UTC)


def time_text(value: datetime) -> str:
    """A time as it is sent: RFC 3339, UTC, with a Z."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _litres(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('must be text, for example "31.25"')
    if value.startswith("-"):
        raise ValueError("must not be negative; a pump cannot sell less than nothing")
    if not LITRES.fullmatch(value):
        raise ValueError('must be plain decimal text with at most 3 decimals, for example "31.25"')
    return value


Fen = Annotated[int, Field(strict=True, ge=0, le=LARGEST_FEN, description="Whole fen (0.01 yuan)")]
PositiveFen = Annotated[int, Field(strict=True, gt=0, le=LARGEST_FEN, description="Whole fen, above zero")]
Ppm = Annotated[int, Field(strict=True, ge=0, le=1_000_000, description="Parts per million")]
Count = Annotated[int, Field(strict=True, ge=0, le=10**12)]
Litres = Annotated[
    str, BeforeValidator(_litres), Field(description='Litres as text, at most 3 decimals: "31.25"')
]
Time = Annotated[
    datetime,
    BeforeValidator(_time_text),
    AfterValidator(_aware),
    PlainSerializer(time_text, return_type=str),
    Field(description="RFC 3339 with a zone; answers are in UTC", json_schema_extra={"format": "date-time"}),
]
Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_no_control)]
Detail = Annotated[str, Field(max_length=400), AfterValidator(_no_control)]
Identifier = Annotated[
    str, Field(pattern=r"^[\w.\-]{1,64}$", description="Letters, digits, '.', '_' and '-', at most 64")
]
SaleId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.\-:/]{1,64}$")]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9]{5,20}$")]
Uuid = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        description="Lower-case UUID",
    ),
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in lower-case hex")]
PlateText = Annotated[str, Field(min_length=1, max_length=12), AfterValidator(_no_control)]
Character = Annotated[str, Field(min_length=1, max_length=1), AfterValidator(_no_control)]
