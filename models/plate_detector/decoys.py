"""What stands on every forecourt and looks like a plate from afar: striped kerbs, barriers, time stamps.

A striped kerb seen at a slant is a leaning row of dark and light bars, as a plate's characters are; the
camera writes its own line into the picture.
"""

import cv2
import numpy as np
from numpy.random import Generator

from models.plate_art.random_plates import pick
from models.plate_detector.compose import Image, Sample, Target, overlaps, paste, target_of
from vision.plates import DIGITS, LETTERS

# Paints of kerbs, bollards and barriers, BGR: black, white, yellow, red, orange, grey.
PAINTS = ((35, 35, 35), (225, 225, 225), (40, 190, 230), (40, 40, 200), (30, 120, 230), (130, 130, 130))


def striped(rng: Generator) -> Image:
    """A strip of two paints by turns, worn and dirty; (48, w, 3) uint8 BGR."""
    first, second = rng.choice(len(PAINTS), 2, replace=False)
    bars, width = int(rng.integers(4, 24)), int(rng.integers(14, 60))
    strip = np.empty((48, bars * width, 3), np.float32)
    for bar in range(bars):
        strip[:, bar * width : (bar + 1) * width] = PAINTS[first if bar % 2 else second]
    slant = float(rng.uniform(-1.2, 1.2)) if rng.random() < 0.5 else 0.0
    matrix = np.array([[1, slant, -24 * slant], [0, 1, 0]], np.float32)
    size = (strip.shape[1], strip.shape[0])
    strip = cv2.warpAffine(strip, matrix, size, borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    worn = cv2.resize(rng.uniform(0.6, 1.1, (4, bars)).astype(np.float32), size)[..., None]
    return np.clip(strip * worn * rng.uniform(0.4, 1.1), 0, 255).astype(np.uint8)


def kerb_corners(size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Where a strip lies in a picture of (width, height): four corners, (4, 2) float32."""
    width, height = size
    length, angle = rng.uniform(0.15, 1.1) * width, np.radians(rng.uniform(-60, 60))
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = rng.uniform((0, 0.2 * height), (width, height))
    near, far = rng.uniform(0.01, 0.07, 2) * width
    down = np.array([0.0, 1.0])
    points = [middle - along, middle + along, middle + along + down * far, middle - along + down * near]
    return np.asarray(points, np.float32)


def stamped(image: Image, targets: list[Target], rng: Generator) -> Image:
    """The picture with the camera's own line at its top or bottom, where no plate is."""
    height, width = image.shape[:2]
    tall = float(rng.uniform(0.022, 0.055)) * height
    groups = [int(n) for n in rng.integers(2, 9, int(rng.integers(2, 6)))]
    marks = "-:/"
    words = ["".join(pick(rng, DIGITS * 3 + LETTERS + marks) for _ in range(count)) for count in groups]
    line, face = " ".join(words), int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
    scale, thick = tall / 22, max(1, round(tall / 9))
    (long, _), _ = cv2.getTextSize(line, face, scale, thick)
    x = int(rng.uniform(0.01, max(0.02, 1 - long / width)) * width)
    y = round(1.5 * tall) if rng.random() < 0.6 else round(height - 0.6 * tall)
    top, bottom = y - 1.3 * tall, y + 0.5 * tall
    if any(target.box[1] < bottom and target.box[3] > top for target in targets):
        return image
    written = image.copy()
    if rng.random() < 0.5:
        cv2.rectangle(written, (x - 6, round(top)), (x + long + 6, round(bottom)), (0, 0, 0), -1)
    cv2.putText(written, line, (x, y), face, scale, (245, 245, 245), thick, cv2.LINE_AA)
    return written


def with_decoys(sample: Sample, rng: Generator) -> Sample:
    """The sample with kerbs and a time stamp that cover none of its plates."""
    image, (height, width) = sample.image, sample.image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        corners = kerb_corners((width, height), rng)
        if not overlaps(target_of(corners), sample.targets, margin=0.0):
            image = paste(image, striped(rng), corners, float(rng.uniform(0.4, 1.5)))
    if rng.random() < 0.6:
        image = stamped(image, sample.targets, rng)
    return Sample(image, sample.targets)
