"""The kinds of stays a city is made of, each with its share, and how many of each are drawn.

A stay is seen by the entry's camera and by the pump's, each a measured sighting of its own; the pump's is
what pays. Stays that can go wrong are rare, so they are drawn more often than they come and count for less.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from api.simulation.drawing import FEWEST, FIELD_MIX, FieldKind
from api.simulation.misreads import Measured, Misreads
from wallet.money import MILLION

# Passes that were made hard to read on purpose (far, dark, out of focus) are measured often and come seldom.
HARD_SHARE: Final = 0.03
# A car stands at its pump for minutes: the pump's camera looks at least so often.
PUMP_LOOKS: Final = 4
# How the drawn visits are shared out.
DRAWN: Final = {"clean": 0.18, "doubtful": 0.25, "wrong": 0.35, "unread": 0.02, "field": 0.20}

Class = Literal["clean", "doubtful", "wrong", "unread"]
CLASSES: Final[tuple[Class, ...]] = ("clean", "doubtful", "wrong", "unread")


@dataclass(frozen=True, slots=True)
class Looks:
    """How one camera sees plates: the chance of each class, and of each sighting in it, as running sums."""

    chances: dict[Class, float]
    sightings: dict[Class, tuple[tuple[int, ...], tuple[float, ...]]]

    def draw(self, kind: Class, chance: Random) -> int | None:
        """The number of a sighting of this class; None for one that was not read."""
        if kind == "unread":
            return None
        numbers, running = self.sightings[kind]
        place = bisect.bisect(running, chance.random() * running[-1])
        return numbers[min(place, len(numbers) - 1)]


@dataclass(frozen=True, slots=True)
class Stratum:
    """Stays whose pump camera sees them in one way. share: of all stays; drawn: how many are looked at.

    kinds: the classes of the look with their running sums. kind: the error of the field, if any.
    """

    name: str
    share: float
    drawn: int
    classes: tuple[Class, ...]
    chances: tuple[float, ...]
    kind: FieldKind | None = None

    @property
    def weight(self) -> float:
        """How much of all stays one drawn stay stands for."""
        return self.share / self.drawn if self.drawn else 0.0

    def draw(self, chance: Random) -> Class:
        """The class of the look."""
        place = bisect.bisect(self.chances, chance.random() * self.chances[-1])
        return self.classes[min(place, len(self.classes) - 1)]


def looks_of(misreads: Misreads, least_looks: int = 1) -> Looks:
    """How a camera sees plates that looks at least so often; every sighting where too few are left."""
    enough = [one.looks >= least_looks for one in misreads.sightings]
    if sum(enough) < FEWEST:
        enough = [True] * len(enough)
    weights = sighting_weights(misreads.sightings, enough)
    read = 1.0 - unread_share(misreads)
    groups: dict[Class, list[int]] = {kind: [] for kind in CLASSES}
    for number, one in enumerate(misreads.sightings):
        if enough[number]:
            groups[class_of(one)].append(number)
    chances: dict[Class, float] = {kind: read * sum(weights[i] for i in groups[kind]) for kind in CLASSES}
    chances["unread"] = 1.0 - read
    sightings = {
        kind: (tuple(numbers), tuple(itertools.accumulate(weights[i] for i in numbers)))
        for kind, numbers in groups.items()
        if numbers
    }
    return Looks(chances, sightings)


def strata_of(looks: Looks, visits: int) -> list[Stratum]:
    """All kinds of stays; their shares add up to 1. looks: of the pump's camera."""
    whole = 1.0 - sum(FIELD_MIX.values())
    classes = tuple(kind for kind in CLASSES if looks.chances[kind] > 0)
    found = [
        Stratum(kind, whole * looks.chances[kind], max(1, round(visits * DRAWN[kind])), (kind,), (1.0,))
        for kind in classes
    ]
    running = tuple(itertools.accumulate(looks.chances[kind] for kind in classes))
    for error, share in FIELD_MIX.items():
        drawn = max(1, round(visits * DRAWN["field"] / len(FIELD_MIX)))
        found.append(Stratum(f"field: {error}", share, drawn, classes, running, error))
    return found


def unread_share(misreads: Misreads) -> float:
    """Looks of which no plate is read, hard ones as often as they come."""
    easy, hard = misreads.unread_ppm / MILLION, misreads.hard_unread_ppm / MILLION
    return (1 - HARD_SHARE) * easy + HARD_SHARE * hard


def sighting_weights(sightings: Sequence[Measured], enough: Sequence[bool]) -> list[float]:
    """How often each measured sighting comes; together 1. enough: which ones may come."""
    hard = sum(ok and one.hard for one, ok in zip(sightings, enough, strict=True))
    easy = sum(enough) - hard
    if not hard or not easy:
        return [ok / (hard + easy) for ok in enough]
    return [
        ok * (HARD_SHARE / hard if one.hard else (1 - HARD_SHARE) / easy)
        for one, ok in zip(sightings, enough, strict=True)
    ]


def class_of(one: Measured) -> Class:
    """Whether it is sure, unsure or wrong somewhere."""
    if not one.is_right:
        return "wrong"
    return "clean" if all(doubt is None for doubt in one.positions) else "doubtful"
