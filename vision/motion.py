"""Whether a still camera's picture has changed: where nothing has moved, nothing new need be looked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import cv2
import numpy as np
import numpy.typing as npt

from vision.types import Image, Zone

Cells = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]

# The picture is compared as so many cells across: of a plate of 40 pixels in 1280, five are left.
CELLS_ACROSS = 160
# A cell has changed by so many grey levels, and by so many times what a usual cell changes: sensor noise,
# coding and a cloud move all cells a little, a car moves some of them a lot.
LEAST_CHANGE, TIMES_USUAL = 8.0, 6.0
# So many changed cells are a movement: the corner of a car is more, a blinking dot of the camera's is fewer.
LEAST_CELLS = 16
# A car on its way to a zone is seen this far before it, as a share of the picture.
MARGIN = 0.06
# After a movement the picture is looked at for so long: a plate may show only once it stands.
SETTLE_S = 1.0


class MotionGate:
    """Says which frames of one camera must be looked at.

    look_every_s: how often a picture without motion is looked at all the same.
    """

    def __init__(self, zones: Sequence[Zone], look_every_s: float) -> None:
        self.look_every_s = look_every_s
        self._zones = zones
        self._mask: Mask | None = None
        self._reference: Cells | None = None
        self._looked_at: datetime | None = None
        self._open_until: datetime | None = None

    def must_look(self, image: Image, at: datetime, *, is_wanted: bool = False) -> bool:
        """Whether plates must be looked for in this picture; if so the next ones are compared with it.

        image: (H, W, 3) uint8 BGR; not changed. is_wanted: look, whether anything has moved or not.
        """
        cells = cells_of(image)
        if self._reference is None or self._reference.shape != cells.shape:
            self._mask = watched_cells(self._zones, (cells.shape[1], cells.shape[0]))
            has_moved = True
        else:
            has_moved = self._differs(cells)
        if has_moved:
            self.stir(at)
        is_open = self._open_until is not None and 0.0 <= (self._open_until - at).total_seconds() <= SETTLE_S
        overdue = self._looked_at is None or not (
            0.0 <= (at - self._looked_at).total_seconds() < self.look_every_s
        )
        if is_wanted or is_open or overdue:
            self._reference, self._looked_at = cells, at
            return True
        return False

    def stir(self, at: datetime) -> None:
        """Look at all pictures for a while."""
        self._open_until = at + timedelta(seconds=SETTLE_S)

    def _differs(self, cells: Cells) -> bool:
        if self._reference is None or self._mask is None:
            return True
        change = (cells - self._reference)[self._mask]
        if change.size == 0:
            return True
        # The whole picture growing lighter or darker is no movement.
        apart = np.abs(change - np.median(change))
        usual = float(np.median(apart))
        return int((apart > max(LEAST_CHANGE, TIMES_USUAL * usual)).sum()) >= LEAST_CELLS


def cells_of(image: Image) -> Cells:
    """The mean grey level of each cell; hardly any noise is left in a mean."""
    # Of a large picture some pixels of each cell tell as much, and cost less.
    step = max(1, image.shape[1] // (2 * CELLS_ACROSS))
    grey = cv2.cvtColor(np.ascontiguousarray(image[::step, ::step]), cv2.COLOR_BGR2GRAY)
    size = (CELLS_ACROSS, max(1, round(CELLS_ACROSS * image.shape[0] / image.shape[1])))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.int16)


def watched_cells(zones: Sequence[Zone], size: tuple[int, int]) -> Mask:
    """Which cells a movement counts in: those of the zones and a margin; all where there are no zones.

    size: cells across and down.
    """
    across, down = size
    if not zones:
        return np.ones((down, across), np.bool_)
    mask = np.zeros((down, across), np.uint8)
    for zone in zones:
        points = np.array(zone.polygon, np.float64) * (across, down)
        cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    reach = 2 * round(MARGIN * across) + 1
    return cv2.dilate(mask, np.ones((reach, reach), np.uint8)).astype(np.bool_)
