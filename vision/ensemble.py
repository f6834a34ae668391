"""Two readers of different make look at one crop: what both say together.

Their errors are partly their own: where one takes 8 for B, the other rarely does. The pool is a weighted
product of the two distributions at each position, weighted by how far each reader was right on plates that
neither had seen (`models/calibrate.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from vision.plates import is_valid
from vision.types import Image, PlateText, Position

POSITION_CHARACTERS = 5
# How many characters share what a position leaves to those it does not list.
UNLISTED = 30
# No character is ever quite impossible to a reader.
FLOOR = 1e-5


class Reader(Protocol):
    """Reads levelled crops."""

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What stands on a crop (h, w, 3) uint8 BGR that may have as many rows as `rows` lists."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """What each reader's word weighs, about as `models/calibrate.py` fits it (card of the second reader).

    first, second: exponents of their probabilities; a sum above 1 says their errors are partly their own.
    alone: the chance that a text is right which the other reader denies or cannot read at all, as a factor.
    """

    first: float = 0.4
    second: float = 0.5
    alone: float = 0.8


TRUST = Trust()


class BothReaders:
    """Two readers as one, for single pictures: each reads every crop."""

    def __init__(self, first: Reader, second: Reader, trust: Trust = TRUST) -> None:
        self.first = first
        self.second = second
        self.trust = trust

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What both say of a crop (h, w, 3) uint8 BGR."""
        return combine(self.first.read(crop, rows), self.second.read(crop, rows), self.trust)


def combine(first: PlateText, second: PlateText, trust: Trust = TRUST) -> PlateText:
    """Both readers' opinion of one crop as one reading; its colour is that of the surer one."""
    if first.text is None and second.text is None:
        return second
    surer = first if first.confidence > second.confidence else second
    if first.text is None or second.text is None or len(first.positions) != len(second.positions):
        other = second if surer is first else first
        return scaled(surer, trust.alone * (1 - other.confidence / 2))
    return pooled([first, second], (trust.first, trust.second))


def together(plates: Sequence[PlateText]) -> PlateText:
    """What several cuts of one plate out of one picture say together; at least one.

    Their mean, not their product: all show the same dirt and the same light, so that ten who agree are no
    surer than one. A cut counts as much as it is sure, since one askew tells little. Cuts of other numbers
    of characters deny the text.
    """
    readable = [plate for plate in plates if plate.text is not None and plate.confidence > 0]
    if not readable:
        return plates[0]
    sure: dict[int, float] = {}
    for plate in readable:
        sure[len(plate.positions)] = sure.get(len(plate.positions), 0.0) + plate.confidence
    length = max(sure, key=lambda n: sure[n])
    agreed = [plate for plate in readable if len(plate.positions) == length]
    mean = pooled(agreed, [plate.confidence / sure[length] for plate in agreed])
    return scaled(mean, sure[length] / math.fsum(sure.values()))


def pooled(plates: Sequence[PlateText], weights: Sequence[float]) -> PlateText:
    """Readings of as many characters each as one: their weighted product, position by position."""
    surest = max(plates, key=lambda plate: plate.confidence)
    positions = [
        pool([dict(position) for position in at], weights)
        for at in zip(*(plate.positions for plate in plates), strict=True)
    ]
    text = "".join(max(position, key=lambda c: position[c]) for position in positions)
    texts = {plate.text for plate in plates if plate.text is not None}
    if not is_valid(text):
        text = max(texts, key=lambda t: math.prod(p.get(c, 0.0) for p, c in zip(positions, t, strict=True)))
    by_characters = math.prod(p.get(c, 0.0) for p, c in zip(positions, text, strict=True))
    confidence = by_characters * is_plate(plates, weights)
    ranks = tuple(ranked(position) for position in positions)
    plate = replace(surest, text=text, positions=ranks, confidence=confidence)
    if len(texts) == 1 or confidence <= surest.confidence:
        return plate
    # Readings that contradict each other make nothing surer than the surest of them is.
    return scaled(plate, surest.confidence / confidence)


def is_plate(plates: Sequence[PlateText], weights: Sequence[float]) -> float:
    """Chance that there is a plate of this kind at all: what a confidence has less than its characters."""
    odds = 1.0
    for plate, weight in zip(plates, weights, strict=True):
        by_characters = math.prod(position[0][1] for position in plate.positions)
        share = min(plate.confidence / max(by_characters, FLOOR), 1 - FLOOR)
        odds *= (share / (1 - share)) ** weight
    return odds / (1 + odds)


def pool(distributions: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """The weighted product of distributions over characters; what it lacks to 1 is unlisted."""
    rest = [max(1 - math.fsum(d.values()), FLOOR) / UNLISTED for d in distributions]
    raised = {
        character: math.prod(
            max(d.get(character, r), FLOOR) ** w for d, r, w in zip(distributions, rest, weights, strict=True)
        )
        for character in dict.fromkeys(c for d in distributions for c in d)
    }
    unlisted = UNLISTED * math.prod(r**w for r, w in zip(rest, weights, strict=True))
    total = math.fsum(raised.values()) + unlisted
    return {character: value / total for character, value in raised.items()}


def ranked(position: Mapping[str, float]) -> Position:
    """The likeliest characters of a position, most likely first."""
    order = sorted(position.items(), key=lambda item: (-item[1], item[0]))
    return tuple(order[:POSITION_CHARACTERS])


def scaled(plate: PlateText, share: float) -> PlateText:
    """The same reading believed less; what its characters lose goes to none."""
    kept = share ** (1 / max(1, len(plate.positions)))
    positions = tuple(tuple((c, p * kept) for c, p in position) for position in plate.positions)
    return replace(plate, positions=positions, confidence=plate.confidence * share)
