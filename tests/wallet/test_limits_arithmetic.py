"""Limits as arithmetic: what each field may be, to the last number, and what they leave of a fill."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from wallet.decide import Wanted
from wallet.errors import Invalid
from wallet.facts import Reason, Sale
from wallet.limit_facts import Limits, LimitsRow, Used
from wallet.limits import (
    Impossible,
    NotAllowed,
    Within,
    check_limits,
    dearest_fen,
    grades_of,
    judge,
    litres_of,
    most_of,
    tank_fen,
    terms_of,
)
from wallet.money import LARGEST_FEN, LARGEST_MILLILITRES
from wallet.rules import Rules

# 16:00 in Shanghai.
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HOURS = {"opens_minute": 0, "closes_minute": 1}


def _of_vehicle(number=1, **limits):
    return LimitsRow(f"row-{number}", number, "a", "v", Limits(**limits), "li", NOW)


def _of_account(number=2, **limits):
    return replace(_of_vehicle(number, **limits), vehicle_id=None)


def _names(number):
    return tuple(f"name-{one}" for one in range(number))


def _sale(litres_ml=20_000, unit_price_fen=800, grade="92"):
    return Sale(
        "s", "demo", "1", grade, litres_ml, unit_price_fen, litres_ml * unit_price_fen // 1_000, NOW, NOW
    )


# What each field may be -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "allowed",
    [
        {},
        {"grades": ("x" * 40,)},
        {"grades": ("E10/92",)},
        {"grades": _names(50)},
        {"stations": ("x" * 64,)},
        {"stations": _names(50)},
        *(
            {name: number}
            for name in ("litres_per_fill_ml", "tank_ml")
            for number in (1, LARGEST_MILLILITRES)
        ),
        *(
            {name: number}
            for name in ("amount_per_fill_fen", "amount_per_day_fen")
            for number in (1, LARGEST_FEN)
        ),
        {"fills_per_day": 1},
        {"fills_per_day": 1_000},
        HOURS,
        {"opens_minute": 1_439, "closes_minute": 1_440},
        {"opens_minute": 1_439, "closes_minute": 1},
        {"fuel": "petrol"},
        {"fuel": "diesel"},
        {"zone": "Europe/Berlin"},
    ],
)
def test_limits_may_be_as_small_and_as_large_as_this(allowed):
    check_limits(Limits(**allowed), of_vehicle=True)
    if not {"tank_ml", "fuel"} & set(allowed):
        check_limits(Limits(**allowed), of_vehicle=False)


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        ("grades", {"grades": ()}),
        ("grades", {"grades": _names(51)}),
        ("grades", {"grades": ("92", "95", "92")}),
        ("grades", {"grades": ("x" * 41,)}),
        ("grades", {"grades": ("92", " ")}),
        ("stations", {"stations": ()}),
        ("stations", {"stations": _names(51)}),
        ("stations", {"stations": ("a", "a")}),
        ("stations", {"stations": ("x" * 65,)}),
        ("stations", {"grades": ("92",), "stations": ("demo", "a/b")}),
        *(
            (name, {name: number})
            for name in ("litres_per_fill_ml", "tank_ml")
            for number in (0, LARGEST_MILLILITRES + 1, 1.5, True)
        ),
        *(
            (name, {name: number})
            for name in ("amount_per_fill_fen", "amount_per_day_fen")
            for number in (0, LARGEST_FEN + 1, 1.5, True)
        ),
        *(("fills_per_day", {"fills_per_day": number}) for number in (0, 1_001, 1.5, True)),
        ("opens_minute", {"opens_minute": 60}),
        ("opens_minute", {"closes_minute": 60}),
        *(("opens_minute", HOURS | {"opens_minute": number}) for number in (-1, 1_440, 1.5)),
        *(("closes_minute", HOURS | {"closes_minute": number}) for number in (0, 1_441, 1.5)),
        ("closes_minute", {"opens_minute": 60, "closes_minute": 60}),
        ("fuel", {"fuel": "steam"}),
        ("zone", {"zone": "Mars/Olympus"}),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_its_field(field, refused):
    with pytest.raises(Invalid) as error:
        check_limits(Limits(**refused), of_vehicle=True)
    assert error.value.what == field
    given = refused.get(field)
    assert error.value.given == repr(given) or isinstance(given, tuple)
    assert error.value.rule


def test_names_that_are_refused_together_are_told_together():
    with pytest.raises(Invalid) as refused:
        check_limits(Limits(stations=("north", "north")), of_vehicle=True)
    assert refused.value.given == "('north', 'north')"


@pytest.mark.parametrize(
    ("field", "of_a_car"), [("tank_ml", {"tank_ml": 50_000}), ("fuel", {"fuel": "petrol"})]
)
def test_an_account_has_neither_tank_nor_fuel(field, of_a_car):
    with pytest.raises(Invalid) as refused:
        check_limits(Limits(**of_a_car), of_vehicle=False)
    assert (refused.value.what, refused.value.given) == (field, repr(of_a_car[field]))


# What they leave a stay -------------------------------------------------------------------------------------


def _codes(*rows, used=None, station="demo", at=NOW):
    return [reason.code for reason in terms_of(rows, used or {}, station, at, {}, Rules()).objections]


def test_limits_that_say_nothing_leave_everything_to_the_rules():
    terms = terms_of([_of_vehicle(), _of_account()], {}, "demo", NOW, {}, Rules())
    assert (terms.rows, terms.most_fen, terms.wanted) == (
        (_of_vehicle(), _of_account()),
        None,
        Wanted(None),
    )
    assert (terms.objections, terms.tariff) == ((), None)


def test_each_of_the_limits_objects_for_itself_and_says_whose_it_is():
    closed = {"opens_minute": 0, "closes_minute": 60, "stations": ("north",)}
    rows = [_of_vehicle(**closed), _of_account(**closed)]
    found = terms_of(rows, {}, "demo", NOW, {}, Rules()).objections
    assert [reason.code for reason in found] == ["station_not_allowed", "outside_hours"] * 2
    assert ["the plate's" in reason.text for reason in found] == [True, True, False, False]
    assert ["the account's" in reason.text for reason in found] == [False, False, True, True]
    assert ["16:00 (Asia/Shanghai)" in reason.text for reason in found] == [False, True] * 2


def test_what_is_used_counts_for_its_own_limits_and_not_for_others():
    rows = [_of_vehicle(fills_per_day=2), _of_account(amount_per_day_fen=10_000)]
    assert _codes(*rows, used={"row-1": Used(10_000, 1), "row-2": Used(9_999, 2)}) == []
    assert _codes(*rows, used={"row-1": Used(0, 2), "row-2": Used(10_000, 0)}) == [
        "fills_used_up",
        "day_used_up",
    ]
    assert _codes(*rows, used={"row-1": Used(0, 3), "row-2": Used(0, 0)}) == ["fills_used_up"]
    (why,) = terms_of(rows[1:], {"row-2": Used(10_000, 1)}, "demo", NOW, {}, Rules()).objections
    assert "100.00 yuan a day" in why.text


def test_a_day_that_is_overdrawn_leaves_nothing_and_holds_nothing():
    """A person may have charged more than the owner allows."""
    rows = [_of_vehicle(amount_per_day_fen=10_000)]
    terms = terms_of(rows, {"row-1": Used(10_500, 1)}, "demo", NOW, {}, Rules())
    assert (terms.most_fen, terms.wanted) == (-500, Wanted(0))
    terms = terms_of(rows, {"row-1": Used(9_999, 1)}, "demo", NOW, {}, Rules())
    assert (terms.most_fen, terms.wanted, terms.objections) == (1, Wanted(1), ())


def test_the_least_of_amounts_and_tanks_is_held():
    amount = _of_account(amount_per_fill_fen=10_000)
    for tank_ml, held_fen in ((5_000, 6_000), (50_000, 10_000)):
        terms = terms_of([_of_vehicle(tank_ml=tank_ml), amount], {}, "demo", NOW, {"92": 1_000}, Rules())
        assert (terms.most_fen, terms.wanted) == (10_000, Wanted(held_fen))


def test_the_least_amount_of_all_limits_counts():
    rows = [_of_vehicle(amount_per_fill_fen=300, amount_per_day_fen=500), _of_account(amount_per_day_fen=900)]
    assert most_of(rows, {"row-1": Used(100, 1), "row-2": Used(0, 0)}) == 300
    assert most_of(rows, {"row-1": Used(250, 1), "row-2": Used(0, 0)}) == 250
    assert most_of(rows, {"row-1": Used(0, 0), "row-2": Used(700, 1)}) == 200
    assert most_of([_of_vehicle()], {}) is None


def test_the_fewest_litres_and_only_the_common_grades_count():
    rows = [
        _of_vehicle(litres_per_fill_ml=30_000, grades=("98", "95", "92")),
        _of_account(litres_per_fill_ml=20_000, grades=("92", "0", "98")),
        _of_account(3),
    ]
    assert (litres_of(rows), grades_of(rows)) == (20_000, ("92", "98"))
    assert (litres_of(rows[2:]), grades_of(rows[2:])) == (None, None)
    assert grades_of([*rows, _of_account(4, grades=("95",))]) == ()


def test_the_dearest_price_is_of_what_may_be_sold_and_known():
    prices = {"92": 800, "95": 850, "98": 950}
    assert dearest_fen([_of_vehicle()], prices, Rules()) == 950
    assert dearest_fen([_of_vehicle(grades=("92", "95"))], prices, Rules()) == 850
    assert dearest_fen([_of_vehicle(grades=("0",))], prices, Rules()) == Rules().usual_price_fen
    assert dearest_fen([_of_vehicle()], {}, Rules(usual_price_fen=777)) == 777


@pytest.mark.parametrize(
    ("tank_ml", "price_fen", "held_fen"),
    [(1, 1, 1), (1_000, 1, 2), (10_000, 800, 9_600), (10_000, 801, 9_612)],
)
def test_a_full_tank_is_held_with_the_margin_and_never_nothing(tank_ml, price_fen, held_fen):
    assert tank_fen(tank_ml, price_fen, Rules()) == held_fen
    assert tank_fen(tank_ml, price_fen, Rules(tank_margin_ppm=1_000_000)) == max(
        1, tank_ml * price_fen // 1_000
    )


# What of a sale may be taken --------------------------------------------------------------------------------


def test_nothing_limits_a_sale_within_its_limits_to_the_last_drop_and_fen():
    row = _of_vehicle(grades=("92",), litres_per_fill_ml=20_000, tank_ml=50_000, fuel="petrol")
    assert judge(_sale(), [row], 800, Rules()) == Within(None, ())
    assert judge(_sale(), [], None, Rules()) == Within(None, ())


def test_litres_and_price_above_the_limits_are_both_cut_and_both_said():
    row = _of_vehicle(litres_per_fill_ml=10_000)
    found = judge(_sale(), [row], 700, Rules())
    assert isinstance(found, Within)
    assert (found.most_fen, [reason.code for reason in found.reasons]) == (
        7_000,
        ["litres_above_limit", "price_above_published"],
    )
    assert "20.000 litres were sold; 10.000 are allowed" in found.reasons[0].text
    assert "Sold at 8.00 yuan" in found.reasons[1].text
    assert "the price then was 7.00" in found.reasons[1].text
    assert judge(_sale(), [row], None, Rules()).most_fen == 8_000
    assert judge(_sale(), [], 700, Rules()).most_fen == 14_000


def test_a_grade_that_is_not_allowed_is_told_with_those_that_are():
    rows = [_of_vehicle(grades=("95", "98"))]
    found = judge(_sale(), rows, None, Rules())
    assert found == NotAllowed(Reason("grade_not_allowed", "92 was sold; allowed: 95, 98."))
    found = judge(_sale(), [*rows, _of_account(grades=("0",))], None, Rules())
    assert found == NotAllowed(Reason("grade_not_allowed", "92 was sold; allowed: none."))


@pytest.mark.parametrize(
    ("litres_ml", "grade", "code"),
    [
        (60_000, "92", None),
        (60_001, "92", "litres_impossible"),
        (20_000, "0", "fuel_impossible"),
        (20_000, "-35", "fuel_impossible"),
        (20_000, "house special", None),
    ],
)
def test_what_the_car_cannot_have_taken_was_another_car(litres_ml, grade, code):
    rows = [_of_account(), _of_vehicle(tank_ml=50_000, fuel="petrol")]
    found = judge(_sale(litres_ml, grade=grade), rows, None, Rules())
    assert (found.why.code if isinstance(found, Impossible) else None) == code


def test_what_is_impossible_is_said_before_what_is_not_allowed():
    row = _of_vehicle(tank_ml=10_000, grades=("98",), litres_per_fill_ml=5_000)
    assert isinstance(judge(_sale(), [row], None, Rules()), Impossible)


def test_hours_are_those_of_the_clock_in_the_limits_own_zone():
    row = _of_vehicle(opens_minute=8 * 60, closes_minute=8 * 60 + 1, zone="UTC")
    assert _codes(row) == []
    assert _codes(row, at=NOW + timedelta(minutes=1)) == ["outside_hours"]
    assert _codes(replace(row, limits=Limits(**asdict(row.limits) | {"zone": "Asia/Shanghai"}))) == [
        "outside_hours"
    ]
