"""What a reader makes of the decoder's answer: no province is believed for having been shown most."""

import math
from dataclasses import replace

import pytest

from vision.ctc import Decoded
from vision.plates import CIVIL
from vision.reader import Limits, evened, plate_text
from vision.types import Colour

BLUE: dict[Colour, float] = {"blue": 0.96, "green": 0.01, "yellow": 0.01, "white": 0.01, "black": 0.01}
OFTENER = {"皖": 6.0}


def decoded(text: str, province: dict[str, float]) -> Decoded:
    """An answer that is sure of all but the province."""
    ranked = tuple(sorted(province.items(), key=lambda item: -item[1]))
    rest = tuple(((character, 1.0),) for character in text[1:])
    return Decoded(text, CIVIL, province[text[0]], 1.0, {"civil": 1.0}, 1.0, (ranked, *rest))


def test_a_province_shown_six_times_as_often_needs_six_times_the_odds() -> None:
    said = evened(decoded("皖A12345", {"皖": 0.8, "藏": 0.2}), OFTENER)
    assert said.text == "藏A12345"
    assert dict(said.positions[0]) == pytest.approx(
        {"藏": 0.2 / (0.2 + 0.8 / 6), "皖": 0.8 / 6 / (0.2 + 0.8 / 6)}
    )
    assert said.probability == pytest.approx(dict(said.positions[0])["藏"])


def test_a_sure_province_stays() -> None:
    said = evened(decoded("皖A12345", {"皖": 0.99999, "藏": 0.00001}), OFTENER)
    assert said.text == "皖A12345"
    assert said.probability == pytest.approx(1 - 0.00006, abs=1e-5)


def test_what_is_not_listed_counts_as_shown_as_seldom_as_the_rarest() -> None:
    said = evened(decoded("皖A12345", {"皖": 0.6}), OFTENER)
    assert dict(said.positions[0])["皖"] == pytest.approx(0.1 / (0.1 + 0.4))


def test_the_other_positions_and_an_even_training_change_nothing() -> None:
    before = decoded("皖A12345", {"皖": 0.8, "藏": 0.2})
    assert evened(before, OFTENER).positions[1:] == before.positions[1:]
    assert evened(before, {}) == before
    nothing = replace(before, text=None, kind=None, positions=())
    assert evened(nothing, OFTENER) == nothing


def test_the_confidence_is_that_of_the_evened_text() -> None:
    limits = Limits(temperature=1.0, oftener=OFTENER)
    plate = plate_text(decoded("皖A12345", {"皖": 0.8, "藏": 0.2}), BLUE, limits)
    assert plate.text == "藏A12345"
    assert plate.confidence == pytest.approx(math.prod(position[0][1] for position in plate.positions))
