"""The statistical city: a million customers, the real decision, and how often the wrong one would pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from random import Random
from typing import Any, Final

import numpy as np

from api.simulation.baselines import EXACT, NAMES, Baselines, Debit, at_share, per_100k
from api.simulation.drawing import FIELD_MIX, Drawing, Errors, Seen
from api.simulation.fitting import Fitting
from api.simulation.intervals import rate_interval
from api.simulation.issue import HOMES
from api.simulation.judge import Judge
from api.simulation.misreads import HARD_SHARE, Misreads
from api.simulation.strata import CLASSES, Looks, Stratum, looks_of, seen_alike, strata_of
from api.simulation.tally import Stay, Tally, not_automatic, wrong_because
from api.simulation.traffic import Car, Traffic
from vision import posterior
from wallet.rules import Rules

BATCH: Final = 1_000
# The bar: wrong debits a hundred thousand visits, automatic share, and how many times fewer than exact match.
MOST_WRONG, LEAST_AUTOMATIC, TIMES_FEWER = 1.0, 0.95, 10.0

Progress = Callable[[str, int, int], None]
# Of one city: what became of each kind of stay, and what each baseline would debit.
Played = tuple[dict[str, Tally], dict[str, list[Debit]]]


@dataclass(slots=True)
class City:
    """One of several cities with its traffic. Everything comes from the seed and the city's number.

    customers: of each city; homes: the prefix of each; number: which of them this is.
    """

    customers: int
    misreads: Misreads
    seed: int
    rules: Rules = field(default_factory=Rules)
    tell: Callable[[str], None] = lambda _: None
    homes: Sequence[str] = HOMES[:1]
    number: int = 0
    traffic: Traffic = field(init=False)
    judge: Judge = field(init=False)
    drawing: Drawing = field(init=False)
    fitting: Fitting = field(init=False)

    def __post_init__(self) -> None:
        self.fitting = Fitting(self.misreads)
        self.drawing = Drawing(self.misreads, Random(f"{self.seed}/drawing/{self.number}"))  # noqa: S311
        rng = np.random.default_rng([self.seed, 1, self.number])
        self.traffic = Traffic(self.customers, rng, self.tell, self.homes[self.number])
        self.judge = Judge(self.traffic.register, self.rules)

    def run(self, visits: int, progress: Progress = lambda *_: None, workers: int = 1) -> dict[str, Any]:
        """Draws so many stays, as many in each city, decides each, and says what it comes to.

        workers: so many processes play the cities; what comes of it does not depend on them.
        """
        strata = self._strata(visits)
        total = sum(self._here(stratum) for stratum in strata) * len(self.homes)
        tallies = {stratum.name: Tally() for stratum in strata}
        debits: dict[str, list[Debit]] = {name: [] for name in NAMES}
        for tallied, debited in self._played(visits, lambda done: progress("visits", done, total), workers):
            for name, tally in tallied.items():
                tallies[name].join(tally)
            for name, made in debited.items():
                debits[name] += made
        return self._result(strata, tallies, debits)

    def _played(self, visits: int, progress: Callable[[int], None], workers: int) -> Iterator[Played]:
        """What each city came to, in their order. progress: is told how many stays are done."""
        numbers = range(len(self.homes))
        if workers > 1:
            built = partial(City, self.customers, self.misreads, self.seed, self.rules, homes=self.homes)
            with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
                for number, played in enumerate(pool.map(partial(_played_by, built, visits), numbers), 1):
                    progress(number * _drawn(played))
                    yield played
            return
        done = 0
        for number in numbers:
            city = self if number == self.number else replace(self, number=number)
            for played in city.play(visits):
                progress(done + _drawn(played))
            done += _drawn(played)
            yield played

    def play(self, visits: int) -> Iterator[Played]:
        """What became of this city's part of so many stays, again and again until all are counted in."""
        entry, pump = looks_of(self.misreads, at_pump=False), looks_of(self.misreads, at_pump=True)
        strata = self._strata(visits)
        tallies = {stratum.name: Tally() for stratum in strata}
        baselines = Baselines(self.traffic.register)
        for stratum in strata:
            each = self._here(stratum)
            for start in range(0, each, BATCH):
                cars = self.traffic.cars(min(BATCH, each - start))
                drawn = [self._stay(stratum, car, entry, pump) for car in cars]
                self._decide_all(drawn, tallies[stratum.name], baselines)
                yield tallies, baselines.debits

    def _strata(self, visits: int) -> list[Stratum]:
        return strata_of(looks_of(self.misreads, at_pump=True), visits, len(self.homes))

    def _here(self, stratum: Stratum) -> int:
        """How many of its stays are drawn in each city."""
        return stratum.drawn // len(self.homes)

    def _decide_all(self, stays: Sequence[Stay], tally: Tally, baselines: Baselines) -> None:
        self.traffic.register.look_up([text for stay in stays for text in self._texts(stay, baselines)])
        for stay in stays:
            self._decide(stay, tally, baselines)

    def _stay(self, stratum: Stratum, car: Car, entry: Looks, pump: Looks) -> Stay:
        """What both cameras see of a car; an error of the field is on its plate for both.

        So is what the pump's camera sees badly, as often as was measured.
        """
        chance, fitting = self.drawing.random, self.fitting
        odds = fitting.odds(car.plate)
        at_pump, at_entry = pump.at(fitting.doubtful, odds), entry.at(fitting.doubtful, odds)
        number = at_pump.draw(stratum.classes, chance)
        errors = None if stratum.kind is None else self.drawing.errors(stratum.kind, car.plate)
        measured = None if number is None else self.misreads.sightings[number]
        seen = before = self._seen(car, number, errors)
        if chance.random() >= seen_alike(measured, self.misreads.alike):
            before = self._seen(car, at_entry.draw(CLASSES, chance), errors)
        return Stay(
            car=car,
            weight=stratum.weight(at_pump),
            number=number,
            measured=measured,
            error=stratum.kind,
            looks=(before, seen),
        )

    def _seen(self, car: Car, number: int | None, errors: Errors | None) -> Seen:
        if number is None:
            return self.drawing.unread(car.plate, car.colour)
        places = self.fitting.places(car.plate, number, self.drawing.random)
        return self.drawing.measured(car.plate, car.colour, self.misreads.sightings[number], places, errors)

    @staticmethod
    def _texts(stay: Stay, baselines: Baselines) -> list[str]:
        texts = [seen.text for seen in stay.looks if seen.text is not None]
        return [*texts, *baselines.texts(stay.looks[-1])]

    def _decide(self, stay: Stay, tally: Tally, baselines: Baselines) -> None:
        car, at_pump = stay.car, stay.at_pump
        self.judge.traffic = self._counted(car.station)
        decisions = self.judge.stay(stay.looks, car.station)
        tally.add(stay, decisions, is_registered=at_pump.text in self.traffic.register)
        baselines.watch(at_pump, stay.weight, is_customer=car.is_customer)

    def _counted(self, station: int) -> posterior.Traffic:
        if station not in self._of_station:
            self._of_station[station] = self.traffic.counted(station)
        return self._of_station[station]

    _of_station: dict[int, posterior.Traffic] = field(init=False, default_factory=dict)

    def _result(
        self, strata: list[Stratum], tallies: dict[str, Tally], debits: dict[str, list[Debit]]
    ) -> dict[str, Any]:
        total = Tally()
        for tally in tallies.values():
            total.join(tally)
        customers, automatic = total.customers, total.automatic
        can_go_wrong = [tally.heaviest for tally in tallies.values() if tally.wrong]
        riskiest = max(can_go_wrong, default=_riskiest(strata, tallies))
        estimate, low, high = rate_interval(total.wrong.items(), riskiest)
        ours = {
            "wrong_per_100k": per_100k(estimate, customers),
            "low": per_100k(low, customers),
            "high": per_100k(high, customers),
            "wrong_drawn": sum(total.wrong.values()),
            "automatic": round(automatic / customers, 5),
            "review_fen_a_visit": round(total.reviews * self.rules.review_cost_fen / customers, 3),
            "double_debits": 0,
        }
        return {
            "seed": self.seed,
            "cities": list(self.homes),
            "customers": len(self.traffic.register),
            "stations": self.traffic.stations,
            "drawn": total.drawn,
            "customers_share": round(customers, 4),
            "hard_share": HARD_SHARE,
            "field_mix": dict(FIELD_MIX),
            "misreads": {"made_with": self.misreads.made_with, "sightings": len(self.misreads.sightings)},
            "ours": ours,
            "parts": {name: _part(tally, customers) for name, tally in tallies.items()},
            "measurement": _measurement(self.misreads, self.fitting, total),
            "wrong_because": wrong_because(total),
            "not_automatic": not_automatic(total),
            "baselines": {
                name: at_share(made, automatic, customers, total.heaviest) for name, made in debits.items()
            },
        }


