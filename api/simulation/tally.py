"""What became of the drawn visits, and where the bad ends of them come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from api.simulation.baselines import per_100k
from api.simulation.drawing import FieldKind, Seen
from api.simulation.misreads import Measured
from api.simulation.traffic import Car
from wallet.decide import Decision

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Stay:
    """A car and what both cameras see of it. weight: the share of all visits that it stands for.

    number, measured: the sighting at the pump; None where nothing was read. error: of the field, if any.
    """

    car: Car
    weight: float
    number: int | None
    measured: Measured | None
    error: FieldKind | None
    looks: tuple[Seen, Seen]

    @property
    def at_pump(self) -> Seen:
        """What decides who pays."""
        return self.looks[-1]


@dataclass(slots=True)
class Tally:
    """Visits of one kind. Weights are shares of all visits; wrong: how many visits of each weight."""

    visits: float = 0.0
    customers: float = 0.0
    automatic: float = 0.0
    reviews: float = 0.0
    drawn: int = 0
    heaviest: float = 0.0
    wrong: Counter[float] = field(default_factory=Counter)
    wrong_of: Counter[str] = field(default_factory=Counter)
    wrong_because: dict[str, list[float]] = field(default_factory=dict)
    wrong_by: dict[int, float] = field(default_factory=dict)
    reasons: dict[tuple[str, str], float] = field(default_factory=dict)
    misread: float = 0.0
    misread_as_registered: float = 0.0

    def add(self, stay: Stay, decisions: Sequence[Decision], *, is_registered: bool) -> None:
        """Counts a stay. decisions: at the entry, then at the pump. is_registered: the text at the pump.

        What the pump's camera leads to pays: nobody stands at a pump of whom only the entry has heard.
        """
        at_pump, car, weight = decisions[-1], stay.car, stay.weight
        self.drawn += 1
        self.heaviest = max(self.heaviest, weight)
        self.visits += weight
        self.customers += weight * car.is_customer
        is_auto = at_pump.outcome == "auto"
        self.automatic += weight * (is_auto and car.is_customer)
        self.reviews += weight * sum(decision.outcome == "review" for decision in decisions)
        if not is_auto and car.is_customer:
            # The first reason alone, so that all of them add up.
            _add(self.reasons, (seen_as(stay), at_pump.reasons[0].code), weight)
        if stay.error is None and stay.measured is not None and not stay.at_pump.is_right:
            self.misread += weight
            self.misread_as_registered += weight * is_registered
        plate = at_pump.vehicle.plate if at_pump.vehicle is not None else None
        if is_auto and not (car.is_customer and plate == car.plate):
            self._is_wrong(stay)

    def join(self, other: Tally) -> None:
        """Counts all stays of another tally in."""
        for name in (
            "visits",
            "customers",
            "automatic",
            "reviews",
            "drawn",
            "misread",
            "misread_as_registered",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.heaviest = max(self.heaviest, other.heaviest)
        self.wrong += other.wrong
        self.wrong_of += other.wrong_of
        for cause, weights in other.wrong_because.items():
            self.wrong_because.setdefault(cause, []).extend(weights)
        for number, weight in other.wrong_by.items():
            _add(self.wrong_by, number, weight)
        for reason, weight in other.reasons.items():
            _add(self.reasons, reason, weight)

    def _is_wrong(self, stay: Stay) -> None:
        self.wrong[stay.weight] += 1
        self.wrong_of["another customer" if stay.car.is_customer else "stranger"] += 1
        self.wrong_because.setdefault(blamed(stay), []).append(stay.weight)
        if stay.number is not None and stay.error is None:
            _add(self.wrong_by, stay.number, stay.weight)


def _add(sums: dict[Key, float], key: Key, weight: float) -> None:
    sums[key] = sums.get(key, 0.0) + weight


def seen_as(stay: Stay) -> str:
    """How the pump's camera saw the car."""
    if stay.error is not None:
        return f"field: {stay.error}"
    if stay.measured is None:
        return "nothing read"
    shape = "clean" if not any(stay.measured.positions) else "doubtful"
    if not stay.measured.is_right:
        shape = "wrong"
    elif stay.measured.is_off_colour:
        shape = "off colour"
    return f"{shape}, hard pass" if stay.measured.hard else shape


def blamed(stay: Stay) -> str:
    """What a wrong debit comes from: the error of the field, or the measured one, with what was read as what.

    A measured error is "borrowed" where another character than the one it was measured on was hit.
    """
    seen = stay.at_pump
    pairs = [(own, read) for own, read in zip(seen.plate, seen.text or "", strict=False) if own != read]
    what = ", ".join(f"{own} read as {read}" for own, read in pairs)
    if not pairs or stay.measured is None:
        return "read right" if seen.colour == stay.car.colour else f"{stay.car.colour} seen as {seen.colour}"
    if stay.error is not None:
        return f"field: {stay.error}"
    measured = {doubt.true for doubt in stay.measured.positions if doubt is not None}
    return f"{what} ({'measured' if all(own in measured for own, _ in pairs) else 'borrowed'})"


def wrong_because(total: Tally) -> list[dict[str, Any]]:
    """Where wrong debits come from, the worst first."""
    ranked = sorted(total.wrong_because.items(), key=lambda pair: -sum(pair[1]))
    return [
        {"from": cause, "drawn": len(weights), "wrong_per_100k": per_100k(sum(weights), total.customers)}
        for cause, weights in ranked
    ]


def not_automatic(total: Tally) -> list[dict[str, Any]]:
    """Where customers' visits that a person had to look at come from, the most first."""
    ranked = sorted(total.reasons.items(), key=lambda pair: -pair[1])
    return [
        {"seen": seen, "reason": reason, "share": round(weight / total.customers, 6)}
        for (seen, reason), weight in ranked
    ]
