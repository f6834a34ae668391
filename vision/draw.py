"""Pictures for people: where plates were found and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vision.plate_art import draw_plate
from vision.types import Colour, Corners, Image

GREEN, AMBER = (80, 190, 60), (40, 150, 250)
LABEL_SHARE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """What is drawn at one plate. is_sure: drawn green, else amber."""

    corners: Corners
    text: str | None
    colour: Colour
    is_sure: bool


def draw(image: Image, labels: Sequence[Label]) -> Image:
    """A copy of `image` (H, W, 3) uint8 BGR, each plate outlined with its text above it as a drawn plate."""
    copy = image.copy()
    for label in labels:
        outline = np.round(label.corners).astype(np.int32)
        cv2.polylines(copy, [outline], True, GREEN if label.is_sure else AMBER, 2, cv2.LINE_AA)
        if label.text is not None:
            _paste_plate(copy, label)
    return copy


def _paste_plate(image: Image, label: Label) -> None:
    """Draw the text above the plate (below it at the upper border); changes `image`."""
    try:
        plate = draw_plate(label.text or "", label.colour)
    except ValueError:
        return
    x1, y1 = label.corners.min(axis=0)
    x2, y2 = label.corners.max(axis=0)
    width = int(np.clip((x2 - x1) * LABEL_SHARE, 60, image.shape[1]))
    height = round(width * plate.shape[0] / plate.shape[1])
    top = round(float(y1)) - height - 4
    if top < 0:
        top = round(float(y2)) + 4
    left = int(np.clip(round(float(x1)), 0, image.shape[1] - width))
    room = image[top : top + height, left : left + width]
    if room.shape[0] == height:
        room[:] = cv2.resize(plate, (width, height), interpolation=cv2.INTER_AREA)
