"""Levelled crops: the four corners of a plate in a picture become an upright rectangle.

Corners are in pixels of the picture with pixel centres at +0.5, as detectors and labels give them.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from vision.types import Corners, Image

# The crop has the proportions of the reader's input, so that it is only scaled on the way there.
READER_WIDTH = 168
READER_HEIGHT = 48
# How much more than the plate is cut, as shares of its width and height on each side.
MARGIN_ACROSS = 0.02
MARGIN_DOWN = 0.06
LARGEST_CROP_PX = 2 * READER_WIDTH

SMALLEST_WIDTH_PX = 14.0
SMALLEST_HEIGHT_PX = 5.0
NARROWEST, WIDEST = 0.9, 8.0
STEEPEST_DEGREES = 60.0
# A single row is 440 x 140 mm, two rows are 440 x 220: seen from the side, a single row may be as narrow.
SURELY_ONE_ROW = 2.6


def edges(corners: Corners) -> tuple[float, float]:
    """Width and height of the quadrilateral: the mean length of its opposite edges."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners.tolist()
    across = math.hypot(bx - ax, by - ay) + math.hypot(cx - dx, cy - dy)
    down = math.hypot(dx - ax, dy - ay) + math.hypot(cx - bx, cy - by)
    return across / 2, down / 2


def is_plausible(corners: Corners) -> bool:
    """Whether these are the corners of a plate as a camera may see one, in their order.

    Refused: too small, not convex, mirrored, upside down or standing, far too narrow or wide.
    """
    if corners.shape != (4, 2):
        return False
    points = corners.tolist()
    if not all(math.isfinite(value) for point in points for value in point):
        return False
    width, height = edges(corners)
    if width < SMALLEST_WIDTH_PX or height < SMALLEST_HEIGHT_PX or not NARROWEST < width / height < WIDEST:
        return False
    ahead = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    if not all(a[0] * b[1] - a[1] * b[0] > 0 for a, b in zip(ahead, ahead[1:] + ahead[:1], strict=True)):
        return False
    # Along the upper and the lower edge, from left to right.
    along = (ahead[0][0] - ahead[2][0], ahead[0][1] - ahead[2][1])
    return abs(math.degrees(math.atan2(along[1], along[0]))) <= STEEPEST_DEGREES


def possible_rows(corners: Corners) -> tuple[int, ...]:
    """How many rows the plate may have, by its proportions."""
    width, height = edges(corners)
    return (1,) if width / height >= SURELY_ONE_ROW else (1, 2)


def level(image: Image, corners: Corners) -> Image:
    """The plate with a small margin, upright, (h, w, 3) uint8 BGR with w : h as the reader wants it.

    image: (H, W, 3) uint8 BGR; not changed. corners: (4, 2), plausible. The crop is about as large as the
    plate in the picture, within bounds; what lies outside the picture repeats its border.
    """
    width, _ = edges(corners)
    w = min(max(round(width * (1 + 2 * MARGIN_ACROSS)), READER_WIDTH), LARGEST_CROP_PX)
    h = round(w * READER_HEIGHT / READER_WIDTH)
    part, offset, shrink = _neighbourhood(image, corners, width / w)
    source = ((corners - offset) * shrink - 0.5).astype(np.float32)
    left, top = MARGIN_ACROSS / (1 + 2 * MARGIN_ACROSS) * w, MARGIN_DOWN / (1 + 2 * MARGIN_DOWN) * h
    target = np.array([[left, top], [w - left, top], [w - left, h - top], [left, h - top]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
    crop = cv2.warpPerspective(part, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def _neighbourhood(image: Image, corners: Corners, scale: float) -> tuple[Image, Corners, float]:
    """The part of the picture around the corners, its offset, and by how much it was shrunk.

    A plate much larger than its crop is shrunk by area first: sampling it directly would alias.
    """
    reach = 0.15 * (corners.max(axis=0) - corners.min(axis=0)) + 2
    low = np.floor(np.clip(corners.min(axis=0) - reach, 0, None)).astype(int)
    high = np.ceil(corners.max(axis=0) + reach).astype(int)
    low = np.minimum(low, [image.shape[1] - 1, image.shape[0] - 1])
    part = image[low[1] : max(high[1], low[1] + 1), low[0] : max(high[0], low[0] + 1)]
    shrink = 1.0
    if scale > 1.6:
        size = (max(1, round(part.shape[1] / scale)), max(1, round(part.shape[0] / scale)))
        shrink = size[0] / part.shape[1]
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return part, low.astype(np.float32), shrink


def merge_rows(crop: Image) -> Image:
    """A levelled crop of a plate with two rows, laid out in one: (48, 168, 3) uint8 BGR.

    Proportions are those of GA 36: two characters in the upper 3/8, five in the lower 5/8.
    """
    h, w = crop.shape[:2]

    def part(x: tuple[float, float], y: tuple[float, float], width: int) -> Image:
        piece = crop[round(y[0] * h) : round(y[1] * h), round(x[0] * w) : round(x[1] * w)]
        return np.asarray(cv2.resize(piece, (width, READER_HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)

    upper = part((0.20, 0.80), (0.05, 0.39), 52)
    lower = part((0.03, 0.97), (0.39, 0.95), READER_WIDTH - 52)
    return np.hstack([upper, lower])
