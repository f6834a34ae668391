"""What will happen at the simulated stations: every message with its faults, from one seed.

A plan is a list of steps that do not depend on each other's answers, so that a failing one can be cut down to
the fewest steps that still fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final, Literal

DAY_S: Final = 86_400
STATIONS: Final = ("north", "south")
PUMPS: Final = ("1", "2")
CARS_A_DAY: Final = 45
PRICE_FEN: Final = 800
# Longer than any stay, re-entry or grace: what a car did before then no longer matters.
FORGOTTEN_S: Final = 10_800

# Account number and colour of each customer's plate. Some look alike, one account has two cars, one is poor.
CUSTOMERS: Final[dict[str, tuple[int, str]]] = {
    "粤B12345": (0, "blue"),
    "粤B54321": (0, "blue"),
    "粤B12346": (1, "blue"),
    "粤B8D808": (2, "blue"),
    "粤B80808": (3, "blue"),
    "粤BD31313": (4, "green"),
    "皖B12345": (5, "blue"),
    "粤BK7711": (6, "yellow"),
    "粤C40404": (7, "blue"),
    "粤B77F31": (8, "blue"),
}
POOR: Final = 7
# Plates without a registered neighbour: what is read of them surely is decided at once.
ALONE: Final = ("粤B54321", "粤BD31313", "粤BK7711", "粤B77F31")
# The one is taken for the other by anybody: D and 0.
TWINS: Final = ("粤B8D808", "粤B80808")
CHANGING_HANDS: Final = ("粤B12346", "粤B8D808")
STRANGERS: Final[tuple[tuple[str, str], ...]] = (
    ("粤B12348", "blue"),
    ("京A99999", "blue"),
    ("粤B77F37", "blue"),
    ("粤B12345", "yellow"),
    ("皖B12345", "yellow"),
    ("粤BD31313", "yellow"),
)

Reading = Literal["sure", "unsure", "near", "unreadable", "other colour", "misread"]
READINGS: Final[dict[Reading, float]] = {
    "sure": 0.86,
    "unsure": 0.05,
    "near": 0.04,
    "unreadable": 0.02,
    "other colour": 0.02,
    "misread": 0.01,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. at_s: seconds after the start. cut: power fails at that statement; 0: never.

    visit: number of the car's stay it belongs to, where it does.
    """

    at_s: int
    kind: str
    body: dict[str, Any]
    visit: int | None = None
    cut: int = 0

    def words(self) -> str:
        """One line for people."""
        told = ", ".join(f"{name}={value}" for name, value in self.body.items())
        return f"{self.at_s:>7} s  {self.kind:<10} {told}" + (
            f"  power cut at {self.cut}" if self.cut else ""
        )


@dataclass(slots=True)
class Stay:
    """What truly happened at a pump. calm: nothing disturbs it, so how it ends is known.

    is_customer: the car's plate, in its colour, is one of a customer.
    """

    number: int
    station: str
    pump: str
    plate: str
    colour: str
    arrives_s: int
    leaves_s: int
    sale_id: str | None
    amount_fen: int
    calm: bool
    misread: bool = False

    @property
    def is_customer(self) -> bool:
        """Whether the car is one that a customer registered."""
        return self.plate in CUSTOMERS and CUSTOMERS[self.plate][1] == self.colour


@dataclass(slots=True)
class Plan:
    """The steps in the order they happen, and the truth about each stay."""

    seed: int
    days: int
    steps: list[Step] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)


def make_plan(seed: int, days: int) -> Plan:
    """A plan for so many days."""
    chance = Random(f"forecourt/{seed}")  # noqa: S311
    plan = Plan(seed, days)
    _opening(plan)
    last_seen: dict[tuple[str, str], int] = {}
    disturbed = _clocks(plan, chance)
    for station in STATIONS:
        for pump in PUMPS:
            _pump_days(plan, chance, station, pump, last_seen, disturbed)
    _office(plan, chance)
    plan.steps.sort(key=lambda step: step.at_s)
    return plan


def _opening(plan: Plan) -> None:
    for plate, (account, colour) in CUSTOMERS.items():
        plan.steps.append(Step(0, "bind", {"plate": plate, "account": account, "colour": colour}))
    for account in sorted({account for account, _ in CUSTOMERS.values()}):
        amount = 7_000 if account == POOR else 500_000
        _recharge(plan, 0, account, amount, f"opening-{account}")


