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

from api.simulation.drawing import FIELD_MIX, FieldKind
from api.simulation.misreads import (
    HARD_SHARE,
    UNSURE_PPM,
    Alike,
    Measured,
    Misreads,
    Unread,
    sighting_weights,
)
from wallet.money import MILLION

# How the drawn visits are shared out; those of the field by how often each error comes.
DRAWN: Final = {
    "clean": 0.08,
    "doubtful": 0.18,
    "wrong": 0.10,
    "surely wrong": 0.22,
    "unread": 0.02,
    "field": 0.40,
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


def looks_of(misreads: Misreads, *, at_pump: bool) -> Looks:
    """How a camera sees plates: of cars that stand at its pump, or of those on their way."""
    counts = [one.at_pump is at_pump for one in misreads.sightings]
    groups: dict[Class, list[int]] = {}
    for number, one in enumerate(misreads.sightings):
        if counts[number]:
            groups.setdefault(class_of(one), []).append(number)
    return Looks(
        np.array(sighting_weights(misreads.sightings, counts)),
        unread_share(misreads.unread_at_pump if at_pump else misreads.unread_on_its_way),
        {kind: np.array(numbers) for kind, numbers in groups.items()},
    )


def strata_of(looks: Looks, visits: int, cities: int = 1) -> list[Stratum]:
    """All kinds of stays, of each as many in every city. looks: of the pump's camera."""
    whole = 1.0 - sum(FIELD_MIX.values())
    classes = tuple(kind for kind in CLASSES if kind in looks.classes or kind == "unread")

    def drawn(share: float) -> int:
        return cities * max(1, round(visits * share / cities))

    found = [Stratum(kind, whole, drawn(DRAWN[kind]), (kind,)) for kind in classes]
    of_field = DRAWN["field"] / sum(FIELD_MIX.values())
    found += [
        Stratum(f"field: {error}", share, drawn(of_field * share), classes, error)
        for error, share in FIELD_MIX.items()
    ]
    return found


def unread_share(unread: Unread) -> float:
    """Looks of which no plate is read, hard ones as often as they come."""
    return ((1 - HARD_SHARE) * unread.usual_ppm + HARD_SHARE * unread.hard_ppm) / MILLION


def seen_alike(at_pump: Measured | None, alike: Alike) -> float:
    """How likely the entry saw the plate as the pump did, where that was badly."""
    if at_pump is None:
        return alike.unread
    if not at_pump.is_right or at_pump.is_off_colour:
        return alike.wrong
    return alike.unsure if at_pump.wrong_ppm > UNSURE_PPM else 0.0


def class_of(one: Measured) -> Class:
    """Whether it is sure, unsure or wrong somewhere, its colour too."""
    if not one.is_right or one.is_off_colour:
        return "surely wrong" if one.wrong_ppm <= SURELY_PPM else "wrong"
    return "clean" if all(doubt is None for doubt in one.positions) else "doubtful"
