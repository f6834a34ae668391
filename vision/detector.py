"""Plates in a picture, by a network with four corner key points (ultralytics pose, one class, raw output)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from vision.rectify import is_plausible
from vision.types import Corners, Detection, Image

Floats = npt.NDArray[np.float32]

STRIDE = 32
GREY = 114
# Of a pixel's level, in what the network was trained on.
SCALE = 1 / 255
# How far a corner may lie outside the picture, as a share of the picture.
OUTSIDE = 0.05


class Network(Protocol):
    """An exported network in some engine."""

    def run(self, batch: npt.NDArray[np.generic]) -> Floats:
        """The first output for `batch`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Letterbox:
    """A picture scaled into a network's input: pixel = input * 1/scale - offset.

    batch: (1, 3, h, w) uint8 RGB, laid out pixel by pixel in memory as pictures are.
    """

    batch: Image
    scale: float
    left: int
    top: int


def letterbox(image: Image, long_side_px: int) -> Letterbox:
    """`image` (H, W, 3) uint8 BGR as (1, 3, h, w) uint8 RGB.

    The longer side becomes `long_side_px`, the other the next multiple of 32, filled with grey on both sides.
    """
    height, width = image.shape[:2]
    scale = long_side_px / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    full_w, full_h = -(-w // STRIDE) * STRIDE, -(-h // STRIDE) * STRIDE
    left, top = (full_w - w) // 2, (full_h - h) // 2
    framed = np.full((full_h, full_w, 3), GREY, np.uint8)
    framed[top : top + h, left : left + w] = cv2.cvtColor(resized(image, w, h), cv2.COLOR_BGR2RGB)
    return Letterbox(framed.transpose(2, 0, 1)[None], scale, left, top)


def resized(image: Image, w: int, h: int) -> Image:
    """`image` in another size.

    Halved as long as it is twice too large, then sampled: an eighth of the cost of one mean over areas, with
    as little aliasing.
    """
    while image.shape[1] >= 2 * w and image.shape[0] >= 2 * h:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


class PlateDetector:
    """Finds plates with an exported network.

    long_side_px: the longer side of the input; score: below it nothing is a plate; overlap: of two boxes
    that overlap by more (IoU), the weaker is dropped.
    """

    def __init__(
        self, network: Network, *, long_side_px: int = 640, score: float = 0.35, overlap: float = 0.5
    ) -> None:
        self.network = network
        self.long_side_px = long_side_px
        self.score = score
        self.overlap = overlap

    def detect(self, image: Image) -> list[Detection]:
        """Plates, best first. image: (H, W, 3) uint8 BGR; not changed."""
        boxed = letterbox(image, self.long_side_px)
        raw = self.network.run(boxed.batch)[0]
        return decode_poses(raw, boxed, (image.shape[1], image.shape[0]), self.score, self.overlap)


def decode_poses(
    raw: Floats, boxed: Letterbox, size: tuple[int, int], score: float, overlap: float
) -> list[Detection]:
    """Detections from the raw output of one picture.

    raw: (4 + 1 + 8 or 12, anchors): centre x, y, width, height, score, then x, y (and visibility) of each
    corner, in pixels of the network's input. size: width and height of the picture.
    """
    found = np.flatnonzero(raw[4] >= score)
    likely = raw[:, found[np.argsort(-raw[4, found], kind="stable")]]
    left, top = boxed.left, boxed.top
    detections = []
    for k in suppress(likely[:4].T.tolist(), overlap):
        corners = likely[5:, k].reshape(4, -1)[:, :2]
        corners = (corners - np.array([left, top], np.float32)) / np.float32(boxed.scale)
        if is_plausible(corners):
            detections.append(Detection(clipped(corners, size), float(likely[4, k])))
    return detections


def clipped(corners: Corners, size: tuple[int, int]) -> Corners:
    """Corners no further outside the picture than a small margin: what is far out is a guess."""
    width, height = size
    low = np.array([-OUTSIDE * width, -OUTSIDE * height], np.float32)
    high = np.array([(1 + OUTSIDE) * width, (1 + OUTSIDE) * height], np.float32)
    return np.clip(corners, low, high).astype(np.float32)


def suppress(boxes: Sequence[Sequence[float]], overlap: float) -> list[int]:
    """Indices of the boxes to keep. boxes: centre x, y, width, height of each, best first.

    Few are ever likely: plain numbers are quicker than arrays of them.
    """
    kept: list[int] = []
    for i, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, other_w, other_h in (boxes[k] for k in kept):
            across = min(x + w / 2, other_x + other_w / 2) - max(x - w / 2, other_x - other_w / 2)
            down = min(y + h / 2, other_y + other_h / 2) - max(y - h / 2, other_y - other_h / 2)
            shared = max(across, 0.0) * max(down, 0.0)
            if shared > overlap * (w * h + other_w * other_h - shared + 1e-9):
                break
        else:
            kept.append(i)
    return kept
