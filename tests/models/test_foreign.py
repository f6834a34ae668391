"""Drawn plates of other countries, and texts whose characters repeat."""

import re
from itertools import pairwise

import numpy as np
import pytest

from models.plate_art.random_plates import RUN_SHARE, random_digits, with_runs
from models.plate_crops.foreign import foreign_crop, foreign_plate, random_foreign_text
from vision.plates import PROVINCES
from vision.rectify import READER_HEIGHT, READER_WIDTH


def test_foreign_plates_say_nothing_to_be_read() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        crop, text = foreign_crop(rng)
        assert text == ""
        assert crop.dtype == np.uint8
        assert crop.shape[1] * READER_HEIGHT == pytest.approx(crop.shape[0] * READER_WIDTH, rel=0.03)


def test_foreign_texts_are_never_texts_of_ours() -> None:
    rng = np.random.default_rng(2)
    texts = {random_foreign_text(rng) for _ in range(300)}
    assert len(texts) > 250
    assert all(re.fullmatch(r"[A-Z0-9 -]{6,9}", text) for text in texts)
    assert not any(set(text) & set(PROVINCES) for text in texts)


def test_the_same_seed_draws_the_same_foreign_plate() -> None:
    one, other = (foreign_plate(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, foreign_plate(np.random.default_rng(4)))


def test_characters_repeat_more_often_than_by_chance() -> None:
    rng = np.random.default_rng(5)
    texts = [random_digits(rng, 5) for _ in range(2000)]
    share = np.mean([a == b for text in texts for a, b in pairwise(text)])
    assert share == pytest.approx(RUN_SHARE + (1 - RUN_SHARE) / 10, abs=0.02)


def test_runs_change_nothing_but_later_characters() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        text = with_runs(rng, "ABCDE")
        assert text[0] == "A"
        assert all(c in (text[i], "BCDE"[i]) for i, c in enumerate(text[1:]))
