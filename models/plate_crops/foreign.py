"""Plates of other countries, drawn: Latin letters and digits only, which the reader shall not read at all.

    crop, text = foreign_crop(rng)   # text is always empty

Without them a reader trained on one country's plates spells a province into every blurred first letter.
"""

import cv2
import numpy as np
from numpy.random import Generator

from models.pictures import Image
from models.plate_art.random_plates import pick, wear
from models.plate_crops.crops import jitter
from models.plate_detector.compose import paste, random_corners
from vision.plate_art import load_atlas
from vision.plates import DIGITS
from vision.rectify import level, merge_rows

CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# A for a letter, 9 for a digit; a space is a gap, anything else is drawn as it stands.
PATTERNS = (
    *("AAA9999", "AAA-9999", "AAA 9999", "AAA9A99", "AA99 AAA", "AA-999-AA", "AA 999 AA", "9AAA999"),
    *("AAA 999", "A-AA 9999", "AA AA 999", "99-AA-99", "AAA 99A", "9999 AA", "A 999 AA", "AA 9999 A"),
    *("999-999", "AA 99999"),
)
HEADINGS = ("", "", "STATE", "TEXAS", "SP-SAO PAULO", "D", "F", "NEW YORK", "FLORIDA", "MG-BELO HORIZONTE")
HERSHEY = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
HEIGHT_PX = 120
LOOKS_DOUBLE = 2.6
# Ground and ink, BGR: white, yellow, grey, black and red plates of the world. Blue and green are ours.
PAINTS = (
    ((240, 240, 240), (20, 20, 20)),
    ((240, 240, 240), (110, 40, 20)),
    ((240, 240, 240), (30, 80, 20)),
    ((60, 200, 240), (20, 20, 20)),
    ((170, 170, 170), (40, 40, 40)),
    ((30, 30, 30), (230, 230, 230)),
    ((40, 40, 170), (235, 235, 235)),
    ((230, 215, 190), (60, 30, 140)),
)


def random_foreign_text(rng: Generator) -> str:
    """A text that no plate of ours has."""
    pattern = PATTERNS[rng.integers(len(PATTERNS))]
    return "".join(pick(rng, CAPITALS) if c == "A" else pick(rng, DIGITS) if c == "9" else c for c in pattern)


def letters(text: str, rng: Generator) -> Image:
    """The text in one of several typefaces, ink 255 on 0, some 80 pixels high."""
    face = int(rng.integers(5))
    if face < len(HERSHEY):
        weight = int(rng.integers(4, 12))
        (w, h), below = cv2.getTextSize(text, HERSHEY[face], 3.0, weight)
        ink = np.zeros((h + below + 8, w + 8), np.uint8)
        cv2.putText(ink, text, (4, h + 2), HERSHEY[face], 3.0, 255, weight, cv2.LINE_AA)
        return ink
    gap = int(rng.integers(4, 16))
    cells = []
    for c in text:
        if c.isalnum() and c not in "IO":
            cells.append(cv2.resize(load_atlas().glyph(c, face - len(HERSHEY)), (40, 80)))
        else:
            cells.append(np.zeros((80, 20), np.uint8))
            if c == "-":
                cells[-1][36:44, 2:18] = 255
            elif c.isalpha():
                cells[-1][4:76, 7:13] = 255
        cells.append(np.zeros((80, gap), np.uint8))
    return np.asarray(np.hstack(cells), np.uint8)


def foreign_plate(rng: Generator) -> Image:
    """A drawn plate of another country, (120, W, 3) uint8 BGR."""
    ground, ink_colour = PAINTS[rng.integers(len(PAINTS))]
    width = round(HEIGHT_PX * rng.uniform(1.9, 4.8))
    plate = np.full((HEIGHT_PX, width, 3), ground, np.float32)
    heading = HEADINGS[rng.integers(len(HEADINGS))]
    tall = rng.uniform(0.5, 0.68) if heading else rng.uniform(0.55, 0.85)
    wide = rng.uniform(0.78, 0.94)
    left, top = round(width * (1 - wide) / 2), round(HEIGHT_PX * (1 - tall) * (0.85 if heading else 0.5))
    size = (round(width * wide), round(HEIGHT_PX * tall))
    ink = np.zeros(plate.shape[:2], np.float32)
    text = letters(random_foreign_text(rng), rng)
    ink[top : top + size[1], left : left + size[0]] = cv2.resize(text, size, interpolation=cv2.INTER_AREA)
    if heading:
        small = letters(heading, rng)
        size = (round(width * rng.uniform(0.25, 0.6)), max(6, round(top * 0.7)))
        left = (width - size[0]) // 2
        ink[2 : 2 + size[1], left : left + size[0]] = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    share = ink[..., None] / 255
    return np.asarray(plate * (1 - share) + np.array(ink_colour) * share, np.uint8)


def foreign_crop(rng: Generator) -> tuple[Image, str]:
    """Such a plate seen askew and levelled, 168 x 48; its text is empty: there is nothing to read."""
    picture = wear(foreign_plate(rng), rng)
    h, w = picture.shape[:2]
    width = float(np.exp(rng.uniform(np.log(60), np.log(300))))
    canvas = np.full((round(width * 1.1), round(width * 1.5), 3), rng.uniform(10, 240, 3), np.uint8)
    corners = random_corners((canvas.shape[1] / 2, canvas.shape[0] / 2), width, w / h, rng)
    seen = paste(canvas, picture, corners, rng.uniform(0.3, 0.8))
    crop = level(seen, jitter(corners, rng))
    # A short plate may be taken for one of two rows.
    return (merge_rows(crop) if w < LOOKS_DOUBLE * h and rng.random() < 0.5 else crop), ""
