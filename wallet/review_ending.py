"""What each answer about a review item does, by the paths of an automatic match: all in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet import corrections, sales, terms, visits
from wallet.command_facts import Rejected
from wallet.decide import Likely
from wallet.facts import Match, Review, Sale, SightingFact, Vehicle
from wallet.limits import Within
from wallet.money import MILLION
from wallet.objections import Case, objections_to
from wallet.once import Command
from wallet.reversals import reverse_debit
from wallet.review_facts import Given
from wallet.rules import Rules
from wallet.stays import stay_of
from wallet.store import balances, debits, forecourt, people, reviewing, selling

# Doubts about whose car it is: a person who looks at the picture resolves them. Every other objection (a
# limit of the customer, a plate that is frozen) holds for people too.
RESOLVED_BY_A_LOOK = frozenset({"corrected_before", "twin_needs_proof", "read_otherwise", "plate_too_new"})
NOT_REGISTERED = "not_registered"


@dataclass(frozen=True, slots=True)
class Desk:
    """What every action needs: the open item, locked, and what is known of it."""

    connection: Connection
    command: Command
    rules: Rules
    review: Review
    sighting: SightingFact | None
    match: Match | None
    sale: Sale | None
    suggestion: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """How an item ends, and what that moved. seen: the sighting that the answer was about."""

    ended_as: str
    plate: str | None = None
    account_id: str | None = None
    visit_id: str | None = None
    sale: Sale | None = None
    refund_id: str | None = None
    hold_fen: int = 0
    moved_fen: int = 0
    seen: SightingFact | None = None


def act(desk: Desk, given: Given) -> Done | Rejected:
    """Does what was answered; Rejected: nothing has moved, and the item stays open."""
    match given.action:
        case "reject":
            return Done("rejected", seen=desk.sighting)
        case "reverse":
            return _reverse(desk, given)
        case "confirm":
            return _assign(desk, desk.suggestion)
        case "correct":
            if given.plate is not None and given.plate == desk.suggestion:
                return Rejected("same_plate", f"{given.plate} is what was suggested: confirm it.")
            return _assign(desk, given.plate)


def _assign(desk: Desk, plate: str | None) -> Done | Rejected:
    """The car is this plate's: its account pays, where the plate is a customer's."""
    vehicle = people.bound_vehicles(desk.connection, [plate]).get(plate) if plate else None
    if plate is None or vehicle is None:
        if plate is not None and plate == desk.suggestion:
            return Rejected(NOT_REGISTERED, f"{plate} is bound to no account any more.")
        return Done("nobodys_plate", plate=plate, seen=desk.sighting or _seen_at(desk, None))
    balances.lock_wallet(desk.connection, vehicle.account_id)
    current = people.find_vehicle(desk.connection, vehicle.id)
    if current is None or current.unbound_at is not None:
        return Rejected(NOT_REGISTERED, f"{plate} is bound to no account any more.")
    if desk.sale is not None:
        return _pay_for(desk, desk.sale, vehicle)
    if desk.sighting is None:
        raise RuntimeError(f"review {desk.review.id} is about no sighting and no sale")
    return _admit(desk, desk.sighting, vehicle)


# A sighting -------------------------------------------------------------------------------------------------


def _admit(desk: Desk, sighting: SightingFact, vehicle: Vehicle) -> Done | Rejected:
    """The car that was seen is this vehicle: it pays for what it took, or gets a hold if it may be there."""
    if (forbidden := _forbidden(desk, sighting, vehicle)) is not None:
        return forbidden
    left_at = reviewing.departure_of(desk.connection, sighting.sighting_id)
    taken = _sale_of(desk, sighting, vehicle, left_at)
    if taken is not None:
        return _settle(desk, taken, sighting, vehicle)
    if not _may_still_pay(desk, sighting, left_at):
        return Done("nothing_to_take", vehicle.plate, vehicle.account_id, seen=sighting)
    visit = visits.take_in(
        desk.connection, sighting, vehicle, desk.rules, desk.command.new_id, desk.command.now, left_at=left_at
    )
    if isinstance(visit, Rejected):
        return visit
    opened = visit.last_sighting_id == sighting.sighting_id and visit.recorded_at == desk.command.now
    return Done(
        "visit_opened" if opened else "stay_joined",
        vehicle.plate,
        vehicle.account_id,
        visit.id,
        hold_fen=visit.hold_fen if opened else 0,
        moved_fen=visit.captured_fen if opened else 0,
        seen=sighting,
    )


def _forbidden(desk: Desk, sighting: SightingFact, vehicle: Vehicle) -> Rejected | None:
    """What holds for a person as well as for the machine: the customer's own limits, a frozen plate."""
    likely = Likely(vehicle, MILLION, None, 0)
    case = Case(desk.connection, sighting, likely, None, desk.rules, desk.command.now)
    for reason in objections_to(case):
        if reason.code not in RESOLVED_BY_A_LOOK:
            return Rejected(reason.code, reason.text)
    return None


def _may_still_pay(desk: Desk, sighting: SightingFact, left_at: datetime | None) -> bool:
    """Whether the car can still be standing there, or has left so lately that its sale may come."""
    now, rules = desk.command.now, desk.rules
    if left_at is not None:
        return now - left_at <= timedelta(seconds=rules.leave_grace_s)
    return now - sighting.first_seen_at <= timedelta(seconds=rules.longest_stay_s)


