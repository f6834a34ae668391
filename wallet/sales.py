"""What pumps sold: each sale finds its visit and takes its amount once, or waits, or goes to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import starmap

from sqlalchemy import Connection

from wallet.errors import InvalidFact, KeyReused, SaleAmountMismatch
from wallet.facts import Authorisation, Reason, Review, Sale, SaleResult, Visit
from wallet.fingerprint import body_hash
from wallet.ledger import capture, release, reserve
from wallet.money import LARGEST_MILLILITRES, fen, format_yuan, price_of
from wallet.rules import Rules
from wallet.stays import Found, NotYet, TooMany, visit_for_sale
from wallet.store import balances, events, forecourt, selling
from wallet.wording import check_name, check_text, check_whole

NewId = Callable[[], str]


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


def record_sale(connection: Connection, sale: Sale, new_id: NewId, now: datetime) -> SaleResult:
    """Takes the sale in and settles it where its visit is known. The same sale again gets where it stands."""
    body = body_hash(sale)
    if not selling.add_sale(connection, sale, body, (_waiting(sale),), now):
        if selling.sale_hash(connection, sale.station, sale.sale_id) != body:
            raise KeyReused("sale", f"{sale.station}/{sale.sale_id}", body)
        known = selling.find_sale(connection, sale.station, sale.sale_id)
        if known is None:
            raise RuntimeError(f"sale {sale.sale_id} vanished")
        return replace(known[1], repeated=True)
    forecourt.lock_pump(connection, sale.station, sale.pump)
    return find_and_settle(connection, sale, new_id, now)


def _waiting(sale: Sale) -> Reason:
    return Reason("waiting_for_visit", f"No car with an open visit stands at pump {sale.pump}.")


def find_and_settle(connection: Connection, sale: Sale, new_id: NewId, now: datetime) -> SaleResult:
    """Settles a waiting sale where its visit is known; its pump is locked."""
    while True:
        whose = visit_for_sale(sale, forecourt.open_visits_at(connection, sale.station, sale.pump))
        match whose:
            case NotYet():
                return SaleResult(sale.sale_id, sale.station, "waiting", None, 0, (_waiting(sale),))
            case TooMany(plates):
                why = Reason("cars_at_one_pump", f"The sale could belong to any of {', '.join(plates)}.")
                return to_review(connection, sale, "cars_at_one_pump", why, None, new_id, now)
            case Found(visit):
                pass
        if (result := settle_found(connection, sale, visit, new_id, now)) is not None:
            return result


def settle_found(
    connection: Connection, sale: Sale, visit: Visit, new_id: NewId, now: datetime
) -> SaleResult | None:
    """Settles a waiting sale on the visit found for it.

    None where that has ended or moved since we looked.
    """
    balances.lock_wallet(connection, visit.account_id)
    current = forecourt.find_visit(connection, visit.id)
    if current is None or current.state != "open" or current.pump != sale.pump:
        return None
    other = forecourt.newest_stranger(
        connection, sale.station, sale.pump, current.plate, current.last_seen_at, sale.started_at
    )
    if other is not None:
        why = Reason(
            "another_car_at_pump",
            f"{other.text} came to pump {sale.pump} after {current.plate} was last seen there.",
        )
        return to_review(connection, sale, "another_car_at_pump", why, current, new_id, now)
    return settle(connection, sale, current, new_id, now)


def settle(connection: Connection, sale: Sale, visit: Visit, new_id: NewId, now: datetime) -> SaleResult:
    """Takes the amount of a sale from the hold of an open visit whose wallet is locked; frees the rest."""
    if sale.amount_fen == 0:
        void(connection, visit, "zero_sale", sale.ended_at, now)
        why = Reason("zero_sale", "Nothing was sold; the hold is released.")
        return selling.settle_sale(connection, sale, "void", visit.id, 0, (why,), now)
    wallet = balances.lock_wallet(connection, visit.account_id)
    hold = balances.hold_of(connection, visit.id)
    missing_fen = max(0, sale.amount_fen - hold.amount_fen)
    more_fen = min(missing_fen, wallet.available_fen)
    held = wallet
    hold_fen = hold.amount_fen
    if more_fen:
        held = reserve(wallet, more_fen)
        hold_fen += more_fen
        balances.raise_hold(connection, hold, hold_fen)
    taken_fen = min(sale.amount_fen, hold_fen)
    done = capture(held, f"capture:{sale.station}/{sale.sale_id}", sale.station, hold_fen, taken_fen)
    reasons = _reasons(sale, hold.amount_fen, taken_fen)
    result = selling.settle_sale(connection, sale, "captured", visit.id, taken_fen, reasons, now)
    balances.close_hold(connection, hold, taken_fen, now)
    forecourt.change_visit(
        connection, visit.id, state="captured", ended_by="captured", settled_at=sale.ended_at
    )
    balances.save_wallet(connection, wallet, done.wallet)
    balances.add_capture(
        connection, hold, sale.station, sale.sale_id, done.bonus_fen, done.principal_fen, now
    )
    balances.add_transfers(
        connection,
        done.transfers,
        starmap(new_id, [()] * len(done.transfers)),
        now,
        visit_id=visit.id,
        station=sale.station,
        sale_id=sale.sale_id,
    )
    if taken_fen < sale.amount_fen:
        _ask(connection, sale, "amount_above_hold", sale.amount_fen - taken_fen, visit, reasons, new_id, now)
    events.tell(
        connection,
        "captured",
        {
            "visit_id": visit.id,
            "account_id": visit.account_id,
            "station": sale.station,
            "sale_id": sale.sale_id,
            "amount_fen": sale.amount_fen,
            "captured_fen": taken_fen,
            "balance_fen": done.wallet.total_fen,
        },
        now,
    )
    return result


def _reasons(sale: Sale, hold_fen: int, taken_fen: int) -> tuple[Reason, ...]:
    if sale.amount_fen <= hold_fen:
        return ()
    above = (
        f"The sale of {format_yuan(sale.amount_fen)} yuan is above the hold of {format_yuan(hold_fen)} yuan"
    )
    if taken_fen == sale.amount_fen:
        return (Reason("hold_raised", f"{above}; the wallet covered it."),)
    missing = format_yuan(sale.amount_fen - taken_fen)
    return (Reason("amount_above_hold", f"{above}; {missing} yuan is missing."),)


def void(connection: Connection, visit: Visit, ended_by: str, settled_at: datetime, now: datetime) -> None:
    """Ends an open visit without money; its whole hold becomes available again."""
    wallet = balances.lock_wallet(connection, visit.account_id)
    hold = balances.hold_of(connection, visit.id)
    balances.close_hold(connection, hold, 0, now)
    balances.save_wallet(connection, wallet, release(wallet, hold.amount_fen))
    forecourt.change_visit(connection, visit.id, state="voided", ended_by=ended_by, settled_at=settled_at)
    events.tell(
        connection,
        "voided",
        {
            "visit_id": visit.id,
            "account_id": visit.account_id,
            "released_fen": hold.amount_fen,
            "end": ended_by,
        },
        now,
    )


def to_review(
    connection: Connection,
    sale: Sale,
    kind: str,
    why: Reason,
    visit: Visit | None,
    new_id: NewId,
    now: datetime,
) -> SaleResult:
    """Hands a waiting sale to a person; no money moves by itself any more."""
    if sale.amount_fen == 0:
        nothing = Reason("nothing_sold", "Nothing was sold and no visit is known; there is nothing to do.")
        return selling.settle_sale(connection, sale, "void", None, 0, (nothing,), now)
    _ask(connection, sale, kind, sale.amount_fen, visit, (why,), new_id, now)
    return selling.settle_sale(connection, sale, "review", None, 0, (why,), now)


def _ask(
    connection: Connection,
    sale: Sale,
    kind: str,
    amount_fen: int,
    visit: Visit | None,
    reasons: tuple[Reason, ...],
    new_id: NewId,
    now: datetime,
) -> None:
    item = Review(
        id=new_id(),
        kind=kind,
        state="open",
        subject=f"{sale.station}/{sale.sale_id}",
        station=sale.station,
        sighting_id=None,
        sale_id=sale.sale_id,
        visit_id=visit.id if visit else None,
        account_id=visit.account_id if visit else None,
        amount_fen=amount_fen,
        reasons=reasons,
        created_at=now,
        closed_at=None,
    )
    events.ask_for_review(connection, item)


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
    return Authorisation(True, visit.hold_fen, visit.id)


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
    result = find_and_settle(connection, sale, new_id, now)
    if result.state != "waiting":
        return result
    waited = timedelta(seconds=rules.sale_grace_s)
    why = Reason("sale_without_visit", f"No car was seen at pump {sale.pump} within {waited} of the sale.")
    return to_review(connection, sale, "sale_without_visit", why, None, new_id, now)
