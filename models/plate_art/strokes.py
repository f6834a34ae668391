"""Characters redrawn with strokes of one even width, as the typeface of Chinese plates has them.

A font squeezed into the narrow box of a plate has thick strokes one way and thin ones the other. Only the
middle line of each stroke is kept here, and a pen of one width is drawn along it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

INK = 110
SCALE = 3  # drawn this much larger, then shrunk: smooth edges
LEAST_PEN = 7
LENGTH_OF_STEP = 1.12  # pixels of a middle line are a little further apart than 1, on average


def middle_lines(ink: Mask) -> Mask:
    """The ink thinned to lines of one pixel, (H, W). Source: Zhang and Suen, CACM 27 (1984) 236-239."""
    lines = ink.copy()
    while True:
        before = int(lines.sum())
        for is_second in (False, True):
            lines &= ~_removable(lines, is_second)
        if int(lines.sum()) == before:
            return lines


def _removable(lines: Mask, is_second: bool) -> Mask:
    padded = np.pad(lines, 1)
    north, south = padded[:-2, 1:-1], padded[2:, 1:-1]
    east, west = padded[1:-1, 2:], padded[1:-1, :-2]
    around = [north, padded[:-2, 2:], east, padded[2:, 2:], south, padded[2:, :-2], west, padded[:-2, :-2]]
    count = np.sum(around, axis=0)
    starts = np.sum(
        [~one & after for one, after in zip(around, around[1:] + around[:1], strict=True)], axis=0
    )
    if is_second:
        free = ~(north & east & west) & ~(north & south & west)
    else:
        free = ~(north & east & south) & ~(east & south & west)
    return np.asarray(lines & (count >= 2) & (count <= 6) & (starts == 1) & free)


def even_strokes(ink: Image, width: int, height: int, pen: int, most_ink: float, is_round: bool) -> Image:
    """A character with strokes of one width as alpha, (height, width) uint8.

    ink: the character of a font as alpha, cut to its bounds. pen: width of the strokes in pixels; finer where
    more than the share `most_ink` of the box would be covered. is_round: round ends, otherwise square ones.
    """
    while True:
        inner = cv2.resize(ink, (width - pen, height - pen), interpolation=cv2.INTER_AREA)
        lines = middle_lines(np.asarray(inner > INK))
        if pen <= LEAST_PEN or lines.sum() * LENGTH_OF_STEP * pen <= most_ink * width * height:
            break
        pen -= 1
    canvas = np.zeros((height * SCALE, width * SCALE), np.uint8)
    middles = [((x + (pen + 1) / 2) * SCALE, (y + (pen + 1) / 2) * SCALE) for y, x in np.argwhere(lines)]
    for x, y in middles:
        cv2.rectangle(
            canvas, (round(x) - 1, round(y) - 1), (round(x) + SCALE - 2, round(y) + SCALE - 2), 255, -1
        )
    shape = cv2.MORPH_ELLIPSE if is_round else cv2.MORPH_RECT
    brush = cv2.getStructuringElement(shape, (pen * SCALE, pen * SCALE))
    return np.asarray(
        cv2.resize(cv2.dilate(canvas, brush), (width, height), interpolation=cv2.INTER_AREA), np.uint8
    )
