"""What an owner allows, as arithmetic: which limits forbid a stay, what they leave of a hold, what of a sale.

Pure: works on the limits that held on arrival and on what is used of their day. No database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wallet.decide import Wanted
from wallet.errors import InvalidFact
from wallet.facts import Reason, Sale
from wallet.grades import fuel_of
from wallet.limit_facts import FUELS, Limits, LimitsRow, StationTariff, Used
from wallet.local_time import clock_of, is_within, minute_of, zone_named
from wallet.money import LARGEST_MILLILITRES, fen, format_litres, format_yuan, price_of, share_up
from wallet.rules import Rules
from wallet.wording import check_name, check_text, check_whole

_MOST_NAMES = 50
_MINUTES = 1440


def check_limits(limits: Limits, *, of_vehicle: bool) -> None:
    """Raises InvalidFact or InvalidAmount where limits make no sense."""
    _check_names(limits)
    for what, litres_ml in (("litres_per_fill_ml", limits.litres_per_fill_ml), ("tank_ml", limits.tank_ml)):
        if litres_ml is not None:
            check_whole(what, litres_ml, 1, LARGEST_MILLILITRES)
    for what, amount in (
        ("amount_per_fill_fen", limits.amount_per_fill_fen),
        ("amount_per_day_fen", limits.amount_per_day_fen),
    ):
        if amount is not None:
            fen(amount, least=1, what=what)
    if limits.fills_per_day is not None:
        check_whole("fills_per_day", limits.fills_per_day, 1, 1_000)
    _check_hours(limits)
    if limits.fuel is not None and limits.fuel not in FUELS:
        raise InvalidFact("fuel", repr(limits.fuel), f"must be one of {', '.join(FUELS)}")
    for what, of_a_car in (("tank_ml", limits.tank_ml), ("fuel", limits.fuel)):
        if not of_vehicle and of_a_car is not None:
            raise InvalidFact(what, repr(of_a_car), "belongs to a vehicle, not to an account")
    zone_named(limits.zone)


def _check_names(limits: Limits) -> None:
    for what, names in (("grades", limits.grades), ("stations", limits.stations)):
        if names is None:
            continue
        if not 0 < len(names) <= _MOST_NAMES or len(set(names)) != len(names):
            raise InvalidFact(what, repr(names), f"must be 1 to {_MOST_NAMES} different names, or left out")
        for name in names:
            check_text(what, name, 40) if what == "grades" else check_name(what, name)


def _check_hours(limits: Limits) -> None:
    opens, closes = limits.opens_minute, limits.closes_minute
    if (opens is None) != (closes is None):
        raise InvalidFact("opens_minute", repr(opens), "and closes_minute must both be given, or neither")
    if opens is None or closes is None:
        return
    check_whole("opens_minute", opens, 0, _MINUTES - 1)
    check_whole("closes_minute", closes, 1, _MINUTES)
    if opens == closes:
        raise InvalidFact("closes_minute", str(closes), "must differ from opens_minute")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the limits of a vehicle and its account leave a stay.

    most_fen: what may be taken at most, None where nothing is said. wanted: what should be held.
    tariff: the fixed price that is charged at once, if there is one.
    """

    rows: tuple[LimitsRow, ...]
    most_fen: int | None
    wanted: Wanted
    objections: tuple[Reason, ...] = field(default=())
    tariff: StationTariff | None = None


def terms_of(
    rows: Sequence[LimitsRow],
    used: Mapping[str, Used],
    station: str,
    at: datetime,
    prices_fen: Mapping[str, int],
    rules: Rules,
) -> Terms:
    """What these limits leave a stay that begins at `at`.

    used: by the id of limits that speak of a day, what is used of it. prices_fen: of the grades whose price
    is known at the station.
    """
    reasons: list[Reason] = []
    for row in rows:
        reasons += _objections(row, used.get(row.id), station, at)
    most_fen = most_of(rows, used)
    held = [] if most_fen is None else [max(0, most_fen)]
    held += [
        tank_fen(row.limits.tank_ml, dearest_fen(rows, prices_fen, rules), rules)
        for row in rows
        if row.limits.tank_ml is not None
    ]
    return Terms(tuple(rows), most_fen, Wanted(min(held, default=None)), tuple(reasons))


def most_of(rows: Sequence[LimitsRow], used: Mapping[str, Used]) -> int | None:
    """What a fill may cost at most by the amounts of these limits; None where they name none."""
    found = []
    for row in rows:
        if row.limits.amount_per_fill_fen is not None:
            found.append(row.limits.amount_per_fill_fen)
        if row.limits.amount_per_day_fen is not None:
            found.append(row.limits.amount_per_day_fen - used[row.id].amount_fen)
    return min(found, default=None)


