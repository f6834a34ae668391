"""The messages of cameras and pumps."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api.schemas.fields import (
    Character,
    Colour,
    Count,
    Detail,
    Fen,
    Identifier,
    Litres,
    Message,
    PlateText,
    Ppm,
    SaleId,
    Sha256,
    Time,
    Uuid,
)

SIGHTING_ID = "019aa6f2-8d1c-7c3e-9b55-0f6a3f1c2d44"
VISIT_ID = "019aa6f2-8d9b-7e02-8c1d-5c2f7ad0e911"
ACCOUNT_ID = "019aa6ee-1b07-75aa-b1c0-8a7c35e2f0d3"
FRAME_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CROP_SHA256 = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"

SIGHTING: dict[str, Any] = {
    "sighting_id": SIGHTING_ID,
    "station": "demo",
    "camera": "lane-1",
    "pump": "1",
    "first_seen_at": "2026-11-21T08:00:00.120Z",
    "last_seen_at": "2026-11-21T08:00:01.620Z",
    "text": "粤B12345",
    "colour": "blue",
    "wrong_ppm": 1200,
    "looks": 8,
    "positions": [
        [["粤", 998000], ["琼", 1200]],
        [["B", 999900]],
        [["1", 999900]],
        [["2", 999900]],
        [["3", 999900]],
        [["4", 999900]],
        [["5", 999900]],
    ],
    "evidence": {"frame": FRAME_SHA256, "crop": CROP_SHA256},
    "models": {"detector": "a" * 64, "reader": "b" * 64},
    "plate_corners": [[610, 402], [742, 405], [741, 446], [609, 443]],
    "readings": [
        {
            "captured_at": "2026-11-21T08:00:00.320Z",
            "text": "粤B12345",
            "wrong_ppm": 14000,
            "positions": [[["粤", 990000]], *([[c, 999000]] for c in "B12345")],
            "colour": "blue",
            "quality_ppm": 810000,
            "weight_ppm": 640000,
        }
    ],
}


class Evidence(Message):
    frame: Sha256
    crop: Sha256


class Models(Message):
    detector: Sha256
    reader: Sha256


Position = Annotated[list[tuple[Character, Ppm]], Field(min_length=1, max_length=5)]


class SaidMessage(Message):
    """What one reader says of one look."""

    text: PlateText | None
    wrong_ppm: Ppm
    positions: Annotated[list[Position], Field(max_length=10)]


class ReadingMessage(SaidMessage):
    """One look that the sighting was made of. weight_ppm: what it counted for."""

    captured_at: Time
    colour: Colour
    quality_ppm: Ppm
    weight_ppm: Ppm
    second: SaidMessage | None = None


Pixel = Annotated[int, Field(strict=True, ge=0, le=100_000)]


class SightingMessage(Message):
    """What a camera saw of one car's stay in its picture. Its evidence was uploaded before.

    readings, plate_corners: kept as evidence, and decide nothing; an older camera worker sends neither.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [SIGHTING]})

    sighting_id: Uuid
    station: Identifier
    camera: Identifier
    pump: Identifier | None = None
    first_seen_at: Time
    last_seen_at: Time
    text: PlateText | None
    colour: Colour
    wrong_ppm: Ppm
    looks: Count
    positions: Annotated[list[Position], Field(max_length=10)]
    evidence: Evidence
    models: Models
    plate_corners: list[tuple[Pixel, Pixel]] = Field(default_factory=list, max_length=4)
    readings: list[ReadingMessage] = Field(default_factory=list, max_length=16)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.last_seen_at < self.first_seen_at:
            raise ValueError("last_seen_at lies before first_seen_at")
        if self.text is not None and len(self.text) != len(self.positions):
            raise ValueError("positions needs one entry for each character of text")
        return self


class Reason(Message):
    code: str
    text: str


class Match(Message):
    outcome: Literal["auto", "review", "none"]
    account_id: str | None
    plate: str | None
    wrong_ppm: int
    reasons: list[Reason]


