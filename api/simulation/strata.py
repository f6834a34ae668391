"""The kinds of stays a city is made of, each with its share, and how many of each are drawn.

A stay is seen by the entry's camera and by the pump's, each a measured sighting of its own; the pump's is
what pays. Stays that can go wrong are rare, so they are drawn more often than they come and count for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from api.simulation.drawing import FEWEST, FIELD_MIX, FieldKind
from api.simulation.misreads import Measured, Misreads
from wallet.money import MILLION

# Passes that were made hard to read on purpose (far, dark, out of focus) are measured often and come seldom.
HARD_SHARE: Final = 0.03
# A car stands at its pump for minutes: the pump's camera looks at least so often.
PUMP_LOOKS: Final = 4
# How the drawn visits are shared out.
DRAWN: Final = {
    "clean": 0.15,
    "doubtful": 0.25,
    "wrong": 0.10,
    "surely wrong": 0.28,
    "unread": 0.02,
    "field": 0.20,
}
# A wrong sighting that is this sure may move money: such are rare, and drawn most.
SURELY_PPM: Final = 100_000

Class = Literal["clean", "doubtful", "wrong", "surely wrong", "unread"]
CLASSES: Final[tuple[Class, ...]] = ("clean", "doubtful", "wrong", "surely wrong", "unread")


@dataclass(frozen=True, slots=True)
class View:
    """How a camera sees one plate: the chance of each class, and of its sightings as running sums."""

    chances: dict[Class, float]
    sightings: dict[Class, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]

    def of(self, classes: Sequence[Class]) -> float:
        """The chance of these classes together."""
        return sum(self.chances[kind] for kind in classes)

    def draw(self, classes: Sequence[Class], chance: Random) -> int | None:
        """The number of a sighting of these classes; None for one that was not read."""
        kind = chance.choices(classes, [self.chances[kind] for kind in classes])[0]
        if kind == "unread":
            return None
        numbers, running = self.sightings[kind]
        place = int(np.searchsorted(running, chance.random() * running[-1], side="right"))
        return int(numbers[min(place, len(numbers) - 1)])


@dataclass(frozen=True, slots=True)
class Looks:
    """How one camera sees plates. shares: of each measured sighting among what it reads of those measured."""

    shares: npt.NDArray[np.float64]
    unread: float
    classes: dict[Class, npt.NDArray[np.int64]]

    def at(self, doubtful: Sequence[int], odds: npt.NDArray[np.float64]) -> View:
        """How it sees one plate, of which these doubtful sightings come oftener by `odds`."""
        weights = self.shares.copy()
        weights[list(doubtful)] *= odds
        weights *= (1.0 - self.unread) / weights.sum()
        running = {kind: (numbers, np.cumsum(weights[numbers])) for kind, numbers in self.classes.items()}
        chances = {kind: float(sums[-1]) for kind, (_, sums) in running.items()}
        return View({**dict.fromkeys(CLASSES, 0.0), **chances, "unread": self.unread}, running)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Stays whose pump camera sees them in one way. share: of all stays; drawn: how many are looked at.

    classes: of the look at the pump; the share counts only as far as the plate is seen so. kind: the error of
    the field, if any.
    """

    name: str
    share: float
    drawn: int
    classes: tuple[Class, ...]
    kind: FieldKind | None = None

    def weight(self, look: View) -> float:
        """How much of all stays one drawn stay stands for. look: of the pump's camera at its plate."""
        return self.share * look.of(self.classes) / self.drawn


def looks_of(misreads: Misreads, least_looks: int = 1) -> Looks:
    """How a camera sees plates that looks at least so often; every sighting where too few are left."""
    enough = [one.looks >= least_looks for one in misreads.sightings]
    if sum(enough) < FEWEST:
        enough = [True] * len(enough)
    groups: dict[Class, list[int]] = {}
    for number, one in enumerate(misreads.sightings):
        if enough[number]:
            groups.setdefault(class_of(one), []).append(number)
    return Looks(
        np.array(sighting_weights(misreads.sightings, enough)),
        unread_share(misreads),
        {kind: np.array(numbers) for kind, numbers in groups.items()},
    )


def strata_of(looks: Looks, visits: int) -> list[Stratum]:
    """All kinds of stays. looks: of the pump's camera."""
    whole = 1.0 - sum(FIELD_MIX.values())
    classes = tuple(kind for kind in CLASSES if kind in looks.classes or kind == "unread")
    found = [Stratum(kind, whole, max(1, round(visits * DRAWN[kind])), (kind,)) for kind in classes]
    for error, share in FIELD_MIX.items():
        drawn = max(1, round(visits * DRAWN["field"] / len(FIELD_MIX)))
        found.append(Stratum(f"field: {error}", share, drawn, classes, error))
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
        return "surely wrong" if one.wrong_ppm <= SURELY_PPM else "wrong"
    return "clean" if all(doubt is None for doubt in one.positions) else "doubtful"
