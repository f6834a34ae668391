"""The paint of a plate by a small network over the pixels of its levelled crop, with probabilities.

It tells the decoder which kinds of plates to expect, and says the colour: the same text may stand on another.
`vision.colour` measures ground and characters; that tells a plate of ours from a stranger's.
The network (`models/plate_colour`) has seen real blue plates and painted ones of all colours in the same poor
lights, so that it knows when pixels no longer tell. What is left then is how often each colour is met.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from vision.cards import open_weights
from vision.colour import COLOURS, DOUBT, OFFSET, PRIOR
from vision.types import Colour, Image

Floats = npt.NDArray[np.float32]

WEIGHTS = "plate_colour.json"
WIDTH, HEIGHT = 84, 24
# The margin of a crop and the border of the plate, in pixels of that size.
EDGE = 2
# Pixels of a plate from the darkest to the lightest, in so many equal parts: ground and characters.
PARTS = 10
# Means of so many rows and columns: paint that runs from one colour to another, and light that does.
ROWS, COLUMNS = 4, 3


def measure(crop: Image) -> Floats:
    """What the network is shown: (MEASURES,) natural logarithms, BGR for BGR.

    crop: (h, w, 3) uint8 BGR, levelled, one row or two; not changed. First the mean colours of pixels in the
    order of their lightness, then of rows from the top, then of columns from the left.
    """
    small = cv2.resize(crop, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    inner = np.ascontiguousarray(small[EDGE:-EDGE, EDGE:-EDGE])
    order = np.argsort(cv2.cvtColor(inner, cv2.COLOR_BGR2GRAY), axis=None, kind="stable")
    exact = inner.astype(np.float32)
    by_lightness = np.take(exact.reshape(-1, 3), order, axis=0).reshape(PARTS, -1, 3)
    parts = cv2.resize(by_lightness, (1, PARTS), interpolation=cv2.INTER_AREA)
    rows = cv2.resize(exact, (1, ROWS), interpolation=cv2.INTER_AREA)
    columns = cv2.resize(exact, (COLUMNS, 1), interpolation=cv2.INTER_AREA)
    means = np.concatenate([parts.ravel(), rows.ravel(), columns.ravel()])
    return np.asarray(np.log(means + np.float32(OFFSET)), np.float32)


MEASURES = 3 * (PARTS + ROWS + COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer of the network: (inputs, outputs) weights and (outputs,) biases."""

    weights: Floats
    biases: Floats


@cache
def load_layers() -> tuple[Layer, ...]:
    """The shipped network, read and verified once; nobody changes it.

    Raises WeightsMissingError, WeightsCorruptedError.
    """
    content = json.loads(open_weights(WEIGHTS).content)
    return tuple(
        Layer(np.array(layer["weights"], np.float32), np.array(layer["biases"], np.float32))
        for layer in content["layers"]
    )


def evidence(crop: Image) -> Floats:
    """How well the pixels fit each of `COLOURS`, (5,): log likelihoods but for a constant. crop: as above."""
    layers = load_layers()
    values = measure(crop)
    for layer in layers[:-1]:
        values = np.maximum(values @ layer.weights + layer.biases, 0)
    return np.asarray(values @ layers[-1].weights + layers[-1].biases, np.float32)


def paint_probabilities(crop: Image) -> dict[Colour, float]:
    """Probability of each colour; they sum to 1. crop: (h, w, 3) uint8 BGR, levelled; not changed."""
    logs = evidence(crop).tolist()
    top = max(logs)
    shares = [PRIOR[colour] * math.exp(log - top) for colour, log in zip(COLOURS, logs, strict=True)]
    total, kept = sum(shares), 1 - DOUBT * len(COLOURS)
    return {colour: DOUBT + kept * share / total for colour, share in zip(COLOURS, shares, strict=True)}
