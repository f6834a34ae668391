"""From a reading to the strings that a registered plate could be."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision import plates as vision_plates
from wallet import plates
from wallet.plates import LEAST_LIKELY, MOST_STRINGS, is_neighbour, likely_strings, neighbours


def _position(letters="ABCDE"):
    return st.lists(
        st.tuples(st.sampled_from(letters), st.integers(1, 1_000_000)),
        min_size=1,
        max_size=3,
        unique_by=lambda choice: choice[0],
    )


@settings(max_examples=50)
@given(st.lists(_position(), min_size=1, max_size=5))
def test_the_likely_strings_are_the_best_of_all_in_falling_order(positions):
    everything = sorted(
        (math.prod(ppm for _, ppm in choice) for choice in itertools.product(*positions)), reverse=True
    )
    chances = [dict(position) for position in positions]
    texts = likely_strings(positions, 10)
    weights = [math.prod(chances[place][char] for place, char in enumerate(text)) for text in texts]
    assert weights == [weight for weight in everything[:10] if weight * LEAST_LIKELY >= everything[0]]
    assert len(set(texts)) == len(texts)


def test_a_string_far_less_likely_than_the_best_is_not_looked_up():
    positions = [[("A", 999_999), ("B", 9)], [("C", 999_999), ("D", 11)]]
    assert likely_strings(positions) == ["AC", "AD"]


def test_no_more_strings_than_asked_for():
    positions = [[(char, 100_000) for char in "ABCDE"]] * 8
    assert len(likely_strings(positions)) == MOST_STRINGS


@pytest.mark.parametrize("positions", [[], [[]], [[("A", 5)], []], [[("A", 0)]]])
def test_a_reading_with_a_hole_gives_no_string(positions):
    assert likely_strings(positions) == []


def test_the_wallet_knows_the_characters_of_plates_that_vision_knows():
    assert plates.PROVINCES == vision_plates.PROVINCES
    assert "".join(sorted(vision_plates.OFFICES)) == plates.OFFICES
    assert set(plates.SERIAL) == set(vision_plates.SERIAL)
    assert plates.MARKS == vision_plates.MARKS


@pytest.mark.parametrize(
    ("read", "plate"),
    [
        ("粤B12345", "鄂B12345"),
        ("粤B12345", "粤812345"),
        ("粤B12345", "粤BI2345"),
    ],
)
def test_one_other_character_is_a_neighbour_where_a_plate_may_have_it(read, plate):
    may_be = vision_plates.kind_of(plate) is not None
    assert (plate in neighbours(read)) == may_be


@given(
    st.sampled_from("粤鄂琼"),
    st.sampled_from("ABO"),
    st.text(plates.SERIAL, min_size=5, max_size=6),
    st.data(),
)
def test_every_plate_one_step_away_is_a_neighbour(province, office, tail, data):
    plate = province + office + tail
    place = data.draw(st.integers(2, len(plate) - 1))
    other = plate[:place] + data.draw(st.sampled_from(plates.SERIAL)) + plate[place + 1 :]
    assert other == plate or other in neighbours(plate)
    if len(plate) == 8:
        missing = plate[:place] + plate[place + 1 :]
        assert missing in neighbours(plate)
        assert plate in neighbours(missing)
    assert plate not in neighbours(plate)
    assert len(set(neighbours(plate))) == len(neighbours(plate))


@pytest.mark.parametrize(("text", "most"), [("粤B12345", 600), ("粤BD12345", 300), ("粤B1234学", 600)])
def test_the_neighbours_are_few_enough_to_be_looked_up_one_by_one(text, most):
    assert 200 < len(neighbours(text)) < most


_CHARACTERS = plates.PROVINCES[:6] + "AB0189DF" + plates.MARKS[:3]


@settings(max_examples=400)
@given(
    st.text(_CHARACTERS, min_size=5, max_size=9),
    st.sampled_from(["another", "more", "fewer", "same", "two"]),
    st.integers(0, 8),
    st.sampled_from(_CHARACTERS),
    st.sampled_from(_CHARACTERS),
)
def test_a_neighbour_is_told_from_any_other_plate_as_the_list_tells_it(text, change, place, one, other):
    changed = {
        "another": text[:place] + one + text[place + 1 :],
        "more": text[:place] + one + text[place:],
        "fewer": text[:place] + text[place + 1 :],
        "same": text,
        "two": other + text[1:place] + one + text[place + 1 :],
    }[change]
    assert is_neighbour(text, changed) == (changed in neighbours(text))


@pytest.mark.parametrize("text", ["粤B12345", "粤BD12345", "京A8888学", "粤B1234"])
def test_every_string_of_the_list_is_a_neighbour(text):
    assert [plate for plate in neighbours(text) if not is_neighbour(text, plate)] == []
