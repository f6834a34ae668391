"""What two readers say together."""

import math

import numpy as np
import pytest

from vision.ensemble import BothReaders, Trust, combine, together
from vision.plates import is_valid
from vision.types import PlateText

TRUST = Trust(first=0.6, second=0.6, alone=0.8)


def by_characters(plate: PlateText) -> float:
    return math.prod(position[0][1] for position in plate.positions)


@pytest.mark.parametrize("confidence", [0.6, 0.9, 0.99])
def test_two_who_agree_are_surer_than_either(say, confidence: float) -> None:
    both = combine(say("粤B12345", confidence), say("粤B12345", confidence), TRUST)
    assert both.text == "粤B12345"
    assert confidence < both.confidence < 1
    assert both.confidence <= by_characters(both) + 1e-9


def test_an_unsure_reader_does_not_make_a_sure_one_wrong(torn) -> None:
    sure, unsure = torn("粤B12345", "琼B12345", 0.995), torn("琼B12345", "粤B12345", 0.6)
    assert combine(sure, unsure, TRUST).text == "粤B12345"
    assert combine(unsure, sure, TRUST).text == "粤B12345"


@pytest.mark.parametrize(("one", "two"), [(0.9, 0.9), (0.97, 0.6), (0.3, 0.99), (0.2, 0.1)])
def test_contradiction_makes_nothing_surer_than_the_surer_was(say, one: float, two: float) -> None:
    for texts in (("粤B12345", "粤B12845"), ("粤B12845", "粤B12345")):
        both = combine(say(texts[0], one), say(texts[1], two), TRUST)
        assert both.confidence <= max(one, two) + 1e-9
        assert by_characters(both) >= both.confidence - 1e-9


def test_each_position_is_decided_by_the_one_who_is_sure_of_it(torn) -> None:
    first = torn("粤B12345", "粤B12845", 0.55)  # sure of all but the fifth
    second = torn("粤B12845", "粤D12845", 0.55)  # sure of all but the second
    assert combine(first, second, TRUST).text == "粤B12845"


def test_what_the_other_denies_is_believed_less(say) -> None:
    alone = combine(say("粤B12345", 0.9), say(None), TRUST)
    assert alone.text == "粤B12345"
    assert alone.confidence == pytest.approx(0.9 * TRUST.alone)
    assert by_characters(alone) == pytest.approx(0.9 * TRUST.alone)
    assert combine(say(None), say("粤B12345", 0.9), TRUST).confidence == pytest.approx(alone.confidence)
    longer = combine(say("粤B12345", 0.9), say("粤BD12345", 0.8, "green"), TRUST)
    assert longer.text == "粤B12345"
    assert longer.confidence < alone.confidence
    assert combine(say(None), say(None), TRUST).text is None


def test_what_no_plate_can_say_is_never_said(torn) -> None:
    # Character by character the likeliest would be a plate with a letter I.
    first, second = torn("粤B1234警", "粤B12345", 0.5), torn("粤B12345", "粤B1234警", 0.5)
    both = combine(first, second, TRUST)
    assert both.text is not None
    assert is_valid(both.text)


def test_both_readers_read_the_same_crop_of_the_same_rows(say) -> None:
    asked = []

    class Says:
        def __init__(self, text: str) -> None:
            self.text = text

        def read(self, crop: np.ndarray, rows=(1,)) -> PlateText:
            asked.append((crop.shape, tuple(rows)))
            return say(self.text, 0.9)

    crop = np.zeros((48, 168, 3), np.uint8)
    both = BothReaders(Says("粤B12345"), Says("粤B12345")).read(crop, (1, 2))
    assert both.text == "粤B12345"
    assert asked == [(crop.shape, (1, 2))] * 2


@pytest.mark.parametrize("cuts", [1, 2, 7])
@pytest.mark.parametrize("confidence", [0.3, 0.9])
def test_cuts_of_one_picture_that_agree_are_no_surer_than_one(say, cuts: int, confidence: float) -> None:
    said = together([say("粤B12345", confidence)] * cuts)
    assert said.text == "粤B12345"
    assert said.confidence == pytest.approx(confidence, abs=0.005)


def test_a_cut_that_contradicts_makes_the_others_less_sure(torn) -> None:
    one, another = torn("粤B12345", "粤B12845", 0.9), torn("粤B12845", "粤B12345", 0.9)
    agreed = together([one] * 3)
    contradicted = together([one, one, one, another])
    assert contradicted.text == "粤B12345"
    assert contradicted.confidence < agreed.confidence - 0.1


def test_a_cut_that_swallows_a_character_denies_what_the_others_say(say) -> None:
    whole, swallowed = say("皖AD12345", 0.8, "green"), say("皖AD1245", 0.8)
    both = together([whole, whole, swallowed])
    assert both.text == "皖AD12345"
    assert both.confidence == pytest.approx(0.8 * 2 / 3, abs=0.01)
    assert together([swallowed, swallowed, whole]).text == "皖AD1245"


def test_a_cut_counts_as_much_as_it_is_sure(say) -> None:
    askew = [say("粤B12845", 0.15)] * 3
    assert together([*askew, say("粤B12345", 0.95)]).text == "粤B12345"
    assert together([say(None), say("粤B12345", 0.6)]).confidence == pytest.approx(0.6, abs=0.001)
    assert together([say(None), say(None)]).text is None
