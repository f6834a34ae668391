"""What operators read: visits, sightings, matches, review items, and how the service is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.devices import ACCOUNT_ID, SIGHTING, SIGHTING_ID, VISIT_ID, Reason
from api.schemas.fields import Message, Time
from api.schemas.operators import example

# What is shown of a sighting: the looks it was made of are evidence, and stand in the dispute pack.
SHOWN_SIGHTING = {
    name: value for name, value in SIGHTING.items() if name not in ("plate_corners", "readings")
}
VISIT = {
    "visit_id": VISIT_ID,
    "station": "demo",
    "pump": "1",
    "account_id": ACCOUNT_ID,
    "plate": "粤B12345",
    "state": "captured",
    "end": "captured",
    "opened_at": "2026-11-21T08:00:00.120Z",
    "last_seen_at": "2026-11-21T08:00:01.620Z",
    "left_at": None,
    "settled_at": "2026-11-21T08:03:10.000Z",
    "last_sighting_id": SIGHTING_ID,
    "hold_fen": 40000,
    "captured_fen": 24531,
    "sale_id": "demo-1-000042",
}


class VisitAnswer(Message):
    model_config = example(**VISIT)

    visit_id: str
    station: str
    pump: str | None
    account_id: str
    plate: str
    state: Literal["open", "captured", "voided"]
    end: str | None
    opened_at: Time
    last_seen_at: Time
    left_at: Time | None
    settled_at: Time | None
    last_sighting_id: str
    hold_fen: int
    captured_fen: int
    sale_id: str | None


class VisitsAnswer(Message):
    model_config = example(visits=[VISIT], next_before=None)

    visits: list[VisitAnswer]
    next_before: str | None


class SightingView(Message):
    sighting_id: str
    station: str
    camera: str
    pump: str | None
    first_seen_at: Time
    last_seen_at: Time
    text: str | None
    colour: str
    wrong_ppm: int
    looks: int
    positions: list[list[tuple[str, int]]]
    evidence: dict[str, str | None]
    models: dict[str, str | None]


class SightingsAnswer(Message):
    model_config = example(sightings=[SHOWN_SIGHTING], next_before=None)

    sightings: list[SightingView]
    next_before: str | None


class MatchView(Message):
    """One line of the log: sighting, decision, visit and money together."""

    sighting: SightingView
    outcome: Literal["auto", "review", "none"]
    account_id: str | None
    plate: str | None
    wrong_ppm: int
    reasons: list[Reason]
    decided_at: Time
    visit_id: str | None
    joined: bool = Field(description="It continues a stay that was known before; the money is that stay's")
    visit_state: Literal["open", "captured", "voided"] | None
    visit_end: str | None
    hold_fen: int
    captured_fen: int
    sale_id: str | None


class MatchesAnswer(Message):
    model_config = example(
        matches=[
            {
                "sighting": SHOWN_SIGHTING,
                "outcome": "auto",
                "account_id": ACCOUNT_ID,
                "plate": "粤B12345",
                "wrong_ppm": 310,
                "reasons": [],
                "decided_at": "2026-11-21T08:00:02.000Z",
                "visit_id": VISIT_ID,
                "joined": False,
                "visit_state": "captured",
                "visit_end": "captured",
                "hold_fen": 40000,
                "captured_fen": 24531,
                "sale_id": "demo-1-000042",
            }
        ],
        next_before=None,
    )

    matches: list[MatchView]
    next_before: str | None


REVIEW = {
    "review_id": "019aa6f6-40fe-7a5e-bc5e-8f3f5c1f1c0a",
    "kind": "sale_without_visit",
    "state": "open",
    "station": "demo",
    "sighting_id": None,
    "sale_id": "demo-1-000043",
    "visit_id": None,
    "account_id": None,
    "amount_fen": 15000,
    "reasons": [{"code": "sale_without_visit", "text": "No car was seen at pump 1."}],
    "created_at": "2026-11-21T08:20:00.000Z",
    "closed_at": None,
}


class ReviewView(Message):
    model_config = example(**REVIEW)

    review_id: str
    kind: str
    state: Literal["open", "closed"]
    station: str | None
    sighting_id: str | None
    sale_id: str | None
    visit_id: str | None
    account_id: str | None
    amount_fen: int
    reasons: list[Reason]
    created_at: Time
    closed_at: Time | None


class ReviewsAnswer(Message):
    model_config = example(
        reviews=[REVIEW],
        next_before=None,
    )

    reviews: list[ReviewView]
    next_before: str | None


class CameraView(Message):
    camera: str
    station: str
    state: str
    frames: int
    dropped: int
    broken_frames: int
    reconnects: int
    last_frame_at: Time | None
    last_frame_age_s: int | None
    reported_at: Time
    width: int | None
    height: int | None
    detail: str | None


class HealthAnswer(Message):
    """How the whole service is, for operators."""

    model_config = example(
        state="ok",
        cameras=[
            {
                "camera": "lane-1",
                "station": "demo",
                "state": "ok",
                "frames": 5321,
                "dropped": 12,
                "broken_frames": 0,
                "reconnects": 1,
                "last_frame_at": "2026-11-21T08:00:01.620Z",
                "last_frame_age_s": 1,
                "reported_at": "2026-11-21T08:00:02.000Z",
                "width": 1280,
                "height": 720,
                "detail": "",
            }
        ],
        janitor={"running": True, "rounds": 20, "failures": 0, "last_round_at": "2026-11-21T08:00:00.000Z"},
        outbox_backlog=0,
    )

    state: Literal["ok", "degraded"]
    cameras: list[CameraView]
    janitor: dict[str, bool | int | str | None]
    outbox_backlog: int


class AliveAnswer(Message):
    model_config = example(state="alive")

    state: Literal["alive"]


class ReadyAnswer(Message):
    model_config = example(state="ready")

    state: Literal["ready"]
