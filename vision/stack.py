"""The mean picture of a plate that stands: noise and coding change from frame to frame, the plate does not.

Frames are laid over each other where the camera shook by a pixel. What has moved further, or looks otherwise,
begins a new stack: only pictures of one plate in one place are ever added up.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.rectify import LARGEST_CROP_PX, edges, level
from vision.types import Corners, Image

Floats = npt.NDArray[np.float32]
# Left, top, right, bottom, in whole pixels.
Box = tuple[int, int, int, int]

# So much is kept around the plate, as a share of its extent on each side, and pixels beside.
REACH, REACH_PX = 0.2, 4.0
# A detector's corners waver; a middle this many heights away is that of a plate that has moved.
CORNERS_APART = 0.5
# Correlation of the softened picture with the mean: below this something else is to be seen, or the same a
# few pixels further.
ALIKE = 0.75
# A camera in the wind shakes by so many pixels, or by this share of the plate's height; a car rolls further.
SHAKEN_PX, SHAKEN_HEIGHTS = 1.0, 0.03
# How soft pictures are compared, pixels.
SOFT_PX = 1.5
# Less than this is no movement: moving a picture softens it.
LEAST_SHIFT_PX = 0.15


@dataclass(slots=True, eq=False)
class Stack:
    """The sum of frames of one standing plate.

    box: the part of the frame that is added up. scale: of its pixels to the frame's.
    total: (h, w, 3) float32, the sum; no wider than a levelled crop with what is around it. frames: how many.
    corners: (4, 2) float64, the sum of those found, in pixels of the frame; found: how many.
    read_frames: how many it had when it was last read.
    """

    box: Box
    scale: float
    total: Floats
    corners: npt.NDArray[np.float64]
    frames: int = 1
    found: int = 1
    read_frames: int = 0

    @property
    def mean_corners(self) -> Corners:
        """Where the plate is on the mean, (4, 2) pixels of the frame: steadier than those of any frame."""
        return np.asarray(self.corners / self.found, np.float32)

    def crop(self) -> Image:
        """The mean plate, levelled: (h, w, 3) uint8 BGR."""
        mean = np.clip(np.rint(self.total / np.float32(self.frames)), 0, 255).astype(np.uint8)
        offset = np.array(self.box[:2], np.float32)
        return level(mean, np.asarray((self.mean_corners - offset) * self.scale, np.float32))

    def add(self, image: Image, corners: Corners | None) -> bool:
        """Add a frame up, unless the plate is no longer there as it was; whether it was.

        image: (H, W, 3) uint8 BGR; not changed. corners: as found in it, None where nothing was looked for.
        """
        _, height = edges(self.mean_corners)
        if corners is not None:
            apart = float(np.abs(corners.mean(axis=0) - self.mean_corners.mean(axis=0)).max())
            if apart > CORNERS_APART * height:
                return False
        part = cut(image, self.box, self.scale)
        if part.shape != self.total.shape:
            return False
        shift, likeness = displacement(part, self.total / np.float32(self.frames))
        away = float(np.hypot(*shift))
        if likeness < ALIKE or away > max(SHAKEN_HEIGHTS * height * self.scale, SHAKEN_PX):
            return False
        if away > LEAST_SHIFT_PX:
            matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
            size = (part.shape[1], part.shape[0])
            part = np.asarray(
                cv2.warpAffine(part, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
                np.uint8,
            )
        cv2.accumulate(part, self.total)
        self.frames += 1
        if corners is not None:
            self.corners += corners
            self.found += 1
        return True


def begin_stack(image: Image, corners: Corners) -> Stack:
    """A stack of one frame. image: (H, W, 3) uint8 BGR; not changed. corners: (4, 2), plausible."""
    reach = REACH * (corners.max(axis=0) - corners.min(axis=0)) + REACH_PX
    size = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0) - reach), 0, size - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0) + reach), low + 1, size).astype(int)
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    part = cut(image, box, min(1.0, LARGEST_CROP_PX / edges(corners)[0]))
    scale = part.shape[1] / (box[2] - box[0])
    return Stack(box, scale, part.astype(np.float32), corners.astype(np.float64))


def cut(image: Image, box: Box, scale: float) -> Image:
    """A part of the picture, made smaller where scale is below 1."""
    left, top, right, bottom = box
    part = image[top:bottom, left:right]
    if scale < 1.0 and part.size:
        size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return part


def displacement(part: Image, mean: Floats) -> tuple[tuple[float, float], float]:
    """How far `part` must be moved to lie on `mean`, pixels right and down, and how alike they are, -1 to 1.

    One step of least squares on the softened pictures (Lucas and Kanade), good to a pixel or two.
    """
    here, there = softened(part), softened(mean)
    here -= here.mean()
    there -= there.mean()
    lengths = float(np.linalg.norm(here)) * float(np.linalg.norm(there))
    if lengths < 1e-6:
        return (0.0, 0.0), 0.0
    likeness = float((here * there).sum()) / lengths
    across = cv2.Sobel(here, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(here, cv2.CV_32F, 0, 1, scale=0.125)
    gain = float(np.linalg.norm(there)) / max(float(np.linalg.norm(here)), 1e-6)
    change = there / gain - here
    a, b, c = float((across * across).sum()), float((across * down).sum()), float((down * down).sum())
    p, q = float((across * change).sum()), float((down * change).sum())
    determinant = a * c - b * b
    if determinant < 1e-6 * (a + c) ** 2:
        return (0.0, 0.0), likeness
    # here(x - d) = there(x), to first order: there - here = -gradient . d
    return (-(c * p - b * q) / determinant, -(a * q - b * p) / determinant), likeness


def softened(picture: Image | Floats) -> Floats:
    """The picture in grey without its finest detail, float32."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), SOFT_PX), np.float32)
