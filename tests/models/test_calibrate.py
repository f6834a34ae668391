"""The figures of the calibration, on readings made up for it."""

import math

import numpy as np
import pytest

from models.calibrate import log_loss, reliability
from models.plate_crops.views import another_view, unlevelled


def test_certainty_that_is_wrong_costs_most() -> None:
    assert log_loss([(0.9, True)]) == pytest.approx(-math.log(0.9))
    assert log_loss([(0.9, False)]) == pytest.approx(-math.log(0.1))
    assert log_loss([(1.0, False)]) > log_loss([(0.99, False)]) > log_loss([(0.6, False)])


def test_calibration_error_is_the_gap_between_said_and_seen() -> None:
    honest = [(0.85, n < 85) for n in range(100)]
    assert reliability(honest)["expected_calibration_error"] == pytest.approx(0.0, abs=1e-9)
    boastful = [(1.0, n < 85) for n in range(100)]
    assert reliability(boastful)["expected_calibration_error"] == pytest.approx(0.15)
    mixed = reliability([*honest, *boastful])
    assert mixed["expected_calibration_error"] == pytest.approx(0.075)
    assert [(row["right"], row["of"]) for row in mixed["table"]] == [(85, 100), (85, 100)]


def test_other_views_keep_size_and_come_with_the_seed() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 255, (48, 168, 3)).astype(np.uint8)
    first, again, other = (another_view(crop, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == crop.shape
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    marked = np.zeros((48, 168, 3), np.uint8)
    marked[20:28] = 255
    rises = [
        np.flatnonzero(view[:, 160, 0] > 127).mean() - np.flatnonzero(view[:, 8, 0] > 127).mean()
        for view in (unlevelled(marked, np.random.default_rng(seed)) for seed in range(8))
    ]
    # The row runs uphill in some views and downhill in others.
    assert min(rises) < -2
    assert max(rises) > 2
