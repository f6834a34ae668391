"""What the plate drawing promises to the simulator, the tests and the training."""

import numpy as np
import pytest

from vision.plate_art import PAINTS, draw_plate, load_atlas
from vision.plates import DIGITS, LETTERS, MARKS, PROVINCES

SHAPES = [
    ("皖A12345", "blue", 1, (140, 440, 3)),
    ("京AD12345", "green", 1, (140, 480, 3)),
    ("粤B67890", "yellow", 1, (140, 440, 3)),
    ("鲁H4567挂", "yellow", 2, (220, 440, 3)),
    ("沪A1234警", "white", 1, (140, 440, 3)),
    ("粤Z7QF8港", "black", 1, (140, 440, 3)),
]


@pytest.mark.parametrize(("text", "colour", "rows", "shape"), SHAPES)
def test_each_kind_of_plate_has_the_size_of_the_standard(
    text: str, colour: str, rows: int, shape: tuple[int, int, int]
) -> None:
    picture = draw_plate(text, colour, rows)
    assert picture.shape == shape
    assert picture.dtype == np.uint8


def test_same_plate_is_drawn_the_same_twice() -> None:
    assert np.array_equal(draw_plate("皖A12345", "blue"), draw_plate("皖A12345", "blue"))


@pytest.mark.parametrize("face", range(len(load_atlas().faces)))
def test_every_character_of_every_plate_looks_different(face: int) -> None:
    pictures = {c: draw_plate(f"皖A{c}0000", "blue", face=face) for c in PROVINCES + MARKS + LETTERS + DIGITS}
    for first in pictures:
        for second in pictures:
            if first < second:
                distance = np.abs(pictures[first].astype(int) - pictures[second]).sum()
                assert distance > 20_000, (first, second)


def test_faces_differ() -> None:
    assert not np.array_equal(draw_plate("皖A12345", "blue", face=0), draw_plate("皖A12345", "blue", face=1))


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("blue", lambda b, g, r: b > g + 60 and b > r + 60),
        ("green", lambda b, g, r: g > b + 10 and g > r + 10),
        ("yellow", lambda b, g, r: r > b + 100 and g > b + 100),
        ("white", lambda b, g, r: min(b, g, r) > 180),
        ("black", lambda b, g, r: max(b, g, r) < 80),
    ],
)
def test_ground_has_the_named_colour(colour: str, expected: object) -> None:
    picture = draw_plate("皖A12345" if colour != "green" else "皖AD12345", colour)
    # The strip between border line and characters holds nothing but the ground.
    blue, green, red = np.median(picture[16:23, 20:90].reshape(-1, 3), axis=0)
    assert expected(blue, green, red)  # type: ignore[operator]


def test_police_mark_is_red_and_digits_are_not() -> None:
    picture = draw_plate("沪A1234警", "white").astype(int)
    redness = picture[25:115, :, 2] - picture[25:115, :, 0]
    assert redness[:, 380:425].max() > 100
    assert redness[:, 15:370].max() < 20


@pytest.mark.parametrize(
    ("text", "colour", "rows"),
    [("皖A1234", "blue", 1), ("皖A123456", "blue", 2), ("皖A1234é", "blue", 1), ("皖A12345", "pink", 1)],
)
def test_what_no_plate_shows_is_refused(text: str, colour: str, rows: int) -> None:
    with pytest.raises(ValueError, match=r"no "):
        draw_plate(text, colour, rows)


def test_every_colour_can_be_drawn() -> None:
    for colour in PAINTS:
        assert draw_plate("皖A12345", colour).any()
