"""What stations' sales cost them, and what was settled of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.fields import Count, Fen, Identifier, Message, Ppm, Time
from api.schemas.limits import AT, Reason
from api.schemas.operators import example

TERMS_ID = "019aa703-7e33-7c62-9a52-4a4fd8a7bb13"
SETTLEMENT_ID = "019aa704-8f44-7d73-9a52-4a4fd8a7bb14"
LINE_ID = "019aa704-8f44-7d73-9a52-4a4fd8a7bb15"
SignedFen = Annotated[int, Field(strict=True, ge=-(10**15), le=10**15, description="Whole fen, any sign")]


class FeeTermsMessage(Message):
    """valid_from left out: from now on. 0 and 0 end a fee."""

    model_config = example(rate_ppm=6000, fixed_fen=0, valid_from=AT, reason="contract 2026-114")

    rate_ppm: Ppm
    fixed_fen: Fen = 0
    valid_from: Time | None = None
    reason: Reason


class FeeTermsAnswer(Message):
    """A rejection is an answer too."""

    model_config = example(outcome="done", code="done", text=None, station="demo", terms_id=TERMS_ID)

    outcome: Literal["done", "rejected"]
    code: str
    text: str | None
    station: str
    terms_id: str | None = None


class SettleMessage(Message):
    """station left out: all of them. through left out: all that is sealed by now."""

    model_config = example(station="demo", through=AT)

    station: Identifier | None = None
    through: Time | None = None


class SettledAnswer(Message):
    """How many settlements were written, and their sums."""

    model_config = example(
        through_block=1440, settlements=1, debits=2, refunds=1, base_fen=39531, fee_fen=237
    )

    through_block: Count
    settlements: Count
    debits: Count
    refunds: Count
    base_fen: SignedFen
    fee_fen: SignedFen


class FeeTermsView(Message):
    terms_id: str
    rate_ppm: Ppm
    fixed_fen: Fen
    valid_from: Time
    reason: str
    set_by: str
    set_at: Time


class FeeLineView(Message):
    terms_id: str
    debits: Count
    refunds: Count
    debited_fen: Count
    refunded_fen: Count
    fee_fen: SignedFen


class FeeSettlementView(Message):
    """after_block: where the one before ends; null for the first. fee_fen below zero came back."""

    settlement_id: str
    settlement_number: int
    after_block: int | None
    to_block: int
    debits: Count
    refunds: Count
    base_fen: SignedFen
    fee_fen: SignedFen
    settled_by: str
    settled_at: Time
    lines: list[FeeLineView]


class StationFeesAnswer(Message):
    """terms: those that come into force last first; settlements: newest first."""

    model_config = example(
        station="demo",
        terms=[
            {
                "terms_id": TERMS_ID,
                "rate_ppm": 6000,
                "fixed_fen": 0,
                "valid_from": AT,
                "reason": "contract 2026-114",
                "set_by": "wang",
                "set_at": AT,
            }
        ],
        settlements=[
            {
                "settlement_id": SETTLEMENT_ID,
                "settlement_number": 1,
                "after_block": None,
                "to_block": 1440,
                "debits": 2,
                "refunds": 1,
                "base_fen": 39531,
                "fee_fen": 237,
                "settled_by": "nightly",
                "settled_at": AT,
                "lines": [
                    {
                        "terms_id": TERMS_ID,
                        "debits": 2,
                        "refunds": 1,
                        "debited_fen": 40031,
                        "refunded_fen": 500,
                        "fee_fen": 237,
                    }
                ],
            }
        ],
        next_before=None,
    )

    station: str
    terms: list[FeeTermsView]
    settlements: list[FeeSettlementView]
    next_before: int | None
