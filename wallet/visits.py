"""Cars that arrive and leave: sighting, match, visit and hold are written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet import decide
from wallet.charges import insufficient
from wallet.command_facts import Rejected
from wallet.deciding import NOBODY, Deciding, Notes
from wallet.errors import InvalidFact, KeyReused, SightingUnknown
from wallet.facts import Arrival, Match, Posterior, Reason, Review, SightingFact, Vehicle, Visit
from wallet.fingerprint import body_hash
from wallet.ledger import Wallet, reserve
from wallet.money import MILLION
from wallet.objections import Case, objections_to
from wallet.replaying import shadow_of
from wallet.rules import Rules
from wallet.sales import NewId, settle_found, void
from wallet.stays import Found, stay_of, visit_for_sale
from wallet.store import balances, events, forecourt, people, proof, reviewing, selling
from wallet.store.balances import Hold


@dataclass(frozen=True, slots=True)
class _Setting:
    """What every step of one arrival needs."""

    connection: Connection
    sighting: SightingFact
    posterior: Posterior
    rules: Rules
    new_id: NewId
    now: datetime
    deciding: Deciding = NOBODY
    notes: Notes = field(default_factory=Notes)


def arrive(
    connection: Connection,
    sighting: SightingFact,
    posterior: Posterior,
    rules: Rules,
    new_id: NewId,
    now: datetime,
    deciding: Deciding = NOBODY,
) -> Arrival:
    """Decides about a sighting once; the same sighting again gets the same match."""
    body = body_hash(sighting)
    if not forecourt.add_sighting(connection, sighting, body, now):
        return _again(connection, sighting, body)
    if sighting.pump is not None:
        forecourt.lock_pump(connection, sighting.station, sighting.pump)
    proof.add_readings(connection, sighting)
    setting = _Setting(connection, sighting, posterior, rules, new_id, now, deciding)
    likely, wallet = _locked(setting)
    why = decide.is_stranger(sighting, likely, rules)
    if why is not None or likely is None or wallet is None:
        why = why or Reason("not_registered", f"No registered plate fits {sighting.text}.")
        return _finish(setting, decide.stranger(sighting, why), None)
    return _known_car(setting, likely, wallet)


def _again(connection: Connection, sighting: SightingFact, body: str) -> Arrival:
    if forecourt.sighting_hash(connection, sighting.sighting_id) != body:
        raise KeyReused("sighting", sighting.sighting_id, body)
    match = forecourt.find_match(connection, sighting.sighting_id)
    if match is None:
        raise RuntimeError(f"sighting {sighting.sighting_id} has no match")
    visit = forecourt.find_visit(connection, match.visit_id) if match.visit_id else None
    return Arrival(match, visit, match.hold_fen, repeated=True)


def _locked(setting: _Setting) -> tuple[decide.Likely | None, Wallet | None]:
    """The most likely registered vehicle, whose wallet is locked, so that unbinding it waits for us."""
    connection, posterior = setting.connection, setting.posterior
    while True:
        bound = people.bound_vehicles(connection, [plate for plate, _ in posterior.candidates])
        setting.notes.see_bound(bound)
        likely = decide.most_likely(posterior, bound)
        if likely is None:
            return None, None
        wallet = balances.lock_wallet(connection, likely.vehicle.account_id)
        vehicle = people.find_vehicle(connection, likely.vehicle.id)
        if vehicle is not None and vehicle.unbound_at is None:
            return likely, wallet


def _known_car(setting: _Setting, likely: decide.Likely, wallet: Wallet) -> Arrival:
    connection, sighting, rules = setting.connection, setting.sighting, setting.rules
    known = forecourt.recent_visits(connection, likely.vehicle.id, sighting.station)
    stay = stay_of(sighting, known, rules)
    if stay is None:
        amount_fen = decide.hold_for(wallet.available_fen, rules)
    else:
        amount_fen = stay.hold_fen if stay.state == "open" else 0
    case = Case(connection, sighting, likely, stay, rules, setting.now)
    objections = objections_to(case)
    setting.notes.see_case(wallet.available_fen, stay, objections)
    decision = decide.decide(sighting, likely, amount_fen, rules, objections)
    if decision.outcome != "auto":
        return _finish(setting, decision, None)
    if stay is not None:
        _join(setting, stay, newest=stay.id == known[0].id)
        return _finish(setting, decision, stay.id, joined=True)
    wallet = _end_overstays(setting, known, wallet)
    setting.notes.see_hold(wallet.available_fen)
    hold_fen = decide.hold_for(wallet.available_fen, rules)
    if hold_fen < rules.minimum_hold_fen:
        return _finish(setting, decide.without_funds(decision, wallet.available_fen, rules), None)
    visit_id = _open(setting, likely.vehicle, known, wallet, hold_fen)
    return _finish(setting, decision, visit_id, hold_fen=hold_fen)


def _join(setting: _Setting, stay: Visit, *, newest: bool) -> None:
    """Adds the sighting to a known stay: where the car was seen, and that it has not left after all."""
    sighting = setting.sighting
    is_latest = sighting.last_seen_at >= stay.last_seen_at
    left_at = stay.left_at
    if left_at is not None and sighting.last_seen_at > left_at:
        # Where a later stay of this vehicle is known, it cannot still be standing in this one.
        left_at = None if newest else sighting.last_seen_at
    pump = stay.pump
    if sighting.pump is not None and (is_latest or pump is None):
        pump = sighting.pump
    forecourt.change_visit(
        setting.connection,
        stay.id,
        opened_at=min(stay.opened_at, sighting.first_seen_at),
        last_seen_at=max(stay.last_seen_at, sighting.last_seen_at),
        left_at=left_at,
        pump=pump,
        last_sighting_id=sighting.sighting_id if is_latest else stay.last_sighting_id,
    )


def _end_overstays(setting: _Setting, known: Sequence[Visit], wallet: Wallet) -> Wallet:
    """The wallet, once holds of earlier stays that are longer than any stay may be are released."""
    opened_before = setting.sighting.first_seen_at - timedelta(seconds=setting.rules.longest_stay_s)
    for visit in known:
        if visit.state == "open" and visit.opened_at < opened_before:
            void(setting.connection, visit, "stayed_too_long", setting.now, setting.now)
            wallet = balances.lock_wallet(setting.connection, wallet.account_id)
    return wallet


def _open(setting: _Setting, vehicle: Vehicle, known: Sequence[Visit], wallet: Wallet, hold_fen: int) -> str:
    """A new visit with its one hold."""
    connection, sighting, now = setting.connection, setting.sighting, setting.now
    # A sighting that comes late, after a later stay of the same vehicle: it had left by then, and surely
    # within the longest stay, so that a stay between the two is one of its own.
    later = [visit.opened_at for visit in known if visit.opened_at > sighting.last_seen_at]
    if later:
        later.append(sighting.last_seen_at + timedelta(seconds=setting.rules.longest_stay_s))
    visit = Visit(
        id=setting.new_id(),
        station=sighting.station,
        pump=sighting.pump,
        account_id=vehicle.account_id,
        vehicle_id=vehicle.id,
        plate=vehicle.plate,
        state="open",
        end=None,
        opened_at=sighting.first_seen_at,
        last_seen_at=sighting.last_seen_at,
        left_at=min(later, default=None),
        settled_at=None,
        recorded_at=now,
        last_sighting_id=sighting.sighting_id,
        hold_fen=hold_fen,
        captured_fen=0,
        sale_id=None,
    )
    forecourt.add_visit(connection, visit)
    balances.save_wallet(connection, wallet, reserve(wallet, hold_fen))
    balances.add_hold(
        connection, Hold(setting.new_id(), visit.id, vehicle.account_id, hold_fen, "live", 0), now
    )
    events.tell(
        connection,
        "hold_placed",
        {
            "visit_id": visit.id,
            "account_id": vehicle.account_id,
            "plate": vehicle.plate,
            "station": visit.station,
            "pump": visit.pump,
            "hold_fen": hold_fen,
        },
        now,
    )
    return visit.id


def _finish(
    setting: _Setting,
    decision: decide.Decision,
    visit_id: str | None,
    *,
    hold_fen: int = 0,
    joined: bool = False,
) -> Arrival:
    """Writes the match, tells of it, and settles what has waited for this car."""
    connection, sighting, now = setting.connection, setting.sighting, setting.now
    vehicle = decision.vehicle
    match = Match(
        sighting_id=sighting.sighting_id,
        outcome=decision.outcome,
        account_id=vehicle.account_id if vehicle else None,
        vehicle_id=vehicle.id if vehicle else None,
        plate=vehicle.plate if vehicle else None,
        wrong_ppm=decision.wrong_ppm,
        amount_fen=decision.amount_fen,
        expected_loss_fen=decision.expected_loss_fen,
        runner_up=decision.runner_up,
        runner_up_ppm=decision.runner_up_ppm,
        reasons=decision.reasons,
        visit_id=visit_id,
        hold_fen=hold_fen,
        joined=joined,
        decided_at=now,
        posterior=setting.posterior,
    )
    forecourt.add_match(connection, match)
    inputs = setting.notes.inputs
    proof.add_inputs(
        connection, match, inputs, setting.deciding, shadow_of(setting.deciding, sighting, match, inputs)
    )
    if match.outcome == "review":
        _ask_about(setting, match)
    events.tell(
        connection,
        "match_made",
        {
            "sighting_id": match.sighting_id,
            "station": sighting.station,
            "camera": sighting.camera,
            # The plate of a car that is nobody's leaves this service in no event.
            "text": None if match.outcome == "none" else sighting.text,
            "outcome": match.outcome,
            "plate": match.plate,
            "account_id": match.account_id,
            "visit_id": visit_id,
            "reasons": [reason.code for reason in match.reasons],
        },
        now,
    )
    if visit_id is None:
        return Arrival(match, None, 0)
    _settle_waiting(setting, visit_id)
    return Arrival(match, forecourt.find_visit(connection, visit_id), hold_fen)


def _ask_about(setting: _Setting, match: Match) -> None:
    item = Review(
        id=setting.new_id(),
        kind="sighting",
        state="open",
        subject=match.sighting_id,
        station=setting.sighting.station,
        sighting_id=match.sighting_id,
        sale_id=None,
        visit_id=None,
        account_id=match.account_id,
        amount_fen=match.amount_fen,
        reasons=match.reasons,
        created_at=setting.now,
        closed_at=None,
    )
    events.ask_for_review(setting.connection, item)


def _settle_waiting(setting: _Setting, visit_id: str) -> None:
    """A sale that came before the sighting of its car is settled now; the pump and the wallet are locked."""
    connection, station, pump = setting.connection, setting.sighting.station, setting.sighting.pump
    if pump is None:
        return
    for sale in selling.waiting_sales_at(connection, station, pump):
        whose = visit_for_sale(sale, forecourt.open_visits_at(connection, station, pump))
        if isinstance(whose, Found) and whose.visit.id == visit_id:
            settle_found(connection, sale, whose.visit, setting.new_id, setting.now)


def take_in(
    connection: Connection,
    sighting: SightingFact,
    vehicle: Vehicle,
    rules: Rules,
    new_id: NewId,
    now: datetime,
    *,
    sale_fen: int | None = None,
    left_at: datetime | None = None,
) -> Visit | Rejected:
    """What is done with a car that is surely this vehicle: it joins its stay, or a visit with a hold opens.

    For a person who has said so; the pump is locked. sale_fen: a sale that is known already: no more is held.
    left_at: when the car left. Rejected: insufficient_balance, sighting_has_visit, stay_has_paid.
    """
    posterior = Posterior(((vehicle.plate, MILLION),), 0)
    setting = _Setting(connection, sighting, posterior, rules, new_id, now)
    wallet = balances.lock_wallet(connection, vehicle.account_id)
    known = forecourt.recent_visits(connection, vehicle.id, sighting.station)
    stay = stay_of(sighting, known, rules)
    if stay is not None:
        if sale_fen is not None and stay.state != "open":
            return Rejected(
                "stay_has_paid", f"The stay of {vehicle.plate} has paid for another sale already."
            )
        _join(setting, stay, newest=stay.id == known[0].id)
        visit_id = stay.id
    else:
        if forecourt.has_opened_visit(connection, sighting.sighting_id):
            return Rejected("sighting_has_visit", "A visit of another vehicle was opened for this sighting.")
        wallet = _end_overstays(setting, known, wallet)
        least_fen, hold_fen = rules.minimum_hold_fen, decide.hold_for(wallet.available_fen, rules)
        if sale_fen is not None:
            least_fen, hold_fen = 1, min(sale_fen, wallet.available_fen)
        if hold_fen < least_fen:
            return insufficient(wallet, least_fen)
        visit_id = _open(setting, vehicle, known, wallet, hold_fen)
        if left_at is not None:
            forecourt.change_visit(connection, visit_id, left_at=left_at)
    if sale_fen is None:
        _settle_waiting(setting, visit_id)
    visit = forecourt.find_visit(connection, visit_id)
    if visit is None:
        raise RuntimeError(f"visit {visit_id} vanished")
    return visit


def depart(connection: Connection, sighting_id: str, left_at: datetime, now: datetime) -> Visit | None:
    """The visit of a car that has left the picture, or None where it had none.

    Only the latest sighting of a visit can end its stay: a car that leaves the entry camera drives to its
    pump.
    """
    sighting = forecourt.find_sighting(connection, sighting_id)
    if sighting is None:
        raise SightingUnknown(sighting_id)
    if left_at < sighting.first_seen_at:
        raise InvalidFact("left_at", left_at.isoformat(), "must not be before the car was first seen")
    is_new = forecourt.add_departure(connection, sighting_id, left_at, now)
    if not is_new and forecourt.departure_of(connection, sighting_id) != left_at:
        raise KeyReused("departure", sighting_id, body_hash(left_at))
    match = forecourt.find_match(connection, sighting_id)
    visit_id = match.visit_id if match else None
    visit_id = visit_id or reviewing.visit_given_by_person(connection, sighting_id)
    visit = forecourt.find_visit(connection, visit_id) if visit_id else None
    if visit is None:
        return None
    balances.lock_wallet(connection, visit.account_id)
    if not is_new or visit.last_sighting_id != sighting_id:
        return visit
    forecourt.change_visit(connection, visit.id, left_at=left_at)
    return forecourt.find_visit(connection, visit.id)


def end_if_overdue(connection: Connection, visit_id: str, rules: Rules, now: datetime) -> Visit | None:
    """The visit, its hold released, where its car left long ago or it stayed too long; else None."""
    visit = forecourt.find_visit(connection, visit_id)
    if visit is None:
        return None
    balances.lock_wallet(connection, visit.account_id)
    visit = forecourt.find_visit(connection, visit_id)
    if visit is None or visit.state != "open":
        return None
    left_before, opened_before = overdue_before(rules, now)
    if visit.left_at is not None and visit.left_at < left_before:
        void(connection, visit, "left_without_sale", now, now)
    elif min(visit.opened_at, visit.recorded_at) < opened_before:
        void(connection, visit, "stayed_too_long", now, now)
    else:
        return None
    return forecourt.find_visit(connection, visit_id)


def overdue_before(rules: Rules, now: datetime) -> tuple[datetime, datetime]:
    """A car that left, and a visit that was opened, before these times is overdue."""
    return now - timedelta(seconds=rules.leave_grace_s), now - timedelta(seconds=rules.longest_stay_s)
