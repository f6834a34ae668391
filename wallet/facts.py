"""The frozen values that go into the wallet and come out of it. Times are aware UTC, money is fen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from wallet.fingerprint import LEFT_OUT_IF_EMPTY
from wallet.posterior_facts import Posterior as Posterior
from wallet.posterior_facts import PosteriorPart as PosteriorPart
from wallet.reading_facts import Corner, ReadingFact

Colour = Literal["blue", "green", "yellow", "white", "black"]
COLOURS: tuple[Colour, ...] = ("blue", "green", "yellow", "white", "black")
Outcome = Literal["auto", "review", "none"]
OUTCOMES: tuple[Outcome, ...] = ("auto", "review", "none")
VisitState = Literal["open", "captured", "voided"]
SaleState = Literal["captured", "void", "waiting", "review"]
ReviewState = Literal["open", "closed"]

# The likely characters of one position with their chances in ppm, most likely first.
Position = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays. Its wallet carries the same id."""

    id: str
    name: str
    phone: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A plate bound to an account from `bound_at` to `unbound_at` (None: still bound)."""

    id: str
    account_id: str
    plate: str
    colour: str
    bound_at: datetime
    unbound_at: datetime | None


@dataclass(frozen=True, slots=True)
class Balance:
    """available = principal + bonus - held, never below zero."""

    principal_fen: int
    bonus_fen: int
    held_fen: int
    available_fen: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer as its wallet sees it: amount_fen is above zero for money in, below for money out."""

    id: str
    kind: str
    part: Literal["principal", "bonus"]
    amount_fen: int
    balance_after_fen: int
    recorded_at: datetime
    name: str
    visit_id: str | None
    station: str | None
    sale_id: str | None
    recharge_order_id: str | None


@dataclass(frozen=True, slots=True)
class RechargeOrder:
    """Money that shall come in through a payment channel."""

    id: str
    account_id: str
    amount_fen: int
    channel: str
    state: Literal["open", "paid"]
    created_at: datetime
    paid_at: datetime | None
    channel_txn_id: str | None


@dataclass(frozen=True, slots=True)
class ChannelPayment:
    """What a payment channel says has been paid; its signature was checked before."""

    channel: str
    channel_txn_id: str
    order_id: str
    amount_fen: int
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentApplied:
    """The wallet was credited now."""

    order: RechargeOrder
    balance: Balance


@dataclass(frozen=True, slots=True)
class PaymentAlreadyApplied:
    """The channel told us again; nothing moved."""

    order: RechargeOrder


@dataclass(frozen=True, slots=True)
class PaymentRefused:
    """The wallet was not credited. The money the channel holds stands in suspense until a person decides.

    reason: order_unknown, channel_differs, amount_differs, order_already_paid or payment_differs.
    """

    reason: str


