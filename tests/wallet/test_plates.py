"""From a reading to the strings that a registered plate could be."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet.plates import LEAST_LIKELY, MOST_STRINGS, keys_of, likely_strings


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


@given(st.text("AB123", min_size=7, max_size=8), st.data())
def test_two_plates_share_a_key_exactly_when_they_differ_in_one_place(plate, data):
    place = data.draw(st.integers(0, len(plate) - 1))
    other = plate[:place] + data.draw(st.sampled_from("CDE45")) + plate[place + 1 :]
    assert len(set(keys_of(plate)) & set(keys_of(other))) == 1
    second = (place + 1) % len(plate)
    far = other[:second] + "Z" + other[second + 1 :]
    assert not set(keys_of(plate)) & set(keys_of(far))
