"""Where in the picture a plate stands, and whether it stands at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from vision.types import Corners, Zone

Point = npt.NDArray[np.float64]

# A plate that has moved by more than this many of its widths since it came to rest is moving.
STILL_WIDTHS = 0.6


def zone_at(corners: Corners, size: tuple[int, int], zones: Sequence[Zone]) -> str | None:
    """The name of the first zone that holds the middle of the plate.

    size: width and height of the picture in pixels.
    """
    x, y = corners.mean(axis=0) / np.array(size, np.float64)
    return next((zone.name for zone in zones if holds(zone.polygon, float(x), float(y))), None)


def holds(polygon: Sequence[tuple[float, float]], x: float, y: float) -> bool:
    """Whether the point lies in the polygon (even-odd rule)."""
    inside = False
    for (ax, ay), (bx, by) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
    return inside


@dataclass(slots=True)
class Rest:
    """Since when, and in how many frames, a plate has stood where it stands. Changed by `see`."""

    anchor: Point
    since: datetime
    frames: int = 0

    def see(self, centre: Point, width: float, at: datetime) -> None:
        """Take in the plate's middle and width (pixels) at a time; moving starts the rest anew."""
        if float(np.linalg.norm(centre - self.anchor)) > STILL_WIDTHS * width:
            self.anchor, self.since, self.frames = centre, at, 0
        self.frames += 1
