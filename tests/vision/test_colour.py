"""The colour of plates, and the red letters that only military plates begin with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vision.backends import load_second_reader
from vision.colour import colour_probabilities, most_likely, most_likely_of, starts_red
from vision.paint import MEASURES, measure, paint_probabilities
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


def test_of_the_allowed_colours_the_likeliest_is_as_likely_as_it_is_among_them() -> None:
    shares = {"blue": 0.5, "green": 0.02, "yellow": 0.3, "white": 0.1, "black": 0.08}
    assert most_likely_of(("black", "yellow", "white"), shares) == ("yellow", pytest.approx(0.3 / 0.48))
    assert most_likely_of(("green",), shares) == ("green", 1.0)


TEXTS = {
    "blue": "粤B12345",
    "green": "沪AF02976",
    "yellow": "粤B12345",
    "white": "CY21013",
    "black": "沪A1707领",
}


def levelled(colour: str) -> np.ndarray:
    """A drawn plate with the margin a levelled crop has, float32."""
    plate = draw_plate(TEXTS[colour], colour)
    padded = cv2.copyMakeBorder(plate, 8, 8, 9, 9, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    return cv2.resize(padded, (168, 48), interpolation=cv2.INTER_AREA).astype(np.float32)


def stored(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture, 0, 255).astype(np.uint8)


def night(picture: np.ndarray) -> np.ndarray:
    """A twentieth of the light, little colour, noise, and an encoder that saves."""
    grey = picture.mean(axis=2, keepdims=True)
    noise = np.random.default_rng(7).normal(0, 3, (*picture.shape[:2], 1))
    dark = stored((picture + 0.5 * (grey - picture)) * 0.05 + noise)
    return cv2.imdecode(cv2.imencode(".jpg", dark, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)


def mirrored_sky(picture: np.ndarray) -> np.ndarray:
    return stored(cv2.GaussianBlur(picture * 0.15 + 125, (0, 0), 2))


def washed_out_at_one_end(picture: np.ndarray) -> np.ndarray:
    return stored(picture + np.linspace(0, 200, picture.shape[1])[None, :, None])


def dark_and_out_of_focus(picture: np.ndarray) -> np.ndarray:
    return stored(cv2.GaussianBlur(picture * 0.3, (0, 0), 4))


def overexposed_in_haze(picture: np.ndarray) -> np.ndarray:
    return stored((picture * 0.75 + 60) * 2.2)


def under_a_lamp(picture: np.ndarray) -> np.ndarray:
    return stored(picture * [0.35, 0.8, 1.2])


def half_in_shadow(picture: np.ndarray) -> np.ndarray:
    return stored(picture * np.where(np.arange(48) < 24, 0.35, 1.5)[:, None, None])


# Each of these was taken for another colour by measures of ground and characters alone.
@pytest.mark.parametrize(
    ("light", "colour"),
    [
        (night, "blue"),
        (mirrored_sky, "blue"),
        (washed_out_at_one_end, "blue"),
        (dark_and_out_of_focus, "blue"),
        (overexposed_in_haze, "green"),
        (overexposed_in_haze, "yellow"),
        (under_a_lamp, "green"),
        (half_in_shadow, "yellow"),
    ],
)
def test_a_drawn_plate_has_its_colour_in_poor_light(light, colour: str) -> None:
    assert most_likely(paint_probabilities(light(levelled(colour))))[0] == colour


def test_black_is_earned_by_a_clear_picture_only() -> None:
    assert most_likely(paint_probabilities(stored(levelled("black"))))[0] == "black"
    for light in (night, mirrored_sky):
        assert most_likely(paint_probabilities(light(levelled("black"))))[0] == "blue"


def test_a_crop_of_any_size_has_the_same_measures_each_time() -> None:
    for size in ((168, 48), (245, 70), (336, 96), (94, 24), (30, 9)):
        crop = stored(cv2.resize(levelled("blue"), size))
        before = crop.copy()
        assert measure(crop).shape == (MEASURES,)
        assert np.array_equal(measure(crop), measure(crop))
        assert np.array_equal(crop, before)


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
