"""What the limits of a stay come to when they are looked up: on arrival, for a sale, for a person."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from wallet import terms
from wallet.command_facts import Rejected
from wallet.decide import Likely, Wanted
from wallet.facts import Sale
from wallet.limit_facts import Limits, StationTariff
from wallet.limits import Within
from wallet.objections import Case, looked_up
from wallet.review_facts import Given
from wallet.rules import Rules
from wallet.service import open_wallet
from wallet.store.on_record import NOBODY_LOOKED, OnRecord

PLATE, OTHER = "粤B00001", "粤B00007"


@pytest.fixture
def limit(wallet, forecourt):
    """Sets limits of an account, or of a plate of it."""
    numbers = itertools.count()

    def put(account_id, plate=PLATE, **limits):
        by = {"key": f"l{next(numbers)}", "actor": "li", "now": forecourt.at(0)}
        return wallet.limits.set_limits(account_id, plate, Limits(**limits), **by)

    return put


@pytest.fixture
def confirm(wallet, forecourt):
    """A person says that the one car in question is what it seems."""
    numbers = itertools.count()

    def give(seconds):
        (item,) = wallet.reviews(state="open", kind="sighting")
        by = {"key": f"a{next(numbers)}", "actor": "li", "now": forecourt.at(seconds)}
        return wallet.reviewing.answer(item.id, Given("confirm"), **by)

    return give


def _doubtful(forecourt, seconds):
    """A sighting that goes to a person, with the plate suggested, and a sale that nobody has paid since."""
    forecourt.arrive(PLATE, seconds=seconds, wrong_ppm=60_000, candidates=((PLATE, 900_000), (OTHER, 40_000)))
    sold = forecourt.sell(9_000, started=seconds + 30)
    forecourt.wallet.sweep(forecourt.at(seconds + 800))
    return sold


def _codes(arrival):
    return [reason.code for reason in arrival.match.reasons]


# On arrival -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seen", "told"), [(86_400, 86_399), (86_399, 86_400)])
def test_a_plate_has_cooled_off_by_the_cameras_clock_and_by_ours(engine, database_url, forecourt, seen, told):
    forecourt.wallet = open_wallet(database_url, Rules(cool_off_s=86_400), engine=engine)
    forecourt.customer(PLATE)
    found = forecourt.arrive(PLATE, seconds=seen, now=forecourt.at(told))
    assert _codes(found) == ["plate_too_new"]
    assert "2026-11-21 08:00 UTC" in found.match.reasons[0].text
    assert PLATE in found.match.reasons[0].text


def test_without_cooling_off_a_car_seen_before_it_was_registered_pays(forecourt):
    forecourt.customer(PLATE)
    assert _codes(forecourt.arrive(PLATE, seconds=-30)) == ["sure"]


def _tariff(wallet, forecourt, amount_fen):
    by = {"key": "t", "actor": "li", "now": forecourt.at(0)}
    wallet.limits.set_tariff("demo", "wash", amount_fen, forecourt.at(-60), **by)


@pytest.mark.parametrize(("amount_fen", "taken_fen"), [(3_500, 3_500), (0, 0), (None, 500)])
def test_a_stations_own_tariff_goes_before_that_of_the_rules(
    engine, database_url, forecourt, amount_fen, taken_fen
):
    forecourt.wallet = open_wallet(database_url, Rules(entry_fee_fen=500), engine=engine)
    account_id = forecourt.customer(PLATE)
    if amount_fen is not None:
        _tariff(forecourt.wallet, forecourt, amount_fen)
    arrived = forecourt.arrive(PLATE)
    assert (arrived.visit.captured_fen, forecourt.total_fen(account_id)) == (taken_fen, 100_000 - taken_fen)


def test_what_is_taken_on_arrival_is_one_piece_at_the_fixed_price(wallet, forecourt):
    forecourt.customer(PLATE)
    _tariff(wallet, forecourt, 3_500)
    visit = forecourt.arrive(PLATE, pump=None).visit
    sale, _ = wallet.sale("demo", f"entry:{visit.id}")
    moment = forecourt.at(0)
    assert sale == Sale(f"entry:{visit.id}", "demo", "entry", "wash", 1_000, 3_500, 3_500, moment, moment)
    tariff = StationTariff("id", "demo", "wash", 3_500, moment, "li", moment)
    assert terms.entry_sale(replace(visit, pump="7"), tariff) == replace(sale, pump="7")


def test_the_price_of_the_rules_is_told_as_entry(engine, database_url, forecourt):
    wallet = forecourt.wallet = open_wallet(database_url, Rules(entry_fee_fen=500), engine=engine)
    account_id = forecourt.customer(PLATE)
    (vehicle,) = wallet.vehicles(account_id)
    with wallet.engine.connect() as connection:
        likely, moment = Likely(vehicle, 999_500, None, 0), forecourt.at(0)
        case = Case(connection, forecourt.sighting(PLATE), likely, None, wallet.rules, forecourt.at(3))
        tariff = terms.on_arrival(case, []).tariff
    assert tariff == StationTariff("rules", "demo", "entry", 500, moment, "rules", moment)
    visit = forecourt.arrive(PLATE).visit
    sale, _ = wallet.sale("demo", visit.sale_id)
    assert (sale.pump, sale.grade, sale.unit_price_fen, sale.amount_fen) == ("1", "entry", 500, 500)


@pytest.mark.parametrize(("most_fen", "codes"), [(3_500, ["sure"]), (3_499, ["fee_above_limit"])])
def test_a_fixed_price_is_taken_where_the_limits_leave_exactly_as_much(
    wallet, forecourt, limit, most_fen, codes
):
    limit(forecourt.customer(PLATE), amount_per_fill_fen=most_fen)
    _tariff(wallet, forecourt, 3_500)
    found = forecourt.arrive(PLATE)
    assert _codes(found) == codes
    assert found.visit is None or found.visit.captured_fen == 3_500
    if codes != ["sure"]:
        assert "wash costs 35.00 yuan; the limits leave 34.99." in found.match.reasons[0].text


def test_what_forbids_the_stay_is_told_in_the_place_of_its_fixed_price(wallet, forecourt, limit):
    limit(forecourt.customer(PLATE), amount_per_fill_fen=100, stations=("north",))
    _tariff(wallet, forecourt, 3_500)
    assert _codes(forecourt.arrive(PLATE)) == ["station_not_allowed"]


def test_a_fixed_price_is_held_and_taken_whatever_the_usual_hold_is(wallet, forecourt, limit):
    account_id = forecourt.customer(PLATE)
    limit(account_id, amount_per_day_fen=10_000)
    _tariff(wallet, forecourt, 3_500)
    assert [forecourt.arrive(PLATE, seconds=seconds).hold_fen for seconds in (0, 8_000)] == [3_500, 3_500]
    # 30 yuan of the day are left.
    assert _codes(forecourt.arrive(PLATE, seconds=16_000)) == ["fee_above_limit"]


def test_limits_and_fixed_price_are_looked_for_where_they_are_on_record_or_nobody_has_looked(
    wallet, forecourt, limit
):
    account_id = forecourt.customer(PLATE)
    limit(account_id, amount_per_fill_fen=10_000)
    _tariff(wallet, forecourt, 3_500)
    (vehicle,) = wallet.vehicles(account_id)
    fact, likely = forecourt.sighting(PLATE), Likely(vehicle, 999_500, None, 0)

    def found(tx, on_record):
        case = Case(tx, fact, likely, None, wallet.rules, forecourt.at(3), on_record)
        return terms.on_arrival(case, [])

    with wallet.engine.connect() as connection:
        unasked = found(connection, NOBODY_LOOKED)
        assert looked_up(connection, fact, likely, None, wallet.rules, forecourt.at(3)).on_record == OnRecord(
            corrections=False, twins=False, stops=False, looks=False, elsewhere=False, waiting=False
        )
        nothing = found(connection, replace(NOBODY_LOOKED, limits=False, tariffs=False))
    assert [row.limits for row in unasked.rows] == [Limits(amount_per_fill_fen=10_000)]
    assert (unasked.wanted, unasked.tariff.what) == (Wanted(10_000, 3_500), "wash")
    assert (nothing.rows, nothing.wanted, nothing.tariff) == ((), Wanted(None, None), None)


# The sale ---------------------------------------------------------------------------------------------------


def _expired(wallet, forecourt):
    """A visit whose hold has expired; a sale that began before may still come."""
    visit = forecourt.arrive(PLATE, sighting_id="first").visit
    wallet.depart("first", forecourt.at(100), forecourt.at(100))
    wallet.sweep(forecourt.at(500))
    return visit


def test_a_sale_after_its_hold_expired_is_held_against_what_the_day_has_left(wallet, forecourt, limit):
    account_id = forecourt.customer(PLATE)
    limit(account_id, amount_per_day_fen=30_000)
    visit = _expired(wallet, forecourt)
    forecourt.arrive(PLATE, seconds=1_000)
    assert forecourt.sell(20_000, started=1_030).captured_fen == 20_000
    result = forecourt.sell(15_000, started=50, ended=1_200)
    assert (result.visit_id, result.captured_fen) == (visit.id, 10_000)
    assert [reason.code for reason in result.reasons] == ["amount_above_limit", "hold_expired"]
    assert "Sold for 150.00 yuan; the limits leave 100.00." in result.reasons[0].text
    assert forecourt.total_fen(account_id) == 70_000


def test_a_sale_within_its_hold_is_taken_whatever_became_of_the_day(wallet, forecourt, limit, confirm):
    account_id = forecourt.customer(PLATE)
    sold = _doubtful(forecourt, 0)
    limit(account_id, amount_per_day_fen=45_000)
    forecourt.arrive(PLATE, seconds=3_000)
    limit(account_id, amount_per_day_fen=50_000)
    assert confirm(3_010).moved_fen == 9_000
    assert forecourt.sell(40_000, started=3_030).captured_fen == 40_000
    assert forecourt.total_fen(account_id) == 51_000
    assert wallet.sale("demo", sold.sale_id)[1].captured_fen == 9_000


def test_of_litres_and_day_the_smaller_part_is_taken_and_both_are_told(wallet, forecourt, limit):
    for plate, litres_ml, taken_fen in ((PLATE, 12_000, 12_000), (OTHER, 20_000, 15_000)):
        account_id = forecourt.customer(plate)
        limit(account_id, plate, litres_per_fill_ml=litres_ml, amount_per_day_fen=15_000)
        seconds = 0 if plate == PLATE else 1_000
        forecourt.arrive(plate, seconds=seconds)
        result = forecourt.sell(25_000, started=seconds + 30)
        assert (result.captured_fen, forecourt.total_fen(account_id)) == (taken_fen, 100_000 - taken_fen)
        assert [reason.code for reason in result.reasons][:2] == ["litres_above_limit", "amount_above_limit"]


# A person's answer ------------------------------------------------------------------------------------------


def test_a_person_takes_no_more_than_the_day_has_left(wallet, forecourt, limit, confirm):
    account_id = forecourt.customer(PLATE)
    limit(account_id, amount_per_day_fen=10_000)
    forecourt.arrive(PLATE, sighting_id="first")
    forecourt.sell(7_000)
    wallet.depart("first", forecourt.at(100), forecourt.at(100))
    _doubtful(forecourt, 3_000)
    done = confirm(4_000)
    assert (done.ended_as, done.moved_fen) == ("sale_settled", 3_000)
    assert forecourt.total_fen(account_id) == 90_000
    assert [item.kind for item in wallet.reviews(state="open")] == ["outside_limits"]


def test_a_person_takes_nothing_of_a_day_that_is_used_up(wallet, forecourt, limit, confirm):
    account_id = forecourt.customer(PLATE)
    limit(account_id, amount_per_day_fen=10_000)
    forecourt.arrive(PLATE, sighting_id="first")
    forecourt.sell(10_000)
    wallet.depart("first", forecourt.at(100), forecourt.at(100))
    _doubtful(forecourt, 3_000)
    answer = confirm(4_000)
    assert isinstance(answer, Rejected)
    assert answer.code == "amount_above_limit"
    assert answer.text == "Sold for 90.00 yuan; the limits leave 0.00."
    assert forecourt.total_fen(account_id) == 90_000


def test_a_person_takes_no_more_than_the_published_price(wallet, forecourt, confirm):
    account_id = forecourt.customer(PLATE)
    for seconds, price_fen in ((-100, 900), (35, 1_000)):
        by = {"key": str(seconds), "actor": "li", "now": forecourt.at(0)}
        wallet.limits.set_price("demo", "92", price_fen, forecourt.at(seconds), **by)
    _doubtful(forecourt, 0)
    assert confirm(1_000).moved_fen == 8_100
    assert forecourt.total_fen(account_id) == 91_900


def test_a_person_leaves_a_later_stay_the_hold_it_has(wallet, forecourt, limit, confirm):
    """The sale of the earlier stay does not end the later one: what that holds is used of the day."""
    account_id = forecourt.customer(PLATE)
    limit(account_id, amount_per_day_fen=45_000)
    _doubtful(forecourt, 0)
    assert forecourt.arrive(PLATE, seconds=3_000).hold_fen == 40_000
    assert confirm(3_010).moved_fen == 5_000
    assert forecourt.sell(40_000, started=3_030).captured_fen == 40_000
    assert forecourt.total_fen(account_id) == 55_000


def test_the_hold_that_a_sale_is_paid_from_does_not_use_up_its_day(wallet, forecourt, limit):
    account_id = forecourt.customer(PLATE)
    limit(account_id, amount_per_day_fen=10_000)
    visit = forecourt.arrive(PLATE).visit
    sale = forecourt.sale(10_500)
    with wallet.engine.connect() as connection:
        (vehicle,) = wallet.vehicles(account_id)
        without = [visit.id]
        found = terms.judged_for(connection, sale, vehicle, without, wallet.rules)
        assert isinstance(found, Within)
        assert (found.most_fen, [reason.code for reason in found.reasons]) == (10_000, ["amount_above_limit"])
        assert terms.judged_for(connection, sale, vehicle, [], wallet.rules).most_fen == 0
        fits = replace(sale, amount_fen=10_000, litres_ml=10_000)
        assert terms.judged_for(connection, fits, vehicle, without, wallet.rules) == Within(None)