def _played_by(built: Callable[..., City], visits: int, number: int) -> Played:
    """In a process of its own: the city of this number, which tells nothing of its progress."""
    *_, played = built(number=number).play(visits)
    return played


def _drawn(played: Played) -> int:
    """How many stays of a city are done."""
    return sum(tally.drawn for tally in played[0].values())


def _riskiest(strata: list[Stratum], tallies: dict[str, Tally]) -> float:
    """The weight of a drawn visit whose text is wrong: only such can debit the wrong one."""
    can = [s.name for s in strata if "wrong" in s.name or s.kind is not None]
    return max((tallies[name].heaviest for name in can), default=0.0)


def _part(tally: Tally, customers: float) -> dict[str, Any]:
    wrong = sum(weight * count for weight, count in tally.wrong.items())
    return {
        "share": round(tally.visits, 6),
        "drawn": tally.drawn,
        "automatic": round(tally.automatic / tally.customers, 5) if tally.customers else 0.0,
        "wrong_drawn": sum(tally.wrong.values()),
        "wrong_per_100k": per_100k(wrong, customers),
        "wrong_of": dict(tally.wrong_of),
    }


def _measurement(misreads: Misreads, fitting: Fitting, total: Tally) -> dict[str, Any]:
    """What the number of measured sightings leaves open: the reader may err surely more seldom than was seen.

    Each measured sighting stands for a share of all passes. Of how many are sure and wrong the sample says no
    more than its 95 % bound; such a sighting debits somebody as often as a wrong text is registered.
    """
    measured = sum(not one.hard for one in misreads.sightings)
    guilty = total.wrong_by
    hits = total.misread_as_registered / total.misread if total.misread else 0.0
    _, _, high = rate_interval([(1.0, len(guilty))], 1.0)
    return {
        "sightings": len(misreads.sightings),
        "wrong": sum(not one.is_right for one in misreads.sightings),
        "wrong_that_debited": len(guilty),
        "worst_alone_per_100k": per_100k(max(guilty.values(), default=0.0), total.customers),
        "borrowed_positions": [round(weight, 1) for weight in fitting.borrowed],
        "misread_hits_a_customer": round(hits, 4),
        "bound_per_100k": per_100k(high / max(measured, 1) * hits, total.customers),
    }


