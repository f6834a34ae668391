"""What a reader makes of the decoder's answer: no character is believed for having been shown most."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vision.colour import colour_probabilities
from vision.ctc import Decoded
from vision.plate_art import draw_plate
from vision.plates import ALPHABET, CIVIL, ENERGY_LARGE, ENERGY_SMALL, Kind
from vision.reader import Limits, PlateReader, evened, plate_text
from vision.types import Colour

BLUE: dict[Colour, float] = {"blue": 0.96, "green": 0.01, "yellow": 0.01, "white": 0.01, "black": 0.01}
OFTENER = Limits(temperature=1.0, provinces_oftener={"皖": 6.0})
LETTERS_OFTENER = Limits(temperature=1.0, letters_oftener=2.5)


def decoded(text: str, province: dict[str, float]) -> Decoded:
    """An answer that is sure of all but the province."""
    ranked = tuple(sorted(province.items(), key=lambda item: -item[1]))
    rest = tuple(((character, 1.0),) for character in text[1:])
    return Decoded(text, CIVIL, province[text[0]], 1.0, {"civil": 1.0}, 1.0, (ranked, *rest))


def energy(text: str, fourth: dict[str, float]) -> Decoded:
    """An answer that is sure of all but what stands behind the energy letter."""
    ranked = tuple(sorted(fourth.items(), key=lambda item: -item[1]))
    places = [((character, 1.0),) for character in text]
    positions = (*places[:3], ranked, *places[4:])
    return Decoded(text, ENERGY_SMALL, fourth[text[3]], 1.0, {ENERGY_SMALL.name: 1.0}, 1.0, positions)


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
    assert evened(before, Limits()) == before
    nothing = replace(before, text=None, kind=None, positions=())
    assert evened(nothing, OFTENER) == nothing


def test_the_confidence_is_that_of_the_evened_text() -> None:
    plate = plate_text(decoded("皖A12345", {"皖": 0.8, "藏": 0.2}), BLUE, OFTENER)
    assert plate.text == "藏A12345"
    assert plate.confidence == pytest.approx(math.prod(position[0][1] for position in plate.positions))


def test_behind_the_energy_letter_a_digit_is_believed_before_a_letter_shown_oftener_than_in_life() -> None:
    said = evened(energy("皖ADD1234", {"D": 0.6, "0": 0.4}), LETTERS_OFTENER)
    assert said.text == "皖AD01234"
    assert said.probability == pytest.approx(0.4 / (0.4 + 0.6 / 2.5))
    assert said.positions[3] == (("0", pytest.approx(0.625)), ("D", pytest.approx(0.375)))


def test_a_sure_letter_behind_the_energy_letter_stays() -> None:
    said = evened(energy("皖ADD1234", {"D": 0.9999, "0": 0.0001}), LETTERS_OFTENER)
    assert said.text == "皖ADD1234"
    assert said.probability > 0.999


@pytest.mark.parametrize(("text", "kind"), [("皖A1D3456", CIVIL), ("皖A1D3456D", ENERGY_LARGE)])
def test_letters_of_other_plates_are_weighed_as_they_are(text: str, kind: Kind) -> None:
    before = replace(energy(text, {"D": 0.6, "0": 0.4}), kind=kind, kinds={kind.name: 1.0})
    assert evened(before, LETTERS_OFTENER) == before


class Torn:
    """A network torn between a text and the same with a character swallowed."""

    def __init__(self, text: str, swallowed: int, share: float) -> None:
        classes = ["", *ALPHABET]
        self.output = np.zeros((1, 2 * len(text), len(classes)), np.float32)
        for i, character in enumerate(text):
            seen = share if i == swallowed else 1.0
            self.output[0, 2 * i, classes.index(character)] = seen
            self.output[0, 2 * i, 0] = 1 - seen
            self.output[0, 2 * i + 1, 0] = 1.0

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self.output


def test_a_green_plate_in_blue_light_keeps_its_eighth_character() -> None:
    text = "皖AD19789"
    plate = cv2.resize(draw_plate(text, "green"), (168, 48), interpolation=cv2.INTER_AREA)
    dim = cv2.GaussianBlur((plate * np.array([0.48, 0.4, 0.4])).astype(np.uint8), (0, 0), 2)
    assert colour_probabilities(dim)["green"] < 0.6
    said = PlateReader(Torn(text, 5, 0.4), ["", *ALPHABET]).read(dim)
    assert (said.text, said.colour) == (text, "green")
    assert said.confidence > 0.9