def litres_of(rows: Sequence[LimitsRow]) -> int | None:
    """How many millilitres a fill may have by these limits; None where they name none."""
    said = (row.limits.litres_per_fill_ml for row in rows)
    return min((litres_ml for litres_ml in said if litres_ml is not None), default=None)


def grades_of(rows: Sequence[LimitsRow]) -> tuple[str, ...] | None:
    """The grades all of these limits allow, in order; None where they name none."""
    said = [row.limits.grades for row in rows if row.limits.grades is not None]
    if not said:
        return None
    return tuple(sorted(set(said[0]).intersection(*said[1:])))


def dearest_fen(rows: Sequence[LimitsRow], prices_fen: Mapping[str, int], rules: Rules) -> int:
    """Price a litre of the dearest grade that may be sold and has a known price; else the stated default."""
    grades = grades_of(rows)
    known = [price for grade, price in prices_fen.items() if grades is None or grade in grades]
    return max(known, default=rules.usual_price_fen)


def tank_fen(tank_ml: int, unit_price_fen: int, rules: Rules) -> int:
    """What a full tank costs, with the margin of the rules on top."""
    return max(1, share_up(price_of(tank_ml, unit_price_fen), rules.tank_margin_ppm))


def _objections(row: LimitsRow, used: Used | None, station: str, at: datetime) -> list[Reason]:
    limits, whose = row.limits, "the plate's" if row.vehicle_id else "the account's"
    found = []
    if limits.stations is not None and station not in limits.stations:
        found.append(
            Reason("station_not_allowed", f"Station {station} is not among {whose} allowed stations.")
        )
    if limits.opens_minute is not None and limits.closes_minute is not None:
        minute = minute_of(at, limits.zone)
        if not is_within(minute, limits.opens_minute, limits.closes_minute):
            clock = clock_of(at, limits.zone)
            found.append(Reason("outside_hours", f"{clock} ({limits.zone}) is outside {whose} hours."))
    if used is None:
        return found
    if limits.fills_per_day is not None and used.fills >= limits.fills_per_day:
        found.append(Reason("fills_used_up", f"{used.fills} fills of the day are {whose} limit."))
    if limits.amount_per_day_fen is not None and used.amount_fen >= limits.amount_per_day_fen:
        most = format_yuan(limits.amount_per_day_fen)
        found.append(Reason("day_used_up", f"Of {whose} {most} yuan a day nothing is left."))
    return found


# A sale held against what was guaranteed --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Within:
    """At most this may be taken for the sale; None: nothing limits it. reasons: why not all of it."""

    most_fen: int | None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The owner does not allow this grade: nothing is taken."""

    why: Reason


@dataclass(frozen=True, slots=True)
class Impossible:
    """The vehicle of this plate cannot have taken this: it was another car."""

    why: Reason


Judgement = Within | NotAllowed | Impossible


def judge(sale: Sale, rows: Sequence[LimitsRow], price_fen: int | None, rules: Rules) -> Judgement:
    """What of a sale may be taken by what the limits on arrival say of grade, litres and price.

    price_fen: of this grade at this station when the sale began, where it is known.
    """
    for row in rows:
        if (impossible := _impossible(sale, row.limits, rules)) is not None:
            return Impossible(impossible)
    grades = grades_of(rows)
    if grades is not None and sale.grade not in grades:
        allowed = ", ".join(grades) or "none"
        return NotAllowed(Reason("grade_not_allowed", f"{sale.grade} was sold; allowed: {allowed}."))
    litres_ml, unit_fen, reasons = sale.litres_ml, sale.unit_price_fen, []
    most_ml = litres_of(rows)
    if most_ml is not None and litres_ml > most_ml:
        text = f"{format_litres(litres_ml)} litres were sold; {format_litres(most_ml)} are allowed a fill."
        reasons.append(Reason("litres_above_limit", text))
        litres_ml = most_ml
    if price_fen is not None and unit_fen > price_fen:
        text = f"Sold at {format_yuan(unit_fen)} yuan a litre; the price then was {format_yuan(price_fen)}."
        reasons.append(Reason("price_above_published", text))
        unit_fen = price_fen
    return Within(price_of(litres_ml, unit_fen), tuple(reasons)) if reasons else Within(None)


def _impossible(sale: Sale, limits: Limits, rules: Rules) -> Reason | None:
    fuel = fuel_of(sale.grade)
    if limits.fuel is not None and fuel is not None and fuel != limits.fuel:
        return Reason("fuel_impossible", f"{sale.grade} is {fuel}; the vehicle takes {limits.fuel}.")
    if limits.tank_ml is not None and sale.litres_ml > share_up(limits.tank_ml, rules.tank_margin_ppm):
        sold, tank = format_litres(sale.litres_ml), format_litres(limits.tank_ml)
        return Reason("litres_impossible", f"{sold} litres do not go into a tank of {tank}.")
    return None
