"""The frozen answers to commands. Each is stored as it was given, and the same command gets it for ever.

A rejection is an answer too: its code is stable, and it is stored like any other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, get_args

from wallet.fee_facts import FeesSettled, FeeTermsSet
from wallet.ledger import Part
from wallet.limit_facts import LimitsSet, NotMine, PlateReleased, PlateStopped, PriceSet, StationPlaced


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing moved. code: stable, for programs; text: for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Charged:
    """Money was taken without a hold."""

    charge_id: str
    account_id: str
    station: str
    amount_fen: int
    bonus_fen: int
    principal_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money was given back. refunded_fen: all that was given back of this debit so far."""

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


@dataclass(frozen=True, slots=True)
class Reversed:
    """A transfer was taken back, with all that belongs to it. refund_id: where it was a capture or charge."""

    transfer_ids: tuple[str, ...]
    reversed_ids: tuple[str, ...]
    account_id: str
    amount_fen: int
    refund_id: str | None
    balance_fen: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A bonus was given."""

    transfer_id: str
    account_id: str
    amount_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class Voided:
    """A hold was released by hand."""

    visit_id: str
    account_id: str
    released_fen: int


@dataclass(frozen=True, slots=True)
class Proposed:
    """An adjustment waits for a second person. change_fen: above zero for money in, below for money out."""

    adjustment_id: str
    account_id: str
    part: Part
    change_fen: int


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An adjustment was approved by a second person, and the money moved."""

    adjustment_id: str
    account_id: str
    part: Part
    change_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class Declined:
    """An adjustment was declined by a second person; nothing moved."""

    adjustment_id: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An answer about a review item was taken.

    state: closed; waiting (a second person must answer); disputed (a further person must); or known (it was a
    known case: is_right says whether the answer was). ended_as: how the item ended, None while it is open.
    """

    review_id: str
    action: str
    state: str
    ended_as: str | None = None
    plate: str | None = None
    account_id: str | None = None
    visit_id: str | None = None
    sale_id: str | None = None
    refund_id: str | None = None
    hold_fen: int = 0
    moved_fen: int = 0
    is_right: bool | None = None


@dataclass(frozen=True, slots=True)
class Planted:
    """A known case stands in the queue."""

    case_id: str
    sighting_id: str


Answer = (
    Rejected
    | Charged
    | Refunded
    | Reversed
    | Granted
    | Voided
    | Proposed
    | Adjusted
    | Declined
    | Reviewed
    | Planted
    | LimitsSet
    | PriceSet
    | StationPlaced
    | PlateStopped
    | PlateReleased
    | NotMine
    | FeeTermsSet
    | FeesSettled
)

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Answer)}


def to_json(answer: Answer) -> dict[str, Any]:
    """The answer as it is stored."""
    return {"answer": type(answer).__name__, **asdict(answer)}


def from_json(stored: dict[str, Any]) -> Answer:
    """A stored answer as a value, equal to the one that was given first."""
    kind = _KINDS[stored["answer"]]
    members = {name: value for name, value in stored.items() if name != "answer"}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in members.items()}
    answer: Answer = kind(**plain)
    return answer