PaymentResult = PaymentApplied | PaymentAlreadyApplied | PaymentRefused


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registered plate that the reading could be.

    visits_here, visits_elsewhere: stays that it paid for lately, at the station asked about and at others.
    """

    plate: str
    colour: str
    vehicle_id: str
    account_id: str
    visits_here: int = 0
    visits_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class SightingFact:
    """What a camera says of one car.

    wrong_ppm: chance that `text` is not the plate.
    pump: name of the pump where the car stands, or None (an entry camera).
    evidence_frame, evidence_crop: sha256 of the pictures; detector_model, reader_model: sha256 of the
    weights.
    plate_corners: of the plate in the frame, in pixels; readings: what it was made of. Both are evidence.
    """

    sighting_id: str
    station: str
    camera: str
    pump: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    text: str | None
    colour: str
    wrong_ppm: int
    looks: int
    positions: tuple[Position, ...] = ()
    evidence_frame: str | None = None
    evidence_crop: str | None = None
    detector_model: str | None = None
    reader_model: str | None = None
    plate_corners: tuple[Corner, ...] = field(default=(), metadata=LEFT_OUT_IF_EMPTY)
    readings: tuple[ReadingFact, ...] = field(default=(), metadata=LEFT_OUT_IF_EMPTY)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a decision: a stable code, a sentence for people, and its numbers by name."""

    code: str
    text: str
    numbers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Which account a sighting belongs to.

    plate, account_id: the registered plate; for a review only the suggestion.
    wrong_ppm: chance that this plate is not the car's. expected_loss_fen: that chance of losing amount and
    dispute cost.
    joined: the sighting continues a stay that was known before. posterior: what the decision was made on.
    """

    sighting_id: str
    outcome: Outcome
    account_id: str | None
    vehicle_id: str | None
    plate: str | None
    wrong_ppm: int
    amount_fen: int
    expected_loss_fen: int
    runner_up: str | None
    runner_up_ppm: int
    reasons: tuple[Reason, ...]
    visit_id: str | None
    hold_fen: int
    joined: bool
    decided_at: datetime
    posterior: Posterior


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay of one vehicle on one forecourt; the unit of money.

    opened_at, last_seen_at, left_at: when the car was seen. settled_at: when the sale ended, or the hold was
    released.
    end: why it is no longer open (captured, zero_sale, left_without_sale, stayed_too_long,
    voided_by_operator, plate_stopped), or None.
    """

    id: str
    station: str
    pump: str | None
    account_id: str
    vehicle_id: str
    plate: str
    state: VisitState
    end: str | None
    opened_at: datetime
    last_seen_at: datetime
    left_at: datetime | None
    settled_at: datetime | None
    recorded_at: datetime
    last_sighting_id: str
    hold_fen: int
    captured_fen: int
    sale_id: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """The answer to a sighting. hold_fen: what this sighting reserved. repeated: it was known already."""

    match: Match
    visit: Visit | None
    hold_fen: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Sale:
    """What a pump sold. unit_price_fen is for one litre; sale_id is unique at its station, for ever."""

    sale_id: str
    station: str
    pump: str
    grade: str
    litres_ml: int
    unit_price_fen: int
    amount_fen: int
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class SaleResult:
    """Where a sale stands now. A repeated sale gets the same, or what has become of it since it waited."""

    sale_id: str
    station: str
    state: SaleState
    visit_id: str | None
    captured_fen: int
    reasons: tuple[Reason, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What a pump may sell now: limit_fen is 0 where it may sell nothing.

    litres_ml, grades: how much and which grades the owner allows; None: nothing is said of it.
    """

    authorised: bool
    limit_fen: int
    visit_id: str | None
    litres_ml: int | None = None
    grades: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class MatchRow:
    """One line of the operator's log: sighting, decision, visit and money together."""

    sighting: SightingFact
    match: Match
    recorded_at: datetime
    visit_state: VisitState | None
    visit_end: str | None
    hold_fen: int
    captured_fen: int
    sale_id: str | None


@dataclass(frozen=True, slots=True)
class Review:
    """Something for a person.

    kind: sighting, sale_without_visit, another_car_at_pump, cars_at_one_pump, amount_above_hold,
    payment_refused, outside_limits, not_me or clone_suspected.
    amount_fen: the money in question.
    """

    id: str
    kind: str
    state: ReviewState
    subject: str
    station: str | None
    sighting_id: str | None
    sale_id: str | None
    visit_id: str | None
    account_id: str | None
    amount_fen: int
    reasons: tuple[Reason, ...]
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """Something that happened, for other processes; delivered at least once."""

    id: int
    kind: str
    body: dict[str, object]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeadEvent:
    """An event that was given up after so many attempts, and what went wrong last."""

    event: OutboxEvent
    attempts: int
    error: str
    dead_at: datetime


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """One proof: how many rows were looked at, and the first that breaks the rule.

    rule: the invariant it belongs to, I1 to I7 of docs/money.md.
    """

    name: str
    ok: bool
    count: int
    first_bad: str | None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """All proofs; ok where every one holds.

    head: number and hash of the newest block. since_block: where an incremental audit began, else None.
    unsealed: rows that no block seals yet.
    """

    checks: tuple[AuditCheck, ...] = field(default=())
    head: tuple[int, str] | None = None
    since_block: int | None = None
    unsealed: int = 0
    signatures_checked: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(check.ok for check in self.checks)
