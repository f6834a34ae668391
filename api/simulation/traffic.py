"""Who comes to the stations: customers with their habits, and strangers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from api.simulation.issue import HOMES, VANITY_SHARE, Issue, vanity_plates
from api.simulation.register import Habit, Register
from vision import posterior

# One station for so many customers, as they visit: some 500 fills a day each.
CUSTOMERS_A_STATION: Final = 2_000
# Customers among the cars of a station: between stations a beta distribution of this mean and weight.
CUSTOMERS_SHARE, STATIONS_ALIKE = 0.35, 12.0
# Where strangers' cars are issued: the city, the rest of its province, anywhere.
STRANGERS_FROM: Final = (0.80, 0.12, 0.08)
# Visits of a customer in the time looked back over: a gamma distribution of this shape and mean.
VISITS_SHAPE, VISITS_MEAN = 2.0, 8.0
# How many visits go to the usual station, and how many customers have only just joined.
AT_HOME, NEW_CUSTOMERS = 0.75, 0.03
SAMPLE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Car:
    """A car at a pump of a station."""

    plate: str
    colour: str
    is_customer: bool
    station: int


@dataclass(slots=True)
class Traffic:
    """The cars that come, drawn from `rng`. Customers' plates are registered. home: where most are issued."""

    customers: int
    rng: Generator
    tell: Callable[[str], None] = lambda _: None
    home: str = HOMES[0]
    register: Register = field(init=False)
    stations: int = field(init=False)
    _issue: Issue = field(init=False)
    _plates: list[str] = field(init=False)
    _numbers: dict[str, int] = field(init=False)
    _shares: npt.NDArray[Any] = field(init=False)
    _ends: npt.NDArray[Any] = field(init=False)
    _rates: npt.NDArray[Any] = field(init=False)
    _home: npt.NDArray[Any] = field(init=False)
    _there: npt.NDArray[Any] = field(init=False)
    _elsewhere: npt.NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        # A few texts are issued twice, in blue and in yellow; only one of them can be bound.
        self._issue = Issue(round(self.customers * 1.03), self.home)
        self.stations = max(10, round(self.customers / CUSTOMERS_A_STATION))
        self.tell("customers' plates")
        colours = self._choose()
        self._give_habits(list(colours))
        self.tell("index of look-alikes")
        self.register = Register(colours, self.habit)

    def _choose(self) -> dict[str, str]:
        """The customers' plates with their colours, in no order."""
        texts, colours = self._issue.texts(self._issue.customers(self.rng))
        chosen = dict.fromkeys(
            vanity_plates(round(self.customers * VANITY_SHARE), self.rng, self.home), "blue"
        )
        for index in self.rng.permutation(len(texts)).tolist():
            if len(chosen) >= self.customers:
                break
            chosen.setdefault(texts[index], colours[index])
        return chosen

    def _give_habits(self, plates: list[str]) -> None:
        """A usual station and past visits for each; customers are kept in the order of their stations."""
        rng, count = self.rng, len(plates)
        self._shares = rng.beta(
            CUSTOMERS_SHARE * STATIONS_ALIKE, (1 - CUSTOMERS_SHARE) * STATIONS_ALIKE, self.stations
        )
        self._home = np.sort(rng.integers(0, self.stations, count))
        self._ends = np.searchsorted(self._home, np.arange(self.stations), side="right")
        self._plates = [plates[index] for index in rng.permutation(count).tolist()]
        self._numbers = {plate: number for number, plate in enumerate(self._plates)}
        rates = rng.gamma(VISITS_SHAPE, VISITS_MEAN / VISITS_SHAPE, count)
        visits = np.where(rng.random(count) < NEW_CUSTOMERS, 0, rng.poisson(rates))
        self._there = rng.binomial(visits, AT_HOME)
        self._elsewhere = visits - self._there
        self._rates = np.concatenate([[0.0], np.cumsum(rates)])

    def habit(self, plate: str) -> Habit:
        """Where a customer's car usually comes."""
        number = self._numbers[plate]
        return Habit(int(self._home[number]), int(self._there[number]), int(self._elsewhere[number]))

    def counted(self, station: int) -> posterior.Traffic:
        """What the service has counted at a station in the time it looks back over."""
        share = float(self._shares[station])
        cars = round(self.customers * VISITS_MEAN / self.stations / max(share, 0.01))
        return posterior.Traffic(
            cars=cars,
            customers=round(cars * share),
            prefixes={prefix: round(cars * part) for prefix, part in self._prefixes().items()},
            registered=len(self.register),
        )

    _of_all: dict[str, float] = field(default_factory=dict)

    def _prefixes(self) -> dict[str, float]:
        """The share of each province and office among all cars, from a sample."""
        if not self._of_all:
            counts = Counter(car.plate[:2] for car in self.cars(SAMPLE))
            self._of_all.update({prefix: count / SAMPLE for prefix, count in counts.items()})
        return self._of_all

    def cars(self, count: int) -> list[Car]:
        """The next cars."""
        rng = self.rng
        stations = rng.integers(0, self.stations, count)
        is_customer = rng.random(count) < self._shares[stations]
        customers = self._visitors(stations, rng.random(count) < AT_HOME)
        strangers = self._strangers(int((~is_customer).sum()))
        cars = []
        for place, station in enumerate(stations.tolist()):
            if is_customer[place]:
                plate = self._plates[customers[place]]
                cars.append(Car(plate, self.register.colours[plate], True, station))
            else:
                cars.append(Car(*strangers.pop(), False, station))
        return cars

    def _visitors(self, stations: npt.NDArray[Any], is_at_home: npt.NDArray[Any]) -> list[int]:
        """Numbers of customers who come to these stations, as often as each usually comes."""
        ends = self._ends[stations]
        starts = np.where(stations > 0, self._ends[stations - 1], 0)
        has_own = is_at_home & (ends > starts)
        low = np.where(has_own, self._rates[starts], 0.0)
        high = np.where(has_own, self._rates[ends], self._rates[-1])
        drawn = np.searchsorted(
            self._rates, low + self.rng.random(len(stations)) * (high - low), side="right"
        )
        found: list[int] = np.clip(drawn - 1, 0, len(self._plates) - 1).tolist()
        return found

    def _strangers(self, count: int) -> list[tuple[str, str]]:
        """Text and colour of cars that are nobody's we know."""
        offices = self._issue.office_ends
        far = offices[-1][0].customers_share
        near = next(index for index, (office, _) in enumerate(offices) if office.customers_share == far)
        bounds = np.array([0, offices[0][1], offices[near - 1][1], offices[-1][1]])
        found: list[tuple[str, str]] = []
        while len(found) < count:
            zones = self.rng.choice(3, size=count - len(found) + 8, p=STRANGERS_FROM)
            cars = bounds[zones] + (self.rng.random(len(zones)) * (bounds[zones + 1] - bounds[zones])).astype(
                np.int64
            )
            texts, colours = self._issue.texts(cars)
            found += [
                (text, colour)
                for text, colour in zip(texts, colours, strict=True)
                if self.register.colours.get(text) != colour
            ]
        return found[:count]
