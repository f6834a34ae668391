"""Kerbs and time stamps are laid beside plates, never over them, and are nothing to find."""

import numpy as np
import pytest

from models.plate_detector.compose import Sample, overlaps, target_of
from models.plate_detector.decoys import striped, with_decoys


@pytest.mark.parametrize("seed", range(20))
def test_a_decoy_leaves_plates_as_they_were(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 255, (240, 400, 3)).astype(np.uint8)
    left, top = rng.uniform((10, 60), (250, 150))
    corners = np.array([[0, 0], [90, 4], [88, 34], [-2, 30]], np.float32) + np.float32([left, top])
    sample = with_decoys(Sample(image, [target_of(corners)]), rng)
    assert [target.box for target in sample.targets] == [target_of(corners).box]
    x1, y1, x2, y2 = (round(v) for v in sample.targets[0].box)
    inside = (slice(y1 + 4, y2 - 4), slice(x1 + 4, x2 - 4))
    assert np.array_equal(sample.image[inside], image[inside])


def test_decoys_change_most_pictures_and_add_no_plate() -> None:
    rng = np.random.default_rng(1)
    grey = np.full((240, 400, 3), 120, np.uint8)
    samples = [with_decoys(Sample(grey), rng) for _ in range(10)]
    assert all(np.any(sample.image != grey) for sample in samples)
    assert all(not sample.targets for sample in samples)


def test_stripes_are_two_paints_by_turns() -> None:
    strip = striped(np.random.default_rng(4))
    assert strip.shape[0] == 48
    assert strip.reshape(48, -1, 3).std(axis=1).max() > 20


def test_boxes_overlap_where_they_share_an_area_or_come_closer_than_the_margin() -> None:
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)
    one, far = target_of(square), target_of(square + 20)
    assert not overlaps(one, [], margin=0.0)
    assert not overlaps(one, [far, target_of(square + 10)], margin=0.0)
    assert overlaps(one, [far, target_of(square + 5)], margin=0.0)
    beside = target_of(square + np.float32([11, 0]))
    assert overlaps(one, [beside], margin=0.2)
    assert not overlaps(one, [beside], margin=0.05)
