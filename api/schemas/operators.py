"""What operators send and see: sessions, accounts, vehicles, money."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.devices import ACCOUNT_ID, VISIT_ID
from api.schemas.fields import Colour, Identifier, Message, Name, Phone, PlateText, PositiveFen, Time

ORDER_ID = "019aa6ef-30aa-7d1b-a3c1-60d1f8b1a7e5"
VEHICLE_ID = "019aa6ee-5c1d-7b0e-90f4-2b1c0d9e8f7a"


def example(**members: Any) -> ConfigDict:
    """A model configuration with one example of the message."""
    return ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [members]})


class SessionMessage(Message):
    model_config = example(name="wang", password="correct horse battery")  # noqa: S106

    name: Name
    password: Annotated[str, Field(min_length=1, max_length=256)]


class SessionAnswer(Message):
    model_config = example(token="G7cJ0m…43 characters", expires_at="2026-11-21T20:00:00.000Z")  # noqa: S106

    token: str
    expires_at: Time


class AccountMessage(Message):
    model_config = example(name="王小明", phone="13800138000")

    name: Name
    phone: Phone | None = None


class AccountAnswer(Message):
    model_config = example(
        account_id=ACCOUNT_ID, name="王小明", phone="13800138000", created_at="2026-11-21T07:00:00.000Z"
    )

    account_id: str
    name: str
    phone: str | None
    created_at: Time


class AccountsAnswer(Message):
    model_config = example(
        accounts=[
            {
                "account_id": ACCOUNT_ID,
                "name": "王小明",
                "phone": "13800138000",
                "created_at": "2026-11-21T07:00:00.000Z",
            }
        ],
        next_after=None,
    )

    accounts: list[AccountAnswer]
    next_after: str | None = Field(description="Send it as `after` for the next ones; null at the end")


class VehicleMessage(Message):
    model_config = example(plate="粤B12345", colour="blue")

    plate: PlateText
    colour: Colour


class TwinAnswer(Message):
    plate: str = Field(description="A registered plate that our readers take for this one")
    alike_ppm: int = Field(description="In how many of a million looks")


class VehicleAnswer(Message):
    model_config = example(
        vehicle_id=VEHICLE_ID,
        account_id=ACCOUNT_ID,
        plate="粤B12345",
        colour="blue",
        bound_at="2026-11-21T07:01:00.000Z",
        unbound_at=None,
        twins=[{"plate": "鄂B12345", "alike_ppm": 5000}],
    )

    vehicle_id: str
    account_id: str
    plate: str
    colour: str
    bound_at: Time
    unbound_at: Time | None
    twins: list[TwinAnswer] = Field(
        default_factory=list,
        description="With such a plate bound to another account, each arrival needs a second proof",
    )


class VehiclesAnswer(Message):
    model_config = example(
        vehicles=[
            {
                "vehicle_id": VEHICLE_ID,
                "account_id": ACCOUNT_ID,
                "plate": "粤B12345",
                "colour": "blue",
                "bound_at": "2026-11-21T07:01:00.000Z",
                "unbound_at": None,
            }
        ]
    )

    vehicles: list[VehicleAnswer]


class WalletAnswer(Message):
    """available_fen = principal_fen + bonus_fen - held_fen, never below zero."""

    model_config = example(
        account_id=ACCOUNT_ID, principal_fen=100000, bonus_fen=0, held_fen=40000, available_fen=60000
    )

    account_id: str
    principal_fen: int
    bonus_fen: int
    held_fen: int
    available_fen: int


class StatementLineAnswer(Message):
    line_id: str
    kind: str
    part: Literal["principal", "bonus"]
    amount_fen: int = Field(description="Above zero: money in; below: money out")
    balance_after_fen: int
    recorded_at: Time
    visit_id: str | None
    station: str | None
    sale_id: str | None
    recharge_order_id: str | None


class StatementAnswer(Message):
    model_config = example(
        lines=[
            {
                "line_id": "019aa6f5-9f7d-7a51-9a52-4a4fd8a7bb02",
                "kind": "capture",
                "part": "principal",
                "amount_fen": -24531,
                "balance_after_fen": 75469,
                "recorded_at": "2026-11-21T08:03:11.000Z",
                "visit_id": VISIT_ID,
                "station": "demo",
                "sale_id": "demo-1-000042",
                "recharge_order_id": None,
            }
        ],
        next_before=None,
        wallet_at=None,
    )

    lines: list[StatementLineAnswer]
    next_before: str | None = Field(description="Send it as `before` for older ones; null at the end")
    wallet_at: WalletAnswer | None = Field(description="With `at`: the wallet as it was at that moment")


class RechargeMessage(Message):
    model_config = example(amount_fen=100000, channel="sandbox")

    amount_fen: PositiveFen
    channel: Identifier


class RechargeAnswer(Message):
    model_config = example(
        order_id=ORDER_ID,
        account_id=ACCOUNT_ID,
        amount_fen=100000,
        channel="sandbox",
        state="open",
        created_at="2026-11-21T07:02:00.000Z",
        paid_at=None,
        channel_txn_id=None,
    )

    order_id: str
    account_id: str
    amount_fen: int
    channel: str
    state: Literal["open", "paid"]
    created_at: Time
    paid_at: Time | None
    channel_txn_id: str | None


class SandboxPayMessage(Message):
    """What the payer's phone does. amount_fen: what is really paid, to try out a wrong amount."""

    model_config = example(amount_fen=None)

    amount_fen: PositiveFen | None = None


class SandboxPayAnswer(Message):
    """notified: the service has acknowledged the callback; if not, pay again to have it repeated."""

    model_config = example(
        order_id=ORDER_ID, transaction_id="sandbox-019aa6ef30aa7d1ba3c160d1f8b1a7e5", notified=True
    )

    order_id: str
    transaction_id: str
    notified: bool


class CallbackMessage(Message):
    """What the sandbox channel tells when money was paid."""

    model_config = example(
        transaction_id="sandbox-019aa6ef30aa7d1ba3c160d1f8b1a7e5",
        order_id=ORDER_ID,
        amount_fen=100000,
        paid_at="2026-11-21T07:02:30Z",
    )

    transaction_id: Annotated[str, Field(pattern=r"^[\w.\-]{1,128}$")]
    order_id: Annotated[str, Field(pattern=r"^[\w\-]{1,64}$")]
    amount_fen: PositiveFen
    paid_at: Time


class CallbackAnswer(Message):
    """After this the channel stops repeating. result: applied, already_applied, or refused with a reason."""

    model_config = example(result="applied", reason=None)

    result: Literal["applied", "already_applied", "refused"]
    reason: str | None
