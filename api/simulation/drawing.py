"""What a camera says of a car with a given plate: a measured sighting put onto it, or an error of the field.

Only positions that were unsure or wrong when measured carry over. Where the plate has another character,
the wrong ones are drawn from what our readers take that character for.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

from api.simulation.misreads import Doubt, Measured, Misreads, sighting_weights
from api.simulation.register import PLACES
from vision.plates import DIGITS, PROVINCES
from wallet.money import MILLION

FieldKind = Literal["province swap", "one character", "plate frame", "dirt"]
# Shares of all visits, apart from what was measured: assumptions of ours, see docs/simulation.md.
FIELD_MIX: Final[Mapping[FieldKind, float]] = {
    "province swap": 0.002,
    "one character": 0.004,
    "plate frame": 0.010,
    "dirt": 0.006,
}
LEAST_SURE, MOST_SURE = 999_000, 999_990
# The plates of the city's cars.
GROUNDS: Final = ("blue", "green", "yellow")
DIRTY_POSITIONS, FRAMED_POSITIONS = 2, 2
# How sure a wrong look is where no wrong position was measured.
UNMEASURED_WRONG: Final = (300_000, 900_000)


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting and what is true of its car. looks: the texts of single looks with their confidence."""

    plate: str
    text: str | None
    colour: str
    wrong_ppm: int
    positions: tuple[tuple[tuple[str, int], ...], ...]
    looks: tuple[tuple[str, float], ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether the text is the plate."""
        return self.text == self.plate


# (place, what was doubtful there, chance of error of the whole sighting in ppm)
Errors = tuple[tuple[int, Doubt, int], ...]
# (what was doubtful, chance of error of the whole sighting in ppm, how often that sighting comes)
Pool = list[tuple[Doubt, int, float]]


@dataclass(slots=True)
class Drawing:
    """Draws sightings. random: where all chance comes from."""

    misreads: Misreads
    random: Random
    _wrong: Pool = field(init=False)
    _any: Pool = field(init=False)
    _dim: Pool = field(init=False)
    _pools: dict[tuple[FieldKind, bool], tuple[Pool, list[float]]] = field(default_factory=dict)
    _tables: dict[tuple[str, str], tuple[str, list[float]]] = field(default_factory=dict)
    _slip: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sightings = self.misreads.sightings
        weights = sighting_weights(sightings, [True] * len(sightings))
        doubts = [
            (doubt, one.wrong_ppm, weight)
            for one, weight in zip(sightings, weights, strict=True)
            for doubt in one.positions
            if doubt is not None and doubt.choices
        ]
        self._any = doubts
        self._wrong = [one for one in doubts if not one[0].is_right]
        by_top = sorted(doubts, key=lambda one: one[0].choices[0][1])
        self._dim = by_top[: max(1, len(by_top) // 2)]
        self._slip = self._slips()

    def measured(
        self,
        plate: str,
        colour: str,
        sighting: Measured,
        places: Sequence[tuple[int, Doubt]],
        errors: Errors | None = None,
    ) -> Seen:
        """A measured sighting put onto this plate, with the errors of the field that are on it.

        places: where its doubts stand.
        """
        doubts: list[Doubt | None] = [None] * len(plate)
        for place, doubt in places:
            doubts[place] = doubt
        wrong_ppm = sighting.wrong_ppm
        for place, doubt, seen_wrong_ppm in errors or ():
            doubts[place] = doubt
            wrong_ppm = max(wrong_ppm, seen_wrong_ppm)
        return self._seen(plate, self._colour(colour, sighting), doubts, wrong_ppm, sighting.looks)

    def unread(self, plate: str, colour: str) -> Seen:
        """A car of which no plate is read."""
        return Seen(plate, None, colour, MILLION, ())

    def errors(self, kind: FieldKind, plate: str) -> Errors:
        """An error of the field on a plate, the same for all who look; as sure as measured errors are.

        How sure is drawn from measured doubts of the same kind of character.
        """
        found = []
        for place in self._field_places(kind, len(plate)):
            pool, weights = self._pool(kind, is_province=place == 0)
            doubt, wrong_ppm, _ = self.random.choices(pool, cum_weights=weights)[0]
            found.append((place, Doubt(plate[place], self.choices_for(plate, place, doubt)), wrong_ppm))
        return tuple(found)

    def _field_places(self, kind: FieldKind, length: int) -> Sequence[int]:
        chance = self.random
        match kind:
            case "province swap":
                return (0,)
            case "one character":
                return (chance.randrange(1, length),)
            case "plate frame":
                # A frame hides the feet of neighbours, oftenest at the ends.
                first = chance.choice((0, length - FRAMED_POSITIONS))
                return range(first, first + FRAMED_POSITIONS)
            case "dirt":
                return chance.sample(range(length), chance.randint(1, DIRTY_POSITIONS))

    def _pool(self, kind: FieldKind, *, is_province: bool) -> tuple[Pool, list[float]]:
        """The measured doubts that such an error may look like; all where none is of its kind.

        Those of hard passes come as seldom as hard passes do: with them the running sum of weights.
        """
        if (kind, is_province) not in self._pools:
            pool = {"plate frame": self._any, "dirt": self._dim}.get(kind, self._wrong)
            of_kind = [one for one in pool if (one[0].true in PROVINCES) is is_province]
            found = of_kind or pool or self._any
            self._pools[kind, is_province] = found, list(itertools.accumulate(one[2] for one in found))
        return self._pools[kind, is_province]

    def _seen(
        self, plate: str, colour: str, doubts: Sequence[Doubt | None], wrong_ppm: int, looks: int
    ) -> Seen:
        """colour: as it is seen."""
        choices = [
            None if doubt is None else self.choices_for(plate, place, doubt)
            for place, doubt in enumerate(doubts)
        ]
        listed_ppm = [listed[0][1] for listed in choices if listed is not None]
        right = math.prod(ppm / MILLION for ppm in listed_ppm)
        # No measured sighting was surer than its characters are together.
        wrong_ppm = max(wrong_ppm, MILLION - int(MILLION * right))
        sure = self._sure_ppm(right, len(choices) - len(listed_ppm), wrong_ppm)
        positions = tuple(
            ((own, sure),) if listed is None else listed for own, listed in zip(plate, choices, strict=True)
        )
        return Seen(
            plate=plate,
            text="".join(position[0][0] for position in positions),
            colour=colour,
            wrong_ppm=wrong_ppm,
            positions=positions,
            looks=tuple(self._look(plate, choices, sure) for _ in range(looks)),
        )

    def choices_for(self, plate: str, place: int, doubt: Doubt) -> tuple[tuple[str, int], ...]:
        """What is listed at a place of this plate where this doubt was measured."""
        own = plate[place]
        if own == doubt.true:
            return doubt.choices
        used = {own}
        listed = []
        for character, ppm in doubt.choices:
            if character == doubt.true:
                listed.append((own, ppm))
                continue
            other = self.misread(own, plate, place, used)
            if other is not None:
                used.add(other)
                listed.append((other, ppm))
        return tuple(listed) or ((own, LEAST_SURE),)

    def misread(self, own: str, plate: str, place: int, used: set[str]) -> str | None:
        """What this character is taken for here, as often as was measured; None where all are used."""
        allowed = allowed_at(plate, place)
        characters, ends = self._table(own, allowed)
        for _ in range(4):
            found = characters[bisect.bisect(ends, self.random.random() * ends[-1])]
            if found not in used:
                return found
        left = [c for c in characters if c not in used]
        return self.random.choice(left) if left else None

    def _table(self, own: str, allowed: str) -> tuple[str, list[float]]:
        """Other characters with the running sum of their counts; every one allowed where none was seen."""
        key = (own, allowed)
        if key not in self._tables:
            row = self.misreads.confusion.get(own, {})
            counts = {c: row.get(c, 0) for c in allowed if c != own and row.get(c, 0) > 0}
            counts = counts or {c: 1 for c in allowed if c != own}
            self._tables[key] = ("".join(counts), list(itertools.accumulate(map(float, counts.values()))))
        return self._tables[key]

    @staticmethod
    def _sure_ppm(right: float, sure: int, wrong_ppm: int) -> int:
        """What each of the `sure` positions says, so that all together come near what the sighting says.

        right: how likely the best characters of the others are, together.
        """
        if not sure:
            return MOST_SURE
        whole = (MILLION - wrong_ppm) / MILLION / max(right, 1e-6)
        each: float = max(whole, 1e-6) ** (1 / sure)
        return min(MOST_SURE, max(LEAST_SURE, round(each * MILLION)))

    def _colour(self, colour: str, sighting: Measured) -> str:
        """The ground as it is seen: right where it was, and else what was measured, or any other.

        Of plates that no car of the city has nothing is taken over.
        """
        if not sighting.is_off_colour or sighting.true_colour not in GROUNDS:
            return colour
        if sighting.true_colour == colour:
            return sighting.colour
        return self.random.choice([other for other in GROUNDS if other != colour])

    # Single looks ------------------------------------------------------------------------------------------

    def _slips(self) -> dict[str, float]:
        """How often a single look errs on a character whose whole sighting is sure.

        Errors of single looks at doubtful positions are drawn from what the position lists; what the measured
        confusion has beyond those is left for the sure ones.
        """
        places = sum(len(one.positions) for one in self.misreads.sightings)
        doubtful = sum(1 - _chance_of(doubt) for doubt, *_ in self._any)
        errors = {}
        for true, row in self.misreads.confusion.items():
            count = sum(row.values())
            errors[true] = 1 - row.get(true, 0) / count if count else 0.0
        mean = sum(errors.values()) / max(len(errors), 1)
        scale = max(0.0, 1 - doubtful / max(places, 1) / mean) if mean > 0 else 0.0
        return {true: error * scale for true, error in errors.items()}

    def _look(
        self, plate: str, choices: Sequence[tuple[tuple[str, int], ...] | None], sure: int
    ) -> tuple[str, float]:
        chance = self.random
        confidence = 1.0
        text = []
        for place, (own, listed) in enumerate(zip(plate, choices, strict=True)):
            character, ppm = own, sure
            if listed is not None:
                character, ppm = self._drawn(listed)
            elif chance.random() < self._slip.get(own, 0.0):
                character = self.misread(own, plate, place, {own}) or own
                ppm = (
                    chance.choice(self._wrong)[0].choices[0][1]
                    if self._wrong
                    else chance.randint(*UNMEASURED_WRONG)
                )
            text.append(character)
            confidence *= ppm / MILLION
        return "".join(text), confidence

    def _drawn(self, listed: tuple[tuple[str, int], ...]) -> tuple[str, int]:
        """One of the listed characters, as likely as it is said to be."""
        left = self.random.random() * sum(ppm for _, ppm in listed)
        for character, ppm in listed:
            left -= ppm
            if left <= 0:
                return character, ppm
        return listed[0]


def _chance_of(doubt: Doubt) -> float:
    """How likely the listed characters make the true one."""
    total = sum(ppm for _, ppm in doubt.choices)
    return dict(doubt.choices).get(doubt.true, 0) / total if total else 0.0


def allowed_at(plate: str, place: int) -> str:
    """Characters that may stand there on a plate of this length: the readers know the grammar."""
    if len(plate) == len(PLACES) and place >= len(PLACES) - 4 and plate[2] not in DIGITS:
        return DIGITS
    return PLACES[place]
