"""The limits of one stay, looked up: what holds on arrival, what was guaranteed, what a sale may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from wallet.decide import Wanted
from wallet.facts import Reason, Sale, Vehicle, Visit
from wallet.limit_facts import LimitsRow, StationTariff, Used
from wallet.limits import Judgement, Terms, Within, judge, most_of, terms_of
from wallet.local_time import day_of
from wallet.money import format_yuan
from wallet.stays import entry_sale_id
from wallet.store import limits as rows

if TYPE_CHECKING:
    from wallet.objections import Case
    from wallet.rules import Rules

_ARRIVAL = "entry"


def too_new(case: Case) -> Sequence[Reason]:
    """Why a plate that was bound only now pays nothing by itself."""
    vehicle, cool_off_s = case.likely.vehicle, case.rules.cool_off_s
    until = vehicle.bound_at + timedelta(seconds=cool_off_s)
    if cool_off_s == 0 or min(case.sighting.first_seen_at, case.now) >= until:
        return ()
    return (
        Reason(
            "plate_too_new", f"{vehicle.plate} is bound since {vehicle.bound_at:%Y-%m-%d %H:%M} UTC only."
        ),
    )


def on_arrival(case: Case, overstayed: Sequence[Visit]) -> Terms:
    """What a new stay is under, and the price where it is fixed. The wallet is locked.

    overstayed: visits whose holds are about to be released; they do not count.
    """
    connection, sighting, vehicle = case.connection, case.sighting, case.likely.vehicle
    found = rows.newest(connection, vehicle.id, vehicle.account_id) if case.on_record.limits else []
    at = sighting.first_seen_at
    used = _used(connection, found, at, [visit.id for visit in overstayed])
    needs_prices = any(row.limits.tank_ml is not None for row in found)
    prices_fen = rows.prices_at(connection, sighting.station, at) if needs_prices else {}
    terms = terms_of(found, used, sighting.station, at, prices_fen, case.rules)
    tariff = _tariff(case, at)
    if tariff is None:
        return terms
    wanted = Wanted(terms.wanted.most_fen, tariff.amount_fen)
    return replace(terms, wanted=wanted, tariff=tariff, objections=_with_fee(terms, tariff))


def _with_fee(terms: Terms, tariff: StationTariff) -> tuple[Reason, ...]:
    if terms.most_fen is None or terms.most_fen >= tariff.amount_fen or terms.objections:
        return terms.objections
    fee, most = format_yuan(tariff.amount_fen), format_yuan(terms.most_fen)
    return (Reason("fee_above_limit", f"{tariff.what} costs {fee} yuan; the limits leave {most}."),)


def _tariff(case: Case, at: datetime) -> StationTariff | None:
    """The fixed price of this station: its own, or that of the rules."""
    found = rows.tariff_at(case.connection, case.sighting.station, at) if case.on_record.tariffs else None
    if found is None and case.rules.entry_fee_fen:
        found = StationTariff(
            "rules", case.sighting.station, _ARRIVAL, case.rules.entry_fee_fen, at, "rules", at
        )
    return found if found is not None and found.amount_fen else None


def _used(
    connection: Connection, found: Sequence[LimitsRow], at: datetime, without: Sequence[str]
) -> dict[str, Used]:
    used = {}
    for row in found:
        if row.limits.amount_per_day_fen is not None or row.limits.fills_per_day is not None:
            first, last = day_of(at, row.limits.zone)
            used[row.id] = rows.used_of(connection, row, first, last, without)
    return used


def judged(connection: Connection, sale: Sale, visit: Visit, rules: Rules) -> Judgement:
    """What of a sale may be taken by the limits its visit was opened under. The wallet is locked."""
    found = rows.guarantee_of(connection, visit.id)
    price_fen = rows.price_at(connection, sale.station, sale.grade, sale.started_at)
    judgement = judge(sale, found, price_fen, rules)
    is_within_hold = visit.state == "open" and sale.amount_fen <= visit.hold_fen
    if not isinstance(judgement, Within) or not found or is_within_hold:
        return judgement
    return _within_day(sale, judgement, most_of(found, _used(connection, found, visit.opened_at, [visit.id])))


def _within_day(sale: Sale, judgement: Within, most_fen: int | None) -> Within:
    if most_fen is None or most_fen >= sale.amount_fen:
        return judgement
    amount, most = format_yuan(sale.amount_fen), format_yuan(max(0, most_fen))
    why = Reason("amount_above_limit", f"Sold for {amount} yuan; the limits leave {most}.")
    least_fen = most_fen if judgement.most_fen is None else min(most_fen, judgement.most_fen)
    return Within(max(0, least_fen), (*judgement.reasons, why))


def judged_for(
    connection: Connection, sale: Sale, vehicle: Vehicle, without: Sequence[str], rules: Rules
) -> Judgement:
    """What of a sale may be taken from a vehicle that a person names for it. The wallet is locked.

    without: ids of visits whose holds do not count, because this sale would end them.
    """
    found = rows.newest(connection, vehicle.id, vehicle.account_id)
    price_fen = rows.price_at(connection, sale.station, sale.grade, sale.started_at)
    judgement = judge(sale, found, price_fen, rules)
    if not isinstance(judgement, Within) or not found:
        return judgement
    return _within_day(sale, judgement, most_of(found, _used(connection, found, sale.started_at, without)))


def entry_sale(visit: Visit, tariff: StationTariff) -> Sale:
    """What is sold to a visit on arrival: one piece at the fixed price."""
    return Sale(
        sale_id=entry_sale_id(visit.id),
        station=visit.station,
        pump=visit.pump or _ARRIVAL,
        grade=tariff.what,
        litres_ml=1_000,
        unit_price_fen=tariff.amount_fen,
        amount_fen=tariff.amount_fen,
        started_at=visit.opened_at,
        ended_at=visit.opened_at,
    )
