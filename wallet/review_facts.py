"""What a reviewer is shown and answers, what may be answered about each kind of item, and how items end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from wallet.facts import Match, Review, Sale, SightingFact, Visit
from wallet.rules import Rules

Action = Literal["confirm", "correct", "reject", "reverse"]
ACTIONS: tuple[Action, ...] = ("confirm", "correct", "reject", "reverse")

# What may be answered about an item of each kind: docs/review.md says what comes of it. `confirm` needs a
# suggested plate, `reverse` a visit that has paid.
ALLOWED: Mapping[str, tuple[Action, ...]] = {
    "sighting": ("confirm", "correct", "reject"),
    "sale_without_visit": ("confirm", "correct", "reject"),
    "another_car_at_pump": ("confirm", "correct", "reject"),
    "cars_at_one_pump": ("correct", "reject"),
    "amount_above_hold": ("reject", "reverse"),
    "payment_refused": ("reject",),
    "wrong_debit": ("reject", "reverse"),
    "outside_limits": ("reject", "reverse"),
    "not_me": ("reject", "reverse"),
    "clone_suspected": ("reject", "reverse"),
}
OTHERS_ALLOWED: tuple[Action, ...] = ("reject", "reverse")
# Items about one sale that no money was taken for yet.
SALE_KINDS = frozenset({"sale_without_visit", "another_car_at_pump", "cars_at_one_pump"})


@dataclass(frozen=True, slots=True)
class Given:
    """What a person answers. plate: with correct, the right one (None: nobody's); with reverse, if known.

    is_misread: with reverse, whether the plate was misread, so that it is remembered.
    """

    action: Action
    plate: str | None = None
    is_misread: bool = True
    reason: str | None = None

    def agrees(self, other: Given) -> bool:
        """Whether two people said the same; their reasons may differ."""
        return (self.action, self.plate, self.is_misread) == (other.action, other.plate, other.is_misread)


@dataclass(frozen=True, slots=True)
class AnswerFact:
    """What one person answered."""

    id: str
    review_id: str
    given: Given
    answered_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class EndFact:
    """How an item ended, and what it moved; answer_id: None where it was settled elsewhere."""

    review_id: str
    ended_as: str
    answer_id: str | None
    first_answer_id: str | None
    plate: str | None
    account_id: str | None
    visit_id: str | None
    station: str | None
    sale_id: str | None
    refund_id: str | None
    moved_fen: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One line of the queue: what was read, what is suggested, how much is at stake, until when."""

    review: Review
    due_at: datetime
    text: str | None
    colour: str | None
    camera: str | None
    pump: str | None
    evidence_crop: str | None
    suggestion: str | None
    runner_up: str | None
    margin_ppm: int
    wrong_ppm: int
    answers_in: int


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """Everything a reviewer needs for one item.

    gallery: pictures (sha256 of crops) of the suggested vehicle from sightings that were sure. answers: what
    this person may see: the others' only when two are in or the item is closed.
    """

    row: QueueRow
    allowed: tuple[Action, ...]
    people_needed: int
    sighting: SightingFact | None
    match: Match | None
    sale: Sale | None
    visit: Visit | None
    candidates: tuple[tuple[str, int], ...]
    gallery: tuple[str, ...]
    answers: tuple[AnswerFact, ...]
    end: EndFact | None
    review_cost_fen: int
    dispute_cost_fen: int


@dataclass(frozen=True, slots=True)
class KnownCase:
    """A sighting whose answer is known. sighting, match: as a reviewer sees them."""

    id: str
    sighting: SightingFact
    match: Match
    amount_fen: int
    right: Given
    planted_by: str
    planted_at: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """How one reviewer did on known cases, and how many real items they answered."""

    reviewer: str
    right: int
    wrong: int
    answered: int


@dataclass(frozen=True, slots=True)
class Correction:
    """A labelled reading. label: the right plate, or None where it is not known or nobody's."""

    id: str
    review_id: str
    sighting_id: str
    station: str
    camera: str
    text: str | None
    plate: str
    verdict: Literal["wrong", "right"]
    label: str | None
    evidence_crop: str | None
    decided_by: str
    recorded_at: datetime


def due_after(kind: str, rules: Rules) -> timedelta:
    """How long an item of this kind may wait: a car stands at the pump, a sale is unpaid, or neither."""
    if kind == "sighting":
        return timedelta(seconds=rules.review_due_sighting_s)
    if kind in SALE_KINDS:
        return timedelta(seconds=rules.review_due_sale_s)
    return timedelta(seconds=rules.review_due_s)


def allowed_for(kind: str, *, has_suggestion: bool, has_paid: bool) -> tuple[Action, ...]:
    """What may be answered about this item now."""
    return tuple(
        action
        for action in ALLOWED.get(kind, OTHERS_ALLOWED)
        if (action != "confirm" or has_suggestion) and (action != "reverse" or has_paid)
    )
