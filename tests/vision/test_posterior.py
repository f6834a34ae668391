"""The posterior: every number here was worked out by hand from the formula of docs/decision.md."""

from __future__ import annotations

import math
import random

import pytest

from vision.confusion import (
    CLASSES,
    Confusion,
    confusion_from,
    lookalikes_from,
    measured_confusion,
    unmeasured_confusion,
)
from vision.posterior import Column, Registered, Traffic, judge, likelihood, loosened

SURE = [[(c, 1_000_000)] for c in "粤B1234"]
# The last character is a 5 with 900,000 ppm and a 6 with 100,000.
TORN = [*SURE, [("5", 900_000), ("6", 100_000)]]
PLAIN = Confusion({}, 0.0, 0.0, {"blue": {"blue": 1.0}, "green": {"blue": 0.0, "green": 1.0}})
# One expected visit of a stranger with each text of 粤B, and one of each of twenty customers.
BUSY = Traffic(cars=7_059_920, prefixes={"粤B": 7_059_920}, registered=20)
MINE = Registered("粤B12345", "blue")


def shares(judgement) -> dict[str | None, int]:
    return {**dict(judgement.ranked), None: judgement.none.ppm}


def test_where_a_stranger_comes_as_often_as_the_customer_the_reading_is_taken_at_its_word() -> None:
    # 0.9 x 1 against 0.1 x 1, and of every million 50 belong to nobody.
    assert shares(judge(TORN, "blue", [MINE], BUSY, PLAIN)) == {"粤B12345": 899_955, None: 100_045}


def test_a_customer_who_came_twice_is_three_times_as_likely() -> None:
    # 0.9 x (1 + 2) against 0.1: 2.7 / 2.8.
    regular = Registered("粤B12345", "blue", visits_here=2)
    assert shares(judge(TORN, "blue", [regular], BUSY, PLAIN)) == {"粤B12345": 964_237, None: 35_763}


def test_visits_elsewhere_make_a_first_one_here_so_much_likelier_as_the_customer_drives_more() -> None:
    # Of a customer of whom nothing is known one visit is expected here; of one who drives three times as much
    # as usual, three: as of one who came twice.
    drives = judge(TORN, "blue", [Registered("粤B12345", "blue", 0, 24)], BUSY, PLAIN)
    assert drives == judge(TORN, "blue", [Registered("粤B12345", "blue", 2, 0)], BUSY, PLAIN)
    assert judge(TORN, "blue", [Registered("粤B12345", "blue", 0, 8)], BUSY, PLAIN) == judge(
        TORN, "blue", [MINE], BUSY, PLAIN
    )
    # Where a thousandth of the customers has ever been here, it stays a thousandth: 0.9 x 0.003 against 0.1.
    seldom = Traffic(cars=7_059_920, prefixes={"粤B": 7_059_920}, registered=20_000)
    known = shares(judge(TORN, "blue", [Registered("粤B12345", "blue", 0, 24)], seldom, PLAIN))
    assert known["粤B12345"] == 26_288


def test_a_habit_has_an_end() -> None:
    always = judge(TORN, "blue", [Registered("粤B12345", "blue", 30)], BUSY, PLAIN)
    assert always == judge(TORN, "blue", [Registered("粤B12345", "blue", 3_000)], BUSY, PLAIN)
    everywhere = judge(TORN, "blue", [Registered("粤B12345", "blue", 0, 30)], BUSY, PLAIN)
    assert everywhere == judge(TORN, "blue", [Registered("粤B12345", "blue", 0, 3_000)], BUSY, PLAIN)


def test_the_other_text_counts_as_registered_where_it_is_and_not_as_a_stranger() -> None:
    # 0.9 and 0.1, nobody left over.
    other = Registered("粤B12346", "blue")
    assert shares(judge(TORN, "blue", [other, MINE], BUSY, PLAIN)) == {
        "粤B12345": 899_955,
        "粤B12346": 99_995,
        None: 50,
    }


def test_a_colour_that_the_registration_cannot_have_rules_it_out() -> None:
    green = Registered("粤B12345", "green")
    assert shares(judge(TORN, "blue", [green], BUSY, PLAIN)) == {"粤B12345": 0, None: 1_000_000}


def test_a_prefix_that_never_comes_makes_its_strangers_unlikely() -> None:
    # The other text is a 鄂 plate; none of a million cars had one. Rounding down leaves one ppm more.
    torn = [[("粤", 900_000), ("鄂", 100_000)], *SURE[1:], [("5", 1_000_000)]]
    local = Traffic(cars=1_000_000, prefixes={"粤B": 1_000_000}, registered=20)
    away = Traffic(cars=1_000_000, prefixes={"鄂B": 1_000_000}, registered=20)
    assert judge(torn, "blue", [MINE], local, PLAIN).none.ppm == 51
    # A million strangers of 鄂B: 0.1 x 1,000,080 / 7,060,000 = 0.01417 against 0.9 x 1, and the 50.
    assert judge(torn, "blue", [MINE], away, PLAIN).none.ppm == pytest.approx(15_545, abs=2)


