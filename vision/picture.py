"""Single pictures: no track to wait for, so a doubtful reading is looked at again and else given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from vision.rectify import level, possible_rows
from vision.types import Corners, Detection, Image, PlateText

# Of a single picture a text is given where it is more likely right than wrong; of a track, readings as poor
# still count together.
LEAST_CONFIDENCE = 0.5
# Whoever cuts a plate out says that it is one: there a poor guess is worth more.
LEAST_CONFIDENCE_OF_A_CROP = 0.2
# With a reading as good as this, a picture is not searched again.
GOOD_CONFIDENCE = 0.5
# Detectors know plates up to about a third of the picture's width; a closer one is found from further away.
FURTHER = 2.0
# In a picture longer than this the smallest plates that can be read are too small to be found: it is looked
# at once more in parts, each of this share of its sides.
LARGE_PX = 960
PART = 0.6
# What a part may have cut off ends within this share of its width from the border of the part.
PART_BORDER = 0.1
# A plate read less surely than this is looked at once more with its surroundings alone: it then takes this
# share of the width of a picture that has a camera's shape.
SURELY_READ = 0.97
NEAR_SHARE = 0.35
NEAR_SHAPE = 0.6
SURELY_WIDER = 1.5
SAME_PLATE = 0.3
SURELY_ONE_ROW = 2.4
GREY = 114
# A plate that ends within this share of its width from the left or right border of a picture more than twice
# as wide goes on outside it. A picture filled by its plate was cut to it.
AT_BORDER = 0.02
FILLS_PICTURE = 0.5
# The pixels of a column or row of padding differ by no more than this.
FLAT_LEVELS = 6

Box = tuple[float, float, float, float]


class Detector(Protocol):
    """Finds plates."""

    def detect(self, image: Image) -> list[Detection]:
        """Plates in a picture (H, W, 3) uint8 BGR, best first; the picture is not changed."""
        ...


class Reader(Protocol):
    """Reads levelled crops."""

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What stands on a crop (h, w, 3) uint8 BGR that may have as many rows as `rows` lists."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PictureReading:
    """A plate in a single picture. crop: the levelled plate."""

    detection: Detection
    plate: PlateText
    crop: Image


def read_picture(
    image: Image, detector: Detector, reader: Reader, *, least_confidence: float = LEAST_CONFIDENCE
) -> list[PictureReading]:
    """The plates of a single picture (H, W, 3) uint8 BGR, best detection first.

    least_confidence: a text less likely to be right is not given; the detection still is.
    """
    found = [read_detection(image, detection, reader) for detection in detector.detect(image)]
    for detection in detect_in_parts(image, detector):
        keep_better(found, read_detection(image, detection, reader))
    if not any(reading.plate.confidence >= GOOD_CONFIDENCE for reading in found):
        for detection in detect_further_away(image, detector):
            keep_better(found, read_detection(image, detection, reader))
    for known in [reading for reading in found if reading.plate.confidence < SURELY_READ]:
        for detection in detect_nearer(image, known.detection, detector):
            keep_better(found, read_detection(image, detection, reader))
    found.sort(key=lambda reading: -reading.detection.score)
    return [replace(r, plate=given_up(r.plate, least_confidence)) for r in found]


def read_crop(
    image: Image, reader: Reader, *, least_confidence: float = LEAST_CONFIDENCE_OF_A_CROP
) -> PictureReading:
    """The reading of a picture (H, W, 3) uint8 BGR that is one cut plate, with or without flat padding."""
    inside = without_flat_border(image)
    h, w = inside.shape[:2]
    whole: Corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    rows = (1,) if w / h >= SURELY_ONE_ROW else (1, 2)
    plate = given_up(reader.read(inside, rows), least_confidence)
    return PictureReading(Detection(whole, 1.0), plate, inside)


def read_detection(image: Image, detection: Detection, reader: Reader) -> PictureReading:
    """Level and read one plate; one cut off by the picture's border is given no text."""
    crop = level(image, detection.corners)
    plate = reader.read(crop, possible_rows(detection.corners))
    if is_cut_off(detection.corners, image.shape[1]):
        plate = without_text(plate)
    return PictureReading(detection, plate, crop)


def detect_further_away(image: Image, detector: Detector) -> list[Detection]:
    """Plates as found with the picture small amid grey, in pixels of the picture."""
    h, w = image.shape[:2]
    canvas = np.full((round(h * FURTHER), round(w * FURTHER), 3), GREY, np.uint8)
    top, left = (canvas.shape[0] - h) // 2, (canvas.shape[1] - w) // 2
    canvas[top : top + h, left : left + w] = image
    offset = np.array([left, top], np.float32)
    return [Detection(d.corners - offset, d.score) for d in detector.detect(canvas)]


