"""The colour of plates, and the red letters that only military plates begin with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vision.backends import load_second_reader
from vision.colour import colour_probabilities, most_likely, starts_red
from vision.plate_art import draw_plate


def crop_of(text: str, colour: str, light: float = 1.0) -> np.ndarray:
    plate = cv2.resize(draw_plate(text, colour), (168, 48), interpolation=cv2.INTER_AREA)
    return np.clip(plate.astype(np.float32) * light, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("light", [1.0, 0.5])
@pytest.mark.parametrize(
    ("text", "colour"),
    [("粤B12345", "blue"), ("沪AF02976", "green"), ("粤B12345", "yellow"), ("CY21013", "white")],
)
def test_a_drawn_plate_has_its_colour_in_any_light(text: str, colour: str, light: float) -> None:
    assert most_likely(colour_probabilities(crop_of(text, colour, light)))[0] == colour


def test_only_red_letters_at_the_beginning_make_a_military_plate() -> None:
    military = crop_of("CY21013", "white")
    assert starts_red(military)
    grey = cv2.cvtColor(cv2.cvtColor(military, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert not starts_red(grey)
    assert not starts_red(crop_of("鄂F8888警", "white"))
    assert not starts_red(np.full((48, 168, 3), 200, np.uint8))
    # A reddish light reddens all of it.
    assert not starts_red(np.clip(grey * np.array([0.8, 0.9, 1.2]), 0, 255).astype(np.uint8))


def test_the_same_text_in_black_is_read_as_no_plate() -> None:
    reader = load_second_reader(precision="f32")
    military = crop_of("KG21013", "white")
    grey = cv2.cvtColor(cv2.cvtColor(military, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert reader.read(military).text == "KG21013"
    assert reader.read(grey).text is None