def test_a_sure_reading_may_mislead_and_then_the_errors_we_know_of_say_to_what() -> None:
    counts = {"8": {"8": 90, "B": 9}, "B": {"B": 99}}
    confusion = confusion_from(
        {"confusion": counts, "sure_wrong": 0, "sure_positions": 98, "other_length": 0, "passes": 98}
    )
    assert confusion.misled == pytest.approx(0.01)
    column = loosened([("B", 1_000_000)], confusion)
    assert column["B"] == pytest.approx(0.99)
    assert sum(column.values()) == pytest.approx(1.0)
    # Of 34 others each has a rate: the 8 of (9 + 1/34) / 100, those never counted of 1/34.
    assert column["8"] == pytest.approx(0.01 * 0.0902941 / (0.0902941 + 33 / 34), rel=1e-4)
    assert "粤" not in column


def test_what_a_position_leaves_open_goes_to_the_unlisted_by_their_kind() -> None:
    column = loosened([("粤", 700_000)], unmeasured_confusion())
    assert column["粤"] == pytest.approx(0.7 * 0.999)
    assert column["琼"] == pytest.approx((0.3 * 0.999 + 0.001) / 30)
    assert set(column) == set(CLASSES[0])


def test_a_missing_character_is_possible_and_costs_the_chance_of_a_slip() -> None:
    columns = [{c: 1.0} for c in "粤B12345"]
    # Any of the two 4s may be the one that was not read: two of eight places.
    assert likelihood(columns, "粤B123445", slip=0.01) == pytest.approx(0.01 * 2 / 8)
    assert likelihood(columns, "粤B1254", slip=0.01) == 0.0
    assert likelihood(columns, "粤B1234", slip=0.01) == pytest.approx(0.01 / 7)
    assert likelihood(columns, "粤BD12345", slip=0.0) == 0.0


def test_all_shares_are_whole_and_sum_to_a_million() -> None:
    found = judge(TORN, "blue", [MINE, Registered("粤B12346", "blue", 3)], BUSY, unmeasured_confusion())
    assert sum(ppm for _, ppm in found.ranked) + found.none.ppm == 1_000_000
    assert all(type(ppm) is int for _, ppm in found.ranked)


def test_no_candidate_and_no_reading_both_mean_nobody() -> None:
    assert shares(judge(TORN, "blue", [], BUSY, PLAIN)) == {None: 1_000_000}
    assert shares(judge([], "blue", [MINE], BUSY, PLAIN)) == {"粤B12345": 0, None: 1_000_000}


def test_never_less_than_fifty_ppm_are_left_for_a_forged_plate() -> None:
    certain = [[(c, 1_000_000)] for c in "粤B12345"]
    assert shares(judge(certain, "blue", [MINE], Traffic(), PLAIN)) == {"粤B12345": 999_950, None: 50}


def test_the_same_plate_twice_and_traffic_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        judge(TORN, "blue", [MINE, MINE], BUSY, PLAIN)
    with pytest.raises(ValueError, match="more customers than cars"):
        Traffic(cars=1, customers=2)
    with pytest.raises(ValueError, match="below zero"):
        Traffic(cars=-1)


def test_look_alikes_are_symmetric_and_hold_the_stated_pairs_though_nothing_was_measured() -> None:
    alike = lookalikes_from({"confusion": {"K": {"K": 99, "X": 1}, "贵": {"贵": 3, "青": 3}}})
    assert alike["K"]["X"] == alike["X"]["K"] == 10_000
    assert "青" not in alike.get("贵", {})
    assert alike["粤"]["鄂"] == alike["鄂"]["粤"] == lookalikes_from({})["8"]["B"]


def test_a_character_that_was_often_surely_wrong_is_believed_less() -> None:
    counts = {"confusion": {}, "sure_wrong": 3, "sure_positions": 998, "other_length": 0, "passes": 98}
    confusion = confusion_from(counts | {"sure": {"豫": {"豫": 27, "鄂": 3}, "京": {"京": 70}}})
    assert confusion.misled == pytest.approx(0.004)
    assert confusion.misled_reading("豫") == pytest.approx((3 + 0.004 * 30) / 60)
    assert confusion.misled_reading("京") == pytest.approx(0.004)
    assert confusion.misled_reading("A") == pytest.approx(0.004)
    columns = [loosened([(province, 999_900)], confusion) for province in "豫京"]
    assert columns[0]["豫"] < 0.95 < columns[1]["京"]


def _written_out(position, confusion):
    """The formula of docs/decision.md, step by step."""
    listed = {character: ppm / 1_000_000 for character, ppm in position if ppm > 0}
    if not listed:
        return {}
    read = max(listed, key=lambda character: listed[character])
    misled = confusion.misled_reading(read)
    left = max(0.0, 1 - sum(listed.values())) * (1 - misled) + misled
    whole = {character: share * (1 - misled) for character, share in listed.items()}
    for true, share in confusion.meant.get(read, {}).items():
        whole[true] = whole.get(true, 0.0) + left * share
    total = math.fsum(whole.values())
    return {character: share / total for character, share in whole.items()}


def test_a_position_is_loosened_to_the_last_bit_as_the_formula_says():
    """A replay must come to the very same numbers."""
    draw = random.Random(3)
    confusion = measured_confusion()
    for _ in range(3_000):
        characters = draw.sample("粤琼京0123456789ABCDEFGHJKLMNPQRSTUVWXYZ学x", draw.randint(0, 4))
        position = [(character, draw.choice([0, 9, 900, 300_000, 999_950])) for character in characters]
        wanted = _written_out(position, confusion)
        assert loosened(position, confusion) == wanted
        column = Column(position, confusion)
        assert bool(column) == bool(wanted)
        for character in "粤京0OA学x":
            assert column.get(character, -1.0) == wanted.get(character, -1.0)
