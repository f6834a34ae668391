"""Fees as arithmetic: what a sale costs its station, and what many sales and refunds come to.

Pure. A sale costs `fixed_fen` and its share of the amount, rounded down to the fen, and never more than what
is left of it: one that was given back whole costs nothing. A refund changes what is left, so it brings the
difference back, at the terms of the sale, in any parts and order and whenever each part is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wallet.fee_facts import FeeTerms
from wallet.money import MILLION, share_down


@dataclass(frozen=True, slots=True)
class Move:
    """A sale (was_fen 0) or a refund of one: what was left of the sale before and after it.

    debit_at: when the sale was recorded, whichever of both it is.
    """

    station: str
    block: int
    debit_at: datetime
    was_fen: int
    left_fen: int

    @property
    def is_refund(self) -> bool:
        """Whether money went back."""
        return self.left_fen < self.was_fen


@dataclass(slots=True)
class Tally:
    """What some moves under one terms come to."""

    debits: int = 0
    refunds: int = 0
    debited_fen: int = 0
    refunded_fen: int = 0
    fee_fen: int = 0

    def add(self, terms: FeeTerms, move: Move) -> None:
        """Counts one more."""
        if move.is_refund:
            self.refunds += 1
            self.refunded_fen += move.was_fen - move.left_fen
        else:
            self.debits += 1
            self.debited_fen += move.left_fen - move.was_fen
        self.fee_fen += fee_of(terms, move.left_fen) - fee_of(terms, move.was_fen)


@dataclass(slots=True)
class Due:
    """What a station has to settle: by the id of each terms; and when its newest sale was recorded."""

    latest_at: datetime | None = None
    by_terms: dict[str, Tally] = field(default_factory=dict)

    def total(self) -> Tally:
        """All terms together."""
        found = list(self.by_terms.values())
        return Tally(
            debits=sum(one.debits for one in found),
            refunds=sum(one.refunds for one in found),
            debited_fen=sum(one.debited_fen for one in found),
            refunded_fen=sum(one.refunded_fen for one in found),
            fee_fen=sum(one.fee_fen for one in found),
        )


def fee_of(terms: FeeTerms, left_fen: int) -> int:
    """What a sale costs its station, of which `left_fen` are left after its refunds."""
    if left_fen == 0:
        return 0
    return min(left_fen, terms.fixed_fen + share_down(left_fen, terms.rate_ppm, MILLION))


def in_force(terms: Sequence[FeeTerms], moment: datetime) -> FeeTerms | None:
    """The terms of a station, sorted by `valid_from`, under which a sale of that moment falls."""
    found = None
    for one in terms:
        if one.valid_from > moment:
            break
        found = one
    return found


def count(
    due: dict[str, Due],
    moves: Iterable[Move],
    terms: Mapping[str, Sequence[FeeTerms]],
    after: Mapping[str, int],
) -> None:
    """Adds moves to what stations have to settle.

    terms: of each station, sorted by `valid_from`. after: the last block of each station that is settled.
    """
    for move in moves:
        if move.block <= after.get(move.station, 0):
            continue
        applied = in_force(terms.get(move.station, ()), move.debit_at)
        if applied is None:
            continue
        one = due.setdefault(move.station, Due())
        one.latest_at = move.debit_at if one.latest_at is None else max(one.latest_at, move.debit_at)
        one.by_terms.setdefault(applied.id, Tally()).add(applied, move)
