import cv2
import numpy as np
import pytest

from models.plate_art.strokes import even_strokes, middle_lines


def cross(across: int, down: int) -> np.ndarray:
    """A cross whose two bars are differently thick, alpha (120, 120)."""
    ink = np.zeros((120, 120), np.uint8)
    ink[60 - down // 2 : 60 + down // 2] = 255
    ink[:, 60 - across // 2 : 60 + across // 2] = 255
    return ink


def thickness(alpha: np.ndarray, axis: int) -> int:
    """How many pixels of ink a line meets that crosses one bar only, near the edge of the box."""
    line = alpha[20] if axis == 1 else alpha[:, 12]
    return int((line > 127).sum())


def test_both_bars_of_a_cross_get_the_width_of_the_pen_whatever_they_had() -> None:
    drawn = even_strokes(cross(across=40, down=12), 90, 180, pen=11, most_ink=1.0, is_round=False)
    assert drawn.shape == (180, 90)
    assert abs(thickness(drawn, 1) - 11) <= 1
    assert abs(thickness(drawn, 0) - 11) <= 1


def test_a_character_of_many_strokes_gets_a_finer_pen() -> None:
    bars = np.zeros((120, 120), np.uint8)
    for top in range(4, 120, 16):
        bars[top : top + 8] = 255
    drawn = even_strokes(bars, 90, 180, pen=16, most_ink=0.4, is_round=False)
    assert (drawn > 127).mean() < 0.45
    assert cv2.connectedComponents((drawn > 127).astype(np.uint8))[0] - 1 == 8


@pytest.mark.parametrize("is_round", [False, True])
def test_the_strokes_stay_inside_the_box_and_reach_its_edges(is_round: bool) -> None:
    drawn = even_strokes(cross(8, 8), 90, 180, pen=13, most_ink=1.0, is_round=is_round)
    ys, xs = np.nonzero(drawn > 127)
    assert ys.min() <= 6
    assert ys.max() >= 173
    assert xs.min() <= 6
    assert xs.max() >= 83


def test_middle_lines_are_one_pixel_wide_and_in_one_piece() -> None:
    lines = middle_lines(cross(20, 30) > 0)
    assert cv2.connectedComponents(lines.astype(np.uint8))[0] == 2
    assert lines.sum() < 300
    assert lines[20].sum() == 1
