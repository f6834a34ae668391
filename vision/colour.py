"""The colour of a plate from the pixels of its levelled crop, with probabilities.

Cameras balance white badly, at night most of all. Two things hold all the same: whether the characters are
lighter than the ground (blue, black) or darker (green, yellow, white), and how ground and characters differ
in colour, since blue and black plates carry white characters: a reference of white in the picture itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.types import Colour, Image

Pixels = npt.NDArray[np.float32]

WIDTH, HEIGHT = 96, 28
COLOURS: tuple[Colour, ...] = ("blue", "green", "yellow", "white", "black")
# How often each is met at a petrol station, in round figures.
PRIOR: Mapping[Colour, float] = {"blue": 0.80, "green": 0.12, "yellow": 0.06, "white": 0.01, "black": 0.01}
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
    small = cv2.resize(crop, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    inner = np.asarray(small[4:-4, 4:-4].reshape(-1, 3), np.float32) + 6.0
    light = inner @ np.array([0.2, 0.5, 0.3], np.float32)
    whole = np.clip(light, 0, 255).astype(np.uint8)
    limit, _ = cv2.threshold(whole, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    is_light = light > limit
    # Characters cover less than half of a plate, so the larger part is the ground.
    is_ground = is_light if is_light.mean() > 0.5 else ~is_light
    if is_ground.all():
        return Look(0.0, 0.0, 0.0, 0.0)
    b, g, r = (float(x) for x in np.log(_middle(inner[is_ground])))
    ib, ig, ir = (float(x) for x in np.log(_middle(inner[~is_ground])))
    return Look(
        polarity=(0.2 * ib + 0.5 * ig + 0.3 * ir) - (0.2 * b + 0.5 * g + 0.3 * r),
        blueness=(b - r) - (ib - ir),
        yellowness=(g + r) / 2 - b,
        greenness=g - (r + b) / 2,
    )


def _middle(pixels: Pixels) -> Pixels:
    """The median colour, (3,)."""
    return np.asarray(np.median(pixels, axis=0), np.float32)


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
# Degrees of freedom of the distribution around each centre: few, so that one odd measure cannot decide alone.
FREEDOM = 4.0


def colour_probabilities(crop: Image) -> dict[Colour, float]:
    """Probability of each colour; they sum to 1. crop: (h, w, 3) uint8 BGR, levelled; not changed."""
    look = measure(crop)
    measured = np.array([look.polarity, look.blueness, look.yellowness, look.greenness])
    shares: dict[Colour, float] = dict.fromkeys(COLOURS, 0.0)
    for appearance in APPEARANCES:
        spread = np.array(appearance.spread)
        away = (measured - np.array(appearance.centre)) / spread
        density = np.prod((1 + away**2 / FREEDOM) ** (-(FREEDOM + 1) / 2) / spread)
        shares[appearance.colour] += PRIOR[appearance.colour] * appearance.share * float(density)
    total = sum(shares.values())
    kept = 1 - DOUBT * len(COLOURS)
    return {colour: DOUBT + kept * share / total for colour, share in shares.items()}


def most_likely(probabilities: Mapping[Colour, float]) -> tuple[Colour, float]:
    """The likeliest colour and its probability."""
    colour = max(probabilities, key=lambda c: probabilities[c])
    return colour, probabilities[colour]
