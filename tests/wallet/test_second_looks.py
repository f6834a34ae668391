"""An entry that surely read another text than the pump: no money moves by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallet.facts import Posterior
from wallet.replaying import decide_again
from wallet.rules import Rules
from wallet.second_looks import Look, Station, doubts, is_one_off

MINE, OTHER = "粤B54250", "粤B54258"


def station(elsewhere=(), **cars):
    return Station(lambda text: text in elsewhere, lambda prefix: cars.get(prefix, 0))


def codes(*looks, elsewhere=(), **cars):
    return [reason.code for reason in doubts(MINE, "blue", looks, station(elsewhere, **cars), Rules())]


def test_a_sure_text_one_character_off_is_a_reason_that_tells_no_plate():
    [reason] = doubts(MINE, "blue", [Look("entry", OTHER, 10_000, "blue")], station(), Rules())
    assert reason.code == "read_otherwise"
    assert dict(reason.numbers) == {"other_wrong_ppm": 10_000, "auto_ceiling_ppm": 10_000}
    assert OTHER not in reason.text
    assert MINE not in reason.text


@pytest.mark.parametrize(
    "look",
    [
        Look("entry", OTHER, 10_001, "blue"),
        Look("entry", None, 1_000_000, "blue"),
        Look("entry", "粤B54368", 100, "blue"),
        Look("entry", "粤B542508", 100, "blue"),
        Look("entry", MINE, 100, "blue"),
    ],
)
def test_an_unsure_unread_or_farther_text_says_nothing(look):
    assert codes(look) == []


def test_the_very_text_surely_read_by_another_camera_outweighs_a_neighbour():
    assert codes(Look("entry", OTHER, 100, "blue"), Look("gate", MINE, 100, "blue")) == []
    assert codes(Look("entry", OTHER, 100, "blue"), Look("gate", MINE, 10_001, "blue")) == ["read_otherwise"]


def test_the_same_text_surely_seen_on_another_colour_is_another_plate():
    [reason] = doubts(MINE, "blue", [Look("entry", MINE, 100, "yellow")], station(), Rules())
    assert reason.code == "read_otherwise"
    assert dict(reason.numbers) == {"other_wrong_ppm": 100, "auto_ceiling_ppm": 10_000}
    assert codes(Look("entry", MINE, 10_001, "yellow")) == []
    assert codes(Look("entry", MINE, 100, "yellow"), Look("gate", MINE, 100, "blue")) == []


@pytest.mark.parametrize(
    ("cars", "found"),
    [
        ({}, ["read_otherwise"]),
        ({"粤B": 99, "琼B": 9}, ["read_otherwise"]),
        ({"粤B": 100, "琼B": 9}, []),
        ({"粤B": 9, "琼B": 100}, ["read_otherwise"]),
    ],
)
def test_of_two_provinces_the_one_whose_cars_come_ten_times_oftener_is_believed(cars, found):
    assert codes(Look("entry", "琼B54250", 100, "blue"), **cars) == found
    assert codes(Look("entry", "粤C54250", 100, "blue"), 粤B=1_000) == ["read_otherwise"]


def test_who_comes_is_taken_from_what_was_counted_at_the_station(wallet, forecourt):
    forecourt.customer(MINE)
    for number in range(10, 30):
        forecourt.arrive(f"粤B777{number}", seconds=number, pump="2")
    at_entry(forecourt, "琼B54250", 1_003)
    assert forecourt.arrive(MINE, seconds=1_060).match.outcome == "review"
    wallet.habits.recount(forecourt.at(1_070))
    at_entry(forecourt, "琼B54250", 3_003)
    assert forecourt.arrive(MINE, seconds=3_060).match.outcome == "auto"


def test_a_text_that_stands_at_a_pump_is_another_car():
    assert codes(Look("entry", OTHER, 100, "blue"), elsewhere={OTHER}) == []


@pytest.mark.parametrize(
    ("one", "other", "is_so"),
    [("ABC", "ABD", True), ("ABC", "ABC", False), ("AB", "ABC", False), ("ABC", "ADD", False)],
)
def test_one_off_is_one_character_of_the_same_length(one, other, is_so):
    assert is_one_off(one, other) is is_so


def at_entry(forecourt, text, seconds, **changes):
    seen = replace(forecourt.sighting(text, pump=None, seconds=seconds), camera="entry", **changes)
    forecourt.wallet.arrive(seen, Posterior((), 1_000_000), forecourt.at(seconds))


def test_who_was_read_otherwise_at_the_entry_is_not_debited(wallet, forecourt):
    account = forecourt.customer(MINE)
    at_entry(forecourt, OTHER, 3)
    arrival = forecourt.arrive(MINE, seconds=60)
    assert (arrival.match.outcome, [r.code for r in arrival.match.reasons]) == ("review", ["read_otherwise"])
    forecourt.sell(10_000, started=90)
    wallet.sweep(forecourt.at(20_000))
    assert wallet.balance(account).principal_fen == 100_000


def test_long_ago_and_another_station_say_nothing(forecourt):
    forecourt.customer(MINE)
    at_entry(forecourt, OTHER, 3, station="north")
    at_entry(forecourt, OTHER, 4)
    assert forecourt.arrive(MINE, seconds=700).match.outcome == "auto"


def test_a_neighbour_that_was_seen_at_a_pump_lets_the_next_car_pay(forecourt):
    forecourt.customer(MINE)
    at_entry(forecourt, OTHER, 3)
    forecourt.arrive(OTHER, seconds=30, pump="2")
    assert forecourt.arrive(MINE, seconds=60).match.outcome == "auto"


def test_a_car_that_stands_at_no_pump_is_not_doubted_for_what_another_camera_read(forecourt):
    forecourt.customer(MINE)
    at_entry(forecourt, OTHER, 3)
    assert forecourt.arrive(MINE, pump=None, seconds=60).match.outcome == "auto"


def opens(forecourt, wrong_ppm=500, seconds=3, **changes):
    """The entry is sure of our customer: a stay is open before the car stands at a pump."""
    changes = {"camera": "entry", "wrong_ppm": 100} | changes
    seen = replace(forecourt.sighting(MINE, pump=None, seconds=seconds), **changes)
    posterior = Posterior(((MINE, 1_000_000 - wrong_ppm),), wrong_ppm)
    return forecourt.wallet.arrive(seen, posterior, forecourt.at(seconds)).match.outcome


def unsure(forecourt, seconds=60, ppm=950_000, runner_up=(), **changes):
    """The pump's camera reads the same, but is not sure of it."""
    seen = replace(forecourt.sighting(MINE, seconds=seconds), **({"wrong_ppm": 60_000} | changes))
    posterior = Posterior(((MINE, ppm), *runner_up), 1_000_000 - ppm - sum(p for _, p in runner_up))
    return forecourt.wallet.arrive(seen, posterior, forecourt.at(seconds))


