"""Plates of known colour in poor light, and the network as it is written down."""

import numpy as np
import pytest

from models.plate_colour.dataset import DRAWN, drawn, seen
from models.plate_colour.lights import CHAIN, lit
from vision.colour import COLOURS
from vision.paint import MEASURES


def test_every_light_keeps_the_size_changes_nothing_it_was_given_and_comes_with_the_seed() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (48, 168, 3)).astype(np.uint8)
    before = crop.copy()
    for effect in (effect for group in CHAIN for effect, _ in group):
        first, again = (effect(crop, np.random.default_rng(3)) for _ in range(2))
        assert first.shape == crop.shape, effect.__name__
        assert first.dtype == np.uint8, effect.__name__
        assert np.array_equal(first, again), effect.__name__
        assert not np.array_equal(first, crop), effect.__name__
    assert np.array_equal(crop, before)
    views = [lit(crop, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


@pytest.mark.parametrize("group", CHAIN)
def test_what_happens_to_a_crop_has_shares_below_one(group) -> None:
    assert 0 < sum(share for _, share in group) <= 1


def test_all_colours_come_from_the_same_makers_and_are_equally_many() -> None:
    assert set(DRAWN) == set(COLOURS)
    config = {"lights": 2, "shares": {"drawn": 1.0}, "shares_blue": {"drawn": 1.0}}
    runs = [seen({"drawn": drawn}, config, 3, np.random.default_rng(5)) for _ in range(2)]
    measures, colours = runs[0]
    assert measures.shape == (6 * len(COLOURS), MEASURES)
    assert np.bincount(colours).tolist() == [6] * len(COLOURS)
    assert np.isfinite(measures).all()
    assert np.array_equal(measures, runs[1][0])
