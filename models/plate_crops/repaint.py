"""The light on a real blue plate, and other paint put under it: yellow, white, black, green.

All functions work on float pictures, BGR 0 to 255; randomness comes from the generator handed in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from models.plate_crops.bank import Floats, RealPlate
from vision.plate_art import BLACK, WHITE, Bgr

# Ground and ink; the red marks of police and consulates are put in by position.
GROUNDS: dict[str, tuple[Bgr, Bgr]] = {
    "yellow": ((18, 180, 245), BLACK),
    "white": ((240, 240, 240), BLACK),
    "black": ((24, 22, 22), WHITE),
}
BLUE_RED = 12.0  # the red channel of the blue ground, the darkest thing on a plate
SHADE = 0.5
NEUTRAL = 0.7
LEAST_SHARE, FULL_SHARE = 0.07, 0.93  # of ink; what is beyond is noise


@dataclass(frozen=True)
class Light:
    """What falls on a plate: the look of perfect white, the grey that haze adds, and the shade along the row.

    white, haze: (3,) BGR. start, slope: the share of ink that shade feigns, at the left edge and per width of
    the plate.
    """

    white: Floats
    haze: Floats
    start: float
    slope: float

    def seen(self, colour: Bgr | Floats) -> Floats:
        """How a paint looks in this light."""
        share = np.asarray(colour, np.float32) / np.float32(255)
        return np.asarray(self.haze + share * (self.white - self.haze), np.float32)

    def shade(self, along: Floats) -> Floats:
        """Feigned ink at these places, 0 at the left edge of the plate to 1 at the right one."""
        return np.asarray(self.start + self.slope * np.clip(along, 0, 1), np.float32)


def light_on(plate: RealPlate, box_middles: Floats, rng: Generator) -> Light:
    """The light on a real blue plate. box_middles: (7,) places of the characters, 0 to 1."""
    contrast = plate.high - plate.low
    # The blue of the ground runs into thin white strokes, and blur darkens them.
    white = plate.high + NEUTRAL * (plate.high.mean() - plate.high)
    white = np.minimum(white * (255 / WHITE[0]) * rng.uniform(1.0, 1.35), 255)
    haze = np.full(3, np.clip(plate.low.min() - BLUE_RED, 0, 70) * 0.8, np.float32)
    feigned = (plate.beside.mean(axis=1) - plate.low) @ contrast / max(float(contrast @ contrast), 1.0)
    centred = box_middles - box_middles.mean()
    slope = float(centred @ feigned / (centred @ centred))
    start = float(feigned.mean() - slope * box_middles.mean())
    return Light(np.asarray(white, np.float32), haze, start, slope)


def ink_share(picture: Floats, low: Floats, high: Floats) -> Floats:
    """How much of each pixel is ink, (H, W): 0 at `low`, 1 at `high`, beyond both where it is noisy."""
    contrast = high - low
    weight = contrast / max(float(contrast @ contrast), 400.0)
    return np.asarray((picture - low) @ weight, np.float32)


def firm(share: Floats) -> Floats:
    """The share of ink without the noise at both ends, -0.05 to 1.05."""
    return np.asarray(np.clip((share - LEAST_SHARE) / (FULL_SHARE - LEAST_SHARE), -0.05, 1.05), np.float32)


def tinted(colour: Bgr, rng: Generator) -> Floats:
    """The paint as another plate has it: older, cleaner, of another maker."""
    return np.clip(np.array(colour) * rng.normal(1, 0.05, 3) * rng.uniform(0.85, 1.04), 0, 255).astype(
        np.float32
    )


def repaint(
    picture: Floats, plate: RealPlate, light: Light, along: Floats, paint: str, red: Floats, rng: Generator
) -> Floats:
    """The blue plate in another paint.

    picture: (H, W, 3), the plate and what is around it. along: (H, W), 0 at its left edge to 1. red: (H, W),
    1 where the ink is red.
    """
    ground, ink = GROUNDS[paint]
    shade = light.shade(along)
    raw = ink_share(picture, plate.low, plate.high)
    share = firm((raw - shade) / np.maximum(1 - shade, 0.3))[..., None]
    lows, highs = light.seen(tinted(ground, rng)), light.seen(tinted(ink, rng))
    inks = highs + red[..., None] * (light.seen(tinted((40, 30, 205), rng)) - highs)
    lit = lows * (1 + SHADE * (shade - shade.mean()))[..., None]
    # What neither ground nor ink explains: screws, dirt, the noise of the sensor and of JPEG.
    rest = picture - plate.low - raw[..., None] * (plate.high - plate.low)
    grain = rest.mean(axis=2, keepdims=True) * 0.5 + rest * 0.25
    return np.asarray(lit + share * (inks - lit) + grain, np.float32)