def detect_in_parts(image: Image, detector: Detector) -> list[Detection]:
    """Plates as found in four overlapping parts of a large picture, in pixels of the picture; else none.

    What a part may have cut off is left to the part beside it.
    """
    h, w = image.shape[:2]
    if max(h, w) <= LARGE_PX:
        return []
    part_h, part_w = round(h * PART), round(w * PART)
    found = []
    for top in (0, h - part_h):
        for left in (0, w - part_w):
            offset = np.array([left, top], np.float32)
            part = np.ascontiguousarray(image[top : top + part_h, left : left + part_w])
            for detection in detector.detect(part):
                x1, y1, x2, y2 = box_of(detection.corners)
                away = PART_BORDER * (x2 - x1)
                if x1 > away and y1 > 1 and x2 < part_w - away and y2 < part_h - 1:
                    found.append(Detection(detection.corners + offset, detection.score))
    return found


def detect_nearer(image: Image, known: Detection, detector: Detector) -> list[Detection]:
    """The same plate as found with its surroundings alone, where its corners are seen best; or none."""
    x1, y1, x2, y2 = box_of(known.corners)
    width = max(x2 - x1, SURELY_WIDER * (y2 - y1)) / NEAR_SHARE
    height = NEAR_SHAPE * width
    left, top = round((x1 + x2 - width) / 2), round((y1 + y2 - height) / 2)
    window = cut_out(image, left, top, round(width), round(height))
    offset = np.array([left, top], np.float32)
    near = [Detection(d.corners + offset, d.score) for d in detector.detect(window)]
    place = box_of(known.corners)
    return [d for d in near if overlap(box_of(d.corners), place) > SAME_PLATE][:1]


def cut_out(image: Image, left: int, top: int, width: int, height: int) -> Image:
    """A window of the picture, grey where it lies outside."""
    h, w = image.shape[:2]
    window = np.full((max(height, 1), max(width, 1), 3), GREY, np.uint8)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + width, w), min(top + height, h)
    if x1 < x2 and y1 < y2:
        window[y1 - top : y2 - top, x1 - left : x2 - left] = image[y1:y2, x1:x2]
    return window


def without_flat_border(image: Image) -> Image:
    """The part of a crop inside a border of one colour, such as padding; all of it where there is none."""
    h, w = image.shape[:2]
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.int16)
    is_busy_column = grey.max(axis=0) - grey.min(axis=0) > FLAT_LEVELS
    is_busy_row = grey.max(axis=1) - grey.min(axis=1) > FLAT_LEVELS
    across, down = np.flatnonzero(is_busy_column), np.flatnonzero(is_busy_row)
    if not across.size or not down.size:
        return image
    inside = image[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    return inside if inside.shape[0] * 2 > h and inside.shape[1] * 5 > w else image


def is_cut_off(corners: Corners, width: int) -> bool:
    """Whether a plate goes on outside the left or right border of a picture so wide."""
    x1, _, x2, _ = box_of(corners)
    across = x2 - x1
    return across < FILLS_PICTURE * width and min(x1, width - x2) < AT_BORDER * across


def keep_better(found: list[PictureReading], another: PictureReading) -> None:
    """Take `another` in, or in place of a worse reading of the same plate; changes `found`."""
    for i, known in enumerate(found):
        if overlap(box_of(known.detection.corners), box_of(another.detection.corners)) > SAME_PLATE:
            if another.plate.confidence > known.plate.confidence:
                found[i] = another
            return
    found.append(another)


def given_up(plate: PlateText, least_confidence: float) -> PlateText:
    """The same plate, without a text where that is too unlikely to be right."""
    if plate.text is None or plate.confidence >= least_confidence:
        return plate
    return replace(plate, text=None, positions=())


def without_text(plate: PlateText) -> PlateText:
    """The same plate, not readable."""
    return replace(plate, text=None, positions=(), confidence=0.0)


def box_of(corners: Corners) -> Box:
    """The box that just holds the corners: x1, y1, x2, y2."""
    x1, y1 = (float(v) for v in corners.min(axis=0))
    x2, y2 = (float(v) for v in corners.max(axis=0))
    return x1, y1, x2, y2


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return w * h / (areas - w * h)
