"""When a reading moves money by itself, and what is said when it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.decide import (
    Proof,
    Wanted,
    decide,
    hold_for,
    is_stranger,
    least_hold,
    most_likely,
    serial_wrong_ppm,
    stranger,
    together,
    without_funds,
)
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
        (_sighting(wrong_ppm=10_001), "unsure_reading"),
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


# Half of them near the limits of the rules: of numbers drawn evenly one in five hundred is automatic.
@given(
    doubt=st.integers(0, 4_000) | st.integers(0, 999_999),
    second=st.integers(0, 2_000) | st.integers(0, 1_000_000),
    wrong=st.integers(0, 40_000) | st.integers(0, 1_000_000),
    amount=st.integers(0, 10**6),
    text=st.sampled_from([MINE.plate, MINE.plate, TWIN.plate, "粤B12348"]),
    colour=st.sampled_from(["blue", "blue", "green"]),
)
def test_whatever_the_numbers_it_is_auto_where_every_rule_holds_and_nowhere_else(
    doubt, second, wrong, amount, text, colour
):
    rules, best = Rules(), 1_000_000 - doubt
    second = min(second, doubt)
    likely = most_likely(Posterior(((MINE.plate, best), (TWIN.plate, second)), 0), BOUND)
    decision = decide(_sighting(text=text, colour=colour, wrong_ppm=wrong), likely, amount, rules)
    assert decision.wrong_ppm == 1_000_000 - max(best, second)
    assert (decision.outcome == "auto") is (
        decision.vehicle.plate == text
        and decision.vehicle.colour == colour
        and decision.wrong_ppm * (amount + rules.dispute_cost_fen) <= rules.asking_cost_fen * 1_000_000
        and decision.runner_up_ppm < rules.runner_up_floor_ppm
        and wrong <= rules.auto_ceiling_ppm
    )


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


@pytest.mark.parametrize(("wrong_ppm", "outcome"), [(10_000, "auto"), (10_001, "review")])
def test_a_reading_at_the_ceiling_moves_money_and_above_it_none(wrong_ppm, outcome):
    assert _decide(_sighting(wrong_ppm=wrong_ppm)).outcome == outcome


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
    ("wrong", "what", "given"),
    [
        ({"hold_fen": 1.5}, "hold_fen", "1.5"),
        ({"hold_fen": -1}, "hold_fen", "-1"),
        ({"reentry_s": True}, "reentry_s", "True"),
        ({"reentry_s": "60"}, "reentry_s", "'60'"),
        ({"minimum_hold_fen": 0}, "minimum_hold_fen", "0"),
        ({"minimum_hold_fen": 40_001}, "minimum_hold_fen", "40001"),
        ({"smallest_recharge_fen": 0}, "smallest_recharge_fen", "0"),
        ({"smallest_recharge_fen": 500_001}, "smallest_recharge_fen", "500001"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_the_name_of_the_rule(wrong, what, given):
    with pytest.raises(InvalidFact) as refused:
        Rules(**wrong)
    assert (refused.value.what, refused.value.given) == (what, given)


def test_rules_at_their_edges_are_taken():
    assert Rules(hold_fen=1, minimum_hold_fen=1, smallest_recharge_fen=1, largest_recharge_fen=1, reentry_s=0)


def _read(text="粤B12345", province=999_000, serial=999_900, wrong_ppm=500):
    """A reading with positions; what the province leaves open goes to 琼, but for 1,000 ppm."""
    positions = ((("粤", province), ("琼", 999_000 - province)), *(((c, serial),) for c in text[1:]))
    return _sighting(text=text, positions=positions, wrong_ppm=wrong_ppm)


def test_a_doubt_between_two_provinces_is_left_to_who_comes_to_the_station():
    unsure = _read(province=800_000, wrong_ppm=205_000)
    # 795,000 of what the province leaves to itself: 800,000 of 999,000.
    assert serial_wrong_ppm(unsure) == 7_244
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


def test_a_province_that_the_reading_does_not_list_excuses_nothing():
    elsewhere = _sighting(positions=((("琼", 999_000),), *(((c, 999_000),) for c in "B12345")))
    assert serial_wrong_ppm(replace(elsewhere, wrong_ppm=999_999)) == 999_999
    # Nor does a province that is exactly as sure as the whole text.
    assert serial_wrong_ppm(_read(province=799_200, wrong_ppm=200_000)) == 200_000


def test_every_reason_tells_the_numbers_it_was_made_of_by_name():
    def told(decision):
        return {reason.code: dict(reason.numbers) for reason in decision.reasons}

    doubtful = told(_decide(_sighting(wrong_ppm=10_001), 粤B12345=998_000, 粤B12346=1_000))
    assert doubtful == {
        "look_alike": {"runner_up_ppm": 1_000, "runner_up_floor_ppm": 1_000},
        "unsure_reading": {"reading_wrong_ppm": 10_001, "auto_ceiling_ppm": 10_000},
    }
    poor = without_funds(_decide(), 4_999, 5_000)
    assert told(poor) == {"insufficient_balance": {"available_fen": 4_999, "least_fen": 5_000}}
    faint = is_stranger(_sighting(), most_likely(Posterior(((MINE.plate, 19_999),), 0), BOUND), Rules())
    assert (faint.code, dict(faint.numbers)) == (
        "not_registered",
        {"likely_ppm": 19_999, "review_floor_ppm": 20_000},
    )


def test_who_cannot_pay_is_still_the_car_that_was_read():
    sure = _decide(粤B12345=998_000, 粤B12346=999)
    assert without_funds(sure, 0, 1) == replace(
        sure, outcome="review", reasons=without_funds(sure, 0, 1).reasons
    )


def test_what_is_taken_is_told_as_read_where_it_was_read():
    assert _decide().reasons[0].text.startswith("Read 粤B12345, registered, blue")


def test_the_least_of_chances_is_still_a_candidate_and_one_alone_has_no_runner_up():
    alone = most_likely(Posterior(((MINE.plate, 1),), 999_999), BOUND)
    assert (alone.vehicle, alone.ppm, alone.runner_up, alone.runner_up_ppm) == (MINE, 1, None, 0)


@pytest.mark.parametrize(
    ("text", "pump", "outcome"),
    [(None, "1", "review"), (None, None, "none"), ("京A00001", "1", "none"), ("京A00001", None, "none")],
)
def test_only_a_plate_nobody_can_read_at_a_pump_is_looked_at_by_a_person(text, pump, outcome):
    seen = _sighting(text=text, pump=pump, wrong_ppm=7)
    decision = stranger(seen, is_stranger(seen, None, Rules()))
    assert (decision.outcome, decision.vehicle, decision.runner_up) == (outcome, None, None)
    numbers = (decision.wrong_ppm, decision.amount_fen, decision.expected_loss_fen, decision.runner_up_ppm)
    assert numbers == (7, 0, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "held_fen", "least_fen"),
    [
        (Wanted(), 40_000, 5_000),
        (Wanted(most_fen=50_000), 40_000, 5_000),
        (Wanted(most_fen=6_000), 6_000, 5_000),
        (Wanted(most_fen=4_000), 4_000, 4_000),
        (Wanted(fee_fen=6_000), 6_000, 6_000),
        (Wanted(most_fen=4_000, fee_fen=50_000), 50_000, 50_000),
    ],
)
def test_a_fixed_price_is_held_whole_and_all_else_as_far_as_rules_and_limits_go(wanted, held_fen, least_fen):
    assert (hold_for(10**6, wanted, Rules()), least_hold(wanted, Rules())) == (held_fen, least_fen)
    assert hold_for(held_fen - 1, wanted, Rules()) == held_fen - 1


# What two cameras say together ------------------------------------------------------------------------------

LIKELY = most_likely(Posterior(((MINE.plate, 999_000), (TWIN.plate, 900)), 100), BOUND)
ENTRY = Proof(100, 500, 20)


def _together(proof=ENTRY, likely=LIKELY, rules=None, **changes):
    said = together(_sighting(**changes), likely, proof, rules or Rules())
    return said.is_plate, said.read_ppm, said.likely.wrong_ppm, said.likely.runner_up_ppm


def _at(text, **listed):
    """A position each; those named p0, p1, … list what is given."""
    return tuple(tuple(listed.get(f"p{place}", {c: 999_000}).items()) for place, c in enumerate(text))


def test_two_sure_cameras_of_one_text_leave_a_tenth_of_what_speaks_against_it():
    assert _together(wrong_ppm=10_000) == (True, 10_000, 100, 90)
    assert _together(wrong_ppm=10_000, text=TWIN.plate) == (False, 10_000, 1_000, 900)
    assert _together(wrong_ppm=10_000, colour="green") == (True, 10_000, 1_000, 900)
    assert _together(proof=None, wrong_ppm=10_000) == (True, 10_000, 1_000, 900)


def test_an_unsure_look_that_agrees_is_as_sure_as_the_entry_until_it_is_likelier_wrong_than_right():
    assert _together(wrong_ppm=10_001) == (True, 100, 500, 20)
    assert _together(wrong_ppm=500_000) == (True, 100, 500, 20)
    assert _together(wrong_ppm=500_001) == (True, 500_001, 1_000, 900)
    assert _together(proof=Proof(100), wrong_ppm=60_000) == (True, 60_000, 1_000, 900)


def test_of_what_the_look_and_the_entry_say_against_the_plate_the_less_counts():
    better = replace(LIKELY, ppm=999_900, runner_up_ppm=10)
    assert _together(likely=better, wrong_ppm=60_000) == (True, 100, 100, 10)


@pytest.mark.parametrize(("wrong_ppm", "is_heard"), [(10_000, True), (10_001, False)])
def test_an_entry_is_heard_up_to_the_ceiling_of_a_reading(wrong_ppm, is_heard):
    said = (True, 10_000, 500, 20) if is_heard else (True, 60_000, 1_000, 900)
    assert _together(proof=Proof(wrong_ppm, 500, 20), wrong_ppm=60_000) == said


@pytest.mark.parametrize(
    ("listed", "doubts"),
    [
        # 100 and 500 ppm, times the product over positions of what speaks for another character.
        ({"p6": {"6": 600_000, "5": 300_000}}, (200, 1_000, 40)),
        ({"p6": {"6": 600_000, "5": 300_000}, "p5": {"8": 400_000, "4": 200_000}}, (400, 2_000, 80)),
        ({"p6": {"6": 7}}, (700, 3_500, 140)),
        ({"p6": {"6": 7, "5": 0}}, (700, 3_500, 140)),
        ({"p6": {}}, (100, 500, 20)),
        ({"p6": {"6": 0}}, (100, 500, 20)),
    ],
)
def test_a_look_that_leaves_the_plate_open_adds_its_doubt_of_each_character(listed, doubts):
    heard = replace(LIKELY, ppm=990_000)
    positions = _at("粤B12345", **listed)
    read_ppm, wrong_ppm, runner_up_ppm = doubts
    found = _together(likely=heard, text=TWIN.plate, wrong_ppm=600_000, positions=positions)
    assert found == (True, read_ppm, wrong_ppm, runner_up_ppm)


@pytest.mark.parametrize("text", ["粤B123456", "粤B1234"])
def test_a_text_of_another_length_is_never_taken_for_the_plate_however_sure_the_entry_was(text):
    surest = Proof(0, 0, 0)
    seen = {"text": text, "wrong_ppm": 600_000, "positions": _at(text)}
    assert _together(proof=surest, **seen) == (False, 600_000, 1_000, 900)


def test_a_doubt_of_no_millionth_grows_all_the_same():
    doubtful = {"text": TWIN.plate, "wrong_ppm": 600_000, "positions": _at("粤B12345", p6={"6": 900_000})}
    assert _together(proof=Proof(0, 0, 0), **doubtful) == (False, 600_000, 1_000, 900)
    near = {**doubtful, "positions": _at("粤B12345", p6={"6": 900_000, "5": 90_000})}
    assert _together(proof=Proof(0, 0, 0), **near) == (True, 10, 10, 0)


def test_a_near_text_moves_money_only_by_the_word_of_the_camera_that_opened_the_stay():
    positions = _at("粤B12345", p6={"6": 600_000, "5": 300_000})
    near = _sighting(text=TWIN.plate, wrong_ppm=600_000, positions=positions)
    assert _codes(decide(near, LIKELY, 40_000, Rules())) == ["fuzzy_match", "unsure_reading"]
    proved = decide(near, LIKELY, 40_000, Rules(), proof=ENTRY)
    assert (proved.outcome, proved.wrong_ppm) == ("auto", 1_000)
    assert proved.reasons[0].text.startswith("Another camera surely read 粤B12345, which fits")