def missed_bars(result: dict[str, Any]) -> list[str]:
    """What does not hold, one line each."""
    ours, exact = result["ours"], result["baselines"][EXACT]
    missed = []
    if ours["wrong_per_100k"] > MOST_WRONG:
        missed.append(
            f"city: {ours['wrong_per_100k']:.2f} wrong-customer debits a 100,000 visits; "
            f"the bar is {MOST_WRONG:g}"
        )
    if ours["automatic"] < LEAST_AUTOMATIC:
        missed.append(f"city: {ours['automatic']:.1%} automatic; the bar is {LEAST_AUTOMATIC:.0%}")
    if times_fewer(result) < TIMES_FEWER:
        missed.append(
            f"city: {exact['wrong_per_100k']:.2f} wrong debits a 100,000 visits by exact match are "
            f"{times_fewer(result):.1f} times ours; the bar is {TIMES_FEWER:g}"
        )
    return missed


def times_fewer(result: dict[str, Any], *, of_its_colour: bool = False) -> float:
    """How many times fewer wrong debits than exact match; where ours are none, their upper bound stands in.

    of_its_colour: had exact match never taken a plate for one of the same text in another colour.
    """
    own = result["ours"]["wrong_per_100k"] or result["ours"]["high"]
    exact = result["baselines"][EXACT]
    wrong = exact["wrong_per_100k"] - (exact["of_another_colour_per_100k"] if of_its_colour else 0.0)
    return float(wrong / own) if own else float("inf")
