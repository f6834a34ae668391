"""The plates of a country as they are issued: series filled one after the other, fleets, vanity runs.

A car has a number; its text is computed when it is needed, so that tens of millions of cars cost nothing.
Where each figure comes from is told in `docs/simulation.md`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from vision.plates import LETTERS, PROVINCES

Numbers = npt.NDArray[np.int64]

# The cities that are played one after the other, in ten provinces with many cars: their characters are not
# read equally well, and of each only some dozens of sightings were measured.
HOMES: Final = ("粤B", "鲁A", "苏A", "浙A", "豫A", "冀A", "川A", "皖A", "湘A", "鄂A")
# Where the customers' cars are issued, and how many of the cars of each place are customers'.
HOME_SHARE, PROVINCE_SHARE = 0.70, 0.15
HOME_CUSTOMERS, PROVINCE_CUSTOMERS, FAR_CUSTOMERS = 0.175, 0.05, 0.01
GREEN_SHARE, YELLOW_SHARE = 0.18, 0.03
# Of an office's cars that were ever issued a number, so many are on the road.
ON_THE_ROAD: Final = 0.92
FLEET_SHARE, FLEET_CARS = 0.05, (20, 300)
VANITY_SHARE: Final = 0.02
FAR_OFFICES: Final = "ABCDEF"
LONGEST: Final = 8
# Numbers that people choose: repeated digits and sounds that bring luck.
LUCKY: Final = ("888", "666", "999", "168", "518", "688", "886", "111", "333", "555", "777", "000", "520")
# One letter may stand at any place of a serial, two at any two.
_LETTER_PLACES: Final = ((), *((i,) for i in (0, 1, 2, 3, 4)), *itertools.combinations(range(5), 2))


@dataclass(frozen=True, slots=True)
class Series:
    """The first `issued` consecutive numbers under one template, in which `#` stands for a digit."""

    template: str
    colour: str
    issued: int


@dataclass(frozen=True, slots=True)
class Office:
    """One issuing office with as many cars, `customers_share` of them customers'."""

    prefix: str
    cars: int
    customers_share: float


def blue_series(prefix: str, colour: str = "blue") -> Iterator[Series]:
    """The series of an office in the order they are opened; 7,060,000 plates in all."""
    for places in _LETTER_PLACES:
        for letters in itertools.product(LETTERS, repeat=len(places)):
            serial = ["#"] * 5
            for place, letter in zip(places, letters, strict=True):
                serial[place] = letter
            template = prefix + "".join(serial)
            yield Series(template, colour, 10 ** template.count("#"))


def green_series(prefix: str) -> Iterator[Series]:
    """The series of small cars of new energy in the order they are opened."""
    for kind in "DFAGBEHCJK":
        for second in "#" + LETTERS:
            template = f"{prefix}{kind}{second}####"
            yield Series(template, "green", 10 ** template.count("#"))


def filled(series: Iterator[Series], cars: int) -> Iterator[Series]:
    """The series that so many numbers have opened."""
    while cars > 0:
        one = next(series, None)
        if one is None:
            return
        yield replace(one, issued=min(one.issued, cars))
        cars -= one.issued


def offices(customers: int, home_prefix: str) -> list[Office]:
    """Where the cars of so many customers are issued: most in one city, some in every province."""
    home = round(customers * HOME_SHARE)
    near = round(customers * PROVINCE_SHARE)
    far = customers - home - near
    found = [Office(home_prefix, round(home / HOME_CUSTOMERS), HOME_CUSTOMERS)]
    neighbours = [home_prefix[0] + letter for letter in LETTERS[:20] if letter != home_prefix[1]]
    far_prefixes = [
        province + letter for province in PROVINCES if province != home_prefix[0] for letter in FAR_OFFICES
    ]
    for prefixes, count, share in (
        (neighbours, near, PROVINCE_CUSTOMERS),
        (far_prefixes, far, FAR_CUSTOMERS),
    ):
        found += [Office(p, round(count / len(prefixes) / share) + 1, share) for p in prefixes]
    return found


