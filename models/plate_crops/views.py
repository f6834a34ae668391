"""Other views of a levelled crop: moved a little, or as it lies when nobody has levelled it."""

import cv2
import numpy as np
from numpy.random import Generator

from models.pictures import Image

# How often a crop is shown as the box around an askew plate: what crops from elsewhere look like.
UNLEVELLED_SHARE = 0.25


def another_view(crop: Image, rng: Generator) -> Image:
    """The crop so that no use of it is like another; same size."""
    if rng.random() < UNLEVELLED_SHARE:
        crop = unlevelled(crop, rng)
    return shaken(crop, rng)


def shaken(crop: Image, rng: Generator) -> Image:
    """The crop moved, scaled and sheared a little."""
    height, width = crop.shape[:2]
    matrix = np.array([[1 + rng.normal(0, 0.02), rng.normal(0, 0.03), 0], [rng.normal(0, 0.008), 1, 0]])
    matrix[1, 1] += rng.normal(0, 0.03)
    matrix[:, 2] = rng.normal(0, 0.012 * width), rng.normal(0, 0.03 * height)
    return warped(crop, matrix)


def unlevelled(crop: Image, rng: Generator) -> Image:
    """The box around the plate when its rows run askew; beside it its border is carried on."""
    height, width = crop.shape[:2]
    # Rise of the row over its length, in heights of the plate: 0.5 is about nine degrees.
    rise = rng.normal(0, 0.4)
    lean = rng.normal(0, 0.15)
    down, across = 1 / (1 + abs(rise)), 1 / (1 + abs(lean) * height / width)
    matrix = np.array([[across, lean * across, 0], [rise * down * height / width, down, 0]])
    matrix[0, 2] = -min(0.0, lean) * across * height
    matrix[1, 2] = -min(0.0, rise) * down * height
    return warped(crop, matrix)


def warped(crop: Image, matrix: np.ndarray) -> Image:  # type: ignore[type-arg]
    """The crop under a 2 x 3 affine map, its border carried on."""
    size = (crop.shape[1], crop.shape[0])
    return np.asarray(cv2.warpAffine(crop, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
