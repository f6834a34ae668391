"""What owners and operators say of plates and stations: limits, prices, tariffs, places, stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.devices import ACCOUNT_ID, VISIT_ID
from api.schemas.fields import Fen, Identifier, Litres, Message, PositiveFen, Time
from api.schemas.operators import VEHICLE_ID, example

LIMITS_ID = "019aa701-3c11-7d40-9a52-4a4fd8a7bb11"
STOP_ID = "019aa702-5d22-7e51-9a52-4a4fd8a7bb12"
AT = "2026-11-21T08:00:00.000Z"

Grade = Annotated[str, Field(min_length=1, max_length=40)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", examples=["07:30"])]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Degrees = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,6})?$",
        description='Degrees as text, at most 6 decimals: "22.543096"',
    ),
]


class LimitsMessage(Message):
    """What is left out or null is not limited."""

    model_config = example(grades=["92", "95"], amount_per_day_fen=50000, opens="06:00", closes="22:00")

    grades: Annotated[list[Grade], Field(min_length=1, max_length=50)] | None = None
    litres_per_fill: Litres | None = None
    amount_per_fill_fen: PositiveFen | None = None
    amount_per_day_fen: PositiveFen | None = None
    fills_per_day: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    stations: Annotated[list[Identifier], Field(min_length=1, max_length=50)] | None = None
    opens: Clock | None = None
    closes: Clock | None = None
    zone: Annotated[str, Field(min_length=1, max_length=64)] = "Asia/Shanghai"
    tank_litres: Litres | None = None
    fuel: Literal["petrol", "diesel"] | None = None


class LimitsView(LimitsMessage):
    model_config = example(
        limits_id=LIMITS_ID,
        change_number=1,
        account_id=ACCOUNT_ID,
        vehicle_id=VEHICLE_ID,
        set_by="wang",
        set_at=AT,
    )

    limits_id: str
    change_number: int
    account_id: str
    vehicle_id: str | None
    set_by: str
    set_at: Time


class LimitsAnswer(Message):
    model_config = example(limits_id=LIMITS_ID, change_number=1, account_id=ACCOUNT_ID, vehicle_id=VEHICLE_ID)

    limits_id: str
    change_number: int
    account_id: str
    vehicle_id: str | None


class LimitsHistoryAnswer(Message):
    """Newest first: the first one holds."""

    model_config = example(
        limits=[
            {
                "limits_id": LIMITS_ID,
                "change_number": 1,
                "account_id": ACCOUNT_ID,
                "vehicle_id": VEHICLE_ID,
                "set_by": "wang",
                "set_at": AT,
                "amount_per_day_fen": 50000,
            }
        ]
    )

    limits: list[LimitsView]


class PriceMessage(Message):
    model_config = example(grade="92", unit_price_fen=785, valid_from=AT)

    grade: Grade
    unit_price_fen: PositiveFen
    valid_from: Time


class TariffMessage(Message):
    model_config = example(what="洗车", amount_fen=3500, valid_from=AT)

    what: Grade
    amount_fen: Fen
    valid_from: Time


class PlaceMessage(Message):
    model_config = example(latitude="22.543096", longitude="114.057865")

    latitude: Degrees
    longitude: Degrees


class PriceView(Message):
    grade: str
    unit_price_fen: int
    valid_from: Time
    set_by: str


class TariffView(Message):
    what: str
    amount_fen: int
    valid_from: Time
    set_by: str


class StationAnswer(Message):
    """prices, tariffs: those that come into force last first."""

    model_config = example(
        station="demo",
        latitude="22.543096",
        longitude="114.057865",
        prices=[{"grade": "92", "unit_price_fen": 785, "valid_from": AT, "set_by": "wang"}],
        tariffs=[{"what": "洗车", "amount_fen": 3500, "valid_from": AT, "set_by": "wang"}],
    )

    station: str
    latitude: str | None
    longitude: str | None
    prices: list[PriceView]
    tariffs: list[TariffView]


class SetAnswer(Message):
    model_config = example(station="demo")

    station: str


class StopMessage(Message):
    model_config = example(reason="stolen")

    reason: Reason


class StopView(Message):
    stop_id: str
    kind: Literal["frozen", "clone"]
    plate: str
    cause: str
    reason: str
    stopped_at: Time
    stopped_by: str
    released_at: Time | None
    released_by: str | None
    release_reason: str | None


class StopsAnswer(Message):
    """Oldest first."""

    model_config = example(
        stops=[
            {
                "stop_id": STOP_ID,
                "kind": "frozen",
                "plate": "粤B12345",
                "cause": VISIT_ID,
                "reason": "The owner says that this visit was somebody else's.",
                "stopped_at": AT,
                "stopped_by": "wang",
                "released_at": None,
                "released_by": None,
                "release_reason": None,
            }
        ]
    )

    stops: list[StopView]


class StopAnswer(Message):
    """A rejection is an answer too."""

    model_config = example(outcome="done", code="done", text=None, stop_id=STOP_ID, plate="粤B12345")

    outcome: Literal["done", "rejected"]
    code: str
    text: str | None
    stop_id: str | None = None
    plate: str | None = None
    released_fen: int = 0


class NotMeAnswer(Message):
    """The plate is frozen; reversed_fen came back now, released_fen was held and is free."""

    model_config = example(
        visit_id=VISIT_ID,
        account_id=ACCOUNT_ID,
        plate="粤B12345",
        stop_id=STOP_ID,
        reversed_fen=24531,
        released_fen=0,
        refund_id=None,
        balance_fen=100000,
    )

    visit_id: str
    account_id: str
    plate: str
    stop_id: str
    reversed_fen: int
    released_fen: int
    refund_id: str | None
    balance_fen: int
