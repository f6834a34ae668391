"""Who comes to the stations: customers and strangers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from api.simulation.issue import VANITY_SHARE, Issue, vanity_plates
from api.simulation.register import Register

STATIONS: Final = 200
# Customers among the cars of a station: between stations a beta distribution of this mean and weight.
CUSTOMERS_SHARE, STATIONS_ALIKE = 0.35, 12.0
# Where strangers' cars are issued: the city, the rest of its province, anywhere.
STRANGERS_FROM: Final = (0.80, 0.12, 0.08)
# How unevenly customers visit: the shape of a gamma distribution.
VISITS_SHAPE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Car:
    """A car at a pump. station_ppm: the share of customers among the cars of its station."""

    plate: str
    colour: str
    is_customer: bool
    station_ppm: int


@dataclass(slots=True)
class Traffic:
    """The cars that come, drawn from `rng`. Customers' plates are registered."""

    customers: int
    rng: Generator
    tell: Callable[[str], None] = lambda _: None
    register: Register = field(init=False)
    _issue: Issue = field(init=False)
    _plates: list[str] = field(init=False)
    _visits: npt.NDArray[Any] = field(init=False)
    _stations: npt.NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        # A few texts are issued twice, in blue and in yellow; only one of them can be bound.
        self._issue = Issue(round(self.customers * 1.03))
        self.tell("customers' plates")
        texts, colours = self._issue.texts(self._issue.customers(self.rng))
        chosen = dict.fromkeys(vanity_plates(round(self.customers * VANITY_SHARE), self.rng), "blue")
        order = self.rng.permutation(len(texts))
        for index in order.tolist():
            if len(chosen) >= self.customers:
                break
            chosen.setdefault(texts[index], colours[index])
        self.tell("index of look-alikes")
        self.register = Register(chosen)
        self._plates = list(chosen)
        self._visits = np.cumsum(self.rng.gamma(VISITS_SHAPE, 1.0, len(self._plates)))
        self._stations = self.rng.beta(
            CUSTOMERS_SHARE * STATIONS_ALIKE, (1 - CUSTOMERS_SHARE) * STATIONS_ALIKE, STATIONS
        )

    def cars(self, count: int) -> list[Car]:
        """The next cars."""
        rng = self.rng
        shares = self._stations[rng.integers(0, STATIONS, count)]
        is_customer = rng.random(count) < shares
        drawn = np.searchsorted(self._visits, rng.random(count) * self._visits[-1])
        strangers = self._strangers(int((~is_customer).sum()))
        cars = []
        for place in range(count):
            ppm = round(float(shares[place]) * 1_000_000)
            if is_customer[place]:
                plate = self._plates[min(int(drawn[place]), len(self._plates) - 1)]
                cars.append(Car(plate, self.register.colours[plate], True, ppm))
            else:
                cars.append(Car(*strangers.pop(), False, ppm))
        return cars

    def _strangers(self, count: int) -> list[tuple[str, str]]:
        """Text and colour of cars that are nobody's we know."""
        ends = [end for _, end in self._issue.office_ends]
        near = next(
            index
            for index, (office, _) in enumerate(self._issue.office_ends)
            if office.customers_share == self._issue.office_ends[-1][0].customers_share
        )
        bounds = np.array([0, ends[0], ends[near - 1], ends[-1]])
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
