import cv2
import numpy as np
import pytest

from vision.colour import colour_probabilities, most_likely
from vision.plate_art import draw_plate
from vision.quality import quality, sharpness
from vision.rectify import MARGIN_ACROSS, MARGIN_DOWN, is_plausible, level, merge_rows, possible_rows

LEVEL = [[100, 100], [260, 100], [260, 150], [100, 150]]


def corners(points: list[list[float]]) -> np.ndarray:
    return np.array(points, np.float32)


def scene(plate: np.ndarray, points: np.ndarray, size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """A grey picture with the plate drawn into the corners."""
    h, w = plate.shape[:2]
    flat = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(flat, points - 0.5)
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    return cv2.warpPerspective(plate, matrix, size, picture, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    x, y = (cv2.cvtColor(p, cv2.COLOR_BGR2GRAY).astype(float).ravel() for p in (a, b))
    return float(np.corrcoef(x, y)[0, 1])


def with_margin(plate: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    h, w = plate.shape[:2]
    down, across = round(h * MARGIN_DOWN), round(w * MARGIN_ACROSS)
    padded = cv2.copyMakeBorder(plate, down, down, across, across, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    "points",
    [
        [[120, 100], [420, 100], [420, 195], [120, 195]],
        [[120, 80], [420, 130], [410, 230], [115, 170]],
        [[200, 150], [330, 120], [335, 165], [203, 200]],
        [[20, 60], [600, 40], [610, 230], [15, 250]],
    ],
)
def test_a_plate_seen_at_an_angle_is_levelled(points: list[list[float]]) -> None:
    plate = draw_plate("粤B12345", "blue")
    crop = level(scene(plate, corners(points)), corners(points))
    assert crop.shape[1] / crop.shape[0] == pytest.approx(3.5, abs=0.05)
    assert correlation(crop, with_margin(plate, (crop.shape[1], crop.shape[0]))) > 0.9


def test_a_plate_cut_by_the_border_of_the_picture_can_be_levelled() -> None:
    picture = np.full((200, 300, 3), 120, np.uint8)
    crop = level(picture, corners([[-20, -5], [150, -5], [150, 45], [-20, 45]]))
    assert (crop == 120).all()


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("upside down", [LEVEL[2], LEVEL[3], LEVEL[0], LEVEL[1]]),
        ("mirrored", [LEVEL[1], LEVEL[0], LEVEL[3], LEVEL[2]]),
        ("on its side", [LEVEL[1], LEVEL[2], LEVEL[3], LEVEL[0]]),
        ("crossed", [LEVEL[0], LEVEL[1], LEVEL[3], LEVEL[2]]),
        ("dented", [LEVEL[0], [150, 140], LEVEL[2], LEVEL[3]]),
        ("too small", [[1, 1], [9, 1], [9, 4], [1, 4]]),
        ("a line", [[0, 0], [200, 0], [200, 6], [0, 6]]),
        ("a tower", [[0, 0], [40, 0], [40, 90], [0, 90]]),
        ("a point", [[5, 5]] * 4),
        ("not a number", [[float("nan"), 0], *LEVEL[1:]]),
    ],
)
def test_corners_no_camera_sees_a_plate_with_are_refused(name: str, points: list[list[float]]) -> None:
    assert not is_plausible(corners(points)), name


@pytest.mark.parametrize("degrees", [-50, -20, 0, 20, 50])
def test_a_turned_plate_is_plausible_up_to_a_limit(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert is_plausible(((corners(LEVEL) - 150) @ turn.T + 150).astype(np.float32))


def test_the_proportions_say_how_many_rows_there_may_be() -> None:
    assert possible_rows(corners(LEVEL)) == (1,)
    assert possible_rows(corners([[0, 0], [88, 0], [88, 44], [0, 44]])) == (1, 2)


def test_two_rows_are_laid_out_in_one() -> None:
    plate = draw_plate("京AB123挂", "yellow", rows=2)
    box = corners([[60, 60], [280, 60], [280, 170], [60, 170]])
    line = merge_rows(level(scene(plate, box), box))
    assert line.shape == (48, 168, 3)
    ink = (cv2.cvtColor(line, cv2.COLOR_BGR2GRAY)[12:38] < 90).mean(axis=0)
    gaps = (ink[4:-4] < 0.02).astype(int)
    assert (np.diff(gaps) == 1).sum() >= 6


@pytest.mark.parametrize("colour", ["blue", "green", "yellow", "white", "black"])
@pytest.mark.parametrize("gains", [(1, 1, 1), (0.9, 1, 1.1), (1.1, 1, 0.9), (0.5, 0.5, 0.5)])
def test_the_colour_is_seen_under_many_lights(colour: str, gains: tuple[float, float, float]) -> None:
    texts = {"green": "沪AF02976", "white": "鄂F8888警", "black": "沪A1707领"}
    plate = draw_plate(texts.get(colour, "粤B12345"), colour)
    lit = np.clip(plate * np.array(gains), 0, 255).astype(np.uint8)
    probabilities = colour_probabilities(cv2.resize(lit, (168, 48), interpolation=cv2.INTER_AREA))
    assert most_likely(probabilities)[0] == colour
    assert sum(probabilities.values()) == pytest.approx(1.0)
    assert min(probabilities.values()) > 0.001


def test_an_empty_crop_has_a_colour_of_low_certainty_and_no_quality() -> None:
    flat = np.full((48, 168, 3), 128, np.uint8)
    assert sharpness(flat) == 0.0
    assert quality(flat, 150) == 0.05
    assert sum(colour_probabilities(flat).values()) == pytest.approx(1.0)


def test_quality_falls_with_blur_and_with_size() -> None:
    plate = cv2.resize(draw_plate("粤B12345", "blue"), (168, 48), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(plate, (0, 0), 3)
    assert quality(plate, 150) > quality(soft, 150)
    assert quality(plate, 150) > quality(plate, 70) > quality(plate, 45)
