"""Single pictures: no track to wait for, so a doubtful reading is looked at again and else given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from vision.ensemble import together
from vision.rectify import is_plausible, level, possible_rows
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
# A plate read less surely than this is looked at again.
SURELY_READ = 0.97
# What is read no better than this in the whole picture and in the first window is not looked at further.
HOPELESS = 0.05
NEAR_SHAPE = 0.6
SURELY_WIDER = 1.5
SAME_PLATE = 0.3
# Corners of the same plate found anew make a box that is the same by more than this.
SAME_PLACE = 0.5
SURELY_ONE_ROW = 2.4
GREY = 114
# A plate that ends within this share of its width from the left or right border of a picture more than twice
# as wide goes on outside it. A picture filled by its plate was cut to it.
AT_BORDER = 0.02
FILLS_PICTURE = 0.5
# The pixels of a column or row of padding differ by no more than this.
FLAT_LEVELS = 6

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Window:
    """Where a plate is found anew, alone with its surroundings, in a picture of a camera's shape.

    share: of the window's width that the plate takes. right, up: how far from the middle it stands, as shares
    of the window's sides. lean: the window is sheared by so much of its height; a detector sees little of how
    a plate leans, and its corners are seen best where the window takes that away.
    """

    share: float
    right: float = 0.0
    up: float = 0.0
    lean: float = 0.0


STRAIGHT = (
    Window(0.35),
    Window(0.45),
    Window(0.27),
    Window(0.2),
    Window(0.35, right=-0.25, up=0.1),
    Window(0.35, right=0.25, up=-0.1),
)
LEANING = (Window(0.3, lean=0.4), Window(0.3, lean=-0.4))


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
    found = [
        reading if reading.plate.confidence >= SURELY_READ else look_again(image, reading, detector, reader)
        for reading in found
    ]
    found.sort(key=lambda reading: -reading.detection.score)
    return [replace(r, plate=given_up(r.plate, least_confidence)) for r in found]


def read_crop(
    image: Image,
    reader: Reader,
    detector: Detector | None = None,
    *,
    least_confidence: float = LEAST_CONFIDENCE_OF_A_CROP,
) -> PictureReading:
    """The reading of a picture (H, W, 3) uint8 BGR that is one cut plate, with or without flat padding.

    detector: finds the corners of a plate that is not read surely as it lies; without it nobody levels it.
    """
    inside = without_flat_border(image)
    h, w = inside.shape[:2]
    whole: Corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    rows = (1,) if w / h >= SURELY_ONE_ROW else (1, 2)
    reading = PictureReading(Detection(whole, 1.0), reader.read(inside, rows), inside)
    if detector is not None and reading.plate.confidence < SURELY_READ:
        reading = look_again(inside, reading, detector, reader)
    return replace(reading, plate=given_up(reading.plate, least_confidence))


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


def look_again(image: Image, known: PictureReading, detector: Detector, reader: Reader) -> PictureReading:
    """The same plate found anew in several windows around it, and what these looks say together.

    Where they are likelier wrong than right, two leaning windows have a say, each as much as all the others.
    """
    looks: list[PictureReading] = []
    for window in STRAIGHT:
        looks += look_nearer(image, known.detection, window, detector, reader)
        if max(look.plate.confidence for look in (known, *looks)) < HOPELESS:
            break
    if not any(look.plate.text for look in looks):
        return known
    said = [together([look.plate for look in looks])]
    if HOPELESS <= said[0].confidence < LEAST_CONFIDENCE:
        for window in LEANING:
            aslant = look_nearer(image, known.detection, window, detector, reader)
            looks += aslant
            said += [look.plate for look in aslant]
    plate = together(said)
    best = max(looks, key=lambda look: (look.plate.text == plate.text, look.plate.confidence))
    return replace(best, plate=plate)


def look_nearer(
    image: Image, known: Detection, window: Window, detector: Detector, reader: Reader
) -> list[PictureReading]:
    """The same plate as found and read by the corners that one window shows; empty where it shows none."""
    x1, y1, x2, y2 = place = box_of(known.corners)
    across = max(x2 - x1, SURELY_WIDER * (y2 - y1)) / window.share
    width, height = round(across), round(NEAR_SHAPE * across)
    left = round((x1 + x2 - width) / 2 - window.right * width)
    top = round((y1 + y2 - height) / 2 + window.up * height)
    for found in detector.detect(leaning(cut_out(image, left, top, width, height), window.lean)):
        corners = found.corners + np.array([left, top], np.float32)
        corners[:, 0] -= window.lean * (found.corners[:, 1] - height / 2)
        if overlap(box_of(corners), place) > SAME_PLACE and is_plausible(corners):
            return [read_detection(image, Detection(corners, found.score), reader)]
    return []


def leaning(window: Image, lean: float) -> Image:
    """The window sheared about its middle by so much of its height, grey where it shows nothing."""
    if lean == 0.0:
        return window
    height, width = window.shape[:2]
    shear = np.array([[1, lean, -lean * (height - 1) / 2], [0, 1, 0]], np.float32)
    grey = (GREY, GREY, GREY)
    return np.asarray(cv2.warpAffine(window, shear, (width, height), borderValue=grey), np.uint8)


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
