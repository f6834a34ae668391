"""Plates that are stopped: "not me", by hand, or because one car cannot do what was seen."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from wallet.clones import is_too_far, seconds_between
from wallet.command_facts import Rejected
from wallet.errors import StopUnknown, VehicleUnknown, VisitUnknown
from wallet.facts import Posterior
from wallet.grades import fuel_of
from wallet.limit_facts import Limits, Place
from wallet.rules import Rules

PLATE = "粤B12345"
SHENZHEN = Place("demo", 22_540_000, 114_050_000)
GUANGZHOU = Place("north", 23_130_000, 113_260_000)


def _codes(arrival):
    return [reason.code for reason in arrival.match.reasons]


def _told(wallet, kind):
    return [event.body for event in wallet.outbox.lease("test", 500) if event.kind == kind]


@pytest.fixture
def paid(wallet, forecourt):
    """A visit that has paid 200 yuan; gives (account, visit)."""
    account_id = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE, sighting_id="s1").visit
    forecourt.sell(20_000)
    return account_id, visit


# Not me -----------------------------------------------------------------------------------------------------


def test_not_me_freezes_the_plate_and_brings_the_money_back(wallet, forecourt, paid):
    account_id, visit = paid
    answer = wallet.limits.not_me(visit.id, actor="owner", now=forecourt.at(200))
    assert (answer.reversed_fen, answer.balance_fen) == (20_000, 100_000)
    assert forecourt.total_fen(account_id) == 100_000
    assert _codes(forecourt.arrive(PLATE, seconds=1_000)) == ["frozen"]
    assert [(item.kind, item.visit_id, item.amount_fen) for item in wallet.reviews(kind="not_me")] == [
        ("not_me", visit.id, 20_000)
    ]
    assert [body["stop_id"] for body in _told(wallet, "not_me")] == [answer.stop_id]


def test_not_me_said_often_and_at_once_moves_the_money_once(wallet, forecourt, paid):
    account_id, visit = paid
    answers = []

    def say():
        answers.append(wallet.limits.not_me(visit.id, actor="owner", now=forecourt.at(200)))

    threads = [threading.Thread(target=say) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert forecourt.total_fen(account_id) == 100_000
    assert len(wallet.limits.stops(PLATE)) == 1
    assert len(_told(wallet, "not_me")) == 1


def test_not_me_after_a_refund_brings_back_the_rest(wallet, forecourt, paid):
    account_id, visit = paid
    wallet.commands.refund(15_000, "dirty", visit_id=visit.id, key="r", actor="li", now=forecourt.at(100))
    assert wallet.limits.not_me(visit.id, actor="owner", now=forecourt.at(200)).reversed_fen == 5_000
    assert forecourt.total_fen(account_id) == 100_000


def test_not_me_during_the_visit_frees_its_hold_and_its_sale_goes_to_a_person(wallet, forecourt):
    account_id = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    answer = wallet.limits.not_me(visit.id, actor="owner", now=forecourt.at(20))
    assert (answer.released_fen, answer.reversed_fen, answer.refund_id) == (40_000, 0, None)
    assert (wallet.visit(visit.id).end, wallet.balance(account_id).held_fen) == ("plate_stopped", 0)
    assert not wallet.authorise("demo", "1", forecourt.at(21)).authorised
    assert forecourt.sell(20_000).state == "waiting"
    wallet.sweep(forecourt.at(900))
    assert [item.kind for item in wallet.reviews(kind="sale_without_visit")] == ["sale_without_visit"]
    assert forecourt.total_fen(account_id) == 100_000


def test_not_me_about_a_visit_that_is_not_there_is_refused(wallet, forecourt):
    with pytest.raises(VisitUnknown):
        wallet.limits.not_me("nothing", actor="owner", now=forecourt.at(0))


def test_a_plate_pays_again_when_every_stop_of_it_was_released(wallet, forecourt, paid):
    _, visit = paid
    first = wallet.limits.not_me(visit.id, actor="owner", now=forecourt.at(200)).stop_id
    wallet.limits.release(first, "it was him", key="r1", actor="wang", now=forecourt.at(300))
    second = wallet.limits.freeze(PLATE, "stolen", key="f", actor="li", now=forecourt.at(400)).stop_id
    assert _codes(forecourt.arrive(PLATE, seconds=1_000)) == ["frozen"]
    wallet.limits.release(second, "found", key="r2", actor="wang", now=forecourt.at(1_100))
    assert _codes(forecourt.arrive(PLATE, seconds=2_000)) == ["sure"]
    assert [stop.released_by for stop in wallet.limits.stops(PLATE)] == ["wang", "wang"]


def test_a_release_happens_once(wallet, forecourt):
    forecourt.customer(PLATE)
    by = {"actor": "li", "now": forecourt.at(0)}
    stop_id = wallet.limits.freeze(PLATE, "stolen", key="f", **by).stop_id
    refused = wallet.limits.freeze(PLATE, "again", key="g", **by)
    assert isinstance(refused, Rejected)
    assert refused.code == "already_frozen"
    assert wallet.limits.release(stop_id, "found", key="r", **by).plate == PLATE
    assert wallet.limits.release(stop_id, "found", key="r", **by).plate == PLATE
    assert wallet.limits.release(stop_id, "found", key="s", **by).code == "already_released"
    with pytest.raises(StopUnknown):
        wallet.limits.release("nothing", "found", key="t", **by)
    with pytest.raises(VehicleUnknown):
        wallet.limits.freeze("京A00000", "x", key="u", **by)


def test_a_frozen_plate_stays_frozen_when_it_is_bound_anew(wallet, forecourt):
    forecourt.customer(PLATE)
    wallet.limits.freeze(PLATE, "stolen", key="f", actor="li", now=forecourt.at(0))
    wallet.unbind_vehicle(PLATE, forecourt.at(1))
    forecourt.customer(PLATE)
    assert _codes(forecourt.arrive(PLATE)) == ["frozen"]


# Two cars under one plate -----------------------------------------------------------------------------------


@pytest.fixture
def placed(wallet, forecourt):
    """Two stations 104 km apart."""
    for place in (SHENZHEN, GUANGZHOU):
        wallet.limits.place_station(place, key=place.station, actor="li", now=forecourt.at(0))


def test_one_plate_at_two_places_stops_it_and_frees_both(wallet, forecourt, placed):
    account_id = forecourt.customer(PLATE)
    first = forecourt.arrive(PLATE).visit
    forecourt.station = "north"
    assert _codes(forecourt.arrive(PLATE, seconds=600, sighting_id="far")) == ["impossible_travel"]
    assert (wallet.visit(first.id).end, wallet.balance(account_id).held_fen) == ("plate_stopped", 0)
    assert [(item.kind, item.sighting_id) for item in wallet.reviews(kind="clone_suspected")] == [
        ("clone_suspected", "far")
    ]
    assert len(_told(wallet, "clone_suspected")) == 1
    assert _codes(forecourt.arrive(PLATE, seconds=90_000)) == ["clone_marked"]
    (stop,) = wallet.limits.stops(PLATE, only_open=True)
    wallet.limits.release(stop.id, "looked at both", key="r", actor="wang", now=forecourt.at(90_100))
    assert _codes(forecourt.arrive(PLATE, seconds=91_000)) == ["sure"]


def test_a_car_that_had_the_time_to_drive_there_pays(wallet, forecourt, placed):
    forecourt.customer(PLATE, 200_000)
    forecourt.arrive(PLATE)
    forecourt.station = "north"
    assert _codes(forecourt.arrive(PLATE, seconds=5_400)) == ["sure"]


def test_a_late_message_from_the_other_place_is_seen_too(wallet, forecourt, placed):
    forecourt.customer(PLATE)
    forecourt.arrive(PLATE, seconds=600)
    forecourt.station = "north"
    late = forecourt.arrive(PLATE, seconds=0, now=forecourt.at(3_000))
    assert _codes(late) == ["impossible_travel"]


def test_an_unsure_reading_elsewhere_stops_nobody(wallet, forecourt, placed):
    forecourt.customer(PLATE)
    forecourt.arrive(PLATE, wrong_ppm=60_000)
    forecourt.station = "north"
    assert _codes(forecourt.arrive(PLATE, seconds=600)) == ["sure"]


def test_stations_without_a_place_take_no_part(wallet, forecourt):
    forecourt.customer(PLATE, 200_000)
    forecourt.arrive(PLATE)
    forecourt.station = "north"
    assert _codes(forecourt.arrive(PLATE, seconds=10)) == ["sure"]


def test_both_places_at_the_same_time_pay_at_most_once(wallet, forecourt, placed):
    account_id = forecourt.customer(PLATE, 200_000)
    facts = []
    for station in ("demo", "north"):
        forecourt.station = station
        facts.append(forecourt.sighting(PLATE))
    threads = [
        threading.Thread(
            target=wallet.arrive, args=(fact, Posterior(((PLATE, 999_500),), 500), forecourt.at(3))
        )
        for fact in facts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wallet.balance(account_id).held_fen == 0
    assert len(wallet.limits.stops(PLATE, only_open=True)) == 1


def test_a_wrong_colour_is_told_at_once_and_stops_the_plate_the_second_time(wallet, forecourt):
    forecourt.customer(PLATE)
    assert _codes(forecourt.arrive(PLATE, colour="yellow")) == ["colour_differs"]
    assert wallet.limits.stops(PLATE) == []
    assert [body["stopped"] for body in _told(wallet, "clone_suspected")] == [False]
    forecourt.arrive(PLATE, seconds=3_000, colour="yellow")
    assert _codes(forecourt.arrive(PLATE, seconds=6_000)) == ["clone_marked"]


def test_two_wrong_colours_that_differ_stop_nobody(wallet, forecourt):
    forecourt.customer(PLATE)
    forecourt.arrive(PLATE, colour="yellow")
    forecourt.arrive(PLATE, seconds=3_000, colour="white")
    assert _codes(forecourt.arrive(PLATE, seconds=6_000)) == ["sure"]


@pytest.mark.parametrize(
    ("grade", "sold_fen", "code"),
    [("0", 10_000, "fuel_impossible"), ("92", 60_001, "litres_impossible"), ("92", 60_000, None)],
)
def test_what_the_vehicle_cannot_take_is_not_paid(wallet, forecourt, grade, sold_fen, code):
    account_id = forecourt.customer(PLATE)
    limits = Limits(fuel="petrol", tank_ml=50_000)
    wallet.limits.set_limits(account_id, PLATE, limits, key="l", actor="li", now=forecourt.at(0))
    visit = forecourt.arrive(PLATE).visit
    sale = forecourt.sale(sold_fen)
    result = wallet.record_sale(_with_grade(sale, grade), forecourt.at(95))
    if code is None:
        assert result.captured_fen == sold_fen
        return
    assert (result.state, [reason.code for reason in result.reasons]) == ("review", [code])
    assert (forecourt.total_fen(account_id), wallet.balance(account_id).held_fen) == (100_000, 0)
    (item,) = wallet.reviews()
    assert (item.kind, item.sale_id, item.visit_id) == ("clone_suspected", sale.sale_id, visit.id)
    (stop,) = wallet.limits.stops(PLATE)
    assert (stop.kind, stop.actor, stop.cause) == ("clone", "service", f"demo/{sale.sale_id}")
    assert wallet.visit(visit.id).end == "plate_stopped"
    assert [body["stop_id"] for body in _told(wallet, "clone_suspected")] == [stop.id]
    assert _codes(forecourt.arrive(PLATE, seconds=1_000)) == ["clone_marked"]


def _with_grade(sale, grade):
    return replace(sale, grade=grade)


@pytest.mark.parametrize(
    ("grade", "fuel"),
    [
        ("92", "petrol"),
        ("95#", "petrol"),
        ("E92", "petrol"),
        ("0", "diesel"),
        ("-10#", "diesel"),
        ("0号柴油", "diesel"),
        ("车用汽油", "petrol"),
        ("CNG", None),
        ("", None),
    ],
)
def test_a_grade_is_a_fuel_by_its_name_or_nothing(grade, fuel):
    assert fuel_of(grade) == fuel


@pytest.mark.parametrize(
    ("there", "apart_s", "too_far"),
    [
        (GUANGZHOU, 1_900, True),
        (GUANGZHOU, 2_100, False),
        (SHENZHEN, 0, False),
        # Half a degree of longitude at the equator is 55.6 km, at 60 degrees half as much.
        (Place("x", 22_540_000, 114_080_000), 0, True),
        (Place("x", 22_540_000, 114_070_000), 0, False),
    ],
)
def test_how_far_a_car_gets_is_never_understated(there, apart_s, too_far):
    assert is_too_far(SHENZHEN, there, apart_s, Rules()) is too_far


def test_the_date_line_is_no_distance():
    west, east = Place("a", 0, 179_999_000), Place("b", 0, -179_999_000)
    assert not is_too_far(west, east, 0, Rules())
    assert is_too_far(Place("a", 0, 0), east, 3_600, Rules())


def test_seconds_between_stays_are_rounded_up_and_none_where_they_meet(forecourt):
    at = forecourt.at
    assert seconds_between((at(0), at(10)), (at(12), at(20))) == 2
    assert seconds_between((at(12), at(20)), (at(0), at(10))) == 2
    assert seconds_between((at(0), at(10)), (at(5), at(20))) == 0
    assert seconds_between((at(0), at(1)), (at(1) + timedelta(microseconds=1), at(2))) == 1