class Issue:
    """All cars of the country that may come to a station. Numbers from 0; texts on demand."""

    def __init__(self, customers: int, home: str = HOMES[0]) -> None:
        series: list[Series] = []
        self.office_ends: list[tuple[Office, int]] = []
        total = 0
        for office in offices(customers, home):
            numbers = round(office.cars / ON_THE_ROAD)
            green, yellow = round(numbers * GREEN_SHARE), round(numbers * YELLOW_SHARE)
            for opened in (
                filled(blue_series(office.prefix), numbers - green - yellow),
                filled(green_series(office.prefix), green),
                filled(blue_series(office.prefix, "yellow"), yellow),
            ):
                for one in opened:
                    series.append(one)
                    total += one.issued
            self.office_ends.append((office, total))
        self.series = series
        self.cars = total
        self._issued = np.array([one.issued for one in series], np.int64)
        self._ends = np.cumsum(self._issued)
        self._codes, self._powers = _tables(series)
        self._colours = np.array([one.colour for one in series])

    def texts(self, cars: Numbers) -> tuple[list[str], list[str]]:
        """Text and colour of each car."""
        index = np.searchsorted(self._ends, cars, side="right")
        number = cars - (self._ends[index] - self._issued[index])
        codes, powers = self._codes[index].copy(), self._powers[index]
        for place in range(LONGEST):
            column = powers[:, place]
            digit = number // np.where(column < 0, 1, 10 ** np.maximum(column, 0)) % 10
            codes[:, place] = np.where(column < 0, codes[:, place], digit + ord("0"))
        texts = np.ascontiguousarray(codes.astype(np.uint32)).view(f"<U{LONGEST}")[:, 0]
        return texts.tolist(), self._colours[index].tolist()

    def customers(self, rng: Generator) -> Numbers:
        """The cars of customers: chosen by chance, and whole fleets of consecutive numbers."""
        chosen = []
        start = 0
        for office, end in self.office_ends:
            wanted = round(office.cars * office.customers_share)
            chosen.append(_customers_of(start, end, wanted, rng))
            start = end
        return np.unique(np.concatenate(chosen))


def _customers_of(start: int, end: int, wanted: int, rng: Generator) -> Numbers:
    in_fleets = round(wanted * FLEET_SHARE)
    fleets: list[Numbers] = []
    while in_fleets > FLEET_CARS[0]:
        size = min(int(rng.integers(*FLEET_CARS)), in_fleets)
        first = int(rng.integers(start, max(start + 1, end - size)))
        fleets.append(np.arange(first, first + size, dtype=np.int64))
        in_fleets -= size
    alone = np.unique(rng.integers(start, end, round((wanted - sum(map(len, fleets))) * 1.1)))
    kept = rng.permutation(alone)[: max(0, wanted - sum(map(len, fleets)))]
    return np.concatenate([*fleets, kept]) if fleets else kept


def _tables(series: Sequence[Series]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Code points of each series' template, and for each place the power of ten of its digit, or -1."""
    codes = np.zeros((len(series), LONGEST), np.int64)
    powers = np.full((len(series), LONGEST), -1, np.int64)
    for row, one in enumerate(series):
        power = one.template.count("#")
        for place, character in enumerate(one.template):
            if character == "#":
                power -= 1
                powers[row, place] = power
            else:
                codes[row, place] = ord(character)
    return codes, powers


def vanity_plates(count: int, rng: Generator, home: str) -> list[str]:
    """Texts that people chose: their letters with a number that brings luck, or a birthday."""
    plates = []
    for _ in range(count):
        letters = "".join(rng.choice(list(LETTERS), 2))
        if rng.random() < 0.5:
            serial = letters + str(rng.choice(LUCKY))
        else:
            serial = letters[0] + f"{int(rng.integers(1, 13)):02d}{int(rng.integers(1, 29)):02d}"
        plates.append(home + serial)
    return plates
