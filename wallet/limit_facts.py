"""The frozen values of limits, stopped plates, and what stations charge. Money is fen, volume millilitres."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Fuel = Literal["petrol", "diesel"]
FUELS: tuple[Fuel, ...] = ("petrol", "diesel")
StopKind = Literal["frozen", "clone"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an owner allows a vehicle, or all vehicles of an account. None: nothing is said of it.

    grades: as pumps name them. opens_minute, closes_minute: minutes since midnight in `zone`; where the end
    is not after the beginning, the hours go over midnight. zone: also says when a day begins.
    tank_ml, fuel: what the vehicle takes, whatever its owner allows; of a vehicle only.
    """

    grades: tuple[str, ...] | None = None
    litres_per_fill_ml: int | None = None
    amount_per_fill_fen: int | None = None
    amount_per_day_fen: int | None = None
    fills_per_day: int | None = None
    stations: tuple[str, ...] | None = None
    opens_minute: int | None = None
    closes_minute: int | None = None
    zone: str = "Asia/Shanghai"
    tank_ml: int | None = None
    fuel: Fuel | None = None


@dataclass(frozen=True, slots=True)
class LimitsRow:
    """Limits as somebody set them: the number-th of this vehicle, or of the account (vehicle_id None)."""

    id: str
    number: int
    account_id: str
    vehicle_id: str | None
    limits: Limits
    actor: str
    recorded_at: datetime

    @property
    def subject(self) -> str:
        """Id of what is limited."""
        return self.vehicle_id or self.account_id


@dataclass(frozen=True, slots=True)
class Used:
    """What is taken or held of a day, and in how many fills."""

    amount_fen: int
    fills: int


@dataclass(frozen=True, slots=True)
class StationPrice:
    """A litre of a grade costs this at a station from `valid_from` until the next price."""

    id: str
    station: str
    grade: str
    unit_price_fen: int
    valid_from: datetime
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class StationTariff:
    """Every visit of a station is charged this on arrival, from `valid_from` until the next; 0 ends it."""

    id: str
    station: str
    what: str
    amount_fen: int
    valid_from: datetime
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where a station is, in millionths of a degree."""

    station: str
    latitude_udeg: int
    longitude_udeg: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A plate surely read at another station, from when to when, and where that is."""

    station: str
    first_seen_at: datetime
    last_seen_at: datetime
    place: Place


@dataclass(frozen=True, slots=True)
class Stop:
    """A plate moves no money by itself from `stopped_at` until a person has released it.

    kind: frozen by its owner or an operator, or taken for a clone. cause: what led to it.
    """

    id: str
    kind: StopKind
    cause: str
    plate: str
    vehicle_id: str
    account_id: str
    reason: str
    actor: str
    stopped_at: datetime
    released_at: datetime | None = None
    released_by: str | None = None
    release_reason: str | None = None


# Answers to commands ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LimitsSet:
    """New limits hold from now on, for stays that begin from now on."""

    limits_id: str
    number: int
    account_id: str
    vehicle_id: str | None


@dataclass(frozen=True, slots=True)
class PriceSet:
    """A price or tariff of a station was written down."""

    price_id: str
    station: str


@dataclass(frozen=True, slots=True)
class StationPlaced:
    """A station's place was written down."""

    station: str


@dataclass(frozen=True, slots=True)
class PlateStopped:
    """A plate moves no money by itself any more; holds of its open visits are released."""

    stop_id: str
    plate: str
    kind: StopKind
    released_fen: int


@dataclass(frozen=True, slots=True)
class PlateReleased:
    """A stop is over; the plate may pay again where no other stop is left."""

    stop_id: str
    plate: str


@dataclass(frozen=True, slots=True)
class NotMine:
    """The plate is frozen and what the visit took is back in the wallet, as far as it was not back before.

    reversed_fen: what came back now; released_fen: holds of open visits that were released.
    """

    visit_id: str
    account_id: str
    plate: str
    stop_id: str
    reversed_fen: int
    released_fen: int
    refund_id: str | None
    balance_fen: int
