"""Pictures for a pack: around the plate they stay as they are, everything else becomes coarse squares."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vision.types import Image

# How much of the picture around the plate stays, in widths and heights of the plate: the front of the car.
SIDE_WIDTHS = 1.0
ABOVE_HEIGHTS = 6.0
BELOW_HEIGHTS = 2.0
# A plate in a square of this many pixels across cannot be read.
SQUARES_ACROSS = 32
JPEG_QUALITY = 88

Corners = Sequence[tuple[int, int]]


def only_this_plate(jpeg: bytes, corners: Corners) -> bytes:
    """The picture with everything coarse but the car's front with this plate; without corners all of it.

    corners: of the plate, pixels of the picture. Raises ValueError for what is no picture.
    """
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("these bytes are no picture")
    whole = np.asarray(image, np.uint8)
    coarse = _coarse(whole)
    if corners:
        left, top, right, bottom = _front(corners, whole.shape[1], whole.shape[0])
        coarse[top:bottom, left:right] = whole[top:bottom, left:right]
    _, written = cv2.imencode(".jpg", coarse, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(written.tobytes())


def _coarse(image: Image) -> Image:
    height, width = image.shape[:2]
    across = min(SQUARES_ACROSS, width)
    down = max(1, round(height * across / width))
    small = cv2.resize(image, (across, down), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _front(corners: Corners, width: int, height: int) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    wide, high = max(xs) - min(xs), max(ys) - min(ys)
    return (
        max(0, round(min(xs) - SIDE_WIDTHS * wide)),
        max(0, round(min(ys) - ABOVE_HEIGHTS * high)),
        min(width, round(max(xs) + SIDE_WIDTHS * wide)),
        min(height, round(max(ys) + BELOW_HEIGHTS * high)),
    )