class SightingAnswer(Message):
    """Sent after match, visit, hold and event are committed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sighting_id": SIGHTING_ID,
                    "match": {
                        "outcome": "auto",
                        "account_id": ACCOUNT_ID,
                        "plate": "粤B12345",
                        "wrong_ppm": 310,
                        "reasons": [],
                    },
                    "visit_id": VISIT_ID,
                }
            ]
        }
    )

    sighting_id: str
    match: Match
    visit_id: str | None


class DepartureMessage(Message):
    """The car of a sighting has left the picture."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"sighting_id": SIGHTING_ID, "left_at": "2026-11-21T08:04:10.020Z"}]}
    )

    sighting_id: Uuid
    left_at: Time


class DepartureAnswer(Message):
    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"sighting_id": SIGHTING_ID}]}
    )

    sighting_id: str


class CameraHealthMessage(Message):
    """How a camera is, sent when its state changes and about every ten seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "station": "demo",
                    "state": "ok",
                    "frames": 5321,
                    "dropped": 12,
                    "broken_frames": 0,
                    "reconnects": 1,
                    "last_frame_at": "2026-11-21T08:00:01.620Z",
                    "width": 1280,
                    "height": 720,
                    "detail": "",
                }
            ]
        }
    )

    station: Identifier
    state: Literal["ok", "starting", "reconnecting", "frozen", "black", "broken"]
    frames: Count
    dropped: Count
    broken_frames: Count
    reconnects: Count
    last_frame_at: Time | None
    width: Annotated[int, Field(strict=True, ge=0, le=100_000)] | None
    height: Annotated[int, Field(strict=True, ge=0, le=100_000)] | None
    detail: Detail | None = None


class CameraHealthAnswer(Message):
    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"camera": "lane-1", "state": "ok"}]}
    )

    camera: str
    state: str


class EvidenceAnswer(Message):
    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"sha256": CROP_SHA256, "bytes": 18234}]}
    )

    sha256: str
    bytes: int


class SaleMessage(Message):
    """What a pump sold, sent when the nozzle is back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sale_id": "demo-1-000042",
                    "station": "demo",
                    "pump": "1",
                    "grade": "92",
                    "litres": "31.25",
                    "unit_price_fen": 785,
                    "amount_fen": 24531,
                    "started_at": "2026-11-21T08:01:00Z",
                    "ended_at": "2026-11-21T08:03:10Z",
                }
            ]
        }
    )

    sale_id: SaleId
    station: Identifier
    pump: Identifier
    grade: Identifier
    litres: Litres
    unit_price_fen: Annotated[int, Field(strict=True, ge=0, le=1_000_000, description="Fen for one litre")]
    amount_fen: Fen
    started_at: Time
    ended_at: Time

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.ended_at < self.started_at:
            raise ValueError("ended_at lies before started_at")
        return self


class SaleAnswer(Message):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sale_id": "demo-1-000042",
                    "state": "captured",
                    "visit_id": VISIT_ID,
                    "captured_fen": 24531,
                    "reasons": [],
                }
            ]
        }
    )

    sale_id: str
    state: Literal["captured", "void", "waiting", "review"]
    visit_id: str | None
    captured_fen: int
    reasons: list[Reason]


class AuthorisationMessage(Message):
    """Asks what a pump may sell to the car that stands at it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"station": "demo", "pump": "1"}]}
    )

    station: Identifier
    pump: Identifier


class AuthorisationAnswer(Message):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "authorised": True,
                    "limit_fen": 40000,
                    "visit_id": VISIT_ID,
                    "limit_litres": "60.000",
                    "grades": ["92", "95"],
                }
            ]
        }
    )

    authorised: bool
    limit_fen: int
    visit_id: str | None
    limit_litres: str | None = Field(None, description="Litres the owner allows a fill; null: not limited")
    grades: list[str] | None = Field(None, description="Grades the owner allows; null: not limited")