def _clocks(plan: Plan, chance: Random) -> list[tuple[int, int]]:
    """Times at which the service's clock is wrong."""
    spans = []
    for day in range(plan.days):
        if chance.random() < 0.3:
            start = day * DAY_S + chance.randrange(DAY_S)
            end = start + chance.randint(60, 3_600)
            by = chance.choice((-1, 1)) * chance.randint(30, 9_000)
            plan.steps += [Step(start, "clock", {"by_s": by}), Step(end, "clock", {"by_s": 0})]
            spans.append((start - abs(by) - 600, end + abs(by) + FORGOTTEN_S))
    return spans


def _pump_days(
    plan: Plan,
    chance: Random,
    station: str,
    pump: str,
    last_seen: dict[tuple[str, str], int],
    disturbed: Sequence[tuple[int, int]],
) -> None:
    now, before_left = chance.randint(100, 2_000), 0
    gap = DAY_S * len(STATIONS) * len(PUMPS) // (CARS_A_DAY * len(STATIONS))
    while now < plan.days * DAY_S:
        nose_to_tail = chance.random() < 0.08
        if nose_to_tail:
            # It waits behind the car that still fuels.
            now = max(now - gap // 2, before_left - chance.randint(5, 60))
        if chance.random() < 0.3:
            plate, colour = chance.choice(STRANGERS)
        else:
            plate = chance.choice(list(CUSTOMERS))
            colour = CUSTOMERS[plate][1]
        # The same car is not at two places: that is the business of the clone guard, tested apart.
        if now < last_seen.get((plate, colour), -FORGOTTEN_S) + FORGOTTEN_S:
            now += 300
            continue
        calm = (
            not nose_to_tail
            and (plate in ALONE)
            and chance.random() < 0.5
            and not any(start <= now <= end for start, end in disturbed)
        )
        stay = _stay(plan, chance, station, pump, (plate, colour), now, max(now, before_left), calm=calm)
        last_seen[(plate, colour)] = stay.leaves_s
        # Where the next one pulls up at once, how this one ends depends on messages that cross.
        before_left = stay.leaves_s
        now = stay.leaves_s + max(400, int(chance.expovariate(1 / gap)))


def _stay(
    plan: Plan,
    chance: Random,
    station: str,
    pump: str,
    car: tuple[str, str],
    arrives_s: int,
    at_pump_s: int,
    *,
    calm: bool,
) -> Stay:
    number = len(plan.stays)
    plate, colour = car
    fuels_s = max(arrives_s + 30, at_pump_s + 15) + chance.randint(0, 90)
    ended_s = fuels_s + chance.randint(40, 280)
    sold = 1.0 if calm else chance.random()
    amount = chance.randint(20, 480) * 100 if sold > 0.15 else 0
    stay = Stay(
        number,
        station,
        pump,
        plate,
        colour,
        arrives_s,
        ended_s + chance.randint(20, 200),
        f"{station}-{number}" if sold > 0.07 else None,
        amount,
        calm,
    )
    plan.stays.append(stay)
    last = _seen(plan, chance, stay)
    if stay.sale_id is not None:
        _sold(plan, chance, stay, fuels_s, ended_s)
    if calm or chance.random() > 0.12:
        late = 2 if calm or chance.random() < 0.85 else chance.randint(10, 900)
        body = {"sighting_id": last, "left_s": stay.leaves_s}
        _deliver(plan, chance, Step(stay.leaves_s + late, "departure", body, number), calm=calm)
    return stay


def _seen(plan: Plan, chance: Random, stay: Stay) -> str:
    """Sightings of a stay; gives the id of the last."""
    readings: list[tuple[str | None, int]] = []
    if chance.random() < 0.6:
        readings.append((None, 0))
    readings += [(stay.pump, 8)] * (2 if chance.random() < 0.4 else 1)
    last = ""
    for place, (pump, after_s) in enumerate(readings):
        kind: Reading = "sure"
        if not stay.calm:
            kind = chance.choices(list(READINGS), list(READINGS.values()))[0]
        stay.misread |= kind == "misread"
        first_s = stay.arrives_s + after_s + 6 * place
        late = 2 if stay.calm or chance.random() < 0.92 else chance.randint(5, 700)
        last = f"{stay.station}-{stay.number}-{place}"
        body = {
            "sighting_id": last,
            "station": stay.station,
            "pump": pump,
            "first_s": first_s,
            "plate": stay.plate,
            "colour": stay.colour,
            "reading": kind,
        }
        _deliver(plan, chance, Step(first_s + late, "sighting", body, stay.number), calm=stay.calm)
    return last


def _sold(plan: Plan, chance: Random, stay: Stay, fuels_s: int, ended_s: int) -> None:
    body = {
        "sale_id": stay.sale_id,
        "station": stay.station,
        "pump": stay.pump,
        "amount_fen": stay.amount_fen,
        "started_s": fuels_s,
        "ended_s": ended_s,
    }
    late = 2
    if not stay.calm:
        late = chance.choices((2, chance.randint(10, 250), chance.randint(250, 2_000)), (0.8, 0.13, 0.07))[0]
    _deliver(plan, chance, Step(ended_s + late, "sale", body, stay.number), calm=stay.calm)
    if not stay.calm and chance.random() < 0.03:
        other = {**body, "amount_fen": stay.amount_fen + 700}
        plan.steps.append(Step(ended_s + late + chance.randint(1, 4_000), "other sale", other, stay.number))


def _deliver(plan: Plan, chance: Random, step: Step, *, calm: bool) -> None:
    """The message once or more: its answer may be lost, the power may fail; then it comes again."""
    cut = chance.randint(1, 18) if not calm and chance.random() < 0.15 else 0
    plan.steps.append(replace(step, cut=cut))
    again = 1 if cut else 0
    if chance.random() < (0.1 if calm else 0.25):
        again += chance.randint(1, 3)
    at_s = step.at_s
    for _ in range(again):
        at_s += chance.choice((1, 5, 40, 600))
        plan.steps.append(replace(step, at_s=at_s))


def _recharge(plan: Plan, at_s: int, account: int, amount_fen: int, name: str) -> None:
    plan.steps.append(Step(at_s, "order", {"account": account, "amount_fen": amount_fen, "name": name}))
    plan.steps.append(Step(at_s, "paid", {"name": name, "txn": name, "amount_fen": amount_fen}))


def _office(plan: Plan, chance: Random) -> None:
    """What does not happen at a pump: sweeps, recharges, people, plates that change hands."""
    end = plan.days * DAY_S
    plan.steps += [Step(at_s, "sweep", {}) for at_s in range(300, end, 400)]
    for day in range(plan.days):
        for account in sorted({account for account, _ in CUSTOMERS.values()}):
            at_s = day * DAY_S + chance.randrange(DAY_S)
            amount = 6_000 if account == POOR else chance.randint(50, 150) * 1_000
            _paid_somehow(plan, chance, at_s, account, amount, f"order-{day}-{account}")
        for number in range(8):
            at_s = day * DAY_S + chance.randrange(DAY_S)
            kind = chance.choice(("refund", "reverse", "reverse", "void", "bonus", "adjust", "charge"))
            body = {"pick": chance.randrange(1 << 30), "key": f"{kind}-{day}-{number}"}
            step = Step(at_s, kind, body)
            cut = chance.randint(1, 18) if chance.random() < 0.5 else 0
            plan.steps.append(replace(step, cut=cut))
            plan.steps += [replace(step, at_s=at_s + after) for after in (1, 30) if chance.random() < 0.6]
            if chance.random() < 0.4:
                other = {**body, "key": f"{kind}-{day}-{number}-again"}
                plan.steps.append(replace(step, at_s=at_s + 60, body=other))
    for plate in CHANGING_HANDS:
        for day in range(plan.days):
            at_s = day * DAY_S + chance.randrange(1, DAY_S // 3)
            plan.steps.append(Step(at_s, "unbind", {"plate": plate}))
            account, colour = CUSTOMERS[plate]
            back = {"plate": plate, "account": chance.choice((account, 6)), "colour": colour}
            plan.steps.append(Step(at_s + chance.randint(DAY_S // 4, DAY_S // 2), "bind", back))


def _paid_somehow(plan: Plan, chance: Random, at_s: int, account: int, amount_fen: int, name: str) -> None:
    """An order whose callback is late, repeated, lost and asked for, of another amount, or paid twice."""
    plan.steps.append(Step(at_s, "order", {"account": account, "amount_fen": amount_fen, "name": name}))
    told = {"name": name, "txn": name, "amount_fen": amount_fen}
    if chance.random() < 0.1:
        told["amount_fen"] = amount_fen + chance.choice((-1, 1, 5_000))
    paid = Step(at_s + chance.choice((3, 60, 40_000)), "paid", told)
    _deliver(plan, chance, paid, calm=False)
    if chance.random() < 0.1:
        twice = {**told, "txn": f"{name}-twice"}
        plan.steps.append(Step(paid.at_s + chance.randint(1, 900), "paid", twice))