def test_an_unsure_pump_that_agrees_with_a_sure_entry_lets_the_car_pay_once(wallet, forecourt):
    account = forecourt.customer(MINE)
    assert opens(forecourt) == "auto"
    arrival = unsure(forecourt)
    assert (arrival.match.outcome, arrival.match.joined, arrival.match.wrong_ppm) == ("auto", True, 500)
    forecourt.sell(10_000, started=90)
    assert wallet.balance(account).principal_fen == 90_000


@pytest.mark.parametrize("wrong_ppm", [333_334, 500_000])
def test_a_pump_that_is_not_likelier_wrong_than_right_is_helped(forecourt, wrong_ppm):
    forecourt.customer(MINE)
    assert opens(forecourt) == "auto"
    assert unsure(forecourt, wrong_ppm=wrong_ppm).match.outcome == "auto"


def test_an_unsure_pump_alone_is_never_enough(forecourt):
    forecourt.customer(MINE)
    assert unsure(forecourt).match.outcome == "review"


@pytest.mark.parametrize(
    "changes",
    [{"wrong_ppm": 500_001}, {"colour": "green"}, {"camera": "entry"}, {"station": "north"}],
)
def test_a_pump_that_says_else_hardly_anything_or_is_the_same_camera_is_not_helped(forecourt, changes):
    forecourt.customer(MINE)
    assert opens(forecourt) == "auto"
    assert unsure(forecourt, **changes).match.outcome == "review"


def test_a_car_that_surely_stands_at_another_pump_or_has_left_is_not_known_to_stand_here(forecourt, wallet):
    forecourt.customer(MINE)
    assert opens(forecourt) == "auto"
    assert forecourt.arrive(MINE, pump="2", seconds=30).match.joined
    assert unsure(forecourt).match.outcome == "review"
    assert unsure(forecourt, seconds=70, pump="2").match.outcome == "auto"
    last = forecourt.arrive(MINE, pump="2", seconds=80, sighting_id="last")
    assert last.match.joined
    wallet.depart("last", forecourt.at(90), forecourt.at(91))
    assert unsure(forecourt, seconds=100, pump="2").match.outcome == "review"


def test_an_entry_of_long_ago_proves_nothing(forecourt):
    forecourt.customer(MINE)
    assert opens(forecourt) == "auto"
    assert unsure(forecourt, seconds=700).match.outcome == "review"


def test_an_entry_that_was_not_sure_enough_to_open_a_stay_proves_nothing(forecourt):
    forecourt.customer(MINE)
    assert opens(forecourt, wrong_ppm=50_000) == "review"
    assert unsure(forecourt).match.outcome == "review"


def test_a_runner_up_that_the_entry_told_apart_is_told_apart(forecourt):
    forecourt.customer(MINE)
    forecourt.customer(OTHER)
    assert unsure(forecourt, runner_up=((OTHER, 20_000),)).match.outcome == "review"
    assert opens(forecourt, seconds=2_000) == "auto"
    assert unsure(forecourt, seconds=2_060, runner_up=((OTHER, 20_000),)).match.outcome == "auto"


def test_a_decision_that_leaned_on_the_entry_is_made_again_the_same(wallet, forecourt):
    forecourt.customer(MINE)
    opens(forecourt)
    match = unsure(forecourt).match
    kept = wallet.proof.inputs(match.sighting_id)
    again = decide_again(wallet.sighting(match.sighting_id), match.posterior, kept[1], Rules())
    assert (again.outcome, again.wrong_ppm, again.joined) == ("auto", match.wrong_ppm, True)


