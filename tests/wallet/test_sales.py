"""What a pump sold finds its visit and takes its amount once; every other end is defined."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallet.errors import Invalid, InvalidAmount, InvalidFact, KeyReused, SaleAmountMismatch
from wallet.facts import Authorisation
from wallet.rules import Rules
from wallet.sales import check_sale, settle_found

# Refused before anything is stored: one kind of database is enough.
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def _codes(result):
    return [reason.code for reason in result.reasons]


def test_a_sale_takes_its_exact_amount_and_frees_the_rest(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    arrival = forecourt.arrive("粤B12345")
    result = forecourt.sell(24_531)
    assert (result.state, result.visit_id, result.captured_fen) == ("captured", arrival.visit.id, 24_531)
    balance = wallet.balance(account_id)
    assert (balance.principal_fen, balance.held_fen, balance.available_fen) == (75_469, 0, 75_469)
    visit = wallet.visit(arrival.visit.id)
    assert (visit.state, visit.end, visit.captured_fen, visit.sale_id) == (
        "captured", "captured", 24_531, result.sale_id,
    )  # fmt: skip
    (line, recharge) = wallet.statement(account_id)
    assert (line.kind, line.amount_fen, line.balance_after_fen, line.sale_id) == (
        "capture", -24_531, 75_469, result.sale_id,
    )  # fmt: skip
    assert (recharge.kind, recharge.amount_fen, recharge.balance_after_fen) == ("recharge", 100_000, 100_000)
    assert wallet.statement(account_id, limit=1) == [line]
    assert wallet.statement(account_id, before=line.id) == [recharge]


def test_the_same_sale_again_takes_nothing_more(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    sale = forecourt.sale(20_000)
    first = wallet.record_sale(sale, forecourt.at(95))
    forecourt.arrive("粤B12345", pump="1", seconds=5_000)
    assert wallet.record_sale(sale, forecourt.at(6_000)) == replace(first, repeated=True)
    assert forecourt.total_fen(account_id) == 80_000


def test_a_sale_sent_again_takes_nothing_from_the_next_car_that_it_could_belong_to(wallet, forecourt):
    forecourt.customer("粤B12345", 100_000)
    next_id = forecourt.customer("粤B67890", 100_000)
    forecourt.arrive("粤B12345")
    sale = forecourt.sale(20_000, started=30, ended=90)
    first = wallet.record_sale(sale, forecourt.at(95))
    standing = forecourt.arrive("粤B67890", seconds=60).visit
    assert wallet.record_sale(sale, forecourt.at(96)) == replace(first, repeated=True)
    with pytest.raises(KeyReused):
        wallet.record_sale(replace(sale, grade="95"), forecourt.at(97))
    assert wallet.visit(standing.id) == standing
    assert (forecourt.total_fen(next_id), wallet.reviews()) == (100_000, [])


def test_a_sale_that_is_settled_at_once_stands_as_it_ended(wallet, forecourt):
    forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    for sale in (forecourt.sale(20_000), forecourt.sale(5_000, pump="9"), forecourt.sale(0, pump="9")):
        result = wallet.record_sale(sale, forecourt.at(95))
        assert wallet.sale("demo", sale.sale_id) == (sale, result)
    assert [item.state for item in wallet.reviews()] == []


def test_the_same_sale_with_another_amount_is_refused(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    wallet.record_sale(forecourt.sale(20_000, sale_id="x"), forecourt.at(95))
    with pytest.raises(KeyReused) as refused:
        wallet.record_sale(forecourt.sale(20_001, sale_id="x"), forecourt.at(96))
    assert (refused.value.scope, refused.value.key) == ("sale", "demo/x")
    assert forecourt.total_fen(account_id) == 80_000


def test_the_same_number_at_another_station_is_another_sale(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    wallet.record_sale(forecourt.sale(20_000, sale_id="x"), forecourt.at(95))
    forecourt.station = "elsewhere"
    forecourt.arrive("粤B12345", seconds=1_000)
    wallet.record_sale(forecourt.sale(10_000, started=1_010, sale_id="x"), forecourt.at(1_100))
    assert forecourt.total_fen(account_id) == 70_000


def test_a_second_sale_of_the_same_stay_goes_to_a_person(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    forecourt.sell(20_000)
    second = forecourt.sell(1_000, started=100)
    assert (second.state, second.captured_fen) == ("waiting", 0)
    wallet.sweep(forecourt.at(1_000))
    assert [item.kind for item in wallet.reviews()] == ["sale_without_visit"]
    assert forecourt.total_fen(account_id) == 80_000


def test_a_nozzle_lifted_and_hung_up_again_releases_the_hold(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    arrival = forecourt.arrive("粤B12345")
    result = forecourt.sell(0)
    assert (result.state, result.visit_id, _codes(result)) == ("void", arrival.visit.id, ["zero_sale"])
    assert wallet.visit(arrival.visit.id).end == "zero_sale"
    assert wallet.balance(account_id).available_fen == 100_000


def test_nothing_sold_to_nobody_is_nothing_to_look_at(wallet, forecourt):
    sale = forecourt.sale(0)
    assert wallet.record_sale(sale, forecourt.at(95)).state == "waiting"
    wallet.sweep(forecourt.at(1_000))
    again = wallet.record_sale(sale, forecourt.at(1_001))
    assert (again.state, again.visit_id, wallet.reviews()) == ("void", None, [])
    assert (again.captured_fen, _codes(again)) == (0, ["nothing_sold"])


def test_one_fen_sold_to_nobody_is_a_persons_matter(wallet, forecourt):
    sale = forecourt.sale(1)
    assert wallet.record_sale(sale, forecourt.at(95)).state == "waiting"
    wallet.sweep(forecourt.at(1_000))
    assert [(item.kind, item.sale_id, item.amount_fen) for item in wallet.reviews()] == [
        ("sale_without_visit", sale.sale_id, 1)
    ]


def test_a_sale_above_the_hold_is_paid_from_what_is_available(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    arrival = forecourt.arrive("粤B12345")
    result = forecourt.sell(55_000)
    assert (result.state, result.captured_fen, _codes(result)) == ("captured", 55_000, ["hold_raised"])
    assert wallet.visit(arrival.visit.id).hold_fen == 55_000
    assert wallet.balance(account_id).available_fen == 45_000
    assert wallet.reviews() == []


def test_a_sale_above_everything_empties_the_wallet_and_asks_a_person(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 30_000)
    forecourt.arrive("粤B12345")
    result = forecourt.sell(30_001)
    assert (result.state, result.captured_fen, _codes(result)) == ("captured", 30_000, ["amount_above_hold"])
    assert forecourt.total_fen(account_id) == 0
    (item,) = wallet.reviews()
    assert (item.kind, item.amount_fen, item.account_id) == ("amount_above_hold", 1, account_id)


def test_a_raised_hold_never_takes_what_another_visit_has_reserved(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 85_000)
    wallet.bind_vehicle(account_id, "粤B00002", "blue", "second", forecourt.at(0))
    forecourt.arrive("粤B12345", pump="1")
    forecourt.arrive("粤B00002", pump="2")
    assert forecourt.sell(60_000, pump="1").captured_fen == 45_000
    assert forecourt.sell(40_000, pump="2").captured_fen == 40_000
    assert forecourt.total_fen(account_id) == 0


def test_a_sale_waits_for_a_late_sighting_and_is_then_paid(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    sale = forecourt.sale(20_000)
    waiting = wallet.record_sale(sale, forecourt.at(95))
    assert (waiting.state, _codes(waiting)) == ("waiting", ["waiting_for_visit"])
    assert wallet.record_sale(sale, forecourt.at(96)) == replace(waiting, repeated=True)
    arrival = forecourt.arrive("粤B12345", now=forecourt.at(200))
    assert (arrival.visit.state, arrival.visit.captured_fen) == ("captured", 20_000)
    assert wallet.record_sale(sale, forecourt.at(300)).state == "captured"
    assert forecourt.total_fen(account_id) == 80_000


def test_a_sale_is_not_paid_by_a_car_that_came_later(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    sale = forecourt.sale(20_000, ended=90)
    wallet.record_sale(sale, forecourt.at(95))
    assert forecourt.arrive("粤B12345", seconds=91).visit.state == "open"
    assert forecourt.total_fen(account_id) == 100_000


def test_a_sale_nobody_was_seen_for_goes_to_a_person_and_stays_there(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    sale = forecourt.sale(20_000)
    wallet.record_sale(sale, forecourt.at(95))
    wallet.sweep(forecourt.at(395))
    assert wallet.reviews() == []
    wallet.sweep(forecourt.at(396))
    (item,) = wallet.reviews()
    assert (item.kind, item.sale_id, item.amount_fen) == ("sale_without_visit", sale.sale_id, 20_000)
    assert [(why.code, why.text) for why in item.reasons] == [
        ("sale_without_visit", "No car was seen at pump 1 within 0:05:00 of the sale.")
    ]
    # A person has it in hand now: a sighting that comes even later takes nothing by itself.
    assert forecourt.arrive("粤B12345", now=forecourt.at(500)).visit.state == "open"
    assert wallet.record_sale(sale, forecourt.at(600)).state == "review"
    assert forecourt.total_fen(account_id) == 100_000


def test_a_sale_at_another_pump_takes_nothing(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345", pump="1")
    assert forecourt.sell(20_000, pump="2").state == "waiting"
    assert forecourt.total_fen(account_id) == 100_000


def test_a_car_that_moved_to_another_pump_pays_there(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345", pump="1")
    forecourt.arrive("粤B12345", pump="2", seconds=30)
    assert forecourt.sell(20_000, pump="1", started=40).state == "waiting"
    assert forecourt.sell(10_000, pump="2", started=40).state == "captured"
    assert forecourt.total_fen(account_id) == 90_000


def test_two_cars_nose_to_tail_each_pay_their_own(wallet, forecourt):
    first = forecourt.customer("粤B00001", 100_000)
    second = forecourt.customer("粤B00002", 100_000)
    forecourt.arrive("粤B00001", seconds=0, sighting_id="first")
    forecourt.arrive("粤B00002", seconds=50)
    assert forecourt.sell(11_000, started=20, ended=90).captured_fen == 11_000
    wallet.depart("first", forecourt.at(100), forecourt.at(100))
    assert forecourt.sell(22_000, started=120, ended=200).captured_fen == 22_000
    assert (forecourt.total_fen(first), forecourt.total_fen(second)) == (89_000, 78_000)


def test_two_cars_nose_to_tail_pay_their_own_when_the_first_sale_is_told_late(wallet, forecourt):
    first = forecourt.customer("粤B00001", 100_000)
    second = forecourt.customer("粤B00002", 100_000)
    forecourt.arrive("粤B00001", seconds=0, sighting_id="first")
    wallet.depart("first", forecourt.at(100), forecourt.at(100))
    forecourt.arrive("粤B00002", seconds=101)
    later = forecourt.sale(22_000, started=120, ended=200)
    earlier = forecourt.sale(11_000, started=20, ended=90)
    wallet.record_sale(later, forecourt.at(210))
    wallet.record_sale(earlier, forecourt.at(220))
    assert (forecourt.total_fen(first), forecourt.total_fen(second)) == (89_000, 78_000)


def test_a_stranger_who_took_the_pump_is_not_paid_for(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    arrival = forecourt.arrive("粤B12345", seconds=0)
    forecourt.arrive("京A99999", seconds=60)
    assert wallet.authorise("demo", "1", forecourt.at(70)) == Authorisation(False, 0, None)
    result = forecourt.sell(20_000, started=80)
    assert (result.state, _codes(result)) == ("review", ["another_car_at_pump"])
    assert [(item.kind, item.visit_id) for item in wallet.reviews()] == [
        ("another_car_at_pump", arrival.visit.id)
    ]
    assert forecourt.total_fen(account_id) == 100_000


def test_a_stranger_waiting_behind_changes_nothing(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345", seconds=0)
    forecourt.arrive("京A99999", seconds=60)
    assert forecourt.sell(20_000, started=30).captured_fen == 20_000
    assert forecourt.total_fen(account_id) == 80_000


def test_an_unreadable_look_at_the_same_car_changes_nothing(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345", seconds=0)
    forecourt.arrive(None, seconds=10)
    forecourt.arrive("粤B12346", seconds=15, candidates=(("粤B12345", 900_000),))
    assert forecourt.sell(20_000, started=30).captured_fen == 20_000
    assert forecourt.total_fen(account_id) == 80_000


def test_two_cars_that_cannot_be_told_apart_go_to_a_person(wallet, forecourt):
    forecourt.customer("粤B00001")
    forecourt.customer("粤B00002")
    forecourt.arrive("粤B00001", seconds=40)
    forecourt.arrive("粤B00002", seconds=50)
    result = forecourt.sell(20_000, started=30)
    assert (result.state, _codes(result)) == ("review", ["cars_at_one_pump"])
    (item,) = wallet.reviews()
    assert (item.kind, item.visit_id) == ("cars_at_one_pump", None)
    assert "粤B00001, 粤B00002." in item.reasons[0].text
    assert {visit.state for visit in wallet.visits()} == {"open"}


def test_a_sale_that_began_after_its_hold_was_released_goes_to_a_person(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    wallet.sweep(forecourt.at(7_300))
    result = forecourt.sell(20_000, started=7_301, ended=7_350)
    assert result.state == "waiting"
    wallet.sweep(forecourt.at(8_000))
    assert [item.kind for item in wallet.reviews()] == ["sale_without_visit"]
    assert forecourt.total_fen(account_id) == 100_000


def test_a_sale_of_a_car_that_has_just_left_is_still_paid(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345", sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    sale = forecourt.sale(20_000, started=30, ended=90)
    assert wallet.record_sale(sale, forecourt.at(390)).captured_fen == 20_000
    assert forecourt.total_fen(account_id) == 80_000


def test_the_car_that_paid_and_still_stands_there_is_not_held_again(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    first = forecourt.arrive("粤B12345")
    forecourt.sell(20_000)
    still = forecourt.arrive("粤B12345", seconds=300)
    assert (still.visit.id, still.hold_fen, still.visit.state) == (first.visit.id, 0, "captured")
    assert wallet.balance(account_id).held_fen == 0


def test_a_car_twice_in_a_day_pays_twice(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    forecourt.sell(20_000)
    forecourt.arrive("粤B12345", seconds=20_000)
    forecourt.sell(30_000, started=20_010)
    assert forecourt.total_fen(account_id) == 50_000
    assert len(wallet.visits(plate="粤B12345", state="captured")) == 2


def test_a_pump_may_sell_the_hold_of_the_car_that_stands_there(wallet, forecourt):
    forecourt.customer("粤B12345", 30_000)
    assert wallet.authorise("demo", "1", forecourt.at(0)) == Authorisation(False, 0, None)
    arrival = forecourt.arrive("粤B12345", sighting_id="s1")
    allowed = wallet.authorise("demo", "1", forecourt.at(10))
    assert (allowed.authorised, allowed.limit_fen, allowed.visit_id) == (True, 30_000, arrival.visit.id)
    assert not wallet.authorise("demo", "2", forecourt.at(10)).authorised
    wallet.depart("s1", forecourt.at(20), forecourt.at(20))
    assert not wallet.authorise("demo", "1", forecourt.at(30)).authorised


@ON_SQLITE
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"litres_ml": -1}, InvalidFact),
        ({"litres_ml": 1.5}, InvalidFact),
        ({"amount_fen": -1}, InvalidAmount),
        ({"amount_fen": 20_000.0}, InvalidAmount),
        ({"unit_price_fen": True}, InvalidAmount),
        ({"amount_fen": 20_002}, SaleAmountMismatch),
        ({"amount_fen": 19_998}, SaleAmountMismatch),
        ({"amount_fen": 0}, SaleAmountMismatch),
        ({"litres_ml": 0}, SaleAmountMismatch),
        ({"sale_id": ""}, InvalidFact),
        ({"station": "a/b"}, InvalidFact),
        ({"grade": "x" * 41}, InvalidFact),
        ({"sale_id": "x" * 65}, InvalidFact),
        ({"amount_fen": 10**30}, InvalidAmount),
    ],
)
def test_a_sale_that_contradicts_itself_changes_nothing(wallet, forecourt, changes, error):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    with pytest.raises(error):
        wallet.record_sale(replace(forecourt.sale(20_000, sale_id="x"), **changes), forecourt.at(95))
    assert wallet.sale("demo", "x") is None
    assert wallet.balance(account_id).held_fen == 40_000


@ON_SQLITE
@pytest.mark.parametrize("amount_fen", [19_999, 20_000, 20_001])
def test_one_fen_of_rounding_is_the_pumps_business(wallet, forecourt, amount_fen):
    forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    sale = replace(forecourt.sale(20_000), amount_fen=amount_fen)
    assert wallet.record_sale(sale, forecourt.at(95)).captured_fen == amount_fen


def test_a_sale_cannot_end_before_it_starts(wallet, forecourt):
    with pytest.raises(InvalidFact):
        wallet.record_sale(forecourt.sale(20_000, started=50, ended=49), forecourt.at(95))
    assert forecourt.sell(0, started=50, ended=50).state == "waiting"


@ON_SQLITE
@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("unit_price_fen", -1),
        ("litres_ml", -1),
        ("station", "a/b"),
        ("sale_id", ""),
        ("pump", ""),
        ("grade", "x" * 41),
        ("ended_at", None),
    ],
)
def test_a_sale_that_is_refused_names_the_field(forecourt, field, given):
    sale = replace(forecourt.sale(20_000), grade="x" * 40)
    check_sale(sale)
    with pytest.raises(Invalid) as refused:
        check_sale(replace(sale, **{field: forecourt.at(29) if given is None else given}))
    assert refused.value.what == field


def test_of_two_cars_at_a_pump_the_hold_of_the_newest_is_sold(wallet, forecourt):
    forecourt.customer("粤B00001", 30_000)
    forecourt.customer("粤B00002", 20_000)
    forecourt.arrive("粤B00001", seconds=0)
    newest = forecourt.arrive("粤B00002", seconds=50).visit
    assert wallet.authorise("demo", "1", forecourt.at(60)) == Authorisation(True, 20_000, newest.id)


@pytest.mark.parametrize("happened", ["freed", "moved"])
def test_a_sale_takes_nothing_from_a_visit_that_ended_or_moved_while_it_was_looked_up(
    wallet, forecourt, happened
):
    account_id = forecourt.customer("粤B12345", 100_000)
    seen = forecourt.arrive("粤B12345").visit
    sale = forecourt.sale(20_000)
    if happened == "freed":
        wallet.commands.void(seen.id, "asked for it", key="v", actor="li", now=forecourt.at(25))
    else:
        forecourt.arrive("粤B12345", pump="2", seconds=25)
    # PostgreSQL is asked again once the wallet is locked; on SQLite nobody can have come between.
    looked_up = seen if wallet.engine.dialect.name == "postgresql" else wallet.visit(seen.id)
    with wallet.engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        assert settle_found(connection, sale, looked_up, Rules(), lambda: "id", forecourt.at(95)) is None
    assert forecourt.total_fen(account_id) == 100_000
