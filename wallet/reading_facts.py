"""The readings a sighting was made of, as the wallet keeps them: evidence only, they decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# The likely characters of one position with their chances in ppm, most likely first.
Position = tuple[tuple[str, int], ...]
# A corner of a plate in the evidence frame: pixels from the top left.
Corner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Said:
    """What one reader says of one look; wrong_ppm: chance that the text is not the plate."""

    text: str | None
    wrong_ppm: int
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class ReadingFact:
    """One look. quality_ppm: of its crop; weight_ppm: what it counted for; second: by the other reader."""

    captured_at: datetime
    colour: str
    quality_ppm: int
    weight_ppm: int
    said: Said
    second: Said | None = None
