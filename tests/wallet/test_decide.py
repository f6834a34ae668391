"""When a reading moves money by itself, and what is said when it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.decide import decide, is_stranger, most_likely, serial_wrong_ppm
from wallet.errors import InvalidFact
from wallet.facts import Posterior, SightingFact, Vehicle
from wallet.rules import Rules

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MINE = Vehicle("v1", "a1", "粤B12345", "blue", NOW, None)
TWIN = Vehicle("v2", "a2", "粤B12346", "blue", NOW, None)
BOUND = {MINE.plate: MINE, TWIN.plate: TWIN}


def _sighting(**changes):
    fact = SightingFact("s", "demo", "lane-1", "1", NOW, NOW, "粤B12345", "blue", 500, 8)
    return replace(fact, **changes)


def _decide(sighting=None, rules=None, amount_fen=40_000, **ppm):
    chances = (
        tuple((BOUND[name].plate, value) for name, value in ppm.items()) if ppm else (("粤B12345", 999_000),)
    )
    likely = most_likely(Posterior(chances, 1_000_000 - sum(value for _, value in chances)), BOUND)
    return decide(sighting or _sighting(), likely, amount_fen, rules or Rules())


def _codes(decision):
    return [reason.code for reason in decision.reasons]


def test_a_sure_reading_of_a_registered_plate_is_auto():
    decision = _decide()
    assert (decision.outcome, decision.vehicle, decision.expected_loss_fen) == ("auto", MINE, 45)
    assert _codes(decision) == ["sure"]


@pytest.mark.parametrize(("wrong_ppm", "outcome"), [(6_666, "auto"), (6_667, "review")])
def test_the_expected_loss_against_the_review_cost_decides_to_the_ppm(wrong_ppm, outcome):
    assert _decide(粤B12345=1_000_000 - wrong_ppm).outcome == outcome


def test_the_same_reading_is_good_enough_for_30_yuan_and_not_for_900():
    chance = {"粤B12345": 990_000}
    little, much = _decide(amount_fen=3_000, **chance), _decide(amount_fen=90_000, **chance)
    assert (little.outcome, little.expected_loss_fen) == ("auto", 80)
    assert (much.outcome, much.expected_loss_fen) == ("review", 950)
    assert "950 fen" in much.reasons[0].text
    assert "300 fen" in much.reasons[0].text


@pytest.mark.parametrize(
    ("sighting", "code"),
    [
        (_sighting(text="粤B12348"), "fuzzy_match"),
        (_sighting(colour="yellow"), "colour_differs"),
        (_sighting(wrong_ppm=20_001), "unsure_reading"),
    ],
)
def test_each_doubt_alone_needs_a_person_and_is_named(sighting, code):
    decision = _decide(sighting)
    assert decision.outcome == "review"
    assert _codes(decision) == [code]


def test_a_registered_look_alike_needs_a_person_at_the_floor_and_not_below():
    assert _codes(_decide(粤B12345=998_000, 粤B12346=1_000)) == ["look_alike"]
    below = _decide(粤B12345=998_000, 粤B12346=999)
    assert (below.outcome, below.runner_up, below.runner_up_ppm) == ("auto", "粤B12346", 999)


def test_every_doubt_is_listed():
    decision = _decide(
        _sighting(text="粤B12348", colour="green", wrong_ppm=30_000), 粤B12345=500_000, 粤B12346=400_000
    )
    assert _codes(decision) == ["fuzzy_match", "colour_differs", "look_alike", "unsure_reading"]


@given(
    best=st.integers(1, 1_000_000),
    second=st.integers(0, 1_000_000),
    wrong=st.integers(0, 1_000_000),
    amount=st.integers(0, 10**6),
    text=st.sampled_from(["粤B12345", "粤B12346", "粤B12348"]),
    colour=st.sampled_from(["blue", "green"]),
)
def test_whatever_the_numbers_auto_means_every_rule_holds(best, second, wrong, amount, text, colour):
    rules = Rules()
    second = min(second, 1_000_000 - best)
    likely = most_likely(Posterior(((MINE.plate, best), (TWIN.plate, second)), 0), BOUND)
    decision = decide(_sighting(text=text, colour=colour, wrong_ppm=wrong), likely, amount, rules)
    if decision.outcome == "auto":
        assert decision.vehicle.plate == text
        assert colour == decision.vehicle.colour
        assert decision.wrong_ppm * (amount + rules.dispute_cost_fen) <= rules.asking_cost_fen * 1_000_000
        assert decision.runner_up_ppm < rules.runner_up_floor_ppm
        assert wrong <= rules.auto_ceiling_ppm


def test_the_sum_is_kept_with_the_decision_as_numbers():
    kept = (
        ("wrong_ppm", 1_000),
        ("amount_fen", 40_000),
        ("dispute_cost_fen", 5_000),
        ("expected_loss_fen", 45),
        ("review_cost_fen", 200),
        ("delay_cost_fen", 100),
    )
    assert _decide().reasons[0].numbers == kept
    unsure = _decide(粤B12345=900_000).reasons[0]
    assert (unsure.code, dict(unsure.numbers)["expected_loss_fen"]) == ("unsure_reading", 4_500)


@pytest.mark.parametrize(("delay_cost_fen", "outcome"), [(249, "review"), (250, "auto")])
def test_what_the_driver_waits_for_is_weighed_with_the_review(delay_cost_fen, outcome):
    # 10,000 ppm of 450 yuan are 450 fen.
    rules = Rules(delay_cost_fen=delay_cost_fen)
    assert _decide(rules=rules, 粤B12345=990_000).outcome == outcome


def test_an_unreadable_car_is_a_stranger():
    assert is_stranger(_sighting(text=None), None, Rules()).code == "not_readable"


def test_a_plate_nobody_registered_is_a_strangers():
    assert is_stranger(_sighting(), None, Rules()).code == "not_registered"


@pytest.mark.parametrize(("ppm", "stranger"), [(19_999, True), (20_000, False)])
def test_a_faint_likeness_to_a_customer_does_not_bother_a_person(ppm, stranger):
    likely = most_likely(Posterior(((MINE.plate, ppm),), 1_000_000 - ppm), BOUND)
    assert (is_stranger(_sighting(text="粤B12348"), likely, Rules()) is not None) == stranger


def test_a_candidate_that_is_not_bound_any_more_is_no_candidate():
    assert most_likely(Posterior((("京A00001", 999_000), ("粤B12345", 0)), 1_000), BOUND) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"hold_fen": 1.5},
        {"hold_fen": -1},
        {"minimum_hold_fen": 0},
        {"minimum_hold_fen": 50_000},
        {"reentry_s": True},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InvalidFact):
        Rules(**wrong)


def _read(text="粤B12345", province=999_000, serial=999_900, wrong_ppm=500):
    """A reading with positions; what the province leaves open goes to 琼, but for 1,000 ppm."""
    positions = ((("粤", province), ("琼", 999_000 - province)), *(((c, serial),) for c in text[1:]))
    return _sighting(text=text, positions=positions, wrong_ppm=wrong_ppm)


def test_a_doubt_between_two_provinces_is_left_to_who_comes_to_the_station():
    unsure = _read(province=800_000, wrong_ppm=210_000)
    # 790,000 of what the province leaves to itself: 800,000 of 999,000.
    assert serial_wrong_ppm(unsure) == 13_488
    assert _decide(unsure).outcome == "auto"
    assert _codes(_decide(unsure, 粤B12345=993_333)) == ["unsure_reading"]


def test_a_doubt_in_the_serial_is_not_excused_by_a_sure_province():
    assert serial_wrong_ppm(_read(wrong_ppm=30_000)) == 30_000
    assert _codes(_decide(_read(wrong_ppm=30_000))) == ["unsure_reading"]
    assert _codes(_decide(_read(province=800_000, wrong_ppm=230_000))) == ["unsure_reading"]


def test_without_positions_the_whole_doubt_counts():
    assert serial_wrong_ppm(_sighting(wrong_ppm=30_000)) == 30_000
    assert serial_wrong_ppm(_sighting(text=None, wrong_ppm=1_000_000)) == 1_000_000
    # No province is less sure than the whole text: then nothing is excused.
    assert serial_wrong_ppm(_read(province=400_000, wrong_ppm=500_000)) == 500_000
