"""Simulated passes over a still: seeded, the plate where it is said to be, and worse than the still."""

import cv2
import numpy as np
import pytest

from cameras.passes import HEIGHT_PX, MOST_ENLARGED, WIDTH_PX, moved, simulate_pass

BOX = (300.0, 200.0, 420.0, 240.0)


def still() -> np.ndarray:
    """A grey picture with a blue plate that has a white bar in its middle."""
    image = np.full((480, 640, 3), 120, np.uint8)
    x1, y1, x2, y2 = (round(v) for v in BOX)
    image[y1:y2, x1:x2] = (200, 60, 20)
    image[y1 + 10 : y2 - 10, 355:365] = 255
    return image


def test_a_pass_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    one, same, other = (simulate_pass(still(), BOX, seed, 3) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one.frames, same.frames, strict=True))
    assert not np.array_equal(one.frames[0], other.frames[0])


@pytest.mark.parametrize("seed", range(4))
def test_the_plate_is_where_the_pass_says(seed: int) -> None:
    passed = simulate_pass(still(), BOX, seed, 4)
    assert [frame.shape for frame in passed.frames] == [(HEIGHT_PX, WIDTH_PX, 3)] * 4
    for frame, centre, width in zip(passed.frames, passed.centres, passed.widths, strict=True):
        blueness = cv2.subtract(frame[:, :, 0], frame[:, :, 2])
        ys, xs = np.nonzero(blueness > 0.5 * blueness.max())
        assert abs(xs.mean() - centre[0]) < 0.1 * width
        assert abs(ys.mean() - centre[1]) < 0.1 * width
        assert 0.7 * width < np.ptp(xs) < 1.3 * width
    assert max(passed.widths) <= 1.1 * MOST_ENLARGED * (BOX[2] - BOX[0])


def test_the_plate_moves_and_the_frames_differ() -> None:
    passed = simulate_pass(still(), BOX, 1, 6)
    assert np.linalg.norm(passed.centres[-1] - passed.centres[0]) > 20
    assert not np.array_equal(passed.frames[0], passed.frames[1])


def test_the_homographies_take_the_still_to_the_frames() -> None:
    passed = simulate_pass(still(), BOX, 2, 3)
    middle = np.array([[360.0, 220.0]])
    for matrix, centre in zip(passed.matrices, passed.centres, strict=True):
        assert moved(matrix, middle)[0] == pytest.approx(centre)


@pytest.mark.parametrize("is_hard", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_car_at_its_pump_has_come_and_stands_as_near_as_it_gets(seed: int, is_hard: bool) -> None:
    passed = simulate_pass(still(), BOX, seed, 7, is_hard=is_hard, is_near=True, standing=4)
    assert len(passed.frames) == 7
    assert np.ptp(passed.centres[2:], axis=0) == pytest.approx(0)
    assert np.linalg.norm(passed.centres[2] - passed.centres[0]) > 20
    assert passed.widths[0] < passed.widths[-1]
    assert passed.widths[0] > 75
