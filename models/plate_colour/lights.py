"""The light that plates are seen in, poor light above all: lamps, dusk, night, glare, and a tired encoder.

Each effect takes a picture (H, W, 3) uint8 BGR and a generator, returns another of the same size and changes
nothing it was given. `lit` puts them together for a levelled crop.
"""

import cv2
import numpy as np
from numpy.random import Generator

from models.pictures import Image
from models.plate_crops.degrade import (
    Chain,
    chained,
    dirt,
    few_pixels,
    glare,
    headlights,
    moved,
    out_of_focus,
    rain,
    shadow,
    to_picture,
)


def balance(picture: Image, rng: Generator) -> Image:
    """A camera that takes another light for white, mostly by little."""
    spread = 0.06 if rng.random() < 0.6 else 0.18
    return to_picture(picture * np.exp(rng.normal(0, spread, 3)))


def lamps(picture: Image, rng: Generator) -> Image:
    """Sodium lamps, bulbs or cold diodes, against which the camera has not balanced."""
    warmth = rng.uniform(0.1, 0.8) if rng.random() < 0.7 else rng.uniform(-0.35, 0.0)
    return to_picture(picture * np.exp([-warmth, -0.2 * warmth, 0.3 * warmth]))


def overexposed(picture: Image, rng: Generator) -> Image:
    """So much light that channels run full."""
    return to_picture(picture * rng.uniform(1.3, 3.2))


def veil(picture: Image, rng: Generator) -> Image:
    """Sky, fog or a lamp mirrored in the paint: light that has no colour of the plate's."""
    tint = rng.uniform(20, 130) * np.exp(rng.normal(0, 0.12, 3))
    share = rng.uniform(0.3, 1.0)
    return to_picture(picture * share + tint)


def faded(picture: Image, rng: Generator) -> Image:
    """Less colour, down to the grey of infrared."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float32)
    return to_picture(picture + rng.uniform(0.2, 1.0) ** 0.5 * (grey - picture))


def gamma(picture: Image, rng: Generator) -> Image:
    """Another curve of the camera."""
    levels = to_picture(255 * np.power(np.arange(256) / 255, rng.uniform(0.65, 1.6)))
    return np.asarray(cv2.LUT(picture, levels), np.uint8)


def dusk(picture: Image, rng: Generator) -> Image:
    """Too little light, down to where a plate has hardly a grey value left."""
    return to_picture(picture * np.exp(rng.uniform(np.log(0.05), np.log(0.75))) + rng.uniform(-4, 5))


def brightness(picture: Image, rng: Generator) -> Image:
    """About as bright as it was."""
    return to_picture(picture * rng.uniform(0.7, 1.25))


def grain(picture: Image, rng: Generator) -> Image:
    """The noise of a sensor: in the light, and, as cameras smooth it, in blotches of colour."""
    h, w = picture.shape[:2]
    light = rng.normal(0, rng.uniform(1, 12), (h, w, 1))
    blotches = rng.normal(0, rng.uniform(0, 8), (max(2, h // 6), max(2, w // 6), 3)).astype(np.float32)
    return to_picture(picture + light + cv2.resize(blotches, (w, h), interpolation=cv2.INTER_LINEAR))


def encoded(picture: Image, rng: Generator) -> Image:
    """Through an encoder that saves on colour first: half the pixels of it, and coarse steps."""
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(8, 85))])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


# What may happen to a crop and how often; one of a group, in this order: the plate, the light on it, the
# lens, the camera, the sensor, the file.
CHAIN: Chain = (
    ((dirt, 0.08),),
    ((glare, 0.06), (headlights, 0.06), (shadow, 0.1), (rain, 0.05)),
    ((balance, 0.75), (lamps, 0.15)),
    ((overexposed, 0.1), (veil, 0.2)),
    ((out_of_focus, 0.25), (moved, 0.15)),
    ((few_pixels, 0.6),),
    ((faded, 0.08),),
    ((gamma, 0.5),),
    ((dusk, 0.4), (brightness, 0.5)),
    ((grain, 0.6),),
    ((encoded, 0.75),),
)


# What even good light and a good camera do.
PLAIN: Chain = (
    ((balance, 0.6),),
    ((out_of_focus, 0.2),),
    ((brightness, 0.7),),
    ((encoded, 0.3),),
)


def lit(crop: Image, rng: Generator, is_plain: bool = False) -> Image:
    """The levelled crop as a camera of a station may give it by day or night; same size.

    is_plain: in good light.
    """
    return chained(crop, PLAIN if is_plain else CHAIN, rng)
