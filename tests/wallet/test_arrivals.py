"""Cars arrive and leave: one stay, one visit, one hold; and what happens when nobody fuels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallet.errors import InvalidFact, KeyReused, SightingUnknown
from wallet.facts import Posterior

# Refused before anything is stored: one kind of database is enough.
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def _codes(arrival):
    return [reason.code for reason in arrival.match.reasons]


def test_a_known_car_gets_a_visit_and_a_hold(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    arrival = forecourt.arrive("粤B12345")
    assert (arrival.match.outcome, arrival.match.plate, arrival.match.account_id) == (
        "auto",
        "粤B12345",
        account_id,
    )
    assert (arrival.visit.state, arrival.visit.hold_fen, arrival.hold_fen) == ("open", 40_000, 40_000)
    balance = wallet.balance(account_id)
    assert (balance.principal_fen, balance.held_fen, balance.available_fen) == (100_000, 40_000, 60_000)
    assert wallet.visit(arrival.visit.id) == arrival.visit


def test_a_small_wallet_is_held_whole(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 12_300)
    assert forecourt.arrive("粤B12345").hold_fen == 12_300
    assert wallet.balance(account_id).available_fen == 0


@pytest.mark.parametrize(("money_fen", "hold_fen"), [(5_000, 5_000), (4_999, 0), (0, 0)])
def test_below_the_least_hold_no_pump_opens(wallet, forecourt, money_fen, hold_fen):
    account_id = forecourt.customer("粤B12345", money_fen)
    arrival = forecourt.arrive("粤B12345")
    assert arrival.hold_fen == hold_fen == wallet.balance(account_id).held_fen
    if not hold_fen:
        assert (arrival.match.outcome, _codes(arrival), arrival.visit) == (
            "review",
            ["insufficient_balance"],
            None,
        )
        assert not wallet.authorise("demo", "1", forecourt.at(10)).authorised


def test_an_unreadable_car_far_from_a_pump_bothers_nobody(wallet, forecourt):
    arrival = forecourt.arrive(None, None)
    assert (arrival.match.outcome, _codes(arrival)) == ("none", ["not_readable"])
    assert wallet.reviews() == []


@pytest.mark.parametrize(
    ("text", "candidates", "outcome", "code"),
    [
        (None, (), "review", "not_readable"),
        ("京A99999", (), "none", "not_registered"),
        ("粤B12348", (("粤B12345", 10_000),), "none", "not_registered"),
        ("粤B12348", (("粤B12345", 999_900),), "review", "fuzzy_match"),
        ("粤B12345", (("粤B12345", 900_000),), "review", "unsure_reading"),
        ("粤B12345", (("粤B12345", 990_000), ("粤B12346", 9_000)), "review", "look_alike"),
    ],
)
def test_whoever_is_not_surely_known_moves_no_money(wallet, forecourt, text, candidates, outcome, code):
    account_id = forecourt.customer("粤B12345")
    forecourt.customer("粤B12346")
    arrival = forecourt.arrive(text, candidates=candidates)
    assert (arrival.match.outcome, arrival.visit, arrival.hold_fen) == (outcome, None, 0)
    assert code in _codes(arrival)
    assert wallet.balance(account_id).held_fen == 0
    assert [item.sighting_id for item in wallet.reviews()] == (
        [arrival.match.sighting_id] if outcome == "review" else []
    )


def test_a_plate_of_another_colour_moves_no_money(wallet, forecourt):
    forecourt.customer("粤B12345", colour="blue")
    arrival = forecourt.arrive("粤B12345", colour="yellow")
    assert (arrival.match.outcome, _codes(arrival)) == ("review", ["colour_differs"])


def test_the_same_sighting_again_gets_the_same_match_and_no_second_hold(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    first = forecourt.arrive("粤B12345", sighting_id="s1")
    again = forecourt.arrive("粤B12345", sighting_id="s1", now=forecourt.at(500))
    assert again == replace(first, repeated=True)
    assert wallet.balance(account_id).held_fen == 40_000
    assert len(wallet.visits()) == len(wallet.matches()) == 1


def test_the_same_sighting_with_another_body_is_refused(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", sighting_id="s1")
    with pytest.raises(KeyReused):
        forecourt.arrive("粤B12345", pump="2", sighting_id="s1")
    assert wallet.balance(account_id).held_fen == 40_000


def test_a_replayed_sighting_is_not_judged_by_a_new_posterior(wallet, forecourt):
    forecourt.customer("粤B12345")
    first = forecourt.arrive("粤B12345", sighting_id="s1", candidates=(("粤B12345", 800_000),))
    again = forecourt.arrive("粤B12345", sighting_id="s1", candidates=(("粤B12345", 999_999),))
    assert again.match == first.match


def test_a_second_look_at_the_same_stay_joins_it(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    first = forecourt.arrive("粤B12345", pump=None)
    second = forecourt.arrive("粤B12345", pump="3", seconds=40)
    assert second.visit.id == first.visit.id
    assert (second.hold_fen, second.match.joined, second.visit.pump) == (0, True, "3")
    assert wallet.balance(account_id).held_fen == 40_000


def test_a_car_back_within_the_reentry_time_has_not_left(wallet, forecourt):
    forecourt.customer("粤B12345")
    first = forecourt.arrive("粤B12345", sighting_id="s1")
    left = wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    assert left.left_at == forecourt.at(100)
    back = forecourt.arrive("粤B12345", seconds=160)
    assert (back.visit.id, back.visit.left_at) == (first.visit.id, None)


def test_a_car_back_after_the_reentry_time_is_on_a_new_visit(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    first = forecourt.arrive("粤B12345", sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    back = forecourt.arrive("粤B12345", seconds=161)
    assert back.visit.id != first.visit.id
    assert wallet.balance(account_id).held_fen == 80_000
    wallet.sweep(forecourt.at(401))
    assert wallet.balance(account_id).held_fen == 40_000


def test_a_car_that_left_without_fuelling_gets_its_money_back_after_the_grace(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    assert wallet.sweep(forecourt.at(400)) == []
    (voided,) = wallet.sweep(forecourt.at(401))
    assert (voided.state, voided.end, voided.captured_fen) == ("voided", "left_without_sale", 0)
    assert wallet.balance(account_id).available_fen == 100_000
    assert wallet.sweep(forecourt.at(402)) == []


def test_a_parked_car_holds_nothing_for_ever(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345")
    assert wallet.sweep(forecourt.at(7_200)) == []
    (voided,) = wallet.sweep(forecourt.at(7_201))
    assert voided.end == "stayed_too_long"
    assert wallet.balance(account_id).held_fen == 0


def test_a_camera_whose_clock_is_days_ahead_holds_money_no_longer_than_any_other(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", seconds=40 * 24 * 3_600, now=forecourt.at(0))
    assert wallet.sweep(forecourt.at(7_200)) == []
    assert [visit.end for visit in wallet.sweep(forecourt.at(7_201))] == ["stayed_too_long"]
    assert wallet.balance(account_id).held_fen == 0


def test_a_car_seen_again_after_the_longest_stay_frees_its_old_hold_itself(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 45_000)
    first = forecourt.arrive("粤B12345")
    second = forecourt.arrive("粤B12345", seconds=7_300)
    assert second.visit.id != first.visit.id
    assert wallet.visit(first.visit.id).end == "stayed_too_long"
    assert wallet.balance(account_id).held_fen == 40_000


def test_a_parked_car_that_is_seen_all_day_is_not_held_twice_at_once(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    for seconds in range(0, 20_000, 500):
        forecourt.arrive("粤B12345", seconds=seconds)
        wallet.sweep(forecourt.at(seconds))
        assert wallet.balance(account_id).held_fen == 40_000


def test_a_late_report_of_an_earlier_stay_does_not_stand_beside_the_present_one(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    present = forecourt.arrive("粤B12345", seconds=5_000)
    earlier = forecourt.arrive("粤B12345", seconds=100, now=forecourt.at(5_010))
    assert earlier.visit.id != present.visit.id
    assert earlier.visit.left_at == present.visit.opened_at
    assert [visit.id for visit in wallet.sweep(forecourt.at(5_400))] == [earlier.visit.id]
    assert wallet.balance(account_id).held_fen == 40_000


def test_a_late_report_of_a_stay_that_was_followed_by_another_does_not_bring_the_car_back(wallet, forecourt):
    forecourt.customer("粤B12345")
    first = forecourt.arrive("粤B12345", sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    second = forecourt.arrive("粤B12345", seconds=200)
    late = forecourt.arrive("粤B12345", seconds=130, now=forecourt.at(210))
    assert (late.visit.id, late.visit.left_at) == (first.visit.id, forecourt.at(132))
    assert wallet.visit(second.visit.id).left_at is None


def test_a_late_report_still_leaves_the_sale_its_whole_grace(wallet, forecourt):
    forecourt.customer("粤B12345")
    late = forecourt.at(10_000)
    forecourt.arrive("粤B12345", sighting_id="s1", now=late)
    wallet.depart("s1", forecourt.at(200), late)
    assert wallet.sweep(forecourt.at(10_300)) == []
    assert len(wallet.sweep(forecourt.at(10_301))) == 1


def test_leaving_the_entry_camera_is_not_leaving_the_station(wallet, forecourt):
    forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", pump=None, sighting_id="entry")
    forecourt.arrive("粤B12345", pump="2", seconds=30, sighting_id="pump")
    assert wallet.depart("entry", forecourt.at(35), forecourt.at(35)).left_at is None
    assert wallet.depart("pump", forecourt.at(300), forecourt.at(300)).left_at == forecourt.at(300)


def test_the_same_departure_again_changes_nothing(wallet, forecourt):
    forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", sighting_id="s1")
    first = wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    assert wallet.depart("s1", forecourt.at(100), forecourt.at(900)) == first
    with pytest.raises(KeyReused):
        wallet.depart("s1", forecourt.at(101), forecourt.at(900))


def test_a_departure_of_a_stranger_is_no_visits(wallet, forecourt):
    forecourt.arrive("京A99999", sighting_id="s1")
    assert wallet.depart("s1", forecourt.at(100), forecourt.at(100)) is None


def test_a_departure_nobody_arrived_for_is_refused(wallet, forecourt):
    with pytest.raises(SightingUnknown):
        wallet.depart("nobody", forecourt.at(100), forecourt.at(100))


def test_nobody_leaves_before_arriving(wallet, forecourt):
    forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", seconds=50, sighting_id="s1")
    with pytest.raises(InvalidFact):
        wallet.depart("s1", forecourt.at(49), forecourt.at(100))


def test_unbinding_stops_new_holds_at_once_and_leaves_the_present_stay_alone(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", sighting_id="s1")
    wallet.unbind_vehicle("粤B12345", forecourt.at(10))
    later = forecourt.arrive("粤B12345", seconds=20)
    assert (later.match.outcome, _codes(later)) == ("none", ["not_registered"])
    assert wallet.balance(account_id).held_fen == 40_000
    assert forecourt.sell(20_000).captured_fen == 20_000
    assert forecourt.arrive("粤B12345", seconds=5_000).hold_fen == 0


def test_a_plate_bound_anew_belongs_to_its_new_owner_only(wallet, forecourt):
    old = forecourt.customer("粤B12345")
    wallet.unbind_vehicle("粤B12345", forecourt.at(1))
    new = forecourt.customer("粤B12345")
    assert forecourt.arrive("粤B12345", seconds=10).match.account_id == new
    assert wallet.balance(old).held_fen == 0


def test_one_car_at_two_stations_has_two_visits(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345")
    forecourt.station = "elsewhere"
    forecourt.arrive("粤B12345", seconds=20)
    assert {visit.station for visit in wallet.visits(account_id=account_id)} == {"demo", "elsewhere"}
    assert wallet.balance(account_id).held_fen == 80_000


@ON_SQLITE
@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "pink"},
        {"wrong_ppm": 1_000_001},
        {"wrong_ppm": 0.5},
        {"text": "粤B12345678901"},
        {"station": ""},
        {"station": "a/b"},
        {"camera": "a\x00"},
        {"looks": 1 << 40},
        {"positions": ((("\x00", 5),),)},
        {"positions": ((("粤", 0.5),),)},
        {"pump": "x" * 65},
    ],
)
def test_a_sighting_that_makes_no_sense_is_refused_whole(wallet, forecourt, changes):
    fact = replace(forecourt.sighting("粤B12345"), **changes)
    with pytest.raises(InvalidFact):
        wallet.arrive(fact, Posterior((), 1_000_000), forecourt.at(5))
    assert wallet.matches() == []


def test_a_posterior_above_certainty_is_refused(wallet, forecourt):
    forecourt.customer("粤B12345")
    with pytest.raises(InvalidFact):
        wallet.arrive(
            forecourt.sighting("粤B12345"), Posterior((("粤B12345", 999_000),), 5_000), forecourt.at(5)
        )
