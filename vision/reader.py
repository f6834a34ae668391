"""The text and colour of levelled crops, by a CTC network behind our own decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.colour import COLOURS, colour_probabilities, most_likely
from vision.ctc import Decoded, PlateDecoder
from vision.detector import Network
from vision.plates import KINDS
from vision.rectify import READER_HEIGHT, READER_WIDTH, merge_rows
from vision.types import Colour, Image, PlateText, Position

Floats = npt.NDArray[np.float32]
Colours = dict[Colour, float]

# Fitted on 1,200 plates of train/crops, blurred, shrunk and darkened until 6 % were read wrong.
TEMPERATURE = 1.2


@dataclass(frozen=True, slots=True)
class Limits:
    """When a crop is no plate.

    least_mass: share of all paths that spell some plate. least_confidence: of the most likely text.
    temperature: above 1 where the network is surer than it is right; 1 leaves it as it is.
    """

    least_mass: float = 0.2
    least_confidence: float = 0.02
    temperature: float = TEMPERATURE


class PlateReader:
    """Reads crops with an exported network.

    alphabet: characters by class; class 0 is the blank.
    """

    def __init__(self, network: Network, alphabet: Sequence[str], limits: Limits | None = None) -> None:
        self.network = network
        self.decoder = PlateDecoder(alphabet)
        self.limits = limits or Limits()

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What stands on a levelled crop.

        crop: (h, w, 3) uint8 BGR; not changed. rows: how many rows it may have; each is tried and the more
        probable reading wins.
        """
        colours = colour_probabilities(crop)
        weights = kind_weights(colours)
        lines = [merge_rows(crop) if count == 2 else crop for count in rows]
        batch = np.concatenate([reader_input(line) for line in lines])
        decoded = [self.decoder.decode(output, weights) for output in self.network.run(batch)]
        return plate_text(max(decoded, key=lambda found: found.probability), colours, self.limits)


def reader_input(crop: Image) -> Floats:
    """(1, 3, 48, 168) float32 BGR, -1..1."""
    size = (READER_WIDTH, READER_HEIGHT)
    shrinks = crop.shape[1] > READER_WIDTH
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    batch = small.transpose(2, 0, 1)[None].astype(np.float32)
    batch *= 1 / 127.5
    batch -= 1.0
    return np.ascontiguousarray(batch)


def kind_weights(colours: Colours) -> dict[str, float]:
    """How likely each kind of plate is by the colour alone."""
    return {kind.name: sum(colours[colour] for colour in kind.colours) for kind in KINDS}


def plate_text(decoded: Decoded, colours: Colours, limits: Limits) -> PlateText:
    """The decoder's answer and the colour's, each corrected by the other.

    The text decides among the colours its kind may have; the colour has already weighed the kinds.
    """
    kind = decoded.kind
    if kind is None or decoded.text is None or decoded.mass < limits.least_mass:
        return PlateText(None, *most_likely(colours), (), 0.0)
    tempered = tuple(temper(position, limits.temperature) for position in decoded.positions)
    of_kind = temper_share(decoded.kind_share, limits.temperature)
    given_kind = temper_share(decoded.probability / decoded.kinds[kind.name], limits.temperature)
    confidence = of_kind * given_kind * min(1.0, decoded.mass)
    if confidence < limits.least_confidence:
        return PlateText(None, *most_likely(colours), (), 0.0)
    allowed = {colour: colours[colour] if colour in kind.colours else 0.0 for colour in COLOURS}
    total = sum(allowed.values())
    colour, share = most_likely({c: p / total for c, p in allowed.items()})
    return PlateText(decoded.text, colour, share, tempered, confidence)


def temper(position: Position, temperature: float) -> Position:
    """The same characters with probabilities drawn together (temperature above 1); the sum stays."""
    if temperature == 1.0 or not position:
        return position
    before = sum(p for _, p in position)
    raised = [p ** (1 / temperature) for _, p in position]
    scale = before / sum(raised)
    return tuple((c, p * scale) for (c, _), p in zip(position, raised, strict=True))


def temper_share(share: float, temperature: float) -> float:
    """A probability against all else, drawn towards one half."""
    if temperature == 1.0 or share in (0.0, 1.0):
        return share
    odds = float((share / max(1 - share, 1e-12)) ** (1 / temperature))
    return odds / (1 + odds)
