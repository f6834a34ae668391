"""The messages a camera worker sends: whole numbers only, times in UTC, one fixed form of bytes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from cameras.evidence import Evidence
from cameras.health import CameraHealth
from vision.types import Corners, LookTaken, PlateText, Position, Sighting

PPM = 1_000_000
LIKELY_CHARACTERS = 5
# A message names so many of the readings a sighting was made of, the heaviest, and so many choices of each.
MOST_READINGS = 16
READING_CHARACTERS = 3
DETAIL_LENGTH = 400
SIGHTINGS_PATH = "/v1/sightings"
DEPARTURES_PATH = "/v1/departures"

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The SHA-256 of the networks that read, in lower-case hex; reader: of both by `named_together`."""

    detector: str
    reader: str


def named_together(*sha256s: str) -> str:
    """One SHA-256 for several files that worked together: of their own, in hex, one a line."""
    return hashlib.sha256("".join(f"{name}\n" for name in sha256s).encode()).hexdigest()


def rfc3339(moment: datetime) -> str:
    """The time in UTC with microseconds and a Z; raises ValueError for a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def ppm(probability: float) -> int:
    """A probability as parts per million from 0 to 1,000,000; raises ValueError for what is none."""
    if not math.isfinite(probability) or probability < -1e-6 or probability > 1 + 1e-4:
        raise ValueError(f"{probability!r} is no probability")
    return min(PPM, max(0, round(probability * PPM)))


def position_ppm(position: Position, most: int = LIKELY_CHARACTERS) -> list[list[str | int]]:
    """The likely characters of one position, most likely first; those below one in a million are left out."""
    ranked = sorted(position, key=lambda likely: -likely[1])
    counted = [(character, ppm(probability)) for character, probability in ranked[:most]]
    return [[character, share] for character, share in counted if share > 0]


def reading_message(look: LookTaken) -> Message:
    """One look as the message carries it; `second` only where the second reader was asked."""
    second = {} if look.second is None else {"second": _said(look.second)}
    return {
        "captured_at": rfc3339(look.captured_at),
        **_said(look.plate),
        "colour": look.plate.colour,
        "quality_ppm": ppm(look.quality),
        "weight_ppm": ppm(look.weight),
        **second,
    }


def _said(plate: PlateText) -> Message:
    positions = [position_ppm(position, READING_CHARACTERS) for position in plate.positions]
    # Where all are below one in a million, nothing is left to name.
    is_told = plate.text is not None and all(positions)
    return {
        "text": plate.text if is_told else None,
        "wrong_ppm": PPM - ppm(plate.confidence) if is_told else PPM,
        "positions": positions if is_told else [],
    }


def heaviest(looks: Sequence[LookTaken]) -> list[LookTaken]:
    """The looks that counted most, no more than a message may name, in the order they were taken."""
    kept = sorted(looks, key=lambda look: (-look.weight, look.captured_at))[:MOST_READINGS]
    return sorted(kept, key=lambda look: look.captured_at)


def corners_px(corners: Corners) -> list[list[int]]:
    """The corners of a plate as whole pixels from the top left, none below zero."""
    return [[max(0, round(float(x))), max(0, round(float(y)))] for x, y in corners]


def sighting_message(
    sighting: Sighting, *, sighting_id: str, station: str, evidence: Evidence, models: ModelNames
) -> Message:
    """The body of POST /v1/sightings."""
    if not 0 <= sighting.wrong_ppm <= PPM:
        raise ValueError(f"wrong_ppm {sighting.wrong_ppm} is not in 0 to 1,000,000")
    return {
        "sighting_id": sighting_id,
        "station": station,
        "camera": sighting.camera,
        "pump": sighting.zone,
        "first_seen_at": rfc3339(sighting.first_seen_at),
        "last_seen_at": rfc3339(sighting.last_seen_at),
        "text": sighting.text,
        "colour": sighting.colour,
        "wrong_ppm": int(sighting.wrong_ppm),
        "looks": int(sighting.looks),
        "positions": [position_ppm(position) for position in sighting.positions],
        "evidence": {"frame": evidence.frame, "crop": evidence.crop},
        "models": {"detector": models.detector, "reader": models.reader},
        "plate_corners": corners_px(sighting.best.detection.corners),
        "readings": [reading_message(look) for look in heaviest(sighting.taken)],
    }


def departure_message(sighting_id: str, left_at: datetime) -> Message:
    """The body of POST /v1/departures."""
    return {"sighting_id": sighting_id, "left_at": rfc3339(left_at)}


def health_path(camera: str) -> str:
    """Where the health of this camera is reported."""
    return f"/v1/cameras/{quoted(camera)}/health"


def evidence_path(sha256: str) -> str:
    """Where a picture of evidence is uploaded."""
    return f"/v1/evidence/{sha256}"


def quoted(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def plain(text: str) -> str:
    """The text on one line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def health_message(health: CameraHealth, station: str) -> Message:
    """The body of POST /v1/cameras/{camera}/health."""
    return {
        "station": station,
        "state": health.state,
        "frames": health.frames,
        "dropped": health.dropped,
        "broken_frames": health.broken_frames,
        "reconnects": health.reconnects,
        "last_frame_at": None if health.last_frame_at is None else rfc3339(health.last_frame_at),
        "width": health.width,
        "height": health.height,
        "detail": plain(health.detail)[:DETAIL_LENGTH],
    }


def as_bytes(message: Message) -> bytes:
    """The message as JSON in UTF-8, the same bytes each time; raises ValueError where it holds a float."""
    refuse_floats(message.items())
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def refuse_floats(items: Iterable[Any]) -> None:
    for item in items:
        if isinstance(item, float):
            raise ValueError(f"a message holds the float {item!r}")
        if isinstance(item, dict):
            refuse_floats(item.items())
        elif isinstance(item, list | tuple):
            refuse_floats(item)
