"""Commands of operators that move money: what they send, and the answers, which are stored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.schemas.devices import ACCOUNT_ID, VISIT_ID
from api.schemas.fields import LARGEST_FEN, Identifier, Message, PositiveFen, Time
from api.schemas.operators import example

CHARGE_ID = "019aa6f6-71c2-7d40-9d0e-3f1b2a6c5d01"
REFUND_ID = "019aa6f7-02be-7c11-8a77-5d9e0c4b1a02"
LINE_ID = "019aa6f5-9f7d-7a51-9a52-4a4fd8a7bb02"
ADJUSTMENT_ID = "019aa6f8-4410-7b3f-b1d2-6e7f8a9b0c03"


def _printable(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("must be printable text, not blank")
    return value


Reason = Annotated[
    str, Field(min_length=1, max_length=200, description="Why, for the auditor"), AfterValidator(_printable)
]
Change = Annotated[
    int,
    Field(strict=True, ge=-LARGEST_FEN, le=LARGEST_FEN, description="Whole fen; below zero: money out"),
]


class CommandAnswer(Message):
    """outcome rejected: nothing moved; the same key gets this answer for ever, so ask anew with a new one."""

    outcome: Literal["done", "rejected"]
    code: str = Field(description="done, or why it was rejected: stable, for programs")
    text: str | None = Field(description="Why it was rejected, for people")


DONE: dict[str, Any] = {"outcome": "done", "code": "done", "text": None}


class ChargeMessage(Message):
    model_config = example(station="demo", amount_fen=3000, purpose="car wash")

    station: Identifier
    amount_fen: PositiveFen
    purpose: Reason


class ChargeView(Message):
    charge_id: str
    account_id: str
    station: str
    amount_fen: int
    bonus_fen: int
    principal_fen: int
    balance_fen: int


class ChargeAnswer(CommandAnswer):
    model_config = example(
        **DONE,
        charge={
            "charge_id": CHARGE_ID,
            "account_id": ACCOUNT_ID,
            "station": "demo",
            "amount_fen": 3000,
            "bonus_fen": 1000,
            "principal_fen": 2000,
            "balance_fen": 97000,
        },
    )

    charge: ChargeView | None


class RefundMessage(Message):
    model_config = example(amount_fen=5000, reason="the pump counted too much")

    amount_fen: PositiveFen
    reason: Reason


class RefundView(Message):
    """refunded_fen: all that was given back of the debit so far; debited_fen: what it took."""

    refund_id: str
    account_id: str
    visit_id: str | None
    charge_id: str | None
    amount_fen: int
    bonus_fen: int
    principal_fen: int
    refunded_fen: int
    debited_fen: int
    balance_fen: int


class RefundAnswer(CommandAnswer):
    model_config = example(
        **DONE,
        refund={
            "refund_id": REFUND_ID,
            "account_id": ACCOUNT_ID,
            "visit_id": VISIT_ID,
            "charge_id": None,
            "amount_fen": 5000,
            "bonus_fen": 0,
            "principal_fen": 5000,
            "refunded_fen": 5000,
            "debited_fen": 24531,
            "balance_fen": 80469,
        },
    )

    refund: RefundView | None


class ReversalMessage(Message):
    model_config = example(reason="the wrong car was charged")

    reason: Reason


class ReversalView(Message):
    account_id: str
    amount_fen: int
    reversed_ids: list[str] = Field(description="Lines of the statement that were taken back")
    line_ids: list[str] = Field(description="The lines that took them back")
    refund_id: str | None
    balance_fen: int


class ReversalAnswer(CommandAnswer):
    model_config = example(
        **DONE,
        reversal={
            "account_id": ACCOUNT_ID,
            "amount_fen": 24531,
            "reversed_ids": [LINE_ID],
            "line_ids": ["019aa6f9-11aa-7e10-8c3d-0a1b2c3d4e04"],
            "refund_id": REFUND_ID,
            "balance_fen": 100000,
        },
    )

    reversal: ReversalView | None


class VoidAnswer(CommandAnswer):
    model_config = example(**DONE, visit_id=VISIT_ID, released_fen=40000)

    visit_id: str
    released_fen: int


class AdjustmentMessage(Message):
    model_config = example(
        account_id=ACCOUNT_ID, part="principal", change_fen=-250, reason="counted twice on 2026-11-20"
    )

    account_id: Annotated[str, Field(min_length=1, max_length=64)]
    part: Literal["principal", "bonus"]
    change_fen: Change
    reason: Reason


class DecisionMessage(Message):
    model_config = example(approve=True)

    approve: bool


class AdjustmentView(Message):
    model_config = example(
        adjustment_id=ADJUSTMENT_ID,
        account_id=ACCOUNT_ID,
        part="principal",
        change_fen=-250,
        reason="counted twice on 2026-11-20",
        proposed_by="wang",
        proposed_at="2026-11-21T09:00:00.000Z",
        decision=None,
        decided_by=None,
        decided_at=None,
    )

    adjustment_id: str
    account_id: str
    part: Literal["principal", "bonus"]
    change_fen: int
    reason: str
    proposed_by: str
    proposed_at: Time
    decision: Literal["approved", "declined"] | None
    decided_by: str | None
    decided_at: Time | None


_PROPOSED: dict[str, Any] = AdjustmentView.model_json_schema()["examples"][0]


class AdjustmentAnswer(CommandAnswer):
    model_config = example(**DONE, adjustment=_PROPOSED)

    adjustment: AdjustmentView = Field(description="As it is now")


class AdjustmentsAnswer(Message):
    model_config = example(adjustments=[_PROPOSED], next_before=None)

    adjustments: list[AdjustmentView]
    next_before: str | None = Field(description="Send it as `before` for older ones; null at the end")
