"""What pumps sold: each sale finds its visit and takes its amount once, or waits, or goes to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet import stops, terms
from wallet.errors import InvalidFact, KeyReused, SaleAmountMismatch
from wallet.facts import Authorisation, Reason, Sale, SaleResult, Visit
from wallet.fingerprint import body_hash
from wallet.ledger import Wallet
from wallet.limit_facts import Stop
from wallet.limits import Impossible, NotAllowed, Within, grades_of, litres_of
from wallet.money import LARGEST_MILLILITRES, fen, price_of
from wallet.rules import Rules
from wallet.settling import NewId, settle, to_review, void
from wallet.stays import Found, NotYet, TooMany, is_payable, visit_for_sale
from wallet.store import balances, forecourt, selling
from wallet.store import limits as limit_rows
from wallet.wording import check_name, check_text, check_whole

__all__ = [
    "NewId",
    "authorise",
    "check_sale",
    "find_and_settle",
    "give_up_waiting",
    "record_sale",
    "settle",
    "settle_found",
    "to_review",
    "void",
    "waited_before",
]


def check_sale(sale: Sale) -> None:
    """Raises InvalidAmount, InvalidFact or SaleAmountMismatch where the message contradicts itself."""
    fen(sale.amount_fen)
    fen(sale.unit_price_fen, what="unit_price_fen")
    check_whole("litres_ml", sale.litres_ml, 0, LARGEST_MILLILITRES)
    check_name("station", sale.station)
    check_text("sale_id", sale.sale_id)
    check_text("pump", sale.pump)
    check_text("grade", sale.grade, 40)
    if sale.ended_at < sale.started_at:
        raise InvalidFact("ended_at", sale.ended_at.isoformat(), "must not be before started_at")
    computed_fen = price_of(sale.litres_ml, sale.unit_price_fen)
    if abs(computed_fen - sale.amount_fen) > 1:
        raise SaleAmountMismatch(sale.sale_id, sale.amount_fen, computed_fen)


def record_sale(connection: Connection, sale: Sale, rules: Rules, new_id: NewId, now: datetime) -> SaleResult:
    """Takes the sale in and settles it where its visit is known. The same sale again gets where it stands."""
    body = body_hash(sale)
    forecourt.lock_pump(connection, sale.station, sale.pump)
    try:
        result = find_and_settle(connection, sale, rules, new_id, now, body)
        if result.state == "waiting":
            selling.add_sale(connection, sale, body, result, now)
        return result
    except selling.SaleKnown:
        if selling.sale_hash(connection, sale.station, sale.sale_id) != body:
            raise KeyReused("sale", f"{sale.station}/{sale.sale_id}", body) from None
        known = selling.find_sale(connection, sale.station, sale.sale_id)
        if known is None:
            raise RuntimeError(f"sale {sale.sale_id} vanished") from None
        return replace(known[1], repeated=True)


def _waiting(sale: Sale) -> Reason:
    return Reason("waiting_for_visit", f"No car with an open visit stands at pump {sale.pump}.")


def find_and_settle(
    connection: Connection,
    sale: Sale,
    rules: Rules,
    new_id: NewId,
    now: datetime,
    body: str | None = None,
) -> SaleResult:
    """Settles a waiting sale where its visit is known; its pump is locked.

    body: the hash of one that is not written down yet: it is, where it is settled (see settling.settle).
    """
    expired_since = max(sale.started_at, now - timedelta(seconds=rules.late_sale_s))
    while True:
        visits = selling.payable_visits_at(connection, sale.station, sale.pump, expired_since)
        whose = visit_for_sale(sale, visits)
        match whose:
            case NotYet():
                return SaleResult(sale.sale_id, sale.station, "waiting", None, 0, (_waiting(sale),))
            case TooMany(plates):
                why = Reason("cars_at_one_pump", f"The sale could belong to any of {', '.join(plates)}.")
                return to_review(connection, sale, "cars_at_one_pump", why, None, new_id, now, body)
            case Found(visit):
                pass
        if (result := settle_found(connection, sale, visit, rules, new_id, now, body)) is not None:
            return result


def settle_found(
    connection: Connection,
    sale: Sale,
    visit: Visit,
    rules: Rules,
    new_id: NewId,
    now: datetime,
    body: str | None = None,
) -> SaleResult | None:
    """Settles a waiting sale on the visit found for it.

    None where that has ended or moved since we looked.
    """
    wallet = balances.lock_wallet(connection, visit.account_id)
    current = forecourt.seen_again(connection, visit)
    if current is None or not is_payable(current) or current.pump != sale.pump:
        return None
    other = forecourt.newest_stranger(
        connection, sale.station, sale.pump, current.plate, current.last_seen_at, sale.started_at
    )
    if other is not None:
        why = Reason(
            "another_car_at_pump",
            f"{other.text} came to pump {sale.pump} after {current.plate} was last seen there.",
        )
        return to_review(connection, sale, "another_car_at_pump", why, current, new_id, now, body)
    return _settle_within(connection, sale, current, wallet, rules, new_id, now, body)


def _settle_within(
    connection: Connection,
    sale: Sale,
    visit: Visit,
    wallet: Wallet,
    rules: Rules,
    new_id: NewId,
    now: datetime,
    body: str | None,
) -> SaleResult:
    """Settles a sale as far as the limits of its visit and the vehicle itself allow."""
    if sale.amount_fen == 0:
        return settle(connection, sale, visit, new_id, now, body=body)
    match terms.judged(connection, sale, visit, rules):
        case Within() as within:
            return settle(connection, sale, visit, new_id, now, within, wallet, body)
        case NotAllowed(why):
            return to_review(connection, sale, "outside_limits", why, visit, new_id, now, body)
        case Impossible(why):
            result = to_review(connection, sale, "clone_suspected", why, visit, new_id, now, body)
            stop = Stop(
                new_id(),
                "clone",
                f"{sale.station}/{sale.sale_id}",
                visit.plate,
                visit.vehicle_id,
                visit.account_id,
                why.text,
                "service",
                now,
            )
            stops.stop_plate(connection, stop, visit, sale.amount_fen, "clone_suspected", (why,), new_id)
            return result


def authorise(connection: Connection, station: str, pump: str, now: datetime) -> Authorisation:
    """What the pump may sell now: the hold of the newest car there, if no other car came after it."""
    standing = [
        visit for visit in forecourt.open_visits_at(connection, station, pump) if visit.left_at is None
    ]
    if not standing:
        return Authorisation(False, 0, None)
    visit = standing[-1]
    if forecourt.newest_stranger(connection, station, pump, visit.plate, visit.last_seen_at, now) is not None:
        return Authorisation(False, 0, None)
    found = limit_rows.guarantee_of(connection, visit.id)
    return Authorisation(True, visit.hold_fen, visit.id, litres_of(found), grades_of(found))


def waited_before(rules: Rules, now: datetime) -> datetime:
    """A waiting sale that was recorded before this time is overdue."""
    return now - timedelta(seconds=rules.sale_grace_s)


def give_up_waiting(
    connection: Connection, station: str, sale_id: str, rules: Rules, new_id: NewId, now: datetime
) -> SaleResult | None:
    """Looks for the visit of a waiting sale a last time, then hands it to a person.

    None where it waits no more.
    """
    known = selling.find_sale(connection, station, sale_id)
    if known is None:
        return None
    sale = known[0]
    forecourt.lock_pump(connection, station, sale.pump)
    current = selling.find_sale(connection, station, sale_id)
    if current is None or current[1].state != "waiting":
        return None
    result = find_and_settle(connection, sale, rules, new_id, now)
    if result.state != "waiting":
        return result
    waited = timedelta(seconds=rules.sale_grace_s)
    why = Reason("sale_without_visit", f"No car was seen at pump {sale.pump} within {waited} of the sale.")
    return to_review(connection, sale, "sale_without_visit", why, None, new_id, now)
