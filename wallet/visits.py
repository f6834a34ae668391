"""Cars that arrive and leave: sighting, match, visit and hold are written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet import alarms, decide, second_looks, terms
from wallet.charges import insufficient
from wallet.command_facts import Rejected
from wallet.deciding import NOBODY, Deciding, Notes
from wallet.errors import KeyReused
from wallet.facts import Arrival, Match, Posterior, Reason, Review, SightingFact, Vehicle, Visit
from wallet.fingerprint import body_hash
from wallet.ledger import Wallet, reserve
from wallet.limit_facts import StationTariff
from wallet.money import MILLION
from wallet.objections import Case, looked_up, objections_to
from wallet.replaying import shadow_of
from wallet.rules import Rules
from wallet.sales import NewId, settle, settle_found, void
from wallet.stays import Found, stay_of, visit_for_sale, with_sighting
from wallet.store import balances, events, forecourt, people, proof, selling
from wallet.store import limits as limit_rows
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
        if people.is_still_bound(connection, likely.vehicle.id):
            return likely, wallet


def _known_car(setting: _Setting, likely: decide.Likely, wallet: Wallet) -> Arrival:
    connection, sighting, rules = setting.connection, setting.sighting, setting.rules
    known = forecourt.recent_visits(connection, likely.vehicle.id, sighting.station)
    stay = stay_of(sighting, known, rules)
    case = looked_up(connection, sighting, likely, stay, rules, setting.now)
    if stay is None:
        return _new_stay(setting, case, known, wallet)
    decision = _decided(setting, case, wallet.available_fen, decide.Wanted())
    if decision.outcome != "auto":
        return _finish(setting, decision, None)
    joined = _join(setting, stay, newest=stay.id == known[0].id)
    return _finish(setting, decision, joined, joined=True, may_wait=case.on_record.waiting)


def _new_stay(setting: _Setting, case: Case, known: Sequence[Visit], wallet: Wallet) -> Arrival:
    rules = setting.rules
    ended = overstayed(setting.sighting, known, rules)
    stay_terms = terms.on_arrival(case, ended)
    wanted = stay_terms.wanted
    decision = _decided(setting, case, wallet.available_fen, wanted, stay_terms.objections)
    if decision.outcome != "auto":
        return _finish(setting, decision, None)
    wallet = _end(setting, ended, wallet)
    setting.notes.see_hold(wallet.available_fen)
    hold_fen = decide.hold_for(wallet.available_fen, wanted, rules)
    if hold_fen < (least_fen := decide.least_hold(wanted, rules)):
        poor = decide.without_funds(decision, wallet.available_fen, least_fen)
        return _finish(setting, poor, None)
    visit = _open(setting, case.likely.vehicle, known, wallet, hold_fen)
    if stay_terms.rows:
        limit_rows.add_guarantee(setting.connection, visit.id, stay_terms.rows, setting.now)
    if stay_terms.tariff is not None:
        visit = _charge_at_once(setting, visit, stay_terms.tariff)
    return _finish(setting, decision, visit, hold_fen=hold_fen, may_wait=case.on_record.waiting)


def _end(setting: _Setting, ended: Sequence[Visit], wallet: Wallet) -> Wallet:
    """The wallet, once the holds of these visits are released."""
    for visit in ended:
        void(setting.connection, visit, "stayed_too_long", setting.now, setting.now)
        wallet = balances.lock_wallet(setting.connection, wallet.account_id)
    return wallet


def _decided(
    setting: _Setting, case: Case, available_fen: int, wanted: decide.Wanted, more: Sequence[Reason] = ()
) -> decide.Decision:
    """The decision about a stay, noted; where it is not to move money, people are told what looks wrong."""
    objections, stay = (*more, *objections_to(case)), case.stay
    proof = second_looks.proof_of(case)
    setting.notes.see_case(available_fen, stay, objections, wanted, proof)
    if stay is None:
        amount_fen = decide.hold_for(available_fen, wanted, setting.rules)
    else:
        amount_fen = stay.hold_fen if stay.state == "open" else 0
    decision = decide.decide(setting.sighting, case.likely, amount_fen, setting.rules, objections, proof)
    if decision.outcome != "auto":
        alarms.raise_about(case, decision.reasons, amount_fen, setting.new_id)
    return decision


def _charge_at_once(setting: _Setting, visit: Visit, tariff: StationTariff) -> Visit:
    """The visit, once its fixed price is taken by the way every sale goes."""
    connection = setting.connection
    sale = terms.entry_sale(visit, tariff)
    settle(connection, sale, visit, setting.new_id, setting.now, body=body_hash(sale))
    return _read(connection, visit.id)


def _read(connection: Connection, visit_id: str) -> Visit:
    visit = forecourt.find_visit(connection, visit_id)
    if visit is None:
        raise RuntimeError(f"visit {visit_id} vanished")
    return visit


def _join(setting: _Setting, stay: Visit, *, newest: bool) -> Visit:
    """The known stay with the sighting added to it, written down."""
    joined = with_sighting(stay, setting.sighting, newest=newest)
    # SQLite writes the indexes of a column anew wherever it is written, the same value or not.
    changed = {
        name: value
        for name in ("opened_at", "last_seen_at", "left_at", "pump", "last_sighting_id")
        if (value := getattr(joined, name)) != getattr(stay, name)
    }
    if changed:
        forecourt.change_visit(setting.connection, stay.id, **changed)
    return joined


def overstayed(sighting: SightingFact, known: Sequence[Visit], rules: Rules) -> list[Visit]:
    """Earlier stays that are longer than any stay may be, and still hold money: a new one ends them."""
    opened_before = sighting.first_seen_at - timedelta(seconds=rules.longest_stay_s)
    return [visit for visit in known if visit.state == "open" and visit.opened_at < opened_before]


def _open(
    setting: _Setting, vehicle: Vehicle, known: Sequence[Visit], wallet: Wallet, hold_fen: int
) -> Visit:
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
    return visit


def _finish(
    setting: _Setting,
    decision: decide.Decision,
    visit: Visit | None,
    *,
    hold_fen: int = 0,
    joined: bool = False,
    may_wait: bool = True,
) -> Arrival:
    """Writes the match, tells of it, and settles what has waited for this car.

    visit: as it stands now. may_wait: False where no sale waits at the pump, so that nobody need look.
    """
    connection, sighting, now = setting.connection, setting.sighting, setting.now
    visit_id = visit.id if visit else None
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
            # What is not surely a customer's plate leaves this service in no event.
            "text": sighting.text if match.outcome == "auto" else None,
            "outcome": match.outcome,
            "plate": match.plate,
            "account_id": match.account_id,
            "visit_id": visit_id,
            "reasons": [reason.code for reason in match.reasons],
        },
        now,
    )
    if visit is None:
        return Arrival(match, None, 0)
    if may_wait and _settle_waiting(setting, visit.id):
        visit = _read(connection, visit.id)
    return Arrival(match, visit, hold_fen)


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


def _settle_waiting(setting: _Setting, visit_id: str) -> bool:
    """Settles what came before the sighting of its car; whether anything did. Pump and wallet are locked."""
    connection, station, pump = setting.connection, setting.sighting.station, setting.sighting.pump
    if pump is None:
        return False
    waiting = selling.waiting_sales_at(connection, station, pump)
    for sale in waiting:
        whose = visit_for_sale(sale, forecourt.open_visits_at(connection, station, pump))
        if isinstance(whose, Found) and whose.visit.id == visit_id:
            settle_found(connection, sale, whose.visit, setting.rules, setting.new_id, setting.now)
    return bool(waiting)


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
    left_at: when the car left. Rejected: insufficient_balance, sighting_has_visit, stay_has_paid,
    and what the owner's limits forbid.
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
        ended = overstayed(sighting, known, rules)
        likely = decide.Likely(vehicle, MILLION, None, 0)
        stay_terms = terms.on_arrival(Case(connection, sighting, likely, None, rules, now), ended)
        if stay_terms.objections:
            first = stay_terms.objections[0]
            return Rejected(first.code, first.text)
        wallet = _end(setting, ended, wallet)
        if sale_fen is None:
            least_fen = decide.least_hold(stay_terms.wanted, rules)
            hold_fen = decide.hold_for(wallet.available_fen, stay_terms.wanted, rules)
        else:
            least_fen, hold_fen = 1, min(sale_fen, wallet.available_fen)
        if hold_fen < least_fen:
            return insufficient(wallet, least_fen)
        visit = _open(setting, vehicle, known, wallet, hold_fen)
        visit_id = visit.id
        if stay_terms.rows:
            limit_rows.add_guarantee(connection, visit_id, stay_terms.rows, now)
        if stay_terms.tariff is not None and sale_fen is None:
            _charge_at_once(setting, visit, stay_terms.tariff)
        if left_at is not None:
            forecourt.change_visit(connection, visit_id, left_at=left_at)
    if sale_fen is None:
        _settle_waiting(setting, visit_id)
    return _read(connection, visit_id)