def _sale_of(desk: Desk, sighting: SightingFact, vehicle: Vehicle, left_at: datetime | None) -> Sale | None:
    """The one sale sent to a person because no car was known, that this car's stay covers."""
    if sighting.pump is None:
        return None
    longest = timedelta(seconds=desk.rules.longest_stay_s)
    fitting = [
        sale
        for sale, kind in selling.sales_for_a_person(desk.connection, sighting.station, sighting.pump)
        if kind == "sale_without_visit"
        and sighting.first_seen_at <= sale.ended_at
        and sale.started_at <= sighting.first_seen_at + longest
        and (left_at is None or sale.started_at <= left_at)
        and forecourt.newest_stranger(
            desk.connection,
            sale.station,
            sale.pump,
            vehicle.plate,
            sighting.last_seen_at,
            sale.started_at,
        )
        is None
    ]
    return fitting[0] if len(fitting) == 1 else None


# A sale -----------------------------------------------------------------------------------------------------


def _pay_for(desk: Desk, sale: Sale, vehicle: Vehicle) -> Done | Rejected:
    """This vehicle took the sale; a picture of a car at that pump must be there to prove it."""
    sighting = _seen_at(desk, vehicle)
    if sighting is None:
        return Rejected("no_evidence", f"No camera saw a car at pump {sale.pump} in time; charge it by hand.")
    if (forbidden := _forbidden(desk, sighting, vehicle)) is not None:
        return forbidden
    return _settle(desk, sale, sighting, vehicle)


def _seen_at(desk: Desk, vehicle: Vehicle | None) -> SightingFact | None:
    """The sighting that shows who took the sale: the vehicle's own, or the newest that is nobody else's."""
    if desk.sale is None:
        return None
    found = sightings_of_sale(desk.connection, desk.sale, desk.rules)
    unknown = [seen for seen, _, outcome in found if outcome != "auto"]
    own = [seen for seen, plate, _ in found if vehicle and vehicle.plate in (plate, seen.text)]
    return next(iter([*own, *unknown]), None)


def sightings_of_sale(
    connection: Connection, sale: Sale, rules: Rules
) -> list[tuple[SightingFact, str | None, str]]:
    """(sighting, plate matched or suggested, outcome) of cars that may have taken a sale, newest first."""
    since = sale.started_at - timedelta(seconds=rules.longest_stay_s)
    return reviewing.sightings_at_pump(connection, sale.station, sale.pump, since, sale.ended_at)


def _settle(desk: Desk, sale: Sale, sighting: SightingFact, vehicle: Vehicle) -> Done | Rejected:
    """Takes the sale from the vehicle's wallet within what it has, by a visit, a hold and a capture."""
    connection, command = desk.connection, desk.command
    known = forecourt.recent_visits(connection, vehicle.id, sale.station)
    stay = stay_of(sighting, known, desk.rules)
    ended = visits.overstayed(sighting, known, desk.rules) if stay is None else [stay]
    within = terms.judged_for(connection, sale, vehicle, [visit.id for visit in ended], desk.rules)
    if not isinstance(within, Within):
        return Rejected(within.why.code, within.why.text)
    if within.most_fen is not None and within.most_fen <= 0:
        return Rejected(within.reasons[0].code, within.reasons[0].text)
    visit = visits.take_in(
        connection,
        sighting,
        vehicle,
        desk.rules,
        command.new_id,
        command.now,
        sale_fen=sale.amount_fen,
        left_at=max(sale.ended_at, sighting.last_seen_at),
    )
    if isinstance(visit, Rejected):
        return visit
    result = sales.settle(connection, sale, visit, command.new_id, command.now, within)
    return Done(
        "sale_settled",
        vehicle.plate,
        vehicle.account_id,
        visit.id,
        sale=sale,
        moved_fen=result.captured_fen,
        seen=sighting,
    )


# A debit that was wrong -------------------------------------------------------------------------------------


def _reverse(desk: Desk, given: Given) -> Done | Rejected:
    """All that is left of a capture goes back, once; a misread plate is remembered."""
    visit_id = desk.review.visit_id
    taken = debits.find_capture(desk.connection, visit_id or "")
    if taken is None or visit_id is None:
        return Rejected("nothing_captured", "Nothing was taken for this visit.")
    reason = given.reason or "reversed by review"
    done = reverse_debit(desk.connection, desk.command, taken, reason)
    if isinstance(done, Rejected):
        return done
    return Done(
        "reversed",
        given.plate,
        taken.account_id,
        visit_id,
        refund_id=done.refund_id,
        moved_fen=done.amount_fen,
    )


# What is remembered -----------------------------------------------------------------------------------------


def remember(desk: Desk, given: Given, done: Done) -> None:
    """Writes down what the answer says about readings: right, or wrong with the right plate where known."""
    if given.action == "reject":
        return
    if given.action == "reverse":
        visit = forecourt.find_visit(desk.connection, done.visit_id or "")
        if visit is None or not given.is_misread:
            return
        for sighting in reviewing.sightings_of_visit(desk.connection, visit.id):
            _write(desk, sighting, visit.plate, given.plate)
        return
    if done.seen is None:
        return
    match = forecourt.find_match(desk.connection, done.seen.sighting_id)
    suggested = match.plate if match else None
    about = suggested or done.plate
    if about is not None:
        _write(desk, done.seen, about, done.plate)


def _write(desk: Desk, sighting: SightingFact, plate: str, label: str | None) -> None:
    command = desk.command
    corrections.remember(
        desk.connection,
        command.new_id(),
        desk.review.id,
        sighting,
        plate,
        label,
        command.actor,
        command.now,
    )
