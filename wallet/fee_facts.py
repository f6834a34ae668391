"""The frozen values of fees: what a station's sales cost it, and what was settled of that. Money is fen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """Each sale of a station costs it this, recorded from `valid_from` on until the next terms.

    rate_ppm: of the amount, in parts per million. fixed_fen: on top, for each sale.
    """

    id: str
    station: str
    rate_ppm: int
    fixed_fen: int
    valid_from: datetime
    reason: str
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class FeeLine:
    """What one settlement counted under one terms: sales, refunds of such sales, and the fee of both."""

    id: str
    terms_id: str
    debits: int
    refunds: int
    debited_fen: int
    refunded_fen: int
    fee_fen: int


@dataclass(frozen=True, slots=True)
class FeeSettlement:
    """The number-th settlement of a station: of all that blocks after `after_block` up to `to_block` seal.

    after_block: where the one before ends, None for the first. fee_fen: below zero where more came back than
    was sold. latest_at: when the newest sale was recorded that it counted, or counted a refund of; None where
    there was none.
    """

    id: str
    station: str
    number: int
    after_block: int | None
    to_block: int
    debits: int
    refunds: int
    debited_fen: int
    refunded_fen: int
    fee_fen: int
    latest_at: datetime | None
    transfer_id: str | None
    command_key: str
    actor: str
    recorded_at: datetime
    lines: tuple[FeeLine, ...] = ()

    @property
    def base_fen(self) -> int:
        """What was sold less what was given back."""
        return self.debited_fen - self.refunded_fen


@dataclass(frozen=True, slots=True)
class StationFunds:
    """What a station has sold, less refunds and fees, and the fees of it that were settled."""

    station: str
    revenue_fen: int
    fee_fen: int


# Answers to commands ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeeTermsSet:
    """Terms of a station were written down."""

    terms_id: str
    station: str


@dataclass(frozen=True, slots=True)
class FeesSettled:
    """So many settlements were written, one for each station that had something to settle; their sums."""

    through_block: int
    settlements: int
    debits: int
    refunds: int
    base_fen: int
    fee_fen: int
