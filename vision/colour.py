"""The colour of a plate from the pixels of its levelled crop, with probabilities.

Cameras balance white badly, at night most of all. Two things hold all the same: whether the characters are
lighter than the ground (blue, black) or darker (green, yellow, white), and how ground and characters differ
in colour, since blue and black plates carry white characters: a reference of white in the picture itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.types import Colour, Image

WIDTH, HEIGHT = 96, 28
COLOURS: tuple[Colour, ...] = ("blue", "green", "yellow", "white", "black")
# How often each is met at a petrol station, in round figures.
PRIOR: Mapping[Colour, float] = {"blue": 0.80, "green": 0.12, "yellow": 0.06, "white": 0.01, "black": 0.01}
# Of a pixel's lightness: blue, green, red. What is added keeps black away from the logarithm of zero.
LIGHTNESS = np.array([0.2, 0.5, 0.3], np.float32)
OFFSET = 6.0
# Pixels may always mislead (a shadow, a reflection): no colour is ever less likely than this.
DOUBT = 0.002


@dataclass(frozen=True, slots=True)
class Look:
    """What is measured.

    polarity: brightness of the characters against that of the ground, natural logarithm; above 0: lighter.
    blueness: of the ground against the characters, log (B/R over B/R): white balance cancels.
    yellowness: of the ground by itself, log of the mean of R and G against B.
    greenness: of the ground by itself, log of G against the mean of R and B.
    """

    polarity: float
    blueness: float
    yellowness: float
    greenness: float


def measure(crop: Image) -> Look:
    """crop: (h, w, 3) uint8 BGR, levelled, one row or two; not changed."""
    small: Image = np.asarray(cv2.resize(crop, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    inner = np.ascontiguousarray(small[4:-4, 4:-4])
    light = (inner.reshape(-1, 3).astype(np.float32) + OFFSET) @ LIGHTNESS
    whole = np.minimum(light, 255).astype(np.uint8)
    limit, _ = cv2.threshold(whole, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    is_light = light > limit
    # Characters cover less than half of a plate, so the larger part is the ground.
    is_ground = is_light if 2 * np.count_nonzero(is_light) > len(is_light) else ~is_light
    if is_ground.all():
        return Look(0.0, 0.0, 0.0, 0.0)
    planes = [inner[:, :, channel].ravel() for channel in range(3)]
    b, g, r = (_middle(plane[is_ground]) for plane in planes)
    ib, ig, ir = (_middle(plane[~is_ground]) for plane in planes)
    return Look(
        polarity=(0.2 * ib + 0.5 * ig + 0.3 * ir) - (0.2 * b + 0.5 * g + 0.3 * r),
        blueness=(b - r) - (ib - ir),
        yellowness=(g + r) / 2 - b,
        greenness=g - (r + b) / 2,
    )


def _middle(plane: npt.NDArray[np.uint8]) -> float:
    """The logarithm of the median. plane: (N,)."""
    low, high = (len(plane) - 1) // 2, len(plane) // 2
    ordered = np.partition(plane, (low, high))
    return math.log((int(ordered[low]) + int(ordered[high])) / 2 + OFFSET)


@dataclass(frozen=True, slots=True)
class Appearance:
    """How plates of one colour measure.

    share: how many plates of the colour look so; centre, spread: of the measures of `Look`, in their order.
    """

    colour: Colour
    share: float
    centre: tuple[float, float, float, float]
    spread: tuple[float, float, float, float]


# Centres and spreads in the order of `Look`: blue from real plates, the others from paint under many lights.
APPEARANCES = (
    Appearance("blue", 1.0, (0.75, 0.95, -0.95, 0.08), (0.30, 0.50, 0.45, 0.25)),
    Appearance("green", 0.97, (-0.90, 0.00, 0.00, 0.33), (0.45, 0.20, 0.17, 0.14)),
    # Civil aviation and farm machines: white characters on dark green.
    Appearance("green", 0.03, (0.65, 0.30, -0.20, 0.45), (0.30, 0.20, 0.15, 0.12)),
    Appearance("yellow", 1.0, (-0.75, 0.35, 0.90, 0.30), (0.40, 0.35, 0.35, 0.20)),
    Appearance("white", 1.0, (-1.10, 0.00, 0.00, 0.00), (0.40, 0.15, 0.12, 0.06)),
    Appearance("black", 1.0, (1.40, 0.05, 0.00, 0.00), (0.40, 0.12, 0.20, 0.10)),
)
CENTRES = np.array([appearance.centre for appearance in APPEARANCES])
SPREADS = np.array([appearance.spread for appearance in APPEARANCES])
# Degrees of freedom of the distribution around each centre: few, so that one odd measure cannot decide alone.
FREEDOM = 4.0


def colour_probabilities(crop: Image) -> dict[Colour, float]:
    """Probability of each colour; they sum to 1. crop: (h, w, 3) uint8 BGR, levelled; not changed."""
    look = measure(crop)
    measured = np.array([look.polarity, look.blueness, look.yellowness, look.greenness])
    away = (measured - CENTRES) / SPREADS
    densities = ((1 + away**2 / FREEDOM) ** (-(FREEDOM + 1) / 2) / SPREADS).prod(axis=1)
    shares: dict[Colour, float] = dict.fromkeys(COLOURS, 0.0)
    for appearance, density in zip(APPEARANCES, densities.tolist(), strict=True):
        shares[appearance.colour] += PRIOR[appearance.colour] * appearance.share * density
    total = sum(shares.values())
    kept = 1 - DOUBT * len(COLOURS)
    return {colour: DOUBT + kept * share / total for colour, share in shares.items()}


def most_likely(probabilities: Mapping[Colour, float]) -> tuple[Colour, float]:
    """The likeliest colour and its probability."""
    colour = max(probabilities, key=lambda c: probabilities[c])
    return colour, probabilities[colour]


def most_likely_of(
    allowed: Collection[Colour], probabilities: Mapping[Colour, float]
) -> tuple[Colour, float]:
    """The likeliest of the allowed colours, and its probability where it is one of them."""
    shares = {colour: probabilities[colour] for colour in COLOURS if colour in allowed}
    colour, share = most_likely(shares)
    return colour, share / sum(shares.values())


# Where on a crop the two red letters of a military plate stand, and what follows them.
LETTERS_UNTIL, DIGITS_FROM = 0.27, 0.36
# Red ink is redder than the ground by at least this (natural logarithm) at its reddest seventh.
RED = 0.1
REDDEST = 0.85


def starts_red(crop: Image) -> bool:
    """Whether the first two characters are red and the others not. crop: as above, one row, white ground."""
    size = (2 * WIDTH, 2 * HEIGHT)
    small = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.float32)[8:-8, 6:-6] + OFFSET
    light = small @ LIGHTNESS
    redness = np.log(small[:, :, 2]) - np.log((small[:, :, 0] + small[:, :, 1]) / 2)
    redness -= np.median(redness[light >= np.median(light)])
    width = redness.shape[1]
    letters = np.quantile(redness[:, : int(LETTERS_UNTIL * width)], REDDEST)
    digits = np.quantile(redness[:, int(DIGITS_FROM * width) :], REDDEST)
    return bool(letters - digits >= RED)
