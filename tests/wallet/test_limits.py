"""What an owner allows, each limit at its edge, one after the other and at once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wallet.errors import AccountUnknown, InvalidAmount, InvalidFact, KeyReused, VehicleUnknown
from wallet.limit_facts import Limits
from wallet.local_time import day_of, is_within, minute_of
from wallet.rules import Rules
from wallet.service import open_wallet

PLATE = "粤B12345"


@pytest.fixture
def limited(wallet, forecourt):
    """Makes a customer with limits; gives the account."""
    numbers = iter(range(100))

    def make(plate=PLATE, money_fen=200_000, of_account=None, **limits):
        account_id = forecourt.customer(plate, money_fen)
        by = {"actor": "li", "now": forecourt.at(0)}
        wallet.limits.set_limits(account_id, plate, Limits(**limits), key=f"l{next(numbers)}", **by)
        if of_account:
            wallet.limits.set_limits(account_id, None, of_account, key=f"l{next(numbers)}", **by)
        return account_id

    return make


def _codes(arrival):
    return [reason.code for reason in arrival.match.reasons]


# On arrival -------------------------------------------------------------------------------------------------


def test_a_plate_without_limits_is_held_as_ever_and_its_pump_is_told_none(wallet, forecourt):
    forecourt.customer(PLATE)
    assert forecourt.arrive(PLATE).hold_fen == 40_000
    told = wallet.authorise("demo", "1", forecourt.at(5))
    assert (told.limit_fen, told.litres_ml, told.grades) == (40_000, None, None)


@pytest.mark.parametrize("most_fen", [1, 3_000, 39_999])
def test_the_amount_of_a_fill_is_the_hold_however_small(wallet, forecourt, limited, most_fen):
    limited(amount_per_fill_fen=most_fen)
    assert forecourt.arrive(PLATE).hold_fen == most_fen
    assert wallet.authorise("demo", "1", forecourt.at(5)).limit_fen == most_fen


def test_an_amount_above_the_usual_hold_does_not_raise_it(forecourt, limited):
    limited(amount_per_fill_fen=60_000)
    assert forecourt.arrive(PLATE).hold_fen == 40_000


@pytest.mark.parametrize(
    ("minutes", "codes"), [(-1, ["outside_hours"]), (0, ["sure"]), (59, ["sure"]), (60, ["outside_hours"])]
)
def test_hours_are_those_of_the_stated_zone_to_the_minute(forecourt, limited, minutes, codes):
    # The test's day begins at 08:00 UTC, 16:00 in Shanghai.
    limited(opens_minute=16 * 60 - minutes, closes_minute=17 * 60 - minutes)
    assert _codes(forecourt.arrive(PLATE)) == codes


def test_hours_may_go_over_midnight(forecourt, limited):
    limited(opens_minute=15 * 60, closes_minute=60)
    assert _codes(forecourt.arrive(PLATE)) == ["sure"]
    assert [is_within(minute, 900, 60) for minute in (899, 900, 1_439, 0, 59, 60)] == [False] + [True] * 4 + [
        False
    ]


def test_another_station_than_the_allowed_moves_nothing(wallet, forecourt, limited):
    account_id = limited(stations=("north", "south"))
    assert _codes(forecourt.arrive(PLATE)) == ["station_not_allowed"]
    forecourt.station = "south"
    assert _codes(forecourt.arrive(PLATE)) == ["sure"]
    assert wallet.balance(account_id).held_fen == 40_000


def test_the_day_begins_at_midnight_of_the_stated_zone(forecourt, limited):
    limited(fills_per_day=1)
    forecourt.arrive(PLATE)
    forecourt.sell(10_000)
    # 23:59:59 in Shanghai, then midnight.
    assert _codes(forecourt.arrive(PLATE, seconds=8 * 3_600 - 1)) == ["fills_used_up"]
    assert _codes(forecourt.arrive(PLATE, seconds=8 * 3_600)) == ["sure"]


def test_what_is_left_of_the_day_is_held_and_then_nothing(wallet, forecourt, limited):
    limited(amount_per_day_fen=30_000)
    assert forecourt.arrive(PLATE).hold_fen == 30_000
    forecourt.sell(20_000)
    assert forecourt.arrive(PLATE, seconds=1_000).hold_fen == 10_000
    forecourt.sell(10_000, started=1_030)
    assert _codes(forecourt.arrive(PLATE, seconds=2_000)) == ["day_used_up"]


def test_a_hold_counts_until_it_is_released(wallet, forecourt, limited):
    limited(amount_per_day_fen=30_000, fills_per_day=1)
    forecourt.arrive(PLATE, sighting_id="s1")
    forecourt.station = "other"
    assert _codes(forecourt.arrive(PLATE, seconds=60)) == ["fills_used_up", "day_used_up"]
    forecourt.station = "demo"
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    wallet.sweep(forecourt.at(500))
    assert _codes(forecourt.arrive(PLATE, seconds=600)) == ["sure"]


def test_the_hold_of_an_overstay_does_not_use_up_the_day(forecourt, limited):
    limited(fills_per_day=1)
    forecourt.arrive(PLATE)
    assert _codes(forecourt.arrive(PLATE, seconds=7_300)) == ["sure"]


def test_what_was_given_back_is_free_again(wallet, forecourt, limited):
    limited(amount_per_day_fen=30_000, fills_per_day=1)
    visit = forecourt.arrive(PLATE).visit
    forecourt.sell(30_000)
    wallet.commands.refund(
        30_000, "wrong fuel", visit_id=visit.id, key="r", actor="li", now=forecourt.at(200)
    )
    assert forecourt.arrive(PLATE, seconds=1_000).hold_fen == 30_000


def test_the_accounts_limits_hold_for_all_its_plates_together(wallet, forecourt, limited):
    account_id = limited(of_account=Limits(amount_per_day_fen=50_000))
    wallet.bind_vehicle(account_id, "粤B54321", "blue", "second", forecourt.at(0))
    assert forecourt.arrive(PLATE, pump="1").hold_fen == 40_000
    assert forecourt.arrive("粤B54321", pump="2").hold_fen == 10_000


def test_two_fills_at_once_do_not_both_take_the_days_last_yuan(wallet, forecourt, limited):
    account_id = limited(money_fen=500_000, of_account=Limits(amount_per_day_fen=50_000, fills_per_day=3))
    plates = [f"粤B5432{n}" for n in range(6)]
    for plate in plates:
        wallet.bind_vehicle(account_id, plate, "blue", plate, forecourt.at(0))
    arrivals = []

    def arrive(number, plate):
        arrivals.append(forecourt.arrive(plate, pump=str(number), sighting_id=plate))

    threads = [threading.Thread(target=arrive, args=given) for given in enumerate(plates)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.hold_fen for one in arrivals) == [0, 0, 0, 0, 10_000, 40_000]
    assert wallet.balance(account_id).held_fen == 50_000


def test_limits_changed_during_a_stay_hold_from_the_next_one(wallet, forecourt, limited):
    account_id = limited(amount_per_fill_fen=20_000)
    forecourt.arrive(PLATE)
    tighter = Limits(amount_per_fill_fen=5_000, grades=("95",))
    wallet.limits.set_limits(account_id, PLATE, tighter, key="again", actor="li", now=forecourt.at(10))
    assert wallet.authorise("demo", "1", forecourt.at(20)).grades is None
    assert forecourt.sell(20_000).captured_fen == 20_000
    assert forecourt.arrive(PLATE, seconds=1_000).hold_fen == 5_000


# The hold by the tank ---------------------------------------------------------------------------------------


def test_a_tank_is_held_at_the_dearest_known_price_that_may_be_sold(wallet, forecourt, limited):
    limited(tank_ml=20_000, grades=("92", "95"))
    for grade, price_fen in (("92", 700), ("95", 800), ("98", 900)):
        wallet.limits.set_price(
            "demo", grade, price_fen, forecourt.at(-100), key=grade, actor="li", now=forecourt.at(0)
        )
    assert forecourt.arrive(PLATE).hold_fen == 20 * 800 * 12 // 10


def test_a_price_counts_from_its_moment_on(wallet, forecourt, limited):
    limited(tank_ml=10_000)
    for moment, price_fen in ((-100, 700), (50, 900)):
        wallet.limits.set_price(
            "demo", "92", price_fen, forecourt.at(moment), key=str(moment), actor="li", now=forecourt.at(-100)
        )
    assert forecourt.arrive(PLATE, seconds=49).hold_fen == 8_400
    forecourt.sell(0, started=49, ended=50)
    assert forecourt.arrive(PLATE, seconds=5_000).hold_fen == 10_800


def test_without_a_known_price_a_tank_is_held_at_the_usual_one(forecourt, limited):
    limited(tank_ml=10_000)
    assert forecourt.arrive(PLATE).hold_fen == 10 * Rules().usual_price_fen * 12 // 10


# The sale ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sold_fen", "taken_fen", "kinds"), [(20_000, 20_000, []), (20_001, 20_000, ["outside_limits"])]
)
def test_litres_above_the_limit_are_for_a_person(wallet, forecourt, limited, sold_fen, taken_fen, kinds):
    limited(litres_per_fill_ml=20_000)
    forecourt.arrive(PLATE)
    assert wallet.authorise("demo", "1", forecourt.at(5)).litres_ml == 20_000
    result = forecourt.sell(sold_fen)
    assert (result.state, result.captured_fen) == ("captured", taken_fen)
    assert [item.kind for item in wallet.reviews()] == kinds


def test_a_grade_that_is_not_allowed_is_for_a_person_whole(wallet, forecourt, limited):
    account_id = limited(grades=("95", "98"))
    visit = forecourt.arrive(PLATE).visit
    assert wallet.authorise("demo", "1", forecourt.at(5)).grades == ("95", "98")
    result = forecourt.sell(20_000)
    assert (result.state, [reason.code for reason in result.reasons]) == ("review", ["grade_not_allowed"])
    assert forecourt.total_fen(account_id) == 200_000
    assert [(item.kind, item.visit_id) for item in wallet.reviews()] == [("outside_limits", visit.id)]


def test_a_nozzle_hung_up_again_is_nothing_whatever_the_limits_say(wallet, forecourt, limited):
    limited(grades=("95", "98"))
    visit = forecourt.arrive(PLATE).visit
    result = forecourt.sell(0)
    assert (result.state, result.visit_id, wallet.reviews()) == ("void", visit.id, [])
    limited("粤B54321", grades=("95", "98"))
    forecourt.arrive("粤B54321", seconds=1_000)
    assert forecourt.sell(1, started=1_030).state == "review"


def test_a_sale_above_the_amount_takes_what_is_left_of_it_and_no_more(wallet, forecourt, limited):
    account_id = limited(amount_per_fill_fen=20_000)
    forecourt.arrive(PLATE)
    result = forecourt.sell(25_000)
    assert (result.captured_fen, [reason.code for reason in result.reasons]) == (
        20_000,
        ["amount_above_limit"],
    )
    assert forecourt.total_fen(account_id) == 180_000
    assert [(item.kind, item.amount_fen) for item in wallet.reviews()] == [("outside_limits", 5_000)]


def test_a_hold_is_raised_within_the_day_only(wallet, forecourt, limited):
    limited(amount_per_day_fen=45_000)
    forecourt.arrive(PLATE)
    assert forecourt.sell(45_001).captured_fen == 45_000


def test_a_higher_price_than_the_published_one_is_not_paid(wallet, forecourt, limited):
    limited(grades=("92",))
    wallet.limits.set_price("demo", "92", 900, forecourt.at(0), key="1", actor="li", now=forecourt.at(0))
    # It changes while the nozzle runs: the price at the beginning counts.
    wallet.limits.set_price("demo", "92", 1_000, forecourt.at(40), key="2", actor="li", now=forecourt.at(0))
    forecourt.arrive(PLATE)
    result = forecourt.sell(20_000, started=30)
    assert (result.captured_fen, result.reasons[0].code) == (18_000, "price_above_published")
    forecourt.arrive(PLATE, seconds=1_000)
    assert forecourt.sell(20_000, started=1_030).captured_fen == 20_000


# Cooling off ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "codes"), [(86_399, ["plate_too_new"]), (86_400, ["sure"])])
def test_a_new_plate_pays_nothing_by_itself_until_it_has_cooled(
    engine, database_url, forecourt, seconds, codes
):
    forecourt.wallet = open_wallet(database_url, Rules(cool_off_s=86_400), engine=engine)
    account_id = forecourt.customer(PLATE)
    assert _codes(forecourt.arrive(PLATE, seconds=seconds)) == codes
    assert forecourt.wallet.balance(account_id).held_fen == (40_000 if codes == ["sure"] else 0)


# Changing limits --------------------------------------------------------------------------------------------


def test_changes_are_kept_with_who_and_when(wallet, forecourt, limited):
    account_id = limited(fills_per_day=1)
    wallet.limits.set_limits(
        account_id, PLATE, Limits(fills_per_day=2), key="b", actor="wang", now=forecourt.at(9)
    )
    rows = wallet.limits.limits_of(account_id, PLATE)
    assert {row.vehicle_id for row in rows} == {vehicle.id for vehicle in wallet.vehicles(account_id)}
    assert [(row.number, row.limits.fills_per_day, row.actor, row.recorded_at) for row in rows] == [
        (2, 2, "wang", forecourt.at(9)),
        (1, 1, "li", forecourt.at(0)),
    ]
    assert wallet.limits.limits_of(account_id, None) == []


def test_the_same_change_again_is_one_change_and_another_body_is_refused(wallet, forecourt):
    account_id = forecourt.customer(PLATE)
    by = {"key": "k", "actor": "li", "now": forecourt.at(0)}
    first = wallet.limits.set_limits(account_id, PLATE, Limits(fills_per_day=1), **by)
    assert (first.account_id, first.number) == (account_id, 1)
    assert [first.vehicle_id] == [vehicle.id for vehicle in wallet.vehicles(account_id)]
    assert wallet.limits.set_limits(account_id, PLATE, Limits(fills_per_day=1), **by) == first
    with pytest.raises(KeyReused):
        wallet.limits.set_limits(account_id, PLATE, Limits(fills_per_day=2), **by)


@pytest.mark.parametrize(
    "changes",
    [
        {"grades": ()},
        {"grades": ("92", "92")},
        {"stations": ("a/b",)},
        {"litres_per_fill_ml": 0},
        {"fills_per_day": 0},
        {"amount_per_day_fen": 0},
        {"opens_minute": 60},
        {"opens_minute": 60, "closes_minute": 60},
        {"opens_minute": 0, "closes_minute": 1_441},
        {"zone": "Mars/Olympus"},
        {"zone": "../secret"},
        {"fuel": "steam"},
        {"tank_ml": -1},
    ],
)
def test_limits_that_make_no_sense_are_refused(wallet, forecourt, changes):
    account_id = forecourt.customer(PLATE)
    with pytest.raises((InvalidFact, InvalidAmount)):
        wallet.limits.set_limits(
            account_id, PLATE, Limits(**changes), key="k", actor="li", now=forecourt.at(0)
        )


def test_limits_belong_to_an_account_and_a_plate_of_it(wallet, forecourt):
    account_id, other_id = forecourt.customer(PLATE), forecourt.customer("粤B99999")
    by = {"key": "k", "actor": "li", "now": forecourt.at(0)}
    with pytest.raises(VehicleUnknown):
        wallet.limits.set_limits(other_id, PLATE, Limits(), **by)
    with pytest.raises(AccountUnknown):
        wallet.limits.set_limits("nobody", None, Limits(), **by)
    with pytest.raises(InvalidFact):
        wallet.limits.set_limits(account_id, None, Limits(tank_ml=1), **by)


def test_a_local_day_with_a_change_of_the_clock_has_its_own_length():
    first, last = day_of(datetime(2026, 3, 29, 12, tzinfo=UTC), "Europe/Berlin")
    assert (last - first).total_seconds() == 23 * 3_600
    assert minute_of(first, "Europe/Berlin") == 0


# A fixed price on arrival -----------------------------------------------------------------------------------


def _wash(wallet, forecourt, amount_fen=3_500, moment=0):
    wallet.limits.set_tariff(
        "demo", "wash", amount_fen, forecourt.at(moment), key=f"t{moment}", actor="li", now=forecourt.at(0)
    )


def test_a_fixed_price_is_taken_on_arrival_once_a_visit(wallet, forecourt):
    account_id = forecourt.customer(PLATE)
    _wash(wallet, forecourt)
    first = forecourt.arrive(PLATE, sighting_id="s1")
    assert (first.visit.state, first.visit.captured_fen, first.hold_fen) == ("captured", 3_500, 3_500)
    assert forecourt.arrive(PLATE, sighting_id="s1").repeated
    for seconds in (60, 700, 7_000):
        assert forecourt.arrive(PLATE, seconds=seconds).match.joined
    assert forecourt.total_fen(account_id) == 96_500
    wallet.depart("s1", forecourt.at(7_001), forecourt.at(7_001))
    assert wallet.sale("demo", first.visit.sale_id)[1].captured_fen == 3_500


def test_a_fixed_price_is_taken_again_on_the_next_visit(wallet, forecourt):
    account_id = forecourt.customer(PLATE)
    _wash(wallet, forecourt)
    forecourt.arrive(PLATE, sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    assert not forecourt.arrive(PLATE, seconds=161).match.joined
    assert forecourt.total_fen(account_id) == 93_000


@pytest.mark.parametrize(("money_fen", "outcome"), [(3_499, "review"), (3_500, "auto")])
def test_a_fixed_price_is_taken_whole_or_not_at_all(wallet, forecourt, money_fen, outcome):
    account_id = forecourt.customer(PLATE, money_fen)
    _wash(wallet, forecourt)
    assert forecourt.arrive(PLATE).match.outcome == outcome
    assert forecourt.total_fen(account_id) == (0 if outcome == "auto" else money_fen)


def test_a_tariff_ends_with_one_of_nothing(wallet, forecourt):
    forecourt.customer(PLATE)
    _wash(wallet, forecourt)
    _wash(wallet, forecourt, 0, moment=500)
    assert forecourt.arrive(PLATE, seconds=600).visit.state == "open"


def test_a_fixed_price_above_the_limits_moves_nothing(wallet, forecourt, limited):
    limited(amount_per_fill_fen=3_499)
    _wash(wallet, forecourt)
    assert _codes(forecourt.arrive(PLATE)) == ["fee_above_limit"]


def test_the_rules_may_name_the_price_of_every_station(engine, database_url, forecourt):
    forecourt.wallet = open_wallet(database_url, Rules(entry_fee_fen=500), engine=engine)
    forecourt.customer(PLATE)
    assert forecourt.arrive(PLATE).visit.captured_fen == 500


# A sale that comes after the hold has expired ---------------------------------------------------------------


def test_a_pump_that_finishes_after_the_hold_expired_is_paid_from_what_it_guaranteed(wallet, forecourt):
    account_id = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    wallet.sweep(forecourt.at(7_300))
    sale = forecourt.sale(20_000, started=7_100, ended=7_350)
    result = wallet.record_sale(sale, forecourt.at(9_000))
    assert (result.state, result.captured_fen, result.reasons[0].code) == ("captured", 20_000, "hold_expired")
    assert wallet.record_sale(sale, forecourt.at(9_001)) == replace(result, repeated=True)
    assert wallet.visit(visit.id).state == "captured"
    assert forecourt.total_fen(account_id) == 80_000
    assert wallet.balance_at(account_id, forecourt.at(8_000)).available_fen == 100_000


def test_a_late_sale_takes_no_more_than_was_guaranteed_and_never_overdraws(wallet, forecourt):
    account_id = forecourt.customer(PLATE, 100_000)
    forecourt.arrive(PLATE, sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    wallet.sweep(forecourt.at(500))
    result = forecourt.sell(50_000, started=90, ended=600)
    assert (result.captured_fen, forecourt.total_fen(account_id)) == (40_000, 60_000)
    wallet.commands.charge(account_id, "demo", 55_000, "wash", key="c", actor="li", now=forecourt.at(700))
    forecourt.arrive(PLATE, seconds=1_000, sighting_id="s2")
    wallet.depart("s2", forecourt.at(1_100), forecourt.at(1_100))
    wallet.sweep(forecourt.at(1_500))
    wallet.commands.charge(account_id, "demo", 4_000, "wash", key="d", actor="li", now=forecourt.at(1_500))
    result = forecourt.sell(3_000, started=1_050, ended=1_600)
    assert (result.captured_fen, forecourt.total_fen(account_id)) == (1_000, 0)
    assert [item.amount_fen for item in wallet.reviews(kind="amount_above_hold")] == [2_000, 10_000]


def test_an_empty_wallet_pays_no_late_sale(wallet, forecourt):
    account_id = forecourt.customer(PLATE, 40_000)
    forecourt.arrive(PLATE, sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    wallet.sweep(forecourt.at(500))
    wallet.commands.charge(account_id, "demo", 40_000, "wash", key="c", actor="li", now=forecourt.at(600))
    assert forecourt.sell(20_000, started=90, ended=700).state == "review"
    assert forecourt.total_fen(account_id) == 0


@pytest.mark.parametrize(("told", "state"), [(86_900, "captured"), (86_901, "waiting")])
def test_a_late_sale_is_paid_for_a_day(wallet, forecourt, told, state):
    forecourt.customer(PLATE)
    forecourt.arrive(PLATE, sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    wallet.sweep(forecourt.at(500))
    assert (
        wallet.record_sale(forecourt.sale(20_000, started=90, ended=150), forecourt.at(told)).state == state
    )


def test_a_late_sale_of_the_first_car_is_not_paid_by_the_one_that_queued_behind_it(wallet, forecourt):
    first_id, second_id = forecourt.customer(PLATE), forecourt.customer("粤B54321")
    forecourt.arrive(PLATE, sighting_id="s1")
    forecourt.arrive("粤B54321", seconds=60)
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    wallet.sweep(forecourt.at(500))
    assert forecourt.sell(20_000, started=30, ended=90).state == "captured"
    assert (forecourt.total_fen(first_id), forecourt.total_fen(second_id)) == (80_000, 100_000)


def test_a_hold_an_operator_freed_pays_no_late_sale(wallet, forecourt):
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    wallet.commands.void(visit.id, "asked for it", key="v", actor="li", now=forecourt.at(50))
    assert forecourt.sell(20_000).state == "waiting"


def test_two_cars_that_swap_pumps_each_pay_where_they_stand(wallet, forecourt):
    first_id, second_id = forecourt.customer(PLATE), forecourt.customer("粤B54321")
    forecourt.arrive(PLATE, pump="1")
    forecourt.arrive("粤B54321", pump="2")
    forecourt.arrive(PLATE, pump="2", seconds=20)
    forecourt.arrive("粤B54321", pump="1", seconds=20)
    assert forecourt.sell(11_000, pump="2").captured_fen == 11_000
    assert forecourt.sell(22_000, pump="1").captured_fen == 22_000
    assert (forecourt.total_fen(first_id), forecourt.total_fen(second_id)) == (89_000, 78_000)
