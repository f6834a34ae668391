"""How well each measured sighting fits a plate: a character errs as that character was measured to err.

By Bayes' rule, with the characters of a plate taken as independent,

    P(sighting | plate) ~ P(sighting) x sum over places for its doubts of product of odds(character, doubt)

where `odds` is the chance that a position with this character brings this doubt, against that it is read
surely. A character of which little was measured borrows from all of its kind, the more the likelier they err
alike: a beta-binomial distribution. `docs/simulation.md` tells it in words.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from api.simulation.drawing import allowed_at
from api.simulation.misreads import RATHER_SURE_PPM, Doubt, Misreads
from vision.plates import ALPHABET, PROVINCES

# What a kind may weigh against one of its characters, in positions: 1 to 1,000, evenly in logarithms.
WEIGHTS: Final = tuple(10 ** (step / 10) for step in range(31))
# The worst character is still read surely so often.
MOST_DOUBTFUL: Final = 0.95
# The file keeps so many doubts of a sighting; a plate has so many places after its province.
MOST_DOUBTS, SERIAL_PLACES = 3, 6
_LAST_ALONE: Final = ((0, 1, 2), (0, 2, 1), (1, 2, 0))


class Fitting:
    """The sightings of a file against plates. Doubts stand in one line, sighting after sighting.

    doubtful: the numbers of the sightings that have doubts. rates: of each character the share of positions
    that are unsure or wrong, with what it borrows. borrowed: of provinces, and of all others, the weight of
    the kind against what was measured of one character, in positions.
    """

    def __init__(self, misreads: Misreads) -> None:
        self.doubtful = tuple(i for i, one in enumerate(misreads.sightings) if any(one.positions))
        self._doubts = {
            i: [d for d in misreads.sightings[i].positions if d is not None] for i in self.doubtful
        }
        counts = [len(doubts) for doubts in self._doubts.values()]
        self._starts = dict(zip(self.doubtful, itertools.accumulate([0, *counts]), strict=False))
        self._by_count = _by_count(list(self._starts.values()), counts)
        self._apart = np.array([_apart(doubts) for doubts in self._doubts.values()])
        self._line = [doubt for doubts in self._doubts.values() for doubt in doubts]
        self.rates: dict[str, float] = {}
        self._odds: dict[str, npt.NDArray[np.float64]] = {}
        self._there: dict[tuple[str, str], npt.NDArray[np.float64]] = {}
        seen, doubted = times_seen(misreads), Counter(doubt.true for doubt in self._line)
        self.borrowed = tuple(
            self._learn(characters, seen, doubted, len(misreads.sightings))
            for characters in (PROVINCES, "".join(c for c in ALPHABET if c not in PROVINCES))
        )

    def _learn(self, kind: str, seen: Mapping[str, int], doubted: Mapping[str, int], sightings: int) -> float:
        """Rates and odds of the characters of a kind; says how much they borrow."""
        weight = weight_of_kind([(doubted.get(c, 0), seen[c]) for c in kind if seen.get(c, 0)])
        trues = np.array([doubt.true for doubt in self._line], "<U1")
        is_ours = np.isin(trues, list(kind))
        positions = max(1, sum(seen.get(c, 0) for c in kind))
        mean = min(MOST_DOUBTFUL, float(is_ours.sum()) / positions)
        for own in kind:
            # The chance of each measured doubt at a position with this character.
            chances = is_ours * ((trues == own) + weight / positions) / (seen.get(own, 0) + weight)
            rate = min(MOST_DOUBTFUL, float(chances.sum()))
            self.rates[own] = rate
            self._odds[own] = chances * sightings * (1 - mean) / (1 - rate)
        return weight

    def odds(self, plate: str) -> npt.NDArray[np.float64]:
        """For each of `doubtful` how much oftener it comes of this plate than of the plates measured.

        Its doubts stand at places of their own: what would put two of them onto one place is taken off.
        """
        at = np.array([self._at(plate, place) for place in range(len(plate))])
        whole = at.sum(axis=0)
        found = np.zeros(len(self.doubtful))
        for rows, doubts in self._by_count:
            each = [whole[doubts[:, k]] for k in range(doubts.shape[1])]
            there = [at[:, doubts[:, k]] for k in range(doubts.shape[1])]
            if len(each) == 1:
                found[rows] = each[0]
            elif len(each) == 2:
                found[rows] = each[0] * each[1] - (there[0] * there[1]).sum(axis=0)
            else:
                pairs = [(there[i] * there[j]).sum(axis=0) * each[k] for i, j, k in _LAST_ALONE]
                three = (there[0] * there[1] * there[2]).sum(axis=0)
                found[rows] = each[0] * each[1] * each[2] - sum(pairs) + 2 * three
        return np.maximum(found, 0.0) * self._apart

    def places(self, plate: str, number: int, chance: Random) -> list[tuple[int, Doubt]]:
        """Where the doubts of this sighting stand on the plate, each at a place of its own."""
        free, found = list(range(len(plate))), []
        for offset, doubt in enumerate(self._doubts.get(number, ()), self._starts.get(number, 0)):
            weights = [float(self._at(plate, place)[offset]) for place in free]
            # Where two doubts want the only place, the second takes any other.
            place = chance.choices(free, weights)[0] if sum(weights) > 0 else free[-1]
            free.remove(place)
            found.append((place, doubt))
        return found

    def _at(self, plate: str, place: int) -> npt.NDArray[np.float64]:
        """The odds of all doubts at a place; none where what was read may not stand there."""
        own, allowed = plate[place], allowed_at(plate, place)
        if (own, allowed) not in self._there:
            # On another character only a doubt's shape is kept; what is read then is drawn for that place.
            fits = [d.true != own or not d.choices or d.choices[0][0] in allowed for d in self._line]
            self._there[own, allowed] = self._odds[own] * np.array(fits, np.bool_)
        return self._there[own, allowed]


def _by_count(
    starts: Sequence[int], counts: Sequence[int]
) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """For one, two and three doubts: which sightings have so many, and where these doubts stand in line."""
    found = []
    for count in range(1, MOST_DOUBTS + 1):
        rows = [row for row, one in enumerate(counts) if min(one, MOST_DOUBTS) == count]
        if rows:
            found.append((np.array(rows), np.array([[starts[r] + k for k in range(count)] for r in rows])))
    return found


def _apart(doubts: Sequence[Doubt]) -> float:
    """How much is missing where several doubts need places of their own after the province."""
    behind = min(MOST_DOUBTS, sum(doubt.true not in PROVINCES for doubt in doubts))
    return SERIAL_PLACES**behind / math.perm(SERIAL_PLACES, behind)


def times_seen(misreads: Misreads) -> Counter[str]:
    """How many positions with each character the kept sightings had: the sure ones, and the others kept."""
    seen: Counter[str] = Counter()
    for trues in misreads.sure.values():
        seen.update(trues)
    for doubt in misreads.doubts():
        seen[doubt.true] += not doubt.choices or doubt.choices[0][1] < RATHER_SURE_PPM
    return seen


def weight_of_kind(counts: Iterable[tuple[int, int]]) -> float:
    """The likeliest weight of the common rate where each character has its own (beta-binomial).

    counts: (doubtful, all) positions of each character. Large where they err alike, small where they do not.
    """
    pairs = [(min(doubtful, every), every) for doubtful, every in counts]
    mean = sum(doubtful for doubtful, _ in pairs) / max(1, sum(every for _, every in pairs))
    if not 0 < mean < 1:
        return WEIGHTS[-1]
    return max(WEIGHTS, key=lambda weight: _likelihood(pairs, mean * weight, (1 - mean) * weight))


def _likelihood(pairs: Sequence[tuple[int, int]], a: float, b: float) -> float:
    """The logarithm, but for what does not depend on a and b."""
    return math.fsum(_log_beta(a + k, b + n - k) - _log_beta(a, b) for k, n in pairs)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
