"""Plates as cars wear them, and weather over a whole scene: what the scenes of the detector are made with."""

import numpy as np
from numpy.random import Generator

from models.pictures import Image
from models.plate_art.random_plates import OTHER_KINDS, RandomPlate, random_plate
from models.plate_crops.degrade import Effect, bolts, choose, dirt, frame, glare, headlights, night, rain

# A plate that no reader may read is a plate for the detector all the same.
OTHER_SHARE = 0.02
BOLTS_SHARE, FRAME_SHARE, DIRT_SHARE = 0.5, 0.2, 0.15
WEATHER: tuple[tuple[Effect, float], ...] = ((rain, 0.05), (glare, 0.04), (headlights, 0.04), (night, 0.05))


def mounted_plate(rng: Generator) -> RandomPlate:
    """A plate of a random kind with its screws, now and then in a frame or dirty."""
    kind = OTHER_KINDS[int(rng.integers(len(OTHER_KINDS)))] if rng.random() < OTHER_SHARE else None
    plate = random_plate(rng, kind)
    picture = plate.picture
    for effect, share in ((bolts, BOLTS_SHARE), (frame, FRAME_SHARE), (dirt, DIRT_SHARE)):
        if rng.random() < share:
            picture = effect(picture, rng)
    return RandomPlate(picture, plate.text, plate.colour, plate.rows)


def weather(image: Image, rng: Generator) -> Image:
    """The scene in rain, glare, before headlights or at night; mostly as it was."""
    effect = choose(WEATHER, rng)
    return image if effect is None else np.asarray(effect(image, rng), np.uint8)