def reads(text, *others, top=600_000):
    """The positions of a reading; others: (place, character, ppm) listed besides."""
    positions = [[(character, 999_900)] for character in text]
    for place, character, ppm in others:
        positions[place] = [(text[place], top), (character, ppm)]
    return tuple(tuple(position) for position in positions)


def nearly(forecourt, text=OTHER, positions=None, **changes):
    """The pump's camera reads a text that is not registered; ours is the nearest."""
    positions = reads(OTHER, (6, "0", 390_000)) if positions is None else positions
    changes = {"text": text, "positions": positions, "wrong_ppm": 400_000} | changes
    return unsure(forecourt, ppm=900_000, **changes)


def test_a_pump_that_leaves_the_plate_open_lets_the_car_pay_that_the_entry_was_sure_of(wallet, forecourt):
    account = forecourt.customer(MINE)
    assert opens(forecourt) == "auto"
    match = nearly(forecourt).match
    # 500 ppm at the entry, times 600,000 for the other character to 390,000 for ours.
    assert (match.outcome, match.joined, match.wrong_ppm, match.plate) == ("auto", True, 770, MINE)
    assert "Another camera surely read" in match.reasons[0].text
    forecourt.sell(10_000, started=90)
    assert wallet.balance(account).principal_fen == 90_000
    again = decide_again(
        wallet.sighting(match.sighting_id),
        match.posterior,
        wallet.proof.inputs(match.sighting_id)[1],
        Rules(),
    )
    assert (again.outcome, again.wrong_ppm) == ("auto", 770)


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": reads(OTHER, (6, "0", 300), top=999_000)},
        {"positions": reads(OTHER)},
        {"positions": reads(OTHER + "8"), "text": OTHER + "8"},
        {"positions": ()},
        {"wrong_ppm": 400},
        {"colour": "green"},
    ],
    ids=["sure of another", "ours not listed", "longer", "no positions", "sure text", "colour"],
)
def test_a_pump_that_is_sure_of_another_text_needs_a_person(forecourt, changes):
    forecourt.customer(MINE)
    assert opens(forecourt) == "auto"
    match = nearly(forecourt, **changes).match
    assert match.outcome == "review"
    assert "fuzzy_match" in [reason.code for reason in match.reasons]


def test_a_near_text_is_never_enough_without_a_stay_that_the_entry_opened(forecourt):
    forecourt.customer(MINE)
    assert nearly(forecourt).match.outcome == "review"
    forecourt.customer(OTHER)
    at_entry(forecourt, MINE, 70, wrong_ppm=100)
    assert nearly(forecourt, seconds=80).match.outcome == "review"


def alike(forecourt, seconds=60, ppm=9_000, **changes):
    """The pump's camera is sure; a registered neighbour is a little likely as well."""
    changes = {"wrong_ppm": 200} | changes
    return unsure(forecourt, seconds, 1_000_000 - ppm, ((OTHER, ppm),), **changes).match


def test_two_cameras_that_are_sure_of_one_text_tell_a_neighbour_apart(wallet, forecourt):
    forecourt.customer(MINE)
    forecourt.customer(OTHER)
    assert alike(forecourt).reasons[0].code == "look_alike"
    unsure(forecourt, 70, pump=None, camera="entry", wrong_ppm=100, runner_up=((OTHER, 20_000),))
    elsewhere = alike(forecourt, seconds=80, pump=None, camera="gate")
    assert (elsewhere.outcome, elsewhere.runner_up_ppm) == ("review", 9_000)
    match = alike(forecourt, seconds=90, wrong_ppm=10_000)
    assert (match.outcome, match.runner_up_ppm, match.wrong_ppm) == ("auto", 900, 900)
    inputs = wallet.proof.inputs(match.sighting_id)[1]
    again = decide_again(wallet.sighting(match.sighting_id), match.posterior, inputs, Rules())
    assert (again.outcome, again.wrong_ppm) == ("auto", 900)


@pytest.mark.parametrize(
    "look", [{"wrong_ppm": 10_001}, {"colour": "green"}, {"camera": "lane-1"}, {"station": "north"}]
)
def test_a_neighbour_is_told_apart_only_by_another_camera_that_was_sure(forecourt, look):
    forecourt.customer(MINE)
    forecourt.customer(OTHER)
    unsure(
        forecourt,
        70,
        **({"pump": None, "camera": "entry", "wrong_ppm": 100} | look),
        runner_up=((OTHER, 20_000),),
    )
    assert alike(forecourt, seconds=90).outcome == "review"


def test_a_neighbour_too_likely_is_not_told_apart_by_two_sure_looks(forecourt):
    forecourt.customer(MINE)
    forecourt.customer(OTHER)
    unsure(forecourt, 70, pump=None, camera="entry", wrong_ppm=100, runner_up=((OTHER, 20_000),))
    assert alike(forecourt, seconds=90, ppm=10_001).outcome == "review"
