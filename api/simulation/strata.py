"""The kinds of visits a city is made of, each with its share, and how many of each are drawn.

Visits that can go wrong are rare, so they are drawn more often than they come and count for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.simulation.drawing import FIELD_MIX, FieldKind
from api.simulation.misreads import Measured, Misreads
from wallet.money import MILLION

# Passes that were made hard to read on purpose (far, dark, out of focus) are measured often and come seldom.
HARD_SHARE: Final = 0.03
# How the drawn visits are shared out.
DRAWN: Final = {"clean": 0.25, "doubtful": 0.20, "wrong": 0.35, "field": 0.20}


@dataclass(frozen=True, slots=True)
class Stratum:
    """Visits of one kind. share: of all visits; drawn: how many are looked at.

    kind: the error of the field on top of a measured sighting, if any. chances: running sum, by sighting.
    """

    name: str
    share: float
    drawn: int
    sightings: tuple[int, ...]
    chances: tuple[float, ...]
    kind: FieldKind | None = None

    @property
    def weight(self) -> float:
        """How much of all visits one drawn visit stands for."""
        return self.share / self.drawn if self.drawn else 0.0


def strata_of(misreads: Misreads, visits: int) -> list[Stratum]:
    """All kinds of visits but those that are not read; their shares add up to 1 with `unread_share`."""
    weights = sighting_weights(misreads.sightings)
    read = 1.0 - unread_share(misreads)
    in_field = sum(FIELD_MIX.values())
    groups: dict[str, list[int]] = {"clean": [], "doubtful": [], "wrong": []}
    for index, one in enumerate(misreads.sightings):
        groups[_kind(one)].append(index)
    found = []
    for name, indices in groups.items():
        share = read * (1 - in_field) * sum(weights[index] for index in indices)
        if indices:
            found.append(_stratum(name, share, visits * DRAWN[name], indices, weights))
    base = groups["clean"] or list(range(len(weights)))
    for kind, share in FIELD_MIX.items():
        drawn = visits * DRAWN["field"] / len(FIELD_MIX)
        found.append(_stratum(f"field: {kind}", read * share, drawn, base, weights, kind))
    return found


def unread_share(misreads: Misreads) -> float:
    """Visits of which no plate is read: a person looks."""
    hard = HARD_SHARE * misreads.hard_unread_ppm
    return (hard + (1 - HARD_SHARE) * misreads.unread_ppm) / MILLION


def sighting_weights(sightings: Sequence[Measured]) -> list[float]:
    """How often each measured sighting comes; together 1."""
    hard = sum(one.hard for one in sightings)
    easy = len(sightings) - hard
    if not hard or not easy:
        return [1 / len(sightings)] * len(sightings)
    return [HARD_SHARE / hard if one.hard else (1 - HARD_SHARE) / easy for one in sightings]


def _kind(one: Measured) -> str:
    if not one.is_right:
        return "wrong"
    return "clean" if all(doubt is None for doubt in one.positions) else "doubtful"


def _stratum(
    name: str,
    share: float,
    drawn: float,
    indices: Sequence[int],
    weights: Sequence[float],
    kind: FieldKind | None = None,
) -> Stratum:
    running, total = [], 0.0
    for index in indices:
        total += weights[index]
        running.append(total)
    return Stratum(name, share, max(1, round(drawn)), tuple(indices), tuple(running), kind)
