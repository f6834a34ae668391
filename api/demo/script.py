"""Who drives onto the forecourt of the demo, and how each car must end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cameras.forecourt import Script, ScriptedCar

STATION = "demo"
CAMERA = "forecourt"

End = Literal["captured", "no money", "review"]


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with an account: the plate is bound and the wallet recharged before the first car comes."""

    name: str
    plate: str
    colour: str
    recharge_fen: int


@dataclass(frozen=True, slots=True)
class Car:
    """One car of the demo: when it stands where, what it takes, and how it must end.

    arrives_s, leaves_s: seconds of the stream between which it stands at the pump.
    litres: what it would take if the pump lets it.
    smeared: positions of the plate half under mud, so that no honest reader is sure.
    """

    title: str
    plate: str
    colour: str
    pump: str
    arrives_s: float
    leaves_s: float
    grade: str
    litres: Decimal
    end: End
    reason: str | None = None
    smeared: tuple[int, ...] = ()


PRICES_FEN = {"92": 785, "95": 836, "98": 951}

CUSTOMERS = (
    Customer("陈师傅 Chen", "粤B8K562", "blue", 50_000),
    Customer("李女士 Li", "京AD12379", "green", 60_000),
    Customer("王先生 Wang", "沪C7N318", "blue", 40_000),
    Customer("赵小姐 Zhao", "苏E93T46", "blue", 2_000),
    Customer("孙老板 Sun", "浙A5H27K", "blue", 80_000),
)

# Pumps 1 and 2 are near, 3 and 4 in front of them in the same lanes.
CARS = (
    Car("plate too dirty to be sure", "浙A5H27K", "blue", "3", 2.0, 10.5, "95", Decimal("40.00"), "review",
        smeared=(3,)),
    Car("not a customer", "鲁Q4D635", "blue", "2", 3.0, 9.0, "92", Decimal("20.00"), "no money",
        "not_registered"),
    Car("registered car", "粤B8K562", "blue", "1", 3.5, 10.0, "92", Decimal("31.25"), "captured"),
    Car("nose to tail, in front", "京AD12379", "green", "4", 12.0, 18.5, "98", Decimal("18.40"), "captured"),
    Car("nose to tail, behind", "沪C7N318", "blue", "2", 12.8, 19.0, "95", Decimal("27.03"), "captured"),
    Car("too little balance", "苏E93T46", "blue", "3", 13.5, 19.5, "92", Decimal("25.00"), "no money",
        "insufficient_balance"),
    Car("the same car again", "粤B8K562", "blue", "1", 19.5, 25.5, "92", Decimal("12.00"), "captured"),
)  # fmt: skip


def film_script() -> Script:
    """What the simulated camera shows."""
    return Script(
        tuple(
            ScriptedCar(car.plate, car.colour, car.pump, car.arrives_s, car.leaves_s, smeared=car.smeared)
            for car in CARS
        )
    )


def amount_fen(car: Car) -> int:
    """Litres × price in whole fen, half a fen up, as the pump computes it."""
    return int((car.litres * PRICES_FEN[car.grade]).quantize(Decimal(1), rounding="ROUND_HALF_UP"))
